//! The task of one supervisor incarnation: turns ends, timers and requests into calls of the core, and
//! carries out the directives. It holds its children in a `JoinSet`, so that they are aborted with it.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use base::SharedClock;
use futures::future::LocalBoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{Command, Registration, Reply, SupervisorRef};
use crate::child::context::Shared;
use crate::child::incarnation::{Env, Launched};
use crate::child::{ChildId, ChildSpec, Kind};
use crate::core::{Core, Directive, Policy};
use crate::error::SupervisorError;
use crate::exit::{ExitReason, Outcome};
use crate::health::{ChildState, Node};

/// What a supervisor incarnation is made of: the parts of its specification that it shares with the next
/// one, and its place in the tree.
pub(crate) struct Parts {
    pub(crate) policy: Policy,
    pub(crate) statics: Vec<Rc<ChildSpec>>,
    pub(crate) reference: SupervisorRef,
    pub(crate) node: Arc<Node>,
    pub(crate) clock: SharedClock,
    pub(crate) duplicate_child: Option<ChildId>,
}

impl Parts {
    pub(crate) fn of(spec: &super::SupervisorSpec, node: &Arc<Node>, clock: &SharedClock) -> Self {
        Self {
            policy: spec.policy,
            statics: spec.children.clone(),
            reference: spec.reference.clone(),
            node: Arc::clone(node),
            clock: Arc::clone(clock),
            duplicate_child: spec.duplicate_child().cloned(),
        }
    }
}

/// Runs one incarnation of a supervisor until it has ended and all its children with it.
pub(crate) async fn run(parts: Parts, started: oneshot::Sender<()>, stop: CancellationToken) -> ExitReason {
    if let Some(child) = &parts.duplicate_child {
        return ExitReason::failed(format_args!("two children have the name {child}"));
    }
    let (registration, commands) = Registration::new(&parts.reference, &parts.node);
    let outcome = Supervisor::new(parts).run(commands, started, stop).await;
    drop(registration);
    match outcome {
        Outcome::Shutdown => ExitReason::Normal,
        Outcome::Escalated { reason } => ExitReason::Escalated(reason),
    }
}

struct Supervisor {
    core: Core,
    node: Arc<Node>,
    clock: SharedClock,
    children: HashMap<ChildId, Child>,
    tasks: JoinSet<ExitReason>,
    child_of_task: HashMap<Id, (ChildId, u64)>,
    /// The one child that is starting, and how it tells that it is up.
    starting: Option<(ChildId, u64, oneshot::Receiver<()>)>,
}

struct Child {
    spec: Rc<ChildSpec>,
    node: Arc<Node>,
    running: Option<RunningChild>,
    /// Who waits for its removal.
    removers: Vec<Reply>,
}

struct RunningChild {
    shared: Arc<Shared>,
    stop: Box<dyn Fn()>,
    abort: AbortHandle,
}

/// What woke the supervisor.
enum Event {
    Ended(Result<(Id, ExitReason), JoinError>),
    Started(ChildId, u64),
    ToldToStop,
    Request(Command),
    Timer,
}

impl Supervisor {
    fn new(parts: Parts) -> Self {
        let Parts { policy, statics, node, clock, .. } = parts;
        let members = statics.iter().map(|spec| spec.member());
        let core = Core::new(policy, members, rand::random());
        let children: Vec<Child> = statics.iter().map(|spec| Child::new(Rc::clone(spec), &node)).collect();
        for child in &children {
            child.node.set_state(ChildState::Waiting);
        }
        node.set_children(children.iter().map(|child| Arc::clone(&child.node)).collect());
        Self {
            core,
            node,
            clock,
            children: children.into_iter().map(|child| (child.spec.id.clone(), child)).collect(),
            tasks: JoinSet::new(),
            child_of_task: HashMap::new(),
            starting: None,
        }
    }

    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        started: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Outcome {
        let mut told_to_stop = false;
        let mut started = Some(started);
        let mut directives = self.core.start(self.clock.monotonic());
        loop {
            if let Some(outcome) = self.perform(directives) {
                return outcome;
            }
            if self.core.settled() {
                // Nobody waits any longer when the parent is told to stop meanwhile.
                let _ = started.take().map(|started| started.send(()));
            }
            let event = self.next_event(&mut commands, &stop, told_to_stop).await;
            told_to_stop |= matches!(event, Event::ToldToStop);
            directives = self.handle(event);
        }
    }

    async fn next_event(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        stop: &CancellationToken,
        told_to_stop: bool,
    ) -> Event {
        loop {
            let timer_in =
                self.core.next_timer().map(|at| at.saturating_duration_since(self.clock.monotonic()));
            let timer = async {
                match timer_in {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            let starting = self.starting.as_mut();
            let up = async {
                match starting {
                    Some((child, incarnation, up)) => (up.await, child.clone(), *incarnation),
                    None => std::future::pending().await,
                }
            };
            // Ends first: a decision should know of all of them.
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    return Event::Ended(ended);
                }
                (result, child, incarnation) = up => {
                    self.starting = None;
                    if result.is_ok() {
                        return Event::Started(child, incarnation);
                    }
                    // It ended before it was up, and that event is on its way.
                }
                () = stop.cancelled(), if !told_to_stop => return Event::ToldToStop,
                Some(command) = commands.recv() => return Event::Request(command),
                () = timer => return Event::Timer,
            }
        }
    }

    fn handle(&mut self, event: Event) -> Vec<Directive> {
        let now = self.clock.monotonic();
        match event {
            Event::Started(child, incarnation) => self.core.on_started(&child, incarnation, now),
            Event::ToldToStop => self.core.shutdown(now),
            Event::Timer => self.core.on_timer(now),
            Event::Ended(Ok((task, reason))) => self.child_ended(task, reason),
            Event::Ended(Err(error)) => {
                // Actors' panics are caught in their task; this is a supervisor's own.
                let task = error.id();
                let reason = match error.try_into_panic() {
                    Ok(payload) => ExitReason::Panicked(crate::panics::describe(payload)),
                    Err(_cancelled) => ExitReason::Aborted,
                };
                self.child_ended(task, reason)
            }
            Event::Request(Command::Add { spec, reply }) => {
                let result = self.add(*spec);
                let (answer, directives) = match result {
                    Ok(directives) => (Ok(()), directives),
                    Err(error) => (Err(error), Vec::new()),
                };
                // Whoever asked may have gone; the child stays.
                let _ = reply.send(answer);
                directives
            }
            Event::Request(Command::Remove { child, reply }) => self.remove(&child, reply),
        }
    }

    fn child_ended(&mut self, task: Id, reason: ExitReason) -> Vec<Directive> {
        let Some((id, incarnation)) = self.child_of_task.remove(&task) else { return Vec::new() };
        if let Some(child) = self.children.get_mut(&id) {
            child.running = None;
            child.node.end(&reason);
            if reason.is_failure() {
                warn!(child = %child.node.path, incarnation, reason = %reason, "child ended");
            } else {
                debug!(child = %child.node.path, incarnation, "child stopped");
            }
        }
        self.core.on_exit(&id, incarnation, &reason, self.clock.monotonic())
    }

    fn add(&mut self, spec: ChildSpec) -> Result<Vec<Directive>, SupervisorError> {
        let id = spec.id.clone();
        let directives = self.core.add(spec.member(), self.clock.monotonic())?;
        let child = Child::new(Rc::new(spec), &self.node);
        self.node.add_child(Arc::clone(&child.node));
        self.children.insert(id, child);
        Ok(directives)
    }

    fn remove(&mut self, id: &ChildId, reply: Reply) -> Vec<Directive> {
        match self.core.remove(id, self.clock.monotonic()) {
            Ok(directives) => {
                if let Some(child) = self.children.get_mut(id) {
                    child.removers.push(reply);
                }
                directives
            }
            Err(error) => {
                let _ = reply.send(Err(error));
                Vec::new()
            }
        }
    }

    // === performing ===

    fn perform(&mut self, directives: Vec<Directive>) -> Option<Outcome> {
        for (id, state) in self.core.take_changes() {
            if let Some(child) = self.children.get(&id) {
                child.node.set_state(state);
            }
        }
        let mut outcome = None;
        for directive in directives {
            match directive {
                Directive::Start { child, incarnation } => self.launch(&child, incarnation),
                Directive::Stop { child, .. } => self.with_running(&child, |running| {
                    running.shared.set_stopping();
                    (running.stop)();
                }),
                Directive::Kill { child, incarnation } => {
                    warn!(supervisor = %self.node.path, %child, incarnation, "child did not stop in time");
                    self.with_running(&child, |running| running.abort.abort());
                }
                Directive::RestartGranted { child, pause } => {
                    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                    info!(supervisor = %self.node.path, %child, pause_ms, "child will be restarted");
                }
                Directive::Forget { child } => self.forget(&child),
                Directive::Exit(how) => outcome = Some(how),
            }
        }
        if let Some(Outcome::Escalated { reason }) = &outcome {
            error!(supervisor = %self.node.path, %reason, "supervisor gives up");
        }
        outcome
    }

    fn launch(&mut self, id: &ChildId, incarnation: u64) {
        let Some(child) = self.children.get_mut(id) else { return };
        let spec = Rc::clone(&child.spec);
        let node = Arc::clone(&child.node);
        spec.incarnations.set(incarnation);
        let shared = Arc::new(Shared::new(
            id.clone(),
            node.path.clone(),
            incarnation,
            Arc::clone(&self.clock),
            Arc::clone(node.board()),
        ));
        node.begin(Arc::clone(&shared), incarnation);
        let (up, is_up) = oneshot::channel();
        let Launched { run, stop } = match &spec.kind {
            Kind::Actor(launch) => launch.borrow_mut().launch(Env {
                shared: Arc::clone(&shared),
                mailbox_capacity: spec.mailbox_capacity,
                progress_deadline: spec.progress_deadline,
                started: up,
            }),
            Kind::Supervisor(below) => launch_supervisor(Parts::of(below, &node, &self.clock), up),
        };
        let abort = self.tasks.spawn_local(run);
        self.child_of_task.insert(abort.id(), (id.clone(), incarnation));
        self.starting = Some((id.clone(), incarnation, is_up));
        if let Some(child) = self.children.get_mut(id) {
            child.running = Some(RunningChild { shared, stop, abort });
        }
    }

    fn forget(&mut self, id: &ChildId) {
        self.node.forget_child(id);
        let Some(child) = self.children.remove(id) else { return };
        for reply in child.removers {
            let _ = reply.send(Ok(()));
        }
    }

    fn with_running(&self, id: &ChildId, act: impl FnOnce(&RunningChild)) {
        if let Some(running) = self.children.get(id).and_then(|child| child.running.as_ref()) {
            act(running);
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // After an ordered end there is nothing to say; after an abort the children go with the join set.
        for child in self.children.values() {
            if child.running.is_some() {
                child.node.end(&ExitReason::Aborted);
                child.node.set_state(ChildState::Ended);
            }
        }
    }
}

impl Child {
    fn new(spec: Rc<ChildSpec>, parent: &Node) -> Self {
        let known = spec.node.borrow().clone();
        let node = known.unwrap_or_else(|| {
            let reference = match &spec.kind {
                Kind::Actor(_) => None,
                Kind::Supervisor(below) => Some(below.reference.clone()),
            };
            let path = format!("{}/{}", parent.path, spec.id);
            let board = Arc::clone(parent.board());
            let node = Arc::new(Node::new(spec.id.clone(), path, spec.readiness, reference, board));
            *spec.node.borrow_mut() = Some(Arc::clone(&node));
            node
        });
        Self { spec, node, running: None, removers: Vec::new() }
    }
}

fn launch_supervisor(parts: Parts, up: oneshot::Sender<()>) -> Launched {
    let stop = CancellationToken::new();
    let told_to_stop = stop.clone();
    let run: LocalBoxFuture<'static, ExitReason> = Box::pin(run(parts, up, told_to_stop));
    Launched { run, stop: Box::new(move || stop.cancel()) }
}
