//! What the comparison is told.

use actix::Message;
use calendar::MailAddress;
use store::duty::Tidings;

use crate::error::ComparisonError;
use crate::read::Due;

/// The duty is held, or lost.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct OfDuty(pub(crate) Tidings);

/// There may be mailboxes to be adopted or compared.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct News;

/// A look ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Looked(pub(crate) Result<Due, ComparisonError>);

/// A call for these mailboxes ended; where the database did not take what Planner holds for some of them, with why.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ended {
    pub(crate) mails: Vec<MailAddress>,
    pub(crate) result: Result<Vec<(MailAddress, ComparisonError)>, ComparisonError>,
}
