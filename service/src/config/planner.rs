//! `[planner]`

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use trust::{CertificateFiles, Fingerprint, MutualTls, OwnCertificate, Password, Pins, Roots};
use url::Url;

use super::{DailyTime, HumanDuration, Problems, Section, address, secret};

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
    /// How calls are secured.
    pub security: PlannerSecurity,
    /// A PEM file with the certificate authorities that are trusted; absent = the system's.
    pub root_certificates: Option<PathBuf>,
    /// The certificate that is shown to Planner: a PEM file, or a PKCS #12 file (`.p12`, `.pfx`) with its key.
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with its key.
    pub client_key: Option<PathBuf>,
    /// The serial number in the certificate's subject, where the file holds several.
    pub client_certificate_serial_number: Option<String>,
    /// What opens the key.
    #[serde(deserialize_with = "secret::optional", serialize_with = "secret::hidden")]
    pub client_certificate_password: Option<SecretString>,
    /// A file that holds that password instead.
    pub client_certificate_password_file: Option<PathBuf>,
    /// A PEM file with certificates of which one must be Planner's or its issuer's.
    pub server_pin_file: Option<PathBuf>,
    /// The same as SHA-256 fingerprints.
    pub server_pins: Vec<String>,
    /// A PEM file with the certificates that answers may be signed with.
    pub answer_certificates: Option<PathBuf>,
    /// How much Planner's clock may differ in signed messages.
    pub clock_tolerance: HumanDuration,
    /// How often the files with certificates are looked at.
    pub certificate_check_interval: HumanDuration,
}

/// How calls to Planner are secured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum PlannerSecurity {
    /// By TLS with the certificates of both sides.
    #[default]
    #[serde(rename = "mtls")]
    Mtls,
    /// And by signatures over requests and answers (WS-Security).
    #[serde(rename = "mtls+wss")]
    MtlsWss,
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
            security: PlannerSecurity::default(),
            root_certificates: None,
            client_certificate: None,
            client_key: None,
            client_certificate_serial_number: None,
            client_certificate_password: None,
            client_certificate_password_file: None,
            server_pin_file: None,
            server_pins: Vec::new(),
            answer_certificates: None,
            clock_tolerance: HumanDuration::minutes(5),
            certificate_check_interval: HumanDuration::minutes(1),
        }
    }
}

impl PlannerConfig {
    /// Whom the connection trusts, what it shows and what the other side must be.
    pub fn tls(&self) -> MutualTls {
        let roots = match (&self.root_certificates, &self.service_url) {
            (Some(file), _) => Roots::Only(file.clone()),
            (None, Some(url)) if url.scheme() == "https" => Roots::System,
            // plain http to a simulator, on a machine without certificates
            (None, _) => Roots::Nobody,
        };
        // the check of the section has refused what is no fingerprint
        let fingerprints = self.server_pins.iter().filter_map(|text| text.parse().ok()).collect();
        let pins = Pins { file: self.server_pin_file.clone(), fingerprints };
        MutualTls {
            roots,
            certificate: self.own_certificate(),
            pins,
            signers: self.answer_certificates.clone(),
        }
    }

    /// Would Planner refuse the connection, since nothing is there to be shown? Over plain http, to a simulator, nobody asks.
    pub fn lacks_certificate(&self) -> bool {
        self.client_certificate.is_none()
            && self.service_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    fn own_certificate(&self) -> Option<OwnCertificate> {
        let certificate = self.client_certificate.clone()?;
        let files = match self.client_key.clone() {
            // the check of the section refuses a key beside a PKCS #12 file; what it holds is looked at all the same
            Some(key) if !self.is_pkcs12() => CertificateFiles::Pem { certificate, key },
            _ => CertificateFiles::Pkcs12 { file: certificate },
        };
        let password = match (&self.client_certificate_password_file, &self.client_certificate_password) {
            (Some(file), _) => Password::File(file.clone()),
            (None, Some(password)) => Password::Given(password.clone()),
            (None, None) => Password::None,
        };
        Some(OwnCertificate { files, password, serial_number: self.client_certificate_serial_number.clone() })
    }

    /// How messages are secured.
    pub fn message_security(&self) -> connector_planner::Security {
        match self.security {
            PlannerSecurity::Mtls => connector_planner::Security::Mtls,
            PlannerSecurity::MtlsWss => {
                connector_planner::Security::MtlsWss { tolerance: self.clock_tolerance.get() }
            }
        }
    }

    /// Is the certificate in a PKCS #12 file, by its name?
    fn is_pkcs12(&self) -> bool {
        self.client_certificate
            .as_deref()
            .and_then(Path::extension)
            .is_some_and(|extension| ["p12", "pfx"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
    }

    fn check_certificates(&self, check: &mut Problems) {
        let is_pkcs12 = self.is_pkcs12();
        match (&self.client_certificate, &self.client_key) {
            (Some(_), Some(_)) if is_pkcs12 => {
                check.add("client_key", "is not used: a PKCS #12 file holds its key");
            }
            (Some(_), None) if !is_pkcs12 => {
                let reason = "and client_key go together, unless it is a PKCS #12 file (.p12, .pfx): give both or neither";
                check.add("client_certificate", reason);
            }
            (None, Some(_)) => {
                check.add("client_certificate", "and client_key go together: give both or neither");
            }
            _ => {}
        }
        if self.client_certificate_password.is_some() && self.client_certificate_password_file.is_some() {
            check.add(
                "client_certificate_password",
                "and client_certificate_password_file exclude each other",
            );
        }
        for pin in &self.server_pins {
            if let Err(error) = pin.parse::<Fingerprint>() {
                check.add("server_pins", format!("{error}: {pin:?}"));
            }
        }
        if self.security == PlannerSecurity::MtlsWss {
            if self.client_certificate.is_none() {
                check.add("client_certificate", "is missing: security = \"mtls+wss\" signs with it");
            }
            if self.answer_certificates.is_none() {
                check.add(
                    "answer_certificates",
                    "is missing: security = \"mtls+wss\" verifies answers with it",
                );
            }
            if self.service_url.as_ref().is_some_and(|url| url.scheme() != "https") {
                check.add("security", "mtls+wss asks for an https address in service_url");
            }
        }
        check.range(
            "clock_tolerance",
            self.clock_tolerance,
            HumanDuration::millis(0)..=HumanDuration::minutes(15),
        );
        let (second, hour) = (HumanDuration::seconds(1), HumanDuration::minutes(60));
        check.range("certificate_check_interval", self.certificate_check_interval, second..=hour);
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
        check.range(
            "answer_limit_bytes",
            self.answer_limit_bytes,
            64 * 1024..=proto_planner::ANSWER_BYTES_MAX,
        );
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
        self.check_certificates(check);
        check.schedule("resource_update_schedule", &self.resource_update_schedule);
        check.schedule("calendar_synchronization_schedule", &self.calendar_synchronization_schedule);
        self.check_limits(check);
        self.check_times(check);
    }
}
