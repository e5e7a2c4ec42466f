//! Goal: one report when an outage goes on and one when it is over, whatever number of mailboxes it concerns, and
//! nothing about one that passes at once.

use base::{Clock, SystemClock};

use super::*;

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

const S: Duration = Duration::from_secs(1);

#[test]
fn two_hundred_mailboxes_are_told_in_one_report_and_their_return_in_another() {
    let start = SystemClock.monotonic();
    let mut watch = OutageWatch::default();
    for n in 0..200 {
        watch.failed(&mail(n), "HTTP 503", "in words", start + n * S / 100);
        assert_eq!(watch.due(start + n * S / 100), None, "still gathering");
    }
    assert_eq!(watch.wake_at(), Some(start + GATHER));
    let told = Report::Began { mailboxes: 200, code: "HTTP 503".into(), reason: "in words".into() };
    assert_eq!(watch.due(start + GATHER), Some(told));
    // again and again: not told again
    for n in 0..200 {
        watch.failed(&mail(n), "timeout", "in words", start + 60 * S);
    }
    assert_eq!((watch.due(start + 60 * S), watch.wake_at()), (None, None));
    for n in 0..199 {
        assert_eq!(watch.out_of_it(&mail(n), start + 90 * S), None);
    }
    let over = Report::Over { mailboxes: 200, lasted: 95 * S };
    assert_eq!(watch.out_of_it(&mail(199), start + 95 * S), Some(over));
    assert_eq!(watch.out_of_it(&mail(199), start + 96 * S), None);
}

#[test]
fn what_passes_before_it_is_told_is_not_told_at_all() {
    let start = SystemClock.monotonic();
    let mut watch = OutageWatch::default();
    watch.failed(&mail(1), "HTTP 503", "in words", start);
    assert_eq!(watch.out_of_it(&mail(2), start + S), None, "one that had nothing to do with it");
    assert_eq!(watch.out_of_it(&mail(1), start + S), None);
    assert_eq!((watch.due(start + 9 * S), watch.wake_at()), (None, None));
    // the next one is a new one
    watch.failed(&mail(1), "timeout", "in words", start + 9 * S);
    assert_eq!(watch.wake_at(), Some(start + 9 * S + GATHER));
}

#[test]
fn of_many_failures_with_one_code_one_is_told_at_a_time() {
    let mut watch = OutageWatch::default();
    let start = SystemClock::shared().monotonic();
    assert!(watch.stumbled("HTTP 503", start));
    assert!(!watch.stumbled("HTTP 503", start + GATHER / 2));
    assert!(watch.stumbled("ErrorServerBusy", start + GATHER / 2), "another reason is told");
    assert!(!watch.stumbled("ErrorServerBusy", start + GATHER));
    assert!(watch.stumbled("ErrorServerBusy", start + GATHER * 2), "it goes on");
}
