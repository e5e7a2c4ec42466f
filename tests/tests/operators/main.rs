//! Goal: whoever operates the service can ask it for work, follow it, and change its lists, and is told what
//! happened or why not, in a table or in JSON, with the documented status. Method: the program as a process, on a
//! database of its own; beside a running service where that matters.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use end_to_end::command::operate;
use end_to_end::scene::quote;
use end_to_end::{Ended, Scene, Setting, mailbox, wait_for};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::outbox::testing::{decide, resource, slot, sql};
use store::testing::TestDatabase;

mod runs;
mod service;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

/// A database without a service, and the configuration that names it.
struct Desk {
    database: TestDatabase,
    configuration: PathBuf,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let database = store::testing::database().await;
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("kommuneklient.toml");
        let text = format!("[database]\nurl = {}\n", quote(database.url.expose_secret()));
        std::fs::write(&configuration, text).unwrap();
        Self { database, configuration, _folder: folder }
    }

    async fn run(&self, line: &str) -> Ended {
        run(&self.configuration, line).await
    }

    /// The answer in JSON of a command that succeeds.
    async fn json(&self, line: &str) -> Value {
        answer(self.run(&format!("{line} --json")).await)
    }

    /// What people are told by a command that succeeds.
    async fn text(&self, line: &str) -> String {
        let ended = self.run(line).await;
        assert_eq!(ended.status, 0, "{line}: {ended:?}");
        ended.out
    }

    /// A command that is refused with status 1 and these words.
    async fn refused(&self, line: &str, words: &[&str]) {
        let ended = self.run(line).await;
        assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{line}: {ended:?}");
        for word in words {
            assert!(ended.err.contains(word), "{word:?} is missing: {ended:?}");
        }
    }
}

/// Runs a command; words in the line are parted by blanks, `_` stands for a blank within a word.
async fn run(configuration: &Path, line: &str) -> Ended {
    operate(PROGRAM, configuration, line).await
}

fn answer(ended: Ended) -> Value {
    assert_eq!(ended.status, 0, "{ended:?}");
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_shown_and_changed_with_who_and_why() {
    let desk = Desk::new().await;
    assert!(desk.text("resources list").await.contains("Planner has listed nobody yet"));
    assert!(desk.text("whitelist list").await.contains("everybody whom Planner lists is used"));
    assert!(desk.text("blacklist list").await.contains("nobody is blocked"));
    for n in 0..12 {
        resource(&desk.database.store, &format!("m{n:02}@x.dk")).await;
    }
    desk.refused("whitelist add m00@x.dk", &["11 of 12 resources would not be used any more", "--yes"]).await;
    let added = desk.text("whitelist add M00@X.dk m01@x.dk m02@x.dk --reason the_pilot --yes --by kim").await;
    assert_eq!(added, "added 3 entries; 9 not used any more, 0 used now; the whitelist has 3 entries now\n");
    let listed = desk.json("whitelist list").await;
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert_eq!(
        (&listed[0]["mailbox"], &listed[0]["added_by"], &listed[0]["in_use"]),
        (&json!("m00@x.dk"), &json!("kim"), &json!(true))
    );
    assert!(listed.as_array().unwrap().iter().all(|entry| entry["reason"] == json!("the pilot")), "{listed}");
    let first = desk.text("whitelist list").await;
    let first = first.lines().nth(1).unwrap();
    assert!(first.contains("m00@x.dk") && first.contains("the pilot"), "{first}");
    assert!(desk.text("explain m00@x.dk").await.contains("kim did: whitelist add: the pilot"));
    assert!(desk.text("mailbox show m00@x.dk").await.contains("the pilot"));

    let blocked = desk.text("blacklist add m01@x.dk --reason has_left").await;
    assert_eq!(blocked, "m01@x.dk is blocked: it is not used any more; its appointments stay in Planner\n");
    let listed = desk.json("blacklist list").await;
    assert_eq!((&listed[0]["reason"], &listed[0]["added_by"]), (&json!("has left"), &json!("somebody")));
    let text = desk.text("blacklist list").await;
    assert!(
        text.contains("has left") && text.contains(" blocked ") && !text.contains("not in use"),
        "{text}"
    );
    for command in ["resources list", "mailbox list", "explain m01@x.dk", "whitelist list"] {
        let text = desk.text(command).await;
        assert!(text.contains("blocked by somebody") && text.contains(": has left"), "{command}: {text}");
    }
    let text = desk.text("mailbox show m01@x.dk").await;
    assert!(text.contains("blocked, not in use since") && text.contains("has left (by somebody, "), "{text}");
    let rows = desk.json("resources list").await;
    assert_eq!(rows.as_array().unwrap().len(), 12);
    assert_eq!(
        (&rows[1]["in_use"], &rows[1]["blacklisted"], &rows[1]["deleted_reason"]),
        (&json!(false), &json!(true), &json!("has left"))
    );
    let text = desk.text("resources list").await;
    assert!(
        text.contains("not on the whitelist (P-NonWhitelist)")
            && text.ends_with("2 resources in use, 12 in all\n"),
        "{text}"
    );

    let again = desk.json("whitelist add m03@x.dk").await;
    assert_eq!(again, json!({ "entries": 1, "dropped": 0, "revived": 1, "entries_now": 4 }));
    desk.refused(
        "whitelist remove m00@x.dk m01@x.dk m02@x.dk m03@x.dk",
        &["everybody be used (8 resources not used now)"],
    )
    .await;
    desk.refused(
        "whitelist remove m00@x.dk m01@x.dk m02@x.dk m03@x.dk --language da",
        &[
            "fejl: whitelist remove mislykkedes: intet blev ændret",
            "alle blive brugt (8 ressourcer, der ikke bruges nu)",
        ],
    )
    .await;
    desk.refused("pull nobody@x.dk --language da", &["Planner har aldrig haft nobody@x.dk på listen"]).await;
    assert!(desk.text("whitelist remove m03@x.dk").await.starts_with("removed 1 entry; 1 not used any more"));
    // regression: "removed 0 entries" did not say that it was not there
    assert_eq!(desk.text("whitelist remove m03@x.dk").await, "m03@x.dk was not on the whitelist\n");
    let danish = desk.text("whitelist remove m03@x.dk --language da").await;
    assert_eq!(danish, "m03@x.dk var ikke på hvidlisten\n");
    let nothing = desk.json("whitelist remove m03@x.dk").await;
    let not_there = json!(["m03@x.dk"]);
    assert_eq!(
        nothing,
        json!({ "entries": 0, "dropped": 0, "revived": 0, "entries_now": 3, "not_on_list": not_there })
    );
    assert!(desk.text("blacklist remove m07@x.dk").await.contains("m07@x.dk was not blocked"));
    assert_eq!(desk.json("blacklist remove m07@x.dk").await["removed"], false);
    assert!(desk.text("blacklist remove m01@x.dk").await.contains("the resource list is asked for"));
    assert!(desk.database.store.resource_list_asked().await.unwrap().is_some());

    let client = desk.database.store.client("test").await.unwrap();
    let query =
        "select fields ->> 'act', fields ->> 'by' from application_log where event_id = 9503 order by id";
    let acts: Vec<(String, String)> =
        client.query(query, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let acts: Vec<(&str, &str)> = acts.iter().map(|(act, by)| (act.as_str(), by.as_str())).collect();
    let expected = [
        ("whitelist add", "kim"),
        ("blacklist add", "somebody"),
        ("whitelist add", "somebody"),
        ("whitelist remove", "somebody"),
        ("blacklist remove", "somebody"),
    ];
    assert_eq!(acts, expected, "refusals change nothing and are no acts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_mailbox_on_the_whitelist_is_told_and_that_nobody_is_left() {
    let desk = Desk::new().await;
    for name in ["anna@x.dk", "bo@x.dk"] {
        resource(&desk.database.store, name).await;
    }
    desk.refused("whitelist add ana@x.dk", &["2 of 2 resources would not be used any more", "--yes"]).await;
    assert_eq!(desk.json("whitelist list").await, json!([]), "what is refused changes nothing");
    let text = desk.text("whitelist add ana@x.dk --yes").await;
    assert!(text.starts_with("added 1 entry; 2 not used any more"), "{text}");
    assert!(text.contains("Planner never listed ana@x.dk") && text.contains("nobody is used now"), "{text}");
    let text = desk.text("whitelist add anna@x.dk").await;
    assert_eq!(text, "added 1 entry; 0 not used any more, 1 used now; the whitelist has 2 entries now\n");
    desk.refused("whitelist remove anna@x.dk", &["1 of 1 resource would not be used any more"]).await;
    let text = desk.text("whitelist remove anna@x.dk --yes").await;
    assert!(text.contains("nobody is used now") && !text.contains("never listed"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_and_why_can_be_read_again_and_blanks_are_no_reason() {
    let desk = Desk::new().await;
    resource(&desk.database.store, "anna@x.dk").await;
    for line in [
        "mailbox block anna@x.dk --reason _",
        "blacklist add anna@x.dk --reason __",
        "mailbox allow anna@x.dk --reason _",
        "mailbox unblock anna@x.dk --reason _",
    ] {
        let ended = desk.run(line).await;
        assert!(ended.status == 2 && ended.err.contains("must say why"), "{line}: {ended:?}");
    }
    desk.text("mailbox allow anna@x.dk --reason pilot_group --by kim --yes").await;
    let listed = desk.json("whitelist list").await;
    assert_eq!((&listed[0]["reason"], &listed[0]["added_by"]), (&json!("pilot group"), &json!("kim")));
    assert!(desk.text("whitelist list").await.contains("pilot group"));
    let shown = desk.json("mailbox show anna@x.dk").await;
    assert_eq!(shown["whitelist_entry"]["reason"], json!("pilot group"));
    let page = desk.text("mailbox show anna@x.dk").await;
    assert!(page.contains("on it: pilot group (by kim, "), "{page}");
    let story = desk.text("explain anna@x.dk").await;
    assert!(story.contains("kim did: mailbox allow: pilot group"), "{story}");
    let page = desk.text("whitelist list --language da").await;
    assert!(page.contains("BEGRUNDELSE") && page.contains("i brug"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_blocked_before_the_first_list_is_known_as_blocked() {
    let desk = Desk::new().await;
    desk.refused("mailbox show eva@x.dk", &["Planner never listed eva@x.dk"]).await;
    desk.refused("mailbox block eva@x.dk --withdraw --reason left", &["never listed"]).await;
    let told = desk.text("blacklist add eva@x.dk --reason has_left --by kim").await;
    assert!(told.contains("is blocked") && told.contains("Planner never listed eva@x.dk"), "{told}");
    let told = desk.text("mailbox block eva@x.dk --reason has_left --by kim").await;
    assert!(!told.contains("never listed"), "the list passes over who is blocked: {told}");
    let list = desk.text("blacklist list").await;
    assert!(list.contains(" blocked ") && !list.contains("never listed"), "{list}");
    let page = desk.text("mailbox show eva@x.dk").await;
    assert!(page.contains("has left (by kim, ") && page.contains("not in use"), "{page}");
    let shown = desk.json("mailbox show eva@x.dk").await;
    assert_eq!((&shown["in_use"], &shown["blacklisted"]["by"]), (&json!(false), &json!("kim")));
    let doctor = desk.run("doctor eva@x.dk").await;
    assert!(doctor.status == 1 && doctor.out.contains("blocked by kim"), "{doctor:?}");
    assert!(doctor.out.contains("has left") && !doctor.out.contains("never listed"), "{doctor:?}");
    assert!(page.contains("no whitelist: everybody is used"), "{page}");
    for line in ["explain eva@x.dk", "pull eva@x.dk", "diff eva@x.dk"] {
        let words = ["eva@x.dk is blocked (has left), by kim", "nothing else is known of it"];
        desk.refused(line, &words).await;
    }
    // regression: it stood in no list of mailboxes, and was called never listed
    for line in ["resources list", "mailbox list --unused"] {
        let listed = desk.json(line).await;
        assert_eq!(
            (&listed[0]["mailbox"], &listed[0]["blocked"]["by"]),
            (&json!("eva@x.dk"), &json!("kim")),
            "{listed}"
        );
        assert!(desk.text(line).await.contains("blocked by kim"), "{line}");
    }
    assert_eq!(desk.json("mailbox list --failing").await, json!([]));
    for line in ["mailbox allow eva@x.dk --yes", "whitelist add eva@x.dk --yes"] {
        let told = desk.text(line).await;
        assert!(told.contains("has left") && !told.contains("never listed"), "{line}: {told}");
    }
    let withdrawn = desk.text("mailbox block eva@x.dk --withdraw --reason has_left").await;
    assert!(
        withdrawn.contains("never used here") && withdrawn.contains("adopt eva@x.dk --wait"),
        "{withdrawn}"
    );
}

/// Nobody is told that all is well while deletions wait for an operator, nor a sum that is not one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_is_told_by_diff_and_the_sum_of_mailboxes_is_of_all() {
    let desk = Desk::new().await;
    let store = &desk.database.store;
    for name in ["anna@x.dk", "bo@x.dk"] {
        resource(store, name).await;
    }
    assert!(desk.text("mailbox list --unused").await.contains("2 resources in use, 2 in all"));
    assert!(desk.text("diff").await.contains("Planner holds what it should"));
    sql(
        store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('anna@x.dk', 'comparison', now(), now(), 2, 2); \
         insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             select 'anna@x.dk', 'U' || n, r.id, 0, now() + interval '1 day', now() + interval '2 days' \
             from withheld_run r, generate_series(1, 2) n",
    )
    .await;
    for line in ["diff", "diff anna@x.dk"] {
        let told = desk.text(line).await;
        assert!(told.contains("2 deletions are withheld (run 1): kommuneklient withheld list"), "{told}");
        assert!(!told.contains("Planner holds what it should"), "{told}");
        assert_eq!(desk.json(line).await["withheld"], json!({ "deletions": 2, "runs": ["1"] }));
    }
    assert!(desk.text("diff bo@x.dk").await.contains("Planner holds what it should"));
}

/// Regression: Planner was said to hold what it should while calls to it failed and a comparison waited for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_calls_fail_and_comparisons_wait_is_told_where_nothing_is_to_be_sent() {
    let desk = Desk::new().await;
    let store = &desk.database.store;
    for name in ["anna@x.dk", "bo@x.dk"] {
        resource(store, name).await;
    }
    sql(
        store,
        "insert into service_call_reference_log (call_id, operation, items, started_at, deadline, ended_at, success, \
                                                 event_id, text) \
             values (gen_random_uuid(), 'GetEvents', 1, now(), now(), now(), false, 6904, 'no answer'); \
         update planner_resource set compare_due_at = now() where mail = 'bo@x.dk'",
    )
    .await;
    for (line, waits) in [("diff", true), ("diff bo@x.dk", true), ("diff anna@x.dk", false)] {
        let told = desk.text(line).await;
        assert!(told.contains("calls to Planner fail, the last at ") && told.contains("6904"), "{told}");
        assert_eq!(told.contains("1 mailbox is still to be compared with Planner"), waits, "{told}");
        assert_eq!(told.contains("holds what it should"), !waits, "{told}");
        assert_eq!(desk.json(line).await["to_be_compared"], json!(u64::from(waits)));
    }
}

/// Regression: while Exchange as a whole was out of reach, no mailbox failed by itself, and `--failing` knew of none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mailboxes_of_a_stream_that_fails_are_listed_as_failing() {
    let desk = Desk::new().await;
    for name in ["anna@x.dk", "bo@x.dk"] {
        resource(&desk.database.store, name).await;
    }
    assert!(desk.text("mailbox list --failing").await.contains("there is none"));
    sql(
        &desk.database.store,
        "insert into subscription (endpoint, grouping_value, ordinal) values ('https://ex', 'g', 1); \
         insert into planner_resource_subscription (mail, subscription_id) select 'anna@x.dk', id from subscription; \
         insert into lease (key, owner, token, expires_at) \
         select 'affinity-group/' || id, 'host/1', 1, now() + interval '1 hour' from subscription; \
         insert into group_stream (subscription_id, token, open, since, happening, code, happened_at) \
         select id, 1, false, now() - interval '1 hour', 'away', 'HTTP 503', now() from subscription",
    )
    .await;
    let failing = desk.json("mailbox list --failing").await;
    assert_eq!(failing.as_array().unwrap().len(), 1, "{failing}");
    assert_eq!(
        (&failing[0]["mailbox"], &failing[0]["stream_fails"]),
        (&json!("anna@x.dk"), &json!(true)),
        "{failing}"
    );
    assert_eq!(desk.json("mailbox list").await[1]["stream_fails"], json!(false));
    let text = desk.text("mailbox list --failing").await;
    assert!(text.contains("is not open: Exchange cannot open it now (HTTP 503)"), "{text}");
    assert!(text.contains(" fails, so none of its mailboxes is listened to: kommuneklient status"), "{text}");
    let text = desk.text("mailbox list --failing --language da").await;
    assert!(text.contains("ikke åben: Exchange kan ikke åbne den nu (HTTP 503)"), "{text}");
    assert!(!text.contains("bo@x.dk"), "{text}");
}

/// Who erases the last of the whitelist would let everybody in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_the_whitelist_is_not_erased_and_a_rehearsal_says_so() {
    let desk = Desk::new().await;
    for name in ["anna@x.dk", "bo@x.dk"] {
        resource(&desk.database.store, name).await;
    }
    desk.text("whitelist add anna@x.dk --yes").await;
    // regression: of who is not in use it was said that Planner holds what it should
    let told = desk.text("diff bo@x.dk").await;
    assert!(told.contains("bo@x.dk: not in use since ") && told.contains("(P-NonWhitelist)"), "{told}");
    assert!(!told.contains("holds what it should"), "{told}");
    assert_eq!(desk.json("diff bo@x.dk").await["not_in_use"]["why"], json!("dropped"));
    assert_eq!(desk.json("diff anna@x.dk").await["not_in_use"], Value::Null);
    let told = desk.text("erase anna@x.dk --dry-run").await;
    assert!(told.contains("would be refused") && told.contains("the last on the whitelist"), "{told}");
    let refused = desk.json("erase anna@x.dk --dry-run").await;
    assert!(refused["refused"].as_str().unwrap().contains("whitelist remove anna@x.dk --yes"), "{refused}");
    desk.refused("erase anna@x.dk --yes", &["anna@x.dk is the last on the whitelist"]).await;
    assert_eq!(desk.json("erase bo@x.dk --dry-run").await["refused"], Value::Null);
    desk.text("whitelist add bo@x.dk --yes").await;
    assert!(desk.text("erase anna@x.dk --yes").await.contains("anna@x.dk is erased"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_address_is_not_erased_and_who_was_erased_is_warned_about() {
    let desk = Desk::new().await;
    resource(&desk.database.store, "anna@x.dk").await;
    desk.refused("erase ana@x.dk --yes", &["ana@x.dk is not known here", "--even-if-unknown"]).await;
    desk.refused("erase ana@x.dk --dry-run", &["check the spelling"]).await;
    assert!(desk.text("erase anna@x.dk --yes --by kim").await.contains("anna@x.dk is erased"));
    // again does no harm, and neither does somebody who insists
    let again = desk.text("erase anna@x.dk --yes --by bo").await;
    assert!(again.contains("is erased already, ") && again.contains(" by kim"), "{again}");
    assert_eq!(desk.json("erase anna@x.dk --dry-run").await["erased_before"]["by"], json!("kim"));
    for line in ["diff anna@x.dk", "pull anna@x.dk", "explain anna@x.dk", "mailbox show anna@x.dk"] {
        desk.refused(line, &["the data of anna@x.dk was erased", "by kim"]).await;
    }
    assert!(desk.text("erase bo@x.dk --yes --even-if-unknown").await.contains("bo@x.dk is erased"));
    for line in
        ["whitelist add anna@x.dk --yes", "mailbox block anna@x.dk --reason r", "mailbox allow anna@x.dk"]
    {
        let told = desk.text(line).await;
        assert!(told.contains("the data of anna@x.dk was erased"), "{line}: {told}");
        assert!(told.contains("erase anna@x.dk --undo"), "{line}: {told}");
        assert!(!told.contains("never listed"), "{line}: {told}");
    }
    assert_eq!(desk.json("whitelist add anna@x.dk").await["erased"], json!(["anna@x.dk"]));
    // it was blocked meanwhile
    let undone = desk.text("erase anna@x.dk --undo").await;
    assert!(undone.contains("stays out of use") && undone.contains("mailbox unblock anna@x.dk"), "{undone}");
    // regression: it was told to have been blocked before Planner's list named it, and nothing of the whitelist
    let page = desk.text("mailbox show anna@x.dk").await;
    assert!(page.contains("on it: no reason given (by ") && !page.contains("before"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_told_that_nothing_runs_and_that_nothing_is_sent() {
    let desk = Desk::new().await;
    let ended = desk.run("status --json").await;
    assert!(ended.status == 1 && ended.err.contains("no instance of the service is running"), "{ended:?}");
    let status: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&status["well"], &status["alerts"]), (&json!(false), &json!([])));
    resource(&desk.database.store, "anna@x.dk").await;
    let rehearsal = std::fs::read_to_string(&desk.configuration).unwrap() + "[planner]\ndry_run = true\n";
    std::fs::write(&desk.configuration, rehearsal).unwrap();
    desk.refused("resend --all --wait", &["planner.dry_run is true", "kommuneklient diff"]).await;
    decide(&desk.database.store, "anna@x.dk", "U", Some(slot(1))).await;
    assert_eq!(desk.json("diff").await["appointments"][0]["waits_for"], json!("dry_run"));
    let story = desk.text("explain anna@x.dk U").await;
    assert!(story.contains("planner.dry_run is set"), "{story}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_asked_for_recorded_and_shown_and_refused_where_it_makes_no_sense() {
    let desk = Desk::new().await;
    for name in ["a@x.dk", "b@x.dk", "c@x.dk"] {
        resource(&desk.database.store, name).await;
    }
    sql(&desk.database.store, "update planner_resource set deleted_date = now(), deleted_reason = 'P-NotInPlanner' where mail = 'c@x.dk'").await;
    desk.text("blacklist add b@x.dk --reason on_leave").await;
    assert!(desk.text("operations").await.contains("nothing was asked for yet"));
    for command in ["pull", "compare", "adopt"] {
        desk.refused(
            &format!("{command} nobody@x.dk"),
            &["Planner never listed nobody@x.dk", "resources list"],
        )
        .await;
        desk.refused(
            &format!("{command} b@x.dk"),
            &["b@x.dk is blocked (on leave)", "mailbox unblock b@x.dk"],
        )
        .await;
        let words = ["has not been in use since", "P-NotInPlanner", "resources refresh --wait"];
        desk.refused(&format!("{command} c@x.dk"), &words).await;
        for usage in [command.to_owned(), format!("{command} nonsense"), format!("{command} a@x.dk --all")] {
            assert_eq!(desk.run(&usage).await.status, 2, "{usage}");
        }
    }
    assert_eq!(desk.json("operations").await, json!([]), "what is refused is not recorded");
    let ended = desk.run("pull A@X.dk --by kim").await;
    assert_eq!(ended.status, 0);
    assert!(ended.err.contains("no instance of the service is running"), "{ended:?}");
    assert_eq!(
        ended.out,
        "operation 1 is asked for: full pull (a@x.dk); `kommuneklient operations 1` shows how far it is\n"
    );
    let waiting = "select count(*) from notification where event_type = 'FullRead' and mail = 'a@x.dk'";
    assert_eq!(count(&desk.database, waiting).await, 1);
    let asked = desk.json("compare --all").await;
    assert_eq!(
        (&asked["kind"], &asked["mailbox"], &asked["of"], &asked["state"]),
        (&json!("comparison"), &Value::Null, &json!(1), &json!("waiting"))
    );
    assert_eq!(
        count(&desk.database, "select count(*) from planner_resource where compare_due_at is not null").await,
        1
    );
    assert_eq!(desk.json("adopt a@x.dk").await["kind"], "adoption");
    assert_eq!(
        count(
            &desk.database,
            "select count(*) from planner_resource where mail = 'a@x.dk' and adopt_due_at is not null"
        )
        .await,
        1
    );
    assert_eq!(desk.json("resources refresh").await["kind"], "resource_list");
    assert!(desk.database.store.resource_list_asked().await.unwrap().is_some());
    desk.refused("pull a@x.dk --wait --timeout 100ms", &["operation 5 is not done after", "0 of 1"]).await;

    let all = desk.json("operations").await;
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [5, 4, 3, 2, 1]);
    sql(
        &desk.database.store,
        "update planner_resource set full_read_began_at = clock_timestamp() where mail = 'a@x.dk'",
    )
    .await;
    let one = desk.json("operations 1").await;
    assert_eq!((&one["state"], &one["done"], &one["asked_by"]), (&json!("done"), &json!(1), &json!("kim")));
    let text = desk.text("operations 2").await;
    assert!(text.contains("0 of 1") && text.contains("WAITING") && text.contains("in turn"), "{text}");
    desk.refused("operations 77", &["there is no operation 77"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_not_migrated_and_an_embedded_one_that_sleeps() {
    let folder = tempfile::tempdir().unwrap();
    // the server's account must be able to enter
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let configuration = folder.path().join("kommuneklient.toml");
    let data = folder.path().join("data");
    let text = format!("[database]\nurl = \"embedded\"\ndata_dir = {}\n", quote(data.to_str().unwrap()));
    std::fs::write(&configuration, text).unwrap();
    // a command makes no database
    let ended = run(&configuration, "operations").await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.err.contains("there is no database in") && !data.exists(), "{ended:?}");
    assert_eq!(run(&configuration, "migrate").await.status, 0);
    assert_eq!(answer(run(&configuration, "operations --json").await), json!([]));
    assert!(
        !data.join("cluster/postmaster.pid").exists(),
        "it was started for the command and is stopped again"
    );

    let database = store::testing::database().await;
    let client = database.store.client("make an empty database").await.unwrap();
    let query = "select current_database()::text || '_bare'";
    let name: String = client.query_one(query, &[]).await.unwrap().get(0);
    client.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = quote(&format!("{}_bare", database.url.expose_secret()));
    std::fs::write(&configuration, format!("[database]\nurl = {url}\n")).unwrap();
    let ended = run(&configuration, "operations").await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.err.contains("bring it up to date with `kommuneklient migrate`"), "{ended:?}");
    client.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();

    std::fs::write(
        &configuration,
        "[database]\nurl = \"postgres://u:s3cret@127.0.0.1:1/d?connect_timeout=1\"\n",
    )
    .unwrap();
    let ended = run(&configuration, "pull --all").await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(
        ended
            .err
            .contains("pull failed: the database cannot be used (is it running, and is database.url right?)"),
        "{ended:?}"
    );
    assert!(!ended.err.contains("s3cret"), "{ended:?}");
}

async fn count(database: &TestDatabase, query: &str) -> i64 {
    store::outbox::testing::number(&database.store, query).await
}
