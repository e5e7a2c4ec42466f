//! Goal: rotation brings everything that opens under the current key, once, whatever is interrupted or changed
//! meanwhile, and says which key may go. Method: a real database and real keys a test.

use std::path::PathBuf;

use store::testing::{TestDatabase, database};
use tempfile::TempDir;

use super::*;

/// Key files by name, and configurations that use them.
struct Keys(TempDir);

impl Keys {
    fn new(names: &[&str]) -> Self {
        let keys = Self(TempDir::new().unwrap());
        for name in names {
            generate(Some(&keys.file(name))).unwrap();
        }
        keys
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn id(&self, name: &str) -> String {
        SealingKey::read(&self.file(name)).unwrap().id().to_string()
    }

    fn config(&self, current: &str, previous: &[&str]) -> Config {
        let previous: Vec<_> = previous.iter().map(|name| self.file(name)).collect();
        let text =
            format!("[secrets]\nkey_file = {:?}\nprevious_key_files = {previous:?}\n", self.file(current));
        Config::parse(Path::new("test.toml"), &text, []).unwrap()
    }
}

async fn add(database: &TestDatabase, config: &Config, user: &str) {
    let account = database.store.next_credential().await.unwrap();
    let ring = config.secrets.ring().unwrap();
    let sealed = ring.seal(password_place(account), &format!("pw-{user}").into()).unwrap();
    assert!(database.store.add_credential(account, user, &sealed).await.unwrap());
}

async fn password(database: &TestDatabase, config: &Config, user: &str) -> String {
    let rows = database.store.credentials().await.unwrap();
    let row = rows.iter().find(|row| row.user_name == user).unwrap();
    accounts::password(row, config.secrets.ring()).unwrap().expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_is_whole_repeatable_and_says_which_key_may_go() {
    let (database, keys) = (database().await, Keys::new(&["old", "new"]));
    let before = keys.config("old", &[]);
    for user in ["a", "b", "c"] {
        add(&database, &before, user).await;
    }
    let both = keys.config("new", &["old"]);
    let dry = rotate(&database.store, &both, true).await.unwrap();
    assert_eq!((dry.resealed.len(), dry.status.removable.len()), (3, 0));
    assert_eq!(password(&database, &before, "a").await, "pw-a", "a dry run changes nothing");
    // regression: nobody was told that what runs with the old key alone cannot open the passwords any more
    let told = dry.text();
    assert!(told.contains("secrets.previous_key_files, restart each, then rotate"), "{told}");

    let done = rotate(&database.store, &both, false).await.unwrap();
    assert_eq!(done.resealed, ["a", "b", "c"]);
    assert!(done.is_whole());
    assert_eq!(done.status.removable, [keys.id("old")]);
    assert!(done.text().contains("3 sealed anew: a, b, c"), "{}", done.text());
    let warning = format!("not started with the key {} cannot open these any more (9602)", keys.id("new"));
    assert!(done.text().contains(&warning), "{}", done.text());
    let again = rotate(&database.store, &both, false).await.unwrap();
    assert_eq!(again.resealed, Vec::<String>::new());
    assert!(!again.text().contains("9602"), "{}", again.text());
    let client = database.store.client("test").await.unwrap();
    let told =
        "select count(*) from application_log where event_id = 9503 and fields ->> 'act' = 'secrets rotate'";
    assert_eq!(client.query_one(told, &[]).await.unwrap().get::<_, i64>(0), 1, "what was done is recorded");
    let alone = keys.config("new", &[]);
    for user in ["a", "b", "c"] {
        assert_eq!(password(&database, &alone, user).await, format!("pw-{user}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_was_broken_off_goes_on() {
    let (database, keys) = (database().await, Keys::new(&["old", "new"]));
    add(&database, &keys.config("old", &[]), "a").await;
    // what was done before the break
    add(&database, &keys.config("new", &[]), "b").await;
    let both = keys.config("new", &["old"]);
    let status = status(&database.store, both.secrets.ring()).await.unwrap();
    assert_eq!(
        status.keys.iter().map(|key| (key.role, key.secrets)).collect::<Vec<_>>(),
        [("current", 1), ("previous", 1)]
    );
    assert_eq!(rotate(&database.store, &both, false).await.unwrap().resealed, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_open_is_told_and_left_and_the_rest_goes_on() {
    let (database, keys) = (database().await, Keys::new(&["lost", "old", "new"]));
    add(&database, &keys.config("lost", &[]), "a").await;
    add(&database, &keys.config("old", &[]), "b").await;
    let done = rotate(&database.store, &keys.config("new", &["old"]), false).await.unwrap();
    assert_eq!(done.resealed, ["b"]);
    assert!(!done.is_whole());
    let text = done.text();
    assert!(text.contains("not readable: the password of a") && text.contains(&keys.id("lost")), "{text}");
    assert!(text.contains("not configured"), "{text}");
    // regression: the first line said that there was nothing to do
    for dry_run in [true, false] {
        let again = rotate(&database.store, &keys.config("new", &["old"]), dry_run).await.unwrap();
        assert!(again.resealed.is_empty() && !again.is_whole(), "{again:?}");
        let text = again.text();
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("1 secret cannot be read with the keys that are configured"), "{text}");
        let key = format!("name the file of the key {} in secrets.previous_key_files", keys.id("lost"));
        assert!(first.contains(&key) && first.contains("credential add USER --replace"), "{text}");
        assert!(
            !text.contains("nothing to do") && text.contains("nothing else is to be sealed anew"),
            "{text}"
        );
    }
    // the lost key is found again
    assert_eq!(password(&database, &keys.config("lost", &[]), "a").await, "pw-a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_the_next_step_is_named() {
    let database = database().await;
    let config = Config::parse(Path::new("test.toml"), "", []).unwrap();
    let error = rotate(&database.store, &config, false).await.unwrap_err();
    let told = telemetry::chain(&error).to_string();
    assert!(told.contains("kommuneklient secrets generate --out FILE"), "{told}");
    assert!(told.starts_with("secrets rotate failed: "), "{told}");
    let empty = status(&database.store, None).await.unwrap();
    assert!(empty.text().starts_with("no key is configured"), "{}", empty.text());
    // regression: a new key was asked for where passwords are sealed under one that is not configured
    let keys = Keys::new(&["old", "new"]);
    for (name, secrets) in
        [("old", "1 secret is sealed under the key "), ("new", "2 secrets are sealed under ")]
    {
        add(&database, &keys.config(name, &[]), name).await;
        for dry_run in [true, false] {
            let error = rotate(&database.store, &config, dry_run).await.unwrap_err();
            let told = telemetry::chain(&error).to_string();
            assert!(told.contains(secrets) && told.contains(&keys.id(name)), "{told}");
            assert!(told.contains("set secrets.key_file to the file with"), "{told}");
            assert!(!told.contains("secrets generate"), "{told}");
        }
    }
}

#[test]
fn a_key_without_a_file_is_printed_alone_and_one_with_a_file_is_not_printed() {
    let printed = generate(None).unwrap();
    assert!(SealingKey::parse(&printed.as_str().into(), "test").is_ok());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.key");
    let told = generate(Some(&path)).unwrap();
    let key = std::fs::read_to_string(&path).unwrap();
    assert!(!told.contains(key.trim()) && told.contains("secrets.key_file"), "{told}");
    let again = generate(Some(&path)).unwrap_err();
    assert!(telemetry::chain(&again).to_string().contains("never overwritten"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), key);
}
