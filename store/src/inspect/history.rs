//! The story of a mailbox, or of one of its appointments: what came, what was decided, what was sent and answered, in
//! the order of its happening.
//!
//! The logs keep it ([`crate::housekeeping`] says how long), the decisions that others took the place of among them. Of those
//! that a version before V21 overruled only the log of answers tells, by what was sent for them.

use calendar::{MailAddress, OriginId, Slot, codes};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::operations::OperationKind;
use crate::outbox::Operation;
use crate::{Store, StoreError};

mod rows;
mod steps;

use rows::{answer, ask, call, event, notification, settled, withheld};
use steps::{forget_what_acts_tell, steps_of};

/// Which part of a story.
#[derive(Debug, Clone, Copy)]
pub struct HistoryQuery<'a> {
    /// Whose.
    pub mail: &'a MailAddress,
    /// Of this appointment alone: what concerns the mailbox as a whole is told only where nothing is known of the
    /// appointment, or where it decides whether anything is sent.
    pub origin_id: Option<&'a OriginId>,
    /// Not earlier than this; the decision that stands for an appointment is told whenever it was made.
    pub since: Timestamp,
    /// So many entries at most, the latest; the decision that stands for an appointment is told beside them.
    pub limit: u32,
}

/// A story.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The earliest first.
    pub entries: Vec<Entry>,
    /// Were earlier ones left out, because there are more than the limit?
    pub more: bool,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, by the clock of whoever wrote it down.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// Planner listed the mailbox for the first time.
    Listed,
    /// It went out of use.
    NotInUse {
        /// Why.
        reason: Option<String>,
    },
    /// It stands on the blacklist since then; only where no act of an operator tells it.
    Blocked {
        /// Why.
        reason: String,
        /// By whom.
        by: String,
    },
    /// It stands on the whitelist since then; only where no act of an operator tells it.
    Allowed {
        /// Why, where somebody said so.
        reason: Option<String>,
        /// By whom.
        by: String,
    },
    /// An operator withdrew its appointments.
    Withdrawn {
        /// Who.
        by: String,
    },
    /// It was located.
    Located {
        /// The address of its Exchange.
        endpoint: String,
    },
    /// It began to be listened to.
    ListenedTo,
    /// It could not be listened to.
    CannotBeListenedTo {
        /// The service's response code or a name of ours.
        code: String,
        /// In words.
        text: Option<String>,
        /// How often in a row.
        count: i32,
    },
    /// What Planner holds was taken over.
    Adopted,
    /// The whole window was read.
    ReadInFull {
        /// Could everything be read and stored? `None` = not known.
        whole: Option<bool>,
    },
    /// It was compared with what Planner holds.
    Compared,
    /// A notification came.
    Notified {
        /// Its number.
        id: i64,
        /// `CreatedEvent` …, `SyncChange` …, `FullRead`.
        kind: String,
    },
    /// A notification was handled.
    Handled {
        /// Its number.
        id: i64,
        /// Its kind.
        kind: String,
        /// What came of it.
        outcome: String,
        /// Details.
        text: Option<String>,
        /// Failures before that.
        attempts: i32,
    },
    /// A notification failed and waits, or was set aside.
    Failing {
        /// Its number.
        id: i64,
        /// Its kind.
        kind: String,
        /// Failures.
        attempts: i32,
        /// The last error.
        error: Option<String>,
        /// Was it set aside?
        set_aside: bool,
    },
    /// Something was decided about a key.
    Decided {
        /// Which.
        origin_id: OriginId,
        /// The version of the decision.
        version: i64,
        /// Wanted, or absent.
        wanted: bool,
        /// Its times.
        slot: Option<Slot>,
        /// By a pull, comparison or withdrawal, not by a live change.
        bulk: bool,
        /// Who withdrew the mailbox and decided it by that; `None` = nobody, or it is not known any more.
        withdrawn_by: Option<String>,
        /// When the reading behind it began.
        reading_began: Option<Timestamp>,
        /// When another decision took its place, by the database's clock; `None` = it stands.
        overruled_at: Option<Timestamp>,
    },
    /// A call to Planner began.
    Called {
        /// Our correlation id.
        call_id: Uuid,
        /// Which call.
        operation: String,
        /// Appointments, or mailboxes asked about.
        items: i32,
    },
    /// A call to Planner ended.
    CallEnded {
        /// Our correlation id.
        call_id: Uuid,
        /// Which call.
        operation: String,
        /// Did it work?
        success: bool,
        /// The event that says what went wrong.
        event_id: Option<i32>,
        /// In words.
        text: Option<String>,
        /// Planner's own identifier of the call.
        planner_call_id: Option<Uuid>,
    },
    /// An appointment is in a call that was not answered yet.
    InFlight {
        /// Which.
        origin_id: OriginId,
        /// What was asked.
        operation: Option<Operation>,
        /// Until when an answer is waited for.
        deadline: Timestamp,
    },
    /// Planner answered about a key, or did not.
    Answered {
        /// Which.
        origin_id: OriginId,
        /// What was asked.
        operation: Option<Operation>,
        /// For which version of the decision.
        version: i64,
        /// The times that were sent.
        slot: Slot,
        /// The receipt's code; `None` = none came.
        code: Option<i32>,
        /// What followed: `acknowledged`, `converted`, `refused` …
        outcome: String,
        /// The receipt's or our words.
        text: Option<String>,
    },
    /// Deletions were withheld.
    Withheld {
        /// The number of the run.
        run: i64,
        /// `full_read` or `comparison`.
        source: String,
        /// How many.
        keys: i32,
        /// Of how many that were there.
        there: i32,
        /// `withheld`, `confirmed` …
        state: String,
    },
    /// A withheld run was confirmed, rejected, or came to an end by itself.
    Settled {
        /// The number of the run.
        run: i64,
        /// `confirmed`, `rejected` …
        state: String,
        /// Who or what did.
        by: String,
    },
    /// An operator asked for something.
    Asked {
        /// The number of the operation.
        id: i64,
        /// What.
        kind: String,
        /// Who.
        by: String,
        /// For all mailboxes that were in use then; whether this one was, is not known.
        all: bool,
    },
    /// A coded event named the mailbox.
    Event {
        /// Its code.
        event_id: i32,
        /// How bad.
        severity: String,
        /// In words.
        message: String,
    },
    /// An operator acted on the mailbox (9503).
    Acted {
        /// What was done: the command.
        act: String,
        /// Who.
        by: String,
        /// Why, where somebody said so.
        reason: Option<String>,
    },
}

/// Does it decide whether anything of the mailbox is sent?
const fn decides_on_sending(what: &Happening) -> bool {
    matches!(
        what,
        Happening::NotInUse { .. }
            | Happening::Blocked { .. }
            | Happening::Allowed { .. }
            | Happening::Withdrawn { .. }
            | Happening::Adopted
    )
}

impl Happening {
    /// Is it a decision that stands?
    pub(super) const fn stands(&self) -> bool {
        matches!(self, Self::Decided { overruled_at: None, .. })
    }

    /// Is it a withheld run that waits?
    fn waits(&self) -> bool {
        matches!(self, Self::Withheld { state, .. } if state == "withheld")
    }

    /// Of decisions of the same instant, those about a key follow their versions.
    const fn version(&self) -> i64 {
        match self {
            Self::Decided { version, .. } => *version,
            _ => 0,
        }
    }

    /// Of entries of one kind and the same instant the one with the lower number came first.
    const fn number(&self) -> i64 {
        match self {
            Self::Notified { id, .. }
            | Self::Handled { id, .. }
            | Self::Failing { id, .. }
            | Self::Asked { id, .. } => *id,
            Self::Withheld { run, .. } | Self::Settled { run, .. } => *run,
            _ => 0,
        }
    }

    /// What follows what at the same instant.
    const fn rank(&self) -> u8 {
        match self {
            Self::Listed | Self::Located { .. } | Self::Asked { .. } => 0,
            // the decisions of a confirmation bear its time, and so does the end of the use of a mailbox that is blocked
            Self::Notified { .. } | Self::Settled { .. } | Self::Blocked { .. } | Self::Allowed { .. } => 1,
            Self::ReadInFull { .. } | Self::Adopted | Self::Compared | Self::Withheld { .. } => 3,
            Self::Decided { .. } => 2,
            Self::Handled { .. } | Self::Failing { .. } => 4,
            Self::Called { .. } => 5,
            Self::InFlight { .. } => 6,
            Self::Answered { .. } => 7,
            Self::CallEnded { .. } => 8,
            Self::NotInUse { .. }
            | Self::Withdrawn { .. }
            | Self::ListenedTo
            | Self::CannotBeListenedTo { .. }
            | Self::Event { .. }
            | Self::Acted { .. } => 9,
        }
    }
}

impl Store {
    /// The story of a mailbox or of one of its appointments.
    pub async fn history(&self, query: &HistoryQuery<'_>) -> Result<History, StoreError> {
        let mut entries = Vec::new();
        let is_known = match query.origin_id {
            Some(origin_id) => self.key_state(query.mail, origin_id).await?.is_some(),
            None => false,
        };
        if let Some(facts) = self.mailbox_facts(query.mail).await? {
            let steps = steps_of(facts).into_iter();
            entries.extend(steps.filter(|step| !is_known || decides_on_sending(&step.what)));
        }
        let items = self.items_of(query).await?;
        self.notifications_of(query, items.as_deref(), &mut entries).await?;
        self.decisions_of(query, &mut entries).await?;
        let calls = self.answers_of(query, &mut entries).await?;
        self.calls_of(query, &calls, is_known, &mut entries).await?;
        self.acts_of(query, is_known, &mut entries).await?;
        forget_what_acts_tell(&mut entries);
        // a run that still waits says why nothing is deleted, however long ago it was found
        entries.retain(|entry| {
            let stands = query.origin_id.is_some() && entry.what.stands();
            entry.at >= query.since || stands || entry.what.waits()
        });
        entries.sort_by_key(|entry| (entry.at, entry.what.rank(), entry.what.version(), entry.what.number()));
        let limit = query.limit as usize;
        let more = entries.len() > limit;
        let excess = entries.len().saturating_sub(limit);
        let late = entries.split_off(excess);
        // the decision that stands is what everything after it is about
        entries.retain(|entry| query.origin_id.is_some() && entry.what.stands());
        entries.extend(late);
        Ok(History { entries, more })
    }

    /// The items that stand, or stood last, for the appointment: its own, and that of its series. `None` = of all.
    async fn items_of(&self, query: &HistoryQuery<'_>) -> Result<Option<Vec<String>>, StoreError> {
        let operation = "look for the items of an appointment";
        let Some(origin_id) = query.origin_id else { return Ok(None) };
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select e.item_id from calendar_event e where e.mail = $1 and e.origin_id = $2 and e.item_id is not null \
                 union select s.item_id from series s join calendar_event e on e.mail = s.mail and e.uid = s.uid \
                 where e.mail = $1 and e.origin_id = $2",
                &[&query.mail.as_str(), &origin_id.as_str()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let items = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
        items.map(Some).map_err(StoreError::query(operation))
    }

    async fn notifications_of(
        &self,
        query: &HistoryQuery<'_>,
        items: Option<&[String]>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let operation = "read the notifications of a mailbox";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select id, event_type, received_at, attempts, handled_at, outcome, text, false \
                 from (select * from notification_log where mail = $1 and handled_at >= $2 \
                         and ($3::text[] is null or item_id = any ($3) or old_item_id = any ($3) \
                              or (item_id is null and cardinality($3) = 0)) \
                       order by handled_at desc limit $4) as handled \
                 union all \
                 select id, event_type, received_at, attempts, set_aside_at, null, last_error, set_aside_at is not null \
                 from (select * from notification where mail = $1 \
                         and ($3::text[] is null or item_id = any ($3) or old_item_id = any ($3) \
                              or (item_id is null and cardinality($3) = 0)) \
                       order by id desc limit $4) as waiting",
                &[&query.mail.as_str(), &query.since, &items, &i64::from(query.limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        for row in &rows {
            notification(row, entries).map_err(StoreError::query(operation))?;
        }
        Ok(())
    }

    async fn decisions_of(
        &self,
        query: &HistoryQuery<'_>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let operation = "read the decisions of a mailbox";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select decided_at, origin_id, version, wanted, start_at, end_at, bulk, reading_began, null::timestamptz, \
                        (select r.withdrawn_by from planner_resource r where r.mail = $1 \
                           and r.withdrawn_at = standing.decided_at and standing.bulk and not standing.wanted) \
                 from (select * from calendar_event \
                       where mail = $1 and version > 0 and (decided_at >= $2 or $3::text is not null) \
                         and ($3::text is null or origin_id = $3) \
                       order by decided_at desc limit $4) as standing \
                 union all \
                 select decided_at, origin_id, version, wanted, start_at, end_at, bulk, reading_began, overruled_at, \
                        (select r.withdrawn_by from planner_resource r where r.mail = $1 \
                           and r.withdrawn_at = overruled.decided_at and overruled.bulk and not overruled.wanted) \
                 from (select * from decision_history \
                       where mail = $1 and decided_at >= $2 and ($3::text is null or origin_id = $3) \
                       order by decided_at desc limit $4) as overruled",
                &[&query.mail.as_str(), &query.since, &origin(query), &i64::from(query.limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let decided = |row: &Row| -> Result<Entry, tokio_postgres::Error> {
            let (start, end): (Option<Timestamp>, Option<Timestamp>) = (row.try_get(4)?, row.try_get(5)?);
            let what = Happening::Decided {
                origin_id: OriginId::new(row.try_get::<_, String>(1)?),
                version: row.try_get(2)?,
                wanted: row.try_get(3)?,
                slot: start.zip(end).map(|(start, end)| Slot { start, end }),
                bulk: row.try_get(6)?,
                reading_began: row.try_get(7)?,
                overruled_at: row.try_get(8)?,
                withdrawn_by: row.try_get(9)?,
            };
            Ok(Entry { at: row.try_get(0)?, what })
        };
        for row in &rows {
            entries.push(decided(row).map_err(StoreError::query(operation))?);
        }
        Ok(())
    }

    /// Answers, and keys in flight; returns the calls that they belong to.
    async fn answers_of(
        &self,
        query: &HistoryQuery<'_>,
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let operation = "read what Planner answered about a mailbox";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select call_id, origin_id, operation, version, start_at, end_at, receipt_code, outcome, text, at, \
                        null::timestamptz \
                 from (select * from sync_log where mail = $1 and at >= $2 and ($3::text is null or origin_id = $3) \
                       order by at desc limit $4) as answered \
                 union all \
                 select f.call_id, f.origin_id, f.operation, f.version, f.start_at, f.end_at, null, '', null, c.started_at, \
                        f.deadline \
                 from key_in_flight f join service_call_reference_log c using (call_id) \
                 where f.mail = $1 and ($3::text is null or f.origin_id = $3)",
                &[&query.mail.as_str(), &query.since, &origin(query), &i64::from(query.limit)],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let mut calls = Vec::with_capacity(rows.len());
        for row in &rows {
            let (call, entry) = answer(row).map_err(StoreError::query(operation))?;
            calls.push(call);
            entries.push(entry);
        }
        calls.sort_unstable();
        calls.dedup();
        Ok(calls)
    }

    async fn calls_of(
        &self,
        query: &HistoryQuery<'_>,
        calls: &[Uuid],
        is_known: bool,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let operation = "read the calls about a mailbox";
        let client = self.client(operation).await?;
        let columns = "call_id, operation, items, started_at, ended_at, coalesce(success, false), event_id, text, \
             service_call_response_reference_id";
        let rows = client
            .query(
                &format!(
                    "select {columns} from service_call_reference_log where call_id = any ($1) \
                     union \
                     (select {columns} from service_call_reference_log \
                      where coalesce(ended_at, deadline) >= $3 and mail = $2 and operation = 'GetEvents' \
                        and not $5 \
                      order by started_at desc limit $4)"
                ),
                &[&calls, &query.mail.as_str(), &query.since, &i64::from(query.limit), &is_known],
            )
            .await
            .map_err(StoreError::query(operation))?;
        for row in &rows {
            call(row, entries).map_err(StoreError::query(operation))?;
        }
        Ok(())
    }

    /// What operators asked for, what was withheld, and events that name the mailbox.
    async fn acts_of(
        &self,
        query: &HistoryQuery<'_>,
        is_known: bool,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let operation = "read the events of a mailbox";
        let client = self.client(operation).await?;
        let (limit, acted) = (i64::from(query.limit), i32::from(codes::OPERATOR_ACTED.id));
        let runs = client
            .query(
                // a confirmation forgets the keys, and their decisions bear its time
                "select withheld_at, id, source, keys, there, state, settled_at, settled_by from withheld_run r \
                 where mail = $1 and (state = 'withheld' or greatest(withheld_at, settled_at) >= $2) \
                   and ($3::text is null \
                        or exists (select from withheld_key k where k.run = r.id and k.origin_id = $3) \
                        or (state = 'confirmed' \
                            and (exists (select from calendar_event e where e.mail = $1 and e.origin_id = $3 \
                                           and e.decided_at = r.settled_at and not e.wanted) \
                                 or exists (select from decision_history h where h.mail = $1 and h.origin_id = $3 \
                                              and h.decided_at = r.settled_at and not h.wanted)))) \
                 order by id desc limit $4",
                &[&query.mail.as_str(), &query.since, &origin(query), &limit],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let about_mailboxes = OperationKind::ALL.into_iter().filter(|kind| kind.is_about_mailboxes());
        let about_mailboxes: Vec<&str> = about_mailboxes.map(OperationKind::as_str).collect();
        let asked = client
            .query(
                // What was asked for all mailboxes is not done for one that is not in use. Of one that came back since, nobody
                // knows when it was: it is told as asked of those that were in use then.
                "select asked_at, id, kind, asked_by, mail is null from operation o \
                 where (mail = $1 or mail is null) and asked_at >= $2 and not $4 \
                   and not (mail is null and kind = any ($5) \
                            and exists (select from planner_resource r \
                                        where r.mail = $1 and r.deleted_date <= o.asked_at)) \
                 order by id desc limit $3",
                &[&query.mail.as_str(), &query.since, &limit, &is_known, &about_mailboxes],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let events = client
            .query(
                "select at, event_id, severity, message, fields ->> 'act', fields ->> 'by', fields ->> 'reason' \
                 from application_log \
                 where at >= $2 and (fields ->> 'mailbox' = $1 or fields -> 'mailboxes' ? $1) \
                   and ($3::text is null or fields ->> 'origin_id' = $3 \
                        or (fields ->> 'origin_id' is null and (not $5 or event_id = $6))) \
                 order by at desc limit $4",
                &[&query.mail.as_str(), &query.since, &origin(query), &limit, &is_known, &acted],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let settled = runs.iter().filter_map(|run| settled(run).transpose());
        let rows = runs
            .iter()
            .map(withheld)
            .chain(settled)
            .chain(asked.iter().map(ask))
            .chain(events.iter().map(event));
        for entry in rows {
            entries.push(entry.map_err(StoreError::query(operation))?);
        }
        Ok(())
    }
}

fn origin<'a>(query: &HistoryQuery<'a>) -> Option<&'a str> {
    query.origin_id.map(OriginId::as_str)
}
