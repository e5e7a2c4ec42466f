//! Goal: a log line carries level, message, code, fields of event and spans, and the ids of its trace;
//! is one line whatever is logged; and obeys the filter without the filter touching traces or codes.

use std::sync::{Arc, Mutex};

use base::clock::ManualClock;
use serde_json::{Value, json};

use crate::{EventReceiver, LogFormat, LogOutput, Metrics, Options, Telemetry};

/// Runs `work` under telemetry of its own; answers what was logged and the receiver of its events.
fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> (String, EventReceiver) {
    let memory = Arc::new(Mutex::new(Vec::new()));
    let options = Options {
        log_format: format,
        log_filter: filter.to_owned(),
        log_output: LogOutput::Memory(Arc::clone(&memory)),
        metrics: Metrics::new(),
        clock: ManualClock::at("2026-08-01T09:30:00Z".parse().unwrap()),
        ..Options::default()
    };
    let (_telemetry, dispatch, receiver) = Telemetry::build(options).unwrap();
    tracing::dispatcher::with_default(&dispatch, work);
    let text = String::from_utf8(memory.lock().unwrap().clone()).unwrap();
    (text, receiver)
}

#[test]
fn text_has_everything_on_one_line() {
    let (text, _) = logged(LogFormat::Text, "info", || {
        tracing::warn!(event_id = 2903u16, mailbox = "a@b.test", note = "two words", n = 3, "no answer\nbad");
    });
    assert_eq!(
        text,
        "2026-08-01T09:30:00.000000Z WARN  telemetry::log::tests: no answer\\nbad event_id=2903 \
         mailbox=a@b.test note=\"two words\" n=3\n"
    );
}

#[test]
fn json_has_the_ids_of_trace_and_span() {
    let mut of_span = None;
    let (text, _) = logged(LogFormat::Json, "info", || {
        let span = tracing::info_span!("work", mailbox = "a@b.test", other = 1);
        let _inside = span.enter();
        of_span = crate::trace::current();
        tracing::info!(ok = true, "done");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    let context = of_span.expect("a span inside telemetry has a context");
    assert_eq!(line["trace_id"], json!(context.trace_id()));
    assert_eq!(line["span_id"], json!(&context.as_str()[36..52]));
    assert_eq!(line["timestamp"], json!("2026-08-01T09:30:00.000000Z"));
    assert_eq!(line["level"], json!("INFO"));
    assert_eq!(line["message"], json!("done"));
    // Of the span's fields only the ones that events inherit.
    assert_eq!(line["fields"], json!({ "mailbox": "a@b.test", "ok": true }));
}

#[test]
fn an_error_is_logged_with_its_causes() {
    let error = crate::TelemetryError::Runtime { source: std::io::Error::other("no threads left") };
    let (text, _) = logged(LogFormat::Text, "info", || {
        tracing::error!(error = &error as &dyn std::error::Error, "start failed");
    });
    assert!(text.contains("cannot be started: no threads left\""), "{text}");
}

#[test]
fn the_filter_decides_lines_but_not_traces_and_codes() {
    let mut context = None;
    let (text, mut events) = logged(LogFormat::Text, "warn,telemetry::log=error", || {
        let span = tracing::info_span!("work", mailbox = "a@b.test");
        let _inside = span.enter();
        context = crate::trace::current();
        tracing::warn!(event_id = 2903u16, "hidden by its target");
        tracing::error!("shown");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("shown mailbox=a@b.test trace_id="), "{text}");
    assert!(context.is_some());
    let event = events.try_recv().unwrap();
    assert_eq!((event.code, &event.fields["mailbox"]), (2903, &json!("a@b.test")));
    assert_eq!(event.trace_id.as_deref(), context.as_ref().map(|c| c.trace_id()));
}

#[test]
fn a_wrong_filter_is_refused() {
    let options = Options { log_filter: "info,store=loud".to_owned(), ..Options::default() };
    let error = Telemetry::build(options).unwrap_err();
    assert!(error.to_string().contains("info,store=loud"), "{error}");
}

/// The library of NTLM logins shows whole messages at its lower levels: what is made of the password stands in them.
#[test]
fn no_filter_lets_the_messages_of_a_login_through() {
    for filter in ["trace", "info,sspi=trace"] {
        let (text, _) = logged(LogFormat::Text, filter, || {
            tracing::error!(target: "sspi::ntlm", "a message");
            tracing::info!("shown");
        });
        assert!(text.contains("shown") && !text.contains("a message"), "{filter}: {text}");
    }
}

#[test]
fn long_values_and_many_fields_are_cut() {
    let long = "æ".repeat(5_000);
    let (text, _) = logged(LogFormat::Text, "info", || tracing::info!(long, "m"));
    assert!(text.contains('…') && text.chars().count() < 4_200);
}

#[test]
fn a_log_goes_to_a_rolled_file_and_one_that_cannot_be_written_is_refused_at_the_start() {
    let folder = std::env::temp_dir().join(format!("kommuneklient-log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rolling = crate::Rolling { file: folder.join("k.log"), size_bytes: 100, kept: 1 };
    let options = |rolling: &crate::Rolling| Options {
        log_output: LogOutput::File(rolling.clone()),
        metrics: Metrics::new(),
        ..Options::default()
    };
    let (_telemetry, dispatch, _receiver) = Telemetry::build(options(&rolling)).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        for number in 0..5 {
            tracing::info!(number, "a line of a log that is rolled");
        }
    });
    let (now, before) = (folder.join("k.log"), folder.join("k.log.1"));
    assert!(std::fs::read_to_string(&now).unwrap().ends_with("number=4\n"));
    assert!(std::fs::read_to_string(&before).unwrap().ends_with("number=3\n"));
    let error = Telemetry::build(options(&rolling)).unwrap_err();
    assert!(error.to_string().contains("each process needs a file of its own"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}
