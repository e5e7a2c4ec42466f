//! Asking for full reads (B8), and where a mailbox that is to be read lives.
//!
//! Protocol: a full read is a notification like any other ([`NotificationKind::FullRead`]), so it survives a
//! restart and each mailbox resumes by itself. The settings that decisions depend on are remembered for each
//! bucket (`full_read_settings/<bucket>` in `store_state`), so that a shard notices by itself that they
//! changed, also when the number of shards changed too. So are the runs of the daily schedule (`schedule/full_pull/<bucket>`,
//! see [`crate::schedules`]): each shard asks for its own mailboxes, and each scheduled time counts once for a bucket,
//! whoever owns it.
//!
//! Failure: an error means that nothing was asked for, or that this is unknown; asking twice is harmless.

use std::collections::{HashMap, HashSet};

use base::DailyTimes;
use base::daily::{believed, missed};
use calendar::MailAddress;
use calendar::ids::AccountId;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

use crate::lease::{self, Fence};
use crate::notifications::NotificationKind;
use crate::operations::Scope;
use crate::wake::{self, Channel, News};
use crate::{Store, StoreError, schedules, state};

mod facts;

pub use facts::FullReadFacts;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// What is known of the mailbox of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It is in use, and can be reached.
    Located {
        /// The service's address for it.
        endpoint: String,
        /// The service account of its group, where it has one.
        account: Option<AccountId>,
        /// When this was looked up, by the database's clock: what is read now was not read before that.
        looked_up_at: Timestamp,
    },
    /// It is in use, but the listener has not found out yet where it lives.
    NotLocated,
    /// It is no longer in use.
    NotInUse,
    /// There never was such a resource.
    Unknown,
}

/// Why full reads were asked for at the start of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AskedAtStart {
    /// How many mailboxes are to be read.
    pub mailboxes: u64,
    /// Buckets whose settings had changed.
    pub changed_buckets: usize,
}

/// What a look at the schedule of the full pull did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledPull {
    /// Was a run due?
    pub ran: bool,
    /// How many mailboxes are to be read because of it.
    pub mailboxes: u64,
    /// When the schedule last ran, for the bucket that is furthest behind.
    pub last_run: Timestamp,
}

/// What is known of a mailbox when its full read begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Where it lives.
    pub target: Target,
    /// Is nothing known of it: no key, no series, nothing that is withheld?
    pub is_new: bool,
}

/// SQL: what [`target_of`] reads.
const LOOKED_UP: &str = "r.deleted_date is null, r.endpoint, \
                         case when g.id is not null then coalesce(g.service_user_credential_id, 0) end, \
                         clock_timestamp()";

/// SQL: resources with their groups.
const RESOURCES: &str = "planner_resource r left join planner_resource_subscription m on m.mail = r.mail \
                         left join subscription g on g.id = m.subscription_id";

/// Reads a row of [`LOOKED_UP`].
fn target_of(row: &Row) -> Result<Target, tokio_postgres::Error> {
    let in_use: bool = row.try_get(0)?;
    let endpoint: Option<String> = row.try_get(1)?;
    let account: Option<i64> = row.try_get(2)?;
    Ok(match endpoint {
        _ if !in_use => Target::NotInUse,
        Some(endpoint) => {
            Target::Located { endpoint, account: account.map(AccountId::new), looked_up_at: row.try_get(3)? }
        }
        None => Target::NotLocated,
    })
}

impl Store {
    /// Where the mailbox of a notification lives.
    pub async fn target(&self, mail: &MailAddress) -> Result<Target, StoreError> {
        let operation = "look a mailbox up";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(&format!("select {LOOKED_UP} from {RESOURCES} where r.mail = $1"))
            .await
            .map_err(StoreError::query(operation))?;
        let row =
            client.query_opt(&statement, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        let found = row.as_ref().map(target_of).transpose().map_err(StoreError::query(operation))?;
        Ok(found.unwrap_or(Target::Unknown))
    }

    /// The same for full reads, of several mailboxes at once and in their order. It waits while an adoption of one of them
    /// is being stored: the reading must know the keys that the adoption learns, or nobody ever decides about them. (An
    /// adoption that has not locked its mailbox yet sees that the reading was claimed, and asks for another one.)
    ///
    /// What is found to be new then is still so when its reading is decided about, but for what an adoption learns
    /// meanwhile: nobody else decides about a mailbox while the shard reads it.
    pub async fn begin_full_reads(&self, mails: &[&MailAddress]) -> Result<Vec<Beginning>, StoreError> {
        let operation = "look mailboxes up that are to be read in full";
        let client = self.client(operation).await?;
        // The lock conflicts with that of an adoption, and with no other update. It need not outlive a crash: no waiting
        // for the disk.
        let located = client
            .prepare_cached(&format!(
                "select {LOOKED_UP}, r.mail, set_config('synchronous_commit', 'off', true) \
                 from {RESOURCES} where r.mail = any ($1) order by r.mail for key share of r"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        // A statement of its own, which sees what was committed while the first one waited. Plain scalar questions: those of
        // `exists` may become walks through the whole table.
        let known = client
            .prepare_cached(
                "select d.mail from unnest($1::text[]) as d (mail) \
                 where coalesce((select true from calendar_event where mail = d.mail limit 1), \
                                (select true from series where mail = d.mail limit 1), \
                                (select true from withheld_key where mail = d.mail limit 1), false)",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let names: Vec<&str> = mails.iter().map(|mail| mail.as_str()).collect();
        let (of_located, of_known) = ([&names as &(dyn ToSql + Sync)], [&names as &(dyn ToSql + Sync)]);
        // One connection answers in the order in which it is asked.
        let (located, known) = tokio::try_join!(
            biased;
            client.query(&located, &of_located),
            client.query(&known, &of_known),
        )
        .map_err(StoreError::query(operation))?;
        let read = || -> Result<Vec<Beginning>, tokio_postgres::Error> {
            let known = known.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<&str>, _>>()?;
            let located = located
                .iter()
                .map(|row| Ok((row.try_get(4)?, target_of(row)?)))
                .collect::<Result<HashMap<&str, Target>, tokio_postgres::Error>>()?;
            let of = |name: &&str| Beginning {
                target: located.get(name).cloned().unwrap_or(Target::Unknown),
                is_new: !known.contains(name),
            };
            Ok(names.iter().map(of).collect())
        };
        read().map_err(StoreError::query(operation))
    }

    /// Asks for a full read of the resources in use of these buckets: of all when `all` says so, else of
    /// those in buckets whose decisions were made with other settings than `fingerprint`, which is
    /// remembered. A mailbox for which a full read waits already is not asked for again.
    pub async fn ask_for_full_reads_at_start(
        &self,
        fence: &Fence,
        buckets: &[i16],
        fingerprint: &str,
        all: bool,
        now: Timestamp,
    ) -> Result<AskedAtStart, StoreError> {
        let operation = "ask for full reads";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let names: Vec<String> = buckets.iter().map(|bucket| settings_of(*bucket)).collect();
        let rows = tx
            .query("select name, value from store_state where name = any ($1)", &[&names])
            .await
            .map_err(StoreError::query(operation))?;
        let (mut changed, mut record) = (Vec::new(), Vec::new());
        for (bucket, name) in buckets.iter().zip(names) {
            let stored =
                rows.iter().find(|row| row.get::<_, &str>(0) == name).map(|row| row.get::<_, &str>(1));
            if stored.is_some_and(|stored| stored != fingerprint) {
                changed.push(*bucket);
            }
            if stored != Some(fingerprint) {
                record.push(name);
            }
        }
        if !record.is_empty() {
            state::put_all(&tx, &record, fingerprint).await?;
        }
        let mailboxes = ask(&tx, if all { buckets } else { &changed }, now).await?;
        self.commit(tx, News::of(Channel::FullRead).when(mailboxes > 0), operation).await?;
        Ok(AskedAtStart { mailboxes, changed_buckets: changed.len() })
    }
}

impl Store {
    /// Asks for full reads of the resources in use of those buckets for which a run of the schedule is due at
    /// `now`: the time came, or it passed while nobody was there. However many times were missed, it is one run. A
    /// bucket without a record, or with one that was made by a clock far ahead, begins with the present.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn ask_for_scheduled_full_reads(
        &self,
        fence: &Fence,
        buckets: &[i16],
        times: &DailyTimes,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<ScheduledPull, StoreError> {
        let operation = "ask for the full reads of a schedule";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let names: Vec<String> = buckets.iter().map(|bucket| schedule_of(*bucket)).collect();
        // locked, since the shards of two instances may be cut differently
        let rows = tx
            .query(
                "select name, value from store_state where name = any ($1) order by name for update",
                &[&names],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let last_run = |name: &str| -> Option<Timestamp> {
            let row = rows.iter().find(|row| row.get::<_, &str>(0) == name)?;
            believed(row.get::<_, &str>(1).parse().ok(), now)
        };
        let mut due = Vec::new();
        let mut record = Vec::new();
        let mut earliest = now;
        for (bucket, name) in buckets.iter().zip(names) {
            match last_run(&name) {
                Some(last) if !missed(times, zone, Some(last), now) => {
                    earliest = earliest.min(last);
                    continue;
                }
                Some(_) => due.push(*bucket),
                None => {}
            }
            record.push(name);
        }
        let mailboxes = if due.is_empty() { 0 } else { ask(&tx, &due, now).await? };
        state::put_all(&tx, &record, &now.to_string()).await?;
        self.commit(tx, News::of(Channel::FullRead).when(mailboxes > 0), operation).await?;
        Ok(ScheduledPull { ran: !due.is_empty(), mailboxes, last_run: earliest })
    }

    /// Asks for full reads on demand, of all resources in use or of one; answers how many are to be read. One that
    /// waits already is not asked for again, but put forward when it waits for another try.
    pub async fn ask_for_full_reads(&self, scope: &Scope, now: Timestamp) -> Result<u64, StoreError> {
        let operation = "ask for full reads on demand";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        let full_read = NotificationKind::FullRead.as_str();
        let hurried = tx
            .execute(
                "update notification n set next_attempt_at = null from planner_resource r \
                 where r.mail = n.mail and r.deleted_date is null and ($1::text is null or n.mail = $1) \
                   and n.event_type = $2 and n.set_aside_at is null and n.claim is null",
                &[&scope.mail(), &full_read],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let asked = tx
            .execute(
                &ask_sql(|row| format!("($1::text is null or {row}.mail = $1)")),
                &[&scope.mail(), &full_read, &now],
            )
            .await
            .map_err(StoreError::query(operation))?;
        wake::notify(&tx, Channel::FullRead).await?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(hurried + asked)
    }
}

fn schedule_of(bucket: i16) -> String {
    schedules::key(&format!("full_pull/{bucket}"))
}

fn settings_of(bucket: i16) -> String {
    format!("full_read_settings/{bucket}")
}

async fn ask(tx: &Transaction<'_>, buckets: &[i16], now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(
        &ask_sql(|row| format!("{row}.bucket = any ($1)")),
        &[&buckets, &NotificationKind::FullRead.as_str(), &now],
    )
    .await
    .map_err(StoreError::query("ask for full reads"))
}

/// A full read of each resource in use that `chosen` says (of the row of that name), for which none waits: that which has
/// waited longest first. Which wait is looked up once: `not exists` became a look through all that wait for each mailbox while
/// PostgreSQL still took the table for a short one, so that a start cost its mailboxes squared. (With its usual memory it keeps
/// some 130,000 names at hand; beyond that a look costs more.)
fn ask_sql(chosen: impl Fn(&str) -> String) -> String {
    let (resources, waiting) = (chosen("r"), chosen("n"));
    format!(
        "insert into notification (mail, bucket, event_type, received_at, first_read) \
         select r.mail, r.bucket, $2, $3, r.last_full_sync is null from planner_resource r \
         where {resources} and r.deleted_date is null \
           and r.mail not in (select n.mail from notification n \
                              where {waiting} and n.event_type = 'FullRead' and n.set_aside_at is null \
                                and n.claim is null) \
         order by r.full_read_began_at nulls first, r.mail"
    )
}
