//! The world of one seed: its database, both simulators, the gates through which instances reach them, and the
//! configuration with all timings scaled down about 1:20.
//!
//! The simulators live in the driver's process, so that they survive every fault. Instances reach them through gates
//! that can be shut ("down") or cut; people, observer and driver go to them directly.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{SharedClock, SystemClock};
use jiff::tz::TimeZone;
use kommuneklient::demo::changes::Horizon;
use kommuneklient::demo::http::Admin;
use kommuneklient::demo::outlook::Outlook;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::contract::Limits;
use super::error::TortureError;
use super::fault::{CALL_TIMEOUT_MS, LEASE_MS, SILENCE_MS};
use super::people::People;
use super::schedule::{Emphasis, Schedule};
use crate::calendar::mailbox;
use crate::gate::{Behind, Gate};
use crate::scene::{PASSWORD, USER, ZONE, quote};

/// Mailboxes of a seed.
pub const MAILBOXES: u32 = 6;
/// Grouping values of a seed.
pub const GROUPS: u16 = 3;
/// Grouping values where accounts have few slots: one group each.
const GROUPS_OF_FEW_SLOTS: u16 = 4;
/// Service accounts then, and the groups that each may carry.
const ACCOUNTS_OF_FEW_SLOTS: (u32, usize) = (2, 2);
/// By how much times that are no settings are divided.
pub const PACE: u32 = 20;
/// `planner.simultaneous_calls`.
const SIMULTANEOUS_CALLS: usize = 2;
/// `planner.max_calendar_event_updates_per_call`.
const EVENTS_PER_CALL: usize = 5;
/// `calendar.calendar_events_period_in_months`.
pub const MONTHS: i32 = 3;
/// `listener.subscription_groups_per_credential`.
const GROUPS_PER_ACCOUNT: usize = 10;
const JOBCENTER: &str = "10100";
/// The pause of a gate that only cuts what leads through it.
const CUT: Duration = Duration::from_millis(20);

/// Everything of a seed but the instances and the database server.
#[derive(Debug)]
pub struct World {
    /// The simulated Exchange's admin side.
    pub exchange: Admin,
    /// The simulated Planner's admin side.
    pub planner: Admin,
    /// Between the instances and Exchange.
    pub exchange_gate: Mutex<Gate>,
    /// Between the instances and Planner.
    pub planner_gate: Mutex<Gate>,
    /// The calendars.
    pub people: People,
    /// The clock that is right.
    pub clock: SharedClock,
    /// The instances' configuration.
    pub configuration: PathBuf,
    /// What was agreed with Planner.
    pub limits: Limits,
    exchange_simulator: simulator_exchange::Simulator,
    planner_simulator: simulator_planner::Simulator,
}

impl World {
    /// Starts the simulators, writes the configuration to `folder`, and puts into Planner and calendars what is there
    /// before anything starts.
    ///
    /// # Errors
    /// [`TortureError`].
    pub async fn build(
        schedule: &Schedule,
        folder: &Path,
        database: &SecretString,
    ) -> Result<Self, TortureError> {
        let clock = SystemClock::shared();
        let zone = zone();
        let limits = limits(schedule);
        let exchange_simulator = exchange(schedule).await?;
        let planner_simulator = planner(schedule, &limits).await?;
        let exchange_gate = gate_before(exchange_simulator.url());
        let planner_gate = gate_before(&planner_simulator.url());
        let configuration = folder.join("kommuneklient.toml");
        let mut text = settings(schedule, database, &exchange_gate, &planner_gate, &planner_simulator);
        if schedule.emphasis == Emphasis::FewSlots {
            text.push_str(&sealing_key(folder)?);
        }
        std::fs::write(&configuration, text).map_err(TortureError::file(&configuration))?;
        let outlook = Outlook::new(exchange_simulator.url(), USER, PASSWORD)
            .map_err(TortureError::demo("make Outlook"))?;
        let horizon = Horizon::at(clock.now(), &zone, MONTHS);
        let people = People::new(MAILBOXES, schedule.seed, outlook, Arc::clone(&clock), horizon);
        let admin = |url: &str| Admin::new(url).map_err(TortureError::demo("make a client"));
        let this = Self {
            exchange: admin(exchange_simulator.url())?,
            planner: admin(&planner_simulator.url())?,
            exchange_gate: Mutex::new(exchange_gate),
            planner_gate: Mutex::new(planner_gate),
            people,
            clock,
            configuration,
            limits,
            exchange_simulator,
            planner_simulator,
        };
        this.furnish(schedule).await?;
        Ok(this)
    }

    /// Where the simulated Exchange listens, without a gate.
    pub fn exchange_url(&self) -> String {
        self.exchange_simulator.url().to_owned()
    }

    /// Where the simulated Planner listens, without a gate.
    pub fn planner_url(&self) -> String {
        self.planner_simulator.url()
    }

    /// The job centre that calls act for.
    pub const fn jobcenter(&self) -> &'static str {
        JOBCENTER
    }

    /// Cuts what leads through a gate, and lets new connections in.
    pub async fn cut(gate: &Mutex<Gate>) {
        let mut gate = gate.lock().await;
        gate.shut().await;
        tokio::time::sleep(CUT).await;
        gate.open();
    }

    /// Nothing leads through a gate for a while.
    pub async fn down(gate: &Mutex<Gate>, duration: Duration) {
        let mut gate = gate.lock().await;
        gate.shut().await;
        tokio::time::sleep(duration).await;
        gate.open();
    }

    /// Adds a rule to the simulated Exchange.
    ///
    /// # Errors
    /// [`TortureError::Demo`].
    pub async fn exchange_rule(&self, rule: Value) -> Result<(), TortureError> {
        self.exchange
            .post("/admin/faults", &rule)
            .await
            .map_err(TortureError::demo("add a fault to Exchange"))
    }

    /// Lets something happen at the simulated Exchange.
    ///
    /// # Errors
    /// [`TortureError::Demo`].
    pub async fn exchange_act(&self, act: Value) -> Result<(), TortureError> {
        self.exchange.post("/admin/acts", &act).await.map_err(TortureError::demo("act on Exchange"))
    }

    /// Adds a rule to the simulated Planner.
    ///
    /// # Errors
    /// [`TortureError::Demo`].
    pub async fn planner_rule(&self, rule: Value) -> Result<(), TortureError> {
        self.planner.post("/admin/faults", &rule).await.map_err(TortureError::demo("add a fault to Planner"))
    }

    /// Takes all rules back.
    ///
    /// # Errors
    /// [`TortureError::Demo`].
    pub async fn end_rules(&self) -> Result<(), TortureError> {
        let ended = TortureError::demo("end the faults of Exchange");
        self.exchange.delete("/admin/faults").await.map_err(ended)?;
        let ended = TortureError::demo("end the faults of Planner");
        self.planner.delete("/admin/faults").await.map_err(ended)
    }

    /// Planner lists everybody but this one.
    ///
    /// # Errors
    /// [`TortureError::Demo`].
    pub async fn list_all_but(&self, missing: Option<u32>) -> Result<(), TortureError> {
        let listed = (1..=MAILBOXES).filter(|number| Some(*number) != missing);
        let resources: Vec<Value> = listed.map(|number| json!({ "address": mailbox(number) })).collect();
        let set = self.planner.post("/admin/resources", &resources.into()).await;
        set.map_err(TortureError::demo("change the resource list"))
    }

    /// What is there before anything starts: calendars, and appointments in Planner that Exchange does not have.
    async fn furnish(&self, schedule: &Schedule) -> Result<(), TortureError> {
        for (number, what, draw) in &schedule.before {
            let made = self.people.change(*number, *what, *draw).await;
            made.map_err(TortureError::demo("fill the calendars"))?;
        }
        let noon = |days: i64| {
            let day = self.clock.now().to_zoned(zone()).date().saturating_add(jiff::Span::new().days(days));
            day.at(12, 0, 0, 0).to_zoned(zone()).map(|zoned| zoned.timestamp())
        };
        let mut planted = Vec::new();
        for number in &schedule.planted {
            let (start, end) = (noon(10 + i64::from(*number)), noon(11 + i64::from(*number)));
            let (Ok(start), Ok(end)) = (start, end) else { continue };
            planted.push(json!({
                "mail": mailbox(*number), "origin_id": format!("PLANTED-{number}"), "start": start, "end": end
            }));
        }
        let posted = self.planner.post("/admin/events", &planted.into()).await;
        posted.map_err(TortureError::demo("plant appointments in Planner"))?;
        self.exchange_gate.lock().await.open();
        self.planner_gate.lock().await.open();
        Ok(())
    }
}

/// The zone of everybody.
///
/// # Panics
/// When the machine knows no zones.
pub fn zone() -> TimeZone {
    TimeZone::get(ZONE).expect("a zone that exists")
}

fn limits(schedule: &Schedule) -> Limits {
    let number = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    Limits {
        simultaneous_calls: SIMULTANEOUS_CALLS,
        events_per_call: EVENTS_PER_CALL,
        calls_per_window: schedule.sla_calls.map(number),
        events_per_window: schedule.sla_events.map(number),
        window: Duration::from_secs(60) / PACE,
    }
}

/// The service accounts that are to be in the database, with their password; none: that of the configuration.
pub fn accounts(schedule: &Schedule) -> Vec<(String, &'static str)> {
    match schedule.emphasis {
        Emphasis::FewSlots => vec![(USER.to_owned(), PASSWORD), (format!("{USER}2"), PASSWORD)],
        _ => Vec::new(),
    }
}

/// A new key to seal their passwords under, and the section that names it.
fn sealing_key(folder: &Path) -> Result<String, TortureError> {
    let path = folder.join("sealing-key");
    let failed = |error: trust::TrustError| TortureError::Process {
        what: "make a key to seal passwords under",
        reason: error.to_string(),
    };
    trust::seal::SealingKey::generate().and_then(|key| key.write_new(&path)).map_err(failed)?;
    Ok(format!("[secrets]\nkey_file = {}\n", quote(&path.display().to_string())))
}

async fn exchange(schedule: &Schedule) -> Result<simulator_exchange::Simulator, TortureError> {
    let (groups, accounts, streams_per_account) = match schedule.emphasis {
        Emphasis::FewSlots => (GROUPS_OF_FEW_SLOTS, ACCOUNTS_OF_FEW_SLOTS.0, ACCOUNTS_OF_FEW_SLOTS.1),
        // one account carries all groups of all instances here
        _ => (GROUPS, 1, GROUPS_PER_ACCOUNT),
    };
    simulator_exchange::Simulator::start(simulator_exchange::Options {
        mailboxes: MAILBOXES,
        password: PASSWORD.into(),
        groups,
        accounts,
        stream_minute: Duration::from_secs(60) / PACE,
        heartbeat: Duration::from_millis(700),
        streams_per_account,
        seed: schedule.seed,
        ..simulator_exchange::Options::default()
    })
    .await
    .map_err(|error| TortureError::Simulator { which: "Exchange", source: Box::new(error) })
}

async fn planner(schedule: &Schedule, limits: &Limits) -> Result<simulator_planner::Simulator, TortureError> {
    let small = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    simulator_planner::Simulator::start(simulator_planner::Options {
        mailboxes: MAILBOXES,
        jobcenter: JOBCENTER.into(),
        allowed_items: small(limits.events_per_call),
        allowed_in_flight: small(limits.simultaneous_calls),
        allowed_calls_per_minute: schedule.sla_calls,
        allowed_events_per_minute: schedule.sla_events,
        minute: limits.window,
        seed: schedule.seed,
        ..simulator_planner::Options::default()
    })
    .await
    .map_err(|error| TortureError::Simulator { which: "Planner", source: Box::new(error) })
}

fn gate_before(url: &str) -> Gate {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    Gate::shut_before(Behind::Address(address.parse().expect("a simulator has an address and a port")))
}

/// The configuration. Values that are not scaled here are divided by [`PACE`] by the program itself (back-offs), or
/// do not matter within seconds (times of day).
fn settings(
    schedule: &Schedule,
    database: &SecretString,
    exchange: &Gate,
    planner: &Gate,
    simulator: &simulator_planner::Simulator,
) -> String {
    let url = simulator.url();
    let behind = url.trim_start_matches("http://").trim_end_matches('/');
    let service = simulator.endpoint().replace(behind, &planner.address().to_string());
    // few slots: one group for each grouping value, however mailboxes move
    let (groups, members) = match schedule.emphasis {
        Emphasis::FewSlots => (ACCOUNTS_OF_FEW_SLOTS.1, MAILBOXES),
        _ => (GROUPS_PER_ACCOUNT, 2),
    };
    let agreed =
        |key: &str, value: Option<u32>| value.map(|value| format!("{key} = {value}\n")).unwrap_or_default();
    format!(
        r#"[database]
url = {database}
pool_size = 8
[exchange]
autodiscover_url = "http://{exchange}/autodiscover/autodiscover.svc"
user = {user}
password = {password}
request_timeout = "2s"
autodiscover_failure_memory = "1s"
exchange_connection_timeout = 2
[listener]
subscriber_update_time_interval = "5s"
subscription_groups_per_credential = {groups}
mailboxes_per_subscription_group = {members}
stream_silence_limit = "{silence}ms"
catch_up_jitter = "100ms"
folder_event_grace = "100ms"
folder_catch_up_interval = "500ms"
[qualifier]
notification_processing_interval = "250ms"
coalesce_quiet = "60ms"
coalesce_at_most = "250ms"
shards = 4
[planner]
service_url = "{service}"
jobcenter_number = "{JOBCENTER}"
request_user_identifier = "CVR:12345678-UUID:00000000-0000-4000-8000-000000000000"
call_timeout = "{call}ms"
calendar_event_update_interval = "1s"
simultaneous_calls = {SIMULTANEOUS_CALLS}
max_calendar_event_updates_per_call = {EVENTS_PER_CALL}
adopt_after_unknown_outcome = "1s"
{calls}{events}[calendar]
mass_delete_guard_count = 1000
[leases]
ttl = "{lease}ms"
renew = "{renew}ms"
[telemetry]
log_format = "json"
[http]
listen = "127.0.0.1:0"
"#,
        database = quote(database.expose_secret()),
        exchange = exchange.address(),
        user = quote(USER),
        password = quote(PASSWORD),
        silence = SILENCE_MS,
        call = CALL_TIMEOUT_MS,
        calls = agreed("sla_calls_per_minute", schedule.sla_calls),
        events = agreed("sla_events_per_minute", schedule.sla_events),
        lease = LEASE_MS,
        renew = LEASE_MS * 3 / 10,
    )
}
