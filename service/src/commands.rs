//! The commands that operators give to a running service.
//!
//! Responsibility: turn arguments into calls of the store, and what it answers into tables for people or JSON
//! for programs. One module a command; each separates asking from showing. Nothing of an appointment is shown
//! but mail address, origin id and times.
//!
//! Protocol: a command uses the database that `run` uses and nothing else; what it asks for is written there,
//! and the instance whose duty it is is woken. An embedded server that runs already is used as it is; one that
//! had to be started is stopped again, unless somebody else has begun to use it.
//!
//! Failure: a command that is refused, fails or waits in vain ends with status 1 and says what to do next.
//! What was changed by hand is written to `application_log` (9503).

pub(crate) mod config;
mod confirm;
pub(crate) mod credential;
mod diff;
mod doctor;
mod erase;
mod error;
pub(crate) mod event_codes;
mod explain;
mod lists;
mod lists_import;
mod mailbox;
pub(crate) mod metrics;
mod operations;
pub(crate) mod reasons;
mod resources;
pub(crate) mod secrets;
mod set_aside;
mod show;
mod status;
mod stored;
mod stream;
mod tools;
mod unused;
mod users;
pub(crate) mod withheld;

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, SystemClock};
use calendar::codes;
use serde_json::{Value, json};
use store::application_log::{self, LoggedEvent};
use store::embedded::Embedded;
use store::{Store, StoreError};
use trust::seal::KeyRing;

use crate::ServiceError;
use crate::acts::Allowed;
use crate::cli::ListsCommand;
use crate::cli::operators::{
    BlacklistCommand, Common, OperatorCommand, ResourcesCommand, SetAsideCommand, WhitelistCommand, Who,
    WithheldCommand,
};
use crate::config::{Config, Database};
use crate::database;
use crate::texts::Language;
pub(crate) use diff::Sending;
pub(crate) use error::CommandError;
pub(crate) use resources::in_use;

/// Does what an operator says.
///
/// # Errors
/// The configuration, the database, or a refusal with its next step.
pub(crate) fn perform(command: OperatorCommand) -> Result<(), ServiceError> {
    use store::operations::OperationKind::{Adoption, Comparison, FullPull};
    match command {
        OperatorCommand::Pull(args) => {
            with("pull", &args.common, |desk| operations::ask(desk, FullPull, &args))
        }
        OperatorCommand::Compare(args) => {
            with("compare", &args.common, |desk| operations::ask(desk, Comparison, &args))
        }
        OperatorCommand::Adopt(args) => {
            with("adopt", &args.common, |desk| operations::ask(desk, Adoption, &args))
        }
        OperatorCommand::Operations(args) => {
            with("operations", &args.common, |desk| operations::show(desk, args.id))
        }
        OperatorCommand::Resources(ResourcesCommand::List(common)) => {
            with("resources list", &common, resources::list)
        }
        OperatorCommand::Resources(ResourcesCommand::Refresh(args)) => {
            with("resources refresh", &args.common, |desk| operations::refresh(desk, &args.who, &args.follow))
        }
        OperatorCommand::Whitelist(command) => whitelist(command),
        OperatorCommand::Blacklist(command) => blacklist(command),
        OperatorCommand::Lists(ListsCommand::Import(args)) => {
            with("lists import", &args.common, |desk| lists_import::import(desk, &args))
        }
        OperatorCommand::Withheld(command) => withheld(command),
        OperatorCommand::SetAside(SetAsideCommand::List(args)) => {
            with("set-aside list", &args.common, |desk| set_aside::list(desk, args.mailbox.as_ref()))
        }
        OperatorCommand::SetAside(SetAsideCommand::Retry(args)) => {
            with("set-aside retry", &args.common, |desk| set_aside::retry(desk, &args))
        }
        OperatorCommand::Tool(tool) => tools::perform(&tool),
    }
}

fn whitelist(command: WhitelistCommand) -> Result<(), ServiceError> {
    match command {
        WhitelistCommand::List(common) => with("whitelist list", &common, lists::whitelist),
        WhitelistCommand::Add(args) => {
            with("whitelist add", &args.common, |desk| lists::add_to_whitelist(desk, &args))
        }
        WhitelistCommand::Remove(args) => {
            with("whitelist remove", &args.common, |desk| lists::remove_from_whitelist(desk, &args))
        }
    }
}

fn blacklist(command: BlacklistCommand) -> Result<(), ServiceError> {
    match command {
        BlacklistCommand::List(common) => with("blacklist list", &common, lists::blacklist),
        BlacklistCommand::Add(args) => with("blacklist add", &args.common, |desk| lists::block(desk, &args)),
        BlacklistCommand::Remove(args) => {
            with("blacklist remove", &args.common, |desk| lists::unblock(desk, &args))
        }
    }
}

fn withheld(command: WithheldCommand) -> Result<(), ServiceError> {
    match command {
        WithheldCommand::List(args) => {
            with("withheld list", &args.common, |desk| withheld::list(desk, args.settled))
        }
        WithheldCommand::Show(args) => {
            with("withheld show", &args.common, |desk| withheld::show(desk, args.run))
        }
        WithheldCommand::Confirm(args) => {
            with("withheld confirm", &args.common, |desk| withheld::settle(desk, &args, true))
        }
        WithheldCommand::Reject(args) => {
            with("withheld reject", &args.common, |desk| withheld::settle(desk, &args, false))
        }
    }
}

/// What a command works with.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) config: Arc<Config>,
    pub(crate) json: bool,
    pub(crate) language: Language,
}

/// Lets `work` do its work with the database that the arguments name.
///
/// # Errors
/// As the work, or the database.
pub(crate) fn with<F>(
    command: &'static str,
    common: &Common,
    work: impl FnOnce(Desk) -> F,
) -> Result<(), ServiceError>
where
    F: Future<Output = Result<(), CommandError>>,
{
    let config = Config::load(&common.config.config)?;
    let language = common.language.language();
    with_store_in(command, language, &config, async |store| {
        let desk =
            Desk { store: store.clone(), config: Arc::new(config.clone()), json: common.json, language };
        work(desk).await.map_err(|error| refused(command, error, language))
    })
}

/// Opens the database that the configuration names, lets `work` do its work for `command`, and closes it.
///
/// # Errors
/// As the work, or the database.
pub(crate) fn with_store<T>(
    command: &'static str,
    config: &Config,
    work: impl AsyncFnOnce(&Store) -> Result<T, ServiceError>,
) -> Result<T, ServiceError> {
    with_store_in(command, Language::En, config, work)
}

/// The same for `command`, which answers in `language`.
fn with_store_in<T>(
    command: &'static str,
    language: Language,
    config: &Config,
    work: impl AsyncFnOnce(&Store) -> Result<T, ServiceError>,
) -> Result<T, ServiceError> {
    let which = config.for_migrate()?;
    if let Some(folder) = unmade(config, &which) {
        return Err(refused(command, CommandError::NoDatabase { folder }, language));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    runtime.block_on(async {
        let name = format!("kommuneklient command {}", std::process::id());
        let opened = database::open_as(&name, &config.database, &which).await?;
        let outcome = work(&opened.store).await;
        let others = match &opened.embedded {
            Some(_) => others_connected(&opened.store).await,
            None => false,
        };
        opened.store.close();
        if let Some(embedded) = opened.embedded {
            end(embedded, others).await?;
        }
        outcome
    })
}

/// The folder of an embedded database that was never made. A command asks a database that is there; it makes none.
fn unmade(config: &Config, which: &Database) -> Option<String> {
    let folder = &config.database.data_dir;
    let is_missing = matches!(which, Database::Embedded) && !store::embedded::is_made(folder);
    is_missing.then(|| folder.display().to_string())
}

/// A command that was refused or failed, as it is told to whoever asked.
fn refused(command: &'static str, error: CommandError, language: Language) -> ServiceError {
    ServiceError::Command { command, language, source: Box::new(error::Told::new(error, language)) }
}

/// A command that failed, in English.
pub(crate) fn failed(
    command: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ServiceError {
    ServiceError::Command { command, language: Language::En, source: source.into() }
}

/// The database failed at something.
pub(crate) fn stored(operation: &'static str) -> impl Fn(StoreError) -> ServiceError {
    move |source| ServiceError::Database { operation, source }
}

/// The keys under which secrets are sealed.
///
/// # Errors
/// The configuration names none.
pub(crate) fn ring<'a>(config: &'a Config, command: &'static str) -> Result<&'a KeyRing, ServiceError> {
    let missing = "there is no sealing key; make one with `kommuneklient secrets generate --out FILE` and name the \
                   file in secrets.key_file";
    config.secrets.ring().ok_or_else(|| failed(command, missing))
}

/// Stops a server that this command started, unless a service has begun to use it meanwhile.
async fn end(embedded: Embedded, others: bool) -> Result<(), ServiceError> {
    if others {
        embedded.leave_running();
        return Ok(());
    }
    let stopped = embedded.stop().await;
    stopped.map_err(|source| ServiceError::Database { operation: "stop the embedded database", source })
}

/// Does another process use this server? When that cannot be told, it is left running.
async fn others_connected(store: &Store) -> bool {
    let Ok(client) = store.client("look for other connections").await else { return true };
    let query = "select exists (select from pg_stat_activity where backend_type = 'client backend' \
         and application_name <> current_setting('application_name'))";
    client.query_one(query, &[]).await.map_or(true, |row| row.get(0))
}

impl Desk {
    /// What the configuration of this command allows.
    pub(crate) fn allowed(&self) -> Allowed {
        Allowed {
            rediscovery: !self.config.listener.deactivate_solving_of_group_affinity,
            sending: !self.config.planner.dry_run,
        }
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        SystemClock.now()
    }

    /// Shows `value` to a program, or what `people` makes to people.
    pub(crate) fn answer(&self, value: &Value, people: impl FnOnce() -> String) {
        crate::cli::print(&if self.json { value.to_string() } else { people() });
    }

    /// Records that somebody acted.
    pub(crate) async fn record(&self, by: &str, act: &str, fields: Value) {
        record(&self.store, by, act, fields).await;
    }
}

/// Records that somebody acted (9503). The act is done: a log that cannot be written is told, and no failure.
pub(crate) async fn record(store: &Store, by: &str, act: &str, mut fields: Value) {
    fields["by"] = json!(by);
    fields["act"] = json!(act);
    let event = LoggedEvent {
        at: SystemClock.now(),
        event_id: codes::OPERATOR_ACTED.id,
        severity: "information".into(),
        source: codes::OPERATOR_ACTED.source.to_owned(),
        message: format!("an operator acted: {act}"),
        fields,
        trace_id: None,
    };
    if let Err(error) = application_log::append(store, "command line", &[event]).await {
        use std::io::Write;
        let _closed = writeln!(
            std::io::stderr(),
            "warning: done, but not recorded in application_log: {}",
            telemetry::chain(&error)
        );
    }
}

impl Who {
    /// The user of this session.
    pub(crate) const SESSION: Self = Self { by: None };

    /// The name to be recorded: as given, or that of the user of this session.
    pub(crate) fn name(&self) -> String {
        let given = self.by.clone().filter(|name| !name.trim().is_empty());
        let from = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
        given
            .or_else(|| from("SUDO_USER"))
            .or_else(|| from("USER"))
            .or_else(|| from("LOGNAME"))
            .unwrap_or_else(|| {
                let uid = rustix::process::getuid().as_raw();
                users::name_of(uid).unwrap_or_else(|| format!("uid {uid}"))
            })
    }
}

/// How often a followed operation is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests;
