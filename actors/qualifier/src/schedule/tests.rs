//! Goal: one reading of a mailbox at a time, several mailboxes within the limit, the longest waiting first,
//! nothing lost whatever the outcome, memory within its bounds. Tables, then random runs against a model.
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    timing: Timing { quiet: Duration::from_secs(1), at_most: Duration::from_secs(5) },
    items_per_batch: 3,
    running: 2,
    capacity: 100,
    capacity_per_mailbox: 10,
};

fn mail(n: u8) -> MailAddress {
    MailAddress::parse(&format!("m{n}@sim.test")).unwrap()
}

fn hint(id: i64, mailbox: u8, item: u8) -> Claimed {
    Claimed {
        id,
        mail: mail(mailbox),
        subject: Subject::Item { id: ItemId::new(format!("i{item}")), old: None },
        received_at: jiff::Timestamp::UNIX_EPOCH,
        trace: None,
        attempts: 0,
        due_again: false,
    }
}

fn full_read(id: i64, mailbox: u8) -> Claimed {
    Claimed { subject: Subject::FullRead, ..hint(id, mailbox, 0) }
}

#[expect(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the machine")]
fn start() -> Instant {
    Instant::now()
}

fn seconds(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn one_reading_of_a_mailbox_and_two_mailboxes_at_a_time() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive(vec![hint(1, 1, 1), hint(2, 1, 2), hint(3, 2, 1), hint(4, 3, 1)], t);
    let batches = schedule.start_live(t);
    assert_eq!(batches.iter().map(|batch| batch.mail.clone()).collect::<Vec<_>>(), [mail(1), mail(2)]);
    assert_eq!(batches[0].items.len(), 2);
    // more for a mailbox that is being read waits, though there is room again
    schedule.arrive(vec![hint(5, 1, 3)], t);
    schedule.done(&Batch::Live(batches[1].clone()));
    let more = schedule.start_live(t);
    assert_eq!(more.iter().map(|batch| batch.mail.clone()).collect::<Vec<_>>(), [mail(3)]);
    schedule.done(&Batch::Live(batches[0].clone()));
    assert_eq!(schedule.start_live(t)[0].mail, mail(1));
}

#[test]
fn batches_have_a_limit_and_the_rest_follows() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive((1..=5).map(|n| hint(i64::from(n), 1, n)).collect(), t);
    let first = schedule.start_live(t).remove(0);
    assert_eq!(first.items.len(), 3);
    schedule.done(&Batch::Live(first));
    assert_eq!(schedule.start_live(t).remove(0).items.len(), 2);
}

#[test]
fn what_failed_before_goes_alone() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    let again = |id, item| Claimed { attempts: 1, ..hint(id, 1, item) };
    schedule.arrive(vec![again(1, 1), again(2, 2)], t);
    schedule.arrive(vec![hint(3, 1, 3), hint(4, 1, 4)], seconds(t, 1));
    for id in [1, 2] {
        let first = schedule.start_live(seconds(t, 1)).remove(0);
        assert_eq!(Batch::Live(first.clone()).rows(), [id]);
        schedule.done(&Batch::Live(first));
    }
    assert_eq!(schedule.start_live(seconds(t, 1)).remove(0).items.len(), 2);
}

#[test]
fn full_reads_of_a_mailbox_are_one_and_wait_for_it() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive(vec![full_read(1, 2), full_read(2, 1), full_read(3, 2), hint(4, 2, 1)], t);
    assert_eq!(schedule.full_waiting(), 3);
    let live = schedule.start_live(t).remove(0);
    // mailbox 2 asked first, but it is being read
    let first = schedule.start_full().unwrap();
    assert_eq!(first.mail, mail(1));
    assert!(!schedule.can_start_full());
    assert_eq!(schedule.start_full(), None);
    schedule.done(&Batch::Live(live));
    let second = schedule.start_full().unwrap();
    assert_eq!(Batch::Full(second.clone()).rows(), [1, 3]);
    // one that comes meanwhile is a reading of its own, afterwards
    schedule.arrive(vec![full_read(5, 2)], t);
    assert!(!schedule.can_start_full());
    schedule.done(&Batch::Full(second));
    assert_eq!(Batch::Full(schedule.start_full().unwrap()).rows(), [5]);
}

#[test]
fn a_released_mailbox_leaves_memory_and_pauses() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive(vec![hint(1, 1, 1), hint(2, 1, 1), full_read(3, 1), hint(4, 2, 1)], t);
    let mut batches = schedule.start_live(t);
    let batch = Batch::Live(batches.remove(0));
    assert_eq!(schedule.failures(&mail(1)), 1);
    let mut rows = schedule.release(&batch, seconds(t, 9));
    rows.sort_unstable();
    assert_eq!(rows, [1, 2, 3]);
    assert_eq!(schedule.room(), 99);
    assert_eq!(schedule.closed(), [mail(1)]);
    assert_eq!(schedule.failures(&mail(1)), 2);
    assert_eq!(schedule.next(), Some(seconds(t, 9)));
    assert!(!schedule.tick(seconds(t, 8)));
    assert!(schedule.tick(seconds(t, 9)));
    assert!(schedule.closed().is_empty());
    // it keeps its failures until it succeeds
    schedule.sweep(seconds(t, 9));
    schedule.arrive(vec![hint(1, 1, 1)], seconds(t, 9));
    let again = schedule.start_live(seconds(t, 9)).remove(0);
    assert_eq!(again.failures, 1);
    schedule.done(&Batch::Live(again));
    assert_eq!(schedule.failures(&mail(1)), 1);
}

/// Who asks for a full read may have mended what the mailbox paused for: it is tried at once, and when that was in vain the
/// pause is the next longer one.
#[test]
fn a_full_read_that_is_asked_for_ends_the_pause() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive(vec![full_read(1, 1)], t);
    let batch = Batch::Full(schedule.start_full().unwrap());
    schedule.release(&batch, seconds(t, 9));
    assert_eq!(
        (schedule.closed(), schedule.crowded(), schedule.pausing()),
        (vec![mail(1)], vec![], vec![mail(1)])
    );
    // hints do not end it
    schedule.arrive(vec![hint(2, 1, 1)], t);
    assert!(schedule.start_live(seconds(t, 8)).is_empty());
    // nor does one that is due again: nobody asked for it
    assert!(!schedule.arrive(vec![Claimed { due_again: true, ..full_read(4, 1) }], t));
    assert!(!schedule.can_start_full());
    assert!(schedule.arrive(vec![full_read(3, 1)], seconds(t, 1)));
    assert!(schedule.closed().is_empty());
    let again = schedule.start_full().unwrap();
    assert_eq!((again.failures, again.notifications.len()), (1, 2));
    schedule.release(&Batch::Full(again), seconds(t, 20));
    assert_eq!(schedule.failures(&mail(1)), 3);
    assert!(!schedule.tick(seconds(t, 19)), "the pause of before is over and forgotten");
    assert_eq!(schedule.pausing(), [mail(1)]);
    assert!(schedule.tick(seconds(t, 20)));
    assert!(schedule.pausing().is_empty());
    // where it helped, what was put off in the database is looked for at the time that it waits for
    let batch = Batch::Full({
        schedule.arrive(vec![full_read(5, 1)], seconds(t, 20));
        schedule.start_full().unwrap()
    });
    schedule.release(&batch, seconds(t, 30));
    assert!(schedule.arrive(vec![full_read(6, 1)], seconds(t, 21)));
    let helped = Batch::Full(schedule.start_full().unwrap());
    schedule.done(&helped);
    assert!(!schedule.tick(seconds(t, 29)));
    assert!(schedule.tick(seconds(t, 30)));
    assert_eq!(schedule.next(), None);
}

#[test]
fn a_kept_batch_comes_back_after_the_pause() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive(vec![hint(1, 1, 1), full_read(2, 1)], t);
    let batch = Batch::Live(schedule.start_live(t).remove(0));
    schedule.arrive(vec![hint(3, 1, 1)], t);
    schedule.keep(batch, seconds(t, 2), t);
    assert_eq!(schedule.room(), 97);
    assert!(schedule.start_live(seconds(t, 1)).is_empty());
    assert!(!schedule.can_start_full());
    schedule.tick(seconds(t, 2));
    let again = schedule.start_live(seconds(t, 2)).remove(0);
    assert_eq!(Batch::Live(again.clone()).rows(), [1]);
    schedule.done(&Batch::Live(again));
    let full = Batch::Full(schedule.start_full().unwrap());
    schedule.keep(full, seconds(t, 4), t);
    schedule.tick(seconds(t, 4));
    assert_eq!(Batch::Full(schedule.start_full().unwrap()).rows(), [2]);
}

#[test]
fn a_noisy_mailbox_is_not_claimed_for() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive((1..=10).map(|id| hint(id, 1, 1)).collect(), t);
    assert_eq!(schedule.closed(), [mail(1)]);
    assert_eq!(schedule.crowded(), [mail(1)]);
    assert_eq!(schedule.room(), 90);
}

#[test]
fn quiet_is_forgotten() {
    let t = start();
    let mut schedule = Schedule::new(LIMITS);
    schedule.arrive(vec![hint(1, 1, 1)], t);
    let batch = schedule.start_live(t).remove(0);
    schedule.done(&Batch::Live(batch));
    schedule.sweep(t);
    assert_eq!(schedule.mailboxes.len(), 1);
    schedule.sweep(seconds(t, 1));
    assert!(schedule.mailboxes.is_empty());
    assert_eq!(schedule.next(), None);
}

#[derive(Debug, Clone)]
enum Step {
    Arrive(u8, u8),
    AskFullRead(u8),
    Start,
    End(u8, u8),
    Wait(u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 0..3u8).prop_map(|(mailbox, item)| Step::Arrive(mailbox, item)),
        1 => (0..4u8).prop_map(Step::AskFullRead),
        3 => Just(Step::Start),
        3 => (any::<u8>(), 0..3u8).prop_map(|(which, how)| Step::End(which, how)),
        2 => (0..2_000u16).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_is_lost_doubled_or_run_side_by_side(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut now = start();
        let mut schedule = Schedule::new(LIMITS);
        let mut next_id = 0;
        // where each notification is: in memory, in hand, given back, or done
        let mut place: BTreeMap<i64, &str> = BTreeMap::new();
        let mut running: Vec<Batch> = Vec::new();
        let end = |schedule: &mut Schedule, batch: Batch, how: u8, now: Instant, place: &mut BTreeMap<i64, &str>| {
            let rows = batch.rows();
            match how {
                0 => {
                    schedule.done(&batch);
                    rows.iter().for_each(|id| { place.insert(*id, "done"); });
                }
                1 => {
                    schedule.keep(batch, now + Duration::from_millis(500), now);
                    rows.iter().for_each(|id| { place.insert(*id, "memory"); });
                }
                _ => {
                    for id in schedule.release(&batch, now + Duration::from_millis(500)) {
                        place.insert(id, "given back");
                    }
                    assert!(rows.iter().all(|id| place[id] == "given back"));
                }
            }
        };
        for step in steps {
            match step {
                Step::Arrive(..) | Step::AskFullRead(_) if schedule.room() == 0 => {}
                Step::Arrive(mailbox, item) => {
                    next_id += 1;
                    place.insert(next_id, "memory");
                    schedule.arrive(vec![hint(next_id, mailbox, item)], now);
                }
                Step::AskFullRead(mailbox) => {
                    next_id += 1;
                    place.insert(next_id, "memory");
                    schedule.arrive(vec![full_read(next_id, mailbox)], now);
                }
                Step::Start => {
                    let live = schedule.start_live(now).into_iter().map(Batch::Live);
                    let started: Vec<Batch> = live.chain(schedule.start_full().map(Batch::Full)).collect();
                    for batch in started {
                        prop_assert!(running.iter().all(|other| other.mail() != batch.mail()));
                        prop_assert!(!batch.rows().is_empty());
                        for id in batch.rows() {
                            prop_assert_eq!(place.insert(id, "hand"), Some("memory"));
                        }
                        running.push(batch);
                    }
                    let live = running.iter().filter(|batch| matches!(batch, Batch::Live(_))).count();
                    prop_assert!(live <= LIMITS.running);
                }
                Step::End(which, how) if !running.is_empty() => {
                    let batch = running.swap_remove(usize::from(which) % running.len());
                    end(&mut schedule, batch, how, now, &mut place);
                }
                Step::End(..) => {}
                Step::Wait(millis) => {
                    now += Duration::from_millis(u64::from(millis));
                    schedule.tick(now);
                    schedule.sweep(now);
                }
            }
            let held = place.values().filter(|at| matches!(**at, "memory" | "hand")).count();
            prop_assert_eq!(schedule.room(), LIMITS.capacity - held);
            let rows: BTreeSet<i64> = schedule.rows().into_iter().collect();
            let expected = place.iter().filter(|(_, at)| matches!(**at, "memory" | "hand"));
            prop_assert_eq!(rows, expected.map(|(id, _)| *id).collect::<BTreeSet<_>>());
        }
        // in the end everything can be brought to its end
        for _ in 0..200 {
            now += Duration::from_secs(6);
            schedule.tick(now);
            running.extend(schedule.start_live(now).into_iter().map(Batch::Live));
            running.extend(schedule.start_full().map(Batch::Full));
            while let Some(batch) = running.pop() {
                end(&mut schedule, batch, 0, now, &mut place);
            }
        }
        prop_assert!(place.values().all(|at| matches!(*at, "done" | "given back")), "{:?}", place);
        schedule.sweep(now + Duration::from_secs(60));
        prop_assert!(!schedule.is_running());
        prop_assert_eq!(schedule.room(), LIMITS.capacity);
    }
}
