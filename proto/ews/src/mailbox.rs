//! Addresses of people, as other clients and ResolveNames need them.

use jiff::Timestamp;

/// `t:Mailbox` (`EmailAddressType`). The address of an organizer may be a legacy DN with routing type `EX`
/// (field note 38).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct EmailAddress {
    /// Display name.
    pub name: Option<String>,
    /// Address in the form of the routing type.
    pub address: Option<String>,
    /// `SMTP` when absent.
    pub routing_type: Option<String>,
    /// `Mailbox`, `OneOff`, `PublicDL` …
    pub mailbox_type: Option<String>,
}

impl EmailAddress {
    /// An SMTP address alone.
    pub fn smtp(address: impl Into<String>) -> Self {
        Self { address: Some(address.into()), ..Self::default() }
    }
}

/// `t:Attendee`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attendee {
    /// Who.
    pub mailbox: EmailAddress,
    /// `Unknown`, `Organizer`, `Tentative`, `Accept`, `Decline`, `NoResponseReceived`.
    pub response_type: Option<String>,
    /// When the answer came.
    pub last_response_time: Option<Timestamp>,
}

mod codec;
