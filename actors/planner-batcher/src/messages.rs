//! What the batcher is told.

use actix::Message;
use store::StoreError;
use store::duty::Tidings;

use crate::look::Found;
use crate::plan::Picker;
use crate::send::Summary;

/// The duty is held, or lost.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct OfDuty(pub(crate) Tidings);

/// There may be something to send.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct News;

/// A look ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Looked {
    pub(crate) picker: Picker,
    pub(crate) found: Result<Found, StoreError>,
}

/// A batch ended; `None` when it did not say how.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BatchEnded(pub(crate) Option<Summary>);

/// A batch's own: its call ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Sent(pub(crate) Summary);

/// Asks what the batcher is doing; for tests and for people.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Observed")]
pub struct Observe;

/// What the batcher is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Does it hold the lease of its duty?
    pub holds_lease: bool,
    /// Calls in flight.
    pub in_flight: usize,
    /// Most appointments in a call now.
    pub batch_size: usize,
}

impl<A, M> actix::dev::MessageResponse<A, M> for Observed
where
    A: actix::Actor,
    M: Message<Result = Self>,
{
    fn handle(self, _: &mut A::Context, sender: Option<actix::dev::OneshotSender<Self>>) {
        if let Some(sender) = sender {
            // whoever asked may have gone
            let _ = sender.send(self);
        }
    }
}
