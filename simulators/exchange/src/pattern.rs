//! EWS recurrences and RRULEs, into each other.
//!
//! Where the two differ, Exchange's reading is kept: day 31 of a shorter month is its last day, and the
//! 29th of February is the 28th in other years. A rule of a file that EWS has no pattern for stays a
//! rule; its master then shows no `Recurrence`, which a client sees on real servers too when it may not
//! read that property.

use jiff::civil::{Date, DateTime};
use proto_ews::{DayOfWeek, DayOfWeekIndex, Month, Recurrence, RecurrencePattern, RecurrenceRange};

use crate::item::Repetition;
use crate::series::{Series, SeriesError};

/// Codes of RFC 5545, Monday first.
const DAYS: [(DayOfWeek, &str); 7] = [
    (DayOfWeek::Monday, "MO"),
    (DayOfWeek::Tuesday, "TU"),
    (DayOfWeek::Wednesday, "WE"),
    (DayOfWeek::Thursday, "TH"),
    (DayOfWeek::Friday, "FR"),
    (DayOfWeek::Saturday, "SA"),
    (DayOfWeek::Sunday, "SU"),
];

/// How an appointment repeats whose first occurrence is to be on or after the range's first day, at the
/// time of day of `start`.
pub fn repetition(recurrence: &Recurrence, start: DateTime) -> Result<Repetition, SeriesError> {
    let first = first_day(&recurrence.range).to_datetime(start.time());
    let series = Series::snapped(first, &rule(recurrence))?;
    let recurrence = starting(recurrence, series.first().date());
    Ok(Repetition::new(series, Some(recurrence)))
}

/// The same recurrence with another first day.
pub fn starting(recurrence: &Recurrence, first: Date) -> Recurrence {
    let range = match recurrence.range {
        RecurrenceRange::NoEnd { .. } => RecurrenceRange::NoEnd { start: first },
        RecurrenceRange::EndDate { end, .. } => RecurrenceRange::EndDate { start: first, end },
        RecurrenceRange::Numbered { occurrences, .. } => {
            RecurrenceRange::Numbered { start: first, occurrences }
        }
    };
    Recurrence { pattern: recurrence.pattern.clone(), range }
}

fn first_day(range: &RecurrenceRange) -> Date {
    match *range {
        RecurrenceRange::NoEnd { start }
        | RecurrenceRange::EndDate { start, .. }
        | RecurrenceRange::Numbered { start, .. } => start,
    }
}

/// The RRULE of a recurrence, its UNTIL in local time.
pub fn rule(recurrence: &Recurrence) -> String {
    let pattern = match &recurrence.pattern {
        RecurrencePattern::Daily { interval } => format!("FREQ=DAILY;INTERVAL={interval}"),
        RecurrencePattern::Weekly { interval, days, first_day_of_week } => {
            let week = codes(&[first_day_of_week.unwrap_or(DayOfWeek::Sunday)]);
            format!("FREQ=WEEKLY;INTERVAL={interval};BYDAY={};WKST={week}", codes(days))
        }
        RecurrencePattern::AbsoluteMonthly { interval, day_of_month } => {
            format!("FREQ=MONTHLY;INTERVAL={interval};{}", month_day(*day_of_month))
        }
        RecurrencePattern::RelativeMonthly { interval, day, index } => {
            format!("FREQ=MONTHLY;INTERVAL={interval};{}", nth_day(*day, *index))
        }
        RecurrencePattern::AbsoluteYearly { day_of_month, month } => {
            format!("FREQ=YEARLY;BYMONTH={};{}", month_number(*month), month_day(*day_of_month))
        }
        RecurrencePattern::RelativeYearly { day, index, month } => {
            format!("FREQ=YEARLY;BYMONTH={};{}", month_number(*month), nth_day(*day, *index))
        }
    };
    match &recurrence.range {
        RecurrenceRange::NoEnd { .. } => pattern,
        RecurrenceRange::EndDate { end, .. } => format!("{pattern};UNTIL={}", end.strftime("%Y%m%d")),
        RecurrenceRange::Numbered { occurrences, .. } => format!("{pattern};COUNT={occurrences}"),
    }
}

fn codes(days: &[DayOfWeek]) -> String {
    let wanted = |day: DayOfWeek, position: usize| {
        days.iter().any(|given| match given {
            DayOfWeek::Day => true,
            DayOfWeek::Weekday => position < 5,
            DayOfWeek::WeekendDay => position >= 5,
            given => *given == day,
        })
    };
    let codes: Vec<&str> = DAYS
        .iter()
        .enumerate()
        .filter(|(position, (day, _))| wanted(*day, *position))
        .map(|(_, (_, code))| *code)
        .collect();
    codes.join(",")
}

/// A day of the month, or the last one of a month that has fewer.
fn month_day(day: i32) -> String {
    match day {
        29..=31 => {
            let days: Vec<String> = (28..=day).map(|day| day.to_string()).collect();
            format!("BYMONTHDAY={};BYSETPOS=-1", days.join(","))
        }
        _ => format!("BYMONTHDAY={day}"),
    }
}

fn nth_day(day: DayOfWeek, index: DayOfWeekIndex) -> String {
    let position = match index {
        DayOfWeekIndex::First => 1,
        DayOfWeekIndex::Second => 2,
        DayOfWeekIndex::Third => 3,
        DayOfWeekIndex::Fourth => 4,
        DayOfWeekIndex::Last => -1,
    };
    format!("BYDAY={};BYSETPOS={position}", codes(&[day]))
}

fn month_number(month: Month) -> usize {
    Month::ALL.iter().position(|other| *other == month).map_or(1, |position| position + 1)
}

/// The recurrence of a rule of a file, as far as EWS has one: what a master shows of itself.
pub fn recurrence(series: &Series) -> Option<Recurrence> {
    let parts = Parts::of(series.rule());
    let first = series.first();
    let interval = parts.number("INTERVAL").unwrap_or(1);
    let days = parts.days();
    let month_day = match parts.get("BYMONTHDAY") {
        Some(text) => Some(text.parse::<i32>().ok().filter(|day| (1..=28).contains(day))?),
        None => None,
    };
    let position = parts.number("BYSETPOS");
    let nth = |days: &[(Option<i32>, DayOfWeek)]| -> Option<(DayOfWeek, DayOfWeekIndex)> {
        let number = match days {
            [(Some(number), _)] => *number,
            _ => position?,
        };
        let index = match number {
            1 => DayOfWeekIndex::First,
            2 => DayOfWeekIndex::Second,
            3 => DayOfWeekIndex::Third,
            4 => DayOfWeekIndex::Fourth,
            -1 => DayOfWeekIndex::Last,
            _ => return None,
        };
        Some((group(days)?, index))
    };
    let own_day = i32::from(first.day());
    let month = || -> Option<Month> {
        let number = parts.number("BYMONTH").unwrap_or(i32::from(first.month()));
        Month::ALL.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    };
    let pattern = match (parts.get("FREQ")?.to_ascii_uppercase().as_str(), &days[..]) {
        ("DAILY", []) => RecurrencePattern::Daily { interval },
        ("WEEKLY", []) => weekly(&parts, interval, vec![weekday(first.date())]),
        ("WEEKLY", days) => weekly(&parts, interval, days.iter().map(|(_, day)| *day).collect()),
        ("DAILY", days) if interval == 1 => weekly(&parts, 1, days.iter().map(|(_, day)| *day).collect()),
        ("MONTHLY", []) if month_day.is_some() || own_day <= 28 => {
            RecurrencePattern::AbsoluteMonthly { interval, day_of_month: month_day.unwrap_or(own_day) }
        }
        ("MONTHLY", days) if !days.is_empty() && month_day.is_none() => {
            let (day, index) = nth(days)?;
            RecurrencePattern::RelativeMonthly { interval, day, index }
        }
        ("YEARLY", []) if interval == 1 && (month_day.is_some() || own_day <= 28) => {
            RecurrencePattern::AbsoluteYearly { day_of_month: month_day.unwrap_or(own_day), month: month()? }
        }
        ("YEARLY", days) if interval == 1 && !days.is_empty() && month_day.is_none() => {
            let (day, index) = nth(days)?;
            RecurrencePattern::RelativeYearly { day, index, month: month()? }
        }
        _ => return None,
    };
    Some(Recurrence { pattern, range: parts.range(first.date())? })
}

fn weekly(parts: &Parts<'_>, interval: i32, days: Vec<DayOfWeek>) -> RecurrencePattern {
    let first = parts.get("WKST").and_then(day_of);
    RecurrencePattern::Weekly { interval, days, first_day_of_week: Some(first.unwrap_or(DayOfWeek::Monday)) }
}

fn weekday(date: Date) -> DayOfWeek {
    DAYS[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())].0
}

fn day_of(code: &str) -> Option<DayOfWeek> {
    DAYS.iter().find(|(_, own)| own.eq_ignore_ascii_case(code.trim())).map(|(day, _)| *day)
}

/// The name that EWS has for a set of days: a single day, the working days, the weekend, every day.
fn group(days: &[(Option<i32>, DayOfWeek)]) -> Option<DayOfWeek> {
    let is = |group: DayOfWeek| {
        let codes = codes(&[group]);
        codes.split(',').count() == days.len() && days.iter().all(|(_, day)| codes.contains(&codes_of(*day)))
    };
    match days {
        [(_, day)] => Some(*day),
        _ => [DayOfWeek::Weekday, DayOfWeek::WeekendDay, DayOfWeek::Day].into_iter().find(|group| is(*group)),
    }
}

fn codes_of(day: DayOfWeek) -> String {
    codes(&[day])
}

/// The parts of an RRULE value.
struct Parts<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parts<'a> {
    fn of(rule: &'a str) -> Self {
        Self(rule.split(';').filter_map(|part| part.split_once('=')).collect())
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(own, _)| own.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.get(name)?.parse().ok()
    }

    /// BYDAY: numbers (`-1FR`) and days.
    fn days(&self) -> Vec<(Option<i32>, DayOfWeek)> {
        let days = self.get("BYDAY").unwrap_or_default().split(',');
        days.filter_map(|text| {
            let (number, code) = text.trim().split_at_checked(text.trim().len().checked_sub(2)?)?;
            Some((number.trim_start_matches('+').parse().ok(), day_of(code)?))
        })
        .collect()
    }

    fn range(&self, start: Date) -> Option<RecurrenceRange> {
        if let Some(occurrences) = self.number("COUNT") {
            return Some(RecurrenceRange::Numbered { start, occurrences });
        }
        let Some(until) = self.get("UNTIL") else { return Some(RecurrenceRange::NoEnd { start }) };
        let end = Date::strptime("%Y%m%d", until.get(..8)?).ok()?;
        Some(RecurrenceRange::EndDate { start, end })
    }
}

#[cfg(test)]
mod tests;
