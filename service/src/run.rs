//! `kommuneklient run`: the service.

use std::io::Write;

use crate::ServiceError;
use crate::config::Config;
use crate::http::{self, Readiness, Sources};

/// Runs the service until a signal or an escalation ends it.
///
/// # Errors
/// A configuration that is not complete, telemetry or pages that cannot start.
pub fn run(config: &Config) -> Result<(), ServiceError> {
    let _required = config.for_run()?;
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    runtime.block_on(async {
        let (telemetry, _events) =
            telemetry::Telemetry::start(config.telemetry.options()).map_err(ServiceError::Telemetry)?;
        for warning in config.warnings() {
            tracing::warn!(%warning, "configuration should be looked at");
        }
        let not_wired = || Readiness { ready: false, not_ready: vec!["root".to_owned()], tree: None };
        let sources =
            Sources { readiness: std::sync::Arc::new(not_wired), metrics: telemetry::metrics().clone() };
        let mut pages = http::serve(config.http.listen, sources)?;
        let _closed = writeln!(std::io::stdout(), "{}", pages.ready_line());
        let ended = pages.ended().await;
        telemetry.shutdown().await.map_err(ServiceError::Telemetry)?;
        ended
    })
}
