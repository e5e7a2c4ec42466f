//! The tree of the service: configuration in, children out (house: the supervision tree).
//!
//! ```text
//! root ─┬─ http · admin · leases · event-log · alerts · gauges
//!       ├─ accounts · back-offs · logon                                     where a role reads Exchange
//!       ├─ qualifier ── qualifier/<shard> …
//!       ├─ communicator ─┬─ planner-batcher ── batches …
//!       │                ├─ resource-list
//!       │                ├─ comparison
//!       │                └─ certificates
//!       └─ listener ── affinity-group/<id> ── mailbox-subscriber/<address> …
//! ```
//!
//! All but `http`, `admin` (where there are admin calls) and `leases` are added when the schema is up to date, the stages by `node.roles`. Each restarts alone; what fails again and again gives up
//! to the root, and the root's giving up ends the process.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::{Backoff, SharedClock};
use calendar::{FreeBusy, Policy, Zones};
use connector_exchange::{Exchange, ExchangeOptions};
use connector_planner::{Planner, PlannerOptions};
use store::Store;
use store::calls::{CallBook, CallLimits};
use store::lease::LeaseBook;
use store::shares::Shares;
use store::wake::Wake;
use supervision::{ChildRef, ChildSpec, Intensity, Restart, Strategy, SupervisorSpec, Tree};
use telemetry::EventReceiver;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use crate::ServiceError;
use crate::account_keeper::{AccountBook, AccountKeeper};
use crate::accounts::Opened;
use crate::acts::Allowed;
use crate::admin::{Access, AdminCalls, AdminListener};
use crate::alert_keeper::AlertKeeper;
use crate::back_offs::{self, BackOffKeeper, Waits};
use crate::certificate_keeper::{self, CertificateKeeper};
use crate::config::{Config, DailyTime, Required, RequiredPlanner, Role};
use crate::event_log::EventLog;
use crate::gauges::Gauges;
use crate::housekeeper::{self, Housekeeper};
use crate::http::Sources;
use crate::lease_keeper::{self, LeaseKeeper};
use crate::logon::{self, Logon};
use crate::pages::{HttpPages, Served};
use crate::pool_watch;
use crate::readiness::{Start, TreeHealth};

/// What could not be wired: the clients of the two services.
pub(crate) const EXCHANGE: &str = "Exchange";
pub(crate) const PLANNER: &str = "Planner";

/// How often a part of the root may fail before the process ends: a stage that cannot be brought back within
/// minutes is for the orchestrator.
const ROOT_INTENSITY: Intensity = Intensity { max_restarts: 8, window: Duration::from_secs(300) };
/// The same for the communicator's parts.
const COMMUNICATOR_INTENSITY: Intensity = Intensity { max_restarts: 6, window: Duration::from_secs(60) };
/// The first and the longest pause before one of them is restarted. Short enough that failures of one part, through all
/// levels, fit into the windows: a part that always fails ends the process instead of being restarted for ever
/// (recounted by a test).
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the parts share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) leases: LeaseBook,
    pub(crate) clock: SharedClock,
    pub(crate) runtime: Handle,
    pub(crate) instance: String,
    pub(crate) tree: Arc<OnceLock<Tree>>,
    pub(crate) start: Arc<Start>,
    /// Can this process do its work, as far as Exchange lets it in? Until then it takes no share of groups and shards.
    pub(crate) usable: tokio::sync::watch::Sender<bool>,
    /// The listener of the admin calls, where there are any.
    pub(crate) admin: Option<Arc<AdminListener>>,
    /// Why this process has to end although its tree stands.
    pub(crate) broken: tokio::sync::watch::Sender<Option<String>>,
}

/// How the work is shared with other instances.
pub(crate) struct Sharing {
    /// What this instance is to own.
    pub(crate) shares: Shares,
    /// Into how many shards all qualifiers cut the mailboxes.
    pub(crate) shards: u8,
}

/// The root with everything that does not need the schema.
pub(crate) fn root(config: &Config, shared: &Shared) -> SupervisorSpec {
    let tools = lease_keeper::Tools {
        book: shared.leases.clone(),
        store: shared.store.clone(),
        clock: shared.clock.clone(),
        runtime: shared.runtime.clone(),
        broken: shared.broken.clone(),
        pool_patience: base::pace::scaled(pool_watch::PATIENCE),
    };
    let renew = config.leases.renew.get();
    let leases =
        ChildSpec::actor("leases", &ChildRef::new(), move |context| LeaseKeeper::new(&tools, renew, context))
            .progress_deadline(Duration::from_secs(60));
    let pages = Served::Pages(config.http.listen, sources(shared));
    let root = SupervisorSpec::new("root", Strategy::OneForOne, ROOT_INTENSITY)
        .backoff(Backoff::doubling(PAUSES.0, PAUSES.1))
        .child(listener_of("http", pages));
    let root = match admin(config, shared) {
        Some(admin) => root.child(listener_of("admin", admin).without_bearing_on_readiness()),
        None => root,
    };
    root.child(leases)
}

/// A child that keeps a listener open.
fn listener_of(name: &'static str, what: Served) -> ChildSpec {
    ChildSpec::actor(name, &ChildRef::new(), move |context| HttpPages::new(what.clone(), context))
}

/// What keeps records in the schema, or reads there how much waits. Started before the stages, so that the end of
/// these is recorded too.
pub(crate) fn records(config: &Config, shared: &Shared, events: EventReceiver) -> [ChildSpec; 4] {
    let alerts = alerts(shared, events.alerts());
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
    [event_log, alerts, gauges, housekeeping(config, shared)]
}

/// Who removes what is old enough.
fn housekeeping(config: &Config, shared: &Shared) -> ChildSpec {
    let tools = housekeeper::Tools {
        store: shared.store.clone(),
        leases: shared.leases.clone(),
        clock: shared.clock.clone(),
        runtime: shared.runtime.clone(),
        retention: config.retention_days.clone(),
    };
    ChildSpec::actor("housekeeping", &ChildRef::new(), move |context| {
        Housekeeper::new(tools.clone(), context)
    })
    .without_bearing_on_readiness()
}

/// The admin calls, where somebody may make them.
fn admin(config: &Config, shared: &Shared) -> Option<Served> {
    let listener = Arc::clone(shared.admin.as_ref()?);
    let mut access = Access::default();
    if let Some(token) = &config.http.admin_token {
        access = access.token(token);
    }
    if config.http.admin_client_authorities.is_some() {
        access = access.certificates(config.http.admin_pins());
    }
    let allowed = Allowed {
        rediscovery: !config.listener.deactivate_solving_of_group_affinity,
        sending: !config.planner.dry_run,
    };
    let (store, runtime, clock) = (shared.store.clone(), shared.runtime.clone(), shared.clock.clone());
    let calls = AdminCalls::new(store, runtime, clock.clone(), access, allowed);
    Some(Served::Admin(listener, calls, clock))
}

/// The keeper of the alerts that come of events.
fn alerts(shared: &Shared, alerts: telemetry::Alerts) -> ChildSpec {
    let (store, runtime, instance) = (shared.store.clone(), shared.runtime.clone(), shared.instance.clone());
    let clock = shared.clock.clone();
    ChildSpec::actor("alerts", &ChildRef::new(), move |context| {
        let (store, instance, clock) = (store.clone(), instance.clone(), clock.clone());
        AlertKeeper::new(alerts.clone(), store, instance, clock, runtime.clone(), context)
    })
    .without_bearing_on_readiness()
}

fn sources(shared: &Shared) -> Sources {
    let health = TreeHealth::new(Arc::clone(&shared.tree), Arc::clone(&shared.start));
    Sources { readiness: Arc::new(health), metrics: telemetry::metrics().clone() }
}

/// What the process's roles need, in the order in which they are started: the service accounts, then the stages.
pub(crate) fn stages(
    config: &Config,
    required: &Required,
    shared: &Shared,
    wake: &Wake,
    sharing: &Sharing,
    (opened, waits): (Opened, &Waits),
) -> Result<Vec<ChildSpec>, ServiceError> {
    let exchange = config.node.reads_exchange().then(|| exchange(config, &shared.clock)).transpose()?;
    let exchange = exchange.map(Arc::new);
    let mut stages = Vec::new();
    let mut listener_spec = None;
    if let Some(source) = &exchange {
        let book = Arc::new(AccountBook::new(
            shared.store.clone(),
            config.secrets.ring().cloned(),
            required.exchange.clone(),
            Arc::clone(source),
            opened,
        ));
        back_offs::go_on(source, waits);
        if config.node.has(Role::Listen) {
            listener_spec = Some(listener(config, shared, wake, sharing, Arc::clone(source), &book));
        }
        stages.push(back_off_keeper(shared, wake, source));
        stages.push(logon(shared, wake, source, &book));
        stages.insert(0, accounts(config, shared, wake, book));
        if config.node.has(Role::Qualify) {
            stages.push(qualifier(config, shared, wake, sharing, source)?);
        }
    }
    if let Some(planner) = &required.planner {
        stages.push(ChildSpec::supervisor(communicator(config, planner, shared, wake)?));
    }
    stages.extend(listener_spec);
    Ok(stages)
}

/// The stage that decides.
fn qualifier(
    config: &Config,
    shared: &Shared,
    wake: &Wake,
    sharing: &Sharing,
    source: &Arc<Exchange>,
) -> Result<ChildSpec, ServiceError> {
    let spec = qualifier::supervisor(
        qualifier_options(config, sharing.shards, policy(config))?,
        qualifier::Services {
            store: shared.store.clone(),
            leases: shared.leases.clone(),
            shares: sharing.shares.clone(),
            wake: wake.clone(),
            source: Arc::clone(source) as _,
            clock: shared.clock.clone(),
            runtime: shared.runtime.clone(),
        },
    );
    Ok(ChildSpec::supervisor(spec.map_err(|source| wired("the qualifier", source))?))
}

/// The first try of the service accounts.
fn logon(shared: &Shared, wake: &Wake, source: &Arc<Exchange>, book: &AccountBook) -> ChildSpec {
    let deps = logon::Deps {
        source: Arc::clone(source),
        store: shared.store.clone(),
        wake: wake.clone(),
        accounts: book.ids(),
        usable: shared.usable.clone(),
        runtime: shared.runtime.clone(),
    };
    ChildSpec::actor("logon", &ChildRef::new(), move |context| Logon::new(deps.clone(), context))
        .restart(Restart::Transient)
        .reports_readiness()
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
        authentication: exchange.authentication(),
        danger_accept_invalid_certificates: exchange.danger_accept_invalid_certificates,
        request_timeout: exchange.request_timeout.get(),
        stream_timeout_minutes: exchange.exchange_connection_timeout,
        simultaneous_calls: exchange.simultaneous_calls,
        ..ExchangeOptions::new(String::new(), String::new().into())
    };
    Exchange::new(options, clock.clone()).map_err(|source| wired(EXCHANGE, source))
}

fn qualifier_options(
    config: &Config,
    shards: u8,
    policy: Policy,
) -> Result<qualifier::QualifierOptions, ServiceError> {
    let settings = &config.qualifier;
    // A full read makes one call at a time: so one call is always free for live changes.
    let full_reads = config.exchange.simultaneous_calls.saturating_sub(1).max(1);
    Ok(qualifier::QualifierOptions {
        shards,
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
    required: &RequiredPlanner,
    shared: &Shared,
    wake: &Wake,
) -> Result<SupervisorSpec, ServiceError> {
    let settings = &config.planner;
    let planner = Planner::new(
        PlannerOptions {
            service_url: required.service_url.clone(),
            jobcenter_number: required.jobcenter_number.clone(),
            request_user_identifier: required.request_user_identifier.clone(),
            client_name: settings.client_name.clone(),
            connect_timeout: settings.call_timeout.get().min(Duration::from_secs(10)),
            answer_limit_bytes: settings.answer_limit_bytes,
            tls: settings.tls(),
            security: settings.message_security(),
            zone: config.calendar.time_zone(),
        },
        shared.clock.clone(),
    )
    .map_err(|source| wired(PLANNER, source))?;
    let book = CallBook::new(
        shared.store.clone(),
        CallLimits {
            simultaneous_calls: settings.simultaneous_calls.try_into().unwrap_or(u32::MAX),
            calls_per_minute: settings.sla_calls_per_minute,
            events_per_minute: settings.sla_events_per_minute,
        },
    );
    let certificates = certificates(settings.certificate_check_interval.get(), &planner, shared);
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
            lease: store::shares::SENDER_LEASE.into(),
            max_events_per_call: settings.max_calendar_event_updates_per_call,
            update_interval: settings.calendar_event_update_interval.get(),
            call_timeout,
            retry,
            attempts_max: settings.attempts_max,
            adopt_after_unknown_outcome: settings.compare_after_unknown_outcome.get(),
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
            compare_after_unknown_outcome: settings.compare_after_unknown_outcome.get(),
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
    let communicator = SupervisorSpec::new("communicator", Strategy::OneForOne, COMMUNICATOR_INTENSITY)
        .backoff(Backoff::doubling(PAUSES.0, PAUSES.1));
    // a rehearsal decides, adopts and compares, and nobody sends
    let communicator =
        if settings.dry_run { communicator } else { communicator.child(ChildSpec::supervisor(batcher)) };
    Ok(communicator.child(resource_list).child(comparison).child(certificates))
}

/// The keeper of the certificates towards Planner.
fn certificates(every: Duration, planner: &Planner, shared: &Shared) -> ChildSpec {
    let tools = certificate_keeper::Tools {
        planner: planner.clone(),
        every,
        clock: shared.clock.clone(),
        runtime: shared.runtime.clone(),
    };
    ChildSpec::actor("certificates", &ChildRef::new(), move |context| {
        CertificateKeeper::new(tools.clone(), context)
    })
    .without_bearing_on_readiness()
}

fn listener(
    config: &Config,
    shared: &Shared,
    wake: &Wake,
    sharing: &Sharing,
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
    let shares = sharing.shares.clone();
    affinity_group::listener_spec(&ChildRef::new(), tools, options, accounts.ids(), wake.clone(), shares)
}

#[cfg(test)]
mod tests;
