//! Goal: the program that operators start says what is wrong with their configuration and ends with the
//! documented status. Method: the real binary, with an environment of its own.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; helpers outside #[test] too")]

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// Runs the binary; answers its status, standard output and standard error.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kommuneklient"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn file(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("kommuneklient.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_example_is_usable() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../config.example.toml");
    let (status, out, err) = run(&["config", "check", example], &[]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.ends_with("config.example.toml is usable\n"), "{out}");
}

#[test]
fn run_refuses_to_guess() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "[exchange]\nuser = \"svc\"\n");
    let (status, out, err) = run(&["run", "--config", &path], &[]);
    assert_eq!((status, out.as_str()), (2, ""));
    let (log, message) = err.split_once("\nerror: ").unwrap();
    assert!(log.lines().all(|line| line.contains(" event_id=")), "{err}");
    assert!(message.starts_with("the configuration "), "{err}");
    let line = format!("{path}: database.url: is missing; write url = \"embedded\"");
    assert!(message.contains(&line), "{err}");
    assert!(!err.contains("exchange.user"), "{err}");
}

#[test]
fn the_environment_counts_and_its_mistakes_are_named() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../config.example.toml");
    let good = [("KOMMUNEKLIENT__PLANNER__SERVICE_URL", "http://planner.example/x")];
    let (status, out, err) = run(&["config", "check", example], &good);
    assert_eq!(status, 0);
    let warned = [&out, &err].iter().any(|said| said.contains("warning: planner.service_url is plain http"));
    assert!(warned, "{out}{err}");
    let bad = [("KOMMUNEKLIENT__PLANNER__SERVICE_ULR", "http://planner.example/x")];
    let (status, _, err) = run(&["config", "check", example], &bad);
    assert_eq!(status, 2);
    assert!(
        err.contains("KOMMUNEKLIENT__PLANNER__SERVICE_ULR: planner.service_ulr: is no known key"),
        "{err}"
    );
}

#[test]
fn wrong_usage_and_missing_files_end_with_2() {
    assert_eq!(run(&["walk"], &[]).0, 2);
    assert_eq!(run(&["run"], &[]).0, 2);
    let (status, _, err) = run(&["run", "--config", "/nowhere/at/all.toml"], &[]);
    assert_eq!(status, 2);
    assert!(err.contains("cannot read the configuration /nowhere/at/all.toml: No such file"), "{err}");
}

#[test]
fn a_database_that_is_away_ends_migrate_with_1_and_shows_no_password() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "[database]\nurl = \"postgres://u:s3cret@127.0.0.1:1/d?connect_timeout=1\"\n");
    let (status, _, err) = run(&["migrate", "--config", &path], &[]);
    assert_eq!(status, 1, "{err}");
    assert!(err.starts_with("error: cannot migrate the database: "), "{err}");
    assert!(!err.contains("s3cret"), "{err}");
}

#[test]
fn help_explains() {
    let (status, out, _) = run(&["--help"], &[]);
    assert_eq!(status, 0);
    for command in ["run", "migrate", "config"] {
        assert!(out.contains(&format!("\n  {command} ")), "{command} is missing in\n{out}");
    }
    assert!(out.contains("KOMMUNEKLIENT__PLANNER__SERVICE_URL"), "{out}");
}
