//! What does not stand among the settings of a file: its connection strings, its log, the service that it calls. Pure.

use toml::Value;

use super::super::File;
use super::super::convert;
use super::super::rest::shown;
use super::super::source::{Certificate, Connection, Endpoint, Logging};
use super::{Carrying, DATABASE, is_the_database, planner_endpoint};
use crate::config::original;

impl Carrying {
    /// What does not stand among the settings.
    pub(super) fn elsewhere(&mut self, file: &File, whose: &str) {
        let source = &file.source;
        for connection in &source.connections {
            self.connection(whose, connection);
        }
        self.logging(whose, &source.logging);
        let planner = planner_endpoint(source);
        if let Some(endpoint) = planner {
            self.endpoint(whose, endpoint);
        }
        for other in &source.endpoints {
            if !planner.is_some_and(|planner| std::ptr::eq(planner, other)) {
                let name = format!("serviceModel/client/endpoint = {}", shown("address", &other.address));
                self.leave(whose, None, &name, OTHER_ENDPOINT);
            }
        }
        for certificate in &source.certificates {
            let name = format!("serviceModel/{} {}", certificate.what, certificate.find_value);
            match certificate.what {
                "clientCertificate" => self.client_certificate(whose, &name, certificate),
                _ => self.leave(whose, Some("planner.root_certificates"), &name, ROOTS),
            }
        }
        for one in &source.unread {
            self.leave(whose, None, &one.name, &one.reason);
        }
        for part in &source.elsewhere {
            self.warnings.insert(format!("{whose}: {part}"));
        }
    }

    /// No connection string is shown: it may hold a password.
    fn connection(&mut self, whose: &str, connection: &Connection) {
        let place = place_of(connection);
        if is_the_database(connection) {
            let name = format!("connectionStrings/{DATABASE}");
            self.leave(whose, Some("database.url"), &name, &format!("{}{}", place, original::DATABASE));
            self.databases.insert(whose.to_owned(), place.trim_end_matches(": ").to_owned());
        } else {
            let name = format!("connectionStrings/{}", shown("name", &connection.name));
            self.leave(whose, None, &name, &format!("{place}{OTHER_DATABASE}"));
        }
    }

    fn logging(&mut self, whose: &str, logging: &Logging) {
        if let Some(level) = &logging.level {
            let level_of = |text: &str| convert::log_level(text).map(Value::from);
            self.take_over(whose, "telemetry.log_filter", "log4net/root", level, level_of);
        }
        for path in &logging.files {
            let name = format!("log4net/appender[RollingFileAppender]/file = {}", shown("file", path));
            self.leave(whose, Some("telemetry.log_file"), &name, original::LOG_FILE);
        }
        for size in &logging.sizes {
            let name = "log4net/appender[RollingFileAppender]/maximumFileSize";
            self.take_over(whose, "telemetry.log_file_size_bytes", name, size, convert::file_size);
        }
        for kept in &logging.kept {
            let name = "log4net/appender[RollingFileAppender]/maxSizeRollBackups";
            self.take_over(whose, "telemetry.log_files_kept", name, kept, convert::files_kept);
        }
        for connection in &logging.databases {
            let reason = format!("{}{}", place_of(connection), original::LOG_DATABASE);
            self.leave(whose, None, "log4net/appender[AdoNetAppender]/connectionString", &reason);
        }
    }

    /// The certificate itself lies in Windows; only the serial number in its subject can be taken over, where it is found by
    /// that. What Windows calls its serial number is another one, which would match no certificate here.
    fn client_certificate(&mut self, whose: &str, name: &str, certificate: &Certificate) {
        let file = Some("planner.client_certificate");
        if let Some(number) = subject_number(&certificate.find_value) {
            let key = "planner.client_certificate_serial_number";
            self.give(whose, key, "serviceModel/clientCertificate", Value::from(number));
            return self.leave(whose, file, name, original::CERTIFICATE);
        }
        let which = match certificate.find_type.as_str() {
            "FindBySerialNumber" => "the value is its own serial number in hexadecimal".to_owned(),
            "FindByThumbprint" => "the value is its thumbprint".to_owned(),
            other => format!("it is found by {other}"),
        };
        let reason = format!("{}; {which}: {SUBJECT_NUMBER}", original::CERTIFICATE);
        self.leave(whose, file, name, &reason);
    }

    fn endpoint(&mut self, whose: &str, endpoint: &Endpoint) {
        let name = "serviceModel/client/endpoint";
        if !endpoint.address.is_empty() {
            self.give(whose, "planner.service_url", name, Value::from(endpoint.address.as_str()));
        }
        if let Some(timeout) = &endpoint.send_timeout {
            let span_of = |text: &str| match convert::span(text) {
                Some(span) => Ok(Value::from(span.to_string())),
                None => Err("it is no span like 00:01:00".to_owned()),
            };
            let name = "serviceModel/bindings/sendTimeout";
            self.take_over(whose, "planner.call_timeout", name, timeout, span_of);
        }
        if let Some(limit) = &endpoint.answer_limit {
            let bytes_of = |text: &str| match text.parse::<i64>() {
                Ok(bytes) => Ok(Value::from(bytes)),
                Err(_) => Err("it is no whole number".to_owned()),
            };
            let name = "serviceModel/bindings/maxReceivedMessageSize";
            self.take_over(whose, "planner.answer_limit_bytes", name, limit, bytes_of);
        }
        if let Some(mode) = &endpoint.security {
            self.security(whose, mode);
        }
    }

    /// How calls to Planner are secured. What signs messages has a name of its own here, and needs files that lie in Windows.
    fn security(&mut self, whose: &str, mode: &str) {
        let (key, name) = ("planner.security", "serviceModel/bindings/security mode");
        let is_one_of = |modes: &[&str]| modes.iter().any(|one| one.eq_ignore_ascii_case(mode));
        if is_one_of(&["Transport"]) {
            return self.give(whose, key, name, Value::from("mtls"));
        }
        let name = format!("{name} = {}", shown("mode", mode));
        if is_one_of(&["Message", "TransportWithMessageCredential"]) {
            self.leave(whose, Some(key), &name, SIGNED);
            self.warnings.insert(format!("{whose}: {name}: {SIGNED}"));
        } else {
            self.leave(whose, Some(key), &name, UNSIGNED);
        }
    }
}

/// Why the mode of signed messages is not taken over.
const SIGNED: &str = "the original secured each message: compare it with planner.security = \"mtls+wss\", which signs requests and wants \
     signed answers over TLS, and needs planner.client_certificate and planner.answer_certificates; ask Planner's support";
/// The same of the others.
const UNSIGNED: &str = "calls to Planner are secured by TLS with the certificates of both sides at least; that is planner.security = \"mtls\"";
/// Why another connection string is not taken over.
const OTHER_DATABASE: &str = "the original's own data is elsewhere; nothing here reads this one. All of Kommuneklient's data is in database.url";
/// Why another endpoint is not taken over.
const OTHER_ENDPOINT: &str = "it is not (the first) one of Planner; nothing here calls it";
/// Why the certificate of Planner is not taken over.
const ROOTS: &str = "Planner's certificate is checked against the system's authorities and those of planner.root_certificates; name a \
     PEM file there if its root is none of the system's";

/// What to do where the certificate of the client is not found by the serial number in its subject.
const SUBJECT_NUMBER: &str = "on the old server `certutil -store My VALUE` shows it. planner.client_certificate_serial_number is another number, \
     the one in its subject (CVR:…), and is needed only where the file holds several certificates";

/// The serial number in a subject, where a certificate is found by that: alone, or as part of the whole subject.
fn subject_number(find_value: &str) -> Option<&str> {
    let of_subject = find_value.split([',', '+']).find_map(|part| {
        let (name, number) = part.split_once('=')?;
        let known = ["SERIALNUMBER", "OID.2.5.4.5", "2.5.4.5"];
        let is_number = known.iter().any(|known| known.eq_ignore_ascii_case(name.trim()));
        is_number.then(|| number.trim().trim_matches('"'))
    });
    // a subject is found by any part of it, too: only the whole number is one
    let is_whole = |number: &&str| {
        let kinds = ["-FID:", "-UUID:", "-UID:", "-RID:"];
        number.starts_with("UI:DK-O:")
            || (number.starts_with("CVR:") && kinds.iter().any(|kind| number.contains(kind)))
    };
    of_subject.filter(|number| !number.is_empty()).or_else(|| Some(find_value.trim()).filter(is_whole))
}

fn place_of(connection: &Connection) -> String {
    match (&connection.server, &connection.database) {
        (Some(server), Some(database)) => format!("database {database} on {server}: "),
        (Some(server), None) => format!("a database on {server}: "),
        _ => String::new(),
    }
}
