//! Goal: the whole pipeline over TLS with NTLM, and with tokens that expire while it works; nothing of a login in a log.
//! Method: the product as a process; the simulated Exchange counts how everybody logged on.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::time::Duration;

use end_to_end::scene::{Login, PASSWORD};
use end_to_end::{Scene, Setting, mailbox, wait_for};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

async fn logons(scene: &Scene, kind: &str) -> u64 {
    let meter: Value = scene.exchange.get("/admin/meter").await.unwrap();
    meter["logons"][kind].as_u64().unwrap()
}

/// Appointments of two mailboxes come into step, over a stream and by calls.
async fn keeps_in_step(scene: &Scene, round: &str) {
    for number in 1..=2 {
        let item = scene.appointment(&format!("{round}-{number}"), 3);
        scene.outlook.create(&mailbox(number), item).await.unwrap();
    }
    scene.until_in_step().await;
}

fn assert_nothing_of_a_login_is_logged(scene: &Scene) {
    let log = scene.log();
    assert!(!log.is_empty(), "there is a log");
    for word in [PASSWORD, "TlRMTVNTUA", "Bearer ", "access_token"] {
        assert!(!log.contains(word), "{word} in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pipeline_works_with_ntlm_over_tls() {
    let setting = Setting {
        login: Some(Login::Ntlm),
        configuration: vec![("telemetry", "log_filter", "\"debug,sspi=trace\"")],
        ..Setting::default()
    };
    let mut scene = Scene::ready(PROGRAM, setting).await;
    keeps_in_step(&scene, "first").await;
    let by_people = logons(&scene, "basic").await;
    keeps_in_step(&scene, "second").await;
    assert_eq!(logons(&scene, "basic").await, by_people + 2, "the product never sent its password");
    assert!(logons(&scene, "ntlm").await > logons(&scene, "ntlm_logins").await, "connections served again");
    assert_eq!(logons(&scene, "refused").await, 0);
    scene.stop_service().await;
    scene.assert_no_violations().await;
    assert_nothing_of_a_login_is_logged(&scene);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pipeline_works_with_tokens_that_expire_meanwhile() {
    let login = Login::OAuth { token_life: Duration::from_secs(2) };
    let configuration = vec![("telemetry", "log_filter", "\"trace\"")];
    let mut scene =
        Scene::ready(PROGRAM, Setting { login: Some(login), configuration, ..Setting::default() }).await;
    keeps_in_step(&scene, "first").await;
    let before = logons(&scene, "tokens").await;
    for round in 0.. {
        keeps_in_step(&scene, &format!("round-{round}")).await;
        if logons(&scene, "tokens").await >= before + 2 {
            break;
        }
        assert!(round < 1_000, "tokens are renewed");
    }
    assert!(logons(&scene, "bearer").await > logons(&scene, "tokens").await);
    assert_eq!(logons(&scene, "refused").await, 0, "renewed before they expired");
    scene.stop_service().await;
    assert_nothing_of_a_login_is_logged(&scene);
    let (tokens, log) = (scene.tokens(), scene.log());
    assert!(tokens.len() >= 3 && log.contains("\"level\":\"TRACE\""), "{} tokens", tokens.len());
    for token in tokens {
        // its beginning would be too much
        assert!(!log.contains(&token[..16]), "a token stands in the log");
    }
}

/// A login that somebody in between tries to weaken is told, nothing is sent, and it is tried again later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weakened_login_is_told_and_the_next_one_works() {
    let mut scene = Scene::new(PROGRAM, Setting { login: Some(Login::Ntlm), ..Setting::default() }).await;
    scene
        .exchange_fault(
            serde_json::json!({ "kind": { "weak_login": { "lm": false } }, "operation": "Logon", "next": 1 }),
        )
        .await;
    scene.start_service().await;
    wait_for("the event of a weakened login", async || {
        let log = scene.log();
        if log.contains("\"event_id\":9640") { Ok(()) } else { Err(log.lines().count().to_string()) }
    })
    .await;
    assert_eq!(logons(&scene, "refused").await, 0);
    scene.until_ready().await;
    keeps_in_step(&scene, "after").await;
}
