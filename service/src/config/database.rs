//! `[database]`

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Problems, Section, secret};

/// Where everything is kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `embedded`, or the address of a PostgreSQL server. No default: `run` refuses to guess.
    #[serde(deserialize_with = "secret::optional", serialize_with = "secret::database_address")]
    pub url: Option<SecretString>,
    /// A file that holds the address instead.
    pub url_file: Option<PathBuf>,
    /// The folder of the embedded server.
    pub data_dir: PathBuf,
    /// The folder with `postgres` and `initdb` for the embedded server; looked for when absent.
    pub postgres_bin: Option<PathBuf>,
    /// Connections of this process at most; one more waits for wake-ups.
    pub pool_size: usize,
    /// May `run` bring the schema up to date? Else it waits until `kommuneklient migrate` has done it.
    pub migrate: bool,
    /// Is news told at once (LISTEN, NOTIFY)? Else intervals alone wake, as the original's did.
    pub wake_ups: bool,
}

/// Which database: the answer to `database.url`.
#[derive(Debug, Clone)]
pub enum Database {
    /// Start a PostgreSQL server on [`DatabaseConfig::data_dir`].
    Embedded,
    /// Connect to this server.
    Url(SecretString),
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            data_dir: PathBuf::from("/var/lib/kommuneklient"),
            postgres_bin: None,
            pool_size: 16,
            migrate: true,
            wake_ups: true,
        }
    }
}

impl DatabaseConfig {
    pub(super) fn required(&self, problems: &mut Problems) -> Option<Database> {
        let Some(url) = &self.url else {
            problems.missing(
                "database.url",
                "is missing; write url = \"embedded\" for a server of its own on database.data_dir, or \
                 url = \"postgres://user:password@host/database\"",
            );
            return None;
        };
        Some(match url.expose_secret() {
            "embedded" => Database::Embedded,
            _ => Database::Url(url.clone()),
        })
    }
}

impl Section for DatabaseConfig {
    const NAME: &'static str = "database";

    fn read_secrets(&mut self, problems: &mut Problems) {
        secret::from_file("url", &mut self.url, self.url_file.as_deref(), problems);
    }

    fn check(&self, check: &mut Problems) {
        if let Some(url) = &self.url {
            let text = url.expose_secret();
            // The key=value form of PostgreSQL is an address too; the driver knows its details.
            let is_address = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
            if text != "embedded" && !is_address && !text.contains('=') {
                check.add("url", "must be \"embedded\" or begin with postgres://");
            } else if text != "embedded"
                && let Err(error) = store::address::shown(url)
            {
                check.add(
                    "url",
                    format!(
                        "cannot be used as an address ({error}); write it like postgres://user:password@host:5432/database, \
                         with %40 for an @ in a name or password"
                    ),
                );
            }
        }
        check.range("pool_size", self.pool_size, 2..=500);
        check.not_empty("data_dir", &self.data_dir.to_string_lossy());
    }
}
