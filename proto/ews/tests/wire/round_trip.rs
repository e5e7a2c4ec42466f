//! Goal: whatever can be said in the types arrives on the other side as it was.

use proptest::prelude::*;
use proto_ews::autodiscover::{
    self, GetUserSettings, GetUserSettingsResponse, SettingError, UserOutcome, UserSettings,
};
use proto_ews::pox::{self, PoxResponse, PoxSettings};
use proto_ews::{Limits, decode_request, decode_response, encode_request, encode_response};

use crate::strategies::{one_of, request_envelope, response_envelope, text, token};

fn setting_error() -> impl Strategy<Value = SettingError> {
    (token(), text(), token()).prop_map(|(error_code, error_message, setting_name)| SettingError {
        error_code,
        error_message,
        setting_name,
    })
}

fn user_settings() -> impl Strategy<Value = UserSettings> {
    let outcome = prop_oneof![
        Just(UserOutcome::Found),
        token().prop_map(UserOutcome::RedirectAddress),
        token().prop_map(UserOutcome::RedirectUrl),
        one_of(&["InvalidUser", "InternalServerError"]).prop_map(UserOutcome::Failed),
    ];
    let settings = prop::collection::vec((token(), text()), 0..4);
    (outcome, text(), settings, prop::collection::vec(setting_error(), 0..3)).prop_map(
        |(outcome, error_message, settings, setting_errors)| UserSettings {
            outcome,
            error_message,
            settings,
            setting_errors,
        },
    )
}

fn pox_response() -> impl Strategy<Value = PoxResponse> {
    let optional = || prop::option::of(token());
    prop_oneof![
        token().prop_map(PoxResponse::RedirectAddress),
        token().prop_map(PoxResponse::RedirectUrl),
        (token(), token()).prop_map(|(code, message)| PoxResponse::Failed { code, message }),
        (optional(), optional(), optional()).prop_map(|(external, internal, grouping)| {
            PoxResponse::Settings(PoxSettings {
                external_ews_url: external,
                internal_ews_url: internal,
                grouping_information: grouping,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn requests(envelope in request_envelope()) {
        let message = encode_request(&envelope).unwrap();
        prop_assert_eq!(decode_request(message.as_bytes(), Limits::standard()).unwrap(), envelope);
    }

    #[test]
    fn responses(envelope in response_envelope()) {
        let message = encode_response(&envelope).unwrap();
        prop_assert_eq!(decode_response(message.as_bytes(), Limits::standard()).unwrap(), envelope);
    }

    #[test]
    fn autodiscover_requests(server_version in prop::option::of(token()), to in prop::option::of(token()),
                             mailboxes in prop::collection::vec(token(), 0..5),
                             settings in prop::collection::vec(token(), 0..5)) {
        let request = GetUserSettings { server_version, to, mailboxes, settings };
        let message = autodiscover::encode_request(&request).unwrap();
        let decoded = autodiscover::decode_request(message.as_bytes(), Limits::standard()).unwrap();
        prop_assert_eq!(decoded, request);
    }

    #[test]
    fn autodiscover_responses(error_code in token(), error_message in text(),
                              users in prop::collection::vec(user_settings(), 0..4)) {
        let response = Ok(GetUserSettingsResponse { error_code, error_message, users });
        let message = autodiscover::encode_response(&response).unwrap();
        let decoded = autodiscover::decode_response(message.as_bytes(), Limits::standard()).unwrap();
        prop_assert_eq!(decoded, response);
    }

    #[test]
    fn plain_autodiscover_requests(address in token()) {
        let message = pox::encode_request(&address).unwrap();
        prop_assert_eq!(pox::decode_request(message.as_bytes(), Limits::standard()).unwrap(), address);
    }

    #[test]
    fn plain_autodiscover_responses(address in token(), response in pox_response()) {
        let message = pox::encode_response(&address, &response).unwrap();
        prop_assert_eq!(pox::decode_response(message.as_bytes(), Limits::standard()).unwrap(), response);
    }
}
