//! Times of day in a schedule.

use std::fmt;
use std::str::FromStr;

use base::daily::{DailyTimes, NoTimes};
use jiff::civil::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time of day like `02:00`, in the configured zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DailyTime(Time);

/// Text that is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of day like \"02:00\", not {0:?}")]
pub struct NotATime(String);

impl DailyTime {
    /// That hour (0-23) and minute (0-59).
    pub const fn at(hour: i8, minute: i8) -> Self {
        Self(Time::constant(hour, minute, 0, 0))
    }

    /// The time of day.
    pub const fn get(self) -> Time {
        self.0
    }

    /// The schedule of these times.
    ///
    /// # Errors
    /// [`NoTimes`] when there is none; the check of the configuration refuses that.
    pub fn schedule(times: &[Self]) -> Result<DailyTimes, NoTimes> {
        DailyTimes::new(times.iter().map(|time| time.get()))
    }
}

impl FromStr for DailyTime {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let two_digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok()).flatten()
        };
        text.trim()
            .split_once(':')
            .and_then(|(hour, minute)| Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok())
            .map(Self)
            .ok_or_else(|| NotATime(text.to_owned()))
    }
}

impl fmt::Display for DailyTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl fmt::Debug for DailyTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DailyTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DailyTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_hours_and_minutes_only() {
        for text in ["00:00", "02:00", "23:59"] {
            assert_eq!(text.parse::<DailyTime>().unwrap().to_string(), text);
        }
        assert_eq!("01:30".parse(), Ok(DailyTime::at(1, 30)));
        for text in ["", "2:00", "24:00", "02:60", "02:00:00", "2", "+2:00", "02.00"] {
            assert_eq!(text.parse::<DailyTime>(), Err(NotATime(text.to_owned())), "{text}");
        }
    }
}
