//! What the resource list is told.

use actix::Message;
use store::duty::Tidings;

use crate::error::ResourceListError;
use crate::fetch::Fetched;

/// Fetch the list now (an operator asks, or the schedule).
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Refresh;

/// The duty is held, or lost.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct OfDuty(pub(crate) Tidings);

/// Is there a list?
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Looked(pub(crate) bool);

/// A fetch ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ended(pub(crate) Result<Fetched, ResourceListError>);
