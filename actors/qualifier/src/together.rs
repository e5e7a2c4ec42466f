//! Storing full reads together: what several mailboxes lead to in one transaction. A pull of many mailboxes is bound by
//! the database, and most of what a small transaction costs there is paid once for all of them. A full read that is
//! ready waits for others that are under way, but only a moment, and never when it is the only one. There are
//! [`WRITERS`]: while the transaction of one waits for the disk or for us, the database works on that of another. One at
//! a time gathers its group.
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
use tokio::sync::{Notify, Semaphore, oneshot};

#[cfg(test)]
mod tests;

/// Most mailboxes in one transaction.
pub(crate) const MAILBOXES_MAX: usize = 32;
/// So many need not wait for more.
const ENOUGH: usize = MAILBOXES_MAX;
/// Longest wait for others.
const LINGER: Duration = Duration::from_millis(40);
/// Most transactions at one time.
pub(crate) const WRITERS: usize = 2;

/// Those who wait to be stored.
#[derive(Debug)]
pub(crate) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    /// Who has one writes.
    pens: Semaphore,
    /// Who has it gathers a group.
    gathering: tokio::sync::Mutex<()>,
    /// Full reads that were begun and have not ended.
    under_way: AtomicUsize,
    /// Those of them that are being stored.
    being_stored: AtomicUsize,
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

/// A group that is being stored.
struct BeingStored<'a>(&'a Together, usize);

impl<'a> BeingStored<'a> {
    fn new(together: &'a Together, group: usize) -> Self {
        together.being_stored.fetch_add(group, Ordering::Relaxed);
        Self(together, group)
    }
}

impl Drop for BeingStored<'_> {
    fn drop(&mut self) {
        self.0.being_stored.fetch_sub(self.1, Ordering::Relaxed);
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
            pens: Semaphore::new(WRITERS),
            gathering: tokio::sync::Mutex::default(),
            under_way: AtomicUsize::new(0),
            being_stored: AtomicUsize::new(0),
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
        loop {
            let pen = tokio::select! {
                biased;
                told = &mut is_stored => match told {
                    Ok(()) => return Ok(Applied::Done(Done::default())),
                    Err(_dropped) => return store.apply(fence, effect).await,
                },
                pen = self.pens.acquire() => pen.expect("nobody closes the semaphore"),
            };
            let gathering = self.gathering.lock().await;
            if self.waits(effect) {
                self.linger().await;
                // The first come first: this one may have to go with a later group.
                let group = take(&mut self.lock());
                let _stored = BeingStored::new(self, group.len());
                drop(gathering);
                write(store, group).await;
            } else {
                // Another writer has it, and tells it or drops it.
                drop((gathering, pen));
                return match is_stored.await {
                    Ok(()) => Ok(Applied::Done(Done::default())),
                    Err(_dropped) => store.apply(fence, effect).await,
                };
            }
        }
    }

    /// Does this effect stand in line still?
    fn waits(&self, effect: &Arc<Effect>) -> bool {
        self.lock().iter().any(|one| Arc::ptr_eq(&one.effect, effect))
    }

    /// Waits until enough or all are ready.
    async fn linger(&self) {
        let gathered = async {
            loop {
                let news = self.news.notified();
                let ready = self.lock().len();
                let being_stored = self.being_stored.load(Ordering::Relaxed);
                let others = self.under_way.load(Ordering::Relaxed).saturating_sub(being_stored);
                if ready >= ENOUGH || ready >= others {
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
    // some thousand rows are written down
    base::give_way();
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
