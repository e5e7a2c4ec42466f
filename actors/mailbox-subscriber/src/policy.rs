//! What a mailbox does next. Pure: inputs and instants come in, directives go out.
//!
//! Invariants (quoted in the tests):
//! * MS-1 at most one step (check, subscribe) and at most one catch-up is under way at any time;
//! * MS-2 every new subscription and every gap told while the mailbox is live is followed by a catch-up that
//!   begins after it;
//! * MS-3 whenever nothing is under way and the mailbox is not live and caught up, a timer is set;
//! * MS-4 a failure of the mailbox is recorded, and the next success clears it;
//! * MS-5 no subscription but the current one stays: one that was left behind, or that cannot be used any more, is named by
//!   every try to subscribe until one succeeds and ends it.

use std::time::{Duration, Instant};

use calendar::SourceError;
use calendar::ids::{FolderId, SubscriptionId};
use calendar::source::SourceErrorKind;

use crate::config::SubscriberOptions;
use crate::error::SubscriberError;

#[cfg(test)]
mod tests;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The actor started.
    Begin,
    /// The check ended.
    Checked(Result<FolderId, Failure>),
    /// Subscribing ended.
    Subscribed(Result<SubscriptionId, Failure>),
    /// A catch-up ended.
    CaughtUp(Result<(), Failure>),
    /// The group found the subscription dead.
    SubscriptionLost,
    /// The group found a gap.
    Gap {
        /// Many mailboxes have it.
        spread: bool,
    },
    /// The timer of [`Directive::Timer`] fired.
    Timer,
    /// The resource row says that it cannot be listened to, and somebody asks that it be tried at once.
    TryNow,
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Prove that the calendar can be read.
    Check,
    /// Subscribe; afterwards end `replaces`, which this process made and cannot use any more.
    Subscribe {
        /// The subscription before.
        replaces: Option<SubscriptionId>,
    },
    /// Catch up, after `delay`.
    CatchUp {
        /// Spreads many mailboxes.
        delay: Duration,
    },
    /// Tell the group to listen to this subscription.
    TellLive(SubscriptionId, FolderId),
    /// Tell the group not to listen.
    TellDown {
        /// Is the mailbox itself at fault?
        own_fault: bool,
    },
    /// Write the failure to the resource row.
    RecordFailure {
        /// What failed.
        failure: Failure,
        /// When it is tried again, from now.
        retry_after: Duration,
        /// In which step.
        step: Step,
    },
    /// Clear the resource row's error; the mailbox is listened to.
    RecordSuccess,
    /// The mailbox seems to live elsewhere: have it located anew.
    DoubtLocation,
    /// Wake the policy after this time; replaces a timer set before.
    Timer(Duration),
}

/// A step of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Checking that the calendar can be read.
    Check,
    /// Subscribing.
    Subscribe,
    /// Catching up.
    CatchUp,
}

/// A failed step, as the policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How to treat it.
    pub kind: FailureKind,
    /// For the resource row: the service's code or a name of ours.
    pub code: String,
    /// For the resource row, in words.
    pub description: String,
    /// How long the other side asked to wait.
    pub after: Option<Duration>,
    /// The service or the database is away: it concerns many, and their group tells it once for all of them.
    pub outage: bool,
}

/// How a failure is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The service or the database is away, or the call may be made again: it passes.
    Passing,
    /// The mailbox moved: locate it anew.
    Moved,
    /// This mailbox alone is at fault.
    Own,
    /// Nobody knows.
    Unknown,
}

impl From<&SourceError> for Failure {
    fn from(error: &SourceError) -> Self {
        use SourceErrorKind as K;
        let kind = match error.kind {
            K::Unavailable
            | K::BadAnswer
            | K::Credentials
            | K::Missed
            | K::SyncStateRejected
            | K::TooMuch => FailureKind::Passing,
            // what says that a subscription is dead says, as the answer to another call, that the mailbox is
            // not served there any more (ErrorProxyRequestNotAllowed)
            K::Rediscover | K::Resubscribe => FailureKind::Moved,
            K::Mailbox | K::OwnBug | K::Gone => FailureKind::Own,
            K::Unknown => FailureKind::Unknown,
        };
        let description = format!("{error}: {}", error.text);
        let outage = matches!(error.kind, K::Unavailable | K::Credentials);
        Self { kind, code: error.code.clone(), description, after: error.after, outage }
    }
}

impl From<&SubscriberError> for Failure {
    fn from(error: &SubscriberError) -> Self {
        match error {
            SubscriberError::Source(source) => source.into(),
            // a lost lease ends the whole group; until then trying again does no harm
            SubscriberError::Store(source) => Self {
                kind: FailureKind::Passing,
                code: "database".to_owned(),
                description: source.to_string(),
                after: None,
                outage: true,
            },
            SubscriberError::Endless { .. } => Self {
                kind: FailureKind::Own,
                code: "endless changes".to_owned(),
                description: error.to_string(),
                after: None,
                outage: false,
            },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    New,
    Checking,
    Subscribing {
        folder: FolderId,
    },
    Live {
        folder: FolderId,
        since: Instant,
    },
    /// Waiting to begin anew with the check.
    Parked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CatchUp {
    Idle,
    /// Under way; `again`: something happened since it began.
    Running {
        again: bool,
    },
    /// Failed; waits for the timer.
    Waiting,
}

/// The state of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    phase: Phase,
    catch_up: CatchUp,
    subscription: Option<SubscriptionId>,
    /// Failures in a row of check and subscribe, and of subscriptions that did not live long.
    failures: u32,
    /// Failures in a row of catching up.
    catch_up_failures: u32,
    /// Is the resource row known to say that all is well?
    recorded_well: bool,
    /// Does what is under way go on because somebody asked? Then its failing does not lengthen the pause that was there.
    asked: bool,
}

impl Policy {
    /// A mailbox that has not begun. `left_behind`: a subscription that a former process had.
    pub const fn new(left_behind: Option<SubscriptionId>) -> Self {
        Self {
            phase: Phase::New,
            catch_up: CatchUp::Idle,
            subscription: left_behind,
            failures: 0,
            catch_up_failures: 0,
            recorded_well: false,
            asked: false,
        }
    }

    /// Is it listened to?
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    /// The state after `input`, and what is to be done. `random` lies in 0..1.
    pub fn on(
        &mut self,
        input: Input,
        now: Instant,
        random: f64,
        options: &SubscriberOptions,
    ) -> Vec<Directive> {
        match (input, &self.phase) {
            (Input::Begin, Phase::New) | (Input::Timer, Phase::Parked) => {
                self.phase = Phase::Checking;
                vec![Directive::Check]
            }
            (Input::Checked(Ok(folder)), Phase::Checking) => {
                self.phase = Phase::Subscribing { folder };
                // kept until it is replaced: this try may fail
                vec![Directive::Subscribe { replaces: self.subscription.clone() }]
            }
            (Input::Checked(Err(failure)), Phase::Checking) => {
                self.park(failure, Step::Check, random, options)
            }
            (Input::Subscribed(Ok(id)), Phase::Subscribing { folder }) => {
                let folder = folder.clone();
                self.go_live(id, folder, now)
            }
            (Input::Subscribed(Err(failure)), Phase::Subscribing { .. }) => {
                self.park(failure, Step::Subscribe, random, options)
            }
            (Input::SubscriptionLost, Phase::Live { folder, since }) => {
                let (folder, since) = (folder.clone(), *since);
                self.subscription_lost(folder, now.saturating_duration_since(since), random, options)
            }
            (Input::Gap { spread }, Phase::Live { .. }) => self.gap(spread, random, options),
            (Input::CaughtUp(result), _) => self.caught_up(result, now, random, options),
            (Input::TryNow, _) => self.try_now(),
            (Input::Timer, Phase::Live { .. }) if self.catch_up == CatchUp::Waiting => {
                self.catch_up = CatchUp::Running { again: false };
                vec![Directive::CatchUp { delay: Duration::ZERO }]
            }
            // out of date: the phase that it was about has passed
            _ => Vec::new(),
        }
    }

    /// Does not wait for the timer, which may fire meanwhile and is out of date then. The row is in error, whatever was written
    /// to it: the next success clears it.
    fn try_now(&mut self) -> Vec<Directive> {
        self.recorded_well = false;
        match (&self.phase, self.catch_up) {
            (Phase::Parked, _) => {
                self.asked = true;
                self.phase = Phase::Checking;
                vec![Directive::Check]
            }
            (Phase::Live { .. }, CatchUp::Idle | CatchUp::Waiting) => {
                self.catch_up = CatchUp::Running { again: false };
                vec![Directive::CatchUp { delay: Duration::ZERO }]
            }
            // it is being tried
            _ => Vec::new(),
        }
    }

    fn go_live(&mut self, id: SubscriptionId, folder: FolderId, now: Instant) -> Vec<Directive> {
        self.asked = false;
        self.subscription = Some(id.clone());
        self.phase = Phase::Live { folder: folder.clone(), since: now };
        let mut directives = vec![Directive::TellLive(id, folder)];
        match self.catch_up {
            // one of the subscription before is still under way: another must follow it (MS-2)
            CatchUp::Running { .. } => self.catch_up = CatchUp::Running { again: true },
            CatchUp::Idle | CatchUp::Waiting => {
                self.catch_up = CatchUp::Running { again: false };
                directives.push(Directive::CatchUp { delay: Duration::ZERO });
            }
        }
        directives
    }

    fn subscription_lost(
        &mut self,
        folder: FolderId,
        lived: Duration,
        random: f64,
        options: &SubscriberOptions,
    ) -> Vec<Directive> {
        // the server has forgotten it: there is nothing to end
        self.subscription = None;
        if self.catch_up == CatchUp::Waiting {
            self.catch_up = CatchUp::Idle;
        }
        if lived >= options.sound_after {
            self.failures = 0;
        }
        if self.failures == 0 {
            self.failures = 1;
            self.phase = Phase::Subscribing { folder };
            return vec![Directive::Subscribe { replaces: None }];
        }
        // subscriptions that die young: do not hammer
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Parked;
        vec![Directive::Timer(options.retry.delay(self.failures - 1, random))]
    }

    fn gap(&mut self, spread: bool, random: f64, options: &SubscriberOptions) -> Vec<Directive> {
        match self.catch_up {
            CatchUp::Running { .. } => {
                self.catch_up = CatchUp::Running { again: true };
                Vec::new()
            }
            // the one that waits for its timer begins after the gap
            CatchUp::Waiting => Vec::new(),
            CatchUp::Idle => {
                self.catch_up = CatchUp::Running { again: false };
                let delay = if spread {
                    options.catch_up_jitter.mul_f64(random.clamp(0.0, 1.0))
                } else {
                    Duration::ZERO
                };
                vec![Directive::CatchUp { delay }]
            }
        }
    }

    fn caught_up(
        &mut self,
        result: Result<(), Failure>,
        now: Instant,
        random: f64,
        options: &SubscriberOptions,
    ) -> Vec<Directive> {
        let CatchUp::Running { again } = self.catch_up else { return Vec::new() };
        self.catch_up = CatchUp::Idle;
        let Phase::Live { since, .. } = &self.phase else {
            // the next subscription brings its own catch-up
            return Vec::new();
        };
        if now.saturating_duration_since(*since) >= options.sound_after {
            self.failures = 0;
        }
        let failure = match result {
            Ok(()) => return self.caught_up_well(again),
            Err(failure) => failure,
        };
        self.catch_up_failures = self.catch_up_failures.saturating_add(1);
        let given_up = match failure.kind {
            FailureKind::Passing => false,
            FailureKind::Moved | FailureKind::Own => true,
            FailureKind::Unknown => self.catch_up_failures > options.few_tries,
        };
        if given_up {
            self.failures = self.failures.max(self.catch_up_failures - 1);
            return self.park(failure, Step::CatchUp, random, options);
        }
        self.catch_up = CatchUp::Waiting;
        let delay =
            options.retry.delay(self.catch_up_failures, random).max(failure.after.unwrap_or_default());
        let mut directives = Vec::new();
        if self.catch_up_failures >= options.record_outage_after {
            self.recorded_well = false;
            directives.push(Directive::RecordFailure { failure, retry_after: delay, step: Step::CatchUp });
        }
        directives.push(Directive::Timer(delay));
        directives
    }

    fn caught_up_well(&mut self, again: bool) -> Vec<Directive> {
        self.catch_up_failures = 0;
        let mut directives = Vec::new();
        if !self.recorded_well {
            self.recorded_well = true;
            directives.push(Directive::RecordSuccess);
        }
        if again {
            self.catch_up = CatchUp::Running { again: false };
            directives.push(Directive::CatchUp { delay: Duration::ZERO });
        }
        directives
    }

    /// A step failed: wait, then begin with the check.
    fn park(
        &mut self,
        failure: Failure,
        step: Step,
        random: f64,
        options: &SubscriberOptions,
    ) -> Vec<Directive> {
        self.phase = Phase::Parked;
        // one that may pass counts all the same: it is written down by its number
        let counts = !std::mem::take(&mut self.asked) || failure.kind == FailureKind::Passing;
        self.failures = self.failures.saturating_add(u32::from(counts)).max(1);
        let own = match failure.kind {
            FailureKind::Passing => false,
            FailureKind::Moved | FailureKind::Own => true,
            FailureKind::Unknown => self.failures > options.few_tries,
        };
        let policy = if own { options.park } else { options.retry };
        let delay = policy.delay(self.failures, random).max(failure.after.unwrap_or_default());
        let mut directives = vec![Directive::TellDown { own_fault: own }];
        if failure.kind == FailureKind::Moved && options.locates_anew {
            directives.push(Directive::DoubtLocation);
        }
        if failure.kind != FailureKind::Passing || self.failures >= options.record_outage_after {
            self.recorded_well = false;
            directives.push(Directive::RecordFailure { failure, retry_after: delay, step });
        }
        directives.push(Directive::Timer(delay));
        directives
    }
}
