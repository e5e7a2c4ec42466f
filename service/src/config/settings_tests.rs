//! Goal: every setting of the original is documented, everything wrong is said at once with its value, and what counts
//! in the end is told with its source and without a secret.

use std::collections::BTreeSet;
use std::path::Path;

use super::original::{Fate, OldSetting, SETTINGS};
use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ServiceError> {
    let owned = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Config::parse(Path::new("test.toml"), text, owned.collect::<Vec<_>>())
}

fn problems(text: &str) -> Vec<String> {
    match parse_with(text, &[]) {
        Err(ServiceError::Configuration { problems, .. }) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => panic!("expected problems, got {other:?}"),
    }
}

/// The comment above a key of the example, on one line.
fn comment_of(key: &str) -> String {
    let (section, name) = key.split_once('.').unwrap();
    let (mut here, mut comment) = (false, Vec::new());
    for line in EXAMPLE.lines() {
        if let Some(found) = line.strip_prefix('[') {
            (here, comment) = (found == format!("{section}]"), Vec::new());
        } else if line.trim_start_matches('#').starts_with(&format!("{name} = ")) && here {
            return comment.join(" ");
        } else if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else {
            comment.clear();
        }
    }
    panic!("{key} is not in the example");
}

/// How the example names a setting of the original.
fn named(setting: &OldSetting) -> String {
    let services: Vec<&str> = setting.services.iter().map(|service| service.as_str()).collect();
    let default = if setting.default.is_empty() { "empty" } else { setting.default };
    format!("{} {} ({}, {default})", services.join(", "), setting.name, setting.kind.theirs())
}

#[test]
fn the_example_names_every_setting_of_the_original_with_its_type_and_default() {
    let whole: String = EXAMPLE.lines().map(|line| format!("{} ", line.trim_start_matches("# "))).collect();
    for setting in SETTINGS {
        let named = named(setting);
        match setting.key() {
            Some(key) => {
                let comment = comment_of(key);
                let kind = format!("Type: {}. Original: ", setting.kind.ours());
                assert!(comment.contains(&named), "{key} does not name {named}: {comment}");
                if !matches!(setting.fate, Fate::ByHand("database.url", _)) && key != "telemetry.log_filter" {
                    assert!(comment.contains(&kind), "{key} does not say {kind}: {comment}");
                }
            }
            None => assert!(whole.contains(&format!("Original: {named}")), "{named} is not in the example"),
        }
    }
}

#[test]
fn every_setting_of_the_original_is_a_key_that_exists() {
    let config = parse_with("", &[]).unwrap();
    let known: BTreeSet<String> = config.effective().into_iter().map(|one| one.key).collect();
    for key in SETTINGS.iter().filter_map(OldSetting::key) {
        assert!(known.contains(key), "{key}");
    }
}

#[test]
fn what_counts_is_told_with_its_source_and_without_a_secret() {
    let folder = tempfile::TempDir::new().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "marked-1\n").unwrap();
    let text = format!(
        "[database]\nurl = \"postgres://u:marked-2@db.kommune.dk/k?application_name=x\"\n[exchange]\npassword_file = {secret:?}\n\
         [planner]\nsimultaneous_calls = 3\nretry_cap = \"90s\"\n[secrets]\nkey = \"{}\"\n",
        "0123456789abcdef".repeat(4)
    );
    let environment = [
        ("KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS", "7"),
        ("KOMMUNEKLIENT__PLANNER__RESOURCE_UPDATE_SCHEDULE", "01:00;13:30"),
        ("KOMMUNEKLIENT__DATABASE__POOL_SIZE", "20"),
    ];
    let config = parse_with(&text, &environment).unwrap();
    let effective = config.effective();
    let told = |key: &str| {
        let one = effective.iter().find(|one| one.key == key).unwrap_or_else(|| panic!("{key}"));
        (one.text(), one.source.kind(), one.origin().to_owned())
    };
    let from = |value: &str, kind: &'static str, place: &str| (value.to_owned(), kind, place.to_owned());
    assert_eq!(told("database.url"), from("postgres://u:***@db.kommune.dk:5432/k", "file", "test.toml:2"));
    assert_eq!(told("exchange.password"), from("(hidden)", "file", "test.toml:4"));
    assert_eq!(told("secrets.key").0, "(hidden)");
    let variable = "KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS";
    assert_eq!(told("planner.simultaneous_calls"), from("7", "environment", variable));
    assert_eq!(told("planner.resource_update_schedule").0, "01:00, 13:30");
    assert_eq!(told("planner.retry_cap"), from("1m30s", "file", "test.toml:7"));
    assert_eq!(told("planner.call_timeout"), from("1m", "default", "default"));
    assert_eq!(told("planner.sla_calls_per_minute"), from("(not set)", "default", "default"));
    assert_eq!(told("exchange.ews_trace_flags").0, "None");
    let all = format!("{effective:?}");
    assert!(!all.contains("marked") && !all.contains("89abcdef"), "{all}");

    // a value that replaces one of a file is not told to come from that
    let replaced = [("KOMMUNEKLIENT__EXCHANGE__PASSWORD", "marked-3")];
    let config = parse_with(&text, &replaced).unwrap();
    let effective = config.effective();
    let file = effective.iter().find(|one| one.key == "exchange.password_file").unwrap();
    assert_eq!((file.text().as_str(), file.source.kind()), ("(not set)", "default"));
}

#[test]
fn every_key_of_every_section_is_told_once() {
    let keys: Vec<String> = parse_with("", &[]).unwrap().effective().into_iter().map(|one| one.key).collect();
    let once: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(keys.len(), once.len());
    let sections: BTreeSet<&str> = keys.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    assert_eq!(sections, SECTIONS.iter().copied().collect());
}

#[test]
fn every_wrong_item_of_a_list_is_said() {
    let text = "[planner]\nresource_update_schedule = [\"25:00\", \"01:00\", \"1\", \"02:00\", \"x\"]\n";
    let reason = |text: &str| format!("must be a time of day like \"02:00\", not \"{text}\"");
    let key = "test.toml:2: planner.resource_update_schedule";
    let expected =
        [(0, "25:00"), (2, "1"), (4, "x")].map(|(n, text)| format!("{key}[{n}]: {}", reason(text)));
    assert_eq!(problems(text), expected);
    let variable = ("KOMMUNEKLIENT__PLANNER__RESOURCE_UPDATE_SCHEDULE", "01:00;24:00;x");
    let Err(ServiceError::Configuration { problems, .. }) = parse_with("", &[variable]) else {
        panic!("refused")
    };
    let keys: Vec<&str> = problems.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["planner.resource_update_schedule[1]", "planner.resource_update_schedule[2]"]);
}

#[test]
fn a_number_that_is_none_is_told_what_it_may_be() {
    for (text, words) in [
        ("[qualifier]\nshards = \"many\"\n", "expected a whole number, from 1 to 64"),
        ("[planner]\nsla_calls_per_minute = -3\n", "from 1 to 1000000"),
        ("[planner]\nsimultaneous_calls = 1.5\n", "from 1 to 10"),
        ("[leases]\nttl = 15\n", "from 1s to 10m"),
    ] {
        let said = problems(text);
        assert!(said.len() == 1 && said[0].contains(words), "{said:?}");
    }
}

/// The original's number of minutes, and a duration as everywhere else.
#[test]
fn the_timeout_of_a_stream_is_minutes_as_a_number_or_a_duration() {
    let minutes = |value: &str| {
        let text = format!("[exchange]\nexchange_connection_timeout = {value}\n");
        parse_with(&text, &[]).unwrap().exchange.exchange_connection_timeout
    };
    for (value, expected) in [("5", 5), ("\"2m\"", 2), ("\"120s\"", 2), ("\"30m\"", 30)] {
        assert_eq!(minutes(value), expected, "{value}");
    }
    for (value, expected) in [("7", 7), ("7m", 7), (" 1m ", 1)] {
        let variable = ("KOMMUNEKLIENT__EXCHANGE__EXCHANGE_CONNECTION_TIMEOUT", value);
        let config = parse_with("", &[variable]).unwrap();
        assert_eq!(config.exchange.exchange_connection_timeout, expected, "{value}");
    }
    for (value, words) in [
        ("\"90s\"", "must be whole minutes"),
        ("\"soon\"", "a duration like \"2m\", from 1 to 30"),
        ("\"31m\"", "must lie from 1 to 30, not 31"),
        ("\"0s\"", "must lie from 1 to 30, not 0"),
        ("300", "from 1 to 30"),
        ("-1", "from 1 to 30"),
        ("\"9999h\"", "must be whole minutes"),
        ("1.5", "from 1 to 30"),
    ] {
        let said = problems(&format!("[exchange]\nexchange_connection_timeout = {value}\n"));
        assert!(said.len() == 1 && said[0].contains(words), "{value}: {said:?}");
    }
}

#[test]
fn an_address_of_a_database_that_cannot_be_used_is_refused_without_being_shown() {
    for url in ["postgres://u:marked@db:abc/k", "postgres://u:marked@db:99999/k", "user=u password=marked"] {
        let said = problems(&format!("[database]\nurl = \"{url}\"\n"));
        assert!(
            said.len() == 1 && said[0].contains("database.url: cannot be used as an address"),
            "{said:?}"
        );
        assert!(!said[0].contains("marked"), "{said:?}");
    }
    parse_with("[database]\nurl = \"host=/run/postgresql user=u dbname=k\"\n", &[]).unwrap();
}

#[test]
fn names_of_the_original_are_explained() {
    let said = problems("[planner]\nSimultaniousCalls = 1\nuse_impersonation = true\n");
    assert!(
        said[0]
            .contains("what the original calls SimultaniousCalls is exchange.simultaneous_calls or planner"),
        "{said:?}"
    );
    assert!(
        said[1].contains("what the original calls UseImpersonation is exchange.use_impersonation"),
        "{said:?}"
    );
}

#[test]
fn what_windows_alone_can_is_refused_with_what_to_do() {
    let said = problems(
        "[exchange]\nuse_default_credentials = true\nenable_scp_lookup = true\news_trace_flags = [\"Everything\"]\n",
    );
    assert!(said[0].contains("must be false: there is no Windows identity here"), "{said:?}");
    assert!(said[1].contains("exchange.autodiscover_url"), "{said:?}");
    assert!(said[2].contains("ews_trace_flags[0]: must be one of None, EwsRequest"), "{said:?}");
    let filter = |text: &str| parse_with(text, &[]).unwrap().telemetry_options().log_filter;
    assert!(!filter("").contains("connector_exchange"));
    assert!(
        filter("[exchange]\news_trace_flags = [\"EwsRequest\"]\n").ends_with(",connector_exchange=debug")
    );
}

#[test]
fn ways_to_log_on_are_checked() {
    use connector_exchange::Authentication;
    let way = |text: &str| parse_with(text, &[]).unwrap().exchange.authentication();
    assert_eq!(way(""), Authentication::Basic);
    assert_eq!(way("[exchange]\nauthentication = \"ntlm\"\n"), Authentication::Ntlm);
    let oauth =
        "[exchange]\nauthentication = \"oauth\"\noauth_token_url = \"https://login.example.dk/token\"\n";
    let Authentication::OAuth(given) = way(oauth) else { panic!("oauth") };
    assert_eq!(
        (given.token_url.as_str(), given.scope.as_str()),
        ("https://login.example.dk/token", "https://outlook.office365.com/.default")
    );
    for (text, words) in [
        ("authentication = \"kerberos\"\n", "authentication: must be one of basic, ntlm, oauth"),
        ("authentication = \"oauth\"\n", "oauth_token_url: is missing"),
        ("oauth_token_url = \"http://login.example.dk/token\"\n", "the secret of the account goes there"),
        ("oauth_scope = \"\"\n", "oauth_scope"),
    ] {
        let said = problems(&format!("[exchange]\n{text}"));
        assert!(said.len() == 1 && said[0].contains(words), "{said:?}");
    }
}

/// Certificates go unverified in a demo alone, and everybody is told.
#[test]
fn any_certificate_is_for_this_machine_alone() {
    let with = |address: &str| {
        format!("[exchange]\ndanger_accept_invalid_certificates = true\nservice_url = \"{address}\"\n")
    };
    for address in ["https://127.0.0.1:8443/EWS/Exchange.asmx", "https://localhost/EWS/Exchange.asmx"] {
        let config = parse_with(&with(address), &[]).unwrap();
        let told = "exchange.danger_accept_invalid_certificates is true";
        assert!(config.warnings().iter().any(|one| one.starts_with(told)), "{:?}", config.warnings());
    }
    let said = problems(&with("https://mail.example.dk/EWS/Exchange.asmx"));
    assert!(
        said.len() == 1 && said[0].contains("danger_accept_invalid_certificates: must be false"),
        "{said:?}"
    );
    let said = problems(&format!(
        "{}autodiscover_url = \"https://mail.example.dk/autodiscover/autodiscover.svc\"\n",
        with("https://localhost/EWS/Exchange.asmx")
    ));
    assert_eq!(said.len(), 1, "one address elsewhere is enough: {said:?}");
}

#[test]
fn an_unknown_key_is_told_without_its_value() {
    let said = problems("[exchange]\npasword = \"marked\"\n[exchnage]\npassword = \"marked\"\n");
    assert!(said.iter().all(|one| !one.contains("marked")), "{said:?}");
    let Err(ServiceError::Configuration { problems, .. }) = parse_with(
        "[exchange]\npassword = \"\"\nservice_url = \"https://u:marked@x/\"\n[calendar]\nzone = \"Mars\"\n",
        &[],
    ) else {
        panic!("refused")
    };
    let values: Vec<Option<&str>> = problems.iter().map(|one| one.value.as_deref()).collect();
    assert_eq!(values, [Some("(hidden)"), Some("(hidden)"), Some("\"Mars\"")]);
}

#[test]
fn a_former_name_still_works_and_is_told() {
    let config = parse_with("[planner]\nadopt_after_unknown_outcome = \"2m\"\n", &[]).unwrap();
    assert_eq!(config.planner.compare_after_unknown_outcome, HumanDuration::minutes(2));
    let told = "planner.adopt_after_unknown_outcome is called planner.compare_after_unknown_outcome now";
    assert!(config.warnings().iter().any(|one| one.starts_with(told)), "{:?}", config.warnings());
    let variable = ("KOMMUNEKLIENT__PLANNER__ADOPT_AFTER_UNKNOWN_OUTCOME", "3m");
    let config = parse_with("", &[variable]).unwrap();
    assert_eq!(config.planner.compare_after_unknown_outcome, HumanDuration::minutes(3));
    let both = "[planner]\nadopt_after_unknown_outcome = \"2m\"\ncompare_after_unknown_outcome = \"3m\"\n";
    assert!(problems(both)[0].contains("remove this one"), "{:?}", problems(both));
}

/// What `run` could not write is told before it starts, and nothing is made by looking.
#[test]
fn a_log_file_that_could_not_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.log");
    std::fs::write(&there, "").unwrap();
    let told = |file: &Path| {
        let text = EXAMPLE.replace("[telemetry]\n", &format!("[telemetry]\nlog_file = {file:?}\n"));
        assert_ne!(text, EXAMPLE);
        let config = parse_with(&text, &[]).unwrap();
        config.for_run().err().map(|error| error.to_string())
    };
    assert_eq!(told(&there), None);
    assert_eq!(told(&folder.path().join("new.log")), None);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a look leaves no file behind");
    assert_eq!(told(Path::new("new.log")), None, "in the present folder");
    for (file, why) in [
        (folder.path().join("missing/a.log"), "missing cannot be used"),
        (there.join("a.log"), "is no folder"),
        (folder.path().to_owned(), "is a folder; name a file in it"),
        // also who has all rights makes no file there
        (Path::new("/proc/kk.log").to_owned(), "this user can make no file in /proc"),
    ] {
        let told = told(&file).unwrap();
        assert!(told.contains("telemetry.log_file: ") && told.contains(why), "{told}");
    }
}
