//! Goal: whoever takes over an installation of the original brings its settings and its lists along, sees what counts
//! in the end, and loses nothing without being told. Method: the program as a process, with files as the original has
//! them; and the service with the imported configuration against both simulators.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use end_to_end::scene::{PASSWORD, quote};
use end_to_end::{Ended, Scene, Setting, mailbox};
use jiff::ToSpan;
use proto_ews::{CalendarItem, FreeBusy, TimeZoneDefinition};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::outbox::testing::{decide, resource, slot, sql};
use store::testing::TestDatabase;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    end_to_end::command::run(PROGRAM, arguments, environment)
}

/// The three files of an installation of the original.
fn originals() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/tests/original");
    let name = |service: &str| folder.join(format!("{service}.exe.config")).to_str().unwrap().to_owned();
    ["ELS", "EPS", "PCS"].map(name).to_vec()
}

fn import(more: &[&str]) -> Ended {
    let files = originals();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    run(&[&["config", "import"], &files[..], more].concat(), &[])
}

/// The configuration with the line of `key` in `section` replaced, or added where there is none.
fn with(text: &str, section: &str, key: &str, value: &str) -> String {
    let head = format!("[{section}]\n");
    let line = format!("{key} = {value}\n");
    let Some(begin) = text.find(&head).map(|at| at + head.len()) else {
        return format!("{text}\n{head}{line}");
    };
    let end = text[begin..].find("\n[").map_or(text.len(), |at| begin + at);
    let rest: String = text[begin..end]
        .lines()
        .filter(|one| !one.starts_with(&format!("{key} = ")))
        .map(|one| format!("{one}\n"))
        .collect();
    format!("{}{line}{rest}{}", &text[..begin], &text[end..])
}

/// The values of a configuration by key, as they are written: each on a line of its own.
fn values_of(text: &str) -> BTreeMap<String, String> {
    let (mut section, mut values) = ("", BTreeMap::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once(" = ") {
            values.insert(format!("{section}.{key}"), value.to_owned());
        }
    }
    values
}

/// The keys that two configurations have different values for.
fn differing(one: &str, other: &str) -> BTreeSet<String> {
    let (one, other) = (values_of(one), values_of(other));
    let keys = one.keys().chain(other.keys()).filter(|key| one.get(*key) != other.get(*key));
    keys.cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_imported_configuration_of_an_original_runs_when_only_the_endpoints_are_changed() {
    let imported = import(&[]);
    assert_eq!(imported.status, 0, "{}", imported.err);
    for words in ["the services disagree:", "exchange.service_url", "not taken over:", "config check"] {
        assert!(imported.err.contains(words) || imported.out.contains(words), "{words}: {}", imported.err);
    }
    // Exchange knows the account that the original logged on with
    let mut scene =
        Scene::new(PROGRAM, Setting { user: "svc-planner@kommune.dk", ..Setting::default() }).await;
    let folder = TempDir::new().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    // the endpoints, what no import knows (the database, the password's file), and an own port for the pages; everything
    // else is the original's
    let usual = std::fs::read_to_string(&scene.configuration).unwrap();
    let planner = usual.lines().find_map(|line| line.strip_prefix("service_url = ")).unwrap().to_owned();
    let exchange = quote(&format!("{}/EWS/Exchange.asmx", scene.exchange_url().trim_end_matches('/')));
    let mut text = imported.out.clone();
    let replaced = [
        ("database", "url", quote(scene.database.url.expose_secret())),
        ("exchange", "service_url", exchange),
        ("exchange", "password_file", quote(password.to_str().unwrap())),
        ("planner", "service_url", planner),
        ("http", "listen", quote("127.0.0.1:0")),
    ];
    for (section, key, value) in &replaced {
        text = with(&text, section, key, value);
    }
    let expected =
        replaced.iter().map(|(section, key, _)| format!("{section}.{key}")).collect::<BTreeSet<_>>();
    assert_eq!(differing(&imported.out, &text), expected);
    std::fs::write(&scene.configuration, &text).unwrap();
    let checked = run(&["config", "check", scene.configuration.to_str().unwrap()], &[]);
    assert_eq!(checked.status, 0, "{}\n{text}", checked.err);

    scene.start_service().await;
    scene.until_ready().await;
    let now = scene.clock.now().in_tz("Europe/Copenhagen").unwrap();
    let start =
        now.date().saturating_add(3.days()).at(9, 0, 0, 0).in_tz("Europe/Copenhagen").unwrap().timestamp();
    for number in 1..=2 {
        let item = CalendarItem {
            uid: Some(format!("UID-{number}")),
            start: Some(start),
            end: Some(start + 1.hour()),
            free_busy: Some(FreeBusy::Busy),
            start_time_zone: Some(TimeZoneDefinition::id("Romance Standard Time")),
            end_time_zone: Some(TimeZoneDefinition::id("Romance Standard Time")),
            ..CalendarItem::default()
        };
        scene.outlook.create(&mailbox(number), item).await.unwrap();
    }
    let held = scene.until_in_step().await;
    assert_eq!(held.len(), 2, "{held:?}");
    scene.stop_service().await;
}

#[test]
fn an_import_answers_in_json_and_tells_no_secret() {
    let (text, ended) = (import(&[]), import(&["--json"]));
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["toml"].as_str().unwrap().trim_end(), text.out.trim_end());
    let services: Vec<&str> =
        report["files"].as_array().unwrap().iter().map(|file| file["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["ELS", "EPS", "PCS"]);
    let disagreements = report["disagreements"].as_array().unwrap();
    let url = disagreements.iter().find(|one| one["key"] == "exchange.service_url").unwrap();
    assert_eq!((&url["values"][0]["whose"], &url["values"][1]["whose"]), (&json!("ELS"), &json!("EPS")));
    for shown in [&text.out, &text.err, &ended.out] {
        assert!(!shown.contains("marked-"), "{shown}");
    }
}

#[test]
fn a_file_that_is_none_of_the_original_ends_with_status_2_and_no_output() {
    let folder = TempDir::new().unwrap();
    for (text, words) in [
        ("[planner]\n", "not readable as XML"),
        (
            "<configuration><appSettings><add key='a' value='b'/></appSettings></configuration>",
            "not of the original",
        ),
        (
            "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><configuration>&b;</configuration>",
            "a document type is refused",
        ),
        (
            "<configuration><applicationSettings><S><setting name='JobcenterNumber'><value>10100</value></setting>\
             <setting name='Jobcenter'><value>marked</value></setting></S></applicationSettings></configuration>",
            "settings that the original does not have: Jobcenter",
        ),
    ] {
        let path = folder.path().join("x.exe.config");
        std::fs::write(&path, text).unwrap();
        let ended = run(&["config", "import", path.to_str().unwrap()], &[]);
        assert_eq!((ended.status, ended.out.as_str()), (2, ""), "{}", ended.err);
        assert!(ended.err.starts_with("error: ") && ended.err.contains(words), "{}", ended.err);
        assert!(ended.err.contains("x.exe.config") && !ended.err.contains("marked"), "{}", ended.err);
    }
}

#[test]
fn a_check_tells_what_counts_and_everything_that_is_wrong_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kommuneklient.toml");
    let good = "[database]\nurl = \"postgres://u:marked-a@127.0.0.1:1/k\"\n[exchange]\nservice_url = \"http://127.0.0.1:1/x\"\n\
                user = \"svc\"\npassword = \"marked-b\"\n[planner]\nservice_url = \"http://127.0.0.1:1/p\"\n\
                jobcenter_number = \"10100\"\nrequest_user_identifier = \"CVR:1\"\n";
    std::fs::write(&path, good).unwrap();
    let (path, variable) = (path.to_str().unwrap(), [("KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS", "2")]);
    let table = run(&["config", "check", path], &variable);
    assert_eq!((table.status, table.err.as_str()), (0, ""));
    let line = |key: &str| {
        let found = table.out.lines().find(|line| line.trim_start().starts_with(&format!("{key} ")));
        found
            .unwrap_or_else(|| panic!("{key} is missing in\n{}", table.out))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(line("planner.simultaneous_calls")[1..], ["2", "KOMMUNEKLIENT__PLANNER__SIMULTANEOUS_CALLS"]);
    assert_eq!(line("database.url")[1..], ["postgres://u:***@127.0.0.1:1/k", &format!("{path}:2")]);
    assert_eq!(line("listener.stream_silence_limit")[1..], ["1m50s", "default"]);
    let program = run(&["config", "check", path, "--json"], &variable);
    let told: Value = serde_json::from_str(&program.out).unwrap();
    assert_eq!((&told["usable"], &told["problems"]), (&json!(true), &json!([])));
    let password =
        told["values"].as_array().unwrap().iter().find(|one| one["key"] == "exchange.password").unwrap();
    assert_eq!((&password["value"], &password["source"]), (&json!("(hidden)"), &json!("file")));
    for shown in [&table.out, &program.out] {
        assert!(!shown.contains("marked"), "{shown}");
    }

    // mistakes and missing values in one answer
    let bad = "[database]\nurl = \"postgres://u:marked-a@db:abc/k\"\n[planner]\nsimultaneous_calls = 99\n";
    std::fs::write(path, bad).unwrap();
    let ended = run(&["config", "check", path], &[]);
    assert_eq!((ended.status, ended.out.as_str()), (2, ""));
    for words in [
        "database.url: cannot be used as an address",
        "planner.simultaneous_calls: must lie from 1 to 10, not 99",
        "exchange.user: is missing",
        "planner.jobcenter_number: is missing",
    ] {
        assert!(ended.err.contains(words), "{words} is missing in\n{}", ended.err);
    }
    let program = run(&["config", "check", path, "--json"], &[]);
    let told: Value = serde_json::from_str(&program.out).unwrap();
    let calls =
        told["problems"].as_array().unwrap().iter().find(|one| one["key"] == "planner.simultaneous_calls");
    assert_eq!((program.status, calls.unwrap()["value"].as_str()), (2, Some("99")));
    assert!(![&ended.err, &program.out, &program.err].iter().any(|shown| shown.contains("marked")));
}

/// A database without a service, and the configuration that names it.
struct Desk {
    database: TestDatabase,
    configuration: PathBuf,
    folder: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let database = store::testing::database().await;
        let folder = TempDir::new().unwrap();
        let configuration = folder.path().join("kommuneklient.toml");
        let text = format!("[database]\nurl = {}\n", quote(database.url.expose_secret()));
        std::fs::write(&configuration, text).unwrap();
        Self { database, configuration, folder }
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        let configuration = self.configuration.to_str().unwrap().to_owned();
        let ended = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments, &[("KOMMUNEKLIENT_CONFIG", &configuration)])
        });
        ended.await.unwrap()
    }

    async fn good(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.status, 0, "{arguments:?}: {ended:?}");
        ended.out
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.good(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_the_original_are_taken_over_whole_or_not_at_all() {
    let desk = Desk::new().await;
    for name in ["anna@x.dk", "bo@x.dk", "søren@x.dk"] {
        resource(&desk.database.store, name).await;
    }
    let file = desk.folder.path().join("lists.csv");
    let text = "Liste;Mail;Årsag\nsort;Anna@X.dk;på barsel\nhvid;bo@x.dk;\nhvid;søren@x.dk;\nsort;nobody;x\ngrå;bo@x.dk;\n";
    // as a spreadsheet on Windows writes it
    let windows: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    std::fs::write(&file, windows).unwrap();
    let file = file.to_str().unwrap();

    let refused = desk.run(&["lists", "import", file]).await;
    assert_eq!((refused.status, refused.out.as_str()), (1, ""), "{refused:?}");
    for words in [
        "nothing was changed: 2 rows",
        "line 5: \"nobody\" cannot be used: not a mail address",
        "line 6: \"grå\" is no list",
    ] {
        assert!(refused.err.contains(words), "{words} is missing in {}", refused.err);
    }
    let rehearsed = desk.run(&["lists", "import", file, "--dry-run", "--json"]).await;
    assert_eq!(rehearsed.status, 1, "as without --dry-run: {rehearsed:?}");
    assert!(rehearsed.err.contains("2 rows cannot be used"), "{rehearsed:?}");
    let rehearsed: Value = serde_json::from_str(&rehearsed.out).unwrap();
    assert_eq!(
        (&rehearsed["dry_run"], &rehearsed["blocked"], &rehearsed["whitelisted"]),
        (&json!(true), &json!(1), &json!(2))
    );
    assert_eq!(rehearsed["invalid"][0]["line"], 5);
    assert_eq!(desk.json(&["blacklist", "list"]).await, json!([]));

    for more in [&["--skip-invalid"][..], &["--skip-invalid", "--yes"]] {
        let rehearsed = desk.run(&[&["lists", "import", file, "--dry-run"], more].concat()).await;
        assert_eq!(rehearsed.status, i32::from(more.len() == 1), "{more:?}: {rehearsed:?}");
    }
    let refused = desk.run(&["lists", "import", file, "--skip-invalid"]).await;
    assert_eq!(refused.status, 1, "it begins a whitelist that lacks somebody: {refused:?}");
    assert!(refused.err.contains("1 of 3 resources would not be used any more"), "{refused:?}");
    assert_eq!(desk.json(&["blacklist", "list"]).await, json!([]));
    let text = desk.good(&["lists", "import", file, "--skip-invalid", "--yes", "--by", "kim"]).await;
    assert!(text.contains("added 2 entries to the whitelist") && text.contains("line 5:"), "{text}");
    let blocked = desk.json(&["blacklist", "list"]).await;
    assert_eq!(
        (&blocked[0]["mailbox"], &blocked[0]["reason"], &blocked[0]["added_by"]),
        (&json!("anna@x.dk"), &json!("på barsel"), &json!("kim"))
    );
    assert_eq!(desk.json(&["whitelist", "list"]).await.as_array().unwrap().len(), 2);
    let client = desk.database.store.client("test").await.unwrap();
    let query = "select fields ->> 'act', fields ->> 'by' from application_log where event_id = 9503";
    let row = client.query_one(query, &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("lists import", "kim"));
    let missing = desk.run(&["lists", "import", "/nowhere/lists.csv"]).await;
    assert!(missing.status == 1 && missing.err.contains("cannot read /nowhere/lists.csv"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_withheld_runs_are_settled_at_once_and_one_that_cannot_be_keeps_no_other() {
    let desk = Desk::new().await;
    for (number, name) in (1..).zip(["a@x.dk", "b@x.dk", "c@x.dk", "d@x.dk"]) {
        resource(&desk.database.store, name).await;
        decide(&desk.database.store, name, "K1", Some(slot(1))).await;
        let statement = format!(
            "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('{name}', 'full_read', now(), now(), 1, 1); \
             insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select mail, origin_id, {number}, version, start_at, end_at from calendar_event where mail = '{name}'"
        );
        sql(&desk.database.store, &statement).await;
    }
    let ended = desk.run(&["withheld", "confirm", "1", "99", "2", "--json"]).await;
    assert_eq!(ended.status, 1, "{ended:?}");
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    let states: Vec<&str> =
        told.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["confirmed", "not settled", "confirmed"]);
    assert!(ended.err.contains("left as they were: 1 of 3 runs"), "{ended:?}");
    let text = desk.good(&["withheld", "reject", "--all", "--by", "kim"]).await;
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains("run 3 is rejected: 1 appointment stay") || text.contains("run 3 is rejected"),
        "{text}"
    );
    assert_eq!(desk.good(&["withheld", "list"]).await, "nothing is withheld\n");
    assert_eq!(desk.good(&["withheld", "reject", "--all"]).await, "nothing is withheld\n");
}

#[test]
fn a_command_makes_no_database_and_says_what_a_number_is() {
    let folder = TempDir::new().unwrap();
    let (data, path) = (folder.path().join("data"), folder.path().join("kommuneklient.toml"));
    let text = format!("[database]\nurl = \"embedded\"\ndata_dir = {}\n", quote(data.to_str().unwrap()));
    std::fs::write(&path, text).unwrap();
    let config = [("KOMMUNEKLIENT_CONFIG", path.to_str().unwrap())];
    for arguments in
        [&["operations"][..], &["resources", "list"], &["withheld", "list"], &["credential", "list"]]
    {
        let ended = run(arguments, &config);
        assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{arguments:?} {ended:?}");
        assert!(
            ended.err.contains("there is no database in") && ended.err.contains("`kommuneklient migrate`"),
            "{ended:?}"
        );
        assert!(!data.exists(), "{arguments:?} made a database");
    }
    let doctor = run(&["doctor", "--offline"], &config);
    assert_eq!(doctor.status, 1, "{doctor:?}");
    assert!(
        doctor.out.contains("there is no database in") && doctor.out.contains("this machine"),
        "{doctor:?}"
    );
    assert!(doctor.err.contains("of the steps fail") && !data.exists(), "{doctor:?}");
    let ended = run(&["operations", "abc"], &config);
    assert_eq!(ended.status, 2);
    assert!(ended.err.contains("must be a number, as the list of them shows it"), "{}", ended.err);
    let ended = run(&["credential", "test", "--timeout", "30"], &config);
    assert!(ended.status == 2 && ended.err.contains("must be a duration"), "{}", ended.err);
}

#[test]
fn a_database_that_is_away_is_named_with_its_host_and_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kommuneklient.toml");
    std::fs::write(&path, "[database]\nurl = \"postgres://u:marked@127.0.0.1:1/k\"\n").unwrap();
    let ended = run(&["operations"], &[("KOMMUNEKLIENT_CONFIG", path.to_str().unwrap())]);
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("the database at 127.0.0.1:1"), "{}", ended.err);
    assert_eq!(ended.err.matches("Connection refused").count(), 1, "{}", ended.err);
    assert!(!ended.err.contains("marked"), "{}", ended.err);
}
