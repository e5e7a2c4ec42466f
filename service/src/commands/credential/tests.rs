//! Goal: accounts are added, listed and removed as asked, with a next step where something is wrong, and no password
//! is ever shown. Method: a real database and a real key a test.

use std::path::PathBuf;

use store::testing::database;
use tempfile::TempDir;
use trust::seal::SealingKey;

use super::*;
use crate::cli::ConfigFile;
use crate::cli::operators::Who;

const PASSWORD: &str = "marked-password-of-svc";

struct Desk {
    folder: TempDir,
    config: Config,
}

impl Desk {
    fn new(more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("a.key");
        SealingKey::generate().unwrap().write_new(&key).unwrap();
        let text = format!("[secrets]\nkey_file = {key:?}\n{more}");
        let config = Config::parse(Path::new("test.toml"), &text, []).unwrap();
        Self { folder, config }
    }

    /// Arguments with a file that holds `password`.
    fn arguments(&self, user: &str, password: &str, replace: bool) -> CredentialAdd {
        let file = self.folder.path().join("password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let config = ConfigFile { config: PathBuf::from("test.toml") };
        let who = Who { by: Some("kim".into()) };
        CredentialAdd { user: user.into(), password_file: Some(file), replace, who, json: false, config }
    }
}

fn told(result: Result<impl std::fmt::Debug, ServiceError>) -> String {
    telemetry::chain(&result.unwrap_err()).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_added_replaced_listed_and_removed() {
    let (database, desk) = (database().await, Desk::new("[exchange]\nuser = \"default\"\n"));
    let store = &database.store;
    let added = add(store, &desk.config, &desk.arguments(" svc@kommune.dk ", PASSWORD, false)).await.unwrap();
    let json = serde_json::to_value(&added).unwrap();
    assert_eq!((json["done"].as_str(), json["number"].as_i64()), (Some("added"), Some(1)));
    let added = added.text().to_owned();
    assert!(added.starts_with("added svc@kommune.dk (number 1)"), "{added}");
    assert!(added.contains("exchange.user of the configuration is no longer used"), "{added}");
    // regression: nothing was said of a running service that lacks the key, which cannot use the account
    let key = desk.config.secrets.ring().unwrap().current().to_string();
    let needed = format!("an instance that was not started with the key {key} cannot open it (9602)");
    assert!(added.contains(&needed), "{added}");
    let again = told(add(store, &desk.config, &desk.arguments("SVC@kommune.dk", "x", false)).await);
    assert!(again.contains("--replace"), "{again}");
    let unknown = told(add(store, &desk.config, &desk.arguments("other", "x", true)).await);
    assert!(unknown.contains("add it without --replace"), "{unknown}");
    add(store, &desk.config, &desk.arguments("svc@kommune.dk", "the next one", true)).await.unwrap();
    let rows = store.credentials().await.unwrap();
    assert_eq!(rows.len(), 1);
    let opened = accounts::password(&rows[0], desk.config.secrets.ring()).unwrap();
    assert_eq!(opened.expose_secret(), "the next one");

    let listing = list(store, &desk.config).await.unwrap();
    let json = serde_json::to_value(&listing).unwrap();
    assert_eq!(json["accounts"][0]["user"], "svc@kommune.dk");
    assert_eq!(json["accounts"][0]["groups_free"], 3);
    assert_eq!(json["accounts"][0]["mailboxes_free"], 600);
    assert_eq!(json["accounts"][0]["problem"], serde_json::Value::Null);
    assert!(listing.text().contains("svc@kommune.dk"), "{}", listing.text());
    for shown in [added, again, listing.text(), json.to_string()] {
        assert!(!shown.contains(PASSWORD) && !shown.contains("the next one"), "{shown}");
    }

    assert!(told(remove(store, &desk.config, "nobody", false, "kim").await).contains("credential list"));
    let removed = remove(store, &desk.config, "svc@kommune.dk", false, "kim").await.unwrap();
    let removed = removed.text();
    assert!(removed.contains("exchange.user of the configuration is used from now on"), "{removed}");
    // who did what stands in the log of events, without the passwords
    let client = store.client("test").await.unwrap();
    let query =
        "select fields ->> 'act', fields::text from application_log where event_id = 9503 order by id";
    let rows = client.query(query, &[]).await.unwrap();
    let acts: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(acts, ["credential add", "credential add --replace", "credential remove"]);
    for row in &rows {
        let fields: &str = row.get(1);
        assert!(fields.contains("svc@kommune.dk") && fields.contains("\"by\": \"kim\""), "{fields}");
        assert!(!fields.contains(PASSWORD) && !fields.contains("the next one"), "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_says_which_accounts_cannot_be_used() {
    let (database, desk, other) = (database().await, Desk::new(""), Desk::new(""));
    add(&database.store, &desk.config, &desk.arguments("svc", PASSWORD, false)).await.unwrap();
    let text = list(&database.store, &other.config).await.unwrap().text();
    assert!(text.contains("svc cannot be used: service_user_credential.sealed_password of row 1"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_an_account_is_refused() {
    let (database, desk) = (database().await, Desk::new(""));
    for (user, password, reason) in [
        ("", "x", "is empty"),
        ("a:b", "x", "holds a colon"),
        (&"a".repeat(600), "x", "is too long"),
        ("a\u{7}", "x", "cannot be typed"),
        ("svc", "", "the password is empty"),
        ("svc", &"x".repeat(2000), "longer than 1024 bytes"),
        ("svc", "tab\tinside", "cannot be typed"),
        ("svc", "two\nlines", "more than one line"),
    ] {
        let told = told(add(&database.store, &desk.config, &desk.arguments(user, password, false)).await);
        assert!(told.contains(reason), "{reason} in {told}");
        assert!(password.len() < 3 || !told.contains(password), "{told}");
    }
    assert_eq!(database.store.credentials().await.unwrap(), []);
    let none = Config::parse(Path::new("test.toml"), "", []).unwrap();
    let told = told(add(&database.store, &none, &desk.arguments("svc", "x", false)).await);
    assert!(told.contains("kommuneklient secrets generate --out FILE"), "{told}");
}

/// Regression: of the last account its mailboxes were said to go to others, and of one group "its 1 groups".
#[test]
fn where_the_mailboxes_of_a_removed_account_go_is_told_as_it_is() {
    assert_eq!(removed("svc", 0, &["svc2"], false), "removed svc");
    assert_eq!(
        removed("svc", 1, &["svc2"], true),
        "removed svc, which carried 1 affinity group; its mailboxes go to svc2 as far as it has room"
    );
    assert!(removed("svc", 2, &["a", "b"], true).ends_with("go to a, b as far as they have room"));
    let many = removed("svc", 2, &["a", "b", "c", "d", "e", "f", "g"], true);
    assert!(many.ends_with("go to a, b, c, d, e and 2 more as far as they have room"), "{many}");
    for is_configured in [true, false] {
        for groups in 0..3 {
            let told = removed("svc", groups, &[], is_configured);
            assert!(told.contains("it was the last") && !told.contains("other accounts"), "{told}");
            assert_eq!(told.contains("exchange.user"), is_configured, "{told}");
            let refused = carries("svc", groups, &[], is_configured);
            assert!(refused.contains("--force") && refused.contains("it is the last"), "{refused}");
            assert_eq!(refused.contains("exchange.user"), is_configured, "{refused}");
        }
    }
    assert_eq!(affinity_groups(2), "2 affinity groups");
    assert_eq!(
        carries("svc", 1, &["svc2"], true),
        "svc carries 1 affinity group; give --force to remove it all the same; then its mailboxes go to svc2 as far as it has room"
    );
}

/// Regression: "credential failed" did not say which of its commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_whole_command() {
    let (database, desk) = (database().await, Desk::new(""));
    let added = told(add(&database.store, &desk.config, &desk.arguments("", "x", false)).await);
    assert!(added.starts_with("credential add failed: the name of the account is empty"), "{added}");
    let removed = told(remove(&database.store, &desk.config, "svc", false, "kim").await);
    assert!(removed.starts_with("credential remove failed: there is no service account svc"), "{removed}");
}

/// Regression: until when an account waits was told to the microsecond, in UTC.
#[test]
fn until_when_an_account_waits_is_told_as_every_time_is() {
    let until: jiff::Timestamp = "2026-11-23T13:08:22.888049Z".parse().unwrap();
    let account = Listed {
        number: 1,
        user: Some("svc".to_owned()),
        key_id: None,
        problem: None,
        password_changed_at: Some("2026-11-23T12:00:00Z".to_owned()),
        groups: 0,
        groups_free: 3,
        mailboxes: 0,
        mailboxes_free: 600,
        waits_until: Some(until.to_string()),
        waits_because: Some("refused"),
    };
    let listing = Listing { accounts: vec![account], mailboxes_not_covered: 0 };
    let text = listing.text();
    assert!(text.contains(&format!("refused, until {}", moment(until))), "{text}");
    assert!(!text.contains("22.888") && !text.contains("T12:00"), "{text}");
    // programs are told the time itself
    let value = serde_json::to_value(&listing).unwrap();
    assert_eq!(value["accounts"][0]["waits_until"], "2026-11-23T13:08:22.888049Z");
    assert_eq!(for_people("some day"), "some day");
}
