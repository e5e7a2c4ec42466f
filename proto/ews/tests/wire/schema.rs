//! Goal: what is written validates against the real schemas. Method: random messages of every operation,
//! judged by xmllint in one run. Skips itself visibly where schemas or xmllint are not at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proto_ews::{encode_request, encode_response};

use crate::shared;
use crate::strategies::{request_envelope, response_envelope};

/// Messages of each direction.
const MESSAGES: usize = 400;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Left-over files of a test harm nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn messages_validate() {
    let Some(schema) = shared::folder("ews/schema") else { return };
    if Command::new("xmllint").arg("--version").output().is_err() {
        println!("SKIPPED: xmllint is not at hand (Debian: libxml2-utils)");
        return;
    }
    let folder = Folder(std::env::temp_dir().join(format!("proto-ews-schema-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut files = Vec::new();
    let mut runner = TestRunner::deterministic();
    for number in 0..MESSAGES {
        let request = request_envelope().new_tree(&mut runner).unwrap().current();
        *seen.entry(request.request.name()).or_default() += 1;
        files.push(write(&folder.0, &format!("{number}.req.xml"), &encode_request(&request).unwrap()));
        let response = response_envelope().new_tree(&mut runner).unwrap().current();
        *seen.entry(response.body.as_ref().map_or("Fault", |r| r.name())).or_default() += 1;
        files.push(write(&folder.0, &format!("{number}.res.xml"), &encode_response(&response).unwrap()));
    }
    assert_eq!(seen.len(), 14, "thirteen operations and faults: {seen:?}");
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema.join("soap11.xsd"))
        .args(&files)
        .output()
        .unwrap();
    let verdict = String::from_utf8_lossy(&output.stderr);
    let wrong: Vec<&str> = verdict.lines().filter(|line| !line.ends_with(" validates")).take(10).collect();
    assert!(output.status.success(), "{}", wrong.join("\n"));
    println!("{} messages validate: {seen:?}", files.len());
}

fn write(folder: &Path, name: &str, message: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, message).unwrap();
    file
}
