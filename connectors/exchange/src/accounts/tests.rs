//! Goal: each call is made by the account that it belongs to, accounts come and go without touching others, and a
//! busy account holds up nobody else's calls. Method: the choice by table and property, the calls against a
//! scripted server on real sockets.

use std::collections::BTreeSet;

use base::{Backoff, SystemClock};
use calendar::CalendarSource;
use calendar::source::SourceErrorKind;
use proptest::prelude::*;
use proto_ews::{Response, ResponseMessage, SubscriptionId};
use tokio::sync::Semaphore;

use super::*;
use crate::scripted::{Reply, Scripted};
use crate::throttle::Reason;
use crate::{BackOff, Exchange};

fn account(n: i64, password: &str) -> Account {
    Account { id: AccountId::new(n), user: format!("svc{n}"), password: password.to_owned().into() }
}

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn maker() -> Maker {
    trust::install_provider();
    let options = ExchangeOptions::new("svc", "pw".to_owned().into());
    let common = Common {
        clock: SystemClock::shared(),
        policy: Backoff::doubling(Duration::from_millis(20), Duration::from_millis(200)),
        patience: Duration::from_secs(1),
        calls: Arc::new(Semaphore::new(10)),
        moved: Arc::default(),
    };
    Maker::new(&options, common)
}

fn pool(maker: &Maker, numbers: impl IntoIterator<Item = i64>) -> Pool {
    let accounts: Vec<Account> = numbers.into_iter().map(|n| account(n, "pw")).collect();
    Pool::default().with(&accounts, maker).unwrap()
}

fn chosen(pool: &Pool, of_group: Option<i64>, n: u32) -> i64 {
    let line = pool.for_mailbox("GetItem", of_group.map(AccountId::new), &mail(n)).unwrap();
    line.throttle.account().get()
}

#[test]
fn a_group_s_account_makes_its_calls_and_without_a_group_the_choice_is_steady() {
    let maker = maker();
    let three = pool(&maker, 1..=3);
    for n in 0..50 {
        assert_eq!(chosen(&three, Some(2), n), 2);
        assert_eq!(chosen(&three, None, n), chosen(&three, None, n));
        assert_eq!(chosen(&three, Some(9), n), chosen(&three, None, n), "an account that is not here yet");
    }
    let used: BTreeSet<i64> = (0..50).map(|n| chosen(&three, None, n)).collect();
    assert_eq!(used.len(), 3, "the mailboxes are spread");
    // one that comes takes some mailboxes to itself and moves no other
    let four = pool(&maker, 1..=4);
    let moved = (0..50).filter(|n| chosen(&four, None, *n) != chosen(&three, None, *n));
    assert!(moved.clone().count() > 0 && moved.clone().all(|n| chosen(&four, None, n) == 4));
}

#[test]
fn subscriptions_are_for_their_own_account_alone() {
    let maker = maker();
    let error = pool(&maker, 1..=2).exactly("Subscribe", AccountId::new(3)).err().unwrap();
    assert_eq!((error.kind, error.code.as_str()), (SourceErrorKind::Unavailable, "no account"));
    assert!(error.after.is_some() && error.is_outage(), "accounts come and go: wait, and try again");
    assert!(Pool::default().any("GetUserSettings", "https://a").is_err());
    assert!(Pool::default().for_mailbox("GetItem", None, &mail(1)).is_err());
}

#[test]
fn accounts_that_stay_keep_their_back_off_and_a_changed_password_begins_anew() {
    let maker = maker();
    let before = pool(&maker, 1..=3);
    for line in before.lines() {
        line.throttle.hold(Duration::from_secs(60), 1, Reason::Refused);
    }
    let now = [account(1, "pw"), account(2, "new"), account(4, "pw")];
    let after = before.with(&now, &maker).unwrap();
    let waits: Vec<(i64, bool)> = after
        .lines()
        .map(|line| (line.throttle.account().get(), line.throttle.back_off().is_some()))
        .collect();
    assert_eq!(waits, [(1, true), (2, false), (4, false)]);
    assert_eq!(
        after.any("GetUserSettings", "https://a").unwrap().throttle.account().get(),
        2,
        "the first that is free"
    );
}

#[test]
fn a_name_with_a_colon_is_refused_and_changes_nothing() {
    let maker = maker();
    let wrong = Account { user: "a:b".into(), ..account(1, "pw") };
    assert!(matches!(
        Pool::default().with(&[wrong], &maker),
        Err(ExchangeError::Setting { key: "user", .. })
    ));
    let wrong = account(1, "line\nbreak");
    // what is encoded is sent as it is
    assert!(Pool::default().with(&[wrong], &maker).is_ok());
}

proptest! {
    #[test]
    fn taking_an_account_away_moves_its_mailboxes_only(
        numbers in proptest::collection::btree_set(0i64..20, 2..6), gone in 0usize..6, n in 0u32..1_000
    ) {
        let all: Vec<AccountId> = numbers.iter().copied().map(AccountId::new).collect();
        let gone = all[gone % all.len()];
        let before = preferred(all.iter().copied(), &mail(n)).unwrap();
        let after = preferred(all.iter().copied().filter(|one| *one != gone), &mail(n)).unwrap();
        prop_assert!(before == gone || before == after);
    }
}

fn subscribed(id: &str) -> Reply {
    Reply::ok(Response::Subscribe(vec![ResponseMessage::Success(SubscriptionId::new(id))]))
}

fn authorization(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

#[tokio::test]
async fn calls_about_subscriptions_are_made_by_the_account_of_the_group() {
    let server = Scripted::start([subscribed("s1"), subscribed("s2")]).await;
    let exchange = server.exchange();
    exchange.set_accounts(&[account(1, "one"), account(2, "two")]).unwrap();
    let mut affinity = server.affinity("a@sim.test", None);
    for id in [2, 1] {
        affinity.account = AccountId::new(id);
        exchange.subscribe(&server.mailbox("m@sim.test"), &affinity).await.unwrap();
    }
    let asked = server.asked();
    assert_eq!(asked[0].header("Authorization"), Some(authorization("svc2", "two").as_str()));
    assert_eq!(asked[1].header("Authorization"), Some(authorization("svc1", "one").as_str()));
    affinity.account = AccountId::DEFAULT;
    let gone = exchange.subscribe(&server.mailbox("m@sim.test"), &affinity).await.unwrap_err();
    assert_eq!(gone.code, "no account", "the configured one was replaced");
}

#[tokio::test]
async fn a_busy_account_holds_up_no_other_one_and_tells_its_other_users() {
    let busy = Reply::bytes("503 Service Unavailable", "").header("Retry-After: 600");
    let server = Scripted::start([busy, subscribed("s2")]).await;
    let exchange: Exchange = server.exchange();
    exchange.set_accounts(&[account(1, "one"), account(2, "two")]).unwrap();
    let moved = exchange.back_offs_moved();
    let mut affinity = server.affinity("a@sim.test", None);
    let mailbox = server.mailbox("m@sim.test");
    affinity.account = AccountId::new(1);
    assert!(exchange.subscribe(&mailbox, &affinity).await.is_err());
    assert!(moved.has_changed().unwrap());
    let [waits] = exchange.back_offs()[..] else { panic!("{:?}", exchange.back_offs()) };
    assert_eq!((waits.account, waits.reason), (AccountId::new(1), Reason::Busy));
    assert!(waits.left > Duration::from_secs(590));
    affinity.account = AccountId::new(2);
    exchange.subscribe(&mailbox, &affinity).await.unwrap();
    // and an account that another process found busy waits without a call of ours
    exchange.hold(&BackOff { account: AccountId::new(2), left: Duration::from_secs(300), ..waits });
    let held = exchange.subscribe(&mailbox, &affinity).await.unwrap_err();
    assert_eq!(held.code, "back-off");
    assert_eq!(server.asked().len(), 2);
}
