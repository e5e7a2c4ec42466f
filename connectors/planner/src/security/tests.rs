//! Goal: with signed messages nothing is believed that is not signed as it must be, and what is known of the change is
//! said truly; the keys follow their files. Method: a Planner on a real socket that signs, badly as told, with
//! certificates made on the spot.

use std::path::Path;

use base::{Clock as _, SystemClock};
use calendar::Slot;
use jiff::Timestamp;
use proto_planner::{CalendarEvent, Operation};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use tempfile::TempDir;
use trust::{MutualTls, OwnCertificate, Roots};

use super::*;
use crate::testing::{Behaviour, FakePlanner, options};
use crate::{Call, CallOutcome, Planner, PlannerOptions};

/// A certificate with its key.
struct Party {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Party {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        Self { certificate: CertificateParams::default().self_signed(&key).unwrap(), key }
    }

    fn write(&self, folder: &Path, name: &str) -> OwnCertificate {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, self.certificate.pem()).unwrap();
        std::fs::write(&key, self.key.serialize_pem()).unwrap();
        OwnCertificate::pem(certificate, key)
    }

    fn signer(&self) -> Signer {
        Signer::new(self.certificate.der(), &self.key.serialize_der()).unwrap()
    }
}

struct House {
    folder: TempDir,
    fake: FakePlanner,
    planner: Planner,
    star: Party,
}

async fn house() -> House {
    let (folder, fake, star) = (TempDir::new().unwrap(), FakePlanner::start().await, Party::new());
    star.write(folder.path(), "star");
    let tls = MutualTls {
        roots: Roots::Nobody,
        certificate: Some(Party::new().write(folder.path(), "own")),
        signers: Some(folder.path().join("star.pem")),
        ..MutualTls::default()
    };
    let security = Security::MtlsWss { tolerance: Duration::from_secs(60) };
    let options = PlannerOptions { tls, security, ..options(fake.url()) };
    let planner = Planner::new(options, SystemClock::shared()).unwrap();
    House { folder, fake, planner, star }
}

fn call() -> Call {
    let deadline = SystemClock.monotonic() + Duration::from_secs(20);
    Call { id: Uuid::now_v7(), deadline, trace: None }
}

fn events() -> Vec<CalendarEvent> {
    let start = Timestamp::from_second(1_900_000_000).unwrap();
    let slot = Slot { start, end: start + Duration::from_secs(3600) };
    vec![CalendarEvent::new("m1@sim.test", "secret-id", slot.start, slot.end)]
}

/// What became of a call whose answer is sealed so: what is known, the event, and was it done?
async fn outcome(
    house: &House,
    seal: impl FnMut(String) -> String + Send + 'static,
) -> (CallOutcome, u16, bool) {
    house.fake.seal(seal);
    let error = house.planner.change(&call(), Operation::CreateEvents, events()).await.unwrap_err();
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(!text.contains("secret-id"), "{text}");
    (error.outcome(), error.event().id, !house.fake.held().is_empty())
}

fn now() -> Timestamp {
    SystemClock.now()
}

#[tokio::test]
async fn a_signed_call_is_answered_by_a_signed_answer() {
    let house = house().await;
    let signer = house.star.signer();
    house.fake.seal(move |answer| signer.sign(&answer, now(), Uuid::new_v4()).unwrap());
    let changed = house.planner.change(&call(), Operation::CreateEvents, events()).await.unwrap();
    assert_eq!(changed.receipts[0].error_code, 0);
    assert!(house.fake.violations().is_empty(), "{:?}", house.fake.violations());
    // a signed fault is a fault, and a page is none
    house.fake.script([Behaviour::Fault(Some(8)), Behaviour::Status(503)]);
    let error = house.planner.change(&call(), Operation::UpdateEvents, events()).await.unwrap_err();
    assert_eq!((error.outcome(), error.event().id), (CallOutcome::Failed, 6903));
    house.fake.seal(|_| "<html>down</html>".to_owned());
    let error = house.planner.change(&call(), Operation::UpdateEvents, events()).await.unwrap_err();
    assert_eq!((error.outcome(), error.event().id), (CallOutcome::Unknown, 6901));
}

/// Before, a page with 404 was believed: the change counted as not done, and the mailbox was not compared.
#[tokio::test]
async fn a_forged_page_says_nothing_of_a_change() {
    let house = house().await;
    let pages =
        ["", "<html>no</html>", "<!DOCTYPE html><html><body>&nbsp;</body></html>", "Service Unavailable"];
    for (number, status) in
        [301, 400, 401, 403, 404, 407, 410, 429, 500, 502, 503, 504].into_iter().enumerate()
    {
        let page = pages[number % pages.len()];
        house.fake.script([Behaviour::Page(status)]);
        let known = outcome(&house, move |_| page.to_owned()).await;
        assert_eq!(known, (CallOutcome::Unknown, 6901, true), "{status} {page:?}");
    }
    // SOAP that nobody signed is an attack or a wrong configuration, whatever its status
    house.fake.script([Behaviour::Fault(Some(1)), Behaviour::Relabelled(404)]);
    for forged in ["a fault", "receipts"] {
        let known = outcome(&house, |answer| answer).await;
        assert_eq!(known, (CallOutcome::Unknown, 9627, true), "{forged}");
    }
    // what changes nothing is judged by the status: it is asked again
    house.fake.seal(|_| "<html>no</html>".to_owned());
    for (status, known) in [(404, CallOutcome::NotApplied), (503, CallOutcome::Failed)] {
        house.fake.script([Behaviour::Status(status)]);
        let error = house.planner.resources(&call()).await.unwrap_err();
        assert_eq!((error.outcome(), error.event().id), (known, 6901));
        assert!(error.disposition().is_retry());
    }
}

/// Before, receipts that Planner had signed were thrown away for a status that anybody can write.
#[tokio::test]
async fn a_status_beside_a_signed_answer_does_not_count() {
    let house = house().await;
    let signer = house.star.signer();
    house.fake.seal(move |answer| signer.sign(&answer, now(), Uuid::new_v4()).unwrap());
    for (operation, status) in [(Operation::CreateEvents, 404), (Operation::UpdateEvents, 503)] {
        house.fake.script([Behaviour::Relabelled(status)]);
        let changed = house.planner.change(&call(), operation, events()).await.unwrap();
        assert_eq!(changed.receipts[0].error_code, 0, "{operation} {status}");
    }
    // and what was signed and cannot be read leaves open what was done
    let signer = house.star.signer();
    house.fake.script([Behaviour::Relabelled(404)]);
    let unreadable = outcome(&house, move |answer| {
        let other = answer.replace("CreateEventsResponse", "AnotherResponse");
        signer.sign(&other, now(), Uuid::new_v4()).unwrap()
    });
    assert_eq!(unreadable.await, (CallOutcome::Unknown, 6906, true));
}

#[tokio::test]
async fn an_answer_whose_signature_is_refused_is_not_believed() {
    let refused = (CallOutcome::Unknown, 9627, true);
    let house = house().await;
    assert_eq!(outcome(&house, |answer| answer).await, refused, "not signed");
    let stranger = Party::new().signer();
    let by_another = outcome(&house, move |answer| stranger.sign(&answer, now(), Uuid::new_v4()).unwrap());
    assert_eq!(by_another.await, refused, "signed by another");
    let signer = house.star.signer();
    let altered = outcome(&house, move |answer| {
        signer.sign(&answer, now(), Uuid::new_v4()).unwrap().replace("secret-id", "other-id")
    });
    assert_eq!(altered.await, refused, "altered");
    let signer = house.star.signer();
    let old = outcome(&house, move |answer| {
        signer.sign(&answer, now() - SignedDuration::from_mins(10), Uuid::new_v4()).unwrap()
    });
    assert_eq!(old.await, refused, "old");
    assert_eq!(outcome(&house, |_| "<html>fine</html>".to_owned()).await, refused, "a page with status 200");

    let (signer, mut first) = (house.star.signer(), None);
    house.fake.seal(move |answer| {
        first.get_or_insert_with(|| signer.sign(&answer, now(), Uuid::new_v4()).unwrap()).clone()
    });
    house.planner.change(&call(), Operation::UpdateEvents, events()).await.unwrap();
    let replayed = house.planner.change(&call(), Operation::UpdateEvents, events()).await.unwrap_err();
    assert_eq!((replayed.outcome(), replayed.event().id), (CallOutcome::Unknown, 9627));
    assert!(matches!(replayed, PlannerError::Refused { source: WsseError::Replayed, .. }), "{replayed:?}");
}

#[tokio::test]
async fn renewed_keys_are_used_for_the_next_message() {
    let house = house().await;
    assert!(!house.planner.refresh_certificates().unwrap());
    let next = Party::new();
    next.write(house.folder.path(), "star");
    assert!(house.planner.refresh_certificates().unwrap());
    let signer = next.signer();
    house.fake.seal(move |answer| signer.sign(&answer, now(), Uuid::new_v4()).unwrap());
    house.planner.change(&call(), Operation::CreateEvents, events()).await.unwrap();
    let whose: Vec<&str> = house.planner.certificates().iter().map(|one| one.whose.as_str()).collect();
    assert_eq!(whose, ["own", "signer"]);
    // unusable ones are told and change nothing
    std::fs::write(house.folder.path().join("own.pem"), "damaged").unwrap();
    assert!(!house.planner.refresh_certificates().unwrap(), "the rest may be on its way");
    let error = house.planner.refresh_certificates().unwrap_err();
    assert!(matches!(error, PlannerError::Tls(_)), "{error}");
    house.planner.change(&call(), Operation::UpdateEvents, events()).await.unwrap();
}

#[tokio::test]
async fn signed_messages_need_their_certificates() {
    let house = house().await;
    let security = Security::MtlsWss { tolerance: Duration::from_secs(60) };
    let without = |tls: MutualTls| {
        let options = PlannerOptions { tls, security, ..options(house.fake.url()) };
        Planner::new(options, SystemClock::shared()).unwrap_err()
    };
    let bare = MutualTls { roots: Roots::Nobody, ..MutualTls::default() };
    assert!(matches!(without(bare.clone()), PlannerError::NoSigningCertificate));
    let own = Some(Party::new().write(house.folder.path(), "own2"));
    let unpinned = without(MutualTls { certificate: own, ..bare });
    assert!(matches!(unpinned, PlannerError::Keys(WsseError::NothingPinned)), "{unpinned}");
    assert_eq!(unpinned.disposition(), base::Disposition::Escalate);
}
