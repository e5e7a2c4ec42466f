//! What is kept for how long: logs and past appointments are removed in small batches once they are old enough.
//!
//! Protocol: whoever holds the duty asks for one batch of one area after the other ([`Store::clear`]), under its
//! fence, until an area answers that there is no more; between batches others get their turn. Ages are counted by the
//! database's clock. Nothing that is still needed is removed: no call with keys in flight, no appointment that is in a
//! call or still to be sent, and nothing that is younger than a day, so that the budget and the spacing of resends
//! see everything that they look at. What was decided about an appointment before goes with it at the latest.
//!
//! Failure: an error means that a batch was not removed, or that this is unknown; the next one removes it.

use crate::lease::{self, Fence};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Most rows of a batch of what is not looked through mailbox by mailbox.
pub const BATCH: u32 = 1_000;
/// Mailboxes whose past appointments, or what was decided about those before, are looked through in one batch.
const MAILBOXES: i64 = 50;

/// Something that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Area {
    /// Notifications that were handled.
    NotificationLog,
    /// Answers of Planner, appointment by appointment.
    SyncLog,
    /// Decisions that others took the place of, whatever became of their appointments.
    DecisionHistory,
    /// Calls to Planner.
    CallLog,
    /// Events with a code.
    ApplicationLog,
    /// Appointments that are over.
    PastAppointments,
    /// Decisions that others took the place of, about appointments that are kept no more.
    PastDecisions,
    /// Deletions that an operator rejected, of appointments that are kept no more.
    PastWithheld,
}

impl Area {
    /// All of them, in the order in which they are cleared: what was decided about an appointment goes after it.
    pub const ALL: [Self; 8] = [
        Self::NotificationLog,
        Self::SyncLog,
        Self::DecisionHistory,
        Self::CallLog,
        Self::ApplicationLog,
        Self::PastAppointments,
        Self::PastDecisions,
        Self::PastWithheld,
    ];

    /// The name of its table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::NotificationLog => "notification_log",
            Self::SyncLog => "sync_log",
            Self::DecisionHistory | Self::PastDecisions => "decision_history",
            Self::CallLog => "service_call_reference_log",
            Self::ApplicationLog => "application_log",
            Self::PastAppointments => "calendar_event",
            Self::PastWithheld => "withheld_key",
        }
    }

    /// `$1` = days, `$2` = rows (mailboxes), `$3` = the mailbox to go on after. Answers the rows that were removed, whether
    /// there may be more, and where to go on.
    const fn statement(self) -> &'static str {
        match self {
            // Numbers rise with time but for what was set aside and retried: a few that are young do not hide the old.
            Self::NotificationLog => {
                "with oldest as (select id, handled_at from notification_log order by id limit $2::bigint * 2), \
                 gone as (delete from notification_log where id in ( \
                     select id from oldest where handled_at < clock_timestamp() - make_interval(days => $1) \
                     order by id limit $2) returning 1) \
                 select count(*), count(*) >= $2 and $3::text is not null, ''::text from gone"
            }
            Self::SyncLog => {
                "with gone as (delete from sync_log where id in ( \
                     select id from sync_log where at < clock_timestamp() - make_interval(days => $1) \
                     order by at limit $2) returning 1) \
                 select count(*), count(*) >= $2 and $3::text is not null, ''::text from gone"
            }
            Self::DecisionHistory => {
                "with gone as (delete from decision_history where id in ( \
                     select id from decision_history \
                     where overruled_at < clock_timestamp() - make_interval(days => $1) \
                     order by overruled_at limit $2) returning 1) \
                 select count(*), count(*) >= $2 and $3::text is not null, ''::text from gone"
            }
            Self::CallLog => {
                "with gone as (delete from service_call_reference_log where call_id in ( \
                     select c.call_id from service_call_reference_log c \
                     where coalesce(c.ended_at, c.deadline) < clock_timestamp() - make_interval(days => $1) \
                       and not exists (select from key_in_flight f where f.call_id = c.call_id) \
                     order by coalesce(c.ended_at, c.deadline) limit $2) returning 1) \
                 select count(*), count(*) >= $2 and $3::text is not null, ''::text from gone"
            }
            Self::ApplicationLog => {
                "with gone as (delete from application_log where id in ( \
                     select id from application_log where at < clock_timestamp() - make_interval(days => $1) \
                     order by at limit $2) returning 1) \
                 select count(*), count(*) >= $2 and $3::text is not null, ''::text from gone"
            }
            // From mailbox to mailbox by the primary key. An unsent one stays while it can be sent.
            Self::PastAppointments => {
                "with recursive walk (mail, n) as ( \
                     (select e.mail, 1::bigint from calendar_event e where e.mail > $3::text order by e.mail limit 1) \
                     union all \
                     select following.mail, walk.n + 1 from walk cross join lateral ( \
                         select e.mail from calendar_event e where e.mail > walk.mail order by e.mail limit 1) following \
                     where walk.n < $2), \
                 gone as (delete from calendar_event e using walk w \
                     where e.mail = w.mail \
                       and coalesce(greatest(e.end_at, e.ack_end), e.decided_at, e.ack_at) \
                           < clock_timestamp() - make_interval(days => $1) \
                       and not exists (select from key_in_flight f \
                                       where f.mail = e.mail and f.origin_id = e.origin_id) \
                       and not (e.pending and exists ( \
                           select from planner_resource r where r.mail = e.mail \
                             and (r.deleted_date is null or r.withdrawn_at is not null and not e.wanted))) \
                     returning 1) \
                 select (select count(*) from gone), (select count(*) from walk) >= $2, \
                        coalesce((select mail from walk order by n desc limit 1), '')"
            }
            // From mailbox to mailbox by the index of keys. While its appointment is kept, a decision belongs to what
            // `explain` tells of it, also where it is about times that are long over.
            Self::PastDecisions => {
                "with recursive walk (mail, n) as ( \
                     (select h.mail, 1::bigint from decision_history h where h.mail > $3::text \
                      order by h.mail limit 1) \
                     union all \
                     select following.mail, walk.n + 1 from walk cross join lateral ( \
                         select h.mail from decision_history h where h.mail > walk.mail \
                         order by h.mail limit 1) following \
                     where walk.n < $2), \
                 gone as (delete from decision_history h using walk w \
                     where h.mail = w.mail \
                       and least(h.end_at, h.overruled_at) < clock_timestamp() - make_interval(days => $1) \
                       and not exists (select from calendar_event e \
                                       where e.mail = h.mail and e.origin_id = h.origin_id) \
                       and not exists (select from key_in_flight f \
                                       where f.mail = h.mail and f.origin_id = h.origin_id) \
                     returning 1) \
                 select (select count(*) from gone), (select count(*) from walk) >= $2, \
                        coalesce((select mail from walk order by n desc limit 1), '')"
            }
            // A key whose time has passed is not rejected any more. Those of a run that waits for an operator stay, and so does
            // each while its appointment is kept: whatever ends the run gives its deletion free.
            Self::PastWithheld => {
                "with old as materialized ( \
                     select k.mail, k.origin_id from withheld_key k join withheld_run r on r.id = k.run \
                     where k.end_at < clock_timestamp() - make_interval(days => $1) and r.state <> 'withheld' \
                       and not exists (select from calendar_event e \
                                       where e.mail = k.mail and e.origin_id = k.origin_id) \
                     order by k.mail, k.origin_id limit $2 for update of k), \
                 gone as (delete from withheld_key k using old \
                     where k.mail = old.mail and k.origin_id = old.origin_id returning 1) \
                 select count(*), count(*) >= $2 and $3::text is not null, ''::text from gone"
            }
        }
    }
}

/// What a batch removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cleared {
    /// Rows.
    pub rows: u64,
    /// Where to go on, if there may be more.
    pub next: Option<String>,
}

impl Store {
    /// Removes a batch of what is older than `days` (at least one) in an area. `after` is where the batch before left off;
    /// empty = at the beginning.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one.
    pub async fn clear(
        &self,
        fence: &Fence,
        area: Area,
        days: u32,
        after: &str,
    ) -> Result<Cleared, StoreError> {
        let operation = "remove what is old";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let days = i32::try_from(days.max(1)).unwrap_or(i32::MAX);
        let most = match area {
            Area::PastAppointments | Area::PastDecisions => MAILBOXES,
            _ => i64::from(BATCH),
        };
        let row = tx
            .query_one(area.statement(), &[&days, &most, &after])
            .await
            .map_err(StoreError::query(operation))?;
        let read = || -> Result<Cleared, tokio_postgres::Error> {
            let rows: i64 = row.try_get(0)?;
            let more: bool = row.try_get(1)?;
            Ok(Cleared {
                rows: u64::try_from(rows).unwrap_or_default(),
                next: more.then_some(row.try_get(2)?),
            })
        };
        let cleared = read().map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(cleared)
    }
}
