//! Where mailboxes live that are about to be read in full, and whether anything is known of them: asked of the database for
//! all that begin at the same time. Who comes while a question is out goes with the next one; nobody waits for others.
//!
//! Failure: when it does not work for several, each asks for itself and learns its own fate.

use std::sync::{Mutex, PoisonError};

use calendar::MailAddress;
use store::full_reads::Beginning;
use store::{Store, StoreError};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, oneshot};

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
}

#[derive(Debug)]
struct Waiting {
    mail: MailAddress,
    /// Told the answer; dropped when it is to be asked for alone.
    answer: oneshot::Sender<Beginning>,
}

impl Beginnings {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// Where the mailbox lives, and what is known of it.
    pub(crate) async fn of(&self, store: &Store, mail: &MailAddress) -> Result<Beginning, StoreError> {
        let (answer, mut answered) = oneshot::channel();
        self.lock().push(Waiting { mail: mail.clone(), answer });
        let turn = self.turn.acquire().await.expect("nobody closes the semaphore");
        loop {
            match answered.try_recv() {
                Ok(beginning) => return Ok(beginning),
                Err(TryRecvError::Closed) => break,
                // It still waits: who takes it out answers or drops it before the turn is another's.
                Err(TryRecvError::Empty) => {
                    let group = take(&mut self.lock());
                    ask(store, group).await;
                }
            }
        }
        drop(turn);
        let mut alone = store.begin_full_reads(&[mail]).await?;
        Ok(alone.pop().expect("an answer for each mailbox"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a group and tells its members; drops them when each is to ask for itself.
async fn ask(store: &Store, group: Vec<Waiting>) {
    let mails: Vec<&MailAddress> = group.iter().map(|one| &one.mail).collect();
    match store.begin_full_reads(&mails).await {
        Ok(beginnings) => {
            for (one, beginning) in group.into_iter().zip(beginnings) {
                // Who was given up meanwhile needs no answer.
                let _ = one.answer.send(beginning);
            }
        }
        Err(error) => tracing::debug!(
            mailboxes = group.len(),
            error = %telemetry::chain(&error),
            "mailboxes could not be looked up together, each is by itself"
        ),
    }
}

/// Takes those out who go together, the first come first.
fn take(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    waiting.drain(..waiting.len().min(MAILBOXES_MAX)).collect()
}
