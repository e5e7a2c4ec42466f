//! Goal: what is counted stands in the text under its name and labels, and nothing that callers do can
//! make the text grow without bound or break it.

use super::*;

#[test]
fn what_is_counted_stands_in_the_text() {
    let metrics = Metrics::new();
    metrics.counter("calls", "Calls to Planner", &[("operation", "create")]).inc_by(3);
    metrics.counter("calls_total", "Calls to Planner", &[("operation", "create")]).inc();
    metrics.gauge("oldest_unsent_seconds", "Age of the oldest unsent change.", &[]).set(1.5);
    metrics.histogram("latency_seconds", "Change to receipt", &[], LATENCY_SECONDS).observe(0.3);
    let text = metrics.encode().unwrap();
    for line in [
        "# HELP calls Calls to Planner.",
        "# TYPE calls counter",
        "calls_total{operation=\"create\"} 4",
        "# HELP oldest_unsent_seconds Age of the oldest unsent change.",
        "oldest_unsent_seconds 1.5",
        "latency_seconds_bucket{le=\"0.25\"} 0",
        "latency_seconds_bucket{le=\"0.5\"} 1",
        "latency_seconds_count 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn the_same_name_and_labels_are_the_same_instrument() {
    let metrics = Metrics::new();
    metrics.gauge("g", "help", &[("a", "1")]).add(2.0);
    metrics.gauge("g", "another help", &[("a", "1")]).add(-0.5);
    assert_eq!(metrics.gauge("g", "help", &[("a", "1")]).get(), 1.5);
    assert_eq!(metrics.gauge("g", "help", &[("a", "2")]).get(), 0.0);
    assert_eq!(metrics.encode().unwrap().matches("# TYPE g gauge").count(), 1);
}

#[test]
fn a_name_of_two_kinds_keeps_the_first() {
    let metrics = Metrics::new();
    metrics.counter("x", "help", &[]).inc();
    metrics.gauge("x", "help", &[]).set(7.0);
    let text = metrics.encode().unwrap();
    assert!(text.contains("x_total 1\n") && !text.contains("gauge"), "{text}");
}

#[test]
fn label_combinations_are_bounded() {
    let metrics = Metrics::new();
    for number in 0..SERIES_MAX + 50 {
        metrics.counter("many", "help", &[("mailbox", &number.to_string())]).inc();
    }
    // A series that exists goes on to be counted by its own name.
    metrics.counter("many", "help", &[("mailbox", "0")]).inc();
    let text = metrics.encode().unwrap();
    assert_eq!(text.matches("many_total{").count(), SERIES_MAX + 1);
    assert!(text.contains("many_total{mailbox=\"other\"} 50\n"));
    assert!(text.contains("many_total{mailbox=\"0\"} 2\n"));
}

#[test]
fn label_values_cannot_break_the_text() {
    let metrics = Metrics::new();
    metrics.counter("c", "help", &[("v", "a\"b\\c\nd")]).inc();
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"c_total{v="a\"b\\c\nd"} 1"#), "{text}");
}
