//! What a file says and nothing here takes: so that no value of it is lost without being told. Pure.
//!
//! The sections that hold settings are gone through value by value. What [`super::source`] reads is left out, since
//! [`super::carry`] tells what becomes of it; the settings themselves are told by their names there. The rest is told
//! an element at a time, with the reason. Values that may be secret are not shown.

use std::borrow::Cow;

use proto_soap::Node;

use super::source::{binding_of, endpoint_nodes, is_planner, property, transport_of};

/// Most elements of a file that are told one by one.
const TOLD_MAX: usize = 200;
/// About as many values of an element are told.
const VALUES_MAX: usize = 100;
/// What stands for those beyond.
const MORE: &str = "and more";
/// Most letters of a value that are shown.
const SHOWN_MAX: usize = 200;
/// What hides a value: a word in the names that lead to it.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accountkey",
    "accesskey",
    "privatekey",
    "connectionstring",
];
/// The same in the value itself.
const SECRET_VALUES: &[&str] =
    &["password", "passwd", "passphrase", "pass=", "pwd", "secret", "apikey", "accountkey", "accesskey"];

/// An element with values that nothing takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Where it stands, with its values.
    pub(crate) name: String,
    /// Why nothing takes them.
    pub(crate) reason: Cow<'static, str>,
}

/// Everything of the file that nothing takes.
pub(super) fn unread(root: &Node) -> Vec<Unread> {
    let mut told = Vec::new();
    for section in &root.children {
        match section.local.as_str() {
            // what they hold are settings, which are told by their names
            "applicationSettings" | "userSettings" | "appSettings" | "configSections" => {}
            name @ ("connectionStrings" | "log4net") => units(section, name, None, &mut told),
            "system.serviceModel" => {
                let planner = endpoint_nodes(section).into_iter().find(|node| is_planner_node(node));
                let binding = planner.and_then(|node| binding_of(section, node));
                units(section, "serviceModel", binding, &mut told);
            }
            "system.net" => network(section, &mut told),
            other => told.push(Unread { name: clipped(other), reason: OTHER_SECTION.into() }),
        }
    }
    let more = told.len().saturating_sub(TOLD_MAX);
    told.truncate(TOLD_MAX);
    if more > 0 {
        told.push(Unread { name: format!("{more} more elements"), reason: TOO_MANY.into() });
    }
    told
}

const OTHER_SECTION: &str = "this section is for .NET or a library of the original; nothing here takes it";
/// What became of a proxy: the clients of both connectors take that of their process's environment, but for NTLM.
const PROXY: &str = "no key is for a proxy: calls to Planner and to Exchange go through the one that the environment \
     of the service names, HTTPS_PROXY=http://host:port (NO_PROXY=host,host for what is reached directly; systemd: Environment= \
     in the unit). With exchange.authentication = \"ntlm\" Exchange is always called directly";
/// What is said of one that was not used.
const PROXY_OFF: &str = "it is off there, so the original called without one; so does Kommuneklient, unless the environment of its service \
     names one (HTTPS_PROXY)";
/// What is said of one of which the file does not say where it is.
const PROXY_OF_WINDOWS: &str = "the proxy settings of Windows counted there (Internet Options of the user that the service ran as), and the \
     file does not name them: look there whether there is a proxy, and which";
/// What is said of one that was logged on to.
const PROXY_LOGON: &str = "useDefaultCredentials: nobody logs on to a proxy with a Windows account here, so it must let this machine through \
     without";
const TOO_MANY: &str = "they are too many to be told one by one; look into the file";
const CONNECTION: &str = "how .NET reaches a database; Kommuneklient has the one of database.url";
const EVENT_LOG: &str = "there is no Windows event log here: coded events stand in the log (field event_id), in the table \
     application_log and in the metrics; telemetry.log_filter is the threshold of the log";
const FILE_APPENDER: &str =
    "the log is rolled by its size alone, and telemetry.log_format is the form of its lines";
const DATABASE_APPENDER: &str = "coded events are kept in the table application_log, each at once";
const APPENDER: &str = "the log goes to standard error or to the file of telemetry.log_file, at the levels of telemetry.log_filter";
const LOGGER: &str = "the parts of the program have other names here: telemetry.log_filter can give a part a level of its own, \
     like info,store=debug";
const BINDING: &str = "planner.call_timeout bounds a whole call, with opening, sending and receiving; planner.security and \
     the certificates of [planner] secure it";
const PROXIED_BINDING: &str = "planner.call_timeout bounds a whole call, with opening, sending and receiving; planner.security and \
     the certificates of [planner] secure it; no key is for a proxy: calls to Planner go through the one that the environment of the \
     service names, HTTPS_PROXY=http://host:port (NO_PROXY=host,host for what is reached directly; systemd: Environment= in \
     the unit)";
const BEHAVIOR: &str = "a certificate is not looked up in a store here: planner.client_certificate and \
     planner.root_certificates name files";
const ENDPOINT: &str = "these are names within the file and of .NET; what they lead to is told by itself";
const ANY: &str = "nothing here takes it";

/// What a binding says of the proxy that its calls go through.
const PROXY_ATTRIBUTES: [&str; 3] = ["useDefaultWebProxy", "proxyAddress", "bypassProxyOnLocal"];

/// How .NET reaches other machines: the proxy with its values, since there is something in its place; the rest by the
/// name of the section.
fn network(section: &Node, told: &mut Vec<Unread>) {
    let is_proxy = |node: &&Node| node.local == "defaultProxy";
    for proxy in section.children.iter().filter(is_proxy) {
        let mut values = Vec::new();
        let is_encrypted = proxy.children.iter().any(|child| child.local == "EncryptedData");
        // one that is encrypted is told without what stands in it
        if !is_encrypted {
            Unit { node: proxy, is_planners: false }.collect(proxy, "", &mut values);
        }
        let name = match values[..] {
            [] => "system.net".to_owned(),
            _ => format!("system.net/defaultProxy {}", values.join(", ")),
        };
        let reason = if is_encrypted { format!("{ANY}; {PROXY}") } else { of_proxy(proxy) };
        told.push(Unread { name, reason: reason.into() });
    }
    if section.children.is_empty() || section.children.iter().any(|node| !is_proxy(&node)) {
        told.push(Unread { name: clipped(&section.local), reason: OTHER_SECTION.into() });
    }
}

/// Why a `defaultProxy` is not taken over, and what to do instead. What is not said has .NET's own values: it is on, and without
/// an address the settings of Windows count.
fn of_proxy(node: &Node) -> String {
    let is = |node: &Node, name: &str, wanted: &str| {
        node.attribute(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let settings = node.children.iter().find(|child| child.local == "proxy");
    let names_it = node.children.iter().any(|child| child.local == "module")
        || settings.is_some_and(|proxy| {
            ["proxyaddress", "scriptLocation"].iter().any(|name| proxy.attribute(name).is_some())
        });
    let is_without = !names_it && settings.is_some_and(|proxy| is(proxy, "usesystemdefault", "false"));
    if is(node, "enabled", "false") || is_without {
        return PROXY_OFF.to_owned();
    }
    let mut parts = vec![ANY];
    parts.extend((!names_it).then_some(PROXY_OF_WINDOWS));
    parts.push(PROXY);
    parts.extend(is(node, "useDefaultCredentials", "true").then_some(PROXY_LOGON));
    parts.join("; ")
}

/// Is it the endpoint that [`super::carry::planner_endpoint`] finds?
fn is_planner_node(node: &Node) -> bool {
    let contract = node.attribute("contract").unwrap_or_default();
    node.attribute("address").is_some_and(|address| is_planner(contract, address))
}

/// The elements of a section that say something by themselves; `binding` is that of Planner's endpoint.
fn units(node: &Node, path: &str, binding: Option<&Node>, told: &mut Vec<Unread>) {
    // parts that stand in other files and encrypted ones are told as such
    let elsewhere = ["configSource", "configProtectionProvider", "file"];
    let own = node.attributes.iter().filter(|attribute| !elsewhere.contains(&attribute.local.as_str()));
    let own: Vec<String> = own
        .map(|attribute| format!("{} = {}", attribute.local, shown(&attribute.local, &attribute.value)))
        .collect();
    if !own.is_empty() {
        told.push(Unread { name: format!("{path} {}", own.join(", ")), reason: ANY.into() });
    }
    for child in node.children.iter().filter(|child| child.local != "EncryptedData") {
        let path = format!("{path}/{}", label(child));
        let is_folder = child.attributes.is_empty() && child.text.trim().is_empty() && child.local != "root";
        if is_folder {
            units(child, &path, binding, told);
            continue;
        }
        let unit = Unit { node: child, is_planners: binding.is_some_and(|one| std::ptr::eq(one, child)) };
        let mut values = Vec::new();
        unit.collect(child, "", &mut values);
        if !values.is_empty() {
            told.push(Unread { name: format!("{path} {}", values.join(", ")), reason: unit.reason().into() });
        }
    }
}

/// An element that is told as a whole.
struct Unit<'a> {
    node: &'a Node,
    /// Is it the binding of Planner's endpoint?
    is_planners: bool,
}

impl Unit<'_> {
    fn collect(&self, node: &Node, path: &str, values: &mut Vec<String>) {
        if values.len() >= VALUES_MAX {
            let is_said = values.last().is_some_and(|last| last == MORE);
            values.extend((!is_said).then(|| MORE.to_owned()));
            return;
        }
        for attribute in &node.attributes {
            let name = attribute.local.as_str();
            if name == "name" || self.is_taken(node, name, &attribute.value) {
                continue;
            }
            let whole = match (path, name) {
                ("", name) => name.to_owned(),
                (path, "value" | "ref") => path.to_owned(),
                (path, name) => format!("{path}/{name}"),
            };
            values.push(self.told(&whole, &attribute.value));
        }
        if !node.text.trim().is_empty() {
            let whole = if path.is_empty() { "text" } else { path };
            values.push(self.told(whole, &node.text));
        }
        // nothing but a name: that is what it says
        if node.attributes.len() == 1 && node.children.is_empty() && node.attribute("name").is_some() {
            values.push(if path.is_empty() { "without a value".to_owned() } else { path.to_owned() });
        }
        for child in &node.children {
            let below = if path.is_empty() { label(child) } else { format!("{path}/{}", label(child)) };
            self.collect(child, &below, values);
        }
    }

    fn told(&self, names: &str, value: &str) -> String {
        format!("{names} = {}", shown(&format!("{}/{names}", label(self.node)), value))
    }

    /// Does [`super::source`] read it?
    fn is_taken(&self, node: &Node, attribute: &str, value: &str) -> bool {
        let is_unit = std::ptr::eq(node, self.node);
        let is_child = self.node.children.iter().any(|child| std::ptr::eq(child, node));
        let is_there = !value.trim().is_empty();
        match self.node.local.as_str() {
            "add" => is_unit && attribute == "connectionString" && node.attribute("name").is_some(),
            "endpoint" => is_unit && attribute == "address",
            "root" => is_child && node.local.eq_ignore_ascii_case("level") && attribute == "value",
            "appender" if is_child && attribute == "value" => {
                let kind = self.node.attribute("type").unwrap_or_default();
                let property = property(node).to_lowercase();
                match property.as_str() {
                    "file" | "maximumfilesize" | "maxfilesize" | "maxsizerollbackups" => {
                        kind.contains("FileAppender")
                    }
                    "connectionstring" => kind.contains("AdoNetAppender"),
                    _ => false,
                }
            }
            "binding" if self.is_planners => {
                let security = is_child && node.local == "security" && attribute == "mode";
                // what the binding says itself goes before what its transport says
                let limit = attribute == "maxReceivedMessageSize"
                    && self.node.attribute(attribute).is_none()
                    && transport_of(self.node).is_some_and(|transport| std::ptr::eq(transport, node));
                security
                    || limit
                    || (is_unit && ["sendTimeout", "maxReceivedMessageSize"].contains(&attribute))
            }
            _ => {
                let certificates = ["clientCertificate", "defaultCertificate", "scopedCertificate"];
                attribute == "findValue" && is_there && certificates.contains(&node.local.as_str())
            }
        }
    }

    /// Says a binding something of a proxy, itself or in its transport?
    fn names_a_proxy(&self) -> bool {
        let mut parts = std::iter::once(self.node).chain(transport_of(self.node));
        parts.any(|part| PROXY_ATTRIBUTES.iter().any(|name| part.attribute(name).is_some()))
    }

    fn reason(&self) -> &'static str {
        let kind = self.node.attribute("type").unwrap_or_default();
        match self.node.local.as_str() {
            "add" => CONNECTION,
            "appender" if kind.contains("EventLogAppender") => EVENT_LOG,
            "appender" if kind.contains("FileAppender") => FILE_APPENDER,
            "appender" if kind.contains("AdoNetAppender") => DATABASE_APPENDER,
            "appender" | "root" => APPENDER,
            "logger" => LOGGER,
            "binding" if self.names_a_proxy() => PROXIED_BINDING,
            "binding" => BINDING,
            "behavior" | "clientCertificate" | "defaultCertificate" | "scopedCertificate" => BEHAVIOR,
            "endpoint" => ENDPOINT,
            _ => ANY,
        }
    }
}

/// An element with its name, where it has one.
fn label(node: &Node) -> String {
    match node.attribute("name") {
        Some(name) => format!("{}[{}]", clipped(&node.local), clipped(name)),
        None => clipped(&node.local),
    }
}

/// A value as people may see it; `names` lead to it.
pub(super) fn shown(names: &str, value: &str) -> String {
    let holds = |text: &str, words: &[&str]| {
        let text = text.to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    // an address with a user and a password in it
    let has_user = value.contains('@') && value.contains(':');
    if has_user || holds(names, SECRET_NAMES) || holds(value, SECRET_VALUES) {
        "(hidden)".to_owned()
    } else {
        clipped(value)
    }
}

fn clipped(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(harmless).take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_like_a_secret_is_hidden_and_what_only_sounds_alike_is_not() {
        for (names, value) in [
            ("appender/passphrase", "marked"),
            ("appender/apiKey", "marked"),
            ("add/value", "Endpoint=sb://x;SharedAccessKey=marked"),
            ("add/value", "server=x;PWD=marked"),
        ] {
            assert_eq!(shown(names, value), "(hidden)", "{names} {value}");
        }
        for (names, value) in [
            ("ExchangeUseDefaultCredentials/value", "False"),
            ("behavior/clientCredentials/clientCertificate/findValue", "0a1b"),
        ] {
            assert_eq!(shown(names, value), value);
        }
    }
}
