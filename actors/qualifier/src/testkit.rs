//! What the tests of this crate share: a real database, a calendar in memory, and an office.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::SystemClock;
use calendar::testing::FakeCalendar;
use calendar::{ItemId, MailAddress, Policy, Slot, Window, Zones};
use jiff::{Timestamp, ToSpan};
use store::lease::LeaseBook;
use store::notification_queue::{ClaimRequest, Claimed, Subject, Wanted};
use store::notifications::{NewNotification, NotificationKind};
use store::shares::Shares;
use store::testing::{TestDatabase, database};
use store::wake::Wake;
use store::{Store, StoreOptions};

use crate::config::{QualifierOptions, Services};
use crate::full;
use crate::live;
use crate::schedule::{DueItem, FullBatch, LiveBatch};
use crate::work::{Office, Report};
use crate::{QualifierError, Timing};

pub(crate) fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

pub(crate) fn policy() -> Policy {
    Policy {
        zones: Zones::named("Europe/Copenhagen").unwrap(),
        months: 3,
        busy_statuses: Policy::BUSY_BY_DEFAULT.into_iter().collect(),
    }
}

/// Quick enough for tests.
pub(crate) fn options() -> QualifierOptions {
    QualifierOptions {
        shards: 1,
        poll_interval: Duration::from_millis(200),
        coalesce: Timing { quiet: Duration::from_millis(50), at_most: Duration::from_millis(200) },
        attempts: 3,
        retry: base::Backoff::doubling(Duration::from_millis(10), Duration::from_millis(50)),
        mailbox_retry: base::Backoff::doubling(Duration::from_millis(10), Duration::from_millis(50)),
        ..QualifierOptions::new(policy())
    }
}

/// An hour of the window: on day `day` (0 = tomorrow) from `hour` o'clock, about.
pub(crate) fn slot(day: i64, hour: i64) -> Slot {
    let start = window().start + (24 * day + hour).hours();
    Slot { start, end: start + 1.hours() }
}

#[expect(clippy::disallowed_methods, reason = "tests decide about the days that follow today")]
pub(crate) fn window() -> Window {
    policy().window(Timestamp::now())
}

/// A database with resources, a calendar, and an office of the only shard.
pub(crate) struct Kit {
    pub(crate) database: TestDatabase,
    pub(crate) source: Arc<FakeCalendar>,
    pub(crate) services: Services,
    pub(crate) office: Office,
    claim: AtomicI64,
    /// The number that has claimed what its predecessors left behind.
    succeeded: AtomicI64,
    _lease: store::lease::Lease,
}

/// The name of the connections that services use.
pub(crate) const APPLICATION: &str = "the product";

pub(crate) async fn services(database: &TestDatabase, source: &Arc<FakeCalendar>) -> Services {
    let clock = SystemClock::shared();
    // Connections of its own, so that a test can break them and go on watching.
    let options = StoreOptions {
        application_name: APPLICATION.to_owned(),
        ..store::testing::options(database.url.clone())
    };
    let store = Store::open(options).unwrap();
    let owner = "test".to_owned();
    Services {
        leases: LeaseBook::new(store.clone(), clock.clone(), owner, Duration::from_secs(60)),
        shares: Shares::alone(),
        wake: Wake::start(store.clone()),
        store,
        source: Arc::clone(source) as Arc<dyn calendar::CalendarSource>,
        clock,
        runtime: tokio::runtime::Handle::current(),
    }
}

pub(crate) async fn resources(database: &TestDatabase, mailboxes: u32) {
    let client = database.store.client("test").await.unwrap();
    for n in 1..=mailboxes {
        client
            .execute(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker, endpoint, grouping_value) \
                 values ($1, $2, 'n', 'r', true, 'memory', 'memory')",
                &[&mail(n).as_str(), &i16::from(mail(n).bucket())],
            )
            .await
            .unwrap();
    }
}

impl Kit {
    pub(crate) async fn new(mailboxes: u32) -> Self {
        Self::with(mailboxes, options()).await
    }

    pub(crate) async fn with(mailboxes: u32, options: QualifierOptions) -> Self {
        let database = database().await;
        resources(&database, mailboxes).await;
        let source = Arc::new(FakeCalendar::default());
        let services = services(&database, &source).await;
        let lease = services.leases.acquire("qualifier/0", Duration::from_secs(5)).await.unwrap();
        let shared = crate::office::Shared::new(&options);
        let office = Office::new(Arc::new(options), services.clone(), lease.fence(), &shared);
        let claim = AtomicI64::new(services.store.new_claim().await.unwrap());
        Self { database, source, services, office, claim, succeeded: AtomicI64::new(0), _lease: lease }
    }

    /// From now on decides by this policy, as after a start with other settings.
    pub(crate) fn decide_by(&mut self, policy: Policy) {
        let options = QualifierOptions { policy, ..options() };
        let shared = crate::office::Shared::new(&options);
        self.office =
            Office::new(Arc::new(options), self.services.clone(), self.office.fence.clone(), &shared);
    }

    /// Stores notifications about items: `(kind, item, old item)`.
    pub(crate) async fn hint(&self, n: u32, hints: &[(NotificationKind, &str, Option<&str>)]) {
        let batch: Vec<NewNotification> = hints.iter().map(|hint| notification(n, *hint)).collect();
        self.services.store.append(&batch).await.unwrap();
    }

    pub(crate) async fn ask_full_read(&self, n: u32) {
        #[expect(clippy::disallowed_methods, reason = "a notification is received now")]
        let full_read = NewNotification::full_read(mail(n), Timestamp::now(), None);
        self.services.store.append(&[full_read]).await.unwrap();
    }

    /// The database refuses a key from now on, as it does values that no column takes.
    pub(crate) async fn refuse(&self, key: &str) {
        let client = self.database.store.client("test").await.unwrap();
        let check = format!("alter table calendar_event add constraint test check (origin_id <> '{key}')");
        client.batch_execute(&check).await.unwrap();
    }

    /// The full reads that bear this number.
    async fn full_reads_of(&self, claim: i64) -> Vec<i64> {
        let client = self.database.store.client("test").await.unwrap();
        let claimed = "select id from notification where claim = $1 and event_type = 'FullRead'";
        client.query(claimed, &[&claim]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Claims everything that waits, whenever it is to be tried again.
    pub(crate) async fn claim(&self) -> Vec<Claimed> {
        let buckets: Vec<i16> = (0..64).collect();
        let mut claimed = Vec::new();
        let claim = self.claim.load(Ordering::Relaxed);
        let is_first = self.succeeded.swap(claim, Ordering::Relaxed) != claim;
        let left_behind = is_first.then_some(Wanted::LeftBehind { in_hand: &[] });
        // nothing of it is claimed twice by one number
        let in_hand = self.full_reads_of(claim).await;
        let full_reads = Wanted::FullReads { in_hand: &in_hand, pausing: &[] };
        for wanted in left_behind.into_iter().chain([Wanted::New, full_reads]) {
            let request = ClaimRequest {
                fence: &self.office.fence,
                claim,
                buckets: &buckets,
                wanted,
                without: &[],
                now: "9999-01-01T00:00:00Z".parse().unwrap(),
                limit: 1_000,
            };
            claimed.extend(self.services.store.claim(&request).await.unwrap());
        }
        claimed
    }

    /// Handles everything that waits of one mailbox: live changes in one batch, then full reads.
    pub(crate) async fn work(&self) -> Result<Report, QualifierError> {
        self.work_after(0).await
    }

    /// The same by the next incarnation of the shard, as after a crash: it finds what is in hand too.
    pub(crate) async fn work_anew(&self) -> Result<Report, QualifierError> {
        self.claim.store(self.services.store.new_claim().await.unwrap(), Ordering::Relaxed);
        self.work().await
    }

    /// The same after so many failures of the mailbox in a row.
    pub(crate) async fn work_anew_after(&self, failures: u32) -> Result<Report, QualifierError> {
        self.claim.store(self.services.store.new_claim().await.unwrap(), Ordering::Relaxed);
        self.work_after(failures).await
    }

    async fn work_after(&self, failures: u32) -> Result<Report, QualifierError> {
        let mut items: Vec<DueItem> = Vec::new();
        let mut full_reads = Vec::new();
        let claimed = self.claim().await;
        let Some(first) = claimed.first() else { return Ok(Report::default()) };
        let mail = first.mail.clone();
        for notification in claimed {
            assert_eq!(notification.mail, mail, "one mailbox at a time");
            match &notification.subject {
                Subject::FullRead => full_reads.push(notification),
                Subject::Item { id, .. } => {
                    let id: ItemId = id.clone();
                    match items.iter_mut().find(|item| item.item_id == id) {
                        Some(item) => item.notifications.push(notification),
                        None => items.push(DueItem { item_id: id, notifications: vec![notification] }),
                    }
                }
            }
        }
        let mut report = Report::default();
        if !items.is_empty() {
            let batch = LiveBatch { mail: mail.clone(), items, failures };
            report.add(live::handle(&self.office, &batch).await?);
        }
        if !full_reads.is_empty() {
            let batch = FullBatch { mail, notifications: full_reads, failures };
            report.add(full::handle(&self.office, &batch).await?);
        }
        Ok(report)
    }

    /// The keys that are to be in Planner, with their times and items: `key start item`.
    pub(crate) async fn there(&self, n: u32) -> Vec<(String, Slot, String)> {
        there(&self.database, n).await
    }

    /// Only the keys.
    pub(crate) async fn keys(&self, n: u32) -> Vec<String> {
        self.there(n).await.into_iter().map(|(key, _, _)| key).collect()
    }

    /// The log: `event type, outcome`, by id.
    pub(crate) async fn log(&self) -> Vec<(String, String)> {
        log(&self.database).await
    }

    /// What waits: `attempts, last error, set aside`, by id.
    pub(crate) async fn waiting(&self) -> Vec<(i32, Option<String>, bool)> {
        let client = self.database.store.client("test").await.unwrap();
        let rows = client
            .query("select attempts, last_error, set_aside_at is not null from notification order by id", &[])
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }
}

pub(crate) fn notification(
    n: u32,
    (kind, item, old): (NotificationKind, &str, Option<&str>),
) -> NewNotification {
    #[expect(clippy::disallowed_methods, reason = "a notification is received now")]
    let received_at = Timestamp::now();
    NewNotification {
        mail: mail(n),
        kind,
        item_id: Some(ItemId::new(item)),
        old_item_id: old.map(ItemId::new),
        exchange_timestamp: None,
        received_at,
        trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
    }
}

pub(crate) async fn there(database: &TestDatabase, n: u32) -> Vec<(String, Slot, String)> {
    let client = database.store.client("test").await.unwrap();
    let rows = client
        .query(
            "select origin_id, start_at, end_at, item_id from calendar_event \
             where mail = $1 and wanted order by origin_id collate \"C\"",
            &[&mail(n).as_str()],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), Slot { start: row.get(1), end: row.get(2) }, row.get(3))).collect()
}

pub(crate) async fn log(database: &TestDatabase) -> Vec<(String, String)> {
    let client = database.store.client("test").await.unwrap();
    let rows =
        client.query("select event_type, outcome from notification_log order by id", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until `condition` answers `Ok`; panics with its last word after a while.
pub(crate) async fn wait_for<T>(mut condition: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..1_000 {
        match condition().await {
            Ok(value) => return value,
            Err(status) => last = status,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {last}");
}
