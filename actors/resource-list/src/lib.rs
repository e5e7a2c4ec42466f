//! The resource list: which case workers and rooms there are, as Planner says, with the white- and the
//! blacklist (B10).
//!
//! **Responsibility.** Fetches the list at its times of day, at start and on demand and brings the store's list
//! up to it: new addresses are added, returned ones revived, missing ones get a deleted date; an empty answer
//! changes nothing. The stages wait for the first list (B1); this child is ready when there is one.
//!
//! **Protocol.** The actor holds the lease of its duty. A fetch takes a slot and a permit of the SLA budget,
//! calls Planner, and applies what the pure [`refresh`] decides, in one transaction. When it is due is the
//! pure [`schedule`]'s to say; operators ask through the store, whichever instance holds the duty.
//!
//! **Entries that cannot be used** are told (3201, 9201) and skipped, and nobody falls out of use by them: who is named
//! by an entry that is skipped, by the address or else by Planner's identifier or the number that came with the last
//! entry that could be read, stays as they are. While an entry names nobody by any of these, whoever is missing may be
//! the one: then the drops are left to an operator, however few. Working hours or a kind that cannot be read are left out
//! alone (9201), and a list of which no entry can be used is a failed fetch (6906).
//!
//! **Failure.** A fetch that fails leaves the last good list and is tried again with capped back-off until it
//! works once. A run of the schedule that was missed is made up at start. A refresh that would drop more than
//! 10 and more than 10 % of the resources applies everything but the drops, raises an event, and leaves the
//! drops to an operator, until a later list makes them void.
#![forbid(unsafe_code)]

pub mod policy;
pub mod refresh;
pub mod schedule;

mod actor;
mod config;
mod error;
mod fetch;
mod messages;

pub use actor::ResourceList;
pub use config::{Deps, ResourceListOptions};
pub use error::ResourceListError;
pub use fetch::Fetched;
pub use messages::Refresh;
