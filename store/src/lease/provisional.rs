//! Leases under which nothing was begun yet.

use super::{Fence, Lease};
use crate::duty;

/// A lease in the hand of somebody who may be dropped before anything was begun under it: it is handed back at once then.
#[derive(Debug)]
pub struct Provisional(Option<Lease>);

impl Provisional {
    /// Work begins under the lease.
    pub fn keep(mut self) -> Lease {
        self.0.take().expect("only this takes it")
    }

    /// The proof for protected writes.
    pub fn fence(&self) -> Fence {
        self.0.as_ref().expect("only keep takes it").fence()
    }
}

impl Drop for Provisional {
    fn drop(&mut self) {
        if let Some(unwanted) = self.0.take() {
            give_back_unwanted(unwanted);
        }
    }
}

/// Hands a lease back in the background; without a runtime the process ends, and the lease runs out.
pub(super) fn give_back_unwanted(unwanted: Lease) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(duty::give_back(unwanted));
    }
}

impl Lease {
    /// The same lease, to be handed back should it be dropped before it is [kept](Provisional::keep).
    pub fn provisional(self) -> Provisional {
        Provisional(Some(self))
    }
}
