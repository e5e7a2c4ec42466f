//! Goal: the shard as it runs: woken, coalescing, surviving crashes, outages, panics and lost leases, and
//! leaving in order. Method: the real tree, a real database, a calendar in memory; conditions are waited for.
use std::collections::BTreeSet;

use base::clock::ManualClock;
use base::{DailyTimes, SystemClock};
use calendar::source::{
    Affinity, CalendarFolder, ChangePage, HintStream, Location, Mailbox, Reading, Subscribed, WindowReading,
};
use calendar::testing::{FakeCalendar, failure, single};
use calendar::{CalendarSource, ItemId, Slot, SourceError};
use jiff::civil::time;
use store::lease::LeaseBook;
use store::notifications::{NewNotification, NotificationKind as Kind};
use store::testing::{TestDatabase, database};
use supervision::Tree;

use super::*;
use crate::testkit::{
    APPLICATION, log, mail, notification, options, resources, services, slot, there, wait_for,
};

/// A tree with the qualifier in it.
struct Running {
    database: TestDatabase,
    source: Arc<FakeCalendar>,
    services: Services,
    tree: Tree,
}

impl Running {
    async fn new(mailboxes: u32, options: QualifierOptions) -> Self {
        let database = database().await;
        resources(&database, mailboxes).await;
        Self::on(database, options).await
    }

    async fn on(database: TestDatabase, options: QualifierOptions) -> Self {
        let source = Arc::new(FakeCalendar::default());
        let services = services(&database, &source).await;
        let tree = start(&services, options);
        Self { database, source, services, tree }
    }

    /// With one mailbox, and a clock that is moved by hand. No pull is due before one o'clock in the afternoon.
    async fn at(now: &str) -> (Self, Arc<ManualClock>) {
        let database = database().await;
        resources(&database, 1).await;
        let source = Arc::new(FakeCalendar::default());
        let mut services = services(&database, &source).await;
        let clock = ManualClock::at(now.parse().unwrap());
        services.clock = clock.clone();
        let full_reads_at = DailyTimes::once_at(time(13, 0, 0, 0));
        let tree = start(&services, QualifierOptions { full_reads_at, ..options() });
        (Self { database, source, services, tree }, clock)
    }

    async fn hint(&self, n: u32, hints: &[(Kind, &str)]) {
        let batch: Vec<NewNotification> =
            hints.iter().map(|(kind, item)| notification(n, (*kind, item, None))).collect();
        self.database.store.append(&batch).await.unwrap();
    }

    async fn keys(&self, n: u32) -> Vec<String> {
        there(&self.database, n).await.into_iter().map(|(key, _, _)| key).collect()
    }

    async fn until_keys(&self, n: u32, keys: &[&str]) {
        wait_for(async || {
            let now = self.keys(n).await;
            if now == keys { Ok(()) } else { Err(format!("keys of {n}: {now:?}")) }
        })
        .await;
    }

    async fn until_log(&self, entries: usize) -> Vec<(String, String)> {
        wait_for(async || {
            let log = log(&self.database).await;
            if log.len() >= entries { Ok(log) } else { Err(format!("the log: {log:?}")) }
        })
        .await
    }

    async fn one(&self, query: &str) -> i64 {
        let client = self.database.store.client("test").await.unwrap();
        client.query_one(query, &[]).await.unwrap().get(0)
    }

    async fn until_one(&self, query: &str, value: i64) {
        wait_for(async || {
            let now = self.one(query).await;
            if now == value { Ok(()) } else { Err(format!("{query} gives {now}")) }
        })
        .await;
    }

    fn calls(&self, operation: &str) -> usize {
        self.source.calls().iter().filter(|call| call.operation == operation).count()
    }

    async fn until_calls(&self, operation: &str, count: usize) {
        wait_for(async || {
            let now = self.calls(operation);
            if now == count { Ok(()) } else { Err(format!("{now} calls of {operation}")) }
        })
        .await;
    }
}

/// The hour that begins then.
fn hour(start: &str) -> Slot {
    let start: Timestamp = start.parse().unwrap();
    Slot { start, end: start + Duration::from_secs(3_600) }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub(super) fn start(services: &Services, options: QualifierOptions) -> Tree {
    Tree::start(supervisor(options, services.clone()).unwrap(), SystemClock::shared())
}

/// Runs a test on an actix system over a runtime with threads of its own.
pub(super) fn system(test: impl Future<Output = ()>) {
    actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
    .block_on(test);
}

#[test]
fn a_burst_becomes_one_decision_and_at_most_two_readings() {
    system(async {
        // the poll is far away: it is the wake-up that counts
        let running =
            Running::new(1, QualifierOptions { poll_interval: Duration::from_secs(60), ..options() }).await;
        assert!(running.tree.wait_for(Tree::ready).await);
        running.source.put(&mail(1), single("a", "A", slot(2, 9)));
        let burst =
            [Kind::Created, Kind::FreeBusyChanged, Kind::Modified, Kind::FreeBusyChanged, Kind::Modified];
        running.hint(1, &burst.map(|kind| (kind, "a"))).await;
        running.until_keys(1, &["A"]).await;
        let log = running.until_log(5).await;
        assert_eq!(log[0].1, "created");
        assert!(log[1..].iter().all(|(_, outcome)| outcome == "unchanged"), "{log:?}");
        assert_eq!(running.calls("read_items"), 2);
        assert_eq!(running.one("select count(*) from notification").await, 0);
        running.tree.shutdown().await;
    });
}

#[test]
fn what_a_crashed_incarnation_had_in_hand_is_handled() {
    system(async {
        let database = database().await;
        resources(&database, 1).await;
        let source = Arc::new(FakeCalendar::default());
        source.put(&mail(1), single("a", "A", slot(2, 9)));
        let services = services(&database, &source).await;
        services.store.append(&[notification(1, (Kind::Created, "a", None))]).await.unwrap();
        // the reading hangs; then the whole process is gone, without a word
        source.close();
        let options = options();
        let first = start(&services, options.clone());
        wait_for(async || if source.calls().is_empty() { Err("not read yet".into()) } else { Ok(()) }).await;
        let client = database.store.client("test").await.unwrap();
        let claim =
            async || -> i64 { client.query_one("select claim from notification", &[]).await.unwrap().get(0) };
        let first_claim = claim().await;
        drop(first);
        source.open();
        // another process; the lease of the first has run out
        client.batch_execute("update lease set expires_at = now() - interval '1 s'").await.unwrap();
        let other = Services {
            leases: LeaseBook::new(
                services.store.clone(),
                SystemClock::shared(),
                "another process".into(),
                Duration::from_secs(60),
            ),
            ..services.clone()
        };
        let second = start(&other, options);
        wait_for(async || {
            let keys = there(&database, 1).await;
            if keys.len() == 1 { Ok(()) } else { Err(format!("{keys:?}")) }
        })
        .await;
        assert!(first_claim > 0);
        second.shutdown().await;
    });
}

/// Regression: the commit of a full read does not wait for the disk. Undone by a crash of the database server, its
/// notification bore the number of a shard that lives on and had nothing in hand, and nobody took it.
#[test]
fn a_full_read_that_the_database_server_forgot_is_made_again() {
    system(async {
        let running = Running::new(1, options()).await;
        running.source.close();
        let full_read = NewNotification::full_read(mail(1), running.services.clock.now(), None);
        running.database.store.append(&[full_read]).await.unwrap();
        wait_for(async || if running.calls("read_window") == 1 { Ok(()) } else { Err("not begun".into()) })
            .await;
        let client = running.database.store.client("test").await.unwrap();
        client.batch_execute("create table before_commit as select * from notification").await.unwrap();
        assert_eq!(running.one("select count(*) from before_commit where claim is not null").await, 1);
        running.source.open();
        running.until_one("select count(*) from notification", 0).await;
        let undo = "begin; insert into notification overriding system value select * from before_commit; \
                    delete from notification_log; commit";
        client.batch_execute(undo).await.unwrap();
        running.until_log(1).await;
        running.until_one("select count(*) from notification", 0).await;
        assert_eq!(running.calls("read_window"), 2);
        running.tree.shutdown().await;
    });
}

#[test]
fn a_full_read_that_is_under_way_is_not_begun_again() {
    system(async {
        let running = Running::new(2, options()).await;
        running.source.close();
        let full_read = NewNotification::full_read(mail(1), running.services.clock.now(), None);
        running.database.store.append(&[full_read]).await.unwrap();
        wait_for(async || if running.calls("read_window") == 1 { Ok(()) } else { Err("not begun".into()) })
            .await;
        // the shard claims again and again meanwhile: the second of these means that it looked for full reads too
        for item in ["x", "y", "z"] {
            running.hint(2, &[(Kind::Deleted, item)]).await;
            running.until_one("select count(*) from notification where claim is null", 0).await;
        }
        running.source.open();
        running.until_log(4).await;
        running.until_one("select count(*) from notification", 0).await;
        assert_eq!(running.calls("read_window"), 1);
        running.tree.shutdown().await;
    });
}

#[test]
fn an_outage_is_waited_out_without_counting() {
    system(async {
        let running = Running::new(2, options()).await;
        running.source.put(&mail(1), single("a", "A", slot(2, 9)));
        running.source.put(&mail(2), single("b", "B", slot(2, 9)));
        running.source.set_mailbox_failing(&mail(1), Some(failure(SourceErrorKind::Unavailable)));
        running.hint(1, &[(Kind::Created, "a"), (Kind::Modified, "a")]).await;
        running.hint(2, &[(Kind::Created, "b")]).await;
        // the other mailbox goes on; this one is tried again and again
        running.until_keys(2, &["B"]).await;
        wait_for(async || {
            let tries = running.source.calls().iter().filter(|call| call.mail == mail(1)).count();
            if tries > 5 { Ok(()) } else { Err(format!("{tries} tries")) }
        })
        .await;
        assert_eq!(running.one("select coalesce(max(attempts), 0)::bigint from notification").await, 0);
        assert_eq!(running.one("select count(*) from notification where set_aside_at is not null").await, 0);
        running.source.set_mailbox_failing(&mail(1), None);
        running.until_keys(1, &["A"]).await;
        running.until_one("select count(*) from notification", 0).await;
        running.tree.shutdown().await;
    });
}

#[test]
fn poison_is_set_aside_and_others_go_on() {
    system(async {
        let running = Running::new(1, options()).await;
        running.source.put(&mail(1), single("good", "A", slot(2, 9)));
        running.source.put(&mail(1), single("bad", "B", slot(2, 9)));
        running.source.set_item_failing("bad", Some(failure(SourceErrorKind::Unknown)));
        running.hint(1, &[(Kind::Created, "bad"), (Kind::Created, "good")]).await;
        running.until_keys(1, &["A"]).await;
        running.until_one("select count(*) from notification where set_aside_at is not null", 1).await;
        assert_eq!(running.one("select attempts::bigint from notification").await, 3);
        running.tree.shutdown().await;
    });
}

/// A source that panics when the item `bomb` is read, and takes its time for a window.
#[derive(Debug)]
pub(super) struct Odd {
    pub(super) calendar: Arc<FakeCalendar>,
    pub(super) window_takes: Duration,
}

#[async_trait::async_trait]
impl CalendarSource for Odd {
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        self.calendar.locate(mailboxes).await
    }
    async fn check(&self, mailbox: &Mailbox) -> Result<CalendarFolder, SourceError> {
        self.calendar.check(mailbox).await
    }
    async fn subscribe(&self, mailbox: &Mailbox, affinity: &Affinity) -> Result<Subscribed, SourceError> {
        self.calendar.subscribe(mailbox, affinity).await
    }
    async fn unsubscribe(
        &self,
        mailbox: &Mailbox,
        affinity: &Affinity,
        id: &calendar::ids::SubscriptionId,
    ) -> Result<(), SourceError> {
        self.calendar.unsubscribe(mailbox, affinity, id).await
    }
    async fn listen(
        &self,
        affinity: &Affinity,
        ids: &[calendar::ids::SubscriptionId],
    ) -> Result<HintStream, SourceError> {
        self.calendar.listen(affinity, ids).await
    }
    async fn catch_up(
        &self,
        mailbox: &Mailbox,
        state: Option<&calendar::ids::SyncState>,
    ) -> Result<ChangePage, SourceError> {
        self.calendar.catch_up(mailbox, state).await
    }
    async fn read_items(&self, mailbox: &Mailbox, items: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        assert!(!items.contains(&ItemId::new("bomb")), "the bomb was read");
        self.calendar.read_items(mailbox, items).await
    }
    async fn masters_of(
        &self,
        mailbox: &Mailbox,
        occurrences: &[ItemId],
    ) -> Result<Vec<Option<ItemId>>, SourceError> {
        self.calendar.masters_of(mailbox, occurrences).await
    }
    async fn read_window(&self, mailbox: &Mailbox, window: Slot) -> Result<WindowReading, SourceError> {
        tokio::time::sleep(self.window_takes).await;
        self.calendar.read_window(mailbox, window).await
    }
}

#[test]
fn a_panic_counts_and_takes_nobody_down_with_it() {
    system(async {
        let database = database().await;
        resources(&database, 1).await;
        let source = Arc::new(FakeCalendar::default());
        source.put(&mail(1), single("good", "A", slot(2, 9)));
        let mut services = services(&database, &source).await;
        services.source = Arc::new(Odd { calendar: Arc::clone(&source), window_takes: Duration::ZERO });
        let hints =
            [notification(1, (Kind::Created, "bomb", None)), notification(1, (Kind::Created, "good", None))];
        services.store.append(&hints).await.unwrap();
        let tree = start(&services, options());
        let client = database.store.client("test").await.unwrap();
        wait_for(async || {
            let keys = there(&database, 1).await;
            let row = client
                .query_one(
                    "select count(*), count(*) filter (where set_aside_at is not null) from notification",
                    &[],
                )
                .await
                .unwrap();
            let (left, aside): (i64, i64) = (row.get(0), row.get(1));
            // what was in a batch with it failed once with it, and was handled alone after that
            if keys.len() == 1 && (left, aside) == (1, 1) {
                Ok(())
            } else {
                Err(format!("{keys:?} {left} {aside}"))
            }
        })
        .await;
        assert_eq!(tree.restarts_total(), 0);
        tree.shutdown().await;
    });
}

#[test]
fn waits_for_a_resource_list_and_says_so() {
    system(async {
        let running = Running::on(database().await, options()).await;
        running.source.put(&mail(1), single("a", "A", slot(2, 9)));
        running.hint(1, &[(Kind::Created, "a")]).await;
        wait_for(async || {
            let locks = running
                .one("select count(*) from pg_stat_activity where query like '%planner_resource%'")
                .await;
            if locks > 0 { Ok(()) } else { Err("nobody asked for the resource list".into()) }
        })
        .await;
        assert!(!running.tree.ready());
        assert!(running.source.calls().is_empty());
        resources(&running.database, 1).await;
        assert!(running.tree.wait_for(Tree::ready).await);
        running.until_keys(1, &["A"]).await;
        running.tree.shutdown().await;
    });
}

#[test]
fn a_lost_lease_ends_the_work_until_it_is_had_again() {
    system(async {
        let running = Running::new(1, options()).await;
        running.source.put(&mail(1), single("a", "A", slot(2, 9)));
        running.hint(1, &[(Kind::Created, "a")]).await;
        running.until_keys(1, &["A"]).await;
        // somebody else takes over behind its back
        let client = running.database.store.client("test").await.unwrap();
        client
            .batch_execute(
                "update lease set owner = 'somebody else', token = token + 1, \
                                  expires_at = now() + interval '1 hour' where key = 'qualifier/0'",
            )
            .await
            .unwrap();
        running.source.put(&mail(1), single("a", "A", slot(3, 9)));
        running.hint(1, &[(Kind::Modified, "a")]).await;
        running.until_one("select count(*) from lease where owner = 'somebody else'", 1).await;
        running.source.put(&mail(1), single("b", "B", slot(3, 9)));
        running.hint(1, &[(Kind::Created, "b")]).await;
        // it lets go again
        client.batch_execute("update lease set owner = '' where key = 'qualifier/0'").await.unwrap();
        running.until_keys(1, &["A", "B"]).await;
        assert_eq!(there(&running.database, 1).await[0].1, slot(3, 9));
        assert_eq!(running.tree.restarts_total(), 0);
        running.tree.shutdown().await;
        // handed back in order
        assert_eq!(running.one("select count(*) from lease where owner <> ''").await, 0);
    });
}

#[test]
fn full_reads_at_start_and_when_settings_change() {
    system(async {
        let database = database().await;
        resources(&database, 3).await;
        let source = Arc::new(FakeCalendar::default());
        for n in 1..=3 {
            source.put(&mail(n), single(&format!("i{n}"), "A", slot(2, 9)));
        }
        let services = services(&database, &source).await;
        let reads = || source.calls().iter().filter(|call| call.operation == "read_window").count();
        let until_reads = async |reads_wanted: usize| {
            wait_for(async || {
                let handled = log(&database).await.len();
                if handled == reads_wanted { Ok(()) } else { Err(format!("{handled} handled")) }
            })
            .await;
            assert_eq!(reads(), reads_wanted);
        };
        let with = |months: u32, full_read_at_start: bool| {
            let mut options = QualifierOptions { shards: 2, full_read_at_start, ..options() };
            options.policy.months = months;
            options
        };
        let tree = start(&services, with(3, true));
        until_reads(3).await;
        for n in 1..=3 {
            assert_eq!(there(&database, n).await.len(), 1);
        }
        tree.shutdown().await;
        // the same settings: nothing to do; other settings: everything anew
        let tree = start(&services, with(3, false));
        assert!(tree.wait_for(Tree::ready).await);
        services.store.append(&[notification(1, (Kind::Modified, "i1", None))]).await.unwrap();
        wait_for(async || if log(&database).await.len() == 4 { Ok(()) } else { Err("not yet".into()) }).await;
        assert_eq!(reads(), 3);
        tree.shutdown().await;
        let tree = start(&services, with(4, false));
        wait_for(async || if log(&database).await.len() == 7 { Ok(()) } else { Err("not yet".into()) }).await;
        assert_eq!(reads(), 6);
        tree.shutdown().await;
    });
}

/// B3, B4, B8: other months make the next start read everything anew. More of them bring what they reach. Fewer take nothing
/// back by themselves, since a full read decides about what overlaps its window; what lies beyond it is taken back when it is
/// told of. The guard has nothing against one appointment that is missing.
#[test]
fn more_months_reach_further_and_fewer_leave_what_lies_beyond_until_it_is_told_of() {
    system(async {
        let database = database().await;
        resources(&database, 1).await;
        let source = Arc::new(FakeCalendar::default());
        // the third month begins after 62 days at the latest, and ends after 89 at the earliest
        let far = slot(70, 9);
        source.put(&mail(1), single("far", "FAR", far));
        source.put(&mail(1), single("gone", "GONE", slot(3, 9)));
        source.put(&mail(1), single("near", "NEAR", slot(2, 9)));
        let services = services(&database, &source).await;
        let client = database.store.client("test").await.unwrap();
        let decided = async || -> Vec<(String, i64, Option<bool>)> {
            let all =
                "select origin_id, version, wanted from calendar_event order by origin_id collate \"C\"";
            let rows = client.query(all, &[]).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
        };
        let key = |name: &str, version: i64, wanted: bool| (name.to_owned(), version, Some(wanted));
        let until_handled = async |count: usize| {
            wait_for(async || {
                let handled = log(&database).await.len();
                if handled == count { Ok(()) } else { Err(format!("{handled} handled")) }
            })
            .await;
        };
        let with = |months: u32, full_read_at_start: bool| {
            let mut options = QualifierOptions { full_read_at_start, ..options() };
            options.policy.months = months;
            options
        };
        let tree = start(&services, with(1, true));
        until_handled(1).await;
        assert_eq!(decided().await, [key("GONE", 1, true), key("NEAR", 1, true)]);
        tree.shutdown().await;
        let tree = start(&services, with(3, false));
        until_handled(2).await;
        assert_eq!(decided().await, [key("FAR", 1, true), key("GONE", 1, true), key("NEAR", 1, true)]);
        assert_eq!(there(&database, 1).await[0], ("FAR".to_owned(), far, "far".to_owned()));
        tree.shutdown().await;
        // of this nobody tells: one of the two that the window holds now is missing
        source.remove(&mail(1), "gone");
        let tree = start(&services, with(1, false));
        until_handled(3).await;
        assert_eq!(decided().await, [key("FAR", 1, true), key("GONE", 2, false), key("NEAR", 1, true)]);
        // not wanted, known and there, and its time has not passed
        services.store.append(&[notification(1, (Kind::Modified, "far", None))]).await.unwrap();
        until_handled(4).await;
        assert_eq!(decided().await, [key("FAR", 2, false), key("GONE", 2, false), key("NEAR", 1, true)]);
        let runs = services.store.withheld_runs(true, services.clock.now()).await.unwrap();
        assert_eq!(runs, [], "nothing was ever withheld");
        tree.shutdown().await;
    });
}

/// B4: "today" is taken when the decision is made. What a full read asked for before midnight and was told after it is
/// decided about by the window of the new day.
#[test]
fn a_full_read_over_midnight_is_decided_about_by_the_new_day() {
    system(async {
        // ten minutes to midnight in Copenhagen
        let (running, clock) = Running::at("2026-06-10T21:50:00Z").await;
        running.source.put(&mail(1), single("eleventh", "ELEVENTH", hour("2026-06-11T07:00:00Z")));
        running.source.put(&mail(1), single("twelfth", "TWELFTH", hour("2026-06-12T07:00:00Z")));
        running.source.close();
        let full_read = NewNotification::full_read(mail(1), running.services.clock.now(), None);
        running.services.store.append(&[full_read]).await.unwrap();
        running.until_calls("read_window", 1).await;
        clock.advance(minutes(20));
        running.source.open();
        let log = running.until_log(1).await;
        assert_eq!(log, [("FullRead".to_owned(), "full read".to_owned())]);
        // both were found; the eleventh is today now
        assert_eq!(running.keys(1).await, ["TWELFTH"]);
        assert_eq!(running.calls("read_window"), 1);
        running.tree.shutdown().await;
    });
}

/// B4: the same of a change that is told: the window has lost a day at its begin and gained one at its end.
#[test]
fn a_change_that_is_read_over_midnight_is_decided_about_by_the_new_day() {
    system(async {
        // ten minutes to midnight in Copenhagen
        let (running, clock) = Running::at("2026-06-10T21:50:00Z").await;
        running.source.put(&mail(1), single("lost", "LOST", hour("2026-06-11T07:00:00Z")));
        running.source.put(&mail(1), single("stays", "STAYS", hour("2026-06-12T07:00:00Z")));
        running.source.put(&mail(1), single("won", "WON", hour("2026-09-11T07:00:00Z")));
        running.source.close();
        running.hint(1, &["lost", "stays", "won"].map(|item| (Kind::Created, item))).await;
        running.until_calls("read_items", 1).await;
        clock.advance(minutes(20));
        running.source.open();
        let log = running.until_log(3).await;
        let outcomes: Vec<&str> = log.iter().map(|(_, outcome)| outcome.as_str()).collect();
        assert_eq!(outcomes, ["unchanged", "created", "created"]);
        assert_eq!(running.keys(1).await, ["STAYS", "WON"]);
        assert_eq!(running.calls("read_items"), 1, "all of them were read before midnight");
        running.tree.shutdown().await;
    });
}

/// B4: "now" is taken when the decision is made. What has ended by then is history and is left alone, though it had not when
/// its reading began.
#[test]
fn what_ends_while_it_is_read_is_history() {
    system(async {
        let (running, clock) = Running::at("2026-06-10T12:00:00Z").await;
        running.source.put(&mail(1), single("ends", "ENDS", hour("2026-06-11T07:00:00Z")));
        running.source.put(&mail(1), single("lasts", "LASTS", hour("2026-06-11T07:30:00Z")));
        running.hint(1, &["ends", "lasts"].map(|item| (Kind::Created, item))).await;
        running.until_log(2).await;
        assert_eq!(running.keys(1).await, ["ENDS", "LASTS"]);
        // ten minutes before the first one ends both are deleted
        clock.advance(minutes(19 * 60 + 50));
        running.source.remove(&mail(1), "ends");
        running.source.remove(&mail(1), "lasts");
        running.source.close();
        let before = running.calls("read_items");
        running.hint(1, &["ends", "lasts"].map(|item| (Kind::Deleted, item))).await;
        running.until_calls("read_items", before + 1).await;
        clock.advance(minutes(20));
        running.source.open();
        let log = running.until_log(4).await;
        let outcomes: Vec<&str> = log[2..].iter().map(|(_, outcome)| outcome.as_str()).collect();
        assert_eq!(outcomes, ["unchanged", "deleted"]);
        assert_eq!(running.keys(1).await, ["ENDS"]);
        assert_eq!(running.calls("read_items"), before + 1, "both were read before the end");
        running.tree.shutdown().await;
    });
}

#[test]
fn one_reading_of_a_mailbox_at_a_time() {
    system(async {
        let running = Running::new(3, options()).await;
        let items: Vec<String> = (0..40).map(|n| format!("i{n:02}")).collect();
        let mut expected = BTreeSet::new();
        for n in 1..=3 {
            for item in &items {
                running.source.put(&mail(n), single(item, &format!("U{item}"), slot(2, 9)));
                expected.insert(format!("U{item}"));
            }
        }
        for item in &items {
            for n in 1..=3 {
                running.hint(n, &[(Kind::Created, item), (Kind::Modified, item)]).await;
            }
            let full_read = NewNotification::full_read(mail(1), running.services.clock.now(), None);
            running.services.store.append(&[full_read]).await.unwrap();
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        for n in 1..=3 {
            running.until_keys(n, &expected).await;
        }
        running.until_one("select count(*) from notification", 0).await;
        assert_eq!(running.source.most_at_once(), 1);
        running.tree.shutdown().await;
    });
}

#[test]
fn a_database_that_goes_away_delays_and_loses_nothing() {
    system(async {
        let running = Running::new(1, options()).await;
        running.source.put(&mail(1), single("a", "A", slot(2, 9)));
        running.hint(1, &[(Kind::Created, "a")]).await;
        running.until_keys(1, &["A"]).await;
        for day in 3..8 {
            running.source.put(&mail(1), single("a", "A", slot(day, 9)));
            running.hint(1, &[(Kind::Modified, "a")]).await;
            // every connection of the product breaks, whatever it is doing
            let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                        where datname = current_database() and application_name = 'the product'";
            assert_eq!(APPLICATION, "the product");
            assert!(running.one(kill).await > 0);
            wait_for(async || {
                let now = there(&running.database, 1).await;
                if now[0].1 == slot(day, 9) { Ok(()) } else { Err(format!("day {day}: {now:?}")) }
            })
            .await;
        }
        running.tree.shutdown().await;
    });
}

#[test]
fn a_claim_whose_answer_was_lost_is_made_again() {
    system(async {
        let running = Running::new(1, options()).await;
        assert!(running.tree.wait_for(Tree::ready).await);
        running.source.put(&mail(1), single("a", "A", slot(2, 9)));
        running.source.put(&mail(1), single("b", "B", slot(2, 9)));
        running.hint(1, &[(Kind::Created, "b")]).await;
        running.until_keys(1, &["B"]).await;
        // a row that bears the shard's number though the shard never saw it, as after a commit whose answer was
        // lost; and a claim that fails: it waits for the table and is cancelled
        let mut client = running.database.store.client("test").await.unwrap();
        let tx = client.transaction().await.unwrap();
        tx.batch_execute("lock table notification in access exclusive mode").await.unwrap();
        tx.execute(
            "insert into notification (mail, bucket, event_type, item_id, received_at, claim) \
             select $1, $2, 'CreatedEvent', 'a', now(), last_value from notification_claim",
            &[&mail(1).as_str(), &i16::from(mail(1).bucket())],
        )
        .await
        .unwrap();
        wait_for(async || {
            let cancelled = running
                .one(
                    "select count(pg_cancel_backend(pid)) from pg_stat_activity \
                     where datname = current_database() and application_name = 'the product' \
                       and wait_event_type = 'Lock' and query like 'update notification n set claim%'",
                )
                .await;
            if cancelled > 0 { Ok(()) } else { Err("nobody waits for the table".into()) }
        })
        .await;
        tx.commit().await.unwrap();
        running.until_keys(1, &["A", "B"]).await;
        assert_eq!(running.tree.restarts_total(), 0);
        running.tree.shutdown().await;
    });
}
