//! `kommuneklient config`: checking a configuration, and importing that of the original.

use std::io::Write;
use std::path::{Path, PathBuf};

use base::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::show::table;
use crate::ServiceError;
use crate::cli::ConfigCommand;
use crate::config::{Config, Effective, Examined, Problem};
use crate::import;
use crate::texts::Language;

/// Does what is asked.
///
/// # Errors
/// A configuration that cannot be used, a file that cannot be imported.
pub(crate) fn perform(command: &ConfigCommand) -> Result<(), ServiceError> {
    match command {
        ConfigCommand::Check { file, json } => check(file, *json),
        ConfigCommand::Import { files, allow_unknown, json } => import(files, *allow_unknown, *json),
    }
}

fn check(file: &Path, json: bool) -> Result<(), ServiceError> {
    let examined = Config::examine(file, SystemClock.now())?;
    let warnings = warnings(&examined);
    if json {
        crate::cli::print(&checked(file, &examined, &warnings).to_string());
    }
    if !examined.problems.is_empty() {
        return Err(ServiceError::Configuration { file: file.to_owned(), problems: examined.problems });
    }
    if !json {
        let row = |one: &Effective| vec![one.key.clone(), one.text(), one.origin().to_owned()];
        let rows = examined.config.effective().iter().map(row).collect();
        crate::cli::print(&table(&["KEY", "VALUE", "SOURCE"], rows, ""));
        for warning in &warnings {
            crate::cli::print(&format!("warning: {warning}"));
        }
        crate::cli::print(&format!("{} is usable", file.display()));
    }
    Ok(())
}

/// In English, as all that `config` says.
fn warnings(examined: &Examined) -> Vec<String> {
    let exposed = examined.config.secrets.exposed().into_iter();
    let exposed =
        exposed.map(|(file, who)| format!("{} holds a sealing key, and {who}; chmod 600 it", file.display()));
    examined.warnings_in(Language::En).into_iter().chain(exposed).collect()
}

fn checked(file: &Path, examined: &Examined, warnings: &[String]) -> Value {
    let problem = |one: &Problem| json!({ "key": one.key, "place": one.place, "value": one.value, "reason": one.reason });
    json!({
        "file": file.display().to_string(),
        "usable": examined.problems.is_empty(),
        "problems": examined.problems.iter().map(problem).collect::<Vec<_>>(),
        "warnings": warnings,
        "values": examined.config.effective().iter().map(Effective::json).collect::<Vec<_>>(),
    })
}

fn import(files: &[PathBuf], allow_unknown: bool, json: bool) -> Result<(), ServiceError> {
    let outcome = import::import(files, allow_unknown).map_err(ServiceError::Import)?;
    if json {
        let text = serde_json::to_string(&outcome);
        crate::cli::print(&text.map_err(|error| super::failed("config import", error))?);
        return Ok(());
    }
    crate::cli::print(outcome.toml.trim_end());
    // nobody is left to tell when standard error is closed
    let _closed = writeln!(std::io::stderr().lock(), "{}", outcome.report());
    Ok(())
}
