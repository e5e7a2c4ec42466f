//! Goal: a code of which the registry says that it occurs here is named by a test, which brings its situation about; those
//! that none names yet are listed, and the list only shrinks. Method: the tests of the workspace are searched for the
//! constant and for the number, without those of the registry.
use std::fs;

use super::raised::{SOURCES, TEST_MODULE, names, words, workspace};
use super::*;

/// Codes that no test names. Whoever adds a code adds a test; whoever adds a test for one of these takes it out.
const UNTESTED: &[u16] = &[
    // a supervisor that runs refuses none of the children it is given: none of the three is known to happen
    3904, 4905, 4928,
    // the database would have to refuse what Planner holds for one mailbox, and it takes all that an answer can hold
    9403,
];

/// The texts of all tests: files and folders of tests, and the modules of tests at the end of other files.
fn tests() -> Vec<String> {
    let mut texts = Vec::new();
    let roots = SOURCES.iter().copied().chain(["simulators", "tests"]);
    let mut folders: Vec<(PathBuf, bool)> =
        roots.map(|name| (workspace().join(name), name == "tests")).collect();
    while let Some((folder, is_of_tests)) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_of_tests = is_of_tests || name.contains("tests");
            if path.is_dir() {
                if !["benches", "codes", "target"].contains(&name.as_str()) {
                    folders.push((path, is_of_tests));
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = if is_of_tests { Some(text.as_str()) } else { text.split(TEST_MODULE).nth(1) };
                let code = |text: &str| {
                    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                    lines.collect::<Vec<_>>().join("\n")
                };
                texts.extend(text.map(code));
            }
        }
    }
    assert!(texts.len() > 100, "only {} files with tests were found", texts.len());
    texts
}

#[test]
fn each_code_that_occurs_here_is_named_by_a_test() {
    let tests = tests();
    let named: BTreeSet<&str> = tests.iter().flat_map(|text| words(text)).collect();
    let (mut missing, mut listed) = (Vec::new(), Vec::new());
    for (name, id) in names() {
        let is_named = named.contains(name) || named.contains(id.to_string().as_str());
        match (is_named, UNTESTED.contains(&id)) {
            (false, false) if by_id(id).unwrap().occurs == Occurs::Here => missing.push((id, name)),
            (true, true) => listed.push((id, name)),
            _ => {}
        }
    }
    assert!(missing.is_empty(), "no test names these codes; bring their situations about: {missing:?}");
    assert!(listed.is_empty(), "tests name these by now, take them out of UNTESTED: {listed:?}");
    let known = UNTESTED.iter().all(|id| by_id(*id).is_some_and(|entry| entry.occurs == Occurs::Here));
    assert!(known, "UNTESTED lists codes that do not occur here");
}
