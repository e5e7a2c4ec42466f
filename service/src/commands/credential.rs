//! `kommuneklient credential`: the service accounts that the database holds (B12).
//!
//! A password comes from the terminal without being shown, from a file or from standard input; it is sealed before it
//! goes anywhere. Nothing that is printed holds one.

mod logon;

use std::io::{IsTerminal, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;
use store::Store;
use store::accounts::AccountLoad;
use store::credentials::{Removal, StoredCredential, password_place};
use zeroize::Zeroizing;

use super::show::{moment, table};
use super::{failed, secrets, stored};
use crate::ServiceError;
use crate::accounts;
use crate::cli::CredentialAdd;
use crate::config::{self, Config};

pub(crate) use logon::test;

/// The commands, as a refusal names them.
const ADD: &str = "credential add";
const TEST: &str = "credential test";
const REMOVE: &str = "credential remove";
/// The longest name of an account, in bytes; directories take 256 characters at most.
const USER_BYTES_MAX: usize = 512;
/// The longest password, in bytes; directories take 256 characters at most.
const PASSWORD_BYTES_MAX: usize = 1024;

/// What a change of an account did, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Changed {
    /// Its name.
    user: String,
    /// `added`, `replaced` or `removed`.
    done: &'static str,
    /// Its number, where it has one still.
    number: Option<i64>,
    /// The key that its password is sealed under.
    key_id: Option<String>,
    /// Groups that go to other accounts.
    groups: u64,
    /// For people.
    #[serde(skip)]
    text: String,
}

impl Changed {
    /// For people.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Adds an account, or replaces its password; answers what was done.
pub(crate) async fn add(
    store: &Store,
    config: &Config,
    arguments: &CredentialAdd,
) -> Result<Changed, ServiceError> {
    let user = checked_user(ADD, &arguments.user)?;
    let ring = super::ring(config, ADD)?;
    let rows = store.credentials().await.map_err(stored("load the service accounts"))?;
    let known = rows.iter().find(|row| is_named(row, user));
    match (known, arguments.replace) {
        (Some(_), false) => {
            return Err(failed(
                ADD,
                format!("{user} is there already; give --replace to change its password"),
            ));
        }
        (None, true) => {
            return Err(failed(ADD, format!("{user} is not there; add it without --replace")));
        }
        _ => {}
    }
    let password = checked_password(read_password(user, arguments.password_file.as_deref())?)?;
    let account = match known {
        Some(row) => row.account,
        None => store.next_credential().await.map_err(stored("add a service account"))?,
    };
    let sealed = ring.seal(password_place(account), &password).map_err(|error| failed(ADD, error))?;
    let done = match known {
        Some(_) => store.change_password(account, &sealed).await,
        None => store.add_credential(account, user, &sealed).await,
    };
    if !done.map_err(stored("store a service account"))? {
        return Err(failed(ADD, format!("{user} was added or removed by somebody else just now; try again")));
    }
    let act = if known.is_some() { "credential add --replace" } else { "credential add" };
    let fields = json!({ "user": user, "account": account.get(), "key": sealed.key_id.as_str() });
    super::record(store, &arguments.who.name(), act, fields).await;
    let verb = if known.is_some() { "changed the password of" } else { "added" };
    let mut text = format!("{verb} {user} (number {account}), sealed under the key {}", sealed.key_id);
    if rows.is_empty() && config.exchange.user.is_some() {
        text.push_str("\nexchange.user of the configuration is no longer used: the accounts of the database go before it");
    }
    text.push_str(&format!("\n{}", secrets::instances_need(sealed.key_id.as_str(), "it")));
    text.push_str(&format!("\nnext: kommuneklient credential test {user}"));
    Ok(Changed {
        user: user.to_owned(),
        done: if known.is_some() { "replaced" } else { "added" },
        number: Some(account.get()),
        key_id: Some(sealed.key_id.to_string()),
        groups: 0,
        text,
    })
}

fn is_named(row: &StoredCredential, user: &str) -> bool {
    row.user_name.to_lowercase() == user.to_lowercase()
}

fn checked_user<'a>(command: &'static str, user: &'a str) -> Result<&'a str, ServiceError> {
    let refuse = |reason: &str| Err(failed(command, format!("the name of the account {reason}")));
    let user = user.trim();
    if user.is_empty() {
        return refuse("is empty");
    }
    if user.contains(':') {
        return refuse("holds a colon, at which basic authentication ends it");
    }
    if user.len() > USER_BYTES_MAX || user.chars().any(char::is_control) {
        return refuse("is too long, or holds characters that cannot be typed");
    }
    Ok(user)
}

/// From the file, from the terminal (twice, so that a mistake is found here), or from standard input.
fn read_password(user: &str, file: Option<&Path>) -> Result<SecretString, ServiceError> {
    let unread = |error: std::io::Error| failed(ADD, format!("the password cannot be read: {error}"));
    if let Some(file) = file {
        return config::read_secret(file)
            .map_err(|error| failed(ADD, format!("cannot read {}: {error}", file.display())));
    }
    if !std::io::stdin().is_terminal() {
        // wiped when it is dropped; room for all of it at once, so that no part is left behind by growing
        let mut text = Zeroizing::new(String::with_capacity(PASSWORD_BYTES_MAX + 4));
        std::io::stdin().take(PASSWORD_BYTES_MAX as u64 + 3).read_to_string(&mut text).map_err(unread)?;
        return Ok(text.strip_suffix('\n').map_or(text.as_str(), |line| line.trim_end_matches('\r')).into());
    }
    let ask = |prompt: String| rpassword::prompt_password(prompt).map(SecretString::from).map_err(unread);
    let first = ask(format!("Password of {user}: "))?;
    let second = ask("Once more: ".to_owned())?;
    if first.expose_secret() != second.expose_secret() {
        return Err(failed(ADD, "the two passwords differ; nothing was changed"));
    }
    Ok(first)
}

fn checked_password(password: SecretString) -> Result<SecretString, ServiceError> {
    let text = password.expose_secret();
    if text.is_empty() {
        return Err(failed(ADD, "the password is empty; nothing was changed"));
    }
    if text.len() > PASSWORD_BYTES_MAX {
        return Err(failed(ADD, format!("the password is longer than {PASSWORD_BYTES_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(failed(ADD, "the password holds more than one line, or characters that cannot be typed"));
    }
    Ok(password)
}

/// One account as `list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    /// Its number; 0 = the account of the configuration.
    number: i64,
    /// Its name; absent for the account of the configuration when that names none.
    user: Option<String>,
    /// The key that its password is sealed under.
    key_id: Option<String>,
    /// Why its password cannot be used, if so.
    problem: Option<String>,
    /// When its password was entered, if that is known.
    password_changed_at: Option<String>,
    /// Affinity groups that it carries.
    groups: usize,
    /// Groups that it may still take.
    groups_free: usize,
    /// Mailboxes in its groups.
    mailboxes: usize,
    /// Mailboxes that it may still take.
    mailboxes_free: usize,
    /// Until when its calls wait.
    waits_until: Option<String>,
    /// Why they wait: `busy` or `refused`.
    waits_because: Option<&'static str>,
}

/// All accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Listing {
    /// By number.
    accounts: Vec<Listed>,
    /// Mailboxes in use that no account has room for.
    mailboxes_not_covered: usize,
}

/// Looks at the accounts and what they carry.
pub(crate) async fn list(store: &Store, config: &Config) -> Result<Listing, ServiceError> {
    let rows = store.credentials().await.map_err(stored("load the service accounts"))?;
    let capacity = store.account_capacity().await.map_err(stored("read what the accounts carry"))?;
    let is_there = |load: &&AccountLoad| {
        // the account of the configuration, where that names none
        load.user_name.is_some() || load.groups > 0 || config.exchange.user.is_some()
    };
    let accounts =
        capacity.accounts.iter().filter(is_there).map(|load| listed(load, &rows, config)).collect();
    Ok(Listing { accounts, mailboxes_not_covered: capacity.not_covered })
}

fn listed(load: &AccountLoad, rows: &[StoredCredential], config: &Config) -> Listed {
    let row = rows.iter().find(|row| row.account == load.account);
    let (per_account, per_group) = (
        config.listener.subscription_groups_per_credential,
        config.listener.mailboxes_per_subscription_group,
    );
    let problem = row.and_then(|row| accounts::password(row, config.secrets.ring()).err());
    Listed {
        number: load.account.get(),
        user: load.user_name.clone().or_else(|| config.exchange.user.clone()),
        key_id: row.and_then(|row| row.password.as_ref()).map(|sealed| sealed.key_id.to_string()),
        problem: problem.map(|error| error.to_string()),
        password_changed_at: row.and_then(|row| row.password_changed_at).map(|at| at.to_string()),
        groups: load.groups,
        groups_free: per_account.saturating_sub(load.groups),
        mailboxes: load.mailboxes,
        mailboxes_free: (per_account * per_group).saturating_sub(load.mailboxes),
        waits_until: load.waits.map(|(until, _)| until.to_string()),
        waits_because: load.waits.map(|(_, reason)| reason.as_str()),
    }
}

impl Listing {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let row = |one: &Listed| {
            let of_configuration = if one.number == 0 { "(configuration)" } else { "" };
            let waits = one.waits_until.iter().zip(one.waits_because);
            vec![
                one.number.to_string(),
                one.user.clone().unwrap_or_else(|| of_configuration.to_owned()),
                one.key_id.clone().unwrap_or_else(|| of_configuration.to_owned()),
                one.password_changed_at.as_deref().map(day).unwrap_or_default(),
                format!("{} of {}", one.groups, one.groups + one.groups_free),
                format!("{} of {}", one.mailboxes, one.mailboxes + one.mailboxes_free),
                waits.map(|(until, why)| format!("{why}, until {}", for_people(until))).collect(),
            ]
        };
        let headings = ["ID", "USER", "KEY", "PASSWORD SINCE", "GROUPS", "MAILBOXES", "WAITS"];
        let empty = "there is no service account; add one: kommuneklient credential add USER";
        let mut text = table(&headings, self.accounts.iter().map(row).collect(), empty);
        for one in &self.accounts {
            if let (Some(user), Some(problem)) = (&one.user, &one.problem) {
                text.push_str(&format!("\n{user} cannot be used: {problem}"));
            }
        }
        if self.mailboxes_not_covered > 0 {
            text.push_str(&format!(
                "\nmailboxes that are not covered: {} (no account that the running service can use has room for them; {})",
                self.mailboxes_not_covered,
                if self.accounts.iter().any(|one| one.groups_free > 0) {
                    "it looks again within minutes, and its log names accounts that it cannot use (9602)"
                } else {
                    "add one: kommuneklient credential add USER"
                }
            ));
        }
        text
    }
}

/// A time in ISO 8601 in the time zone of this machine, to the second.
fn for_people(at: &str) -> String {
    at.parse().map_or_else(|_: jiff::Error| at.to_owned(), moment)
}

/// The date of such a time.
fn day(at: &str) -> String {
    for_people(at).split([' ', 'T']).next().unwrap_or_default().to_owned()
}

/// Removes an account; answers what was done.
pub(crate) async fn remove(
    store: &Store,
    config: &Config,
    user: &str,
    force: bool,
    by: &str,
) -> Result<Changed, ServiceError> {
    let user = checked_user(REMOVE, user)?;
    let removal = store.remove_credential(user, force).await.map_err(stored("remove a service account"))?;
    match removal {
        Removal::Unknown => Err(failed(
            REMOVE,
            format!("there is no service account {user}; see kommuneklient credential list"),
        )),
        Removal::Carries(groups) => {
            let rows = store.credentials().await.map_err(stored("load the service accounts"))?;
            let others: Vec<&str> =
                rows.iter().filter(|row| !is_named(row, user)).map(|row| row.user_name.as_str()).collect();
            Err(failed(REMOVE, carries(user, groups, &others, config.exchange.user.is_some())))
        }
        Removal::Removed { groups } => {
            let fields = json!({ "user": user, "groups": groups });
            super::record(store, by, "credential remove", fields).await;
            let left = store.credentials().await.map_err(stored("load the service accounts"))?;
            let others: Vec<&str> = left.iter().map(|row| row.user_name.as_str()).collect();
            let text = removed(user, groups, &others, config.exchange.user.is_some());
            Ok(Changed { user: user.to_owned(), done: "removed", number: None, key_id: None, groups, text })
        }
    }
}

/// So many affinity groups, in words.
fn affinity_groups(count: u64) -> String {
    format!("{count} affinity group{}", if count == 1 { "" } else { "s" })
}

/// Why an account with so many groups is not removed without more, and what would become of its mailboxes.
fn carries(user: &str, groups: u64, others: &[&str], is_configured: bool) -> String {
    let then = match (others.is_empty(), is_configured) {
        (false, _) => format!("then {}", takers(others)),
        (true, true) => "it is the last: exchange.user of the configuration then takes its mailboxes as far as it has room".to_owned(),
        (true, false) => {
            "it is the last: no mailbox can be listened to then until another is added".to_owned()
        }
    };
    format!("{user} carries {}; give --force to remove it all the same; {then}", affinity_groups(groups))
}

/// Most accounts that are named.
const NAMED_MAX: usize = 5;

/// Which accounts take the mailboxes of one that goes.
fn takers(others: &[&str]) -> String {
    let named = others[..others.len().min(NAMED_MAX)].join(", ");
    let (more, have) = match (others.len().saturating_sub(NAMED_MAX), others.len()) {
        (0, 1) => (String::new(), "it has"),
        (0, _) => (String::new(), "they have"),
        (more, _) => (format!(" and {more} more"), "they have"),
    };
    format!("its mailboxes go to {named}{more} as far as {have} room")
}

/// What the removal of an account with so many groups means: only where others are left may these take its mailboxes.
fn removed(user: &str, groups: u64, others: &[&str], is_configured: bool) -> String {
    let mailboxes =
        if groups > 0 { format!("the mailboxes of its {}", affinity_groups(groups)) } else { String::new() };
    match (others.is_empty(), groups, is_configured) {
        (false, 0, _) => format!("removed {user}"),
        (false, ..) => {
            format!("removed {user}, which carried {}; {}", affinity_groups(groups), takers(others))
        }
        (true, 0, true) => {
            format!("removed {user}\nit was the last: exchange.user of the configuration is used from now on")
        }
        (true, _, true) => format!(
            "removed {user}\nit was the last: exchange.user of the configuration is used from now on, and {mailboxes} go to it as far as it has room"
        ),
        (true, 0, false) => {
            format!("removed {user}\nit was the last: no mailbox can be listened to until another is added")
        }
        (true, _, false) => format!(
            "removed {user}\nit was the last: no mailbox can be listened to until another is added, {mailboxes} among them"
        ),
    }
}

#[cfg(test)]
mod tests;
