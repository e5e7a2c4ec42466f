//! Streams: form, order, limits, affinity, take-over, and what a vanished client leaves behind.

use std::time::Duration;

use proto_ews::{
    ConnectionStatus, DeleteType, Event, EventKind, ResponseCode, StreamMessage, SubscriptionId, Target,
};
use simulator_exchange::{Options, Simulator};

use super::client::{Client, Next, wait_for};
use super::{created, delete_item, start, stream, subscribed};

fn kinds(message: &StreamMessage) -> Vec<EventKind> {
    let events = message.notifications.iter().flat_map(|notification| &notification.events);
    events
        .filter_map(|event| match event {
            Event::Change(change) => Some(change.kind),
            Event::Status => None,
        })
        .collect()
}

fn problem(message: &StreamMessage) -> (ResponseCode, Vec<SubscriptionId>) {
    let problem = message.problem.as_ref().unwrap_or_else(|| panic!("no problem in {message:?}"));
    (problem.code.clone(), message.error_subscription_ids.clone())
}

async fn open_streams(simulator: &Simulator, expected: usize) {
    wait_for("open streams", async || {
        let open = simulator.service().world().hub.streams().count();
        if open == expected { Ok(()) } else { Err(format!("{open} are open, not {expected}")) }
    })
    .await;
}

#[tokio::test]
async fn one_whole_unprefixed_envelope_a_chunk_from_ok_to_closed() {
    let simulator = start(Options {
        heartbeat: Duration::from_millis(300),
        stream_minute: Duration::from_millis(1_000),
        ..Options::default()
    })
    .await;
    let client = Client::new(simulator.url());
    let id = subscribed(&client).await;
    let item = created(&client).await;
    let (head, mut chunks) = client.open(stream(&[&id])).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(head.header("x-nobuffering"), Some("1"));
    assert_eq!(head.header("content-type"), Some("text/xml; charset=utf-8"));

    let Next::Message(first, text) = chunks.envelope().await else { panic!("no message") };
    assert!(text.starts_with("<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\">"), "{text}");
    assert!(text.contains("<soap11:Header ") && text.contains("<soap11:Body "), "{text}");
    assert_eq!(*first, StreamMessage::status(ConnectionStatus::Ok));

    // What happened before the stream was open has waited.
    let Next::Message(second, text) = chunks.envelope().await else { panic!("no message") };
    assert!(text.contains("<m:Notification>"), "{text}");
    assert!(text.starts_with("<Envelope ") && !text.contains("ConnectionStatus"), "{text}");
    let notification = &second.notifications[0];
    assert_eq!(notification.subscription_id, id);
    assert_eq!(kinds(&second).first(), Some(&EventKind::Created));
    let Event::Change(change) = &notification.events[0] else { panic!("no change") };
    let Target::Item(target) = &change.target else { panic!("no item") };
    assert_eq!((target.id.as_str(), target.change_key.as_deref()), (item.id.as_str(), Some("DwAAAA==")));
    assert_ne!(target.change_key, item.change_key, "change keys in events are stubs");
    assert_eq!(change.time_stamp.subsec_nanosecond(), 0);
    let Some(Event::Change(last)) = notification.events.last() else { panic!("no change") };
    assert!(
        matches!(&last.target, Target::Folder(folder) if folder.change_key.as_deref() == Some("AgAAAA=="))
    );

    let heartbeat = chunks.message().await;
    assert_eq!(heartbeat.notifications[0].events, [Event::Status]);
    let mut latest = heartbeat;
    while latest.connection_status.is_none() {
        latest = chunks.message().await;
    }
    assert_eq!(latest, StreamMessage::status(ConnectionStatus::Closed));
    assert!(matches!(chunks.envelope().await, Next::End));
    open_streams(&simulator, 0).await;

    // The subscription has outlived the connection.
    created(&client).await;
    let (_, mut again) = client.open(stream(&[&id])).await;
    again.message().await;
    assert_eq!(kinds(&again.message().await).first(), Some(&EventKind::Created));
    simulator.stop().await;
}

#[tokio::test]
async fn a_change_is_on_the_stream_at_once() {
    let simulator = start(Options::default()).await;
    let client = Client::new(simulator.url());
    let others = Client::new(simulator.url()).acting("m0002@sim.test");
    // m0002 may be at home on another back end: the anchor brings both subscriptions to one.
    let anchor = |client: Client| client.header("X-AnchorMailbox", "m0001@sim.test");
    let one = subscribed(&anchor(client.clone())).await;
    let two = subscribed(&anchor(others.clone())).await;
    let (_, mut chunks) = anchor(client.clone()).open(stream(&[&one, &two])).await;
    chunks.message().await;
    for own in [&client, &others] {
        let item = created(own).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(kinds(&chunks.message().await).first(), Some(&EventKind::Created));
        assert!(tokio::time::Instant::now() - begun < Duration::from_millis(500));
        own.ask(delete_item(&item, DeleteType::MoveToDeletedItems)).await;
        let moved = chunks.message().await;
        assert!(kinds(&moved).contains(&EventKind::Moved), "{moved:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn an_account_has_three_streams_and_a_vanished_client_none() {
    let simulator = start(Options { accounts: 2, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(subscribed(&client).await);
    }
    let mut open = Vec::new();
    for id in &ids[..3] {
        let (_, mut chunks) = client.open(stream(&[id])).await;
        chunks.message().await;
        open.push(chunks);
    }
    let refused = client.ask(stream(&[&ids[3]])).await;
    assert_eq!((refused.status, refused.fault_code().as_str()), (500, "ErrorExceededConnectionCount"));
    // The client of the first goes away without a word.
    drop(open.remove(0));
    open_streams(&simulator, 2).await;
    let (_, mut chunks) = client.open(stream(&[&ids[3]])).await;
    assert_eq!(chunks.message().await.connection_status, Some(ConnectionStatus::Ok));
    simulator.stop().await;
}

#[tokio::test]
async fn the_wrong_back_end_does_not_know_the_subscription() {
    let simulator = start(Options { mailboxes: 20, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    let anchored = |anchor: &str| {
        client.clone().header("X-AnchorMailbox", anchor).header("X-PreferServerAffinity", "true")
    };
    let answer = anchored("m0001@sim.test").ask(super::subscribe()).await;
    let cookie = answer.header("set-cookie").expect("the cookie is set").to_owned();
    assert!(cookie.starts_with("X-BackEndOverrideCookie=ex1-"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let proto_ews::Response::Subscribe(mut answers) = answer.response() else { panic!("no answer") };
    let id = answers.remove(0).into_result().unwrap();
    let home = answer.header("x-beserver").unwrap().to_owned();

    let mut elsewhere = None;
    for number in 2..=20 {
        let anchor = format!("m{number:04}@sim.test");
        let other = anchored(&anchor).ask(super::get_folder()).await;
        if other.header("x-beserver") != Some(&home) {
            elsewhere = Some(anchor);
            break;
        }
    }
    let elsewhere = elsewhere.expect("twenty mailboxes live on more than one back end");
    let (head, mut chunks) = anchored(&elsewhere).open(stream(&[&id])).await;
    assert_eq!(head.status, 200);
    let message = match head.header("content-length") {
        Some(_) => panic!("a refusal has the form of a stream"),
        None => chunks.message().await,
    };
    assert_eq!(problem(&message), (ResponseCode::SUBSCRIPTION_NOT_FOUND, vec![id.clone()]));
    assert!(matches!(chunks.envelope().await, Next::End));

    // With the cookie the anchor does not matter, and the cookie is not set again.
    let pinned = anchored(&elsewhere).header("Cookie", &format!("a=b; {cookie}; c=d"));
    let (head, mut chunks) = pinned.open(stream(&[&id])).await;
    assert_eq!(chunks.message().await.connection_status, Some(ConnectionStatus::Ok));
    assert_eq!(head.header("set-cookie"), None);
    // Without the wish for affinity the cookie does not count.
    let careless = client.clone().header("X-AnchorMailbox", &elsewhere).header("Cookie", &cookie);
    let (_, mut chunks) = careless.open(stream(&[&id])).await;
    assert_eq!(problem(&chunks.message().await).0, ResponseCode::SUBSCRIPTION_NOT_FOUND);
    simulator.stop().await;
}

#[tokio::test]
async fn subscriptions_belong_to_the_account_and_to_one_stream() {
    let simulator = start(Options { accounts: 2, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    let id = subscribed(&client).await;
    let other = Client { user: "svc2".into(), ..client.clone() };
    let (_, mut chunks) = other.open(stream(&[&id])).await;
    assert_eq!(
        problem(&chunks.message().await),
        (ResponseCode::SUBSCRIPTION_ACCESS_DENIED, vec![id.clone()])
    );

    let (_, mut first) = client.open(stream(&[&id])).await;
    first.message().await;
    let (_, mut second) = client.open(stream(&[&id])).await;
    second.message().await;
    assert_eq!(
        problem(&first.message().await),
        (ResponseCode::NEW_EVENT_STREAM_CONNECTION_OPENED, vec![id.clone()])
    );
    assert!(matches!(first.envelope().await, Next::End));
    created(&client).await;
    assert!(!kinds(&second.message().await).is_empty());
    simulator.stop().await;
}

#[tokio::test]
async fn impossible_requests_for_a_stream_are_faults() {
    let simulator = start(Options::default()).await;
    let client = Client::new(simulator.url());
    let id = SubscriptionId::new("AAAA");
    let ask = |count: usize, minutes: i32| {
        proto_ews::Request::GetStreamingEvents(proto_ews::operation::GetStreamingEvents {
            subscription_ids: vec![id.clone(); count],
            connection_timeout_minutes: minutes,
        })
    };
    for (count, minutes, expected) in
        [(201, 30, "ErrorInvalidRequest"), (1, 31, "ErrorSchemaValidation"), (1, 0, "ErrorSchemaValidation")]
    {
        let answer = client.ask(ask(count, minutes)).await;
        assert_eq!((answer.status, answer.fault_code().as_str()), (500, expected), "{count} {minutes}");
    }
    simulator.stop().await;
}
