//! `kommuneklient run`: the service.
//!
//! Protocol: configuration → telemetry → the address of the pages → the tree with them → the database (waited
//! for) → its schema → what needs the schema: the log of coded events, the gauges, the stages. SIGTERM or SIGINT ends the tree in order, then telemetry, then the embedded database.
//!
//! Failure: a database that is away at start is waited for, with event 8901 and the pages saying so. The root's
//! giving up ends the process with status 1, and the orchestrator starts it anew.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::{Backoff, SystemClock};
use calendar::codes;
use store::accounts::BackOff;
use store::lease::LeaseBook;
use store::wake::Wake;
use supervision::{Ended, Tree};
use tokio::signal::unix::{SignalKind, signal};

use crate::ServiceError;
use crate::accounts::{self, Opened};
use crate::config::{Config, Required};
use crate::database;
use crate::wiring::{self, Shared};

/// The longest pause between two attempts to reach the database.
const DATABASE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Runs the service until a signal or an escalation ends it.
///
/// # Errors
/// A configuration that is not complete, telemetry or pages that cannot start, and an escalation of the root.
pub fn run(config: &Config) -> Result<(), ServiceError> {
    let required = config.for_run()?;
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
        ..config.telemetry.options()
    };
    let (telemetry, events) = telemetry::Telemetry::start(options).map_err(telemetry_failed)?;
    note_panics();
    for warning in config.warnings() {
        tracing::warn!(%warning, "configuration should be looked at");
    }
    for (file, who) in config.secrets.exposed() {
        tracing::warn!(
            event_id = codes::SEALING_KEY_EXPOSED.id,
            file = %file.display(),
            who,
            "others than its owner can use the file of a sealing key"
        );
    }
    let outcome = match crate::http::try_address(config.http.listen) {
        Ok(()) => with_database(config, required, events).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &outcome {
        tracing::error!(event_id = codes::SERVICE_ENDED.id, error = %telemetry::chain(error), "the service ends with an error");
    }
    // a collector that is away is no fault of the service
    if let Err(error) = telemetry.shutdown().await {
        tracing::warn!(error = %telemetry::chain(&error), "the last spans did not reach their collector");
    }
    outcome
}

async fn with_database(
    config: &Config,
    required: &Required,
    events: telemetry::EventReceiver,
) -> Result<(), ServiceError> {
    let opened = database::open(&config.database, &required.database).await?;
    let clock = SystemClock::shared();
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
    };
    let outcome = with_tree(config, required, &shared, events).await;
    opened.store.close();
    if let Some(embedded) = opened.embedded {
        let stopped = embedded.stop().await;
        stopped
            .map_err(|source| ServiceError::Database { operation: "stop the embedded database", source })?;
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
    let outcome = tokio::select! {
        staged = staging => staged,
        ended = tree.ended() => match ended {
            Ended::Shutdown => Ok(()),
            Ended::Escalated { reason } => Err(ServiceError::Escalated { reason }),
        },
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    tracing::info!("ending in order");
    tree.shutdown().await;
    outcome
}

/// Waits for the database, brings its schema up to date, and starts what needs it.
async fn add_stages(
    config: &Config,
    required: &Required,
    shared: &Shared,
    tree: &Tree,
    events: telemetry::EventReceiver,
) -> Result<(), ServiceError> {
    let backoff = Backoff::doubling(Duration::from_millis(250), DATABASE_PAUSE_MAX);
    let mut failures = 0;
    let (opened, back_offs) = loop {
        match prepare(config, required, shared).await {
            Ok(prepared) => break prepared,
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
            Err(source) => return Err(ServiceError::Database { operation: "prepare the database", source }),
        }
    };
    let opened = opened.refuse_if_none_opens().map_err(|unusable| ServiceError::Account {
        user: unusable.user,
        number: unusable.id.get(),
        source: Box::new(unusable.error),
    })?;
    let wake = Wake::start(shared.store.clone());
    let stages = wiring::stages(config, required, shared, &wake, opened, &back_offs)?;
    for stage in wiring::records(config, shared, events).into_iter().chain(stages) {
        let added = tree.root().add_child(stage).await;
        added.map_err(|source| ServiceError::Wiring {
            what: "a part of the service",
            source: Box::new(source),
        })?;
    }
    Ok(())
}

/// Brings the schema up to date and reads the service accounts, with those that a former process was told to wait
/// with.
async fn prepare(
    config: &Config,
    required: &Required,
    shared: &Shared,
) -> Result<(Opened, Vec<BackOff>), store::StoreError> {
    let applied = store::migrations::migrate(&shared.store).await?;
    tracing::info!(applied = applied.join(","), "the schema is up to date");
    let opened = accounts::load(&shared.store, config.secrets.ring(), required.exchange.as_ref()).await?;
    Ok((opened, shared.store.back_offs().await?))
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
