//! The workspace's own source, for tests that hold a list against it. Not a parser: it knows text literals, comments, and
//! balanced brackets, which is enough for rustfmt's output.

use std::path::{Path, PathBuf};

/// A file of the product: no tests, no simulators.
pub(crate) struct Source {
    /// From the root of the workspace.
    pub(crate) path: PathBuf,
    /// Without its module of tests.
    pub(crate) text: String,
}

/// All of them.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in [
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
    ] {
        gather(&root, &root.join(folder), &mut found);
    }
    assert!(found.len() > 100, "only {} files", found.len());
    found
}

fn gather(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" && name != "target" {
                gather(root, &path, found);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && !name.starts_with("test") {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            found.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), text });
        }
    }
}

/// The text literals of a source, without those in line comments.
pub(crate) fn literals(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        found.extend(line.split('"').skip(1).step_by(2));
    }
    found
}

/// The arguments of each call that begins with `opening` (which ends with its bracket), split at the outer commas.
pub(crate) fn calls(text: &str, opening: &str) -> Vec<Vec<String>> {
    text.match_indices(opening).map(|(at, _)| arguments(&text[at + opening.len()..])).collect()
}

fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    let mut all = vec![String::new()];
    for character in text.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                '"' => quoted = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if character == ',' && depth == 1 {
                all.push(String::new());
                continue;
            }
        }
        all.last_mut().unwrap().push(character);
    }
    all.iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}
