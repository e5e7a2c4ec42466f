//! What is injected: the kinds of faults, and one fault with all that it needs.
//!
//! Times are milliseconds of a run whose product timings are scaled down about 1:20: a call times out after
//! [`CALL_TIMEOUT_MS`], a lease lives for [`LEASE_MS`], a stream is dead after [`SILENCE_MS`] of silence.

use base::crash::POINTS;
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};

/// `planner.call_timeout` of the instances.
pub const CALL_TIMEOUT_MS: u64 = 1_000;
/// `leases.ttl` of the instances.
pub const LEASE_MS: u64 = 1_000;
/// `listener.stream_silence_limit` of the instances.
pub const SILENCE_MS: u64 = 2_500;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// Streams are cut, at most so many.
    StreamsDropped {
        /// How many.
        count: u32,
    },
    /// Streams swallow everything from now on and stay open.
    StreamsSilenced {
        /// How many.
        count: u32,
    },
    /// What streams tell comes late.
    StreamsDelayed {
        /// How late.
        delay_ms: u64,
        /// Of how many envelopes.
        next: u32,
    },
    /// The next notifications of a mailbox are lost, and the stream says so.
    NotificationsLostAndTold {
        /// Whose.
        mailbox: u32,
        /// Of how many changes.
        next: u32,
    },
    /// The next notifications about items of a mailbox are lost; the folder's own arrive.
    NotificationsOfItemsLost {
        /// Whose.
        mailbox: u32,
        /// Of how many changes.
        next: u32,
    },
    /// Notifications of a mailbox are lost without a word, and its stream is cut a little later.
    NotificationsLostBeforeGap {
        /// Whose.
        mailbox: u32,
        /// Of how many changes.
        next: u32,
        /// When it is cut.
        cut_after_ms: u64,
    },
    /// Notifications come twice.
    NotificationsDuplicated {
        /// Of how many changes.
        next: u32,
    },
    /// Subscriptions are gone: those of a mailbox, or all.
    SubscriptionsExpired {
        /// Whose.
        mailbox: Option<u32>,
    },
    /// Sync states of a mailbox are not known any more.
    SyncStatesForgotten {
        /// Whose.
        mailbox: u32,
    },
    /// Every call to Exchange is refused with a back-off for a while.
    ServerBusy {
        /// How long.
        for_ms: u64,
        /// What the answers name.
        back_off_ms: u64,
    },
    /// Nothing listens where Exchange is, for a while.
    ExchangeDown {
        /// How long.
        for_ms: u64,
    },
    /// Answers of Exchange to one operation fail or come late.
    ExchangeCallsFail {
        /// The operation.
        operation: ExchangeCall,
        /// How.
        how: ExchangeFailure,
        /// How many.
        next: u32,
    },
    /// A mailbox moves to another grouping value and another endpoint.
    MailboxMoved {
        /// Which.
        mailbox: u32,
        /// The group that it moves to, from 1.
        group: u16,
        /// The endpoint that it is served at from now on: 0 or 1.
        endpoint: u8,
    },
    /// Nothing listens where Planner is, for a while.
    PlannerDown {
        /// How long.
        for_ms: u64,
    },
    /// Planner applies at once and answers late, within the time-out of a call.
    PlannerSlow {
        /// How late.
        delay_ms: u64,
        /// How many calls.
        next: u32,
    },
    /// Calls time out, and nothing was applied.
    TimeoutBeforeApplying {
        /// How many calls.
        next: u32,
    },
    /// Calls time out, and they were applied.
    TimeoutAfterApplying {
        /// How many calls.
        next: u32,
    },
    /// Calls time out, and are applied later.
    LateApplying {
        /// When, after the call.
        after_ms: u64,
        /// How many calls.
        next: u32,
    },
    /// HTTP 5xx, or a SOAP fault.
    PlannerErrors {
        /// The status; `None` = a SOAP fault.
        status: Option<u16>,
        /// Applied nevertheless?
        applied: bool,
        /// How many calls.
        next: u32,
    },
    /// The connection breaks in the middle of the answer.
    PlannerBreaksOff {
        /// Applied?
        applied: bool,
        /// How many calls.
        next: u32,
    },
    /// Every appointment of a call is refused with this code.
    Refused {
        /// The receipt's code.
        code: i32,
        /// How many calls.
        next: u32,
    },
    /// Receipts come in reverse order.
    ReceiptsReordered {
        /// How many calls.
        next: u32,
    },
    /// Receipts that cannot be matched, or an answer that cannot be read.
    AnswersUnusable {
        /// How.
        how: Unusable,
        /// How many calls.
        next: u32,
    },
    /// All connections are cut at once; new ones can be made.
    ConnectionsCut {
        /// Whose.
        of: Side,
    },
    /// PostgreSQL is stopped and started.
    DatabaseRestarted {
        /// Without an orderly end: what was not on its way to the disk is gone.
        immediate: bool,
        /// How long it is away.
        away_ms: u64,
    },
    /// SIGKILL, and a start.
    Killed {
        /// Which instance, from 1.
        instance: u32,
        /// When it is started again.
        away_ms: u64,
    },
    /// Killed, and started so that it kills itself between two steps: at each of some crash points, one after the other
    /// as it meets them, until the faults end.
    KilledAtPoints {
        /// Which instance.
        instance: u32,
        /// The crash points' names, each with the pass that it dies at.
        points: Vec<(String, u32)>,
    },
    /// SIGSTOP, and SIGCONT later than its leases live.
    Paused {
        /// Which instance.
        instance: u32,
        /// How long.
        for_ms: u64,
    },
    /// SIGTERM, and a start.
    Ended {
        /// Which instance.
        instance: u32,
        /// When it is started again.
        away_ms: u64,
    },
    /// Ended in order and started with another wall clock.
    ClockChanged {
        /// Which instance.
        instance: u32,
        /// How much its clock is ahead.
        offset_ms: i64,
    },
}

/// Operations of Exchange that fail on purpose. Those that people use to change their calendars are not among them:
/// what is tried is the product, not Outlook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExchangeCall {
    /// Reading an item.
    GetItem,
    /// Reading a window.
    FindItem,
    /// Catching up.
    SyncFolderItems,
    /// Subscribing.
    Subscribe,
    /// Opening a stream.
    GetStreamingEvents,
    /// Checking that the calendar can be read.
    GetFolder,
    /// Asking Autodiscover.
    GetUserSettings,
}

/// How a call to Exchange fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeFailure {
    /// HTTP 503.
    Status503,
    /// The connection is cut before anything was done.
    Disconnect,
    /// It is done and the connection is cut.
    DisconnectAfter,
    /// The answer is cut off in its middle.
    Malformed,
    /// It comes late, within the time-out.
    Late,
}

/// How an answer of Planner cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unusable {
    /// A receipt is missing.
    FewerReceipts,
    /// One comes twice.
    MoreReceipts,
    /// One stands in the place of all.
    RepeatedReceipt,
    /// They name other appointments.
    ForeignReceipts,
    /// The XML is cut off.
    Malformed,
    /// It is larger than allowed.
    Oversized,
}

/// Where connections lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Exchange.
    Exchange,
    /// Planner.
    Planner,
    /// PostgreSQL.
    Database,
}

/// Every kind that a run may hold, by name: what [`Fault::kind`] answers.
pub const KINDS: [&str; 30] = [
    "streams-dropped",
    "streams-silenced",
    "streams-delayed",
    "notifications-lost-and-told",
    "notifications-of-items-lost",
    "notifications-lost-before-gap",
    "notifications-duplicated",
    "subscriptions-expired",
    "sync-states-forgotten",
    "server-busy",
    "exchange-down",
    "exchange-calls-fail",
    "mailbox-moved",
    "planner-down",
    "planner-slow",
    "timeout-before-applying",
    "timeout-after-applying",
    "late-applying",
    "planner-errors",
    "planner-breaks-off",
    "refused",
    "receipts-reordered",
    "answers-unusable",
    "connections-cut",
    "database-restarted-fast",
    "database-restarted-immediate",
    "killed",
    "killed-at-point",
    "paused",
    "ended-or-clock-changed",
];

/// The index of `killed-at-point`.
pub const KILLED_AT_POINT: usize = 27;
/// The indices of kinds after which every subscription has somebody who knows of it and can end it: no instance dies or is
/// paused, Exchange and the database are there and answer.
pub const GENTLE: [usize; 21] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 29];
/// How many crash points an instance is told of at a time.
const POINTS_OF_A_FAULT: usize = 6;

impl Fault {
    /// Its kind, one of [`KINDS`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::StreamsDropped { .. } => "streams-dropped",
            Self::StreamsSilenced { .. } => "streams-silenced",
            Self::StreamsDelayed { .. } => "streams-delayed",
            Self::NotificationsLostAndTold { .. } => "notifications-lost-and-told",
            Self::NotificationsOfItemsLost { .. } => "notifications-of-items-lost",
            Self::NotificationsLostBeforeGap { .. } => "notifications-lost-before-gap",
            Self::NotificationsDuplicated { .. } => "notifications-duplicated",
            Self::SubscriptionsExpired { .. } => "subscriptions-expired",
            Self::SyncStatesForgotten { .. } => "sync-states-forgotten",
            Self::ServerBusy { .. } => "server-busy",
            Self::ExchangeDown { .. } => "exchange-down",
            Self::ExchangeCallsFail { .. } => "exchange-calls-fail",
            Self::MailboxMoved { .. } => "mailbox-moved",
            Self::PlannerDown { .. } => "planner-down",
            Self::PlannerSlow { .. } => "planner-slow",
            Self::TimeoutBeforeApplying { .. } => "timeout-before-applying",
            Self::TimeoutAfterApplying { .. } => "timeout-after-applying",
            Self::LateApplying { .. } => "late-applying",
            Self::PlannerErrors { .. } => "planner-errors",
            Self::PlannerBreaksOff { .. } => "planner-breaks-off",
            Self::Refused { .. } => "refused",
            Self::ReceiptsReordered { .. } => "receipts-reordered",
            Self::AnswersUnusable { .. } => "answers-unusable",
            Self::ConnectionsCut { .. } => "connections-cut",
            Self::DatabaseRestarted { immediate: false, .. } => "database-restarted-fast",
            Self::DatabaseRestarted { immediate: true, .. } => "database-restarted-immediate",
            Self::Killed { .. } => "killed",
            Self::KilledAtPoints { .. } => "killed-at-point",
            Self::Paused { .. } => "paused",
            Self::Ended { .. } | Self::ClockChanged { .. } => "ended-or-clock-changed",
        }
    }

    /// Draws a fault of the kind with this index in [`KINDS`].
    ///
    /// # Panics
    /// When there is no such index.
    pub fn draw(rng: &mut impl Rng, index: usize, mailboxes: u32, instances: u32) -> Self {
        match index {
            0..=12 => draw_of_exchange(rng, index, mailboxes),
            13..=22 => draw_of_planner(rng, index),
            _ => draw_of_the_rest(rng, index, instances),
        }
    }
}

fn draw_of_exchange(rng: &mut impl Rng, index: usize, mailboxes: u32) -> Fault {
    let mailbox = rng.random_range(1..=mailboxes);
    let next = rng.random_range(1..=4);
    match index {
        0 => Fault::StreamsDropped { count: rng.random_range(1..=3) },
        1 => Fault::StreamsSilenced { count: rng.random_range(1..=3) },
        2 => Fault::StreamsDelayed { delay_ms: rng.random_range(200..2 * SILENCE_MS), next },
        3 => Fault::NotificationsLostAndTold { mailbox, next },
        4 => Fault::NotificationsOfItemsLost { mailbox, next },
        5 => Fault::NotificationsLostBeforeGap { mailbox, next, cut_after_ms: rng.random_range(200..1_500) },
        6 => Fault::NotificationsDuplicated { next: rng.random_range(2..=10) },
        7 => Fault::SubscriptionsExpired { mailbox: rng.random_bool(0.7).then_some(mailbox) },
        8 => Fault::SyncStatesForgotten { mailbox },
        9 => {
            Fault::ServerBusy { for_ms: rng.random_range(300..2_000), back_off_ms: rng.random_range(50..800) }
        }
        10 => Fault::ExchangeDown { for_ms: rng.random_range(200..3_000) },
        11 => Fault::ExchangeCallsFail {
            operation: *[
                ExchangeCall::GetItem,
                ExchangeCall::FindItem,
                ExchangeCall::SyncFolderItems,
                ExchangeCall::Subscribe,
                ExchangeCall::GetStreamingEvents,
                ExchangeCall::GetFolder,
                ExchangeCall::GetUserSettings,
            ]
            .choose(rng)
            .expect("the list is not empty"),
            how: *[
                ExchangeFailure::Status503,
                ExchangeFailure::Disconnect,
                ExchangeFailure::DisconnectAfter,
                ExchangeFailure::Malformed,
                ExchangeFailure::Late,
            ]
            .choose(rng)
            .expect("the list is not empty"),
            next,
        },
        _ => Fault::MailboxMoved {
            mailbox,
            group: rng.random_range(1..=super::world::GROUPS),
            endpoint: rng.random_range(0..=1),
        },
    }
}

fn draw_of_planner(rng: &mut impl Rng, index: usize) -> Fault {
    let next = rng.random_range(1..=3);
    match index {
        13 => Fault::PlannerDown { for_ms: rng.random_range(200..3_000) },
        14 => Fault::PlannerSlow { delay_ms: rng.random_range(100..CALL_TIMEOUT_MS * 7 / 10), next },
        15 => Fault::TimeoutBeforeApplying { next },
        16 => Fault::TimeoutAfterApplying { next },
        17 => Fault::LateApplying {
            after_ms: rng.random_range(CALL_TIMEOUT_MS * 11 / 10..CALL_TIMEOUT_MS * 5 / 2),
            next,
        },
        18 => Fault::PlannerErrors {
            status: *[None, Some(500), Some(502), Some(503)].choose(rng).expect("the list is not empty"),
            applied: rng.random_bool(0.3),
            next: rng.random_range(1..=6),
        },
        19 => Fault::PlannerBreaksOff { applied: rng.random_bool(0.5), next },
        20 => Fault::Refused { code: *[15, 16, 15, 3, 20].choose(rng).expect("the list is not empty"), next },
        21 => Fault::ReceiptsReordered { next },
        _ => Fault::AnswersUnusable {
            how: *[
                Unusable::FewerReceipts,
                Unusable::MoreReceipts,
                Unusable::RepeatedReceipt,
                Unusable::ForeignReceipts,
                Unusable::Malformed,
                Unusable::Oversized,
            ]
            .choose(rng)
            .expect("the list is not empty"),
            next,
        },
    }
}

fn draw_of_the_rest(rng: &mut impl Rng, index: usize, instances: u32) -> Fault {
    let instance = rng.random_range(1..=instances);
    let away_ms = rng.random_range(50..2 * LEASE_MS);
    match index {
        23 => Fault::ConnectionsCut {
            of: *[Side::Exchange, Side::Planner, Side::Database].choose(rng).expect("the list is not empty"),
        },
        24 | 25 => Fault::DatabaseRestarted { immediate: index == 25, away_ms: rng.random_range(50..1_500) },
        26 => Fault::Killed { instance, away_ms },
        KILLED_AT_POINT => {
            // some are passed all the time and some hardly ever: of several, one is met
            let points = POINTS.choose_multiple(rng, POINTS_OF_A_FAULT);
            let points: Vec<&str> = points.map(|point| point.name).collect();
            let points = points.into_iter().map(|name| (name.to_owned(), rng.random_range(1..=2)));
            Fault::KilledAtPoints { instance, points: points.collect() }
        }
        28 => Fault::Paused { instance, for_ms: rng.random_range(LEASE_MS * 11 / 10..LEASE_MS * 5 / 2) },
        29 if rng.random_bool(0.5) => Fault::Ended { instance, away_ms },
        29 => Fault::ClockChanged { instance, offset_ms: draw_offset(rng) },
        _ => unreachable!("no kind of fault has index {index}"),
    }
}

/// How wrong a clock may be: up to three minutes.
pub fn draw_offset(rng: &mut impl Rng) -> i64 {
    rng.random_range(-180_000..=180_000)
}
