//! Goal: mailboxes are located when it is time and what came of it stands on their rows. Method: the choice
//! by table; whole rounds with a scripted source on real PostgreSQL. (Forming groups is tested in `grouping`,
//! the walk of whole rounds in `tests/listening`.)

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use base::{Backoff, SystemClock};
use calendar::ids::{SubscriptionId, SyncState};
use calendar::source::{
    Affinity, CalendarFolder, ChangePage, HintStream, Mailbox, Reading, Subscribed, WindowReading,
};
use calendar::{ItemId, Slot};
use store::lease::LeaseBook;
use store::resources::ResourceError;
use store::testing::{TestDatabase, database};

use super::*;

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

/// A mailbox that failed waits for `failed` seconds, or for nothing any more.
fn resource(n: u32, located: bool, failed: Option<u64>) -> ActiveResource {
    let location = located.then(|| Location { endpoint: "e".into(), grouping: "g".into() });
    let error = failed.map(|seconds| ResourceError {
        code: "C".into(),
        count: 2,
        retry_in: (seconds > 0).then(|| Duration::from_secs(seconds)),
    });
    ActiveResource { mail: mail(n), location, location_doubted: false, error }
}

#[test]
fn those_without_location_whose_time_has_come_are_located_in_portions() {
    let resources = [
        resource(1, true, None),
        resource(2, false, None),
        resource(3, false, Some(0)),
        resource(4, false, Some(1)),
        resource(5, true, Some(0)),
        resource(6, false, None),
    ];
    let wanted = |n, failures| Wanted { mail: mail(n), failures, has_location: false };
    let all = vec![wanted(2, 0), wanted(3, 2), wanted(6, 0)];
    assert_eq!(to_locate(&resources, 10, true), (all, false));
    assert_eq!(to_locate(&resources, 2, true), (vec![wanted(2, 0), wanted(3, 2)], true));
    assert_eq!(to_locate(&resources[..1], 2, true), (vec![], false));
}

#[test]
fn doubted_locations_are_solved_anew_at_once_unless_that_is_switched_off() {
    let doubted =
        [ActiveResource { location_doubted: true, ..resource(1, true, Some(60)) }, resource(2, true, None)];
    let wanted = Wanted { mail: mail(1), failures: 2, has_location: true };
    assert_eq!(to_locate(&doubted, 10, true), (vec![wanted], false));
    assert_eq!(to_locate(&doubted, 10, false), (vec![], false));
}

fn error(kind: SourceErrorKind, code: &str) -> SourceError {
    SourceError { operation: "GetUserSettings", kind, code: code.into(), text: "words".into(), after: None }
}

/// Locates even mailboxes, fails for odd ones.
#[derive(Debug, Default)]
struct Even {
    asked: Mutex<usize>,
}

#[async_trait]
impl CalendarSource for Even {
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        *self.asked.lock().unwrap() += mailboxes.len();
        let even = |mail: &MailAddress| mail.as_str().as_bytes()[1].is_multiple_of(2);
        let here = || Location { endpoint: "e".into(), grouping: "g".into() };
        let missing = || error(SourceErrorKind::Mailbox, NO_ENDPOINT);
        mailboxes.iter().map(|mail| if even(mail) { Ok(here()) } else { Err(missing()) }).collect()
    }
    async fn check(&self, _: &Mailbox) -> Result<CalendarFolder, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn subscribe(&self, _: &Mailbox, _: &Affinity) -> Result<Subscribed, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn unsubscribe(&self, _: &Mailbox, _: &Affinity, _: &SubscriptionId) -> Result<(), SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn listen(&self, _: &Affinity, _: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn catch_up(&self, _: &Mailbox, _: Option<&SyncState>) -> Result<ChangePage, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn read_items(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn masters_of(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Option<ItemId>>, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
    async fn read_window(&self, _: &Mailbox, _: Slot) -> Result<WindowReading, SourceError> {
        Err(error(SourceErrorKind::OwnBug, "not scripted"))
    }
}

async fn with_resources(count: u32) -> (TestDatabase, Fence) {
    let database = database().await;
    let client = database.store.client("test").await.unwrap();
    for n in 1..=count {
        client
            .execute(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker) values ($1, 0, '', '', true)",
                &[&mail(n).as_str()],
            )
            .await
            .unwrap();
    }
    let clock = SystemClock::shared();
    let book = LeaseBook::new(database.store.clone(), clock, "test".into(), Duration::from_secs(60));
    let fence = book.acquire("listener", Duration::ZERO).await.unwrap().fence();
    (database, fence)
}

fn options() -> ListenerOptions {
    let hour = Duration::from_secs(3_600);
    ListenerOptions { locate_again: Backoff::doubling(hour, hour), ..ListenerOptions::default() }
}

async fn round(
    database: &TestDatabase,
    fence: &Fence,
    source: &Even,
    options: &ListenerOptions,
) -> Result<Outcome, ListenerError> {
    let accounts = BTreeSet::from([AccountId::DEFAULT]);
    round_with(database, fence, source, options, &accounts).await
}

async fn round_with(
    database: &TestDatabase,
    fence: &Fence,
    source: &Even,
    options: &ListenerOptions,
    accounts: &BTreeSet<AccountId>,
) -> Result<Outcome, ListenerError> {
    Round { source, store: &database.store, fence, options, accounts }.run().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_located_forms_groups_and_the_rest_waits_for_its_time() {
    let (database, fence) = with_resources(5).await;
    let source = Even::default();
    let outcome = round(&database, &fence, &source, &options()).await.unwrap();
    let Outcome::Formed { changed, more, locate_in, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((changed, more), (true, false));
    assert_eq!(database.store.affinity_groups().await.unwrap().len(), 1);
    assert!(locate_in.is_some());
    let rows = database.store.active_resources().await.unwrap();
    let codes: Vec<Option<&str>> =
        rows.iter().map(|row| row.error.as_ref().map(|error| error.code.as_str())).collect();
    assert_eq!(codes, [Some(NO_ENDPOINT), None, Some(NO_ENDPOINT), None, Some(NO_ENDPOINT)]);
    // nobody is asked for again before the time, and nothing changes
    let again = round(&database, &fence, &source, &options()).await.unwrap();
    assert!(matches!(again, Outcome::Formed { changed: false, .. }));
    assert_eq!(*source.asked.lock().unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubted_location_is_replaced_or_stays_and_is_asked_for_once() {
    let (database, fence) = with_resources(2).await;
    let there = Location { endpoint: "before".into(), grouping: "g".into() };
    database.store.located(&fence, &[(mail(1), there.clone()), (mail(2), there.clone())]).await.unwrap();
    let source = Even::default();
    round(&database, &fence, &source, &options()).await.unwrap();
    assert_eq!(*source.asked.lock().unwrap(), 0);
    // both are of one group
    database.store.doubt_location(&fence, &mail(2)).await.unwrap();
    round(&database, &fence, &source, &options()).await.unwrap();
    let rows = database.store.active_resources().await.unwrap();
    assert_eq!(rows[0].location.as_ref(), Some(&there), "autodiscover does not know: it stays");
    assert_eq!(rows[0].error, None, "it may well be listened to");
    assert_eq!(rows[1].location.as_ref().map(|location| &*location.endpoint), Some("e"));
    let groups = database.store.affinity_groups().await.unwrap();
    assert_eq!(groups.len(), 2);
    round(&database, &fence, &source, &options()).await.unwrap();
    assert_eq!(*source.asked.lock().unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_solving_switched_off_only_stored_locations_count() {
    let (database, fence) = with_resources(2).await;
    let here = Location { endpoint: "stored".into(), grouping: "g".into() };
    database.store.located(&fence, &[(mail(1), here)]).await.unwrap();
    let source = Even::default();
    let options = ListenerOptions { deactivate_solving_of_group_affinity: true, ..options() };
    round(&database, &fence, &source, &options).await.unwrap();
    assert_eq!(*source.asked.lock().unwrap(), 0);
    let groups = database.store.affinity_groups().await.unwrap();
    assert_eq!((groups.len(), groups[0].members.len()), (1, 1));
    let rows = database.store.active_resources().await.unwrap();
    assert_eq!(rows[1].error.as_ref().unwrap().code, NOT_SOLVED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_account_nobody_is_covered_and_each_row_says_so_once() {
    let (database, fence) = with_resources(2).await;
    for _ in 0..3 {
        let none = BTreeSet::new();
        let outcome = round_with(&database, &fence, &Even::default(), &options(), &none).await.unwrap();
        assert!(matches!(outcome, Outcome::Formed { changed: false, .. }));
        assert!(database.store.affinity_groups().await.unwrap().is_empty());
    }
    let rows = database.store.active_resources().await.unwrap();
    let told = rows[1].error.as_ref().unwrap();
    assert_eq!((told.code.as_str(), told.count), (NOT_COVERED, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_list_there_is_nothing_to_do_and_without_the_duty_nothing_is_written() {
    let (database, fence) = with_resources(0).await;
    let outcome = round(&database, &fence, &Even::default(), &options()).await.unwrap();
    assert_eq!(outcome, Outcome::NoList);
    let (database, fence) = with_resources(2).await;
    let stale = Fence { token: fence.token - 1, ..fence };
    let refused = round(&database, &stale, &Even::default(), &options()).await.unwrap_err();
    assert!(!refused.disposition().is_retry(), "{refused:?}");
    assert!(database.store.affinity_groups().await.unwrap().is_empty());
}

/// Defect of the original (features.md, list C): an inverted flag `_lastUpdateUnsuccessful` made every round after a
/// good one form all groups anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_good_round_nor_a_failed_one_makes_the_next_form_groups_anew() {
    let (database, fence) = with_resources(4).await;
    let source = Even::default();
    round(&database, &fence, &source, &options()).await.unwrap();
    let formed = database.store.affinity_groups().await.unwrap();
    assert_eq!(formed.len(), 1);
    for _ in 0..3 {
        let outcome = round(&database, &fence, &source, &options()).await.unwrap();
        assert!(matches!(outcome, Outcome::Formed { changed: false, .. }));
    }
    // one that cannot write is done again, and finds everything as it is
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute("update planner_resource set deleted_date = now() where mail = 'm2@sim.test'")
        .await
        .unwrap();
    let stale = Fence { token: fence.token - 1, ..fence.clone() };
    round(&database, &stale, &source, &options()).await.unwrap_err();
    assert_eq!(database.store.affinity_groups().await.unwrap(), formed);
    let outcome = round(&database, &fence, &source, &options()).await.unwrap();
    assert!(matches!(outcome, Outcome::Formed { changed: true, .. }), "{outcome:?}");
    let groups = database.store.affinity_groups().await.unwrap();
    assert_eq!((groups.len(), groups[0].id), (1, formed[0].id), "only its member list changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_without_an_endpoint_is_told_as_such() {
    let options = telemetry::Options::events_alone(codes::REGISTRY);
    let (_telemetry, dispatch, mut events) = telemetry::Telemetry::build(options).unwrap();
    // a round runs on this thread
    let _here = tracing::dispatcher::set_default(&dispatch);
    let (database, fence) = with_resources(3).await;
    round(&database, &fence, &Even::default(), &self::options()).await.unwrap();
    let told =
        std::iter::from_fn(|| events.try_recv()).filter(|event| event.code == codes::ENDPOINT_MISSING.id);
    let mut mailboxes: Vec<String> = told.map(|event| event.fields["mailbox"].to_string()).collect();
    mailboxes.sort();
    assert_eq!(mailboxes.len(), 2, "the first and the third: {mailboxes:?}");
}
