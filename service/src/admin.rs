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
//! Protocol: a listener of its own (`http.admin_listen`, on loopback unless configured otherwise, and beyond it over TLS
//! alone). Either `Authorization: Bearer TOKEN` with the token of `http.admin_token`, compared in constant time, or a client
//! certificate of `http.admin_client_authorities`; where neither is configured there are no admin calls and no listener.
//! Who has neither learns nothing, whatever is asked for: 401. Answers are JSON; a refusal is `{"error": "…"}` with a status
//! that says whose fault it is; where there is no such call (404) or not with that method (405), with the list of `calls`.
//!
//! Limits: those of the listener (module `http`); bodies of [`BODY_MAX`] bytes, read only of callers that are let in;
//! [`limit`] says how many calls, and how many wrong tokens, of one peer and of all. Database work runs on the runtime of
//! the service, since a task of the listener's own thread would take pooled connections with it when it ends.
//!
//! Failure: nothing here is needed by a stage. An unknown command is event 2956, one that failed 2957, a wrong token 9510,
//! too many of them 9665.

mod auth;
pub(crate) mod limit;
mod listener;
mod routes;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::SharedClock;
use store::Store;
use tokio::runtime::Handle;

use crate::acts::Allowed;
use crate::http::limits::Attack;
use crate::http::server::Call;
pub(crate) use auth::Access;
use limit::{Gate, Verdict};
pub(crate) use listener::{AdminListener, SETTING, open};

/// The largest body of a call, in bytes.
pub(crate) const BODY_MAX: usize = 16 * 1024;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the admin calls work with.
pub(crate) struct Admin {
    store: Store,
    runtime: Handle,
    clock: SharedClock,
    access: Access,
    allowed: Allowed,
    gate: Mutex<Gate>,
}

/// The admin calls of a listener.
#[derive(Clone)]
pub(crate) struct AdminCalls(Arc<Admin>);

impl AdminCalls {
    /// Admin calls for whoever has `access`.
    pub(crate) fn new(
        store: Store,
        runtime: Handle,
        clock: SharedClock,
        access: Access,
        allowed: Allowed,
    ) -> Self {
        let gate = Mutex::new(Gate::new(clock.monotonic()));
        Self(Arc::new(Admin { store, runtime, clock, access, allowed, gate }))
    }
}

impl Admin {
    /// May this call be made now?
    fn judge(&self, call: &Call) -> Verdict {
        let known = self.access.admits(call);
        let now = self.clock.monotonic();
        let verdict = self.gate.lock().unwrap_or_else(PoisonError::into_inner).pass(known, call.peer, now);
        if let (false, Verdict::TooMany(_)) = (known, verdict) {
            call.refused(Attack::Guessing, "wrong tokens are not even looked at for a while");
        }
        verdict
    }
}

#[cfg(test)]
mod tests;
