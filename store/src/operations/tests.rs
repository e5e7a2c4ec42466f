//! Goal: what was asked for can be looked up, with who and when. Method: a real database a test.

use super::*;
use crate::testing::database;

#[tokio::test]
async fn an_operation_is_recorded_with_who_and_for_whom() {
    let database = database().await;
    let store = &database.store;
    let mail = MailAddress::parse("A@x").unwrap();
    crate::outbox::testing::resource(store, "a@x").await;
    let all = store.record_operation(OperationKind::FullPull, &Scope::All, "kim\0").await.unwrap();
    let one = store.record_operation(OperationKind::Adoption, &Scope::One(mail.clone()), "bo").await.unwrap();
    assert_eq!(
        (all.asked_by.as_str(), all.scope.clone(), all.kind),
        ("kim", Scope::All, OperationKind::FullPull)
    );
    assert_eq!((one.scope.mail(), one.kind), (Some("a@x"), OperationKind::Adoption));
    assert!(one.id > all.id && one.asked_at >= all.asked_at);
    store.operation_failed(one.id, "no such mailbox").await.unwrap();
    let one = store.operation(one.id).await.unwrap().unwrap();
    assert_eq!(one.error.as_deref(), Some("no such mailbox"));
    assert_eq!(store.operations(10).await.unwrap(), [one, all]);
    assert_eq!(store.operation(99).await.unwrap(), None);
}
