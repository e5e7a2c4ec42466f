//! How the simulator is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use base::{SharedClock, SystemClock};
use jiff::tz::TimeZone;
use proto_planner::{TimeForm, WireTime};

use crate::SimulatorError;
use crate::meter::{Allowed, WINDOW};

/// The options of `simulate planner`.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value_t = Options::LISTEN)]
    pub listen: SocketAddr,
    /// Number of the job centre that calls must act for
    #[arg(long, value_name = "NUMBER", default_value = Options::JOBCENTER)]
    pub jobcenter: String,
    /// How many resources there are: m0001@DOMAIN and so on, every tenth of them a room
    #[arg(long, value_name = "N", default_value_t = Options::MAILBOXES)]
    pub mailboxes: u32,
    /// Mail domain of the resources
    #[arg(long, default_value = Options::DOMAIN)]
    pub domain: String,
    /// Appointments allowed in one call; more is a violation
    #[arg(long, value_name = "N", default_value_t = Options::ITEMS_PER_CALL)]
    pub allowed_items: u32,
    /// Calls allowed in flight at one time; more is a violation
    #[arg(long, value_name = "N", default_value_t = Options::CALLS_IN_FLIGHT)]
    pub allowed_in_flight: u32,
    /// Calls allowed in any 60 seconds [default: any number]
    #[arg(long, value_name = "N")]
    pub allowed_calls_per_minute: Option<u32>,
    /// Appointments allowed in the changes of any 60 seconds [default: any number]
    #[arg(long, value_name = "N")]
    pub allowed_events_per_minute: Option<u32>,
    /// How long every call takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub answer_delay_ms: u64,
    /// Answer GetEvents with every row twice
    #[arg(long)]
    pub duplicate_events: bool,
    /// Time zone of times without offset
    #[arg(long, value_name = "ZONE", default_value = Options::ZONE)]
    pub zone: String,
    /// How times are written in answers
    #[arg(long, value_enum, default_value_t = TimeFormOption::Offset)]
    pub time_form: TimeFormOption,
    /// A fault rule as JSON, for example {"kind":{"refuse":{"code":15}},"probability":0.05}; may be repeated
    #[arg(long = "fault", value_name = "JSON")]
    pub faults: Vec<String>,
    /// Seed of all chance
    #[arg(long, value_name = "N", default_value_t = Options::SEED)]
    pub seed: u64,
    /// Folder that takes every message, one envelope a file
    #[arg(long, value_name = "DIR")]
    pub capture: Option<PathBuf>,
    /// How many entries the log of changes keeps
    #[arg(long, value_name = "N", default_value_t = Options::LOG_ENTRIES)]
    pub log_entries: usize,
    /// Serve over TLS and demand a certificate of clients; DIR takes the files of a test authority made at the start
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// Demand signed requests (WS-Security) and sign answers; needs --tls
    #[arg(long, requires = "tls")]
    pub signed: bool,
    /// How long a minute of the two limits is: less where all timings are scaled down.
    #[arg(skip = WINDOW)]
    pub minute: Duration,
    /// Tells the time.
    #[arg(skip = SystemClock::shared())]
    pub clock: SharedClock,
}

/// How times are written in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeFormOption {
    /// With the zone's offset
    Offset,
    /// As UTC
    Utc,
    /// Without offset
    Bare,
}

impl Options {
    const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    const JOBCENTER: &str = "10100";
    const MAILBOXES: u32 = 50;
    const DOMAIN: &str = "sim.test";
    const ITEMS_PER_CALL: u32 = 20;
    const CALLS_IN_FLIGHT: u32 = 10;
    const ZONE: &str = "Europe/Copenhagen";
    const SEED: u64 = 1;
    const LOG_ENTRIES: usize = 1_000_000;
    /// The most resources that can be made by number.
    const MAILBOXES_MAX: u32 = 1_000_000;
    /// Every so many-th resource is a room.
    const ROOM_EVERY: u32 = 10;

    /// The addresses of the resources and whether each is a case worker (else a room).
    pub(crate) fn resources(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        (1..=self.mailboxes)
            .map(|number| (format!("m{number:04}@{}", self.domain), number % Self::ROOM_EVERY != 0))
    }

    /// The zone and form of times on the wire.
    pub(crate) fn wire_time(&self) -> Result<WireTime, SimulatorError> {
        let zone = TimeZone::get(&self.zone)
            .map_err(|error| SimulatorError::Option { option: "zone", reason: error.to_string() })?;
        let form = match self.time_form {
            TimeFormOption::Offset => TimeForm::Offset,
            TimeFormOption::Utc => TimeForm::Utc,
            TimeFormOption::Bare => TimeForm::Bare,
        };
        Ok(WireTime { zone, form })
    }

    pub(crate) fn allowed(&self) -> Allowed {
        let number = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        Allowed {
            items_per_call: number(self.allowed_items),
            calls_in_flight: number(self.allowed_in_flight),
            calls_per_minute: self.allowed_calls_per_minute.map(number),
            events_per_minute: self.allowed_events_per_minute.map(number),
            window: self.minute,
        }
    }

    pub(crate) const fn answer_delay(&self) -> Duration {
        Duration::from_millis(self.answer_delay_ms)
    }

    /// Refuses what no simulator can be.
    pub(crate) fn check(&self) -> Result<(), SimulatorError> {
        let refuse = |option, reason: &str| Err(SimulatorError::Option { option, reason: reason.to_owned() });
        if !(1..=20).contains(&self.jobcenter.chars().count()) {
            return refuse("jobcenter", "has 1 to 20 characters");
        }
        if self.mailboxes > Self::MAILBOXES_MAX {
            return refuse("mailboxes", "more than a million");
        }
        if self.signed && self.tls.is_none() {
            return refuse("signed", "needs tls: its certificates sign");
        }
        if !proto_planner::is_mail_address(&format!("m0001@{}", self.domain)) {
            return refuse("domain", "makes no mail address");
        }
        Ok(())
    }
}

/// The same as without any option on the command line.
impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Self::LISTEN,
            jobcenter: Self::JOBCENTER.to_owned(),
            mailboxes: Self::MAILBOXES,
            domain: Self::DOMAIN.to_owned(),
            allowed_items: Self::ITEMS_PER_CALL,
            allowed_in_flight: Self::CALLS_IN_FLIGHT,
            allowed_calls_per_minute: None,
            allowed_events_per_minute: None,
            answer_delay_ms: 0,
            duplicate_events: false,
            zone: Self::ZONE.to_owned(),
            time_form: TimeFormOption::Offset,
            faults: Vec::new(),
            seed: Self::SEED,
            capture: None,
            log_entries: Self::LOG_ENTRIES,
            tls: None,
            signed: false,
            minute: WINDOW,
            clock: SystemClock::shared(),
        }
    }
}
