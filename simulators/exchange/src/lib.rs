//! A stand-in for Exchange that independent clients accept, with fault injection.
//!
//! **Responsibility.** Mailboxes with a calendar, over Exchange Web Services and Autodiscover on real
//! sockets: GetFolder, ResolveNames, ConvertId, Subscribe (streaming), GetStreamingEvents, Unsubscribe,
//! SyncFolderItems, FindItem with CalendarView, GetItem, CreateItem, UpdateItem, DeleteItem, MoveItem,
//! GetUserSettings. What it answers, with its events, ids, limits and errors, follows real Exchange servers
//! (references in the modules). Calendars are changed as any client changes them: over EWS.
//!
//! **How it is built.** The model is pure: [`zone`], [`series`], [`pattern`], [`item`], [`mailbox`],
//! [`event`], [`affinity`], [`hub`]. [`service`] holds one world of it under a lock; [`ops`] answers
//! requests from it; [`present`] turns appointments into the properties that were asked for; [`server`],
//! [`stream`] and [`discover`] speak HTTP; [`admin`] tells tests and the demo's oracle what is held, and
//! [`faults`] is what can go wrong on purpose. [`ics`] loads real calendar files.
//!
//! **Failure behaviour.** What cannot start says so ([`SimulatorError`]). A request is answered with an
//! error of Exchange's or not at all; it never takes the server with it. All is in memory: a restart forgets
//! everything but the ids of mailboxes, as a restored backup would, and old sync states are refused.
#![forbid(unsafe_code)]

pub mod admin;
pub mod affinity;
pub mod discover;
pub mod error;
pub mod event;
pub mod faults;
pub mod hub;
pub mod ics;
pub mod ids;
pub mod item;
pub mod logon;
pub mod mailbox;
pub mod ops;
pub mod options;
pub mod pattern;
pub mod present;
pub mod series;
pub mod server;
pub mod service;
pub mod simulator;
pub mod stream;
pub mod zone;

pub use error::SimulatorError;
pub use faults::{Act, Fault, Lost};
pub use logon::Logins;
pub use options::Options;
pub use simulator::{Simulator, TOKEN_PATH, run};
