//! The promises that are watched, pure: what was seen goes in, [`Violation`]s come out.
//!
//! | name | promise |
//! |---|---|
//! | [`SIMULTANEOUS_CALLS`] | never more calls in flight than agreed |
//! | [`CALL_SIZE`] | a call carries no more appointments than agreed, and those of one mailbox |
//! | [`WINDOW`] | no more calls and appointments in any window than agreed |
//! | [`ONE_CALL_PER_KEY`] | never two calls in flight for one key |
//! | [`PERMIT`] | a call's permit is committed before its request leaves |
//! | [`DEADLINE`] | keys of a call without an answer are not freed before the call's deadline, whatever is written about its end |
//! | [`FENCE`] | a protected write holds a lease of the duty that it belongs to, and its writer is the owner |
//! | [`LISTENING`] | nobody listens to a mailbox twice, or to one that is not in use |
//! | [`LEFT_BEHIND`] | a group that ended in order leaves no live subscription behind |
//! | [`TAKE_OVER`] | while the database is there, no lease is without a living owner for [`take_over::MOST`] or longer |
//! | [`GAVE_UP`] | no instance ends by its own decision (the driver sees it), unless something befell the database |
//! | [`MEMORY`] | no instance ever uses more memory than stated |
//! | [`BLIND`] | the observer saw everything that it judges by |
//!
//! In seeds in which nothing happened that may leave one behind, a subscription that is on no stream keeps the state from
//! having come to rest ([`subscriptions::idle`]).
//!
//! What a paused process does is none of the product's promises: it may have been stopped between its last check and
//! its write. Its calls are left out of the counts and counted apart ([`calls::Book::late`]).

pub mod calls;
pub mod fence;
pub mod lives;
pub mod load;
pub mod memory;
pub mod subscriptions;
pub mod take_over;

use jiff::Timestamp;

use super::contract::Violation;

/// See the table of the module.
pub const SIMULTANEOUS_CALLS: &str = "simultaneous-calls";
/// See the table of the module.
pub const CALL_SIZE: &str = "call-size";
/// See the table of the module.
pub const WINDOW: &str = "window";
/// See the table of the module.
pub const ONE_CALL_PER_KEY: &str = "one-call-per-key";
/// See the table of the module.
pub const PERMIT: &str = "permit";
/// See the table of the module.
pub const DEADLINE: &str = "deadline";
/// See the table of the module.
pub const FENCE: &str = "fence";
/// See the table of the module.
pub const LISTENING: &str = "listening";
/// See the table of the module.
pub const LEFT_BEHIND: &str = "left-behind";
/// See the table of the module.
pub const TAKE_OVER: &str = "take-over";
/// See the table of the module.
pub const GAVE_UP: &str = "gave-up";
/// See the table of the module.
pub const MEMORY: &str = "memory";
/// See the table of the module.
pub const BLIND: &str = "observer-blind";

/// The most violations of one kind that are told in words: a broken build has thousands.
pub const TOLD_MAX: usize = 20;

/// A violation.
pub fn violation(invariant: &str, at: Option<Timestamp>, words: String) -> Violation {
    Violation { invariant: invariant.to_owned(), at, words }
}

/// The first of them, and how many others there are.
pub fn bounded(mut found: Vec<Violation>) -> Vec<Violation> {
    let more = found.len().saturating_sub(TOLD_MAX);
    if more > 0 {
        found.truncate(TOLD_MAX);
        let last = found.last_mut().expect("more than none are left");
        last.words.push_str(&format!(" (and {more} more)"));
    }
    found
}
