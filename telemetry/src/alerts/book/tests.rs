//! Goal: an alert begins when its threshold is passed and not before, and ends by what the registry says and by nothing
//! else. Method: stories with a clock that is moved by hand, and arbitrary sequences against a model.
use base::Severity;
use base::event_entry::{Bilingual, Hint};
use proptest::prelude::*;

use super::*;

const HINT: Hint = Hint { words: Bilingual { en: "look", da: "se" }, commands: &[] };

const fn entry(id: u16) -> CodeEntry {
    CodeEntry::new(id, "PCS", Severity::Error, Bilingual { en: "fails", da: "fejler" }, &HINT)
}

const REGISTRY: &[CodeEntry] = &[
    entry(1000),
    entry(1001).in_a_row(3).ends_on("call"),
    entry(1002).in_a_day(3).per("mailbox").ends_on("handled"),
    entry(1003).is_a_state(),
    entry(1004).quiet(),
    entry(1005).per("mailbox").ends_on("handled"),
    entry(1006).in_a_day(2),
    entry(1007).never("why", "hvorfor"),
];

/// A book and its time.
struct Story {
    book: AlertBook,
    now: Timestamp,
}

impl Story {
    fn new() -> Self {
        Self { book: AlertBook::new(REGISTRY), now: "2026-11-22T10:00:00Z".parse().unwrap() }
    }

    fn pass(&mut self, seconds: i64) -> Vec<AlertChange> {
        self.now += SignedDuration::from_secs(seconds);
        self.book.expire(self.now)
    }

    /// An occurrence, for a mailbox or without one; is it beyond the threshold?
    fn raise(&mut self, code: u16, mailbox: &str) -> Option<bool> {
        self.book.raised(code, of(mailbox), self.now).0
    }

    fn succeed(&mut self, success: &str, mailbox: &str) -> Vec<AlertChange> {
        self.book.succeeded(success, of(mailbox), self.now)
    }

    fn standing(&self) -> Vec<u16> {
        self.book.standing().iter().map(|alert| alert.code).collect()
    }
}

fn of(mailbox: &str) -> impl Fn(&str) -> Option<String> + '_ {
    move |field| (field == "mailbox" && !mailbox.is_empty()).then(|| mailbox.to_owned())
}

const HOUR_S: i64 = 3_600;

#[test]
fn always_is_at_once_and_over_after_an_hour_of_quiet() {
    let mut story = Story::new();
    assert_eq!(story.raise(1000, ""), Some(true));
    story.pass(HOUR_S - 1);
    assert_eq!(story.raise(1000, ""), Some(true), "it came again, so the hour begins anew");
    assert_eq!(story.pass(HOUR_S), []);
    let over = story.pass(1);
    assert!(matches!(over[..], [AlertChange::Over { code: 1000, occurrences: 2, .. }]), "{over:?}");
    assert!(story.book.is_calm());
}

#[test]
fn in_a_row_is_more_than_so_many_and_a_success_begins_anew() {
    let mut story = Story::new();
    for round in 0..2 {
        for _ in 0..3 {
            assert_eq!(story.raise(1001, ""), Some(false), "round {round}");
            story.pass(HOUR_S);
        }
        assert_eq!(story.succeed("call", ""), [], "below the threshold nothing ends");
    }
    for _ in 0..3 {
        story.raise(1001, "");
    }
    let (beyond, change) = story.book.raised(1001, of(""), story.now);
    assert_eq!((beyond, change), (Some(true), Some(AlertChange::Began { code: 1001, occurrences: 4 })));
    assert_eq!(story.book.raised(1001, of(""), story.now), (Some(true), None), "it begins once");
    assert_eq!(story.succeed("other", ""), []);
    assert_eq!(story.standing(), [1001]);
    assert_eq!(
        story.succeed("call", ""),
        [AlertChange::Over { code: 1001, since: story.now, occurrences: 5 }]
    );
    assert_eq!(story.raise(1001, ""), Some(false));
}

/// The duty may have gone to another process, which sees the success.
#[test]
fn what_a_success_would_end_is_forgotten_in_the_end() {
    let mut story = Story::new();
    for _ in 0..4 {
        story.raise(1001, "");
    }
    assert_eq!(story.pass(24 * HOUR_S), []);
    assert_eq!(story.pass(1).len(), 1);
}

#[test]
fn case_workers_are_counted_apart() {
    let mut story = Story::new();
    for _ in 0..3 {
        assert_eq!(story.raise(1002, "a@b"), Some(false));
        assert_eq!(story.raise(1002, "c@d"), Some(false));
    }
    assert_eq!(story.raise(1002, "a@b"), Some(true));
    assert_eq!(story.book.standing()[0].subjects, ["a@b"]);
    assert_eq!(story.succeed("handled", "c@d"), []);
    assert_eq!(story.succeed("handled", "a@b").len(), 1);
    assert_eq!(story.raise(1002, "c@d"), Some(false), "its count began anew");
}

#[test]
fn a_day_slides() {
    let mut story = Story::new();
    for beyond in [false, false, true] {
        assert_eq!(story.raise(1006, ""), Some(beyond));
        story.pass(6 * HOUR_S);
    }
    assert_eq!(story.standing(), [1006], "three within twelve hours");
    assert_eq!(story.pass(6 * HOUR_S), [], "the first is just a day old");
    assert_eq!(story.pass(1).len(), 1, "two are left");
    assert_eq!(story.raise(1006, ""), Some(true), "and a third within the day");
}

#[test]
fn a_success_without_a_subject_is_for_all() {
    let mut story = Story::new();
    story.raise(1005, "a@b");
    story.raise(1005, "c@d");
    assert_eq!(story.succeed("handled", "a@b"), []);
    assert_eq!(story.book.standing()[0].subjects, ["c@d"]);
    assert_eq!(story.succeed("handled", "").len(), 1);
}

/// Regression: a mailbox that another process took over stood in an alert of this one for a day.
#[test]
fn what_was_counted_of_a_subject_that_is_not_here_any_more_is_over() {
    let mut story = Story::new();
    story.raise(1005, "a@b");
    story.raise(1005, "c@d");
    story.raise(1002, "a@b");
    story.raise(1000, "");
    let counted: Vec<(u16, String)> = [(1002_u16, "a@b"), (1005, "a@b"), (1005, "c@d")]
        .map(|(code, subject)| (code, subject.to_owned()))
        .into();
    assert_eq!(story.book.counted(), counted, "below the threshold, too, and nothing without a subject");
    assert_eq!(story.book.counted_of_the_whole(), [1000]);
    let looked = story.now;
    story.pass(1);
    assert_eq!(story.book.ended(1005, "a@b", looked, story.now), None, "another one is still here");
    assert_eq!(story.book.standing().last().unwrap().subjects, ["c@d"]);
    assert_eq!(story.book.ended(1005, "e@f", looked, story.now), None, "nothing is counted of it");
    assert_eq!(story.book.ended(9999, "c@d", looked, story.now), None, "nor of such a code");
    story.raise(1005, "c@d");
    assert_eq!(story.book.ended(1005, "c@d", looked, story.now), None, "it came back since the look");
    let over = story.book.ended(1005, "c@d", story.now, story.now);
    assert!(matches!(over, Some(AlertChange::Over { code: 1005, occurrences: 3, .. })), "{over:?}");
    assert_eq!(story.standing(), [1000]);
    // a row that was broken off begins anew
    for _ in 0..2 {
        story.raise(1002, "a@b");
    }
    assert_eq!(story.book.ended(1002, "a@b", story.now, story.now), None);
    for beyond in [false, false, false, true] {
        assert_eq!(story.raise(1002, "a@b"), Some(beyond));
    }
}

#[test]
fn a_state_stands_until_somebody_who_looked_later_says_otherwise() {
    let mut story = Story::new();
    let before = story.now;
    story.pass(5);
    assert_eq!(story.raise(1003, ""), Some(true));
    story.pass(48 * HOUR_S);
    assert_eq!(story.standing(), [1003], "time ends no state");
    assert_eq!(story.book.hold(1003, None, before, story.now), None, "who looked before knows nothing of it");
    let now = story.now;
    assert!(story.book.hold(1003, None, now, now).is_some());
    // a state that was there before the process
    let found = Some(Held { since: before, last_at: before, times: 3 });
    assert_eq!(
        story.book.hold(1003, found, now, now),
        Some(AlertChange::Began { code: 1003, occurrences: 3 })
    );
    assert_eq!(story.book.hold(1003, found, now, now), None);
    assert!(story.book.hold(1003, None, now, now).is_some());
    assert!(story.book.is_calm());
}

/// Regression: what had waited for an operator for hours began anew with each restart, no time and just now.
#[test]
fn a_state_stands_since_it_is_so_and_not_since_somebody_looked() {
    let mut story = Story::new();
    let (first, last) = (story.now, story.now + SignedDuration::from_secs(60));
    story.pass(5 * HOUR_S);
    let looked = story.now;
    let found = Some(Held { since: first, last_at: last, times: 2 });
    story.book.hold(1003, found, looked, looked);
    let standing = |story: &Story| {
        let alert = story.book.standing().remove(0);
        (alert.since, alert.last_at, alert.occurrences)
    };
    assert_eq!(standing(&story), (first, last, 2));
    // one more, as this process sees it, and then as it is found
    story.pass(10);
    story.raise(1003, "");
    assert_eq!(standing(&story), (first, story.now, 3));
    let found = Some(Held { since: first, last_at: story.now, times: 3 });
    story.book.hold(1003, found, story.now, story.now);
    assert_eq!(standing(&story), (first, story.now, 3));
    // a clock that goes ahead of ours makes nothing come from the future
    let ahead = story.now + SignedDuration::from_secs(9);
    story.book.hold(1003, Some(Held { since: ahead, last_at: ahead, times: 1 }), story.now, story.now);
    assert_eq!(standing(&story), (first, story.now, 3));
}

#[test]
fn what_calls_for_nobody_is_not_counted() {
    let mut story = Story::new();
    for code in [1004, 1007, 9999] {
        assert_eq!(story.raise(code, ""), None);
    }
    let now = story.now;
    let held = Held { since: now, last_at: now, times: 1 };
    assert_eq!(story.book.hold(1004, Some(held), now, now), None);
    assert!(story.book.is_calm());
    assert_eq!(story.book.codes().collect::<Vec<_>>(), [1000, 1001, 1002, 1003, 1005, 1006]);
}

#[test]
fn subjects_are_bounded() {
    let mut story = Story::new();
    for number in 0..SUBJECTS_MAX + 50 {
        assert_eq!(story.raise(1005, &format!("m{number}@b")), Some(true));
    }
    let state = &story.book.states[&1005];
    assert_eq!(state.counts.len(), SUBJECTS_MAX + 1);
    assert_eq!(story.book.standing()[0].subjects.len(), NAMED_MAX);
    // those that are counted as one are one
    assert_eq!(
        story.book.standing()[0].more,
        SUBJECTS_MAX + 1 - NAMED_MAX,
        "the others are not named, and counted"
    );
    assert_eq!(story.succeed("handled", "").len(), 1);
}

proptest! {
    /// "More than three in a row" by a model that only counts.
    #[test]
    fn a_row_is_what_lies_between_successes(steps in proptest::collection::vec(any::<bool>(), 0..60)) {
        let mut story = Story::new();
        let mut row = 0;
        for failed in steps {
            if failed {
                row += 1;
                prop_assert_eq!(story.raise(1001, ""), Some(row > 3));
            } else {
                let over = story.succeed("call", "");
                prop_assert_eq!(over.len(), usize::from(row > 3));
                row = 0;
            }
            prop_assert_eq!(story.standing().contains(&1001), row > 3);
            story.pass(60);
        }
    }

    /// "More than two within a day" by a model that remembers everything.
    #[test]
    fn a_day_is_the_last_24_hours(pauses_min in proptest::collection::vec(0_i64..1_000, 1..40)) {
        let mut story = Story::new();
        let mut all: Vec<Timestamp> = Vec::new();
        for pause in pauses_min {
            story.pass(pause * 60);
            all.push(story.now);
            let within = all.iter().filter(|at| story.now.duration_since(**at) <= DAY).count();
            prop_assert_eq!(story.raise(1006, ""), Some(within > 2));
        }
    }
}
