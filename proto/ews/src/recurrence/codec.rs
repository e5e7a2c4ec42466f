//! Recurrences on the wire.

use jiff::civil::Date;
use proto_soap::{Element, Reader, Writer};

use super::{Recurrence, RecurrencePattern, RecurrenceRange};
use crate::wire::{read_date, write_date};
use crate::{DayOfWeek, DayOfWeekIndex, Error, Month, TYPES_NS};

/// Most days that a pattern may list.
const DAYS_MAX: usize = 16;

/// The parts of a pattern or range; which of them must be there depends on its element.
#[derive(Default)]
struct Parts {
    interval: Option<i32>,
    days: Vec<DayOfWeek>,
    first_day_of_week: Option<DayOfWeek>,
    day_of_month: Option<i32>,
    index: Option<DayOfWeekIndex>,
    month: Option<Month>,
    start: Option<Date>,
    end: Option<Date>,
    occurrences: Option<i32>,
}

impl Parts {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut parts = Self::default();
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "Interval") => parts.interval = Some(reader.parse(child)?),
                (TYPES_NS, "DaysOfWeek") => parts.days = read_days(reader, child)?,
                (TYPES_NS, "FirstDayOfWeek") => parts.first_day_of_week = Some(reader.parse(child)?),
                (TYPES_NS, "DayOfMonth") => parts.day_of_month = Some(reader.parse(child)?),
                (TYPES_NS, "DayOfWeekIndex") => parts.index = Some(reader.parse(child)?),
                (TYPES_NS, "Month") => parts.month = Some(reader.parse(child)?),
                (TYPES_NS, "StartDate") => parts.start = Some(read_date(reader, child)?),
                (TYPES_NS, "EndDate") => parts.end = Some(read_date(reader, child)?),
                (TYPES_NS, "NumberOfOccurrences") => parts.occurrences = Some(reader.parse(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(parts)
    }

    fn interval(&self) -> Result<i32, Error> {
        self.interval.ok_or(Error::missing("Interval"))
    }

    fn day(&self) -> Result<DayOfWeek, Error> {
        self.days.first().copied().ok_or(Error::missing("DaysOfWeek"))
    }

    fn index(&self) -> Result<DayOfWeekIndex, Error> {
        self.index.ok_or(Error::missing("DayOfWeekIndex"))
    }

    fn day_of_month(&self) -> Result<i32, Error> {
        self.day_of_month.ok_or(Error::missing("DayOfMonth"))
    }

    fn month(&self) -> Result<Month, Error> {
        self.month.ok_or(Error::missing("Month"))
    }

    fn start(&self) -> Result<Date, Error> {
        self.start.ok_or(Error::missing("StartDate"))
    }
}

/// Days with blanks between them.
fn read_days(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<DayOfWeek>, Error> {
    let text = reader.text(element)?;
    let days: Result<Vec<DayOfWeek>, _> =
        text.split_ascii_whitespace().take(DAYS_MAX).map(str::parse).collect();
    Ok(days.map_err(|_| element.value_error())?)
}

impl Recurrence {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut pattern, mut range) = (None, None);
        reader.children(element, |reader, child| {
            if child.namespace() != TYPES_NS {
                return Ok(());
            }
            let local = child.local().to_owned();
            let parts = Parts::read(reader, child)?;
            if let Some(found) = RecurrencePattern::from_parts(&local, &parts)? {
                pattern = Some(found);
            } else if let Some(found) = RecurrenceRange::from_parts(&local, &parts)? {
                range = Some(found);
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            pattern: pattern.ok_or(Error::missing("recurrence pattern"))?,
            range: range.ok_or(Error::missing("recurrence range"))?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element("t:Recurrence", |w| {
            self.pattern.write(w);
            self.range.write(w);
        });
    }
}

impl RecurrencePattern {
    fn from_parts(local: &str, parts: &Parts) -> Result<Option<Self>, Error> {
        Ok(Some(match local {
            "DailyRecurrence" => Self::Daily { interval: parts.interval()? },
            "WeeklyRecurrence" => Self::Weekly {
                interval: parts.interval()?,
                days: parts.days.clone(),
                first_day_of_week: parts.first_day_of_week,
            },
            "AbsoluteMonthlyRecurrence" => {
                Self::AbsoluteMonthly { interval: parts.interval()?, day_of_month: parts.day_of_month()? }
            }
            "RelativeMonthlyRecurrence" => Self::RelativeMonthly {
                interval: parts.interval()?,
                day: parts.day()?,
                index: parts.index()?,
            },
            "AbsoluteYearlyRecurrence" => {
                Self::AbsoluteYearly { day_of_month: parts.day_of_month()?, month: parts.month()? }
            }
            "RelativeYearlyRecurrence" => {
                Self::RelativeYearly { day: parts.day()?, index: parts.index()?, month: parts.month()? }
            }
            _ => return Ok(None),
        }))
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Daily { interval } => {
                writer.element("t:DailyRecurrence", |w| w.value("t:Interval", interval));
            }
            Self::Weekly { interval, days, first_day_of_week } => {
                writer.element("t:WeeklyRecurrence", |w| {
                    w.value("t:Interval", interval);
                    let days: Vec<&str> = days.iter().map(|day| day.as_str()).collect();
                    w.leaf("t:DaysOfWeek", &days.join(" "));
                    w.optional("t:FirstDayOfWeek", first_day_of_week.map(DayOfWeek::as_str));
                });
            }
            Self::AbsoluteMonthly { interval, day_of_month } => {
                writer.element("t:AbsoluteMonthlyRecurrence", |w| {
                    w.value("t:Interval", interval);
                    w.value("t:DayOfMonth", day_of_month);
                });
            }
            Self::RelativeMonthly { interval, day, index } => {
                writer.element("t:RelativeMonthlyRecurrence", |w| {
                    w.value("t:Interval", interval);
                    w.value("t:DaysOfWeek", day);
                    w.value("t:DayOfWeekIndex", index);
                });
            }
            Self::AbsoluteYearly { day_of_month, month } => {
                writer.element("t:AbsoluteYearlyRecurrence", |w| {
                    w.value("t:DayOfMonth", day_of_month);
                    w.value("t:Month", month);
                });
            }
            Self::RelativeYearly { day, index, month } => {
                writer.element("t:RelativeYearlyRecurrence", |w| {
                    w.value("t:DaysOfWeek", day);
                    w.value("t:DayOfWeekIndex", index);
                    w.value("t:Month", month);
                });
            }
        }
    }
}

impl RecurrenceRange {
    fn from_parts(local: &str, parts: &Parts) -> Result<Option<Self>, Error> {
        Ok(Some(match local {
            "NoEndRecurrence" => Self::NoEnd { start: parts.start()? },
            "EndDateRecurrence" => {
                Self::EndDate { start: parts.start()?, end: parts.end.ok_or(Error::missing("EndDate"))? }
            }
            "NumberedRecurrence" => Self::Numbered {
                start: parts.start()?,
                occurrences: parts.occurrences.ok_or(Error::missing("NumberOfOccurrences"))?,
            },
            _ => return Ok(None),
        }))
    }

    fn write(&self, writer: &mut Writer) {
        match *self {
            Self::NoEnd { start } => {
                writer.element("t:NoEndRecurrence", |w| write_date(w, "t:StartDate", start));
            }
            Self::EndDate { start, end } => writer.element("t:EndDateRecurrence", |w| {
                write_date(w, "t:StartDate", start);
                write_date(w, "t:EndDate", end);
            }),
            Self::Numbered { start, occurrences } => writer.element("t:NumberedRecurrence", |w| {
                write_date(w, "t:StartDate", start);
                w.value("t:NumberOfOccurrences", occurrences);
            }),
        }
    }
}
