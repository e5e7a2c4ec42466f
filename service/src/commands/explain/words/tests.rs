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
    let told = of(&answered, Language::Da);
    assert!(told.starts_with("kvittering 10 for ændringen af U (") && told.contains(" til "), "{told}");
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
        operation: "CreateEvents".to_owned(),
        event_id: Some(6904),
        text: Some("no answer".to_owned()),
    };
    let rehearsal = Sending { dry_run: true, failure: None };
    let fails = Sending { dry_run: false, failure: Some(failure) };
    for (sending, words) in [(&rehearsal, "planner.dry_run is set"), (&fails, "no answer (6904)")] {
        let told = standing(&differs, &used(), &present(sending), Language::En);
        assert!(told.contains(words), "{told}");
    }
    let acted =
        Happening::Acted { act: "mailbox allow".into(), by: "kim".into(), reason: Some("pilot".into()) };
    assert_eq!(of(&acted, Language::En), "kim did: mailbox allow: pilot");
    assert_eq!(fields(&acted)["reason"], "pilot");
}
