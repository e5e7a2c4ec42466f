//! The table `standing_alert`: which events call for somebody right now (B13), and the states of the installation that
//! do so for as long as they last.
//!
//! Protocol: an instance writes all of its alerts at once ([`Store::keep_alerts`]), again and again while it lives; a row
//! counts for [`CONFIRMED_WITHIN`] after it was confirmed, so those of a process that died say nothing any more, and are
//! removed by the others after an hour. Nothing else depends on these rows. Subjects of which the address was erased are left
//! out ([`crate::erasure`]), whatever the instance still has in mind.
//!
//! Failure: an error means that nothing changed, or that this is unknown; the next write says it anew.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Store, StoreError};

mod homes;
pub use homes::{Homes, MailboxHome, Sought};

#[cfg(all(test, feature = "testing"))]
mod tests;

/// How long a row says something after its instance confirmed it.
pub const CONFIRMED_WITHIN: Duration = Duration::from_secs(120);

/// An alert that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The event's code.
    pub code: u16,
    /// Since when.
    pub since: Timestamp,
    /// When its event came last.
    pub last_at: Timestamp,
    /// How often it came.
    pub occurrences: u64,
    /// Mailboxes, groups or accounts that it is about, the first few; empty when it is about the whole. Where there are more,
    /// the last one says how many ([`not_named`]).
    pub subjects: Vec<String>,
}

/// What stands behind the subjects that are named where so many `more` are not: no subject begins like that.
pub fn not_named(more: usize) -> Option<String> {
    (more > 0).then(|| format!("+{more}"))
}

/// The subjects that are named, and how many are not ([`not_named`]).
pub fn named(subjects: &[String]) -> (&[String], usize) {
    let more = |last: &String| last.strip_prefix('+')?.parse().ok();
    match subjects.split_last() {
        Some((last, named)) => more(last).map_or((subjects, 0), |more| (named, more)),
        None => (subjects, 0),
    }
}

/// What waits for an operator, or was given up; `None` = nothing of that kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenMatters {
    /// Runs of full reads of which the deletions are withheld (9106).
    pub full_reads_withheld: Option<Waiting>,
    /// Runs of comparisons of which the deletions are withheld (9404).
    pub comparisons_withheld: Option<Waiting>,
    /// Runs of the resource list of which the drops are withheld (9202).
    pub drops_withheld: Option<Waiting>,
    /// Notifications that were set aside (9101).
    pub notifications_set_aside: Option<Waiting>,
    /// Keys that were set aside (9203).
    pub keys_set_aside: Option<Waiting>,
}

/// What of one kind waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Since when the oldest does.
    pub since: Timestamp,
    /// Since when the latest does.
    pub last_at: Timestamp,
    /// How many do, at least 1.
    pub count: u64,
}

/// The mailboxes of [`OpenMatters`], where these are about mailboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingMailboxes {
    /// Of runs of full reads (9106).
    pub full_reads_withheld: SomeMailboxes,
    /// Of runs of comparisons (9404).
    pub comparisons_withheld: SomeMailboxes,
    /// Of notifications (9101).
    pub notifications_set_aside: SomeMailboxes,
    /// Of keys (9203).
    pub keys_set_aside: SomeMailboxes,
}

/// The first mailboxes of some, by address, and how many they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SomeMailboxes {
    /// As many as were asked for.
    pub first: Vec<String>,
    /// How many there are, these included.
    pub in_all: usize,
}

/// SQL: for each field of [`WaitingMailboxes`], in that order, its first mailboxes, and how many there are.
const WAITING_MAILBOXES: &str = "with waiting (place, mail) as ( \
          select 1, mail from withheld_run where state = 'withheld' and source = 'full_read' \
          union select 2, mail from withheld_run where state = 'withheld' and source = 'comparison' \
          union select 3, mail from notification where set_aside_at is not null \
          union select 4, mail from calendar_event where version > 0 and set_aside_version = version) \
     select place, mail, in_all from ( \
          select place, mail, count(*) over (partition by place) as in_all, \
                 row_number() over (partition by place order by mail) as number from waiting) w \
     where number <= $1 order by place, number";

/// SQL: for each field of [`OpenMatters`], in that order, how many wait, since when the oldest and the latest do. A run that is
/// found again keeps its number and `withheld_at`; the reading that found it last began later.
const OPEN_MATTERS: &str = "select 1 as place, count(*) as count, min(withheld_at) as since, \
                        max(greatest(withheld_at, reading_began)) as last_at \
         from withheld_run where state = 'withheld' and source = 'full_read' \
     union all select 2, count(*), min(withheld_at), max(greatest(withheld_at, reading_began)) \
         from withheld_run where state = 'withheld' and source = 'comparison' \
     union all select 3, count(*), min(withheld_at), max(withheld_at) from withheld_list where state = 'withheld' \
     union all select 4, count(*), min(set_aside_at), max(set_aside_at) \
         from notification where set_aside_at is not null \
     union all select 5, count(*), min(coalesce(stopped_at, decided_at, now())), \
                      max(coalesce(stopped_at, decided_at, now())) \
         from calendar_event where version > 0 and set_aside_version = version \
           and (set_aside_version = version or refused_version = version) \
     order by place";

impl Store {
    /// Writes the alerts of `instance`; those that it had and that are not among them are gone. No erased mailbox is named.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn keep_alerts(&self, instance: &str, alerts: &[Alert]) -> Result<(), StoreError> {
        let operation = "keep the alerts";
        let mut client = self.client(operation).await?;
        let failed = StoreError::query(operation);
        let transaction = client.transaction().await.map_err(&failed)?;
        let codes: Vec<i32> = alerts.iter().map(|alert| i32::from(alert.code)).collect();
        // first of all: it waits for an erasure that is under way, of which the hash is seen below
        transaction
            .execute(
                "delete from standing_alert where (instance = $1 and code <> all ($2)) \
                 or (instance <> $1 and confirmed_at < now() - interval '1 h')",
                &[&instance, &codes],
            )
            .await
            .map_err(&failed)?;
        for alert in alerts {
            let occurrences = i64::try_from(alert.occurrences).unwrap_or(i64::MAX);
            transaction
                .execute(
                    "insert into standing_alert (instance, code, since, last_at, occurrences, subjects) \
                     values ($1, $2, $3, $4, $5, \
                       array(select s from unnest($6::text[]) with ordinality as named (s, place) \
                             where sha256(convert_to(lower(trim(s)), 'UTF8')) not in (select hash from erased_mailbox) \
                             order by place)) \
                     on conflict (instance, code) do update set since = excluded.since, \
                       last_at = excluded.last_at, occurrences = excluded.occurrences, \
                       subjects = excluded.subjects, confirmed_at = now()",
                    &[
                        &instance,
                        &i32::from(alert.code),
                        &alert.since,
                        &alert.last_at,
                        &occurrences,
                        &alert.subjects,
                    ],
                )
                .await
                .map_err(&failed)?;
        }
        transaction.commit().await.map_err(&failed)
    }

    /// The alerts that stand, by code, each with its instance. What an instance said that has died is not among them once another
    /// one is there: its work is theirs, and they tell what is wrong with it.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn standing_alerts(&self) -> Result<Vec<(String, Alert)>, StoreError> {
        let operation = "look at the alerts";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select instance, code, since, last_at, occurrences, subjects from standing_alert a \
                 where confirmed_at > now() - make_interval(secs => $1) \
                   and not exists (select from instance i where i.name = a.instance and i.expires_at <= clock_timestamp() \
                                   and exists (select from instance o where o.expires_at > clock_timestamp())) \
                 order by code, instance",
                &[&CONFIRMED_WITHIN.as_secs_f64()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let alert = |row: &tokio_postgres::Row| {
            let alert = Alert {
                code: u16::try_from(row.get::<_, i32>("code")).ok()?,
                since: row.get("since"),
                last_at: row.get("last_at"),
                occurrences: u64::try_from(row.get::<_, i64>("occurrences")).unwrap_or_default(),
                subjects: row.get("subjects"),
            };
            Some((row.get("instance"), alert))
        };
        Ok(rows.iter().filter_map(alert).collect())
    }

    /// Looks at what waits for an operator.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn open_matters(&self) -> Result<OpenMatters, StoreError> {
        let operation = "look at what waits for an operator";
        let client = self.client(operation).await?;
        let rows = client.query(OPEN_MATTERS, &[]).await.map_err(StoreError::query(operation))?;
        let mut all = rows.iter().map(waiting);
        let mut next = || all.next().transpose().map(Option::flatten).map_err(StoreError::query(operation));
        Ok(OpenMatters {
            full_reads_withheld: next()?,
            comparisons_withheld: next()?,
            drops_withheld: next()?,
            notifications_set_aside: next()?,
            keys_set_aside: next()?,
        })
    }

    /// The mailboxes of what waits for an operator, the first `most` of each kind.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn waiting_mailboxes(&self, most: usize) -> Result<WaitingMailboxes, StoreError> {
        let operation = "look whose matters wait for an operator";
        let client = self.client(operation).await?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = client.query(WAITING_MAILBOXES, &[&limit]).await.map_err(StoreError::query(operation))?;
        let mut mailboxes = WaitingMailboxes::default();
        for row in &rows {
            let (place, mail, in_all) = read_mailbox(row).map_err(StoreError::query(operation))?;
            let some = match place {
                1 => &mut mailboxes.full_reads_withheld,
                2 => &mut mailboxes.comparisons_withheld,
                3 => &mut mailboxes.notifications_set_aside,
                _ => &mut mailboxes.keys_set_aside,
            };
            some.first.push(mail);
            some.in_all = in_all;
        }
        Ok(mailboxes)
    }
}

/// Reads a row of [`WAITING_MAILBOXES`].
fn read_mailbox(row: &tokio_postgres::Row) -> Result<(i32, String, usize), tokio_postgres::Error> {
    let in_all: i64 = row.try_get(2)?;
    Ok((row.try_get(0)?, row.try_get(1)?, usize::try_from(in_all).unwrap_or_default()))
}

/// Reads a row of [`OPEN_MATTERS`]; `None` = nothing waits.
fn waiting(row: &tokio_postgres::Row) -> Result<Option<Waiting>, tokio_postgres::Error> {
    let (since, last_at): (Option<Timestamp>, Option<Timestamp>) =
        (row.try_get("since")?, row.try_get("last_at")?);
    let count = u64::try_from(row.try_get::<_, i64>("count")?).unwrap_or_default();
    Ok(since.zip(last_at).map(|(since, last_at)| Waiting { since, last_at, count }))
}
