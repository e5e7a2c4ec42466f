//! The stages at one moment: who owns what, which groups are listened to, how much of the budget is used, what was
//! raised lately.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::group_streams::{StreamState, of_the_owner, state_of, stream_columns};
use crate::instances::{Instance, SHARDS};
use crate::overview::{Overview, overview};
use crate::shares::GROUP_LEASES;
use crate::{Store, StoreError};

/// Most groups, leases, instances and events that are told.
const ROWS_MAX: i64 = 2_000;

/// How the stages stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// By the database's clock.
    pub at: Timestamp,
    /// The queues.
    pub queues: Overview,
    /// The leases, by key; those that nobody holds too. Of too many those of groups that nobody holds are left out first.
    pub leases: Vec<HeldLease>,
    /// Into how many shards the mailboxes are cut; `None` until an instance that qualifies has said so.
    pub shards: Option<u8>,
    /// The processes of the service.
    pub instances: Vec<Instance>,
    /// The affinity groups, by number.
    pub groups: Vec<Group>,
    /// What the last 60 s took of the budget.
    pub budget: BudgetUse,
    /// Keys that were set aside.
    pub keys_set_aside: u64,
    /// Keys that Planner refused.
    pub keys_refused: u64,
    /// Runs of mailboxes, and of the resource list, whose deletions wait for an operator.
    pub withheld: u64,
    /// Deletions of withdrawn mailboxes that are still to be sent.
    pub withdrawals_unsent: u64,
    /// Since when each mailbox in use was read in full at least once; `None` = one of them never was, or none is used.
    pub full_pull_at: Option<Timestamp>,
    /// The same for what Planner holds of it: compared, or taken over (which compares, too).
    pub comparison_at: Option<Timestamp>,
    /// Warnings and errors of the last hour, the most frequent first.
    pub events: Vec<EventCount>,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// What it is about: `listener`, `affinity-group/7`, `qualifier/2`, `communicator/comparison` …
    pub key: String,
    /// Who holds it; `None` = nobody, or it has run out.
    pub owner: Option<String>,
    /// How much longer without a renewal.
    pub left: Duration,
    /// Since when nobody holds it, where it ran out; `None` where it was handed back, or is held.
    pub free_since: Option<Timestamp>,
}

/// An affinity group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: i64,
    /// The address of its Exchange.
    pub endpoint: String,
    /// Its grouping value.
    pub grouping_value: String,
    /// The number of its service account; 0 = that of the configuration.
    pub account: i64,
    /// The name of it, where it stands in the database.
    pub user_name: Option<String>,
    /// Its mailboxes.
    pub members: u64,
    /// Those with a live subscription that can be listened to.
    pub subscribed: u64,
    /// Those that cannot be listened to.
    pub failing: u64,
    /// Who owns it; `None` = nobody, so that no stream is open.
    pub owner: Option<String>,
    /// How its stream stands; `None` = not known: nobody owns it, or a version that does not tell.
    pub stream: Option<StreamState>,
}

/// Calls to Planner that count in the budget now (the last 60 s, and those under way).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetUse {
    /// Calls.
    pub calls: u64,
    /// Appointments in calls that send.
    pub events: u64,
    /// Calls of bulk work.
    pub bulk_calls: u64,
    /// Calls under way.
    pub in_flight: u64,
    /// Calls that failed.
    pub failed: u64,
}

/// An event code and how often it was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// The code.
    pub event_id: i32,
    /// `warning` or `error`.
    pub severity: String,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
}

impl Store {
    /// How the stages stand.
    pub async fn work(&self) -> Result<Work, StoreError> {
        let queues = overview(self).await?;
        let leases = self.held_leases().await?;
        let instances = self.instances().await?;
        let groups = self.groups_seen().await?;
        let (at, budget) = self.budget_use().await?;
        let operation = "look at the stages";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                "select \
                   (select count(*) from calendar_event where version > 0 and set_aside_version = version), \
                   (select count(*) from calendar_event where version > 0 and refused_version = version), \
                   (select count(*) from withheld_run r where r.state = 'withheld' and exists ( \
                        select from withheld_key w left join calendar_event e using (mail, origin_id) \
                        where w.run = r.id and w.end_at > clock_timestamp() and w.version = coalesce(e.version, 0))) \
                   + (select count(*) from withheld_list where state = 'withheld'), \
                   (select count(*) from calendar_event e join planner_resource r using (mail) \
                    where e.pending and not e.wanted and r.deleted_date is not null and r.withdrawn_at is not null), \
                   (select min(last_full_sync) from planner_resource where deleted_date is null \
                    having bool_and(last_full_sync is not null)), \
                   (select min(greatest(compared_at, adopted_at)) from planner_resource where deleted_date is null \
                    having bool_and(adopted_at is not null)), \
                   (select value from store_state where name = $1)",
                &[&SHARDS],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let events = self.events_of_last_hour().await?;
        let read = || -> Result<Work, tokio_postgres::Error> {
            let shards: Option<String> = row.try_get(6)?;
            Ok(Work {
                at,
                queues,
                leases,
                shards: shards.and_then(|number| number.parse().ok()),
                instances,
                groups,
                budget,
                keys_set_aside: count(&row, 0)?,
                keys_refused: count(&row, 1)?,
                withheld: count(&row, 2)?,
                withdrawals_unsent: count(&row, 3)?,
                full_pull_at: row.try_get(4)?,
                comparison_at: row.try_get(5)?,
                events,
            })
        };
        read().map_err(StoreError::query(operation))
    }

    /// The state of a withheld run of a mailbox: `withheld`, `confirmed` …; `None` = there is no such run.
    pub async fn withheld_run_state(&self, run: i64) -> Result<Option<String>, StoreError> {
        let operation = "look at a withheld run";
        let client = self.client(operation).await?;
        let row = client
            .query_opt("select state from withheld_run where id = $1", &[&run])
            .await
            .map_err(StoreError::query(operation))?;
        row.map(|row| row.try_get(0)).transpose().map_err(StoreError::query(operation))
    }

    async fn held_leases(&self) -> Result<Vec<HeldLease>, StoreError> {
        let operation = "look at the leases";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select key, case when owner <> '' and expires_at > clock_timestamp() then owner end, \
                        case when owner <> '' and expires_at > clock_timestamp() \
                             then extract(epoch from expires_at - clock_timestamp())::float8 else 0 end, \
                        case when owner <> '' and isfinite(expires_at) and expires_at <= clock_timestamp() \
                             then expires_at end \
                 from lease \
                 order by starts_with(key, $2), not (owner <> '' and expires_at > clock_timestamp()), key limit $1",
                // duties and shards are few; a group that was dissolved leaves its lease behind, and there may be many
                &[&ROWS_MAX, &GROUP_LEASES],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let lease = |row: &Row| -> Result<HeldLease, tokio_postgres::Error> {
            let left: f64 = row.try_get(2)?;
            Ok(HeldLease {
                key: row.try_get(0)?,
                owner: row.try_get(1)?,
                left: Duration::try_from_secs_f64(left.max(0.0)).unwrap_or_default(),
                free_since: row.try_get(3)?,
            })
        };
        let leases: Result<Vec<HeldLease>, _> = rows.iter().map(lease).collect();
        let mut leases = leases.map_err(StoreError::query(operation))?;
        leases.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(leases)
    }

    async fn groups_seen(&self) -> Result<Vec<Group>, StoreError> {
        let operation = "look at the affinity groups";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                concat!(
                    "select g.id, g.endpoint, g.grouping_value, coalesce(g.service_user_credential_id, 0), c.user_name, \
                        count(m.mail), count(m.ews_subscription_id) filter (where r.error_code is null), \
                        count(r.error_code), \
                        (select l.owner from lease l where l.key = 'affinity-group/' || g.id and l.owner <> '' \
                             and l.expires_at > clock_timestamp()), ",
                    stream_columns!(),
                    " from subscription g \
                 left join service_user_credential c on c.id = g.service_user_credential_id \
                 left join planner_resource_subscription m on m.subscription_id = g.id \
                 left join planner_resource r on r.mail = m.mail \
                 left join group_stream gs on gs.subscription_id = g.id and ",
                    of_the_owner!(),
                    " group by g.id, c.user_name, gs.subscription_id order by g.id limit $1"
                ),
                &[&ROWS_MAX],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let group = |row: &Row| -> Result<Group, tokio_postgres::Error> {
            Ok(Group {
                id: row.try_get(0)?,
                endpoint: row.try_get(1)?,
                grouping_value: row.try_get(2)?,
                account: row.try_get(3)?,
                user_name: row.try_get(4)?,
                members: count(row, 5)?,
                subscribed: count(row, 6)?,
                failing: count(row, 7)?,
                owner: row.try_get(8)?,
                stream: state_of(row, 9)?,
            })
        };
        rows.iter().map(group).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }

    /// What counts in the budget now, as a permit is granted by it (B9), and the present.
    async fn budget_use(&self) -> Result<(Timestamp, BudgetUse), StoreError> {
        let operation = "look at the budget of calls";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                "select count(*), \
                        coalesce(sum(items) filter (where operation in ('CreateEvents', 'UpdateEvents', 'DeleteEvents')), 0), \
                        count(*) filter (where bulk), \
                        count(*) filter (where ended_at is null and deadline > clock_timestamp()), \
                        count(*) filter (where success = false), clock_timestamp() \
                 from service_call_reference_log \
                 where coalesce(ended_at, deadline) > clock_timestamp() - make_interval(secs => $1)",
                &[&crate::calls::budget::WINDOW.as_secs_f64()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let read = || -> Result<(Timestamp, BudgetUse), tokio_postgres::Error> {
            let used = BudgetUse {
                calls: count(&row, 0)?,
                events: count(&row, 1)?,
                bulk_calls: count(&row, 2)?,
                in_flight: count(&row, 3)?,
                failed: count(&row, 4)?,
            };
            Ok((row.try_get(5)?, used))
        };
        read().map_err(StoreError::query(operation))
    }

    async fn events_of_last_hour(&self) -> Result<Vec<EventCount>, StoreError> {
        let operation = "look at the events of the last hour";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select event_id, severity, count(*), max(at) from application_log \
                 where at > clock_timestamp() - interval '1 hour' and severity <> 'information' \
                 group by 1, 2 order by 3 desc, 1 limit 20",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let event = |row: &Row| -> Result<EventCount, tokio_postgres::Error> {
            Ok(EventCount {
                event_id: row.try_get(0)?,
                severity: row.try_get(1)?,
                count: count(row, 2)?,
                last_at: row.try_get(3)?,
            })
        };
        rows.iter().map(event).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }
}

/// A count, which is never below 0.
pub(super) fn count(row: &Row, index: usize) -> Result<u64, tokio_postgres::Error> {
    row.try_get::<_, i64>(index).map(|count| u64::try_from(count).unwrap_or_default())
}
