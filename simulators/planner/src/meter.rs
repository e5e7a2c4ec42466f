//! What a client does, and what of it is not allowed; pure, without clock and I/O.
//!
//! A call is in flight from [`Meter::enter`] to [`Meter::leave`]. A client that gives up closes its
//! connection, and the server may notice that a moment after the client's next call has come: a violation
//! that stands only because of a call whose client turns out to have left within [`GRACE`] is withdrawn.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use proto_planner::Operation;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The window of the limits per minute, unless told otherwise.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How late the news may be that a client had left.
pub const GRACE: Duration = Duration::from_millis(500);
/// The most violations that are kept in words.
const VIOLATIONS_KEPT: usize = 200;
/// The most violations that may wait for such news.
const SUSPICIONS_MAX: usize = 10_000;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Appointments in one change.
    pub items_per_call: usize,
    /// Calls in flight at one time, over all operations.
    pub calls_in_flight: usize,
    /// Calls in any 60 s, over all operations; `None` is any number.
    pub calls_per_minute: Option<usize>,
    /// Appointments in the changes of any 60 s; `None` is any number.
    pub events_per_minute: Option<usize>,
    /// How long a minute is: [`WINDOW`], less where all timings are scaled down.
    pub window: Duration,
}

/// A kind of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// More appointments in a call than allowed.
    TooManyItems,
    /// Appointments of several mailboxes in one change.
    MixedMailboxes,
    /// More calls in flight than allowed.
    TooManyInFlight,
    /// More calls in 60 s than allowed.
    TooManyCallsPerMinute,
    /// More appointments in 60 s than allowed.
    TooManyEventsPerMinute,
    /// A change of a key while another call for the same key is in flight.
    SameKeyInFlight,
}

impl Violation {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::TooManyItems,
        Self::MixedMailboxes,
        Self::TooManyInFlight,
        Self::TooManyCallsPerMinute,
        Self::TooManyEventsPerMinute,
        Self::SameKeyInFlight,
    ];
}

/// A violation in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViolationRecord {
    /// What was not allowed.
    pub kind: Violation,
    /// In a call of which operation.
    pub operation: String,
    /// Its number among all calls, from 1.
    pub call: u64,
    /// Which earlier calls it collided with.
    pub against: Vec<u64>,
    /// The number that was too large (items, calls, mailboxes), or how many keys collided.
    pub measured: usize,
    /// Withdrawn because the client of an earlier call had left.
    pub withdrawn: bool,
}

/// What the meter has seen; the answer to `GET /admin/meter`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterReport {
    /// Calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// Appointments, addresses or resources in the requests, by operation.
    pub items: BTreeMap<String, u64>,
    /// Receipts by code.
    pub receipts: BTreeMap<i32, u64>,
    /// Requests that were no call: unreadable, or with the wrong headers.
    pub refused_calls: u64,
    /// Calls whose client left before the answer.
    pub abandoned_calls: u64,
    /// Calls in flight now.
    pub in_flight: usize,
    /// The most calls in flight at one time.
    pub in_flight_max: usize,
    /// The most calls in any 60 s.
    pub calls_per_minute_max: usize,
    /// The most appointments in the changes of any 60 s.
    pub events_per_minute_max: usize,
    /// All violations together; 0 is the only good number.
    pub violations_total: u64,
    /// Violations by kind.
    pub violations: BTreeMap<Violation, u64>,
    /// The latest violations in words, withdrawn ones among them.
    pub latest_violations: Vec<ViolationRecord>,
    /// How often a fault was played.
    pub faults_fired: u64,
}

/// A key: lower-cased mail address and origin id.
pub type Key = (String, String);

/// What the meter needs to know of a call.
#[derive(Debug, Clone)]
pub struct CallFacts {
    /// The operation.
    pub operation: Operation,
    /// How many appointments, addresses or resources it holds.
    pub items: usize,
    /// The keys that it changes, in their order; empty for reading.
    pub keys: Vec<Key>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was answered.
    Answered,
    /// Its client had left.
    Abandoned,
}

/// Counts calls and violations.
#[derive(Debug)]
pub struct Meter {
    allowed: Allowed,
    /// Number of the latest call.
    latest_call: u64,
    /// Keys of the calls in flight.
    in_flight: BTreeMap<u64, Vec<Key>>,
    /// Calls in flight by key.
    by_key: HashMap<Key, Vec<u64>>,
    /// When calls came within the last 60 s, with the number of appointments they change.
    window: VecDeque<(Instant, usize)>,
    /// Sum of the appointments in `window`.
    window_events: usize,
    suspicions: VecDeque<Suspicion>,
    records: VecDeque<ViolationRecord>,
    report: MeterReport,
}

/// A violation that may still be withdrawn.
#[derive(Debug)]
struct Suspicion {
    kind: Violation,
    call: u64,
    at: Instant,
    /// The calls that it stands against.
    against: Vec<u64>,
    /// How many of them must turn out to have been over for it to be withdrawn.
    needed: usize,
}

impl Meter {
    /// A meter that has seen nothing.
    pub fn new(allowed: Allowed) -> Self {
        Self {
            allowed,
            latest_call: 0,
            in_flight: BTreeMap::new(),
            by_key: HashMap::new(),
            window: VecDeque::new(),
            window_events: 0,
            suspicions: VecDeque::new(),
            records: VecDeque::new(),
            report: MeterReport::default(),
        }
    }

    /// A call has come; the number that it gets is told to [`Meter::leave`].
    pub fn enter(&mut self, facts: CallFacts, now: Instant) -> u64 {
        self.latest_call += 1;
        let call = self.latest_call;
        let name = facts.operation.name();
        *self.report.calls.entry(name.to_owned()).or_default() += 1;
        *self.report.items.entry(name.to_owned()).or_default() += facts.items as u64;
        self.check_content(&facts, call, now);
        self.check_rate(&facts, call, now);
        self.check_in_flight(&facts, call, now);
        for key in &facts.keys {
            self.by_key.entry(key.clone()).or_default().push(call);
        }
        self.in_flight.insert(call, facts.keys);
        self.report.in_flight_max = self.report.in_flight_max.max(self.in_flight.len());
        call
    }

    /// A call is over.
    pub fn leave(&mut self, call: u64, ending: Ending, now: Instant) {
        let Some(keys) = self.in_flight.remove(&call) else { return };
        for key in keys {
            if let Some(calls) = self.by_key.get_mut(&key) {
                calls.retain(|other| *other != call);
                if calls.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
        if ending == Ending::Abandoned {
            self.report.abandoned_calls += 1;
            self.acquit(call, now);
        }
    }

    /// A receipt was given.
    pub fn receipt(&mut self, code: i32) {
        *self.report.receipts.entry(code).or_default() += 1;
    }

    /// A request was refused as a whole.
    pub fn refused(&mut self) {
        self.report.refused_calls += 1;
    }

    /// All that was seen. `faults_fired` is the caller's to fill.
    pub fn report(&self) -> MeterReport {
        MeterReport {
            in_flight: self.in_flight.len(),
            latest_violations: self.records.iter().cloned().collect(),
            violations_total: self.report.violations.values().sum(),
            ..self.report.clone()
        }
    }

    /// Forgets all counts; what is in flight and the running 60 s stay.
    pub fn reset(&mut self) {
        self.report = MeterReport::default();
        self.records.clear();
        self.suspicions.clear();
    }

    fn check_content(&mut self, facts: &CallFacts, call: u64, now: Instant) {
        if facts.operation.is_change() && facts.items > self.allowed.items_per_call {
            self.violated(Violation::TooManyItems, facts, call, facts.items, vec![], 0, now);
        }
        let mut mailboxes: Vec<&str> = facts.keys.iter().map(|(mail, _)| mail.as_str()).collect();
        mailboxes.sort_unstable();
        mailboxes.dedup();
        let count = mailboxes.len();
        if count > 1 {
            self.violated(Violation::MixedMailboxes, facts, call, count, vec![], 0, now);
        }
    }

    fn check_rate(&mut self, facts: &CallFacts, call: u64, now: Instant) {
        while let Some(&(at, events)) = self.window.front()
            && now.saturating_duration_since(at) >= self.allowed.window
        {
            self.window.pop_front();
            self.window_events -= events;
        }
        let events = if facts.operation.is_change() { facts.items } else { 0 };
        self.window.push_back((now, events));
        self.window_events += events;
        let (calls, events) = (self.window.len(), self.window_events);
        self.report.calls_per_minute_max = self.report.calls_per_minute_max.max(calls);
        self.report.events_per_minute_max = self.report.events_per_minute_max.max(events);
        if self.allowed.calls_per_minute.is_some_and(|allowed| calls > allowed) {
            self.violated(Violation::TooManyCallsPerMinute, facts, call, calls, vec![], 0, now);
        }
        if facts.operation.is_change()
            && self.allowed.events_per_minute.is_some_and(|allowed| events > allowed)
        {
            self.violated(Violation::TooManyEventsPerMinute, facts, call, events, vec![], 0, now);
        }
    }

    fn check_in_flight(&mut self, facts: &CallFacts, call: u64, now: Instant) {
        let count = self.in_flight.len() + 1;
        if count > self.allowed.calls_in_flight {
            let against: Vec<u64> = self.in_flight.keys().copied().collect();
            let needed = count - self.allowed.calls_in_flight;
            self.violated(Violation::TooManyInFlight, facts, call, count, against, needed, now);
        }
        let colliding = facts.keys.iter().filter(|key| self.by_key.contains_key(*key));
        let measured = colliding.clone().count();
        if measured > 0 {
            let mut against: Vec<u64> = colliding.flat_map(|key| &self.by_key[key]).copied().collect();
            against.sort_unstable();
            against.dedup();
            let needed = against.len();
            self.violated(Violation::SameKeyInFlight, facts, call, measured, against, needed, now);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place that writes all that a violation is")]
    fn violated(
        &mut self,
        kind: Violation,
        facts: &CallFacts,
        call: u64,
        measured: usize,
        against: Vec<u64>,
        needed: usize,
        now: Instant,
    ) {
        *self.report.violations.entry(kind).or_default() += 1;
        if self.records.len() >= VIOLATIONS_KEPT {
            self.records.pop_front();
        }
        self.records.push_back(ViolationRecord {
            kind,
            operation: facts.operation.name().to_owned(),
            call,
            against: against.clone(),
            measured,
            withdrawn: false,
        });
        if needed > 0 && self.suspicions.len() < SUSPICIONS_MAX {
            self.suspicions.push_back(Suspicion { kind, call, at: now, against, needed });
        }
    }

    /// A client had left: violations that stood only because its call seemed to be in flight are
    /// withdrawn.
    fn acquit(&mut self, left: u64, now: Instant) {
        self.suspicions.retain(|suspicion| now.saturating_duration_since(suspicion.at) <= GRACE);
        for suspicion in &mut self.suspicions {
            if !suspicion.against.contains(&left) {
                continue;
            }
            suspicion.needed -= 1;
            if suspicion.needed == 0 {
                if let Some(count) = self.report.violations.get_mut(&suspicion.kind) {
                    *count -= 1;
                }
                let same = |record: &&mut ViolationRecord| {
                    record.kind == suspicion.kind && record.call == suspicion.call
                };
                if let Some(record) = self.records.iter_mut().find(same) {
                    record.withdrawn = true;
                }
            }
        }
        self.suspicions.retain(|suspicion| suspicion.needed > 0);
    }
}
