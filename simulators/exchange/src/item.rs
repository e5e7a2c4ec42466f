//! One appointment as the store keeps it: its details, and for a series when it repeats, what differs
//! in single occurrences, and which of them are gone.
//!
//! Pure: no clock, no ids, no wire. What the calendar shows of an appointment between two instants is
//! [`Appointment::shown`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, civil};
use proto_ews::{BodyType, CalendarItemKind as Kind, FreeBusy, Recurrence, Sensitivity};

use crate::pattern;
use crate::series::{Series, SeriesError};
use crate::zone::Zone;

/// Does it take time in the calendar, so that changes raise `FreeBusyChangedEvent`?
pub const fn takes_time(status: FreeBusy) -> bool {
    !matches!(status, FreeBusy::Free | FreeBusy::NoData)
}

macro_rules! details {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// What an appointment says, apart from its identity and its repetition.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Details { $($(#[$doc])* pub $field: $type,)* }

        /// Some of the details: what a client changes, or how an exception differs from its series.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Patch { $($(#[$doc])* pub $field: Option<$type>,)* }

        impl Details {
            /// Everything that it says, as a patch.
            pub fn into_patch(self) -> Patch {
                Patch { $($field: Some(self.$field),)* }
            }
        }

        impl Patch {
            /// Writes what is set over `details`.
            pub fn apply(&self, details: &mut Details) {
                $(if let Some(value) = &self.$field { details.$field = value.clone(); })*
            }

            /// Adds what a later patch sets.
            pub fn merge(&mut self, later: Patch) {
                $(if later.$field.is_some() { self.$field = later.$field; })*
            }
        }
    };
}

details! {
    /// The subject; content that leaves this server only when a client asks for it by name.
    subject: String,
    /// The body's text, and its form.
    body: Option<(String, BodyType)>,
    /// The place.
    location: Option<String>,
    /// For whom it is meant.
    sensitivity: Sensitivity,
    /// `Low`, `Normal`, `High`.
    importance: String,
    /// Categories, in their order.
    categories: Vec<String>,
    /// Begin.
    start: Timestamp,
    /// End, not before the begin.
    end: Timestamp,
    /// The zone of the begin; all-day appointments lie on dates of this zone.
    start_zone: Arc<Zone>,
    /// The zone of the end.
    end_zone: Arc<Zone>,
    /// Covers whole dates.
    all_day: bool,
    /// How it shows to others.
    free_busy: FreeBusy,
    /// Cancelled by its organizer.
    cancelled: bool,
    /// A reminder is set.
    reminder_is_set: bool,
    /// Minutes before the begin.
    reminder_minutes: i32,
    /// The organizer wants answers.
    response_requested: bool,
    /// Others may propose another time.
    allow_new_time: bool,
    /// Mail addresses of required attendees.
    required: Vec<String>,
    /// Mail addresses of optional attendees.
    optional: Vec<String>,
}

impl Details {
    /// An appointment that says only when it is: what a client that sets nothing else gets.
    pub fn plain(start: Timestamp, end: Timestamp, zone: Arc<Zone>) -> Self {
        Self {
            subject: String::new(),
            body: None,
            location: None,
            sensitivity: Sensitivity::Normal,
            importance: "Normal".into(),
            categories: Vec::new(),
            start,
            end,
            start_zone: Arc::clone(&zone),
            end_zone: zone,
            all_day: false,
            free_busy: FreeBusy::Busy,
            cancelled: false,
            reminder_is_set: true,
            reminder_minutes: 15,
            response_requested: true,
            allow_new_time: true,
            required: Vec::new(),
            optional: Vec::new(),
        }
    }

    /// Moves the times of an all-day appointment to the midnights around them, as Exchange does.
    pub fn align_all_day(&mut self) {
        if self.all_day {
            self.start = self.start_zone.midnight_before(self.start);
            self.end = self.end_zone.midnight_after(self.end);
            if self.end <= self.start {
                self.end = self.end_zone.midnight_after(
                    self.start.saturating_add(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX),
                );
            }
        }
    }

    /// Length in local time, so that nine to five stays nine to five on the day with 25 hours.
    fn local_length(&self) -> SignedDuration {
        let (start, end) = (self.start_zone.local(self.start), self.start_zone.local(self.end));
        start.duration_until(end).max(SignedDuration::ZERO)
    }
}

/// How an appointment repeats.
#[derive(Debug, Clone)]
pub struct Repetition {
    /// When.
    pub series: Series,
    /// The pattern and range as a client wrote it; `None` for a rule of a file that EWS cannot express.
    pub pattern: Option<Recurrence>,
    /// What differs in single occurrences, by original local start.
    pub exceptions: BTreeMap<civil::DateTime, Exception>,
    /// Deleted occurrences, by original local start.
    pub deleted: BTreeSet<civil::DateTime>,
}

/// A changed occurrence.
#[derive(Debug, Clone, Default)]
pub struct Exception {
    /// What differs.
    pub patch: Patch,
    /// When it was last changed.
    pub modified: Timestamp,
}

impl Repetition {
    /// A repetition without exceptions.
    pub fn new(series: Series, pattern: Option<Recurrence>) -> Self {
        Self { series, pattern, exceptions: BTreeMap::new(), deleted: BTreeSet::new() }
    }
}

/// An appointment with its identity and repetition.
#[derive(Debug, Clone)]
pub struct Appointment {
    /// The iCalendar UID, shared by a whole series; case-sensitive free text.
    pub uid: String,
    /// What it says; for a series, of the first occurrence.
    pub details: Details,
    /// `None` for a single appointment.
    pub repetition: Option<Repetition>,
    /// For a single instance of a series whose master is not in this mailbox (an invitation to one
    /// meeting of many): its original start.
    pub lone_instance: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// One appointment as a calendar shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What it is.
    pub kind: Kind,
    /// For an occurrence its original local start, by which its id is made.
    pub original: Option<civil::DateTime>,
    /// For an occurrence its original start.
    pub recurrence_id: Option<Timestamp>,
    /// What it says.
    pub details: Details,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// Why an occurrence cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OccurrenceError {
    /// The series has none at that start.
    #[error("the series has no such occurrence")]
    Unknown,
    /// It was deleted from the series.
    #[error("the occurrence was deleted from the series")]
    Deleted,
    /// The appointment is no series.
    #[error("the appointment is not recurring")]
    NotRecurring,
}

impl Appointment {
    /// What it is as a stored item.
    pub fn kind(&self) -> Kind {
        if self.repetition.is_some() { Kind::RecurringMaster } else { Kind::Single }
    }

    /// The stored item itself.
    pub fn stored(&self) -> Shown {
        Shown {
            kind: self.kind(),
            original: None,
            recurrence_id: self.lone_instance,
            details: self.details.clone(),
            modified: self.modified,
        }
    }

    /// What a calendar shows of it between two instants: everything that ends after `from` and starts
    /// before `to`, a series as its occurrences.
    pub fn shown(&self, from: Timestamp, to: Timestamp) -> Vec<Shown> {
        let overlaps = |details: &Details| details.end > from && details.start < to;
        let Some(repetition) = &self.repetition else {
            return if overlaps(&self.details) { vec![self.stored()] } else { Vec::new() };
        };
        // One day more on either side: local time and instants differ by at most that.
        let zone = &self.details.start_zone;
        let day = SignedDuration::from_hours(24);
        let length = self.details.local_length();
        let earliest = zone.local(from).saturating_sub(length).saturating_sub(day);
        let latest = zone.local(to).saturating_add(day);
        let mut originals: BTreeSet<_> = repetition.series.starts(earliest, latest).into_iter().collect();
        originals.extend(repetition.exceptions.keys());
        originals
            .into_iter()
            .filter(|original| !repetition.deleted.contains(original))
            .map(|original| self.show(repetition, original))
            .filter(|shown| overlaps(&shown.details))
            .collect()
    }

    /// One occurrence by its original local start.
    pub fn occurrence(&self, original: civil::DateTime) -> Result<Shown, OccurrenceError> {
        let repetition = self.repetition.as_ref().ok_or(OccurrenceError::NotRecurring)?;
        if repetition.deleted.contains(&original) {
            return Err(OccurrenceError::Deleted);
        }
        if !repetition.exceptions.contains_key(&original) && !repetition.series.has(original) {
            return Err(OccurrenceError::Unknown);
        }
        Ok(self.show(repetition, original))
    }

    /// The original local start of occurrence number `index` (from 1, deleted ones counted).
    pub fn original_at(&self, index: usize) -> Result<civil::DateTime, OccurrenceError> {
        let repetition = self.repetition.as_ref().ok_or(OccurrenceError::NotRecurring)?;
        repetition.series.nth(index).ok_or(OccurrenceError::Unknown)
    }

    /// Changes one occurrence.
    pub fn change_occurrence(
        &mut self,
        original: civil::DateTime,
        patch: Patch,
        now: Timestamp,
    ) -> Result<(), OccurrenceError> {
        let before = self.occurrence(original)?.details;
        let repetition = self.repetition.as_mut().ok_or(OccurrenceError::NotRecurring)?;
        let exception = repetition.exceptions.entry(original).or_default();
        exception.patch.merge(patch);
        exception.modified = now;
        // An occurrence that is made all-day, or moved while it is, lies on whole dates like any other.
        let mut after = before;
        exception.patch.apply(&mut after);
        after.align_all_day();
        if after.all_day {
            exception.patch.start = Some(after.start);
            exception.patch.end = Some(after.end);
        }
        self.modified = now;
        Ok(())
    }

    /// Deletes one occurrence.
    pub fn delete_occurrence(
        &mut self,
        original: civil::DateTime,
        now: Timestamp,
    ) -> Result<(), OccurrenceError> {
        self.occurrence(original)?;
        let repetition = self.repetition.as_mut().ok_or(OccurrenceError::NotRecurring)?;
        repetition.exceptions.remove(&original);
        repetition.deleted.insert(original);
        self.modified = now;
        Ok(())
    }

    /// Changes the stored item. When a series gets other times its exceptions and deletions are gone,
    /// as in Exchange: their original starts no longer exist.
    pub fn change(&mut self, patch: &Patch, now: Timestamp) -> Result<(), SeriesError> {
        let before = (self.details.start, self.details.end, Arc::clone(&self.details.start_zone));
        let mut details = self.details.clone();
        patch.apply(&mut details);
        details.align_all_day();
        let after = (details.start, details.end, Arc::clone(&details.start_zone));
        if let (Some(repetition), true) = (&self.repetition, before != after) {
            let start = details.start_zone.local(details.start);
            let repeated = match &repetition.pattern {
                Some(recurrence) => pattern::repetition(&pattern::starting(recurrence, start.date()), start)?,
                None => Repetition::new(Series::snapped(start, repetition.series.rule())?, None),
            };
            self.repeat(&mut details, repeated);
        }
        self.details = details;
        self.modified = now;
        Ok(())
    }

    /// Gives it another repetition, or none.
    pub fn set_repetition(&mut self, repetition: Option<Repetition>, now: Timestamp) {
        match repetition {
            Some(repetition) => {
                let mut details = self.details.clone();
                self.repeat(&mut details, repetition);
                self.details = details;
            }
            None => self.repetition = None,
        }
        self.modified = now;
    }

    // The details of a series are those of its first occurrence: move them there.
    fn repeat(&mut self, details: &mut Details, repetition: Repetition) {
        let length = details.local_length();
        let first = repetition.series.first();
        details.start = details.start_zone.instant(first);
        details.end = details.start_zone.instant(first.saturating_add(length));
        self.repetition = Some(repetition);
    }

    fn show(&self, repetition: &Repetition, original: civil::DateTime) -> Shown {
        let zone = &self.details.start_zone;
        let mut details = self.details.clone();
        details.start = zone.instant(original);
        details.end = zone.instant(original.saturating_add(self.details.local_length())).max(details.start);
        let recurrence_id = Some(details.start);
        let (kind, modified) = match repetition.exceptions.get(&original) {
            Some(exception) => {
                exception.patch.apply(&mut details);
                (Kind::Exception, exception.modified)
            }
            None => (Kind::Occurrence, self.modified),
        };
        Shown { kind, original: Some(original), recurrence_id, details, modified }
    }
}

#[cfg(test)]
mod tests;
