//! Goal: a process is ready when it can do its work, stays so through outages elsewhere, and says why not in a
//! bounded answer. Method: a table of what may be seen; a real tree of parts.

use base::SystemClock;
use supervision::{ChildContext, ChildRef, ChildSpec, Intensity, Stop, Strategy, SupervisorSpec};

use super::*;

fn unready(paths: &[&str], total: usize) -> Unready {
    let first = paths.iter().map(|path| ((*path).to_owned(), ChildState::BackingOff)).collect();
    Unready { first, total }
}

#[test]
fn what_is_seen_decides() {
    let waits = || Some("the database: waiting for it and its schema".to_owned());
    let nothing = Unready::default;
    let one = || unready(&["root/qualifier/qualifier/0"], 1);
    let fallen = || unready(&["root/qualifier"], 1);
    let cases: [(&str, bool, Seen, &[&str]); 8] = [
        ("all there", false, Seen::default(), &[]),
        (
            "before the database",
            false,
            Seen { waits_for: waits(), ..Seen::default() },
            &["the database: waiting for it and its schema"],
        ),
        (
            "a stage waits",
            false,
            Seen { starting: one(), ..Seen::default() },
            &["root/qualifier/qualifier/0 (backing_off)"],
        ),
        (
            "both",
            false,
            Seen { waits_for: waits(), starting: one(), ..Seen::default() },
            &["the database: waiting for it and its schema", "root/qualifier/qualifier/0 (backing_off)"],
        ),
        // what a stage waits for later is no reason to be replaced
        ("a stage waits later", true, Seen { starting: one(), ..Seen::default() }, &[]),
        (
            "a stage that has fallen",
            true,
            Seen { starting: one(), fallen: fallen(), ..Seen::default() },
            &["root/qualifier (backing_off)"],
        ),
        ("told to end", true, Seen { ending: true, ..Seen::default() }, &["the process is ending"]),
        (
            "told to end at the start",
            false,
            Seen { ending: true, waits_for: waits(), starting: nothing(), ..Seen::default() },
            &["the process is ending"],
        ),
    ];
    for (what, was_ready, seen, expected) in cases {
        assert_eq!(decide(was_ready, &seen), expected, "{what}");
    }
}

#[test]
fn no_more_than_a_few_are_named() {
    assert_eq!(name(&unready(&["a", "b"], 9_000)), ["a (backing_off)", "b (backing_off)", "and 8998 more"]);
    assert!(name(&unready(&[], 0)).is_empty());
}

/// A part that says what it is told to say.
struct Part {
    ready: bool,
    child: ChildContext,
}

impl actix::Actor for Part {
    type Context = actix::Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.child.ready(self.ready);
    }
}

impl actix::Handler<Stop> for Part {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        actix::ActorContext::stop(context);
    }
}

fn part(name: &str, ready: bool) -> ChildSpec {
    ChildSpec::actor(name, &ChildRef::new(), move |child| Part { ready, child }).reports_readiness()
}

/// A listener with so many groups whose streams never opened.
fn tree_with(groups: usize) -> Tree {
    let intensity = Intensity { max_restarts: 1, window: Duration::from_secs(1) };
    let mut below = SupervisorSpec::new("groups", Strategy::OneForOne, intensity);
    for n in 0..groups {
        below = below.child(part(&format!("affinity-group/{n}"), false));
    }
    let sharing =
        SupervisorSpec::new("sharing", Strategy::OneForAll, intensity).child(ChildSpec::supervisor(below));
    let listener = SupervisorSpec::new("listener", Strategy::OneForOne, intensity)
        .child(ChildSpec::supervisor(sharing))
        .child(part("forming", true));
    let root =
        SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(ChildSpec::supervisor(listener));
    Tree::start(root, SystemClock::shared())
}

#[test]
fn an_exchange_that_does_not_answer_keeps_nobody_from_being_ready_and_the_answer_short() {
    let system = actix_rt::System::new();
    system.block_on(async {
        let tree = tree_with(500);
        let is_up = |tree: &Tree| {
            let unready = tree.unready(1, |_| false);
            unready.total == 500
                && unready.first[0].1 == ChildState::Running
                && tree.unready(1, |path| path == GROUPS).total == 0
        };
        tree.wait_for(is_up).await;
        let slot = Arc::new(OnceLock::new());
        let start = Arc::new(Start::new(vec!["listen"]));
        let health = TreeHealth::new(Arc::clone(&slot), Arc::clone(&start));
        assert_eq!(health.readiness().not_ready, ["root (waiting)"]);
        slot.set(tree.clone()).unwrap();
        assert_eq!(health.readiness().not_ready, ["the database: waiting for it and its schema"]);
        start.waits_for("the schema: lacks V11");
        assert_eq!(health.readiness().not_ready, ["the schema: lacks V11"]);
        start.staged();
        let said = health.readiness();
        assert!(said.ready && !said.settled, "{said:?}");
        assert_eq!((said.unsettled.len(), said.unsettled.last().unwrap().as_str()), (21, "and 480 more"));
        let body = serde_json::to_string(&said).unwrap();
        assert!(body.len() < 4_096, "{} bytes", body.len());
        start.ending();
        assert_eq!(health.readiness().not_ready, ["the process is ending"]);
        tree.shutdown().await;
    });
}

#[test]
fn a_part_that_says_it_is_not_ready_keeps_a_new_process_back_and_no_old_one() {
    let system = actix_rt::System::new();
    system.block_on(async {
        let intensity = Intensity { max_restarts: 1, window: Duration::from_secs(1) };
        let root = SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(part("logon", false));
        let tree = Tree::start(root, SystemClock::shared());
        let is_up = |tree: &Tree| {
            let unready = tree.unready(9, |_| false).first;
            unready.iter().all(|(path, state)| path == "root/logon" && *state == ChildState::Running)
        };
        tree.wait_for(is_up).await;
        let slot = Arc::new(OnceLock::from(tree.clone()));
        let start = Arc::new(Start::new(vec!["listen"]));
        start.staged();
        let new = TreeHealth::new(Arc::clone(&slot), Arc::clone(&start));
        assert_eq!(new.readiness().not_ready, ["root/logon (running)"]);
        start.was_ready.store(true, Ordering::Release);
        let old = TreeHealth::new(slot, start);
        let said = old.readiness();
        assert!(said.ready && !said.settled, "{said:?}");
        tree.shutdown().await;
    });
}

/// Regression: that a process had been ready was noted when somebody asked. One that nobody had asked before an outage
/// said during it that it was not ready.
#[test]
fn a_process_that_nobody_asked_before_an_outage_has_been_ready_all_the_same() {
    let system = actix_rt::System::new();
    system.block_on(async {
        let told = Arc::new(OnceLock::new());
        let tell = Arc::clone(&told);
        let logon = ChildSpec::actor("logon", &ChildRef::new(), move |child: ChildContext| {
            let _ = tell.set(child.clone());
            Part { ready: false, child }
        });
        let intensity = Intensity { max_restarts: 1, window: Duration::from_secs(1) };
        let root =
            SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(logon.reports_readiness());
        let tree = Tree::start(root, SystemClock::shared());
        let start = Arc::new(Start::new(vec!["listen"]));
        let noting = actix_rt::spawn({
            let (start, tree) = (Arc::clone(&start), tree.clone());
            async move { start.note_when_ready(&tree).await }
        });
        let is_up = |tree: &Tree| {
            let state = tree.status().find("root/logon").map(|logon| logon.state);
            state == Some(ChildState::Running)
        };
        tree.wait_for(is_up).await;
        let logon = told.get().unwrap();
        logon.ready(true);
        tree.wait_for(Tree::ready).await;
        // the tree is whole last
        start.staged();
        noting.await.unwrap();
        logon.ready(false);
        assert!(!tree.ready());
        let health = TreeHealth::new(Arc::new(OnceLock::from(tree.clone())), Arc::clone(&start));
        let said = health.readiness();
        assert!(said.ready && !said.settled, "{said:?}");
        start.ending();
        assert_eq!(health.readiness().not_ready, ["the process is ending"]);
        tree.shutdown().await;
    });
}

/// A process that ends before it was ever ready keeps nobody who waits.
#[test]
fn who_waits_for_a_process_to_be_ready_is_let_go_when_its_tree_ends() {
    let system = actix_rt::System::new();
    system.block_on(async {
        let intensity = Intensity { max_restarts: 1, window: Duration::from_secs(1) };
        let root = SupervisorSpec::new("root", Strategy::OneForOne, intensity).child(part("logon", false));
        let tree = Tree::start(root, SystemClock::shared());
        let start = Start::new(vec!["listen"]);
        start.staged();
        // as at the end of the process
        start.ending();
        tokio::join!(start.note_when_ready(&tree), tree.shutdown());
        assert!(!start.was_ready.load(Ordering::Acquire));
    });
}
