//! Goal: an account never carries more groups at work than it may, whoever formed them and whatever became of their
//! rows; a slot is worth what the lease of its group is worth. Method: owners with leases of their own on one real
//! database; a paused one is one that does not renew.

use base::SystemClock;
use calendar::MailAddress;
use calendar::source::Location;

use super::*;
use crate::lease::{Lease, LeaseBook};
use crate::shares::group_lease;
use crate::subscriptions::{GroupId, NewGroup, Regrouping, StoredGroup};
use crate::testing::{TestDatabase, database};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

fn book(database: &TestDatabase, owner: &str, life: Duration) -> LeaseBook {
    LeaseBook::new(database.store.clone(), SystemClock::shared(), owner.into(), life)
}

async fn own(book: &LeaseBook, group: i64) -> Lease {
    book.acquire(&group_lease(GroupId::new(group)), PATIENCE).await.unwrap()
}

/// Takes a slot of account 1, which carries two groups.
async fn take(database: &TestDatabase, lease: &Lease) -> AccountSlot {
    database.store.take_account_slot(&lease.fence(), AccountId::new(1), 2).await.unwrap()
}

/// Waits until the lease of a group has run out by the database's clock, some time after its owner takes it for lost.
async fn run_out(database: &TestDatabase, group: i64) {
    let client = database.store.client("look at a lease").await.unwrap();
    let key = group_lease(GroupId::new(group));
    let query = "select expires_at <= clock_timestamp() from lease where key = $1";
    let waiting = async { while !client.query_one(query, &[&key]).await.unwrap().get::<_, bool>(0) {} };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the lease runs out");
}

fn is_full(slot: AccountSlot) -> bool {
    matches!(slot, AccountSlot::Full { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_free_when_the_lease_of_its_group_is_and_not_before() {
    let database = database().await;
    let (here, there) = (book(&database, "here", LONG), book(&database, "there", LONG));
    let (one, two, three) = (own(&here, 1).await, own(&there, 2).await, own(&here, 3).await);
    assert_eq!(take(&database, &one).await, AccountSlot::Taken);
    assert_eq!(take(&database, &two).await, AccountSlot::Taken);
    assert_eq!(take(&database, &one).await, AccountSlot::Taken, "again changes nothing");
    match take(&database, &three).await {
        AccountSlot::Full { free_in } => assert!(free_in > LONG / 2 && free_in <= LONG, "{free_in:?}"),
        AccountSlot::Taken => panic!("a third of two"),
    }
    let of_another = AccountId::new(7);
    let slot = database.store.take_account_slot(&three.fence(), of_another, 2).await.unwrap();
    assert_eq!(slot, AccountSlot::Taken, "each account by itself");
    two.release().await.unwrap();
    assert_eq!(take(&database, &three).await, AccountSlot::Taken);
    let four = own(&there, 4).await;
    assert!(is_full(take(&database, &four).await));
}

/// Whoever takes a group over takes its slot with it, under a token of its own; the former owner's is worth nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_a_group_over_has_its_slot_and_who_lost_it_takes_none() {
    let database = database().await;
    let (paused, successor) = (book(&database, "paused", SHORT), book(&database, "successor", LONG));
    let (old, other) = (own(&paused, 1).await, own(&successor, 2).await);
    assert_eq!(take(&database, &old).await, AccountSlot::Taken);
    assert_eq!(take(&database, &other).await, AccountSlot::Taken);
    let new = own(&successor, 1).await;
    assert_eq!(take(&database, &new).await, AccountSlot::Taken, "one group, one slot");
    let refused = database.store.take_account_slot(&old.fence(), AccountId::new(1), 2).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    let client = database.store.client("test").await.unwrap();
    let slots: i64 = client.query_one("select count(*) from account_slot", &[]).await.unwrap().get(0);
    assert_eq!(slots, 2);
}

/// A mailbox of the group that is formed for it alone, on account 1.
fn form(n: u32) -> NewGroup {
    NewGroup {
        location: Location { endpoint: "https://mail/EWS".into(), grouping: n.to_string() },
        account: AccountId::new(1),
        members: vec![MailAddress::parse(&format!("m{n}@sim.test")).unwrap()],
    }
}

/// Account 1 with two groups by the rows, and the duty under which they were formed.
async fn two_groups(database: &TestDatabase, former: &LeaseBook) -> (Lease, Vec<StoredGroup>) {
    let client = database.store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into service_user_credential (id, user_name) overriding system value values (1, 'svc');
             insert into planner_resource (mail, bucket, name, rid, is_case_worker)
             select 'm' || n || '@sim.test', 0, '', '', true from generate_series(1, 3) n",
        )
        .await
        .unwrap();
    let duty = former.acquire("listener", PATIENCE).await.unwrap();
    let plan = Regrouping { formed: vec![form(1), form(2)], ..Regrouping::default() };
    database.store.regroup(&duty.fence(), &plan, 2).await.unwrap();
    (duty, database.store.affinity_groups().await.unwrap())
}

/// A former on another instance dissolves the group of a paused instance and forms one anew on the same account: by the
/// rows there is room, and Exchange still has the stream of the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_was_dissolved_carries_on_until_its_owner_has_let_go() {
    let database = database().await;
    let former = book(&database, "former", LONG);
    let (duty, groups) = two_groups(&database, &former).await;
    let elsewhere = book(&database, "elsewhere", SHORT);
    let (one, two) = (own(&elsewhere, groups[0].id.get()).await, own(&former, groups[1].id.get()).await);
    assert_eq!(take(&database, &one).await, AccountSlot::Taken);
    assert_eq!(take(&database, &two).await, AccountSlot::Taken);

    let swap = Regrouping {
        leaving: vec![groups[0].members[0].mail.clone()],
        dissolved: vec![groups[0].id],
        formed: vec![form(3)],
        ..Regrouping::default()
    };
    database.store.regroup(&duty.fence(), &swap, 2).await.unwrap();
    let newest = database.store.affinity_groups().await.unwrap().pop().unwrap().id;
    let three = own(&former, newest.get()).await;
    elsewhere.renew().await.unwrap();
    assert!(is_full(take(&database, &three).await), "three streams on an account that may have two");

    // its owner is paused: its lease runs out, and nobody takes the lease of a group that is gone
    let mut queue = former.queue();
    loop {
        match take(&database, &three).await {
            AccountSlot::Taken => break,
            AccountSlot::Full { free_in } => queue.pause(free_in).await,
        }
    }
    // it wakes up: it cannot renew what was handed back in its place, and stops
    assert_eq!(elsewhere.renew().await.unwrap(), 0);
    one.lost().await;
    assert!(matches!(
        database.store.take_account_slot(&one.fence(), AccountId::new(1), 2).await,
        Err(StoreError::LeaseLost { .. })
    ));
}

/// After an outage of the database all leases have run out, and their owners are about to renew them: nobody who needs no
/// room takes it from them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_ran_out_is_left_alone_where_there_is_room() {
    let database = database().await;
    let (slow, other) = (book(&database, "slow", SHORT), book(&database, "other", LONG));
    let (one, two) = (own(&slow, 1).await, own(&other, 2).await);
    assert_eq!(take(&database, &one).await, AccountSlot::Taken);
    one.lost().await;
    run_out(&database, 1).await;
    assert_eq!(take(&database, &two).await, AccountSlot::Taken);
    assert_eq!(slow.renew().await.unwrap(), 1, "it has its lease again, and its slot");
    let three = own(&other, 3).await;
    assert!(is_full(take(&database, &three).await));
}

/// Ten that ask at once for two slots.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_ask_at_once_as_many_get_a_slot_as_there_are() {
    let database = database().await;
    let book = book(&database, "here", LONG);
    let mut asking = tokio::task::JoinSet::new();
    for group in 1..=10 {
        let (store, lease) = (database.store.clone(), own(&book, group).await);
        asking.spawn(async move {
            let slot = store.take_account_slot(&lease.fence(), AccountId::new(1), 2).await.unwrap();
            (lease, slot)
        });
    }
    // all leases are held until the end
    let asked = asking.join_all().await;
    let taken = asked.iter().filter(|(_, slot)| *slot == AccountSlot::Taken).count();
    assert_eq!(taken, 2, "{asked:?}");
}

/// Regression: a group of a version before slots has none, and while both versions ran side by side an account carried
/// one more for each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_a_version_before_slots_count_and_those_that_wait_for_one_do_not() {
    let database = database().await;
    let (old, new) = (book(&database, "old", LONG), book(&database, "new", LONG));
    let (_duty, groups) = two_groups(&database, &new).await;
    // of the version before: they listen, and take no slot
    let one = own(&old, groups[0].id.get()).await;
    let two = own(&old, groups[1].id.get()).await;
    // of this one: no rows, as when they were formed anew, so that they do not count before they have asked
    let (three, four) = (own(&new, 1_003).await, own(&new, 1_004).await);
    assert!(is_full(take(&database, &three).await), "a third stream of an account that may have two");
    assert!(is_full(take(&database, &four).await));
    one.release().await.unwrap();
    assert_eq!(take(&database, &three).await, AccountSlot::Taken);
    assert!(is_full(take(&database, &four).await));
    two.release().await.unwrap();
    // taken over by this version: they have asked, and wait; nobody waits for who waits
    let taken_over = own(&new, groups[0].id.get()).await;
    assert!(!is_full(take(&database, &taken_over).await), "one of three is there");
    assert!(is_full(take(&database, &four).await));
    let waits = own(&new, groups[1].id.get()).await;
    assert!(is_full(take(&database, &waits).await));
    three.release().await.unwrap();
    assert_eq!(take(&database, &four).await, AccountSlot::Taken, "it does not count who waits");
    assert!(is_full(take(&database, &waits).await));
}

/// Those of this version that have their leases and have not asked yet are taken for ones of the version before, until
/// they ask: all of them get to work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_begin_together_do_not_wait_for_each_other() {
    let database = database().await;
    let book = book(&database, "here", LONG);
    let (_duty, groups) = two_groups(&database, &book).await;
    let dissolved = own(&book, 1_003).await;
    assert_eq!(take(&database, &dissolved).await, AccountSlot::Taken);
    let (one, two) = (own(&book, groups[0].id.get()).await, own(&book, groups[1].id.get()).await);
    assert!(is_full(take(&database, &one).await), "the other one might be of the version before");
    assert_eq!(take(&database, &two).await, AccountSlot::Taken, "this one has said that it waits");
    assert!(is_full(take(&database, &one).await));
    dissolved.release().await.unwrap();
    assert_eq!(take(&database, &one).await, AccountSlot::Taken);
}
