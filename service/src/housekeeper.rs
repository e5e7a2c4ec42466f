//! The child `housekeeping`: removes what is older than `retention_days` says, in small batches, and sweeps away what is
//! left of erased mailboxes.
//!
//! Protocol: one instance at a time has the duty, by the lease `housekeeping`. A round begins soon after the duty was
//! taken and then every [`EVERY`]; between two batches it pauses, so that it takes a small share of the database. Nobody waits
//! for it, and what is still needed is never removed ([`store::housekeeping`]).
//!
//! Failure: an outage ends the round, which the next one makes up; a lost lease is taken again. Both are told in the
//! log. `kommuneklient_housekeeping_rows_total{table}` counts what was removed, and
//! `kommuneklient_housekeeping_done_seconds` says when a round last came to its end.

use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use base::SharedClock;
use store::housekeeping::Area;
use store::lease::{Fence, LeaseBook};
use store::{Store, StoreError, duty};
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::config::RetentionConfig;

/// Between two rounds.
pub(crate) const EVERY: Duration = Duration::from_secs(3_600);
/// Before the first: a start has better things to do.
const FIRST: Duration = Duration::from_secs(60);
/// Between two batches.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the end of a batch is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most batches of one area in a round: what is left is for the next.
const BATCHES_MAX: u32 = 5_000;
/// The lease of the duty.
pub(crate) const LEASE: &str = "housekeeping";

/// What the work is done with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) store: Store,
    pub(crate) leases: LeaseBook,
    pub(crate) clock: SharedClock,
    pub(crate) runtime: Handle,
    pub(crate) retention: RetentionConfig,
}

/// Keeps the house.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    tools: Tools,
    context: ChildContext,
    stop: CancellationToken,
    work: Option<tokio::task::JoinHandle<()>>,
}

impl Housekeeper {
    pub(crate) fn new(tools: Tools, context: ChildContext) -> Self {
        let stop = context.ended().child_token();
        Self { tools, context, stop, work: None }
    }
}

impl Actor for Housekeeper {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let (tools, stop, context) = (self.tools.clone(), self.stop.clone(), self.context.clone());
        let guard = self.context.clone();
        self.work = Some(self.tools.runtime.spawn(guard.guarded("housekeeping", async move {
            let ended = tokio::select! {
                ended = keep(&tools) => ended,
                () = stop.cancelled() => return,
            };
            context.fail(telemetry::chain(&ended));
        })));
    }
}

impl Handler<Stop> for Housekeeper {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stop.cancel();
        let work = self.work.take();
        let wait = async move {
            if let Some(work) = work {
                let _ = tokio::time::timeout(PATIENCE, work).await;
            }
        };
        Box::pin(wait.into_actor(self).map(|(), _, ctx| ctx.stop()))
    }
}

/// Does the duty whenever it has it; ends with an error that waiting does not heal.
async fn keep(tools: &Tools) -> StoreError {
    loop {
        let lease = match duty::hold(&tools.leases, LEASE, || {}).await {
            Ok(lease) => lease,
            Err(error) => return error,
        };
        let fence = lease.fence();
        tokio::select! {
            error = rounds(tools, &fence) => return error,
            () = lease.lost() => tracing::info!("the duty of housekeeping was lost, it is taken again"),
        }
    }
}

/// Round after round; ends with an error that waiting does not heal.
async fn rounds(tools: &Tools, fence: &Fence) -> StoreError {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = EVERY;
        match round(tools, fence).await {
            Ok(()) => {
                telemetry::metrics()
                    .gauge(
                        "kommuneklient_housekeeping_done_seconds",
                        "When what is old was last removed, in Unix time",
                        &[],
                    )
                    .set(tools.clock.now().as_second() as f64);
            }
            // told by the select above
            Err(StoreError::LeaseLost { .. }) => std::future::pending::<()>().await,
            Err(error) if error.is_outage() => {
                tracing::warn!(error = %telemetry::chain(&error), "housekeeping waits for its next round");
            }
            Err(error) => return error,
        }
    }
}

/// One round through all areas.
async fn round(tools: &Tools, fence: &Fence) -> Result<(), StoreError> {
    for area in Area::ALL {
        let removed = clear(tools, fence, area).await?;
        if removed > 0 {
            tracing::info!(table = area.table(), rows = removed, "removed what was old enough");
        }
    }
    let swept = tools.store.sweep_erased().await?;
    if swept > 0 {
        tracing::info!(rows = swept, "swept away what was left of erased mailboxes");
    }
    Ok(())
}

async fn clear(tools: &Tools, fence: &Fence, area: Area) -> Result<u64, StoreError> {
    let days = days(&tools.retention, area);
    let counter = telemetry::metrics().counter(
        "kommuneklient_housekeeping_rows_total",
        "Rows that were removed because they were old enough",
        &[("table", area.table())],
    );
    let (mut removed, mut after) = (0, String::new());
    for _ in 0..BATCHES_MAX {
        let cleared = tools.store.clear(fence, area, days, &after).await?;
        removed += cleared.rows;
        counter.inc_by(cleared.rows);
        match cleared.next {
            Some(next) => after = next,
            None => break,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(removed)
}

const fn days(retention: &RetentionConfig, area: Area) -> u32 {
    match area {
        Area::NotificationLog => retention.notification_log,
        // what was decided and what Planner answered to it are one story
        Area::SyncLog | Area::DecisionHistory => retention.sync_log,
        Area::CallLog => retention.service_call_reference_log,
        Area::ApplicationLog => retention.application_log,
        // what is kept of a past appointment goes together
        Area::PastAppointments | Area::PastDecisions | Area::PastWithheld => retention.calendar_event,
    }
}
