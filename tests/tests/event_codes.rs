//! Goal: a code is raised when its situation really occurs. Method: the product as a process against both simulators; each
//! situation is brought about by a setting, a statement that the database refuses, or a fault of Exchange, and ends again.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use calendar::codes;
use end_to_end::command::{operate, run};
use end_to_end::scene::{Login, PASSWORD, quote};
use end_to_end::{Scene, Setting, mailbox, wait_for};
use serde_json::json;
use store::shares::{COMPARISON_LEASE, LISTENER_LEASE, RESOURCE_LIST_LEASE};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
/// What a server answers that starts: it passes.
const PASSES: &str = "57P03";
/// What passes with nothing but a change.
const STAYS: &str = "XX000";
const TOKEN: &str = "marked-token-2b7d10c49a5e6f38d1024c77";

async fn sql(scene: &Scene, statements: &str) {
    let client = scene.database.store.client("a test").await.unwrap();
    client.batch_execute(statements).await.unwrap();
}

/// A part of the database that refuses, and how it is mended.
struct Refusal {
    begin: String,
    end: String,
}

impl Refusal {
    /// Rows of `table` cannot be written: `how` is "insert", "update" …, `when` a condition of a trigger.
    fn of_writing(table: &str, how: &str, when: &str, state: &str) -> Self {
        let begin = format!(
            "create function refused_by_a_test() returns trigger language plpgsql as $$ begin \
             raise exception using errcode = '{state}', message = 'refused by a test'; end $$; \
             create trigger refused_by_a_test before {how} on {table} for each row {when} \
             execute function refused_by_a_test()"
        );
        let end = format!("drop trigger refused_by_a_test on {table}; drop function refused_by_a_test()");
        Self { begin, end }
    }

    /// Rows of `table` cannot be read, for a while, by statements that are like `statement`.
    fn of_reading(table: &str, statement: &str) -> Self {
        let begin = format!(
            "create function refused_by_a_test() returns boolean language plpgsql as $$ begin \
             if current_query() like '{statement}' then \
             raise exception using errcode = '{PASSES}', message = 'refused by a test'; end if; \
             return true; end $$; \
             alter table {table} rename to kept_by_a_test; \
             create view {table} as select * from kept_by_a_test where refused_by_a_test()"
        );
        let end = format!(
            "drop view {table}; alter table kept_by_a_test rename to {table}; drop function refused_by_a_test()"
        );
        Self { begin, end }
    }

    async fn begin(&self, scene: &Scene) {
        sql(scene, &self.begin).await;
    }

    async fn end(&self, scene: &Scene) {
        sql(scene, &self.end).await;
    }
}

fn holds(log: &str, code: u16) -> bool {
    [',', '}'].iter().any(|after| log.contains(&format!("\"event_id\":{code}{after}")))
}

async fn until_logged(scene: &Scene, code: u16) {
    wait_for(&format!("event {code} in the log"), async || {
        if scene.is_logged(code) { Ok(()) } else { Err(scene.log_end()) }
    })
    .await;
}

/// Waits for an event that stands below the level of the log.
async fn until_kept(scene: &Scene, code: u16) {
    wait_for(&format!("event {code}"), async || {
        if scene.raised(code).await.is_empty() {
            Err(format!("{:?}; {}", scene.codes_raised().await, scene.log_end()))
        } else {
            Ok(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_says_which_stages_do_not() {
    let not_started = [
        codes::LISTENER_CANNOT_START.id,
        codes::QUALIFIER_CANNOT_START.id,
        codes::COMMUNICATOR_CANNOT_START.id,
    ];
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut occupied = Scene::new(PROGRAM, Setting::default()).await;
    occupied.configure("http", "listen", &quote(&taken.local_addr().unwrap().to_string()));
    let exchange = Scene::new(PROGRAM, Setting { login: Some(Login::Ntlm), ..Setting::default() }).await;
    std::fs::write(exchange.folder().join("exchange-root.pem"), "no certificate").unwrap();
    let planner = Scene::new(PROGRAM, Setting { planner_security: Some(false), ..Setting::default() }).await;
    let root = planner.planner_certificates().join(simulator_planner::security::ROOT_FILE);
    std::fs::write(root, "no certificate").unwrap();
    for (what, scene, setup) in [
        ("the address of the pages is taken", &occupied, None),
        ("no root towards Exchange", &exchange, Some(codes::LISTENER_SETUP_FAILED.id)),
        ("no root towards Planner", &planner, Some(codes::COMMUNICATOR_SETUP_FAILED.id)),
    ] {
        let ended = operate(PROGRAM, &scene.configuration, "run").await;
        assert_ne!(ended.status, 0, "{what}: {ended:?}");
        for code in not_started.into_iter().chain(setup).chain([codes::SERVICE_ENDED.id]) {
            assert!(holds(&ended.err, code), "{what}: {code} is missing in {}", ended.err);
        }
        for other in [codes::LISTENER_SETUP_FAILED.id, codes::COMMUNICATOR_SETUP_FAILED.id] {
            assert!(setup == Some(other) || !holds(&ended.err, other), "{what}: {other}: {}", ended.err);
        }
    }
}

/// What the database refuses while the parts begin; each goes on when it does not any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_at_the_start_is_told_by_who_needs_it() {
    let lease = |key: &str| {
        let when = format!("when (new.key = '{key}' and new.owner <> '')");
        Refusal::of_writing("lease", "insert or update", &when, STAYS)
    };
    let row = "when (new.last_success is distinct from old.last_success)";
    let run = "when (new.name = 'schedule/comparison')";
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    for (code, refusal) in [
        (codes::DAILY_TIMER_FAILED.id, Refusal::of_writing("store_state", "insert or update", run, PASSES)),
        (
            codes::SUBSCRIBER_STATUS_WRITE_FAILED.id,
            Refusal::of_writing("planner_resource", "update", row, PASSES),
        ),
        (codes::STREAMING_START_FAILED.id, lease(LISTENER_LEASE)),
        (codes::PLANNER_SYNC_UNKNOWN_ERROR.id, lease(COMPARISON_LEASE)),
        (codes::RESOURCE_SYNC_UNKNOWN_ERROR.id, lease(RESOURCE_LIST_LEASE)),
    ] {
        refusal.begin(&scene).await;
        scene.start_service().await;
        until_logged(&scene, code).await;
        refusal.end(&scene).await;
        scene.until_raised(code, "").await;
        scene.until_ready().await;
        scene.assert_unharmed().await;
        scene.stop_service().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_later_is_told_by_who_needs_it_and_loses_nothing() {
    let configuration = vec![
        ("listener", "subscriber_update_time_interval", "\"1s\""),
        ("http", "admin_listen", "\"127.0.0.1:0\""),
    ];
    let mut scene = Scene::new(PROGRAM, Setting { configuration, ..Setting::default() }).await;
    scene.configure("http", "admin_token", &quote(TOKEN));
    scene.start_service().await;
    scene.until_ready().await;

    // read at every interval: by who forms the groups and who keeps their actors, and by each group
    for (statement, told) in [
        ("%order by g.id%", &[codes::SUBSCRIPTIONS_READ_FAILED.id, codes::SUBSCRIBERS_WRITE_FAILED.id][..]),
        ("%where g.id =%", &[codes::MEMBERSHIPS_READ_FAILED.id][..]),
    ] {
        let refusal = Refusal::of_reading("subscription", statement);
        refusal.begin(&scene).await;
        for code in told {
            scene.until_raised(*code, "").await;
        }
        refusal.end(&scene).await;
    }

    let refusal = Refusal::of_writing("notification", "insert", "", PASSES);
    refusal.begin(&scene).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_raised(codes::NOTIFICATION_STORE_FAILED.id, "").await;
    refusal.end(&scene).await;
    assert_eq!(scene.until_in_step().await.len(), 1);

    let refusal = Refusal::of_writing("planner_resource_subscription", "update", "", PASSES);
    refusal.begin(&scene).await;
    scene.exchange_act(json!({"act": "expire_subscriptions", "mailbox": mailbox(1)})).await;
    scene.until_raised(codes::SUBSCRIPTION_ATTACH_FAILED.id, "").await;
    scene.until_raised(codes::SUBSCRIPTIONS_WRITE_FAILED.id, &mailbox(1)).await;
    refusal.end(&scene).await;

    // a command of an operator
    let refusal = Refusal::of_writing("operation", "insert", "", PASSES);
    refusal.begin(&scene).await;
    let url = format!("http://{}/admin/operations", scene.admin_address().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({ "kind": "resource_list", "by": "monitoring" }).to_string();
    let asked = client.post(url).body(body).header("content-type", "application/json").bearer_auth(TOKEN);
    assert_eq!(asked.send().await.unwrap().status(), 503);
    scene.until_raised(codes::COMMAND_FAILED.id, "").await;
    refusal.end(&scene).await;

    // the back-offs that the instances share
    let refusal = Refusal::of_writing("account_back_off", "insert or update", "", PASSES);
    refusal.begin(&scene).await;
    let busy = json!({ "server_busy": { "back_off_ms": 2_000 } });
    scene.exchange_fault(json!({ "kind": busy, "operation": "GetItem", "next": 1 })).await;
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 4)).await.unwrap();
    scene.until_raised(codes::BACK_OFFS_NOT_SHARED.id, "").await;
    refusal.end(&scene).await;
    scene.end_faults().await;

    scene.outlook.create(&mailbox(3), scene.appointment("UID-3", 5)).await.unwrap();
    scene.until_in_step().await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_subscriptions_end_and_are_lost_is_told() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.exchange_act(json!({"act": "expire_subscriptions"})).await;
    scene.until_raised(codes::SUBSCRIPTIONS_LOST.id, "").await;
    // set up anew, or there is nothing that could be ended
    scene.until_streamed(3).await;
    scene.outlook.create(&mailbox(3), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;

    let block = async |scene: &Scene, number: u32| {
        let line = format!("blacklist add {} --reason left", mailbox(number));
        let ended = operate(PROGRAM, &scene.configuration, &line).await;
        assert_eq!(ended.status, 0, "{ended:?}");
    };
    // the mailbox leaves its group: the server knows its subscription no more, or does not end it
    for (number, answer, code) in [
        (1, "ErrorSubscriptionNotFound", codes::SUBSCRIPTION_ALREADY_STOPPED.id),
        (2, "ErrorAccessDenied", codes::SUBSCRIPTION_REMOVE_FAILED.id),
    ] {
        let kind = json!({ "code": { "code": answer } });
        scene.exchange_fault(json!({ "kind": kind, "operation": "Unsubscribe", "next": 1 })).await;
        block(&scene, number).await;
        until_kept(&scene, code).await;
    }
    // the last of them when all ends
    let kind = json!({ "code": { "code": "ErrorAccessDenied" } });
    scene.exchange_fault(json!({ "kind": kind, "operation": "Unsubscribe", "probability": 1.0 })).await;
    scene.stop_service().await;
    assert!(scene.is_logged(codes::STREAMING_STOP_FAILED.id), "{}", scene.log_end());
    scene.end_faults().await;
    scene.start_service().await;
    scene.until_ready().await;
    assert_eq!(scene.raised(codes::NO_ACTIVE_MAILBOXES.id).await, [""; 0]);
    block(&scene, 3).await;
    scene.until_raised(codes::NO_ACTIVE_MAILBOXES.id, "").await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_groups_outage_is_told() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    scene.exchange_fault(json!({"kind": "http503", "operation": "Subscribe", "probability": 1.0})).await;
    scene.start_service().await;
    scene.until_raised(codes::GROUP_EXCHANGE_FAILED.id, "").await;
    assert!(!scene.is_logged(codes::GROUP_OUTAGE_OVER.id), "{}", scene.log_end());
    scene.end_faults().await;
    scene.until_raised(codes::GROUP_OUTAGE_OVER.id, "").await;
    scene.until_ready().await;
    scene.assert_unharmed().await;
}

/// What a log-in meets; nothing of it keeps the process from running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_unavailable_or_not_offered_is_told() {
    let login = Login::OAuth { token_life: Duration::from_secs(3_600) };
    let mut scene = Scene::new(PROGRAM, Setting { login: Some(login), ..Setting::default() }).await;
    scene.configure("exchange", "password", &quote("marked-and-wrong"));
    scene.start_service().await;
    until_logged(&scene, codes::TOKEN_REFUSED.id).await;
    scene.kill_service().await;

    scene.configure("exchange", "password", &quote(PASSWORD));
    scene.configure("exchange", "oauth_token_url", &quote("https://127.0.0.1:1/token"));
    scene.start_service().await;
    until_logged(&scene, codes::TOKEN_UNAVAILABLE.id).await;
    scene.kill_service().await;

    scene.leave_out("exchange", "oauth_token_url");
    scene.configure("exchange", "authentication", &quote("ntlm"));
    scene.start_service().await;
    until_logged(&scene, codes::LOGIN_NOT_OFFERED.id).await;
    assert!(!scene.log().contains("marked-and-wrong"), "a secret stands in the log");
}

/// Runs a command of the product with a password on its input.
fn add_account(scene: &Scene, user: &str) {
    let mut child = Command::new(PROGRAM)
        .args(["credential", "add", user, "--config", scene.configuration.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What of the settings, the machine and the other instances a process tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_known_of_a_process_is_told() {
    let configuration = vec![
        ("exchange", "danger_accept_invalid_certificates", "true"),
        ("planner", "update_calendar_at_startup", "true"),
    ];
    let setting = Setting { accounts: 2, configuration, ..Setting::default() };
    let mut scene = Scene::new(PROGRAM, setting).await;
    let key = scene.folder().join("key");
    let made = run(PROGRAM, &["secrets", "generate", "--out", key.to_str().unwrap()], &[]);
    assert_eq!(made.status, 0, "{made:?}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    scene.configure("secrets", "key_file", &quote(&key.display().to_string()));
    // this machine's clock is a minute ahead
    scene.environment("KOMMUNEKLIENT_CLOCK_OFFSET_MS", "60000");
    scene.start_service().await;
    scene.until_ready().await;
    for code in [
        codes::ANY_CERTIFICATE.id,
        codes::SEALING_KEY_EXPOSED.id,
        codes::CLOCK_DIFFERS.id,
        codes::SHARE_CHANGED.id,
        codes::COMPARISON_BEGAN.id,
    ] {
        scene.until_raised(code, "").await;
    }
    let before = scene.count_raised(codes::ACCOUNTS_CHANGED.id, "").await;
    add_account(&scene, "svc2");
    scene.until_raised_again(codes::ACCOUNTS_CHANGED.id, "", before).await;
    // another instance stands by for the duties that this one has
    let other = scene.start_part("other", "", &[]).await;
    wait_for("the other standing by", async || {
        if holds(&other.log(), codes::LEASE_STANDBY.id) { Ok(()) } else { Err(other.log_end()) }
    })
    .await;
}

/// The lock of the migrations, which somebody else holds (`store::migrations`).
const MIGRATION_LOCK: i64 = 0x6b6f_6d6d_756e_6501;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_another_that_migrates_says_so() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let holder = scene.database.store.client("migrate, as another would").await.unwrap();
    holder.execute("select pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await.unwrap();
    scene.start_service().await;
    until_logged(&scene, codes::MIGRATION_AWAITED.id).await;
    holder.execute("select pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await.unwrap();
    scene.until_ready().await;
    scene.until_raised(codes::MIGRATION_AWAITED.id, "").await;
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_while_a_mailbox_is_handled_is_told_with_the_mailbox() {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    scene.environment("KOMMUNEKLIENT_PANIC_AT", "qualifier.decided:1");
    scene.start_service().await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(2), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_raised(codes::QUALIFIER_UNKNOWN_ERROR.id, &mailbox(2)).await;
    assert_eq!(scene.until_in_step().await.len(), 1, "it is handled again");
}
