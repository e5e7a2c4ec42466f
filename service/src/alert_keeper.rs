//! The child `alerts`: tells in the log when alerts begin and end, keeps the table `standing_alert` in step with them for
//! operators' tools, and looks whether something waits for an operator, which alerts for as long as it does (B13). What is
//! counted about something that went to another instance, or that there is no more, it lets go (module `subjects`). It
//! also books what is done of operators' operations, so that it stays done.
//!
//! The counting itself is telemetry's and goes on without this child; a database that is away delays the table and the
//! states, nothing else. No event is raised about a failure here: it would count as one.

use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use base::SharedClock;
use calendar::codes;
use store::alerts::{Alert, OpenMatters};
use store::{Store, StoreError};
use supervision::{ChildContext, Stop};
use telemetry::{AlertChange, Alerts, StandingAlert};
use tokio::runtime::Handle;

mod subjects;

use subjects::Subjects;

/// How often alerts that grew old are let go, and changes are told and written.
const EVERY: Duration = Duration::from_secs(2);
/// How often unchanged alerts are confirmed in the table; a few times within [`store::alerts::CONFIRMED_WITHIN`].
const CONFIRM_EVERY: Duration = Duration::from_secs(30);
/// How often it is looked what waits for an operator, and what became of the subjects of alerts.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keeps the alerts known.
#[derive(Debug)]
pub(crate) struct AlertKeeper {
    alerts: Alerts,
    store: Store,
    instance: String,
    clock: SharedClock,
    runtime: Handle,
    context: ChildContext,
    /// What the table says; `None` when that is unknown.
    written: Option<Vec<StandingAlert>>,
    confirm_at: Option<Instant>,
    look_at: Option<Instant>,
    busy: bool,
}

impl AlertKeeper {
    /// A keeper of the process `instance`.
    pub(crate) fn new(
        alerts: Alerts,
        store: Store,
        instance: String,
        clock: SharedClock,
        runtime: Handle,
        context: ChildContext,
    ) -> Self {
        let (written, confirm_at, look_at, busy) = (None, None, None, false);
        Self { alerts, store, instance, clock, runtime, context, written, confirm_at, look_at, busy }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.alerts.look().iter().for_each(tell);
        if self.busy {
            return;
        }
        let (now, as_of) = (self.clock.monotonic(), self.alerts.now());
        let standing = self.alerts.standing();
        let confirm = self.confirm_at.is_none_or(|at| at <= now);
        let write = (confirm || self.written.as_ref() != Some(&standing)).then(|| standing.clone());
        let look = self.look_at.is_none_or(|at| at <= now);
        if write.is_none() && !look {
            return;
        }
        self.busy = true;
        let (store, instance) = (self.store.clone(), self.instance.clone());
        let subjects = Subjects::of(if look { self.alerts.counted() } else { Vec::new() });
        let task = self.runtime.spawn(async move {
            if let Some(alerts) = &write {
                let rows: Vec<Alert> = alerts.iter().map(row).collect();
                store.keep_alerts(&instance, &rows).await?;
            }
            if look {
                store.book_operations().await?;
            }
            let matters = if look { Some(store.open_matters().await?) } else { None };
            let ended = if subjects.is_empty() {
                Vec::new()
            } else {
                subjects.ended(&store.homes(&subjects.sought()).await?, &instance)
            };
            Ok::<_, StoreError>((write, matters, ended))
        });
        ctx.spawn(task.into_actor(self).map(move |done, actor, _| {
            actor.busy = false;
            match done {
                Ok(Ok((written, matters, ended))) => {
                    if let Some(written) = written {
                        actor.written = Some(written);
                        actor.confirm_at = Some(now + CONFIRM_EVERY);
                    }
                    if let Some(matters) = matters {
                        actor.look_at = Some(now + LOOK_EVERY);
                        for (code, so) in states(&matters) {
                            actor.alerts.hold(code, so, as_of);
                        }
                    }
                    for (code, subject) in ended {
                        actor.alerts.ended(code, &subject, as_of);
                    }
                }
                Ok(Err(error)) => {
                    actor.written = None;
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "the alerts were not written, trying again"
                    );
                }
                Err(error) => actor.context.fail(format!("keeping the alerts ended: {error}")),
            }
        }));
    }
}

/// The codes of what waits for an operator, and whether it does.
pub(crate) fn states(matters: &OpenMatters) -> [(u16, bool); 5] {
    [
        (codes::DELETES_WITHHELD.id, matters.full_reads_withheld),
        (codes::COMPARISON_WITHHELD.id, matters.comparisons_withheld),
        (codes::RESOURCE_DROP_WITHHELD.id, matters.drops_withheld),
        (codes::NOTIFICATION_SET_ASIDE.id, matters.notifications_set_aside),
        (codes::KEY_SET_ASIDE.id, matters.keys_set_aside),
    ]
}

fn row(alert: &StandingAlert) -> Alert {
    Alert {
        code: alert.code,
        since: alert.since,
        last_at: alert.last_at,
        occurrences: alert.occurrences,
        subjects: alert.subjects.clone(),
    }
}

/// In a field of its own and not in `event_id`: this is no occurrence of the event.
fn tell(change: &AlertChange) {
    let meaning = |code| codes::by_id(code).map_or("", |entry| entry.meaning.en);
    match *change {
        AlertChange::Began { code, occurrences } => {
            tracing::warn!(code, occurrences, meaning = meaning(code), "an alert begins");
        }
        AlertChange::Over { code, since, occurrences } => {
            tracing::info!(code, occurrences, %since, meaning = meaning(code), "an alert is over");
        }
    }
}

impl Actor for AlertKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.tick(ctx);
        ctx.run_interval(EVERY, Self::tick);
    }
}

impl Handler<Stop> for AlertKeeper {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use base::event_entry::Clears;

    use super::*;

    /// What is a state in the registry is looked at here, and nothing else is held.
    #[test]
    fn every_state_is_looked_at() {
        let mut held: Vec<u16> = states(&OpenMatters::default()).iter().map(|(code, _)| *code).collect();
        let states = codes::REGISTRY.iter().filter(|entry| entry.clears == Clears::State);
        let mut states: Vec<u16> = states.map(|entry| entry.code.id).collect();
        held.sort_unstable();
        states.sort_unstable();
        assert_eq!(held, states);
    }
}
