//! Goal: a folder event without an item event leads to exactly one catch-up after the grace time, never more
//! often than the interval, and none is forgotten. Method: tables and a property over random events.

use base::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;

const GRACE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(10);

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

fn watch() -> FolderWatch {
    FolderWatch::new(GRACE, INTERVAL)
}

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn an_item_event_shortly_before_or_after_explains_it() {
    let start = SystemClock.monotonic();
    let mut watch = watch();
    watch.item(&mail(1), start);
    watch.folder(&mail(1), start + s(2.0));
    assert_eq!(watch.wake_at(), None);
    watch.folder(&mail(1), start + s(2.1));
    assert_eq!(watch.wake_at(), Some(start + s(4.1)));
    watch.item(&mail(1), start + s(3.0));
    assert_eq!(watch.wake_at(), None);
    // of another mailbox explains nothing
    watch.folder(&mail(2), start + s(3.0));
    watch.item(&mail(1), start + s(3.1));
    assert_eq!(watch.due(start + s(5.0)), [mail(2)]);
}

#[test]
fn it_is_due_after_the_grace_and_again_after_the_interval() {
    let start = SystemClock.monotonic();
    let mut watch = watch();
    watch.folder(&mail(1), start);
    watch.folder(&mail(1), start + s(1.0));
    assert_eq!(watch.due(start + s(1.9)), []);
    assert_eq!(watch.due(start + s(2.0)), [mail(1)]);
    assert_eq!(watch.due(start + s(2.0)), []);
    watch.folder(&mail(1), start + s(3.0));
    assert_eq!(watch.wake_at(), Some(start + s(12.0)));
    assert_eq!(watch.due(start + s(11.9)), []);
    assert_eq!(watch.due(start + s(12.0)), [mail(1)]);
    watch.folder(&mail(1), start + s(12.5));
    watch.forget(&mail(1));
    assert_eq!(watch.wake_at(), None);
}

proptest! {
    #[test]
    fn every_unexplained_event_is_followed_by_a_catch_up_in_time(
        events in proptest::collection::vec((0u64..4_000, any::<bool>()), 1..80)
    ) {
        let mut now = SystemClock.monotonic();
        let mut watch = watch();
        let mut caught_up: Vec<Instant> = Vec::new();
        let mut unexplained: Option<Instant> = None;
        let mut item_at: Option<Instant> = None;
        let mut advance = |watch: &mut FolderWatch, now: Instant, unexplained: &mut Option<Instant>| {
            while let Some(at) = watch.wake_at().filter(|at| *at <= now) {
                if !watch.due(at).is_empty() {
                    if let Some(last) = caught_up.last() {
                        assert!(at - *last >= INTERVAL);
                    }
                    caught_up.push(at);
                    *unexplained = None;
                }
            }
            if let Some(since) = *unexplained {
                assert!(now - since <= GRACE + INTERVAL, "forgotten");
            }
        };
        for (pause_ms, is_item) in events {
            now += Duration::from_millis(pause_ms);
            advance(&mut watch, now, &mut unexplained);
            if is_item {
                watch.item(&mail(1), now);
                item_at = Some(now);
                unexplained = None;
            } else {
                watch.folder(&mail(1), now);
                if item_at.is_none_or(|at| now - at > GRACE) {
                    unexplained.get_or_insert(now);
                }
            }
        }
        advance(&mut watch, now + GRACE + INTERVAL, &mut unexplained);
        prop_assert_eq!(unexplained, None);
    }
}
