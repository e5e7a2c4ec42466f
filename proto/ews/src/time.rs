//! Times and dates on the wire.
//!
//! Accepted: `Z`, an offset, up to nine digits of fraction, and no offset at all, which counts as UTC: this
//! crate knows no time zone context, the servers answer in UTC, and clients that mean local time send an
//! offset. Times outside of what [`Timestamp`] holds (its range ends a day before the year 10000 does, and
//! servers use 9999-12-31 for "never") become the nearest end of the range. Dates may carry `Z`, an offset or a time (grommunio),
//! which are cut off: a date of a series is a day in the series' own zone.

use jiff::Timestamp;
use jiff::civil::Date;

/// Reads a time; `None` when it is none.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// Writes a time in UTC with `Z`, without a fraction when that is zero.
pub fn format_timestamp(time: Timestamp) -> String {
    time.to_string()
}

/// Reads a date; `None` when it is none.
pub fn parse_date(text: &str) -> Option<Date> {
    text.trim().get(..10)?.parse().ok()
}

/// Writes a date with `Z`, as Exchange does.
pub fn format_date(date: Date) -> String {
    format!("{date}Z")
}
