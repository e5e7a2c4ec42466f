//! Goal: of several certificates of a kind the one that lasts is told about, and each step has its event.
//! Method: certificates by hand.

use jiff::SignedDuration;
use trust::{CertificateFacts, Fingerprint, Whose};

use super::*;

fn watched(whose: Whose, name: &str, days: i64) -> Watched {
    let facts = CertificateFacts {
        subject: name.into(),
        serial_number: None,
        not_before: Timestamp::UNIX_EPOCH,
        not_after: now() + SignedDuration::from_hours(24 * days),
        fingerprint: Fingerprint::of(name.as_bytes()),
        key_fingerprint: Fingerprint::of(b"key"),
    };
    Watched { whose, facts }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

#[test]
fn beside_a_new_certificate_the_old_one_may_end() {
    let all = [
        watched(Whose::Signer, "old", -3),
        watched(Whose::Own, "own", 20),
        watched(Whose::Signer, "new", 700),
        watched(Whose::Signer, "middle", 10),
    ];
    let lasting: Vec<&str> = lasting(&all).map(|one| one.facts.subject.as_str()).collect();
    assert_eq!(lasting, ["own", "new"]);
    let mut watch = ExpiryWatch::default();
    look(&all, &mut watch, now());
    assert_eq!(watch.observe(&all[1].facts, now()), None, "told by the look");
    assert_eq!(watch.observe(&all[3].facts, now()), Some(ExpiryStep::Days14), "not looked at");
}

#[test]
fn each_step_has_its_event() {
    let steps =
        [ExpiryStep::Days60, ExpiryStep::Days30, ExpiryStep::Days14, ExpiryStep::Days3, ExpiryStep::Expired];
    assert_eq!(steps.map(|step| code_of(step).id), [9620, 9621, 9622, 9623, 9624]);
}
