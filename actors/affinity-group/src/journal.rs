//! Makes the notifications of a group durable, in order (B7: stored before they count as received).
//!
//! Protocol: the stream's task offers batches without waiting; one task stores them, all that wait in one
//! `INSERT`. While the database is away they are kept and tried again, up to the capacity; what finds no room is
//! left out. As soon as storing works again the mailboxes of everything that had to wait or was left out are
//! reported as a gap, so that they catch up.
//!
//! Failure: an error that does not pass is reported as such and ends the task; the group is restarted then
//! and catches up. When the group stops, what is on its way is stored first, within a limit of time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base::Backoff;
use calendar::{MailAddress, codes};
use store::Store;
use store::notifications::NewNotification;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::messages::FromTask;

#[cfg(test)]
mod overflow_tests;
#[cfg(test)]
mod tests;

/// Most batches that are stored together.
const TOGETHER: usize = 64;
/// Most tries after the group has ended.
const LAST_TRIES: u32 = 8;

/// Notifications of one stream message with the spans that end when they are stored.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) notifications: Vec<NewNotification>,
    pub(crate) spans: Vec<tracing::Span>,
}

/// The offering end; clones offer to the same journal.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    batches: mpsc::Sender<Batch>,
    left_out: Arc<Mutex<BTreeSet<MailAddress>>>,
}

/// The task; kept by the group's actor. Dropping it lets the task end by itself when all is stored.
#[derive(Debug)]
pub(crate) struct JournalTask(JoinHandle<()>);

impl Journal {
    /// Starts the task on `runtime`.
    pub(crate) fn start(
        runtime: &Handle,
        store: Store,
        capacity: usize,
        reports: mpsc::Sender<FromTask>,
    ) -> (Self, JournalTask) {
        let (batches, waiting) = mpsc::channel(capacity.max(1));
        let left_out = Arc::new(Mutex::new(BTreeSet::new()));
        let keeper =
            Keeper { store, waiting, left_out: Arc::clone(&left_out), reports, late: BTreeSet::new() };
        let task = runtime.spawn(keeper.run());
        (Self { batches, left_out }, JournalTask(task))
    }

    /// A journal whose batches a test takes itself.
    #[cfg(test)]
    pub(crate) fn for_test(batches: mpsc::Sender<Batch>) -> Self {
        Self { batches, left_out: Arc::default() }
    }

    /// Hands a batch over. Never waits: without room the batch is left out and its mailboxes catch up.
    pub(crate) fn offer(&self, batch: Batch) {
        // held from before the try: the keeper, which still has what fills the channel, looks here after storing it
        let mut left_out = self.left_out();
        if let Err(refused) = self.batches.try_send(batch) {
            let batch = refused.into_inner();
            let mails = mails_of(&batch.notifications);
            tracing::error!(
                event_id = codes::NOTIFICATIONS_OVERFLOW.id,
                notifications = batch.notifications.len(),
                mailboxes = mails.len(),
                "no room for notifications, their mailboxes catch up"
            );
            left_out.extend(mails);
        }
    }

    fn left_out(&self) -> MutexGuard<'_, BTreeSet<MailAddress>> {
        lock(&self.left_out)
    }
}

impl JournalTask {
    /// Waits until everything is stored. All offering ends must be gone. Says whether it was in time.
    pub(crate) async fn finish(self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.0).await.is_ok()
    }
}

fn lock(set: &Mutex<BTreeSet<MailAddress>>) -> MutexGuard<'_, BTreeSet<MailAddress>> {
    set.lock().expect("no holder of this lock can panic")
}

fn mails_of(notifications: &[NewNotification]) -> BTreeSet<MailAddress> {
    notifications.iter().map(|notification| notification.mail.clone()).collect()
}

/// The storing end.
struct Keeper {
    store: Store,
    waiting: mpsc::Receiver<Batch>,
    left_out: Arc<Mutex<BTreeSet<MailAddress>>>,
    reports: mpsc::Sender<FromTask>,
    /// Mailboxes whose notifications had to wait.
    late: BTreeSet<MailAddress>,
}

impl Keeper {
    async fn run(mut self) {
        let mut batches = Vec::new();
        while self.waiting.recv_many(&mut batches, TOGETHER).await > 0 {
            let mut together = Batch::default();
            for batch in batches.drain(..) {
                together.notifications.extend(batch.notifications);
                together.spans.extend(batch.spans);
            }
            if !self.store_all(&together.notifications).await {
                return;
            }
            base::crash::point("listener.notification-stored");
            // their spans end here: they are received now
            drop(together);
            self.report_gap().await;
        }
    }

    /// Stores notifications, again and again while the database is away.
    async fn store_all(&mut self, notifications: &[NewNotification]) -> bool {
        let backoff = Backoff::doubling(Duration::from_millis(50), Duration::from_secs(5));
        let mut failures = 0;
        loop {
            let Err(error) = self.store.append(notifications).await else {
                tracing::debug!(succeeded = codes::success::NOTIFICATIONS_STORED, "notifications are stored");
                return true;
            };
            failures += 1;
            if failures == 1 || failures % 10 == 0 {
                tracing::error!(
                    event_id = codes::NOTIFICATION_STORE_FAILED.id,
                    notifications = notifications.len(),
                    failures,
                    error = &error as &dyn std::error::Error,
                    "notifications are not stored yet"
                );
            }
            if !error.is_outage() {
                // nobody hears it when the group has ended
                let _ = self.reports.send(FromTask::JournalBroken(error.to_string())).await;
                return false;
            }
            self.late.extend(mails_of(notifications));
            if self.reports.is_closed() && failures >= LAST_TRIES {
                return false;
            }
            tokio::time::sleep(backoff.delay_jittered(failures)).await;
        }
    }

    async fn report_gap(&mut self) {
        self.late.append(&mut *lock(&self.left_out));
        if !self.late.is_empty() {
            let gap = std::mem::take(&mut self.late);
            let _ = self.reports.send(FromTask::Gap(gap)).await;
        }
    }
}
