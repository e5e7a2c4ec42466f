//! Goal: the numbers that the module gives are right: faults of a stream that come again at once escalate to the
//! group, and never beyond it, whatever the jitter.

use base::{Clock, SystemClock};
use supervision::intensity::RestartLog;

use super::*;
use crate::config::GroupOptions;

/// When failures with these times between them escalate, counted from the first.
fn escalations(intensity: Intensity, pauses: &[Duration]) -> Option<Duration> {
    let start = SystemClock.monotonic();
    let mut log = RestartLog::new(intensity);
    let mut at = Duration::ZERO;
    for pause in pauses {
        if !log.grant(start + at) {
            return Some(at);
        }
        at += *pause;
    }
    None
}

fn pauses(backoff: base::Backoff, random: f64, plus: Duration) -> Vec<Duration> {
    (1..=100).map(|failure| backoff.delay(failure, random) + plus).collect()
}

#[test]
fn a_stream_that_always_breaks_escalates_to_its_group_and_not_beyond() {
    let restart = GroupOptions::default().restart;
    let soonest = escalations(STREAM_FAULTS, &pauses(restart, 1.0, Duration::ZERO)).expect("escalates");
    let latest = escalations(STREAM_FAULTS, &pauses(restart, 0.0, Duration::ZERO)).expect("escalates");
    assert_eq!(soonest, Duration::from_millis(5_875));
    assert_eq!(latest, Duration::from_millis(11_750));
    let of_groups = supervision::backoff::default_backoff();
    for random in [0.0, 0.5, 1.0] {
        assert_eq!(escalations(GROUP_FAULTS, &pauses(of_groups, random, soonest)), None);
    }
}

#[test]
fn a_stream_that_breaks_every_ten_seconds_does_not_escalate() {
    let restart = GroupOptions::default().restart;
    let lived = Duration::from_secs(10);
    assert_eq!(escalations(STREAM_FAULTS, &pauses(restart, 1.0, lived)), None);
}
