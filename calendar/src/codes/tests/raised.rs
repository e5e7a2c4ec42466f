//! Goal: what the registry says of where codes are raised is so. Method: the sources of the workspace are searched for
//! the names of the constants and for numbers behind `event_id`, without tests and without the registry itself.
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Folders of the workspace with sources of the product.
const SOURCES: &[&str] = &[
    "base",
    "calendar",
    "supervision",
    "telemetry",
    "trust",
    "proto",
    "store",
    "connectors",
    "actors",
    "service",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources of the product, without tests: each file up to its unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(|name| workspace().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["tests", "benches", "codes", "target", "testing"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && !name.contains("tests") && name != "codes.rs" {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, without_tests(&text)));
            }
        }
    }
    assert!(files.len() > 100, "only {} files were found", files.len());
    files
}

/// The text without modules of tests (they stand last) and without comments.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn names() -> BTreeMap<&'static str, u16> {
    let tables =
        [LISTENER_NAMES, QUALIFIER_NAMES, COMMUNICATOR_NAMES, EXCHANGE_NAMES, PROCESS_NAMES, TRUST_NAMES];
    tables.into_iter().flatten().copied().collect()
}

/// The names of constants in a text: `codes::NAME` and `NAME` behind a list of imports.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect()
}

#[test]
fn each_code_is_raised_or_says_why_not() {
    let sources = sources();
    let names = names();
    let mut raised: BTreeMap<u16, Vec<&Path>> = BTreeMap::new();
    for (path, text) in &sources {
        for word in words(text) {
            if let Some(id) = names.get(word) {
                raised.entry(*id).or_default().push(path);
            }
        }
        for id in numbers(text) {
            raised.entry(id).or_default().push(path);
        }
    }
    let mut wrong = Vec::new();
    for (name, id) in &names {
        let entry = by_id(*id).unwrap();
        match (entry.occurs, raised.get(id)) {
            (Occurs::Here, None) => wrong.push(format!("{id} {name} is raised nowhere and does not say why")),
            (Occurs::ToldAs { .. } | Occurs::Never { .. }, Some(paths)) => {
                wrong.push(format!("{id} {name} is raised in {paths:?} and says that it is not"));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The numbers that stand behind `event_id =` or `event_id:`.
fn numbers(text: &str) -> BTreeSet<u16> {
    let after = |marker: &'static str| text.split(marker).skip(1);
    let digits = |rest: &str| rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
    after("event_id =").chain(after("event_id:")).filter_map(|rest| digits(rest).parse().ok()).collect()
}

#[test]
fn no_number_is_raised_that_is_not_registered() {
    for (path, text) in sources() {
        for id in numbers(&text) {
            assert!(by_id(id).is_some(), "{}: {id}", path.display());
        }
    }
}

/// A success that nobody tells would let alerts stand, and one that no code waits for would be idle.
#[test]
fn each_success_is_told_and_waited_for() {
    let sources = sources();
    for (success, _) in success::ALL {
        let waited = REGISTRY.iter().any(|entry| entry.clears == Clears::On(success));
        assert!(waited, "nothing ends with {success}");
        let name = success.to_uppercase();
        let marker = format!("success::{name}");
        let told = sources
            .iter()
            .any(|(_, text)| text.contains(&marker) || text.contains(&format!("succeeded = \"{success}\"")));
        assert!(told, "{marker} is told nowhere");
    }
}
