//! Goal: what works goes on: an account whose row can no longer be opened keeps the password that it had, and only
//! real changes disturb the connections.

use super::*;
use crate::accounts::{AccountError, Unusable};

fn account(number: i64, password: &str) -> Account {
    Account { id: AccountId::new(number), user: format!("svc{number}"), password: password.into() }
}

fn unusable(number: i64, user: &str) -> Unusable {
    let error = AccountError::NoKey { key_id: "0011".into() };
    Unusable { id: AccountId::new(number), user: user.into(), error }
}

fn opened(accounts: Vec<Account>, unusable: Vec<Unusable>) -> Opened {
    Opened { accounts, unusable }
}

fn numbers(in_use: &InUse) -> Vec<i64> {
    in_use.ids().into_iter().map(AccountId::get).collect()
}

#[test]
fn only_real_changes_count() {
    let mut in_use = InUse::default();
    assert!(!in_use.take(opened(vec![], vec![])), "none before, none now");
    assert!(in_use.take(opened(vec![account(1, "a"), account(2, "b")], vec![])));
    assert!(!in_use.take(opened(vec![account(2, "b"), account(1, "a")], vec![])), "the same, sealed anew");
    assert!(in_use.take(opened(vec![account(1, "a"), account(2, "c")], vec![])), "another password");
    assert!(in_use.take(opened(vec![account(2, "c")], vec![])), "one was removed");
    assert_eq!(numbers(&in_use), [2]);
    assert!(in_use.take(opened(vec![account(3, "c")], vec![])), "another number is another account");
}

#[test]
fn an_account_that_no_longer_opens_keeps_the_password_that_it_had() {
    let mut in_use = InUse::default();
    in_use.take(opened(vec![account(1, "a"), account(2, "b")], vec![]));
    assert!(!in_use.take(opened(vec![account(1, "a")], vec![unusable(2, "svc2")])));
    assert_eq!(numbers(&in_use), [1, 2]);
    assert_eq!(in_use.accounts[&AccountId::new(2)].password.expose_secret(), "b");
    // one that never opened is not used, nor is one that was made another's
    in_use.take(opened(vec![account(1, "a")], vec![unusable(2, "other"), unusable(3, "svc3")]));
    assert_eq!(numbers(&in_use), [1]);
}

#[test]
fn the_account_of_the_configuration_goes_on_until_one_of_the_database_can_be_used() {
    let mut in_use = InUse::default();
    in_use.take(opened(vec![account(0, "c")], vec![]));
    // added under a key that this process was not started with
    assert!(!in_use.take(opened(vec![], vec![unusable(1, "svc1")])));
    assert_eq!(numbers(&in_use), [0]);
    assert!(in_use.take(opened(vec![account(2, "b")], vec![unusable(1, "svc1")])));
    assert_eq!(numbers(&in_use), [2]);
    // one that was removed does not come back
    assert!(in_use.take(opened(vec![], vec![unusable(1, "svc1")])));
    assert_eq!(numbers(&in_use), [] as [i64; 0]);
}

#[test]
fn what_cannot_be_used_is_told_once() {
    let mut in_use = InUse::default();
    in_use.take(opened(vec![], vec![unusable(1, "svc1")]));
    let told = in_use.told.clone();
    in_use.take(opened(vec![], vec![unusable(1, "svc1")]));
    assert_eq!(in_use.told, told);
    in_use.take(opened(vec![account(1, "a")], vec![]));
    assert!(in_use.told.is_empty(), "when it fails again, that is news");
}
