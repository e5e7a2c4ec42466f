//! Goal: a signed message is taken once, however many come, and the memory stays bounded. Method: verified
//! values made by hand.

use jiff::SignedDuration;

use super::*;

fn verified(number: u32, until: i64) -> Verified {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Verified {
        envelope: String::new(),
        created: Timestamp::UNIX_EPOCH,
        acceptable_until: at(until),
        signature: SignatureId(id),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

#[test]
fn a_replayed_message_is_refused() {
    let mut seen = SeenSignatures::default();
    seen.admit(&verified(1, 100), at(0)).unwrap();
    seen.admit(&verified(2, 100), at(0)).unwrap();
    assert_eq!(seen.admit(&verified(1, 100), at(99)), Err(WsseError::Replayed));
    assert_eq!((seen.len(), seen.is_empty()), (2, false));
}

#[test]
fn the_memory_is_bounded_and_forgets_only_what_is_over() {
    let mut seen = SeenSignatures::with_limit(10);
    for number in 0..10 {
        seen.admit(&verified(number, 100), at(0)).unwrap();
    }
    assert_eq!(seen.admit(&verified(10, 100), at(100)), Err(WsseError::TooManySeen { limit: 10 }));
    seen.admit(&verified(10, 200), at(101)).unwrap();
    assert_eq!(seen.len(), 1);
    let mut large = SeenSignatures::default();
    for number in 0..100_000 {
        large.admit(&verified(number, i64::from(number) + 50), at(number.into())).unwrap();
    }
    assert!(large.len() <= 2_000, "{}", large.len());
}
