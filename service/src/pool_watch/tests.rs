//! Goal: an instance whose pool is dead lets go within a bounded time, and no other does. Method: tables.

use base::{Clock, SystemClock};

use super::*;

/// Walks through tries: the second at which each ended, and `+` answered, `-` not, `l` not because of locks, `x` not
/// renewed. Gives the second at which it lets go.
fn lets_go(story: &str) -> Option<u64> {
    let start = SystemClock.monotonic();
    let mut watch = PoolWatch::new(PATIENCE);
    story.split_whitespace().find_map(|step| {
        let (second, what) = step.split_at(step.len() - 1);
        let second: u64 = second.parse().unwrap();
        match what {
            "x" => {
                watch.not_renewed();
                None
            }
            "l" => {
                watch.waits_for_locks();
                None
            }
            what => watch.tried(what == "+", start + Duration::from_secs(second)).then_some(second),
        }
    })
}

#[test]
fn an_instance_lets_go_when_its_pool_is_silent_and_its_leases_are_not() {
    for (what, story, expected) in [
        ("a healthy one", "4+ 8+ 12+ 16+ 40+", None),
        ("every try hangs for ten seconds", "10- 22- 34- 46-", Some(46)),
        ("the server refuses at once", "0- 4- 8- 12- 16- 20- 24- 28- 32-", Some(32)),
        ("one answer is enough", "10- 22- 34+ 46- 58- 70-", None),
        ("the database is away, for the leases too", "10- 22- 30x 46- 58- 60x 82- 94-", None),
        ("somebody rewrites a table for a minute", "10l 22l 34l 46l 58l 70+", None),
        ("and its own pool is dead after it", "10l 22l 34- 46- 58- 70-", Some(70)),
        ("paused for an hour, twice", "10+ 3610- 3614+ 7300- 7304+", None),
        ("few tries far apart: paused again and again", "10- 3610- 3614+", None),
    ] {
        assert_eq!(lets_go(story), expected, "{what}");
    }
}
