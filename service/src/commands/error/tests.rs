//! Goal: each refusal is told in the language of whoever asked, with its values, its next step and its cause. Method: one of each
//! kind.

use super::*;
use crate::lists_file::{self, Reading};

fn all() -> Vec<CommandError> {
    use CommandError as E;
    let mail = || "anna@x.dk".to_owned();
    let blocked = |reason: Option<&str>, is_listed| {
        let (reason, at) = (reason.map(str::to_owned), "2026-01-01".to_owned());
        E::Blocked { mail: mail(), reason, by: "kim".into(), at, is_listed }
    };
    let rows = lists_file::read(
        b"greylist;bo@x.dk;x\nblacklist;bo@x.dk\nblacklist;bo;x\n;a@x.dk\nblacklist;;x@\n",
        Reading::default(),
    )
    .unwrap();
    let refused = |bytes: &[u8]| lists_file::read(bytes, Reading::default()).unwrap_err();
    vec![
        E::Store(StoreError::LeaseLost { key: "test".into() }),
        E::NoDatabase { folder: "/var/lib/x".into() },
        E::Schema(StoreError::LeaseLost { key: "test".into() }),
        E::UnknownMailbox { mail: mail() },
        blocked(Some("orlov"), true),
        blocked(None, true),
        blocked(Some("barsel"), false),
        E::NotInUse { mail: mail(), since: "2026-01-01".into(), reason: None },
        E::NotInUse { mail: mail(), since: "2026-01-01".into(), reason: Some("P-NotInPlanner".into()) },
        E::NotInUse { mail: mail(), since: "2026-01-01".into(), reason: Some("P-NonWhitelist".into()) },
        E::NobodyInUse { id: 7 },
        E::CameToNothing {
            id: 7,
            unused: vec![Unused { mail: mail(), blocked: true, reason: Some("orlov".into()) }],
        },
        E::CameToNothing {
            id: 7,
            unused: vec![Unused { mail: mail(), blocked: false, reason: Some("P-NotInPlanner".into()) }],
        },
        E::CameToNothing { id: 7, unused: Vec::new() },
        E::NotSure(Consequence::WhitelistEmpty { revived: 2 }),
        E::NotSure(Consequence::NotUsed { dropped: 3, in_use_before: 1 }),
        E::NotSure(Consequence::Erased { mail: mail() }),
        E::UnknownOperation { id: 7 },
        E::UnknownRun { run: RunId::List(3) },
        E::Settled { run: RunId::Mailbox(17), state: "confirmed".into(), successor: None },
        E::Settled { run: RunId::Mailbox(17), state: "replaced".into(), successor: Some(RunId::Mailbox(23)) },
        E::ReadFile { file: "a.csv".into(), source: std::io::Error::other("the cause") },
        E::ListsFile { file: "a.csv".into(), why: refused(b"") },
        E::ListsFile { file: "a.csv".into(), why: refused(b"a\0") },
        E::ListsFile { file: "a.csv".into(), why: refused(b"name;phone\n") },
        E::ListsFile { file: "a.csv".into(), why: ListsFileError::TooManyRows },
        E::InvalidRows(rows.invalid),
        E::RowsWouldRefuse { count: 1 },
        E::SomeNotSettled { failed: 1, of: 2 },
        E::Erased { mail: mail(), at: "2026-01-01".into(), by: "kim".into() },
        E::InCall { count: 1 },
        E::InCall { count: 2 },
        E::StillHeld { mail: mail(), count: 2 },
        E::LastOnWhitelist { mail: mail() },
        E::NothingKnown { mail: mail() },
        E::NotRediscovered,
        E::DryRun { differs: false },
        E::DryRun { differs: true },
        E::StepsFail { count: 2 },
        E::NothingRuns,
        E::NothingSetAside,
        E::TimedOut { id: 7, waited: Duration::from_secs(90), done: 1, of: 2 },
    ]
}

#[test]
fn every_refusal_is_told_in_both_languages_with_nothing_left_open() {
    for error in all() {
        let (english, danish) = (error.text(Language::En), error.text(Language::Da));
        assert_eq!(error.to_string(), english);
        assert_ne!(english, danish);
        for text in [&english, &danish] {
            assert!(!text.is_empty() && !text.contains(['{', '}']), "{text}");
        }
        // the commands that are the next step are the same
        let commands = |text: &str| -> Vec<String> {
            text.split('`').skip(1).step_by(2).map(|command| command.replace("TEKST", "TEXT")).collect()
        };
        assert_eq!(commands(&english), commands(&danish));
    }
}

#[test]
fn a_refusal_names_what_is_wrong_in_the_language_asked_for() {
    let said = |error: &CommandError| error.text(Language::Da);
    let refusals = all();
    let with = |part: &str| {
        let texts: Vec<String> = refusals.iter().map(said).collect();
        assert!(texts.iter().any(|text| text.contains(part)), "{part}: {texts:#?}");
    };
    with("anna@x.dk er spærret (orlov), af kim 2026-01-01");
    // regression: who was blocked and is no resource was told like the others
    with("er spærret (barsel), af kim 2026-01-01, og ellers er intet kendt om den");
    // regression: "until Planner and the whitelist name it" was said of all, without a command
    with("siden 2026-01-01 (ikke på hvidlisten (P-NonWhitelist))");
    with("før hvidlisten nævner den: `kommuneklient mailbox allow anna@x.dk`");
    with("opret medarbejderen der igen, og derefter `kommuneklient resources refresh --wait`");
    with(
        "(ingen grund angivet); der gøres intet for den, før den bruges igen: `kommuneklient resources refresh",
    );
    with("operation 7 fører ikke til noget: anna@x.dk er spærret (orlov)");
    with("operation 7 fører ikke til noget: anna@x.dk bruges ikke mere (ikke længere på Planners liste");
    with("1 række kan ikke bruges");
    with("anna@x.dk er spærret (ingen grund angivet)");
    with("kørsel 17 venter ikke mere, den er bekræftet");
    with("kørsel 17 venter ikke mere, den er afløst af kørsel 23");
    with("3 af 1 ressource ville ikke blive brugt mere");
    with("a.csv kan ikke overtages: den har ingen rækker");
    with("linje 1: \"greylist\" er ingen liste");
    with("linje 2: bo@x.dk skal spærres uden begrundelse");
    with("linje 3: \"bo\" kan ikke bruges: det er ikke en mailadresse");
    with("2 aftaler er i et kald");
    with("efter 90s (1 af 2)");
}

#[test]
fn the_cause_is_told_below_it() {
    let error = CommandError::ReadFile { file: "a.csv".into(), source: std::io::Error::other("the cause") };
    let told = Told::new(error, Language::Da);
    assert_eq!(telemetry::chain(&told).to_string(), "a.csv kan ikke læses: the cause");
}

#[test]
fn of_many_rows_some_are_told() {
    let rows = "blacklist;bo@x.dk\n".repeat(ROWS_TOLD + 2);
    let invalid = lists_file::read(rows.as_bytes(), Reading::default()).unwrap().invalid;
    let told = rows_told(&invalid, Language::Da);
    assert_eq!(told.len(), ROWS_TOLD + 1);
    assert_eq!(told.last().unwrap(), "  og 2 flere (--json viser alle)");
    assert_eq!(rows_told(&invalid[..ROWS_TOLD], Language::En).len(), ROWS_TOLD);
}

/// Regression: words of the database stood behind the remedy; and to start the service was advised, whether or not it may
/// migrate.
#[test]
fn a_schema_that_is_not_there_is_told_with_its_remedy_alone() {
    let cause = || StoreError::LeaseLost { key: "test".into() };
    let told = Told::new(CommandError::Schema(cause()), Language::En);
    let text = telemetry::chain(&told).to_string();
    assert!(
        text.contains("with `kommuneklient migrate` (") && text.ends_with("where database.migrate is true)"),
        "{text}"
    );
    // of another failure the cause is what there is to go by
    let told = Told::new(CommandError::Store(cause()), Language::En);
    assert!(telemetry::chain(&told).to_string().len() > told.to_string().len());
}
