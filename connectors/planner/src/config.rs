//! What the connector must be told.

use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

/// How to reach Planner, and as whom.
#[derive(Debug, Clone)]
pub struct PlannerOptions {
    /// The service's address (`planner.service_url`).
    pub service_url: Url,
    /// On whose behalf (`planner.jobcenter_number`).
    pub jobcenter_number: String,
    /// Who calls (`planner.request_user_identifier`).
    pub request_user_identifier: String,
    /// The client's name as Planner's log shows it (`planner.client_name`).
    pub client_name: String,
    /// The longest time for a connection to be made; a call's deadline holds beside it.
    pub connect_timeout: Duration,
    /// The longest answer that is read, in bytes (`planner.answer_limit_bytes`).
    pub answer_limit_bytes: usize,
    /// Whom to trust, the certificate to show and what the other one must be.
    pub tls: trust::MutualTls,
    /// Are messages signed beside TLS (`planner.security`)?
    pub security: crate::Security,
    /// Where a time without offset is (`calendar.zone`), and the zone in which times are written.
    pub zone: TimeZone,
}
