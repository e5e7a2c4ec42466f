//! Where an appointment lies in time: instants to the second, all-day ones by their dates (B4).

use jiff::{Timestamp, ToSpan};

use crate::appointment::{Appointment, Slot};
use crate::window::midnight;
use crate::zone::Zones;

#[cfg(test)]
mod tests;

const SECONDS_A_DAY: i64 = 24 * 3600;

/// 0001-01-02 UTC, in seconds: nothing is placed earlier, since a database and `xs:dateTime` end about there.
const EARLIEST: i64 = -62_135_510_400;

/// The times that Planner shall hold for `appointment`.
///
/// An all-day appointment covers whole dates: its dates are taken in its own zone and their midnights
/// placed in the configured one. Where its times are no midnights of the zone it names (a zone that nobody
/// knows), it still covers as many dates as it is long, from the date it begins on.
pub fn place(appointment: &Appointment, zones: &Zones) -> Slot {
    let Slot { start, end } = appointment.slot;
    if !appointment.is_all_day || end <= start {
        return Slot { start: tellable(start), end: tellable(end) };
    }
    let first = start.to_zoned(zones.of_item(appointment.zone.as_deref())).date();
    // A day of 23 or 25 hours changes the length by an hour, so it is rounded to whole days.
    let seconds = end.as_second().saturating_sub(start.as_second());
    let days = ((seconds + SECONDS_A_DAY / 2) / SECONDS_A_DAY).max(1);
    let after_last = first.saturating_add(days.days());
    let begins = midnight(first, zones.configured());
    Slot { start: tellable(begins), end: tellable(midnight(after_last, zones.configured())) }
}

fn tellable(instant: Timestamp) -> Timestamp {
    to_second(instant).max(Timestamp::constant(EARLIEST, 0))
}

/// The instant without its fraction of a second (earlier, also before 1970).
pub fn to_second(instant: Timestamp) -> Timestamp {
    let fraction = instant.subsec_nanosecond();
    let floor = if fraction < 0 { instant.as_second() - 1 } else { instant.as_second() };
    Timestamp::from_second(floor).unwrap_or(instant)
}
