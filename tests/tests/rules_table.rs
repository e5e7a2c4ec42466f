//! Goal: `docs/rules.md`, `docs/runtime-semantics.md` and `docs/security.md` tell the truth: each rule B1 to B13 has rows,
//! each row and each guarantee names tests, and each test and event that they name exists. Method: read the table and the sources of the workspace; whether the tests pass is the matter
//! of the run that this one is part of.
//!
//! A row is `| rule | sentence | tests |`, a test is `` `package: test_name` ``. A sentence that nothing can show
//! yet says so with "not shown: " and the reason.
#![allow(clippy::panic, reason = "all of this is test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const NOT_SHOWN: &str = "not shown: ";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

#[derive(Debug)]
struct Row {
    line: usize,
    section: String,
    first: String,
    tests: String,
}

/// The rows of all tables, without headings.
fn rows(text: &str) -> Vec<Row> {
    let mut section = String::new();
    let mut rows = Vec::new();
    let mut after_heading = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.trim().to_owned();
        }
        if !line.starts_with('|') {
            after_heading = false;
            continue;
        }
        if line.trim_matches(['|', '-', ' ', ':']).is_empty() {
            after_heading = true;
            continue;
        }
        if !after_heading {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [first, .., tests] = cells[..] else { panic!("line {}: too few cells", number + 1) };
        rows.push(Row {
            line: number + 1,
            section: section.clone(),
            first: first.to_owned(),
            tests: tests.to_owned(),
        });
    }
    rows
}

/// The `package: test` pairs of a cell.
fn named(cell: &str) -> Vec<(String, String)> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted
        .map(|name| {
            let (package, test) =
                name.split_once(": ").unwrap_or_else(|| panic!("{name:?} is not `package: test`"));
            (package.to_owned(), test.to_owned())
        })
        .collect()
}

fn is_skipped(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name == "target" || name == "node_modules" || name.to_string_lossy().starts_with('.')
}

/// All files below `folder`, packages within packages left to these.
fn walk(folder: &Path, package: Option<&str>, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let own = manifest.split_once("[package]").and_then(|(_, package)| {
        let name = package.lines().find_map(|line| line.strip_prefix("name = \""))?;
        Some(name.trim_end_matches('"').to_owned())
    });
    let package = own.as_deref().or(package);
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be read") {
        let path = entry.expect("an entry of the workspace can be read").path();
        if path.is_dir() && !is_skipped(&path) {
            walk(&path, package, found);
        } else if let (Some(package), Some("rs")) =
            (package, path.extension().and_then(|ending| ending.to_str()))
        {
            let source = fs::read_to_string(&path).expect("a source can be read");
            found.entry(package.to_owned()).or_default().extend(tests_of(&source));
        }
    }
}

/// The functions of a source that bear an attribute of a test and are not left out of a run.
fn tests_of(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            let name = line.trim_start_matches("#[").split([']', '(', ' ']).next().unwrap_or_default();
            is_test |= name == "test" || name.ends_with("::test");
            is_ignored |= name == "ignore";
        } else if let Some((_, rest)) =
            line.split_once("fn ").filter(|(before, _)| before.is_empty() || *before == "async ")
        {
            let (runs, is_left_out) = (std::mem::take(&mut is_test), std::mem::take(&mut is_ignored));
            let name = rest.split(['(', '<']).next().filter(|_| runs && !is_left_out);
            tests.extend(name.map(str::to_owned));
        }
    }
    tests
}

#[test]
fn every_rule_has_tests_and_every_test_exists() {
    let text = fs::read_to_string(root().join("docs/rules.md")).expect("docs/rules.md is there");
    let rows = rows(&text);
    let mut tests = BTreeMap::new();
    walk(&root(), None, &mut tests);
    let mut problems = Vec::new();
    let mut rules = BTreeSet::new();
    for row in &rows {
        let named = named(&row.tests);
        for (package, test) in &named {
            if !tests.get(package).is_some_and(|tests| tests.contains(test)) {
                problems.push(format!("line {}: there is no test {test} in package {package}", row.line));
            }
        }
        if named.is_empty() && !row.tests.starts_with(NOT_SHOWN) {
            problems.push(format!("line {}: names no test and does not say why", row.line));
        }
        if !named.is_empty() {
            rules.insert(row.first.clone());
        }
    }
    for rule in (1..=13).map(|number| format!("B{number}")) {
        if !rules.contains(&rule) {
            problems.push(format!("rule {rule} has no row with a test"));
        }
    }
    // as many as there are in the list of bad input and in that of the original's defects: none of them is excused
    for (section, at_least) in [("Bad input", 11), ("Defects of the original", 14)] {
        let mut count = 0;
        for row in rows.iter().filter(|row| row.section == section) {
            if named(&row.tests).is_empty() {
                problems.push(format!("line {}: {section} needs a test", row.line));
            }
            count += 1;
        }
        if count < at_least {
            problems.push(format!("section {section:?} has {count} rows, not {at_least}"));
        }
    }
    assert!(problems.is_empty(), "docs/rules.md:\n{}", problems.join("\n"));
}

/// The files of the workspace, by their path from its root.
fn files(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be read") {
        let path = entry.expect("an entry of the workspace can be read").path();
        if path.is_dir() && !is_skipped(&path) {
            files(&path, found);
        } else if let Ok(path) = path.strip_prefix(root()) {
            found.insert(path.display().to_string());
        }
    }
}

/// What a word in backquotes of the guarantees can be.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// A test, by its name or path.
    Test,
    /// A file or module with tests.
    Place,
    /// Something else: a setting, a type.
    Other,
    /// It looks like a test, and there is none.
    Wrong,
}

fn word(
    word: &str,
    tests: &BTreeMap<String, BTreeSet<String>>,
    files: &BTreeSet<String>,
    settings: &BTreeSet<String>,
) -> Word {
    let is_path = !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_:".contains(&b));
    if word.ends_with(".rs") {
        return if files.iter().any(|file| file.ends_with(word)) { Word::Place } else { Word::Wrong };
    }
    if !is_path {
        return Word::Other;
    }
    let last = word.rsplit("::").next().unwrap_or(word);
    if tests.values().any(|tests| tests.contains(last)) {
        return Word::Test;
    }
    let module = format!("/{}.rs", word.replace("::", "/"));
    if word.contains("::") && files.iter().any(|file| file.ends_with(&module)) {
        return Word::Place;
    }
    let is_name = settings.contains(word) || word.starts_with("kommuneklient_");
    let looks_like_test = word.ends_with("tests") || word.matches('_').count() >= 3;
    if looks_like_test && !is_name { Word::Wrong } else { Word::Other }
}

/// Guarantees of which a test says nothing, by how they begin: they only explain.
const EXPLAINED: [&str; 5] = [
    "- Its longest duration is",
    "- A notification that Exchange loses",
    "- **Counting belongs to the process**",
    "- **Failures of this** lose nothing",
    // shown by scripts/upgrade-test, docs/reliability.md
    "- **Versions before this one** hold leases",
];

#[test]
fn every_guarantee_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/runtime-semantics.md")).expect("the file is there");
    let mut tests = BTreeMap::new();
    walk(&root(), None, &mut tests);
    let mut all = BTreeSet::new();
    files(&root(), &mut all);
    let example = fs::read_to_string(root().join("config.example.toml")).expect("the example is there");
    let settings = example
        .lines()
        .filter_map(|line| Some(line.trim_start_matches('#').split_once(" = ")?.0.to_owned()))
        .collect();
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<(&str, Word)> =
            line.split('`').skip(1).step_by(2).map(|one| (one, word(one, &tests, &all, &settings))).collect();
        for (name, _) in words.iter().filter(|(_, word)| *word == Word::Wrong) {
            problems.push(format!("line {}: there is no test {name}", number + 1));
        }
        let is_guarantee = line.starts_with("- ") && !EXPLAINED.iter().any(|begin| line.starts_with(begin));
        let names_tests = words.iter().any(|(_, word)| matches!(word, Word::Test | Word::Place))
            || line.split([' ', '.', ',', ';', ':']).any(|word| ["M", "B", "P"].contains(&word));
        if is_guarantee && !names_tests {
            problems.push(format!(
                "line {}: names no test: {}",
                number + 1,
                line.chars().take(60).collect::<String>()
            ));
        }
    }
    assert!(problems.is_empty(), "docs/runtime-semantics.md:\n{}", problems.join("\n"));
}

/// A row of attacks: its line, what shows the refusal (package and test), and the codes of its events.
type Attack = (usize, Vec<(String, String)>, Vec<String>);

fn attacks(text: &str) -> Vec<Attack> {
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let inside = line.strip_prefix("| ").and_then(|line| line.strip_suffix('|'));
        let cells: Vec<&str> = inside.unwrap_or_default().split(" | ").map(str::trim).collect();
        let [_, _, shown, events] = cells[..] else { continue };
        if events == "event" {
            continue;
        }
        let quoted = shown.split('`').skip(1).step_by(2).filter_map(|name| name.split_once(": "));
        let tests = quoted.map(|(package, test)| (package.to_owned(), test.to_owned()));
        let events = events.split(", ").filter(|code| !code.is_empty()).map(str::to_owned);
        rows.push((number + 1, tests.collect(), events.collect()));
    }
    rows
}

#[test]
fn every_attack_names_tests_and_events_that_exist() {
    let text = fs::read_to_string(root().join("docs/security.md")).expect("the file is there");
    let mut tests = BTreeMap::new();
    walk(&root(), None, &mut tests);
    let rows = attacks(&text);
    let mut problems = Vec::new();
    for (line, named, events) in &rows {
        for (package, test) in named {
            if !tests.get(package).is_some_and(|tests| tests.contains(test)) {
                problems.push(format!("line {line}: there is no test {test} in package {package}"));
            }
        }
        for event in events {
            if !event.parse().is_ok_and(|id| calendar::codes::by_id(id).is_some()) {
                problems.push(format!("line {line}: there is no event {event}"));
            }
        }
    }
    assert!(rows.len() >= 40, "only {} attacks are read", rows.len());
    let shown = rows.iter().filter(|(_, named, _)| !named.is_empty()).count();
    assert!(rows.len() - shown <= 2, "{} rows name no test", rows.len() - shown);
    assert!(problems.is_empty(), "docs/security.md:\n{}", problems.join("\n"));
}

#[test]
fn the_reading_of_the_guarantees_sees_what_is_wrong() {
    let tests = BTreeMap::from([(
        "a".to_owned(),
        BTreeSet::from(["one_two_three_four".to_owned(), "short".to_owned()]),
    )]);
    let files = BTreeSet::from(["store/src/lease/tests.rs".to_owned(), "tests/tests/roles.rs".to_owned()]);
    let settings = BTreeSet::from(["a_b_c_d".to_owned()]);
    let of = |text| word(text, &tests, &files, &settings);
    for (text, expected) in [
        ("one_two_three_four", Word::Test),
        ("late::one_two_three_four", Word::Test),
        ("short", Word::Test),
        ("one_two_three_five", Word::Wrong),
        ("late::one_two_three", Word::Other),
        ("lost::tests", Word::Wrong),
        ("lease::tests", Word::Place),
        ("tests/tests/roles.rs", Word::Place),
        ("tests/tests/rolls.rs", Word::Wrong),
        ("a_b_c_d", Word::Other),
        ("kommuneklient_a_b_c_d", Word::Other),
        ("ctx.stop()", Word::Other),
        ("key_in_flight", Word::Other),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn the_reading_of_the_table_sees_what_is_wrong() {
    let table = "## Part\n| rule | sentence | tests |\n|---|---|---|\n| B1 | one | `a: b`, `c: d` |\n\
                 | B2 | two | not shown: reasons |\n\ntext\n";
    let rows = rows(table);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].first.as_str(), rows[0].section.as_str(), rows[0].line), ("B1", "Part", 4));
    assert_eq!(named(&rows[0].tests), [("a".into(), "b".into()), ("c".into(), "d".into())]);
    assert!(named(&rows[1].tests).is_empty());
    let source = "#[test]\nfn one() {}\nfn helper() {}\n#[tokio::test(flavor = \"x\")]\n#[cfg(x)]\nasync fn two() {}\n\
                  proptest! {\n    #[test]\n    fn three(\n        x in 0..1\n    ) {}\n}\n\
                  #[test]\n#[ignore = \"slow\"]\nfn four() {}\n";
    assert_eq!(tests_of(source), ["one", "two", "three"]);
}
