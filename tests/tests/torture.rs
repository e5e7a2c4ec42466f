//! Goal: the torture driver does what it says on its command line, and a seed is reproducible from outside. Method: run
//! the program. (Seeds themselves are run by `make torture`.)
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::process::{Command, Output};

fn torture(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kommuneklient-torture")).args(arguments).output().unwrap()
}

#[test]
fn a_seed_shows_the_same_schedule_each_time() {
    let show = || torture(&["--seed", "4711", "--show", "--json"]);
    let (first, second) = (show(), show());
    assert!(first.status.success());
    assert_eq!(first.stdout, second.stdout);
    let schedule: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(schedule["seed"], 4711);
    assert!(schedule["steps"].as_array().unwrap().len() > 40);
    assert_ne!(torture(&["--seed", "4712", "--show", "--json"]).stdout, first.stdout);
}

#[test]
fn wrong_usage_is_status_2_and_says_why() {
    for (arguments, words) in [
        (vec!["--seeds", "0"], "--seeds"),
        (vec!["--break", "everything"], "fence, catch-up, adoption, in-flight, budget"),
        (vec!["--resume", "/proc/self/mem/no-file"], "/proc/self/mem/no-file"),
    ] {
        let output = torture(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}

#[test]
fn help_tells_the_exit_status() {
    let text = String::from_utf8(torture(&["--help"]).stdout).unwrap();
    assert!(text.contains("Exit status: 0 all seeds are green"), "{text}");
}
