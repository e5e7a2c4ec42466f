//! EWS items to appointments. Pure.

use calendar::{Appointment, AppointmentKind, FreeBusy, ItemId, Slot, Uid};
use proto_ews::{CalendarItem, CalendarItemKind};

#[cfg(test)]
mod tests;

/// A calendar item that lacks what every calendar item has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incomplete(pub(crate) &'static str);

/// The appointment that an item is. `id` is the identifier that it was asked by or found with.
pub(crate) fn from_item(id: ItemId, item: &mut CalendarItem) -> Result<Appointment, Incomplete> {
    let start = item.start.ok_or(Incomplete("an item without start"))?;
    let end = item.end.ok_or(Incomplete("an item without end"))?;
    Ok(Appointment {
        item_id: id,
        uid: item.uid.take().filter(|uid| !uid.is_empty()).map(Uid::new),
        kind: kind(item.kind),
        recurrence_id: item.recurrence_id,
        slot: Slot { start, end },
        is_all_day: item.is_all_day.unwrap_or(false),
        free_busy: free_busy(item.free_busy),
        is_cancelled: item.is_cancelled.unwrap_or(false),
        zone: item
            .start_time_zone
            .take()
            .and_then(|zone| zone.id)
            .or_else(|| item.start_time_zone_id.take())
            .filter(|zone| !zone.is_empty()),
    })
}

/// Decides by CalendarItemType alone: `IsRecurring` is false on masters (field note 30).
fn kind(kind: Option<CalendarItemKind>) -> AppointmentKind {
    match kind {
        Some(CalendarItemKind::Occurrence) => AppointmentKind::Occurrence,
        Some(CalendarItemKind::Exception) => AppointmentKind::Exception,
        Some(CalendarItemKind::RecurringMaster) => AppointmentKind::RecurringMaster,
        Some(CalendarItemKind::Single | CalendarItemKind::Unknown) | None => AppointmentKind::Single,
    }
}

fn free_busy(status: Option<proto_ews::FreeBusy>) -> FreeBusy {
    use proto_ews::FreeBusy as F;
    match status {
        Some(F::Free) => FreeBusy::Free,
        Some(F::Tentative) => FreeBusy::Tentative,
        Some(F::Busy) => FreeBusy::Busy,
        Some(F::Oof) => FreeBusy::Oof,
        Some(F::WorkingElsewhere) => FreeBusy::WorkingElsewhere,
        Some(F::NoData | F::Unknown) | None => FreeBusy::NoData,
    }
}
