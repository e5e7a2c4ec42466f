//! The settings of the original and what became of each: the one table that the import, the refusal of unknown keys
//! and the test of `config.example.toml` use.
//!
//! The original is three Windows services with a file each; it repeats some settings per service and spells some
//! wrongly. Here each meaning exists once (B13). Two of its names are swapped in the original itself:
//! `MaxSubscriptionsPerSubscriptionGroup` limits the groups of a connection and `MaxSubscriptionPerConnection` the
//! mailboxes of a group; the table goes by the meaning.

use std::fmt;

/// A service of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OldService {
    /// The listener.
    Els,
    /// The qualifier.
    Eps,
    /// The communicator.
    Pcs,
}

impl OldService {
    /// All of them, in the order of one change.
    pub const ALL: [Self; 3] = [Self::Els, Self::Eps, Self::Pcs];

    /// Its short name in the original's guide.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Els => "ELS",
            Self::Eps => "EPS",
            Self::Pcs => "PCS",
        }
    }
}

impl fmt::Display for OldService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the original writes a value, and what it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text that nobody may read.
    Secret,
    /// The address of a service.
    Address,
    /// `True` or `False`.
    Boolean,
    /// A whole number.
    Whole,
    /// A number with leading zeros that count: kept as text.
    Digits,
    /// A span `hh:mm:ss`; a duration here.
    Span,
    /// Times of day `HH:MM;HH:MM`; a list here.
    Times,
    /// Names of flags, with commas; a list here.
    Flags,
}

impl Kind {
    /// What people write here.
    pub const fn ours(self) -> &'static str {
        match self {
            Self::Text | Self::Secret | Self::Digits => "text",
            Self::Address => "address",
            Self::Boolean => "true or false",
            Self::Whole => "whole number",
            Self::Span => "duration",
            Self::Times => "times of day",
            Self::Flags => "list of names",
        }
    }

    /// The type as the original's guide names it.
    pub const fn theirs(self) -> &'static str {
        match self {
            Self::Text | Self::Secret | Self::Address | Self::Flags => "String",
            Self::Boolean => "Boolean",
            Self::Whole | Self::Digits => "Integer",
            Self::Span => "Time",
            Self::Times => "Time[]",
        }
    }
}

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is this key.
    Key(&'static str),
    /// It is this key, and its value is not taken over, for this reason.
    ByHand(&'static str, &'static str),
    /// There is nothing that it could set, for this reason.
    Nothing(&'static str),
}

/// A setting of the original.
#[derive(Debug, Clone, Copy)]
pub struct OldSetting {
    /// The services that have it.
    pub services: &'static [OldService],
    /// Its name, misspellings included.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// The original's default, as its guide writes it.
    pub default: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// Other spellings that were seen, and the name spelled rightly.
    pub also: &'static [&'static str],
}

impl OldSetting {
    /// The key that it is, if any.
    pub const fn key(&self) -> Option<&'static str> {
        match self.fate {
            Key(key) | ByHand(key, _) => Some(key),
            Nothing(_) => None,
        }
    }

    /// Is this one of its names? Case and blanks do not count.
    pub fn is_named(&self, name: &str) -> bool {
        let name = plain(name);
        std::iter::once(&self.name).chain(self.also).any(|one| plain(one) == name)
    }
}

/// A name without what people write differently.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && *c != '_').collect::<String>().to_lowercase()
}

/// The settings with this name, whatever the service: two at most.
pub fn named(name: &str) -> impl Iterator<Item = &'static OldSetting> {
    SETTINGS.iter().filter(move |setting| setting.is_named(name))
}

use Fate::{ByHand, Key, Nothing};
use OldService::{Els, Eps, Pcs};

const SECRET: &str = "a password does not belong into this file: write it to a file of its own and name that in exchange.password_file, \
     or keep the account sealed in the database: kommuneklient credential add";
/// Why the original's Windows identity is not taken over.
pub(crate) const WINDOWS: &str = "there is no Windows identity here: exchange.user and its password log on";
/// Why the look-up in Active Directory is not taken over.
pub(crate) const DIRECTORY: &str =
    "there is no look-up in Active Directory here: write the address into exchange.autodiscover_url";

macro_rules! setting {
    ($services:expr, $name:literal, $kind:ident, $default:literal, $fate:expr) => {
        setting!($services, $name, $kind, $default, $fate, &[])
    };
    ($services:expr, $name:literal, $kind:ident, $default:literal, $fate:expr, $also:expr) => {
        OldSetting {
            services: $services,
            name: $name,
            kind: Kind::$kind,
            default: $default,
            fate: $fate,
            also: $also,
        }
    };
}

/// All of them: those of the sections applicationSettings first, then what stands elsewhere in the files.
pub const SETTINGS: &[OldSetting] = &[
    setting!(&[Els, Eps], "ExchangeServiceUserMail", Text, "", Key("exchange.user")),
    setting!(&[Els, Eps], "ExchangeServiceUserPassword", Secret, "", ByHand("exchange.password", SECRET)),
    setting!(
        &[Els, Eps],
        "ExchangeUseDefaultCredentials",
        Boolean,
        "True",
        Key("exchange.use_default_credentials"),
        &["UseDefaultCredentials"]
    ),
    setting!(&[Els, Eps], "ExchangeServiceUrl", Address, "", Key("exchange.service_url")),
    setting!(&[Els, Eps], "EwsTraceFlags", Flags, "None", Key("exchange.ews_trace_flags")),
    setting!(
        &[Els, Eps],
        "ServicePointManagerDefaultConnectionLimit",
        Whole,
        "25",
        Key("exchange.simultaneous_calls")
    ),
    setting!(
        &[Els, Eps],
        "EnableScpLookup",
        Boolean,
        "True",
        Key("exchange.enable_scp_lookup"),
        &["EnableScplLookup"]
    ),
    setting!(
        &[Els],
        "SubscriberUpdateTimeInterval",
        Span,
        "00:10:00",
        Key("listener.subscriber_update_time_interval")
    ),
    setting!(&[Els], "ExchangeConnectionTimeout", Whole, "2", Key("exchange.exchange_connection_timeout")),
    setting!(
        &[Els],
        "DeactivateSolvingOfGroupAffinity",
        Boolean,
        "False",
        Key("listener.deactivate_solving_of_group_affinity")
    ),
    setting!(
        &[Els],
        "MaxSubscriptionsPerSubscriptionGroup",
        Whole,
        "3",
        Key("listener.subscription_groups_per_credential"),
        &["MaxSubscriptionPerSubscriptionGroup", "SubscriptionGroupsPerCredential"]
    ),
    setting!(
        &[Els],
        "MaxSubscriptionPerConnection",
        Whole,
        "200",
        Key("listener.mailboxes_per_subscription_group"),
        &["MaxSubscriptionsPerConnection", "MailboxesPerSubscriptionGroup"]
    ),
    setting!(&[Els, Eps], "UseImpersonation", Boolean, "True", Key("exchange.use_impersonation")),
    setting!(&[Els], "MinimumAgingForChanging", Span, "00:00:10", Nothing("the original never used it")),
    setting!(
        &[Eps],
        "NotificationProcessingInterval",
        Span,
        "00:00:04",
        Key("qualifier.notification_processing_interval")
    ),
    setting!(
        &[Eps],
        "FullAppointmentPullSchedule",
        Times,
        "02:00",
        Key("qualifier.full_appointment_pull_schedule")
    ),
    setting!(
        &[Eps],
        "SimultaniousCalls",
        Whole,
        "1",
        Key("exchange.simultaneous_calls"),
        &["SimultaneousCalls"]
    ),
    setting!(
        &[Eps],
        "MakeFullCalendarPullAtStartup",
        Boolean,
        "False",
        Key("qualifier.make_full_calendar_pull_at_startup")
    ),
    setting!(
        &[Eps],
        "SimultaniousCallsAtFullPull",
        Whole,
        "1",
        Key("qualifier.simultaneous_calls_at_full_pull"),
        &["SimultaneousCallsAtFullPull"]
    ),
    setting!(
        &[Eps, Pcs],
        "CalendarEventsPeriodInMonths",
        Whole,
        "3",
        Key("calendar.calendar_events_period_in_months")
    ),
    setting!(&[Pcs], "JobcenterNumber", Digits, "??", Key("planner.jobcenter_number")),
    setting!(&[Pcs], "ResourceUpdateSchedule", Times, "01:00", Key("planner.resource_update_schedule")),
    setting!(
        &[Pcs],
        "CalendarEventUpdateInterval",
        Span,
        "00:00:20",
        Key("planner.calendar_event_update_interval")
    ),
    setting!(
        &[Pcs],
        "CalendarSynchronizationSchedule",
        Times,
        "01:30",
        Key("planner.calendar_synchronization_schedule")
    ),
    setting!(&[Pcs], "RequestUserIdentifier", Text, "??", Key("planner.request_user_identifier")),
    setting!(
        &[Pcs],
        "MaxCalendarEventUpdatesPerCall",
        Whole,
        "20",
        Key("planner.max_calendar_event_updates_per_call")
    ),
    setting!(&[Pcs], "UpdateCalendarAtStartup", Boolean, "False", Key("planner.update_calendar_at_startup")),
    setting!(
        &[Pcs],
        "MaxCalendarEventFetchesPerCall",
        Whole,
        "1",
        Key("planner.max_calendar_event_fetches_per_call")
    ),
    setting!(&[Pcs], "UpdateResourcesAtStartup", Boolean, "True", Key("planner.update_resources_at_startup")),
    setting!(
        &[Pcs],
        "SimultaniousCalls",
        Whole,
        "1",
        Key("planner.simultaneous_calls"),
        &["SimultaneousCalls"]
    ),
    setting!(
        &OldService::ALL,
        "log4net/appender[RollingFileAppender]/file",
        Text,
        "??",
        ByHand("telemetry.log_file", LOG_FILE)
    ),
    setting!(
        &OldService::ALL,
        "log4net/appender[AdoNetAppender]/connectionString",
        Secret,
        "??",
        ByHand("database.url", LOG_DATABASE)
    ),
    setting!(&OldService::ALL, "log4net/root", Text, "", Key("telemetry.log_filter")),
    setting!(
        &OldService::ALL,
        "connectionStrings/ECSClientExchangeDbEntities",
        Secret,
        "??",
        ByHand("database.url", DATABASE)
    ),
    setting!(&[Pcs], "serviceModel (endpoint + DfdgBehavior)", Address, "??", Key("planner.service_url")),
];

/// Why the path of the log files is not taken over.
pub(crate) const LOG_FILE: &str = "the log goes to standard error, for the journal or the container; `journalctl -u kommuneklient` reads it. telemetry.log_file names a rolled file instead";
/// Why the database of the log is not taken over.
pub(crate) const LOG_DATABASE: &str =
    "coded events are kept in the table application_log of the one database, database.url";
/// Why the connection string is not taken over.
pub(crate) const DATABASE: &str = "it names an SQL Server; Kommuneklient keeps its data in PostgreSQL: write its address, or a file with it in \
     database.url_file";
/// Why certificates are not taken over.
pub(crate) const CERTIFICATE: &str = "it lies in the Windows certificate store: export it with its key as PKCS #12 (.pfx) and name the file in \
     planner.client_certificate";
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::path::PathBuf;

    use super::*;

    /// What the table above says, a line for each service and setting; none twice.
    fn listed() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for setting in SETTINGS {
            for service in setting.services {
                let (name, kind, default) = (setting.name, setting.kind.theirs(), setting.default);
                assert!(found.insert(format!("{service} {name} {kind} {default}")), "{service} {name} twice");
            }
        }
        found
    }

    /// Is it a default of this form? Nothing and `??` say that there is none.
    fn is_default(kind: Kind, default: &str) -> bool {
        let numbers = |count: usize| {
            let parts: Vec<&str> = default.split(':').collect();
            parts.len() == count && parts.iter().all(|part| part.len() == 2 && part.parse::<u8>().is_ok())
        };
        match kind {
            _ if default.is_empty() || default == "??" => true,
            Kind::Boolean => matches!(default, "True" | "False"),
            Kind::Whole => default.parse::<u32>().is_ok(),
            Kind::Span => numbers(3),
            Kind::Times => numbers(2),
            Kind::Flags => default == "None",
            Kind::Text | Kind::Secret | Kind::Address | Kind::Digits => false,
        }
    }

    /// Needs nothing but this project: how many settings each service of the original has, and that each is whole.
    #[test]
    fn as_many_settings_as_the_original_has_stand_here_once_and_whole() {
        let listed = listed();
        for (service, count) in [(Els, 18), (Eps, 18), (Pcs, 16)] {
            let of_service = format!("{service} ");
            assert_eq!(
                listed.iter().filter(|line| line.starts_with(&of_service)).count(),
                count,
                "{service}"
            );
        }
        for setting in SETTINGS {
            let (name, default) = (setting.name, setting.default);
            assert!(!setting.services.is_empty() && !name.is_empty(), "{name}");
            assert!(is_default(setting.kind, default), "{name}: {default:?}");
            match setting.fate {
                Key(key) => assert!(key.contains('.'), "{name}: {key}"),
                ByHand(key, why) => assert!(key.contains('.') && !why.is_empty(), "{name}: {key}"),
                Nothing(why) => assert!(!why.is_empty(), "{name}"),
            }
        }
    }

    /// The reference material, where this machine has it. Else says so past the capture of passing tests.
    fn shared() -> Option<PathBuf> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
        let folder = std::env::var_os("KOMMUNEKLIENT_SHARED").map_or_else(|| root.into(), PathBuf::from);
        let file = folder.join("kommuneklient/settings.tsv");
        if file.exists() {
            return Some(file);
        }
        // who names the material wants the comparison
        assert!(
            std::env::var_os("KOMMUNEKLIENT_SHARED").is_none(),
            "KOMMUNEKLIENT_SHARED is set, and {} is not there",
            file.display()
        );
        // A line that cannot be written fails no test.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: the settings of the original are not compared with {}, which is not there; the table is checked by itself",
            file.display()
        );
        None
    }

    #[test]
    fn every_setting_of_the_original_is_here_with_type_and_default() {
        let listed = listed();
        let Some(file) = shared() else { return };
        let text = std::fs::read_to_string(file).unwrap();
        let mut expected = BTreeSet::new();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let (service, name, default, kind) = (columns[0], columns[1], columns[2], columns[3]);
            let kind = kind.split(' ').next().unwrap_or_default();
            let services: Vec<&str> =
                if service == "all" { vec!["ELS", "EPS", "PCS"] } else { vec![service] };
            for service in services {
                expected.insert(format!("{service} {name} {kind} {default}"));
            }
        }
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_name_means_one_setting_in_each_service() {
        for setting in SETTINGS {
            for name in std::iter::once(&setting.name).chain(setting.also) {
                for service in setting.services {
                    let meant: Vec<_> = named(name).filter(|one| one.services.contains(service)).collect();
                    assert_eq!(meant.len(), 1, "{service} {name}");
                }
            }
        }
        assert!(named("Full AppointmentPullSchedule").next().is_some(), "a blank does not count");
        assert!(named("exchangeServiceUrl").next().is_some(), "case does not count");
    }

    #[test]
    fn the_two_swapped_names_go_by_their_meaning() {
        let key = |name: &str| named(name).next().and_then(OldSetting::key);
        assert_eq!(
            key("MaxSubscriptionsPerSubscriptionGroup"),
            Some("listener.subscription_groups_per_credential")
        );
        assert_eq!(key("MaxSubscriptionPerConnection"), Some("listener.mailboxes_per_subscription_group"));
    }
}
