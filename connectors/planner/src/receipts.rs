//! Receipts carry no mail address, and one origin id occurs in many mailboxes: they are matched by
//! position, and each must bear the origin id that was sent at its position (B9).

use proto_planner::{CalendarEvent, CalendarEventReceipt, Operation};

use crate::PlannerError;

/// Verifies that the receipts are those of `events`, position by position.
pub(crate) fn verify(
    operation: Operation,
    events: &[CalendarEvent],
    receipts: &[CalendarEventReceipt],
) -> Result<(), PlannerError> {
    if events.len() != receipts.len() {
        return Err(PlannerError::ReceiptCount { operation, sent: events.len(), received: receipts.len() });
    }
    let differs = |(event, receipt): (&CalendarEvent, &CalendarEventReceipt)| {
        event.origin_system_identifier != receipt.origin_system_identifier
    };
    match events.iter().zip(receipts).position(differs) {
        Some(position) => Err(PlannerError::ReceiptMismatch { operation, position }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn event(id: &str) -> CalendarEvent {
        CalendarEvent::new("a@b", id, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
    }

    fn receipt(id: &str) -> CalendarEventReceipt {
        CalendarEventReceipt {
            planner_resource_identifier: None,
            calendar_event_identifier: Uuid::nil(),
            received_at: Timestamp::UNIX_EPOCH,
            error_code: 0,
            message: None,
            origin_system_identifier: id.into(),
            conflict_notification_sent: false,
        }
    }

    proptest! {
        /// Accepted exactly when the ids are the same list, case and order included.
        #[test]
        fn only_the_same_list_is_accepted(
            sent in prop::collection::vec("[aAb]{1,2}", 1..6),
            received in prop::collection::vec("[aAb]{1,2}", 0..6),
        ) {
            let events: Vec<_> = sent.iter().map(|id| event(id)).collect();
            let receipts: Vec<_> = received.iter().map(|id| receipt(id)).collect();
            let verdict = verify(Operation::CreateEvents, &events, &receipts);
            prop_assert_eq!(verdict.is_ok(), sent == received);
            let own: Vec<_> = sent.iter().map(|id| receipt(id)).collect();
            prop_assert!(verify(Operation::CreateEvents, &events, &own).is_ok());
        }
    }
}
