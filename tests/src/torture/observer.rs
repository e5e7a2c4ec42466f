//! The observer: watches the promises of [`invariants`](super::invariants) from outside of the product, and says when
//! the state has come to rest at what the rules say ([`super::oracle`]).
//!
//! It reads the admin sides of both simulators (calendars, subscriptions, what Planner holds, the log of calls) and the
//! product's database, where it has installed an audit ([`audit`]). Of the product itself it asks nothing; memory is
//! told by the system. The driver tells it what it does to instances ([`Observer::note`]).
//!
//! Use: [`Observer::start`] when the schema is there, before the first instance starts · `note` everything ·
//! [`Observer::settled`] after `FaultsEnded` · end the instances in order, `note`d · [`Observer::finish`].
//!
//! Failure: whatever cannot be read is tried again for [`PATIENCE`]. What then is still unknown is a violation of its own:
//! an observer that saw nothing must not be taken for one that saw nothing wrong.

pub mod audit;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::SharedClock;
use jiff::Timestamp;
use kommuneklient::demo::changes::Horizon;
use kommuneklient::demo::http::Admin;
use kommuneklient::demo::listing;
use kommuneklient::demo::oracle::Key;
use serde::de::DeserializeOwned;
use simulator_exchange::admin::SubscriptionState;
use simulator_kit::Page;
use simulator_planner::admin::{EventList, LogEntry, Resource};
use simulator_planner::calls::CallEntry;
use store::{Store, StoreError, StoreOptions};
use tokio::task::JoinHandle;

use super::contract::{Act, Difference, Figures, Findings, Noted, ObserverConfig, Violation};
use super::invariants::calls::Book;
use super::invariants::lives::Lives;
use super::invariants::memory::Peaks;
use super::invariants::{BLIND, calls, fence, load, memory, subscriptions, take_over, violation};
use super::oracle;

/// How long what cannot be read is tried again.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two tries.
const AGAIN: Duration = Duration::from_millis(100);
/// How many keys of a kind a difference names.
const NAMED: usize = 5;

/// The observer cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// A simulator's address cannot be used.
    #[error("the observer cannot reach a simulator: {reason}")]
    Simulator {
        /// Why.
        reason: String,
    },
    /// The audit cannot be installed.
    #[error("the observer cannot install its audit")]
    Audit(#[source] StoreError),
    /// The process has no TLS.
    #[error("the observer cannot prepare its connections")]
    Tls(#[source] trust::TrustError),
}

/// Watches one seed.
#[derive(Debug)]
pub struct Observer {
    config: ObserverConfig,
    store: Store,
    exchange: Admin,
    planner: Admin,
    notes: Arc<Mutex<Vec<Noted>>>,
    peaks: Arc<Mutex<Peaks>>,
    rest: Mutex<Option<Rest>>,
    sampler: JoinHandle<()>,
}

/// The state when it had come to rest.
#[derive(Debug, Clone)]
struct Rest {
    subscriptions: Vec<SubscriptionState>,
    in_use: BTreeSet<String>,
    settled_after: Option<Duration>,
}

impl Observer {
    /// Installs the audit and begins to watch.
    ///
    /// # Errors
    /// [`ObserverError`].
    pub async fn start(config: ObserverConfig) -> Result<Self, ObserverError> {
        let admin = |url: &str| {
            Admin::new(url).map_err(|error| ObserverError::Simulator { reason: error.to_string() })
        };
        let (exchange, planner) = (admin(&config.exchange_url)?, admin(&config.planner_url)?);
        let tls = trust::ClientTls { roots: trust::Roots::Nobody };
        let store = Store::open(StoreOptions {
            url: config.database.clone(),
            pool_size: 2,
            patience: Duration::from_secs(5),
            tls: tls.client_config().map_err(ObserverError::Tls)?,
            application_name: "torture-observer".into(),
            idle_in_transaction: Duration::from_secs(30),
        })
        .map_err(ObserverError::Audit)?;
        audit::install(&store).await.map_err(ObserverError::Audit)?;
        let (notes, peaks) = (Arc::default(), Arc::default());
        let sampler = tokio::spawn(sample(Arc::clone(&notes), Arc::clone(&peaks), config.look_every));
        Ok(Self { config, store, exchange, planner, notes, peaks, rest: Mutex::default(), sampler })
    }

    /// Takes down what the driver does, now.
    pub fn note(&self, act: Act) {
        lock(&self.notes).push(Noted { at: self.config.clock.now(), act });
    }

    /// Waits until the state equals the rules' answer and nothing is on its way any more, in two looks in a row with no
    /// call between them. What it waits for is `told` whenever that changes.
    ///
    /// # Errors
    /// What still differs, or could not be seen, when `bound` is over.
    pub async fn settled(&self, bound: Duration, told: impl Fn(&str)) -> Result<(), Difference> {
        let (since, look) = self.right(None, bound, told).await?;
        let rest = self.at_rest(since, look);
        *lock(&self.rest) = Some(rest);
        Ok(())
    }

    /// The same but for what only a comparison brings in step: keys that Planner ever refused for good, and everything of
    /// the mailboxes that were `away` from its list (lower-cased addresses). The state has not come to rest then.
    ///
    /// # Errors
    /// As [`settled`](Self::settled).
    pub async fn settled_but(
        &self,
        away: &BTreeSet<String>,
        bound: Duration,
        told: impl Fn(&str),
    ) -> Result<(), Difference> {
        self.right(Some(away), bound, told).await.map(drop)
    }

    /// Waits until two looks in a row are right; gives when the first was, and the second.
    async fn right(
        &self,
        away: Option<&BTreeSet<String>>,
        bound: Duration,
        told: impl Fn(&str),
    ) -> Result<(Timestamp, Look), Difference> {
        let deadline = self.config.clock.monotonic() + bound;
        let mut before: Option<Look> = None;
        let mut last = String::new();
        loop {
            let words = match self.look(away).await {
                Ok(look) if look.differs.is_empty() => {
                    if let Some(first) = before.as_ref().filter(|first| first.calls == look.calls) {
                        return Ok((first.at, look));
                    }
                    before = Some(look);
                    "it was right a moment ago, and calls go on".to_owned()
                }
                Ok(look) => {
                    before = None;
                    look.differs
                }
                Err(reason) => {
                    before = None;
                    reason
                }
            };
            if self.config.clock.monotonic() >= deadline {
                return Err(Difference { words });
            }
            if words != last {
                told(&words);
                last = words;
            }
            tokio::time::sleep(self.config.look_every).await;
        }
    }

    fn at_rest(&self, since: Timestamp, look: Look) -> Rest {
        let notes = lock(&self.notes);
        let ended = notes.iter().rev().find(|noted| noted.act == Act::FaultsEnded).map(|noted| noted.at);
        let settled_after = ended.and_then(|ended| Duration::try_from(since.duration_since(ended)).ok());
        // who looks again later wants to know whether it stays so
        let before = lock(&self.rest).as_ref().and_then(|rest| rest.settled_after);
        Rest {
            subscriptions: look.subscriptions,
            in_use: look.in_use,
            settled_after: before.or(settled_after),
        }
    }

    /// Ends the watch and judges. Instances should have ended in order before, or nothing is said about what they leave
    /// behind.
    pub async fn finish(&self) -> Findings {
        self.sampler.abort();
        let mut findings = Findings::default();
        let notes = lock(&self.notes).clone();
        let lives = Lives::of(&notes);
        match patiently(&self.config.clock, async || audit::groups_lost(&self.store).await.map_err(words_of))
            .await
        {
            Ok(lost) => findings.figures.groups_lost = lost,
            Err(reason) => findings.violations.push(blind(format!("the audit cannot be read: {reason}"))),
        }
        match patiently(&self.config.clock, async || audit::read(&self.store).await.map_err(words_of)).await {
            Ok(audited) => self.judge_calls_and_writes(audited, &lives, &mut findings).await,
            Err(reason) => findings.violations.push(blind(format!("the audit cannot be read: {reason}"))),
        }
        self.judge_subscriptions(&lives, &mut findings).await;
        let peaks = lock(&self.peaks).clone();
        let seen = notes.iter().filter(|noted| matches!(noted.act, Act::Started { .. })).count();
        findings.violations.extend(without_memory(seen, &peaks));
        findings.violations.extend(memory::check(&peaks, self.config.resident_bytes_max));
        findings.figures.resident_bytes_max = peaks.values().copied().max().unwrap_or_default();
        findings
    }

    async fn judge_calls_and_writes(&self, audited: audit::Audited, lives: &Lives, findings: &mut Findings) {
        let entries = match self.call_log().await {
            Ok(entries) => entries,
            Err(reason) => {
                findings.violations.push(blind(format!("the log of calls cannot be read: {reason}")));
                Vec::new()
            }
        };
        let book = Book::of(&entries, &audited.permits);
        let measured = load::measure(&book, lives, &self.config.limits);
        findings.violations.extend(measured.violations);
        findings.violations.extend(book.check_permits());
        findings.violations.extend(calls::check_deadlines(&audited.early));
        findings.violations.extend(calls::check_freed(&audited.freed, &audited.permits, &book));
        findings.violations.extend(fence::check(&audited.writes));
        findings.violations.extend(without_sight(&book, &audited));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let events = book.calls.iter().filter(|call| call.is_change()).map(|call| call.items).sum();
        findings.violations.extend(take_over::check(&audited.changes, lives));
        let take_overs = take_over::times(&audited.changes, lives);
        let figures = &mut findings.figures;
        *figures = Figures {
            planner_calls: count(book.calls.len()),
            planner_events: count(events),
            in_flight_max: count(measured.in_flight_max),
            calls_per_window_max: count(measured.calls_per_window_max),
            events_per_window_max: count(measured.events_per_window_max),
            sends_of_paused: count(book.late(lives)),
            take_overs_ms: take_overs.plain,
            take_overs_without_database_ms: take_overs.without_database,
            audited_writes: count(audited.writes.len()),
            ..figures.clone()
        };
    }

    async fn judge_subscriptions(&self, lives: &Lives, findings: &mut Findings) {
        // until somebody judges
        findings.figures.left_behind_unjudged = true;
        let Some(rest) = lock(&self.rest).clone() else { return };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        findings.figures.settled_after_ms = rest.settled_after.map(millis);
        findings.violations.extend(subscriptions::check_at_rest(&rest.subscriptions, &rest.in_use));
        if !lives.all_ended_in_order() {
            return;
        }
        match self.ask::<Vec<SubscriptionState>>(&self.exchange, "/admin/subscriptions").await {
            Ok(last) => {
                findings.figures.left_behind_unjudged = false;
                findings.violations.extend(subscriptions::check_left_behind(&rest.subscriptions, &last));
            }
            Err(reason) => findings.violations.push(blind(format!("subscriptions cannot be seen: {reason}"))),
        }
    }

    /// All entries of Planner's log of calls.
    async fn call_log(&self) -> Result<Vec<CallEntry>, String> {
        let mut entries: Vec<CallEntry> = Vec::new();
        let mut after = 0;
        loop {
            let path = format!("/admin/calls?after={after}");
            let page: Page<CallEntry> = self.ask(&self.planner, &path).await?;
            if page.lost > 0 {
                return Err(format!("{} entries have made room for newer ones", page.lost));
            }
            let Some(last) = page.entries.last().map(|entry| entry.seq) else { return Ok(entries) };
            entries.extend(page.entries.into_iter().map(|entry| entry.value));
            after = last;
        }
    }

    /// The keys that Planner ever refused for good: neither taken, nor there already or not there, nor put off.
    async fn refused(&self) -> Result<BTreeSet<Key>, String> {
        let mut refused = BTreeSet::new();
        let mut after = 0;
        loop {
            let path = format!("/admin/log?after={after}");
            let page: Page<LogEntry> = self.planner.get(&path).await.map_err(|error| error.to_string())?;
            if page.lost > 0 {
                return Err(format!("{} receipts have made room for newer ones", page.lost));
            }
            let Some(last) = page.entries.last().map(|entry| entry.seq) else { return Ok(refused) };
            let entries = page.entries.into_iter().map(|entry| entry.value);
            let entries = entries.filter(|entry| !matches!(entry.code, 0 | 8 | 10 | 15 | 16));
            refused.extend(entries.map(|entry| (entry.mail.to_lowercase(), entry.origin_id.to_string())));
            after = last;
        }
    }

    /// Asks a simulator, with patience.
    async fn ask<T: DeserializeOwned>(&self, admin: &Admin, path: &str) -> Result<T, String> {
        let ask = async || admin.get::<T>(path).await.map_err(|error| error.to_string());
        patiently(&self.config.clock, ask).await
    }

    async fn look(&self, away: Option<&BTreeSet<String>>) -> Result<Look, String> {
        let at = self.config.clock.now();
        let simulator = |error: kommuneklient::demo::error::DemoError| error.to_string();
        let lists = audit::lists(&self.store).await.map_err(words_of)?;
        let listed: Vec<Resource> = self.planner.get("/admin/resources").await.map_err(simulator)?;
        let in_use = oracle::in_use(&listed, &lists);
        let horizon = Horizon::at(at, &self.config.zone, self.config.months);
        let calendars = listing::listed(&self.exchange, &horizon).await.map_err(simulator)?;
        let held: EventList = self.planner.get("/admin/events").await.map_err(simulator)?;
        let mut differences = oracle::differences(&calendars, &held.events, &in_use, &horizon);
        if let Some(away) = away {
            oracle::leave_out(&mut differences, away, &self.refused().await?);
        }
        let waiting = audit::waiting(&self.store).await.map_err(words_of)?;
        let live: Vec<SubscriptionState> =
            self.exchange.get("/admin/subscriptions").await.map_err(simulator)?;
        let there: Vec<String> = self.exchange.get("/admin/mailboxes").await.map_err(simulator)?;
        let there: BTreeSet<String> = there.into_iter().map(|address| address.to_lowercase()).collect();
        let unheard = subscriptions::unheard(&live, &in_use.intersection(&there).cloned().collect());
        let calls: Page<CallEntry> =
            self.planner.get("/admin/calls?after=0&limit=1").await.map_err(simulator)?;
        let idle =
            if self.config.every_subscription_streamed { subscriptions::idle(&live) } else { Vec::new() };
        let differs = differs(&differences, waiting, &unheard, &idle);
        Ok(Look { at, differs, subscriptions: live, in_use, calls: calls.last })
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.sampler.abort();
    }
}

/// One look at everything.
#[derive(Debug)]
struct Look {
    at: Timestamp,
    /// What is not as it should be, in words.
    differs: String,
    subscriptions: Vec<SubscriptionState>,
    in_use: BTreeSet<String>,
    /// Number of the last entry of Planner's log of calls.
    calls: u64,
}

fn differs(
    differences: &kommuneklient::demo::oracle::Differences,
    waiting: audit::Waiting,
    unheard: &[String],
    idle: &[String],
) -> String {
    let mut all = Vec::new();
    if !differences.is_empty() {
        all.push(oracle::in_words(differences, NAMED));
        if waiting.stopped > 0 {
            all.push(format!("{} keys were refused or set aside and wait for a comparison", waiting.stopped));
        }
    }
    for (count, what) in [
        (waiting.notifications, "notifications wait"),
        (waiting.keys, "keys are to be sent"),
        (waiting.in_flight, "keys are in flight"),
    ] {
        if count > 0 {
            all.push(format!("{count} {what}"));
        }
    }
    let some = |mails: &[String]| mails.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if !unheard.is_empty() {
        all.push(format!("{} mailboxes are heard by no stream ({})", unheard.len(), some(unheard)));
    }
    if !idle.is_empty() {
        all.push(format!("{} subscriptions are on no stream (of {})", idle.len(), some(idle)));
    }
    all.join("; ")
}

/// Looks at the memory of every process that lives.
async fn sample(notes: Arc<Mutex<Vec<Noted>>>, peaks: Arc<Mutex<Peaks>>, every: Duration) {
    loop {
        let lives = Lives::of(&lock(&notes));
        for (pid, _) in lives.iter().filter(|(_, life)| life.end.is_none()) {
            // gone meanwhile: what was seen before stands
            let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            if let Some(peak) = memory::peak_in(&status) {
                let mut peaks = lock(&peaks);
                let highest = peaks.entry(pid).or_default();
                *highest = peak.max(*highest);
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Tries until it works, for [`PATIENCE`].
async fn patiently<T, F: Future<Output = Result<T, String>>>(
    clock: &SharedClock,
    mut attempt: impl FnMut() -> F,
) -> Result<T, String> {
    let deadline = clock.monotonic() + PATIENCE;
    loop {
        match attempt().await {
            Err(_) if clock.monotonic() < deadline => tokio::time::sleep(AGAIN).await,
            outcome => return outcome,
        }
    }
}

/// Does the audit say that it saw all that it should?
fn without_sight(book: &Book, audited: &audit::Audited) -> Vec<Violation> {
    let mut found: Vec<Violation> =
        audited.trouble.iter().map(|text| blind(format!("the audit: {text}"))).collect();
    if !book.calls.is_empty() && audited.writes.is_empty() {
        found.push(blind("calls were made, and no protected write was seen".to_owned()));
    }
    found
}

/// Was the memory of anybody seen, where `started` processes were?
fn without_memory(started: usize, peaks: &Peaks) -> Option<Violation> {
    (started > 0 && peaks.is_empty()).then(|| blind("the memory of no instance could be seen".to_owned()))
}

fn blind(words: String) -> Violation {
    violation(BLIND, None, words)
}

/// An error with what is behind it, in one line.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn words_of(error: StoreError) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        source = inner.source();
    }
    words
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    //! Goal: an observer that saw nothing is not taken for one that saw nothing wrong.
    use super::super::invariants::calls::tests::call;
    use super::super::invariants::fence::AuditedWrite;
    use super::super::invariants::lives::tests::at;
    use super::*;

    fn write() -> AuditedWrite {
        AuditedWrite {
            at: at(0),
            what: "call".into(),
            writer: "kommuneklient/7".into(),
            lease: None,
            named_token: None,
        }
    }

    #[test]
    fn calls_without_any_write_of_theirs_mean_that_the_audit_was_blind() {
        let book = Book { calls: vec![call(1, 100, Some(200), &["a"], 7)] };
        let seen = audit::Audited { writes: vec![write()], ..audit::Audited::default() };
        assert_eq!(without_sight(&book, &seen), []);
        assert_eq!(without_sight(&Book::default(), &audit::Audited::default()), [], "nobody did anything");
        let found = without_sight(&book, &audit::Audited::default());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].invariant, BLIND);
    }

    #[test]
    fn trouble_of_the_audit_is_told() {
        let trouble = vec!["claim: no such column".to_owned()];
        let audited = audit::Audited { writes: vec![write()], trouble, ..audit::Audited::default() };
        let found = without_sight(&Book::default(), &audited);
        assert!(found.len() == 1 && found[0].words.contains("no such column"), "{found:?}");
        assert_eq!(found[0].invariant, BLIND);
    }

    #[test]
    fn memory_that_nobody_saw_is_told() {
        assert_eq!(without_memory(0, &Peaks::new()), None);
        assert_eq!(without_memory(1, &Peaks::from([(7, 1)])), None);
        assert_eq!(without_memory(1, &Peaks::new()).map(|found| found.invariant).as_deref(), Some(BLIND));
    }
}
