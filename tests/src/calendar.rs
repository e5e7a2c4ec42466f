//! Appointments as tests need them.

use jiff::{Timestamp, ToSpan};
use proto_ews::{CalendarItem, FreeBusy, Recurrence, RecurrencePattern, RecurrenceRange, field};

use crate::scene::{Scene, ZONE};

/// The address of mailbox `number`, from 1.
pub fn mailbox(number: u32) -> String {
    format!("m{number:04}@sim.test")
}

impl Scene {
    /// `days` from today at `hour` o'clock, local time.
    ///
    /// # Panics
    /// When there is no such time.
    pub fn at(&self, days: i64, hour: i8) -> Timestamp {
        let now = self.clock.now().in_tz(ZONE).expect("a zone that exists");
        let day = now.date().saturating_add(days.days());
        day.at(hour, 0, 0, 0).in_tz(ZONE).expect("a time that exists").timestamp()
    }

    /// A busy hour at nine.
    pub fn appointment(&self, uid: &str, days: i64) -> CalendarItem {
        CalendarItem {
            uid: Some(uid.into()),
            start: Some(self.at(days, 9)),
            end: Some(self.at(days, 10)),
            free_busy: Some(FreeBusy::Busy),
            ..CalendarItem::default()
        }
    }

    /// The same hour in `weeks` weeks: so many appointments in one call to Planner.
    ///
    /// # Panics
    /// When there is no such date.
    pub fn series(&self, uid: &str, days: i64, weeks: i32) -> CalendarItem {
        let first = self.at(days, 9).in_tz(ZONE).expect("a zone that exists").date();
        CalendarItem {
            recurrence: Some(Recurrence {
                pattern: RecurrencePattern::Daily { interval: 7 },
                range: RecurrenceRange::Numbered { start: first, occurrences: weeks },
            }),
            ..self.appointment(uid, days)
        }
    }

    /// What moves an appointment to an hour at one o'clock, `days` from today.
    pub fn new_times(&self, days: i64) -> Vec<(&'static str, CalendarItem)> {
        let start = CalendarItem { start: Some(self.at(days, 13)), ..CalendarItem::default() };
        let end = CalendarItem { end: Some(self.at(days, 14)), ..CalendarItem::default() };
        vec![(field::START, start), (field::END, end)]
    }
}
