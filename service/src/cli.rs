//! The command line: parses, dispatches, prints, and turns errors into an exit status.
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage or configuration.

mod codes_args;
mod config_args;
mod credential_args;
#[cfg(feature = "simulators")]
mod demo_args;
mod lists_args;
mod metrics_args;
pub mod operators;
mod secrets_args;
#[cfg(feature = "simulators")]
mod simulate;
pub mod tools;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

pub use codes_args::CodesArgs;
pub use config_args::ConfigCommand;
pub use credential_args::{CredentialAdd, CredentialCommand, CredentialTest};
#[cfg(feature = "simulators")]
pub use demo_args::{DemoArgs, DemoFaults};
pub use lists_args::{ListsCommand, ListsImportArgs};
pub use metrics_args::MetricsArgs;
pub use operators::OperatorCommand;
pub use secrets_args::SecretsCommand;
#[cfg(feature = "simulators")]
pub use simulate::{SimulateCommand, SimulateExchangeArgs, SimulatedLogin};

use crate::ServiceError;
use crate::commands::{self, credential, secrets, with_store};
use crate::config::{Config, Role};
use crate::texts::{LanguageArg, refusals};

/// Keeps Jobcenter Planner aware of every appointment in Exchange calendars, one way, within a second.
#[derive(Debug, Parser)]
#[command(name = "kommuneklient", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// In which language; commands that know both have it among their arguments, too.
    #[command(flatten)]
    pub(crate) language: LanguageArg,
}

const EXAMPLES: &str = "\
Examples:
  kommuneklient demo                                   see it work, on this machine alone
  kommuneklient config check kommuneklient.toml        is this configuration usable?
  kommuneklient config import *.exe.config             take over the original's settings
  kommuneklient migrate --config kommuneklient.toml    bring the database schema up to date
  kommuneklient run --config kommuneklient.toml        run the service (--roles listen,qualify: only these stages)

With a running service (KOMMUNEKLIENT_CONFIG=kommuneklient.toml saves --config):
  kommuneklient pull anna@kommune.dk --wait            read a calendar in full, now
  kommuneklient compare --all --wait                   compare what Planner holds, now
  kommuneklient operations                             what was asked for, and how far it is
  kommuneklient resources list                         who is used, who is not, and why
  kommuneklient withheld list                          deletions that wait for somebody who looks
  kommuneklient set-aside list                         what is not tried any more, and why

Every setting of the file can be replaced by an environment variable, with two underscores for each dot:
  KOMMUNEKLIENT__PLANNER__SERVICE_URL=https://…  kommuneklient run --config kommuneklient.toml

config.example.toml documents every setting.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service until SIGTERM or SIGINT.
    ///
    /// Needs a configuration with at least database.url; for the roles listen and qualify exchange.service_url (or
    /// exchange.autodiscover_url), exchange.user and exchange.password (or secrets.key_file and accounts in the
    /// database); for the role communicate planner.service_url, planner.jobcenter_number and
    /// planner.request_user_identifier. Health and metrics are served on
    /// http.listen: /health/live, /health/ready, /metrics.
    Run(RunArgs),
    /// Bring the database schema up to date and end.
    ///
    /// `run` does the same at its start; this is for installations where another account owns the schema.
    /// Safe to run at any time and by several at once.
    Migrate(ConfigFile),
    /// Work with configuration files.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Explain event codes: what they mean, when they call for somebody, what to do and what to look at.
    ///
    /// Needs no configuration and no database.
    Codes(CodesArgs),
    /// List the metrics that `/metrics` exports, with what they mean.
    ///
    /// Needs no configuration and no database.
    Metrics(MetricsArgs),
    /// Keep service accounts towards Exchange in the database, with sealed passwords.
    ///
    /// While there are any, exchange.user of the configuration is not used.
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Make, look at and change the keys that secrets in the database are sealed under.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// What operators ask of a running service.
    #[command(flatten)]
    Operator(OperatorCommand),
    /// Run a stand-in for Exchange or for Jobcenter Planner.
    #[cfg(feature = "simulators")]
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Show calendars being kept in step, on this machine alone.
    ///
    /// Starts an embedded PostgreSQL, both simulators and the service as processes, changes calendars, stops
    /// changing, and compares what Planner then holds with what it should hold. Status 0 only when equal.
    #[cfg(feature = "simulators")]
    Demo(DemoArgs),
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file (TOML; config.example.toml documents every key).
    #[arg(long, value_name = "FILE", env = "KOMMUNEKLIENT_CONFIG")]
    pub config: PathBuf,
}

/// What `run` runs.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The stages that this process runs, instead of node.roles; separated by commas.
    #[arg(long, value_name = "ROLES", value_enum, value_delimiter = ',', num_args = 1..)]
    pub roles: Option<Vec<Role>>,
}

/// Parses this process's arguments and does what they say.
pub fn main() -> ExitCode {
    trust::install_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(with_hint(error)),
    };
    match perform(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let word = refusals::ERROR.say(error.language());
            let _closed = writeln!(std::io::stderr(), "{word}: {}", telemetry::chain(&error));
            error.exit_code()
        }
    }
}

/// Tells what is wrong with how a command was written, or the help that was asked for.
fn usage(error: clap::Error) -> ExitCode {
    // nobody is left to tell when the stream is closed
    let _closed = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Says of a command without a configuration that the environment can name one, too.
fn with_hint(mut error: clap::Error) -> clap::Error {
    let lacks_configuration = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(lacking)) => lacking.iter().any(|one| one.starts_with("--config ")),
        _ => false,
    };
    if error.kind() == ErrorKind::MissingRequiredArgument && lacks_configuration {
        let tip = "the environment variable KOMMUNEKLIENT_CONFIG can name the file, too";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Does what the command says.
fn perform(command: Command) -> Result<(), ServiceError> {
    match command {
        Command::Run(arguments) => run(&arguments),
        Command::Migrate(ConfigFile { config }) => migrate(&Config::load(&config)?),
        Command::Config(command) => commands::config::perform(&command),
        Command::Codes(arguments) => commands::event_codes::show(&arguments),
        Command::Metrics(arguments) => commands::metrics::show(&arguments),
        Command::Operator(command) => commands::perform(command),
        Command::Credential(command) => credential(&command),
        Command::Secrets(command) => secrets(&command),
        #[cfg(feature = "simulators")]
        Command::Simulate(simulator) => crate::simulate::simulate(simulator),
        #[cfg(feature = "simulators")]
        Command::Demo(arguments) => demo(arguments),
    }
}

/// Runs the demonstration and prints what it found. Only a Planner that is in step is a success.
#[cfg(feature = "simulators")]
fn demo(arguments: DemoArgs) -> Result<(), ServiceError> {
    let failed =
        |source| ServiceError::Command { command: "demo", language: crate::texts::Language::En, source };
    let json = arguments.json;
    let settings = arguments.settings();
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    let report = runtime.block_on(crate::demo::run(&settings)).map_err(|error| failed(error.into()))?;
    if json {
        print(&serde_json::to_string(&report).map_err(|error| failed(error.into()))?);
    } else {
        print(&report.table());
    }
    if report.converged { Ok(()) } else { Err(failed("Planner is not in step with Exchange".into())) }
}

fn run(arguments: &RunArgs) -> Result<(), ServiceError> {
    let file = &arguments.config.config;
    let with_roles = |mut config: Config| {
        if let Some(roles) = &arguments.roles {
            config.node.roles.clone_from(roles);
        }
        config
    };
    let refused = |error: &ServiceError| crate::run::refused(&with_roles(Config::readable_part(file)), error);
    crate::run::run(&with_roles(Config::load(file).inspect_err(refused)?))
}

fn credential(command: &CredentialCommand) -> Result<(), ServiceError> {
    match command {
        CredentialCommand::Add(arguments) => {
            let config = Config::load(&arguments.config.config)?;
            let changed = with_store("credential add", &config, async |store| {
                credential::add(store, &config, arguments).await
            })?;
            print_changed("credential add", &changed, arguments.json)?;
        }
        CredentialCommand::List { config, json } => {
            let config = Config::load(&config.config)?;
            let listing =
                with_store("credential list", &config, async |store| credential::list(store, &config).await)?;
            print(&if *json { to_json("credential list", &listing)? } else { listing.text() });
        }
        CredentialCommand::Test(arguments) => {
            let config = Config::load(&arguments.config.config)?;
            let logons = with_store("credential test", &config, async |store| {
                credential::test(store, &config, arguments).await
            })?;
            if arguments.json {
                print(&to_json("credential test", &logons)?);
            } else {
                logons.iter().for_each(|logon| print(&logon.text()));
            }
            if logons.iter().any(|logon| !logon.ok) {
                return Err(commands::failed("credential test", "not every account can log on"));
            }
        }
        CredentialCommand::Remove { user, force, who, json, config } => {
            let config = Config::load(&config.config)?;
            let by = who.name();
            let changed = with_store("credential remove", &config, async |store| {
                credential::remove(store, &config, user, *force, &by).await
            })?;
            print_changed("credential remove", &changed, *json)?;
        }
    }
    Ok(())
}

fn print_changed(
    command: &'static str,
    changed: &credential::Changed,
    json: bool,
) -> Result<(), ServiceError> {
    if json {
        print(&to_json(command, changed)?);
    } else {
        print(changed.text());
    }
    Ok(())
}

fn secrets(command: &SecretsCommand) -> Result<(), ServiceError> {
    match command {
        SecretsCommand::Generate { out } => print(&secrets::generate(out.as_deref())?),
        SecretsCommand::Rotate { config, dry_run, json } => {
            let config = Config::load(&config.config)?;
            let rotation = with_store("secrets rotate", &config, async |store| {
                secrets::rotate(store, &config, *dry_run).await
            })?;
            print(&if *json { to_json("secrets rotate", &rotation)? } else { rotation.text() });
            if !rotation.is_whole() {
                return Err(commands::failed(
                    "secrets rotate",
                    "some secrets cannot be opened and were left as they are",
                ));
            }
        }
        SecretsCommand::Status { config, json } => {
            let config = Config::load(&config.config)?;
            let status = with_store("secrets status", &config, async |store| {
                secrets::status(store, config.secrets.ring()).await
            })?
            .with_exposed(config.secrets.exposed());
            print(&if *json { to_json("secrets status", &status)? } else { status.text() });
        }
    }
    Ok(())
}

fn to_json(command: &'static str, value: &impl serde::Serialize) -> Result<String, ServiceError> {
    serde_json::to_string(value).map_err(|error| commands::failed(command, error))
}

fn migrate(config: &Config) -> Result<(), ServiceError> {
    let applied = crate::migrate::migrate(config)?;
    for name in &applied {
        print(&format!("applied {name}"));
    }
    if applied.is_empty() {
        print("the schema is up to date");
    }
    Ok(())
}

/// A line on standard output. A reader that went away (`| head`) is no failure of the command.
pub(crate) fn print(line: &str) {
    let _closed = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests;
