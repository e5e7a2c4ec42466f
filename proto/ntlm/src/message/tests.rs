//! Goal: real messages are read as the specification says, and whatever else comes is an error and never a panic.
//! The messages are the figures of MS-NLMP section 4.2.4.

use proptest::prelude::*;

use super::{Authenticate, BYTES_MAX, Challenge, Negotiate, Weakness, flag, pair, read_pairs};
use crate::NtlmError;

pub(crate) const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000\
    00000000240024004400000006007017 0000000f5300650072007600650072000200 0c0044006f006d00610069006e0001000c\
    0053006500720076006500720000000000";
pub(crate) const AUTHENTICATE: &str = "4e544c4d5353500003000000180018006c00000054005400840000000c000c004800000008\
    0008005400000010001000 5c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e005500730065007200\
    43004f004d005000550054004500520086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96aabc927bebef6a1c\
    01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c00530065007200\
    7600650072000000000000000000c5dad2544fc9799094ce1ce90bc9d03e";

pub(crate) fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

#[test]
fn the_challenge_of_the_specification_is_read_and_asks_for_ntlmv2() {
    let challenge = Challenge::decode(&bytes(CHALLENGE)).unwrap();
    assert_eq!(challenge.flags, 0xe28a_8233);
    assert_eq!(challenge.nonce, [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    let text = |text: &str| crate::crypto::utf16(text);
    assert_eq!(challenge.target_name, text("Server"));
    assert_eq!(challenge.target_info, [(pair::DOMAIN, text("Domain")), (pair::COMPUTER, text("Server"))]);
    assert_eq!(challenge.weakness(), None);
    assert_eq!(Challenge::decode(&challenge.encode()).unwrap(), challenge, "what is written is read");
}

#[test]
fn the_answer_of_the_specification_is_read() {
    let answer = Authenticate::decode(&bytes(AUTHENTICATE)).unwrap();
    assert_eq!((answer.user.as_str(), answer.domain.as_str()), ("User", "Domain"));
    assert_eq!(answer.flags, 0xe288_8235);
    assert_eq!(hex::encode(&answer.nt_response[..16]), "68cd0ab851e51c96aabc927bebef6a1c");
    assert_eq!(answer.nt_response.len(), 84);
    assert_eq!(hex::encode(&answer.session_key), "c5dad2544fc9799094ce1ce90bc9d03e");
    assert!(!format!("{answer:?}").contains("68cd"), "what is made of the password is not shown");
}

#[test]
fn a_challenge_that_asks_for_less_than_ntlmv2_says_so() {
    let strong = Challenge::decode(&bytes(CHALLENGE)).unwrap();
    let without = |flags: u32| Challenge { flags: strong.flags & !flags, ..strong.clone() };
    let cases = [
        (without(flag::UNICODE), Weakness::Oem),
        (without(flag::NTLM), Weakness::Lm),
        (without(flag::EXTENDED_SESSION_SECURITY), Weakness::V1),
        (without(flag::TARGET_INFO), Weakness::NoTargetInfo),
        (Challenge { target_info: Vec::new(), ..strong.clone() }, Weakness::NoTargetInfo),
        (
            Challenge {
                flags: strong.flags & !flag::EXTENDED_SESSION_SECURITY | flag::LM_KEY,
                ..strong.clone()
            },
            Weakness::Lm,
        ),
    ];
    for (challenge, weakness) in cases {
        assert_eq!(challenge.weakness(), Some(weakness), "{:08x}", challenge.flags);
    }
    // some servers send back the flag for LAN Manager's key, which extended session security puts out of force
    let both = Challenge { flags: strong.flags | flag::LM_KEY, ..strong };
    assert_eq!(both.weakness(), None);
}

#[test]
fn fields_that_point_outside_are_refused() {
    for (at, field) in [(12, "target name"), (40, "target information")] {
        for value in [u32::MAX, 120, 70] {
            let mut message = bytes(CHALLENGE);
            message[at + 4..at + 8].copy_from_slice(&value.to_le_bytes());
            let error = Challenge::decode(&message);
            if value == 70 && error.is_ok() {
                continue; // within, though not where it was
            }
            let told = matches!(
                error,
                Err(NtlmError::Outside { field: found } | NtlmError::Malformed { field: found }) if found == field
            );
            assert!(told, "{field} at {value}: {error:?}");
        }
    }
}

#[test]
fn every_truncation_is_an_error_or_lacks_only_what_is_empty() {
    let message = bytes(CHALLENGE);
    for length in 0..message.len() {
        assert!(Challenge::decode(&message[..length]).is_err(), "{length} bytes");
    }
    let message = bytes(AUTHENTICATE);
    for length in 0..message.len() {
        assert!(Authenticate::decode(&message[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_message_or_a_list_of_pairs_beyond_the_limit_is_refused() {
    let mut message = bytes(CHALLENGE);
    message.resize(BYTES_MAX + 1, 0);
    assert_eq!(Challenge::decode(&message), Err(NtlmError::TooLong { limit_bytes: BYTES_MAX }));
    let mut many = [9, 0, 0, 0].repeat(65);
    many.extend([0; 4]);
    assert_eq!(read_pairs(&many), Err(NtlmError::Malformed { field: "target information" }));
    assert_eq!(
        read_pairs(&[9, 0, 0, 0]),
        Err(NtlmError::Malformed { field: "target information" }),
        "no end"
    );
}

#[test]
fn another_message_than_the_one_that_is_due_is_refused() {
    let error = Err(NtlmError::OtherMessage { expected: "challenge" });
    assert_eq!(Challenge::decode(&bytes(AUTHENTICATE)), error);
    assert_eq!(Challenge::decode(b"NTLMSSP"), error);
    assert_eq!(Challenge::decode(b""), error);
}

proptest! {
    #[test]
    fn nothing_makes_a_decoder_panic(
        kind in 1_u8..=3,
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut message = b"NTLMSSP\0".to_vec();
        message.extend([kind, 0, 0, 0]);
        message.extend(tail);
        let _ = Negotiate::decode(&message);
        let _ = Authenticate::decode(&message);
        if let Ok(challenge) = Challenge::decode(&message) {
            let _ = challenge.weakness();
        }
    }

    #[test]
    fn a_changed_byte_makes_no_decoder_panic(at in 0_usize..104, value in any::<u8>()) {
        let mut message = bytes(CHALLENGE);
        message[at] = value;
        if let Ok(challenge) = Challenge::decode(&message) {
            prop_assert_eq!(Challenge::decode(&challenge.encode()).map(|again| again.nonce), Ok(challenge.nonce));
        }
    }
}
