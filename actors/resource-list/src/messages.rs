//! What the resource list is told.

use actix::Message;
use store::StoreError;
use store::lease::Lease;

use crate::error::ResourceListError;
use crate::fetch::Fetched;

/// Fetch the list now (an operator asks, or the schedule).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Refresh;

/// The lease of the duty is held; was there a list already?
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Held(pub(crate) Result<Lease, StoreError>);

/// The lease of the duty is lost.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Lost;

/// Is there a list?
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Looked(pub(crate) bool);

/// A fetch ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ended(pub(crate) Result<Fetched, ResourceListError>);
