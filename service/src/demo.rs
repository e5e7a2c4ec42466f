//! `kommuneklient demo`: calendars being kept in step, on this machine alone.
//!
//! Protocol: start PostgreSQL, both simulators and the service, each in a process of its own; change calendars
//! over EWS at a steady rate, with faults if asked for; stop changing; wait at most 30 s until Planner holds
//! what the oracle says; ask Planner through its own GetEvents; report.
//!
//! Failure: the verdict is the report's `converged`. When something is not in step, or a child ends by itself,
//! the folder with all logs is kept and named.

pub mod changes;
pub mod driver;
pub mod error;
pub mod faults;
pub mod http;
pub mod listing;
pub mod measure;
pub mod oracle;
pub mod outlook;
pub mod planner_view;
pub mod progress;
pub mod report;
pub mod stage;
pub mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{SharedClock, SystemClock};
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use changes::Horizon;
use driver::{Change, Driver};
use error::DemoError;
use oracle::Differences;
use outlook::Outlook;
use progress::Progress;
use report::{Counts, Report};
use stage::Stage;

/// How long Planner may take to be in step after the last change.
const CONVERGENCE_PATIENCE: Duration = Duration::from_secs(30);
/// How long the service may take to be listening to everybody.
const READY_PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The months that are kept in step: the product's default.
const MONTHS: i32 = 3;
/// The product's default zone.
const ZONE: &str = "Europe/Copenhagen";

/// How the service account logs on to Exchange where everything goes over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Login {
    /// NTLM.
    Ntlm,
    /// OAuth 2.0, client credentials.
    Oauth,
}

impl Login {
    /// As the configuration and the simulator name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ntlm => "ntlm",
            Self::Oauth => "oauth",
        }
    }
}

/// How the demo is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Mailboxes.
    pub mailboxes: u32,
    /// Changes a second.
    pub changes_per_second: u32,
    /// For how long.
    pub seconds: u64,
    /// With faults?
    pub faults: bool,
    /// Over TLS, and how the service account logs on to Exchange then.
    pub secured: Option<Login>,
    /// A folder of `.ics` files to begin with.
    pub calendars: Option<PathBuf>,
    /// A folder for all SOAP messages.
    pub capture: Option<PathBuf>,
    /// Where traces go.
    pub otlp: Option<String>,
    /// Decides all random choices of the people.
    pub seed: u64,
}

/// Runs the demo and returns its report. SIGINT, SIGTERM and SIGHUP end it with everything that it started.
///
/// # Errors
/// [`DemoError`] when the run itself could not be done; a product that is not in step is no error but a report.
pub async fn run(settings: &Settings) -> Result<Report, DemoError> {
    let failed = |source| DemoError::File { path: "signal handlers".to_owned(), source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    // dropping the run ends its processes: they are killed with their handles
    tokio::select! {
        report = run_to_end(settings) => report,
        _ = terminate.recv() => Err(DemoError::Interrupted),
        _ = interrupt.recv() => Err(DemoError::Interrupted),
        _ = hang_up.recv() => Err(DemoError::Interrupted),
    }
}

async fn run_to_end(settings: &Settings) -> Result<Report, DemoError> {
    let clock = SystemClock::shared();
    let zone = TimeZone::get(ZONE)
        .map_err(|error| DemoError::Admin { path: ZONE.to_owned(), reason: error.to_string() })?;
    let progress = Progress::new(settings.seconds);
    progress.say("starting PostgreSQL, the simulated Exchange, the simulated Planner and the service");
    if let Some(login) = settings.secured {
        progress.say(&format!(
            "all over TLS: {} to Exchange; a client certificate and signed messages, both ways, to Planner",
            login.as_str()
        ));
    }
    if let Some(folder) = &settings.capture {
        for name in ["exchange", "planner"] {
            let path = folder.join(name);
            std::fs::create_dir_all(&path)
                .map_err(|source| DemoError::File { path: path.display().to_string(), source })?;
        }
    }
    let mut stage = Stage::start(settings, &clock, &zone).await?;
    let played = play(settings, &mut stage, &clock, &zone, &progress).await;
    progress.done();
    let keep = played.as_ref().map_or(true, |report| !report.converged);
    if let Some(folder) = stage.end(keep).await? {
        progress.say(&format!("logs, configuration and database are kept in {}", folder.display()));
    }
    played
}

async fn play(
    settings: &Settings,
    stage: &mut Stage,
    clock: &SharedClock,
    zone: &TimeZone,
    progress: &Progress,
) -> Result<Report, DemoError> {
    wait_until_ready(stage, settings.mailboxes, clock, progress).await?;
    let mailboxes: Vec<String> =
        (1..=settings.mailboxes).map(|number| format!("m{number:04}@{}", stage::DOMAIN)).collect();
    let outlook =
        Outlook::trusting(stage.exchange_url(), stage::USER, stage::PASSWORD, stage.exchange_roots())?;
    let horizon = Horizon::at(clock.now(), zone, MONTHS);
    let driver = Arc::new(Driver::new(outlook, clock.clone(), horizon, &mailboxes, settings.seed));
    let (changes, mut counts) = change_calendars(settings, stage, &driver, clock, progress).await?;
    let stopped = clock.monotonic();
    if settings.faults {
        counts.faults += stage.planner.meter().await?.faults_fired;
        faults::end(&stage.exchange, stage.planner.admin()).await?;
    }
    progress.say("no more changes; waiting for Planner to be in step");
    let (expected, in_step) = converge(stage, clock, zone, progress).await?;
    let convergence_ms = in_step.map(|at| at.saturating_duration_since(stopped).as_millis() as u64);
    // read before the demo's own calls reach the meter
    let meter = stage.planner.meter().await?;
    let applied = stage.planner.applied().await?;
    let there = stage.planner.get_events(&mailboxes).await?;
    let differences = oracle::compare(&expected, &there);
    show_differences(&differences, progress);
    for (kind, count) in meter.violations.iter().filter(|(_, count)| **count > 0) {
        progress.say(&format!("violation: {kind} {count} times"));
    }
    counts.planner_calls = meter.calls.values().sum();
    counts.violations = meter.violations_total;
    counts.stream_faults = listing::stream_faults(&stage.exchange).await?;
    counts.faults += listing::faults(&stage.exchange).await?;
    counts.actor_restarts += stage.metric("kommuneklient_actor_restarts").await as u64;
    let made = driver.made().load(Ordering::Relaxed);
    Ok(Report::new(
        (mailboxes.len(), made, expected.len()),
        &measure::latencies(&changes, &applied),
        &differences,
        &counts,
        convergence_ms,
        settings.seed,
    ))
}

/// Is the service ready, and has it taken over from Planner what it holds for every mailbox?
async fn in_step_with_all(stage: &Stage, mailboxes: u32) -> Result<(), String> {
    stage.service_ready().await?;
    let known = stage.metric("kommuneklient_resources").await;
    let waiting = stage.metric("kommuneklient_resources_not_adopted").await;
    if known >= f64::from(mailboxes) && waiting == 0.0 {
        return Ok(());
    }
    Err(format!("{known} of {mailboxes} mailboxes known, {waiting} to be adopted"))
}

async fn wait_until_ready(
    stage: &mut Stage,
    mailboxes: u32,
    clock: &SharedClock,
    progress: &Progress,
) -> Result<(), DemoError> {
    let give_up = clock.monotonic() + READY_PATIENCE;
    loop {
        let Err(last) = in_step_with_all(stage, mailboxes).await else {
            progress.say("the service listens to all mailboxes and has adopted what Planner holds");
            return Ok(());
        };
        if let Some(casualty) = stage.casualty() {
            return Err(DemoError::Child { name: "demo", what: format!("stands still: {casualty}") });
        }
        if clock.monotonic() > give_up {
            return Err(DemoError::Child { name: "service", what: format!("does not become ready: {last}") });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Changes calendars for the time that was asked for, with blows in between, and shows how it goes.
async fn change_calendars(
    settings: &Settings,
    stage: &mut Stage,
    driver: &Arc<Driver>,
    clock: &SharedClock,
    progress: &Progress,
) -> Result<(Vec<Change>, Counts), DemoError> {
    let mut counts = Counts::default();
    if settings.faults {
        faults::begin(&stage.exchange, stage.planner.admin()).await?;
    }
    let begin = clock.monotonic();
    let duration = Duration::from_secs(settings.seconds);
    let made = driver.made();
    // a task of its own: people do not wait while the service is started anew
    let (people, per_second) = (Arc::clone(driver), f64::from(settings.changes_per_second));
    let mut changing =
        AbortOnDropHandle::new(tokio::spawn(async move { people.run(per_second, duration).await }));
    let mut blows = faults::BLOWS.iter().filter(|_| settings.faults).peekable();
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            changes = &mut changing => {
                let changes = changes.map_err(|error| DemoError::Exchange { what: error.to_string(), source: None })?;
                return Ok((changes?, counts));
            }
            _ = looks.tick() => {}
        }
        let passed = clock.monotonic().saturating_duration_since(begin);
        while let Some((_, blow)) = blows.next_if(|(share, _)| passed >= duration.mul_f64(*share)) {
            progress.say(&format!("fault: {blow:?}"));
            counts.faults += 1;
            faults::strike(*blow, &stage.exchange).await?;
            if *blow == faults::Blow::KillService {
                counts.kills += 1;
                // its successor counts from nothing
                counts.actor_restarts += stage.metric("kommuneklient_actor_restarts").await as u64;
                stage.kill_service().await?;
            }
        }
        if let Some(casualty) = stage.casualty() {
            return Err(DemoError::Child { name: "demo", what: format!("stands still: {casualty}") });
        }
        let meter = stage.planner.meter().await?;
        let calls: u64 = meter.calls.values().sum();
        let text = format!(
            "{} changes, {calls} calls to Planner, {} violations",
            made.load(Ordering::Relaxed),
            meter.violations_total
        );
        progress.tick(passed.as_secs(), &text);
    }
}

/// Waits until Planner holds what the oracle says, or patience ends. Returns what the oracle says and when they
/// were equal.
async fn converge(
    stage: &mut Stage,
    clock: &SharedClock,
    zone: &TimeZone,
    progress: &Progress,
) -> Result<(std::collections::BTreeMap<oracle::Key, changes::Times>, Option<std::time::Instant>), DemoError>
{
    let begin = clock.monotonic();
    let mut said = begin;
    loop {
        let horizon = Horizon::at(clock.now(), zone, MONTHS);
        let expected = oracle::expected(&listing::listed(&stage.exchange, &horizon).await?, &horizon);
        let differences = oracle::compare(&expected, &stage.planner.listing().await?);
        let now = clock.monotonic();
        if differences.is_empty() {
            return Ok((expected, Some(now)));
        }
        if now.saturating_duration_since(begin) > CONVERGENCE_PATIENCE {
            return Ok((expected, None));
        }
        if now.saturating_duration_since(said) > Duration::from_secs(2) {
            said = now;
            progress.say(&format!(
                "missing {}, stale {}, extra {}",
                differences.missing.len(),
                differences.stale.len(),
                differences.extra.len()
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn show_differences(differences: &Differences, progress: &Progress) {
    let kinds =
        [("missing", &differences.missing), ("stale", &differences.stale), ("extra", &differences.extra)];
    for (kind, keys) in kinds {
        for (mail, origin) in keys.iter().take(10) {
            progress.say(&format!("{kind}: {mail} {origin}"));
        }
    }
}
