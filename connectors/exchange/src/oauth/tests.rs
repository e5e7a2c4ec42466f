//! Goal: a token is used while it holds, renewed before it ends, fetched by one at a time, and shown to nobody. Method:
//! the decisions by table with times as values; against a service: tests/simulator/logins.rs.

use std::time::{Duration, Instant};

use base::{Backoff, Clock};
use calendar::SourceError;
use calendar::source::SourceErrorKind as K;
use proptest::prelude::*;
use reqwest::header::HeaderValue;

use super::plan::{Granted, Need, State, granted, refusal};
use super::unavailable;

fn now() -> Instant {
    base::SystemClock.monotonic()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn token(text: &'static str, life: u64) -> Granted {
    Granted { value: HeaderValue::from_static(text), life: seconds(life) }
}

fn pauses() -> Backoff {
    Backoff::doubling(seconds(1), seconds(60))
}

fn away() -> SourceError {
    unavailable("GetItem", "away")
}

#[test]
fn a_token_is_used_then_renewed_then_gone() {
    let (start, mut state) = (now(), State::default());
    assert_eq!(state.need(start), Need::Token);
    let value = state.granted(start, token("Bearer a", 3_600));
    for (after, need) in [
        (0, Need::Nothing(value.clone())),
        (2_699, Need::Nothing(value.clone())),
        (2_700, Need::Renewal(value.clone())),
        (3_539, Need::Renewal(value.clone())),
        (3_540, Need::Token), // a minute before its end
    ] {
        assert_eq!(state.need(start + seconds(after)), need, "after {after} s");
    }
}

#[test]
fn a_service_that_fails_leaves_the_old_token_and_is_asked_again_later() {
    let (start, mut state) = (now(), State::default());
    let value = state.granted(start, token("Bearer a", 3_600));
    let late = start + seconds(2_800);
    state.failed(late, &pauses(), away());
    assert_eq!(state.need(late), Need::Nothing(value.clone()), "during the pause");
    assert_eq!(state.need(late + seconds(2)), Need::Renewal(value.clone()), "after it");
    // without a token the pause is told
    let mut state = State::default();
    state.failed(start, &pauses(), away());
    let Need::Patience { after, error } = state.need(start) else { panic!("{:?}", state.need(start)) };
    assert!(after <= seconds(1) && *error == away());
    assert_eq!(state.need(start + seconds(1)), Need::Token);
    // and grows, up to what the service asked for or a minute
    let mut at = start;
    for _ in 0..20 {
        state.failed(at, &pauses(), away());
        at += seconds(60);
    }
    let Need::Patience { after, .. } = state.need(at - seconds(60)) else { panic!() };
    assert!(after > seconds(20) && after <= seconds(60), "{after:?}");
    state.failed(at, &pauses(), SourceError { after: Some(seconds(600)), ..away() });
    assert!(matches!(state.need(at), Need::Patience { after, .. } if after == seconds(600)));
}

#[test]
fn a_token_that_was_refused_is_forgotten_and_no_other() {
    let (start, mut state) = (now(), State::default());
    let old = state.granted(start, token("Bearer a", 3_600));
    let new = state.granted(start, token("Bearer b", 3_600));
    state.reject(&old);
    assert_eq!(state.need(start), Need::Nothing(new.clone()));
    state.reject(&new);
    assert_eq!(state.need(start), Need::Token);
}

#[test]
fn answers_are_read_and_what_cannot_be_sent_is_none() {
    let read =
        |text: &str| granted(text.as_bytes()).map(|one| (one.value.to_str().unwrap().to_owned(), one.life));
    let good = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"abc.def"}"#;
    assert_eq!(read(good), Some(("Bearer abc.def".to_owned(), seconds(3_599))));
    let text = r#"{"token_type":"bearer","expires_in":"3599","access_token":"abc","more":{"a":[1]}}"#;
    assert_eq!(read(text), Some(("Bearer abc".to_owned(), seconds(3_599))));
    assert_eq!(read(r#"{"token_type":"Bearer","access_token":"abc"}"#).unwrap().1, seconds(300));
    for bad in [
        "",
        "{}",
        "[1",
        r#"{"token_type":"mac","access_token":"abc"}"#,
        r#"{"token_type":"Bearer","access_token":""}"#,
        r#"{"token_type":"Bearer","access_token":"a\nSet-Cookie: b"}"#,
        r#"{"token_type":"Bearer","access_token":"a b"}"#,
        r#"{"token_type":"Bearer","expires_in":"soon","access_token":"abc"}"#,
        r#"{"token_type":"Bearer","expires_in":-1,"access_token":"abc"}"#,
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
    let long = format!(r#"{{"token_type":"Bearer","access_token":"{}"}}"#, "a".repeat(20_000));
    assert_eq!(read(&long), None);
    assert!(granted(good.as_bytes()).unwrap().value.is_sensitive());
}

#[test]
fn a_refusal_tells_codes_and_no_words() {
    let text = |status, body: &str| {
        let error = refusal("GetItem", status, body.as_bytes());
        (error.kind, error.code, error.text)
    };
    let words =
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: hemmelig","error_codes":[7000215]}"#;
    let (kind, code, told) = text(401, words);
    assert_eq!((kind, code.as_str()), (K::Credentials, "token refused"));
    assert_eq!(told, "the token service refuses with 401 invalid_client 7000215");
    assert_eq!(text(400, r#"{"error":"my secret is X1"}"#).2, "the token service refuses with 400");
    assert_eq!(text(403, "<html>").2, "the token service refuses with 403");
    let (kind, code, _) = text(400, r#"{"error":"temporarily_unavailable"}"#);
    assert_eq!((kind, code.as_str()), (K::Unavailable, "no token"));
}

proptest! {
    #[test]
    fn whatever_a_service_sends_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = granted(&body);
        prop_assert!(refusal("GetItem", 400, &body).text.len() < 300);
    }

    #[test]
    fn no_token_is_used_after_its_life(life in 0_u64..200_000, after in 0_u64..200_000) {
        let (start, mut state) = (now(), State::default());
        state.granted(start, token("Bearer a", life));
        let used = matches!(state.need(start + seconds(after)), Need::Nothing(_) | Need::Renewal(_));
        prop_assert!(!used || (after < life && after < 24 * 3_600));
    }
}
