//! `[telemetry]`

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use super::{Problems, Section};

/// Logs and traces.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Where traces go; absent = nowhere.
    pub otlp_endpoint: Option<String>,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// What is logged, like `info,store=debug`.
    pub log_filter: String,
    /// The file that log lines go to; absent = standard error.
    pub log_file: Option<PathBuf>,
    /// The size in bytes at which it is rolled.
    pub log_file_size_bytes: u64,
    /// How many files of before are kept.
    pub log_files_kept: u32,
    /// The name of this service in traces.
    pub service_name: String,
    /// The share of traces that is recorded, 0 to 1.
    pub trace_sample_ratio: f64,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            log_file: None,
            log_file_size_bytes: 20 * 1024 * 1024,
            log_files_kept: 15,
            service_name: "kommuneklient".to_owned(),
            trace_sample_ratio: 1.0,
        }
    }
}

impl TelemetryConfig {
    /// Options for [`telemetry::Telemetry::start`]; the caller adds the registry of codes.
    pub fn options(&self) -> telemetry::Options {
        telemetry::Options {
            service_name: self.service_name.clone(),
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
            otlp_endpoint: self.otlp_endpoint.clone(),
            trace_sample_ratio: self.trace_sample_ratio,
            log_format: match self.log_format {
                LogFormat::Text => telemetry::LogFormat::Text,
                LogFormat::Json => telemetry::LogFormat::Json,
            },
            // the web server's own start and end are no news; what follows goes before this
            log_filter: format!("actix_server=warn,{}", self.log_filter),
            log_output: match &self.log_file {
                None => telemetry::LogOutput::Stderr,
                Some(file) => telemetry::LogOutput::File(telemetry::Rolling {
                    file: file.clone(),
                    size_bytes: self.log_file_size_bytes,
                    kept: self.log_files_kept,
                }),
            },
            ..telemetry::Options::default()
        }
    }
}

impl TelemetryConfig {
    /// Looks whether `run` could write the log file, as far as that can be told without making it. `None` after a problem.
    pub(super) fn usable(&self, problems: &mut Problems) -> Option<()> {
        let Some(why) = self.log_file.as_deref().and_then(unusable) else { return Some(()) };
        problems.add("telemetry.log_file", why);
        None
    }
}

/// Why a file cannot be written by this user, if so.
fn unusable(file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Some(format!("{} is no file", file.display())),
    };
    let may = |path: &Path, right: Access| access(path, right).map_err(std::io::Error::from);
    match std::fs::metadata(folder) {
        Err(error) => {
            let folder = folder.display();
            return Some(format!(
                "the folder {folder} cannot be used ({error}); make it, or name another file"
            ));
        }
        Ok(there) if !there.is_dir() => return Some(format!("{} is no folder", folder.display())),
        Ok(_) => {}
    }
    match std::fs::metadata(file) {
        Ok(there) if there.is_dir() => Some(format!("{} is a folder; name a file in it", file.display())),
        Ok(_) => may(file, Access::WRITE_OK)
            .err()
            .map(|error| format!("{} cannot be written by this user ({error})", file.display())),
        Err(_absent) => may(folder, Access::WRITE_OK | Access::EXEC_OK)
            .err()
            .map(|error| format!("this user can make no file in {} ({error})", folder.display())),
    }
}

impl Section for TelemetryConfig {
    const NAME: &'static str = "telemetry";

    fn check(&self, check: &mut Problems) {
        if let Some(endpoint) = &self.otlp_endpoint
            && let Err(error) = telemetry::otlp::endpoint(endpoint)
        {
            check.add("otlp_endpoint", error.to_string());
        }
        if let Err(error) = telemetry::log::check_filter(&self.log_filter) {
            check.add("log_filter", telemetry::chain(&error).to_string());
        }
        check.range("log_file_size_bytes", self.log_file_size_bytes, 64 * 1024..=1024 * 1024 * 1024);
        check.range("log_files_kept", self.log_files_kept, 0..=1000);
        check.not_empty("service_name", &self.service_name);
        check.range("trace_sample_ratio", self.trace_sample_ratio, 0.0..=1.0);
    }
}
