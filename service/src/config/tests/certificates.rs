//! Goal: `config check` tells each file with certificates that `run` could not use, by the key that names it, all at
//! once, and only where this process's roles read it. Method: one bad file at a time in a table, then all of them.

use base::{Clock as _, SystemClock};
use jiff::Timestamp;
use simulator_kit::authority::{Authority, Wanted};

use super::*;

/// Keys with files that are as they should be.
struct Scene {
    folder: TempDir,
    given: Vec<(&'static str, PathBuf)>,
}

impl Scene {
    fn new() -> Self {
        let (folder, authority) = (TempDir::new().unwrap(), Authority::new("check").unwrap());
        let root = folder.path().join("root.pem");
        fs::write(&root, authority.root_pem()).unwrap();
        let own = |name: &str, wanted: &Wanted| {
            authority.issue(wanted).unwrap().write(folder.path(), name).unwrap()
        };
        let (client, client_key) = own("client", &Wanted::client("kk", "CVR:12345678-FID:1"));
        let (admin, admin_key) = own("admin", &Wanted::loopback());
        let given = vec![
            ("exchange.root_certificates", root.clone()),
            ("planner.root_certificates", root.clone()),
            ("planner.client_certificate", client),
            ("planner.client_key", client_key),
            ("planner.server_pin_file", root.clone()),
            ("planner.answer_certificates", root.clone()),
            ("http.admin_certificate", admin),
            ("http.admin_key", admin_key),
            ("http.admin_client_authorities", root),
        ];
        Self { folder, given }
    }

    fn file(&self, name: &str, holds: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, holds).unwrap();
        file
    }

    /// What a check at `now` says of these keys beside the example, as key and reason.
    fn told_at(
        &self,
        now: Timestamp,
        given: &[(&'static str, PathBuf)],
        roles: &str,
    ) -> Vec<(String, String)> {
        let mut text = example_with(|line| line.marks == 0 && line.dotted != "node.roles");
        let roles = ("node.roles", roles.to_owned());
        let given = given.iter().map(|(key, file)| (*key, format!("{:?}", file.to_str().unwrap())));
        for (dotted, value) in given.chain([roles]) {
            let (section, key) = dotted.split_once('.').unwrap();
            let head = format!("[{section}]\n");
            assert!(text.contains(&head), "{head}");
            text = text.replace(&head, &format!("{head}{key} = {value}\n"));
        }
        let path = self.file("kommuneklient.toml", &text);
        let problems = Config::examine(&path, now).unwrap().problems;
        problems.iter().map(|one| (one.key.clone(), one.reason.clone())).collect()
    }

    fn told(&self, given: &[(&'static str, PathBuf)]) -> Vec<(String, String)> {
        self.told_at(SystemClock.now(), given, "[\"listen\", \"qualify\", \"communicate\"]")
    }

    /// The good files but for one.
    fn with(&self, key: &str, file: PathBuf) -> Vec<(&'static str, PathBuf)> {
        let mut given = self.given.clone();
        given.iter_mut().find(|(name, _)| *name == key).unwrap().1 = file;
        given
    }
}

#[test]
fn each_file_that_is_missing_or_holds_something_else_is_told_by_its_key() {
    let scene = Scene::new();
    assert_eq!(scene.told(&scene.given), [], "all is well");
    let (missing, other) =
        (scene.folder.path().join("missing"), scene.file("other", "root:x:0:0::/root:/bin/sh\n"));
    for (key, _) in &scene.given {
        for (file, words) in [(&missing, "cannot read"), (&other, "holds no")] {
            let told = scene.told(&scene.with(key, file.clone()));
            assert_eq!(told.len(), 1, "{key}: {told:?}");
            assert_eq!(told[0].0, *key, "{told:?}");
            assert!(told[0].1.contains(words) && told[0].1.contains("; name "), "{told:?}");
            assert!(told[0].1.contains(file.to_str().unwrap()), "{told:?}");
        }
    }
    let all: Vec<_> = scene.given.iter().map(|(key, _)| (*key, missing.clone())).collect();
    let told: BTreeSet<String> = scene.told(&all).into_iter().map(|(key, _)| key).collect();
    let keys: BTreeSet<String> = scene.given.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(told, keys, "all at once");
}

#[test]
fn a_pkcs12_file_and_what_opens_it_are_told_by_their_keys() {
    let scene = Scene::new();
    let (certificate, password) = ("planner.client_certificate", "planner.client_certificate_password_file");
    let (missing, no_password) =
        (scene.folder.path().join("missing.p12"), scene.folder.path().join("no-password"));
    let told = scene.told(&[(certificate, missing), (password, no_password)]);
    let keys: Vec<&str> = told.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, [certificate, password], "{told:?}");
    let other = scene.file("other.p12", "no PKCS #12");
    let told = scene.told(&[(certificate, other)]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, certificate);
    assert!(told[0].1.contains("is no readable PKCS #12 file"), "{told:?}");
}

#[test]
fn what_has_expired_and_what_belongs_to_another_is_told() {
    let scene = Scene::new();
    let authority = Authority::new("check").unwrap();
    let issued = authority.issue(&Wanted::client("kk", "CVR:12345678-FID:1").expired()).unwrap();
    let (certificate, key) = issued.write(scene.folder.path(), "old").unwrap();
    let told =
        scene.told(&[("planner.client_certificate", certificate), ("planner.client_key", key.clone())]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "planner.client_certificate");
    assert!(told[0].1.contains("it must be renewed"), "{told:?}");
    let told = scene.told(&scene.with("planner.client_key", key));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "planner.client_key");
    assert!(told[0].1.contains("does not belong to the certificate"), "{told:?}");
}

/// An operator's command, or a process of another role, gets by without files that it may not read.
#[test]
fn files_that_this_process_does_not_read_are_not_looked_at() {
    let scene = Scene::new();
    let missing = scene.folder.path().join("missing");
    let of_exchange = [("exchange.root_certificates", missing.clone())];
    let of_planner = [("planner.root_certificates", missing.clone()), ("planner.server_pin_file", missing)];
    let now = SystemClock.now();
    assert_eq!(scene.told_at(now, &of_planner, "[\"listen\"]"), []);
    assert_eq!(scene.told_at(now, &of_exchange, "[\"communicate\"]"), []);
    assert_eq!(scene.told_at(now, &of_exchange, "[\"listen\"]").len(), 1);
    // what every command does first
    let text = format!("[exchange]\nroot_certificates = {:?}\n", of_exchange[0].1.to_str().unwrap());
    parse(&text).unwrap();
}
