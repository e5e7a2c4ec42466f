//! The child `alerts`: tells in the log when alerts begin and end, keeps the table `standing_alert` in step with them for
//! operators' tools, and looks whether something waits for an operator, which alerts for as long as it does (B13). What is
//! counted about something that went to another instance, or that there is no more, it lets go (module `subjects`). It
//! also books what is done of operators' operations, so that it stays done. When it is stopped it takes its alerts out of
//! the table: nobody sees to it that they end there.
//!
//! The counting itself is telemetry's and goes on without this child; a database that is away delays the table and the
//! states, nothing else. No event is raised about a failure here: it would count as one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture,
};
use base::SharedClock;
use calendar::codes;
use jiff::Timestamp;
use store::alerts::{Alert, OpenMatters, Waiting, not_named};
use store::{Store, StoreError};
use supervision::{ChildContext, Stop};
use telemetry::{AlertChange, Alerts, Held, StandingAlert};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

mod subjects;

use subjects::Subjects;

/// How often alerts that grew old are let go, and changes are told and written.
const EVERY: Duration = Duration::from_secs(2);
/// How often unchanged alerts are confirmed in the table; a few times within [`store::alerts::CONFIRMED_WITHIN`].
const CONFIRM_EVERY: Duration = Duration::from_secs(30);
/// How often it is looked what waits for an operator, and what became of the subjects of alerts.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long taking the alerts out of the table may take.
const FORGET_PATIENCE: Duration = Duration::from_secs(2);

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
    /// No round begins any more.
    ending: bool,
    /// Held while a round is under way, which goes on where nobody waits for it: what is written last is to be the last.
    under_way: Arc<Mutex<()>>,
}

/// What one round is to do.
#[derive(Debug)]
struct Tasks {
    /// Alerts to be written.
    write: Option<Vec<StandingAlert>>,
    /// Look what waits for an operator.
    look: bool,
    /// What is to be looked for, and may be gone.
    subjects: Subjects,
}

/// What one round did; each part of it by itself.
#[derive(Debug, Default)]
struct Round {
    /// What the table says now.
    written: Option<Vec<StandingAlert>>,
    matters: Option<OpenMatters>,
    ended: Vec<(u16, String)>,
    /// What could not be done.
    failures: Vec<StoreError>,
}

impl Round {
    /// Does what can be done: what fails keeps nothing else from being done, unless the database is away.
    async fn of(tasks: Tasks, store: &Store, instance: &str) -> Self {
        let mut round = Self::default();
        if let Some(alerts) = tasks.write {
            let rows: Vec<Alert> = alerts.iter().map(row).collect();
            round.written = round.note(store.keep_alerts(instance, &rows).await).map(|()| alerts);
        }
        if tasks.look && round.goes_on() {
            round.note(store.book_operations().await);
            round.matters = round.note(store.open_matters().await);
        }
        if !tasks.subjects.is_empty() && round.goes_on() {
            let homes = round.note(store.homes(&tasks.subjects.sought()).await);
            round.ended = homes.map(|homes| tasks.subjects.ended(&homes, instance)).unwrap_or_default();
        }
        round
    }

    fn goes_on(&self) -> bool {
        !self.failures.iter().any(StoreError::is_outage)
    }

    fn note<T>(&mut self, done: Result<T, StoreError>) -> Option<T> {
        done.map_err(|error| self.failures.push(error)).ok()
    }
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
        Self {
            alerts,
            store,
            instance,
            clock,
            runtime,
            context,
            written: None,
            confirm_at: None,
            look_at: None,
            busy: false,
            ending: false,
            under_way: Arc::default(),
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.alerts.look().iter().for_each(tell);
        if self.busy || self.ending {
            return;
        }
        let (now, as_of) = (self.clock.monotonic(), self.alerts.now());
        let standing = self.alerts.standing();
        let confirm = self.confirm_at.is_none_or(|at| at <= now);
        let write = (confirm || self.written.as_ref() != Some(&standing)).then_some(standing);
        let look = self.look_at.is_none_or(|at| at <= now);
        if write.is_none() && !look {
            return;
        }
        self.busy = true;
        let (store, instance, under_way) =
            (self.store.clone(), self.instance.clone(), Arc::clone(&self.under_way));
        let subjects = Subjects::of(if look { self.counted() } else { Vec::new() });
        let tasks = Tasks { write, look, subjects };
        let task = self.runtime.spawn(async move {
            let _alone = under_way.lock().await;
            Round::of(tasks, &store, &instance).await
        });
        ctx.spawn(task.into_actor(self).map(move |done, actor, _| {
            actor.busy = false;
            match done {
                Ok(round) => actor.note(round, now, as_of),
                Err(error) => actor.context.fail(format!("keeping the alerts ended: {error}")),
            }
        }));
    }

    /// What may have gone elsewhere: what is counted about something, and about a duty as a whole.
    fn counted(&self) -> Vec<(u16, String)> {
        let of_the_whole = self.alerts.counted_of_the_whole().into_iter().map(|code| (code, String::new()));
        self.alerts.counted().into_iter().chain(of_the_whole).collect()
    }

    /// Notes what a round did that began at `now` and looked at the alerts `as_of`.
    fn note(&mut self, round: Round, now: Instant, as_of: Timestamp) {
        for error in &round.failures {
            tracing::debug!(
                error = error as &dyn std::error::Error,
                "a part of keeping the alerts failed, trying again"
            );
        }
        if let Some(written) = round.written {
            self.written = Some(written);
            self.confirm_at = Some(now + CONFIRM_EVERY);
        } else if !round.failures.is_empty() {
            self.written = None;
        }
        if let Some(matters) = round.matters {
            self.look_at = Some(now + LOOK_EVERY);
            for (code, waiting) in states(&matters) {
                self.alerts.hold(code, waiting.map(held), as_of);
            }
        }
        for (code, subject) in round.ended {
            self.alerts.ended(code, &subject, as_of);
        }
    }
}

/// Takes the alerts of `instance` out of the table, after the round that is `under_way`.
async fn forget(store: &Store, instance: &str, under_way: &Mutex<()>) -> Result<(), StoreError> {
    let _alone = under_way.lock().await;
    store.keep_alerts(instance, &[]).await
}

/// What waits is so since the oldest of it does, and as often as there is of it: whichever process looks, since when it runs.
fn held(waiting: Waiting) -> Held {
    Held { since: waiting.since, last_at: waiting.last_at, times: waiting.count }
}

/// The codes of what waits for an operator, and what of it does.
pub(crate) fn states(matters: &OpenMatters) -> [(u16, Option<Waiting>); 5] {
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
        subjects: alert.subjects.iter().cloned().chain(not_named(alert.more)).collect(),
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
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.ending = true;
        let (store, instance, under_way) =
            (self.store.clone(), self.instance.clone(), Arc::clone(&self.under_way));
        let forgotten = self.runtime.spawn(async move {
            tokio::time::timeout(FORGET_PATIENCE, forget(&store, &instance, &under_way)).await
        });
        Box::pin(forgotten.into_actor(self).map(|result, _, ctx| {
            if !matches!(result, Ok(Ok(Ok(())))) {
                tracing::debug!("the alerts of this instance stay in the table until nobody believes them");
            }
            ctx.stop();
        }))
    }
}

#[cfg(test)]
mod tests {
    use base::event_entry::Clears;
    use store::testing::database;

    use super::*;

    fn alert() -> StandingAlert {
        let at = Timestamp::UNIX_EPOCH;
        let subjects = vec!["7".to_owned()];
        StandingAlert { code: 4908, since: at, last_at: at, occurrences: 1, subjects, more: 3 }
    }

    /// Regression: what was read and written was forgotten when it could not be looked where subjects are.
    #[tokio::test]
    async fn what_fails_in_a_round_throws_nothing_else_away() {
        let database = database().await;
        let client = database.store.client("test").await.unwrap();
        let tasks = || {
            let subjects = Subjects::of(vec![(codes::STREAM_OPEN_FAILED.id, "7".to_owned())]);
            Tasks { write: Some(vec![alert()]), look: true, subjects }
        };
        let round = Round::of(tasks(), &database.store, "me").await;
        assert!(round.failures.is_empty(), "{:?}", round.failures);
        assert_eq!(round.ended, [(4908, "7".to_owned())], "there is no such group");
        client.batch_execute("alter table planner_resource_subscription rename to away").await.unwrap();
        let round = Round::of(tasks(), &database.store, "me").await;
        assert_eq!((round.failures.len(), round.ended.len()), (1, 0), "{:?}", round.failures);
        assert_eq!((round.written, round.matters), (Some(vec![alert()]), Some(OpenMatters::default())));
    }

    /// Regression: the alerts of an instance that had ended in order stood for two minutes more.
    #[tokio::test]
    async fn who_ends_takes_its_alerts_along() {
        let database = database().await;
        let store = &database.store;
        for instance in ["me", "other"] {
            let tasks = Tasks { write: Some(vec![alert()]), look: false, subjects: Subjects::of(Vec::new()) };
            Round::of(tasks, store, instance).await;
        }
        let told = store.standing_alerts().await.unwrap();
        assert_eq!((told.len(), &told[0].1.subjects[..]), (2, &["7".to_owned(), "+3".to_owned()][..]));
        forget(store, "me", &Mutex::new(())).await.unwrap();
        let left = store.standing_alerts().await.unwrap();
        assert_eq!(left.iter().map(|(instance, _)| &**instance).collect::<Vec<_>>(), ["other"]);
    }

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
