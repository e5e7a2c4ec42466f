//! Answers of Planner to changes and to the questions what it holds.

use end_to_end::gate::Gate;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use proto_ews::{CalendarItem, DeleteType, field};
use serde_json::{Value, json};
use store::operations::Scope;

use crate::PROGRAM;

/// Appointments that are changed together, and so go in one call.
const TOGETHER: usize = 3;

/// A scene in which a shut gate collects changes.
async fn ready() -> (Scene, Gate) {
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    scene.configure("planner", "retry_cap", "\"200ms\"");
    let mut gate = scene.gate_before_planner();
    gate.open();
    scene.start_service().await;
    scene.until_ready().await;
    (scene, gate)
}

async fn next(scene: &Scene, kind: &Value, operation: &str) {
    scene.planner_fault(json!({"kind": kind, "operation": operation, "next": 1})).await;
}

/// What a call meets, and what the event must say of it.
struct Met<'a> {
    kind: Value,
    event: u16,
    words: &'a str,
}

impl Met<'_> {
    /// The call of this operation with all that waits meets the fault; in the end Planner is in step.
    async fn by(&self, operation: &str, scene: &Scene, gate: &mut Gate, held: usize) {
        let waiting = i64::try_from(TOGETHER).unwrap();
        wait_for("the changes waiting", async || {
            match scene.count("select count(*) from calendar_event where pending").await {
                count if count == waiting => Ok(()),
                count => Err(format!("{count}")),
            }
        })
        .await;
        // a call that was begun when fewer of them waited may still be trying to get through
        wait_for("no call with a part of them", async || {
            match scene.count("select count(*) from key_in_flight").await {
                count if count == 0 || count == waiting => Ok(()),
                count => Err(format!("{count} in flight")),
            }
        })
        .await;
        let words = format!("{operation}: {}", self.words);
        let before = scene.count_raised(self.event, &words).await;
        next(scene, &self.kind, operation).await;
        gate.open();
        scene.until_raised_again(self.event, &words, before).await;
        assert_eq!(scene.until_in_step().await.len(), held);
        until_settled(scene).await;
        gate.shut().await;
    }

    /// Creating, changing and deleting meet it.
    async fn always(&self, scene: &Scene, gate: &mut Gate) {
        let owner = mailbox(1);
        gate.shut().await;
        let mut ids = Vec::new();
        for days in 3..3 + i64::try_from(TOGETHER).unwrap() {
            ids.push(
                scene.outlook.create(&owner, scene.appointment(&format!("UID-{days}"), days)).await.unwrap(),
            );
        }
        self.by("CreateEvents", scene, gate, TOGETHER).await;
        for (id, days) in ids.iter().zip(10..) {
            scene.outlook.update(&owner, id.clone().into(), scene.new_times(days)).await.unwrap();
        }
        self.by("UpdateEvents", scene, gate, TOGETHER).await;
        for id in ids {
            scene.outlook.delete(&owner, id.into(), DeleteType::HardDelete).await.unwrap();
        }
        self.by("DeleteEvents", scene, gate, 0).await;
    }
}

/// Waits until nothing is to be sent, in flight or uncertain.
async fn until_settled(scene: &Scene) {
    const OPEN: &str = "select (select count(*) from calendar_event where pending or uncertain)
                             + (select count(*) from key_in_flight)";
    wait_for("everything being settled", async || match scene.count(OPEN).await {
        0 => Ok(()),
        count => Err(format!("{count}; {}", scene.log_end())),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_cannot_be_read_leave_the_outcome_open_and_are_settled() {
    let (mut scene, mut gate) = ready().await;
    for (kind, words) in [
        (json!("malformed-answer"), "the answer of planner cannot be read"),
        (json!("oversized-answer"), "the answer of planner is longer than 5242880 bytes"),
    ] {
        Met { kind, event: 6906, words }.always(&scene, &mut gate).await;
    }
    let unknown = scene.count("select count(*) from sync_log where outcome = 'unknown'").await;
    assert_eq!(unknown, 2 * 3 * i64::try_from(TOGETHER).unwrap());
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_that_do_not_match_are_not_believed() {
    let (mut scene, mut gate) = ready().await;
    for (kind, words) in [
        (json!("fewer-receipts"), "planner sent 2 receipts for 3 appointments"),
        (json!("more-receipts"), "planner sent 4 receipts for 3 appointments"),
        (json!("repeated-receipt"), "the receipt at position 1 is for another appointment"),
        (json!("foreign-receipts"), "the receipt at position 0 is for another appointment"),
        (json!("receipts-in-wrong-order"), "the receipt at position 0 is for another appointment"),
    ] {
        Met { kind, event: 6906, words }.always(&scene, &mut gate).await;
    }
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_and_errors_are_told_apart_and_sent_again() {
    let (mut scene, mut gate) = ready().await;
    for applied in [false, true] {
        let with_detail = json!({"soap-fault": {"detail": true, "applied": applied}});
        let without = json!({"soap-fault": {"detail": false, "applied": applied}});
        let status = json!({"http-status": {"status": 503, "applied": applied}});
        let broken = json!({"broken-connection": {"applied": applied}});
        for (kind, event, words) in [
            (with_detail, 6903, "planner answered with a fault (Server, error 9001)"),
            (without, 6902, "planner answered with a fault (Server)"),
            (status, 6901, "planner answered with HTTP status 503"),
            (broken, 6905, "the connection to planner broke"),
        ] {
            Met { kind, event, words }.always(&scene, &mut gate).await;
        }
    }
    scene.assert_unharmed().await;
}

/// How often Planner gave a receipt for this mailbox, by its own log.
async fn receipts(scene: &Scene, mail: &str) -> Vec<(String, i64)> {
    let log: Value = scene.planner.admin().get("/admin/log?after=0&limit=1000").await.unwrap();
    let of = |entry: &&Value| entry["mail"] == mail;
    let told =
        |entry: &Value| (entry["operation"].as_str().unwrap().to_owned(), entry["code"].as_i64().unwrap());
    log["entries"].as_array().unwrap().iter().filter(of).map(told).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_receipt_code_is_a_refusal_until_the_decision_changes() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 4, ..Setting::default() }).await;
    scene.configure("planner", "calendar_event_update_interval", "\"200ms\"");
    scene.start_service().await;
    scene.until_ready().await;
    let codes = [(1, 33, 6233), (2, 77, 6249), (3, -1, 6249)];
    for (number, code, _) in codes {
        let kind = json!({"refuse": {"code": code}});
        let rule = json!({"kind": kind, "operation": "CreateEvents", "mailbox": mailbox(number), "probability": 1.0});
        scene.planner_fault(rule).await;
    }
    let mut ids = Vec::new();
    for number in 1..=4 {
        ids.push(scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap());
    }
    for (number, code, event) in codes {
        let told = scene.until_raised(event, &mailbox(number)).await;
        assert!(
            told.starts_with("warning ") && told.contains(&format!("\"receipt_code\": {code}")),
            "{told}"
        );
        let refused = format!(
            "select count(*) from calendar_event where mail = '{}' and refused_code = {code}
                and refused_version = version and not pending",
            mailbox(number)
        );
        wait_for("the refusal being stored", async || match scene.count(&refused).await {
            1 => Ok(()),
            count => Err(format!("{count}")),
        })
        .await;
    }
    // a change that decides nothing new, and the work of others, are no reason to ask again
    let subject = CalendarItem { subject: Some("another".into()), ..CalendarItem::default() };
    scene.outlook.update(&mailbox(1), ids[0].clone().into(), vec![(field::SUBJECT, subject)]).await.unwrap();
    for days in [4, 5] {
        scene.outlook.update(&mailbox(4), ids[3].clone().into(), scene.new_times(days)).await.unwrap();
        wait_for("the others going on", async || match scene.planner.listing().await {
            Ok(held) if held.values().next().is_some_and(|times| times.0 == scene.at(days, 13)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
    for (number, code, _) in codes {
        assert_eq!(receipts(&scene, &mailbox(number)).await, [("CreateEvents".to_owned(), code)]);
    }
    // a new decision is a new try
    scene.end_faults().await;
    for (number, id) in (1..=3).zip(&ids) {
        scene.outlook.update(&mailbox(number), id.clone().into(), scene.new_times(6)).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 4);
    for (number, code, _) in codes {
        let expected = [("CreateEvents".to_owned(), code), ("CreateEvents".to_owned(), 0)];
        assert_eq!(receipts(&scene, &mailbox(number)).await, expected);
    }
    scene.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_answers_about_what_planner_holds_hold_up_the_sending_only() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    for number in 1..=2 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    // Planner holds the one already, and one that nobody else knows
    let (start, end) = (scene.at(3, 9), scene.at(3, 10));
    let planted = json!([
        {"mail": mailbox(1), "origin_id": "UID", "start": start, "end": end},
        {"mail": mailbox(1), "origin_id": "GONE", "start": start, "end": end},
    ]);
    scene.planner.admin().post("/admin/events", &planted).await.unwrap();
    for kind in [
        json!("malformed-answer"),
        json!("oversized-answer"),
        json!({"soap-fault": {"detail": true}}),
        json!("duplicate-rows"),
    ] {
        next(&scene, &kind, "GetEvents").await;
    }
    scene.start_service().await;
    scene.until_raised(6906, "GetEvents: the answer of planner cannot be read").await;
    // what is too long is no trouble: it is asked for in halves
    scene.until_raised(6903, "GetEvents").await;
    scene.until_raised(3936, "").await;
    wait_for("every mailbox being adopted", async || {
        match scene.count("select count(*) from planner_resource where adopted_at is not null").await {
            2 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    let calls = scene.planner.meter().await.unwrap().calls;
    assert_eq!((calls.get("CreateEvents"), calls.get("DeleteEvents")), (Some(&1), Some(&1)), "{calls:?}");
    scene.assert_unharmed().await;
}

/// Rows of mailboxes that were not asked for, one of them ours and one a stranger's, in every answer: neither an adoption
/// nor a comparison takes anything of them over, sends anything for them, or deletes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_other_mailboxes_are_told_and_not_touched() {
    const STRANGER: &str = "stranger@sim.test";
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    // each mailbox is asked for alone, so that the other one's rows are foreign, too
    scene.configure("planner", "max_calendar_event_fetches_per_call", "1");
    let (start, end) = (scene.at(3, 9), scene.at(3, 10));
    let mut planted = vec![json!({"mail": STRANGER, "origin_id": "STRANGER'S", "start": start, "end": end})];
    for number in 1..=2 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
        planted.push(json!({"mail": mailbox(number), "origin_id": "UID", "start": start, "end": end}));
    }
    scene.planner.admin().post("/admin/events", &json!(planted)).await.unwrap();
    let rule = json!({"kind": "foreign-rows", "operation": "GetEvents", "probability": 1.0});
    scene.planner_fault(rule).await;
    scene.start_service().await;
    wait_for("every mailbox being adopted and read", async || {
        const DONE: &str = "select count(*) from planner_resource where adopted_at is not null and last_full_sync is not null";
        match scene.count(DONE).await {
            2 => Ok(()),
            count => Err(format!("{count}; {}", scene.log_end())),
        }
    })
    .await;
    // once for each of them
    scene.until_raised_again(9402, "\"rows\": 2", 1).await;
    let before = scene.count_raised(9402, "\"rows\": 2").await;
    let asked = scene.clock.now();
    scene.database.store.ask_for_comparison(&Scope::All).await.unwrap();
    let compared = format!("select count(*) from planner_resource where compared_at >= '{asked}'");
    wait_for("the comparison", async || match scene.count(&compared).await {
        2 => Ok(()),
        count => Err(format!("{count}; {}", scene.log_end())),
    })
    .await;
    scene.until_raised_again(9402, "\"rows\": 2", before).await;
    until_settled(&scene).await;
    // what is ours was adopted and is as it is to be, and nothing was sent for anybody
    const KEYS: &str = "select count(*) from calendar_event";
    assert_eq!(scene.count(KEYS).await, 2, "a key of each mailbox, none of the stranger");
    let calls = scene.planner.meter().await.unwrap().calls;
    let sent: Vec<_> = calls.keys().filter(|operation| !operation.starts_with("Get")).collect();
    assert_eq!(sent, [""; 0], "{calls:?}");
    let held = scene.planner.listing().await.unwrap();
    assert_eq!(held.get(&(STRANGER.to_owned(), "STRANGER'S".to_owned())), Some(&(start, end)));
    assert_eq!(held.len(), 3, "{held:?}");
    scene.end_faults().await;
    // changes are still brought, and the comparison without the fault tells nothing more
    scene.outlook.create(&mailbox(1), scene.appointment("NEW", 5)).await.unwrap();
    wait_for("the change", async || match scene.planner.listing().await {
        Ok(held) if held.len() == 4 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    scene.assert_unharmed().await;
}

/// More than can be asked for, however short the time that is asked about: that mailbox alone waits, and is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_of_which_planner_always_tells_too_much_is_told_and_holds_up_nobody() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    let (large, other) = (mailbox(1), mailbox(2));
    let rule =
        json!({"kind": "oversized-answer", "operation": "GetEvents", "mailbox": large, "probability": 1.0});
    scene.planner_fault(rule).await;
    for mail in [&large, &other] {
        scene.outlook.create(mail, scene.appointment("UID", 3)).await.unwrap();
    }
    scene.start_service().await;
    scene.until_raised(9209, &large).await;
    wait_for("the other one being brought", async || match scene.planner.listing().await {
        Ok(held) if held.keys().any(|(mail, _)| *mail == other) => Ok(()),
        held => Err(format!("{held:?}; {}", scene.log_end())),
    })
    .await;
    let held = scene.planner.listing().await.unwrap();
    assert!(held.keys().all(|(mail, _)| *mail == other), "nothing is sent before it is adopted: {held:?}");
    // it is less by now, and somebody asks
    scene.end_faults().await;
    let scope = Scope::One(calendar::MailAddress::parse(&large).unwrap());
    assert_eq!(scene.database.store.ask_for_adoption(&scope).await.unwrap(), 1);
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
}
