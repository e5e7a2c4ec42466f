//! How much waits, and for how long: what the metrics show of the queues.

use jiff::Timestamp;

use crate::error::StoreError;
use crate::pool::Store;

/// The queues at one moment. Ages are in seconds by the database's clock; absent where nothing waits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overview {
    /// Notifications that wait to be handled.
    pub notifications: i64,
    /// Age of the oldest of them.
    pub oldest_notification_s: Option<f64>,
    /// Notifications that were set aside.
    pub notifications_set_aside: i64,
    /// Keys whose decided state Planner has not acknowledged and is to be told: not those of mailboxes that are not in use.
    pub unsent: i64,
    /// Age of the oldest decision among them.
    pub oldest_unsent_s: Option<f64>,
    /// Keys in a call right now.
    pub in_flight: i64,
    /// Resources in use.
    pub resources: i64,
    /// Resources in use whose mailbox cannot be listened to.
    pub resources_failing: i64,
    /// Resources in use for which nothing is sent yet: to be adopted, or read in full since (B9).
    pub resources_not_adopted: i64,
    /// When the resource list was last fetched.
    pub resource_list_fetched_at: Option<Timestamp>,
}

/// Looks at all queues in one statement.
pub async fn overview(store: &Store) -> Result<Overview, StoreError> {
    let operation = "look at the queues";
    let client = store.client(operation).await?;
    let statement = client
        .prepare_cached(
            // what differs for a mailbox that is not in use is not sent, and so does not wait
            "with unsent as (
               select e.decided_at from calendar_event e left join planner_resource r on r.mail = e.mail
               where e.pending
                 and (r.deleted_date is null or r.withdrawn_at is not null and not e.wanted))
             select
               (select count(*) from notification where set_aside_at is null),
               (select extract(epoch from now() - min(received_at))::float8 from notification where set_aside_at is null),
               (select count(*) from notification where set_aside_at is not null),
               (select count(*) from unsent),
               (select extract(epoch from now() - min(decided_at))::float8 from unsent),
               (select count(*) from key_in_flight),
               (select count(*) from planner_resource where deleted_date is null),
               (select count(*) from planner_resource where deleted_date is null and error_code is not null),
               (select count(*) from planner_resource where deleted_date is null
                  and (adopted_at is null or full_read_began_at is null or full_read_began_at < adopted_at)),
               (select changed_at from store_state where name = 'resource_list_fetched_at')",
        )
        .await
        .map_err(StoreError::query(operation))?;
    let row = client.query_one(&statement, &[]).await.map_err(StoreError::query(operation))?;
    Ok(Overview {
        notifications: row.get(0),
        oldest_notification_s: row.get(1),
        notifications_set_aside: row.get(2),
        unsent: row.get(3),
        oldest_unsent_s: row.get(4),
        in_flight: row.get(5),
        resources: row.get(6),
        resources_failing: row.get(7),
        resources_not_adopted: row.get(8),
        resource_list_fetched_at: row.get(9),
    })
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn tells_what_waits_and_since_when() {
        let database = database().await;
        assert_eq!(overview(&database.store).await.unwrap(), Overview::default());
        let client = database.store.client("test").await.unwrap();
        client
            .batch_execute(
                "insert into notification (mail, bucket, event_type, received_at)
                 values ('a@b', 1, 'FullRead', now() - interval '5 s');
                 insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at)
                 values ('a@b', 'U', 1, true, now(), now() + interval '1 h', now() - interval '7 s'),
                        ('a@b', 'V', 1, false, null, null, now() - interval '9 s');",
            )
            .await
            .unwrap();
        let found = overview(&database.store).await.unwrap();
        assert_eq!((found.notifications, found.unsent), (1, 1));
        assert!((5.0..60.0).contains(&found.oldest_notification_s.unwrap()));
        assert!((7.0..60.0).contains(&found.oldest_unsent_s.unwrap()));
    }
}
