//! Goal: an empty table means the account of the configuration, a filled one means its rows, and a row that does
//! not open is told with its row, its key and what to do, without a secret and without stopping the others.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use trust::seal::SealingKey;

use super::*;

fn ring() -> KeyRing {
    KeyRing::new(SealingKey::generate().unwrap(), []).unwrap()
}

fn row(number: i64, ring: Option<&KeyRing>) -> StoredCredential {
    let account = AccountId::new(number);
    StoredCredential {
        account,
        user_name: format!("svc{number}"),
        password: ring.map(|ring| ring.seal(password_place(account), &secret(number)).unwrap()),
        created_at: Timestamp::UNIX_EPOCH,
        password_changed_at: None,
    }
}

fn secret(number: i64) -> SecretString {
    format!("marked-{number}").into()
}

fn default() -> RequiredExchange {
    RequiredExchange { user: "default".into(), password: "marked-0".into() }
}

fn names(opened: &Opened) -> Vec<(i64, &str)> {
    opened.accounts.iter().map(|one| (one.id.get(), one.user.as_str())).collect()
}

#[test]
fn an_empty_table_means_the_default_account() {
    assert_eq!(names(&open(vec![], None, Some(&default()))), [(0, "default")]);
    let none = open(vec![], None, None);
    assert!(none.accounts.is_empty() && none.unusable.is_empty());
}

#[test]
fn a_filled_table_means_its_rows_alone() {
    let ring = ring();
    let opened = open(vec![row(3, Some(&ring)), row(5, Some(&ring))], Some(&ring), Some(&default()));
    assert_eq!(names(&opened), [(3, "svc3"), (5, "svc5")]);
    assert_eq!(opened.accounts[1].password.expose_secret(), "marked-5");
    assert!(opened.refuse_if_none_opens().is_ok());
}

#[test]
fn what_does_not_open_is_told_with_row_and_key_and_stops_no_other() {
    let (ours, other) = (ring(), ring());
    let swapped = StoredCredential { account: AccountId::new(4), ..row(3, Some(&ours)) };
    let named = StoredCredential { user_name: "a:b".into(), ..row(5, Some(&ours)) };
    let rows = vec![row(1, Some(&ours)), row(2, Some(&other)), row(3, None), swapped, named];
    let opened = open(rows, Some(&ours), None);
    assert_eq!(names(&opened), [(1, "svc1")]);
    let told: Vec<String> = opened.unusable.iter().map(|one| one.error.to_string()).collect();
    assert!(told[0].contains("row 2") && told[0].contains(other.current().as_str()), "{told:?}");
    assert!(told[1].contains("credential add svc3 --replace"), "{told:?}");
    assert!(told[2].contains("row 4") && told[2].contains("sealed for another place"), "{told:?}");
    assert!(told[3].contains("holds a colon"), "{told:?}");
    let shown = format!("{told:?} {opened:?}");
    assert!(!shown.contains("marked-"), "{shown}");
    assert!(opened.refuse_if_none_opens().is_ok(), "one is enough to go on");
}

#[test]
fn without_a_key_the_remedy_is_named() {
    let ring = ring();
    let refused = open(vec![row(1, Some(&ring))], None, Some(&default())).refuse_if_none_opens().unwrap_err();
    let told = refused.error.to_string();
    assert!(told.contains("secrets.key_file") && told.contains(ring.current().as_str()), "{told}");
}
