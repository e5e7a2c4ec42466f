//! From an answer (or its absence) to acknowledgements, in one transaction.

use std::time::Duration;

use calendar::{MailAddress, OriginId};
use uuid::Uuid;

use crate::calls::{self, CallBook, CallEnd};
use crate::conflict;
use crate::lease::{self, Fence};
use crate::{Store, StoreError};

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which call.
    pub call_id: Uuid,
    /// Its mailbox.
    pub mail: MailAddress,
    /// How it ended.
    pub end: CallEnd,
    /// What became of each of its keys.
    pub keys: Vec<KeyAnswer>,
    /// The outcome is unknown: compare the mailbox with what Planner holds within this time (B9, B11).
    pub adopt_after: Option<Duration>,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAnswer {
    /// Which key.
    pub origin_id: OriginId,
    /// What follows.
    pub outcome: Outcome,
    /// The receipt's code, when one came.
    pub receipt_code: Option<i32>,
    /// The receipt's or our words.
    pub text: Option<String>,
    /// Planner's identifier of the appointment.
    pub calendar_event_identifier: Option<Uuid>,
    /// Planner's identifier of the resource.
    pub planner_resource_identifier: Option<Uuid>,
}

/// What follows for a key (the receipt table of B9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Planner holds what was sent (nothing, after a deletion).
    Acknowledged,
    /// A creation found that Planner has it, with unknown times: an update follows.
    Has,
    /// An update found that Planner does not have it: a creation follows if it is still wanted.
    Lacks,
    /// It is Planner's own and never sent again.
    Own,
    /// Not now; send it again after this time.
    Transient {
        /// The pause.
        after: Duration,
        /// It counts as a failure of this key by itself.
        own: bool,
    },
    /// Refused; not sent again until the decision changes.
    Refused {
        /// The receipt's code.
        code: i32,
    },
    /// Not sent again until the decision changes or an operator says so, because of this. What the receipt told of
    /// Planner's holdings is kept where it told something.
    SetAside {
        /// Why, for people.
        reason: &'static str,
        /// Does Planner have it?
        there: Option<bool>,
    },
    /// Nobody knows whether Planner did it; send it again after this time.
    Unknown {
        /// The pause.
        after: Duration,
        /// It counts as a failure of this key by itself.
        own: bool,
    },
    /// The call failed at Planner's side before any receipt: it was hardly done, and this is not certain; send
    /// it again after this time.
    Unsure {
        /// The pause.
        after: Duration,
        /// It counts as a failure of this key by itself.
        own: bool,
    },
    /// It certainly never reached Planner.
    Unsent,
}

impl Outcome {
    /// The word in the log of answers.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Has | Self::Lacks => "converted",
            Self::Own => "own",
            Self::Transient { .. } => "transient",
            Self::Refused { .. } => "refused",
            Self::SetAside { .. } => "set_aside",
            Self::Unknown { .. } => "unknown",
            Self::Unsure { .. } => "unsure",
            Self::Unsent => "unsent",
        }
    }

    /// Does Planner have the key now? `None`: nothing was learned.
    const fn there(&self, deletes: bool) -> Option<bool> {
        match self {
            Self::Acknowledged => Some(!deletes),
            Self::Has => Some(true),
            Self::Lacks => Some(false),
            Self::SetAside { there, .. } => *there,
            _ => None,
        }
    }

    /// Is it open what Planner holds? `None`: as it was.
    const fn uncertain(&self) -> Option<bool> {
        match self {
            Self::Acknowledged
            | Self::Has
            | Self::Lacks
            | Self::Own
            | Self::SetAside { there: Some(_), .. } => Some(false),
            Self::Unknown { .. } | Self::Unsure { .. } => Some(true),
            Self::Transient { .. } | Self::Refused { .. } | Self::SetAside { .. } | Self::Unsent => None,
        }
    }

    const fn after(&self) -> Option<Duration> {
        match self {
            Self::Transient { after, .. } | Self::Unknown { after, .. } | Self::Unsure { after, .. } => {
                Some(*after)
            }
            _ => None,
        }
    }

    /// Did the key fail by itself? The failure that sets it aside is one, too.
    const fn is_own_failure(&self) -> bool {
        matches!(
            self,
            Self::SetAside { .. }
                | Self::Transient { own: true, .. }
                | Self::Unknown { own: true, .. }
                | Self::Unsure { own: true, .. }
        )
    }
}

impl Store {
    /// Notes that a receipt code without a known meaning came, under its event's number. Answers whether it is the
    /// first time.
    ///
    /// # Errors
    /// It is not known; it may have been noted.
    pub async fn first_sight_of_receipt(&self, event_id: u16) -> Result<bool, StoreError> {
        let operation = "note a receipt code";
        let client = self.client(operation).await?;
        let noted = client
            .execute(
                "insert into store_state (name, value) values ($1, 'seen') on conflict (name) do nothing",
                &[&format!("receipt/{event_id}")],
            )
            .await
            .map_err(StoreError::query(operation))?;
        Ok(noted > 0)
    }
}

impl CallBook {
    /// Records what became of a call: acknowledgements, log, end of the call, keys free again. Answers how
    /// many keys it still found in flight: those that expired meanwhile are left as they are.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `fence` is not the current one: the successor waits out the deadline
    /// of this call's keys.
    pub async fn answer(&self, fence: &Fence, answer: &Answer, deletes: bool) -> Result<u64, StoreError> {
        conflict::again(|| self.answer_once(fence, answer, deletes)).await
    }

    async fn answer_once(&self, fence: &Fence, answer: &Answer, deletes: bool) -> Result<u64, StoreError> {
        let operation = "record the answer of Planner";
        let mut client = self.store().client(operation).await?;
        let statement = client.prepare_cached(ANSWER).await.map_err(StoreError::query(operation))?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let rows = Columns::of(&answer.keys, deletes);
        let changed = tx
            .execute(
                &statement,
                &[
                    &answer.call_id,
                    &rows.origin_ids,
                    &rows.words,
                    &rows.codes,
                    &rows.texts,
                    &rows.event_ids,
                    &rows.resource_ids,
                    &rows.there,
                    &rows.uncertain,
                    &rows.after_s,
                    &rows.own_failures,
                ],
            )
            .await
            .map_err(StoreError::query(operation))?;
        calls::close(&tx, answer.call_id, &answer.end).await?;
        if let Some(after) = answer.adopt_after {
            tx.execute(
                "update planner_resource \
                 set compare_due_at = least(compare_due_at, now() + make_interval(secs => $2)) \
                 where mail = $1 and deleted_date is null",
                &[&answer.mail.as_str(), &after.as_secs_f64()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        }
        base::crash::point("communicator.answer-written");
        tx.commit().await.map_err(StoreError::query(operation))?;
        Ok(changed)
    }
}

/// The answers column by column, as `unnest` takes them.
#[derive(Default)]
struct Columns<'a> {
    origin_ids: Vec<&'a str>,
    words: Vec<&'static str>,
    codes: Vec<Option<i32>>,
    texts: Vec<Option<String>>,
    event_ids: Vec<Option<Uuid>>,
    resource_ids: Vec<Option<Uuid>>,
    there: Vec<Option<bool>>,
    uncertain: Vec<Option<bool>>,
    after_s: Vec<Option<f64>>,
    own_failures: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(keys: &'a [KeyAnswer], deletes: bool) -> Self {
        let mut rows = Self::default();
        for key in keys {
            let text = match &key.outcome {
                Outcome::SetAside { reason, .. } => Some((*reason).to_owned()),
                _ => key.text.as_deref().map(calls::clean),
            };
            rows.origin_ids.push(key.origin_id.as_str());
            rows.words.push(key.outcome.word());
            rows.codes.push(key.receipt_code);
            rows.texts.push(text);
            rows.event_ids.push(key.calendar_event_identifier);
            rows.resource_ids.push(key.planner_resource_identifier);
            rows.there.push(key.outcome.there(deletes));
            rows.uncertain.push(key.outcome.uncertain());
            rows.after_s.push(key.outcome.after().map(|after| after.as_secs_f64()));
            rows.own_failures.push(key.outcome.is_own_failure());
        }
        rows
    }
}

/// What the answer says of Planner's holdings, and of calls in a row, counts whatever was decided since. When the key is
/// tried again, and how often it failed by itself, belongs to the decision that was sent: an answer to an old one does
/// not make a newer one wait.
const ANSWER: &str = "with told as ( \
         select * from unnest($2::text[], $3::text[], $4::int4[], $5::text[], $6::uuid[], $7::uuid[], \
                              $8::bool[], $9::bool[], $10::float8[], $11::bool[]) \
             as a (origin_id, word, code, words, event_identifier, resource_identifier, there, uncertain, after_s, \
                   own_failure)), \
     freed as (delete from key_in_flight where call_id = $1 returning *), \
     settled as ( \
         select f.mail, f.operation, f.version, f.start_at, f.end_at, t.* \
         from freed f join told t on t.origin_id = f.origin_id), \
     logged as ( \
         insert into sync_log (call_id, mail, origin_id, operation, version, start_at, end_at, \
                               receipt_code, outcome, text, at) \
         select $1, mail, origin_id, operation, version, start_at, end_at, code, word, words, clock_timestamp() \
         from settled) \
     update calendar_event e set \
         ack_there = coalesce(s.there, e.ack_there), \
         ack_start = case when s.there is null then e.ack_start \
                          when s.there and s.word = 'acknowledged' then s.start_at end, \
         ack_end = case when s.there is null then e.ack_end \
                        when s.there and s.word = 'acknowledged' then s.end_at end, \
         ack_version = case when s.word = 'acknowledged' then s.version else e.ack_version end, \
         ack_at = case when s.there is null then e.ack_at else clock_timestamp() end, \
         uncertain = coalesce(s.uncertain, e.uncertain), \
         converted_to_update_version = case when s.word = 'converted' and s.there then s.version \
                                            else e.converted_to_update_version end, \
         converted_to_create_version = case when s.word = 'converted' and not s.there then s.version \
                                            else e.converted_to_create_version end, \
         planner_own = e.planner_own or s.word = 'own', \
         refused_version = case when s.word = 'refused' then s.version else e.refused_version end, \
         refused_code = case when s.word = 'refused' then s.code else e.refused_code end, \
         set_aside_version = case when s.word = 'set_aside' then s.version else e.set_aside_version end, \
         set_aside_reason = case when s.word = 'set_aside' then s.words else e.set_aside_reason end, \
         stopped_at = case when e.version <> s.version then e.stopped_at \
                           when s.word in ('refused', 'set_aside') then clock_timestamp() \
                           when s.there is null then e.stopped_at end, \
         attempts = case when e.version <> s.version then e.attempts \
                         when s.word = 'acknowledged' then 0 when s.own_failure then e.attempts + 1 \
                         else e.attempts end, \
         put_off = case when s.word = 'transient' then e.put_off + 1 else 0 end, \
         unanswered = case when s.word in ('unknown', 'unsure') then e.unanswered + 1 \
                           when s.word = 'unsent' then e.unanswered else 0 end, \
         next_attempt_at = case when e.version <> s.version then e.next_attempt_at \
                                else now() + make_interval(secs => s.after_s) end, \
         calendar_event_identifier = coalesce(s.event_identifier, e.calendar_event_identifier), \
         planner_resource_identifier = coalesce(s.resource_identifier, e.planner_resource_identifier) \
     from settled s where e.mail = s.mail and e.origin_id = s.origin_id";
