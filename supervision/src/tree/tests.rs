//! Goal: the tree on real actix does what the core decides: panics, failures and hangs are told apart and
//! end the right incarnation, shutdown is ordered and bounded, failures rise to the root.
//! Method: puppets on paused time; each test waits for a state of the tree, never for a time.

use std::time::Duration;

use base::SystemClock;

use super::testing::*;
use crate::{ChildError, ChildSpec, ChildState, Ended, Restart, Strategy, Tree};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_panic_in_a_handler_restarts_from_a_fresh_value() {
    on_paused_time(async {
        let stage = Stage::default();
        let (spec, child) = stage.puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        assert_eq!(child.send(Do::Nothing).await, Ok(1));
        assert_eq!(child.send(Do::Nothing).await, Ok(2));
        assert_eq!(child.send(Do::Panic).await, Err(ChildError::Lost));
        incarnation(&tree, "root/a", 2).await;
        assert_eq!(child.send(Do::Nothing).await, Ok(1), "state of the failed incarnation is gone");
        assert!(last_exit(&tree, "root/a").starts_with("panicked: a fixed message"));
        assert_eq!(tree.restarts_total(), 1);
        // Neither `stopping` nor `stopped` ran on the value that had panicked.
        assert_eq!(stage.journal.take(), ["a#1 started", "a#1 dropped", "a#2 started"]);
    });
}

#[test]
fn a_panic_in_a_future_of_the_context_restarts() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        child.send(Do::PanicLater(SECOND)).await.unwrap();
        incarnation(&tree, "root/a", 2).await;
    });
}

#[test]
fn a_panic_in_a_response_future_keeps_the_actor_and_one_in_a_response_act_future_does_not() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        assert_eq!(child.send(PanicInResponseFuture).await, Err(ChildError::Lost));
        assert_eq!((child.send(Do::Nothing).await, tree.restarts_total()), (Ok(1), 0));
        assert_eq!(child.send(PanicInResponseActFuture).await, Err(ChildError::Lost));
        incarnation(&tree, "root/a", 2).await;
    });
}

#[test]
fn content_in_a_panic_message_is_withheld() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        let _ = child.send(Do::PanicFormatted("a secret subject".to_owned())).await;
        incarnation(&tree, "root/a", 2).await;
        let exit = last_exit(&tree, "root/a");
        assert!(exit.contains("withheld") && !exit.contains("secret"), "{exit}");
    });
}

#[test]
fn the_panic_hook_may_tell_the_place() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        crate::panics::note(info);
        before(info);
    }));
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        let _ = child.send(Do::Panic).await;
        incarnation(&tree, "root/a", 2).await;
        let exit = last_exit(&tree, "root/a");
        assert!(exit.contains("a fixed message at supervision/src/tree/testing.rs:"), "{exit}");
    });
}

#[test]
fn failing_at_start_counts_as_an_end() {
    for (vice, expected) in [
        (Vice::PanicInFactory, "panicked"),
        (Vice::PanicInStarted, "panicked"),
        (Vice::FailInStarted, "failed: could not begin"),
    ] {
        on_paused_time(async {
            let stage = Stage::default();
            let (spec, child) = stage.puppet_with("a", move |incarnation| (incarnation < 3).then_some(vice));
            let (after, _) = stage.puppet("b");
            let tree = started(root(Strategy::OneForOne, 3).child(spec).child(after)).await;
            assert!(last_exit(&tree, "root/a").starts_with(expected), "{vice:?}");
            assert_eq!(tree.status().find("root/a").unwrap().incarnation, 3);
            assert_eq!(child.send(Do::Nothing).await, Ok(1));
            // `b` did not wait for the third attempt of `a`.
            assert_eq!(tree.status().find("root/b").unwrap().incarnation, 1);
        });
    }
}

#[test]
fn fail_ends_the_incarnation_without_stop() {
    on_paused_time(async {
        let stage = Stage::default();
        let (spec, child) = stage.puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        child.send(Do::Fail("lost the connection")).await.unwrap();
        incarnation(&tree, "root/a", 2).await;
        assert_eq!(last_exit(&tree, "root/a"), "failed: lost the connection");
        assert_eq!(stage.journal.take(), ["a#1 started", "a#1 dropped", "a#2 started"]);
    });
}

#[test]
fn failing_and_stopping_in_one_breath_is_a_failure() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec.restart(Restart::Transient))).await;
        let _ = child.send(Do::FailAndStop).await;
        incarnation(&tree, "root/a", 2).await;
        assert_eq!(last_exit(&tree, "root/a"), "failed: failed and stopped");
    });
}

#[test]
fn panics_while_ending_do_no_more_than_end() {
    for vice in [Vice::PanicInStopping, Vice::PanicInStopped, Vice::PanicInDrop] {
        on_paused_time(async {
            let (spec, child) =
                Stage::default().puppet_with("a", move |number| (number == 1).then_some(vice));
            let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
            let _ = child.send(Do::StopItself).await;
            incarnation(&tree, "root/a", 2).await;
            assert!(last_exit(&tree, "root/a").starts_with("panicked"), "{vice:?}");
        });
    }
}

#[test]
fn a_panic_in_the_drop_of_a_value_that_panicked_does_not_end_the_process() {
    on_paused_time(async {
        let (spec, child) =
            Stage::default().puppet_with("a", |number| (number == 1).then_some(Vice::PanicInDrop));
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        let _ = child.send(Do::Panic).await;
        incarnation(&tree, "root/a", 2).await;
        assert!(last_exit(&tree, "root/a").contains("a fixed message"));
    });
}

#[test]
fn stopping_by_itself_is_restarted_by_type() {
    on_paused_time(async {
        let stage = Stage::default();
        let (permanent, p) = stage.puppet("p");
        let (transient, t) = stage.puppet("t");
        let (temporary, x) = stage.puppet("x");
        let tree = started(
            root(Strategy::OneForOne, 3)
                .child(permanent)
                .child(transient.restart(Restart::Transient))
                .child(temporary.restart(Restart::Temporary)),
        )
        .await;
        for child in [&p, &t] {
            child.send(Do::StopItself).await.unwrap();
        }
        let _ = x.send(Do::Panic).await;
        incarnation(&tree, "root/p", 2).await;
        for path in ["root/t", "root/x"] {
            let status = tree.status();
            let child = status.find(path).unwrap();
            assert_eq!((child.state, child.incarnation), (ChildState::Ended, 1), "{path}");
        }
        assert!(tree.ready(), "what has ended for good has no bearing");
        assert_eq!(t.send(Do::Nothing).await, Err(ChildError::NotRunning));
    });
}

#[test]
fn busy_without_progress_is_hung() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec.progress_deadline(10 * SECOND))).await;
        let begin = tokio::time::Instant::now();
        child.send(Do::Busy(true)).await.unwrap();
        for _ in 0..3 {
            tokio::time::advance(9 * SECOND).await;
            child.send(Do::Progress).await.unwrap();
        }
        incarnation(&tree, "root/a", 2).await;
        assert_eq!(last_exit(&tree, "root/a"), "hung: no progress within its deadline");
        // Three times nine seconds with progress, ten without, one of back-off.
        let took = tokio::time::Instant::now() - begin;
        assert!((38 * SECOND..39 * SECOND).contains(&took), "{took:?}");
    });
}

#[test]
fn idle_is_not_hung() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec.progress_deadline(SECOND))).await;
        tokio::time::advance(3_600 * SECOND).await;
        child.send(Do::Busy(true)).await.unwrap();
        child.send(Do::Busy(false)).await.unwrap();
        child.send(Do::Progress).await.unwrap();
        tokio::time::advance(3_600 * SECOND).await;
        assert_eq!(child.send(Do::Nothing).await, Ok(4));
        assert_eq!(tree.restarts_total(), 0);
    });
}

#[test]
fn shutdown_is_in_reverse_order_one_after_the_other() {
    on_paused_time(async {
        let stage = Stage::default();
        let (first, _) = stage.puppet("a");
        let (second, _) = stage.puppet_with("b", |_| Some(Vice::SlowStop(3 * SECOND)));
        let (third, _) = stage.puppet("c");
        let below = supervisor("below", Strategy::OneForAll, 3).child(second).child(third);
        let tree =
            started(root(Strategy::OneForOne, 3).child(first).child(ChildSpec::supervisor(below))).await;
        assert_eq!(stage.journal.take(), ["a#1 started", "b#1 started", "c#1 started"]);
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        let expected: Vec<String> = ["c", "b", "a"]
            .iter()
            .flat_map(|id| {
                ["told to stop", "stopping", "stopped", "dropped"].map(|what| format!("{id}#1 {what}"))
            })
            .collect();
        assert_eq!(stage.journal.take(), expected);
        assert_eq!(tree.restarts_total(), 0);
        assert!(!tree.ready());
        assert!(!tree.wait_ready().await, "an ended tree is never ready");
    });
}

#[test]
fn who_ignores_stop_is_aborted_at_its_deadline() {
    on_paused_time(async {
        let stage = Stage::default();
        let (deaf, _) = stage.puppet_with("deaf", |_| Some(Vice::IgnoreStop));
        let (waiting, child) = stage.puppet("waiting");
        let tree = started(
            root(Strategy::OneForOne, 3)
                .child(deaf.shutdown_deadline(7 * SECOND))
                .child(waiting.shutdown_deadline(2 * SECOND)),
        )
        .await;
        let token = child.send(Do::Wait(3_600 * SECOND)).await.map(|_| child.current().unwrap());
        let begin = tokio::time::Instant::now();
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        let took = tokio::time::Instant::now() - begin;
        assert!((9 * SECOND..10 * SECOND).contains(&took), "{took:?}");
        assert_eq!(last_exit(&tree, "root/deaf"), "aborted");
        assert_eq!(last_exit(&tree, "root/waiting"), "aborted");
        assert!(!token.unwrap().connected());
        // An abort runs no code of the actor but its drop.
        let journal = stage.journal.take();
        assert_eq!(journal[2..], ["waiting#1 dropped", "deaf#1 told to stop", "deaf#1 dropped"]);
    });
}

#[test]
fn failing_at_stop_ends_early_and_is_shown() {
    on_paused_time(async {
        let (spec, _) = Stage::default().puppet_with("a", |_| Some(Vice::FailAtStop));
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        assert_eq!(last_exit(&tree, "root/a"), "failed: could not clean up");
    });
}

#[test]
fn stop_reaches_a_full_mailbox() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec.mailbox_capacity(1))).await;
        while child.try_send(Do::Nothing).is_ok() {}
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        assert_eq!(last_exit(&tree, "root/a"), "stopped");
    });
}

#[test]
fn failures_escalate_level_by_level_to_the_root() {
    on_paused_time(async {
        let stage = Stage::default();
        let (spec, _) = stage.puppet_with("a", |_| Some(Vice::PanicInStarted));
        let (bystander, _) = stage.puppet("bystander");
        let inner = supervisor("inner", Strategy::OneForOne, 2).child(spec);
        let middle = supervisor("middle", Strategy::OneForOne, 1).child(ChildSpec::supervisor(inner));
        let tree = Tree::start(
            root(Strategy::OneForOne, 0).child(bystander).child(ChildSpec::supervisor(middle)),
            SystemClock::shared(),
        );
        let Ended::Escalated { reason } = tree.ended().await else { panic!("{:?}", tree.status()) };
        assert!(
            reason.contains("more than 0 restarts") && reason.contains("for middle: escalated"),
            "{reason}"
        );
        // Three incarnations of `a` in each of two incarnations of `inner`; numbers go on throughout.
        let journal = stage.journal.take();
        let starts = journal.iter().filter(|what| what.starts_with("a#") && what.ends_with(" started"));
        assert_eq!(starts.count(), 6, "{journal:?}");
        assert!(journal.contains(&"a#6 started".to_owned()));
        assert!(journal.ends_with(&["bystander#1 stopped".to_owned(), "bystander#1 dropped".to_owned()]));
        assert_eq!(tree.shutdown().await, Ended::Escalated { reason });
    });
}

#[test]
fn one_for_all_and_rest_for_one_restart_their_groups() {
    for (strategy, expected) in [(Strategy::OneForAll, [2, 2, 2]), (Strategy::RestForOne, [1, 2, 2])] {
        on_paused_time(async {
            let stage = Stage::default();
            let [(a, _), (b, child), (c, _)] = ["a", "b", "c"].map(|id| stage.puppet(id));
            let tree = started(root(strategy, 3).child(a).child(b).child(c)).await;
            let _ = child.send(Do::Panic).await;
            incarnation(&tree, "root/c", 2).await;
            let incarnations: Vec<u64> =
                tree.status().children.iter().map(|child| child.incarnation).collect();
            assert_eq!(incarnations, expected, "{strategy:?}");
        });
    }
}

#[test]
fn two_children_of_one_name_end_the_tree() {
    on_paused_time(async {
        let stage = Stage::default();
        let (one, _) = stage.puppet("a");
        let (other, _) = stage.puppet("a");
        let tree = Tree::start(root(Strategy::OneForOne, 3).child(one).child(other), SystemClock::shared());
        let Ended::Escalated { reason } = tree.ended().await else { panic!("it runs") };
        assert!(reason.contains("two children have the name a"), "{reason}");
    });
}
