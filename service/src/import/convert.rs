//! One value of the original in our words. Pure.

use std::time::Duration;

use toml::Value;

use crate::config::original::Kind;
use crate::config::{DailyTime, HumanDuration};

/// The value, or why it cannot be taken over. Never called with a secret.
pub(super) fn value(kind: Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Text | Kind::Address | Kind::Digits => Ok(Value::from(text)),
        // a secret is left to people, whatever it says
        Kind::Secret => Err("it is secret".to_owned()),
        Kind::Boolean => {
            boolean(text).map(Value::from).ok_or_else(|| "it is neither True nor False".to_owned())
        }
        Kind::Whole => {
            text.parse::<i64>().map(Value::from).map_err(|_error| "it is no whole number".to_owned())
        }
        Kind::Span => span(text)
            .map(|span| Value::from(span.to_string()))
            .ok_or_else(|| "it is no span like 00:10:00".to_owned()),
        Kind::Times => times(text)
            .map(|times| Value::Array(times.into_iter().map(|time| Value::from(time.to_string())).collect())),
        Kind::Flags => {
            let names = text.split([',', ';', ' ']).map(str::trim).filter(|name| !name.is_empty());
            Ok(Value::Array(names.map(Value::from).collect()))
        }
    }
}

/// As .NET reads it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A span of .NET: `[d.]hh:mm[:ss[.fraction]]`, or days alone.
pub(super) fn span(text: &str) -> Option<HumanDuration> {
    let number = |part: &str| {
        (!part.is_empty() && part.len() <= 8 && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u64>().ok())
            .flatten()
    };
    let (days, clock) = match text.split_once(':') {
        None => (number(text)?, ""),
        Some((head, _)) => match head.split_once('.') {
            Some((days, _)) => (number(days)?, &text[days.len() + 1..]),
            None => (0, text),
        },
    };
    let mut seconds = days.checked_mul(86_400)?;
    let mut millis = 0;
    if !clock.is_empty() {
        let parts: Vec<&str> = clock.split(':').collect();
        let (hours, minutes, rest) = match parts[..] {
            [hours, minutes] => (hours, minutes, "0"),
            [hours, minutes, rest] => (hours, minutes, rest),
            _ => return None,
        };
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
        let (hours, minutes, whole) = (number(hours)?, number(minutes)?, number(whole)?);
        if hours > 23 || minutes > 59 || whole > 59 {
            return None;
        }
        seconds += hours * 3_600 + minutes * 60 + whole;
        number(fraction)?;
        millis = number(&format!("{fraction:0<3}")[..3])?;
    }
    Duration::from_secs(seconds).checked_add(Duration::from_millis(millis))?;
    Some(HumanDuration::millis(seconds.checked_mul(1_000)?.checked_add(millis)?))
}

/// Times of day between semicolons or commas; a missing leading zero and zero seconds are forgiven.
fn times(text: &str) -> Result<Vec<DailyTime>, String> {
    let mut times = Vec::new();
    for part in text.split([';', ',']).map(str::trim).filter(|part| !part.is_empty()) {
        let whole = part.strip_suffix(":00").filter(|rest| rest.contains(':')).unwrap_or(part);
        let padded = if whole.find(':') == Some(1) { format!("0{whole}") } else { whole.to_owned() };
        let time = padded.parse::<DailyTime>();
        let time = time.map_err(|_error| format!("{part:?} is no time of day like 02:00"))?;
        if !times.contains(&time) {
            times.push(time);
        }
    }
    if times.is_empty() { Err("it holds no time of day".to_owned()) } else { Ok(times) }
}

/// A level of log4net in ours. `ALL` is what every file of the original says as it comes; what it means by that is
/// `info` here, where the lower levels are for developers.
pub(super) fn log_level(text: &str) -> Result<&'static str, String> {
    match text.to_ascii_uppercase().as_str() {
        "DEBUG" => Ok("debug"),
        "TRACE" | "VERBOSE" | "FINE" | "FINER" | "FINEST" => Ok("trace"),
        "ALL" | "INFO" | "NOTICE" => Ok("info"),
        "WARN" => Ok("warn"),
        "ERROR" | "SEVERE" | "CRITICAL" | "ALERT" | "FATAL" | "EMERGENCY" => Ok("error"),
        "OFF" => Ok("off"),
        _ => Err("it is no level of log4net".to_owned()),
    }
}

/// A size of log4net in bytes: `10MB`, or bytes alone.
pub(super) fn file_size(text: &str) -> Result<Value, String> {
    let text = text.trim().to_ascii_uppercase();
    let units: [(&str, i64); 3] = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)];
    let with_unit = units.into_iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)));
    let (number, unit) = with_unit.unwrap_or((text.as_str(), 1));
    let bytes = number.trim().parse::<i64>().ok().filter(|number| *number >= 0);
    let bytes = bytes.and_then(|number| number.checked_mul(unit));
    bytes.map(Value::from).ok_or_else(|| "it is no size like 10MB".to_owned())
}

/// How many files of before log4net keeps.
pub(super) fn files_kept(text: &str) -> Result<Value, String> {
    match text.trim().parse::<i64>() {
        Ok(all) if all < 0 => {
            Err("it keeps all files, which is not possible here: write how many, 1000 at most".to_owned())
        }
        Ok(kept) => Ok(Value::from(kept)),
        Err(_) => Err("it is no whole number".to_owned()),
    }
}

/// How much a level of ours says: the larger, the more.
pub(super) fn loudness(level: &str) -> usize {
    ["off", "error", "warn", "info", "debug", "trace"]
        .iter()
        .position(|one| *one == level)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_durations() {
        for (text, ours) in [
            ("00:10:00", "10m"),
            ("00:00:04", "4s"),
            ("00:00:00.5000000", "500ms"),
            ("1.02:03:04", "26h3m4s"),
            ("02:30", "2h30m"),
            ("2", "48h"),
            ("00:00:00", "0s"),
        ] {
            assert_eq!(span(text).unwrap().to_string(), ours, "{text}");
        }
        for text in
            ["", "x", "24:00:00", "00:60:00", "00:00:60", "1:2:3:4", "-00:10:00", "00:00:04.x", "1.", ":"]
        {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_a_list() {
        let list = |text| value(Kind::Times, text).map(|value| value.to_string());
        assert_eq!(list("22:00;02:00").unwrap(), "[\"22:00\", \"02:00\"]");
        assert_eq!(list(" 1:00 ; 13:30:00;01:00;").unwrap(), "[\"01:00\", \"13:30\"]");
        assert_eq!(list("25:00").unwrap_err(), "\"25:00\" is no time of day like 02:00");
        assert_eq!(list(" ; ").unwrap_err(), "it holds no time of day");
    }

    #[test]
    fn other_values_take_their_types() {
        assert_eq!(value(Kind::Boolean, "True"), Ok(Value::Boolean(true)));
        assert_eq!(value(Kind::Boolean, "0"), Ok(Value::Boolean(false)));
        assert!(value(Kind::Boolean, "yes").is_err());
        assert_eq!(value(Kind::Whole, "25"), Ok(Value::Integer(25)));
        assert!(value(Kind::Whole, "2 .").is_err());
        assert_eq!(value(Kind::Digits, "01010"), Ok(Value::from("01010")));
        assert_eq!(
            value(Kind::Flags, "EwsRequest, EwsResponse").unwrap().to_string(),
            "[\"EwsRequest\", \"EwsResponse\"]"
        );
        assert!(value(Kind::Secret, "hunter2").is_err_and(|reason| !reason.contains("hunter2")));
    }

    #[test]
    fn sizes_of_log4net_are_bytes() {
        for (text, bytes) in
            [("10MB", 10 << 20), ("20 mb", 20 << 20), ("512KB", 512 << 10), ("1GB", 1 << 30), ("4096", 4096)]
        {
            assert_eq!(file_size(text), Ok(Value::Integer(bytes)), "{text}");
        }
        for text in ["", "MB", "ten MB", "-1MB", "1.5MB", "9223372036854775807GB", "1TB"] {
            assert!(file_size(text).is_err(), "{text}");
        }
        assert_eq!(files_kept("15"), Ok(Value::Integer(15)));
        assert!(files_kept("-1").is_err_and(|reason| reason.contains("1000 at most")));
        assert!(files_kept("many").is_err());
    }

    #[test]
    fn levels_have_an_order() {
        assert_eq!((log_level("ALL"), log_level("DEBUG")), (Ok("info"), Ok("debug")));
        assert_eq!(log_level("warn"), Ok("warn"));
        assert!(log_level("LOUD").is_err());
        assert!(loudness("debug") > loudness("info") && loudness("info") > loudness("off"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,24}", digits in "[0-9.:]{0,16}") {
            for kind in [Kind::Span, Kind::Times, Kind::Flags, Kind::Whole, Kind::Boolean] {
                let _either = (value(kind, &text), value(kind, &digits));
            }
            let _either = (file_size(&text), file_size(&digits), files_kept(&text), files_kept(&digits));
        }
    }
}
