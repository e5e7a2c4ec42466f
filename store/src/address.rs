//! The address of a database: whether it can be used, and what of it may be shown.

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::StoreError;

/// Checks the address and answers it without its password, like `postgres://user:***@host:5432/database`.
///
/// # Errors
/// [`StoreError::Url`], with what is wrong and nothing of the address.
pub fn shown(url: &SecretString) -> Result<String, StoreError> {
    let config = parse(url)?;
    let user = match (config.get_user(), config.get_password()) {
        (Some(user), Some(_)) => format!("{user}:***@"),
        (Some(user), None) => format!("{user}@"),
        (None, _) => String::new(),
    };
    let database = config.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
    Ok(format!("postgres://{user}{}{database}", hosts(&config)))
}

/// Reads the address; the error holds nothing of it.
pub(crate) fn parse(url: &SecretString) -> Result<Config, StoreError> {
    let config: Config = url
        .expose_secret()
        .parse()
        .map_err(|error: tokio_postgres::Error| StoreError::Url { reason: reason_of(&error) })?;
    if config.get_hosts().is_empty() {
        return Err(StoreError::Url { reason: "it names no host".into() });
    }
    Ok(config)
}

/// The hosts with their ports: where somebody has to look when the database does not answer.
pub(crate) fn hosts(config: &Config) -> String {
    let ports = config.get_ports();
    let one = |(number, host): (usize, &Host)| match host {
        Host::Unix(folder) => folder.display().to_string(),
        Host::Tcp(name) => {
            // one port for all, one for each, or the usual one
            let port = ports.get(number).or(ports.first()).copied().unwrap_or(5432);
            if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
        }
    };
    let hosts: Vec<String> = config.get_hosts().iter().enumerate().map(one).collect();
    hosts.join(",")
}

/// The innermost reason of a parse error; the text never holds the string that was parsed.
fn reason_of(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error)
        .map_or_else(|| "it is not a connection string".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> Result<String, String> {
        shown(&url.to_owned().into()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_shown_names_the_place_and_no_password() {
        for (url, expected) in [
            ("postgres://u:s3cret@db.kommune.dk/k", "postgres://u:***@db.kommune.dk:5432/k"),
            ("postgresql://u@a:1,b:2/k?password=s3cret", "postgres://u:***@a:1,b:2/k"),
            ("host=db port=6000 user=u password='s3 cret' dbname=k", "postgres://u:***@db:6000/k"),
            ("host='/run/postgresql' user=u dbname=k", "postgres://u@/run/postgresql/k"),
        ] {
            assert_eq!(told(url).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_without_the_address() {
        for url in [
            "postgres://u:s3cret@db:abc/k",
            "postgres://u:s3cret@db:70000/k",
            "user=u password=s3cret",
            "s3cret",
        ] {
            let error = told(url).unwrap_err();
            assert!(error.starts_with("database.url cannot be used: "), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(
            told("postgres://u@db:abc/k").unwrap_err().contains("port"),
            "{:?}",
            told("postgres://u@db:abc/k")
        );
    }
}
