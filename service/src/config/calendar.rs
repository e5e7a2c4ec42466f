//! `[calendar]`

use calendar::guard::GuardLimits;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Problems, Section};

/// The rules of what is kept in step (B2, B3, B4, B8).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarConfig {
    /// The IANA name of the zone in which days begin.
    pub zone: String,
    /// How many months ahead appointments are kept in step.
    pub calendar_events_period_in_months: u32,
    /// Which free/busy states block time.
    pub busy_statuses: Vec<String>,
    /// Deletions that were inferred from absence are withheld beyond both: this many …
    pub mass_delete_guard_count: u32,
    /// … and this share of what was there, in percent.
    pub mass_delete_guard_percent: u32,
}

/// The free/busy states of Exchange.
const STATUSES: &[&str] = &["Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData"];

impl Default for CalendarConfig {
    fn default() -> Self {
        Self {
            zone: "Europe/Copenhagen".to_owned(),
            calendar_events_period_in_months: 3,
            busy_statuses: ["Busy", "Tentative", "OOF"].map(str::to_owned).to_vec(),
            mass_delete_guard_count: GuardLimits::DEFAULT.count,
            mass_delete_guard_percent: GuardLimits::DEFAULT.percent,
        }
    }
}

impl CalendarConfig {
    /// The zone. UTC only where [`Section::check`] was not asked: it refuses names that do not exist.
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }
}

impl CalendarConfig {
    /// The mass-delete guard.
    pub fn guard(&self) -> GuardLimits {
        GuardLimits { count: self.mass_delete_guard_count, percent: self.mass_delete_guard_percent }
    }
}

impl Section for CalendarConfig {
    const NAME: &'static str = "calendar";

    fn check(&self, check: &mut Problems) {
        if TimeZone::get(&self.zone).is_err() {
            check.add("zone", "is no IANA time zone; write it like \"Europe/Copenhagen\"");
        }
        check.range("calendar_events_period_in_months", self.calendar_events_period_in_months, 1..=24);
        check.range("mass_delete_guard_count", self.mass_delete_guard_count, 0..=1_000_000);
        check.range("mass_delete_guard_percent", self.mass_delete_guard_percent, 0..=100);
        if self.busy_statuses.is_empty() {
            check.add("busy_statuses", "must not be empty: nothing would ever be sent");
        }
        for (index, status) in self.busy_statuses.iter().enumerate() {
            if !STATUSES.contains(&status.as_str()) {
                check.add(
                    &format!("busy_statuses[{index}]"),
                    format!("must be one of {}, not {status:?}", STATUSES.join(", ")),
                );
            }
        }
    }
}
