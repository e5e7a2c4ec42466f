//! One actor per mailbox: check that its calendar can be read, subscribe, catch up, be listened to; and its
//! errors (B7, B12).
//!
//! Protocol: the group's actor starts this one and tells it the group's affinity. The order of work is check →
//! subscribe → catch up; from the moment that a subscription exists the group listens to it, so that nothing
//! falls between catching up and listening. The group asks for a catch-up after every gap, and for a new
//! subscription when one died. What the actor does next is decided by the pure [`policy`]; checking,
//! subscribing and catching up run as tasks on the runtime, behind a limit shared by all mailboxes.
//!
//! Failure: a mailbox that cannot be listened to gets code, description and date on its resource row and is
//! tried again with back-off, or at once when the group tells that somebody asks for it ([`TryNow`]); a success clears them.
//! Nothing that happens to one mailbox touches another. A
//! restarted actor begins with the check. A call to Subscribe goes on when its actor ends, because Exchange may have
//! heard it: what it makes is ended then (`fresh`), also without the group's lease, and a group that ends in order waits
//! for that.
//!
//! Cost: a quiet mailbox has no timer and no task; there may be 50,000 of them.
#![forbid(unsafe_code)]

pub mod actor;
pub mod catch_up;
pub mod config;
pub mod ending;
pub mod error;
mod fresh;
pub mod messages;
pub mod policy;

pub use actor::{MailboxSubscriber, Place, Tools};
pub use config::SubscriberOptions;
pub use ending::end_subscription;
pub use error::SubscriberError;
pub use messages::{CatchUpNow, FromMailbox, GroupAffinity, SubscriptionLost, TryNow};
