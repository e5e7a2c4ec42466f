//! Secrets: read without ever standing in an error, from the configuration or from a file of their own.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use zeroize::Zeroizing;

use super::Problems;
use super::origin::HIDDEN;

/// The largest file that a secret is read from.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Reads an optional secret. A value of the wrong type is refused without being shown.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    struct Secret;

    impl Visitor<'_> for Secret {
        type Value = Option<SecretString>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(TEXT_ONLY)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.into()))
        }

        // The default for these shows the value.
        fn visit_i64<E: Error>(self, _value: i64) -> Result<Self::Value, E> {
            Err(E::custom(TEXT_ONLY))
        }

        fn visit_f64<E: Error>(self, _value: f64) -> Result<Self::Value, E> {
            Err(E::custom(TEXT_ONLY))
        }

        fn visit_bool<E: Error>(self, _value: bool) -> Result<Self::Value, E> {
            Err(E::custom(TEXT_ONLY))
        }
    }

    deserializer.deserialize_str(Secret)
}

/// Shows that there is a secret.
pub(super) fn hidden<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_str(HIDDEN),
        None => serializer.serialize_none(),
    }
}

/// Shows the address of a database without its password.
pub(super) fn database_address<S: Serializer>(
    address: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) if address.expose_secret() == "embedded" => serializer.serialize_str("embedded"),
        Some(address) => {
            serializer.serialize_str(&store::address::shown(address).unwrap_or_else(|_| HIDDEN.into()))
        }
        None => serializer.serialize_none(),
    }
}

const TEXT_ONLY: &str = "must be a text in quotes";

/// Fills `value` from `file`, where that is given. Both given is refused: nobody could tell which counts.
pub(super) fn from_file(
    key: &str,
    value: &mut Option<SecretString>,
    file: Option<&Path>,
    problems: &mut Problems,
) {
    let Some(file) = file else { return };
    let file_key = format!("{key}_file");
    if value.is_some() {
        problems.add(&file_key, format!("is given together with {key}; remove one of them"));
        return;
    }
    match read(file) {
        Ok(secret) if secret.expose_secret().is_empty() => {
            problems.add(&file_key, format!("{} is empty", file.display()));
        }
        Ok(secret) => *value = Some(secret),
        Err(error) => problems.add(&file_key, format!("cannot read {}: {error}", file.display())),
    }
}

/// The first line of the file: editors and `echo` end a file with a newline that is not part of the
/// secret.
pub(crate) fn read(file: &Path) -> Result<SecretString, std::io::Error> {
    // wiped when it is dropped; room for all of it at once, so that no part is left behind by growing
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize + 2));
    File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("larger than 16 KiB"));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.contains('\n') {
        return Err(std::io::Error::other("has more than one line"));
    }
    Ok(secret.into())
}
