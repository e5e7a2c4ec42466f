//! Zone names: what an item says about its own zone becomes a zone with rules, or the configured one.
//!
//! Sources name zones the Windows way (`Romance Standard Time`), sometimes the IANA way, sometimes in ways
//! nobody defines (`Customized Time Zone`, `tzone://Microsoft/Custom`). Windows names are mapped by Unicode
//! CLDR's table (its default territory); a name that is not known is no error: the configured zone is used.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use windows_timezones::WindowsTimezone;

use crate::appointment::Appointment;

#[cfg(test)]
mod tests;

/// Longest zone name that is looked up; real ones have fewer than 40 characters.
const NAME_MAX: usize = 80;

/// Windows names that CLDR's table no longer lists, but which old items still carry.
const RETIRED: [(&str, &str); 3] = [
    ("Kamchatka Standard Time", "Asia/Kamchatka"),
    ("Mid-Atlantic Standard Time", "Etc/GMT+2"),
    ("tzone://Microsoft/Utc", "UTC"),
];

/// The configured zone, and the way from an item's zone name to a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones {
    configured: TimeZone,
}

/// A configured zone that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone named {name:?}; write an IANA name such as Europe/Copenhagen")]
pub struct UnknownZone {
    /// The name as it was given.
    pub name: String,
}

impl Zones {
    /// Zones with `configured` as the one that origin ids, dates and the window are told in.
    pub fn new(configured: TimeZone) -> Self {
        Self { configured }
    }

    /// The same by name (IANA or Windows). Unlike for an item, an unknown name is an error here.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        lookup(name).map(Self::new).ok_or_else(|| UnknownZone { name: name.to_owned() })
    }

    /// The configured zone.
    pub fn configured(&self) -> &TimeZone {
        &self.configured
    }

    /// The zone that an item names; the configured one where it names none or one that nobody knows.
    pub fn of_item(&self, name: Option<&str>) -> TimeZone {
        name.and_then(lookup).unwrap_or_else(|| self.configured.clone())
    }
}

/// Marks of the zone names among `items` that nobody knows and that matter: those of all-day appointments, whose dates
/// are taken in the configured zone instead (B4). A name is text of whoever made the appointment and must not be told
/// (B6), so a mark is made of what tells nothing: the first 8 hexadecimal digits of the name's SHA-256, and its length
/// in characters, as in `1a2b3c4d/23`. Who suspects a name can compute it.
pub fn unknown_marks<'a>(items: impl IntoIterator<Item = &'a Appointment>) -> BTreeSet<String> {
    let named = items.into_iter().filter(|item| item.is_all_day).filter_map(|item| item.zone.as_deref());
    let unknown: BTreeSet<&str> =
        named.filter(|name| !name.trim().is_empty() && lookup(name).is_none()).collect();
    unknown.into_iter().map(mark).collect()
}

fn mark(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    format!("{}/{}", hex::encode(&digest[..4]), name.chars().count())
}

/// The zone of a Windows or IANA name.
pub fn lookup(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_MAX {
        return None;
    }
    let retired = RETIRED.iter().find(|(old, _)| *old == name).map(|(_, iana)| *iana);
    let windows = || name.parse::<WindowsTimezone>().ok().map(|zone| zone.tzdb_id());
    TimeZone::get(retired.or_else(windows).unwrap_or(name)).ok()
}
