//! Instants as the service writes them (`xsd:dateTime`).
//!
//! An instant is written with the offset that the configured zone has at it, or as UTC. A time that comes
//! without offset is in the configured zone (B11); in the hour that autumn repeats it is taken as the
//! first of the two, in the hour that spring skips as the instant after the gap that is as far from it.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

#[cfg(test)]
mod tests;

/// The zone of the service's times, and the form in which this side writes them.
#[derive(Debug, Clone)]
pub struct WireTime {
    /// Where a time without offset is.
    pub zone: TimeZone,
    /// How times are written.
    pub form: TimeForm,
}

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeForm {
    /// With the zone's offset: `2031-03-04T09:00:00+01:00`. What the product sends.
    Offset,
    /// As UTC: `2031-03-04T08:00:00Z`.
    Utc,
    /// The zone's wall clock alone: `2031-03-04T09:00:00`. Loses which of two equal hours is meant.
    Bare,
}

/// The largest offset that `xsd:dateTime` can write, in seconds.
const OFFSET_SECONDS_MAX: i32 = 14 * 3600;
/// The earliest instant that is written: 0001-01-02 UTC, since `xsd:dateTime` has no year 0 in any zone.
const EARLIEST_SECOND: i64 = -62_135_510_400;

impl WireTime {
    /// Times in `zone`, written with their offset.
    pub const fn in_zone(zone: TimeZone) -> Self {
        Self { zone, form: TimeForm::Offset }
    }

    /// Times in UTC, also those without offset.
    pub const fn utc() -> Self {
        Self { zone: TimeZone::UTC, form: TimeForm::Utc }
    }

    /// Can the instant be written?
    pub(crate) fn can_write(instant: Timestamp) -> bool {
        instant.as_second() >= EARLIEST_SECOND
    }

    /// The instant as text. Fractions of a second are written when there are any.
    pub(crate) fn write(&self, instant: Timestamp) -> String {
        let offset = self.zone.to_offset(instant);
        // Offsets with seconds belong to the years before standard time; such times are written as UTC.
        let writable = offset.seconds() % 60 == 0 && offset.seconds().abs() <= OFFSET_SECONDS_MAX;
        match self.form {
            TimeForm::Bare => offset.to_datetime(instant).to_string(),
            TimeForm::Offset if writable && self.zone != TimeZone::UTC => {
                let minutes = offset.seconds().abs() / 60;
                let sign = if offset.seconds() < 0 { '-' } else { '+' };
                format!("{}{sign}{:02}:{:02}", offset.to_datetime(instant), minutes / 60, minutes % 60)
            }
            TimeForm::Offset | TimeForm::Utc => format!("{}Z", Offset::UTC.to_datetime(instant)),
        }
    }

    /// The instant that the text stands for.
    pub(crate) fn read(&self, text: &str) -> Option<Timestamp> {
        let (clock, offset) = split(text)?;
        let instant = match offset {
            Some(offset) => offset.to_timestamp(clock),
            None => self.zone.to_ambiguous_timestamp(clock).compatible(),
        };
        // `DateTime.MaxValue` of the service's platform lies beyond the last instant known here.
        instant.ok().or_else(|| (clock.year() == 9999).then_some(Timestamp::MAX))
    }
}

/// The wall clock time of the text, its offset dropped.
pub(crate) fn read_clock(text: &str) -> Option<DateTime> {
    split(text).map(|(clock, _)| clock)
}

/// A text of the form `YYYY-MM-DDThh:mm:ss[.f…][Z|±hh:mm]` as wall clock and offset. Digits of the fraction
/// beyond the ninth are cut; `24:00:00` is the next day's midnight.
fn split(text: &str) -> Option<(DateTime, Option<Offset>)> {
    let text = text.trim_matches(crate::names::is_blank).as_bytes();
    let (fixed, rest) = text.split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = fixed
    else {
        return None;
    };
    let year = i16::from(pair(y1, y2)?) * 100 + i16::from(pair(y3, y4)?);
    let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
    let (hour, minute, second) = (pair(h1, h2)?, pair(n1, n2)?, pair(s1, s2)?);
    let (nanosecond, rest) = fraction(rest)?;
    let offset = match *rest {
        [] => None,
        [b'Z'] => Some(Offset::UTC),
        [sign @ (b'+' | b'-'), h1, h2, b':', n1, n2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(n1, n2)?);
            let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
            if minutes > 59 || seconds > OFFSET_SECONDS_MAX {
                return None;
            }
            Some(Offset::from_seconds(if sign == b'-' { -seconds } else { seconds }).ok()?)
        }
        _ => return None,
    };
    if (hour, minute, second, nanosecond) == (24, 0, 0, 0) {
        let midnight = DateTime::new(year, month, day, 0, 0, 0, 0).ok()?;
        return Some((midnight.checked_add(1.day()).ok()?, offset));
    }
    Some((DateTime::new(year, month, day, hour, minute, second, nanosecond).ok()?, offset))
}

/// The nanoseconds of a fraction, and what stands after it.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let kept = digits[..count].iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanosecond = kept.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Some((nanosecond, &digits[count..]))
}

/// Two digits as a number.
fn pair(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    i8::try_from(digit(tens)? * 10 + digit(ones)?).ok()
}
