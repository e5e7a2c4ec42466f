//! The admin calls over HTTP: what operators can ask for ([`crate::acts`]), for programs and monitoring.
//!
//! | call | does |
//! |---|---|
//! | `POST /admin/operations` | asks: `{"kind": "full_pull", "mailbox": "anna@kommune.dk", "by": "kim"}`, or `"all": true`; 202 with the operation |
//! | `GET /admin/operations` | the latest operations, with how far they are |
//! | `GET /admin/operations/{id}` | one of them |
//! | `GET /admin/withheld` | the runs whose deletions wait |
//! | `POST /admin/withheld/{run}/confirm`, `…/reject` | settles one: `{"by": "kim"}`; 202 with the operation |
//!
//! Kinds: `full_pull`, `comparison`, `adoption`, `rediscovery`, `resend`, and `resource_list`, which is about no mailbox.
//!
//! Protocol: `Authorization: Bearer TOKEN` with the token of `http.admin_token`; where none is configured there are no
//! admin calls (404). Answers are JSON; a refusal is `{"error": "…"}` with a status that says whose fault it is; where there
//! is no such call (404) or not with that method (405), with the list of `calls`.
//!
//! Limits: bodies of [`BODY_MAX`] bytes; [`limit`] says how many calls, and how many wrong tokens. Database work runs on
//! the runtime of the service, since a task of the pages' own threads would take pooled connections with it when it ends.
//!
//! Failure: nothing here is needed by a stage. An unknown command is event 2956, one that failed 2957.

mod auth;
pub(crate) mod limit;
mod routes;

use std::sync::Mutex;
use std::time::Duration;

use base::SharedClock;
use secrecy::SecretString;
use store::Store;
use tokio::runtime::Handle;

use crate::acts::Allowed;
use auth::TokenDigest;
use limit::{Gate, Verdict};

pub(crate) use routes::mount;

/// The largest body of a call, in bytes.
pub(crate) const BODY_MAX: usize = 16 * 1024;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the admin calls work with.
pub(crate) struct Admin {
    store: Store,
    runtime: Handle,
    clock: SharedClock,
    token: TokenDigest,
    allowed: Allowed,
    gate: Mutex<Gate>,
}

impl Admin {
    /// Admin calls for whoever has `token`.
    pub(crate) fn new(
        store: Store,
        runtime: Handle,
        clock: SharedClock,
        token: &SecretString,
        allowed: Allowed,
    ) -> Self {
        let gate = Mutex::new(Gate::new(clock.monotonic()));
        Self { store, runtime, clock, token: TokenDigest::of(token), allowed, gate }
    }

    /// May a call with this header be made now?
    fn judge(&self, authorization: Option<&str>) -> Verdict {
        let known = authorization.is_some_and(|header| self.token.opens(header));
        let now = self.clock.monotonic();
        self.gate.lock().expect("no holder of this lock can panic").pass(known, now)
    }
}

#[cfg(test)]
mod tests;
