//! Goal: whether anything can be sent again is told by the instances that run, whatever the configuration of whoever asks
//! says. Method: rows of instances in a real database.

use store::outbox::testing::{number, resource, sql};
use store::testing::database;

use super::*;

/// Asks for a resend with a configuration that sends or not.
async fn resend(store: &Store, sending: bool) -> Result<Operation, CommandError> {
    let allowed = Allowed { rediscovery: true, sending };
    ask(store, allowed, OperationKind::Resend, &Scope::All, "kim", Timestamp::UNIX_EPOCH).await
}

async fn refusal(store: &Store, sending: bool) -> String {
    resend(store, sending).await.expect_err("nothing is sent").to_string()
}

#[tokio::test]
async fn what_the_instances_do_decides_whether_anything_can_be_sent_again() {
    let database = database().await;
    let store = &database.store;
    resource(store, "a@x.dk").await;
    let instance = async |name: &str, sends: &str, minutes: i32| {
        let row = format!(
            "insert into instance (name, roles, version, expires_at, sends) \
             values ('{name}', '{{communicate}}', '1', clock_timestamp() + interval '{minutes} min', {sends})"
        );
        sql(store, &row).await;
    };
    // nobody runs, or nobody who runs has a part in sending: the configuration says it
    instance("dead", "true", -1).await;
    instance("listener", "null", 10).await;
    assert!(refusal(store, false).await.starts_with("planner.dry_run is true"));
    assert!(resend(store, true).await.is_ok());

    instance("rehearses", "false", 10).await;
    assert!(refusal(store, false).await.starts_with("planner.dry_run is true"));
    let told = refusal(store, true).await;
    assert!(told.starts_with("the instances that run were started with planner.dry_run"), "{told}");
    assert_eq!(number(store, "select count(*) from operation").await, 1, "what is refused leaves no row");

    instance("sends", "true", 10).await;
    assert!(resend(store, false).await.is_ok());
    assert_eq!(number(store, "select count(*) from operation").await, 2);
}
