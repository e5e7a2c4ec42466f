//! An appointment as it was read: only what the rules need (B6: nothing else is ever asked for).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ItemId, Uid};

/// A stretch of time, `start` to `end` (exclusive), as instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
}

/// The free/busy status of an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FreeBusy {
    /// Not busy.
    Free,
    /// Perhaps busy.
    Tentative,
    /// Busy.
    Busy,
    /// Out of office.
    #[serde(rename = "OOF")]
    Oof,
    /// Working, but not here.
    WorkingElsewhere,
    /// The source does not say.
    NoData,
}

/// What sort of item an appointment is in its calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AppointmentKind {
    /// Stands alone.
    Single,
    /// One occurrence of a series, as the pattern has it.
    Occurrence,
    /// One occurrence of a series that was changed by itself.
    Exception,
    /// The series itself: a pattern, not a time.
    RecurringMaster,
}

/// One item of a calendar as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Its current identifier.
    pub item_id: ItemId,
    /// Its UID; some items have none.
    pub uid: Option<Uid>,
    /// What it is. An item that carries a recurrence id is an occurrence whatever this says (B2).
    pub kind: AppointmentKind,
    /// The original start of an occurrence or exception, where the source told it.
    pub recurrence_id: Option<Timestamp>,
    /// Its times as the source gave them; for all-day items midnights of the item's own zone.
    pub slot: Slot,
    /// Does it cover whole dates?
    pub is_all_day: bool,
    /// Its free/busy status.
    pub free_busy: FreeBusy,
    /// Was it called off (the organiser cancelled, the attendee has not removed it)?
    pub is_cancelled: bool,
    /// The item's own zone: a Windows or IANA name as the source gave it.
    pub zone: Option<String>,
}
