//! Exchange over HTTPS, behind the port [`CalendarSource`](calendar::CalendarSource).
//!
//! Responsibility: accounts, authentication, impersonation, affinity headers, back-off, limits, and turning
//! EWS messages into the calendar's own values. It decides nothing about mailboxes or streams: callers get a
//! [`SourceError`](calendar::SourceError) with its class ([`classify`]) and act on that.
//!
//! Protocol:
//! * Ordinary calls are anchored on the mailbox itself and carry no affinity cookie. Calls about
//!   subscriptions carry the group's anchor, `X-PreferServerAffinity` and its cookie, which the caller keeps
//!   ([`Affinity`](calendar::source::Affinity)).
//! * Streams have a client of their own without a total timeout and do not count against the limit of
//!   ordinary calls. Watching for silence is the caller's business.
//! * Several service accounts ([`accounts`]); calls about subscriptions are made by the account that owns them.
//! * An account logs on with each request (Basic; a bearer token of OAuth: `oauth`) or connection by connection
//!   (`ntlm`), as the options say for all of them.
//! * One back-off for a whole account ([`throttle`]): when the server is busy every call of it waits; where a service
//!   refuses its password, calls to that service do ([`refusals`]).
//! * Requests ask for identifiers and times only (B6; `request`); a test on the wire holds that.
//!
//! Failure: no call retries by itself beyond waiting out the account's back-off. Bodies are read through a
//! limit. No error, log or trace holds a password, a cookie or content of an appointment: the server's words are
//! kept only from its own error texts, cut short.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod classify;
pub mod config;
mod endpoints;
pub mod error;
pub mod refusals;
pub mod throttle;

mod appointment;
mod folders;
mod hints;
mod insecure;
mod locate;
mod ntlm;
mod oauth;
mod reading;
mod reply;
mod request;
#[cfg(test)]
mod scripted;
mod sending;
mod source;
mod transport;
mod window;

pub use accounts::Account;
pub use config::{Authentication, ExchangeOptions, OAuth};
pub use error::ExchangeError;
pub use source::Exchange;
pub use throttle::{BackOff, Reason, Refusal};
