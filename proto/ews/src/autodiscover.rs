//! Autodiscover's SOAP operation GetUserSettings: where a mailbox lives.
//!
//! Written in the form of real servers: elements below the body in the default namespace, the setting's
//! type without a prefix (field note 42). Read whatever the prefixes.

use proto_soap::{Body, Element, EnvelopeWriter, Reader, Writer, XSI_NS, read_envelope};

use crate::wire::read_all;
use crate::{Error, Limits};

/// Namespace of WS-Addressing.
const ADDRESSING_NS: &str = "http://www.w3.org/2005/08/addressing";
/// Action of the request; the answer's has `Response` after it.
const ACTION: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings";

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
    let writer = EnvelopeWriter {
        declaration: true,
        namespaces: &[("a", AUTODISCOVER_NS), ("wsa", ADDRESSING_NS)],
        limit: Writer::STANDARD_LIMIT,
    };
    let header = |w: &mut Writer| {
        w.optional("a:RequestedServerVersion", request.server_version.as_deref());
        w.leaf("wsa:Action", ACTION);
        w.optional("wsa:To", request.to.as_deref());
    };
    let message = writer.write(header, |w| {
        w.element("a:GetUserSettingsRequestMessage", |w| {
            w.element("a:Request", |w| {
                w.element("a:Users", |w| {
                    for mailbox in &request.mailboxes {
                        w.element("a:User", |w| w.leaf("a:Mailbox", mailbox));
                    }
                });
                w.element("a:RequestedSettings", |w| {
                    request.settings.iter().for_each(|setting| w.leaf("a:Setting", setting));
                });
            });
        });
    })?;
    Ok(message)
}

/// Reads a request.
pub fn decode_request(message: &[u8], limits: Limits) -> Result<GetUserSettings, Error> {
    let (mut server_version, mut to) = (None, None);
    let body = read_envelope(
        message,
        limits,
        |reader, block| {
            match block.name() {
                (AUTODISCOVER_NS, "RequestedServerVersion") => {
                    server_version = Some(reader.text(block)?.trim().to_owned());
                }
                (ADDRESSING_NS, "To") => to = Some(reader.text(block)?.trim().to_owned()),
                _ => {}
            }
            Ok(())
        },
        |reader, element| match element.name() {
            (AUTODISCOVER_NS, "GetUserSettingsRequestMessage") => read_request(reader, element),
            (_, name) => Err(Error::unknown_operation(name)),
        },
    )?;
    match body {
        Body::Content((mailboxes, settings)) => {
            Ok(GetUserSettings { server_version, to, mailboxes, settings })
        }
        Body::Fault(_) => Err(Error::unknown_operation("Fault")),
    }
}

/// Mailboxes and settings.
fn read_request(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<(Vec<String>, Vec<String>), Error> {
    let (mut mailboxes, mut settings) = (Vec::new(), Vec::new());
    reader.children(element, |reader, request| {
        if !request.is(AUTODISCOVER_NS, "Request") {
            return Ok(());
        }
        reader.children(request, |reader, list| {
            match list.name() {
                (AUTODISCOVER_NS, "Users") => mailboxes = read_all(reader, list, read_user)?,
                (AUTODISCOVER_NS, "RequestedSettings") => {
                    settings = read_all(reader, list, |reader, setting| match setting.name() {
                        (AUTODISCOVER_NS, "Setting") => Ok(Some(reader.text(setting)?.trim().to_owned())),
                        _ => Ok(None),
                    })?;
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })
    })?;
    Ok((mailboxes, settings))
}

fn read_user(reader: &mut Reader<'_>, user: &Element<'_>) -> Result<Option<String>, Error> {
    let mut mailbox = None;
    reader.children(user, |reader, child| {
        if child.is(AUTODISCOVER_NS, "Mailbox") {
            mailbox = Some(reader.text(child)?.trim().to_owned());
        }
        Ok::<_, Error>(())
    })?;
    Ok(mailbox)
}

/// Writes an answer, or the fault that stands for it.
pub fn encode_response(
    response: &Result<GetUserSettingsResponse, proto_soap::Fault>,
) -> Result<String, Error> {
    let writer = EnvelopeWriter {
        declaration: true,
        namespaces: &[("a", ADDRESSING_NS)],
        limit: Writer::STANDARD_LIMIT,
    };
    let header = |w: &mut Writer| {
        if response.is_ok() {
            w.element("a:Action", |w| {
                w.attribute("s:mustUnderstand", "1");
                w.text(&format!("{ACTION}Response"));
            });
            write_version(w);
        }
    };
    let message = writer.write(header, |w| match response {
        Ok(response) => response.write(w),
        Err(fault) => fault.write(w, "s:"),
    })?;
    Ok(message)
}

/// The version of the server, without which the clients that follow Microsoft's own refuse the answer. Here it is five
/// elements, not the attributes of EWS (field note 42).
fn write_version(w: &mut Writer) {
    w.element("h:ServerVersionInfo", |w| {
        w.attribute("xmlns:h", AUTODISCOVER_NS);
        w.leaf("h:MajorVersion", "15");
        w.leaf("h:MinorVersion", "2");
        w.leaf("h:MajorBuildNumber", "2562");
        w.leaf("h:MinorBuildNumber", "17");
        w.leaf("h:Version", "Exchange2016");
    });
}

/// Reads an answer or a fault.
pub fn decode_response(
    message: &[u8],
    limits: Limits,
) -> Result<Result<GetUserSettingsResponse, proto_soap::Fault>, Error> {
    let body = read_envelope(
        message,
        limits,
        |_, _| Ok(()),
        |reader, element| match element.name() {
            (AUTODISCOVER_NS, "GetUserSettingsResponseMessage") => {
                GetUserSettingsResponse::read(reader, element)
            }
            (_, name) => Err(Error::unknown_operation(name)),
        },
    )?;
    Ok(match body {
        Body::Content(response) => Ok(response),
        Body::Fault(fault) => Err(fault),
    })
}

impl GetUserSettingsResponse {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut error_code, mut error_message, mut users) = (None, String::new(), Vec::new());
        reader.children(element, |reader, response| {
            if !response.is(AUTODISCOVER_NS, "Response") {
                return Ok(());
            }
            reader.children(response, |reader, child| {
                match child.name() {
                    (AUTODISCOVER_NS, "ErrorCode") => {
                        error_code = Some(reader.text(child)?.trim().to_owned());
                    }
                    (AUTODISCOVER_NS, "ErrorMessage") => error_message = reader.text(child)?,
                    (AUTODISCOVER_NS, "UserResponses") => {
                        users = read_all(reader, child, |reader, user| match user.name() {
                            (AUTODISCOVER_NS, "UserResponse") => UserSettings::read(reader, user).map(Some),
                            _ => Ok(None),
                        })?;
                    }
                    _ => {}
                }
                Ok::<_, Error>(())
            })
        })?;
        Ok(Self { error_code: error_code.ok_or(Error::missing("ErrorCode"))?, error_message, users })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("GetUserSettingsResponseMessage", |w| {
            w.attribute("xmlns", AUTODISCOVER_NS);
            w.element("Response", |w| {
                w.attribute("xmlns:i", XSI_NS);
                w.leaf("ErrorCode", &self.error_code);
                w.leaf("ErrorMessage", &self.error_message);
                w.element("UserResponses", |w| self.users.iter().for_each(|user| user.write(w)));
            });
        });
    }
}

impl UserSettings {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut user = Self::default();
        let (mut code, mut target) = (None, String::new());
        reader.children(element, |reader, child| {
            match child.name() {
                (AUTODISCOVER_NS, "ErrorCode") => code = Some(reader.text(child)?.trim().to_owned()),
                (AUTODISCOVER_NS, "ErrorMessage") => user.error_message = reader.text(child)?,
                (AUTODISCOVER_NS, "RedirectTarget") => target = reader.text(child)?.trim().to_owned(),
                (AUTODISCOVER_NS, "UserSettings") => user.settings = read_all(reader, child, read_setting)?,
                (AUTODISCOVER_NS, "UserSettingErrors") => {
                    user.setting_errors = read_all(reader, child, SettingError::read)?;
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        user.outcome = match code.as_deref() {
            Some("NoError") => UserOutcome::Found,
            Some("RedirectAddress") => UserOutcome::RedirectAddress(target),
            Some("RedirectUrl") => UserOutcome::RedirectUrl(target),
            Some(other) => UserOutcome::Failed(other.to_owned()),
            None => return Err(Error::missing("ErrorCode")),
        };
        Ok(user)
    }

    fn write(&self, writer: &mut Writer) {
        let (code, target) = match &self.outcome {
            UserOutcome::Found => ("NoError", None),
            UserOutcome::RedirectAddress(target) => ("RedirectAddress", Some(target)),
            UserOutcome::RedirectUrl(target) => ("RedirectUrl", Some(target)),
            UserOutcome::Failed(code) => (code.as_str(), None),
        };
        writer.element("UserResponse", |w| {
            w.leaf("ErrorCode", code);
            w.leaf("ErrorMessage", &self.error_message);
            w.element("RedirectTarget", |w| match target {
                Some(target) => w.text(target),
                None => w.attribute("i:nil", "true"),
            });
            w.element("UserSettingErrors", |w| self.setting_errors.iter().for_each(|error| error.write(w)));
            w.element("UserSettings", |w| {
                for (name, value) in &self.settings {
                    w.element("UserSetting", |w| {
                        w.attribute("i:type", "StringSetting");
                        w.leaf("Name", name);
                        w.leaf("Value", value);
                    });
                }
            });
        });
    }
}

/// Name and value of a setting; `None` for those that are no text.
fn read_setting(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<(String, String)>, Error> {
    let (mut name, mut value) = (None, None);
    reader.children(element, |reader, child| {
        match child.name() {
            (AUTODISCOVER_NS, "Name") => name = Some(reader.text(child)?.trim().to_owned()),
            (AUTODISCOVER_NS, "Value") => value = Some(reader.text(child)?),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(name.zip(value))
}

impl SettingError {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        if !element.is(AUTODISCOVER_NS, "UserSettingError") {
            return Ok(None);
        }
        let mut error = Self::default();
        reader.children(element, |reader, child| {
            match child.name() {
                (AUTODISCOVER_NS, "ErrorCode") => error.error_code = reader.text(child)?.trim().to_owned(),
                (AUTODISCOVER_NS, "ErrorMessage") => error.error_message = reader.text(child)?,
                (AUTODISCOVER_NS, "SettingName") => {
                    error.setting_name = reader.text(child)?.trim().to_owned();
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Some(error))
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("UserSettingError", |w| {
            w.leaf("ErrorCode", &self.error_code);
            w.leaf("ErrorMessage", &self.error_message);
            w.leaf("SettingName", &self.setting_name);
        });
    }
}
