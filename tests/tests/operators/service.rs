//! Beside a running service.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_does_what_it_is_asked_and_is_followed_to_the_end() {
    let scene = Scene::ready(PROGRAM, Setting::default()).await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    for (line, kind, of) in [
        ("pull --all", "full_pull", 3),
        ("pull m0002@sim.test", "full_pull", 1),
        ("compare --all", "comparison", 3),
        ("resources refresh", "resource_list", 1),
        ("adopt --all", "adoption", 3),
        ("rediscover --all", "rediscovery", 3),
    ] {
        let done = answer(run(&scene.configuration, &format!("{line} --wait --timeout 1m --json")).await);
        assert_eq!(
            (&done["kind"], &done["state"], &done["done"], &done["of"]),
            (&json!(kind), &json!("done"), &json!(of), &json!(of)),
            "{line}"
        );
    }
    let refreshed = answer(run(&scene.configuration, "operations 4 --json").await);
    assert_eq!(refreshed["outcome"], "3 listed: 0 new, 0 used again, 0 not used any more");
    let located = "select count(*) from planner_resource r join operation o on o.kind = 'rediscovery' \
                   where r.located_at >= o.asked_at and r.location_doubted_at is null";
    assert_eq!(scene.count(located).await, 3, "each place was found anew, and not only asked for");
    // after an adoption of everybody changes go on being sent
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 4)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_long_time_is_sent_at_once_when_somebody_asks() {
    let configuration = vec![("planner", "retry_initial", "\"30m\""), ("planner", "retry_cap", "\"60m\"")];
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, configuration, ..Setting::default() }).await;
    let anna = mailbox(1);
    let not_now = json!({"refuse": {"code": 15}});
    scene
        .planner_fault(json!({"kind": not_now, "mailbox": anna, "operation": "CreateEvents", "next": 1}))
        .await;
    scene.outlook.create(&anna, scene.appointment("UID-1", 3)).await.unwrap();
    let waits =
        "select count(*) from calendar_event where pending and next_attempt_at > now() + interval '10 min'";
    wait_for("a change that waits", async || match scene.count(waits).await {
        1 => Ok(()),
        count => Err(format!("{count} wait")),
    })
    .await;
    // others are sent meanwhile, and it goes on waiting
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 4)).await.unwrap();
    until_held(&scene, &[2]).await;
    assert_eq!(scene.count(waits).await, 1);

    // asking for somebody else is not asking for it
    let other = format!("resend {} --wait --timeout 1m --json", mailbox(2));
    assert_eq!(answer(run(&scene.configuration, &other).await)["state"], json!("done"));
    assert_eq!(scene.count(waits).await, 1);
    let asked = format!("resend {anna} --wait --timeout 1m --by kim --json");
    let done = answer(run(&scene.configuration, &asked).await);
    assert_eq!(
        (&done["kind"], &done["state"], &done["done"], &done["of"], &done["asked_by"]),
        (&json!("resend"), &json!("done"), &json!(1), &json!(1), &json!("kim"))
    );
    until_held(&scene, &[1, 2]).await;
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_is_unblocked_is_used_again_and_its_appointments_are_in_planner_again() {
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    let anna = mailbox(1);
    for number in 1..=2 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID-1", 3)).await.unwrap();
    }
    scene.until_in_step().await;
    let block = format!("mailbox block {anna} --reason on_leave --withdraw --by kim");
    assert_eq!(run(&scene.configuration, &block).await.status, 0);
    until_held(&scene, &[2]).await;
    scene.outlook.create(&anna, scene.appointment("UID-2", 4)).await.unwrap();
    let show = format!("mailbox show {anna} --json");
    let shown = answer(run(&scene.configuration, &show).await);
    assert_eq!((&shown["in_use"], &shown["blacklisted"]["by"]), (&json!(false), &json!("kim")), "{shown}");

    let unblock = format!("mailbox unblock {anna} --reason back_again --by kim");
    let unblocked = run(&scene.configuration, &unblock).await;
    assert_eq!(unblocked.status, 0, "{unblocked:?}");
    assert!(unblocked.out.contains(&format!("{anna} is not blocked any more")), "{unblocked:?}");
    // what was there before, and what came meanwhile
    assert_eq!(scene.until_in_step().await.len(), 3);
    let shown = answer(run(&scene.configuration, &show).await);
    assert_eq!((&shown["in_use"], &shown["blacklisted"]), (&json!(true), &Value::Null), "{shown}");
    // it is listened to as well
    scene.outlook.create(&anna, scene.appointment("UID-3", 5)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 4);
    let again = answer(run(&scene.configuration, &format!("{unblock} --json")).await);
    assert_eq!(again, json!({ "mailbox": anna, "removed": false }));
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_begins_with_three_and_a_block_ends_the_subscription_only() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 5, ..Setting::default() }).await;
    for number in 1..=5 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID-1", 3)).await.unwrap();
    }
    let three = format!("whitelist add {} {} {} --by kim", mailbox(1), mailbox(2), mailbox(3));
    assert_eq!(run(&scene.configuration, &three).await.status, 0);
    scene.start_service().await;
    scene.until_ready().await;
    until_held(&scene, &[1, 2, 3]).await;
    let excluded = "select count(*) from planner_resource where deleted_reason = 'P-NonWhitelist'";
    assert_eq!(scene.count(excluded).await, 2);
    assert_eq!(
        scene
            .count("select count(*) from planner_resource_subscription where ews_subscription_id is not null")
            .await,
        3
    );

    // one more, and at once
    assert_eq!(run(&scene.configuration, &format!("whitelist add {}", mailbox(4))).await.status, 0);
    until_held(&scene, &[1, 2, 3, 4]).await;

    // one is blocked: its subscription ends, its appointments stay
    let block = format!("blacklist add {} --reason on_leave", mailbox(1));
    assert_eq!(run(&scene.configuration, &block).await.status, 0);
    let gone = format!("select count(*) from planner_resource_subscription where mail = '{}'", mailbox(1));
    wait_for("the end of the subscription", async || match scene.count(&gone).await {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    })
    .await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID-2", 4)).await.unwrap();
    // a refresh does not bring it back, though Planner lists it and the whitelist names it
    let refresh = run(&scene.configuration, "resources refresh --wait --timeout 1m").await;
    assert_eq!(refresh.status, 0, "{refresh:?}");
    scene.outlook.create(&mailbox(2), scene.appointment("UID-2", 4)).await.unwrap();
    wait_for("a later change of another", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        let key = (mailbox(2), "UID-2".to_owned());
        if held.contains_key(&key) { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    let held = scene.planner.listing().await.unwrap();
    let of_one: Vec<&str> = held.keys().filter(|key| key.0 == mailbox(1)).map(|key| key.1.as_str()).collect();
    assert_eq!(of_one, ["UID-1"]);

    // and back: adopted and pulled anew, with what came meanwhile
    assert_eq!(run(&scene.configuration, &format!("blacklist remove {}", mailbox(1))).await.status, 0);
    wait_for("what came meanwhile", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        let key = (mailbox(1), "UID-2".to_owned());
        if held.contains_key(&key) { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_list_that_lacks_too_many_waits_for_an_operator() {
    let mut scene = Scene::ready(PROGRAM, Setting { mailboxes: 14, ..Setting::default() }).await;
    let list = async |numbers: std::ops::RangeInclusive<u32>| {
        let resources: Vec<Value> = numbers.map(|number| json!({ "address": mailbox(number) })).collect();
        scene.planner.admin().post("/admin/resources", &resources.into()).await.unwrap();
        let refreshed =
            answer(run(&scene.configuration, "resources refresh --wait --timeout 1m --json").await);
        refreshed["outcome"].as_str().unwrap().to_owned()
    };
    let in_use = "select count(*) from planner_resource where deleted_date is null";
    assert_eq!(list(1..=2).await, "2 listed: 0 new, 0 used again, 0 not used any more, 12 missing, withheld");
    assert_eq!(scene.count(in_use).await, 14);
    scene.until_raised(9501, "").await;
    scene.until_raised(9202, "\"run\"").await;
    list(1..=13).await;
    assert_eq!(scene.count(in_use).await, 13);
    scene.until_raised(9502, "").await;
    list(1..=1).await;
    let runs = answer(run(&scene.configuration, "withheld list --json").await);
    assert_eq!(
        (&runs[0]["run"], &runs[0]["missing"], &runs[0]["there"]),
        (&json!("L2"), &json!(12), &json!(13))
    );
    assert_eq!(run(&scene.configuration, "withheld confirm L2").await.status, 0);
    assert_eq!(scene.count(in_use).await, 1);
    wait_for("the end of the subscriptions", async || {
        match scene.count("select count(*) from planner_resource_subscription").await {
            1 => Ok(()),
            left => Err(format!("{left} left")),
        }
    })
    .await;
    scene.assert_unharmed().await;
}

/// Regression: a rediscovery was reported as done, and the mailbox waited on for up to an hour; meanwhile `mailbox show` called
/// it subscribed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_could_not_be_listened_to_is_tried_at_once_when_somebody_asks() {
    let configuration =
        vec![("listener", "mailbox_retry_initial", "\"30m\""), ("listener", "mailbox_retry_cap", "\"60m\"")];
    let scene = Scene::ready(PROGRAM, Setting { mailboxes: 2, configuration, ..Setting::default() }).await;
    let anna = mailbox(1);
    let access = async |access: &str| {
        scene.exchange_act(json!({"act": "access", "mailbox": mailbox(1), "access": access})).await;
    };
    access("access_denied").await;
    scene.exchange_act(json!({"act": "drop_streams"})).await;
    let denied = format!(
        "select count(*) from planner_resource where mail = '{anna}' and error_code = 'ErrorAccessDenied'"
    );
    wait_for("the error on the row", async || match scene.count(&denied).await {
        1 => Ok(()),
        _ => Err("there is none".to_owned()),
    })
    .await;
    let shown = answer(run(&scene.configuration, &format!("mailbox show {anna} --json")).await);
    assert_eq!((&shown["subscribed"], &shown["listened_to_since"]), (&json!(false), &Value::Null), "{shown}");

    let tries = format!("select error_count::bigint from planner_resource where mail = '{anna}'");
    let before = scene.count(&tries).await;
    let rediscover = async |whom: &str, of: u64| {
        let line = format!("rediscover {whom} --wait --timeout 1m --json");
        let done = answer(run(&scene.configuration, &line).await);
        assert_eq!((&done["state"], &done["done"]), (&json!("done"), &json!(of)), "{done}");
        done["outcome"].clone()
    };
    let outcome = rediscover(&anna, 1).await;
    assert_eq!(outcome, json!("it cannot be listened to: ErrorAccessDenied"));
    assert!(scene.count(&tries).await > before, "it was tried, in vain");
    access("full").await;
    rediscover("--all", 2).await;
    assert_eq!(scene.count(&denied).await, 0, "it is listened to again when the rediscovery is done");
    scene.outlook.create(&anna, scene.appointment("UID-1", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    scene.assert_no_violations().await;
}

/// Waits until Planner holds one appointment for exactly these mailboxes.
async fn until_held(scene: &Scene, numbers: &[u32]) {
    let expected: BTreeSet<String> = numbers.iter().map(|number| mailbox(*number)).collect();
    wait_for("what Planner holds", async || {
        let held = scene.planner.listing().await.map_err(|error| error.to_string())?;
        let mailboxes: BTreeSet<String> = held.keys().map(|key| key.0.clone()).collect();
        if mailboxes == expected { Ok(()) } else { Err(format!("{mailboxes:?}")) }
    })
    .await;
}
