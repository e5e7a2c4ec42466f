//! The tree of the service: configuration in, children out (house: the supervision tree).
//!
//! ```text
//! root ─┬─ http · leases · event-log · gauges · accounts
//!       ├─ qualifier ── qualifier/<shard> …
//!       ├─ communicator ─┬─ planner-batcher ── batches …
//!       │                ├─ resource-list
//!       │                └─ comparison
//!       └─ listener ── affinity-group/<id> ── mailbox-subscriber/<address> …
//! ```
//!
//! All but `http` and `leases` are added when the schema is up to date. Each restarts alone; what fails again and again gives up
//! to the root, and the root's giving up ends the process.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::{Backoff, SharedClock};
use calendar::{FreeBusy, Policy, Zones};
use connector_exchange::{Exchange, ExchangeOptions};
use connector_planner::{Planner, PlannerOptions};
use store::Store;
use store::accounts::BackOff;
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::wake::Wake;
use supervision::{ChildRef, ChildSpec, Intensity, Strategy, SupervisorSpec, Tree};
use telemetry::EventReceiver;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use crate::ServiceError;
use crate::account_keeper::{AccountBook, AccountKeeper};
use crate::accounts::Opened;
use crate::back_offs::{self, BackOffKeeper};
use crate::config::{Config, DailyTime, Required};
use crate::event_log::EventLog;
use crate::gauges::Gauges;
use crate::http::{Readiness, ReadinessSource, Sources};
use crate::lease_keeper::LeaseKeeper;
use crate::pages::HttpPages;

/// How often a part of the root may fail before the process ends: a stage that cannot be brought back within
/// minutes is for the orchestrator.
const ROOT_INTENSITY: Intensity = Intensity { max_restarts: 10, window: Duration::from_secs(300) };
/// The same for the communicator's parts.
const COMMUNICATOR_INTENSITY: Intensity = Intensity { max_restarts: 10, window: Duration::from_secs(60) };

/// What the parts share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) leases: LeaseBook,
    pub(crate) clock: SharedClock,
    pub(crate) runtime: Handle,
    pub(crate) instance: String,
    pub(crate) tree: Arc<OnceLock<Tree>>,
}

/// The root with everything that does not need the schema.
pub(crate) fn root(config: &Config, shared: &Shared) -> SupervisorSpec {
    let (book, runtime) = (shared.leases.clone(), shared.runtime.clone());
    let renew = config.leases.renew.get();
    let leases = ChildSpec::actor("leases", &ChildRef::new(), move |context| {
        LeaseKeeper::new(book.clone(), renew, runtime.clone(), context)
    })
    .progress_deadline(Duration::from_secs(60));
    let (listen, sources) = (config.http.listen, sources(shared));
    let http = ChildSpec::actor("http", &ChildRef::new(), move |context| {
        HttpPages::new(listen, sources.clone(), context)
    });
    SupervisorSpec::new("root", Strategy::OneForOne, ROOT_INTENSITY).child(http).child(leases)
}

/// What keeps records in the schema, or reads there how much waits. Started before the stages, so that the end of
/// these is recorded too.
pub(crate) fn records(config: &Config, shared: &Shared, events: EventReceiver) -> [ChildSpec; 2] {
    let events = Arc::new(Mutex::new(events));
    let (store, runtime, instance) = (shared.store.clone(), shared.runtime.clone(), shared.instance.clone());
    let event_log = ChildSpec::actor("event-log", &ChildRef::new(), move |context| {
        EventLog::new(store.clone(), Arc::clone(&events), instance.clone(), runtime.clone(), context)
    });
    let (store, clock) = (shared.store.clone(), shared.clock.clone());
    let (tree, runtime) = (Arc::clone(&shared.tree), shared.runtime.clone());
    let groups = config.listener.subscription_groups_per_credential;
    let gauges = ChildSpec::actor("gauges", &ChildRef::new(), move |context| {
        Gauges::new(store.clone(), clock.clone(), Arc::clone(&tree), runtime.clone(), groups, context)
    })
    .without_bearing_on_readiness();
    [event_log, gauges]
}

fn sources(shared: &Shared) -> Sources {
    let health = TreeHealth { tree: Arc::clone(&shared.tree) };
    Sources { readiness: Arc::new(health), metrics: telemetry::metrics().clone() }
}

/// What the pages say of the tree: it is ready once the stages are part of it and it is ready itself.
struct TreeHealth {
    tree: Arc<OnceLock<Tree>>,
}

impl ReadinessSource for TreeHealth {
    fn readiness(&self) -> Readiness {
        let Some(tree) = self.tree.get() else {
            return Readiness { ready: false, not_ready: vec!["root (waiting)".to_owned()], tree: None };
        };
        let status = tree.status();
        let staged = status.children.iter().any(|child| child.id.as_str() == "listener");
        let mut readiness = Readiness::from(status);
        if !staged {
            readiness.ready = false;
            readiness.not_ready.push("the database: waiting for it and its schema".to_owned());
        }
        readiness
    }

    fn stuck_for(&self) -> Duration {
        self.tree.get().map_or(Duration::ZERO, Tree::unresponsive_for)
    }
}

/// The service accounts, and the three stages, in the order in which they are started.
pub(crate) fn stages(
    config: &Config,
    required: &Required,
    shared: &Shared,
    wake: &Wake,
    opened: Opened,
    back_offs: &[BackOff],
) -> Result<[ChildSpec; 5], ServiceError> {
    let policy = policy(config);
    let source = Arc::new(exchange(config, &shared.clock)?);
    let book = Arc::new(AccountBook::new(
        shared.store.clone(),
        config.secrets.ring().cloned(),
        required.exchange.clone(),
        Arc::clone(&source),
        opened,
    ));
    back_offs::go_on(&source, back_offs);
    let keeper = back_off_keeper(shared, wake, &source);
    let qualifier = qualifier::supervisor(
        qualifier_options(config, policy)?,
        qualifier::Services {
            store: shared.store.clone(),
            leases: shared.leases.clone(),
            wake: wake.clone(),
            source: source.clone(),
            clock: shared.clock.clone(),
            runtime: shared.runtime.clone(),
        },
    )
    .map_err(|source| wired("the qualifier", source))?;
    let communicator = communicator(config, required, shared, wake)?;
    let listener = listener(config, shared, wake, source, &book);
    let accounts = accounts(config, shared, wake, book);
    Ok([accounts, keeper, ChildSpec::supervisor(qualifier), ChildSpec::supervisor(communicator), listener])
}

/// The keeper of the service accounts.
fn accounts(config: &Config, shared: &Shared, wake: &Wake, book: Arc<AccountBook>) -> ChildSpec {
    let every = config.listener.subscriber_update_time_interval.get();
    let (wake, runtime) = (wake.clone(), shared.runtime.clone());
    ChildSpec::actor("accounts", &ChildRef::new(), move |context| {
        AccountKeeper::new(Arc::clone(&book), wake.clone(), every, runtime.clone(), context)
    })
    .progress_deadline(Duration::from_secs(60))
}

/// The keeper of the accounts' back-offs.
fn back_off_keeper(shared: &Shared, wake: &Wake, source: &Arc<Exchange>) -> ChildSpec {
    let (source, store) = (Arc::clone(source), shared.store.clone());
    let (wake, runtime) = (wake.clone(), shared.runtime.clone());
    ChildSpec::actor("back-offs", &ChildRef::new(), move |context| {
        let (source, store) = (Arc::clone(&source), store.clone());
        BackOffKeeper::new(source, store, wake.clone(), runtime.clone(), context)
    })
    .progress_deadline(Duration::from_secs(60))
    .without_bearing_on_readiness()
}

fn wired(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> ServiceError {
    ServiceError::Wiring { what, source: Box::new(source) }
}

fn policy(config: &Config) -> Policy {
    let statuses = config.calendar.busy_statuses.iter().filter_map(|name| free_busy(name));
    Policy {
        zones: Zones::new(config.calendar.time_zone()),
        months: config.calendar.calendar_events_period_in_months,
        busy_statuses: statuses.collect(),
    }
}

/// A status by its name in Exchange; the configuration has checked the names.
fn free_busy(name: &str) -> Option<FreeBusy> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}

/// Exchange, without accounts yet: the keeper of the accounts tells it.
pub(crate) fn exchange(config: &Config, clock: &SharedClock) -> Result<Exchange, ServiceError> {
    let exchange = &config.exchange;
    let options = ExchangeOptions {
        account: None,
        service_url: exchange.service_url.clone(),
        autodiscover_url: exchange.autodiscover_url.clone(),
        autodiscover_memory: exchange.autodiscover_failure_memory.get(),
        use_impersonation: exchange.use_impersonation,
        server_version: exchange.server_version.clone(),
        tls: exchange.tls(),
        request_timeout: exchange.request_timeout.get(),
        stream_timeout_minutes: exchange.exchange_connection_timeout,
        simultaneous_calls: exchange.simultaneous_calls,
        ..ExchangeOptions::new(String::new(), String::new().into())
    };
    Exchange::new(options, clock.clone()).map_err(|source| wired("Exchange", source))
}

fn qualifier_options(config: &Config, policy: Policy) -> Result<qualifier::QualifierOptions, ServiceError> {
    let settings = &config.qualifier;
    // A full read makes one call at a time: so one call is always free for live changes.
    let full_reads = config.exchange.simultaneous_calls.saturating_sub(1).max(1);
    Ok(qualifier::QualifierOptions {
        shards: settings.shards.try_into().unwrap_or(u8::MAX),
        poll_interval: settings.notification_processing_interval.get(),
        simultaneous_full_reads: settings.simultaneous_calls_at_full_pull.min(full_reads),
        full_reads_at: DailyTime::schedule(&settings.full_appointment_pull_schedule)
            .map_err(|source| wired("the schedule of the full pull", source))?,
        guard: config.calendar.guard(),
        full_read_at_start: settings.make_full_calendar_pull_at_startup,
        coalesce: qualifier::Timing {
            quiet: settings.coalesce_quiet.get(),
            at_most: settings.coalesce_at_most.get(),
        },
        attempts: settings.notification_attempts,
        ..qualifier::QualifierOptions::new(policy)
    })
}

fn communicator(
    config: &Config,
    required: &Required,
    shared: &Shared,
    wake: &Wake,
) -> Result<SupervisorSpec, ServiceError> {
    let settings = &config.planner;
    let planner = Planner::new(
        PlannerOptions {
            service_url: required.planner.service_url.clone(),
            jobcenter_number: required.planner.jobcenter_number.clone(),
            request_user_identifier: required.planner.request_user_identifier.clone(),
            client_name: settings.client_name.clone(),
            connect_timeout: settings.call_timeout.get().min(Duration::from_secs(10)),
            answer_limit_bytes: settings.answer_limit_bytes,
            tls: settings.tls(),
            zone: config.calendar.time_zone(),
        },
        shared.clock.clone(),
    )
    .map_err(|source| wired("Planner", source))?;
    let book = CallBook::new(
        shared.store.clone(),
        CallLimits {
            simultaneous_calls: settings.simultaneous_calls.try_into().unwrap_or(u32::MAX),
            calls_per_minute: settings.sla_calls_per_minute,
            events_per_minute: settings.sla_events_per_minute,
        },
    );
    let retry = Backoff::doubling(settings.retry_initial.get(), settings.retry_cap.get());
    let call_timeout = settings.call_timeout.get();
    let batcher = planner_batcher::PlannerBatcher::supervisor(
        &planner_batcher::Deps {
            book: book.clone(),
            planner: planner.clone(),
            leases: shared.leases.clone(),
            wake: wake.clone(),
            runtime: shared.runtime.clone(),
            clock: shared.clock.clone(),
        },
        &planner_batcher::BatcherOptions {
            lease: "communicator/planner-batcher".into(),
            max_events_per_call: settings.max_calendar_event_updates_per_call,
            update_interval: settings.calendar_event_update_interval.get(),
            call_timeout,
            retry,
            attempts_max: settings.attempts_max,
            adopt_after_unknown_outcome: settings.adopt_after_unknown_outcome.get(),
            ..planner_batcher::BatcherOptions::default()
        },
        &ChildRef::new(),
    );
    let resource_list = resource_list::ResourceList::child(
        &resource_list::Deps {
            book: book.clone(),
            planner: planner.clone(),
            leases: shared.leases.clone(),
            wake: wake.clone(),
            runtime: shared.runtime.clone(),
            clock: shared.clock.clone(),
        },
        &resource_list::ResourceListOptions {
            update_at_startup: settings.update_resources_at_startup,
            schedule: DailyTime::schedule(&settings.resource_update_schedule)
                .map_err(|source| wired("the schedule of the resource list", source))?,
            zone: config.calendar.time_zone(),
            call_timeout,
            retry,
            ..resource_list::ResourceListOptions::default()
        },
        &ChildRef::new(),
    );
    let comparison = comparison::Comparison::child(
        &comparison::Deps {
            book,
            planner,
            leases: shared.leases.clone(),
            wake: wake.clone(),
            runtime: shared.runtime.clone(),
            clock: shared.clock.clone(),
        },
        &comparison::ComparisonOptions {
            max_fetches_per_call: settings.max_calendar_event_fetches_per_call,
            call_timeout,
            retry,
            compare_after_unknown_outcome: settings.adopt_after_unknown_outcome.get(),
            schedule: DailyTime::schedule(&settings.calendar_synchronization_schedule)
                .map_err(|source| wired("the schedule of the comparison", source))?,
            compare_at_start: settings.update_calendar_at_startup,
            guard: config.calendar.guard(),
            zone: config.calendar.time_zone(),
            months: config.calendar.calendar_events_period_in_months,
            ..comparison::ComparisonOptions::default()
        },
        &ChildRef::new(),
    );
    Ok(SupervisorSpec::new("communicator", Strategy::OneForOne, COMMUNICATOR_INTENSITY)
        .child(ChildSpec::supervisor(batcher))
        .child(resource_list)
        .child(comparison))
}

fn listener(
    config: &Config,
    shared: &Shared,
    wake: &Wake,
    source: Arc<Exchange>,
    accounts: &AccountBook,
) -> ChildSpec {
    let settings = &config.listener;
    let group = affinity_group::GroupOptions {
        stream_silence_limit: settings.stream_silence_limit.get(),
        folder_event_grace: settings.folder_event_grace.get(),
        folder_catch_up_interval: settings.folder_catch_up_interval.get(),
        ..affinity_group::GroupOptions::default()
    };
    let tools = mailbox_subscriber::Tools {
        source,
        store: shared.store.clone(),
        runtime: shared.runtime.clone(),
        clock: shared.clock.clone(),
        options: mailbox_subscriber::SubscriberOptions {
            catch_up_jitter: settings.catch_up_jitter.get(),
            locates_anew: !settings.deactivate_solving_of_group_affinity,
            park: Backoff::doubling(settings.mailbox_retry_initial.get(), settings.mailbox_retry_cap.get()),
            ..mailbox_subscriber::SubscriberOptions::default()
        },
        work: Arc::new(Semaphore::new(settings.catch_up_concurrency)),
    };
    let options = affinity_group::ListenerOptions {
        subscriber_update_time_interval: settings.subscriber_update_time_interval.get(),
        mailboxes_per_subscription_group: settings.mailboxes_per_subscription_group,
        subscription_groups_per_credential: settings.subscription_groups_per_credential,
        deactivate_solving_of_group_affinity: settings.deactivate_solving_of_group_affinity,
        locate_again: Backoff::doubling(settings.locate_retry_initial.get(), settings.locate_retry_cap.get()),
        group,
        ..affinity_group::ListenerOptions::default()
    };
    let tools = affinity_group::GroupTools {
        mailboxes: Arc::new(tools),
        leases: shared.leases.clone(),
        options: group,
    };
    affinity_group::listener_spec(&ChildRef::new(), tools, options, accounts.ids(), wake.clone())
}
