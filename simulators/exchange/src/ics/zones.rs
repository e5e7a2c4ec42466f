//! The zones of a file: each `TZID` by its name, by `X-LIC-LOCATION`, or by its `VTIMEZONE`'s rules.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::{DateTime, Time};

use super::components;
use super::line::Line;
use crate::zone::Zone;

/// The zones that a file's times may name.
#[derive(Debug)]
pub(super) struct Zones {
    named: HashMap<String, Arc<Zone>>,
    /// Of times that name none.
    pub(super) own: Arc<Zone>,
}

impl Zones {
    pub(super) fn of(lines: &[Line], mailbox: &Arc<Zone>) -> Self {
        let named_by_calendar = lines.iter().find(|line| line.name == "X-WR-TIMEZONE");
        let own = named_by_calendar.and_then(|line| Zone::find(&line.text()));
        let own = own.unwrap_or_else(|| Arc::clone(mailbox));
        let mut named = HashMap::new();
        let begins = lines.iter().enumerate().filter(|(_, line)| line.is("BEGIN", "VTIMEZONE"));
        for (begin, _) in begins {
            let rest = &lines[begin + 1..];
            let end = rest.iter().position(|line| line.is("END", "VTIMEZONE")).unwrap_or(rest.len());
            let block = &rest[..end];
            let Some(id) = block.iter().find(|line| line.name == "TZID") else { continue };
            let location = block.iter().find(|line| line.name == "X-LIC-LOCATION");
            let zone = Zone::find(&id.value)
                .or_else(|| location.and_then(|line| Zone::find(&line.value)))
                .or_else(|| posix(block).and_then(|rules| Zone::from_posix(&rules)));
            if let Some(zone) = zone {
                named.insert(id.value.trim().to_owned(), zone);
            }
        }
        Self { named, own }
    }

    /// The zone of a `TZID`; the file's own for one that says nothing.
    pub(super) fn get(&self, id: &str) -> Arc<Zone> {
        let known = self.named.get(id.trim()).cloned();
        known.or_else(|| Zone::find(id)).unwrap_or_else(|| Arc::clone(&self.own))
    }
}

/// The rules of a `VTIMEZONE` in POSIX form: its latest standard time, and its latest summer time where
/// that is still repeated.
fn posix(block: &[Line]) -> Option<String> {
    let standard = latest(block, "STANDARD")?;
    let base = format!("<{}>{}", name(standard.offset), offset(standard.offset));
    let daylight = latest(block, "DAYLIGHT").filter(|summer| summer.rule.is_some());
    let (Some(summer), Some(winter_rule)) = (daylight, standard.rule.as_ref()) else { return Some(base) };
    let summer_rule = summer.rule.as_ref()?;
    Some(format!("{base}<{}>{},{summer_rule},{winter_rule}", name(summer.offset), offset(summer.offset)))
}

/// One kind of time of a zone.
struct Observance {
    begin: DateTime,
    // Seconds east of Greenwich.
    offset: i32,
    // The POSIX form of when it begins each year.
    rule: Option<String>,
}

fn latest(block: &[Line], kind: &str) -> Option<Observance> {
    let read = |properties: Vec<&Line>| -> Option<Observance> {
        let value =
            |name: &str| properties.iter().find(|line| line.name == name).map(|line| line.value.trim());
        let begin = DateTime::strptime("%Y%m%dT%H%M%S", value("DTSTART")?).ok()?;
        let rule = value("RRULE").filter(|rule| !rule.contains("UNTIL="));
        Some(Observance {
            begin,
            offset: seconds(value("TZOFFSETTO")?)?,
            rule: rule.and_then(|rule| yearly(rule, begin.time())),
        })
    };
    let all = components(block, kind).filter_map(|(_, properties)| read(properties));
    all.max_by_key(|observance| (observance.rule.is_some(), observance.begin))
}

/// `FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU` at a time of day as `M3.5.0/2`.
fn yearly(rule: &str, time: Time) -> Option<String> {
    let part = |name: &str| {
        rule.split(';')
            .filter_map(|part| part.split_once('='))
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value)
    };
    let month: u8 = part("BYMONTH")?.parse().ok()?;
    let by_day = part("BYDAY")?;
    let (number, day) = by_day.split_at_checked(by_day.len().checked_sub(2)?)?;
    let day = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"].iter().position(|own| *own == day)?;
    let week = match number.trim_start_matches('+').parse::<i8>().ok()? {
        -1 => 5,
        week @ 1..=4 => week,
        _ => return None,
    };
    Some(format!("M{month}.{week}.{day}/{}:{:02}", time.hour(), time.minute()))
}

/// `+0130` or `-053000` in seconds.
fn seconds(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => (1, text),
    };
    let number = |from: usize| digits.get(from..from + 2).map_or(Some(0), |text| text.parse::<i32>().ok());
    digits.get(..4)?;
    Some(sign * (number(0)? * 3_600 + number(2)? * 60 + number(4)?))
}

/// POSIX counts westward.
fn offset(seconds: i32) -> String {
    let minutes = seconds.abs() / 60;
    let sign = if seconds > 0 { "-" } else { "" };
    format!("{sign}{}:{:02}", minutes / 60, minutes % 60)
}

fn name(seconds: i32) -> String {
    let minutes = seconds.abs() / 60;
    let sign = if seconds < 0 { "-" } else { "+" };
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}
