//! Goal: batches keep to one mailbox, one operation and the size, lose no key and keep the order; every
//! mailbox is served within a round, whatever the others have waiting; bulk work has its fifth.

use std::collections::{BTreeMap, BTreeSet};

use calendar::{OriginId, Slot};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::batch_size::BatchSize;
use crate::config::BatcherOptions;

fn key(mail: &str, id: &str, operation: Operation, decided_s: i64) -> PendingKey {
    PendingKey {
        mail: MailAddress::parse(mail).unwrap(),
        origin_id: OriginId::new(id),
        operation,
        version: 1,
        slot: Slot { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH },
        decided_at: Timestamp::from_second(decided_s).unwrap(),
        trace: None,
        attempts: 0,
        unanswered: 0,
        converted: false,
        put_off: 0,
        others_succeeded: false,
    }
}

fn shape(batches: &[Batch]) -> Vec<(String, char, Vec<String>)> {
    let ids = |batch: &Batch| batch.keys.iter().map(|key| key.origin_id.to_string()).collect();
    batches.iter().map(|b| (b.mail.to_string(), b.operation.letter(), ids(b))).collect()
}

#[test]
fn one_mailbox_one_operation_oldest_first_all_mailboxes_in_turn() {
    use Operation::{Create, Delete, Update};
    let page = vec![
        key("a@x", "1", Delete, 1),
        key("a@x", "2", Create, 2),
        key("a@x", "3", Create, 3),
        key("a@x", "4", Create, 4),
        key("b@x", "1", Update, 9),
        key("b@x", "2", Create, 9),
    ];
    let planned = shape(&batches(page, Class::Live, 2));
    let of = |mail: &str, letter, ids: &[&str]| {
        (mail.to_owned(), letter, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())
    };
    let wanted = [
        of("a@x", 'D', &["1"]),
        of("b@x", 'C', &["2"]),
        of("a@x", 'C', &["2", "3"]),
        of("b@x", 'U', &["1"]),
        of("a@x", 'C', &["4"]),
    ];
    assert_eq!(planned, wanted);
}

#[test]
fn a_key_that_may_make_its_call_fail_is_sent_alone_and_last() {
    let suspect = |id, unanswered| PendingKey { unanswered, ..key("a@x", id, Operation::Create, 1) };
    let page = vec![suspect("1", 2), suspect("2", 1), suspect("3", 0), suspect("4", 7)];
    let planned: Vec<Vec<String>> =
        shape(&batches(page, Class::Live, 20)).into_iter().map(|(_, _, ids)| ids).collect();
    assert_eq!(planned, [vec!["2", "3"], vec!["1"], vec!["4"]]);
}

/// B9: by default no call has more than the 20 appointments that are agreed with the authority, however much waits; and there
/// are no more calls than that takes.
#[test]
fn by_default_no_batch_has_more_than_twenty_however_much_waits() {
    let most = BatcherOptions::default().max_events_per_call;
    assert_eq!((most, BatchSize::new(most).get()), (20, 20));
    for waiting in [1_usize, 19, 20, 21, 39, 40, 41, 400, 5_000] {
        for operation in Operation::ALL {
            let of = |mail: &str| -> Vec<PendingKey> {
                let at = |n: usize| i64::try_from(n).unwrap();
                (0..waiting).map(|n| key(mail, &n.to_string(), operation, at(n))).collect()
            };
            for class in [Class::Live, Class::Bulk] {
                let planned = batches([of("a@x"), of("b@x")].concat(), class, most);
                let sizes: Vec<usize> = planned.iter().map(|batch| batch.keys.len()).collect();
                assert!(sizes.iter().all(|size| (1..=20).contains(size)), "{waiting}: {sizes:?}");
                assert_eq!(sizes.len(), 2 * waiting.div_ceil(20), "{waiting}");
                assert_eq!(sizes.iter().sum::<usize>(), 2 * waiting);
            }
        }
    }
}

/// All that is planned of a class.
fn rest(picker: &mut Picker, class: Class) -> Vec<Batch> {
    std::iter::from_fn(|| picker.take(class)).collect()
}

#[test]
fn what_is_planned_is_divided_when_calls_become_smaller_and_mailboxes_keep_their_turns() {
    let page =
        |mail: &str| (1..=6).map(|n| key(mail, &n.to_string(), Operation::Create, n)).collect::<Vec<_>>();
    let suspect = PendingKey { unanswered: 2, ..key("a@x", "0", Operation::Update, 9) };
    let keys = [page("a@x"), vec![suspect], page("b@x")].concat();
    let mut picker = Picker::default();
    for class in [Class::Live, Class::Bulk] {
        assert_eq!(picker.offer(class, Page { keys: keys.clone(), next: None }, 4), Walk::Found);
    }
    // a was served already: b is next
    assert_eq!(picker.take(Class::Live).map(|batch| batch.keys.len()), Some(4));
    picker.fit(3);
    let of = |mail: &str, letter, ids: &[&str]| {
        (mail.to_owned(), letter, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())
    };
    let live = [
        of("b@x", 'C', &["1", "2", "3"]),
        of("a@x", 'C', &["5", "6"]),
        of("b@x", 'C', &["4"]),
        of("a@x", 'U', &["0"]),
        of("b@x", 'C', &["5", "6"]),
    ];
    assert_eq!(shape(&rest(&mut picker.clone(), Class::Live)), live);
    let bulk = rest(&mut picker.clone(), Class::Bulk);
    assert!(bulk.iter().all(|batch| batch.class == Class::Bulk && batch.keys.len() <= 3), "{bulk:?}");
    // what fits stays as it is, and a size of nothing is one
    let before = picker.clone();
    picker.fit(3);
    assert_eq!(picker, before);
    picker.fit(0);
    assert!(rest(&mut picker, Class::Live).iter().all(|batch| batch.keys.len() == 1));
}

fn arbitrary_keys() -> impl Strategy<Value = Vec<PendingKey>> {
    prop::collection::btree_map((0u8..5, 0u8..40), (0usize..3, 0i64..100), 0..120).prop_map(|keys| {
        let mut keys: Vec<PendingKey> = keys
            .into_iter()
            .map(|((mail, id), (op, at))| key(&format!("m{mail}@x"), &id.to_string(), Operation::ALL[op], at))
            .collect();
        keys.sort_by_key(|key| (key.mail.clone(), key.decided_at));
        keys
    })
}

proptest! {
    #[test]
    fn batches_keep_the_rules_and_lose_nothing(keys in arbitrary_keys(), size in 0usize..25) {
        let planned = batches(keys.clone(), Class::Bulk, size);
        let mut seen = BTreeSet::new();
        for batch in &planned {
            prop_assert!(!batch.keys.is_empty() && batch.keys.len() <= size.max(1));
            for key in &batch.keys {
                prop_assert_eq!((&key.mail, key.operation), (&batch.mail, batch.operation));
                prop_assert!(seen.insert((key.mail.clone(), key.origin_id.to_string())), "a key in two batches");
            }
        }
        prop_assert_eq!(seen.len(), keys.len());
        // within a mailbox and an operation the oldest goes first
        let mut last: BTreeMap<(MailAddress, Operation), Timestamp> = BTreeMap::new();
        for key in planned.iter().flat_map(|batch| &batch.keys) {
            let before = last.insert((key.mail.clone(), key.operation), key.decided_at);
            prop_assert!(before.is_none_or(|before| before <= key.decided_at));
        }
        // every mailbox is served before any is served twice
        let mailboxes: BTreeSet<_> = keys.iter().map(|key| key.mail.clone()).collect();
        let first: BTreeSet<_> = planned.iter().take(mailboxes.len()).map(|b| b.mail.clone()).collect();
        prop_assert_eq!(first, mailboxes);
    }

    /// Whatever was planned and however far it was served: after the calls became smaller the same keys are planned, in the
    /// same order within a mailbox, and mailboxes have their turns from the one that was next.
    #[test]
    fn smaller_calls_lose_no_key_and_no_order(
        keys in arbitrary_keys(), before in 1usize..25, after in 0usize..25, served in 0usize..4,
    ) {
        let mut picker = Picker::default();
        picker.offer(Class::Live, Page { keys, next: None }, before);
        for _ in 0..served { picker.take(Class::Live); }
        let whole = rest(&mut picker.clone(), Class::Live);
        picker.fit(after);
        let divided = rest(&mut picker, Class::Live);
        let by_mailbox = |batches: &[Batch]| {
            let mut order: BTreeMap<MailAddress, Vec<(char, String)>> = BTreeMap::new();
            for key in batches.iter().flat_map(|batch| &batch.keys) {
                order.entry(key.mail.clone()).or_default().push((key.operation.letter(), key.origin_id.to_string()));
            }
            order
        };
        prop_assert_eq!(by_mailbox(&divided), by_mailbox(&whole));
        for batch in &divided {
            prop_assert!((1..=after.max(1)).contains(&batch.keys.len()) || batch.keys.len() <= before && after >= before);
            prop_assert!(batch.keys.iter().all(|key| (&key.mail, key.operation) == (&batch.mail, batch.operation)));
        }
        prop_assert_eq!(divided.first().map(|batch| &batch.mail), whole.first().map(|batch| &batch.mail));
        let mailboxes: BTreeSet<_> = divided.iter().map(|batch| batch.mail.clone()).collect();
        if whole.iter().any(|batch| batch.keys.len() > after.max(1)) {
            let first: BTreeSet<_> = divided.iter().take(mailboxes.len()).map(|b| b.mail.clone()).collect();
            prop_assert_eq!(first, mailboxes, "each has its turn before any has its second");
        }
    }

    /// A store with mailboxes that always have more to send, some of them blocked, walked in small pages: with
    /// news before every look, each sendable mailbox is served within one round.
    #[test]
    fn no_mailbox_starves(count in 1usize..40, page_size in 1usize..7,
                          blocked in prop::collection::btree_set(0usize..40, 0..10)) {
        let mails: Vec<String> = (0..count).map(|n| format!("m{n:03}@x")).collect();
        let page = |after: &str| {
            let walked: Vec<&String> = mails.iter().filter(|mail| mail.as_str() > after).take(page_size).collect();
            let next = (walked.len() == page_size).then(|| walked[walked.len() - 1].clone());
            let open = |mail: &String| !blocked.contains(&mails.iter().position(|m| m == mail).unwrap());
            let keys = walked.into_iter().filter(|mail| open(mail)).map(|mail| key(mail, "1", Operation::Create, 1));
            Page { keys: keys.collect(), next }
        };
        let mut picker = Picker::default();
        let mut served = Vec::new();
        let open = (0..count).filter(|n| !blocked.contains(n)).count();
        for _ in 0..open {
            picker.forget_live();
            for _ in 0..=2 * count {
                let after = picker.after(Class::Live).to_owned();
                if picker.offer(Class::Live, page(&after), 20) == Walk::Found { break; }
            }
            let batch = picker.take(Class::Live);
            prop_assert!(batch.is_some(), "something can be sent and was not found");
            let mail = batch.unwrap().mail;
            picker.served(Class::Live, &mail);
            served.push(mail);
        }
        served.sort();
        served.dedup();
        prop_assert_eq!(served.len(), open);
    }

    /// A walk that finds nothing ends, and leaves the picker at the start.
    #[test]
    fn a_walk_over_blocked_mailboxes_ends(count in 0usize..40, page_size in 1usize..7, after in "[a-z]{0,3}") {
        let mails: Vec<String> = (0..count).map(|n| format!("m{n:03}@x")).collect();
        let mut picker = Picker::default();
        picker.served(Class::Live, &MailAddress::parse(&format!("{after}m@x")).unwrap());
        let mut steps = 0;
        loop {
            let after = picker.after(Class::Live).to_owned();
            let walked: Vec<&String> = mails.iter().filter(|mail| **mail > after).take(page_size).collect();
            let next = (walked.len() == page_size).then(|| walked[walked.len() - 1].clone());
            if picker.offer(Class::Live, Page { keys: Vec::new(), next }, 20) == Walk::Nothing { break; }
            steps += 1;
            prop_assert!(steps <= 2 * count + 3);
        }
        prop_assert_eq!(picker.after(Class::Live), "");
    }
}

#[test]
fn bulk_work_has_every_fifth_turn_while_it_waits() {
    let mail = MailAddress::parse("a@x").unwrap();
    let mut picker = Picker::default();
    let mut turns = String::new();
    for _ in 0..15 {
        let class = picker.order()[0];
        picker.served(class, &mail);
        turns.push(if class == Class::Bulk { 'b' } else { 'l' });
    }
    assert_eq!(turns, "llllbllllbllllb");
    // and gives it away when there is none
    for _ in 0..4 {
        picker.served(Class::Live, &mail);
    }
    assert_eq!(picker.order()[0], Class::Bulk);
    picker.nothing(Class::Bulk);
    assert_eq!(picker.order()[0], Class::Live);
}

/// What waits by mailbox and class: (live, bulk).
type Waiting = BTreeMap<String, (usize, usize)>;

/// One look: the class whose turn it is, its walk in pages, a batch of it; else the other class.
fn serve(
    picker: &mut Picker,
    waiting: &mut Waiting,
    page_size: usize,
    size: usize,
) -> Option<(Class, String)> {
    for class in picker.order() {
        let of = |counts: &(usize, usize)| if class.is_bulk() { counts.1 } else { counts.0 };
        loop {
            if let Some(batch) = picker.take(class) {
                let mail = batch.mail.to_string();
                let counts = waiting.get_mut(&mail).unwrap();
                let left = if class.is_bulk() { &mut counts.1 } else { &mut counts.0 };
                if *left == 0 {
                    picker.passed(class, &batch.mail);
                    continue;
                }
                *left -= batch.keys.len().min(*left);
                picker.served(class, &batch.mail);
                return Some((class, mail));
            }
            let after = picker.after(class).to_owned();
            let walked: Vec<(&String, usize)> = waiting
                .iter()
                .filter(|(mail, counts)| mail.as_str() > after.as_str() && of(counts) > 0)
                .take(page_size)
                .map(|(mail, counts)| (mail, of(counts)))
                .collect();
            let next = (walked.len() == page_size).then(|| walked[walked.len() - 1].0.clone());
            let keys = walked.iter().flat_map(|(mail, count)| {
                (0..(*count).min(2 * size)).map(move |n| key(mail, &n.to_string(), Operation::Create, 1))
            });
            if picker.offer(class, Page { keys: keys.collect(), next }, size) == Walk::Nothing {
                picker.nothing(class);
                break;
            }
        }
    }
    None
}

proptest! {
    /// However much one mailbox has waiting, in whichever class: between two turns of a mailbox each other one with work
    /// of that class has had one or two; while both classes wait bulk work has every fifth turn; and all of it is served.
    #[test]
    fn mailboxes_have_their_turns_and_classes_their_shares(
        counts in prop::collection::vec((0usize..40, 0usize..40), 1..9),
        huge in 0usize..9, size in 1usize..8, page_size in 1usize..5,
    ) {
        let mut waiting: Waiting =
            counts.iter().enumerate().map(|(n, counts)| (format!("m{n:03}@x"), *counts)).collect();
        if let Some(counts) = waiting.values_mut().nth(huge) { counts.1 += 500; }
        let mut picker = Picker::default();
        let mut turns_of_live = 0;
        // turns since each mailbox was served, by class, while it waited
        let mut ignored: BTreeMap<(bool, String), BTreeMap<String, usize>> = BTreeMap::new();
        let mut steps = 0;
        loop {
            let both = waiting.values().any(|counts| counts.0 > 0) && waiting.values().any(|counts| counts.1 > 0);
            let before = waiting.clone();
            let Some((class, mail)) = serve(&mut picker, &mut waiting, page_size, size) else { break };
            turns_of_live = if class.is_bulk() { 0 } else { turns_of_live + 1 };
            prop_assert!(!both || turns_of_live <= 5, "bulk work waits for {turns_of_live} turns");
            for (other, counts) in &before {
                let waits = if class.is_bulk() { counts.1 } else { counts.0 } > 0;
                let passed = ignored.entry((class.is_bulk(), other.clone())).or_default();
                if *other == mail || !waits {
                    passed.clear();
                } else {
                    let times = passed.entry(mail.clone()).or_default();
                    *times += 1;
                    prop_assert!(*times <= 2, "{mail} had {times} turns while {other} waited");
                }
            }
            steps += 1;
            prop_assert!(steps < 3_000);
        }
        prop_assert!(waiting.values().all(|counts| *counts == (0, 0)), "{waiting:?}");
    }
}
