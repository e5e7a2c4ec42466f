//! `kommuneklient run`: the service.
//!
//! Protocol: configuration → telemetry → the addresses of the listeners → the tree with them → the database (waited
//! for) → its schema → what needs the schema: the log of coded events, the gauges, the stages. SIGTERM or SIGINT ends the tree in order, then telemetry, then the embedded database.
//!
//! Failure: a configuration that cannot be used ends it before anything starts, with status 2 and the codes of the stages that
//! do not start ([`refused`]). A database that is away at start is waited for, with event 8901 and the pages saying so; so is a schema
//! that this process may not bring up to date (`database.migrate = false`, event 9310). The root's
//! giving up ends the process with status 1, and the orchestrator starts it anew.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::{Backoff, Clock, SharedClock, SystemClock};
use calendar::codes;
use store::StoreError;
use store::clock::DatabaseClock;
use store::instances::{AgreedShards, Registration};
use store::lease::LeaseBook;
use store::shares::Shares;
use store::wake::Wake;
use supervision::{Ended, Tree};
use tokio::signal::unix::{SignalKind, signal};

use crate::ServiceError;
use crate::accounts::{self, Opened};
use crate::admin::{self, AdminListener};
use crate::back_offs::Waits;
use crate::config::{Config, Required, Role};
use crate::database;
use crate::http;
use crate::readiness::Start;
use crate::wiring::{self, Shared, Sharing};

/// The longest pause between two attempts to reach the database.
const DATABASE_PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long taking leave of the other instances may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);
/// How often a schema that this process may not change is looked at.
const SCHEMA_LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs the service until a signal or an escalation ends it.
///
/// # Errors
/// A configuration that is not complete, telemetry or pages that cannot start, and an escalation of the root.
pub fn run(config: &Config) -> Result<(), ServiceError> {
    let required = config.for_run().inspect_err(|error| refused(config, error))?;
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("kommuneklient")
            .build()
            .unwrap_or_else(|error| unreachable_runtime(&error))
    });
    system.block_on(serve(config, &required))
}

/// actix's builder takes no error.
#[expect(clippy::panic, reason = "without threads nothing can be reported in any other way")]
fn unreachable_runtime(error: &std::io::Error) -> tokio::runtime::Runtime {
    panic!("the runtime cannot be started: {error}")
}

async fn serve(config: &Config, required: &Required) -> Result<(), ServiceError> {
    let options = telemetry::Options {
        registry: codes::REGISTRY,
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..config.telemetry_options()
    };
    let (telemetry, events) = telemetry::Telemetry::start(options).map_err(telemetry_failed)?;
    note_panics();
    for warning in config.warnings() {
        tracing::warn!(%warning, "configuration should be looked at");
    }
    if config.exchange.danger_accept_invalid_certificates {
        tracing::error!(
            event_id = codes::ANY_CERTIFICATE.id,
            "exchange.danger_accept_invalid_certificates is true: no certificate of exchange is verified"
        );
    }
    for (file, who) in config.secrets.exposed() {
        tracing::warn!(
            event_id = codes::SEALING_KEY_EXPOSED.id,
            file = %file.display(),
            who,
            "others than its owner can use the file of a sealing key"
        );
    }
    let outcome = match listeners(config) {
        Ok(admin) => with_database(config, required, events, admin).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &outcome {
        tell_not_started(config, error);
        tell_ended(error);
    }
    // a collector that is away is no fault of the service
    if let Err(error) = telemetry.shutdown().await {
        tracing::warn!(error = %telemetry::chain(&error), "the last spans did not reach their collector");
    }
    outcome
}

/// Tells, in the codes that monitoring knows (B13), that nothing starts because of the configuration. `config` is what could be
/// read of it: it says where log lines go and in which form, and where they cannot go there, standard error takes them.
pub fn refused(config: &Config, error: &ServiceError) {
    let alone = |options| telemetry::Options { registry: codes::REGISTRY, otlp_endpoint: None, ..options };
    let started = telemetry::Telemetry::start(alone(config.telemetry_options()))
        .or_else(|_unusable| telemetry::Telemetry::start(alone(telemetry::Options::default())));
    // without a log the caller still tells the error itself
    let Ok((_telemetry, _events)) = started else { return };
    tell_not_started(config, error);
    tell_ended(error);
}

fn tell_ended(error: &ServiceError) {
    tracing::error!(event_id = codes::SERVICE_ENDED.id, error = %telemetry::chain(error), "the service ends with an error");
}

/// Looks whether the listeners can be had, with their certificates, so that who starts this is told at once.
fn listeners(config: &Config) -> Result<Option<Arc<AdminListener>>, ServiceError> {
    http::try_address(http::SETTING, config.http.listen)?;
    let admin = admin::open(&config.http, SystemClock.now())?;
    if admin.is_some() {
        http::try_address(admin::SETTING, config.http.admin_listen)?;
    }
    Ok(admin.map(Arc::new))
}

/// Tells, in the codes that monitoring of the original knows, which stages did not start because of `error` (B13).
fn tell_not_started(config: &Config, error: &ServiceError) {
    let setup = match error {
        // they ran until then
        ServiceError::Escalated { .. } | ServiceError::Database { operation: database::STOP, .. } => return,
        ServiceError::Wiring { what: wiring::EXCHANGE, .. } => Some(codes::LISTENER_SETUP_FAILED),
        ServiceError::Wiring { what: wiring::PLANNER, .. } => Some(codes::COMMUNICATOR_SETUP_FAILED),
        _ => None,
    };
    let stages = [
        (Role::Listen, codes::LISTENER_CANNOT_START),
        (Role::Qualify, codes::QUALIFIER_CANNOT_START),
        (Role::Communicate, codes::COMMUNICATOR_CANNOT_START),
    ];
    let stages = stages.into_iter().filter(|(role, _)| config.node.has(*role)).map(|(_, code)| code);
    let cause = error.first_cause();
    for code in setup.into_iter().chain(stages) {
        tracing::error!(
            event_id = code.id,
            error = %cause,
            "a stage does not start: {}",
            code.meaning
        );
    }
}

async fn with_database(
    config: &Config,
    required: &Required,
    events: telemetry::EventReceiver,
    admin: Option<Arc<AdminListener>>,
) -> Result<(), ServiceError> {
    let opened = database::open(&config.database, &required.database, config.leases.ttl.get()).await?;
    let database_clock = DatabaseClock::new(SystemClock::shared());
    let clock: SharedClock = database_clock.clone();
    let instance = instance_name();
    let shared = Shared {
        store: opened.store.clone(),
        leases: LeaseBook::new(
            opened.store.clone(),
            clock.clone(),
            instance.clone(),
            config.leases.ttl.get(),
        ),
        clock: clock.clone(),
        runtime: tokio::runtime::Handle::current(),
        instance,
        tree: Arc::new(OnceLock::new()),
        start: Arc::new(Start::new(config.node.names())),
        usable: tokio::sync::watch::Sender::new(!config.node.reads_exchange()),
        admin,
        broken: tokio::sync::watch::Sender::new(None),
    };
    shared.leases.tell_time_to(&database_clock);
    let outcome = with_tree(config, required, &shared, events).await;
    opened.store.close();
    if let Some(embedded) = opened.embedded {
        let stopped = embedded.stop().await;
        stopped.map_err(|source| ServiceError::Database { operation: database::STOP, source })?;
    }
    outcome
}

async fn with_tree(
    config: &Config,
    required: &Required,
    shared: &Shared,
    events: telemetry::EventReceiver,
) -> Result<(), ServiceError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServiceError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServiceError::Runtime)?;
    let tree = Tree::start(wiring::root(config, shared), shared.clock.clone());
    if shared.tree.set(tree.clone()).is_err() {
        unreachable!("the tree is set once");
    }
    let staging = async {
        add_stages(config, required, shared, &tree, events).await?;
        std::future::pending::<Result<(), ServiceError>>().await
    };
    let noting = async {
        shared.start.note_when_ready(&tree).await;
        std::future::pending::<Result<(), ServiceError>>().await
    };
    let outcome = tokio::select! {
        staged = staging => staged,
        noted = noting => noted,
        ended = tree.ended() => match ended {
            Ended::Shutdown => Ok(()),
            Ended::Escalated { reason } => Err(ServiceError::Escalated { reason }),
        },
        reason = broken(shared) => Err(ServiceError::Escalated { reason }),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    shared.start.ending();
    tracing::info!("ending in order");
    tokio::join!(leave(shared), tree.shutdown());
    outcome
}

/// Waits until this process has to end although its tree stands; answers why.
async fn broken(shared: &Shared) -> String {
    let mut broken = shared.broken.subscribe();
    let reason = broken.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
    match reason {
        Some(reason) => reason,
        // only at the end of the process
        None => std::future::pending().await,
    }
}

/// The others reckon without this instance from the first lease on that it hands back.
async fn leave(shared: &Shared) {
    match tokio::time::timeout(LEAVE_PATIENCE, shared.leases.leave()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %telemetry::chain(&error), "the other instances do not know yet that this one ends");
        }
        Err(_) => {
            tracing::warn!("the other instances do not know yet that this one ends, the database is slow");
        }
    }
}

/// Enters this instance among those that are alive, and agrees with them.
async fn register(config: &Config, shared: &Shared) -> Result<AgreedShards, StoreError> {
    let wanted = u8::try_from(config.qualifier.shards).unwrap_or(u8::MAX);
    let agreed = shared
        .leases
        .register(Registration {
            roles: config.node.names().into_iter().map(str::to_owned).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            shards: wanted,
            takes_share: *shared.usable.borrow(),
            sends: config.node.has(Role::Communicate).then_some(!config.planner.dry_run),
        })
        .await?;
    if agreed.differs {
        tracing::warn!(
            event_id = codes::SHARDS_DIFFER.id,
            wanted,
            used = agreed.shards,
            "qualifier.shards differs from what the instances that run have agreed on; theirs is used. to change it, stop all instances that qualify, set the same number for all, and start them"
        );
    }
    Ok(agreed)
}

/// The pauses between attempts to reach the database.
fn database_pauses() -> Backoff {
    Backoff::doubling(Duration::from_millis(250), DATABASE_PAUSE_MAX)
}

/// Waits for the database, brings its schema up to date, and starts what needs it.
async fn add_stages(
    config: &Config,
    required: &Required,
    shared: &Shared,
    tree: &Tree,
    events: telemetry::EventReceiver,
) -> Result<(), ServiceError> {
    let backoff = database_pauses();
    let mut failures = 0;
    let mut told = Vec::new();
    let (opened, back_offs, agreed) = loop {
        match prepare(config, required, shared).await {
            Ok(Prepared::Done(opened, back_offs, agreed)) => break (opened, back_offs, agreed),
            Ok(Prepared::SchemaLacks(missing)) => {
                failures = 0;
                tell_schema_awaited(shared, &mut told, missing);
                tokio::time::sleep(SCHEMA_LOOK_EVERY).await;
            }
            Err(error @ StoreError::MigratorBusy { .. }) => {
                failures = 0;
                let why = telemetry::chain(&error).to_string();
                shared.start.waits_for(&why);
                // told once each time the lock was waited for in vain, which is every ten seconds
                tracing::warn!(event_id = codes::MIGRATION_AWAITED.id, error = %why, "the schema cannot be looked after now");
            }
            Err(error) if error.is_outage() => {
                failures += 1;
                let pause = backoff.delay_jittered(failures);
                tracing::error!(
                    event_id = codes::DATABASE_UNREACHABLE.id,
                    error = %telemetry::chain(&error),
                    pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    "the database is away, waiting for it"
                );
                tokio::time::sleep(pause).await;
            }
            Err(error) if config.database.migrate => {
                return Err(ServiceError::not_migrated("prepare the database")(error));
            }
            Err(source) => return Err(ServiceError::Database { operation: "prepare the database", source }),
        }
    };
    let opened = opened.refuse_if_none_opens().map_err(|unusable| ServiceError::Account {
        user: unusable.user,
        number: unusable.id.get(),
        source: Box::new(unusable.error),
    })?;
    let wake = if config.database.wake_ups { Wake::start(shared.store.clone()) } else { without_wake_ups() };
    shared.leases.wake_by(&wake);
    let shares = Shares::start(shared.store.clone(), shared.leases.clone(), &wake, agreed.shards);
    let sharing = Sharing { shares, shards: agreed.shards };
    let stages = wiring::stages(config, required, shared, &wake, &sharing, (opened, &back_offs))?;
    for stage in wiring::records(config, shared, events).into_iter().chain(stages) {
        let added = tree.root().add_child(stage).await;
        added.map_err(|source| ServiceError::Wiring {
            what: "a part of the service",
            source: Box::new(source),
        })?;
    }
    shared.start.staged();
    take_share(shared).await;
    Ok(())
}

/// What is slow on purpose is told, so that nobody looks for another reason.
fn without_wake_ups() -> Wake {
    tracing::warn!("database.wake_ups is false: changes wait for the next interval of each stage");
    Wake::never()
}

/// Takes this instance's share of the groups and shards as soon as Exchange lets it in.
async fn take_share(shared: &Shared) {
    if shared.usable.subscribe().wait_for(|usable| *usable).await.is_err() {
        return; // only at the end of the process
    }
    let backoff = database_pauses();
    let mut failures = 0;
    while let Err(error) = shared.leases.take_share().await {
        failures += 1;
        tracing::warn!(
            event_id = codes::DATABASE_UNREACHABLE.id,
            error = %telemetry::chain(&error),
            "this instance cannot say that it takes its share of the work, trying again"
        );
        tokio::time::sleep(backoff.delay_jittered(failures)).await;
    }
}

/// Says once what is waited for, and again when that changes.
fn tell_schema_awaited(shared: &Shared, told: &mut Vec<String>, missing: Vec<String>) {
    if *told == missing {
        return;
    }
    let names = missing.join(", ");
    shared.start.waits_for(&format!("the schema: lacks {names}; run kommuneklient migrate"));
    tracing::warn!(
        event_id = codes::SCHEMA_AWAITED.id,
        missing = names,
        "the schema lacks migrations and database.migrate is false, waiting until kommuneklient migrate was run"
    );
    *told = missing;
}

/// What [`prepare`] found.
enum Prepared {
    /// All is there.
    Done(Opened, Waits, AgreedShards),
    /// The schema is not up to date, and this process may not change that.
    SchemaLacks(Vec<String>),
}

/// Brings the schema up to date, where that is allowed, and reads the service accounts, with those that a former process
/// was told to wait with.
async fn prepare(config: &Config, required: &Required, shared: &Shared) -> Result<Prepared, StoreError> {
    if config.database.migrate {
        let applied = store::migrations::migrate(&shared.store).await?;
        base::crash::point("service.migrated");
        tracing::info!(applied = applied.join(","), "the schema is up to date");
    } else {
        let missing = store::migrations::missing(&shared.store).await?;
        if !missing.is_empty() {
            return Ok(Prepared::SchemaLacks(missing));
        }
    }
    let agreed = register(config, shared).await?;
    if !config.node.reads_exchange() {
        return Ok(Prepared::Done(Opened::default(), Waits::default(), agreed));
    }
    let opened = accounts::load(&shared.store, config.secrets.ring(), required.exchange.as_ref()).await?;
    Ok(Prepared::Done(opened, Waits::of(&shared.store).await?, agreed))
}

fn telemetry_failed(source: telemetry::TelemetryError) -> ServiceError {
    ServiceError::Telemetry(source.into())
}

/// A name of this process that no other start shares.
fn instance_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}/{}/{}", std::process::id(), uuid::Uuid::new_v4().simple())
}

/// A panic is noted with its place for the tree's exit reasons, and logged without its message, which may hold
/// anything.
fn note_panics() {
    std::panic::set_hook(Box::new(|info| {
        supervision::panics::note(info);
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(event_id = codes::PANICKED.id, place, "a part of the program panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: up to 10 s went by before a database that was back again was tried.
    #[test]
    fn the_database_is_tried_every_two_seconds_at_the_least() {
        let pauses = database_pauses();
        for failures in [1, 5, 1_000] {
            assert!(pauses.delay(failures, 0.0) <= Duration::from_secs(2), "after {failures} failures");
        }
    }
}
