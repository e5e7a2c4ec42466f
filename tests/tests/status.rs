//! Goal: whoever runs the service sees how it stands, why a mailbox is not in step and what happened with an
//! appointment; can take back what Planner holds, rehearse without sending, ask over HTTP and follow it, and erase a
//! person for good. Method: the product as a process beside both simulators.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::path::Path;

use end_to_end::command::operate;
use end_to_end::scene::{USER, quote};
use end_to_end::{Ended, Scene, Setting, mailbox, wait_for};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const TOKEN: &str = "marked-token-5d0f6a1b2c3d4e5f60718293";

/// Runs a command; words are parted by blanks, `_` stands for a blank within a word.
async fn run(configuration: &Path, line: &str) -> Ended {
    operate(PROGRAM, configuration, line).await
}

async fn json_of(scene: &Scene, line: &str) -> Value {
    let ended = run(&scene.configuration, &format!("{line} --json")).await;
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{line}: {error}: {ended:?}"))
}

/// A step of `doctor`, and with which status it ended.
async fn step_of(scene: &Scene, step: &str) -> (Value, i32) {
    let ended = run(&scene.configuration, "doctor --json").await;
    let told: Value =
        serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("doctor: {error}: {ended:?}"));
    let steps = told["steps"].as_array().unwrap();
    let found = steps.iter().find(|one| one["step"] == step);
    (found.unwrap_or_else(|| panic!("{step} is missing: {told}")).clone(), ended.status)
}

async fn text_of(scene: &Scene, line: &str) -> String {
    let ended = run(&scene.configuration, line).await;
    assert_eq!(ended.status, 0, "{line}: {ended:?}");
    ended.out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_is_seen_and_a_mailbox_is_understood() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    let anna = mailbox(1);
    // or the first full read finds the appointment, and no live change decides it
    wait_for("every calendar being read", async || {
        match scene.count("select count(*) from planner_resource where last_full_sync is null").await {
            0 => Ok(()),
            count => Err(format!("{count} to be read")),
        }
    })
    .await;
    let id = scene.outlook.create(&anna, scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    scene.outlook.update(&anna, id.into(), scene.new_times(4)).await.unwrap();
    wait_for("a second decision", async || {
        match scene.count("select count(*) from calendar_event where version = 2").await {
            1 => Ok(()),
            count => Err(format!("{count} of them")),
        }
    })
    .await;
    scene.until_in_step().await;
    wait_for("a quiet status", async || {
        let status = json_of(&scene, "status").await;
        if status["well"] == json!(true) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let status = json_of(&scene, "status").await;
    assert!(
        status["stages"].as_array().unwrap().iter().all(|stage| stage["runs"] == json!(true)),
        "{status}"
    );
    assert_eq!((&status["resources"]["in_use"], &status["queues"]["unsent"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&status["groups"][0]["mailboxes"], &status["groups"][0]["subscribed"]),
        (&json!(2), &json!(2))
    );
    assert!(status["budget"]["calls"].as_u64().unwrap() > 0, "{status}");
    // what the account of the configuration carries, and beside which limit
    let account = json!({
        "number": 0, "user": USER, "groups": 1, "groups_most": 3, "mailboxes": 2,
        "waits_until": null, "waits_because": null,
    });
    assert_eq!(status["accounts"], json!([account]));
    for (line, title, row) in [
        ("status", "\nSERVICE ACCOUNTS\n", "svc (configuration) 1 of 3 2"),
        ("status --language da", "\nSERVICEKONTI\n", "svc (konfiguration) 1 af 3 2"),
    ] {
        let page = text_of(&scene, line).await;
        let (_, accounts) =
            page.split_once(title).unwrap_or_else(|| panic!("{title:?} is missing in\n{page}"));
        // below the headings
        let told: Vec<&str> = accounts.lines().nth(1).unwrap_or_default().split_whitespace().collect();
        assert_eq!(told.join(" "), row, "{page}");
    }
    // it is opened anew while the group grows
    wait_for("the open stream", async || {
        let (status, page) = (json_of(&scene, "status").await, text_of(&scene, "status").await);
        let shown = json_of(&scene, &format!("mailbox show {anna}")).await;
        let group = &status["groups"][0];
        let told = [&group["stream_state"]["open"], &shown["stream"]["open"]];
        let is_open = told == [&json!(true); 2] && group["stream"] == json!("open");
        if is_open && page.contains("  open since ") {
            Ok(())
        } else {
            Err(format!("{status}\n{page}\n{shown}"))
        }
    })
    .await;
    let page = text_of(&scene, "status --language da").await;
    assert!(
        page.starts_with("alt er i orden") && page.contains("lytter") && page.contains("kører"),
        "{page}"
    );

    let steps = json_of(&scene, &format!("doctor {anna}")).await;
    assert_eq!(steps["failed"], json!(0), "{steps}");
    let ready = json_of(&scene, "doctor").await;
    let verdict = |step: &str| {
        let steps = ready["steps"].as_array().unwrap();
        steps.iter().find(|one| one["step"] == step).unwrap()["verdict"].clone()
    };
    for step in ["agreement", "approved", "account", "database", "schema", "started", "exchange", "planner"] {
        assert_eq!(verdict(&format!("doctor.{step}")), json!("ok"), "{step}: {ready}");
    }

    let story = text_of(&scene, &format!("explain {anna} UID-1")).await;
    let place = |words: &str| story.find(words).unwrap_or_else(|| panic!("{words:?} is missing in\n{story}"));
    // the first decision, which the second overruled, stands where it was made
    let first = story.lines().find(|line| line.contains("(UID-1, version 1), overruled at ")).expect(&story);
    assert!(first.contains("decided by a live change: Planner is to hold it"), "{story}");
    assert!(place("version 1), overruled") < place("call CreateEvents to Planner"), "{story}");
    assert!(place("call CreateEvents to Planner") < place("receipt 0 for the creation of UID-1"), "{story}");
    assert!(place("receipt 0 for the creation of UID-1") < place("(UID-1, version 2)\n"), "{story}");
    assert!(place("(UID-1, version 2)\n") < place("call UpdateEvents to Planner"), "{story}");
    assert!(story.contains("Planner holds it") && story.contains("nothing is to be sent"), "{story}");
    let shown = json_of(&scene, &format!("mailbox show {anna}")).await;
    assert_eq!((&shown["appointments"]["held"], &shown["subscribed"]), (&json!(1), &json!(true)));

    // what is still being handled would move from one table to the next between two looks
    wait_for("nothing being handled", async || {
        match scene.count("select count(*) from notification").await {
            0 => Ok(()),
            count => Err(format!("{count} notifications")),
        }
    })
    .await;
    // the same in Danish; JSON stays as it is
    for (line, words) in [
        (format!("explain {anna} UID-1"), "kvittering 0 for oprettelsen af UID-1"),
        (format!("explain {anna} UID-1"), "version 1), afløst "),
        (format!("mailbox show {anna}"), "lyttet til siden"),
        (format!("mailbox show {anna}"), "dens strøm"),
        ("mailbox list".to_owned(), "POSTKASSE"),
        ("diff".to_owned(), "intet skal sendes"),
        (format!("erase {anna} --dry-run"), "ville blive fjernet:"),
        ("operations".to_owned(), "der er endnu ikke bestilt noget"),
    ] {
        let page = text_of(&scene, &format!("{line} --language da")).await;
        assert!(page.contains(words), "{line}: {words:?} is missing in\n{page}");
        let [mut danish, mut english] =
            [json_of(&scene, &format!("{line} --language da")).await, json_of(&scene, &line).await];
        for answer in [&mut danish, &mut english].into_iter().filter_map(Value::as_object_mut) {
            answer.remove("since"); // of the moment of asking
            answer.remove("stream"); // it may be opened anew between the two
        }
        assert_eq!(danish, english, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withdrawn_leaves_planner_and_an_erased_person_does_not_come_back() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    let (anna, bo) = (mailbox(1), mailbox(2));
    for who in [&anna, &bo] {
        for day in 3..6 {
            scene.outlook.create(who, scene.appointment(&format!("UID-{day}"), day)).await.unwrap();
        }
    }
    scene.until_in_step().await;
    let refused = run(&scene.configuration, &format!("erase {anna} --yes")).await;
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("Planner holds, or is to hold, 3 appointments"), "{refused:?}");

    let withdrawn =
        text_of(&scene, &format!("mailbox block {anna} --reason has_left --withdraw --by kim")).await;
    assert!(withdrawn.contains("3 appointments are to be deleted in Planner"), "{withdrawn}");
    wait_for("the deletions", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        let left: Vec<&str> = held.keys().filter(|key| key.0 == anna).map(|key| key.1.as_str()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    // nobody listens to it any more, and nothing says that somebody does
    let shown = json_of(&scene, &format!("mailbox show {anna}")).await;
    assert_eq!((&shown["in_use"], &shown["listened_to_since"]), (&json!(false), &Value::Null), "{shown}");
    let page = text_of(&scene, &format!("mailbox show {anna}")).await;
    assert!(page.contains("not in use since") && !page.contains("listened to since"), "{page}");
    let page = text_of(&scene, &format!("mailbox show {bo}")).await;
    assert!(page.contains("listened to since"), "{page}");
    // a change of it is not sent any more, and nobody else is touched
    scene.outlook.create(&anna, scene.appointment("UID-9", 9)).await.unwrap();
    scene.outlook.create(&bo, scene.appointment("UID-9", 9)).await.unwrap();
    wait_for("a later change of another", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        match held.keys().filter(|key| key.0 == bo).count() {
            4 => Ok(()),
            count => Err(format!("{count} held")),
        }
    })
    .await;
    let held = scene.planner.listing().await.unwrap();
    assert!(!held.keys().any(|key| key.0 == anna), "{held:?}");

    let would = json_of(&scene, &format!("erase {anna} --dry-run")).await;
    assert!(
        would["erased"] == json!(false) && would["rows"]["calendar_event"].as_u64().unwrap() >= 3,
        "{would}"
    );
    let erased = text_of(&scene, &format!("erase {anna} --yes --by kim")).await;
    assert!(erased.contains("is erased") && erased.contains("calendar_event"), "{erased}");
    let refresh = run(&scene.configuration, "resources refresh --wait --timeout 1m --json").await;
    assert_eq!(refresh.status, 0, "{refresh:?}");
    let outcome: Value = serde_json::from_str(&refresh.out).unwrap();
    assert_eq!(outcome["outcome"], "2 listed: 0 new, 0 used again, 0 not used any more");
    let rows = format!("select count(*) from planner_resource where mail = '{anna}'");
    assert_eq!(scene.count(&rows).await, 0);
    let unknown = run(&scene.configuration, &format!("doctor {anna}")).await;
    assert!(unknown.status == 1 && unknown.out.contains("its data was erased"), "{unknown:?}");
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_decides_and_compares_and_sends_nothing() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.configure("planner", "dry_run", "true");
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.start_service().await;
    scene.until_ready().await;
    wait_for("the difference", async || {
        let diff = json_of(&scene, "diff").await;
        if diff["total"] == json!(1) && diff["appointments"][0]["waits_for"] == json!("dry_run") {
            Ok(())
        } else {
            Err(diff.to_string())
        }
    })
    .await;
    let diff = text_of(&scene, &format!("diff {}", mailbox(1))).await;
    assert!(diff.contains("create") && diff.contains("UID-1") && diff.contains("nothing is sent"), "{diff}");
    let compared = run(&scene.configuration, "compare --all --wait --timeout 1m").await;
    assert_eq!(compared.status, 0, "{compared:?}");
    // what the trial of docs/migration.md goes by
    let one = text_of(&scene, &format!("compare {} --wait --timeout 1m", mailbox(1))).await;
    assert!(one.contains("): 1 left alone"), "{one}");
    assert!(scene.planner.listing().await.unwrap().is_empty());
    let sends = "select count(*) from service_call_reference_log where operation not in ('GetEvents', 'GetResources')";
    assert_eq!(scene.count(sends).await, 0);
    assert!(text_of(&scene, "status").await.contains("planner.dry_run is set: nothing is sent"));
    // the rehearsal is over
    scene.stop_service().await;
    scene.configure("planner", "dry_run", "false");
    scene.start_service().await;
    scene.until_in_step().await;
    assert_eq!(json_of(&scene, "diff").await["total"], json!(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_over_http_is_done_and_followed() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.configure("http", "admin_token", &quote(TOKEN));
    scene.configure("http", "admin_listen", &quote("127.0.0.1:0"));
    scene.start_service().await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    let url = format!("http://{}", scene.admin_address().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // the pages for health and metrics have no admin calls
    let pages = scene.service.as_ref().unwrap().url.trim_end_matches('/').to_owned();
    let elsewhere = client.get(format!("{pages}/admin/operations")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    let ask = |kind: &str, all: bool| {
        let mut body = json!({ "kind": kind, "by": "monitoring" });
        if all {
            body["all"] = json!(true);
        }
        let request = client.post(format!("{url}/admin/operations")).body(body.to_string());
        request.header("content-type", "application/json").bearer_auth(TOKEN).send()
    };
    for (kind, all) in [
        ("full_pull", true),
        ("comparison", true),
        ("resource_list", false),
        ("rediscovery", true),
        ("resend", true),
    ] {
        let answer = ask(kind, all).await.unwrap();
        assert_eq!(answer.status(), 202, "{kind}");
        let place = answer.headers()["location"].to_str().unwrap().to_owned();
        wait_for("the end of an operation", async || {
            let asked = client.get(format!("{url}{place}")).bearer_auth(TOKEN).send().await;
            let mut answer = asked.map_err(|error| error.to_string())?;
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
                body.extend_from_slice(&chunk);
            }
            let operation: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
            if operation["state"] == json!("done") { Ok(()) } else { Err(operation.to_string()) }
        })
        .await;
    }
    let refused = client.get(format!("{url}/admin/operations")).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(!scene.log().contains(TOKEN), "the token stands in the log");
    scene.until_in_step().await;
}

/// Nothing waits while Exchange is down, since nothing comes: that all is not well, the alerts say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_exchange_is_seen_by_status_and_by_the_doctor_of_a_mailbox() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.until_in_step().await;
    wait_for("a quiet status", async || {
        let status = json_of(&scene, "status").await;
        let is_open = status["groups"][0]["stream"] == json!("open");
        if is_open && status["well"] == json!(true) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    scene.exchange_fault(json!({ "kind": "http503", "probability": 1.0 })).await;
    scene.exchange_act(json!({ "act": "drop_streams" })).await;
    wait_for("the alert", async || {
        let status = json_of(&scene, "status").await;
        let told = status["alerts"].as_array().unwrap().iter().any(|alert| {
            alert["critical"] == json!(true) && alert["meaning"].as_str().is_some_and(|text| !text.is_empty())
        });
        let group = &status["groups"][0];
        let fails = group["stream"] == json!("fails") && group["stream_state"]["open"] == json!(false);
        if told && fails && status["well"] == json!(false) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let page = text_of(&scene, "status").await;
    assert!(page.starts_with("to be looked at:") && page.contains("kommuneklient codes 49"), "{page}");
    assert!(page.contains(", not open since "), "{page}");
    let doctor = run(&scene.configuration, &format!("doctor {}", mailbox(1))).await;
    assert!(doctor.status == 1 && doctor.out.contains("the stream of group"), "{doctor:?}");
    // status, the list and the doctor of the installation say the same
    wait_for("one judgement", async || {
        let status = json_of(&scene, "status").await;
        let listed = json_of(&scene, "mailbox list --failing").await;
        let group = &status["groups"][0];
        let told = [&status["resources"]["failing"], &group["failing"], &group["subscribed"]];
        let is_one = listed.as_array().map(Vec::len) == Some(2) && told == [&json!(2), &json!(2), &json!(0)];
        if is_one { Ok(()) } else { Err(format!("{status}\n{listed}")) }
    })
    .await;
    let (exchange, status) = step_of(&scene, "doctor.exchange").await;
    assert!(exchange["verdict"] == json!("fail") && status == 1, "{exchange}");
    let (evidence, next) = (exchange["evidence"].as_str().unwrap(), exchange["next"].as_str().unwrap());
    assert!(evidence.contains("not open since") && evidence.contains("alert 49"), "{evidence}");
    assert!(next.contains("exchange.service_url") && next.contains("kommuneklient codes"), "{next}");
    scene.end_faults().await;
    wait_for("the doctor of the installation being content", async || {
        let (exchange, _) = step_of(&scene, "doctor.exchange").await;
        if exchange["verdict"] == json!("ok") { Ok(()) } else { Err(exchange.to_string()) }
    })
    .await;
    wait_for("the end of it", async || {
        let doctor = run(&scene.configuration, &format!("doctor {}", mailbox(1))).await;
        if doctor.status == 0 && doctor.out.contains("its stream is open since") {
            Ok(())
        } else {
            Err(doctor.out)
        }
    })
    .await;
}

/// Regression: the doctor of the installation was content while every call to Planner failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_calls_to_planner_fail_is_told_by_the_doctor_of_the_installation() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.until_in_step().await;
    wait_for("a content doctor", async || {
        let (planner, _) = step_of(&scene, "doctor.planner").await;
        if planner["verdict"] == json!("ok") { Ok(()) } else { Err(planner.to_string()) }
    })
    .await;
    scene.planner_fault(json!({ "kind": { "http-status": { "status": 503 } }, "probability": 1.0 })).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    wait_for("the failure", async || {
        let (planner, status) = step_of(&scene, "doctor.planner").await;
        let fails = planner["verdict"] == json!("fail") && status == 1;
        if fails { Ok(()) } else { Err(planner.to_string()) }
    })
    .await;
    let (planner, _) = step_of(&scene, "doctor.planner").await;
    let (evidence, next) = (planner["evidence"].as_str().unwrap(), planner["next"].as_str().unwrap());
    assert!(evidence.contains("calls fail since") && evidence.contains("(6901)"), "{evidence}");
    assert!(next.contains("planner.service_url") && next.contains("kommuneklient codes 6901"), "{next}");
    assert!(!next.contains("kommuneklient doctor"), "{next}");
    scene.end_faults().await;
    scene.until_in_step().await;
    wait_for("a content doctor again", async || {
        let (planner, _) = step_of(&scene, "doctor.planner").await;
        if planner["verdict"] == json!("ok") { Ok(()) } else { Err(planner.to_string()) }
    })
    .await;
}
