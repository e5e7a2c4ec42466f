//! Where mailboxes live that are about to be read in full, and whether anything is known of them: asked of the database for
//! all that begin at the same time. Who comes while a question is out goes with the next one, and while enough are looked up
//! that are not being read yet nothing is asked: who waits would have to wait for those anyway, and the fewer questions the
//! cheaper.
//!
//! Failure: when it does not work for several, each asks for itself and learns its own fate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use calendar::MailAddress;
use store::Store;
use store::full_reads::Beginning;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, Semaphore, oneshot};

use crate::error::QualifierError;

#[cfg(test)]
mod tests;

/// Most mailboxes in one question.
const MAILBOXES_MAX: usize = 64;

/// Those who wait for an answer.
#[derive(Debug)]
pub(crate) struct Beginnings {
    waiting: Mutex<Vec<Waiting>>,
    /// Who has it asks.
    turn: Semaphore,
    ahead: Arc<Ahead>,
    /// With fewer of them it is asked for more.
    few: usize,
}

/// Mailboxes that are looked up and not being read yet.
#[derive(Debug, Default)]
struct Ahead {
    count: AtomicUsize,
    /// They became fewer, or somebody waits to be looked up.
    news: Notify,
}

/// A mailbox that is looked up and not being read yet; dropped when its reading begins, or is given up.
#[derive(Debug)]
pub(crate) struct LookedUp(Arc<Ahead>);

impl LookedUp {
    fn new(ahead: &Arc<Ahead>) -> Self {
        ahead.count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(ahead))
    }
}

impl Drop for LookedUp {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.news.notify_one();
    }
}

#[derive(Debug)]
struct Waiting {
    mail: MailAddress,
    /// Told the answer; dropped when it is to be asked for alone.
    answer: oneshot::Sender<(Beginning, LookedUp)>,
}

impl Beginnings {
    /// With fewer than `few` that are looked up and not being read yet it is asked for more.
    pub(crate) fn new(few: usize) -> Self {
        Self { waiting: Mutex::default(), turn: Semaphore::new(1), ahead: Arc::default(), few }
    }

    /// Where the mailbox lives, and what is known of it; and a guard, to be dropped when its reading begins. A question
    /// may take as long as `patience`; waiting for the turn to ask does not count.
    pub(crate) async fn of(
        &self,
        store: &Store,
        mail: &MailAddress,
        patience: Duration,
    ) -> Result<(Beginning, LookedUp), QualifierError> {
        let (answer, mut answered) = oneshot::channel();
        self.lock().push(Waiting { mail: mail.clone(), answer });
        self.ahead.news.notify_one();
        let turn = tokio::select! {
            biased;
            told = &mut answered => return self.told(store, mail, patience, told.ok()).await,
            turn = self.turn.acquire() => turn.expect("nobody closes the semaphore"),
        };
        loop {
            match answered.try_recv() {
                Ok(beginning) => return Ok(beginning),
                Err(TryRecvError::Closed) => break,
                // It still waits: who takes it out answers or drops it before the turn is another's.
                Err(TryRecvError::Empty) => {
                    self.until_few_are_ahead().await;
                    let group = take(&mut self.lock());
                    self.ask(store, patience, group).await;
                }
            }
        }
        drop(turn);
        self.told(store, mail, patience, None).await
    }

    /// What was answered; asks alone where there is no answer.
    async fn told(
        &self,
        store: &Store,
        mail: &MailAddress,
        patience: Duration,
        answer: Option<(Beginning, LookedUp)>,
    ) -> Result<(Beginning, LookedUp), QualifierError> {
        if let Some(answer) = answer {
            return Ok(answer);
        }
        let mut alone = question(store, &[mail], patience).await?;
        let beginning = alone.pop().expect("an answer for each mailbox");
        Ok((beginning, LookedUp::new(&self.ahead)))
    }

    /// Waits until those who read have nearly run out of mailboxes, or a whole question's worth waits.
    async fn until_few_are_ahead(&self) {
        loop {
            let news = self.ahead.news.notified();
            let count = self.ahead.count.load(Ordering::Relaxed);
            if count < self.few || self.lock().len() >= MAILBOXES_MAX {
                return;
            }
            news.await;
        }
    }

    /// Asks for a group and tells its members; drops them when each is to ask for itself.
    async fn ask(&self, store: &Store, patience: Duration, group: Vec<Waiting>) {
        let mails: Vec<&MailAddress> = group.iter().map(|one| &one.mail).collect();
        match question(store, &mails, patience).await {
            Ok(beginnings) => {
                for (one, beginning) in group.into_iter().zip(beginnings) {
                    // Who was given up meanwhile needs no answer, and does not count.
                    let _ = one.answer.send((beginning, LookedUp::new(&self.ahead)));
                }
            }
            Err(error) => tracing::debug!(
                mailboxes = group.len(),
                error = %telemetry::chain(&error),
                "mailboxes could not be looked up together, each is by itself"
            ),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn question(
    store: &Store,
    mails: &[&MailAddress],
    patience: Duration,
) -> Result<Vec<Beginning>, QualifierError> {
    match tokio::time::timeout(patience, store.begin_full_reads(mails)).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(QualifierError::TooLong(patience)),
    }
}

/// Takes those out who go together, the first come first.
fn take(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    waiting.drain(..waiting.len().min(MAILBOXES_MAX)).collect()
}
