//! What comes on the stream, and instead of it.

use end_to_end::{Scene, Setting, mailbox};
use serde_json::json;

use crate::PROGRAM;
use crate::exchange::{OVERSIZED, bad_answers, next, until_met};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_cannot_be_opened_is_told_and_opened_later() {
    // a malformed or oversized stream is the next test: its answer never ends
    let faults = bad_answers().into_iter().filter(|bad| !["malformed", "oversized"].contains(&bad.words));
    for bad in faults {
        // a scene each: pauses between streams that fail one after the other grow
        let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
        // the anchor's address is what the request is about
        next(&scene, &bad.kind, "GetStreamingEvents", &mailbox(1), 1).await;
        scene.exchange_act(json!({"act": "drop_streams"})).await;
        scene.outlook.create(&mailbox(2), scene.appointment("UID", 3)).await.unwrap();
        scene.until_raised(4908, bad.words).await;
        assert_eq!(scene.until_in_step().await.len(), 1);
        until_met(&scene).await;
        scene.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_a_stream_is_told_and_what_it_hid_is_caught_up() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let garbage = [
        (json!("page_on_stream"), "malformed"),
        (json!("cut_envelope"), "stream ended"),
        (json!({"oversized_envelope": {"bytes": OVERSIZED}}), "malformed"),
    ];
    for (number, (kind, words)) in garbage.iter().enumerate() {
        let before = scene.raised(4911).await.len();
        // what is met by a stream that is being opened is no garbage on a stream
        scene.until_streamed(3).await;
        scene.exchange_fault(json!({"kind": kind, "next": 1})).await;
        let item = scene.appointment(&format!("UID-{number}"), 3 + i64::try_from(number).unwrap());
        scene.outlook.create(&mailbox(2), item).await.unwrap();
        assert_eq!(scene.until_in_step().await.len(), number + 1);
        scene.until_raised(4911, words).await;
        assert!(scene.raised(4911).await.len() > before, "{kind} was not told");
        until_met(&scene).await;
    }
    scene.assert_unharmed().await;
}
