//! One back-off for a whole account, and the limit of ordinary calls at one time (B12).
//!
//! Protocol: every call asks to [`pass`](Throttle::pass). A busy answer closes the gate for the time that the
//! server named, or for a capped exponential back-off with jitter where it named none; at least the first pause
//! of the policy, since servers have been seen to ask for 0 ms for days. Calls wait at the closed gate
//! up to a patience, then give up with the time that is left, so that nothing waits without end.
//! Answers of calls that were sent before the gate closed do not lengthen it again and again.
//!
//! A refused logon closes the account for the service that refused it, and for all when none takes it
//! ([`crate::refusals`]); when the pause ends one call goes as a probe and the others wait for what comes of it.
//!
//! The account's other users, in this process and in others, wait too: a gate that was moved by a call of ours says so
//! ([`BackOffs`]), and one that somebody else's call closed is held ([`Throttle::hold`]).

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base::{Backoff, SharedClock};
use calendar::ids::AccountId;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};

use crate::refusals::{Refusals, Turn};

#[cfg(test)]
mod tests;

/// How soon to come again when another call was finding out for longer than a call waits.
const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// Why all calls of an account wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The server is busy.
    Busy,
    /// It refused the account's name or password. For all services only an older version says so; see [`Refusal`].
    Refused,
}

/// An account whose calls wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Which account.
    pub account: AccountId,
    /// How much longer.
    pub left: Duration,
    /// Busy answers, or refused logons, in a row.
    pub failures: u32,
    /// Why.
    pub reason: Reason,
}

/// A service at which calls of an account wait, since it refused its name or password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which account.
    pub account: AccountId,
    /// Which service: scheme, host and port.
    pub service: String,
    /// How much longer.
    pub left: Duration,
    /// Refused logons in a row.
    pub failures: u32,
}

/// Changes whenever a call of this process moves the gate of an account.
pub type BackOffs = watch::Sender<u64>;

/// What all accounts of a connector have in common.
#[derive(Debug, Clone)]
pub struct Common {
    /// The clock.
    pub clock: SharedClock,
    /// Back-off where the server names no time.
    pub policy: Backoff,
    /// Longest time that a call waits at a closed gate.
    pub patience: Duration,
    /// Permits of ordinary calls at one time.
    pub calls: Arc<Semaphore>,
    /// Tells that a gate was moved.
    pub moved: Arc<BackOffs>,
}

/// The gate of one account.
#[derive(Debug)]
pub struct Throttle {
    account: AccountId,
    common: Common,
    gate: Mutex<Gate>,
    refusals: Mutex<Refusals>,
    probe_ended: Notify,
}

/// The right to send one call; given back when dropped, after its answer was learnt from.
#[derive(Debug)]
pub struct Pass<'a> {
    permit: Option<SemaphorePermit<'a>>,
    probe: Option<Probe<'a>>,
}

impl Pass<'_> {
    /// The answer is there: another call may be sent. What the answer says is still to be learnt.
    pub(crate) fn answered(&mut self) {
        self.permit = None;
    }
}

/// This call finds out whether the account is taken again.
#[derive(Debug)]
struct Probe<'a> {
    throttle: &'a Throttle,
    service: String,
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.throttle.refusals().probed(&self.service);
        self.throttle.probe_ended.notify_waiters();
    }
}

/// The pure part: when may the next call be sent?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Closed until then.
    until: Instant,
    /// Busy answers in a row, each to a call that was sent after the one before.
    failures: u32,
    /// Of the last of them.
    reason: Reason,
}

impl Gate {
    /// An open gate.
    pub const fn open(now: Instant) -> Self {
        Self { until: now, failures: 0, reason: Reason::Busy }
    }

    /// How long a call has to wait at `now`.
    pub fn wait(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }

    /// A call that was sent at `sent` found the server busy. `random` lies in 0..1. Returns the pause when this
    /// closed the gate or moved it.
    pub fn busy(
        &mut self,
        policy: &Backoff,
        sent: Instant,
        now: Instant,
        asked: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        // calls in flight when the gate closed say nothing new, except a longer time asked for
        let new = sent >= self.until || self.failures == 0;
        if new {
            self.failures = self.failures.saturating_add(1);
        }
        let least = policy.delay(1, 1.0);
        let pause = match asked {
            Some(asked) => asked.max(least),
            None if new => policy.delay(self.failures, random).max(least),
            None => return None,
        };
        if now + pause <= self.until {
            return None;
        }
        self.until = now + pause;
        self.reason = Reason::Busy;
        Some(pause)
    }

    /// Somebody else found out that the account must wait for `left` from now on. Never shortens a wait.
    pub fn hold(&mut self, now: Instant, left: Duration, failures: u32, reason: Reason) {
        if now + left > self.until {
            self.until = now + left;
            self.failures = self.failures.max(failures);
            self.reason = reason;
        }
    }

    /// A call that was sent at `sent` got a proper answer.
    pub fn worked(&mut self, sent: Instant) {
        if sent >= self.until {
            self.failures = 0;
        }
    }
}

/// The gate stayed closed longer than a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillClosed {
    /// How long it stays closed from now on.
    pub left: Duration,
}

impl Throttle {
    /// An open gate.
    pub fn new(account: AccountId, common: Common) -> Self {
        let gate = Mutex::new(Gate::open(common.clock.monotonic()));
        Self { account, common, gate, refusals: Mutex::default(), probe_ended: Notify::new() }
    }

    /// Whose gate it is.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// How long calls wait now, and why; `None` = they do not.
    pub fn back_off(&self) -> Option<BackOff> {
        let now = self.common.clock.monotonic();
        let gate = self.gate();
        let left = gate.wait(now);
        let Gate { failures, reason, .. } = *gate;
        (!left.is_zero()).then_some(BackOff { account: self.account, left, failures, reason })
    }

    /// Do calls to this service wait now?
    pub fn waits_at(&self, service: &str) -> bool {
        let now = self.common.clock.monotonic();
        self.back_off().is_some() || !self.refusals().left(service, now).is_zero()
    }

    /// The services at which calls wait now since the account was refused there.
    pub fn refused_at(&self) -> Vec<Refusal> {
        let now = self.common.clock.monotonic();
        let refusals = self.refusals();
        let waiting = refusals.waiting(now).map(|(service, left, failures)| Refusal {
            account: self.account,
            service: service.to_owned(),
            left,
            failures,
        });
        waiting.collect()
    }

    /// Somebody else was refused.
    pub fn hold_at(&self, service: &str, left: Duration, failures: u32) {
        let now = self.common.clock.monotonic();
        self.refusals().hold(service, now, left, failures);
    }

    /// Somebody else found out that the account must wait.
    pub fn hold(&self, left: Duration, failures: u32, reason: Reason) {
        let now = self.common.clock.monotonic();
        self.gate().hold(now, left, failures, reason);
    }

    fn tell_moved(&self) {
        self.common.moved.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until an ordinary call to `service` may be sent; the pass is held until its answer was learnt from.
    pub async fn pass(&self, service: &str) -> Result<Pass<'_>, StillClosed> {
        loop {
            let pass = self.pass_stream(service).await?;
            let permit = self.common.calls.acquire().await.expect("this semaphore is never closed");
            // the gate may have closed while this call waited for its turn
            let now = self.common.clock.monotonic();
            let refused = pass.probe.is_none() && !self.refusals().left(service, now).is_zero();
            if self.gate().wait(now).is_zero() && !refused {
                return Ok(Pass { permit: Some(permit), ..pass });
            }
        }
    }

    /// Waits until a stream may be opened: streams do not count against the limit of ordinary calls.
    pub async fn pass_stream(&self, service: &str) -> Result<Pass<'_>, StillClosed> {
        let give_up = self.common.clock.monotonic() + self.common.patience;
        loop {
            let probe_ended = self.probe_ended.notified();
            tokio::pin!(probe_ended);
            // from here on no end is missed
            probe_ended.as_mut().enable();
            let now = self.common.clock.monotonic();
            let mut left = self.gate().wait(now);
            if left.is_zero() {
                let turn = self.refusals().turn(service, now);
                left = match turn {
                    Turn::Go => return Ok(Pass { permit: None, probe: None }),
                    Turn::Probe => {
                        let probe = Probe { throttle: self, service: service.to_owned() };
                        return Ok(Pass { permit: None, probe: Some(probe) });
                    }
                    Turn::Wait(left) => left,
                    Turn::Probed => {
                        let patience = give_up.saturating_duration_since(now);
                        let ended = tokio::time::timeout(patience, probe_ended).await;
                        ended.map_err(|_elapsed| StillClosed { left: PROBE_AGAIN })?;
                        continue;
                    }
                };
            }
            if now + left > give_up {
                return Err(StillClosed { left });
            }
            tokio::time::sleep(left).await;
        }
    }

    /// A call to `service` that was sent at `sent` was refused with HTTP 401: a wrong password, or a server that
    /// throttles. Calls wait, longer each time, since a directory locks an account that keeps trying.
    pub fn refused(&self, service: &str, sent: Instant) {
        let now = self.common.clock.monotonic();
        let pause = self.refusals().refused(service, sent, now);
        if let Some(pause) = pause {
            self.tell_moved();
            tracing::error!(
                event_id = calendar::codes::LOGON_REFUSED.id,
                account = self.account.get(),
                service,
                pause_ms = pause.as_millis() as u64,
                "exchange refuses the service account, its calls to this service wait; check its name and password \
                 (account 0: exchange.user and exchange.password, others: kommuneklient credential test)"
            );
        }
    }

    /// A call that was sent at `sent` found the server busy.
    pub fn busy(&self, sent: Instant, asked: Option<Duration>) {
        let now = self.common.clock.monotonic();
        let paused = self.gate().busy(&self.common.policy, sent, now, asked, rand::random());
        if let Some(pause) = paused {
            self.tell_moved();
            tracing::warn!(
                event_id = calendar::codes::EXCHANGE_BUSY.id,
                account = self.account.get(),
                pause_ms = pause.as_millis() as u64,
                "exchange is busy, all calls of the account wait"
            );
        }
    }

    /// A call to `service` that was sent at `sent` got a proper answer.
    pub fn worked(&self, service: &str, sent: Instant) {
        self.gate().worked(sent);
        self.refusals().worked(service, sent);
        tracing::debug!(
            succeeded = calendar::codes::success::EXCHANGE_ANSWER,
            account = self.account.get(),
            "exchange answered"
        );
    }

    /// The instant to hand to [`busy`](Self::busy) and [`worked`](Self::worked).
    pub fn now(&self) -> Instant {
        self.common.clock.monotonic()
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().expect("no holder of this lock can panic")
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().expect("no holder of this lock can panic")
    }
}
