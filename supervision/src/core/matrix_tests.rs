//! Goal: what a supervisor does is written down for every phase of a child × every way to end × every
//! restart type × every strategy.
//! Method: three children, `a` and `c` permanent, `b` the subject. Per phase, `b` is brought there, ends,
//! and everything that follows is compared with a table, in words.

use super::testing::*;
use crate::exit::ExitReason;
use crate::strategy::{Restart, Strategy};

fn three(strategy: Strategy, restart: Restart) -> Paper {
    let members = [member("a", Restart::Permanent), member("b", restart), member("c", Restart::Permanent)];
    Paper::new(policy(strategy, 3), members)
}

/// Does this restart type want this end to be followed by a restart? Written out, as the oracle.
fn comes_back(restart: Restart, reason: &ExitReason) -> bool {
    match (restart, reason) {
        (Restart::Permanent, _) => true,
        (Restart::Transient, reason) => *reason != ExitReason::Normal,
        (Restart::Temporary, _) => false,
    }
}

fn every_case(mut check: impl FnMut(Strategy, Restart, &ExitReason)) {
    for strategy in ALL_STRATEGIES {
        for restart in ALL_RESTARTS {
            for reason in all_reasons() {
                check(strategy, restart, &reason);
            }
        }
    }
}

#[test]
fn ends_while_starting() {
    every_case(|strategy, restart, reason| {
        let case = format!("{strategy:?} {restart:?} {reason:?}");
        let mut paper = three(strategy, restart);
        assert_eq!(paper.start(), ["start a#1"], "{case}");
        assert_eq!(paper.up("a"), ["start b#1"], "{case}");
        let at_once = paper.exit("b", reason);
        if !comes_back(restart, reason) {
            assert_eq!(at_once, ["start c#1"], "{case}");
            assert!(paper.bring_up().is_empty() && paper.after(WINDOW).is_empty(), "{case}");
            return;
        }
        match strategy {
            Strategy::OneForOne => {
                assert_eq!(at_once, ["restart b", "start c#1"], "{case}");
                assert!(paper.bring_up().is_empty(), "{case}");
                assert_eq!(paper.after(PAUSE), ["start b#2"], "{case}");
            }
            Strategy::OneForAll => {
                assert_eq!(at_once, ["restart b", "stop a"], "{case}");
                assert!(paper.exit("a", &ExitReason::Normal).is_empty(), "{case}");
                assert_eq!(paper.after(PAUSE), ["start a#2"], "{case}");
                assert_eq!(paper.bring_up(), ["start b#2", "start c#1"], "{case}");
            }
            Strategy::RestForOne => {
                assert_eq!(at_once, ["restart b"], "{case}");
                assert_eq!(paper.after(PAUSE), ["start b#2"], "{case}");
                assert_eq!(paper.bring_up(), ["start c#1"], "{case}");
            }
        }
    });
}

#[test]
fn ends_while_running() {
    every_case(|strategy, restart, reason| {
        let case = format!("{strategy:?} {restart:?} {reason:?}");
        let mut paper = three(strategy, restart);
        paper.start();
        assert_eq!(paper.bring_up(), ["start b#1", "start c#1"], "{case}");
        let at_once = paper.exit("b", reason);
        if !comes_back(restart, reason) {
            assert!(at_once.is_empty() && paper.after(WINDOW).is_empty(), "{case}");
            assert_eq!(paper.live.len(), 2, "{case}");
            return;
        }
        match strategy {
            Strategy::OneForOne => {
                assert_eq!(at_once, ["restart b"], "{case}");
                assert!(paper.after(PAUSE / 2).is_empty(), "{case}: not before its pause");
                assert_eq!(paper.after(PAUSE / 2), ["start b#2"], "{case}");
            }
            Strategy::OneForAll => {
                assert_eq!(at_once, ["restart b", "stop c"], "{case}");
                assert_eq!(paper.exit("c", &ExitReason::Normal), ["stop a"], "{case}");
                assert!(paper.exit("a", &ExitReason::Normal).is_empty(), "{case}");
                assert_eq!(paper.after(PAUSE), ["start a#2"], "{case}");
                assert_eq!(paper.bring_up(), ["start b#2", "start c#2"], "{case}");
            }
            Strategy::RestForOne => {
                assert_eq!(at_once, ["restart b", "stop c"], "{case}");
                assert!(paper.exit("c", &ExitReason::Normal).is_empty(), "{case}");
                assert_eq!(paper.after(PAUSE), ["start b#2"], "{case}");
                assert_eq!(paper.bring_up(), ["start c#2"], "{case}");
            }
        }
    });
}

#[test]
fn ends_while_stopping_for_shutdown() {
    every_case(|strategy, restart, reason| {
        let case = format!("{strategy:?} {restart:?} {reason:?}");
        let mut paper = three(strategy, restart);
        paper.start();
        paper.bring_up();
        assert_eq!(paper.shutdown(), ["stop c"], "{case}");
        assert_eq!(paper.exit("c", &ExitReason::Normal), ["stop b"], "{case}");
        assert_eq!(paper.exit("b", reason), ["stop a"], "{case}: no end is restarted now");
        assert_eq!(paper.exit("a", &ExitReason::Normal), ["exit"], "{case}");
        assert!(paper.granted.is_empty(), "{case}");
    });
}

#[test]
fn ends_while_being_removed() {
    every_case(|strategy, restart, reason| {
        let case = format!("{strategy:?} {restart:?} {reason:?}");
        let mut paper = three(strategy, restart);
        paper.start();
        paper.bring_up();
        assert_eq!(paper.remove("b").unwrap(), ["stop b"], "{case}");
        assert_eq!(paper.exit("b", reason), ["forget b"], "{case}");
        assert!(paper.after(WINDOW).is_empty() && paper.granted.is_empty(), "{case}");
    });
}

#[test]
fn ends_while_its_group_is_being_stopped() {
    for restart in ALL_RESTARTS {
        for reason in all_reasons() {
            let case = format!("{restart:?} {reason:?}");
            let mut paper = three(Strategy::OneForAll, restart);
            paper.start();
            paper.bring_up();
            // `a` fails; `b` ends before its turn to be told has come. That is no second failure.
            assert_eq!(paper.exit("a", &ExitReason::Hung), ["restart a", "stop c"], "{case}");
            assert!(paper.exit("b", &reason).is_empty(), "{case}");
            assert!(paper.exit("c", &ExitReason::Normal).is_empty(), "{case}");
            assert_eq!(paper.after(PAUSE), ["start a#2"], "{case}");
            let rest = paper.bring_up();
            if restart == Restart::Temporary {
                assert_eq!(rest, ["start c#2"], "{case}: temporary children stay away");
            } else {
                assert_eq!(rest, ["start b#2", "start c#2"], "{case}");
            }
            assert_eq!(paper.granted.len(), 1, "{case}");
        }
    }
}

#[test]
fn an_end_reported_while_backing_off_is_ignored() {
    every_case(|strategy, restart, reason| {
        let case = format!("{strategy:?} {restart:?} {reason:?}");
        let mut paper = three(strategy, restart);
        paper.start();
        paper.bring_up();
        paper.exit("b", &ExitReason::Hung);
        let timer = paper.core.next_timer();
        for incarnation in 0..4 {
            assert!(paper.stale_exit("b", incarnation, reason).is_empty(), "{case}");
        }
        assert_eq!(paper.core.next_timer(), timer, "{case}");
        assert!(paper.granted.len() <= 1, "{case}");
    });
}

#[test]
fn one_failure_too_many_escalates_in_every_phase() {
    for strategy in ALL_STRATEGIES {
        for up in [false, true] {
            let case = format!("{strategy:?} up={up}");
            let members = ["a", "b", "c"].map(|id| member(id, Restart::Permanent));
            let mut paper = Paper::new(policy(strategy, 0), members);
            paper.start();
            paper.up("a");
            if up {
                paper.up("b");
                paper.up("c");
                assert_eq!(paper.exit("b", &ExitReason::Hung), ["stop c"], "{case}");
                assert_eq!(paper.exit("c", &ExitReason::Normal), ["stop a"], "{case}");
            } else {
                assert_eq!(paper.exit("b", &ExitReason::Hung), ["stop a"], "{case}: c is not begun");
            }
            assert_eq!(paper.exit("a", &ExitReason::Normal), ["escalate"], "{case}");
        }
    }
}
