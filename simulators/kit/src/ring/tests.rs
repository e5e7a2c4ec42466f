//! The bounded log: what is read page by page is all that was written, in order, less what it owns up to
//! have lost.

use serde::{Deserialize, Serialize};

use super::{PAGE_MAX, PageQuery, Ring};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Number {
    number: u64,
}

fn filled(capacity: usize, count: u64) -> Ring<Number> {
    let ring = Ring::new(capacity);
    for number in 1..=count {
        assert_eq!(ring.push(Number { number }), number);
    }
    ring
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    let ring = filled(100, 57);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = ring.page(PageQuery { after, limit: 10 });
        assert_eq!((page.lost, page.last), (0, 57));
        let Some(newest) = page.entries.last() else { break };
        after = newest.seq;
        assert!(page.entries.iter().all(|entry| entry.seq == entry.value.number));
        seen.extend(page.entries.iter().map(|entry| entry.seq));
    }
    assert_eq!(seen, (1..=57).collect::<Vec<_>>());
}

#[test]
fn what_made_room_is_counted_as_lost() {
    let ring = filled(10, 25);
    let page = ring.page(PageQuery::default());
    assert_eq!(page.lost, 15);
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (16..=25).collect::<Vec<_>>());
    let later = ring.page(PageQuery { after: 20, limit: PAGE_MAX });
    assert_eq!((later.lost, later.entries.len()), (0, 5));
}

#[test]
fn an_empty_log_and_a_reader_ahead_of_it_get_an_empty_page() {
    let empty = Ring::<Number>::new(0);
    assert_eq!(empty.page(PageQuery::default()).entries, []);
    let ring = filled(10, 3);
    for after in [3, 4, u64::MAX] {
        let page = ring.page(PageQuery { after, limit: 5 });
        assert_eq!((page.entries.len(), page.last, page.lost), (0, 3, 0), "{after}");
    }
}

#[test]
fn an_entry_is_flat_json() {
    let page = filled(10, 1).page(PageQuery::default());
    assert_eq!(
        serde_json::to_string(&page).unwrap(),
        r#"{"entries":[{"seq":1,"number":1}],"last":1,"lost":0}"#
    );
}
