//! Times and dates on the wire.
//!
//! Accepted: `Z`, an offset, up to nine digits of fraction, and no offset at all, which counts as UTC: this
//! crate knows no time zone context, servers answer in UTC without one, and clients that mean local time
//! send an offset. A time beyond what [`Timestamp`] holds becomes the nearest end of its range; that range
//! ends a day before the year 10000 does, and servers write 9999-12-31 for "never". Dates may carry `Z`, an
//! offset or a time (grommunio), which are cut off: a date of a series is a day in the series' own zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

#[cfg(test)]
mod tests;

/// Largest offset of XML Schema, in minutes.
const OFFSET_MINUTES_MAX: i32 = 14 * 60;

/// Reads a time; `None` when it is none.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(time) = usual_timestamp(text) {
        return Some(time);
    }
    // What the library would read besides: a zone's name in brackets.
    if text.contains('[') {
        return None;
    }
    let clock_from = text.find('T')? + 1;
    let zone_from = text[clock_from..].find(['Z', '+', '-']).map_or(text.len(), |at| clock_from + at);
    let local: DateTime = text[..zone_from].parse().ok()?;
    let offset = parse_offset(&text[zone_from..])?;
    let nearest_end = if local.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    Some(offset.to_timestamp(local).unwrap_or(nearest_end))
}

/// The form in which servers write nearly all times, `2026-03-02T09:15:07Z`, at a fraction of the cost of the others; `None`
/// where it is another, or is none.
fn usual_timestamp(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let is_so = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if !is_so.iter().all(|(place, byte)| bytes[*place] == *byte) {
        return None;
    }
    let digit = |place: usize| bytes[place].is_ascii_digit().then(|| bytes[place] - b'0');
    let two = |place: usize| Some(digit(place)?.cast_signed() * 10 + digit(place + 1)?.cast_signed());
    let year = i16::from(two(0)?) * 100 + i16::from(two(2)?);
    let local = DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, 0).ok()?;
    Offset::UTC.to_timestamp(local).ok()
}

/// The offset after a time: nothing, `Z`, `+01:00`.
fn parse_offset(zone: &str) -> Option<Offset> {
    let (sign, hours_minutes) = match zone.as_bytes().first() {
        None => return Some(Offset::UTC),
        Some(b'Z') => return (zone.len() == 1).then_some(Offset::UTC),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => (1, &zone[1..]),
    };
    let (hours, minutes) = hours_minutes.split_once(':')?;
    let two_digits = |part: &str| {
        let good = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        good.then(|| part.parse::<i32>().ok()).flatten()
    };
    let minutes = two_digits(hours)? * 60 + two_digits(minutes).filter(|m| *m < 60)?;
    if minutes > OFFSET_MINUTES_MAX {
        return None;
    }
    Offset::from_seconds(sign * minutes * 60).ok()
}

/// Writes a time in UTC with `Z`, without a fraction when that is zero.
pub fn format_timestamp(time: Timestamp) -> String {
    time.to_string()
}

/// Reads a date; `None` when it is none.
pub fn parse_date(text: &str) -> Option<Date> {
    let text = text.trim();
    let date = text.get(..10)?.parse().ok()?;
    matches!(text.as_bytes().get(10), None | Some(b'Z' | b'+' | b'-' | b'T')).then_some(date)
}

/// Writes a date with `Z`, as Exchange does.
pub fn format_date(date: Date) -> String {
    format!("{date}Z")
}
