//! Goal: one timeout changes nothing, repeated ones halve down to 1, a minute of success gives one back,
//! and the size never leaves its bounds.

use base::{Clock as _, SystemClock};
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn halves_after_repeated_timeouts_and_grows_back_slowly() {
    let start = SystemClock.monotonic();
    let mut size = BatchSize::new(20);
    assert!(!size.timed_out(start));
    assert_eq!(size.get(), 20);
    let sizes: Vec<usize> = (1..=6)
        .map(|n| {
            size.timed_out(start + n * SECOND);
            size.get()
        })
        .collect();
    assert_eq!(sizes, [10, 5, 2, 1, 1, 1]);
    // a minute of success is counted from its first success
    let good = start + 100 * SECOND;
    size.succeeded(good);
    size.succeeded(good + 59 * SECOND);
    assert_eq!(size.get(), 1);
    size.succeeded(good + 60 * SECOND);
    assert_eq!(size.get(), 2);
    size.succeeded(good + 119 * SECOND);
    assert_eq!(size.get(), 2);
    size.succeeded(good + 120 * SECOND);
    assert_eq!(size.get(), 3);
}

#[test]
fn timeouts_far_apart_are_not_repeated() {
    let start = SystemClock.monotonic();
    let mut size = BatchSize::new(20);
    for n in 0..5 {
        assert!(!size.timed_out(start + n * (REPEATED_WITHIN + SECOND)));
    }
    assert_eq!(size.get(), 20);
}

proptest! {
    #[test]
    fn stays_in_bounds(max in 0usize..50, steps in prop::collection::vec((any::<bool>(), 0u64..400), 0..200)) {
        let mut now = SystemClock.monotonic();
        let mut size = BatchSize::new(max);
        for (timeout, seconds) in steps {
            now += Duration::from_secs(seconds);
            let before = size.get();
            if timeout { size.timed_out(now); } else { size.succeeded(now); }
            prop_assert!((1..=max.max(1)).contains(&size.get()));
            prop_assert!(size.get() <= before + 1);
            prop_assert!(size.get() >= before / 2);
        }
    }
}
