//! Goal: whatever is said is said in both languages, with the same values in it.
use std::collections::BTreeSet;

use super::*;

/// The names in braces.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn both_languages_have_the_same_keys_and_values() {
    let all: Vec<&Text> = ALL.iter().flat_map(|area| area.iter()).collect();
    let keys = |said: fn(&Text) -> &'static str| -> BTreeSet<&str> {
        all.iter().filter(|text| !said(text).trim().is_empty()).map(|text| text.key).collect()
    };
    let (english, danish) = (keys(|text| text.en), keys(|text| text.da));
    assert_eq!(english, danish);
    assert_eq!(english.len(), all.len(), "a key stands twice, or a text is empty");
    for text in all {
        assert_eq!(placeholders(text.en), placeholders(text.da), "{}", text.key);
        assert!(text.en.is_ascii(), "{}: {}", text.key, text.en);
    }
}

#[test]
fn danish_has_its_letters_and_no_others() {
    let texts = ALL.iter().flat_map(|area| area.iter());
    let letters: BTreeSet<char> = texts
        .flat_map(|text| text.da.to_lowercase().chars().collect::<Vec<_>>())
        .filter(|c| !c.is_ascii())
        .collect();
    assert_eq!(letters, BTreeSet::from(['é', 'æ', 'ø', 'å']));
}

#[test]
fn the_environment_says_the_language() {
    let with = |values: &'static [(&str, &str)]| {
        Language::from_environment(move |name| {
            values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(with(&[]), Language::En);
    assert_eq!(with(&[("LANG", "da_DK.UTF-8")]), Language::Da);
    assert_eq!(with(&[("LANG", "da")]), Language::Da);
    assert_eq!(with(&[("LANG", "dav_KE")]), Language::En);
    assert_eq!(with(&[("LANG", "C.UTF-8")]), Language::En);
    assert_eq!(with(&[("LANG", "da_DK.UTF-8"), ("LC_ALL", "en_GB.UTF-8")]), Language::En);
    assert_eq!(with(&[("LANG", "da_DK"), ("LC_ALL", "")]), Language::Da, "an empty variable is none");
}

#[test]
fn values_are_filled_in() {
    const TEXT: Text = Text { key: "test.a", en: "{n} of {all}", da: "{n} af {all}" };
    assert_eq!(TEXT.fill(Language::Da, &[("n", &3), ("all", &"ti"), ("x", &1)]), "3 af ti");
    assert_eq!(TEXT.say(Language::En), "{n} of {all}");
}
