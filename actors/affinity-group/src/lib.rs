//! Affinity groups: one actor per group with its streaming connection, and the listener that forms the
//! groups (B7, B12).
//!
//! Responsibility: which mailbox belongs to which group ([`grouping`]), which groups run in this instance ([`keeper`]),
//! the groups' leases, anchors, cookies and streams ([`policy`]), and storing every notification durably before it counts as received. What happens to
//! one mailbox is its own actor's business (crate `mailbox-subscriber`), supervised from here.
//!
//! Protocol: the stages meet in the database only. The resource table comes in (woken by `Channel::Resource`, and
//! at an interval); groups and memberships are written under the lease `listener`, everything of one group
//! under the lease `affinity-group/<id>`; notifications go out and wake the qualifiers.
//!
//! Failure: see [`tree`] for who is restarted with whom. Whatever fails ends in a gap, and every gap in a
//! catch-up; so nothing is lost as long as the saved sync states are only moved together with what they
//! cover.
#![forbid(unsafe_code)]

pub mod config;
pub mod error;
pub mod filter;
pub mod folder_watch;
pub mod group;
pub mod grouping;
pub mod keeper;
pub mod listener;
pub mod messages;
pub mod policy;
pub mod tree;

mod ended;
mod journal;
mod order;
mod outage;
mod pump;
mod record;
mod round;
#[cfg(test)]
mod scripted;
mod stream;

pub use config::{Accounts, GroupOptions, ListenerOptions};
pub use error::ListenerError;
pub use group::{GroupActor, GroupTools};
pub use listener::{LISTENER_LEASE, Listener};
pub use messages::CompareNow;
pub use tree::listener_spec;
