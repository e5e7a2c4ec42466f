//! Storing full reads together: what several mailboxes lead to in one transaction. A pull of many mailboxes is bound by
//! the database, and most of what a small transaction costs there is paid once for all of them. A full read that is
//! ready waits for others that are under way, but only a moment, and never when it is the only one.
//!
//! Failure: when it does not work together, for whatever reason, each stores its own and learns its own fate. Who is
//! given up while it writes for others leaves them to themselves: whether its transaction took effect or not,
//! theirs is then a conflict or a repetition, which is decided anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::decisions::{Applied, DECISIONS_TOGETHER_MAX, Done, Effect};
use store::lease::Fence;
use store::{Store, StoreError};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, Semaphore, oneshot};

#[cfg(test)]
mod tests;

/// Most mailboxes in one transaction.
pub(crate) const MAILBOXES_MAX: usize = 16;
/// So many need not wait for more.
const ENOUGH: usize = MAILBOXES_MAX;
/// Longest wait for others.
const LINGER: Duration = Duration::from_millis(40);
/// Those who wait to be stored.
#[derive(Debug)]
pub(crate) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    /// Who has it writes.
    pen: Semaphore,
    /// Full reads that were begun and have not ended.
    under_way: AtomicUsize,
    /// Longest wait for others.
    linger: Duration,
    /// Somebody came to wait, or ended without.
    news: Notify,
}

/// A full read that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a Together);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.news.notify_one();
    }
}

#[derive(Debug)]
struct Waiting {
    fence: Fence,
    effect: Arc<Effect>,
    /// Told once it is stored; dropped when it is to be stored alone.
    stored: oneshot::Sender<()>,
}

impl Together {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            pen: Semaphore::new(1),
            under_way: AtomicUsize::new(0),
            linger: LINGER,
            news: Notify::new(),
        }
    }

    /// Notes that a full read begins, so that others wait for it a moment; until the answer is dropped.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Stores the effect of a full read, together with others if there are any and it can be. Each mailbox at most once at
    /// one time.
    pub(crate) async fn apply(
        &self,
        store: &Store,
        fence: &Fence,
        effect: &Arc<Effect>,
    ) -> Result<Applied, StoreError> {
        if !effect.is_plain() {
            return store.apply(fence, effect).await;
        }
        let (stored, mut is_stored) = oneshot::channel();
        self.lock().push(Waiting { fence: fence.clone(), effect: Arc::clone(effect), stored });
        self.news.notify_one();
        let pen = self.pen.acquire().await.expect("nobody closes the semaphore");
        loop {
            match is_stored.try_recv() {
                Ok(()) => return Ok(Applied::Done(Done::default())),
                Err(TryRecvError::Closed) => break,
                // It still waits in the queue: who takes it out tells or drops it before the pen is put down.
                Err(TryRecvError::Empty) => {
                    self.linger().await;
                    let group = take(&mut self.lock());
                    write(store, group).await;
                }
            }
        }
        drop(pen);
        store.apply(fence, effect).await
    }

    /// Waits until enough or all are ready.
    async fn linger(&self) {
        let gathered = async {
            loop {
                let news = self.news.notified();
                let ready = self.lock().len();
                if ready >= ENOUGH || ready >= self.under_way.load(Ordering::Relaxed) {
                    return;
                }
                news.await;
            }
        };
        // Too late is as good as all.
        let _ = tokio::time::timeout(self.linger, gathered).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores a group and tells its members; drops them when they are to be stored alone.
async fn write(store: &Store, group: Vec<Waiting>) {
    if group.len() < 2 {
        return;
    }
    let effects: Vec<(&Fence, &Effect)> = group.iter().map(|one| (&one.fence, &*one.effect)).collect();
    match store.apply_together(&effects).await {
        Ok(true) => {
            for one in group {
                // Who was given up meanwhile needs no answer.
                let _ = one.stored.send(());
            }
        }
        Ok(false) => tracing::debug!(mailboxes = group.len(), "full reads are stored one by one"),
        Err(error) => tracing::debug!(
            mailboxes = group.len(),
            error = %telemetry::chain(&error),
            "full reads could not be stored together, they are stored one by one"
        ),
    }
}

/// Takes those out who go together, the first come first.
fn take(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut decisions = 0;
    let fits = |one: &Waiting| {
        decisions += one.effect.decisions.len();
        decisions <= DECISIONS_TOGETHER_MAX
    };
    let n = waiting.iter().take(MAILBOXES_MAX).map(fits).take_while(|fits| *fits).count();
    waiting.drain(..n.max(1).min(waiting.len())).collect()
}
