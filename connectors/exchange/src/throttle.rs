//! One back-off for a whole account, and the limit of ordinary calls at one time (B12).
//!
//! Protocol: every call asks to [`pass`](Throttle::pass). A busy answer closes the gate for the time that the
//! server named, or for a capped exponential back-off with jitter where it named none; at least the first pause
//! of the policy, since servers have been seen to ask for 0 ms for days. Calls wait at the closed gate
//! up to a patience, then give up with the time that is left, so that nothing waits without end.
//! Answers of calls that were sent before the gate closed do not lengthen it again and again.
//!
//! The account's other users, in this process and in others, wait too: a gate that was moved by a call of ours says so
//! ([`BackOffs`]), and one that somebody else's call closed is held ([`Throttle::hold`]).

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base::{Backoff, SharedClock};
use calendar::ids::AccountId;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

#[cfg(test)]
mod tests;

/// Pauses after refused logons: a single one may be a server that throttles, a directory locks an account after a
/// handful within minutes.
fn refusals() -> Backoff {
    Backoff::doubling(Duration::from_secs(5), Duration::from_secs(300))
}

/// Why all calls of an account wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The server is busy.
    Busy,
    /// It refused the account's name or password.
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
        Self { account, common, gate }
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

    /// Somebody else found out that the account must wait.
    pub fn hold(&self, left: Duration, failures: u32, reason: Reason) {
        let now = self.common.clock.monotonic();
        self.gate().hold(now, left, failures, reason);
    }

    fn tell_moved(&self) {
        self.common.moved.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until an ordinary call may be sent; the permit is held until its answer is read.
    pub async fn pass(&self) -> Result<SemaphorePermit<'_>, StillClosed> {
        loop {
            self.pass_stream().await?;
            let permit = self.common.calls.acquire().await.expect("this semaphore is never closed");
            // the gate may have closed while this call waited for its turn
            if self.gate().wait(self.common.clock.monotonic()).is_zero() {
                return Ok(permit);
            }
        }
    }

    /// Waits until a stream may be opened: streams do not count against the limit of ordinary calls.
    pub async fn pass_stream(&self) -> Result<(), StillClosed> {
        let give_up = self.common.clock.monotonic() + self.common.patience;
        loop {
            let now = self.common.clock.monotonic();
            let left = self.gate().wait(now);
            if left.is_zero() {
                return Ok(());
            }
            if now + left > give_up {
                return Err(StillClosed { left });
            }
            tokio::time::sleep(left).await;
        }
    }

    /// A call that was sent at `sent` was refused with HTTP 401: a wrong password, or a server that throttles. All calls
    /// wait, longer each time, since a directory locks an account that keeps trying.
    pub fn refused(&self, sent: Instant) {
        let now = self.common.clock.monotonic();
        let pause = {
            let mut gate = self.gate();
            if gate.failures > 0 && sent < gate.until {
                return; // it was under way when the gate closed: nothing new
            }
            let asked = refusals().delay(gate.failures.saturating_add(1), 0.0);
            let pause = gate.busy(&self.common.policy, sent, now, Some(asked), 0.0);
            gate.reason = Reason::Refused;
            pause
        };
        if let Some(pause) = pause {
            self.tell_moved();
            tracing::error!(
                event_id = calendar::codes::LOGON_REFUSED.id,
                account = self.account.get(),
                pause_ms = pause.as_millis() as u64,
                "exchange refuses the service account, all its calls wait; check its name and password \
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

    /// A call that was sent at `sent` got a proper answer.
    pub fn worked(&self, sent: Instant) {
        self.gate().worked(sent);
    }

    /// The instant to hand to [`busy`](Self::busy) and [`worked`](Self::worked).
    pub fn now(&self) -> Instant {
        self.common.clock.monotonic()
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().expect("no holder of this lock can panic")
    }
}
