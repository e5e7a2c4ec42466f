//! Goal: a back-off holds for whoever uses the account, by the database's clock, and is never shortened; what the
//! accounts carry is told; an account that goes leaves no group behind. Method: a real database a test.

use std::time::Duration;

use base::SystemClock;
use calendar::MailAddress;
use calendar::source::Location;

use super::*;
use crate::lease::LeaseBook;
use crate::subscriptions::{NewGroup, Regrouping};
use crate::testing::{self, TestDatabase, database};

const SECOND: Duration = Duration::from_secs(1);

fn waits(account: i64, seconds: u64, failures: u32, reason: BackOffReason) -> BackOff {
    BackOff { account: AccountId::new(account), left: Duration::from_secs(seconds), failures, reason }
}

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

async fn execute(database: &TestDatabase, statement: &str) {
    database.store.client("test").await.unwrap().batch_execute(statement).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_off_is_kept_for_everybody_until_it_is_over_and_never_shortened() {
    let database = database().await;
    let store = &database.store;
    assert_eq!(store.back_offs().await.unwrap(), []);
    store
        .record_back_offs(&[waits(0, 60, 2, BackOffReason::Busy), waits(5, 300, 1, BackOffReason::Refused)])
        .await
        .unwrap();
    store.record_back_offs(&[waits(5, 10, 9, BackOffReason::Busy)]).await.unwrap();
    let found = store.back_offs().await.unwrap();
    let told: Vec<(i64, u32, BackOffReason)> =
        found.iter().map(|one| (one.account.get(), one.failures, one.reason)).collect();
    assert_eq!(told, [(0, 2, BackOffReason::Busy), (5, 1, BackOffReason::Refused)]);
    assert!(found[0].left <= 60 * SECOND && found[0].left > 50 * SECOND, "{found:?}");
    assert!(found[1].left > 290 * SECOND, "{found:?}");
    // what is over is as good as none; a longer one counts from anew
    execute(&database, "update account_back_off set until = now() - interval '1 s' where account = 0").await;
    assert_eq!(store.back_offs().await.unwrap().len(), 1);
    store.record_back_offs(&[waits(0, 100_000, 1, BackOffReason::Busy)]).await.unwrap();
    let found = store.back_offs().await.unwrap();
    assert!(found[0].left <= BACK_OFF_MAX, "not for days: {found:?}");
    store.end_back_off(AccountId::new(5)).await.unwrap();
    assert_eq!(store.back_offs().await.unwrap().len(), 1);
}

/// A refusal is a matter of the service that said it, known to all instances, and ends with a new password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_kept_for_its_service_until_it_is_over() {
    let database = database().await;
    let store = &database.store;
    let refused = |service: &str, seconds, failures| Refusal {
        account: AccountId::new(5),
        service: service.to_owned(),
        left: Duration::from_secs(seconds),
        failures,
    };
    store.record_refusals(&[refused("https://a", 60, 2), refused("https://b", 300, 3)]).await.unwrap();
    store.record_refusals(&[refused("https://b", 10, 9)]).await.unwrap();
    let found = store.refusals().await.unwrap();
    let told: Vec<(&str, u32)> = found.iter().map(|one| (one.service.as_str(), one.failures)).collect();
    assert_eq!(told, [("https://a", 2), ("https://b", 3)]);
    assert!(found[1].left > 290 * SECOND, "{found:?}");
    assert_eq!(store.back_offs().await.unwrap(), [], "the account as a whole goes on");
    execute(
        &database,
        "update account_refusal set until = now() - interval '1 s' where service = 'https://a'",
    )
    .await;
    assert_eq!(store.refusals().await.unwrap().len(), 1);
    store.end_back_off(AccountId::new(5)).await.unwrap();
    assert_eq!(store.refusals().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shares_an_account_is_woken() {
    let database = database().await;
    let wake = testing::listening(&database.store).await;
    let mut news = wake.subscribe(Channel::Account);
    database.store.record_back_offs(&[waits(1, 60, 1, BackOffReason::Busy)]).await.unwrap();
    tokio::time::timeout(10 * SECOND, news.changed()).await.unwrap().unwrap();
}

/// Two accounts; the first carries two groups of one and two mailboxes, the default one carries one group.
async fn carrying() -> (TestDatabase, Vec<AccountId>) {
    let database = database().await;
    let mut accounts = vec![AccountId::DEFAULT];
    for name in ["one", "two"] {
        let client = database.store.client("test").await.unwrap();
        let insert = "insert into service_user_credential (user_name) values ($1) returning id";
        accounts.push(AccountId::new(client.query_one(insert, &[&name]).await.unwrap().get(0)));
    }
    execute(
        &database,
        "insert into planner_resource (mail, bucket, name, rid, is_case_worker, endpoint, grouping_value) \
         select 'm' || to_char(n, 'FM0000') || '@sim.test', 0, '', '', true, 'e', 'g' \
         from generate_series(1, 6) n; \
         update planner_resource set endpoint = null where mail = 'm0006@sim.test'",
    )
    .await;
    let new = |account: AccountId, members: &[u32]| NewGroup {
        location: Location { endpoint: "e".into(), grouping: "g".into() },
        account,
        members: members.iter().map(|n| mail(*n)).collect(),
    };
    let plan = Regrouping {
        formed: vec![new(accounts[0], &[1]), new(accounts[1], &[2]), new(accounts[1], &[3, 4])],
        ..Regrouping::default()
    };
    let book = LeaseBook::new(database.store.clone(), SystemClock::shared(), "test".into(), 60 * SECOND);
    let lease = book.acquire("listener", Duration::ZERO).await.unwrap();
    database.store.regroup(&lease.fence(), &plan, 3).await.unwrap();
    (database, accounts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_accounts_carry_and_what_nobody_does_is_told() {
    let (database, accounts) = carrying().await;
    let waits = waits(accounts[2].get(), 60, 1, BackOffReason::Refused);
    database.store.record_back_offs(&[waits]).await.unwrap();
    let capacity = database.store.account_capacity().await.unwrap();
    let told: Vec<_> = capacity
        .accounts
        .iter()
        .map(|one| (one.account, one.user_name.as_deref(), one.groups, one.mailboxes))
        .collect();
    assert_eq!(
        told,
        [(accounts[0], None, 1, 1), (accounts[1], Some("one"), 2, 3), (accounts[2], Some("two"), 0, 0)]
    );
    assert_eq!(capacity.not_covered, 1, "m0005; m0006 is not located");
    // regression: without any account nobody is located, and nobody was told to be without cover
    let uncovered = "update planner_resource set error_code = 'NotCovered', error_description = '4933' where mail like 'm0006%'";
    database.store.client("test").await.unwrap().batch_execute(uncovered).await.unwrap();
    assert_eq!(database.store.account_capacity().await.unwrap().not_covered, 2);
    assert_eq!(capacity.accounts[2].waits.unwrap().1, BackOffReason::Refused);
    assert_eq!(capacity.accounts[1].waits, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_groups_of_an_account_that_is_removed_end_and_no_others() {
    let (database, accounts) = carrying().await;
    database.store.record_back_offs(&[waits(accounts[1].get(), 60, 1, BackOffReason::Busy)]).await.unwrap();
    let mut client = database.store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert_eq!(release_groups(&tx, accounts[1]).await.unwrap(), 2);
    tx.execute("delete from service_user_credential where id = $1", &[&accounts[1].get()]).await.unwrap();
    tx.commit().await.unwrap();
    let groups = database.store.affinity_groups().await.unwrap();
    assert_eq!(groups.iter().map(|group| group.account).collect::<Vec<_>>(), [accounts[0]]);
    assert_eq!(database.store.back_offs().await.unwrap(), []);
    assert_eq!(database.store.account_capacity().await.unwrap().not_covered, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_account_the_default_one_is_told_as_empty() {
    let database = database().await;
    let capacity = database.store.account_capacity().await.unwrap();
    assert_eq!(capacity.accounts.len(), 1);
    assert_eq!((capacity.accounts[0].account, capacity.accounts[0].groups), (AccountId::DEFAULT, 0));
}
