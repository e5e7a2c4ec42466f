//! The table of crash points.

/// A crash point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Its name: the part of the product, then what has just been done.
    pub name: &'static str,
    /// The source file that passes it, from the root of the workspace.
    pub file: &'static str,
    /// What is done there, and what is not.
    pub between: &'static str,
}

const fn at(name: &'static str, file: &'static str, between: &'static str) -> Point {
    Point { name, file, between }
}

const PUMP: &str = "actors/affinity-group/src/pump.rs";
const STREAM: &str = "actors/affinity-group/src/stream.rs";
const JOURNAL: &str = "actors/affinity-group/src/journal.rs";
const GROUP: &str = "actors/affinity-group/src/group.rs";
const ENDING: &str = "actors/affinity-group/src/group/ending.rs";
const ROUND: &str = "actors/affinity-group/src/round.rs";
const SUBSCRIBER: &str = "actors/mailbox-subscriber/src/actor.rs";
const CATCH_UP: &str = "actors/mailbox-subscriber/src/catch_up.rs";
const OFFICE: &str = "actors/qualifier/src/office.rs";
const CLAIMS: &str = "actors/qualifier/src/actor/claims.rs";
const LIVE: &str = "actors/qualifier/src/live.rs";
const FULL: &str = "actors/qualifier/src/full.rs";
const DECISIONS: &str = "store/src/decisions.rs";
const RESERVE: &str = "store/src/outbox/reserve.rs";
const ANSWER: &str = "store/src/outbox/answer.rs";
const SEND: &str = "actors/planner-batcher/src/send.rs";
const READ: &str = "actors/comparison/src/read.rs";
const APPLY: &str = "actors/comparison/src/apply.rs";
const ADOPTION: &str = "store/src/adoption.rs";
const COMPARISON: &str = "store/src/comparison/apply.rs";
const FETCH: &str = "actors/resource-list/src/fetch.rs";
const RESOURCE_LIST: &str = "store/src/resource_list.rs";
const LEASE: &str = "store/src/lease.rs";
const RUN: &str = "service/src/run.rs";

/// All crash points, in the order in which a change passes them, and then those of leases and of the start.
pub const POINTS: &[Point] = &[
    at("listener.located", ROUND, "mailboxes located, their places not stored"),
    at("listener.location-stored", ROUND, "places stored, no group formed of them"),
    at("listener.regrouping", ROUND, "groups planned, not stored"),
    at("listener.regrouped", ROUND, "groups stored, their actors not started"),
    at("listener.group-taken", GROUP, "a group's lease taken and its members read, nothing begun"),
    at("listener.subscribed", SUBSCRIBER, "subscribed, the subscription not recorded"),
    at("listener.subscription-recorded", SUBSCRIBER, "subscription recorded, its forerunner not ended"),
    at("listener.start-over-walked", CATCH_UP, "a calendar's changes walked to their end, nothing stored"),
    at("listener.start-over-saved", CATCH_UP, "first sync state and full read stored, the mailbox not live"),
    at("listener.catch-up-read", CATCH_UP, "a page of changes read, not stored"),
    at(
        "listener.catch-up-saved",
        CATCH_UP,
        "a page of changes stored with its sync state, the next not asked for",
    ),
    at("listener.stream-opened", PUMP, "the stream asked for and answered, nothing heard"),
    at("listener.notification-received", PUMP, "notifications heard, not stored"),
    at("listener.notification-stored", JOURNAL, "notifications stored, not known to be"),
    at("listener.stream-closed", STREAM, "the stream ended as planned, not opened again"),
    at("listener.group-ending", ENDING, "a group's stream closed, its subscriptions live"),
    at("listener.group-unsubscribed", ENDING, "a group's subscriptions ended, its lease not handed back"),
    at("qualifier.in-office", OFFICE, "a shard's lease taken, nothing claimed"),
    at("qualifier.claimed", CLAIMS, "notifications claimed, nothing read"),
    at("qualifier.item-read", LIVE, "appointments read, nothing decided"),
    at("qualifier.decided", LIVE, "decided, nothing stored"),
    at(
        "qualifier.decisions-written",
        DECISIONS,
        "decisions written, notifications not ended, nothing committed",
    ),
    at("qualifier.decisions-stored", LIVE, "decisions stored and notifications ended, nobody told"),
    at("qualifier.window-read", FULL, "a window read in full, nothing decided"),
    at("qualifier.full-read-decided", FULL, "a full read decided about, nothing stored"),
    at("qualifier.full-read-stored", FULL, "a full read stored (its commit may not be on the disk)"),
    at("communicator.reserving", RESERVE, "permit and keys in flight written, not committed"),
    at("communicator.reserved", RESERVE, "permit and keys in flight committed, nothing sent"),
    at("communicator.sending", SEND, "a call's checks made, its request not written"),
    at("communicator.answered", SEND, "a call answered or failed, nothing recorded"),
    at("communicator.answer-written", ANSWER, "acknowledgements written, not committed"),
    at("communicator.answer-recorded", SEND, "acknowledgements recorded, the slot not given back"),
    at("communicator.keys-freed", RESERVE, "keys of abandoned calls freed, not sent again"),
    at("comparison.permitted", READ, "a permit for GetEvents recorded, nothing sent"),
    at("comparison.answered", READ, "GetEvents answered, its end not recorded"),
    at("comparison.adoption-fetched", APPLY, "what is to be adopted known, nothing written"),
    at("comparison.adoption-written", ADOPTION, "adoption written, not committed"),
    at("comparison.adopted", APPLY, "a mailbox adopted, the next of its call not"),
    at("comparison.fetched", APPLY, "what Planner holds known, not compared"),
    at("comparison.written", COMPARISON, "comparison written, not committed"),
    at("comparison.compared", APPLY, "a mailbox compared, the next of its call not"),
    at("resource-list.permitted", FETCH, "a permit for GetResources recorded, nothing sent"),
    at("resource-list.fetched", FETCH, "the list fetched, nothing written"),
    at("resource-list.written", RESOURCE_LIST, "the list written, not committed"),
    at("resource-list.refreshed", FETCH, "the list stored, nobody told"),
    at("lease.taking", LEASE, "a lease written, not committed"),
    at("lease.taken", LEASE, "a lease taken, its owner does not know"),
    at("lease.renewed", LEASE, "leases renewed, their owners not told"),
    at("lease.releasing", LEASE, "a lease given up by its owner, not handed back"),
    at("lease.released", LEASE, "a lease handed back"),
    at("service.migrated", RUN, "the schema up to date, nothing started"),
];
