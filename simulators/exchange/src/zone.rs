//! Time zones by the names that calendars use: Windows names on the wire, IANA names and free-form
//! `TZID`s with a `VTIMEZONE` in files. Rules come from jiff's bundled database; a zone that only a
//! `VTIMEZONE` describes is kept as a POSIX rule under the name that Exchange gives such zones.

use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use windows_timezones::WindowsTimezone;

/// A zone with its rules and its name on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    id: String,
    name: String,
    iana: Option<String>,
    rules: TimeZone,
}

/// The id that Exchange shows for a zone without a Windows name.
const CUSTOM: &str = "tzone://Microsoft/Custom";

impl Zone {
    /// UTC.
    pub fn utc() -> Arc<Self> {
        Arc::new(Self {
            id: "UTC".into(),
            name: "(UTC) Coordinated Universal Time".into(),
            iana: Some("Etc/UTC".into()),
            rules: TimeZone::UTC,
        })
    }

    /// The zone of a name: a Windows name, an IANA name, or one of the forms that real files contain
    /// (`/mozilla.org/20050126_1/Europe/Copenhagen`, `tzone://Microsoft/Utc`, quotation marks). `None`
    /// when the name says nothing.
    pub fn find(name: &str) -> Option<Arc<Self>> {
        let name = name.trim().trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "utc" | "z" | "gmt" | "etc/utc" | "etc/gmt" | "tzone://microsoft/utc" => return Some(Self::utc()),
            _ => {}
        }
        if let Ok(windows) = name.parse::<WindowsTimezone>() {
            return Self::from_windows(windows);
        }
        Self::from_iana(name).or_else(|| {
            // a path whose tail is an IANA name of two or three parts
            let parts: Vec<&str> = name.split('/').collect();
            (1..parts.len()).find_map(|skip| Self::from_iana(&parts[skip..].join("/")))
        })
    }

    /// A zone with rules of its own, e.g. from a `VTIMEZONE`, in POSIX form (`CET-1CEST,M3.5.0,M10.5.0/3`).
    pub fn from_posix(rules: &str) -> Option<Arc<Self>> {
        let rules = TimeZone::posix(rules).ok()?;
        Some(Arc::new(Self { id: CUSTOM.into(), name: "Customized Time Zone".into(), iana: None, rules }))
    }

    /// The zone of a name; where nobody knows it, these rules under that name.
    pub fn by_another_name(&self, name: &str) -> Arc<Self> {
        Self::find(name).unwrap_or_else(|| {
            Arc::new(Self { id: name.into(), name: name.into(), iana: None, rules: self.rules.clone() })
        })
    }

    fn from_windows(windows: WindowsTimezone) -> Option<Arc<Self>> {
        let iana = windows.tzdb_id();
        Some(Arc::new(Self {
            id: windows.name().into(),
            name: windows.description().into(),
            iana: Some(iana.into()),
            rules: TimeZone::get(iana).ok()?,
        }))
    }

    fn from_iana(name: &str) -> Option<Arc<Self>> {
        if !name.contains('/') || name.starts_with('/') {
            return None;
        }
        let rules = TimeZone::get(name).ok()?;
        let iana = rules.iana_name().unwrap_or(name).to_owned();
        let windows = WINDOWS_NAMES
            .iter()
            .find(|(_, cities)| cities.contains(&iana.as_str()))
            .and_then(|(windows, _)| windows.parse::<WindowsTimezone>().ok());
        let (id, name) = match windows {
            Some(windows) => (windows.name().to_owned(), windows.description().to_owned()),
            None => (CUSTOM.to_owned(), iana.clone()),
        };
        Some(Arc::new(Self { id, name, iana: Some(iana), rules }))
    }

    /// The `Id` attribute on the wire.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `Name` attribute on the wire.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The IANA name, where there is one.
    pub fn iana(&self) -> Option<&str> {
        self.iana.as_deref()
    }

    /// Local time here at an instant.
    pub fn local(&self, at: Timestamp) -> civil::DateTime {
        self.rules.to_datetime(at)
    }

    /// The instant of a local time here. A time that does not exist moves forward by the gap, one that
    /// occurs twice is the first of the two: what Exchange and RFC 5545 do.
    pub fn instant(&self, local: civil::DateTime) -> Timestamp {
        self.rules.to_timestamp(local).unwrap_or_else(|_| {
            // Only at the ends of representable time; such an appointment is outside every window.
            if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX }
        })
    }

    /// The local midnight at or before an instant.
    pub fn midnight_before(&self, at: Timestamp) -> Timestamp {
        self.instant(self.local(at).date().to_datetime(civil::Time::midnight()))
    }

    /// The local midnight at or after an instant.
    pub fn midnight_after(&self, at: Timestamp) -> Timestamp {
        let before = self.midnight_before(at);
        if before == at {
            return at;
        }
        // 26 hours on is in the next day, also on the day with 25 hours
        self.midnight_before(before.saturating_add(SignedDuration::from_hours(26)).unwrap_or(Timestamp::MAX))
    }
}

/// IANA names of the Windows zones that European and the commonest other calendars use (facts of the
/// Unicode CLDR's windowsZones; only the first city of each is in the `windows-timezones` crate).
const WINDOWS_NAMES: &[(&str, &[&str])] = &[
    (
        "Romance Standard Time",
        &["Europe/Copenhagen", "Europe/Paris", "Europe/Brussels", "Europe/Madrid", "Africa/Ceuta"],
    ),
    (
        "W. Europe Standard Time",
        &[
            "Europe/Berlin",
            "Europe/Amsterdam",
            "Europe/Stockholm",
            "Europe/Oslo",
            "Europe/Vienna",
            "Europe/Zurich",
            "Europe/Rome",
            "Europe/Luxembourg",
            "Europe/Monaco",
            "Europe/Malta",
            "Europe/Vaduz",
            "Europe/San_Marino",
            "Europe/Vatican",
            "Europe/Andorra",
            "Europe/Gibraltar",
            "Europe/Busingen",
            "Arctic/Longyearbyen",
        ],
    ),
    (
        "Central Europe Standard Time",
        &[
            "Europe/Budapest",
            "Europe/Prague",
            "Europe/Bratislava",
            "Europe/Ljubljana",
            "Europe/Belgrade",
            "Europe/Tirane",
            "Europe/Podgorica",
        ],
    ),
    (
        "Central European Standard Time",
        &["Europe/Warsaw", "Europe/Zagreb", "Europe/Sarajevo", "Europe/Skopje"],
    ),
    (
        "GMT Standard Time",
        &[
            "Europe/London",
            "Europe/Dublin",
            "Europe/Lisbon",
            "Europe/Jersey",
            "Europe/Guernsey",
            "Europe/Isle_of_Man",
            "Atlantic/Faroe",
            "Atlantic/Canary",
            "Atlantic/Madeira",
        ],
    ),
    (
        "Greenwich Standard Time",
        &["Atlantic/Reykjavik", "Africa/Accra", "Africa/Dakar", "Atlantic/St_Helena"],
    ),
    ("Greenland Standard Time", &["America/Nuuk", "America/Godthab"]),
    (
        "FLE Standard Time",
        &[
            "Europe/Helsinki",
            "Europe/Kiev",
            "Europe/Kyiv",
            "Europe/Riga",
            "Europe/Tallinn",
            "Europe/Vilnius",
            "Europe/Sofia",
            "Europe/Mariehamn",
        ],
    ),
    ("GTB Standard Time", &["Europe/Bucharest", "Europe/Athens", "Asia/Nicosia"]),
    ("Turkey Standard Time", &["Europe/Istanbul"]),
    ("Russian Standard Time", &["Europe/Moscow", "Europe/Simferopol"]),
    ("Israel Standard Time", &["Asia/Jerusalem"]),
    ("Egypt Standard Time", &["Africa/Cairo"]),
    ("South Africa Standard Time", &["Africa/Johannesburg"]),
    ("Arabian Standard Time", &["Asia/Dubai"]),
    ("India Standard Time", &["Asia/Kolkata", "Asia/Calcutta"]),
    ("China Standard Time", &["Asia/Shanghai", "Asia/Hong_Kong", "Asia/Macau"]),
    ("Singapore Standard Time", &["Asia/Singapore", "Asia/Kuala_Lumpur", "Asia/Manila"]),
    ("SE Asia Standard Time", &["Asia/Bangkok", "Asia/Jakarta", "Asia/Ho_Chi_Minh"]),
    ("Tokyo Standard Time", &["Asia/Tokyo"]),
    ("Korea Standard Time", &["Asia/Seoul"]),
    ("AUS Eastern Standard Time", &["Australia/Sydney", "Australia/Melbourne"]),
    ("E. Australia Standard Time", &["Australia/Brisbane"]),
    ("New Zealand Standard Time", &["Pacific/Auckland"]),
    ("Hawaiian Standard Time", &["Pacific/Honolulu"]),
    ("Alaskan Standard Time", &["America/Anchorage"]),
    ("Pacific Standard Time", &["America/Los_Angeles", "America/Vancouver", "US/Pacific"]),
    ("US Mountain Standard Time", &["America/Phoenix"]),
    ("Mountain Standard Time", &["America/Denver", "America/Edmonton", "US/Mountain"]),
    ("Central Standard Time", &["America/Chicago", "America/Winnipeg", "US/Central"]),
    (
        "Eastern Standard Time",
        &["America/New_York", "America/Toronto", "America/Detroit", "America/Montreal", "US/Eastern"],
    ),
    ("Atlantic Standard Time", &["America/Halifax", "Atlantic/Bermuda"]),
    ("E. South America Standard Time", &["America/Sao_Paulo"]),
    ("Argentina Standard Time", &["America/Buenos_Aires", "America/Argentina/Buenos_Aires"]),
];

#[cfg(test)]
mod tests;
