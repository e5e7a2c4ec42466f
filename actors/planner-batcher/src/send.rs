//! One call, on the runtime: request, receipts, what follows, the record.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

use base::TraceContext;
use calendar::codes;
use connector_planner::{
    CalendarEvent, Call, CallOutcome, Changed, Operation as PlannerOperation, PlannerError,
};
use store::StoreError;
use store::calls::{CallEnd, Slot};
use store::lease::{Fence, Lease};
use store::outbox::{Answer, KeyAnswer, Operation, Outcome, PendingKey, Reserved};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field};

use crate::config::{BatcherOptions, Deps};
use crate::policy::Ended;
use crate::receipt::{self, ReceiptPolicy};

/// The pause between attempts to record an answer.
const RECORD_AGAIN: Duration = Duration::from_millis(200);

/// A call to be made.
#[derive(Debug)]
pub(crate) struct Work {
    /// The call.
    pub(crate) reserved: Reserved,
    /// The right to make it; given back when the answer is recorded.
    pub(crate) slot: Slot,
    /// When its time began, before its permit was recorded.
    pub(crate) began: Instant,
    /// The right to make it.
    pub(crate) duty: Duty,
}

/// The duty under which a call is made: what proves it, and what tells of its loss.
pub(crate) struct Duty {
    fence: Fence,
    lost: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Cancelled when the end of the service waits no longer for the answer.
    leave: CancellationToken,
}

impl Duty {
    /// The duty that this lease gives, until `leave` is cancelled.
    pub(crate) fn of(lease: &Lease, leave: CancellationToken) -> Self {
        Self { fence: lease.fence(), lost: Box::pin(lease.lost_signal()), leave }
    }
}

impl fmt::Debug for Duty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Duty").field("fence", &self.fence).finish_non_exhaustive()
    }
}

/// How a call ended, for the batcher.
#[derive(Debug)]
pub(crate) struct Summary {
    /// What the policy wants to know.
    pub(crate) ended: Ended,
    /// The answer could not be recorded; the keys stay in flight until their deadline.
    pub(crate) unrecorded: Option<StoreError>,
}

/// Makes the call and records what came of it.
///
/// A call whose duty is lost is cut off at once: its connection is closed before a successor can take the lease,
/// so the successor need not count it as in flight ([`store::calls`]). Its keys wait for their deadline. The same becomes
/// of a call that the end of the service does not wait for any longer.
pub(crate) async fn send(deps: &Deps, options: &BatcherOptions, work: Work) -> Summary {
    let Work { reserved, slot, began, duty: Duty { fence, lost, leave } } = work;
    let batch = batch_span(&reserved);
    let spans: Vec<Span> = reserved.keys.iter().map(|key| member_span(key, &batch)).collect();
    let trace = spans.first().and_then(telemetry::trace::of);
    let started = deps.clock.monotonic();
    let result = tokio::select! {
        // first: a process that was paused in between must not let the request leave
        biased;
        () = lost => {
            tracing::warn!(
                mailbox = %reserved.mail,
                call_id = %reserved.call_id,
                "a call to planner was cut off, its duty was lost"
            );
            return Summary { ended: Ended::Lost, unrecorded: None };
        }
        () = leave.cancelled() => {
            tracing::warn!(
                event_id = codes::CALLS_LEFT.id,
                mailbox = %reserved.mail,
                call_id = %reserved.call_id,
                "a call to planner is left unanswered at the end"
            );
            return Summary { ended: Ended::Lost, unrecorded: None };
        }
        result = call(deps, options, &reserved, began, trace).instrument(batch.clone()) => result,
    };
    base::crash::point("communicator.answered");
    observe(&reserved, deps.clock.monotonic().saturating_duration_since(started), &result);
    let policy = ReceiptPolicy { retry: options.retry, attempts_max: options.attempts_max };
    let (answer, ended) = match &result {
        Ok(changed) => (settle(&policy, &reserved, changed), Ended::Answered),
        Err(error) => failed(&policy, options, &reserved, error),
    };
    for ((key, settled), span) in reserved.keys.iter().zip(&answer.keys).zip(&spans) {
        span.in_scope(|| report(key, settled));
        span.record("receipt_code", settled.receipt_code);
        span.record("outcome", settled.outcome.word());
    }
    if result.is_ok() {
        tell_taken(&reserved, &answer);
    }
    // The member spans end here, at the receipt; recording it is the batch's business.
    drop(spans);
    let give_up = GiveUp { at: began + options.lifetime(), leave };
    let unrecorded =
        record(deps, &give_up, &fence, &answer, reserved.operation).instrument(batch).await.err();
    base::crash::point("communicator.answer-recorded");
    drop(slot);
    look_for_new_codes(deps, &answer).await;
    Summary { ended, unrecorded }
}

fn batch_span(reserved: &Reserved) -> Span {
    tracing::info_span!(
        "planner.batch",
        mailbox = %reserved.mail,
        operation = reserved.operation.call_name(),
        items = reserved.keys.len(),
        call_id = %reserved.call_id,
    )
}

/// The span of one appointment goes on with the trace of its decision; the batch is linked to it.
fn member_span(key: &PendingKey, batch: &Span) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "planner.send",
        mailbox = %key.mail,
        operation = key.operation.call_name(),
        version = key.version,
        receipt_code = field::Empty,
        outcome = field::Empty,
    );
    if let Some(trace) = &key.trace {
        telemetry::trace::continue_from(&span, trace);
    }
    if let Some(own) = telemetry::trace::of(&span) {
        telemetry::trace::link(batch, &own);
    }
    span
}

async fn call(
    deps: &Deps,
    options: &BatcherOptions,
    reserved: &Reserved,
    began: Instant,
    trace: Option<TraceContext>,
) -> Result<Changed, PlannerError> {
    let operation = match reserved.operation {
        Operation::Create => PlannerOperation::CreateEvents,
        Operation::Update => PlannerOperation::UpdateEvents,
        Operation::Delete => PlannerOperation::DeleteEvents,
    };
    let event = |key: &PendingKey| {
        CalendarEvent::new(key.mail.as_str(), key.origin_id.as_str(), key.slot.start, key.slot.end)
    };
    let call = Call { id: reserved.call_id, deadline: began + options.call_timeout, trace };
    base::crash::point("communicator.sending");
    deps.planner.change(&call, operation, reserved.keys.iter().map(event).collect()).await
}

fn observe(reserved: &Reserved, took: Duration, result: &Result<Changed, PlannerError>) {
    let outcome = if result.is_ok() { "answered" } else { "failed" };
    let labels = [("operation", reserved.operation.call_name()), ("outcome", outcome)];
    let metrics = telemetry::metrics();
    metrics
        .histogram(
            "kommuneklient_planner_call_seconds",
            "time from a request to planner to its answer",
            &labels,
            telemetry::metrics::LATENCY_SECONDS,
        )
        .observe_duration(took);
    metrics
        .counter("kommuneklient_planner_items", "appointments sent to planner", &labels)
        .inc_by(reserved.keys.len() as u64);
}

/// What follows from receipts.
fn settle(policy: &ReceiptPolicy, reserved: &Reserved, changed: &Changed) -> Answer {
    let keys = reserved.keys.iter().zip(&changed.receipts).map(|(key, receipt)| {
        // Planner's identifiers mean something only where it took the appointment.
        let taken = receipt.error_code == 0 && !receipt.calendar_event_identifier.is_nil();
        KeyAnswer {
            origin_id: key.origin_id.clone(),
            outcome: policy.settle(key, receipt.error_code, rand::random()),
            receipt_code: Some(receipt.error_code),
            text: receipt.message.clone(),
            calendar_event_identifier: taken.then_some(receipt.calendar_event_identifier),
            planner_resource_identifier: receipt.planner_resource_identifier,
        }
    });
    Answer {
        call_id: reserved.call_id,
        mail: reserved.mail.clone(),
        end: CallEnd {
            success: true,
            event_id: None,
            text: None,
            planner_call_id: Some(changed.planner_call_id),
        },
        keys: keys.collect(),
        adopt_after: None,
    }
}

/// What follows from a call without receipts.
fn failed(
    policy: &ReceiptPolicy,
    options: &BatcherOptions,
    reserved: &Reserved,
    error: &PlannerError,
) -> (Answer, Ended) {
    let text = telemetry::chain(error).to_string();
    tracing::error!(
        event_id = error.event().id,
        mailbox = %reserved.mail,
        operation = reserved.operation.call_name(),
        call_id = %reserved.call_id,
        error = %text,
        "a call to planner failed"
    );
    let (known, alone) = (error.outcome(), reserved.keys.len() == 1);
    let guilty: &[usize] = match error {
        PlannerError::Unsendable { positions, .. } => positions,
        _ => &[],
    };
    let keys = reserved.keys.iter().enumerate().map(|(position, key)| KeyAnswer {
        origin_id: key.origin_id.clone(),
        outcome: if guilty.contains(&position) {
            Outcome::SetAside { reason: receipt::UNSENDABLE, there: None }
        } else {
            policy.without_receipt(key, known, alone, rand::random())
        },
        receipt_code: None,
        text: None,
        calendar_event_identifier: None,
        planner_resource_identifier: None,
    });
    let end =
        CallEnd { success: false, event_id: Some(error.event().id), text: Some(text), planner_call_id: None };
    let adopt_after = (known == CallOutcome::Unknown).then_some(options.adopt_after_unknown_outcome);
    let answer = Answer {
        call_id: reserved.call_id,
        mail: reserved.mail.clone(),
        end,
        keys: keys.collect(),
        adopt_after,
    };
    let ended = if guilty.is_empty() {
        Ended::Failed { known, timed_out: error.is_timeout() }
    } else {
        Ended::Unsendable
    };
    (answer, ended)
}

/// Tells operators of receipt codes that nobody knows, each once.
async fn look_for_new_codes(deps: &Deps, answer: &Answer) {
    let codes: BTreeSet<i32> = answer.keys.iter().filter_map(|key| key.receipt_code).collect();
    for code in codes.into_iter().filter(|code| receipt::is_unassigned(*code)) {
        match deps.book.store().first_sight_of_receipt(codes::receipt_refused(code).id).await {
            Ok(false) => {}
            Ok(true) => tracing::error!(
                event_id = codes::RECEIPT_CODE_UNKNOWN.id,
                receipt_code = code,
                call_id = %answer.call_id,
                "planner answered with a receipt code that is not assigned"
            ),
            // it stays new, and is told when it comes again
            Err(error) => tracing::warn!(
                receipt_code = code,
                error = %telemetry::chain(&error),
                "it could not be looked up whether a receipt code is new"
            ),
        }
    }
}

/// Raises the events of one key.
fn report(key: &PendingKey, settled: &KeyAnswer) {
    if let Some(code) = settled.receipt_code {
        let event = codes::receipt_refused(code).id.to_string();
        telemetry::metrics()
            .counter(
                "kommuneklient_planner_receipts",
                "receipts by operation and event code (6200 = accepted)",
                &[("operation", key.operation.call_name()), ("event", &event)],
            )
            .inc();
    }
    match &settled.outcome {
        Outcome::Refused { code } => tracing::warn!(
            event_id = codes::receipt_refused(*code).id,
            mailbox = %key.mail,
            operation = key.operation.call_name(),
            receipt_code = code,
            "planner refused an appointment"
        ),
        Outcome::SetAside { reason, .. } => tracing::error!(
            event_id = codes::KEY_SET_ASIDE.id,
            mailbox = %key.mail,
            operation = key.operation.call_name(),
            receipt_code = settled.receipt_code,
            reason,
            "an appointment was set aside"
        ),
        Outcome::Has | Outcome::Lacks => tracing::warn!(
            event_id = codes::receipt_refused(settled.receipt_code.unwrap_or_default()).id,
            mailbox = %key.mail,
            operation = key.operation.call_name(),
            "planner holds something else than was thought, the other operation follows where it is still wanted"
        ),
        Outcome::Own => tracing::warn!(
            event_id = codes::receipt_refused(13).id,
            mailbox = %key.mail,
            "an appointment is planner's own and is never sent again"
        ),
        Outcome::Transient { .. } => tracing::warn!(
            event_id = codes::receipt_refused(settled.receipt_code.unwrap_or(15)).id,
            mailbox = %key.mail,
            receipt_code = settled.receipt_code,
            "planner cannot take an appointment now"
        ),
        outcome => {
            tracing::debug!(mailbox = %key.mail, outcome = outcome.word(), "an appointment was settled");
        }
    }
}

/// Tells whether Planner took everything of a call that it answered.
fn tell_taken(reserved: &Reserved, answer: &Answer) {
    tracing::debug!(succeeded = codes::success::PLANNER_CALL, "planner answered");
    let is_left = |key: &&KeyAnswer| {
        matches!(key.outcome, Outcome::Refused { .. } | Outcome::SetAside { .. } | Outcome::Transient { .. })
    };
    let left = answer.keys.iter().filter(is_left).count();
    if left == 0 {
        tracing::debug!(succeeded = codes::success::PLANNER_ITEMS, "planner took everything");
        return;
    }
    tracing::error!(
        event_id = codes::ITEM_SYNC_FAILED.id,
        mailbox = %reserved.mail,
        operation = reserved.operation.call_name(),
        call_id = %reserved.call_id,
        appointments = left,
        "planner did not take all appointments of a call"
    );
}

/// Until when an answer is tried to be recorded.
struct GiveUp {
    /// Its keys have expired then.
    at: Instant,
    /// The service ends.
    leave: CancellationToken,
}

/// Records the answer, again and again while the database is away, until it is time to give up.
async fn record(
    deps: &Deps,
    give_up: &GiveUp,
    fence: &Fence,
    answer: &Answer,
    operation: Operation,
) -> Result<(), StoreError> {
    loop {
        let error = match deps.book.answer(fence, answer, operation == Operation::Delete).await {
            Ok(found) if found as usize == answer.keys.len() => return Ok(()),
            Ok(found) => {
                let late = answer.keys.len() - found as usize;
                tracing::warn!(call_id = %answer.call_id, late, "an answer came after its keys had expired");
                return Ok(());
            }
            Err(error) => error,
        };
        let in_time = deps.clock.monotonic() + RECORD_AGAIN < give_up.at && !give_up.leave.is_cancelled();
        let again = error.disposition().is_retry() && in_time;
        tracing::error!(
            event_id = codes::COMMUNICATOR_DATABASE_FAILED.id,
            call_id = %answer.call_id,
            error = %telemetry::chain(&error),
            again,
            "an answer of planner could not be recorded"
        );
        if !again {
            return Err(error);
        }
        tokio::time::sleep(RECORD_AGAIN).await;
    }
}
