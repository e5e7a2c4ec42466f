//! Goal: three files of an original become a configuration that can be loaded and says the same, nothing is lost
//! without being told, and what is no such file is refused. Method: realistic files of our own, and small ones.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::config::{Config, DailyTime, HumanDuration};

fn original(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/original").join(name)
}

fn all_three() -> Outcome {
    let files = ["ELS.exe.config", "EPS.exe.config", "PCS.exe.config"].map(original);
    import(&files, false).unwrap()
}

/// One file with these settings, and what becomes of it.
fn one(name: &str, settings: &[(&str, &str)], more: &str) -> Result<Outcome, ImportError> {
    let settings: String = settings
        .iter()
        .map(|(name, value)| {
            format!("<setting name=\"{name}\" serializeAs=\"String\"><value>{value}</value></setting>")
        })
        .collect();
    raw(
        name,
        format!("<configuration>{more}<applicationSettings><S>{settings}</S></applicationSettings></configuration>")
            .as_bytes(),
    )
}

fn raw(name: &str, bytes: &[u8]) -> Result<Outcome, ImportError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    import(&[path], false)
}

fn loaded(outcome: &Outcome) -> Config {
    Config::parse(Path::new("imported.toml"), &outcome.toml, [])
        .unwrap_or_else(|error| panic!("{error}\n{}", outcome.toml))
}

fn left_of<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let found = outcome.left.iter().find(|left| left.from.starts_with(name));
    found.map_or_else(|| panic!("{name} is not among {:#?}", outcome.left), |left| left.reason.as_str())
}

#[test]
fn three_files_become_one_configuration_with_the_same_values() {
    let outcome = all_three();
    let services: Vec<_> = outcome.files.iter().map(|file| file.service.unwrap().as_str()).collect();
    assert_eq!(services, ["ELS", "EPS", "PCS"]);
    let config = loaded(&outcome);
    assert_eq!(config.exchange.service_url.unwrap().as_str(), "https://mail.kommune.dk/EWS/Exchange.asmx");
    assert_eq!(config.exchange.user.as_deref(), Some("svc-planner@kommune.dk"));
    assert_eq!(config.exchange.exchange_connection_timeout, 10);
    assert_eq!(config.exchange.simultaneous_calls, 25, "the largest of 25, 20 and 1");
    assert!(config.exchange.use_impersonation && !config.exchange.enable_scp_lookup);
    assert_eq!(config.listener.subscriber_update_time_interval, HumanDuration::minutes(5));
    // the two swapped names
    assert_eq!(config.listener.subscription_groups_per_credential, 4);
    assert_eq!(config.listener.mailboxes_per_subscription_group, 150);
    let pulls = [DailyTime::at(22, 0), DailyTime::at(2, 0)];
    assert_eq!(config.qualifier.full_appointment_pull_schedule, pulls);
    assert!(config.qualifier.make_full_calendar_pull_at_startup);
    assert_eq!(config.qualifier.simultaneous_calls_at_full_pull, 2);
    assert_eq!(config.calendar.calendar_events_period_in_months, 3, "that of EPS");
    let planner = &config.planner;
    assert_eq!(planner.jobcenter_number.as_deref(), Some("10100"));
    assert_eq!(planner.request_user_identifier.as_deref(), Some("CVR:12345678-FID:98765432"));
    assert_eq!(planner.resource_update_schedule.len(), 3);
    assert_eq!(planner.calendar_synchronization_schedule, [DailyTime::at(5, 30)]);
    assert_eq!((planner.simultaneous_calls, planner.max_calendar_event_updates_per_call), (3, 15));
    assert_eq!((planner.max_calendar_event_fetches_per_call, planner.answer_limit_bytes), (2, 5_242_880));
    assert_eq!(planner.call_timeout, HumanDuration::seconds(90));
    assert!(planner.service_url.as_ref().unwrap().path().ends_with("/PlannerExternalCalendarService.svc"));
    assert!(planner.update_calendar_at_startup && planner.update_resources_at_startup);
    assert_eq!(config.telemetry.log_filter, "info");
}

#[test]
fn what_is_not_taken_over_is_told_with_the_next_step() {
    let outcome = all_three();
    for (name, words) in [
        ("ExchangeServiceUserPassword (ELS, EPS)", "exchange.password_file"),
        ("EnableScpLookup = True (ELS)", "exchange.autodiscover_url"),
        ("MinimumAgingForChanging (ELS)", "never used"),
        (
            "connectionStrings/ECSClientExchangeDbEntities (ELS, EPS, PCS)",
            "database Kommuneklient on SQL01.kommune.local",
        ),
        ("log4net/appender[RollingFileAppender]/file = D:\\Logs\\ELS.log (ELS)", "standard error"),
        ("log4net/appender[AdoNetAppender]/connectionString (ELS, EPS, PCS)", "application_log"),
        ("serviceModel/clientCertificate 4b1ef27d (PCS)", "planner.client_certificate"),
        ("serviceModel/serviceCertificate *.bm.dk (PCS)", "planner.root_certificates"),
    ] {
        assert!(left_of(&outcome, name).contains(words), "{name}: {}", left_of(&outcome, name));
        assert!(outcome.report().contains(name), "{name} is not in the report");
    }
    // what run needs stands there to be filled in
    for line in
        ["##url = \"postgres://", "##password_file = ", "# not taken over: ExchangeServiceUserPassword"]
    {
        assert!(outcome.toml.contains(line), "{line} is missing in\n{}", outcome.toml);
    }
    let warned = outcome.warnings.join("\n");
    assert!(warned.contains("OCES2"), "{warned}");
    let report = outcome.report();
    let (_, left) = report.split_once("not taken over:").expect("there is such a part");
    assert_eq!(left.matches("EnableScpLookup").count(), 1, "told once there: {report}");
}

/// The serial number in the subject is taken over where the certificate is found by it; what Windows calls its serial number
/// is another one, with which no certificate would be found here.
#[test]
fn the_certificate_of_the_client_is_told_by_what_it_is_found_by() {
    let with = |find_value: &str, find_type: &str| {
        let more = format!(
            "<system.serviceModel><behaviors><endpointBehaviors><behavior><clientCredentials>\
             <clientCertificate findValue=\"{find_value}\" {find_type}/>\
             </clientCredentials></behavior></endpointBehaviors></behaviors></system.serviceModel>"
        );
        one("PCS.exe.config", &[("JobcenterNumber", "10100")], &more).unwrap()
    };
    let number = "CVR:12345678-FID:98765432";
    let subject = format!("CN=Kommunen, SERIALNUMBER={number} + O=Kommunen, C=DK");
    let oces3 = "UI:DK-O:G:00000000-0000-4000-8000-000000000000";
    for (find_value, find_type, carried) in [
        (number, "x509FindType=\"FindBySubjectName\"", Some(number)),
        (subject.as_str(), "x509FindType=\"FindBySubjectDistinguishedName\"", Some(number)),
        (subject.as_str(), "", Some(number)),
        (number, "x509FindType=\"FindBySerialNumber\"", Some(number)),
        (oces3, "x509FindType=\"FindBySubjectName\"", Some(oces3)),
        ("CVR:12345678", "x509FindType=\"FindBySubjectName\"", None),
        ("4B1EF27D", "x509FindType=\"FindBySerialNumber\"", None),
        ("00 11 22", "x509FindType=\"FindByThumbprint\"", None),
        ("Kommunen", "x509FindType=\"FindByIssuerName\"", None),
    ] {
        let outcome = with(find_value, find_type);
        let config = loaded(&outcome);
        assert_eq!(config.planner.client_certificate_serial_number.as_deref(), carried, "{find_value}");
        let reason = left_of(&outcome, &format!("serviceModel/clientCertificate {find_value}"));
        assert!(reason.contains("export it with its key as PKCS #12"), "{reason}");
        let is_other = reason.contains("planner.client_certificate_serial_number is another number");
        assert_eq!(is_other, carried.is_none(), "{find_value}: {reason}");
        assert!(outcome.toml.contains("##client_certificate = "), "{}", outcome.toml);
    }
    let reason_of = |find_type: &str| {
        let outcome = with("4B1EF27D", &format!("x509FindType=\"{find_type}\""));
        left_of(&outcome, "serviceModel/clientCertificate").to_owned()
    };
    assert!(reason_of("FindBySerialNumber").contains("its own serial number in hexadecimal"));
    assert!(reason_of("FindByThumbprint").contains("the value is its thumbprint"));
    assert!(reason_of("FindByIssuerName").contains("found by FindByIssuerName"));
}

#[test]
fn a_file_that_was_given_twice_is_refused_however_it_is_written() {
    let (els, pcs) = (original("ELS.exe.config"), original("PCS.exe.config"));
    let again = els.parent().unwrap().join("../original/ELS.exe.config");
    let refused = import(&[els.clone(), pcs.clone(), again], false).unwrap_err();
    assert!(matches!(&refused, ImportError::Repeated { first, .. } if *first == els), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("is the same file as") && text.contains("give each file once"), "{text}");
    // another file with the same name is another file
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("PCS.exe.config");
    fs::copy(&pcs, &copy).unwrap();
    assert!(import(&[els, copy], false).is_ok());
}

#[test]
fn no_secret_is_in_the_result() {
    let outcome = all_three();
    let json = serde_json::to_string(&outcome).unwrap();
    for text in [&outcome.toml, &outcome.report(), &json, &format!("{outcome:?}")] {
        assert!(!text.contains("marked-"), "{text}");
    }
}

#[test]
fn the_services_disagreements_are_told() {
    let outcome = all_three();
    let told = |key: &str| {
        let found = outcome.disagreements.iter().find(|one| one.key == Some(key));
        found.unwrap_or_else(|| panic!("{key} is not among {:#?}", outcome.disagreements))
    };
    let url = told("exchange.service_url");
    let values: Vec<_> = url.values.iter().map(|said| (said.whose.as_str(), said.value.as_str())).collect();
    assert_eq!(values[0].0, "ELS");
    assert_eq!(values[1], ("EPS", "\"https://mail2.kommune.dk/EWS/Exchange.asmx\""));
    assert!(url.taken.contains("mail.kommune.dk"), "{}", url.taken);
    assert!(told("calendar.calendar_events_period_in_months").taken.starts_with("3, "));
    assert!(told("exchange.simultaneous_calls").taken.starts_with("25, the largest"));
    // ELS says True, which cannot be carried over, and EPS False
    assert!(told("exchange.enable_scp_lookup").taken.starts_with("false, "));
    assert_eq!(outcome.disagreements.len(), 4, "{:#?}", outcome.disagreements);
    assert!(outcome.report().contains("the services disagree:"));
}

/// Also where one of the values cannot be carried over.
#[test]
fn a_value_beside_one_that_is_left_is_a_disagreement() {
    let folder = TempDir::new().unwrap();
    let files = [("ELS.exe.config", "True"), ("EPS.exe.config", "False")].map(|(name, value)| {
        let path = folder.path().join(name);
        let setting = format!(
            "<setting name=\"ExchangeUseDefaultCredentials\" serializeAs=\"String\"><value>{value}</value></setting>"
        );
        let text =
            format!("<configuration><applicationSettings><S>{setting}</S></applicationSettings></configuration>");
        fs::write(&path, text).unwrap();
        path
    });
    let outcome = import(&files, false).unwrap();
    let [found] = outcome.disagreements.as_slice() else { panic!("{:#?}", outcome.disagreements) };
    assert_eq!(found.key, Some("exchange.use_default_credentials"));
    let said: Vec<_> = found.values.iter().map(|said| (said.whose.as_str(), said.value.as_str())).collect();
    assert_eq!(said[0], ("EPS", "false"));
    assert!(said[1].0 == "ELS" && said[1].1.starts_with("left: "), "{said:?}");
    assert!(found.taken.starts_with("false, "), "{}", found.taken);
}

#[test]
fn every_setting_of_the_original_is_understood_by_its_name() {
    use crate::config::original::{Kind, SETTINGS};
    for setting in
        SETTINGS.iter().filter(|setting| !setting.name.contains('/') && !setting.name.contains(' '))
    {
        for name in std::iter::once(&setting.name).chain(setting.also) {
            for service in setting.services {
                let value = match setting.kind {
                    Kind::Boolean => "False",
                    Kind::Whole => "2",
                    Kind::Digits => "10100",
                    Kind::Span => "00:00:30",
                    Kind::Times => "03:00",
                    Kind::Address => "https://mail.kommune.dk/x",
                    Kind::Flags => "EwsRequest",
                    Kind::Text | Kind::Secret => "x",
                };
                // something that only this service has, so that it is known whose file it is
                let mark = match service {
                    OldService::Els => ("SubscriberUpdateTimeInterval", "00:10:00"),
                    OldService::Eps => ("NotificationProcessingInterval", "00:00:04"),
                    OldService::Pcs => ("JobcenterNumber", "10100"),
                };
                let outcome = one("a.exe.config", &[mark, (name, value)], "").unwrap();
                loaded(&outcome);
                let key = setting.key();
                let carried =
                    outcome.carried.iter().any(|one| Some(one.key) == key && one.from[0].contains(name));
                let left = outcome.left.iter().any(|one| one.from.starts_with(name));
                assert!(carried || left, "{service} {name}: {outcome:#?}");
            }
        }
    }
}

#[test]
fn values_that_our_rules_refuse_are_left_and_the_rest_goes_on() {
    let settings = [
        ("JobcenterNumber", "101"),
        ("SimultaniousCalls", "40"),
        ("MaxCalendarEventUpdatesPerCall", "many"),
        ("ResourceUpdateSchedule", "01:00;25:00"),
        ("CalendarEventUpdateInterval", "00:00:00"),
        ("RequestUserIdentifier", "CVR:12345678-UUID:00000000-0000-4000-8000-000000000000"),
        ("UpdateCalendarAtStartup", "perhaps"),
    ];
    let outcome = one("PCS.exe.config", &settings, "").unwrap();
    assert_eq!(outcome.carried.len(), 2, "{:#?}", outcome.carried);
    assert!(left_of(&outcome, "JobcenterNumber (PCS)").contains("five digits"));
    // as the original itself took it
    assert_eq!(loaded(&outcome).planner.simultaneous_calls, 10);
    assert!(left_of(&outcome, "MaxCalendarEventUpdatesPerCall (PCS)").contains("no whole number"));
    assert!(left_of(&outcome, "ResourceUpdateSchedule (PCS)").contains("\"25:00\" is no time of day"));
    assert!(left_of(&outcome, "CalendarEventUpdateInterval (PCS)").contains("must lie from 10ms to 1h"));
    assert!(left_of(&outcome, "UpdateCalendarAtStartup (PCS)").contains("neither True nor False"));
    loaded(&outcome);
}

#[test]
fn what_is_no_file_of_the_original_is_refused_with_the_reason() {
    let told = |bytes: &[u8]| telemetry::chain(&raw("x.config", bytes).unwrap_err()).to_string();
    for (bytes, words) in [
        (&b"[planner]\nservice_url = \"x\"\n"[..], "not readable as XML: text before the first element"),
        (b"", "x.config:1: not readable as XML: no element"),
        (b"\xff\x00\xfe", "not readable as XML"),
        (b"<configuration>\n<a>\n</b>\n</configuration>", ": not readable as XML: ill-formed XML"),
        (b"<configuration>\n", "the document ends inside an element"),
        (b"<html><body>x</body></html>", "its root is <html>, not <configuration>"),
        (b"<configuration><appSettings><add key=\"Theme\" value=\"dark\"/></appSettings></configuration>", "not of the original"),
        (b"<configuration/>", "such as SubscriberUpdateTimeInterval"),
        (
            b"<!DOCTYPE c [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n<configuration>&b;</configuration>",
            "a document type is refused",
        ),
        (b"<configuration>&other;</configuration>", "an entity that XML does not know is refused"),
    ] {
        let told = told(bytes);
        assert!(told.contains(words), "{words:?} is missing in {told}");
    }
    let deep = [b"<configuration>".to_vec(), b"<a>".repeat(200)].concat();
    assert!(told(&deep).contains("more than 64 open elements"), "{}", told(&deep));
    let large =
        [b"<configuration><!--".to_vec(), vec![b'x'; 5 << 20], b"--></configuration>".to_vec()].concat();
    assert!(told(&large).contains("is larger than 4 MiB"), "{}", told(&large));
    let missing = import(&[PathBuf::from("/nowhere/ELS.exe.config")], false).unwrap_err();
    assert!(
        telemetry::chain(&missing)
            .to_string()
            .starts_with("cannot read /nowhere/ELS.exe.config: No such file")
    );
    // every file is looked at before anything is refused
    let both = import(&[PathBuf::from("/nowhere/a"), PathBuf::from("/nowhere/b")], false).unwrap_err();
    assert_eq!(both.to_string().lines().count(), 2, "{both}");
}

#[test]
fn unknown_settings_are_refused_or_left_out_and_never_shown() {
    let settings = [("JobcenterNumber", "10100"), ("JobcentreNumbers", "marked-1"), ("Proxy", "marked-2")];
    let refused = one("PCS.exe.config", &settings, "").unwrap_err().to_string();
    assert!(refused.contains("JobcentreNumbers (did you mean JobcenterNumber?), Proxy"), "{refused}");
    assert!(refused.contains("--allow-unknown") && !refused.contains("marked"), "{refused}");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("PCS.exe.config");
    let text = "<configuration><appSettings><add key=\"JobcenterNumber\" value=\"10100\"/>\
                <add key=\"Proxy\" value=\"marked-2\"/></appSettings></configuration>";
    fs::write(&path, text).unwrap();
    let outcome = import(&[path], true).unwrap();
    assert_eq!(outcome.unknown, ["Proxy"]);
    assert!(outcome.toml.contains("Proxy") && !format!("{outcome:?}").contains("marked"));
    loaded(&outcome);
}

#[test]
fn files_in_other_encodings_are_read() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?>\n<configuration><applicationSettings><S>\
                <setting name=\"RequestUserIdentifier\"><value>Ærø</value></setting></S></applicationSettings></configuration>";
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let mut windows: Vec<u8> = Vec::new();
    let declared = text.replace("utf-16", "windows-1252");
    windows.extend(declared.chars().map(|c| u8::try_from(u32::from(c)).unwrap()));
    for bytes in [utf16, windows] {
        let config = loaded(&raw("PCS.exe.config", &bytes).unwrap());
        assert_eq!(config.planner.request_user_identifier.as_deref(), Some("Ærø"));
    }
}

#[test]
fn parts_that_stand_elsewhere_are_told() {
    let more = "<connectionStrings configProtectionProvider=\"RsaProtectedConfigurationProvider\"><EncryptedData/></connectionStrings>\
                <log4net configSource=\"log.config\"/>";
    let outcome = one("ELS.exe.config", &[("UseImpersonation", "False")], more).unwrap();
    let told = outcome.warnings.join("\n");
    assert!(
        told.contains("connectionStrings is encrypted") && told.contains("stands in the file log.config"),
        "{told}"
    );
}

#[test]
fn whose_file_it_is_is_known_by_what_stands_in_it() {
    let calls = [("SimultaniousCalls", "2")];
    let known = one("eps.exe.config", &calls, "").unwrap();
    assert_eq!(known.carried[0].key, "exchange.simultaneous_calls");
    let known = one("eps.exe.config", &[calls[0], ("JobcenterNumber", "10100")], "").unwrap();
    assert!(
        known.carried.iter().any(|one| one.key == "planner.simultaneous_calls"),
        "the content counts, not the name"
    );
    let unknown = one("some.exe.config", &calls, "").unwrap();
    assert!(left_of(&unknown, "SimultaniousCalls").contains("whose file this is cannot be told"));
}

#[test]
fn a_value_cannot_break_out_of_its_comment_or_its_text() {
    let evil = "x&#10;[planner]&#10;client_name = &quot;y&quot; &quot;&quot;&quot; \\";
    let more = format!(
        "<log4net><appender type=\"log4net.Appender.RollingFileAppender\"><file value=\"{evil}\"/></appender></log4net>"
    );
    let outcome = one("PCS.exe.config", &[("RequestUserIdentifier", evil)], &more).unwrap();
    let config = loaded(&outcome);
    assert_eq!(config.planner.client_name, "Kommuneklient");
    assert!(config.planner.request_user_identifier.unwrap().contains("\n[planner]\n"));
}

proptest! {
    /// Whatever the file holds: an answer, never a panic, and what was imported can be loaded.
    #[test]
    fn no_file_panics(name in "(SimultaniousCalls|JobcenterNumber|EwsTraceFlags|ResourceUpdateSchedule|ExchangeServiceUrl|[A-Z]{1,9})",
                      value in "[^<&\\p{C}]{0,24}", junk in "\\PC{0,40}") {
        if let Ok(outcome) = one("PCS.exe.config", &[(name.as_str(), value.as_str())], "") {
            loaded(&outcome);
        }
        let _either = raw("x.config", junk.as_bytes());
    }
}

/// PCS of the original never made more than ten calls at a time, and Planner's agreement knows a size of calls.
#[test]
fn limits_that_the_original_or_planner_set_are_kept_and_told() {
    let settings = [("SimultaniousCalls", "12"), ("MaxCalendarEventUpdatesPerCall", "25")];
    let outcome = one("PCS.exe.config", &settings, "").unwrap();
    assert_eq!(loaded(&outcome).planner.simultaneous_calls, 10);
    assert!(
        outcome.toml.contains("the file says 12, and the original never made more than 10"),
        "{}",
        outcome.toml
    );
    let report = outcome.report();
    assert!(report.contains("simultaneous_calls to Planner is 10"), "{report}");
    assert!(report.contains("max_calendar_event_updates_per_call is 25"), "{report}");
    let outcome =
        one("PCS.exe.config", &[("SimultaniousCalls", "10"), ("MaxCalendarEventUpdatesPerCall", "20")], "");
    let report = outcome.unwrap().report();
    assert!(!report.contains("never made") && !report.contains("per_call is"), "{report}");
}

/// Regression: a limit of connections became one of calls, above our default, without a word.
#[test]
fn more_calls_to_exchange_than_is_the_default_are_taken_over_and_told() {
    let of = |calls: &str| {
        one("ELS.exe.config", &[("ServicePointManagerDefaultConnectionLimit", calls)], "").unwrap()
    };
    let outcome = of("25");
    assert_eq!(loaded(&outcome).exchange.simultaneous_calls, 25);
    let words = "the default here is 10: Exchange's throttling policy allows an account 27 connections";
    let unbroken = outcome.toml.replace("\n#", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unbroken.contains(words), "{}", outcome.toml);
    assert!(outcome.report().contains("simultaneous_calls to Exchange is 25"), "{}", outcome.report());
    // also of one that is refused
    for few in ["10", "2", "200"] {
        let outcome = of(few);
        assert!(!outcome.toml.contains("EWSMaxConcurrency"), "{}", outcome.toml);
        assert!(!outcome.report().contains("simultaneous_calls to Exchange is"), "{}", outcome.report());
    }
}

#[test]
fn the_file_itself_tells_of_disagreements_and_of_the_two_mixed_up_names() {
    let toml = all_three().toml.replace("\n# ", " ");
    assert!(toml.contains("the services disagree (ELS 25, EPS 1, EPS 20); taken: the largest"), "{toml}");
    assert_eq!(toml.matches("mixed up the names of its two limits").count(), 2, "{toml}");
}

#[test]
fn files_without_any_setting_are_refused() {
    let xml = b"<configuration><log4net configSource=\"log.config\"/></configuration>";
    let error = raw("ELS.exe.config", xml).unwrap_err().to_string();
    assert!(error.contains("holds no setting of the original") && error.contains("log.config"), "{error}");
}
