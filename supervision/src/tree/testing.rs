//! An actor that does on command whatever a child can do, and a system on paused time to run it in: an
//! hour of back-off passes in microseconds.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use base::{Backoff, SystemClock};

use crate::child::context::ChildContext;
use crate::{ChildRef, ChildSpec, Intensity, Stop, Strategy, SupervisorSpec, Tree};

/// Runs a test in an actix system of its own, on paused time.
pub(crate) fn on_paused_time<T>(test: impl Future<Output = T>) -> T {
    let system = System::with_tokio_rt(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().expect("a runtime can be built")
    });
    system.block_on(test)
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// What the actor does instead of behaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vice {
    PanicInFactory,
    PanicInStarted,
    FailInStarted,
    PanicInStopping,
    PanicInStopped,
    PanicInDrop,
    IgnoreStop,
    FailAtStop,
    SlowStop(Duration),
}

pub(crate) struct Puppet {
    pub(crate) child: ChildContext,
    journal: Journal,
    vice: Option<Vice>,
    /// Built anew by the factory, so that a test sees whether state survives.
    pub(crate) told: u32,
}

impl Puppet {
    fn says(&self, what: &str) {
        self.journal.note(format!("{}#{} {what}", self.child.id(), self.child.incarnation()));
    }

    fn has(&self, vice: Vice) -> bool {
        self.vice == Some(vice)
    }
}

impl Actor for Puppet {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.says("started");
        if self.has(Vice::FailInStarted) {
            self.child.fail("could not begin");
        }
        assert!(!self.has(Vice::PanicInStarted), "as told");
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.says("stopping");
        assert!(!self.has(Vice::PanicInStopping), "as told");
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.says("stopped");
        assert!(!self.has(Vice::PanicInStopped), "as told");
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.says("dropped");
        assert!(!self.has(Vice::PanicInDrop), "as told");
    }
}

impl Handler<Stop> for Puppet {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        assert!(self.child.stopping());
        self.says("told to stop");
        match self.vice {
            Some(Vice::IgnoreStop) => {}
            Some(Vice::FailAtStop) => self.child.fail("could not clean up"),
            Some(Vice::SlowStop(pause)) => {
                context.run_later(pause, |_, context| context.stop());
            }
            _ => context.stop(),
        }
    }
}

/// What a test tells the actor to do; answers how often it was told something.
#[derive(Debug, Clone, Message)]
#[rtype(result = "u32")]
pub(crate) enum Do {
    Nothing,
    Panic,
    PanicFormatted(String),
    Fail(&'static str),
    FailAndStop,
    StopItself,
    Busy(bool),
    Progress,
    Ready(bool),
    /// Panics in a future of the context, `after` from now.
    PanicLater(Duration),
    /// Handles nothing for this long.
    Wait(Duration),
    /// Runs a task outside its context that panics, or that ends, and nobody waits for it.
    Task(bool),
}

impl Handler<Do> for Puppet {
    type Result = u32;

    fn handle(&mut self, what: Do, context: &mut Self::Context) -> u32 {
        self.told += 1;
        match what {
            Do::Nothing => {}
            Do::Panic => panic!("a fixed message"),
            Do::PanicFormatted(content) => panic!("cannot handle {content}"),
            Do::Fail(reason) => self.child.fail(reason),
            Do::FailAndStop => {
                self.child.fail("failed and stopped");
                context.stop();
            }
            Do::StopItself => context.stop(),
            Do::Busy(busy) => self.child.busy(busy),
            Do::Progress => self.child.progress(),
            Do::Ready(ready) => self.child.ready(ready),
            Do::PanicLater(after) => {
                context.run_later(after, |_, _| panic!("later"));
            }
            Do::Task(panics) => {
                let task = self.child.guarded("a task", async move { assert!(!panics, "as told") });
                tokio::spawn(task);
            }
            Do::Wait(pause) => context.wait(actix::clock::sleep(pause).into_actor(self)),
        }
        self.told
    }
}

/// Answered by a future that actix spawns, and that panics.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct PanicInResponseFuture;

impl Handler<PanicInResponseFuture> for Puppet {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: PanicInResponseFuture, _: &mut Self::Context) -> Self::Result {
        Box::pin(async { panic!("in a response") })
    }
}

/// Answered by a future of the context, which panics.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct PanicInResponseActFuture;

impl Handler<PanicInResponseActFuture> for Puppet {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: PanicInResponseActFuture, _: &mut Self::Context) -> Self::Result {
        Box::pin(async { panic!("in a response") }.into_actor(self))
    }
}

/// Makes specifications of puppets that write into one journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    pub(crate) journal: Journal,
}

impl Stage {
    pub(crate) fn puppet(&self, id: &str) -> (ChildSpec, ChildRef<Puppet>) {
        self.puppet_with(id, |_| None)
    }

    /// A puppet whose vice depends on its incarnation.
    pub(crate) fn puppet_with(
        &self,
        id: &str,
        mut vice: impl FnMut(u64) -> Option<Vice> + 'static,
    ) -> (ChildSpec, ChildRef<Puppet>) {
        let reference = ChildRef::new();
        let journal = self.journal.clone();
        let spec = ChildSpec::actor(id, &reference, move |child| {
            let vice = vice(child.incarnation());
            assert_ne!(vice, Some(Vice::PanicInFactory), "as told");
            Puppet { child, journal: journal.clone(), vice, told: 0 }
        });
        (spec, reference)
    }
}

pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// A root with a pause of one second before each restart.
pub(crate) fn root(strategy: Strategy, max_restarts: u32) -> SupervisorSpec {
    supervisor("root", strategy, max_restarts)
}

pub(crate) fn supervisor(id: &str, strategy: Strategy, max_restarts: u32) -> SupervisorSpec {
    let window = Duration::from_secs(60);
    let backoff = Backoff::try_new(PAUSE, 1.0, PAUSE, 0.0).unwrap();
    SupervisorSpec::new(id, strategy, Intensity { max_restarts, window }).backoff(backoff)
}

/// A tree whose children have all been started.
pub(crate) async fn started(spec: SupervisorSpec) -> Tree {
    let tree = Tree::start(spec, SystemClock::shared());
    let ready = tokio::time::timeout(Duration::from_secs(3_600), tree.wait_ready()).await;
    assert_eq!(ready, Ok(true), "the tree did not become ready: {:#?}", tree.status());
    tree
}

/// Waits until the child at `path` runs in this incarnation. Paused time goes on by itself meanwhile.
pub(crate) async fn incarnation(tree: &Tree, path: &str, incarnation: u64) {
    let there = |tree: &Tree| {
        tree.status().find(path).is_some_and(|child| {
            child.incarnation == incarnation && child.state == crate::ChildState::Running
        })
    };
    let waiting = tokio::time::timeout(Duration::from_secs(3_600), tree.wait_for(there));
    assert_eq!(waiting.await, Ok(true), "{path} never came to {incarnation}: {:#?}", tree.status());
}

/// Why the last incarnation of the child at `path` ended.
pub(crate) fn last_exit(tree: &Tree, path: &str) -> String {
    let status = tree.status();
    let child = status.find(path).unwrap_or_else(|| panic!("no {path} in {status:#?}"));
    child.last_exit.clone().unwrap_or_else(|| panic!("{path} never ended: {status:#?}"))
}
