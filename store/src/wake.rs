//! Wake-ups by LISTEN / NOTIFY on a connection of their own.
//!
//! They only shorten a wait: whoever waits also polls at an interval, and correctness never depends on a
//! notification.
//!
//! Protocol: who changes something for each change (a notification, a decision, an adoption) commits with
//! [`Store::commit`], which announces afterwards and wakes whoever waits in this process without a detour through the
//! database ([`announcer`] says why). Who changes something now and then, or may end right after it as the commands do,
//! calls [`notify`] in the transaction.
//!
//! Failure: when the connection that listens breaks (8901) it is made again with back-off, and every channel is woken once
//! then, because something may have been missed. An announcement that is lost costs an interval and nothing else.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use base::Backoff;
use tokio::sync::watch;
use tokio_postgres::AsyncMessage;
use tokio_util::task::AbortOnDropHandle;

use crate::error::StoreError;
use crate::pool::Store;

mod announcer;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

pub(crate) use announcer::{Announcer, News};

/// How many channels there are.
const CHANNELS: usize = 8;

/// One for each channel.
type Senders = [watch::Sender<u64>; CHANNELS];

/// What there may be news about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Notifications were stored.
    Notification,
    /// Decisions were stored, or something became sendable.
    Decision,
    /// The resource list changed.
    Resource,
    /// A lease was handed back, or an instance came or left.
    Lease,
    /// Mailboxes are to be compared with Planner, or adopted anew.
    Comparison,
    /// An operator asked for something.
    Operation,
    /// Service accounts came, went or changed, or began to wait.
    Account,
    /// Affinity groups came, went or changed.
    Group,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; CHANNELS] = [
        Self::Notification,
        Self::Decision,
        Self::Resource,
        Self::Lease,
        Self::Comparison,
        Self::Operation,
        Self::Account,
        Self::Group,
    ];

    /// The name in PostgreSQL.
    const fn name(self) -> &'static str {
        match self {
            Self::Notification => "kommuneklient_notification",
            Self::Decision => "kommuneklient_decision",
            Self::Resource => "kommuneklient_resource",
            Self::Lease => "kommuneklient_lease",
            Self::Comparison => "kommuneklient_comparison",
            Self::Operation => "kommuneklient_operation",
            Self::Account => "kommuneklient_account",
            Self::Group => "kommuneklient_group",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Announces news on `channel` with the commit of the caller's transaction. Call it once a transaction, and not in those that
/// are made for each change: all commits that announce wait for each other ([`announcer`]).
pub async fn notify(
    transaction: &tokio_postgres::Transaction<'_>,
    channel: Channel,
) -> Result<(), StoreError> {
    transaction
        .batch_execute(&format!("notify {}", channel.name()))
        .await
        .map_err(StoreError::query("announce news"))?;
    Ok(())
}

/// The listening end. A clone listens on the same connection.
#[derive(Clone, Debug)]
pub struct Wake {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    senders: Arc<Senders>,
    /// Absent where there are no wake-ups.
    _listener: Option<AbortOnDropHandle<()>>,
}

impl Wake {
    /// Starts listening in a task of the current runtime; it ends with the last clone. What `store` and its clones announce
    /// is heard at once.
    pub fn start(store: Store) -> Self {
        let senders = Arc::clone(store.announcer().senders());
        let listener = AbortOnDropHandle::new(tokio::spawn(run(store, Arc::clone(&senders))));
        Self { inner: Arc::new(Inner { senders, _listener: Some(listener) }) }
    }

    /// Listens to nothing: whoever waits is woken by its interval alone, as the original's services were
    /// (`database.wake_ups = false`, for comparing with them).
    pub fn never() -> Self {
        Self { inner: Arc::new(Inner { senders: senders(), _listener: None }) }
    }

    /// A receiver that changes whenever there may be news.
    pub fn subscribe(&self, channel: Channel) -> watch::Receiver<u64> {
        self.inner.senders[channel.index()].subscribe()
    }
}

fn senders() -> Arc<Senders> {
    Arc::new(std::array::from_fn(|_| watch::Sender::new(0)))
}

fn bump(sender: &watch::Sender<u64>) {
    sender.send_modify(|count| *count = count.wrapping_add(1));
}

async fn run(store: Store, senders: Arc<Senders>) {
    let backoff = Backoff::doubling(Duration::from_millis(100), Duration::from_secs(10));
    let mut failures = 0;
    loop {
        let ended = tokio::select! {
            ended = listen(&store, &senders, &mut failures) => ended,
            // before an embedded server is stopped: its end is no outage then
            () = store.closed().cancelled() => return,
        };
        match ended {
            Ok(()) => tracing::warn!("the connection for wake-ups was closed, the intervals go on"),
            Err(error) => tracing::warn!(
                event_id = 8901,
                error = &error as &dyn std::error::Error,
                "no connection for wake-ups, the intervals go on"
            ),
        }
        failures += 1;
        tokio::time::sleep(backoff.delay_jittered(failures)).await;
    }
}

/// Listens until the connection ends.
async fn listen(store: &Store, senders: &Senders, failures: &mut u32) -> Result<(), StoreError> {
    let (client, mut connection) = store.direct("listen for wake-ups").await?;
    let own = store.announcer().name().to_owned();
    let (messages, mut received) = tokio::sync::mpsc::channel(64);
    let driver = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(notification) = message {
                // whoever waits here was woken when it was announced
                if notification.payload() == own {
                    continue;
                }
                // the receiver only counts, so waiting here is short and nothing is dropped
                if messages.send(notification.channel().to_owned()).await.is_err() {
                    break;
                }
            }
        }
    }));
    let statements: String =
        Channel::ALL.iter().map(|channel| format!("listen {};", channel.name())).collect();
    client.batch_execute(&statements).await.map_err(StoreError::query("listen for wake-ups"))?;
    *failures = 0;
    senders.iter().for_each(bump);
    while let Some(name) = received.recv().await {
        if let Some(channel) = Channel::ALL.into_iter().find(|channel| channel.name() == name) {
            bump(&senders[channel.index()]);
        }
    }
    drop(driver);
    Ok(())
}
