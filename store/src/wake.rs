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
//! News may be about parts of a channel (numbers below 64, as whoever announces and whoever waits understand them): who
//! waits for some of them ([`Wake::subscribe_parts`]) is not woken by news of the others. What is not said to be about parts
//! is about all of them.
//!
//! Failure: when the connection that listens breaks (8901) it is made again with back-off, and every channel is woken once
//! then, because something may have been missed. An announcement that is lost costs an interval and nothing else.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
const CHANNELS: usize = 9;
/// How many parts a channel has.
const PARTS: usize = 64;
/// The bits of all parts.
const ALL_PARTS: u64 = u64::MAX;

/// Whoever waits in this process.
#[derive(Debug)]
struct Senders {
    /// One for each channel.
    channels: [watch::Sender<u64>; CHANNELS],
    /// How often there were news of each part, by channel.
    parts: [[AtomicU64; PARTS]; CHANNELS],
}

impl Senders {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            channels: std::array::from_fn(|_| watch::Sender::new(0)),
            parts: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
        })
    }

    /// Wakes whoever waits for one of these parts of the channel.
    fn bump(&self, channel: Channel, parts: u64) {
        // before the channel, so that whoever it wakes sees them
        for (part, count) in self.parts[channel.index()].iter().enumerate() {
            if parts >> part & 1 == 1 {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.channels[channel.index()].send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes with each news of one of these parts.
    fn count(&self, channel: Channel, parts: u64) -> u64 {
        let counts = self.parts[channel.index()].iter().enumerate();
        let counted = counts.filter(|(part, _)| parts >> part & 1 == 1);
        counted.fold(0, |sum, (_, count)| sum.wrapping_add(count.load(Ordering::Relaxed)))
    }
}

/// What there may be news about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Hints at items were stored; its parts are the buckets of their mailboxes.
    Notification,
    /// Full reads were asked for; its parts are the buckets of their mailboxes.
    FullRead,
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
        Self::FullRead,
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
            Self::FullRead => "kommuneklient_full_read",
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
    /// Does the connection stand, and was everybody woken for it?
    listens: watch::Sender<bool>,
    /// Absent where there are no wake-ups.
    _listener: Option<AbortOnDropHandle<()>>,
}

impl Wake {
    /// Starts listening in a task of the current runtime; it ends with the last clone. What `store` and its clones announce
    /// is heard at once.
    pub fn start(store: Store) -> Self {
        let senders = Arc::clone(store.announcer().senders());
        let listens = watch::Sender::new(false);
        let listener =
            AbortOnDropHandle::new(tokio::spawn(run(store, Arc::clone(&senders), listens.clone())));
        Self { inner: Arc::new(Inner { senders, listens, _listener: Some(listener) }) }
    }

    /// Listens to nothing: whoever waits is woken by its interval alone, as the original's services were
    /// (`database.wake_ups = false`, for comparing with them).
    pub fn never() -> Self {
        Self {
            inner: Arc::new(Inner {
                senders: Senders::new(),
                listens: watch::Sender::new(false),
                _listener: None,
            }),
        }
    }

    /// Waits until the connection stands and everybody was woken for it: who subscribes after that is woken by what is announced,
    /// and by nothing else for as long as the connection holds. Never comes where there are [no wake-ups](Self::never).
    pub async fn listens(&self) {
        let mut listens = self.inner.listens.subscribe();
        // the sender lives as long as this does
        let _ = listens.wait_for(|listens| *listens).await;
    }

    /// A receiver that changes whenever there may be news.
    pub fn subscribe(&self, channel: Channel) -> watch::Receiver<u64> {
        self.inner.senders.channels[channel.index()].subscribe()
    }

    /// The same for some parts of the channel; numbers beyond 63 are none.
    pub fn subscribe_parts(&self, channel: Channel, parts: impl IntoIterator<Item = u8>) -> PartNews {
        let parts = bits(parts);
        let heard = self.subscribe(channel);
        let senders = Arc::clone(&self.inner.senders);
        let seen = senders.count(channel, parts);
        PartNews { channel, parts, heard, senders, seen }
    }
}

/// These parts as bits.
fn bits(parts: impl IntoIterator<Item = u8>) -> u64 {
    parts.into_iter().filter_map(|part| 1_u64.checked_shl(part.into())).fold(0, |all, one| all | one)
}

/// News about some parts of a channel.
#[derive(Debug)]
pub struct PartNews {
    channel: Channel,
    parts: u64,
    heard: watch::Receiver<u64>,
    senders: Arc<Senders>,
    seen: u64,
}

impl PartNews {
    /// Waits until there may be news. Can be given up without losing any. `false`: there will be none any more.
    pub async fn changed(&mut self) -> bool {
        loop {
            if self.heard.changed().await.is_err() {
                return false;
            }
            let count = self.senders.count(self.channel, self.parts);
            if std::mem::replace(&mut self.seen, count) != count {
                return true;
            }
        }
    }
}

async fn run(store: Store, senders: Arc<Senders>, listens: watch::Sender<bool>) {
    let backoff = Backoff::doubling(Duration::from_millis(100), Duration::from_secs(10));
    let mut failures = 0;
    loop {
        let ended = tokio::select! {
            ended = listen(&store, &senders, &listens, &mut failures) => ended,
            // before an embedded server is stopped: its end is no outage then
            () = store.closed().cancelled() => {
                listens.send_replace(false);
                return;
            }
        };
        listens.send_replace(false);
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
async fn listen(
    store: &Store,
    senders: &Senders,
    listens: &watch::Sender<bool>,
    failures: &mut u32,
) -> Result<(), StoreError> {
    let (client, mut connection) = store.direct("listen for wake-ups").await?;
    let own = store.announcer().name().to_owned();
    let (messages, mut received) = tokio::sync::mpsc::channel(64);
    let driver = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(notification) = message {
                let (by, parts) = announcer::read_payload(notification.payload());
                // whoever waits here was woken when it was announced
                if by == own {
                    continue;
                }
                // the receiver only counts, so waiting here is short and nothing is dropped
                if messages.send((notification.channel().to_owned(), parts)).await.is_err() {
                    break;
                }
            }
        }
    }));
    let statements: String =
        Channel::ALL.iter().map(|channel| format!("listen {};", channel.name())).collect();
    client.batch_execute(&statements).await.map_err(StoreError::query("listen for wake-ups"))?;
    *failures = 0;
    Channel::ALL.into_iter().for_each(|channel| senders.bump(channel, ALL_PARTS));
    listens.send_replace(true);
    while let Some((name, parts)) = received.recv().await {
        if let Some(channel) = Channel::ALL.into_iter().find(|channel| channel.name() == name) {
            senders.bump(channel, parts);
        }
    }
    drop(driver);
    Ok(())
}
