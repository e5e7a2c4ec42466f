//! Goal: the rules of the core that the matrix does not vary: deadlines, dynamic children, back-off,
//! widening groups, settling. Method: small stories with the paper performer, compared in words.

use std::time::Duration;

use super::testing::*;
use crate::error::SupervisorError;
use crate::exit::{ExitReason, Outcome};
use crate::health::ChildState;
use crate::strategy::{Restart, Strategy};

fn permanent<const N: usize>(ids: [&str; N]) -> [super::Member; N] {
    ids.map(|id| member(id, Restart::Permanent))
}

#[test]
fn a_child_is_started_when_the_one_before_is_up() {
    let mut paper = Paper::new(policy(Strategy::OneForOne, 3), permanent(["a", "b"]));
    assert!(!paper.core.settled());
    assert_eq!(paper.start(), ["start a#1"]);
    assert!(paper.after(WINDOW).is_empty());
    assert_eq!(paper.up("a"), ["start b#1"]);
    assert!(!paper.core.settled());
    assert!(paper.up("b").is_empty());
    assert!(paper.core.settled());
    assert_eq!(paper.core.next_timer(), None);
}

#[test]
fn a_failure_settles_so_that_siblings_of_the_supervisor_go_on() {
    let mut paper = Paper::new(policy(Strategy::OneForAll, 3), permanent(["a", "b"]));
    paper.start();
    paper.exit("a", &ExitReason::Hung);
    assert!(paper.core.settled());
}

#[test]
fn a_supervisor_without_children_settles_and_ends() {
    let mut paper = Paper::new(policy(Strategy::OneForOne, 3), []);
    assert!(paper.start().is_empty());
    assert!(paper.core.settled());
    assert_eq!(paper.shutdown(), ["exit"]);
    assert!(paper.shutdown().is_empty());
    assert!(paper.after(WINDOW).is_empty());
}

#[test]
fn who_does_not_stop_in_time_is_killed_once() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), permanent(["a", "b"]));
    assert_eq!(paper.shutdown(), ["stop b"]);
    assert_eq!(paper.core.next_timer(), Some(paper.now + DEADLINE));
    assert!(paper.after(DEADLINE - Duration::from_millis(1)).is_empty());
    assert_eq!(paper.after(Duration::from_millis(1)), ["kill b"]);
    assert_eq!(paper.core.next_timer(), None);
    assert!(paper.after(DEADLINE).is_empty());
    assert_eq!(paper.exit("b", &ExitReason::Aborted), ["stop a"]);
    assert_eq!(paper.after(DEADLINE), ["kill a"]);
    assert_eq!(paper.exit("a", &ExitReason::Aborted), ["exit"]);
}

#[test]
fn no_deadline_means_no_kill() {
    let mut below = member("below", Restart::Permanent);
    below.shutdown_deadline = None;
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), [below]);
    paper.shutdown();
    assert_eq!(paper.core.next_timer(), None);
    assert!(paper.after(WINDOW * 100).is_empty());
}

#[test]
fn dynamic_children_of_one_for_one_are_told_together_and_static_ones_after_them() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), permanent(["a", "b"]));
    for id in ["x", "y", "z"] {
        paper.add(member(id, Restart::Permanent)).unwrap();
        paper.bring_up();
    }
    assert_eq!(paper.shutdown(), ["stop z", "stop y", "stop x"]);
    assert!(paper.exit("y", &ExitReason::Normal).is_empty());
    assert!(paper.exit("z", &ExitReason::Normal).is_empty());
    assert_eq!(paper.exit("x", &ExitReason::Normal), ["stop b"]);
}

#[test]
fn dynamic_children_that_may_depend_on_each_other_are_told_one_by_one() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut paper = Paper::running(policy(strategy, 3), permanent(["a"]));
        for id in ["x", "y"] {
            paper.add(member(id, Restart::Permanent)).unwrap();
            paper.bring_up();
        }
        assert_eq!(paper.shutdown(), ["stop y"]);
        assert_eq!(paper.exit("y", &ExitReason::Normal), ["stop x"]);
        assert_eq!(paper.exit("x", &ExitReason::Normal), ["stop a"]);
    }
}

#[test]
fn dynamic_children_have_a_maximum_and_unique_names() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), permanent(["a"]));
    for id in ["w", "x", "y", "z"] {
        assert_eq!(paper.add(member(id, Restart::Permanent)).unwrap(), [format!("start {id}#1")]);
        paper.bring_up();
    }
    let one_more = paper.add(member("v", Restart::Permanent));
    assert_eq!(one_more, Err(SupervisorError::TooMany { child: "v".into(), max: 4 }));
    let again = paper.add(member("a", Restart::Permanent));
    assert_eq!(again, Err(SupervisorError::AlreadyThere { child: "a".into() }));
    paper.remove("w").unwrap();
    let while_removing = paper.add(member("w", Restart::Permanent));
    assert_eq!(while_removing, Err(SupervisorError::AlreadyThere { child: "w".into() }));
    assert_eq!(paper.exit("w", &ExitReason::Normal), ["forget w"]);
    assert_eq!(paper.add(member("w", Restart::Permanent)).unwrap(), ["start w#1"]);
    paper.shutdown();
    assert_eq!(paper.add(member("u", Restart::Permanent)), Err(SupervisorError::Stopping));
}

#[test]
fn a_dynamic_child_that_ends_for_good_makes_room() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), []);
    paper.add(member("t", Restart::Temporary)).unwrap();
    paper.bring_up();
    assert_eq!(paper.exit("t", &ExitReason::Hung), ["forget t"]);
    paper.add(member("t", Restart::Transient)).unwrap();
    paper.bring_up();
    assert_eq!(paper.exit("t", &ExitReason::Normal), ["forget t"]);
    assert_eq!(paper.remove("t"), Err(SupervisorError::NotFound { child: "t".into() }));
}

#[test]
fn a_child_that_backs_off_or_waits_is_removed_at_once() {
    let mut paper = Paper::new(policy(Strategy::OneForOne, 3), permanent(["a", "b"]));
    paper.start();
    assert_eq!(paper.remove("b").unwrap(), ["forget b"]);
    paper.exit("a", &ExitReason::Hung);
    assert_eq!(paper.remove("a").unwrap(), ["forget a"]);
    assert_eq!(paper.core.next_timer(), None);
}

#[test]
fn removing_twice_tells_once() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), permanent(["a"]));
    assert_eq!(paper.remove("a").unwrap(), ["stop a"]);
    assert!(paper.remove("a").unwrap().is_empty());
    assert_eq!(paper.exit("a", &ExitReason::Normal), ["forget a"]);
}

#[test]
fn an_earlier_failure_widens_the_group_under_way() {
    let mut paper = Paper::running(policy(Strategy::RestForOne, 3), permanent(["a", "b", "c"]));
    assert_eq!(paper.exit("b", &ExitReason::Hung), ["restart b", "stop c"]);
    assert_eq!(paper.exit("a", &ExitReason::Hung), ["restart a"]);
    assert!(paper.exit("c", &ExitReason::Normal).is_empty());
    assert_eq!(paper.after(PAUSE), ["start a#2"]);
    assert_eq!(paper.bring_up(), ["start b#2", "start c#2"]);
    assert_eq!(paper.granted.len(), 2);
}

#[test]
fn a_group_starts_only_when_its_last_member_has_ended() {
    let mut paper = Paper::running(policy(Strategy::OneForAll, 3), permanent(["a", "b"]));
    assert_eq!(paper.exit("a", &ExitReason::Hung), ["restart a", "stop b"]);
    assert!(paper.after(PAUSE * 2).is_empty());
    assert_eq!(paper.exit("b", &ExitReason::Normal), ["start a#2"]);
}

#[test]
fn children_added_while_a_group_is_restarted_come_after_it() {
    let mut paper = Paper::running(policy(Strategy::OneForAll, 3), permanent(["a", "b"]));
    paper.exit("a", &ExitReason::Hung);
    assert!(paper.add(member("x", Restart::Permanent)).unwrap().is_empty());
    paper.exit("b", &ExitReason::Normal);
    assert_eq!(paper.after(PAUSE), ["start a#2"]);
    assert_eq!(paper.bring_up(), ["start b#2", "start x#1"]);
}

#[test]
fn a_transient_child_that_was_done_runs_again_with_its_group() {
    let members = [member("once", Restart::Transient), member("a", Restart::Permanent)];
    let mut paper = Paper::running(policy(Strategy::OneForAll, 3), members);
    assert!(paper.exit("once", &ExitReason::Normal).is_empty());
    assert_eq!(paper.exit("a", &ExitReason::Hung), ["restart a"]);
    assert_eq!(paper.after(PAUSE), ["start once#2"]);
    assert_eq!(paper.bring_up(), ["start a#2"]);
}

#[test]
fn shutdown_while_backing_off_restarts_nothing() {
    for strategy in ALL_STRATEGIES {
        let mut paper = Paper::running(policy(strategy, 3), permanent(["a"]));
        paper.exit("a", &ExitReason::Hung);
        assert_eq!(paper.shutdown(), ["exit"], "{strategy:?}");
        assert!(paper.after(WINDOW).is_empty());
    }
}

#[test]
fn shutdown_while_starting_stops_what_was_begun() {
    let mut paper = Paper::new(policy(Strategy::OneForOne, 3), permanent(["a", "b", "c"]));
    paper.start();
    paper.up("a");
    assert_eq!(paper.shutdown(), ["stop b"]);
    assert!(paper.up("b").is_empty(), "a start that is reported late changes nothing");
    assert_eq!(paper.exit("b", &ExitReason::Normal), ["stop a"]);
    assert_eq!(paper.exit("a", &ExitReason::Normal), ["exit"]);
}

#[test]
fn restarts_are_counted_over_all_children_and_the_reason_names_the_last() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 2), permanent(["a", "b"]));
    for id in ["a", "b"] {
        paper.exit(id, &ExitReason::Hung);
        paper.after(PAUSE);
        paper.bring_up();
    }
    assert_eq!(paper.exit("b", &ExitReason::failed("no luck")), ["stop a"]);
    assert_eq!(paper.exit("a", &ExitReason::Normal), ["escalate"]);
    let Some(Outcome::Escalated { reason }) = &paper.outcome else { panic!("{:?}", paper.outcome) };
    assert!(reason.contains("more than 2 restarts") && reason.contains("for b: failed: no luck"), "{reason}");
}

#[test]
fn the_pause_grows_with_failures_in_a_row_and_starts_anew_after_a_good_window() {
    let mut policy = policy(Strategy::OneForOne, 100);
    let cap = Duration::from_secs(3600);
    policy.backoff = base::Backoff::try_new(Duration::from_secs(1), 2.0, cap, 0.0).unwrap();
    let mut paper = Paper::running(policy, permanent(["a"]));
    let mut pauses = Vec::new();
    for _ in 0..4 {
        paper.exit("a", &ExitReason::Hung);
        let pause = paper.core.next_timer().unwrap() - paper.now;
        pauses.push(pause.as_secs());
        assert_eq!(paper.after(pause).len(), 1);
        paper.bring_up();
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    paper.after(WINDOW);
    paper.exit("a", &ExitReason::Hung);
    assert_eq!(paper.core.next_timer(), Some(paper.now + Duration::from_secs(1)));
}

#[test]
fn jitter_takes_from_the_pause_and_repeats_with_the_seed() {
    let mut policy = policy(Strategy::OneForOne, 3);
    policy.backoff = base::Backoff::try_new(PAUSE, 1.0, PAUSE, 0.5).unwrap();
    let pause = |policy| {
        let mut paper = Paper::running(policy, permanent(["a"]));
        paper.exit("a", &ExitReason::Hung);
        paper.core.next_timer().unwrap() - paper.now
    };
    assert_eq!(pause(policy), pause(policy));
    assert!((PAUSE / 2..PAUSE).contains(&pause(policy)), "{:?}", pause(policy));
}

#[test]
fn changes_of_state_are_told_in_order() {
    let mut paper = Paper::running(policy(Strategy::OneForOne, 3), permanent(["a"]));
    paper.exit("a", &ExitReason::Hung);
    paper.after(PAUSE);
    let states: Vec<ChildState> = paper.core.take_changes().into_iter().map(|(_, state)| state).collect();
    use ChildState::{BackingOff, Running, Starting, Waiting};
    assert_eq!(states, [Starting, Running, BackingOff, Waiting, Starting]);
    assert!(paper.core.take_changes().is_empty());
}

#[test]
fn incarnations_go_on_from_those_before_this_core() {
    let mut again = member("a", Restart::Permanent);
    again.incarnation = 7;
    let mut core = super::Core::new(policy(Strategy::OneForOne, 3), [again], 1);
    let now = Paper::new(policy(Strategy::OneForOne, 3), []).now;
    assert_eq!(core.start(now), [super::Directive::Start { child: "a".into(), incarnation: 8 }]);
}
