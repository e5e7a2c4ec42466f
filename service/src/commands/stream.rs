//! How the stream of an affinity group stands, in words and for programs. Pure.

use serde_json::{Value, json};
use store::group_streams::{StreamEvent, StreamState};

use super::show::moment;
use crate::texts::{Language, Text, stream as t};

/// What happened to a stream last; it may have a `{what}`, which is its name in the database.
pub(super) fn happening(state: &StreamState) -> Text {
    match StreamEvent::named(&state.happening) {
        // one that is open has no reason not to be
        Some(StreamEvent::Opened | StreamEvent::Begun) => t::BEGUN,
        Some(StreamEvent::Closed) => t::CLOSED,
        Some(StreamEvent::NotServed) => t::NOT_SERVED,
        Some(StreamEvent::Away) => t::AWAY,
        Some(StreamEvent::Failed) => t::FAILED,
        Some(StreamEvent::Silent) => t::SILENT,
        Some(StreamEvent::Withdrawn) => t::WITHDRAWN,
        None => t::OTHER,
    }
}

/// Why a stream that is not open is not, in words.
pub(super) fn why(state: &StreamState, language: Language) -> String {
    let why = happening(state).fill(language, &[("what", &state.happening)]);
    match &state.code {
        Some(code) => t::OF_CODE.fill(language, &[("why", &why), ("code", code)]),
        None => why,
    }
}

/// How it stands, in words.
pub(super) fn words(state: &StreamState, language: Language) -> String {
    let at = moment(state.since);
    if state.open {
        return t::OPEN.fill(language, &[("at", &at)]);
    }
    t::NOT_OPEN.fill(language, &[("at", &at), ("why", &why(state, language))])
}

/// For programs; null = not known.
pub(super) fn value(state: Option<&StreamState>) -> Value {
    state.map_or(Value::Null, |state| {
        json!({
            "open": state.open,
            "since": state.since.to_string(),
            "last": state.happening,
            "code": state.code,
            "last_at": state.happened_at.to_string(),
        })
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn state(open: bool, happening: &str, code: Option<&str>) -> StreamState {
        let since = Timestamp::from_second(1_900_000_000).unwrap();
        let (happening, code) = (happening.to_owned(), code.map(str::to_owned));
        StreamState { open, since, happening, code, happened_at: since }
    }

    #[test]
    fn a_stream_is_told_in_both_languages() {
        let at = moment(Timestamp::from_second(1_900_000_000).unwrap());
        for (state, english, danish) in [
            (state(true, "opened", None), format!("open since {at}"), format!("åben siden {at}")),
            (
                state(false, "away", Some("HTTP 503")),
                format!("not open since {at}: Exchange cannot open it now (HTTP 503)"),
                format!("ikke åben siden {at}: Exchange kan ikke åbne den nu (HTTP 503)"),
            ),
            (
                state(false, "danced", None),
                format!("not open since {at}: danced"),
                format!("ikke åben siden {at}: danced"),
            ),
        ] {
            assert_eq!((words(&state, Language::En), words(&state, Language::Da)), (english, danish));
        }
        for event in StreamEvent::ALL {
            let state = state(false, event.as_str(), None);
            assert_ne!(why(&state, Language::En), event.as_str());
            assert_ne!(why(&state, Language::En), why(&state, Language::Da));
        }
        assert_eq!(value(None), Value::Null);
        assert_eq!(value(Some(&state(false, "failed", Some("x"))))["code"], json!("x"));
    }
}
