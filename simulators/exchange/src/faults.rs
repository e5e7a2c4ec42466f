//! What can go wrong on purpose.
//!
//! Two kinds. A [`Fault`] waits in the fault plan (`GET`, `POST`, `DELETE /admin/faults`, or by option)
//! until a call, a notification or a delivery meets it. An [`Act`] happens at once (`POST /admin/acts`).
//!
//! A rule for answers may name a SOAP operation of [`OPERATIONS`]. Rules for notifications (`lose`,
//! `duplicate`, `expire`) meet the giving of one action's events to the subscriptions, rules for streams
//! (`drop_stream`, `silence_stream`, `delay_stream`, `page_on_stream`, `cut_envelope`, `oversized_envelope`) the sending of an
//! envelope with events; they name no operation.

use serde::{Deserialize, Serialize};
use simulator_kit::fault::FaultKind;
use simulator_kit::{FaultPlan, FaultRule, FaultStatus, KitError};

use crate::mailbox::{Access, Discovery};

/// What a rule may name.
pub const OPERATIONS: &[&str] = &[
    "GetFolder",
    "ResolveNames",
    "ConvertId",
    "Subscribe",
    "GetStreamingEvents",
    "Unsubscribe",
    "SyncFolderItems",
    "FindItem",
    "GetItem",
    "CreateItem",
    "UpdateItem",
    "DeleteItem",
    "MoveItem",
    "GetUserSettings",
    PLAIN_AUTODISCOVER,
    TOKEN,
    LOGON,
    NOTIFY,
    DELIVER,
];

/// The pseudo operation of asking Autodiscover plainly, without SOAP.
pub const PLAIN_AUTODISCOVER: &str = "Autodiscover";
/// The pseudo operation of asking the token service.
pub const TOKEN: &str = "Token";
/// The pseudo operation of logging on with NTLM or a token.
pub const LOGON: &str = "Logon";
/// The pseudo operation of giving an action's events to subscriptions.
pub const NOTIFY: &str = "Notify";
/// The pseudo operation of sending an envelope with events.
pub const DELIVER: &str = "Deliver";

/// A fault that a call, a notification or a delivery meets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// `ErrorServerBusy` as a SOAP fault.
    ServerBusy {
        /// The back-off that it names; none is named without it.
        #[serde(default)]
        back_off_ms: Option<u64>,
    },
    /// `ErrorServerBusy` in the response messages of a 200 answer.
    BusyInBody {
        /// The back-off that it names.
        back_off_ms: u64,
    },
    /// A SOAP fault with any code, known or not.
    Code {
        /// The response code.
        code: String,
    },
    /// Any code, known or not, in the response messages of a 200 answer.
    CodeInBody {
        /// The response code.
        code: String,
    },
    /// HTTP 503 with a page.
    Http503,
    /// HTTP 404, as where the service is not installed.
    NotFound,
    /// HTTP 401.
    Unauthorized,
    /// The answer comes late.
    Slow {
        /// How late.
        delay_ms: u64,
    },
    /// The connection is cut instead of an answer, before anything was done.
    Disconnect,
    /// It is done, but the connection is cut instead of an answer.
    DisconnectAfter,
    /// The answer is cut off in its middle.
    Malformed,
    /// The answer is padded to this many bytes.
    Oversized {
        /// How many.
        bytes: usize,
    },
    /// The stream's connection is cut, and the events that were about to be sent are lost with it.
    DropStream,
    /// The stream swallows this and everything later, and stays open.
    SilenceStream,
    /// The envelope with the events comes late, and what else the stream would send comes after it.
    DelayStream {
        /// How late.
        delay_ms: u64,
    },
    /// A page in HTML stands on the stream instead of the events, as a broken proxy puts it there.
    PageOnStream,
    /// The envelope with the events is cut off in its middle, and the stream ends without saying so.
    CutEnvelope,
    /// The envelope with the events is padded with this many bytes, inside its root element.
    OversizedEnvelope {
        /// How many.
        bytes: usize,
    },
    /// What becomes of the events.
    Lose {
        /// How much of them.
        what: Lost,
    },
    /// A challenge of NTLM asks for less than NTLMv2, as somebody in the middle would have it.
    WeakLogin {
        /// For LAN Manager's kind, not only for NTLMv1.
        lm: bool,
    },
    /// A bearer token is withdrawn before its time.
    TokenWithdrawn,
    /// The events come twice.
    Duplicate,
    /// The subscriptions of the mailbox end.
    Expire,
}

/// How much of an action's events is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// The items' events; the folder's own arrives.
    Items,
    /// All, and the stream says `ErrorMissedNotificationEvents`.
    AllAndTold,
    /// All, silently: only a full read finds out.
    All,
}

impl FaultKind for Fault {
    fn check(&self, operation: Option<&str>) -> Result<(), String> {
        match (self.event_operation(), operation) {
            (Some(own), named) if named == Some(own) => Ok(()),
            (None, Some(NOTIFY | DELIVER | LOGON)) => Err("this fault is met by SOAP operations".into()),
            (None, _) => Ok(()),
            (Some(_), _) => Err("this fault is met by events and names no operation".into()),
        }
    }
}

/// The rules in force: for answers and for events apart, since a rule that names no operation must not
/// be used up by the other kind.
#[derive(Debug)]
pub struct Faults {
    answers: FaultPlan<Fault>,
    events: FaultPlan<Fault>,
}

impl Faults {
    /// No rules; `seed` decides all chance.
    pub fn new(seed: u64) -> Self {
        Self { answers: FaultPlan::new(OPERATIONS, seed), events: FaultPlan::new(OPERATIONS, seed ^ 1) }
    }

    /// Adds rules behind those that are there.
    ///
    /// # Errors
    /// [`KitError::FaultRule`] when one of them can never mean anything.
    pub fn add(&self, rules: Vec<FaultRule<Fault>>) -> Result<(), KitError> {
        let (mut events, answers): (Vec<_>, Vec<_>) =
            rules.into_iter().partition(|rule| rule.kind.event_operation().is_some());
        for rule in &mut events {
            if rule.operation.is_none() {
                rule.operation = rule.kind.event_operation().map(str::to_owned);
            }
        }
        self.answers.add(answers)?;
        self.events.add(events)
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        self.answers.clear();
        self.events.clear();
    }

    /// The rules and how often each has fired.
    pub fn list(&self) -> Vec<FaultStatus<Fault>> {
        [self.answers.list(), self.events.list()].concat()
    }

    /// The fault that an answer meets.
    pub fn of_answer(&self, operation: &str, mailboxes: &[&str]) -> Option<Fault> {
        self.answers.draw(operation, mailboxes)
    }

    /// The fault that an action's events meet.
    pub fn of_notification(&self, mailbox: &str) -> Option<Fault> {
        self.events.draw(NOTIFY, &[mailbox])
    }

    /// The fault that a login meets.
    pub fn of_logon(&self) -> Option<Fault> {
        self.events.draw(LOGON, &[])
    }

    /// The fault that an envelope with events meets.
    pub fn of_delivery(&self) -> Option<Fault> {
        self.events.draw(DELIVER, &[])
    }
}

impl Fault {
    /// The pseudo operation that meets it; `None` for faults of answers.
    const fn event_operation(&self) -> Option<&'static str> {
        match self {
            Self::DropStream
            | Self::SilenceStream
            | Self::DelayStream { .. }
            | Self::PageOnStream
            | Self::CutEnvelope
            | Self::OversizedEnvelope { .. } => Some(DELIVER),
            Self::WeakLogin { .. } | Self::TokenWithdrawn => Some(LOGON),
            Self::Lose { .. } | Self::Duplicate | Self::Expire => Some(NOTIFY),
            _ => None,
        }
    }

    /// The name under which the meter counts it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ServerBusy { .. } => "server_busy",
            Self::BusyInBody { .. } => "busy_in_body",
            Self::Code { .. } => "code",
            Self::CodeInBody { .. } => "code_in_body",
            Self::Http503 => "http503",
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Slow { .. } => "slow",
            Self::Disconnect => "disconnect",
            Self::DisconnectAfter => "disconnect_after",
            Self::Malformed => "malformed",
            Self::Oversized { .. } => "oversized",
            Self::DropStream => "drop_stream",
            Self::SilenceStream => "silence_stream",
            Self::DelayStream { .. } => "delay_stream",
            Self::PageOnStream => "page_on_stream",
            Self::CutEnvelope => "cut_envelope",
            Self::OversizedEnvelope { .. } => "oversized_envelope",
            Self::Lose { .. } => "lose",
            Self::WeakLogin { .. } => "weak_login",
            Self::TokenWithdrawn => "token_withdrawn",
            Self::Duplicate => "duplicate",
            Self::Expire => "expire",
        }
    }
}

/// Something that happens at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Cuts open streams.
    DropStreams {
        /// At most so many; all without it.
        #[serde(default)]
        count: Option<u32>,
        /// Only those that carry a subscription of this mailbox; any without it.
        #[serde(default)]
        mailbox: Option<String>,
    },
    /// Open streams swallow everything from now on.
    SilenceStreams {
        /// At most so many; all without it.
        #[serde(default)]
        count: Option<u32>,
    },
    /// Ends subscriptions (`ErrorExpiredSubscription` on a stream that carries them).
    ExpireSubscriptions {
        /// Of this mailbox; of all without it.
        #[serde(default)]
        mailbox: Option<String>,
        /// At most so many; all without it.
        #[serde(default)]
        count: Option<u32>,
    },
    /// Every call is answered with `ErrorServerBusy` for a while.
    Busy {
        /// How long.
        for_ms: u64,
        /// The back-off that the answers name.
        back_off_ms: u64,
    },
    /// Nothing listens for a while; open connections are cut. The admin paths are gone as well.
    Down {
        /// How long.
        for_ms: u64,
    },
    /// What may be done with a mailbox.
    Access {
        /// Its address.
        mailbox: String,
        /// What.
        access: Access,
    },
    /// What Autodiscover says about a mailbox.
    Discovery {
        /// Its address.
        mailbox: String,
        /// What.
        answer: Discovery,
    },
    /// What is wrong with an item: GetItem says `ErrorItemCorrupt`, and every view that it stands in is refused
    /// with that.
    Corrupt {
        /// The mailbox's address.
        mailbox: String,
        /// The item's id.
        item: String,
        /// Wrong, or right again.
        corrupt: bool,
    },
    /// Gives an item times, or a zone, that no client could give it, as an import or a broken client leaves them. Its
    /// subscriptions hear of it.
    Distort {
        /// The mailbox's address.
        mailbox: String,
        /// The item's id.
        item: String,
        /// The begin.
        start: jiff::Timestamp,
        /// The end, which may be before it.
        end: jiff::Timestamp,
        /// The name of its zone, which may be one that nobody knows (its rules stay as they were then); as it was
        /// without it.
        #[serde(default)]
        zone: Option<String>,
    },
    /// All sync states of a mailbox are refused from now on (`ErrorInvalidSyncStateData`), as after a restored
    /// database.
    ForgetSyncStates {
        /// The mailbox's address.
        mailbox: String,
    },
    /// Moves a mailbox to another grouping value; its subscriptions are not found any more. With a host, to another
    /// endpoint, too: Autodiscover tells that name (with the port that it was asked at), and under every other name
    /// readers and listeners are answered `ErrorCrossSiteRequest`. Changes are taken under any name: people's own
    /// clients find their mailbox by themselves.
    MoveMailbox {
        /// Its address.
        mailbox: String,
        /// The number of the group, from 1.
        group: u16,
        /// The name of its new host, such as `localhost`; any name without it.
        #[serde(default)]
        host: Option<String>,
    },
}
