//! Goal: a configuration means what it says, the example documents all of it, and whatever is wrong is said
//! with place, key and remedy, all at once, and without showing a secret.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

#[cfg(feature = "simulators")]
mod certificates;
mod secrets;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

fn file() -> PathBuf {
    PathBuf::from("test.toml")
}

fn parse(text: &str) -> Result<Config, ServiceError> {
    Config::parse(&file(), text, [])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ServiceError> {
    let owned = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Config::parse(&file(), text, owned.collect::<Vec<_>>())
}

/// The problems of a configuration that must have some, as `place: key: reason`.
fn problems(result: Result<Config, ServiceError>) -> Vec<String> {
    match result {
        Err(ServiceError::Configuration { problems, .. }) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => panic!("expected problems, got {other:?}"),
    }
}

/// All keys of all sections, dotted.
fn all_keys() -> BTreeSet<String> {
    fn of<S: Section>() -> impl Iterator<Item = String> {
        node::keys::<S>().iter().map(|key| format!("{}.{key}", S::NAME))
    }
    of::<NodeConfig>()
        .chain(of::<DatabaseConfig>())
        .chain(of::<ExchangeConfig>())
        .chain(of::<ListenerConfig>())
        .chain(of::<QualifierConfig>())
        .chain(of::<PlannerConfig>())
        .chain(of::<SecretsConfig>())
        .chain(of::<CalendarConfig>())
        .chain(of::<LeasesConfig>())
        .chain(of::<RetentionConfig>())
        .chain(of::<TelemetryConfig>())
        .chain(of::<HttpConfig>())
        .collect()
}

/// A line of the example that holds a key.
struct ExampleLine<'a> {
    dotted: String,
    text: &'a str,
    /// 0: a needed value, 1: a default, 2: an example.
    marks: usize,
}

fn example_lines() -> Vec<ExampleLine<'static>> {
    let mut section = "";
    let mut lines = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        let text = line.trim_start_matches('#');
        let Some((key, _)) = text.split_once(" = ") else { continue };
        if !section.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            let marks = line.len() - text.len();
            lines.push(ExampleLine { dotted: format!("{section}.{key}"), text, marks });
        }
    }
    lines
}

/// The example with only the lines that `keep` accepts, uncommented.
fn example_with(keep: impl Fn(&ExampleLine<'_>) -> bool) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text.push_str(&format!("[{section}]\n"));
        let prefix = format!("{section}.");
        for line in example_lines().iter().filter(|l| l.dotted.starts_with(&prefix) && keep(l)) {
            text.push_str(line.text);
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_example_can_be_used_as_it_is() {
    let config = parse(EXAMPLE).unwrap();
    let required = config.for_run().unwrap();
    assert!(matches!(required.database, Database::Embedded));
    assert_eq!(required.planner.unwrap().jobcenter_number, "10100");
    assert_eq!(required.exchange.unwrap().user, "svc-kommuneklient@example.dk");
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("planner.client_certificate is not set"), "{warnings:?}");
    assert!(warnings[1].starts_with("exchange.password is the placeholder"), "{warnings:?}");
}

#[test]
fn the_example_documents_every_key_once_and_no_other() {
    let documented: Vec<_> = example_lines().into_iter().map(|line| line.dotted).collect();
    let once: BTreeSet<_> = documented.iter().cloned().collect();
    assert_eq!(documented.len(), once.len(), "a key stands twice");
    assert_eq!(once, all_keys());
}

#[test]
fn the_defaults_of_the_example_are_the_defaults() {
    let from_example = parse(&example_with(|line| line.marks == 1)).unwrap();
    let from_nothing = parse("").unwrap();
    let sections = |config: &Config| {
        let Config {
            node,
            database,
            exchange,
            listener,
            qualifier,
            planner,
            secrets,
            calendar,
            leases,
            retention_days,
            telemetry,
            http,
            ..
        } = config.clone();
        format!(
            "{node:#?} {database:#?} {exchange:#?} {listener:#?} {qualifier:#?} {planner:#?} {secrets:#?} {calendar:#?} {leases:#?} \
             {retention_days:#?} {telemetry:#?} {http:#?}"
        )
    };
    assert_eq!(sections(&from_example), sections(&from_nothing));
    // What has no default is not marked as one.
    let with_default: BTreeSet<_> =
        example_lines().into_iter().filter(|l| l.marks == 1).map(|l| l.dotted).collect();
    for key in ["database.url", "exchange.user", "planner.service_url", "planner.sla_calls_per_minute"] {
        assert!(!with_default.contains(key), "{key}");
    }
}

#[test]
fn the_example_with_everything_uncommented_can_be_read() {
    let secret_files = [
        "database.url_file",
        "exchange.password_file",
        "http.admin_token_file",
        "planner.client_certificate_password_file",
        "secrets.key",
        "secrets.key_file",
        "secrets.previous_key_files",
    ];
    let config = parse(&example_with(|line| !secret_files.contains(&line.dotted.as_str()))).unwrap();
    assert_eq!(config.planner.sla_calls_per_minute, Some(300));
    assert_eq!(config.telemetry.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));
}

#[test]
fn run_refuses_to_guess_and_says_everything_that_is_missing() {
    let error = parse("").unwrap().for_run().unwrap_err();
    let text = error.to_string();
    for part in [
        "database.url: is missing; write url = \"embedded\"",
        "exchange.service_url: is missing, and so is exchange.autodiscover_url",
        "exchange.user: is missing",
        "exchange.password: is missing; write password_file",
        "planner.service_url: is missing",
        "planner.jobcenter_number: is missing",
        "planner.request_user_identifier: is missing",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(parse("").unwrap().for_migrate().is_err());
    assert!(parse("[database]\nurl = \"postgres://u:p@db/k\"").unwrap().for_migrate().is_ok());
}

#[test]
fn each_role_needs_its_part_of_the_configuration_and_no_other() {
    let database = "[database]\nurl = \"embedded\"\n";
    let exchange = "[exchange]\nservice_url = \"https://mail.example.dk/EWS/Exchange.asmx\"\nuser = \"svc\"\n\
                    password = \"secret\"\n";
    let planner = "[planner]\nservice_url = \"https://planner.example/x\"\njobcenter_number = \"10100\"\n\
                   request_user_identifier = \"CVR:1\"\n";
    // roles, what is there, which sections are missing
    let cases: [(&str, &[&str], &[&str]); 7] = [
        ("\"listen\"", &[database, exchange], &[]),
        ("\"qualify\"", &[database, exchange], &[]),
        ("\"communicate\"", &[database, planner], &[]),
        ("\"communicate\", \"communicate\"", &[database, planner], &[]),
        ("\"listen\", \"qualify\"", &[database, planner], &["exchange."]),
        ("\"qualify\", \"communicate\"", &[database], &["exchange.", "planner."]),
        ("\"listen\"", &[exchange], &["database."]),
    ];
    for (roles, sections, missing) in cases {
        let text = format!("[node]\nroles = [{roles}]\n{}", sections.concat());
        let outcome = parse(&text).unwrap().for_run();
        if missing.is_empty() {
            let required = outcome.unwrap();
            assert_eq!(required.exchange.is_some(), sections.contains(&exchange), "{roles}");
            assert_eq!(required.planner.is_some(), sections.contains(&planner), "{roles}");
            continue;
        }
        let said = outcome.unwrap_err().to_string();
        for section in ["database.", "exchange.", "planner."] {
            let is_named = said.contains(&format!(": {section}"));
            assert_eq!(is_named, missing.contains(&section), "{roles}: {section} in\n{said}");
        }
    }
}

#[test]
fn roles_that_are_none_are_refused() {
    assert_eq!(parse("").unwrap().node.names(), ["listen", "qualify", "communicate"]);
    let unknown = problems(parse("[node]\nroles = [\"listen\", \"lisen\"]\n"));
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert!(unknown[0].starts_with("test.toml:2: node.roles[1]: "), "{unknown:?}");
    for name in ["listen", "qualify", "communicate"] {
        assert!(unknown[0].contains(name), "{unknown:?}");
    }
    let none = problems(parse("[node]\nroles = []\n"));
    assert_eq!(none, ["test.toml:2: node.roles: must name at least one of listen, qualify, communicate"]);
    let variable = "KOMMUNEKLIENT__NODE__ROLES";
    let set = parse_with("[node]\nroles = [\"listen\"]\n", &[(variable, "communicate, qualify")]).unwrap();
    assert_eq!(set.node.names(), ["qualify", "communicate"]);
    let wrong = problems(parse_with("", &[(variable, "planner")]));
    assert!(
        wrong[0].starts_with("environment variable KOMMUNEKLIENT__NODE__ROLES: node.roles[0]: "),
        "{wrong:?}"
    );
}

#[test]
fn every_problem_is_said_with_line_key_and_remedy() {
    let text = "\
[planner]
simultaneous_calls = 99
call_timeout = 10
jobcenter_number = 10100
resource_update_schedule = [\"01:00\", \"25:00\"]
max_calender_event_updates_per_call = 5

[calendar]
zone = \"Europe/Copenhavn\"
busy_statuses = []

[lisener]
";
    let unknown = format!("test.toml:12: lisener: is no known section; known are {}", SECTIONS.join(", "));
    assert_eq!(
        problems(parse(text)),
        [
            "test.toml:6: planner.max_calender_event_updates_per_call: is no known key; did you mean \
             max_calendar_event_updates_per_call?",
            "test.toml:3: planner.call_timeout: invalid type: integer `10`, expected a duration in quotes, like \
             \"10s\", from 100ms to 1h",
            "test.toml:4: planner.jobcenter_number: invalid type: integer `10100`, expected a text in quotes",
            "test.toml:5: planner.resource_update_schedule[1]: must be a time of day like \"02:00\", not \"25:00\"",
            &unknown,
            "test.toml:2: planner.simultaneous_calls: must lie from 1 to 10, not 99",
            "test.toml:9: calendar.zone: is no IANA time zone; write it like \"Europe/Copenhagen\" \
             (it is \"Europe/Copenhavn\")",
            "test.toml:10: calendar.busy_statuses: must not be empty: nothing would ever be sent",
        ]
    );
}

#[test]
fn a_section_that_is_a_value_and_a_value_that_is_a_section_are_said() {
    let said = problems(parse("http = 8080\n[planner.call_timeout]\nx = 1\n"));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter().any(|p| p == "test.toml:1: http: is a section; write [http] and its keys below"),
        "{said:?}"
    );
    assert!(
        said.iter().any(|p| p.starts_with("test.toml:2: planner.call_timeout: invalid type: map")),
        "{said:?}"
    );
}

#[test]
fn broken_toml_is_said_with_line_and_column_but_not_shown() {
    let error = parse("[exchange]\npassword = \"s3cret\nuser = \"x\"\n").unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(error.to_string().starts_with("test.toml:2:"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(format!("{:?}", error.exit_code()), format!("{:?}", std::process::ExitCode::from(2)));
}

#[test]
fn the_environment_replaces_values_and_takes_their_types() {
    let text = "[planner]\nsimultaneous_calls = 3\n";
    let config = parse_with(
        text,
        &[
            ("KOMMUNEKLIENT__PLANNER__SERVICE_URL", "http://127.0.0.1:1/x"),
            ("KOMMUNEKLIENT__PLANNER__JOBCENTER_NUMBER", "10100"),
            ("KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS", "7"),
            ("KOMMUNEKLIENT__PLANNER__SLA_CALLS_PER_MINUTE", "60"),
            ("KOMMUNEKLIENT__PLANNER__CALL_TIMEOUT", "1m30s"),
            ("KOMMUNEKLIENT__PLANNER__RESOURCE_UPDATE_SCHEDULE", "01:00; 13:30"),
            ("KOMMUNEKLIENT__PLANNER__UPDATE_RESOURCES_AT_STARTUP", "false"),
            ("KOMMUNEKLIENT__CALENDAR__BUSY_STATUSES", "[\"Busy\", \"OOF\"]"),
            ("KOMMUNEKLIENT__TELEMETRY__LOG_FORMAT", "json"),
            ("KOMMUNEKLIENT__TELEMETRY__TRACE_SAMPLE_RATIO", "0.5"),
            ("KOMMUNEKLIENT__HTTP__LISTEN", "127.0.0.1:0"),
            ("KOMMUNEKLIENT__EXCHANGE__PASSWORD", "123456"),
            ("KOMMUNEKLIENT__LEASES__TTL", "30s"),
            ("KOMMUNEKLIENT_CONFIG", "not one of ours"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.planner.service_url.unwrap().as_str(), "http://127.0.0.1:1/x");
    assert_eq!(config.planner.jobcenter_number.as_deref(), Some("10100"));
    assert_eq!(config.planner.simultaneous_calls, 7);
    assert_eq!(config.planner.sla_calls_per_minute, Some(60));
    assert_eq!(config.planner.call_timeout, HumanDuration::seconds(90));
    assert_eq!(config.planner.resource_update_schedule, [DailyTime::at(1, 0), DailyTime::at(13, 30)]);
    assert!(!config.planner.update_resources_at_startup);
    assert_eq!(config.calendar.busy_statuses, ["Busy", "OOF"]);
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(config.telemetry.trace_sample_ratio, 0.5);
    assert_eq!(config.http.listen.port(), 0);
    assert_eq!(config.exchange.password.unwrap().expose_secret(), "123456");
    assert_eq!(config.leases.ttl, HumanDuration::seconds(30));
}

#[test]
fn what_is_wrong_in_the_environment_is_said_with_its_variable() {
    let said = problems(parse_with(
        "[planner]\nsimultaneous_calls = 3\n",
        &[
            ("KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS", "many"),
            ("KOMMUNEKLIENT__QUALIFIER__SHARDS", "-1"),
            ("KOMMUNEKLIENT__LEASES__TTL", "2s"),
            ("KOMMUNEKLIENT__PLANNER__SERVICEURL", "http://x"),
            ("KOMMUNEKLIENT__PLANER__SERVICE_URL", "http://x"),
            ("KOMMUNEKLIENT__PLANNER", "x"),
            ("KOMMUNEKLIENT__A__B__C", "x"),
        ],
    ));
    let variable = "environment variable KOMMUNEKLIENT__";
    for part in [
        "PLANNER__SIMULTANEOUS_CALLS: planner.simultaneous_calls: must be a whole number, from 1 to 10 (it is \"many\")",
        "QUALIFIER__SHARDS: qualifier.shards: invalid value: integer `-1`, expected a whole number, from 1 to 64",
        "PLANNER__SERVICEURL: planner.serviceurl: is no known key; did you mean service_url?",
        "PLANNER: planner: names no value; write KOMMUNEKLIENT__<SECTION>__<KEY>, like KOMMUNEKLIENT__PLANNER__SERVICE_URL",
        "A__B__C: a.b.c: names no value; write KOMMUNEKLIENT__<SECTION>__<KEY>, like KOMMUNEKLIENT__PLANNER__SERVICE_URL",
    ] {
        assert!(said.contains(&format!("{variable}{part}")), "{part} is missing in {said:#?}");
    }
    let section = format!("{variable}PLANER__SERVICE_URL: planer: is no known section");
    assert!(said.iter().any(|problem| problem.starts_with(&section)), "{said:#?}");
    // The variable made the default of another key impossible.
    assert!(
        said.contains(&"test.toml: leases.renew: must be at most a third of ttl (2s)".to_owned()),
        "{said:#?}"
    );
    assert_eq!(said.len(), 7, "{said:#?}");
}

#[test]
fn addresses_are_checked() {
    for (wrong, reason) in [
        ("ftp://host/x", "must begin with https://"),
        ("mail.example.dk/EWS", "relative URL without a base"),
        ("https://user:pw@host/x", "must not hold a user or password"),
    ] {
        let said = problems(parse(&format!("[planner]\nservice_url = \"{wrong}\"\n")));
        assert!(said[0].contains(reason), "{wrong}: {said:?}");
    }
    let said =
        problems(parse("[telemetry]\notlp_endpoint = \"jaeger:4317\"\nlog_filter = \"info,x=loud\"\n"));
    assert!(said[0].contains("http://127.0.0.1:4317") && said[1].contains("log filter"), "{said:?}");
    let said = problems(parse("[http]\nlisten = \"localhost:80\"\n"));
    assert_eq!(
        said,
        [
            "test.toml:2: http.listen: must be an address in numbers and a port, like \"127.0.0.1:8080\" (it is \"localhost:80\")"
        ]
    );
    let said = problems(parse("[exchange]\nservice_url = \"https://u:s3cret@a b/\"\n"));
    assert!(
        said[0].contains("exchange.service_url: is no address") && !said[0].contains("s3cret"),
        "{said:?}"
    );
}

#[test]
fn limits_that_exclude_each_other_are_said() {
    for (text, part) in [
        (
            "[qualifier]\ncoalesce_quiet = \"6s\"\n",
            "coalesce_at_most: must not be shorter than coalesce_quiet (6s)",
        ),
        ("[planner]\nretry_initial = \"2m\"\n", "retry_cap: must not be shorter than retry_initial (2m)"),
        ("[planner]\nsla_events_per_minute = 5\n", "a full call could never be sent"),
        ("[planner]\nclient_key = \"k.pem\"\n", "client_key go together: give both or neither"),
        ("[exchange]\nserver_version = \"Exchange2007\"\n", "must be one of Exchange2010_SP1"),
        ("[exchange]\nexchange_connection_timeout = 31\n", "must lie from 1 to 30, not 31"),
        ("[exchange]\nexchange_connection_timeout = 0\n", "must lie from 1 to 30, not 0"),
        ("[qualifier]\nshards = 65\n", "must lie from 1 to 64, not 65"),
        ("[listener]\nmailboxes_per_subscription_group = 201\n", "must lie from 1 to 200, not 201"),
    ] {
        let said = problems(parse(text));
        assert!(said.len() == 1 && said[0].contains(part), "{text}: {said:?}");
    }
}

#[test]
fn a_window_of_no_month_or_of_a_thousand_is_refused_with_its_limits() {
    for months in ["0", "25", "1000", "100000"] {
        let found = problems(parse(&format!("[calendar]\ncalendar_events_period_in_months = {months}\n")));
        let told = format!(
            "test.toml:2: calendar.calendar_events_period_in_months: must lie from 1 to 24, not {months}"
        );
        assert_eq!(found, [told]);
    }
    for months in [1, 24] {
        let text = format!("[calendar]\ncalendar_events_period_in_months = {months}\n");
        assert_eq!(parse(&text).unwrap().calendar.calendar_events_period_in_months, months);
    }
}

#[test]
fn plain_http_beyond_this_machine_is_warned_about() {
    let config = parse(
        "[exchange]\nservice_url = \"http://mail.example.dk/x\"\n[planner]\nservice_url = \"http://127.0.0.1:1/x\"\n",
    )
    .unwrap();
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("exchange.service_url is plain http"), "{warnings:?}");
    assert_eq!(config.exchange.tls().roots, trust::Roots::Nobody);
}

#[test]
fn tls_follows_the_settings() {
    let text = "[planner]\nservice_url = \"https://planner/x\"\nroot_certificates = \"r.pem\"\n\
                client_certificate = \"c.pem\"\nclient_key = \"k.pem\"\n\
                [exchange]\nautodiscover_url = \"https://mail/x\"\n";
    let config = parse(text).unwrap();
    assert_eq!(config.exchange.tls(), trust::ClientTls::default());
    let tls = config.planner.tls();
    assert_eq!(tls.roots, trust::Roots::Only("r.pem".into()));
    let files = trust::CertificateFiles::Pem { certificate: "c.pem".into(), key: "k.pem".into() };
    assert_eq!(tls.certificate.unwrap().files, files);
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let error = Config::load(Path::new("/nowhere/kommuneklient.toml")).unwrap_err();
    let text = ::telemetry::chain(&error).to_string();
    assert!(
        text.starts_with("cannot read the configuration /nowhere/kommuneklient.toml: No such file"),
        "{text}"
    );
}

proptest! {
    /// Whatever stands in the file and the environment: an answer, never a panic.
    #[test]
    fn no_text_panics(text in "(\\[(planner|exchange|http|[a-z]{1,4})\\]\n|[a-z_]{1,12} = (\"\\PC{0,8}\"|[0-9.:-]{1,8}|\\[.{0,6}\\])\n|.{0,8}\n){0,8}",
                      key in "[A-Z_]{0,20}", value in "\\PC{0,20}") {
        let environment = [(format!("{ENVIRONMENT_PREFIX}{key}"), value)];
        let _either = Config::parse(&file(), &text, environment);
    }
}

#[test]
fn a_schedule_without_a_time_is_refused() {
    for (section, key) in [
        ("planner", "resource_update_schedule"),
        ("planner", "calendar_synchronization_schedule"),
        ("qualifier", "full_appointment_pull_schedule"),
    ] {
        let found = problems(parse(&format!("[{section}]\n{key} = []\n")));
        let reason = "needs at least one time of day, like [\"02:00\"]";
        assert_eq!(found, [format!("test.toml:2: {section}.{key}: {reason}")]);
        for text in ["25:00", "24:00", "1:00", "01:60", "", "01:00:00"] {
            let found = problems(parse(&format!("[{section}]\n{key} = [\"{text}\"]\n")));
            // (and not that there is none, besides)
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(&format!("{key}[0]: must be a time of day")), "{found:?}");
        }
    }
}

#[test]
fn the_mass_delete_guard_has_limits() {
    assert_eq!(parse("").unwrap().calendar.guard(), ::calendar::guard::GuardLimits::DEFAULT);
    let config = parse("[calendar]\nmass_delete_guard_count = 0\nmass_delete_guard_percent = 25\n").unwrap();
    assert_eq!((config.calendar.guard().count, config.calendar.guard().percent), (0, 25));
    let found =
        problems(parse("[calendar]\nmass_delete_guard_count = -1\nmass_delete_guard_percent = 101\n"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].contains("mass_delete_guard_percent: must lie from 0 to 100, not 101"), "{found:?}");
}

#[test]
fn the_limits_of_sending_are_checked() {
    for (line, expected) in [
        ("attempts_max = 0", "attempts_max"),
        ("attempts_max = 10001", "attempts_max"),
        // within 15 minutes, says the rule
        ("compare_after_unknown_outcome = \"16m\"", "compare_after_unknown_outcome"),
        // by its former name
        ("adopt_after_unknown_outcome = \"16m\"", "planner.compare_after_unknown_outcome"),
        ("simultaneous_calls = 11", "simultaneous_calls"),
        ("sla_events_per_minute = 19", "a full call could never be sent"),
    ] {
        let found = problems(parse(&format!("[planner]\n{line}\n")));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{line}: {found:?}");
    }
    parse("[planner]\nattempts_max = 1\nadopt_after_unknown_outcome = \"15m\"\n").unwrap();
}

#[test]
fn nothing_is_kept_for_no_time_or_for_ever() {
    let found = problems(parse("[retention_days]\nsync_log = 0\napplication_log = 40000\n"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|problem| problem.contains("1 to 36500")), "{found:?}");
    assert_eq!(parse("").unwrap().retention_days.calendar_event, 90);
}

#[test]
fn certificates_go_together_or_are_refused_by_name() {
    let problems =
        |text: &str| match parse(&format!("[planner]\nservice_url = \"https://planner/x\"\n{text}")) {
            Err(ServiceError::Configuration { problems, .. }) => {
                problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            Ok(_) => String::new(),
            Err(other) => panic!("{other}"),
        };
    let pkcs12 = "client_certificate = \"c.p12\"\nclient_certificate_password_file = \"p\"\n";
    let fingerprint =
        "server_pins = [\"SHA256:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"]\n";
    for good in [
        "client_certificate = \"c.pem\"\nclient_key = \"k.pem\"\n".to_owned(),
        pkcs12.to_owned(),
        format!("{pkcs12}security = \"mtls+wss\"\nanswer_certificates = \"a.pem\"\n"),
        fingerprint.to_owned(),
    ] {
        assert_eq!(problems(&good), "", "{good}");
    }
    for (bad, words) in [
        ("client_certificate = \"c.pem\"\n", "client_certificate: and client_key go together"),
        ("client_key = \"k.pem\"\n", "client_certificate: and client_key go together"),
        ("client_certificate = \"c.pfx\"\nclient_key = \"k.pem\"\n", "holds its key"),
        (
            "client_certificate_password = \"x\"\nclient_certificate_password_file = \"p\"\n",
            "exclude each other",
        ),
        ("server_pins = [\"0011\"]\n", "server_pins: is no SHA-256 fingerprint"),
        ("security = \"mtls+wss\"\n", "answer_certificates: is missing"),
        ("security = \"none\"\n", "security"),
        ("clock_tolerance = \"16m\"\n", "clock_tolerance"),
    ] {
        let found = problems(bad);
        assert!(found.contains(words), "{bad}: {found}");
    }
    let config =
        parse(&format!("[planner]\nservice_url = \"https://planner/x\"\n{pkcs12}{fingerprint}")).unwrap();
    let tls = config.planner.tls();
    assert_eq!(tls.certificate.unwrap().files, trust::CertificateFiles::Pkcs12 { file: "c.p12".into() });
    assert_eq!((tls.pins.fingerprints.len(), tls.roots), (1, trust::Roots::System));
    assert_eq!(config.planner.message_security(), connector_planner::Security::Mtls);
}

#[test]
fn https_to_planner_without_a_certificate_is_warned_about() {
    let said = |text: &str| parse(text).unwrap().warnings().join("\n");
    let url = "[planner]\nservice_url = \"https://planner.example/x\"\n";
    assert!(said(url).contains("client_certificate is not set"), "{}", said(url));
    let with = format!("{url}client_certificate = \"c.pem\"\nclient_key = \"k.pem\"\n");
    assert_eq!(said(&with), "");
    assert_eq!(said("[planner]\nservice_url = \"http://127.0.0.1:1/x\"\n"), "");
}
