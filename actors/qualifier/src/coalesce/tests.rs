//! Goal: the first at once, the others together once more after quiet, never later than the limit, and
//! nothing lost. Method: instants as values.
use calendar::{ItemId, MailAddress};
use proptest::prelude::*;
use store::notification_queue::Subject;

use super::*;

const TIMING: Timing = Timing { quiet: Duration::from_secs(1), at_most: Duration::from_secs(5) };

fn notification(id: i64) -> Claimed {
    Claimed {
        id,
        mail: MailAddress::parse("a@b").unwrap(),
        subject: Subject::Item { id: ItemId::new("i"), old: None },
        received_at: jiff::Timestamp::UNIX_EPOCH,
        trace: None,
        attempts: 0,
        due_again: false,
    }
}

#[expect(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the machine")]
fn start() -> Instant {
    Instant::now()
}

fn ids(taken: &[Claimed]) -> Vec<i64> {
    taken.iter().map(|one| one.id).collect()
}

fn after(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

#[test]
fn a_burst_is_handled_twice() {
    let t = start();
    let mut item = Item::new(vec![notification(1)], t);
    for id in 2..=6 {
        item.arrive(notification(id), t, TIMING);
    }
    assert_eq!(item.due(TIMING), Some(t));
    assert_eq!(ids(&item.take(t, TIMING)), [1]);
    // one more while the first is in hand
    item.arrive(notification(7), after(t, 300), TIMING);
    assert_eq!(item.due(TIMING), Some(after(t, 1_300)));
    assert!(item.take(after(t, 1_299), TIMING).is_empty());
    assert_eq!(ids(&item.take(after(t, 1_300), TIMING)), [2, 3, 4, 5, 6, 7]);
    assert!(item.is_over(after(t, 1_300), TIMING));
    assert_eq!(item.due(TIMING), None);
}

#[test]
fn without_quiet_the_limit_holds() {
    let t = start();
    let mut item = Item::new(vec![notification(0)], t);
    item.take(t, TIMING);
    for id in 1..=60 {
        item.arrive(notification(id), after(t, 100 * id.unsigned_abs()), TIMING);
    }
    // the first follower came at 100 ms
    assert_eq!(item.due(TIMING), Some(after(t, 5_100)));
    assert_eq!(item.take(after(t, 6_000), TIMING).len(), 60);
    // followers go on following while there is no quiet
    item.arrive(notification(61), after(t, 6_500), TIMING);
    assert_eq!(item.due(TIMING), Some(after(t, 7_500)));
}

#[test]
fn after_quiet_the_next_is_a_first_again() {
    let t = start();
    let mut item = Item::new(vec![notification(1)], t);
    item.take(t, TIMING);
    assert!(!item.is_over(after(t, 999), TIMING));
    assert!(item.is_over(after(t, 1_000), TIMING));
    item.arrive(notification(2), after(t, 1_000), TIMING);
    assert_eq!(item.due(TIMING), Some(after(t, 1_000)));
}

#[test]
fn what_comes_back_is_due_at_once() {
    let t = start();
    let mut item = Item::new(vec![notification(1)], t);
    let taken = item.take(t, TIMING);
    item.arrive(notification(2), after(t, 10), TIMING);
    item.put_back(taken, after(t, 20));
    assert_eq!(item.due(TIMING), Some(after(t, 20)));
    assert_eq!(item.waiting(), 2);
    assert_eq!(item.rows().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ids(&item.take(after(t, 20), TIMING)), [1]);
}

proptest! {
    #[test]
    fn everything_is_handled_within_the_limit(pauses in prop::collection::vec(0u64..3_000, 1..40)) {
        let t = start();
        let mut now = t;
        let mut item = Item::new(vec![notification(0)], t);
        let mut arrived = vec![now];
        let mut handled = Vec::new();
        let mut takes = 0;
        let mut take = |item: &mut Item, until: Instant, arrived: &[Instant]| {
            while let Some(due) = item.due(TIMING).filter(|due| *due <= until) {
                for one in item.take(due, TIMING) {
                    let waited = due - arrived[usize::try_from(one.id).unwrap()];
                    assert!(waited <= TIMING.at_most, "{waited:?}");
                    handled.push(one.id);
                }
                takes += 1;
            }
        };
        for (n, pause) in pauses.iter().enumerate() {
            let next = now + Duration::from_millis(*pause);
            take(&mut item, next, &arrived);
            now = next;
            arrived.push(now);
            item.arrive(notification(i64::try_from(n).unwrap() + 1), now, TIMING);
        }
        take(&mut item, now + Duration::from_secs(10), &arrived);
        handled.sort_unstable();
        prop_assert_eq!(handled, (0..i64::try_from(arrived.len()).unwrap()).collect::<Vec<_>>());
        prop_assert!(takes <= arrived.len());
    }
}
