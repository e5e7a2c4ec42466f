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
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("exchange.password is the placeholder"), "{warnings:?}");
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
fn secrets_come_from_files_and_never_stand_in_errors() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "s3cret with blanks \n").unwrap();
    let text = format!("[exchange]\npassword_file = {:?}\n", path.to_str().unwrap());
    let config = parse(&text).unwrap();
    assert_eq!(config.exchange.password.as_ref().unwrap().expose_secret(), "s3cret with blanks ");
    assert!(!format!("{config:?}").contains("s3cret"));

    let both = problems(parse(&format!("{text}password = \"s3cret\"\n")));
    assert_eq!(
        both,
        ["test.toml:2: exchange.password_file: is given together with password; remove one of them"]
    );

    // Between file and environment the environment wins, as with every value.
    let config = parse_with(&text, &[("KOMMUNEKLIENT__EXCHANGE__PASSWORD", "other")]).unwrap();
    assert_eq!(config.exchange.password.unwrap().expose_secret(), "other");
    let text_outright = "[exchange]\npassword = \"outright\"\n";
    let variable = [("KOMMUNEKLIENT__EXCHANGE__PASSWORD_FILE", path.to_str().unwrap())];
    let config = parse_with(text_outright, &variable).unwrap();
    assert_eq!(config.exchange.password.unwrap().expose_secret(), "s3cret with blanks ");

    let missing = problems(parse("[database]\nurl_file = \"/nowhere/at/all\"\n"));
    assert!(
        missing[0].starts_with("test.toml:2: database.url_file: cannot read /nowhere/at/all: "),
        "{missing:?}"
    );

    fs::write(&path, "\n").unwrap();
    assert!(problems(parse(&text))[0].ends_with("is empty"));
    fs::write(&path, "two\nlines\n").unwrap();
    assert!(problems(parse(&text))[0].ends_with("has more than one line"));

    for wrong in ["password = 314159", "password = true", "password = 3.14159", "password = [\"314159\"]"] {
        let said = problems(parse(&format!("[exchange]\n{wrong}\n")));
        assert!(
            said[0].starts_with("test.toml:2: exchange.password: ") && !said[0].contains("14159"),
            "{said:?}"
        );
    }
    let said = problems(parse("[database]\nurl = \"mysql://u:s3cret@host/d\"\n"));
    assert_eq!(said, ["test.toml:2: database.url: must be \"embedded\" or begin with postgres://"]);
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
    assert_eq!(tls.roots, trust::Roots::SystemAnd("r.pem".into()));
    assert_eq!(tls.client_certificate.unwrap().key_pem, PathBuf::from("k.pem"));
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
fn sealing_keys_are_read_and_checked() {
    let folder = TempDir::new().unwrap();
    let (new, old) = (folder.path().join("new.key"), folder.path().join("old.key"));
    for file in [&new, &old] {
        trust::seal::SealingKey::generate().unwrap().write_new(file).unwrap();
    }
    let both = format!("[secrets]\nkey_file = {new:?}\nprevious_key_files = [{old:?}]\n");
    let config = parse(&both).unwrap();
    assert_eq!(config.secrets.ring().unwrap().ids().count(), 2);
    assert_eq!(config.secrets.exposed(), []);
    // the environment wins, and takes the place of the file
    let text = fs::read_to_string(&old).unwrap();
    let config = parse_with(&both, &[("KOMMUNEKLIENT__SECRETS__KEY", text.trim())]).unwrap();
    assert_eq!(config.secrets.ring().unwrap().ids().count(), 1, "the same key counts once");
    // a key that others can read works and is told
    fs::set_permissions(&old, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(
        parse(&both).unwrap().secrets.exposed(),
        [(old.clone(), "every user of this machine can read it")]
    );
    assert!(!format!("{:?}", parse(&both).unwrap()).contains(text.trim()), "a key is shown");

    for (wrong, told) in [
        ("key = \"hunter2-hunter2\"", "secrets.key: it holds no sealing key"),
        (
            "key_file = \"/nowhere/a.key\"",
            "secrets.key_file: cannot read a sealing key from /nowhere/a.key: ",
        ),
        (
            "previous_key_files = [\"/nowhere/a.key\"]",
            "secrets.previous_key_files: is given without key_file",
        ),
        ("key = \"a\"\nkey_file = \"b\"", "secrets.key_file: is given together with key"),
        ("key = 5", "secrets.key: must be a text in quotes"),
    ] {
        let said = problems(parse(&format!("[secrets]\n{wrong}\n")));
        assert!(said.len() == 1 && said[0].contains(told), "{wrong}: {said:?}");
        assert!(!said[0].contains("hunter2"), "{said:?}");
    }
}

#[test]
fn a_sealing_key_makes_the_account_of_the_configuration_needless() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("a.key");
    trust::seal::SealingKey::generate().unwrap().write_new(&key).unwrap();
    let without = example_with(|line| {
        line.marks == 0 && !["exchange.user", "exchange.password"].contains(&line.dotted.as_str())
    });
    assert!(
        parse(&without).unwrap().for_run().unwrap_err().to_string().contains("exchange.user: is missing")
    );
    let with_key = without.replace("[secrets]\n", &format!("[secrets]\nkey_file = {key:?}\n"));
    assert!(parse(&with_key).unwrap().for_run().unwrap().exchange.is_none());
    // one half of an account is still a mistake
    let half = with_key.replace("[exchange]", "[exchange]\nuser = \"svc\"");
    assert!(
        parse(&half).unwrap().for_run().unwrap_err().to_string().contains("exchange.password: is missing")
    );
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
fn an_admin_token_that_could_be_guessed_is_refused_and_never_shown() {
    let short = problems(parse("[http]\nadmin_token = \"marked-short-token\"\n"));
    assert_eq!(short.len(), 1);
    assert!(short[0].contains("http.admin_token: must be at least 32"), "{short:?}");
    assert!(!short[0].contains("marked"), "{short:?}");
    assert_eq!(problems(parse("[http]\nadmin_token = \"0123456789abcdef 0123456789abcdef\"\n")).len(), 1);
    let good =
        parse("[http]\nlisten = \"0.0.0.0:8080\"\nadmin_token = \"0123456789abcdef0123456789abcdef\"\n")
            .unwrap();
    assert!(good.warnings().iter().any(|warning| warning.contains("http.listen is not loopback")));
    assert!(!format!("{good:?}").contains("0123456789abcdef"));
}

#[test]
fn nothing_is_kept_for_no_time_or_for_ever() {
    let found = problems(parse("[retention_days]\nsync_log = 0\napplication_log = 40000\n"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|problem| problem.contains("1 to 36500")), "{found:?}");
    assert_eq!(parse("").unwrap().retention_days.calendar_event, 90);
}
