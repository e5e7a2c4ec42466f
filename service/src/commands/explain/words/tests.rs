//! Goal: how an appointment stands is told with what follows from it, whatever combination there is. Method: a table.

use calendar::{OriginId, Slot};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn slot() -> Slot {
    Slot { start: at(0), end: at(3_600) }
}

/// To be in Planner, and in step.
fn key() -> KeyState {
    KeyState {
        origin_id: OriginId::new("U".to_owned()),
        version: 3,
        wanted: Some(true),
        slot: Some(slot()),
        decided_at: Some(at(0)),
        planner: Planner::Holds(slot()),
        ack_at: Some(at(1)),
        uncertain: false,
        planner_own: false,
        refused: None,
        set_aside: None,
        withheld: false,
        pending: false,
        next_attempt_at: None,
        in_flight: false,
        kept: None,
    }
}

/// Regression: that it was to be in Planner was said without a word of why, when the calendar lacked it.
#[test]
fn who_rejected_a_deletion_is_told_where_the_calendar_lacks_the_appointment() {
    let kept = KeyState { kept: Some(store::inspect::KeptBy { run: 3, by: "kim".to_owned() }), ..key() };
    let well = Sending::default();
    let told = |key: &KeyState, language| standing(key, &used(), &present(&well), language);
    let words = ", although the calendar lacks it: kim rejected its deletion (run 3); Planner holds it, ";
    let english = told(&kept, Language::En);
    assert!(english.starts_with("it is to be in Planner, ") && english.contains(words), "{english}");
    let danish = told(&kept, Language::Da);
    assert!(
        danish.contains("skønt den mangler i kalenderen: kim afviste at slette den (kørsel 3)"),
        "{danish}"
    );
    assert!(!told(&key(), Language::En).contains("rejected"));
}

/// Regression: of a mailbox that came back into use it was told that something was asked for it while it was out of use.
#[test]
fn what_was_asked_for_all_is_told_as_asked_of_those_in_use_then() {
    let asked = |kind: &str, all, language| {
        let (kind, by) = (kind.to_owned(), "kim".to_owned());
        acted(&Happening::Asked { id: 5, kind, by, all }, Voice(language))
    };
    let english = asked("comparison", true, Language::En);
    assert!(english.ends_with(" of all mailboxes in use then (operation 5)"), "{english}");
    let danish = asked("comparison", true, Language::Da);
    assert!(danish.ends_with(" for alle postkasser, der da var i brug (operation 5)"), "{danish}");
    // the list is no matter of those in use, and one mailbox was meant
    for (kind, all) in [("resource_list", true), ("comparison", false)] {
        let told = asked(kind, all, Language::En);
        assert!(told.starts_with("kim asked for: ") && !told.contains("mailboxes in use"), "{told}");
    }
}

/// Two days before [`slot`].
fn present(sending: &Sending) -> Present<'_> {
    Present { window: Window::at(at(-2 * 86_400), &TimeZone::UTC, 1), sending }
}

fn used() -> MailboxFacts {
    MailboxFacts { mail: "a@x.dk".to_owned(), sendable: true, ..MailboxFacts::default() }
}

#[test]
fn what_follows_is_said() {
    let unused = MailboxFacts { deleted_date: Some(at(0)), sendable: false, ..used() };
    let withdrawn = MailboxFacts { withdrawn: Some((at(0), "kim".to_owned())), ..unused.clone() };
    let unread = MailboxFacts { sendable: false, ..used() };
    let differs = KeyState { planner: Planner::Nothing, pending: true, ..key() };
    let goes = KeyState { wanted: Some(false), pending: true, ..key() };
    let cases = [
        (key(), used(), "nothing is to be sent"),
        (KeyState { planner_own: true, ..differs.clone() }, used(), "Planner's own"),
        (KeyState { refused: Some(7), pending: false, ..differs.clone() }, used(), "receipt code 7"),
        (
            KeyState { set_aside: Some("why".into()), pending: false, ..differs.clone() },
            used(),
            "resend a@x.dk",
        ),
        (KeyState { withheld: true, pending: false, ..goes.clone() }, used(), "withheld list"),
        (KeyState { in_flight: true, ..differs.clone() }, used(), "in a call now"),
        (differs.clone(), unused.clone(), "not in use"),
        (goes.clone(), unused, "not in use"),
        (differs.clone(), withdrawn.clone(), "not in use"),
        (goes.clone(), withdrawn, "when its turn comes"),
        (differs.clone(), unread, "adopted and read in full"),
        (KeyState { next_attempt_at: Some(at(9)), ..differs.clone() }, used(), "sent again at"),
        (differs, used(), "when its turn comes"),
    ];
    for (key, facts, words) in cases {
        let told = standing(&key, &facts, &present(&Sending::default()), Language::En);
        assert!(told.contains(words), "{words:?} is missing: {told}\n{key:?}");
    }
}

#[test]
fn an_entry_has_words_and_fields() {
    let answered = Happening::Answered {
        origin_id: OriginId::new("U".to_owned()),
        operation: Some(Operation::Update),
        version: 3,
        slot: slot(),
        code: Some(10),
        outcome: "converted".to_owned(),
        text: None,
    };
    let told = of(&answered, Language::En);
    assert!(told.starts_with("receipt 10 for the update of U (") && told.contains("version 3"), "{told}");
    let fields = fields(&answered);
    assert_eq!((&fields["receipt_code"], &fields["operation"]), (&json!(10), &json!("UpdateEvents")));
    let waits =
        Happening::Failing { id: 4, kind: "CreatedEvent".into(), attempts: 2, error: None, set_aside: false };
    assert_eq!(of(&waits, Language::En), "notification 4 failed 2 times, tried again");
    assert_eq!(of(&waits, Language::Da), "notifikation 4 mislykkedes 2 gange, forsøges igen");
    let once =
        Happening::Failing { id: 4, kind: "CreatedEvent".into(), attempts: 1, error: None, set_aside: true };
    assert_eq!(of(&once, Language::En), "notification 4 failed 1 time, set aside");
    assert_eq!(of(&once, Language::Da), "notifikation 4 mislykkedes 1 gang, lagt til side");
    let told = of(&answered, Language::Da);
    assert!(told.starts_with("kvittering 10 for ændringen af U (") && told.contains(" til "), "{told}");
}

#[test]
fn why_a_mailbox_is_not_used_is_told_in_words() {
    let told = |reason: Option<&str>, language| {
        of(&Happening::NotInUse { reason: reason.map(ToOwned::to_owned) }, language)
    };
    let ours = told(Some("P-NonWhitelist"), Language::En);
    assert_eq!(ours, "not used any more: not on the whitelist (P-NonWhitelist)");
    assert_eq!(told(Some("on leave"), Language::En), "not used any more: on leave");
    assert_eq!(told(None, Language::Da), "bruges ikke mere: ingen grund angivet");
}

/// Regression: what `lists import` did with a mailbox was told nowhere in its story.
#[test]
fn who_put_a_mailbox_on_a_list_and_why_is_told_in_words() {
    let blocked = Happening::Blocked { reason: "has left".into(), by: "kim".into() };
    assert_eq!(of(&blocked, Language::En), "kim blocked the mailbox: has left");
    assert_eq!(of(&blocked, Language::Da), "kim spærrede postkassen: has left");
    assert_eq!(fields(&blocked), json!({ "what": "blocked", "reason": "has left", "by": "kim" }));
    let allowed =
        |reason: Option<&str>| Happening::Allowed { reason: reason.map(ToOwned::to_owned), by: "kim".into() };
    assert_eq!(of(&allowed(Some("pilot")), Language::En), "kim put the mailbox on the whitelist: pilot");
    assert_eq!(of(&allowed(None), Language::Da), "kim satte postkassen på hvidlisten");
}

#[test]
fn why_an_appointment_is_not_told_and_what_keeps_all_of_them_is_said() {
    let well = Sending::default();
    let now = present(&well);
    let told = |start: i64, end: i64| {
        let slot = Slot { start: at(start), end: at(end) };
        let key = KeyState { wanted: Some(false), slot: Some(slot), planner: Planner::Nothing, ..key() };
        standing(&key, &used(), &now, Language::En)
    };
    assert!(told(0, 3_600).contains("not shown as busy"));
    assert!(told(-2 * 86_400, -2 * 86_400 + 60).contains("it ends before"));
    assert!(told(90 * 86_400, 90 * 86_400 + 60).contains("it begins after"));
    let nothing = unknown(&now, &["Busy".to_owned(), "OOF".to_owned()], Language::Da);
    assert!(nothing.contains("vises som Busy, OOF") && !nothing.contains('{'), "{nothing}");

    let differs = KeyState { planner: Planner::Nothing, pending: true, ..key() };
    let failure = store::inspect::PlannerFailure {
        at: at(0),
        since: at(0),
        operation: "CreateEvents".to_owned(),
        event_id: Some(6904),
        text: Some("no answer".to_owned()),
    };
    let rehearsal = Sending { dry_run: true, ..Sending::default() };
    let fails = Sending { failure: Some(failure), ..Sending::default() };
    for (sending, words) in [(&rehearsal, "planner.dry_run is set"), (&fails, "no answer (6904)")] {
        let told = standing(&differs, &used(), &present(sending), Language::En);
        assert!(told.contains(words), "{told}");
    }
    let acted =
        Happening::Acted { act: "mailbox allow".into(), by: "kim".into(), reason: Some("pilot".into()) };
    assert_eq!(of(&acted, Language::En), "kim did: mailbox allow: pilot");
    assert_eq!(fields(&acted)["reason"], "pilot");
}

/// What the stages store in English is said in the language of whoever asks, and counted.
#[test]
fn what_is_stored_in_english_is_said_in_danish_too() {
    let read = Happening::Handled {
        id: 1,
        kind: "FullRead".into(),
        outcome: "full read".into(),
        text: Some("found 0, created 0, updated 1, deleted 0".into()),
        attempts: 1,
    };
    assert_eq!(
        of(&read, Language::Da),
        "notifikation 1 behandlet efter 1 fejl: læst helt: fandt 0, oprettede 0, ændrede 1, slettede 0"
    );
    assert_eq!(
        of(&read, Language::En),
        "notification 1 handled after 1 failure: full read: found 0, created 0, updated 1, deleted 0"
    );
    let called = |operation: &str, items| {
        let what = Happening::Called { call_id: uuid::Uuid::nil(), operation: operation.to_owned(), items };
        let told = |language| {
            let told = of(&what, language);
            told.rsplit_once(" (").map(|(told, _)| told.to_owned()).unwrap_or_default()
        };
        (told(Language::En), told(Language::Da))
    };
    let (english, danish) = called("GetEvents", 1);
    assert_eq!(english, "call GetEvents to Planner about 1 mailbox");
    assert_eq!(danish, "kald GetEvents til Planner om 1 postkasse");
    assert_eq!(called("CreateEvents", 2).1, "kald CreateEvents til Planner med 2 aftaler");
    let event = Happening::Event { event_id: 4906, severity: "error".into(), message: "m".into() };
    let meaning = codes::by_id(4906).unwrap().meaning.da;
    assert_eq!(of(&event, Language::Da), format!("hændelse 4906 (fejl): {meaning}"));
    let withheld = Happening::Withheld {
        run: 3,
        source: "full_read".into(),
        keys: 20,
        there: 30,
        state: "rejected".into(),
    };
    assert!(of(&withheld, Language::Da).ends_with("(kørsel 3, afvist)"));
}

/// The log is English: in Danish the meaning of the code stands in the place of its message.
#[test]
fn an_event_of_the_log_is_told_with_its_meaning_in_the_language_of_whoever_asks() {
    let told = |event_id, language| {
        let message = "a log line".to_owned();
        of(&Happening::Event { event_id, severity: "error".to_owned(), message }, language)
    };
    assert_eq!(told(2951, Language::En), "event 2951 (error): a log line");
    // regression: sentences of ours stood behind it in English
    assert_eq!(told(2951, Language::Da), "hændelse 2951 (fejl): en postkasse kan ikke nås");
    // of a newer version
    assert_eq!(told(60_000, Language::Da), "hændelse 60000 (fejl): a log line");
}

/// Who decided it is said where it is known; nobody is told of a reading that there was not, nor of no failures.
#[test]
fn a_withdrawal_a_settlement_and_what_was_put_off_are_told_as_what_they_are() {
    let decided = |wanted, withdrawn_by: Option<&str>| {
        let what = Happening::Decided {
            origin_id: OriginId::new("U"),
            version: 2,
            wanted,
            slot: None,
            bulk: true,
            withdrawn_by: withdrawn_by.map(str::to_owned),
            reading_began: None,
            overruled_at: None,
        };
        of(&what, Language::En)
    };
    assert!(decided(false, Some("kim")).starts_with("decided by the withdrawal of the mailbox (kim): "));
    assert!(decided(false, None).starts_with("decided by a full read, comparison or withdrawal: "));
    assert!(decided(true, None).starts_with("decided by a full read or comparison: "));
    let settled = |state: &str, by: &str, language| {
        of(&Happening::Settled { run: 3, state: state.to_owned(), by: by.to_owned() }, language)
    };
    assert_eq!(
        settled("rejected", "kim", Language::En),
        "the deletions that run 3 withheld: rejected by kim"
    );
    assert_eq!(
        settled("replaced", "a newer run", Language::Da),
        "sletningerne, som kørsel 3 tilbageholdt: afløst: en nyere kørsel"
    );
    let failing = |attempts| {
        let error = Some("no answer".to_owned());
        let what = Happening::Failing { id: 4, kind: "FullRead".into(), attempts, error, set_aside: false };
        of(&what, Language::En)
    };
    assert_eq!(failing(0), "notification 4 is put off, tried again: no answer");
    assert_eq!(failing(1), "notification 4 failed 1 time, tried again: no answer");
    let untried = Happening::CannotBeListenedTo { code: "NotCovered".to_owned(), text: None, count: 0 };
    assert_eq!(of(&untried, Language::En), "cannot be listened to: NotCovered");
}
