//! Announcing news after the commit.
//!
//! A commit with `NOTIFY` in it takes a lock of the whole server before it is written and keeps it until it is on the disk:
//! such commits are never written together, however many connections there are. So a transaction that is made for each
//! change does not contain it. It is committed first ([`Store::commit`]), then its news are *announced*: whoever waits in
//! this process is woken at once, and the others by a `NOTIFY` in a transaction of its own, which waits for no disk.
//!
//! Protocol: an announcement marks channels. A task sends what is marked, in one statement, at most once in [`PAUSE`]; it
//! exists for as long as something is marked, is the only one of its store, and uses a connection of the pool for each
//! statement. That connection and not one of its own: the pool renews it when it broke, a connection more for each process
//! would be idle nearly always, and while all of them are busy so are the stages, which look again when they are done.
//! The announcement bears the name of the announcer, so that the process that made it is not woken by it once more, and
//! behind a colon the parts of the channel that it is about, as hexadecimal bits, where these are not all. A version of before
//! takes that for another name, and does not listen to channels that came after it: what it misses costs it an interval.
//!
//! Failure: an announcement that was not sent is sent once more with the next, and forgotten then: it costs whoever waits for
//! it in another process an interval, and nothing else. So does the end of the process between commit and announcement.
//! An announcement may also be early: when the connection breaks in the commit, whoever is woken may look before the commit is
//! there; that, too, costs an interval. At the end of the store what is marked is sent over a connection of its own, if that works
//! within [`LAST_PATIENCE`] and the process lives that long: nobody waits for it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types::Type;

use super::{ALL_PARTS, CHANNELS, Channel, Senders, bits};
use crate::error::StoreError;
use crate::pool::Store;

/// The shortest time between two statements that announce: far below what anybody notices, and at most two hundred a second,
/// whatever is committed.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a server may take to answer an announcement: after that its connection is given up, so that one that is silent does
/// not end all announcing.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
/// How long the last announcement may take, when the store is closed.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// SQL: announces on the channels `$1` with the payloads `$2`. Nobody loses anything with it: no waiting for the disk.
const ANNOUNCE: &str = "select set_config('synchronous_commit', 'off', true), pg_notify(channel, payload) \
                        from unnest($1::text[], $2::text[]) as c (channel, payload)";

/// What there is something new about once a transaction is committed: the parts of each channel, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "news are announced when the transaction is committed: Store::commit"]
pub(crate) struct News([u64; CHANNELS]);

impl News {
    /// Nothing new.
    pub(crate) const NONE: Self = Self([0; CHANNELS]);

    /// On this channel, of all its parts.
    pub(crate) const fn of(channel: Channel) -> Self {
        let mut news = Self::NONE;
        news.0[channel.index()] = ALL_PARTS;
        news
    }

    /// On this channel, of these parts.
    pub(crate) fn of_parts(channel: Channel, parts: impl IntoIterator<Item = u8>) -> Self {
        let mut news = Self::NONE;
        news.0[channel.index()] = bits(parts);
        news
    }

    /// These if `is`, else none.
    pub(crate) const fn when(self, is: bool) -> Self {
        if is { self } else { Self::NONE }
    }

    /// These and those.
    pub(crate) fn with(self, other: Self) -> Self {
        Self(std::array::from_fn(|channel| self.0[channel] | other.0[channel]))
    }

    fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The channels with news, and the parts that these are of.
    pub(super) fn channels(self) -> impl Iterator<Item = (Channel, u64)> {
        let all = Channel::ALL.into_iter().map(move |channel| (channel, self.0[channel.index()]));
        all.filter(|(_, parts)| *parts != 0)
    }
}

/// The payload of an announcement about `parts`.
pub(super) fn payload(by: &str, parts: u64) -> String {
    if parts == ALL_PARTS { by.to_owned() } else { format!("{by}:{parts:x}") }
}

/// Who announced, and about which parts: all of them where that cannot be read, as what a version of before announced.
pub(super) fn read_payload(payload: &str) -> (&str, u64) {
    let Some((by, parts)) = payload.split_once(':') else { return (payload, ALL_PARTS) };
    (by, u64::from_str_radix(parts, 16).unwrap_or(ALL_PARTS))
}

/// What a store announces with; its clones share it.
#[derive(Debug)]
pub(crate) struct Announcer {
    /// Whoever waits in this process.
    senders: Arc<Senders>,
    /// Tells its announcements from those of other processes.
    name: String,
    marked: Mutex<Marked>,
}

#[derive(Debug, Default)]
struct Marked {
    news: News,
    /// Is there a task that will send them?
    is_running: bool,
}

impl Announcer {
    pub(crate) fn new() -> Arc<Self> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        Arc::new(Self { senders: Senders::new(), name, marked: Mutex::default() })
    }

    pub(super) const fn senders(&self) -> &Arc<Senders> {
        &self.senders
    }

    /// What its announcements bear.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn marked(&self) -> MutexGuard<'_, Marked> {
        self.marked.lock().expect("no holder of this lock can panic")
    }

    /// Marks; answers whether nobody sends yet, so that a task must be started.
    fn mark(&self, news: News) -> bool {
        let mut marked = self.marked();
        marked.news = marked.news.with(news);
        !std::mem::replace(&mut marked.is_running, true)
    }
}

impl Store {
    /// Commits and announces. Also when it is not known whether the commit took place, or when nobody waits for its answer
    /// any more: who is woken for nothing looks and finds nothing.
    ///
    /// # Errors
    /// Nothing took effect, or this is unknown.
    pub(crate) async fn commit(
        &self,
        tx: deadpool_postgres::Transaction<'_>,
        news: News,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let announcing = Announcing { store: self, news };
        let committed = tx.commit().await.map_err(StoreError::query(operation));
        drop(announcing);
        committed
    }

    /// Announces news of what is committed. Waits for nothing and cannot fail.
    pub(crate) fn announce(&self, news: News) {
        if news.is_none() {
            return;
        }
        let announcer = self.announcer();
        for (channel, parts) in news.channels() {
            announcer.senders.bump(channel, parts);
        }
        if announcer.mark(news) {
            let running = Running { announcer: Arc::clone(announcer), is_over: false };
            // Without a runtime nobody can send it; the next announcement tries again.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(send_marked(self.clone(), running));
            }
        }
    }

    async fn send(&self, news: News) -> Result<(), StoreError> {
        let operation = "announce news";
        let client = self.client(operation).await?;
        match tokio::time::timeout(SEND_PATIENCE, self.send_by(&client, news)).await {
            Ok(sent) => sent.map_err(StoreError::query(operation)),
            Err(elapsed) => {
                // nobody else is to wait behind it
                drop(Object::take(client));
                Err(self.silent(operation)(elapsed))
            }
        }
    }

    async fn send_at_the_end(&self, news: News) -> Result<(), StoreError> {
        let operation = "announce the last news";
        let (client, connection) = self.direct(operation).await?;
        let driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
        let sent = self.send_by(&client, news).await.map_err(StoreError::query(operation));
        drop(driver);
        sent
    }

    async fn send_by(
        &self,
        client: &tokio_postgres::Client,
        news: News,
    ) -> Result<(), tokio_postgres::Error> {
        let by = self.announcer().name();
        let (channels, payloads): (Vec<&str>, Vec<String>) =
            news.channels().map(|(channel, parts)| (channel.name(), payload(by, parts))).unzip();
        // typed: one round trip
        client
            .query_typed(ANNOUNCE, &[(&channels, Type::TEXT_ARRAY), (&payloads, Type::TEXT_ARRAY)])
            .await
            .map(drop)
    }
}

/// Announces when it is dropped.
struct Announcing<'a> {
    store: &'a Store,
    news: News,
}

impl Drop for Announcing<'_> {
    fn drop(&mut self) {
        self.store.announce(self.news);
    }
}

/// The task that sends. However it ends, another one can follow it.
struct Running {
    announcer: Arc<Announcer>,
    /// It has said itself that it ends.
    is_over: bool,
}

impl Running {
    /// What is marked; `None`, and the task is over, when that is nothing and nothing is to be sent `again`.
    fn take(&mut self, again: News) -> Option<News> {
        let mut marked = self.announcer.marked();
        let news = std::mem::take(&mut marked.news);
        if news.with(again).is_none() {
            marked.is_running = false;
            drop(marked);
            self.is_over = true;
            return None;
        }
        Some(news)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.announcer.marked().is_running = false;
        }
    }
}

/// Sends what is marked until nothing is, or until the store is closed.
async fn send_marked(store: Store, mut running: Running) {
    let mut again = News::NONE;
    while let Some(news) = running.take(again) {
        if store.closed().is_cancelled() {
            let last = tokio::time::timeout(LAST_PATIENCE, store.send_at_the_end(news.with(again)));
            if !matches!(last.await, Ok(Ok(()))) {
                tracing::debug!("the last news were not announced");
            }
            return;
        }
        again = match store.send(news.with(again)).await {
            Ok(()) => News::NONE,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "news were not announced, once more with the next"
                );
                // what was tried twice is forgotten
                news
            }
        };
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = store.closed().cancelled() => {}
        }
    }
}
