//! Goal: each thing that keeps a mailbox from being in step is found by its step, with the next one; a mailbox that is
//! in step has none. Method: facts in which all is well, and one change at a time.

use calendar::{OriginId, Slot};
use jiff::Timestamp;
use store::group_streams::StreamState;
use store::inspect::{Hold, MailboxCounts, PlannerFailure, Tombstone};
use store::outbox::Operation;
use store::resource_list::lists::ListEntry;

use super::super::guide;
use super::*;
use crate::texts::Language;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn well() -> Found {
    Found {
        mail: "a@x.dk".to_owned(),
        facts: MailboxFacts {
            mail: "a@x.dk".to_owned(),
            is_case_worker: true,
            created_at: Some(at(0)),
            endpoint: Some("https://ex/ews".to_owned()),
            located_at: Some(at(1)),
            last_success: Some(at(2)),
            group: Some(7),
            subscribed: true,
            adopted_at: Some(at(3)),
            last_full_sync: Some(at(4)),
            full_read_whole: Some(true),
            sendable: true,
            compared_at: Some(at(5)),
            last_receipt: Some((at(6), Some(0), "acknowledged".to_owned())),
            last_accepted: Some(at(6)),
            last_notification: Some((at(5), "CreatedEvent".to_owned(), Some("decided".to_owned()))),
            ..MailboxFacts::default()
        },
        stopped: Vec::new(),
        alerts: Vec::new(),
        oldest: None,
        sending: Sending::default(),
        way: Way::Open("planner.example:443".to_owned()),
        planner_answers: false,
        exchange: Way::Open("ex:443".to_owned()),
        is_configured: false,
        full_read: None,
    }
}

/// The steps that are not well, with the next one.
fn found(change: impl FnOnce(&mut Found)) -> Vec<(&'static str, Verdict, String)> {
    let mut found = well();
    change(&mut found);
    let steps = judge(&found);
    let bad = steps.into_iter().filter(|step| step.verdict != Verdict::Ok);
    bad.map(|step| {
        (step.title.key, step.verdict, step.next.map(|next| next.words(Language::En)).unwrap_or_default())
    })
    .collect()
}

fn only(change: impl FnOnce(&mut Found), key: &str, verdict: Verdict, next: &str) {
    let found = found(change);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1), (key, verdict));
    assert!(found[0].2.contains(next), "{next:?} is missing: {found:?}");
}

#[test]
fn a_mailbox_that_is_in_step_has_nothing_to_be_done() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(judge(&well()).len(), 15);
}

#[test]
fn what_is_asked_of_a_mailbox_is_what_the_guide_asks() {
    guide::assert_answered(&judge(&well()), &guide::OF_MAILBOX, &guide::OF_MAILBOX_OURS);
}

/// What the stages store in English is said in Danish, and one of something is one.
#[test]
fn evidence_is_told_in_the_language_of_whoever_asks() {
    let mut found = well();
    found.facts.counts.there = 1;
    found.facts.last_notification = Some((at(5), "FullRead".to_owned(), Some("full read".to_owned())));
    found.stopped = vec![crate::texts::status::LISTENER, crate::texts::status::QUALIFIER];
    let steps = judge(&found);
    let told = |key: &str, language| {
        let step = steps.iter().find(|step| step.title.key == key).unwrap();
        step.evidence.words(language)
    };
    assert!(told("mailbox.notified", Language::Da).ends_with(", hele vinduet skal læses: læst helt"));
    assert!(told("mailbox.sent", Language::Da).ends_with(", kode 0: accepteret"));
    assert!(told("mailbox.decided", Language::En).contains("nothing was decided"));
    assert_eq!(told("mailbox.stages", Language::Da), "står stille: lytter, vurdering");
    assert_eq!(told("mailbox.stages", Language::En), "standing still: listener, qualifier");
}

#[test]
fn each_reason_is_found_by_its_step() {
    use Verdict::{Ask, Fail, Open, Warn};
    only(|f| f.facts.last_accepted = None, "mailbox.sync", Ask, "Planner's support");
    let unsure = found(|f| f.facts.last_receipt = Some((at(7), None, "unknown".to_owned())));
    assert_eq!(unsure, [], "what it accepted before counts");
    only(
        |f| f.facts.blacklisted = Some(("left".into(), "kim".into(), at(0))),
        "mailbox.used",
        Fail,
        "mailbox unblock a@x.dk",
    );
    only(|f| f.stopped = vec![crate::texts::status::QUALIFIER], "mailbox.stages", Fail, "status");
    only(|f| f.facts.group = None, "mailbox.listened", Fail, "4934");
    only(|f| f.facts.subscribed = false, "mailbox.listened", Fail, "rediscover a@x.dk");
    only(|f| f.facts.adopted_at = None, "mailbox.adopted", Warn, "by itself");
    only(|f| f.facts.last_full_sync = None, "mailbox.readable", Warn, "pull a@x.dk");
    only(|f| f.facts.full_read_whole = Some(false), "mailbox.readable", Warn, "explain a@x.dk");
    only(|f| f.facts.endpoint = None, "mailbox.exists", Open, "");
    // taking over compares, too, as status counts it
    assert_eq!(found(|f| f.facts.compared_at = None), []);
    let count = |change: fn(&mut MailboxCounts)| move |f: &mut Found| change(&mut f.facts.counts);
    only(count(|c| c.notifications_set_aside = 2), "mailbox.notified", Warn, "set-aside list");
    only(count(|c| c.refused = 2), "mailbox.sent", Warn, "set-aside list");
    only(count(|c| c.withheld = 12), "mailbox.held", Warn, "withheld list");
    let unsent = |f: &mut Found| {
        f.facts.counts.unsent = 1;
        f.oldest = Some(Unsent {
            mail: "a@x.dk".to_owned(),
            origin_id: OriginId::new("U".to_owned()),
            operation: Operation::Create,
            slot: Slot { start: at(0), end: at(60) },
            held: None,
            decided_at: at(0),
            bulk: false,
            hold: Hold::InTurn,
        });
    };
    only(unsent, "mailbox.sent", Warn, "diff a@x.dk");
    // regression: what waits was not told beside what was refused
    let mut all = well();
    unsent(&mut all);
    (all.facts.counts.unsent, all.facts.counts.refused, all.facts.counts.set_aside) = (3, 2, 1);
    let step = sent(&all);
    for (language, stopped, waits) in [
        (Language::En, "2 refused by Planner, 1 set aside; 3 to be sent", "set-aside list"),
        (Language::Da, "2 afvist af Planner, 1 lagt til side; 3 skal sendes", "set-aside list"),
    ] {
        let (evidence, next) = (step.evidence.words(language), step.next.as_ref().unwrap().words(language));
        assert!(evidence.starts_with(stopped), "{evidence}");
        assert!(next.contains(waits) && next.ends_with("kommuneklient diff a@x.dk"), "{next}");
    }
}

/// Regression: of a mailbox whose calendar is missing, or not to be seen, it was said that whoever has left is to be
/// deleted in Planner.
#[test]
fn a_calendar_that_is_not_found_is_a_matter_of_the_calendar_and_of_rights() {
    let without = |f: &mut Found| {
        f.facts.error_code = Some("ErrorFolderNotFound".to_owned());
        f.facts.error_count = 3;
    };
    let mut found = well();
    without(&mut found);
    assert_eq!(exists(&found).verdict, Verdict::Ok);
    let step = readable(&found);
    assert_eq!(step.verdict, Verdict::Fail);
    // as the list of mailboxes says it
    for (language, begin, advice) in [
        (Language::En, "it has no calendar, or none that may be read; ", "the right to read the calendar"),
        (Language::Da, "den har ingen kalender, eller ingen, der må læses; ", "ret til at læse kalenderen"),
    ] {
        let (evidence, next) = (step.evidence.words(language), step.next.as_ref().unwrap().words(language));
        assert!(evidence.starts_with(begin) && evidence.contains("ErrorFolderNotFound"), "{evidence}");
        assert!(next.contains(advice) && !next.contains("Planner"), "{next}");
    }
    // who was never located may be there
    (found.facts.endpoint, found.facts.located_at) = (None, None);
    assert_eq!(exists(&found).verdict, Verdict::Open);
}

#[test]
fn a_mailbox_that_is_gone_from_exchange_is_to_be_deleted_in_planner_too() {
    let gone = |f: &mut Found| {
        f.facts.error_code = Some("ErrorNonExistentMailbox".to_owned());
        f.facts.error_count = 9;
    };
    let found = found(gone);
    let keys: Vec<&str> = found.iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys, ["mailbox.exists", "mailbox.readable"]);
    assert!(found[0].2.contains("mailbox block a@x.dk"), "{found:?}");
    // rights are not to blame
    assert_eq!((found[1].1, found[1].2.as_str()), (Verdict::Open, ""));
}

#[test]
fn of_a_mailbox_that_is_not_used_only_that_is_said() {
    let unused = |f: &mut Found| {
        f.facts.deleted_date = Some(at(9));
        f.facts.deleted_reason = Some("P-NotInPlanner".to_owned());
        f.facts.group = None;
    };
    only(unused, "mailbox.used", Verdict::Fail, "resources refresh");
    let mut found = well();
    unused(&mut found);
    let steps = judge(&found);
    let used = steps.iter().find(|step| step.title.key == "mailbox.used").expect("it is judged");
    let said = used.evidence.words(Language::En);
    assert!(said.contains("no longer on Planner's list (P-NotInPlanner)"), "{said}");
    let listed = |f: &mut Found| {
        f.facts.deleted_date = Some(at(9));
        f.facts.whitelist_in_use = true;
    };
    only(listed, "mailbox.used", Verdict::Fail, "mailbox allow a@x.dk");
}

#[test]
fn neither_compared_nor_taken_over_is_open() {
    let mut found = well();
    (found.facts.compared_at, found.facts.adopted_at) = (None, None);
    let step = compared(&found);
    assert_eq!((step.title.key, step.verdict), ("mailbox.compared", Verdict::Open));
    assert!(step.next.expect("there is one").words(Language::En).contains("compare a@x.dk"));
}

/// An outage of Exchange leaves subscriptions in the database: whether they are served, the alerts say.
#[test]
fn a_group_whose_stream_fails_is_not_listened_to_and_an_outage_is_no_matter_of_rights() {
    let alert = |subject: &str| Alert {
        code: 4908,
        since: at(0),
        last_at: at(9),
        occurrences: 4,
        subjects: vec![subject.to_owned()],
    };
    only(|f| f.alerts = vec![alert("7")], "mailbox.listened", Verdict::Fail, "kommuneklient doctor");
    // of another group
    assert_eq!(found(|f| f.alerts = vec![alert("8")]), []);
    let fails = |code: &str| {
        let found = found(|f| f.facts.error_code = Some(code.to_owned()));
        found.into_iter().find(|(step, ..)| *step == "mailbox.readable").unwrap().2
    };
    for code in ["no connection", "timeout", "HTTP 503"] {
        assert!(fails(code).contains("was not reached") && !fails(code).contains("rights"), "{code}");
    }
    assert!(fails("ErrorAccessDenied").contains("check the rights"));
}

/// The resource list passes over whoever is blocked, so Planner "never listed" them; that is not why they are not used.
#[test]
fn who_was_blocked_before_the_first_list_is_blocked_and_not_unknown() {
    let mail = MailAddress::parse("a@x.dk").unwrap();
    let blocked = ListEntry {
        mail: "a@x.dk".to_owned(),
        reason: Some("has left".to_owned()),
        added_by: "kim".to_owned(),
        added_at: at(0),
        in_use: None,
    };
    let step = unlisted(&mail, Unused::Blocked(blocked));
    assert_eq!((step.title.key, step.verdict), ("mailbox.used", Verdict::Fail));
    assert!(step.evidence.words(Language::En).starts_with("blocked by kim "), "{step:?}");
    assert!(step.evidence.words(Language::En).ends_with(": has left"), "{step:?}");
    assert_eq!(unlisted(&mail, Unused::NeverListed).evidence, plain(t::KNOWN_NEVER));
    let tombstone = Tombstone { at: at(0), by: "bo".to_owned() };
    let erased = unlisted(&mail, Unused::Erased(tombstone));
    assert!(erased.evidence.words(Language::En).contains("erased"), "{erased:?}");
}

#[test]
fn the_stream_of_its_group_is_told() {
    let stream = |open: bool, last: &str, code: Option<&str>| StreamState {
        open,
        since: at(20),
        happening: last.to_owned(),
        code: code.map(str::to_owned),
        happened_at: at(30),
    };
    let evidence = |state: StreamState| {
        let mut found = well();
        found.facts.stream = Some(state);
        let step = listened(&found);
        (step.verdict, step.evidence.words(Language::En))
    };
    let (verdict, said) = evidence(stream(true, "opened", None));
    assert_eq!(verdict, Verdict::Ok);
    assert!(said.ends_with(&format!("its stream is open since {}", moment(at(20)))), "{said}");
    let (verdict, said) = evidence(stream(false, "failed", Some("ErrorAccessDenied")));
    assert_eq!(verdict, Verdict::Warn);
    assert!(said.ends_with("it was refused or broke off (ErrorAccessDenied)"), "{said}");
    only(
        |found| found.facts.stream = Some(stream(false, "closed", None)),
        "mailbox.listened",
        Verdict::Warn,
        "by itself",
    );
    // for so long that `status` and `mailbox list` call it failing
    let long = |found: &mut Found| {
        found.facts.stream = Some(stream(false, "away", Some("HTTP 503")));
        found.facts.seen_at = at(620);
    };
    only(long, "mailbox.listened", Verdict::Fail, "kommuneklient doctor");
    let mut found = well();
    long(&mut found);
    let said = listened(&found).evidence.words(Language::En);
    assert!(said.starts_with("the stream of group 7 is not open since"), "{said}");
}

/// Regression: it was called listened to while `mailbox list` said that it cannot be.
#[test]
fn who_cannot_be_listened_to_by_itself_is_not_whatever_its_stream_does() {
    let denied = |f: &mut Found| {
        // as the store counts it
        f.facts.subscribed = false;
        f.facts.error_code = Some("ErrorAccessDenied".to_owned());
        f.facts.retry_at = Some(at(90));
        f.facts.stream = Some(StreamState {
            open: true,
            since: at(20),
            happening: "opened".to_owned(),
            code: None,
            happened_at: at(20),
        });
    };
    let keys: Vec<(&str, Verdict)> =
        found(denied).into_iter().map(|(key, verdict, _)| (key, verdict)).collect();
    assert!(keys.contains(&("mailbox.listened", Verdict::Fail)), "{keys:?}");
    let mut found = well();
    denied(&mut found);
    let said = |language| listened(&found).evidence.words(language);
    assert_eq!(said(Language::En), format!("it cannot be listened to, tried again {}", moment(at(90))));
    assert!(said(Language::Da).starts_with("der kan ikke lyttes til den, prøves igen "));
}

/// A mailbox of which all was sent is not in step for long while Planner is away.
#[test]
fn that_planner_is_away_is_told_with_the_last_error_since_when_and_what_to_do() {
    let closed = || Way::Closed { address: "planner.example:443".to_owned(), why: "refused".to_owned() };
    let failure = |event_id| PlannerFailure {
        at: at(90),
        since: at(30),
        operation: "GetEvents".to_owned(),
        event_id,
        text: Some("no answer".to_owned()),
    };
    let told = |change: &dyn Fn(&mut Found), language| {
        let mut found = well();
        change(&mut found);
        let steps = judge(&found);
        let step = steps.iter().find(|step| step.title.key == "mailbox.planner").expect("it is judged");
        (step.verdict, step.evidence.words(language))
    };
    let (verdict, said) = told(&|_| {}, Language::En);
    assert_eq!((verdict, said.as_str()), (Verdict::Ok, "planner.example:443 accepts connections"));
    // nobody may have called it yet
    only(|f| f.way = closed(), "mailbox.planner", Verdict::Fail, "firewall");
    let answers = |f: &mut Found| {
        f.way = closed();
        f.planner_answers = true;
    };
    only(answers, "mailbox.planner", Verdict::Warn, "HTTPS_PROXY");
    let away = |f: &mut Found| {
        f.way = closed();
        f.sending.failure = Some(failure(Some(6905)));
    };
    only(away, "mailbox.planner", Verdict::Fail, "firewall");
    let (_, said) = told(&away, Language::En);
    let expected = format!(
        "planner.example:443: refused; calls fail since {}, the last at {}: no answer (6905)",
        moment(at(30)),
        moment(at(90))
    );
    assert_eq!(said, expected);
    assert!(told(&away, Language::Da).1.contains("kald har fejlet siden "), "{said}");
    // it is reached, and does not answer as it should; or nobody tried the way
    let fails = |f: &mut Found| f.sending.failure = Some(failure(Some(6904)));
    only(fails, "mailbox.planner", Verdict::Fail, "kommuneklient codes 6904");
    let untried = |f: &mut Found| {
        f.way = Way::NotTried;
        f.sending.failure = Some(failure(None));
    };
    only(untried, "mailbox.planner", Verdict::Fail, "Planner's support");
    only(|f| f.way = Way::NotTried, "mailbox.planner", Verdict::Open, "");
}

/// An outage of Exchange leaves what was located and read before: that it cannot be read now is told all the same.
#[test]
fn that_exchange_is_away_is_told_by_the_way_there_and_by_what_cannot_be_read() {
    let closed = || Way::Closed { address: "ex:8443".to_owned(), why: "refused".to_owned() };
    only(|f| f.exchange = closed(), "doctor.exchange", Verdict::Fail, "port 8443 must be open");
    only(|f| f.exchange = Way::NotTried, "doctor.exchange", Verdict::Open, "");
    // regression: behind a proxy that only the service's environment names it failed although all is heard
    let heard = |f: &mut Found| {
        f.exchange = closed();
        f.facts.stream = Some(StreamState {
            open: true,
            since: at(20),
            happening: "opened".to_owned(),
            code: None,
            happened_at: at(20),
        });
    };
    only(heard, "doctor.exchange", Verdict::Warn, "HTTPS_PROXY");
    let alert = |code: u16, subjects: &[&str]| Alert {
        code,
        since: at(0),
        last_at: at(9),
        occurrences: 4,
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
    };
    for code in [2907, 2951] {
        only(
            |f| f.alerts = vec![alert(code, &["a@x.dk"])],
            "mailbox.readable",
            Verdict::Fail,
            "explain a@x.dk",
        );
        // of others alone, and of so many that not all are named
        assert_eq!(found(|f| f.alerts = vec![alert(code, &["b@x.dk"])]), []);
        let many = ["b@x.dk", "c@x.dk", "d@x.dk", "e@x.dk", "f@x.dk"];
        only(|f| f.alerts = vec![alert(code, &many)], "mailbox.readable", Verdict::Warn, "explain a@x.dk");
    }
    let failing = |f: &mut Found| {
        let error = "no connection".to_owned();
        f.full_read = Some(FailingRead { at: at(8), error });
    };
    only(failing, "mailbox.readable", Verdict::Fail, "credential test --mailbox a@x.dk");
    let away = |f: &mut Found| {
        failing(f);
        f.exchange = closed();
    };
    let steps = found(away);
    let keys: Vec<&str> = steps.iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys, ["doctor.exchange", "mailbox.readable"]);
    assert!(steps[1].2.contains("was not reached"), "{steps:?}");
}

/// With a configured address nobody looked for the mailbox; it is there once it was read or listened to.
#[test]
fn a_configured_address_is_no_finding() {
    let mut found = well();
    found.is_configured = true;
    let step = exists(&found);
    let told = step.evidence.words(Language::En);
    assert!(told.contains("is configured") && !told.contains("found at"), "{told}");
    assert_eq!(step.verdict, Verdict::Ok);
    (found.facts.subscribed, found.facts.last_full_sync) = (false, None);
    assert_eq!(exists(&found).verdict, Verdict::Open);
}
