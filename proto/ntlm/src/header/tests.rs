//! Goal: a message is found however servers and proxies fold their headers, and no other scheme is taken for it.

use super::{Offer, message_in, offer, value};
use crate::NtlmError;
use crate::message::BYTES_MAX;

#[test]
fn the_offer_is_found_among_others() {
    let read = |values: &[&str]| offer(values.iter().copied());
    assert_eq!(read(&[]), Ok(Offer::None));
    assert_eq!(read(&["Negotiate", "Basic realm=\"ntlm\""]), Ok(Offer::None));
    assert_eq!(read(&["Negotiate", "NTLM"]), Ok(Offer::Scheme));
    assert_eq!(read(&["Negotiate, ntlm, Basic realm=\"x\""]), Ok(Offer::Scheme));
    assert_eq!(read(&["NTLM AQID", "Negotiate"]), Ok(Offer::Message(vec![1, 2, 3])));
    assert_eq!(read(&["NTLM", "NTLM AQID"]), Ok(Offer::Message(vec![1, 2, 3])));
    assert_eq!(read(&["Negotiate AQID"]), Ok(Offer::None), "a message of another scheme is not for us");
}

#[test]
fn what_is_no_base64_or_too_long_is_an_error() {
    assert_eq!(message_in("NTLM !"), Some(Err(NtlmError::Malformed { field: "base64" })));
    assert_eq!(message_in("NTLM AQID AQID"), Some(Err(NtlmError::Malformed { field: "base64" })));
    let long = format!("NTLM {}", "A".repeat(BYTES_MAX * 2));
    assert_eq!(message_in(&long), Some(Err(NtlmError::TooLong { limit_bytes: BYTES_MAX })));
    assert_eq!(message_in("Basic AQID"), None);
    assert_eq!(message_in(&value(&[1, 2, 3])), Some(Ok(vec![1, 2, 3])));
}
