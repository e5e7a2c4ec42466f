//! `kommuneklient secrets`: keys, what is sealed under each, and rotation.
//!
//! Rotation goes row by row, each by compare-and-set on what was read, so that it can be interrupted and repeated and
//! never undoes a password that is changed meanwhile.
//!
//! Failure: a row that does not open is told and left; the others are sealed anew, and the command ends with
//! status 1.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use store::Store;
use store::credentials::{StoredCredential, password_place};
use trust::seal::{KeyRing, SealingKey};

use super::show::table;
use super::{failed, stored};
use crate::ServiceError;
use crate::accounts;
use crate::cli::operators::Who;
use crate::config::Config;

/// The commands, as a refusal names them.
const GENERATE: &str = "secrets generate";
const ROTATE: &str = "secrets rotate";
/// Readings of the table by one rotation: each but the first is for rows that were changed meanwhile.
const PASSES_MAX: usize = 5;

/// The role of a key that secrets are sealed under and no setting names.
const NOT_CONFIGURED: &str = "not configured";

/// What instances that run need to open what was sealed under a key: it is read at their start, and no other instance
/// can tell which they have.
pub(super) fn instances_need(key_id: &str, what: &str) -> String {
    format!(
        "an instance that was not started with the key {key_id} cannot open {what} (9602): restart it with that key as its secrets.key_file"
    )
}

/// Makes a key; answers what to print.
pub(crate) fn generate(out: Option<&Path>) -> Result<String, ServiceError> {
    let key = SealingKey::generate().map_err(|error| failed(GENERATE, error))?;
    let Some(out) = out else { return Ok(key.text().expose_secret().to_owned()) };
    key.write_new(out).map_err(|error| failed(GENERATE, error))?;
    Ok(format!(
        "made the key {} in {}\nnext: set secrets.key_file to it (a key that was in use goes to secrets.previous_key_files), restart the service, and keep a copy apart from the copies of the database",
        key.id(),
        out.display()
    ))
}

/// What is sealed under one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeyUse {
    /// Its id.
    key_id: String,
    /// `current`, `previous` or `not configured`.
    role: &'static str,
    /// Secrets that are sealed under it.
    secrets: usize,
}

/// A secret that does not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Closed {
    /// Of which account.
    user: String,
    /// Why, and what to do.
    reason: String,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    /// By key: the configured ones, then others.
    keys: Vec<KeyUse>,
    /// What does not open with the configured keys.
    closed: Vec<Closed>,
    /// Ids of former keys that nothing in this database needs any more.
    removable: Vec<String>,
    /// Files of keys that others than their owner can use, and who.
    exposed: Vec<Exposed>,
}

/// The file of a key that others than its owner can use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Exposed {
    /// The file.
    file: String,
    /// Who can do what.
    who: &'static str,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rotation {
    /// Was nothing changed because only this was asked?
    dry_run: bool,
    /// Accounts whose passwords were (or would be) sealed anew.
    resealed: Vec<String>,
    /// What is there now.
    status: Status,
}

impl Rotation {
    /// Is everything under the current key?
    pub(crate) fn is_whole(&self) -> bool {
        let is_left = |key: &KeyUse| key.role != "current" && key.secrets > 0;
        self.status.closed.is_empty() && (self.dry_run || !self.status.keys.iter().any(is_left))
    }
}

/// Looks at everything that is sealed.
pub(crate) async fn status(store: &Store, ring: Option<&KeyRing>) -> Result<Status, ServiceError> {
    let rows = store.credentials().await.map_err(stored("load the sealed secrets"))?;
    Ok(status_of(&rows, ring))
}

fn status_of(rows: &[StoredCredential], ring: Option<&KeyRing>) -> Status {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for sealed in rows.iter().filter_map(|row| row.password.as_ref()) {
        *counts.entry(sealed.key_id.as_str()).or_default() += 1;
    }
    let mut keys = Vec::new();
    for (place, id) in ring.iter().flat_map(|ring| ring.ids()).enumerate() {
        let role = if place == 0 { "current" } else { "previous" };
        keys.push(KeyUse {
            key_id: id.to_string(),
            role,
            secrets: counts.remove(id.as_str()).unwrap_or_default(),
        });
    }
    let removable = keys
        .iter()
        .filter(|key| key.role == "previous" && key.secrets == 0)
        .map(|key| key.key_id.clone())
        .collect();
    let others = counts.into_iter().map(|(id, secrets)| KeyUse {
        key_id: id.to_owned(),
        role: NOT_CONFIGURED,
        secrets,
    });
    keys.extend(others);
    let closed =
        rows.iter().filter(|row| row.password.is_some()).filter_map(|row| closed(row, ring)).collect();
    Status { keys, closed, removable, exposed: Vec::new() }
}

fn closed(row: &StoredCredential, ring: Option<&KeyRing>) -> Option<Closed> {
    let error = accounts::password(row, ring).err()?;
    Some(Closed { user: row.user_name.clone(), reason: error.to_string() })
}

/// Seals everything under the current key that is not.
///
/// # Errors
/// No key is configured; the database is away (what was done stays done).
pub(crate) async fn rotate(store: &Store, config: &Config, dry_run: bool) -> Result<Rotation, ServiceError> {
    if config.secrets.ring().is_none() {
        refuse_without_keys(&status(store, None).await?)?;
    }
    let ring = super::ring(config, ROTATE)?;
    let mut resealed = Vec::new();
    for _pass in 0..PASSES_MAX {
        let rows = store.credentials().await.map_err(stored("load the sealed secrets"))?;
        let mut overtaken = false;
        for row in rows.iter().filter(|row| is_due(row, ring)) {
            let (Some(before), Ok(password)) = (&row.password, accounts::password(row, Some(ring))) else {
                continue;
            };
            if !dry_run {
                let sealed = ring
                    .seal(password_place(row.account), &password)
                    .map_err(|error| failed(ROTATE, error))?;
                let done = store.reseal_password(row.account, before, &sealed).await;
                if !done.map_err(stored("store a secret that was sealed anew"))? {
                    overtaken = true;
                    continue;
                }
            }
            resealed.push(row.user_name.clone());
        }
        if !overtaken {
            break;
        }
    }
    if !dry_run && !resealed.is_empty() {
        let fields = json!({ "users": resealed, "key": ring.current().as_str() });
        super::record(store, &Who::SESSION.name(), "secrets rotate", fields).await;
    }
    Ok(Rotation { dry_run, resealed, status: status(store, Some(ring)).await? })
}

/// Refuses where no key is configured and something is sealed: a new key would open nothing of it.
fn refuse_without_keys(status: &Status) -> Result<(), ServiceError> {
    let keys: Vec<&str> = status.keys.iter().map(|key| key.key_id.as_str()).collect();
    let (key, files) = match keys[..] {
        [] => return Ok(()),
        [key] => (format!("the key {key}"), "set secrets.key_file to the file with that key"),
        _ => (
            format!("the keys {}", keys.join(", ")),
            "set secrets.key_file to the file with one of these keys, and name those with the others in secrets.previous_key_files",
        ),
    };
    let sealed: usize = status.keys.iter().map(|key| key.secrets).sum();
    let secrets = if sealed == 1 { "1 secret is".to_owned() } else { format!("{sealed} secrets are") };
    Err(failed(
        ROTATE,
        format!(
            "{secrets} sealed under {key}, and no key is configured; {files}: a new key opens nothing of it (kommuneklient secrets status shows each)"
        ),
    ))
}

/// Is this sealed under another key than the current one?
fn is_due(row: &StoredCredential, ring: &KeyRing) -> bool {
    row.password.as_ref().is_some_and(|sealed| &sealed.key_id != ring.current())
}

impl Status {
    /// The same with files that others can use.
    pub(crate) fn with_exposed(mut self, files: Vec<(PathBuf, &'static str)>) -> Self {
        let exposed = files.into_iter().map(|(file, who)| Exposed { file: file.display().to_string(), who });
        self.exposed = exposed.collect();
        self
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let row = |key: &KeyUse| vec![key.key_id.clone(), key.role.to_owned(), key.secrets.to_string()];
        let empty = "no key is configured, and nothing is sealed; make a key: kommuneklient secrets generate --out FILE";
        let mut text = table(&["KEY", "ROLE", "SECRETS"], self.keys.iter().map(row).collect(), empty);
        for one in &self.closed {
            text.push_str(&format!("\nnot readable: the password of {}: {}", one.user, one.reason));
        }
        for one in &self.exposed {
            text.push_str(&format!(
                "\nwarning: {} holds a sealing key, and {}; chmod 600 it",
                one.file, one.who
            ));
        }
        for id in &self.removable {
            text.push_str(&format!(
                "\nthe key {id} is no longer needed: remove it from secrets.previous_key_files, and keep it as long as backups need it"
            ));
        }
        text
    }
}

impl Rotation {
    /// What cannot be opened with the keys that are configured, which keys that needs, and what to do. Empty where everything opens.
    fn unreadable(&self) -> String {
        let closed = &self.status.closed;
        if closed.is_empty() {
            return String::new();
        }
        let (secrets, stays, them) = match closed.len() {
            1 => ("1 secret".to_owned(), "stays as it is", "it"),
            count => (format!("{count} secrets"), "stay as they are", "them"),
        };
        let lacking = |key: &&KeyUse| key.role == NOT_CONFIGURED && key.secrets > 0;
        let keys: Vec<&str> =
            self.status.keys.iter().filter(lacking).map(|key| key.key_id.as_str()).collect();
        let files = match keys[..] {
            // the key is there: what is stored is damaged, or belongs elsewhere
            [] => String::new(),
            [key] => {
                format!("name the file of the key {key} in secrets.previous_key_files and rotate again; ")
            }
            _ => format!(
                "name the files of the keys {} in secrets.previous_key_files and rotate again; ",
                keys.join(", ")
            ),
        };
        format!(
            "{secrets} cannot be read with the keys that are configured and {stays}: {files}where no key opens {them} any more, enter the password again: kommuneklient credential add USER --replace\n"
        )
    }

    /// What it means for instances that run.
    fn instances(&self) -> String {
        let Some(key) = self.status.keys.iter().find(|key| key.role == "current") else {
            return String::new();
        };
        match (self.resealed.is_empty(), self.dry_run) {
            (true, _) => String::new(),
            (false, true) => format!(
                "\nbefore: every instance that runs must know the key {0}: name it in secrets.key_file and the former one in secrets.previous_key_files, restart each, then rotate",
                key.key_id
            ),
            (false, false) => format!("\n{}", instances_need(&key.key_id, "these any more")),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let done = match (self.resealed.len(), self.dry_run) {
            (0, _) if self.status.closed.is_empty() => {
                "nothing to do: everything is under the current key".to_owned()
            }
            (0, _) => "nothing else is to be sealed anew".to_owned(),
            (count, true) => format!("{count} would be sealed anew: {}", self.resealed.join(", ")),
            (count, false) => format!("{count} sealed anew: {}", self.resealed.join(", ")),
        };
        format!("{}{done}{}\n{}", self.unreadable(), self.instances(), self.status.text())
    }
}

#[cfg(test)]
mod tests;
