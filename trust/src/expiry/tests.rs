//! Goal: every step is told once, at its day, whatever the rhythm of looking. Method: a table of the
//! borders, and a property over rhythms.

use proptest::prelude::*;

use super::*;

fn certificate(end: Timestamp) -> CertificateFacts {
    CertificateFacts {
        subject: "CN=test".into(),
        serial_number: None,
        not_before: Timestamp::UNIX_EPOCH,
        not_after: end,
        fingerprint: Fingerprint::of(b"one"),
        key_fingerprint: Fingerprint::of(b"key"),
    }
}

#[test]
fn the_borders() {
    let day = |days: i64| SignedDuration::from_hours(24 * days);
    let second = SignedDuration::from_secs(1);
    for (left, step) in [
        (day(60) + second, None),
        (day(60), Some(ExpiryStep::Days60)),
        (day(30) + second, Some(ExpiryStep::Days60)),
        (day(30), Some(ExpiryStep::Days30)),
        (day(14) + second, Some(ExpiryStep::Days30)),
        (day(14), Some(ExpiryStep::Days14)),
        (day(3) + second, Some(ExpiryStep::Days14)),
        (day(3), Some(ExpiryStep::Days3)),
        (day(0), Some(ExpiryStep::Days3)),
        (-second, Some(ExpiryStep::Expired)),
    ] {
        assert_eq!(ExpiryStep::of(left), step, "{left}");
    }
}

#[test]
fn a_renewed_certificate_is_another_one() {
    let end = Timestamp::from_second(2_000_000_000).unwrap();
    let now = end - SignedDuration::from_hours(24 * 2);
    let mut watch = ExpiryWatch::default();
    assert_eq!(watch.observe(&certificate(end), now), Some(ExpiryStep::Days3));
    assert_eq!(watch.observe(&certificate(end), now), None);
    let renewed = CertificateFacts { fingerprint: Fingerprint::of(b"two"), ..certificate(end) };
    assert_eq!(watch.observe(&renewed, now), Some(ExpiryStep::Days3));
    assert_eq!(renewed.days_left(now), 2);
    assert_eq!(renewed.days_left(end + SignedDuration::from_secs(1)), -1);
}

proptest! {
    #[test]
    fn no_step_is_told_twice_and_none_goes_back(pauses in prop::collection::vec(1_i64..400_000, 1..80)) {
        let end = Timestamp::from_second(2_000_000_000).unwrap();
        let mut now = end - SignedDuration::from_hours(24 * 70);
        let (mut watch, mut told) = (ExpiryWatch::default(), Vec::new());
        for pause in pauses {
            now += SignedDuration::from_secs(pause);
            told.extend(watch.observe(&certificate(end), now));
        }
        prop_assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
        prop_assert_eq!(told.last().copied(), ExpiryStep::of(end.duration_since(now)));
    }
}
