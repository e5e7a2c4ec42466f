//! Leases: who owns which affinity group, qualifier shard or duty of the communicator.
//!
//! Protocol: a lease is a row (key, owner, fencing token, expiry by the database's clock). Taking over an
//! expired lease adds one to its token. The owner renews all its leases in one statement
//! ([`LeaseBook::renew`], called by the `leases` actor at a third of the time to live), together with the row that
//! says that it is alive ([`crate::instances`]). Every protected write takes `FOR KEY SHARE` on the row with its token
//! in its own transaction ([`guard`]): a renewal changes no key column and passes, a take-over asks for the whole row
//! and waits. Whoever waits for a lease is woken when one is handed back, and looks again when it runs out.
//!
//! Connections: a book has its own, one for renewals and a few for taking and handing back, so that a pool that is
//! used up costs nobody a lease.
//!
//! Failure: an owner stops by its own monotonic clock before the lease can be taken ([`Lease::lost`]),
//! counted from before the renewal was sent. A paused process that wakes up finds that its token is old
//! and its write is refused. A take-over does not wait for a transaction that such a process left open: the server
//! ends that one ([`StoreOptions::idle_in_transaction`](crate::StoreOptions)). When the database is away nobody can
//! renew and nobody can take over. A lease whose holder is gone without handing it back (a part that failed) is
//! renewed for two thirds of a life more, so that the part that takes its place has it at once, and is handed back by the
//! next renewal: after one life at the latest, so that others wait no longer for it than for that of a dead process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use base::SharedClock;
use calendar::codes;
use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio_postgres::GenericClient;

use crate::clock::DatabaseClock;
use crate::conflict;
use crate::error::StoreError;
use crate::instances::Registration;
use crate::pool::Store;
use crate::wake::{self, Channel, Wake};

mod fence;
mod provisional;
mod waits;
pub use fence::{Fence, guard};
pub use provisional::Provisional;
use provisional::give_back_unwanted;

/// Connections for taking leases and handing them back; each may have to wait for somebody's transaction to end.
const TAKING_CONNECTIONS: usize = 3;
/// The shortest pause between two looks at a lease that another has.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(20);
/// The longest, for want of a wake-up.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// The leases `$1` that the owner `$3` holds under the tokens `$2`, locked in the order of their keys, so that a renewal
/// and a handing back that both change several do not wait for each other crosswise.
const MINE: &str = "with mine as materialized (
    select l.key from lease l join unnest($1::text[], $2::bigint[]) as n (key, token) on l.key = n.key and l.token = n.token
    where l.owner = $3 order by l.key for no key update of l)";

/// The leases of this process. A clone is a handle on the same book.
#[derive(Clone, Debug)]
pub struct LeaseBook {
    inner: Arc<Book>,
}

#[derive(Debug)]
struct Book {
    /// For taking and handing back.
    taking: Store,
    /// For renewals alone, one at a time.
    renewals: Store,
    clock: SharedClock,
    owner: Arc<str>,
    time_to_live: Duration,
    held: Mutex<HashMap<String, Entry>>,
    /// What is renewed together with the leases; held while that is under way, so that who leaves has left.
    registration: tokio::sync::Mutex<Option<Registration>>,
    wake: OnceLock<Wake>,
    /// What is told the database's time.
    database_clock: OnceLock<Arc<DatabaseClock>>,
}

#[derive(Debug)]
struct Entry {
    token: i64,
    /// Valid until this instant of the monotonic clock; `None` once it is lost.
    valid_until: watch::Sender<Option<Instant>>,
    /// Since when nobody has it in hand any more.
    forsaken_at: Option<Instant>,
}

/// Who has a lease that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its token.
    pub token: i64,
    /// Until when it holds, by the database's clock: who sees this grow sees that the owner lives.
    pub expires_at: Timestamp,
    /// How long that is from now, at least nothing.
    pub left: Duration,
}

/// The answer to an ask for a lease.
#[derive(Debug)]
pub enum Attempt {
    /// It is held now.
    Held(Lease),
    /// Another owner has it.
    Taken(Holder),
}

/// A lease that this process holds. Dropping it does not hand it back at once: it is kept for most of a life more, for
/// whoever takes the place of what dropped it, and then handed back.
#[derive(Debug)]
pub struct Lease {
    book: LeaseBook,
    fence: Fence,
    valid_until: watch::Receiver<Option<Instant>>,
}

/// An answer on its way to who asked. What nobody takes is handed back.
struct Offer(Option<Attempt>);

impl Drop for Offer {
    fn drop(&mut self) {
        if let Some(Attempt::Held(unwanted)) = self.0.take() {
            give_back_unwanted(unwanted);
        }
    }
}

impl LeaseBook {
    /// An empty book. `owner` names this process (unique for each start); a lease lives `time_to_live`
    /// unless renewed.
    ///
    /// The book opens connections of its own to the database of `store`.
    pub fn new(store: Store, clock: SharedClock, owner: String, time_to_live: Duration) -> Self {
        assert!(!owner.is_empty(), "an empty owner means that a lease is free");
        let inner = Book {
            taking: store.apart(TAKING_CONNECTIONS),
            renewals: store.apart(1),
            clock,
            owner: owner.into(),
            time_to_live,
            held: Mutex::new(HashMap::new()),
            registration: tokio::sync::Mutex::new(None),
            wake: OnceLock::new(),
            database_clock: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whoever waits for a lease is woken by `wake` from now on. Of several, the first counts.
    pub fn wake_by(&self, wake: &Wake) {
        // a second one listens to the same
        let _ = self.inner.wake.set(wake.clone());
    }

    /// `clock` is told the database's time when this instance registers and with each renewal from now on. Of several,
    /// the first is.
    pub fn tell_time_to(&self, clock: &Arc<DatabaseClock>) {
        // a second one would be told the same
        let _ = self.inner.database_clock.set(Arc::clone(clock));
    }

    /// Asks the database for its time.
    pub(crate) async fn ask_time(
        &self,
        client: &tokio_postgres::Client,
    ) -> Result<(), tokio_postgres::Error> {
        let Some(clock) = self.inner.database_clock.get() else { return Ok(()) };
        let asked = self.inner.clock.monotonic();
        let row = client.query_typed_one("select clock_timestamp()", &[]).await?;
        clock.tell(asked, row.try_get(0)?, self.inner.clock.monotonic());
        Ok(())
    }

    /// Who this process is.
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// How long a lease lives that is not renewed.
    pub fn time_to_live(&self) -> Duration {
        self.inner.time_to_live
    }

    /// How often [`renew`](Self::renew) is to be called.
    pub fn renew_every(&self) -> Duration {
        self.inner.time_to_live / 3
    }

    pub(crate) fn taking(&self) -> &Store {
        &self.inner.taking
    }

    pub(crate) fn registration(&self) -> &tokio::sync::Mutex<Option<Registration>> {
        &self.inner.registration
    }

    /// Takes the lease, waiting up to `patience` for another owner to let go or to run out.
    ///
    /// A lease that this process already holds under the same key is taken anew with a new token, so that
    /// a restarted actor does not share its predecessor's fence.
    pub async fn acquire(&self, key: &str, patience: Duration) -> Result<Lease, StoreError> {
        let give_up = self.inner.clock.monotonic() + patience;
        let mut queue = self.queue();
        loop {
            let holder = match self.attempt(key).await? {
                Attempt::Held(lease) => return Ok(lease),
                Attempt::Taken(holder) => holder,
            };
            let left = give_up.saturating_duration_since(self.inner.clock.monotonic());
            if left < LOOK_AGAIN_MIN {
                return Err(StoreError::LeaseTaken { key: key.to_owned() });
            }
            let _ = tokio::time::timeout(left, queue.turn(&holder)).await;
        }
    }

    /// Takes the lease if nobody else has it.
    ///
    /// May be dropped while it asks: what it takes all the same is handed back at once, since nobody would have it in
    /// hand until it runs out.
    pub async fn attempt(&self, key: &str) -> Result<Attempt, StoreError> {
        let (answer, answered) = oneshot::channel();
        let (book, key) = (self.clone(), key.to_owned());
        // A task of its own: the commit of a take-over must not be forgotten together with who asked for it.
        let asking = tokio::spawn(async move {
            // who asked may have gone
            let _ = answer.send(book.ask(&key).await.map(|attempt| Offer(Some(attempt))));
        });
        match answered.await {
            Ok(answer) => answer.map(|mut offer| offer.0.take().expect("an offer is taken once")),
            Err(_) => match asking.await {
                Err(panicked) if panicked.is_panic() => std::panic::resume_unwind(panicked.into_panic()),
                // the runtime ends, and whoever waits here with it
                _ => std::future::pending().await,
            },
        }
    }

    async fn ask(&self, key: &str) -> Result<Attempt, StoreError> {
        let asked = self.inner.clock.monotonic();
        Ok(match self.try_take(key).await? {
            Ok(token) => Attempt::Held(self.enter(key, token, asked)),
            Err(holder) => Attempt::Taken(holder),
        })
    }

    /// A place to wait in for a lease that another has.
    pub fn queue(&self) -> Queue {
        let poll = (self.inner.time_to_live / 8).clamp(LOOK_AGAIN_MIN, LOOK_AGAIN_MAX);
        let news = self.inner.wake.get().map(|wake| wake.subscribe(Channel::Lease));
        Queue { poll, news }
    }

    async fn try_take(&self, key: &str) -> Result<Result<i64, Holder>, StoreError> {
        let operation = "take a lease";
        let mut client = self.inner.taking.client(operation).await?;
        // Looks first: who only waits must not get in the way of guarded writes.
        if let Some(holder) = held_by_another(&**client, key, &self.inner.owner).await? {
            return Ok(Err(holder));
        }
        let transaction = client.transaction().await.map_err(StoreError::query(operation))?;
        let ttl_s = self.inner.time_to_live.as_secs_f64();
        // the row lock (FOR UPDATE by the update of `token`'s row through `key`) waits for guarded writes
        transaction
            .execute(
                "insert into lease (key, owner, token, expires_at) values ($1, '', 1, '-infinity')
                 on conflict (key) do nothing",
                &[&key],
            )
            .await
            .map_err(StoreError::query(operation))?;
        transaction
            .execute("select from lease where key = $1 for update", &[&key])
            .await
            .map_err(StoreError::query(operation))?;
        if let Some(holder) = held_by_another(&*transaction, key, &self.inner.owner).await? {
            return Ok(Err(holder));
        }
        let row = transaction
            .query_one(
                "update lease set owner = $2, token = token + 1,
                        expires_at = clock_timestamp() + make_interval(secs => $3)
                 where key = $1 returning token",
                &[&key, &self.owner(), &ttl_s],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let token = row.try_get(0).map_err(StoreError::query(operation))?;
        base::crash::point("lease.taking");
        transaction.commit().await.map_err(StoreError::query(operation))?;
        base::crash::point("lease.taken");
        Ok(Ok(token))
    }

    fn enter(&self, key: &str, token: i64, asked: Instant) -> Lease {
        let (sender, valid_until) = watch::channel(Some(asked + self.safe_life()));
        let mut held = self.held();
        match held.get(key) {
            // of two that asked at the same time the later one has it, whoever gets here first
            Some(newer) if newer.token > token => {
                sender.send_replace(None);
            }
            _ => {
                let entry = Entry { token, valid_until: sender, forsaken_at: None };
                if let Some(previous) = held.insert(key.to_owned(), entry) {
                    previous.valid_until.send_replace(None);
                }
            }
        }
        drop(held);
        Lease { book: self.clone(), fence: self.fence(key, token), valid_until }
    }

    fn fence(&self, key: &str, token: i64) -> Fence {
        Fence { key: key.to_owned(), token, owner: Arc::clone(&self.inner.owner) }
    }

    /// An owner stops a tenth of the time to live before anybody else may take over.
    fn safe_life(&self) -> Duration {
        self.inner.time_to_live * 9 / 10
    }

    /// Has this instance a part in the work: is it registered, or does it hold a lease? Otherwise
    /// [`renew`](Self::renew) has nothing to do, and does not ask the database.
    pub async fn has_part(&self) -> bool {
        self.inner.registration.lock().await.is_some() || !self.held().is_empty()
    }

    /// Renews every lease of this book in one statement, with the row of this instance, and marks those that were
    /// lost. Returns how many are held now.
    ///
    /// # Errors
    /// Nothing was renewed, or this is unknown, also when the database does not answer within a fraction of the time
    /// to live.
    pub async fn renew(&self) -> Result<usize, StoreError> {
        let operation = "renew the leases";
        let registration = self.inner.registration.lock().await;
        let (keys, tokens): (Vec<String>, Vec<i64>) =
            self.held().iter().map(|(key, entry)| (key.clone(), entry.token)).unzip();
        if keys.is_empty() && registration.is_none() {
            return Ok(0);
        }
        let asked = self.inner.clock.monotonic();
        let patience = self.inner.time_to_live / 4;
        let client = tokio::time::timeout(patience, self.inner.renewals.client(operation))
            .await
            .map_err(self.inner.renewals.silent(operation))??;
        let rows = match tokio::time::timeout(
            patience,
            self.renew_rows(&client, registration.as_ref(), &keys, &tokens),
        )
        .await
        {
            Ok(rows) => rows.map_err(StoreError::query(operation))?,
            Err(elapsed) => {
                // the next renewal must not wait behind a statement that nobody answers
                drop(Object::take(client));
                return Err(self.inner.renewals.silent(operation)(elapsed));
            }
        };
        drop(registration);
        base::crash::point("lease.renewed");
        let renewed: HashMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let held = self.note_renewed(keys.into_iter().zip(tokens), &renewed, asked + self.safe_life());
        let forsaken = self.forsaken();
        if let Ok(Err(error)) = tokio::time::timeout(patience, self.release(&forsaken)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "leases that nobody has in hand were not handed back, they run out by themselves"
            );
        }
        Ok(held.saturating_sub(forsaken.len()))
    }

    /// Marks what was renewed and what was lost; answers how many are held.
    fn note_renewed(
        &self,
        mine: impl Iterator<Item = (String, i64)>,
        renewed: &HashMap<String, i64>,
        valid_until: Instant,
    ) -> usize {
        let mut held = self.held();
        for (key, token) in mine {
            let Some(entry) = held.get(&key).filter(|entry| entry.token == token) else {
                continue; // taken anew or handed back meanwhile
            };
            if renewed.get(&key) == Some(&token) {
                entry.valid_until.send_replace(Some(valid_until));
            } else {
                entry.valid_until.send_replace(None);
                held.remove(&key);
                tracing::warn!(
                    event_id = codes::LEASE_LOST.id,
                    lease = key,
                    token,
                    "lease lost to another instance"
                );
            }
        }
        held.len()
    }

    async fn renew_rows(
        &self,
        client: &tokio_postgres::Client,
        registration: Option<&Registration>,
        keys: &[String],
        tokens: &[i64],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        self.ask_time(client).await?;
        let ttl_s = self.inner.time_to_live.as_secs_f64();
        if let Some(registration) = registration {
            registration.renew(client, &self.inner.owner, ttl_s).await?;
        }
        client
            .query(
                &format!(
                    "{MINE} update lease set expires_at = clock_timestamp() + make_interval(secs => $4)
                     from mine where lease.key = mine.key returning lease.key, lease.token"
                ),
                &[&keys, &tokens, &self.owner(), &ttl_s],
            )
            .await
    }

    /// How long a lease is kept for who takes the place of its holder. Renewals come at a third of a life at least, so
    /// that it is handed back before a life is over.
    fn kept_for(&self) -> Duration {
        self.inner.time_to_live * 2 / 3
    }

    /// Leases that nobody has taken in hand again in time.
    fn forsaken(&self) -> Vec<Fence> {
        let now = self.inner.clock.monotonic();
        let over = |entry: &Entry| entry.forsaken_at.is_some_and(|since| since + self.kept_for() <= now);
        let held = self.held();
        held.iter()
            .filter(|(_, entry)| over(entry))
            .map(|(key, entry)| self.fence(key, entry.token))
            .collect()
    }

    /// Hands all leases back, so that others can take over at once.
    pub async fn release_all(&self) -> Result<(), StoreError> {
        let mine: Vec<Fence> = self.held().iter().map(|(key, entry)| self.fence(key, entry.token)).collect();
        self.release(&mine).await
    }

    async fn release(&self, fences: &[Fence]) -> Result<(), StoreError> {
        if fences.is_empty() {
            return Ok(());
        }
        {
            let mut held = self.held();
            for fence in fences {
                if held.get(&fence.key).is_some_and(|entry| entry.token == fence.token)
                    && let Some(entry) = held.remove(&fence.key)
                {
                    entry.valid_until.send_replace(None);
                }
            }
        }
        base::crash::point("lease.releasing");
        conflict::again(|| self.release_once(fences)).await?;
        base::crash::point("lease.released");
        Ok(())
    }

    async fn release_once(&self, fences: &[Fence]) -> Result<(), StoreError> {
        let operation = "hand leases back";
        let keys: Vec<&str> = fences.iter().map(|fence| fence.key.as_str()).collect();
        let tokens: Vec<i64> = fences.iter().map(|fence| fence.token).collect();
        let mut client = self.inner.taking.client(operation).await?;
        let transaction = client.transaction().await.map_err(StoreError::query(operation))?;
        transaction
            .execute(
                &format!(
                    "{MINE} update lease set owner = '', expires_at = '-infinity'
                     from mine where lease.key = mine.key"
                ),
                &[&keys, &tokens, &self.owner()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&transaction, Channel::Lease).await?;
        transaction.commit().await.map_err(StoreError::query(operation))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.inner.held.lock().expect("no holder of this lock can panic")
    }
}

impl Lease {
    /// The proof for protected writes.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// May this process still act under the lease?
    pub fn is_valid(&self) -> bool {
        self.valid_until.borrow().is_some_and(|until| self.book.inner.clock.monotonic() < until)
    }

    /// Resolves when the lease is lost: taken anew, taken by another, or not renewed in time.
    pub async fn lost(&self) {
        lost(self.valid_until.clone(), self.book.inner.clock.clone()).await;
    }

    /// The same as a future of its own, for a task that outlives the borrow.
    pub fn lost_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        lost(self.valid_until.clone(), self.book.inner.clock.clone())
    }

    /// Hands the lease back, so that others can take over at once.
    pub async fn release(self) -> Result<(), StoreError> {
        self.book.release(std::slice::from_ref(&self.fence)).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let now = self.book.inner.clock.monotonic();
        if let Some(entry) = self.book.held().get_mut(&self.fence.key)
            && entry.token == self.fence.token
        {
            entry.forsaken_at = Some(now);
        }
    }
}

/// A place to wait in for a lease that another has.
#[derive(Debug)]
pub struct Queue {
    poll: Duration,
    news: Option<watch::Receiver<u64>>,
}

impl Queue {
    /// Waits until it is worth asking again: a lease was handed back, this one runs out, or some time has passed.
    pub async fn turn(&mut self, holder: &Holder) {
        self.pause(holder.left).await;
    }

    /// The same where it is not known what runs out first, but when: in `left`.
    pub async fn pause(&mut self, left: Duration) {
        // a little later, so that it has run out
        let pause = self.poll.min(left + Duration::from_millis(5)).max(LOOK_AGAIN_MIN);
        let sleep = tokio::time::sleep(pause);
        let Some(news) = &mut self.news else { return sleep.await };
        let deaf = tokio::select! {
            () = sleep => false,
            changed = news.changed() => changed.is_err(),
        };
        if deaf {
            // without wake-ups the pause remains
            self.news = None;
        }
    }
}

/// Who has the lease, if another than `owner` has and it has not run out.
async fn held_by_another(
    client: &impl GenericClient,
    key: &str,
    owner: &str,
) -> Result<Option<Holder>, StoreError> {
    let failed = StoreError::query("take a lease");
    let row = client
        .query_opt(
            "select token, expires_at, extract(epoch from expires_at - clock_timestamp())::float8 from lease
             where key = $1 and owner not in ('', $2) and expires_at > clock_timestamp()",
            &[&key, &owner],
        )
        .await
        .map_err(&failed)?;
    let Some(row) = row else { return Ok(None) };
    let left: f64 = row.try_get(2).map_err(&failed)?;
    Ok(Some(Holder {
        token: row.try_get(0).map_err(&failed)?,
        expires_at: row.try_get(1).map_err(&failed)?,
        left: Duration::try_from_secs_f64(left.max(0.0)).unwrap_or_default(),
    }))
}

async fn lost(mut valid_until: watch::Receiver<Option<Instant>>, clock: SharedClock) {
    loop {
        let Some(until) = *valid_until.borrow_and_update() else { return };
        let left = until.saturating_duration_since(clock.monotonic());
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            changed = valid_until.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
