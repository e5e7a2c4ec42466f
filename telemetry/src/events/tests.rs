//! Goal: an event with a code is counted once under source, code and severity of the registry, reaches
//! the receiver with its fields, and a receiver that is behind costs the oldest events, counted.

use base::clock::ManualClock;
use base::event_entry::{Bilingual, Hint};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Options, Telemetry};

const HINT: Hint = Hint { words: Bilingual { en: "look", da: "se" }, commands: &[] };
const REGISTRY: &[CodeEntry] = &[
    CodeEntry::new(
        2903,
        "EPS",
        Severity::Error,
        Bilingual { en: "cannot fetch", da: "kan ikke hente" },
        &HINT,
    )
    .in_a_row(1)
    .per("mailbox")
    .ends_on("fetched"),
    CodeEntry::new(6208, "PCS", Severity::Information, Bilingual { en: "exists", da: "findes" }, &HINT),
];
const RANGES: &[EventRange] =
    &[EventRange { first: 6200, last: 6249, source: "PCS", severity: Severity::Warning }];

/// Runs `work` under telemetry of its own.
fn raised(event_queue: usize, work: impl FnOnce()) -> (EventReceiver, Metrics) {
    let metrics = Metrics::new();
    let options = Options {
        log_filter: "off".to_owned(),
        registry: REGISTRY,
        ranges: RANGES,
        event_queue,
        metrics: metrics.clone(),
        clock: ManualClock::at("2026-08-01T09:30:00Z".parse().unwrap()),
        ..Options::default()
    };
    let (_telemetry, dispatch, receiver) = Telemetry::build(options).unwrap();
    tracing::dispatcher::with_default(&dispatch, work);
    (receiver, metrics)
}

#[test]
fn the_registry_says_source_and_severity() {
    let (mut events, metrics) = raised(10, || {
        tracing::warn!(event_id = 2903u16, mailbox = "a@b.test", attempts = 3, "not fetched");
        tracing::warn!(event_id = 6215, "refused");
        tracing::warn!(event_id = 6208u16, "exists");
        tracing::info!(event_id = 2903u16, "again");
        tracing::info!("no code");
    });
    let first = events.try_recv().unwrap();
    let expected = RaisedEvent {
        code: 2903,
        severity: Severity::Error,
        source: "EPS",
        message: "not fetched".to_owned(),
        fields: json!({ "mailbox": "a@b.test", "attempts": 3 }).as_object().unwrap().clone(),
        at: "2026-08-01T09:30:00Z".parse().unwrap(),
        trace_id: None,
        known: true,
        alert: Some(false),
    };
    assert_eq!(first, expected);
    let mut rest = Vec::new();
    while let Some(event) = events.try_recv() {
        rest.push((event.code, event.severity));
    }
    // A range gives its severity, an entry of the registry wins over the range it lies in.
    assert_eq!(rest, [(6215, Severity::Warning), (6208, Severity::Information), (2903, Severity::Error)]);
    let text = metrics.encode().unwrap();
    for line in [
        "kommuneklient_events_total{source=\"EPS\",code=\"2903\",severity=\"error\"} 2",
        "kommuneklient_events_total{source=\"PCS\",code=\"6215\",severity=\"warning\"} 1",
        "kommuneklient_events_total{source=\"PCS\",code=\"6208\",severity=\"information\"} 1",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn an_unknown_code_is_delivered_and_reported_once() {
    let memory = std::sync::Arc::default();
    let options = Options {
        log_output: crate::LogOutput::Memory(std::sync::Arc::clone(&memory)),
        metrics: Metrics::new(),
        ..Options::default()
    };
    let metrics = options.metrics.clone();
    let (_telemetry, dispatch, mut events) = Telemetry::build(options).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::error!(event_id = 9876u16, "first");
        tracing::error!(event_id = 9876u16, "second");
        for _ in 0..2 {
            let event = events.try_recv().unwrap();
            assert_eq!((event.code, event.source, event.known), (9876, UNKNOWN_SOURCE, false));
            assert_eq!(event.severity, Severity::Error);
        }
    });
    let log = String::from_utf8(memory.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("stands in no registry code=9876").count(), 1, "{log}");
    let text = metrics.encode().unwrap();
    assert!(text.contains("{source=\"unknown\",code=\"9876\",severity=\"error\"} 2"), "{text}");
}

#[test]
fn what_is_no_code_is_an_ordinary_field() {
    let (mut events, _) = raised(10, || {
        tracing::warn!(event_id = "text", "not a number");
        tracing::warn!(event_id = 70_000, "too large");
    });
    assert_eq!(events.try_recv(), None);
}

#[test]
fn fields_recorded_later_are_inherited_and_inner_ones_win() {
    let (mut events, _) = raised(10, || {
        let outer = tracing::info_span!("outer", mailbox = "outer@b.test").entered();
        let inner = tracing::info_span!("inner", mailbox = tracing::field::Empty).entered();
        tracing::warn!(event_id = 2903u16, "before");
        inner.record("mailbox", "inner@b.test");
        tracing::warn!(event_id = 2903u16, "after");
        tracing::warn!(event_id = 2903u16, mailbox = "own@b.test", "own");
        drop((inner, outer));
    });
    let mailboxes: Vec<_> =
        std::iter::from_fn(|| events.try_recv()).map(|event| event.fields["mailbox"].clone()).collect();
    assert_eq!(mailboxes, [json!("outer@b.test"), json!("inner@b.test"), json!("own@b.test")]);
}

#[tokio::test]
async fn the_receiver_waits_and_ends() {
    let (sender, mut receiver) = channel(10, crate::Counter::default(), no_alerts());
    let waiting = tokio::spawn(async move {
        let first = receiver.recv_many(10).await;
        let last = receiver.recv_many(10).await;
        (first.len(), last.len(), receiver.recv().await)
    });
    tokio::task::yield_now().await;
    sender.send(event(1));
    tokio::task::yield_now().await;
    sender.send(event(2));
    sender.send(event(3));
    sender.close();
    sender.send(event(4));
    assert_eq!(waiting.await.unwrap(), (1, 2, None));
}

fn event(code: u16) -> RaisedEvent {
    RaisedEvent {
        code,
        severity: Severity::Warning,
        source: "EPS",
        message: String::new(),
        fields: Map::new(),
        at: Timestamp::UNIX_EPOCH,
        trace_id: None,
        known: true,
        alert: None,
    }
}

fn no_alerts() -> Alerts {
    Alerts::new(&[], Metrics::new(), base::SystemClock::shared())
}

/// A success ends the alert of its own subject, whatever the level it is told at, and is neither counted nor delivered.
#[test]
fn a_threshold_that_is_passed_shows_in_the_event_and_in_the_metrics_until_a_success() {
    let mut shown = Vec::new();
    let metrics = Metrics::new();
    let options = Options {
        log_filter: "info".to_owned(),
        log_output: crate::LogOutput::Memory(std::sync::Arc::default()),
        registry: REGISTRY,
        metrics: metrics.clone(),
        ..Options::default()
    };
    let (_telemetry, dispatch, mut events) = Telemetry::build(options).unwrap();
    let mut gauge = |what: &str| {
        let text = metrics.encode().unwrap();
        let value =
            text.lines().find_map(|line| line.strip_prefix("kommuneklient_alert_active{code=\"2903\"} "));
        shown.push((what.to_owned(), value.map(ToOwned::to_owned)));
    };
    gauge("at the start");
    tracing::dispatcher::with_default(&dispatch, || {
        for mailbox in ["a@b.test", "c@d.test", "a@b.test"] {
            tracing::error!(event_id = 2903u16, mailbox, "not fetched");
        }
        gauge("twice in a row for one");
        tracing::debug!(succeeded = "fetched", mailbox = "c@d.test");
        gauge("the other one was fetched");
        tracing::debug!(succeeded = "fetched", mailbox = "a@b.test");
        gauge("it was fetched");
    });
    let shown: Vec<_> = shown.iter().map(|(what, value)| (what.as_str(), value.as_deref())).collect();
    assert_eq!(
        shown,
        [
            ("at the start", Some("0.0")),
            ("twice in a row for one", Some("1.0")),
            ("the other one was fetched", Some("1.0")),
            ("it was fetched", Some("0.0")),
        ]
    );
    let alerts: Vec<_> = std::iter::from_fn(|| events.try_recv()).map(|event| event.alert).collect();
    assert_eq!(alerts, [Some(false), Some(false), Some(true)]);
    let changes = events.alerts().look();
    assert_eq!(changes.len(), 2, "{changes:?}");
}

proptest! {
    /// Whatever is sent: the queue holds the newest, in order, and every other one is counted.
    #[test]
    fn the_newest_survive(capacity in 0usize..20, sent in 0u16..60) {
        let dropped = crate::Counter::default();
        let (sender, mut receiver) = channel(capacity, dropped.clone(), no_alerts());
        for code in 0..sent {
            sender.send(event(code));
        }
        let got: Vec<u16> = std::iter::from_fn(|| receiver.try_recv()).map(|event| event.code).collect();
        let kept = usize::from(sent).min(capacity.max(1));
        let expected: Vec<u16> = (0..sent).skip(usize::from(sent) - kept).collect();
        prop_assert_eq!(&got, &expected);
        prop_assert_eq!(dropped.get() as usize, usize::from(sent) - kept);
        prop_assert_eq!(receiver.dropped(), dropped.get());
    }
}
