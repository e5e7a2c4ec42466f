//! Goal: passwords are in the database sealed or not at all, changes are seen by whoever waits for them, and
//! sealing anew undoes no change. Method: a real database and a real key a test.

use calendar::MailAddress;
use calendar::source::Location;
use secrecy::ExposeSecret;
use trust::seal::{KeyRing, SealingKey};

use super::*;
use crate::testing::{self, TestDatabase, database};

const PASSWORD: &str = "marked-password-of-an-account";

fn ring() -> KeyRing {
    KeyRing::new(SealingKey::generate().unwrap(), []).unwrap()
}

async fn add(database: &TestDatabase, ring: &KeyRing, user: &str) -> AccountId {
    let account = database.store.next_credential().await.unwrap();
    let sealed = ring.seal(password_place(account), &PASSWORD.into()).unwrap();
    assert!(database.store.add_credential(account, user, &sealed).await.unwrap());
    account
}

fn opened(ring: &KeyRing, stored: &StoredCredential) -> String {
    let sealed = stored.password.as_ref().unwrap();
    ring.open(password_place(stored.account), sealed).unwrap().expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_added_changed_and_removed() {
    let (database, ring) = (database().await, ring());
    let store = &database.store;
    assert_eq!(store.credentials().await.unwrap(), []);
    let first = add(&database, &ring, "svc1@kommune.dk").await;
    let second = add(&database, &ring, "svc2@kommune.dk").await;
    assert!(first.get() > 0 && second > first, "0 means the account of the configuration");
    let stored = store.credentials().await.unwrap();
    let names: Vec<_> = stored.iter().map(|one| one.user_name.as_str()).collect();
    assert_eq!(names, ["svc1@kommune.dk", "svc2@kommune.dk"]);
    assert_eq!(opened(&ring, &stored[1]), PASSWORD);
    assert!(stored[0].password_changed_at.is_some());

    let sealed = ring.seal(password_place(first), &"new".into()).unwrap();
    assert!(store.change_password(first, &sealed).await.unwrap());
    assert_eq!(opened(&ring, &store.credentials().await.unwrap()[0]), "new");
    assert!(!store.change_password(AccountId::new(999), &sealed).await.unwrap());

    assert_eq!(store.remove_credential("nobody", false).await.unwrap(), Removal::Unknown);
    let removed = store.remove_credential("SVC1@kommune.dk", false).await.unwrap();
    assert_eq!(removed, Removal::Removed { groups: 0 });
    assert_eq!(store.credentials().await.unwrap().len(), 1);
    // numbers are never used again, so that nothing that is kept by number is another account's
    assert!(add(&database, &ring, "svc1@kommune.dk").await > second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_added_once_whatever_its_case() {
    let (database, ring) = (database().await, ring());
    add(&database, &ring, "svc@kommune.dk").await;
    let account = database.store.next_credential().await.unwrap();
    let sealed = ring.seal(password_place(account), &"other".into()).unwrap();
    assert!(!database.store.add_credential(account, "SVC@Kommune.dk", &sealed).await.unwrap());
    let stored = database.store.credentials().await.unwrap();
    assert_eq!((stored.len(), opened(&ring, &stored[0])), (1, PASSWORD.to_owned()));
}

/// The original kept service passwords in clear text (features.md, list C).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_text_service_passwords_are_nowhere_in_the_database() {
    let (database, ring) = (database().await, ring());
    let account = add(&database, &ring, "svc@kommune.dk").await;
    let sealed = ring.seal(password_place(account), &PASSWORD.into()).unwrap();
    assert!(database.store.change_password(account, &sealed).await.unwrap());
    let client = database.store.client("test").await.unwrap();
    let columns = client
        .query(
            "select quote_ident(table_name), quote_ident(column_name) from information_schema.columns \
             where table_schema = 'public'",
            &[],
        )
        .await
        .unwrap();
    let mut user_found = 0;
    for row in &columns {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let count = async |text: &str| -> i64 {
            let query = format!(
                "select count(*) from {table} where position($1 in {column}::text) > 0 \
                 or position(encode($1::text::bytea, 'hex') in {column}::text) > 0"
            );
            client.query_one(&query, &[&text]).await.unwrap().get(0)
        };
        assert_eq!(count(PASSWORD).await, 0, "the password stands in {table}.{column}");
        user_found += count("svc@kommune.dk").await;
    }
    assert_eq!(user_found, 1, "the search finds what is there");
    // nor would the log of the server or of this program show it
    assert!(!format!("{:?}", database.store.credentials().await.unwrap()).contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_copied_to_another_row_does_not_open() {
    let (database, ring) = (database().await, ring());
    let rich = add(&database, &ring, "rich").await;
    let poor = add(&database, &ring, "poor").await;
    let client = database.store.client("test").await.unwrap();
    client
        .execute(
            "update service_user_credential set sealed_password = \
             (select sealed_password from service_user_credential where id = $1) where id = $2",
            &[&rich.get(), &poor.get()],
        )
        .await
        .unwrap();
    let stored = database.store.credentials().await.unwrap();
    let error = ring.open(password_place(poor), stored[1].password.as_ref().unwrap()).unwrap_err();
    assert!(matches!(error, trust::TrustError::Open { place, .. } if place.row == poor.get()), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealing_anew_does_not_undo_a_change_of_the_password() {
    let (database, ring) = (database().await, ring());
    let account = add(&database, &ring, "svc").await;
    let before = database.store.credentials().await.unwrap().remove(0);
    let anew = ring.seal(password_place(account), &PASSWORD.into()).unwrap();
    let changed = ring.seal(password_place(account), &"changed".into()).unwrap();
    assert!(database.store.change_password(account, &changed).await.unwrap());
    let former = before.password.unwrap();
    assert!(!database.store.reseal_password(account, &former, &anew).await.unwrap());
    let stored = database.store.credentials().await.unwrap().remove(0);
    assert_eq!(opened(&ring, &stored), "changed");
    // and where nothing came between, it is stored, and is no change of the password
    assert!(database.store.reseal_password(account, &changed, &anew).await.unwrap());
    let again = database.store.credentials().await.unwrap().remove(0);
    assert_eq!(again.password, Some(anew));
    assert_eq!(again.password_changed_at, stored.password_changed_at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_carries_groups_is_removed_by_force_alone() {
    let (database, ring) = (database().await, ring());
    let store = &database.store;
    let account = add(&database, &ring, "svc").await;
    let mail = MailAddress::parse("m0001@sim.test").unwrap();
    let location = Location { endpoint: "https://mail/EWS".into(), grouping: "A".into() };
    let client = store.client("test").await.unwrap();
    client
        .execute(
            "insert into planner_resource (mail, bucket, name, rid, is_case_worker) values ($1, 0, '', '', true)",
            &[&mail.as_str()],
        )
        .await
        .unwrap();
    client
        .execute(
            "with g as (insert into subscription (endpoint, grouping_value, ordinal, \
             service_user_credential_id) values ($1, $2, 1, $3) returning id) \
             insert into planner_resource_subscription (mail, subscription_id) select $4, id from g",
            &[&location.endpoint, &location.grouping, &account.get(), &mail.as_str()],
        )
        .await
        .unwrap();
    assert_eq!(store.remove_credential("svc", false).await.unwrap(), Removal::Carries(1));
    assert_eq!(store.affinity_groups().await.unwrap().len(), 1);
    assert_eq!(store.remove_credential("svc", true).await.unwrap(), Removal::Removed { groups: 1 });
    assert_eq!(store.affinity_groups().await.unwrap(), []);
    assert_eq!(store.credentials().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_wake_whoever_uses_the_accounts() {
    let (database, ring) = (database().await, ring());
    let wake = testing::listening(&database.store).await;
    let mut news = wake.subscribe(Channel::Account);
    let account = add(&database, &ring, "svc").await;
    news.changed().await.unwrap();
    let sealed = ring.seal(password_place(account), &"new".into()).unwrap();
    assert!(database.store.change_password(account, &sealed).await.unwrap());
    news.changed().await.unwrap();
    database.store.remove_credential("svc", false).await.unwrap();
    news.changed().await.unwrap();
}
