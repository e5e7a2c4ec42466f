//! Goal: the wait that a server asks for is found wherever it says so, and nowhere else.

use super::*;

fn problem(code: ResponseCode, text: &str, values: &[(&str, &str)]) -> Problem {
    values.iter().fold(Problem::new(code, text), |problem, (name, value)| problem.with_value(name, *value))
}

#[test]
fn back_off_is_found_in_values_then_in_the_text_of_a_busy_server() {
    let busy = ResponseCode::SERVER_BUSY;
    let text = "Try again later., This exceeds policy value '5',  Budget type: 'Ews'.  Suggested backoff time 5000 ms.";
    for (code, text, values, ms) in [
        (busy.clone(), "", &[("BackOffMilliseconds", "15000")][..], Some(15_000)),
        (busy.clone(), text, &[("BackOffMilliseconds", " 7 ")], Some(7)),
        (busy.clone(), text, &[], Some(5000)),
        (busy.clone(), text, &[("Policy", "x")], Some(5000)),
        (busy.clone(), "backoff 250 ms", &[], Some(250)),
        (busy.clone(), "in 5000 msec or 3 s", &[], None),
        (busy.clone(), "", &[("BackOffMilliseconds", "soon")], None),
        (busy.clone(), "99999999999999999999999 ms", &[], None),
        (ResponseCode::ITEM_NOT_FOUND, text, &[], None),
        (ResponseCode::ITEM_NOT_FOUND, "", &[("BackOffMilliseconds", "9")], Some(9)),
        (ResponseCode::EXCEEDED_CONNECTION_COUNT, "time 0 ms.", &[], None),
        (
            ResponseCode::INTERNAL_SERVER_ERROR,
            text,
            &[("InnerErrorResponseCode", "ErrorServerBusy")],
            Some(5000),
        ),
    ] {
        let problem = problem(code, text, values);
        assert_eq!(problem.back_off_ms(), ms, "{problem:?}");
        let fault = Fault {
            code: problem.code.clone(),
            text: problem.text.clone(),
            message_xml: problem.message_xml.clone(),
        };
        assert_eq!(fault.back_off(), problem.back_off(), "faults follow the same rule");
    }
}

#[test]
fn zero_is_no_time_and_a_day_is_the_most() {
    let of = |ms: &str| problem(ResponseCode::SERVER_BUSY, "", &[("BackOffMilliseconds", ms)]).back_off();
    assert_eq!(of("0"), None);
    assert_eq!(of("1500"), Some(Duration::from_millis(1500)));
    assert_eq!(of("18446744073709551615"), Some(BACK_OFF_MAX));
}

#[test]
fn an_internal_error_may_hide_another() {
    let inner = |code: ResponseCode, inner: &str| {
        problem(code, "", &[("InnerErrorResponseCode", inner)]).effective_code()
    };
    let internal = ResponseCode::INTERNAL_SERVER_ERROR;
    assert_eq!(inner(internal.clone(), " ErrorQuotaExceeded ").as_str(), "ErrorQuotaExceeded");
    assert_eq!(inner(internal.clone(), "NoError"), internal);
    assert_eq!(inner(internal.clone(), ""), internal);
    assert_eq!(inner(ResponseCode::ITEM_NOT_FOUND, "ErrorX"), ResponseCode::ITEM_NOT_FOUND);
}

#[test]
fn unknown_codes_survive() {
    let code = ResponseCode::new("ErrorSomethingTransientError");
    assert!(code.is_transient_by_name() && !ResponseCode::SERVER_BUSY.is_transient_by_name());
    assert_eq!(code.to_string(), "ErrorSomethingTransientError");
    assert_eq!(ResponseCode::new("ErrorServerBusy"), ResponseCode::SERVER_BUSY);
}
