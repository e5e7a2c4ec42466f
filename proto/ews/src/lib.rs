//! Exchange Web Services and Autodiscover on the wire: encode, decode, stream splitting.
//!
//! Responsibility: messages to values and back, in both directions, for the connector and for the
//! simulator. No I/O, no clock, no policy: what an error code means for a subscription is the connector's
//! business.
//!
//! * [`Request`] and [`Response`] hold one operation each; [`encode_request`], [`decode_request`],
//!   [`encode_response`] and [`decode_response`] work on whole envelopes. HTTP 200 and 500 decode the same
//!   way: a fault is found by what stands in the body.
//! * [`StreamSplitter`] cuts the body of GetStreamingEvents, which is one envelope after the other, into
//!   messages for [`decode_response`].
//! * [`autodiscover`] is the service that tells where a mailbox lives; [`pox`] is its older form without SOAP.
//!
//! Tolerance: elements are known by namespace and local name, never by prefix or position; unknown ones
//! are skipped; what real servers do against the schema is accepted (streaming's `m:Notification`, un-namespaced
//! subscription ids, times with nine digits of fraction, dates with a zone, errors that carry the elements
//! of a success). An item with a value that cannot be read becomes [`Item::Unreadable`] and does not take the
//! rest of the answer with it.
//!
//! Failure behaviour: any bytes give a value or an [`Error`]; nothing panics; sizes are bounded by
//! [`Limits`]. No error holds text of a message.
#![forbid(unsafe_code)]

pub mod autodiscover;
pub mod calendar_item;
pub mod code;
pub mod enums;
pub mod envelope;
pub mod error;
pub mod event;
pub mod field;
pub mod folder;
pub mod id;
pub mod item;
pub mod mailbox;
pub mod message;
pub mod operation;
pub mod pox;
pub mod recurrence;
pub mod shape;
pub mod stream;
pub mod time;
mod wire;

pub use calendar_item::{Body, CalendarItem, DeletedOccurrence, OccurrenceInfo, TimeZoneDefinition};
pub use code::ResponseCode;
pub use enums::{
    BaseShape, BodyType, CalendarItemKind, ConflictResolution, ConnectionStatus, DayOfWeek, DayOfWeekIndex,
    DeleteType, EventKind, FolderKind, FreeBusy, ItemKind, Month, Sensitivity, Traversal,
};
pub use envelope::{
    Impersonation, RequestEnvelope, ResponseEnvelope, ServerVersion, decode_request, decode_response,
    encode_request, encode_response,
};
pub use error::Error;
pub use event::{ChangeEvent, Event, Notification, StreamMessage, Target};
pub use folder::{EffectiveRights, Folder};
pub use id::{DistinguishedFolderId, FolderId, FolderRef, ItemId, ItemRef, SubscriptionId};
pub use item::{Item, OtherItem};
pub use mailbox::{Attendee, EmailAddress};
pub use message::{Fault, MessageXml, Problem, ResponseMessage};
pub use operation::{Request, Response};
pub use proto_soap::Limits;
pub use recurrence::{Recurrence, RecurrencePattern, RecurrenceRange};
pub use shape::{ExtendedFieldUri, ExtendedProperty, ExtendedValue, FolderShape, ItemShape, PropertyPath};
pub use stream::{SplitError, StreamSplitter};

/// Namespace of EWS operations, `m:`.
pub const MESSAGES_NS: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
/// Namespace of EWS types, `t:`.
pub const TYPES_NS: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
/// Namespace of the elements in a fault's detail, `e:`.
pub const ERRORS_NS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";
