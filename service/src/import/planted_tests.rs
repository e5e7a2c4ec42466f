//! Goal: no value of a file is lost without being told, and no secret is. Method: each value of the three files is
//! replaced in turn by a word that stands nowhere else, which must come out at the other end.

use std::fs;
use std::ops::Range;

use tempfile::TempDir;

use super::*;
use crate::config::Config;

const SECTIONS: [&str; 4] = ["connectionStrings", "applicationSettings", "log4net", "system.serviceModel"];

/// A value of a file: where it stands, and what leads to it.
struct Place {
    at: Range<usize>,
    /// The tag with its attributes up to the value; of a text, the setting.
    before: String,
}

impl Place {
    /// Is it one that nobody may see?
    fn is_secret(&self) -> bool {
        let words = [
            "connectionString=",
            "<connectionString value=",
            "<setting name=\"ExchangeServiceUserPassword\"",
        ];
        words.iter().any(|word| self.before.contains(word))
    }
}

/// The values of the sections that hold some: those of attributes, and texts.
fn places(text: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for section in SECTIONS {
        let Some(begin) = text.find(&format!("<{section}>")) else { continue };
        let end = text.find(&format!("</{section}>")).unwrap();
        let mut setting = String::new();
        for (open, _) in text[begin..end].match_indices('<').map(|(at, tag)| (begin + at, tag)) {
            let close = open + text[open..].find('>').unwrap();
            let tag = &text[open..close];
            if tag.starts_with("<!--") {
                continue;
            }
            if tag.starts_with("<setting ") {
                setting = tag.to_owned();
            }
            let mut from = open;
            while let Some(quote) = text[from..close].find("=\"").map(|at| from + at + 2) {
                let until = quote + text[quote..].find('"').unwrap();
                let attribute = text[from..quote].rsplit([' ', '<']).next().unwrap();
                // how .NET wrote it, and no value
                if attribute != "serializeAs=\"" {
                    let element = tag.split(' ').next().unwrap();
                    found.push(Place { at: quote..until, before: format!("{element} {attribute}") });
                }
                from = until + 1;
            }
            let words = text[close + 1..].split('<').next().unwrap();
            if !words.trim().is_empty() {
                found.push(Place { at: close + 1..close + 1 + words.len(), before: setting.clone() });
            }
        }
    }
    found
}

#[test]
fn every_value_of_the_three_files_is_taken_over_or_told_and_no_secret_is() {
    let folder = TempDir::new().unwrap();
    let names = ["ELS.exe.config", "EPS.exe.config", "PCS.exe.config"];
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/original");
    let texts = names.map(|name| fs::read_to_string(original.join(name)).unwrap());
    let files = names.map(|name| folder.path().join(name));
    for (file, text) in files.iter().zip(&texts) {
        fs::write(file, text).unwrap();
    }
    let (mut values, mut secrets) = (0, 0);
    for (file, text) in files.iter().zip(&texts) {
        for (number, place) in places(text).into_iter().enumerate() {
            let planted = format!("planted{number:04}");
            let changed = format!("{}{planted}{}", &text[..place.at.start], &text[place.at.end..]);
            fs::write(file, &changed).unwrap();
            let whole = &text[place.at.clone()];
            let context = format!("{} {} (it was {whole:?})", name_of(file), place.before);
            let outcome = import(&files, true).unwrap_or_else(|error| panic!("{context}: {error}"));
            let told = format!("{}\n{}", outcome.toml, outcome.report());
            assert_eq!(told.contains(&planted), !place.is_secret(), "{context}: {told}");
            assert!(!told.contains("marked-"), "{context}: {told}");
            Config::parse(Path::new("imported.toml"), &outcome.toml, [])
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            values += 1;
            secrets += usize::from(place.is_secret());
        }
        fs::write(file, text).unwrap();
    }
    // a look that finds nothing would prove nothing
    assert!(values > 150, "{values}");
    assert_eq!(secrets, 8, "two passwords of Exchange, three of the database, three of the log");
}

fn outcome_of(more: &str) -> Outcome {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("PCS.exe.config");
    let settings = "<applicationSettings><S><setting name=\"JobcenterNumber\"><value>10100</value></setting></S></applicationSettings>";
    fs::write(&path, format!("<configuration>{more}{settings}</configuration>")).unwrap();
    import(&[path], false).unwrap()
}

#[test]
fn the_size_and_number_of_log_files_are_taken_over() {
    let appender = |size: &str, kept: &str| {
        outcome_of(&format!(
            "<log4net><appender name=\"File\" type=\"log4net.Appender.RollingFileAppender\">\
             <param name=\"File\" value=\"C:\\x.log\"/><maximumFileSize value=\"{size}\"/>\
             <maxSizeRollBackups value=\"{kept}\"/></appender></log4net>"
        ))
    };
    let outcome = appender("10MB", "7");
    let config = Config::parse(Path::new("imported.toml"), &outcome.toml, []).unwrap();
    assert_eq!((config.telemetry.log_file_size_bytes, config.telemetry.log_files_kept), (10 << 20, 7));
    assert_eq!(config.telemetry.log_file, None);
    assert_eq!(outcome.toml.matches("##log_file = ").count(), 1, "{}", outcome.toml);
    assert!(outcome.toml.contains("C:\\x.log"), "{}", outcome.toml);
    for (size, kept, words) in [
        ("10MB", "-1", "it keeps all files, which is not possible here"),
        ("1KB", "7", "it must lie from 65536 to 1073741824, not 1024"),
        ("large", "7", "it is no size like 10MB (the file says large)"),
    ] {
        let report = appender(size, kept).report();
        assert!(report.contains(words), "{words} is missing in {report}");
    }
    let without = outcome_of("").toml;
    assert!(!without.contains("log_file"), "{without}");
}

#[test]
fn what_an_installation_has_of_its_own_is_told_with_the_reason() {
    let outcome = outcome_of(
        "<connectionStrings><add name=\"Reports\" connectionString=\"Server=SQL02;Database=R;Pwd=marked-1\"/></connectionStrings>\
         <log4net><appender name=\"Windows\" type=\"log4net.Appender.EventLogAppender\">\
         <applicationName value=\"PCC Planner\"/><threshold value=\"WARN\"/></appender>\
         <appender name=\"Mail\" type=\"log4net.Appender.SmtpAppender\"><password value=\"marked-2\"/><to value=\"drift@x.dk\"/></appender>\
         <logger name=\"Kommune.Planner.Calls\"><level value=\"DEBUG\"/></logger></log4net>\
         <system.serviceModel><bindings><basicHttpBinding><binding name=\"B\" openTimeout=\"00:00:07\">\
         <security mode=\"Message\"/></binding></basicHttpBinding></bindings>\
         <client><endpoint address=\"https://p.dk/PlannerExternalCalendarService.svc\" binding=\"basicHttpBinding\" bindingConfiguration=\"B\" contract=\"c\"/>\
         <endpoint address=\"https://other.dk/x\" contract=\"d\"/></client></system.serviceModel>\
         <system.net><defaultProxy/></system.net>",
    );
    let report = outcome.report();
    for (name, words) in [
        ("connectionStrings/Reports (PCS)", "database R on SQL02: "),
        ("log4net/appender[Windows] type = log4net.Appender.EventLogAppender", "no Windows event log"),
        ("log4net/logger[Kommune.Planner.Calls] level = DEBUG (PCS)", "like info,store=debug"),
        ("log4net/appender[Mail] ", "telemetry.log_file"),
        ("serviceModel/bindings/basicHttpBinding/binding[B] openTimeout = 00:00:07", "planner.call_timeout"),
        ("serviceModel/bindings/security mode = Message (PCS)", "planner.security = \"mtls+wss\""),
        ("serviceModel/client/endpoint = https://other.dk/x (PCS)", "nothing here calls it"),
        ("system.net (PCS)", "nothing here takes it"),
    ] {
        let left = outcome.left.iter().find(|left| left.from.starts_with(name));
        let left = left.unwrap_or_else(|| panic!("{name} is not in {report}"));
        assert!(left.reason.contains(words), "{name}: {}", left.reason);
        assert!(report.contains(&left.from), "{name} is not in {report}");
    }
    for words in
        ["applicationName = PCC Planner", "threshold = WARN", "to = drift@x.dk", "password = (hidden)"]
    {
        assert!(report.contains(words), "{words} is missing in {report}");
    }
    assert!(outcome.warnings.iter().any(|one| one.contains("planner.answer_certificates")), "{report}");
    assert!(!format!("{outcome:?}").contains("marked-"), "{report}");
}

/// Regression: a proxy was "for .NET or a library of the original", and that of a binding "bounded by call_timeout".
#[test]
fn a_proxy_is_told_with_what_is_in_its_place() {
    let outcome = outcome_of(
        "<system.net><defaultProxy useDefaultCredentials=\"true\">\
         <proxy proxyaddress=\"http://proxy.kommune.dk:3128\" bypassonlocal=\"True\"/>\
         <bypasslist><add address=\"mail\\.kommune\\.dk\"/></bypasslist></defaultProxy>\
         <connectionManagement><add address=\"*\" maxconnection=\"25\"/></connectionManagement></system.net>\
         <system.serviceModel><bindings><basicHttpBinding>\
         <binding name=\"B\" proxyAddress=\"http://kim:marked-1@proxy.kommune.dk:3128\" useDefaultWebProxy=\"false\"/>\
         </basicHttpBinding></bindings></system.serviceModel>",
    );
    let report = outcome.report();
    let reason = |name: &str| {
        let found = outcome.left.iter().find(|left| left.from.starts_with(name));
        found.unwrap_or_else(|| panic!("{name} is not in {report}")).reason.as_str()
    };
    let unbroken = outcome.toml.replace("\n#", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["HTTPS_PROXY=http://host:port", "NO_PROXY=", "no key is for a proxy"] {
        assert!(reason("system.net/defaultProxy ").contains(words), "{words} is missing in {report}");
        assert!(reason("serviceModel/bindings/basicHttpBinding/binding[B] ").contains(words), "{report}");
        assert!(unbroken.contains(words), "{}", outcome.toml);
    }
    assert!(reason("system.net/defaultProxy ").contains("\"ntlm\""), "{report}");
    for told in ["proxy/proxyaddress = http://proxy.kommune.dk:3128", "address = mail\\.kommune\\.dk"] {
        assert!(report.contains(told), "{told} is missing in {report}");
    }
    assert!(reason("system.net (PCS)").contains("for .NET"), "{report}");
    assert!(!format!("{outcome:?}").contains("marked-"), "{report}");
}

/// Regression: one that was off, one of Windows' settings and a login to it were told like one that is named.
#[test]
fn a_proxy_that_is_off_or_of_windows_is_told_as_such() {
    let reason = |proxy: &str| {
        let outcome = outcome_of(&format!("<system.net>{proxy}</system.net>"));
        let report = outcome.report();
        let found = outcome.left.into_iter().find(|left| left.from.starts_with("system.net"));
        found.unwrap_or_else(|| panic!("no proxy in {report}")).reason
    };
    for off in [
        "<defaultProxy enabled=\"False\"><proxy proxyaddress=\"http://p:1\"/></defaultProxy>",
        "<defaultProxy><proxy usesystemdefault=\"False\"/></defaultProxy>",
    ] {
        assert!(reason(off).starts_with("it is off there"), "{}", reason(off));
    }
    let (windows, login) = ("settings of Windows", "nobody logs on to a proxy");
    let credentials = "<defaultProxy useDefaultCredentials=\"true\"/>";
    for (proxy, of_windows, with_login) in [
        ("<defaultProxy/>", true, false),
        ("<defaultProxy><proxy usesystemdefault=\"True\"/></defaultProxy>", true, false),
        (credentials, true, true),
        ("<defaultProxy><proxy proxyaddress=\"http://p:1\"/></defaultProxy>", false, false),
    ] {
        let told = reason(proxy);
        assert_eq!(
            (told.contains(windows), told.contains(login)),
            (of_windows, with_login),
            "{proxy}: {told}"
        );
        assert!(told.contains("HTTPS_PROXY=http://host:port"), "{told}");
    }
}

/// Regression: in a `customBinding` the transport is an element of its own; its proxy was told without HTTPS_PROXY, and its
/// size of answers was not taken over.
#[test]
fn the_transport_of_a_custom_binding_is_read() {
    let outcome = outcome_of(
        "<system.serviceModel><bindings><customBinding><binding name=\"B\" sendTimeout=\"00:01:30\">\
         <textMessageEncoding/><httpsTransport maxReceivedMessageSize=\"2000000\" \
         proxyAddress=\"http://proxy.kommune.dk:3128\" requireClientCertificate=\"true\"/></binding></customBinding></bindings>\
         <client><endpoint address=\"https://p.dk/PlannerExternalCalendarService.svc\" binding=\"customBinding\" \
         bindingConfiguration=\"B\" contract=\"c\"/></client></system.serviceModel>",
    );
    let report = outcome.report();
    let limit = outcome.carried.iter().find(|one| one.key == "planner.answer_limit_bytes");
    assert_eq!(limit.and_then(|one| one.value.as_integer()), Some(2_000_000), "{report}");
    let left = outcome.left.iter().find(|left| left.from.contains("customBinding/binding[B]")).unwrap();
    assert!(
        left.from.contains("httpsTransport/proxyAddress = http://proxy.kommune.dk:3128"),
        "{}",
        left.from
    );
    assert!(!left.from.contains("maxReceivedMessageSize"), "{}", left.from);
    assert!(left.reason.contains("HTTPS_PROXY=http://host:port"), "{}", left.reason);
    // regression: there was "1 settings"
    assert!(report.contains("(PCS): 1 setting\n"), "{report}");
}

#[test]
fn tls_with_both_sides_certificates_is_the_same_here() {
    let outcome = outcome_of(
        "<system.serviceModel><bindings><basicHttpBinding><binding name=\"B\"><security mode=\"Transport\"/></binding>\
         </basicHttpBinding></bindings><client><endpoint address=\"https://p.dk/PlannerExternalCalendarService.svc\" \
         binding=\"basicHttpBinding\" bindingConfiguration=\"B\" contract=\"c\"/></client></system.serviceModel>",
    );
    let security = outcome.carried.iter().find(|one| one.key == "planner.security").unwrap();
    assert_eq!(security.value.as_str(), Some("mtls"));
    assert!(!outcome.report().contains("mode = Transport"), "{}", outcome.report());
}
