//! One seed, from an empty database to the verdict.
//!
//! Build the world → start the instances → do what the schedule says, faults over each other → end all faults → wait
//! until the state equals the rules' answer, [`BOUND`] at most → end the instances in order → ask the observer what it
//! saw. Whatever happens, processes, simulators and database of the seed are gone at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, SystemClock};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::cluster::Cluster;
use super::contract::{Act as Noted, ObserverConfig, Violation};
use super::error::TortureError;
use super::fault::{Fault, LEASE_MS};
use super::fault_log::FaultLog;
use super::injector::Injector;
use super::instance::{self, Instances, Launch};
use super::invariants::{GAVE_UP, bounded, violation};
use super::observer::Observer;
use super::results::{Outcome, SeedResult};
use super::schedule::{Act, Emphasis, Schedule};
use super::world::{self, MAILBOXES, MONTHS, PACE, World};

/// Within this time after the end of all faults the state must equal the rules' answer (ten minutes of an unscaled
/// service).
pub const BOUND: Duration = Duration::from_secs(30);
/// No instance may use more memory (resident).
const RESIDENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How often the observer samples.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long what the schedule holds may take altogether; more, and the harness hangs.
const ACTS_PATIENCE: Duration = Duration::from_secs(90);
/// How long a command of an operator may take once the faults are over.
const COMMAND_PATIENCE: Duration = Duration::from_secs(20);
/// How often a command is given anew that failed because something was away.
const COMMAND_TRIES: u32 = 5;
/// What Planner applies late is repaired by the comparison that follows every unknown outcome after 14 minutes, here
/// after [`base::pace::LONGEST`]: the state is looked at again when that must be over.
const AFTER_LATE: Duration = Duration::from_millis(5_500);
/// The event of something that panicked.
const PANICKED: &str = "\"event_id\":9302";
/// What an instance logs when a fence refused its write.
const REFUSED: &str = "a write under an old token was refused";
/// The event of a group that waits for a slot of its account.
const SLOT_AWAITED: &str = "\"event_id\":9014";

/// How seeds are run.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `kommuneklient-under-test`.
    pub program: PathBuf,
    /// How many instances.
    pub instances: u32,
    /// Where the logs of a seed that is not green are kept.
    pub keep: Option<PathBuf>,
    /// Those of a seed that was in step later than this are kept, too.
    pub keep_slower_than: Option<Duration>,
    /// Safeguards that the program is to leave out (`KOMMUNEKLIENT_BREAK`).
    pub broken_build: Option<String>,
}

impl Setting {
    fn is_kept(&self, result: &SeedResult) -> bool {
        let settled = result.findings.figures.settled_after_ms;
        let slow =
            self.keep_slower_than.zip(settled).is_some_and(|(most, ms)| u128::from(ms) > most.as_millis());
        // what made an instance give up must be told, also where that was its right
        slow || result.difference.is_some()
            || !result.escalations.is_empty()
            || !result.findings.violations.is_empty()
    }
}

/// Runs a seed.
pub async fn seed(seed: u64, setting: &Setting, cluster: &Arc<Mutex<Cluster>>) -> SeedResult {
    let clock = SystemClock;
    let begin = clock.monotonic();
    let schedule = Schedule::of(seed, setting.instances, MAILBOXES);
    let mut result = empty(&schedule, setting);
    let log = FaultLog::new(SystemClock::shared());
    let folder = match tempfile::Builder::new().prefix("kommuneklient-torture-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            result.error = Some(error.to_string());
            return result;
        }
    };
    match attempt(&schedule, setting, cluster, folder.path(), &log, &mut result).await {
        Ok(()) if result.findings.violations.is_empty() && result.difference.is_none() => {
            result.outcome = Outcome::Green;
        }
        Ok(()) => result.outcome = Outcome::Failed,
        Err(error) => result.error = Some(in_words(&error)),
    }
    result.took_ms = millis(clock.monotonic().saturating_duration_since(begin));
    if result.outcome != Outcome::Green || setting.is_kept(&result) {
        result.fault_log = log.lines();
        result.kept = keep(folder, setting.keep.as_deref(), &result);
    }
    result
}

async fn attempt(
    schedule: &Schedule,
    setting: &Setting,
    cluster: &Arc<Mutex<Cluster>>,
    folder: &Path,
    log: &FaultLog,
    result: &mut SeedResult,
) -> Result<(), TortureError> {
    let name = format!("torture_{}", schedule.seed);
    let url = {
        let mut cluster = cluster.lock().await;
        cluster.come_back().await?; // the seed before may have been given up while it was down
        cluster.drop_database(&name).await?;
        cluster.database(&name).await?
    };
    let world = Arc::new(World::build(schedule, folder, &url).await?);
    let started = Observer::start(ObserverConfig {
        exchange_url: world.exchange_url(),
        planner_url: world.planner_url(),
        jobcenter: world.jobcenter().to_owned(),
        database: url,
        zone: world::zone(),
        months: MONTHS,
        limits: world.limits,
        lease_ttl: Duration::from_millis(LEASE_MS),
        resident_bytes_max: RESIDENT_BYTES_MAX,
        look_every: LOOK_EVERY,
        clock: SystemClock::shared(),
        every_subscription_streamed: schedule.emphasis == Emphasis::Gentle,
        keep: None,
    })
    .await;
    let observer = Arc::new(started.map_err(|source| TortureError::Observer { source })?);
    log.tell(Arc::clone(&observer));
    let launch = Launch {
        program: setting.program.clone(),
        configuration: world.configuration.clone(),
        logs: folder.to_owned(),
        environment: environment(setting),
    };
    let instances = Instances::new(launch, &schedule.clock_offsets_ms, log.clone());
    let injector =
        Injector { world, cluster: Arc::clone(cluster), database: name.clone(), instances, log: log.clone() };
    let keeper = AbortOnDropHandle::new(tokio::spawn(injector.instances.clone().keep()));
    let seed = Seed { schedule, setting, injector: &injector, observer: &observer };
    let outcome = seed.perform(result).await;
    drop(keeper);
    injector.instances.kill_all().await;
    let mut findings = observer.finish().await;
    findings.violations.append(&mut result.findings.violations);
    result.findings = findings;
    let endings = injector.instances.endings();
    result.armed_points = endings.armed;
    result.crash_points = endings.crash_points;
    result.escalations = endings.escalations;
    result.findings.violations.extend(gave_up(schedule, &result.escalations));
    read_logs(folder, setting.instances, result);
    if setting.keep.is_some() && setting.is_kept(result) {
        // evidence: whatever cannot be had is left out
        if let Err(error) = cluster.lock().await.dump(&name, folder).await {
            log.say(&format!("the database is not kept: {}", in_words(&error)));
        }
    }
    cluster.lock().await.drop_database(&name).await?;
    outcome
}

/// An instance that ends by its own decision broke a promise, unless something befell the database.
fn gave_up(schedule: &Schedule, escalations: &[String]) -> Vec<Violation> {
    if schedule.harms_database() {
        return Vec::new();
    }
    bounded(escalations.iter().map(|words| violation(GAVE_UP, None, words.clone())).collect())
}

/// What only the logs of the instances tell.
fn read_logs(folder: &Path, instances: u32, result: &mut SeedResult) {
    for number in 1..=instances {
        let text = std::fs::read_to_string(instance::log_path(folder, number)).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.contains(PANICKED)) {
            result.violated("no-panic", format!("instance {number}: {line}"));
        }
        let refused = text.lines().filter(|line| line.contains(REFUSED)).count();
        result.findings.figures.refused_writes += u64::try_from(refused).unwrap_or(u64::MAX);
        let awaited = text.lines().filter(|line| line.contains(SLOT_AWAITED)).count();
        result.findings.figures.slots_awaited += u64::try_from(awaited).unwrap_or(u64::MAX);
    }
}

/// What a seed is performed with.
struct Seed<'a> {
    schedule: &'a Schedule,
    setting: &'a Setting,
    injector: &'a Injector,
    observer: &'a Observer,
}

impl Seed<'_> {
    /// From the first start to the ending in order.
    async fn perform(&self, result: &mut SeedResult) -> Result<(), TortureError> {
        for (user, password) in world::accounts(self.schedule) {
            let order = Order { input: password, ..self.command(&["credential", "add", &user]) };
            give(order)
                .await
                .map_err(|reason| TortureError::Process { what: "add a service account", reason })?;
        }
        self.injector.instances.start_all().await?;
        let acts = tokio::time::timeout(ACTS_PATIENCE, self.act(result)).await;
        acts.map_err(|_| hangs("do what the schedule says in time"))?;
        self.end_faults(result).await?;
        self.settle(result).await?;
        if let Err(error) = self.injector.instances.end_all().await {
            result.violated("ends-in-order", in_words(&error));
        }
        Ok(())
    }

    /// Does what the schedule says, each act in a task of its own, and waits for all of them.
    async fn act(&self, result: &mut SeedResult) {
        let begin = tokio::time::Instant::now();
        let mut acting = JoinSet::new();
        for step in &self.schedule.steps {
            tokio::time::sleep_until(begin + Duration::from_millis(step.at_ms)).await;
            if let Act::Fault(fault) = &step.act {
                *result.injected.entry(fault.kind().to_owned()).or_default() += 1;
            } else {
                result.changes += 1;
            }
            let (injector, act) = (self.injector.clone(), step.act.clone());
            let refresh = self.command(&["resources", "refresh", "--wait"]);
            acting.spawn(async move {
                let done = match &act {
                    Act::Change { mailbox, what, draw } => injector
                        .world
                        .people
                        .change(*mailbox, *what, *draw)
                        .await
                        .map_err(TortureError::demo("change a calendar")),
                    Act::Resource { mailbox, back_after_ms } => {
                        injector.log.say(&format!("resource {mailbox} leaves the list"));
                        leave_and_come_back(&injector, *mailbox, *back_after_ms, refresh).await
                    }
                    Act::Fault(fault) => injector.inject(fault).await,
                };
                if let Err(error) = done {
                    injector.log.say(&format!("not done: {act:?}: {}", in_words(&error)));
                }
            });
        }
        while let Some(done) = acting.join_next().await {
            if let Err(error) = done {
                self.injector.log.say(&format!("an act ended badly: {error}"));
            }
        }
    }

    /// Ends what lasts, and brings everything back that is away.
    async fn end_faults(&self, result: &mut SeedResult) -> Result<(), TortureError> {
        let injector = self.injector;
        injector.world.end_rules().await?;
        injector.instances.disarm().await?;
        injector.instances.start_all().await?;
        for mailbox in self.schedule.lost_without_a_word() {
            injector.drop_streams_of(mailbox).await?;
        }
        injector.log.note(Noted::FaultsEnded);
        if self.schedule.steps.iter().any(|step| matches!(step.act, Act::Resource { .. })) {
            injector.world.list_all_but(None).await?;
            self.operate(&["resources", "refresh", "--wait"], result).await;
        }
        Ok(())
    }

    fn any(&self, is: impl Fn(&Fault) -> bool) -> bool {
        self.schedule.faults().any(is)
    }

    /// Waits until the state equals the rules' answer.
    async fn settle(&self, result: &mut SeedResult) -> Result<(), TortureError> {
        let told = |words: &str| self.injector.log.say(&format!("not yet in step: {words}"));
        let mut begin = tokio::time::Instant::now();
        if self.schedule.refuses_for_good() {
            // what nobody refused needs no remedy
            let away: BTreeSet<String> = self
                .schedule
                .leaving()
                .map(|number| crate::calendar::mailbox(number).to_lowercase())
                .collect();
            if let Err(difference) = self.observer.settled_but(&away, BOUND, told).await {
                result.difference = Some(format!("before the comparison: {}", difference.words));
                return Ok(());
            }
            begin = tokio::time::Instant::now();
            // the operator's remedy, which every night brings by itself
            self.operate(&["compare", "--all", "--wait"], result).await;
        }
        let left = || BOUND.saturating_sub(tokio::time::Instant::now().saturating_duration_since(begin));
        let mut settled = self.observer.settled(left(), told).await;
        if settled.is_ok() && self.any(|fault| matches!(fault, Fault::LateApplying { .. })) {
            tokio::time::sleep_until(begin + AFTER_LATE).await;
            settled = self.observer.settled(left(), told).await;
        }
        result.difference = settled.err().map(|difference| difference.words);
        Ok(())
    }

    /// A command of an operator, given anew while something is away.
    async fn operate(&self, arguments: &[&str], result: &mut SeedResult) {
        if let Err(reason) = give(self.command(arguments)).await {
            result.violated("operators-are-heard", format!("{}: {reason}", arguments.join(" ")));
        }
    }

    fn command(&self, arguments: &[&str]) -> Order {
        Order {
            program: self.setting.program.clone(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            configuration: self.injector.world.configuration.clone(),
            input: "",
        }
    }
}

/// A command of an operator.
#[derive(Debug, Clone)]
struct Order {
    program: PathBuf,
    arguments: Vec<String>,
    configuration: PathBuf,
    /// What it is told by its standard input.
    input: &'static str,
}

async fn give(order: Order) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..COMMAND_TRIES {
        let mut command = Command::new(&order.program);
        command
            .args(&order.arguments)
            .env("KOMMUNEKLIENT_CONFIG", &order.configuration)
            .env("KOMMUNEKLIENT_PACE", PACE.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let told = async {
            let mut child = command.spawn()?;
            if let Some(mut input) = child.stdin.take() {
                input.write_all(order.input.as_bytes()).await?;
            }
            child.wait_with_output().await
        };
        match tokio::time::timeout(COMMAND_PATIENCE, told).await {
            Ok(Ok(output)) if output.status.success() => return Ok(()),
            Ok(Ok(output)) => {
                last = format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("did not end within {COMMAND_PATIENCE:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(last)
}

async fn leave_and_come_back(
    injector: &Injector,
    mailbox: u32,
    back_after_ms: u64,
    refresh: Order,
) -> Result<(), TortureError> {
    let told = |outcome: Result<(), String>| {
        if let Err(reason) = outcome {
            injector.log.say(&format!("refresh: {reason}"));
        }
    };
    injector.world.list_all_but(Some(mailbox)).await?;
    let first = tokio::spawn(give(refresh.clone()));
    tokio::time::sleep(Duration::from_millis(back_after_ms)).await;
    injector.world.list_all_but(None).await?;
    if let Ok(outcome) = first.await {
        told(outcome);
    }
    told(give(refresh).await);
    Ok(())
}

fn environment(setting: &Setting) -> Vec<(String, String)> {
    let pace = ("KOMMUNEKLIENT_PACE".to_owned(), PACE.to_string());
    let broken = setting.broken_build.iter().map(|name| ("KOMMUNEKLIENT_BREAK".to_owned(), name.clone()));
    std::iter::once(pace).chain(broken).collect()
}

fn empty(schedule: &Schedule, setting: &Setting) -> SeedResult {
    SeedResult {
        seed: schedule.seed,
        outcome: Outcome::Broken,
        instances: setting.instances,
        broken_build: setting.broken_build.clone(),
        took_ms: 0,
        changes: 0,
        injected: BTreeMap::new(),
        armed_points: 0,
        crash_points: Vec::new(),
        escalations: Vec::new(),
        findings: super::contract::Findings::default(),
        difference: None,
        error: None,
        fault_log: Vec::new(),
        kept: None,
    }
}

/// Keeps the folder of a seed that is not green, with its fault log.
fn keep(folder: tempfile::TempDir, to: Option<&Path>, result: &SeedResult) -> Option<PathBuf> {
    let to = to?.join(format!("seed-{}", result.seed));
    let from = folder.path();
    let copied = std::fs::create_dir_all(&to).and_then(|()| {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        std::fs::write(to.join("faults.log"), result.fault_log.join("\n"))?;
        let text = serde_json::to_string_pretty(result)?;
        std::fs::write(to.join("result.json"), text)
    });
    copied.is_ok().then_some(to)
}

fn hangs(what: &'static str) -> TortureError {
    TortureError::Process { what, reason: format!("not within {ACTS_PATIENCE:?}") }
}

/// An error with all its sources.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    //! Goal: an instance that gives up fails its seed, but not where the database was harmed.
    use super::super::fault::Side;
    use super::super::schedule::Step;
    use super::*;

    #[test]
    fn giving_up_is_excused_by_the_database_alone() {
        let table = [
            (Fault::Killed { instance: 1, away_ms: 10 }, 1),
            (Fault::ConnectionsCut { of: Side::Exchange }, 1),
            (Fault::ConnectionsCut { of: Side::Database }, 0),
            (Fault::DatabaseRestarted { immediate: false, away_ms: 10 }, 0),
            (Fault::DatabaseRestarted { immediate: true, away_ms: 10 }, 0),
        ];
        for (fault, expected) in table {
            let mut schedule = Schedule::of(1, 3, MAILBOXES);
            schedule.steps = vec![Step { at_ms: 0, act: Act::Fault(fault.clone()) }];
            let found = gave_up(&schedule, &["instance 1: exit status: 1; why".to_owned()]);
            assert_eq!(found.len(), expected, "{fault:?}");
            assert!(found.iter().all(|one| one.invariant == GAVE_UP && one.words.ends_with("; why")));
            assert_eq!(gave_up(&schedule, &[]), []);
        }
    }
}
