//! Reads the rows of the logs as entries of the story. Pure, but for what a row answers.

use calendar::{OriginId, Slot};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Entry, Happening};
use crate::outbox::Operation;

/// That a notification came, and what became of it.
pub(super) fn notification(row: &Row, entries: &mut Vec<Entry>) -> Result<(), tokio_postgres::Error> {
    let (id, kind): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    let attempts: i32 = row.try_get(3)?;
    let received: Timestamp = row.try_get(2)?;
    entries.push(Entry { at: received, what: Happening::Notified { id, kind: kind.clone() } });
    let at: Option<Timestamp> = row.try_get(4)?;
    let outcome: Option<String> = row.try_get(5)?;
    let text: Option<String> = row.try_get(6)?;
    match outcome {
        Some(outcome) => entries.push(Entry {
            at: at.unwrap_or(received),
            what: Happening::Handled { id, kind, outcome, text, attempts },
        }),
        None if attempts > 0 || text.is_some() => entries.push(Entry {
            at: at.unwrap_or(received),
            what: Happening::Failing { id, kind, attempts, error: text, set_aside: row.try_get(7)? },
        }),
        None => {}
    }
    Ok(())
}

/// What became of a key in a call, with the number of the call.
pub(super) fn answer(row: &Row) -> Result<(Uuid, Entry), tokio_postgres::Error> {
    let origin_id = OriginId::new(row.try_get::<_, String>(1)?);
    let operation = Operation::of_code(row.try_get(2)?);
    let deadline: Option<Timestamp> = row.try_get(10)?;
    let what = match deadline {
        Some(deadline) => Happening::InFlight { origin_id, operation, deadline },
        None => Happening::Answered {
            origin_id,
            operation,
            version: row.try_get(3)?,
            slot: Slot { start: row.try_get(4)?, end: row.try_get(5)? },
            code: row.try_get(6)?,
            outcome: row.try_get(7)?,
            text: row.try_get(8)?,
        },
    };
    Ok((row.try_get(0)?, Entry { at: row.try_get(9)?, what }))
}

/// That a call began, and that it ended.
pub(super) fn call(row: &Row, entries: &mut Vec<Entry>) -> Result<(), tokio_postgres::Error> {
    let (call_id, operation): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
    let called = Happening::Called { call_id, operation: operation.clone(), items: row.try_get(2)? };
    entries.push(Entry { at: row.try_get(3)?, what: called });
    let ended: Option<Timestamp> = row.try_get(4)?;
    let Some(at) = ended else { return Ok(()) };
    let what = Happening::CallEnded {
        call_id,
        operation,
        success: row.try_get(5)?,
        event_id: row.try_get(6)?,
        text: row.try_get(7)?,
        planner_call_id: row.try_get(8)?,
    };
    entries.push(Entry { at, what });
    Ok(())
}

/// That deletions were withheld.
pub(super) fn withheld(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    let what = Happening::Withheld {
        run: row.try_get(1)?,
        source: row.try_get(2)?,
        keys: row.try_get(3)?,
        there: row.try_get(4)?,
        state: row.try_get(5)?,
    };
    Ok(Entry { at: row.try_get(0)?, what })
}

/// That a withheld run was settled or ended, if it was.
pub(super) fn settled(row: &Row) -> Result<Option<Entry>, tokio_postgres::Error> {
    let (at, by): (Option<Timestamp>, Option<String>) = (row.try_get(6)?, row.try_get(7)?);
    let Some((at, by)) = at.zip(by) else { return Ok(None) };
    Ok(Some(Entry { at, what: Happening::Settled { run: row.try_get(1)?, state: row.try_get(5)?, by } }))
}

/// What was asked for.
pub(super) fn ask(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    let what = Happening::Asked {
        id: row.try_get(1)?,
        kind: row.try_get(2)?,
        by: row.try_get(3)?,
        all: row.try_get(4)?,
    };
    Ok(Entry { at: row.try_get(0)?, what })
}

/// What happened or was done.
pub(super) fn event(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    let (act, by): (Option<String>, Option<String>) = (row.try_get(4)?, row.try_get(5)?);
    let what = match act.zip(by) {
        Some((act, by)) => Happening::Acted { act, by, reason: row.try_get(6)? },
        None => Happening::Event {
            event_id: row.try_get(1)?,
            severity: row.try_get(2)?,
            message: row.try_get(3)?,
        },
    };
    Ok(Entry { at: row.try_get(0)?, what })
}
