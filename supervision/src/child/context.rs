//! What an incarnation tells its supervisor, and learns from it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::SharedClock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::child::ChildId;
use crate::exit::cut;
use crate::health::Board;

/// The line from one incarnation to its supervisor. Clones may go to tasks of the incarnation on any
/// thread; what they say after the incarnation has ended is ignored.
#[derive(Clone)]
pub struct ChildContext {
    shared: Arc<Shared>,
}

/// State between an incarnation and its supervisor.
pub(crate) struct Shared {
    id: ChildId,
    path: String,
    incarnation: u64,
    clock: SharedClock,
    board: Arc<Board>,
    stopping: AtomicBool,
    ready: AtomicBool,
    failure: Mutex<Option<String>>,
    failed: Notify,
    pulse: Mutex<Pulse>,
    became_busy: Notify,
    ended: CancellationToken,
}

#[derive(Debug, Clone, Copy, Default)]
struct Pulse {
    /// When the present time without progress began; `None` while idle.
    still_since: Option<Instant>,
}

impl fmt::Debug for ChildContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildContext")
            .field("path", &self.shared.path)
            .field("incarnation", &self.shared.incarnation)
            .finish_non_exhaustive()
    }
}

impl ChildContext {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// "I moved": the progress deadline starts anew. Cheap; say it at every step of work.
    pub fn progress(&self) {
        let now = self.shared.clock.monotonic();
        let mut pulse = self.shared.pulse();
        if pulse.still_since.is_some() {
            pulse.still_since = Some(now);
        }
    }

    /// Says whether there is work now. The progress deadline runs only while there is, from the moment
    /// that there was, or from the last [`progress`](Self::progress). Waiting for work is not work.
    pub fn busy(&self, busy: bool) {
        let now = self.shared.clock.monotonic();
        let mut pulse = self.shared.pulse();
        match (busy, pulse.still_since) {
            (true, None) => {
                pulse.still_since = Some(now);
                drop(pulse);
                self.shared.became_busy.notify_one();
            }
            (false, _) => pulse.still_since = None,
            (true, Some(_)) => {}
        }
    }

    /// Says whether this child is ready; heard only if its specification says `reports_readiness`.
    pub fn ready(&self, ready: bool) {
        if self.shared.ready.swap(ready, Ordering::AcqRel) != ready {
            self.shared.board.changed();
        }
    }

    /// This incarnation has failed: it is ended at once, without [`Stop`](crate::Stop), and its supervisor
    /// decides what follows. The first reason counts. It is logged and shown: no secret and no content of
    /// an appointment may be in it; it is cut after 300 characters.
    pub fn fail(&self, reason: impl fmt::Display) {
        let mut failure = self.shared.failure();
        if failure.is_none() {
            *failure = Some(cut(reason));
            drop(failure);
            self.shared.failed.notify_one();
        }
    }

    /// A task for this incarnation that runs elsewhere, for example on a runtime's handle: when it panics, the
    /// incarnation has failed with it. Without this nobody would learn of it, and who waits for its word would wait for
    /// ever. A task that is aborted fails nothing.
    pub fn guarded<F: Future + Send>(
        &self,
        what: &'static str,
        task: F,
    ) -> impl Future<Output = F::Output> + Send + use<F> {
        let guard = PanicGuard { context: self.clone(), what };
        async move {
            let _guard = guard;
            task.await
        }
    }

    /// The number of this incarnation, from 1.
    pub fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    /// The name of the child.
    pub fn id(&self) -> &ChildId {
        &self.shared.id
    }

    /// The names from the root to the child, joined with `/`.
    pub fn path(&self) -> &str {
        &self.shared.path
    }

    /// Has it been told to stop, or has it ended? Then nothing new is to be begun.
    pub fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire) || self.shared.ended.is_cancelled()
    }

    /// Cancelled when the incarnation has ended in whichever way. Tasks that it started elsewhere (on the
    /// runtime's handle) do not end with it: let them watch this.
    pub fn ended(&self) -> CancellationToken {
        self.shared.ended.clone()
    }
}

/// Tells of a panic that unwinds through it.
struct PanicGuard {
    context: ChildContext,
    what: &'static str,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.context.fail(format_args!("{} panicked", self.what));
        }
    }
}

impl Shared {
    pub(crate) fn new(
        id: ChildId,
        path: String,
        incarnation: u64,
        clock: SharedClock,
        board: Arc<Board>,
    ) -> Self {
        Self {
            id,
            path,
            incarnation,
            clock,
            board,
            stopping: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            failure: Mutex::new(None),
            failed: Notify::new(),
            pulse: Mutex::new(Pulse::default()),
            became_busy: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn set_ended(&self) {
        self.ended.cancel();
    }

    pub(crate) fn failure_reason(&self) -> Option<String> {
        self.failure().clone()
    }

    /// Waits until the incarnation says that it failed.
    pub(crate) async fn failed(&self) -> String {
        loop {
            if let Some(reason) = self.failure_reason() {
                return reason;
            }
            self.failed.notified().await;
        }
    }

    /// Waits until the incarnation was busy without progress for `deadline`. While it is stopping, its
    /// shutdown deadline is what counts.
    pub(crate) async fn hung(&self, deadline: Option<Duration>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        loop {
            let still_since = self.pulse().still_since;
            let Some(still_since) = still_since else {
                self.became_busy.notified().await;
                continue;
            };
            let still_for = self.clock.monotonic().saturating_duration_since(still_since);
            let left = deadline.saturating_sub(still_for);
            if left.is_zero() {
                if self.stopping.load(Ordering::Acquire) {
                    return std::future::pending().await;
                }
                return;
            }
            // Progress only moves the deadline away, so that waking for the old one is early enough.
            tokio::time::sleep(left).await;
        }
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        // Nothing panics under these two locks, and their content is always whole.
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
