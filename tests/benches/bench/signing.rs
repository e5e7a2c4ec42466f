//! Signing a request with 20 appointments and verifying the answer to one, beside the RSA operations alone that this
//! takes: one signature and one verification with the same keys.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base::SystemClock;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use proto_planner::{
    CalendarEvent, CalendarEventReceipt, ChangeAnswer, Headers, MESSAGE_BYTES_MAX, Operation, Request,
    RequestEnvelope, Response, TimeForm, WireTime, encode_request, encode_response,
};
use proto_wsse::{Signer, Verifier};
use simulator_kit::{Authority, Wanted};
use uuid::Uuid;

use crate::cpu;
use crate::figures::Figures;

pub(crate) const NAME: &str = "signing";
/// Appointments of a call (`max_calendar_event_updates_per_call`).
const ITEMS: i64 = 20;

/// Measures.
pub(crate) fn run() -> Figures {
    let authority = Authority::new("bench").expect("an authority");
    let issued = authority.issue(&Wanted::client("kommune", "CVR:12345678-FID:1")).expect("a certificate");
    let certificate = issued.certificate_der().expect("a certificate");
    let key = issued.key_der().expect("a key");
    let signer = Signer::new(&certificate, &key).expect("an rsa key");
    let verifier = Verifier::new(&[certificate], SignedDuration::from_mins(5), MESSAGE_BYTES_MAX)
        .expect("a certificate");
    let now = SystemClock::shared().now();
    let request = request(now);
    let answer = signer.sign(&answer(now), now, Uuid::new_v4()).expect("a message of ours");

    let bare = RsaKeyPair::from_pkcs8(&key).or_else(|_| RsaKeyPair::from_der(&key)).expect("an rsa key");
    let random = SystemRandom::new();
    let mut value = vec![0; bare.public_modulus_len()];
    bare.sign(&RSA_PKCS1_SHA256, &random, &[7; 600], &mut value).expect("a signature");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bare.public_key().as_ref().to_vec());
    let mut made = value.clone();

    let [sign, verify, bare_sign, bare_verify] = cpu::of_each([
        &mut || {
            black_box(signer.sign(&request, now, Uuid::from_u128(1)).expect("a message of ours"));
        },
        &mut || {
            black_box(verifier.verify(answer.as_bytes(), now, None).expect("a good signature"));
        },
        &mut || {
            bare.sign(&RSA_PKCS1_SHA256, &random, &[7; 600], &mut made).expect("a signature");
            black_box(&made);
        },
        &mut || public.verify(&[7; 600], &value).expect("a good signature"),
    ]);
    eprintln!(
        "  request of {} bytes, answer of {} bytes, rsa of {} bits",
        request.len(),
        answer.len(),
        8 * value.len()
    );
    let micro = |seconds: f64| 1e6 * seconds;
    let mut figures = Figures::default();
    figures.add(
        &format!("{NAME}/call-of-{ITEMS}"),
        "us of CPU",
        micro(sign + verify),
        micro(bare_sign + bare_verify),
    );
    figures.add(&format!("{NAME}/sign"), "us of CPU", micro(sign), micro(bare_sign));
    figures.add(&format!("{NAME}/verify"), "us of CPU", micro(verify), micro(bare_verify));
    figures
}

fn wire_time() -> WireTime {
    let zone = TimeZone::get("Europe/Copenhagen").expect("a zone that exists");
    WireTime { zone, form: TimeForm::Offset }
}

fn identifier(n: i64) -> String {
    format!("040000008200E00074C5B7101A82E008{n:032X}")
}

fn request(now: Timestamp) -> String {
    let operation = Operation::CreateEvents;
    let event = |n: i64| {
        let start = now + n.hours();
        CalendarEvent::new("m0001@sim.test", identifier(n), start, start + 1.hours())
    };
    let envelope = RequestEnvelope {
        headers: Headers::of_system("10100", "CVR:12345678-FID:1", "Kommuneklient", operation, now),
        request: Request::change(operation, (0..ITEMS).map(event).collect()).expect("a change"),
    };
    encode_request(&envelope, &wire_time()).expect("a message that can be written")
}

fn answer(now: Timestamp) -> String {
    let receipt = |n: i64| CalendarEventReceipt {
        planner_resource_identifier: Some(Uuid::from_u128(1)),
        calendar_event_identifier: Uuid::new_v4(),
        received_at: now,
        error_code: 0,
        message: None,
        origin_system_identifier: identifier(n),
        conflict_notification_sent: false,
    };
    let answer = ChangeAnswer { receipts: (0..ITEMS).map(receipt).collect(), call_id: Uuid::new_v4() };
    let response = Response::change(Operation::CreateEvents, answer).expect("a change");
    encode_response(&response, &wire_time()).expect("a message that can be written")
}
