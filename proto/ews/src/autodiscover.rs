//! Autodiscover's SOAP operation GetUserSettings: where a mailbox lives.

use crate::{Error, Limits};

/// Namespace of Autodiscover.
pub const AUTODISCOVER_NS: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";
/// The setting that names the service's address for callers outside.
pub const EXTERNAL_EWS_URL: &str = "ExternalEwsUrl";
/// The setting that names the service's address inside.
pub const INTERNAL_EWS_URL: &str = "InternalEwsUrl";
/// The setting that tells which mailboxes may share a stream.
pub const GROUPING_INFORMATION: &str = "GroupingInformation";

/// `GetUserSettings` for many mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUserSettings {
    /// `RequestedServerVersion`: `Exchange2013` …
    pub server_version: Option<String>,
    /// Address of the service, for WS-Addressing's `To`.
    pub to: Option<String>,
    /// Addresses.
    pub mailboxes: Vec<String>,
    /// Names of settings.
    pub settings: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUserSettingsResponse {
    /// `NoError`, or why nothing was answered.
    pub error_code: String,
    /// For people.
    pub error_message: String,
    /// One per mailbox, in the order of the request.
    pub users: Vec<UserSettings>,
}

/// What is known of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserSettings {
    /// What became of it.
    pub outcome: UserOutcome,
    /// For people.
    pub error_message: String,
    /// Name and value of each setting that is a text; others are read over.
    pub settings: Vec<(String, String)>,
    /// Settings that were not to be had.
    pub setting_errors: Vec<SettingError>,
}

impl UserSettings {
    /// The value of a setting; blank ones count as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// What became of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UserOutcome {
    /// `NoError`.
    #[default]
    Found,
    /// `RedirectAddress`: ask for this address instead.
    RedirectAddress(String),
    /// `RedirectUrl`: ask there.
    RedirectUrl(String),
    /// `InvalidUser` and others, by their code.
    Failed(String),
}

/// A setting that was not to be had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingError {
    /// `SettingIsNotAvailable`, `InvalidSetting` …
    pub error_code: String,
    /// For people.
    pub error_message: String,
    /// Which setting.
    pub setting_name: String,
}

/// Writes a request.
pub fn encode_request(request: &GetUserSettings) -> Result<String, Error> {
    let _ = request;
    Err(Error::Unsupported { what: "encoding, until the next commit" })
}

/// Reads a request.
pub fn decode_request(message: &[u8], limits: Limits) -> Result<GetUserSettings, Error> {
    let _ = (message, limits);
    Err(Error::Unsupported { what: "decoding, until the next commit" })
}

/// Writes an answer, or the fault that stands for it.
pub fn encode_response(
    response: &Result<GetUserSettingsResponse, proto_soap::Fault>,
) -> Result<String, Error> {
    let _ = response;
    Err(Error::Unsupported { what: "encoding, until the next commit" })
}

/// Reads an answer or a fault.
pub fn decode_response(
    message: &[u8],
    limits: Limits,
) -> Result<Result<GetUserSettingsResponse, proto_soap::Fault>, Error> {
    let _ = (message, limits);
    Err(Error::Unsupported { what: "decoding, until the next commit" })
}
