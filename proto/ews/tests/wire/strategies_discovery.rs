//! Any message of Autodiscover, in both of its forms.

use proptest::prelude::*;
use proto_ews::autodiscover::{
    GetUserSettings, GetUserSettingsResponse, SettingError, UserOutcome, UserSettings,
};
use proto_ews::pox::{PoxResponse, PoxSettings};

use crate::strategies::{one_of, text, token};

pub(crate) fn discovery_request() -> impl Strategy<Value = GetUserSettings> {
    let several = || prop::collection::vec(token(), 0..5);
    (prop::option::of(token()), prop::option::of(token()), several(), several()).prop_map(
        |(server_version, to, mailboxes, settings)| GetUserSettings {
            server_version,
            to,
            mailboxes,
            settings,
        },
    )
}

pub(crate) fn discovery_response() -> impl Strategy<Value = GetUserSettingsResponse> {
    (token(), text(), prop::collection::vec(user_settings(), 0..4)).prop_map(
        |(error_code, error_message, users)| GetUserSettingsResponse { error_code, error_message, users },
    )
}

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

pub(crate) fn pox_response() -> impl Strategy<Value = PoxResponse> {
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
