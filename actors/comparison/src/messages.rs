//! What the comparison is told.

use actix::Message;
use calendar::MailAddress;
use store::StoreError;
use store::lease::Lease;

use crate::error::ComparisonError;
use crate::read::Due;

/// The lease of the duty is held.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Held(pub(crate) Result<Lease, StoreError>);

/// The lease of the duty is lost.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Lost;

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
