//! `[secrets]`

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use trust::seal::{KeyRing, SealingKey};

use super::{Problems, Section, secret};

/// The keys that secrets in the database are sealed under. None is needed while there is no such secret.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsConfig {
    /// The key that seals: 32 bytes in base64 or hexadecimal.
    #[serde(deserialize_with = "secret::optional", serialize_with = "secret::hidden")]
    pub key: Option<SecretString>,
    /// A file that holds the key instead.
    pub key_file: Option<PathBuf>,
    /// Files with former keys, which still open what was sealed under them.
    pub previous_key_files: Vec<PathBuf>,
    /// What the keys are, once they are read.
    #[serde(skip)]
    ring: Option<KeyRing>,
}

impl SecretsConfig {
    /// The keys; `None` = none is configured.
    pub const fn ring(&self) -> Option<&KeyRing> {
        self.ring.as_ref()
    }

    /// Files of keys that more people than their owner can read or change, and who.
    pub fn exposed(&self) -> Vec<(PathBuf, &'static str)> {
        let files = self.key_file.iter().chain(&self.previous_key_files);
        // one that went away since it was read is nobody's
        files.filter_map(|file| Some((file.clone(), SealingKey::exposed(file).ok().flatten()?))).collect()
    }

    fn read_ring(&self, problems: &mut Problems) -> Option<KeyRing> {
        let current = match (&self.key, &self.key_file) {
            (Some(_), Some(_)) => {
                problems.add("key_file", "is given together with key; remove one of them");
                return None;
            }
            (None, None) => {
                if !self.previous_key_files.is_empty() {
                    problems.add(
                        "previous_key_files",
                        "is given without key_file; the key that seals new secrets is needed, too",
                    );
                }
                return None;
            }
            (Some(text), None) => ("key", SealingKey::parse(text, "it")),
            (None, Some(file)) => ("key_file", SealingKey::read(file)),
        };
        let previous =
            self.previous_key_files.iter().map(|file| ("previous_key_files", SealingKey::read(file)));
        let mut keys = Vec::new();
        for (name, read) in std::iter::once(current).chain(previous) {
            match read {
                Ok(key) => keys.push(key),
                Err(error) => problems.add(name, telemetry::chain(&error).to_string()),
            }
        }
        if keys.len() != 1 + self.previous_key_files.len() {
            return None;
        }
        let current = keys.remove(0);
        KeyRing::new(current, keys)
            .inspect_err(|error| problems.add("previous_key_files", error.to_string()))
            .ok()
    }
}

impl Section for SecretsConfig {
    const NAME: &'static str = "secrets";

    fn read_secrets(&mut self, problems: &mut Problems) {
        self.ring = self.read_ring(problems);
    }

    fn check(&self, _check: &mut Problems) {}
}
