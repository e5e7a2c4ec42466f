//! The configuration: a TOML file, environment variables over it, secrets from files, everything checked
//! before anything starts.
//!
//! Protocol: [`Config::load`] reads and checks; it finds every problem it can, not just the first.
//! [`Config::for_run`] adds what only `run` needs: values that have no default because a guess could
//! harm. `config.example.toml` documents every key; a test keeps it complete.
//!
//! An environment variable `KOMMUNEKLIENT__<SECTION>__<KEY>` replaces a value of the file and takes the
//! type of the key that it replaces. Unknown keys are refused in both, because a misspelt limit that is
//! silently ignored is worse than a program that does not start.
//!
//! Failure behaviour: every error names where the value came from (file and line, or variable), the key,
//! and what to write instead. No error contains the value of a secret.

mod address;
mod calendar;
mod certificates;
mod daily_time;
mod database;
mod duration;
mod effective;
mod exchange;
mod http;
mod leases;
mod listener;
mod minutes;
mod node;
mod origin;
pub mod original;
mod planner;
mod problem;
mod qualifier;
mod retention;
mod roles;
mod secret;
mod secrets;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use connector_exchange::config::is_loopback;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use calendar::CalendarConfig;
pub use daily_time::DailyTime;
pub use database::{Database, DatabaseConfig};
pub use duration::HumanDuration;
pub use effective::{Effective, Examined};
pub use exchange::{ExchangeConfig, RequiredExchange};
pub use http::HttpConfig;
pub use leases::LeasesConfig;
pub use listener::ListenerConfig;
pub use origin::ValueSource;
pub use planner::{PlannerConfig, RequiredPlanner};
pub(crate) use problem::nearest;
pub use problem::{Problem, Problems};
pub use qualifier::QualifierConfig;
pub use retention::RetentionConfig;
pub use roles::{NodeConfig, Role};
pub(crate) use secret::read as read_secret;
pub use secrets::SecretsConfig;
pub(crate) use telemetry::LOG_FILE;
pub use telemetry::{LogFormat, TelemetryConfig};

use crate::ServiceError;
use crate::texts::{Language, Text, config as t};
use node::Node;
use origin::Origins;

/// What environment variables that set a value begin with.
pub const ENVIRONMENT_PREFIX: &str = "KOMMUNEKLIENT__";

/// The largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What stands for the password in `config.example.toml`. Refused passwords can lock an account.
const EXAMPLE_PASSWORD: &str = "replace me";

/// The whole configuration, one member a section.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `[node]`
    pub node: NodeConfig,
    /// `[database]`
    pub database: DatabaseConfig,
    /// `[exchange]`
    pub exchange: ExchangeConfig,
    /// `[listener]`
    pub listener: ListenerConfig,
    /// `[qualifier]`
    pub qualifier: QualifierConfig,
    /// `[planner]`
    pub planner: PlannerConfig,
    /// `[secrets]`
    pub secrets: SecretsConfig,
    /// `[calendar]`
    pub calendar: CalendarConfig,
    /// `[leases]`
    pub leases: LeasesConfig,
    /// `[retention_days]`
    pub retention_days: RetentionConfig,
    /// `[telemetry]`
    pub telemetry: TelemetryConfig,
    /// `[http]`
    pub http: HttpConfig,
    origins: Origins,
    /// Keys that were given by a name that they do not have any more: that name, and the present one.
    renamed: Vec<(&'static str, &'static str)>,
}

/// Names that keys had in earlier versions. They are still taken, and told.
const RENAMED: &[(&str, &str)] =
    &[("planner.adopt_after_unknown_outcome", "planner.compare_after_unknown_outcome")];

/// What `run` needs and has no default for.
#[derive(Debug, Clone)]
pub struct Required {
    /// Which database.
    pub database: Database,
    /// The account towards Exchange that counts while the database holds none (B12); `None` = there is none, or no
    /// role that reads Exchange.
    pub exchange: Option<RequiredExchange>,
    /// Which Planner, and who asks it; `None` = not the role for it.
    pub planner: Option<RequiredPlanner>,
}

/// One section: its name in the file and its rules.
trait Section: DeserializeOwned + Serialize + Default {
    /// The name between the brackets.
    const NAME: &'static str;

    /// Reports values that are out of range or do not go together.
    fn check(&self, check: &mut Problems);

    /// Reads the secrets that are kept in files of their own.
    fn read_secrets(&mut self, _problems: &mut Problems) {}
}

impl Config {
    /// Reads the file and this process's environment.
    ///
    /// # Errors
    /// [`ServiceError::ReadConfiguration`], [`ServiceError::ConfigurationSyntax`] or
    /// [`ServiceError::Configuration`] with every problem found.
    pub fn load(file: &Path) -> Result<Self, ServiceError> {
        Self::read(file, Self::environment(file)?)
    }

    /// What can be read of a configuration that cannot be used; the defaults for the rest, and for all of it where the file is
    /// away or no TOML. For telling so where and as it says, and for nothing else.
    pub fn readable_part(file: &Path) -> Self {
        let environment = Self::environment(file).unwrap_or_default();
        let text = Self::text(file).unwrap_or_default();
        Self::gather(file, &text, environment.clone())
            .or_else(|_no_toml| Self::gather(file, "", environment))
            .map(|(config, _problems)| config)
            .unwrap_or_default()
    }

    /// What this process's environment sets.
    ///
    /// # Errors
    /// [`ServiceError::Configuration`] for a value that is no text.
    pub(crate) fn environment(file: &Path) -> Result<Vec<(String, String)>, ServiceError> {
        let mut environment = Vec::new();
        for (name, value) in std::env::vars_os() {
            // A name that is no UTF-8 is none of ours.
            let Some(name) = name.to_str().filter(|name| name.starts_with(ENVIRONMENT_PREFIX)) else {
                continue;
            };
            match value.into_string() {
                Ok(value) => environment.push((name.to_owned(), value)),
                Err(_not_text) => return Err(not_text(file, name)),
            }
        }
        Ok(environment)
    }

    /// The same with an environment that is given.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ServiceError> {
        Self::parse(file, &Self::text(file)?, environment)
    }

    /// The text of a configuration's file.
    ///
    /// # Errors
    /// [`ServiceError::ReadConfiguration`].
    pub(crate) fn text(file: &Path) -> Result<Zeroizing<String>, ServiceError> {
        let read = |source| ServiceError::ReadConfiguration { file: file.to_owned(), source };
        // it may hold passwords: wiped when it is dropped
        let mut text = Zeroizing::new(String::new());
        let opened = File::open(file).map_err(read)?;
        opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(read)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(read(std::io::Error::other("larger than 1 MiB")));
        }
        Ok(text)
    }

    /// The same with a text that is given; `file` only names it in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        file: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ServiceError> {
        let (config, problems) = Self::gather(file, text, environment)?;
        config.answer(problems)?;
        Ok(config)
    }

    /// What can be read of a text, and everything that is wrong with it. What cannot be read has its default.
    fn gather(
        file: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Problems), ServiceError> {
        let mut origins = Origins::of(file, text)?;
        let table = text.parse::<toml::Table>().map_err(|error| origin::syntax(file, text, &error))?;
        let mut sections: BTreeMap<String, Node> =
            table.into_iter().map(|(name, value)| (name, Node::from(value))).collect();
        let mut problems = Problems::default();
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                overlay(&mut sections, &mut origins, key, &name, value, &mut problems);
            }
        }
        let renamed = rename(&mut sections, &mut origins, &mut problems);
        let mut config = Self {
            renamed,
            node: section(&mut sections, &mut problems),
            database: section(&mut sections, &mut problems),
            exchange: section(&mut sections, &mut problems),
            listener: section(&mut sections, &mut problems),
            qualifier: section(&mut sections, &mut problems),
            planner: section(&mut sections, &mut problems),
            secrets: section(&mut sections, &mut problems),
            calendar: section(&mut sections, &mut problems),
            leases: section(&mut sections, &mut problems),
            retention_days: section(&mut sections, &mut problems),
            telemetry: section(&mut sections, &mut problems),
            http: section(&mut sections, &mut problems),
            origins,
        };
        for name in sections.keys() {
            problems.add(name, format!("is no known section; known are {}", SECTIONS.join(", ")));
        }
        config.finish(&mut problems);
        Ok((config, problems))
    }

    /// Reads secrets from files and checks every section.
    fn finish(&mut self, problems: &mut Problems) {
        fn each<S: Section>(section: &mut S, problems: &mut Problems) {
            problems.enter(S::NAME);
            section.read_secrets(problems);
            section.check(problems);
            problems.leave();
        }
        each(&mut self.node, problems);
        each(&mut self.database, problems);
        each(&mut self.exchange, problems);
        each(&mut self.listener, problems);
        each(&mut self.qualifier, problems);
        each(&mut self.planner, problems);
        each(&mut self.secrets, problems);
        each(&mut self.calendar, problems);
        each(&mut self.leases, problems);
        each(&mut self.retention_days, problems);
        each(&mut self.telemetry, problems);
        each(&mut self.http, problems);
    }

    /// What `run` with the roles of `node.roles` needs and has no default for.
    ///
    /// # Errors
    /// [`ServiceError::Configuration`] with every value that is missing and what to write.
    pub fn for_run(&self) -> Result<Required, ServiceError> {
        let mut problems = Problems::default();
        self.run_needs(&mut problems).ok_or_else(|| self.refuse(problems))
    }

    fn run_needs(&self, problems: &mut Problems) -> Option<Required> {
        let database = self.database.required(problems);
        let exchange = if self.node.reads_exchange() {
            self.exchange.required(self.secrets.ring().is_some(), problems)
        } else {
            Some(None)
        };
        let planner = if self.node.has(Role::Communicate) {
            self.planner.required(problems).map(Some)
        } else {
            Some(None)
        };
        self.telemetry.usable(problems)?;
        Some(Required { database: database?, exchange: exchange?, planner: planner? })
    }

    /// What `migrate` needs: which database.
    ///
    /// # Errors
    /// As [`Config::for_run`].
    pub fn for_migrate(&self) -> Result<Database, ServiceError> {
        let mut problems = Problems::default();
        self.database.required(&mut problems).ok_or_else(|| self.refuse(problems))
    }

    /// The service account of the configuration, if there is one.
    pub fn default_account(&self) -> Option<RequiredExchange> {
        let (user, password) = (self.exchange.user.clone()?, self.exchange.password.clone()?);
        Some(RequiredExchange { user, password })
    }

    /// Options for [`telemetry::Telemetry::start`](::telemetry::Telemetry::start); the caller adds the registry of codes.
    pub fn telemetry_options(&self) -> ::telemetry::Options {
        let mut options = self.telemetry.options();
        if self.exchange.traces_calls() {
            options.log_filter.push_str(",connector_exchange=debug");
        }
        options
    }

    /// What works and should still be looked at, one sentence each, for the log at start.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings_in(Language::En)
    }

    /// The same in a language.
    pub fn warnings_in(&self, language: Language) -> Vec<String> {
        self.remarks().iter().map(|remark| in_words(remark, language)).collect()
    }

    /// The same as texts with their values.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        let renamed = |(old, new): &(&str, &str)| {
            (t::RENAMED, vec![("old", (*old).to_owned()), ("new", (*new).to_owned())])
        };
        let mut remarks: Vec<_> = self.renamed.iter().map(renamed).collect();
        let urls = [
            ("exchange.service_url", &self.exchange.service_url, t::PLAIN_PASSWORD),
            ("exchange.autodiscover_url", &self.exchange.autodiscover_url, t::PLAIN_PASSWORD),
            ("planner.service_url", &self.planner.service_url, t::PLAIN_APPOINTMENTS),
        ];
        for (key, url, text) in urls {
            if let Some(url) = url
                && url.scheme() == "http"
                && !is_loopback(url)
            {
                remarks.push((text, vec![("key", key.to_owned())]));
            }
        }
        let password = self.exchange.password.as_ref();
        let is_placeholder = password.is_some_and(|given| given.expose_secret() == EXAMPLE_PASSWORD);
        for (is_so, text) in [
            (self.exchange.danger_accept_invalid_certificates, t::ANY_CERTIFICATE),
            (self.planner.lacks_certificate(), t::LACKS_CERTIFICATE),
            (self.planner.dry_run, t::DRY_RUN),
            (is_placeholder, t::PLACEHOLDER),
        ] {
            if is_so {
                remarks.push((text, Vec::new()));
            }
        }
        remarks
    }

    fn answer(&self, problems: Problems) -> Result<(), ServiceError> {
        if problems.is_empty() { Ok(()) } else { Err(self.refuse(problems)) }
    }

    fn refuse(&self, mut problems: Problems) -> ServiceError {
        problems.locate(&self.origins);
        ServiceError::Configuration { file: self.origins.file().to_owned(), problems }
    }
}

/// What works and should still be looked at: a text with its values.
pub(crate) type Remark = (Text, Vec<(&'static str, String)>);

/// A remark in a language.
fn in_words((text, values): &Remark, language: Language) -> String {
    let values: Vec<(&str, &dyn Display)> =
        values.iter().map(|(name, value)| (*name, value as &dyn Display)).collect();
    text.fill(language, &values)
}

/// The names of all sections.
pub const SECTIONS: &[&str] = &[
    NodeConfig::NAME,
    DatabaseConfig::NAME,
    ExchangeConfig::NAME,
    ListenerConfig::NAME,
    QualifierConfig::NAME,
    PlannerConfig::NAME,
    SecretsConfig::NAME,
    CalendarConfig::NAME,
    LeasesConfig::NAME,
    RetentionConfig::NAME,
    TelemetryConfig::NAME,
    HttpConfig::NAME,
];

/// Whom a connection to these addresses trusts: the system's authorities and those of `extra`; nobody where
/// nothing is encrypted, so that a simulator can be used on a machine without certificates.
fn roots(urls: &[Option<&url::Url>], extra: Option<&Path>) -> trust::Roots {
    let encrypted = urls.iter().flatten().any(|url| url.scheme() == "https");
    match extra {
        Some(file) => trust::Roots::SystemAnd(file.to_owned()),
        None if encrypted => trust::Roots::System,
        None => trust::Roots::Nobody,
    }
}

fn not_text(file: &Path, variable: &str) -> ServiceError {
    let mut problems = Problems::default();
    problems.add(variable, "is an environment variable whose value is no UTF-8");
    problems.locate(&Origins::empty(file));
    ServiceError::Configuration { file: file.to_owned(), problems }
}

/// Gives keys with a former name their present one; answers which.
fn rename(
    sections: &mut BTreeMap<String, Node>,
    origins: &mut Origins,
    problems: &mut Problems,
) -> Vec<(&'static str, &'static str)> {
    let mut renamed = Vec::new();
    for &(old, new) in RENAMED {
        let (Some((section, old_key)), Some((_, new_key))) = (old.split_once('.'), new.split_once('.'))
        else {
            continue;
        };
        let Some(Node::Table(table)) = sections.get_mut(section) else { continue };
        let Some(value) = table.remove(old_key) else { continue };
        if table.contains_key(new_key) {
            problems.add(old, format!("is the former name of {new}, which is given, too; remove this one"));
            continue;
        }
        table.insert(new_key.to_owned(), value);
        origins.rename(old, new);
        renamed.push((old, new));
    }
    renamed
}

/// Puts the value of one environment variable over what the file says.
fn overlay(
    sections: &mut BTreeMap<String, Node>,
    origins: &mut Origins,
    key: &str,
    variable: &str,
    value: String,
    problems: &mut Problems,
) {
    let dotted = key.to_ascii_lowercase().replace("__", ".");
    origins.overlay(&dotted, variable, &value);
    let Some((section, key)) = dotted
        .split_once('.')
        .filter(|(section, key)| !section.is_empty() && !key.is_empty() && !key.contains('.'))
    else {
        problems.add(
            &dotted,
            format!("names no value; write {ENVIRONMENT_PREFIX}<SECTION>__<KEY>, like {ENVIRONMENT_PREFIX}PLANNER__SERVICE_URL"),
        );
        return;
    };
    let entry = sections.entry(section.to_owned()).or_insert_with(|| Node::Table(BTreeMap::new()));
    // Where the file has no table here, that is reported with the section itself.
    if let Node::Table(table) = entry {
        table.insert(key.to_owned(), Node::Text(value));
        // A secret may stand in a file in one place and be given outright in the other: the environment
        // wins here too.
        let sibling = key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), ToOwned::to_owned);
        if matches!(table.get(&sibling), Some(Node::Value(_))) {
            table.remove(&sibling);
            origins.forget(&format!("{section}.{sibling}"));
        }
    }
}

/// The number of the item in a path like `resource_update_schedule[1]`.
fn item_of(path: &str) -> Option<usize> {
    path.split_once('[')?.1.split_once(']')?.0.parse().ok()
}

/// Takes one section out of the whole and reads it. What cannot be read is reported and takes its
/// default, so that the rest is checked all the same.
fn section<S: Section>(sections: &mut BTreeMap<String, Node>, problems: &mut Problems) -> S {
    let mut table = match sections.remove(S::NAME) {
        None => return S::default(),
        Some(Node::Table(table)) => table,
        Some(_) => {
            problems.add(S::NAME, format!("is a section; write [{}] and its keys below", S::NAME));
            return S::default();
        }
    };
    problems.enter(S::NAME);
    let mut limits = Problems::default();
    S::default().check(&mut limits);
    let known = node::keys::<S>();
    table.retain(|key, _| {
        let is_known = known.contains(&key.as_str());
        if !is_known {
            problems.add(key, problem::unknown_key(key, known));
        }
        is_known
    });
    let section = loop {
        match serde_path_to_error::deserialize(Node::Table(table.clone())) {
            Ok(section) => break section,
            Err(error) => {
                let path = error.path().to_string();
                let key = path.split(['.', '[']).next().unwrap_or_default().to_owned();
                let reason = problem::plain(error.inner().message());
                let Some(node) = table.get_mut(&key) else {
                    // a problem of no key is the last
                    problems.add(&path, reason);
                    break S::default();
                };
                // Without what is wrong the next attempt finds the next problem.
                match node.take_item(item_of(&path)) {
                    Some(item) => problems.add(&format!("{key}[{item}]"), reason),
                    None => {
                        problems.add(&path, problem::with_allowed(reason, limits.allowed(&key)));
                        table.remove(&key);
                    }
                }
            }
        }
    };
    problems.leave();
    section
}

#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod tests;
