//! Goal: what one process was told holds in another one and after a restart. Method: two connectors on one real
//! database, with what the keeper does at each turn.

use std::sync::Arc;

use base::SystemClock;
use calendar::ids::AccountId;
use connector_exchange::{Account, ExchangeOptions};
use store::testing::database;

use super::*;

fn exchange() -> Arc<Exchange> {
    trust::install_provider();
    let mut options = ExchangeOptions::new("svc", "pw".to_owned().into());
    options.service_url = Some("http://127.0.0.1:1/".parse().unwrap());
    let exchange = Exchange::new(options, SystemClock::shared()).unwrap();
    let account = |n: i64| Account { id: AccountId::new(n), user: format!("svc{n}"), password: "pw".into() };
    exchange.set_accounts(&[account(0), account(1), account(2)]).unwrap();
    Arc::new(exchange)
}

fn waiting(exchange: &Exchange) -> Vec<(i64, u32, Reason)> {
    exchange.back_offs().iter().map(|one| (one.account.get(), one.failures, one.reason)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_was_told_holds_in_another_one_and_after_a_restart() {
    let database = database().await;
    let store = &database.store;
    let (one, other) = (exchange(), exchange());
    let told = |account, seconds, reason| connector_exchange::BackOff {
        account: AccountId::new(account),
        left: Duration::from_secs(seconds),
        failures: 2,
        reason,
    };
    one.hold(&told(1, 60, Reason::Busy));
    one.hold(&told(2, 300, Reason::Refused));
    tell(&one, store).await.unwrap();
    // the account of the configuration: each process has a password of its own, perhaps
    let wrong = exchange();
    wrong.hold(&told(0, 60, Reason::Refused));
    tell(&wrong, store).await.unwrap();
    learn(&other, store).await.unwrap();
    assert_eq!(waiting(&other), [(1, 2, Reason::Busy), (2, 2, Reason::Refused)]);
    store.end_back_off(AccountId::DEFAULT).await.unwrap();
    // the other one was told of a longer time meanwhile: both keep that
    other.hold(&told(1, 600, Reason::Busy));
    tell(&other, store).await.unwrap();
    learn(&one, store).await.unwrap();
    assert!(one.back_offs()[0].left > Duration::from_secs(590));
    let restarted = exchange();
    go_on(&restarted, &Waits::of(store).await.unwrap());
    assert!(restarted.back_offs()[0].left > Duration::from_secs(590));
    // a refusal holds for the service that said it
    one.hold_at(&connector_exchange::Refusal {
        account: AccountId::new(1),
        service: "https://a".to_owned(),
        left: Duration::from_secs(60),
        failures: 3,
    });
    tell(&one, store).await.unwrap();
    learn(&other, store).await.unwrap();
    // but each process may have a password of its own for the account of the configuration
    one.hold_at(&connector_exchange::Refusal {
        account: AccountId::DEFAULT,
        service: "https://a".to_owned(),
        left: Duration::from_secs(60),
        failures: 3,
    });
    tell(&one, store).await.unwrap();
    learn(&other, store).await.unwrap();
    let [refusal] = &other.refusals()[..] else { panic!("{:?}", other.refusals()) };
    assert_eq!((refusal.service.as_str(), refusal.failures), ("https://a", 3));
    // what is over is over everywhere
    store.end_back_off(AccountId::DEFAULT).await.unwrap();
    store.end_back_off(AccountId::new(1)).await.unwrap();
    store.end_back_off(AccountId::new(2)).await.unwrap();
    let fresh = exchange();
    learn(&fresh, store).await.unwrap();
    assert_eq!((waiting(&fresh), fresh.refusals()), (vec![], vec![]));
}
