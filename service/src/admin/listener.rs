//! Where the admin calls are served, and the certificate that is shown there.
//!
//! Protocol: the files of the certificate and of the authorities are read at the start, which is refused when they cannot
//! be used, and looked at every [`LOOK_EVERY`]: changed ones are in use from the next connection on (9666), ones that cannot
//! be used change nothing (9667). The end of the certificate is told as those towards Planner are (9668).

use std::time::Duration;

use base::SharedClock;
use calendar::codes;
use jiff::Timestamp;
use trust::{CertificateFacts, ExpiryStep, ExpiryWatch, Refresh};

use super::AdminCalls;
use crate::ServiceError;
use crate::config::HttpConfig;
use crate::http::limits::Limits;
use crate::http::server::{self, Door, Pages};

#[cfg(all(test, feature = "simulators"))] // their authority
mod tests;

/// The setting that says where the admin calls are.
pub(crate) const SETTING: &str = "http.admin_listen";
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A listener for admin calls, with its files read.
#[derive(Debug, Clone)]
pub(crate) struct AdminListener {
    door: Door,
}

/// Reads what the listener needs; `None` where there are no admin calls.
///
/// # Errors
/// [`ServiceError::Wiring`] when the certificate or the authorities cannot be used.
pub(crate) fn open(config: &HttpConfig, now: Timestamp) -> Result<Option<AdminListener>, ServiceError> {
    if !config.has_admin() {
        return Ok(None);
    }
    let opened = config.admin_tls().map(|tls| tls.open(now)).transpose();
    let tls = opened.map_err(|source| ServiceError::Wiring {
        what: "the listener of the admin calls (http.admin_listen)",
        source: Box::new(source),
    })?;
    let door = Door {
        what: "taking admin calls on",
        setting: SETTING,
        listen: config.admin_listen,
        tls,
        limits: Limits::USUAL,
    };
    Ok(Some(AdminListener { door }))
}

impl AdminListener {
    /// Serves the calls.
    ///
    /// # Errors
    /// [`ServiceError::Listen`] when the address cannot be had.
    pub(crate) fn serve(&self, calls: &AdminCalls) -> Result<Pages, ServiceError> {
        server::serve(&self.door, calls.clone())
    }

    /// The same with other limits.
    #[cfg(all(test, feature = "simulators"))]
    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.door.limits = limits;
        self
    }

    /// Looks after the files for ever; where there are none it only waits.
    pub(crate) async fn keep(&self, clock: SharedClock) {
        let Some(tls) = &self.door.tls else { return std::future::pending().await };
        let mut watch = ExpiryWatch::default();
        loop {
            look(&tls.facts(), &mut watch, clock.now());
            tokio::time::sleep(LOOK_EVERY).await;
            let (tls, now) = (tls.clone(), clock.now());
            match tokio::task::spawn_blocking(move || tls.refresh(now)).await {
                Ok(refresh) => tell(refresh),
                // the runtime ends
                Err(_) => return std::future::pending().await,
            }
        }
    }
}

/// Tells what became of the files.
fn tell(refresh: Refresh) {
    match refresh {
        Refresh::Unchanged => {}
        Refresh::Changed => tracing::info!(
            event_id = codes::ADMIN_CERTIFICATES_RENEWED.id,
            "the files with the certificates of the admin calls have changed and are in use"
        ),
        Refresh::Refused(error) => tracing::error!(
            event_id = codes::ADMIN_CERTIFICATES_UNUSABLE.id,
            error = %telemetry::chain(&error),
            "the changed files with the certificates of the admin calls cannot be used, the old ones stay in use"
        ),
    }
}

/// Tells when the end of the certificate is near.
fn look(facts: &CertificateFacts, watch: &mut ExpiryWatch, now: Timestamp) {
    if ExpiryStep::of(facts.left(now)).is_none() {
        tracing::debug!(
            succeeded = codes::success::ADMIN_CERTIFICATE,
            "the certificate of the admin calls is valid for long enough"
        );
    }
    if watch.observe(facts, now).is_some() {
        tracing::warn!(
            event_id = codes::ADMIN_CERTIFICATE_ENDS.id,
            holder = facts.subject,
            expires = %facts.not_after,
            days_left = facts.days_left(now),
            "the certificate of the admin calls expires soon or has expired"
        );
    }
}
