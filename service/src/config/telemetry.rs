//! `[telemetry]`

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use super::{Problems, Section};
use crate::texts::{Language, Text, config as t};

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

/// A text with its values.
pub(crate) type Fault = (Text, Vec<(&'static str, String)>);

impl TelemetryConfig {
    /// Looks whether `run` could write the log file. `None` after a problem.
    pub(super) fn usable(&self, problems: &mut Problems) -> Option<()> {
        let Some((text, values)) = self.log_file_fault() else { return Some(()) };
        let values: Vec<(&str, &dyn Display)> =
            values.iter().map(|(name, value)| (*name, value as &dyn Display)).collect();
        problems.add(LOG_FILE, text.fill(Language::En, &values));
        None
    }

    /// Why this user could not write the log file, if so. Nothing of the attempt stays behind.
    pub(crate) fn log_file_fault(&self) -> Option<Fault> {
        self.log_file.as_deref().and_then(unusable)
    }
}

/// The key of the log file.
pub(crate) const LOG_FILE: &str = "telemetry.log_file";

/// Why a file cannot be written by this user, if so.
fn unusable(file: &Path) -> Option<Fault> {
    let shown = ("file", file.display().to_string());
    let folder = match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Some((t::LOG_NO_FILE, vec![shown])),
    };
    let place = ("folder", folder.display().to_string());
    match std::fs::metadata(folder) {
        Err(error) => return Some((t::LOG_FOLDER_UNUSABLE, vec![place, ("error", error.to_string())])),
        Ok(there) if !there.is_dir() => return Some((t::LOG_NO_FOLDER, vec![place])),
        Ok(_) => {}
    }
    match std::fs::metadata(file) {
        Ok(there) if there.is_dir() => Some((t::LOG_IS_FOLDER, vec![shown])),
        Ok(there) => appendable(file, there.is_file())
            .err()
            .map(|error| (t::LOG_UNWRITABLE, vec![shown, ("error", error.to_string())])),
        Err(_absent) => makeable(folder)
            .err()
            .map(|error| (t::LOG_UNMADE, vec![place, ("error", error.kind().to_string())])),
    }
}

/// Opens a file as the log would, and writes nothing. A pipe would wait for a reader: of what is no file the rights count.
fn appendable(file: &Path, is_file: bool) -> std::io::Result<()> {
    if is_file {
        OpenOptions::new().append(true).open(file).map(drop)
    } else {
        access(file, Access::WRITE_OK).map_err(std::io::Error::from)
    }
}

/// Makes a file in the folder and removes it: rights alone say nothing of `/proc`. It has a name of its own, since a
/// service that starts meanwhile would go on to write one that is removed. That there is no room now is no fault of the
/// setting: a service that ended because of it would not come back when there is.
fn makeable(folder: &Path) -> std::io::Result<()> {
    match tempfile::Builder::new().prefix(".kommuneklient-").tempfile_in(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Ok(()),
        made => made.map(drop),
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
