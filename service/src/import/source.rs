//! Reading one `.exe.config` of the original: XML of .NET into the facts that the import knows.
//!
//! The file comes from a person, by mail or from a backup: it is read within limits, a document type (and with it
//! every entity of its own) is refused, and nothing that it names is opened. UTF-8 with or without a byte order mark,
//! UTF-16 with one, and the encodings that its declaration may name are understood.
//!
//! Nothing here decides what a setting means; secrets are wrapped as soon as they are seen.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use proto_soap::{Limits, Node, Reader};
use secrecy::SecretString;

use super::ImportError;
use super::rest::{self, Unread};

/// The largest file that is read, in bytes. The original's are some ten thousand.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What a file may hold.
const LIMITS: Limits =
    Limits { bytes: FILE_BYTES_MAX as usize * 2, depth: 64, text: 1 << 16, attributes: 64, elements: 20_000 };

/// One setting as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: String,
    /// Its value, blanks around it taken off.
    pub(crate) value: SecretString,
}

/// The endpoint of a service that the original calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Its address.
    pub(crate) address: String,
    /// The contract that it fulfils.
    pub(crate) contract: String,
    /// `sendTimeout` of its binding.
    pub(crate) send_timeout: Option<String>,
    /// `maxReceivedMessageSize` of its binding, or of the transport within a `customBinding`.
    pub(crate) answer_limit: Option<String>,
    /// `mode` of the `security` of its binding.
    pub(crate) security: Option<String>,
}

/// A certificate that the file names: which, and by what it is found in its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// `clientCertificate` or `serviceCertificate`.
    pub(crate) what: &'static str,
    /// What it is found by, such as a serial number.
    pub(crate) find_value: String,
    /// What of it that is (`x509FindType`), such as `FindBySerialNumber`.
    pub(crate) find_type: String,
}

/// What .NET takes where a file does not say by what a certificate is found.
const FIND_TYPE: &str = "FindBySubjectDistinguishedName";
/// The longest name of a way to find it that is kept, in characters.
const FIND_TYPE_MAX: usize = 60;

/// A connection string, without what is secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Its name in the file.
    pub(crate) name: String,
    /// The server.
    pub(crate) server: Option<String>,
    /// The database.
    pub(crate) database: Option<String>,
}

/// What log4net is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Logging {
    /// The level of the root.
    pub(crate) level: Option<String>,
    /// The files that are written.
    pub(crate) files: Vec<String>,
    /// The sizes at which they are rolled, as log4net writes them (`20MB`).
    pub(crate) sizes: Vec<String>,
    /// How many of before are kept.
    pub(crate) kept: Vec<String>,
    /// The databases that are written.
    pub(crate) databases: Vec<Connection>,
}

/// The facts of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// The settings, in their order.
    pub(crate) settings: Vec<Setting>,
    /// The connection strings.
    pub(crate) connections: Vec<Connection>,
    /// What log4net is told.
    pub(crate) logging: Logging,
    /// The services that are called.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The certificates that are named.
    pub(crate) certificates: Vec<Certificate>,
    /// Parts that stand in other files, or are encrypted, and what to do.
    pub(crate) elsewhere: Vec<String>,
    /// Values that nothing here takes.
    pub(crate) unread: Vec<Unread>,
}

/// Reads a file.
pub(crate) fn read(file: &Path) -> Result<Source, ImportError> {
    let unread = |source| ImportError::Read { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(file).map_err(unread)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ImportError::TooLarge { file: file.to_owned(), mebibytes: FILE_BYTES_MAX >> 20 });
    }
    parse(file, &bytes)
}

/// The same with bytes that are given; `file` only names them in errors.
pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Source, ImportError> {
    let text = decoded(bytes).ok_or_else(|| ImportError::NotXml {
        file: file.to_owned(),
        line: 1,
        reason: "it is no text".into(),
    })?;
    let body = without_declaration(&text);
    let offset = text.len() - body.len();
    let refuse = |error: &proto_soap::Error| refused(file, &text, offset, error);
    let mut reader = Reader::new(body.as_bytes(), LIMITS).map_err(|error| refuse(&error))?;
    let root = reader.root().map_err(|error| refuse(&error))?;
    let root = reader.node(&root).map_err(|error| refuse(&error))?;
    reader.finish().map_err(|error| refuse(&error))?;
    if root.local != "configuration" {
        let found = root.local.chars().take(40).collect();
        return Err(ImportError::NoConfiguration { file: file.to_owned(), found });
    }
    Ok(source(&root))
}

/// The text: by its byte order mark, else as UTF-8, else by the encoding that it declares.
fn decoded(bytes: &[u8]) -> Option<String> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding
            .decode_without_bom_handling_and_without_replacement(&bytes[mark..])
            .map(std::borrow::Cow::into_owned);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let declared = head.strip_prefix("<?xml")?.split("?>").next()?.split("encoding").nth(1)?;
    let label = declared.trim_start_matches([' ', '=']).trim_start_matches(['"', '\'']);
    let label = label.split(['"', '\'']).next()?;
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
}

/// The declaration tells the encoding of the file, which the text no longer has.
fn without_declaration(text: &str) -> &str {
    let body = text.trim_start_matches('\u{feff}');
    match body.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest,
        None => body,
    }
}

/// An error of the reader with its line, and without anything of the file.
fn refused(file: &Path, text: &str, offset: usize, error: &proto_soap::Error) -> ImportError {
    use proto_soap::Error as E;
    let (at, reason) = match error {
        E::Doctype { at } => (
            *at,
            "a document type is refused: no file of the original has one, and attacks need it".to_owned(),
        ),
        E::Entity { at } => (*at, "an entity that XML does not know is refused".to_owned()),
        E::Limit { what, limit, at } => (*at, format!("it has more than {limit} {what}")),
        E::Malformed { what, at } => (*at, (*what).to_owned()),
        other => (0, other.to_string()),
    };
    let byte = (offset + usize::try_from(at).unwrap_or_default()).min(text.len());
    let before = text.as_bytes().get(..byte).unwrap_or_default();
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    ImportError::NotXml { file: file.to_owned(), line, reason }
}

fn source(root: &Node) -> Source {
    let mut source = Source { unread: rest::unread(root), ..Source::default() };
    for section in &root.children {
        note_elsewhere(section, &mut source);
        match section.local.as_str() {
            "applicationSettings" | "userSettings" => {
                for group in &section.children {
                    note_elsewhere(group, &mut source);
                    source.settings.extend(group.children.iter().filter_map(setting));
                }
            }
            "appSettings" => source.settings.extend(section.children.iter().filter_map(added)),
            "connectionStrings" => source.connections.extend(section.children.iter().filter_map(connection)),
            "log4net" => source.logging = logging(section),
            "system.serviceModel" => {
                source.endpoints = endpoints(section);
                find_certificates(section, &mut source.certificates);
            }
            _ => {}
        }
    }
    source
}

/// `configSource` and encrypted sections hold what this file does not.
fn note_elsewhere(section: &Node, source: &mut Source) {
    if let Some(file) = section.attribute("configSource").or_else(|| section.attribute("file")) {
        let name: String = file.chars().take(200).collect();
        source.elsewhere.push(format!(
            "the section {} stands in the file {name}; copy it into this file and import again",
            section.local
        ));
    }
    if section.attribute("configProtectionProvider").is_some()
        || section.children.iter().any(|c| c.local == "EncryptedData")
    {
        source.elsewhere.push(format!(
            "the section {} is encrypted; decrypt a copy on the old server (aspnet_regiis -pdf {0} FOLDER) and import that",
            section.local
        ));
    }
}

/// `<setting name="…"><value>…</value></setting>`; a list has `<string>` elements in its value.
fn setting(node: &Node) -> Option<Setting> {
    let name = node.attribute("name").filter(|_| node.local == "setting")?.trim().to_owned();
    let value = node.children.iter().find(|child| child.local == "value");
    let strings = |value: &Node| -> Vec<String> {
        let strings = value.children.iter().flat_map(|list| std::iter::once(list).chain(&list.children));
        strings.filter(|one| one.local == "string").map(|one| one.text.trim().to_owned()).collect()
    };
    let text = value.map_or_else(String::new, |value| match strings(value) {
        list if list.is_empty() => value.text.trim().to_owned(),
        list => list.join(";"),
    });
    Some(Setting { name, value: text.into() })
}

/// `<add key="…" value="…"/>`
fn added(node: &Node) -> Option<Setting> {
    let name = node.attribute("key").filter(|_| node.local == "add")?.trim().to_owned();
    Some(Setting { name, value: node.attribute("value").unwrap_or_default().trim().to_owned().into() })
}

fn connection(node: &Node) -> Option<Connection> {
    let name = node.attribute("name").filter(|_| node.local == "add")?;
    Some(connection_of(name, node.attribute("connectionString").unwrap_or_default()))
}

/// The server and the database of a connection string, also of one within another.
fn connection_of(name: &str, text: &str) -> Connection {
    let field = |names: &[&str]| {
        let parts = text.split([';', '"', '\'']).filter_map(|part| part.split_once('='));
        let mut found = parts.filter(|(key, _)| {
            let key = key.rsplit('=').next().unwrap_or(key).trim().to_lowercase();
            names.contains(&key.as_str())
        });
        found.next().map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    Connection {
        name: name.to_owned(),
        server: field(&["data source", "server", "address", "addr", "network address"]),
        database: field(&["initial catalog", "database"]),
    }
}

/// What an element of log4net sets: `<file value="…"/>`, or `<param name="File" value="…"/>` as it was once written.
pub(super) fn property(node: &Node) -> &str {
    match node.local.as_str() {
        "param" => node.attribute("name").unwrap_or_default(),
        name => name,
    }
}

fn logging(section: &Node) -> Logging {
    let mut logging = Logging::default();
    let value = |node: &Node, name: &str| {
        let child = node.children.iter().find(|child| property(child).eq_ignore_ascii_case(name))?;
        child.attribute("value").map(str::trim).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
    };
    if let Some(root) = section.children.iter().find(|child| child.local == "root") {
        logging.level = value(root, "level");
    }
    for appender in section.children.iter().filter(|child| child.local == "appender") {
        let kind = appender.attribute("type").unwrap_or_default();
        if kind.contains("FileAppender") {
            logging.files.extend(value(appender, "file"));
            logging.sizes.extend(
                ["maximumFileSize", "maxFileSize"].into_iter().filter_map(|name| value(appender, name)),
            );
            logging.kept.extend(value(appender, "maxSizeRollBackups"));
        }
        if kind.contains("AdoNetAppender")
            && let Some(text) = value(appender, "connectionString")
        {
            logging.databases.push(connection_of("log4net/AdoNetAppender", &text));
        }
    }
    logging
}

/// Is this the endpoint of Planner?
pub(super) fn is_planner(contract: &str, address: &str) -> bool {
    [contract, address].iter().any(|text| text.contains("PlannerExternalCalendar"))
}

/// The elements of the services that are called.
pub(super) fn endpoint_nodes(section: &Node) -> Vec<&Node> {
    let clients = section.children.iter().filter(|child| child.local == "client");
    clients.flat_map(|client| &client.children).filter(|child| child.local == "endpoint").collect()
}

/// The binding that an endpoint names.
pub(super) fn binding_of<'a>(section: &'a Node, endpoint: &Node) -> Option<&'a Node> {
    let (kind, name) = (endpoint.attribute("binding"), endpoint.attribute("bindingConfiguration"));
    let parts = section.children.iter().filter(|child| child.local == "bindings");
    parts
        .flat_map(|bindings| &bindings.children)
        .filter(|node| kind.is_none_or(|kind| kind == node.local))
        .flat_map(|node| &node.children)
        .find(|binding| binding.attribute("name").unwrap_or_default() == name.unwrap_or_default())
}

/// The transport that stands as an element of its own within a `customBinding`.
pub(super) fn transport_of(binding: &Node) -> Option<&Node> {
    binding.children.iter().find(|child| ["httpsTransport", "httpTransport"].contains(&child.local.as_str()))
}

fn endpoints(section: &Node) -> Vec<Endpoint> {
    let endpoint = |node: &Node| {
        let binding = binding_of(section, node);
        let of_binding = |key: &str| Some(binding?.attribute(key)?.trim().to_owned());
        let security = binding.and_then(|one| one.children.iter().find(|child| child.local == "security"));
        Some(Endpoint {
            address: node.attribute("address")?.trim().to_owned(),
            contract: node.attribute("contract").unwrap_or_default().to_owned(),
            send_timeout: of_binding("sendTimeout"),
            answer_limit: of_binding("maxReceivedMessageSize").or_else(|| {
                Some(transport_of(binding?)?.attribute("maxReceivedMessageSize")?.trim().to_owned())
            }),
            security: security.and_then(|one| Some(one.attribute("mode")?.trim().to_owned())),
        })
    };
    endpoint_nodes(section).into_iter().filter_map(endpoint).collect()
}

fn find_certificates(node: &Node, found: &mut Vec<Certificate>) {
    let named = |node: &Node| {
        node.attribute("findValue").map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    for child in &node.children {
        let what = match child.local.as_str() {
            "clientCertificate" => Some("clientCertificate"),
            "defaultCertificate" | "scopedCertificate" => Some("serviceCertificate"),
            _ => None,
        };
        if let (Some(what), Some(find_value)) = (what, named(child)) {
            let find_type = child.attribute("x509FindType").map(str::trim).filter(|name| !name.is_empty());
            let find_type = find_type.unwrap_or(FIND_TYPE).chars().take(FIND_TYPE_MAX).collect();
            found.push(Certificate { what, find_value, find_type });
        }
        find_certificates(child, found);
    }
}
