//! A stand-in for the performer: carries out directives on paper and checks with each one that it makes
//! sense, so that every test and property of the core checks the invariants as well.
#![expect(clippy::disallowed_methods, reason = "an Instant to count from can only be had from the machine")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::Backoff;

use super::{Core, Directive, Member, Policy};
use crate::child::ChildId;
use crate::exit::{ExitReason, Outcome};
use crate::intensity::Intensity;
use crate::strategy::{Restart, Strategy};

/// The pause before every restart in these tests.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// The shutdown deadline of every child in these tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// The window of the intensity in these tests.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) incarnation: u64,
    pub(crate) up: bool,
    pub(crate) told: bool,
    pub(crate) killed: bool,
}

/// A core with the paper performer.
#[derive(Debug)]
pub(crate) struct Paper {
    pub(crate) core: Core,
    pub(crate) now: Instant,
    pub(crate) live: BTreeMap<ChildId, Live>,
    /// The last incarnation that was ever started.
    incarnations: BTreeMap<ChildId, u64>,
    /// When restarts were granted.
    pub(crate) granted: Vec<Instant>,
    pub(crate) outcome: Option<Outcome>,
}

pub(crate) fn policy(strategy: Strategy, max_restarts: u32) -> Policy {
    Policy {
        strategy,
        intensity: Intensity { max_restarts, window: WINDOW },
        backoff: Backoff::try_new(PAUSE, 1.0, PAUSE, 0.0).unwrap(),
        max_children: 4,
    }
}

pub(crate) fn member(id: &str, restart: Restart) -> Member {
    Member { id: id.into(), restart, shutdown_deadline: Some(DEADLINE), incarnation: 0 }
}

impl Paper {
    pub(crate) fn new(policy: Policy, members: impl IntoIterator<Item = Member>) -> Self {
        Self {
            core: Core::new(policy, members, 42),
            now: Instant::now(),
            live: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            granted: Vec::new(),
            outcome: None,
        }
    }

    /// A core whose static children are all up.
    pub(crate) fn running(policy: Policy, members: impl IntoIterator<Item = Member>) -> Self {
        let mut paper = Self::new(policy, members);
        paper.start();
        paper.bring_up();
        paper
    }

    pub(crate) fn start(&mut self) -> Vec<String> {
        let directives = self.core.start(self.now);
        self.note(directives)
    }

    /// Reports every starting child as up, until none is starting.
    pub(crate) fn bring_up(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(id) =
            self.live.iter().find(|(_, live)| !live.up && !live.told).map(|(id, _)| id.clone())
        {
            all.extend(self.up(id.as_str()));
        }
        all
    }

    pub(crate) fn up(&mut self, id: &str) -> Vec<String> {
        let live = self.live.get_mut(id).expect("a test reports only what lives");
        live.up = true;
        let incarnation = live.incarnation;
        let directives = self.core.on_started(&id.into(), incarnation, self.now);
        self.note(directives)
    }

    /// The living incarnation of a child ends.
    pub(crate) fn exit(&mut self, id: &str, reason: &ExitReason) -> Vec<String> {
        let live = self.live.remove(id).expect("a test ends only what lives");
        self.stale_exit(id, live.incarnation, reason)
    }

    /// Reports an end without looking whether anything lives.
    pub(crate) fn stale_exit(&mut self, id: &str, incarnation: u64, reason: &ExitReason) -> Vec<String> {
        let directives = self.core.on_exit(&id.into(), incarnation, reason, self.now);
        self.note(directives)
    }

    pub(crate) fn after(&mut self, pause: Duration) -> Vec<String> {
        self.now += pause;
        let directives = self.core.on_timer(self.now);
        self.note(directives)
    }

    pub(crate) fn shutdown(&mut self) -> Vec<String> {
        let directives = self.core.shutdown(self.now);
        self.note(directives)
    }

    pub(crate) fn add(&mut self, member: Member) -> Result<Vec<String>, crate::error::SupervisorError> {
        let directives = self.core.add(member, self.now)?;
        Ok(self.note(directives))
    }

    pub(crate) fn remove(&mut self, id: &str) -> Result<Vec<String>, crate::error::SupervisorError> {
        let directives = self.core.remove(&id.into(), self.now)?;
        Ok(self.note(directives))
    }

    /// Carries out directives and gives them in words.
    fn note(&mut self, directives: Vec<Directive>) -> Vec<String> {
        directives.into_iter().map(|directive| self.note_one(directive)).collect()
    }

    fn note_one(&mut self, directive: Directive) -> String {
        assert_eq!(self.outcome, None, "{directive:?} came after the exit");
        match directive {
            Directive::Start { child, incarnation } => {
                assert!(!self.live.contains_key(&child), "{child} was started twice");
                let starting = self.live.values().filter(|live| !live.up && !live.told).count();
                assert_eq!(starting, 0, "{child} was started while another child is starting");
                let before = self.incarnations.insert(child.clone(), incarnation).unwrap_or(0);
                assert_eq!(incarnation, before + 1, "incarnations of {child} count by one");
                self.live.insert(child.clone(), Live { incarnation, up: false, told: false, killed: false });
                format!("start {child}#{incarnation}")
            }
            Directive::Stop { child, incarnation } => {
                let live = self.live.get_mut(&child).expect("only what lives is told to stop");
                assert_eq!((live.incarnation, live.told), (incarnation, false), "{child} is told once");
                live.told = true;
                format!("stop {child}")
            }
            Directive::Kill { child, incarnation } => {
                let live = self.live.get_mut(&child).expect("only what lives is killed");
                let killed_before = live.killed;
                live.killed = true;
                assert_eq!((live.incarnation, live.told, killed_before), (incarnation, true, false));
                format!("kill {child}")
            }
            Directive::RestartGranted { child, .. } => {
                self.granted.push(self.now);
                format!("restart {child}")
            }
            Directive::Forget { child } => {
                assert!(!self.live.contains_key(&child), "{child} lives and was forgotten");
                self.incarnations.remove(&child);
                format!("forget {child}")
            }
            Directive::Exit(outcome) => {
                assert!(self.live.is_empty(), "the supervisor ended before {:?}", self.live);
                let text = match &outcome {
                    Outcome::Shutdown => "exit",
                    Outcome::Escalated { .. } => "escalate",
                };
                self.outcome = Some(outcome);
                text.to_owned()
            }
        }
    }
}

/// Every way in which a child can end.
pub(crate) fn all_reasons() -> [ExitReason; 6] {
    [
        ExitReason::Normal,
        ExitReason::Failed("no luck".to_owned()),
        ExitReason::Panicked("in a handler".to_owned()),
        ExitReason::Hung,
        ExitReason::Aborted,
        ExitReason::Escalated("below".to_owned()),
    ]
}

pub(crate) const ALL_RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Temporary];
pub(crate) const ALL_STRATEGIES: [Strategy; 3] =
    [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
