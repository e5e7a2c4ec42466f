//! Goal: an operator makes a key, keeps an account in the database, rotates the key beside a running service, and is
//! told what to do when a key is missing; nowhere does a password stand in clear. Method: the product as a process, by
//! its own commands.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use end_to_end::scene::{PASSWORD, USER, quote};
use end_to_end::{Scene, Setting, mailbox};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const CREDENTIAL_UNUSABLE: u16 = 9602;

/// What a command said and how it ended.
struct Ended {
    status: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// Runs a command of the product with this input.
fn command(arguments: &[&str], input: &str) -> Ended {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert!(!ended.out.contains(PASSWORD) && !ended.err.contains(PASSWORD), "{arguments:?} shows a password");
    ended
}

fn good(arguments: &[&str], input: &str) -> String {
    let ended = command(arguments, input);
    assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.err);
    ended.out
}

fn key(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let told = good(&["secrets", "generate", "--out", file.to_str().unwrap()], "");
    assert!(told.contains("secrets.key_file"), "{told}");
    file
}

fn toml(file: &Path) -> String {
    quote(file.to_str().unwrap())
}

async fn one_change(scene: &Scene, uid: &str, day: i64) {
    let before = scene.until_in_step().await.len();
    scene.outlook.create(&mailbox(1), scene.appointment(uid, day)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_rotated_beside_a_running_service_which_goes_on() {
    let keys = tempfile::tempdir().unwrap();
    let (old, new) = (key(keys.path(), "old.key"), key(keys.path(), "new.key"));
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 2, ..Setting::default() }).await;
    scene.configure("secrets", "key_file", &toml(&old));
    scene.configure("exchange", "password", "\"of no use\"");
    let file = scene.configuration.to_str().unwrap().to_owned();
    let config = ["--config", file.as_str()];
    let with = |words: &[&'static str]| -> Vec<&str> { [words, &config].concat() };

    good(&with(&["credential", "add", USER]), PASSWORD);
    let tried = good(&with(&["credential", "test", "--mailbox", "m0001@sim.test"]), "");
    assert!(tried.contains("the calendar of m0001@sim.test can be read"), "{tried}");
    scene.start_service().await;
    scene.until_ready().await;
    one_change(&scene, "UID-1", 3).await;

    // the command knows the new key, the service that runs does not yet: it goes on with what it has
    scene.configure("secrets", "key_file", &toml(&new));
    scene.configure("secrets", "previous_key_files", &format!("[{}]", toml(&old)));
    let planned = good(&with(&["secrets", "rotate", "--dry-run"]), "");
    assert!(planned.contains("1 would be sealed anew"), "{planned}");
    let done = good(&with(&["secrets", "rotate"]), "");
    assert!(done.contains("1 sealed anew") && done.contains("is no longer needed"), "{done}");
    // wakes the service, which then reads the accounts
    let added = command(&with(&["credential", "add", "other", "--replace"]), "x");
    assert!(added.status == 1 && added.err.contains("add it without --replace"), "{}", added.err);
    good(&with(&["credential", "add", "other"]), "x");
    scene.until_raised(CREDENTIAL_UNUSABLE, "cannot be opened").await;
    good(&with(&["credential", "remove", "other"]), "");
    one_change(&scene, "UID-2", 4).await;
    scene.assert_unharmed().await;

    // the old key may go
    scene.stop_service().await;
    scene.configure("secrets", "previous_key_files", "[]");
    scene.start_service().await;
    scene.until_ready().await;
    one_change(&scene, "UID-3", 5).await;
    let listing: serde_json::Value =
        serde_json::from_str(&good(&with(&["credential", "list", "--json"]), "")).unwrap();
    assert_eq!(listing["accounts"][0]["user"], USER);
    assert_eq!(listing["accounts"][0]["mailboxes"], 2);
    let refused = command(&with(&["credential", "remove", USER]), "");
    assert!(refused.status == 1 && refused.err.contains("--force"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_the_right_key_is_refused_with_its_remedy() {
    let keys = tempfile::tempdir().unwrap();
    let (right, wrong) = (key(keys.path(), "right.key"), key(keys.path(), "wrong.key"));
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 1, ..Setting::default() }).await;
    scene.configure("secrets", "key_file", &toml(&right));
    let file = scene.configuration.to_str().unwrap().to_owned();
    good(&["credential", "add", USER, "--config", &file], PASSWORD);
    let id = trust::seal::SealingKey::read(&right).unwrap().id().to_string();

    scene.configure("secrets", "key_file", &toml(&wrong));
    let ended = command(&["run", "--config", &file], "");
    assert_eq!(ended.status, 2, "{}", ended.err);
    for part in ["no service account can be used", USER, "of row 1", &id, "secrets.previous_key_files"] {
        assert!(ended.err.contains(part), "{part} is missing in {}", ended.err);
    }
    let tried = command(&["credential", "test", "--mailbox", "m0001@sim.test", "--config", &file], "");
    assert!(tried.status == 1 && tried.out.contains(&id), "{} {}", tried.out, tried.err);

    let without = std::fs::read_to_string(&file).unwrap();
    let without: String =
        without.lines().filter(|line| !line.starts_with("key_file")).collect::<Vec<_>>().join("\n");
    std::fs::write(&file, without).unwrap();
    let ended = command(&["run", "--config", &file], "");
    assert_eq!(ended.status, 2, "{}", ended.err);
    for part in ["no key is configured", &id, "secrets.key_file"] {
        assert!(ended.err.contains(part), "{part} is missing in {}", ended.err);
    }
}
