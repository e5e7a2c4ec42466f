//! What operators look at: how the stages stand, what waits and why, and the whole story of one mailbox.
//!
//! Protocol: statements that only read, on the tables of all stages, each within one snapshot of its own. Nothing here
//! is asked for by the stages themselves, so a statement may walk where theirs must not; every list has a limit.
//! Instants and ages are the database's, whatever the clock of the machine says that asks.
//!
//! Failure: an error means that the database cannot be asked. A row that a newer version wrote and that cannot be
//! read is shown as far as it can.

mod database;
mod history;
mod mailbox;
mod unsent;
mod work;

pub use database::DatabaseFacts;
pub use history::{Entry, Happening, History, HistoryQuery};
pub use mailbox::{KeptBy, KeyState, MailboxCounts, MailboxFacts, Planner, Tombstone};
pub use unsent::{Hold, PlannerFailure, Unsent, UnsentPage};
pub use work::{BudgetUse, EventCount, Group, HeldLease, Work};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
