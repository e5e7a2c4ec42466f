//! Writes down for operators how the stream of the group stands: open or not, since when, and what happened to it last.
//!
//! Protocol: the group's actor tells what happens; what changes the picture is written by a task beside it, one small
//! statement a change, under the group's lease. Nobody waits for it, and of what happens while a statement is under way the last
//! counts. Nothing is written on a timer.
//!
//! Failure: while the database is away the last picture is tried again with back-off. A group that is another's by now, or that
//! was dissolved, is written about no more. Nothing depends on what stands there: no fault of this ends anything.

use std::time::Duration;

use base::Backoff;
use jiff::Timestamp;
use store::group_streams::{StreamEvent, StreamState};
use store::lease::Fence;
use store::subscriptions::GroupId;
use store::{Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

#[cfg(test)]
mod tests;

/// The shortest pause before what could not be written is tried again.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The picture. Pure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Picture(Option<StreamState>);

impl Picture {
    /// Something happened. Gives the picture when that changes it.
    pub(crate) fn happened(
        &mut self,
        event: StreamEvent,
        code: Option<&str>,
        now: Timestamp,
    ) -> Option<StreamState> {
        let open = event == StreamEvent::Opened;
        let mut since = now;
        if let Some(before) = self.0.as_ref().filter(|before| !open && !before.open) {
            let is_news = before.happening != event.as_str() || before.code.as_deref() != code;
            // that the group does not want it any more says less than why it was not open
            if !is_news || event == StreamEvent::Withdrawn {
                return None;
            }
            since = before.since;
        }
        let happening = event.as_str().to_owned();
        let state = StreamState { open, since, happening, code: code.map(str::to_owned), happened_at: now };
        self.0 = Some(state.clone());
        Some(state)
    }
}

/// What the group's actor tells; dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Record {
    picture: Picture,
    latest: watch::Sender<Option<StreamState>>,
    _task: AbortOnDropHandle<()>,
}

impl Record {
    /// Starts the task on `runtime`.
    pub(crate) fn start(runtime: &Handle, store: Store, fence: Fence, group: GroupId) -> Self {
        let (latest, news) = watch::channel(None);
        let task = AbortOnDropHandle::new(runtime.spawn(keep(store, fence, group, news)));
        Self { picture: Picture::default(), latest, _task: task }
    }

    /// Something happened to the stream.
    pub(crate) fn happened(&mut self, event: StreamEvent, code: Option<&str>, now: Timestamp) {
        if let Some(state) = self.picture.happened(event, code, now) {
            self.latest.send_replace(Some(state));
        }
    }
}

/// Writes the latest whenever there is one.
async fn keep(store: Store, fence: Fence, group: GroupId, mut news: watch::Receiver<Option<StreamState>>) {
    let backoff = Backoff::doubling(PAUSE_MIN, PAUSE_MAX);
    let mut failures = 0_u32;
    loop {
        let latest = news.borrow_and_update().clone();
        let pause = match latest {
            None => None,
            Some(state) => match store.record_stream(&fence, group, &state).await {
                Ok(true) => {
                    failures = 0;
                    None
                }
                // it is another's, or there is none any more
                Ok(false) => return,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tell(group, failures, &error);
                    error.is_outage().then(|| backoff.delay_jittered(failures))
                }
            },
        };
        let again = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = again => {}
            changed = news.changed() => if changed.is_err() { return },
        }
    }
}

/// Tells the first of several failures in a row: the database being away is told by those whom it holds up.
fn tell(group: GroupId, failures: u32, error: &StoreError) {
    let (group, error) = (group.get(), telemetry::chain(error));
    if failures == 1 {
        tracing::warn!(group, %error, "how the stream of a group stands is not recorded");
    } else {
        tracing::debug!(group, failures, %error, "how the stream of a group stands is still not recorded");
    }
}
