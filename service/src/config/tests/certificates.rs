//! Goal: `config check` tells each file with certificates that `run` could not use, by the key that names it, all at
//! once, and only where this process's roles read it. Method: one bad file at a time in a table, then all of them.

use base::{Clock as _, SystemClock};
use jiff::Timestamp;
use simulator_kit::authority::{Authority, Wanted};

use super::*;

const ALL_ROLES: &str = "[\"listen\", \"qualify\", \"communicate\"]";

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

    /// A check at `now` of these keys beside the example.
    fn examined_at(&self, now: Timestamp, given: &[(&'static str, PathBuf)], roles: &str) -> Examined {
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
        Config::examine(&path, now).unwrap()
    }

    /// What it says, as key and reason.
    fn told_at(
        &self,
        now: Timestamp,
        given: &[(&'static str, PathBuf)],
        roles: &str,
    ) -> Vec<(String, String)> {
        let problems = self.examined_at(now, given, roles).problems;
        problems.iter().map(|one| (one.key.clone(), one.reason.clone())).collect()
    }

    /// The keys that a check of the good files at this time warns of, in English and in Danish.
    fn warned_at(&self, now: &str) -> Vec<(String, String)> {
        let examined = self.examined_at(now.parse().unwrap(), &self.given, ALL_ROLES);
        let english = examined.warnings_in(Language::En).into_iter();
        let both = english.zip(examined.warnings_in(Language::Da));
        both.filter(|(english, _)| english.contains(": the certificate of ")).collect()
    }

    fn told(&self, given: &[(&'static str, PathBuf)]) -> Vec<(String, String)> {
        self.told_at(SystemClock.now(), given, ALL_ROLES)
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

/// Regression: "does not open with the password given", where none was.
#[test]
fn a_key_under_a_password_without_any_is_told_as_that() {
    let scene = Scene::new();
    // what is in it is not asked before there is a password
    let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let closed = scene.file("closed.key", text);
    for (key, of, next) in [
        ("planner.client_key", "planner.client_certificate_password", "client_certificate_password_file"),
        ("http.admin_key", "http.admin_key", "openssl pkey"),
    ] {
        let told = scene.told(&scene.with(key, closed.clone()));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, of, "{told:?}");
        assert!(told[0].1.contains("none was given; ") && told[0].1.contains(next), "{told:?}");
        assert!(!told[0].1.contains("the password given"), "{told:?}");
    }
    // with a wrong one it is that which does not open it
    let mut given = scene.with("planner.client_key", closed);
    given.push(("planner.client_certificate_password_file", scene.file("password", "wrong\n")));
    let told = scene.told(&given);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("does not open with the password given"), "{told:?}");
}

/// Regression: of a certificate in DER form it was said that the file holds none.
#[test]
fn what_is_in_der_form_is_told_with_the_command_that_turns_it_into_pem() {
    let scene = Scene::new();
    let file = |key: &str| scene.given.iter().find(|(name, _)| *name == key).unwrap().1.clone();
    let own = trust::OwnCertificate::pem(file("planner.client_certificate"), file("planner.client_key"));
    let identity = own.load(SystemClock.now()).unwrap();
    let (certificate, key) = (scene.folder.path().join("own.cer"), scene.folder.path().join("own.der"));
    fs::write(&certificate, identity.certificate()).unwrap();
    fs::write(&key, identity.key()).unwrap();
    for (name, _) in &scene.given {
        let (file, tool) = if name.ends_with("_key") {
            (&key, "openssl pkey -inform der -in ")
        } else {
            (&certificate, "openssl x509 -inform der -in ")
        };
        let told = scene.told(&scene.with(name, file.clone()));
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert_eq!(told[0].0, *name, "{told:?}");
        assert!(told[0].1.contains("in DER form") && told[0].1.contains(tool), "{name}: {told:?}");
    }
    // a certificate in the place of a key is no matter of form
    let told = scene.told(&scene.with("planner.client_key", certificate));
    assert!(told.len() == 1 && told[0].1.contains("name the file that holds it"), "{told:?}");
}

/// Regression: the file was then read as PEM, and said to hold no certificate.
#[test]
fn a_key_beside_a_pkcs12_file_is_all_that_is_told_of_the_two() {
    let scene = Scene::new();
    let told = scene.told(&scene.with("planner.client_certificate", scene.file("own.p12", "no PKCS #12")));
    let of = |key: &str| told.iter().find(|(name, _)| name == key).map(|(_, reason)| reason.as_str());
    assert!(of("planner.client_key").is_some_and(|reason| reason.starts_with("is not used")), "{told:?}");
    // what the file holds is still looked at as what it is
    let certificate = of("planner.client_certificate").unwrap();
    assert!(certificate.contains("is no readable PKCS #12 file"), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

/// Regression: nothing was said of a certificate that ends within the month.
#[test]
fn the_end_of_a_certificate_that_is_near_is_a_warning() {
    let scene = Scene::new();
    let own = ["planner.client_certificate", "http.admin_certificate"];
    let of_planner = ["planner.server_pin_file", "planner.answer_certificates"];
    let keys = |warned: &[(String, String)]| {
        let key = |(english, danish): &(String, String)| {
            let key = english.split(": ").next().unwrap().to_owned();
            assert!(danish.contains(&key) && danish.contains("certifikatet for"), "{danish}");
            key
        };
        warned.iter().map(key).collect::<BTreeSet<String>>()
    };
    let all: BTreeSet<String> = own.iter().chain(&of_planner).map(|&key| key.to_owned()).collect();
    // they end with 2098
    assert_eq!(scene.warned_at("2026-11-23T12:00:00Z"), []);
    assert_eq!(scene.warned_at("2098-12-01T23:00:00Z"), []);
    let warned = scene.warned_at("2098-12-02T00:00:00Z");
    assert_eq!(keys(&warned), all, "{warned:?}");
    assert!(warned[0].0.contains("(in 30 days); renew it"), "{warned:?}");
    let now: Timestamp = "2098-12-31T12:00:00Z".parse().unwrap();
    assert_eq!(scene.told_at(now, &scene.given, ALL_ROLES), [], "it is no error");
    assert!(scene.warned_at("2098-12-31T12:00:00Z")[0].0.contains("(in 0 days)"));
    // our own are refused by `run` after their end and before their beginning; Planner's are not
    let of_planner: BTreeSet<String> = of_planner.iter().map(|&key| key.to_owned()).collect();
    for (now, words) in [("2099-01-02T00:00:00Z", "ended at"), ("2019-12-31T00:00:00Z", "is valid only from")]
    {
        let warned = scene.warned_at(now);
        assert_eq!(keys(&warned), of_planner, "{warned:?}");
        assert!(warned.iter().all(|(english, _)| english.contains(words)), "{warned:?}");
        let told = scene.told_at(now.parse().unwrap(), &scene.given, ALL_ROLES);
        let told: BTreeSet<&str> = told.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(told, BTreeSet::from(own), "{now}");
    }
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
