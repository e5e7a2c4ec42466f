//! Leases: who owns which affinity group, qualifier shard or duty of the communicator.
//!
//! Protocol: a lease is a row (key, owner, fencing token, expiry by the database's clock). Taking over an
//! expired lease adds one to its token. The owner renews all its leases in one statement
//! ([`LeaseBook::renew`], called by the `leases` actor at a third of the time to live). Every protected
//! write takes `FOR KEY SHARE` on the row with its token in its own transaction ([`guard`]): a renewal
//! changes no key column and passes, a take-over asks for the whole row and waits.
//!
//! Failure: an owner stops by its own monotonic clock before the lease can be taken ([`Lease::lost`]),
//! counted from before the renewal was sent. A paused process that wakes up finds that its token is old
//! and its write is refused. When the database is away nobody can renew and nobody can take over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::SharedClock;
use tokio::sync::watch;
use tokio_postgres::types::Type;

use crate::error::StoreError;
use crate::pool::Store;
use crate::wake::{self, Channel};

/// Proof of ownership that goes with each protected write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Which lease.
    pub key: String,
    /// Its fencing token: grows by one with each change of owner.
    pub token: i64,
}

/// Makes the caller's transaction fail unless `fence` is the current one, and keeps it current until the
/// transaction ends.
pub async fn guard(transaction: &tokio_postgres::Transaction<'_>, fence: &Fence) -> Result<(), StoreError> {
    if base::sabotage::is_broken(base::sabotage::Safeguard::Fence) {
        return Ok(());
    }
    // typed: one round trip instead of two, for each write there is
    let row = transaction
        .query_typed_opt(
            "select 1 from lease where key = $1 and token = $2 and owner <> '' for key share",
            &[(&fence.key, Type::TEXT), (&fence.token, Type::INT8)],
        )
        .await
        .map_err(StoreError::query("check a lease"))?;
    row.map(|_| ()).ok_or_else(|| StoreError::LeaseLost { key: fence.key.clone() })
}

/// The leases of this process. A clone is a handle on the same book.
#[derive(Clone, Debug)]
pub struct LeaseBook {
    inner: Arc<Book>,
}

#[derive(Debug)]
struct Book {
    store: Store,
    clock: SharedClock,
    owner: String,
    time_to_live: Duration,
    held: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    token: i64,
    /// Valid until this instant of the monotonic clock; `None` once it is lost.
    valid_until: watch::Sender<Option<Instant>>,
}

/// A lease that this process holds. Dropping it does not hand it back: it then runs out by itself.
#[derive(Debug)]
pub struct Lease {
    book: LeaseBook,
    fence: Fence,
    valid_until: watch::Receiver<Option<Instant>>,
}

impl LeaseBook {
    /// An empty book. `owner` names this process (unique for each start); a lease lives `time_to_live`
    /// unless renewed.
    pub fn new(store: Store, clock: SharedClock, owner: String, time_to_live: Duration) -> Self {
        assert!(!owner.is_empty(), "an empty owner means that a lease is free");
        let held = Mutex::new(HashMap::new());
        Self { inner: Arc::new(Book { store, clock, owner, time_to_live, held }) }
    }

    /// Who this process is.
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// How often [`renew`](Self::renew) is to be called.
    pub fn renew_every(&self) -> Duration {
        self.inner.time_to_live / 3
    }

    /// Takes the lease, waiting up to `patience` for another owner to let go or to run out.
    ///
    /// A lease that this process already holds under the same key is taken anew with a new token, so that
    /// a restarted actor does not share its predecessor's fence.
    pub async fn acquire(&self, key: &str, patience: Duration) -> Result<Lease, StoreError> {
        let give_up = self.inner.clock.monotonic() + patience;
        let pause = (self.inner.time_to_live / 8).clamp(Duration::from_millis(20), Duration::from_secs(1));
        loop {
            let asked = self.inner.clock.monotonic();
            if let Some(token) = self.try_take(key).await? {
                return Ok(self.enter(key, token, asked));
            }
            if self.inner.clock.monotonic() + pause > give_up {
                return Err(StoreError::LeaseTaken { key: key.to_owned() });
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_take(&self, key: &str) -> Result<Option<i64>, StoreError> {
        let operation = "take a lease";
        let mut client = self.inner.store.client(operation).await?;
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
        let free = transaction
            .query_one(
                "select owner in ('', $2) or expires_at < clock_timestamp() from lease where key = $1 for update",
                &[&key, &self.inner.owner],
            )
            .await
            .map_err(StoreError::query(operation))?
            .get::<_, bool>(0);
        let mut token = None;
        if free {
            let row = transaction
                .query_one(
                    "update lease set owner = $2, token = token + 1,
                            expires_at = clock_timestamp() + make_interval(secs => $3)
                     where key = $1 returning token",
                    &[&key, &self.inner.owner, &ttl_s],
                )
                .await
                .map_err(StoreError::query(operation))?;
            token = Some(row.get(0));
        }
        transaction.commit().await.map_err(StoreError::query(operation))?;
        Ok(token)
    }

    fn enter(&self, key: &str, token: i64, asked: Instant) -> Lease {
        let (sender, valid_until) = watch::channel(Some(asked + self.safe_life()));
        let previous = self.held().insert(key.to_owned(), Entry { token, valid_until: sender });
        if let Some(previous) = previous {
            previous.valid_until.send_replace(None);
        }
        Lease { book: self.clone(), fence: Fence { key: key.to_owned(), token }, valid_until }
    }

    /// An owner stops a tenth of the time to live before anybody else may take over.
    fn safe_life(&self) -> Duration {
        self.inner.time_to_live * 9 / 10
    }

    /// Renews every lease of this book in one statement and marks those that were lost. Returns how many
    /// are held now.
    pub async fn renew(&self) -> Result<usize, StoreError> {
        let operation = "renew the leases";
        let (keys, tokens): (Vec<String>, Vec<i64>) =
            self.held().iter().map(|(key, entry)| (key.clone(), entry.token)).unzip();
        if keys.is_empty() {
            return Ok(0);
        }
        let asked = self.inner.clock.monotonic();
        let client = self.inner.store.client(operation).await?;
        let ttl_s = self.inner.time_to_live.as_secs_f64();
        let rows = client
            .query(
                "update lease set expires_at = clock_timestamp() + make_interval(secs => $4)
                 from unnest($1::text[], $2::bigint[]) as mine (key, token)
                 where lease.key = mine.key and lease.token = mine.token and lease.owner = $3
                 returning lease.key, lease.token",
                &[&keys, &tokens, &self.inner.owner, &ttl_s],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let renewed: HashMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let valid_until = asked + self.safe_life();
        let mut held = self.held();
        for (key, token) in keys.into_iter().zip(tokens) {
            let Some(entry) = held.get(&key).filter(|entry| entry.token == token) else {
                continue; // taken anew or handed back meanwhile
            };
            if renewed.get(&key) == Some(&token) {
                entry.valid_until.send_replace(Some(valid_until));
            } else {
                entry.valid_until.send_replace(None);
                held.remove(&key);
                tracing::warn!(lease = key, token, "lease lost to another instance");
            }
        }
        Ok(held.len())
    }

    /// Hands all leases back, so that others can take over at once.
    pub async fn release_all(&self) -> Result<(), StoreError> {
        let mine: Vec<Fence> =
            self.held().iter().map(|(key, entry)| Fence { key: key.clone(), token: entry.token }).collect();
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
        let operation = "hand leases back";
        let keys: Vec<&str> = fences.iter().map(|fence| fence.key.as_str()).collect();
        let tokens: Vec<i64> = fences.iter().map(|fence| fence.token).collect();
        let mut client = self.inner.store.client(operation).await?;
        let transaction = client.transaction().await.map_err(StoreError::query(operation))?;
        transaction
            .execute(
                "update lease set owner = '', expires_at = '-infinity'
                 from unnest($1::text[], $2::bigint[]) as mine (key, token)
                 where lease.key = mine.key and lease.token = mine.token",
                &[&keys, &tokens],
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
    pub fn lost_signal(&self) -> impl Future<Output = ()> + Send + 'static {
        lost(self.valid_until.clone(), self.book.inner.clock.clone())
    }

    /// Hands the lease back, so that others can take over at once.
    pub async fn release(self) -> Result<(), StoreError> {
        self.book.release(std::slice::from_ref(&self.fence)).await
    }
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
