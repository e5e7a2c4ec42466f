//! `[planner]`

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trust::{ClientCertificate, ClientTls};
use url::Url;

use super::{DailyTime, HumanDuration, Problems, Section, address, roots};

/// The Jobcenter Planner that appointments go to (PCS; B9, B10).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlannerConfig {
    /// The address of Planner's service.
    #[serde(deserialize_with = "address::optional")]
    pub service_url: Option<Url>,
    /// The job centre's number: five digits, kept as text.
    pub jobcenter_number: Option<String>,
    /// Who calls, as agreed with the authority: `CVR:…-UUID:…`, 1 to 255 characters.
    pub request_user_identifier: Option<String>,
    /// The name of this client in each call.
    pub client_name: String,
    /// Fetch the resource list at start.
    pub update_resources_at_startup: bool,
    /// The times of day at which the resource list is fetched.
    pub resource_update_schedule: Vec<DailyTime>,
    /// Compare what Planner holds with what was decided at each start.
    pub update_calendar_at_startup: bool,
    /// The times of day at which what Planner holds is compared with what was decided.
    pub calendar_synchronization_schedule: Vec<DailyTime>,
    /// How often unsent changes are looked for when no wake-up came.
    pub calendar_event_update_interval: HumanDuration,
    /// Appointments of one call at most; agreed with the authority.
    pub max_calendar_event_updates_per_call: usize,
    /// Mailboxes of one fetching call at most.
    pub max_calendar_event_fetches_per_call: usize,
    /// Calls at one time, of all kinds, over all instances.
    pub simultaneous_calls: usize,
    /// Calls in any 60 s at most, over all instances; absent = unlimited.
    pub sla_calls_per_minute: Option<u32>,
    /// Appointments in any 60 s at most, over all instances; absent = unlimited.
    pub sla_events_per_minute: Option<u32>,
    /// The longest time of one call.
    pub call_timeout: HumanDuration,
    /// The largest answer in bytes.
    pub answer_limit_bytes: usize,
    /// The first pause after a transient failure.
    pub retry_initial: HumanDuration,
    /// The longest pause after transient failures.
    pub retry_cap: HumanDuration,
    /// Failures of one appointment by itself after which it is set aside; outages do not count.
    pub attempts_max: u32,
    /// After an unknown outcome the mailbox is compared with what Planner holds when this long has passed.
    pub compare_after_unknown_outcome: HumanDuration,
    /// Decide, adopt and compare, but send nothing.
    pub dry_run: bool,
    /// A PEM file with certificate authorities that are trusted besides the system's.
    pub root_certificates: Option<PathBuf>,
    /// A PEM file with the certificate that is shown to Planner.
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with its key.
    pub client_key: Option<PathBuf>,
}

/// What `run` needs of this section.
#[derive(Debug, Clone)]
pub struct RequiredPlanner {
    /// The address of Planner's service.
    pub service_url: Url,
    /// The job centre's number.
    pub jobcenter_number: String,
    /// Who calls.
    pub request_user_identifier: String,
}

impl Default for PlannerConfig {
    fn default() -> Self {
        Self {
            service_url: None,
            jobcenter_number: None,
            request_user_identifier: None,
            client_name: "Kommuneklient".to_owned(),
            update_resources_at_startup: true,
            resource_update_schedule: vec![DailyTime::at(1, 0)],
            update_calendar_at_startup: false,
            calendar_synchronization_schedule: vec![DailyTime::at(1, 30)],
            calendar_event_update_interval: HumanDuration::seconds(20),
            max_calendar_event_updates_per_call: 20,
            max_calendar_event_fetches_per_call: 1,
            simultaneous_calls: 1,
            sla_calls_per_minute: None,
            sla_events_per_minute: None,
            call_timeout: HumanDuration::seconds(60),
            answer_limit_bytes: 5 * 1024 * 1024,
            retry_initial: HumanDuration::seconds(1),
            retry_cap: HumanDuration::minutes(1),
            attempts_max: 50,
            compare_after_unknown_outcome: HumanDuration::seconds(60),
            dry_run: false,
            root_certificates: None,
            client_certificate: None,
            client_key: None,
        }
    }
}

impl PlannerConfig {
    /// Whom the connection trusts and what it shows.
    pub fn tls(&self) -> ClientTls {
        let roots = roots(&[self.service_url.as_ref()], self.root_certificates.as_deref());
        let client_certificate = match (&self.client_certificate, &self.client_key) {
            (Some(certificate), Some(key)) => {
                Some(ClientCertificate { cert_pem: certificate.clone(), key_pem: key.clone() })
            }
            _ => None,
        };
        ClientTls { roots, client_certificate }
    }

    pub(super) fn required(&self, problems: &mut Problems) -> Option<RequiredPlanner> {
        let missing = [
            (
                self.service_url.is_none(),
                "service_url",
                "https://service.bm.dk/PjakTassWCFtService/1/PlannerExternalCalendarService.svc",
            ),
            (self.jobcenter_number.is_none(), "jobcenter_number", "10100"),
            (self.request_user_identifier.is_none(), "request_user_identifier", "CVR:12345678-UUID:…"),
        ];
        for (_, key, example) in missing.iter().filter(|(is_missing, ..)| *is_missing) {
            problems
                .add(&format!("planner.{key}"), format!("is missing; write it like {key} = \"{example}\""));
        }
        Some(RequiredPlanner {
            service_url: self.service_url.clone()?,
            jobcenter_number: self.jobcenter_number.clone()?,
            request_user_identifier: self.request_user_identifier.clone()?,
        })
    }

    fn check_limits(&self, check: &mut Problems) {
        check.range(
            "max_calendar_event_updates_per_call",
            self.max_calendar_event_updates_per_call,
            1..=1_000,
        );
        check.range("max_calendar_event_fetches_per_call", self.max_calendar_event_fetches_per_call, 1..=100);
        check.range("simultaneous_calls", self.simultaneous_calls, 1..=10);
        check.range("attempts_max", self.attempts_max, 1..=10_000);
        for (key, value) in [
            ("sla_calls_per_minute", self.sla_calls_per_minute),
            ("sla_events_per_minute", self.sla_events_per_minute),
        ] {
            check.range_if_set(key, value, 1..=1_000_000);
        }
        if let Some(events) = self.sla_events_per_minute
            && (events as usize) < self.max_calendar_event_updates_per_call
        {
            let reason =
                "must not be less than max_calendar_event_updates_per_call: a full call could never be sent";
            check.add("sla_events_per_minute", reason);
        }
        check.range("answer_limit_bytes", self.answer_limit_bytes, 64 * 1024..=256 * 1024 * 1024);
    }

    fn check_times(&self, check: &mut Problems) {
        let (tick, second) = (HumanDuration::millis(10), HumanDuration::seconds(1));
        let hour = HumanDuration::minutes(60);
        check.range("calendar_event_update_interval", self.calendar_event_update_interval, tick..=hour);
        check.range("call_timeout", self.call_timeout, HumanDuration::millis(100)..=hour);
        check.range("retry_initial", self.retry_initial, tick..=hour);
        check.range("retry_cap", self.retry_cap, tick..=hour);
        if self.retry_cap < self.retry_initial {
            check
                .add("retry_cap", format!("must not be shorter than retry_initial ({})", self.retry_initial));
        }
        // B9 asks for a comparison within 15 minutes
        let quarter = HumanDuration::minutes(15);
        check.range("compare_after_unknown_outcome", self.compare_after_unknown_outcome, second..=quarter);
    }
}

impl Section for PlannerConfig {
    const NAME: &'static str = "planner";

    fn check(&self, check: &mut Problems) {
        check.web_address("service_url", self.service_url.as_ref());
        if let Some(number) = &self.jobcenter_number
            && (number.len() != 5 || !number.bytes().all(|b| b.is_ascii_digit()))
        {
            check.add("jobcenter_number", "must be five digits in quotes, like \"10100\"");
        }
        if let Some(identifier) = &self.request_user_identifier {
            check.not_empty("request_user_identifier", identifier);
            if identifier.chars().count() > 255 {
                check.add("request_user_identifier", "must not be longer than 255 characters");
            }
        }
        check.not_empty("client_name", &self.client_name);
        if self.client_certificate.is_some() != self.client_key.is_some() {
            let reason = "go together: give both or neither";
            check.add("client_certificate", format!("and client_key {reason}"));
        }
        check.schedule("resource_update_schedule", &self.resource_update_schedule);
        check.schedule("calendar_synchronization_schedule", &self.calendar_synchronization_schedule);
        self.check_limits(check);
        self.check_times(check);
    }
}
