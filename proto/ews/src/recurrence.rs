//! Patterns and ranges of series.

use jiff::civil::Date;

use crate::{DayOfWeek, DayOfWeekIndex, Month};

/// `Recurrence` of a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// When.
    pub pattern: RecurrencePattern,
    /// From when and how long.
    pub range: RecurrenceRange,
}

/// The pattern. Intervals are in the pattern's unit, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecurrencePattern {
    /// Every `interval` days.
    Daily {
        /// Days between occurrences.
        interval: i32,
    },
    /// On `days` of every `interval`-th week.
    Weekly {
        /// Weeks between occurrences.
        interval: i32,
        /// Days; `Day`, `Weekday` and `WeekendDay` are groups.
        days: Vec<DayOfWeek>,
        /// Where weeks begin; matters when `interval` is above 1.
        first_day_of_week: Option<DayOfWeek>,
    },
    /// On a day of every `interval`-th month.
    AbsoluteMonthly {
        /// Months between occurrences.
        interval: i32,
        /// Day 1-31; the last day in shorter months.
        day_of_month: i32,
    },
    /// On the n-th such day of every `interval`-th month.
    RelativeMonthly {
        /// Months between occurrences.
        interval: i32,
        /// The day.
        day: DayOfWeek,
        /// Which of them.
        index: DayOfWeekIndex,
    },
    /// On a date of every year.
    AbsoluteYearly {
        /// Day 1-31.
        day_of_month: i32,
        /// The month.
        month: Month,
    },
    /// On the n-th such day of a month of every year.
    RelativeYearly {
        /// The day.
        day: DayOfWeek,
        /// Which of them.
        index: DayOfWeekIndex,
        /// The month.
        month: Month,
    },
}

/// The range; dates are days in the series' own time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecurrenceRange {
    /// Without end.
    NoEnd {
        /// First day.
        start: Date,
    },
    /// Up to a day.
    EndDate {
        /// First day.
        start: Date,
        /// Last day, inclusive.
        end: Date,
    },
    /// A number of occurrences.
    Numbered {
        /// First day.
        start: Date,
        /// How many.
        occurrences: i32,
    },
}

mod codec;
