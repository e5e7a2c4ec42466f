//! The two SOAP headers of every call: on whose behalf, and by whom.

use jiff::Timestamp;

use crate::Operation;

/// Organisation type "job centre", which the product always sends.
pub const ORGANISATION_TYPE_JOBCENTRE: i32 = 8;
/// User type "system" (2 is a case worker, 4 an employee), which the product always sends.
pub const USER_TYPE_SYSTEM: i32 = 3;
/// The longest `UserFullName`, in characters.
const FULL_NAME_CHARS_MAX: usize = 140;

/// Both headers as they stood on the wire. A call needs both; the reader keeps what is there, so that the
/// answering side can say which one is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// On whose behalf the call is made.
    pub active_organisation: Option<ActiveOrganisation>,
    /// Who makes the call.
    pub user_metadata: Option<RequestUserMetadata>,
}

/// The header `ActiveOrganisationHeader`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveOrganisation {
    /// The kind of organisation, 1 to 100.
    pub organisation_type: i32,
    /// The organisation's code, 1 to 20 characters: the job centre's number.
    pub organisation_code: String,
}

/// The header `RequestUserMetadataHeader`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestUserMetadata {
    /// The caller's name, 1 to 140 characters.
    pub user_full_name: String,
    /// The kind of caller, 0 to 100,000,000.
    pub user_type: i32,
    /// The caller's identifier, 1 to 255 characters (setting `request_user_identifier`).
    pub user_identifier: String,
    /// The caller's mail address; the product sends none.
    pub user_email: Option<String>,
    /// The kind of the calling organisation, 0 to 100,000,000.
    pub organisation_type: i32,
    /// The calling organisation's code: `-1`, or one to eight digits.
    pub organisation_code: String,
    /// When the call was made.
    pub registered_at: Timestamp,
}

impl Headers {
    /// The headers that the product sends: a system, acting for and as the job centre
    /// `jobcenter_number`. `client` is the product's name and version; with the operation it becomes the
    /// caller's full name, cut to its longest length.
    pub fn of_system(
        jobcenter_number: &str,
        user_identifier: &str,
        client: &str,
        operation: Operation,
        now: Timestamp,
    ) -> Self {
        let full_name: String = format!("{client} : {operation}").chars().take(FULL_NAME_CHARS_MAX).collect();
        Self {
            active_organisation: Some(ActiveOrganisation {
                organisation_type: ORGANISATION_TYPE_JOBCENTRE,
                organisation_code: jobcenter_number.to_owned(),
            }),
            user_metadata: Some(RequestUserMetadata {
                user_full_name: full_name,
                user_type: USER_TYPE_SYSTEM,
                user_identifier: user_identifier.to_owned(),
                user_email: None,
                organisation_type: ORGANISATION_TYPE_JOBCENTRE,
                organisation_code: jobcenter_number.to_owned(),
                registered_at: now,
            }),
        }
    }
}
