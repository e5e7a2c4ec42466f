//! Goal: `docs/rules.md` tells the truth: each rule B1 to B13 has rows, each row names tests, and each test that
//! it names exists. Method: read the table and the sources of the workspace; whether the tests pass is the matter
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
