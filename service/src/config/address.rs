//! Addresses of web services in the configuration.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use url::Url;

/// Reads an optional address. One that cannot be read is refused without being shown: it may hold a password.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Url::parse(text.trim()).map(Some).map_err(|error| {
        D::Error::custom(format!("is no address ({error}); write it like \"https://host/path\""))
    })
}
