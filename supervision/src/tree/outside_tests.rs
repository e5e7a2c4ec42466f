//! Goal: the tree as its users outside see it: references that follow restarts, dynamic children,
//! readiness, status, use from other threads.
//! Method: puppets on paused time; each test waits for a state of the tree, never for a time.

use std::time::Duration;

use base::SystemClock;

use super::testing::*;
use crate::{
    ChildError, ChildId, ChildSpec, ChildState, Ended, Restart, Strategy, SupervisorError, SupervisorRef,
    Tree, Unready,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_reference_follows_its_child() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        assert!(child.current().is_none());
        assert_eq!(child.try_send(Do::Nothing), Err(ChildError::NotRunning));
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        let first = child.current().unwrap();
        let _ = child.send(Do::Panic).await;
        assert!(child.current().is_none(), "no address while backing off");
        assert_eq!(child.send(Do::Nothing).await, Err(ChildError::NotRunning));
        incarnation(&tree, "root/a", 2).await;
        assert_ne!(child.current().unwrap(), first);
        assert!(!first.connected());
        let clone = child.clone();
        assert_eq!(clone.send(Do::Nothing).await, Ok(1));
        tree.shutdown().await;
        assert!(clone.current().is_none());
    });
}

#[test]
fn requests_that_wait_when_the_child_ends_are_lost_and_say_so() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let _tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        let (panicking, behind) = tokio::join!(child.send(Do::Panic), child.send(Do::Nothing));
        assert_eq!((panicking, behind), (Err(ChildError::Lost), Err(ChildError::Lost)));
    });
}

#[test]
fn a_mailbox_has_a_limit_for_messages_and_for_requests() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let _tree = started(root(Strategy::OneForOne, 3).child(spec.mailbox_capacity(4))).await;
        let clones: Vec<_> = (0..100).map(|_| child.clone()).collect();
        let taken = clones.iter().filter(|clone| clone.try_send(Do::Nothing).is_ok()).count();
        assert_eq!(taken, 4, "a limit that clones do not get round");
        assert_eq!(child.try_send(Do::Nothing), Err(ChildError::Full));
        let answers = futures::future::join_all(clones.iter().map(|clone| clone.send(Do::Nothing))).await;
        let full = answers.iter().filter(|answer| **answer == Err(ChildError::Full)).count();
        assert_eq!(full, 96);
        // Nothing stays occupied, neither by answers nor by requests that were dropped.
        for _ in 0..10 {
            drop(tokio::time::timeout(Duration::ZERO, child.send(Do::Nothing)).await);
            assert!(child.send(Do::Nothing).await.is_ok());
        }
        assert_eq!(child.try_send(Do::Nothing), Ok(()));
    });
}

#[test]
fn dynamic_children_come_and_go_up_to_a_maximum() {
    on_paused_time(async {
        let stage = Stage::default();
        let supervisor_ref = SupervisorRef::new();
        let early = supervisor_ref.add_child(stage.puppet("early").0).await;
        assert_eq!(early, Err(SupervisorError::NotRunning));
        let spec = root(Strategy::OneForOne, 3).max_children(2).reference(&supervisor_ref);
        let tree = started(spec).await;
        let (spec, x) = stage.puppet("x");
        supervisor_ref.add_child(spec).await.unwrap();
        supervisor_ref.add_child(stage.puppet("y").0).await.unwrap();
        let again = supervisor_ref.add_child(stage.puppet("x").0).await;
        assert_eq!(again, Err(SupervisorError::AlreadyThere { child: "x".into() }));
        let too_many = supervisor_ref.add_child(stage.puppet("z").0).await;
        assert_eq!(too_many, Err(SupervisorError::TooMany { child: "z".into(), max: 2 }));
        incarnation(&tree, "root/x", 1).await;
        let _ = x.send(Do::Panic).await;
        incarnation(&tree, "root/x", 2).await;

        supervisor_ref.remove_child(&"x".into()).await.unwrap();
        assert!(x.current().is_none(), "it is gone when the removal returns");
        assert_eq!(supervisor_ref.children(), [ChildId::from("y")]);
        let gone = supervisor_ref.remove_child(&"x".into()).await;
        assert_eq!(gone, Err(SupervisorError::NotFound { child: "x".into() }));
        supervisor_ref.add_child(stage.puppet("z").0).await.unwrap();
        tree.shutdown().await;
        assert_eq!(supervisor_ref.add_child(stage.puppet("v").0).await, Err(SupervisorError::NotRunning));
        assert!(supervisor_ref.children().is_empty());
    });
}

#[test]
fn a_supervisor_that_is_stopping_takes_no_children() {
    on_paused_time(async {
        let stage = Stage::default();
        let (slow, _) = stage.puppet_with("slow", |_| Some(Vice::SlowStop(3 * SECOND)));
        let tree = started(root(Strategy::OneForOne, 3).child(slow)).await;
        let (ended, refused) = tokio::join!(tree.shutdown(), async {
            tree.wait_for(|tree| tree.status().children[0].state == ChildState::Stopping).await;
            tree.root().add_child(stage.puppet("late").0).await
        });
        assert_eq!((ended, refused), (Ended::Shutdown, Err(SupervisorError::Stopping)));
    });
}

#[test]
fn a_restarted_supervisor_has_its_static_children_and_the_same_reference() {
    on_paused_time(async {
        let stage = Stage::default();
        let reference = SupervisorRef::new();
        let (fixed, child) = stage.puppet("fixed");
        let below = supervisor("below", Strategy::OneForOne, 0).child(fixed).reference(&reference);
        let tree = started(root(Strategy::OneForOne, 3).child(ChildSpec::supervisor(below))).await;
        let (dynamic, dynamic_child) = stage.puppet("dynamic");
        reference.add_child(dynamic).await.unwrap();
        incarnation(&tree, "root/below/dynamic", 1).await;
        assert!(tree.supervisor("root/below").is_some() && tree.supervisor("root/below/fixed").is_none());

        let _ = child.send(Do::Panic).await;
        incarnation(&tree, "root/below", 2).await;
        assert_eq!(tree.supervisor("root/below").unwrap().children(), [ChildId::from("fixed")]);
        assert!(dynamic_child.current().is_none(), "a dynamic child is gone until it is added again");
        assert_eq!(child.send(Do::Nothing).await, Ok(1));
        assert_eq!(tree.status().find("root/below/fixed").unwrap().incarnation, 2);
        let (dynamic, _) = stage.puppet("dynamic");
        reference.add_child(dynamic).await.unwrap();
        incarnation(&tree, "root/below/dynamic", 1).await;
    });
}

#[test]
fn an_overdue_supervisor_is_aborted_with_all_below_it() {
    on_paused_time(async {
        let stage = Stage::default();
        let (deaf, child) = stage.puppet_with("deaf", |_| Some(Vice::IgnoreStop));
        let below = supervisor("below", Strategy::OneForOne, 3).child(deaf.shutdown_deadline(3_600 * SECOND));
        let below = ChildSpec::supervisor(below).shutdown_deadline(2 * SECOND);
        let tree = started(root(Strategy::OneForOne, 3).child(below)).await;
        let address = child.current().unwrap();
        let begin = tokio::time::Instant::now();
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        assert!(tokio::time::Instant::now() - begin < 3 * SECOND);
        assert_eq!(last_exit(&tree, "root/below"), "aborted");
        assert_eq!(last_exit(&tree, "root/below/deaf"), "aborted");
        // Its task is dropped by the runtime a moment later.
        while address.connected() {
            tokio::task::yield_now().await;
        }
        assert!(child.current().is_none());
    });
}

#[test]
fn tasks_of_an_incarnation_learn_of_its_end() {
    on_paused_time(async {
        let contexts = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (child, seen) = (crate::ChildRef::<Listener>::new(), contexts.clone());
        let spec = ChildSpec::actor("a", &child, move |context| {
            seen.lock().unwrap().push(context);
            Listener
        });
        let spec = root(Strategy::OneForOne, 3).child(spec.reports_readiness());
        let tree = Tree::start(spec, SystemClock::shared());
        incarnation(&tree, "root/a", 1).await;
        let first = contexts.lock().unwrap()[0].clone();
        // A task elsewhere, as one that does I/O would be.
        let ended = first.ended();
        let task = tokio::spawn(async move { ended.cancelled().await });
        first.fail("the task saw an error");
        task.await.unwrap();
        incarnation(&tree, "root/a", 2).await;
        assert!(first.stopping() && !tree.ready());
        first.ready(true);
        first.fail("said too late");
        assert!(!tree.ready(), "nobody listens to the first incarnation any longer");
        contexts.lock().unwrap()[1].ready(true);
        assert!(tree.ready());
        assert_eq!((first.path(), first.incarnation()), ("root/a", 1));
    });
}

struct Listener;

impl actix::Actor for Listener {
    type Context = actix::Context<Self>;
}

impl actix::Handler<crate::Stop> for Listener {
    type Result = ();

    fn handle(&mut self, _: crate::Stop, context: &mut Self::Context) {
        actix::ActorContext::stop(context);
    }
}

#[test]
fn readiness_comes_from_the_leaves() {
    on_paused_time(async {
        let stage = Stage::default();
        let (quiet, _) = stage.puppet("quiet");
        let (reporting, child) = stage.puppet("reporting");
        let (one_of_many, m) = stage.puppet("one-of-many");
        let below = supervisor("below", Strategy::OneForOne, 3)
            .child(reporting.reports_readiness())
            .child(one_of_many.without_bearing_on_readiness());
        let tree = Tree::start(
            root(Strategy::OneForOne, 3).child(quiet).child(ChildSpec::supervisor(below)),
            SystemClock::shared(),
        );
        incarnation(&tree, "root/below/one-of-many", 1).await;
        assert!(!tree.ready() && tree.status().find("root/quiet").unwrap().ready);
        let (ready, ()) = tokio::join!(tree.wait_ready(), async {
            child.send(Do::Ready(true)).await.unwrap();
        });
        assert!(ready && tree.ready());
        let _ = m.send(Do::Panic).await;
        assert!(tree.ready(), "one of many has no bearing");
        let _ = child.send(Do::Panic).await;
        assert!(!tree.ready());
        incarnation(&tree, "root/below/reporting", 2).await;
        assert!(!tree.ready(), "each incarnation says it anew");
        child.send(Do::Ready(true)).await.unwrap();
        assert!(tree.ready());
        child.send(Do::Ready(false)).await.unwrap();
        assert!(!tree.ready());
    });
}

#[test]
fn a_guarded_task_that_panics_fails_its_incarnation_and_one_that_ends_or_is_aborted_does_not() {
    on_paused_time(async {
        let (spec, child) = Stage::default().puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        child.send(Do::Task(false)).await.unwrap();
        child.send(Do::Task(true)).await.unwrap();
        incarnation(&tree, "root/a", 2).await;
        assert_eq!(last_exit(&tree, "root/a"), "failed: a task panicked");
        // aborted in the middle, not panicking
        let (spec, child) = Stage::default().puppet("b");
        let other = started(root(Strategy::OneForOne, 3).child(spec)).await;
        child.send(Do::Task(false)).await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(other.restarts_total(), 0);
    });
}

#[test]
fn what_is_not_ready_is_named_up_to_a_limit_and_without_what_is_left_out() {
    on_paused_time(async {
        let stage = Stage::default();
        let mut many = supervisor("many", Strategy::OneForOne, 3);
        for n in 0..4 {
            many = many.child(stage.puppet(&format!("child/{n}")).0.reports_readiness());
        }
        let (quiet, _) = stage.puppet("quiet");
        let (other, other_ref) = stage.puppet("other");
        let below = supervisor("below", Strategy::OneForOne, 3)
            .child(other.reports_readiness())
            .child(ChildSpec::supervisor(many));
        let tree = Tree::start(
            root(Strategy::OneForOne, 3).child(quiet).child(ChildSpec::supervisor(below)),
            SystemClock::shared(),
        );
        incarnation(&tree, "root/below/many/child/3", 1).await;
        let all = tree.unready(2, |_| false);
        let named =
            [("root/below/other", ChildState::Running), ("root/below/many/child/0", ChildState::Running)];
        assert_eq!((all.total, all.first), (5, named.map(|(path, state)| (path.to_owned(), state)).to_vec()));
        // a parent is not named for what is left out below it
        let without = tree.unready(9, |path| path == "root/below/many");
        assert_eq!((without.total, without.first[0].0.as_str()), (1, "root/below/other"));
        other_ref.send(Do::Ready(true)).await.unwrap();
        assert_eq!(tree.unready(9, |path| path == "root/below/many"), Unready::default());
        assert!(!tree.ready(), "leaving out is the asker's business");
        assert_eq!(tree.unready(0, |_| false), Unready { first: Vec::new(), total: 4 });
    });
}

#[test]
fn the_status_tells_every_child() {
    on_paused_time(async {
        let stage = Stage::default();
        let (spec, child) = stage.puppet("actor/one@sim.test");
        let below = supervisor("below", Strategy::OneForOne, 3).child(spec.restart(Restart::Permanent));
        let tree = started(root(Strategy::OneForOne, 3).child(ChildSpec::supervisor(below))).await;
        child.send(Do::Fail("why")).await.unwrap();
        incarnation(&tree, "root/below/actor/one@sim.test", 2).await;
        let status = tree.status();
        assert_eq!(
            (status.path.as_str(), status.supervisor, status.state),
            ("root", true, ChildState::Running)
        );
        let actor = status.find("root/below/actor/one@sim.test").unwrap();
        assert_eq!(actor.id.as_str(), "actor/one@sim.test");
        assert_eq!((actor.supervisor, actor.incarnation, actor.restarts), (false, 2, 1));
        assert_eq!(actor.last_exit.as_deref(), Some("failed: why"));
        assert!(actor.ready && actor.children.is_empty());
    });
}

#[test]
fn other_threads_look_and_wait_but_do_not_build() {
    on_paused_time(async {
        let stage = Stage::default();
        let (spec, child) = stage.puppet("a");
        let tree = started(root(Strategy::OneForOne, 3).child(spec)).await;
        let elsewhere = tree.clone();
        let answers = tokio::task::spawn_blocking(move || {
            let reference = elsewhere.root();
            let refused = futures::executor::block_on(reference.remove_child(&"a".into()));
            (elsewhere.ready(), elsewhere.status().children.len(), refused, child.try_send(Do::Nothing))
        });
        let (ready, children, refused, sent) = answers.await.unwrap();
        assert_eq!((ready, children, sent), (true, 1, Ok(())));
        assert_eq!(refused, Err(SupervisorError::WrongThread));
    });
}

#[test]
fn a_blocked_thread_shows_as_unresponsive() {
    on_paused_time(async {
        let clock = base::clock::ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
        let tree = Tree::start(root(Strategy::OneForOne, 3), clock.clone());
        assert!(tree.wait_ready().await);
        assert_eq!(tree.unresponsive_for(), Duration::ZERO);
        // Time passes and no task of the tree runs.
        clock.advance(31 * SECOND);
        assert_eq!(tree.unresponsive_for(), 30 * SECOND);
        tokio::time::advance(2 * SECOND).await;
        while tree.unresponsive_for() > Duration::ZERO {
            tokio::task::yield_now().await;
        }
        tree.shutdown().await;
        clock.advance(31 * SECOND);
        assert_eq!(tree.unresponsive_for(), Duration::ZERO, "an ended tree owes nothing");
    });
}

#[test]
fn many_children_start_and_stop() {
    on_paused_time(async {
        let stage = Stage::default();
        let tree = started(root(Strategy::OneForOne, 3).max_children(2_000)).await;
        for number in 0..2_000 {
            tree.root().add_child(stage.puppet(&format!("m{number:04}@sim.test")).0).await.unwrap();
        }
        incarnation(&tree, "root/m1999@sim.test", 1).await;
        assert_eq!(tree.shutdown().await, Ended::Shutdown);
        let journal = stage.journal.take();
        let told: Vec<_> = journal.iter().filter(|what| what.ends_with("told to stop")).collect();
        assert_eq!(told.len(), 2_000);
    });
}
