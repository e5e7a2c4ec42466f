//! Every fault that can be injected does what it says, and nothing else.

use std::time::Duration;

use proto_ews::{EventKind, Limits, ResponseCode, StreamMessage, SubscriptionId, decode_response};
use simulator_exchange::{Options, Simulator};

use super::client::{Chunks, Client, Next, PATIENCE, wait_for};
use super::{created, get_folder, start, stream, subscribed};

async fn rule(client: &Client, rule: &str) {
    let (status, told) = client.admin("POST", "/admin/faults", rule).await;
    assert_eq!(status, 200, "{rule}: {told}");
}

async fn act(client: &Client, act: &str) -> u64 {
    let (status, told) = client.admin("POST", "/admin/acts", act).await;
    assert_eq!(status, 200, "{act}: {told}");
    told["done"].as_u64().unwrap()
}

async fn started() -> (Simulator, Client) {
    let simulator = start(Options { groups: 2, ..Options::default() }).await;
    let client = Client::new(simulator.url());
    (simulator, client)
}

async fn streaming(client: &Client) -> (SubscriptionId, Chunks) {
    let id = subscribed(client).await;
    let (_, mut chunks) = client.open(stream(&[&id])).await;
    chunks.message().await;
    (id, chunks)
}

fn code(message: &StreamMessage) -> &str {
    message.problem.as_ref().map_or("NoError", |problem| problem.code.as_str())
}

#[tokio::test]
async fn answers() {
    let (simulator, client) = started().await;
    rule(&client, r#"{"kind":{"server_busy":{"back_off_ms":1500}},"operation":"GetFolder","next":2}"#).await;
    created(&client).await;
    for _ in 0..2 {
        let answer = client.ask(get_folder()).await;
        let Err(fault) = answer.envelope().body else { panic!("no fault") };
        assert_eq!((answer.status, fault.code.as_str()), (500, "ErrorServerBusy"));
        assert_eq!(fault.back_off_ms(), Some(1_500));
    }
    assert_eq!(client.ask(get_folder()).await.status, 200, "the rule is used up");

    rule(&client, r#"{"kind":{"busy_in_body":{"back_off_ms":70}},"next":1}"#).await;
    let answer = client.ask(get_folder()).await;
    assert_eq!(answer.status, 200);
    let proto_ews::Response::GetFolder(messages) = answer.response() else { panic!("no answer") };
    assert_eq!(messages[0].problem().unwrap().back_off_ms(), Some(70));

    rule(&client, r#"{"kind":{"code_in_body":{"code":"ErrorFromTheFuture"}},"next":1}"#).await;
    let proto_ews::Response::GetFolder(messages) = client.ask(get_folder()).await.response() else {
        panic!()
    };
    assert_eq!(messages[0].problem().unwrap().code.as_str(), "ErrorFromTheFuture");

    rule(&client, r#"{"kind":"http503","next":1}"#).await;
    assert_eq!(client.try_ask(get_folder()).await.unwrap().status, 503);
    rule(&client, r#"{"kind":"unauthorized","next":1}"#).await;
    assert_eq!(client.try_ask(get_folder()).await.unwrap().status, 401);

    rule(&client, r#"{"kind":"malformed","next":1}"#).await;
    let answer = client.try_ask(get_folder()).await.unwrap();
    assert!(decode_response(&answer.body, Limits::standard()).is_err());
    rule(&client, r#"{"kind":{"oversized":{"bytes":3000000}},"next":1}"#).await;
    let answer = client.try_ask(get_folder()).await.unwrap();
    assert_eq!(answer.body.len(), 3_000_000);
    assert!(decode_response(&answer.body, Limits::standard().with_bytes(1 << 20)).is_err());

    rule(&client, r#"{"kind":{"slow":{"delay_ms":200}},"mailbox":"M0001@sim.test","next":1}"#).await;
    let begun = tokio::time::Instant::now();
    client.clone().acting("m0002@sim.test").ask(get_folder()).await;
    assert_eq!(client.ask(get_folder()).await.status, 200);
    assert!(tokio::time::Instant::now() - begun >= Duration::from_millis(200));

    rule(&client, r#"{"kind":"disconnect","operation":"CreateItem","next":1}"#).await;
    rule(&client, r#"{"kind":"disconnect_after","operation":"CreateItem","next":1}"#).await;
    let create = || super::create_item("2026-09-01T08:00:00Z", "2026-09-01T09:00:00Z");
    let items = || simulator.service().world().mailbox_mut("m0001@sim.test").unwrap().items().count();
    assert_eq!(items(), 1);
    assert!(client.try_ask(create()).await.is_none());
    assert_eq!(items(), 1, "cut before it was done");
    assert!(client.try_ask(create()).await.is_none());
    assert_eq!(items(), 2, "cut after it was done");

    rule(&client, r#"{"kind":"http503","probability":1.0}"#).await;
    assert_eq!(client.try_ask(get_folder()).await.unwrap().status, 503);
    assert_eq!(client.admin("DELETE", "/admin/faults", "").await.0, 200);
    assert_eq!(client.ask(get_folder()).await.status, 200);
    let (_, meter) = client.admin("GET", "/admin/meter", "").await;
    assert_eq!(meter["meter"]["injected"]["server_busy"], 2);
    assert_eq!(meter["meter"]["injected"]["disconnect_after"], 1);
    simulator.stop().await;
}

#[tokio::test]
async fn rules_without_sense_are_refused() {
    let (simulator, client) = started().await;
    for wrong in [
        r#"{"kind":"http503"}"#,
        r#"{"kind":"http503","next":1,"probability":0.5}"#,
        r#"{"kind":"http503","operation":"GetRooms","next":1}"#,
        r#"{"kind":"http503","operation":"Notify","next":1}"#,
        r#"{"kind":"drop_stream","operation":"GetItem","next":1}"#,
        r#"{"kind":"flood","next":1}"#,
        "[]x",
    ] {
        let (status, told) = client.admin("POST", "/admin/faults", wrong).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(told["error"].is_string(), "{told}");
    }
    for wrong in [
        r#"{"act":"access","mailbox":"ghost@sim.test","access":"full"}"#,
        r#"{"act":"move_mailbox","mailbox":"m0001@sim.test","group":3}"#,
        r#"{"act":"explode"}"#,
    ] {
        assert_eq!(client.admin("POST", "/admin/acts", wrong).await.0, 400, "{wrong}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn streams_are_dropped_and_silenced() {
    let (simulator, client) = started().await;
    let (id, mut chunks) = streaming(&client).await;
    assert_eq!(act(&client, r#"{"act":"drop_streams","mailbox":"m0002@sim.test"}"#).await, 0);
    assert_eq!(act(&client, r#"{"act":"drop_streams","mailbox":"M0001@SIM.test"}"#).await, 1);
    assert!(matches!(chunks.envelope().await, Next::Cut));

    // At the next delivery, by a rule.
    let (_, mut chunks) = client.open(stream(&[&id])).await;
    chunks.message().await;
    rule(&client, r#"{"kind":"drop_stream","next":1}"#).await;
    created(&client).await;
    assert!(matches!(chunks.envelope().await, Next::Cut));

    let (_, mut chunks) = client.open(stream(&[&id])).await;
    chunks.message().await;
    assert_eq!(act(&client, r#"{"act":"silence_streams","count":5}"#).await, 1);
    created(&client).await;
    let waiting = || simulator.service().world().hub.subscription(id.as_str()).unwrap().waiting();
    wait_for("the events to be swallowed", async || match waiting() {
        0 => Ok(()),
        waiting => Err(format!("{waiting} are waiting")),
    })
    .await;
    let (_, streams) = client.admin("GET", "/admin/streams", "").await;
    assert_eq!(streams[0]["silent"], true);
    assert_eq!(streams[0]["mailboxes"], serde_json::json!(["m0001@sim.test"]));

    // A new stream takes the subscription over and hears what comes after.
    let (_, mut anew) = client.open(stream(&[&id])).await;
    anew.message().await;
    created(&client).await;
    assert!(!anew.message().await.notifications.is_empty());
    let silence = tokio::time::timeout(Duration::from_millis(200), chunks.next()).await;
    assert!(silence.is_err(), "the silent stream says nothing, not even that it ends: {silence:?}");
    simulator.stop().await;
}

#[tokio::test]
async fn notifications_are_lost_doubled_and_subscriptions_expire() {
    let (simulator, client) = started().await;
    let (id, mut chunks) = streaming(&client).await;
    let kinds = |message: &StreamMessage| -> Vec<EventKind> {
        let events = message.notifications.iter().flat_map(|notification| &notification.events);
        events
            .filter_map(|event| match event {
                proto_ews::Event::Change(change) => Some(change.kind),
                proto_ews::Event::Status => None,
            })
            .collect()
    };
    rule(&client, r#"{"kind":{"lose":{"what":"items"}},"next":1}"#).await;
    created(&client).await;
    assert_eq!(kinds(&chunks.message().await), [EventKind::Modified], "the folder's own");

    rule(&client, r#"{"kind":{"lose":{"what":"all"}},"next":1}"#).await;
    created(&client).await;
    rule(&client, r#"{"kind":{"lose":{"what":"all_and_told"}},"mailbox":"m0001@sim.test","next":1}"#).await;
    created(&client).await;
    let missed = chunks.message().await;
    assert_eq!(code(&missed), "ErrorMissedNotificationEvents");
    assert_eq!(missed.error_subscription_ids, [id]);

    rule(&client, r#"{"kind":"duplicate","next":1}"#).await;
    created(&client).await;
    let doubled = kinds(&chunks.message().await);
    let half = doubled.len() / 2;
    assert_eq!(doubled[..half], doubled[half..]);

    rule(&client, r#"{"kind":"expire","next":1}"#).await;
    created(&client).await;
    assert_eq!(code(&chunks.message().await), "ErrorExpiredSubscription");
    assert!(matches!(chunks.envelope().await, Next::End));

    let (_, mut chunks) = streaming(&client).await;
    let expire = r#"{"act":"expire_subscriptions","mailbox":"m0001@sim.test"}"#;
    assert_eq!(act(&client, expire).await, 1);
    assert_eq!(code(&chunks.message().await), "ErrorExpiredSubscription");
    simulator.stop().await;
}

#[tokio::test]
async fn mailboxes_go_missing_and_move() {
    let (simulator, client) = started().await;
    let access =
        |access: &str| format!(r#"{{"act":"access","mailbox":"m0001@sim.test","access":"{access}"}}"#);
    let (_, mut chunks) = streaming(&client).await;
    act(&client, &access("missing")).await;
    assert_eq!(code(&chunks.message().await), "ErrorSubscriptionNotFound");
    assert_eq!(client.ask(get_folder()).await.fault_code(), "ErrorNonExistentMailbox");
    act(&client, &access("impersonation_denied")).await;
    assert_eq!(client.ask(get_folder()).await.fault_code(), "ErrorImpersonateUserDenied");
    for (told, expected) in
        [("access_denied", "ErrorAccessDenied"), ("folder_not_found", "ErrorFolderNotFound")]
    {
        act(&client, &access(told)).await;
        let proto_ews::Response::GetFolder(answers) = client.ask(get_folder()).await.response() else {
            panic!()
        };
        assert_eq!(answers[0].problem().unwrap().code.as_str(), expected);
    }
    act(&client, &access("full")).await;
    let (_, mut chunks) = streaming(&client).await;
    act(&client, r#"{"act":"move_mailbox","mailbox":"m0001@sim.test","group":2}"#).await;
    assert_eq!(code(&chunks.message().await), "ErrorSubscriptionNotFound");
    // Who still goes to the old back end is sent to discover the mailbox anew.
    let cookie = simulator_exchange::affinity::BackEnd { group: 0, index: 0 }.cookie("sim.test");
    let old = client
        .clone()
        .header("X-PreferServerAffinity", "true")
        .header("Cookie", &format!("X-BackEndOverrideCookie={cookie}"));
    let proto_ews::Response::Subscribe(answers) = old.ask(super::subscribe()).await.response() else {
        panic!()
    };
    assert_eq!(answers[0].problem().unwrap().code, ResponseCode::PROXY_REQUEST_NOT_ALLOWED);
    subscribed(&client).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_mailbox_moves_to_another_endpoint() {
    let (simulator, client) = started().await;
    let (_, mut chunks) = streaming(&client).await;
    let to = r#"{"act":"move_mailbox","mailbox":"m0001@sim.test","group":2,"host":"localhost"}"#;
    act(&client, to).await;
    assert_eq!(code(&chunks.message().await), "ErrorSubscriptionNotFound");
    assert_eq!(client.ask(get_folder()).await.fault_code(), "ErrorCrossSiteRequest");
    assert_eq!(client.ask(super::subscribe()).await.fault_code(), "ErrorCrossSiteRequest");
    // the others are served as before, and people change their calendar wherever it is
    assert_eq!(client.clone().acting("m0002@sim.test").ask(get_folder()).await.status, 200);
    created(&client).await;
    let (_, port) = client.address.rsplit_once(':').unwrap();
    let moved = Client { address: format!("localhost:{port}"), ..client.clone() };
    assert_eq!(moved.ask(get_folder()).await.status, 200);
    let (_, mut chunks) = streaming(&moved).await;
    created(&client).await;
    assert!(!chunks.message().await.notifications.is_empty(), "it is heard where it is now");
    act(&client, r#"{"act":"move_mailbox","mailbox":"m0001@sim.test","group":1}"#).await;
    assert_eq!(client.ask(get_folder()).await.status, 200);
    simulator.stop().await;
}

#[tokio::test]
async fn events_come_late_and_in_order() {
    let (simulator, client) = started().await;
    let (id, mut chunks) = streaming(&client).await;
    rule(&client, r#"{"kind":{"delay_stream":{"delay_ms":300}},"next":1}"#).await;
    let begun = tokio::time::Instant::now();
    let first = created(&client).await;
    let second = created(&client).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&second.id) {
        for event in chunks.message().await.notifications.into_iter().flat_map(|one| one.events) {
            if let proto_ews::Event::Change(change) = event
                && let (EventKind::Created, proto_ews::Target::Item(item)) = (change.kind, change.target)
            {
                heard.push(item.id);
            }
        }
    }
    assert_eq!(heard, [first.id, second.id]);
    assert!(tokio::time::Instant::now() - begun >= Duration::from_millis(300));
    let (_, meter) = client.admin("GET", "/admin/meter", "").await;
    assert_eq!(meter["meter"]["injected"]["delay_stream"], 1);
    let (_, live) = client.admin("GET", "/admin/subscriptions", "").await;
    assert_eq!((live[0]["id"].as_str(), live[0]["streamed"].as_bool()), (Some(id.as_str()), Some(true)));
    assert_eq!(live[0]["mailbox"], "m0001@sim.test");
    simulator.stop().await;
}

#[tokio::test]
async fn busy_and_down_for_a_while() {
    let (simulator, client) = started().await;
    act(&client, r#"{"act":"busy","for_ms":400,"back_off_ms":50}"#).await;
    assert_eq!(client.ask(get_folder()).await.fault_code(), "ErrorServerBusy");
    wait_for("the end of being busy", async || match client.ask(get_folder()).await.status {
        200 => Ok(()),
        status => Err(format!("status {status}")),
    })
    .await;

    let (id, mut chunks) = streaming(&client).await;
    act(&client, r#"{"act":"down","for_ms":300}"#).await;
    assert!(matches!(chunks.envelope().await, Next::Cut), "open connections are cut");
    let refused = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(&client.address)).await;
    assert!(refused.unwrap().is_err(), "nothing listens");
    wait_for("the server to be back", async || {
        tokio::net::TcpStream::connect(&client.address).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    // Only the front was down: the mailbox's memory of the subscription is as it was.
    let (_, mut chunks) = client.open(stream(&[&id])).await;
    assert!(chunks.message().await.connection_status.is_some());
    simulator.stop().await;
}
