//! Appointments that no sensible client makes.

use end_to_end::{Scene, Setting, mailbox};
use proto_ews::{CalendarItem, field};
use serde_json::json;

use crate::PROGRAM;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_appointments_are_brought_as_they_are_or_left_and_hold_up_nobody() {
    let mut scene = Scene::ready(PROGRAM, Setting::default()).await;
    let long = "ø".repeat(500);
    let strange = [
        "WITH$20310304-090000".to_owned(),
        "WITH#0123456789abcdef".to_owned(),
        "<&>\"'&amp;]]>".to_owned(),
        "  blanks  inside and around  ".to_owned(),
        long.clone(),
    ];
    for (number, uid) in strange.iter().enumerate() {
        let item = scene.appointment(uid, 3 + i64::try_from(number).unwrap());
        scene.outlook.create(&mailbox(1), item).await.unwrap();
    }
    // never ends, as far as Exchange can say so
    let endless = CalendarItem {
        end: Some("9999-12-30T21:00:00Z".parse().unwrap()),
        ..scene.appointment("ENDLESS", 4)
    };
    scene.outlook.create(&mailbox(2), endless).await.unwrap();
    // without a UID
    let nameless = scene.outlook.create(&mailbox(2), scene.appointment("NAMED", 5)).await.unwrap();
    let without = CalendarItem { uid: Some(String::new()), ..CalendarItem::default() };
    scene.outlook.update(&mailbox(2), nameless.into(), vec![(field::UID, without)]).await.unwrap();
    // ends before it starts
    let backward = scene.outlook.create(&mailbox(2), scene.appointment("BACKWARD", 6)).await.unwrap();
    scene
        .exchange_act(json!({
            "act": "distort", "mailbox": mailbox(2), "item": backward.id,
            "start": scene.at(6, 12), "end": scene.at(6, 8),
        }))
        .await;
    scene.outlook.create(&mailbox(3), scene.appointment("PLAIN", 3)).await.unwrap();
    let held = scene.until_in_step().await;
    let origins: Vec<&str> = held.keys().map(|(_, origin)| origin.as_str()).collect();
    for uid in &strange {
        assert!(origins.contains(&uid.trim()) || origins.contains(&uid.as_str()), "{uid}: {origins:?}");
    }
    assert!(origins.iter().any(|origin| origin.starts_with("ITEM#")), "{origins:?}");
    assert!(origins.contains(&"ENDLESS"), "{origins:?}");
    assert!(!origins.contains(&"BACKWARD"), "{origins:?}");
    assert_eq!(held.len(), strange.len() + 3);
    scene.assert_unharmed().await;
}
