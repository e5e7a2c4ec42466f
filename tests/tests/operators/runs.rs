//! What is withheld or set aside, and what operators say of it.

use super::*;

/// A run of the resource list and one of a mailbox that wait.
async fn withhold(database: &TestDatabase) {
    for name in ["a@x.dk", "b@x.dk", "c@x.dk"] {
        resource(&database.store, name).await;
    }
    for key in ["K1", "K2", "K3"] {
        decide(&database.store, "a@x.dk", key, Some(slot(1))).await;
    }
    let run = |list: i64, run: i64| {
        format!(
            "insert into withheld_list (withheld_at, in_use_before) values (now(), 30); \
             insert into withheld_list_resource (withheld_list_id, mail) values ({list}, 'b@x.dk'), ({list}, 'c@x.dk'); \
             insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('a@x.dk', 'full_read', now(), now(), 2, 3); \
             insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select mail, origin_id, {run}, version, start_at, end_at from calendar_event where origin_id <> 'K3'"
        )
    };
    sql(&database.store, &run(1, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_is_shown_and_confirmed_or_rejected_by_one_command() {
    let desk = Desk::new().await;
    assert_eq!(desk.text("withheld list").await, "nothing is withheld\n");
    withhold(&desk.database).await;
    let runs = desk.json("withheld list").await;
    let seen: Vec<_> =
        runs.as_array().unwrap().iter().map(|run| (&run["run"], &run["of"], &run["missing"])).collect();
    let expected =
        [(&json!("L1"), &json!("resource list"), &json!(2)), (&json!("1"), &json!("a@x.dk"), &json!(2))];
    assert_eq!(seen, expected);
    let text = desk.text("withheld list").await;
    assert!(text.contains("2 of 30") && text.contains("2 of 3") && text.contains("full read"), "{text}");
    let text = desk.text("withheld show L1").await;
    assert!(
        text.contains("b@x.dk") && text.contains("c@x.dk") && text.contains("withheld confirm L1"),
        "{text}"
    );
    let shown = desk.json("withheld show 1").await;
    assert_eq!(shown["items"].as_array().unwrap().len(), 2);
    assert_eq!(shown["items"][0]["origin_id"], "K1");

    let text = desk.text("withheld confirm L1 --by kim").await;
    assert_eq!(text, "run L1 is confirmed: 2 resources not used any more (operation 1)\n");
    assert_eq!(
        count(
            &desk.database,
            "select count(*) from planner_resource where deleted_reason = 'P-NotInPlanner'"
        )
        .await,
        2
    );
    desk.refused("withheld reject L1", &["run L1 does not wait any more, it is confirmed"]).await;
    let settled = desk.json("withheld confirm 1 --by kim").await;
    assert_eq!(settled, json!({ "run": "1", "state": "confirmed", "count": 2, "operation": 2 }));
    let followed = desk.json("operations").await;
    let seen: Vec<_> = followed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["kind"], &one["run"], &one["asked_by"]))
        .collect();
    let kind = json!("confirmation");
    assert_eq!(seen, [(&kind, &json!("1"), &json!("kim")), (&kind, &json!("L1"), &json!("kim"))]);
    assert_eq!(count(&desk.database, "select count(*) from calendar_event where not wanted").await, 2);
    desk.refused("withheld confirm 1", &["run 1 does not wait any more, it is confirmed"]).await;
    for unknown in ["withheld confirm 9", "withheld show L9", "withheld reject L9"] {
        desk.refused(unknown, &["there is no withheld run"]).await;
    }
    assert_eq!(desk.run("withheld show nine").await.status, 2);
    assert_eq!(desk.json("withheld list").await, json!([]));
    let all = desk.text("withheld list --settled").await;
    assert!(all.contains("confirmed by kim"), "{all}");
}

/// Regression: one command said that the deletions come when the mailbox is used again, others that they never do, and
/// `operations` nothing of what keeps them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmed_run_of_a_mailbox_that_is_not_in_use_is_told_alike_by_all() {
    let desk = Desk::new().await;
    withhold(&desk.database).await;
    let held = "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at, ack_version = version";
    sql(&desk.database.store, held).await;
    desk.text("mailbox block a@x.dk --reason on_leave --by kim").await;
    let confirmed = desk.json("withheld confirm 1 --by kim").await;
    assert_eq!((&confirmed["count"], &confirmed["waits_for"]), (&json!(2), &json!("not_in_use")));
    let id = confirmed["operation"].as_i64().unwrap();
    let reason = "not sent while the mailbox is not in use";
    let shown = desk.json(&format!("operations {id}")).await;
    assert_eq!((&shown["state"], &shown["waits_for"]), (&json!("waiting"), &json!("not_in_use")));
    assert_eq!(shown["waiting"], json!([{ "mailbox": "a@x.dk", "reason": reason }]));
    for line in ["operations".to_owned(), format!("operations {id}")] {
        let told = desk.text(&line).await;
        assert!(told.contains(&format!("waiting: confirmed; a@x.dk: {reason}")), "{line}: {told}");
    }
    let told = desk.text(&format!("operations {id} --language da")).await;
    assert!(told.matches("sendes ikke, så længe postkassen ikke er i brug").count() == 2, "{told}");
    for line in ["diff a@x.dk", "doctor a@x.dk"] {
        let told = desk.run(line).await.out;
        assert!(told.contains(reason) && !told.contains("never sent"), "{line}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_run_keeps_what_it_would_have_deleted() {
    let desk = Desk::new().await;
    withhold(&desk.database).await;
    assert!(desk.text("withheld reject L1").await.contains("stay in use until Planner lists them again"));
    assert!(desk.text("withheld reject 1").await.contains("2 appointments stay"));
    assert_eq!(
        count(&desk.database, "select count(*) from planner_resource where deleted_date is not null").await,
        0
    );
    assert_eq!(count(&desk.database, "select count(*) from calendar_event where not wanted").await, 0);
    assert_eq!(desk.json("withheld list --settled").await[0]["state"], "rejected");
    let followed = desk.json("operations").await;
    assert_eq!((&followed[0]["kind"], &followed[0]["run"]), (&json!("rejection"), &json!("1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_set_aside_is_shown_with_its_reason_and_tried_again() {
    let desk = Desk::new().await;
    assert_eq!(desk.text("set-aside list").await, "nothing is set aside\n");
    desk.refused("set-aside retry --all", &["nothing of that is set aside"]).await;
    for name in ["a@x.dk", "b@x.dk"] {
        resource(&desk.database.store, name).await;
        decide(&desk.database.store, name, "ASIDE", Some(slot(1))).await;
        decide(&desk.database.store, name, "REFUSED", Some(slot(1))).await;
    }
    sql(&desk.database.store, "\
        update calendar_event set set_aside_version = version, set_aside_reason = 'failed too often', attempts = 50, \
            stopped_at = now() where origin_id = 'ASIDE'; \
        update calendar_event set refused_version = version, refused_code = 5, stopped_at = now() where origin_id = 'REFUSED'; \
        insert into notification (mail, bucket, event_type, item_id, received_at, attempts, last_error, set_aside_at) \
        values ('a@x.dk', 1, 'CreatedEvent', 'I', now(), 5, 'ErrorAccessDenied', now()), \
               ('b@x.dk', 1, 'ModifiedEvent', 'J', now(), 5, 'ErrorCorruptData', now())").await;
    let text = desk.text("set-aside list").await;
    for word in [
        "ErrorAccessDenied",
        "CreatedEvent",
        "set aside: failed too often",
        "refused by Planner with code 5",
        " create ",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    // regression: Planner was said to hold what it should
    for line in ["diff", "diff a@x.dk"] {
        let told = desk.text(line).await;
        assert!(!told.contains("Planner holds what it should"), "{told}");
        for words in ["kommuneklient explain a@x.dk ASIDE", "kommuneklient explain a@x.dk REFUSED"] {
            assert!(told.contains(words), "{words} is missing in\n{told}");
        }
    }
    let diff = desk.json("diff a@x.dk").await;
    assert_eq!((&diff["stopped"]["refused"], &diff["stopped"]["set_aside"]), (&json!(1), &json!(1)));
    // regression: neither told of notifications
    assert_eq!(diff["stopped"]["notifications"], json!(1));
    assert!(desk.text("diff").await.contains("2 notifications are set aside"));
    let story = desk.text("explain a@x.dk").await;
    assert!(story.contains("1 notification of it is set aside"), "{story}");
    // regression: it was told to wait
    for (line, words) in
        [("mailbox show b@x.dk", ": set aside"), ("mailbox show b@x.dk --language da", ": lagt til side")]
    {
        let page = desk.text(line).await;
        let last = page.lines().find(|line| line.contains("notification ") || line.contains("notifikation "));
        assert!(last.is_some_and(|line| line.ends_with(words)), "{line}: {page}");
    }
    let of_a = desk.json("set-aside list --mailbox a@x.dk").await;
    assert_eq!(of_a["notifications"].as_array().unwrap().len(), 1);
    assert_eq!(of_a["appointments"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&of_a["appointments"][0]["tries"], &of_a["appointments"][1]["refused"], &of_a["complete"]),
        (&json!(50), &json!(5), &json!(true))
    );
    let id = of_a["notifications"][0]["id"].as_i64().unwrap();
    assert_eq!(
        desk.json(&format!("set-aside retry {id}")).await,
        json!({ "notifications": 1, "appointments": 0 })
    );
    desk.refused(&format!("set-aside retry {id}"), &["nothing of that is set aside"]).await;
    assert_eq!(
        desk.json("set-aside retry --mailbox a@x.dk").await,
        json!({ "notifications": 0, "appointments": 1 })
    );
    let text = desk.text("set-aside retry --all").await;
    assert_eq!(text, "tried again: 1 notification, 1 appointment\n");
    let left = desk.json("set-aside list").await;
    assert_eq!(left["notifications"], json!([]));
    assert_eq!(left["appointments"].as_array().unwrap().len(), 2, "what Planner refused stays refused");
    assert_eq!(desk.run("set-aside retry").await.status, 2);
}
