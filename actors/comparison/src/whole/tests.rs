//! Goal: whatever answers are too large, the parts cover the time asked about without a gap, and their number is bounded.
//! Method: properties of the pure part; the actor's tests ask over a socket.

use proptest::prelude::*;

use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + hours * 3_600).unwrap()
}

proptest! {
    /// Rows that start anywhere; an answer holds a few at most.
    #[test]
    fn parts_cover_everything_once_or_at_their_edges(
        starts in prop::collection::vec(0i64..2_000 * 3_600, 0..300), fits in 1usize..40
    ) {
        let mut parts = Parts::of((at(0), at(2_000)));
        let starts: Vec<i64> = starts.iter().map(|s| at(0).as_second() + s).collect();
        let (mut told, mut end, mut given_up) = (vec![0; starts.len()], at(0), false);
        while let Some((from, to)) = parts.next() {
            prop_assert!(parts.calls <= CALLS_MAX);
            let inside = |start: &i64| (from.as_second()..=to.as_second()).contains(start);
            if starts.iter().filter(|start| inside(start)).count() > fits {
                if parts.halve((from, to)) { continue; }
                given_up = true;
                break;
            }
            prop_assert_eq!(from, end, "a gap");
            end = to;
            for (start, told) in starts.iter().zip(&mut told) {
                *told += usize::from(inside(start));
            }
        }
        if !given_up {
            prop_assert_eq!(end, at(2_000));
            prop_assert!(told.iter().all(|times| (1..=2).contains(times)));
        }
    }
}

#[test]
fn a_server_that_always_answers_too_much_is_asked_a_bounded_number_of_times() {
    let mut parts = Parts::of((at(0), at(24 * 120)));
    let mut refused = false;
    while let Some(part) = parts.next() {
        if !parts.halve(part) {
            refused = true;
            break;
        }
    }
    assert!(refused && parts.calls < 20, "given up at the shortest part: {}", parts.calls);
    let nothing = (at(0), at(0));
    assert!(!Parts::of(nothing).halve(nothing));
}
