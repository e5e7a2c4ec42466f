//! Goal: whoever operates the program is told what is wrong, where, and what to write instead, by a message and
//! the exit status 2; and every command explains itself. Method: the program as a process with an environment
//! of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; helpers outside #[test] too")]

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::scene::quote;
use kommuneklient::demo::http::Admin;
use kommuneklient::demo::world::Process;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

/// What `run` needs, but for the section `[database]`; connects to nothing that exists.
const REST: &str = r#"
[exchange]
service_url = "http://127.0.0.1:1/EWS/Exchange.asmx"
user = "svc"
password = "marked-password-0d3e"
[planner]
service_url = "http://127.0.0.1:1/planner.svc"
jobcenter_number = "10100"
request_user_identifier = "CVR:12345678-UUID:00000000-0000-4000-8000-000000000000"
"#;

struct Ended {
    status: i32,
    out: String,
    err: String,
}

/// Runs the program to its end.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output =
        Command::new(PROGRAM).args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn file(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("kommuneklient.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The codes with which `run` says that no stage starts, and that the service ends (B13).
const NOT_STARTED: [u16; 4] = [1901, 2902, 3902, 9301];

/// Takes the log off what `run` wrote to standard error: its coded events, and what follows.
fn split_log(err: &str) -> (Vec<(u16, &str)>, &str) {
    let at = err.find("\nerror: ").map_or(0, |at| at + 1);
    let code = |line: &str| line.split_once(" event_id=")?.1.split_whitespace().next()?.parse().ok();
    (err[..at].lines().map(|line| (code(line).unwrap_or(0), line)).collect(), &err[at..])
}

/// Asserts that `run` and `config check` both refuse the configuration with status 2 and say all of `words`, and that `run` raises
/// the codes for it, each with the file and the first of `words`, or, where several settings are wrong, one of them.
fn assert_refused(text: &str, environment: &[(&str, &str)], words: &[&str]) {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, text);
    for arguments in [&["run", "--config", &path][..], &["config", "check", &path]] {
        let ended = run(arguments, environment);
        assert_eq!((ended.status, ended.out.as_str()), (2, ""), "{arguments:?} with\n{text}\n{}", ended.err);
        let (log, message) = split_log(&ended.err);
        assert!(message.starts_with("error: "), "{}", ended.err);
        assert!(message.contains(&path), "the file is not named: {}", ended.err);
        for word in words {
            assert!(message.contains(word), "{word:?} is missing in\n{}", ended.err);
        }
        let raised: Vec<_> = log.iter().map(|(code, _)| *code).collect();
        assert_eq!(raised, if arguments[0] == "run" { &NOT_STARTED[..] } else { &[] }, "{}", ended.err);
        for (code, line) in log {
            // (a value with quotes in it is written with them escaped)
            let line = line.replace("\\\"", "\"");
            let is_told = words.is_empty() || words.iter().any(|word| line.contains(word));
            assert!(line.contains(&path) && is_told, "{code} does not say what is wrong: {line}");
        }
        assert!(!ended.err.contains("marked-password"), "{}", ended.err);
    }
}

#[test]
fn every_mistake_in_the_file_is_refused_with_its_place() {
    let with = |more: &str| format!("[database]\nurl = \"postgres://127.0.0.1:1/k\"\n{REST}{more}");
    // (what is appended to a good file, where and what the message must say)
    for (more, words) in [
        (
            "service_ulr = \"http://x\"\n",
            &[":12: planner.service_ulr: is no known key; did you mean service_url?"][..],
        ),
        ("[planer]\nclient_name = \"x\"\n", &[":12: planer: is no known section; known are "]),
        ("simultaneous_calls = \"many\"\n", &[":12: planner.simultaneous_calls: "]),
        ("simultaneous_calls = 11\n", &[":12: planner.simultaneous_calls: ", "10"]),
        ("call_timeout = \"soon\"\n", &[":12: planner.call_timeout: "]),
        ("retry_initial = \"5s\"\nretry_cap = \"1s\"\n", &["planner.retry_cap: must not be shorter"]),
        ("[calendar]\nzone = \"Europe/Nowhere\"\n", &[":13: calendar.zone: "]),
        (
            "[calendar]\nbusy_statuses = [\"Bussy\"]\n",
            &[":13: calendar.busy_statuses[0]: must be one of Free, Tentative, Busy"],
        ),
        ("[telemetry]\nlog_filter = \"=\"\n", &[":13: telemetry.log_filter: "]),
        ("[http]\nlisten = \"everywhere\"\n", &[":13: http.listen: "]),
        ("[qualifier]\nshards = 0\n[leases]\nttl = 5\n", &[":13: qualifier.shards: ", ":15: leases.ttl: "]),
    ] {
        assert_refused(&with(more), &[], words);
    }
}

/// Bad input: "schedules like `25:00` or an empty list; a months value of 0 or 1000". An empty list does not mean "never".
#[test]
fn schedules_and_months_that_cannot_be_are_refused_with_what_to_write() {
    let with = |section: &str, line: &str| {
        format!("[database]\nurl = \"postgres://127.0.0.1:1/k\"\n{REST}[{section}]\n{line}\n")
    };
    // (a section of its own behind that of planner, whose last line is the eleventh)
    for times in ["[\"25:00\"]", "[\"02:00\", \"25:00\"]"] {
        let number = times.matches(',').count();
        let told = format!(
            ":13: qualifier.full_appointment_pull_schedule[{number}]: must be a time of day like \"02:00\", not \"25:00\""
        );
        let line = format!("full_appointment_pull_schedule = {times}");
        assert_refused(&with("qualifier", &line), &[], &[&told]);
    }
    let none =
        ":13: qualifier.full_appointment_pull_schedule: needs at least one time of day, like [\"02:00\"]";
    assert_refused(&with("qualifier", "full_appointment_pull_schedule = []"), &[], &[none]);
    for months in [0, 1_000] {
        let told =
            format!(":13: calendar.calendar_events_period_in_months: must lie from 1 to 24, not {months}");
        let line = format!("calendar_events_period_in_months = {months}");
        assert_refused(&with("calendar", &line), &[], &[&told]);
    }
}

/// Where and how a configuration that cannot be used is told is what it says itself, as far as it can be read; and of the stages
/// only those that were to start.
#[test]
fn what_is_wrong_is_told_where_the_log_goes() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("k.log");
    let text = format!(
        "[database]\nurl = \"oracle\"\n{REST}simultaneous_calls = 11\n[telemetry]\nlog_format = \"json\"\nlog_file = {}\n",
        quote(log.to_str().unwrap())
    );
    let path = file(&folder, &text);
    let ended = run(&["run", "--config", &path, "--roles", "communicate"], &[]);
    assert_eq!(ended.status, 2, "{}", ended.err);
    assert!(ended.err.starts_with("error: "), "{}", ended.err);
    let told = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = lines.iter().map(|line| line["event_id"].as_u64().unwrap()).collect();
    assert_eq!(codes, [3902, 9301], "{told}");
    let first = lines[0]["fields"]["error"].as_str().unwrap();
    assert!(first.contains(":2: database.url: must be") && first.ends_with("(and 1 more)"), "{first}");
    let all = lines[1]["fields"]["error"].as_str().unwrap();
    assert!(all.contains(":2: database.url: ") && all.contains("planner.simultaneous_calls: "), "{all}");
    assert!(!told.contains("marked-password"), "{told}");

    // no TOML, and no file at all: what the environment says counts
    fs::write(&path, "[database\n").unwrap();
    let json = [("KOMMUNEKLIENT__TELEMETRY__LOG_FORMAT", "json")];
    for path in [path, folder.path().join("none.toml").to_str().unwrap().to_owned()] {
        let ended = run(&["run", "--config", &path], &json);
        let (log, message) = split_log(&ended.err);
        assert_eq!((ended.status, log.len()), (2, NOT_STARTED.len()), "{}", ended.err);
        for ((_, line), code) in log.iter().zip(NOT_STARTED) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["event_id"], code, "{line}");
            assert!(line["fields"]["error"].as_str().unwrap().contains(&path), "{line}");
        }
        assert!(message.starts_with("error: "), "{}", ended.err);
    }
}

#[test]
fn the_good_file_is_good() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &format!("[database]\nurl = \"postgres://127.0.0.1:1/k\"\n{REST}"));
    let ended = run(&["config", "check", &path], &[]);
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    assert!(ended.out.ends_with(&format!("\n{path} is usable\n")), "{}", ended.out);
    assert!(!ended.out.contains("marked-password"), "{}", ended.out);
}

/// Regression: the warnings of `config check` were in Danish, and the rest in English.
#[test]
fn a_check_speaks_one_language() {
    let folder = TempDir::new().unwrap();
    let path =
        file(&folder, &format!("[database]\nurl = \"postgres://127.0.0.1:1/k\"\n{REST}dry_run = true\n"));
    let english = run(&["config", "check", &path], &[]);
    assert!(
        english.out.contains("warning: planner.dry_run is true: everything is decided"),
        "{}",
        english.out
    );
    let danish = run(&["config", "check", &path, "--language", "da"], &[("LANG", "da_DK.UTF-8")]);
    assert_eq!((danish.status, danish.out), (0, english.out));
}

#[test]
fn run_refuses_to_guess_a_database() {
    assert_refused(REST, &[], &["database.url: is missing; write url = \"embedded\""]);
    assert_refused(
        &format!("[database]\ndata_dir = \"/var/lib/x\"\n{REST}"),
        &[],
        &[":1: database.url: is missing"],
    );
    assert_refused(&format!("[database]\nurl = \"oracle\"\n{REST}"), &[], &[":2: database.url: must be"]);
}

#[test]
fn two_places_for_one_secret_are_refused() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("url");
    fs::write(&secret, "postgres://u:marked-password@127.0.0.1:1/k\n").unwrap();
    let quoted = quote(secret.to_str().unwrap());
    let both = format!("[database]\nurl = \"embedded\"\nurl_file = {quoted}\n{REST}");
    assert_refused(&both, &[], &[":3: database.url_file: is given together with url"]);
    let missing = format!("[database]\nurl_file = \"/nowhere/url\"\n{REST}");
    assert_refused(&missing, &[], &[":2: database.url_file: cannot read /nowhere/url: No such file"]);
    fs::write(&secret, "").unwrap();
    assert_refused(
        &format!("[database]\nurl_file = {quoted}\n{REST}"),
        &[],
        &[":2: database.url_file: ", "is empty"],
    );
}

#[test]
fn a_secret_of_the_wrong_type_is_not_shown() {
    let text = "[database]\nurl = \"embedded\"\n[exchange]\npassword = 90210777\n";
    let folder = TempDir::new().unwrap();
    let ended = run(&["config", "check", &file(&folder, text)], &[]);
    assert_eq!(ended.status, 2);
    assert!(ended.err.contains(":4: exchange.password: must be a text in quotes"), "{}", ended.err);
    assert!(!ended.err.contains("90210777"), "{}", ended.err);
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_line_and_column() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "[exchange]\npassword = \"marked-password-0d3e\nuser = \"x\"\n");
    let ended = run(&["run", "--config", &path], &[]);
    assert_eq!((ended.status, ended.out.as_str()), (2, ""));
    let (log, message) = split_log(&ended.err);
    assert!(message.starts_with(&format!("error: {path}:2:")), "{}", ended.err);
    assert_eq!(log.iter().map(|(code, _)| *code).collect::<Vec<_>>(), NOT_STARTED, "{}", ended.err);
    assert!(!ended.err.contains("marked-password"), "{}", ended.err);
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let folder = TempDir::new().unwrap();
    let not_utf8 = folder.path().join("latin1.toml");
    fs::write(&not_utf8, b"[planner]\nclient_name = \"\xe6\xf8\xe5\"\n").unwrap();
    for (path, reason) in [
        (Path::new("/nowhere/at/all.toml"), "No such file"),
        (folder.path(), "Is a directory"),
        (&*not_utf8, "UTF-8"),
    ] {
        let path = path.to_str().unwrap();
        let ended = run(&["run", "--config", path], &[]);
        assert_eq!((ended.status, ended.out.as_str()), (2, ""), "{path}");
        assert!(ended.err.contains(&format!("cannot read the configuration {path}")), "{}", ended.err);
        assert!(ended.err.contains(reason), "{}", ended.err);
    }
}

#[test]
fn mistakes_in_the_environment_are_named_by_their_variable() {
    let good = format!("[database]\nurl = \"postgres://127.0.0.1:1/k\"\n{REST}");
    for (name, value, word) in [
        (
            "KOMMUNEKLIENT__PLANNER__SERVICE_ULR",
            "x",
            "planner.service_ulr: is no known key; did you mean service_url?",
        ),
        ("KOMMUNEKLIENT__PLANER__SERVICE_URL", "x", "planer: is no known section"),
        (
            "KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS",
            "many",
            "planner.simultaneous_calls: must be a whole number",
        ),
        ("KOMMUNEKLIENT__QUALIFIER__MAKE_FULL_CALENDAR_PULL_AT_STARTUP", "perhaps", "must be true or false"),
        ("KOMMUNEKLIENT__PLANNER", "x", "names no value; write KOMMUNEKLIENT__<SECTION>__<KEY>"),
    ] {
        assert_refused(&good, &[(name, value)], &[name, word]);
    }
}

#[test]
fn wrong_usage_ends_with_status_2() {
    for arguments in
        [&["walk"][..], &["run"], &["migrate"], &["simulate"], &["simulate", "exchange", "--listen", "x"]]
    {
        let ended = run(arguments, &[]);
        assert_eq!((ended.status, ended.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ended.err.contains("Usage:") || ended.err.contains("invalid value"), "{}", ended.err);
    }
}

#[test]
fn every_command_explains_itself() {
    for (command, words) in [
        (
            &[][..],
            &["Examples:", "Exit status: 0 done, 1 failed, 2 wrong", "KOMMUNEKLIENT__PLANNER__SERVICE_URL"][..],
        ),
        (&["run"], &["--config <FILE>", "database.url", "/health/ready", "SIGTERM"]),
        (&["migrate"], &["--config <FILE>", "schema"]),
        (&["config"], &["check"]),
        (&["config", "check"], &["<FILE>", "every problem"]),
        (&["simulate"], &["exchange", "planner"]),
        (
            &["simulate", "exchange"],
            &[
                "--listen",
                "--mailboxes",
                "--domain",
                "--user",
                "--password",
                "/EWS/Exchange.asmx",
                "listening",
            ],
        ),
        (
            &["simulate", "planner"],
            &[
                "--listen",
                "--jobcenter",
                "--mailboxes",
                "--domain",
                "PlannerExternalCalendarService.svc",
                "?wsdl",
                "listening",
            ],
        ),
        (
            &["demo"],
            &[
                "--mailboxes",
                "--changes-per-second",
                "--seconds",
                "--faults",
                "--calendars",
                "--capture",
                "--json",
                "Examples:",
            ],
        ),
    ] {
        let ended = run(&[command, &["--help"]].concat(), &[]);
        assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{command:?}");
        for word in words.iter().chain(&["Usage:"]) {
            assert!(
                ended.out.contains(word),
                "{word:?} is missing in the help of {command:?}:\n{}",
                ended.out
            );
        }
    }
    assert_eq!(run(&["--version"], &[]).status, 0);
}

/// The whole answer to whether a schema was brought up to date, also by two at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrate_can_run_at_any_time_and_twice() {
    let database = store::testing::database().await;
    let client = database.store.client("make an empty database").await.unwrap();
    let name: String =
        client.query_one("select current_database()::text || '_empty'", &[]).await.unwrap().get(0);
    client.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = format!("{}_empty", database.url.expose_secret());
    let folder = TempDir::new().unwrap();
    let path = file(&folder, &format!("[database]\nurl = {}\n", quote(&url)));
    let migrate = || {
        let path = path.clone();
        tokio::task::spawn_blocking(move || run(&["migrate", "--config", &path], &[]))
    };
    let (one, other) = tokio::join!(migrate(), migrate());
    let mut outs = [one.unwrap(), other.unwrap()].map(|ended| {
        assert_eq!((ended.status, ended.err.as_str()), (0, ""));
        ended.out
    });
    outs.sort();
    assert!(outs[0].starts_with("applied V1__init"), "{outs:?}");
    assert_eq!(outs[1], "the schema is up to date\n");
    let again = migrate().await.unwrap();
    assert_eq!((again.status, again.out.as_str()), (0, "the schema is up to date\n"));
    client.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulators_say_that_they_listen_and_end_in_order() {
    trust::install_provider();
    let folder = TempDir::new().unwrap();
    let words = |text: &str| text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    let exchange = words(
        "simulate exchange --listen 127.0.0.1:0 --mailboxes 7 --domain other.test --user a --password b",
    );
    let exchange =
        Process::start_program("exchange", Path::new(PROGRAM), &exchange, &folder.path().join("e"))
            .await
            .unwrap();
    let mailboxes: Vec<String> = Admin::new(&exchange.url).unwrap().get("/admin/mailboxes").await.unwrap();
    assert_eq!((mailboxes.len(), mailboxes[6].as_str()), (7, "m0007@other.test"));

    let planner =
        words("simulate planner --listen 127.0.0.1:0 --jobcenter 20200 --mailboxes 7 --domain other.test");
    let planner = Process::start_program("planner", Path::new(PROGRAM), &planner, &folder.path().join("p"))
        .await
        .unwrap();
    let resources: Vec<Value> = Admin::new(&planner.url).unwrap().get("/admin/resources").await.unwrap();
    assert_eq!((resources.len(), &resources[6]["address"]), (7, &Value::from("m0007@other.test")));

    // SIGTERM; anything but status 0 is an error
    exchange.stop().await.unwrap();
    planner.stop().await.unwrap();
}
