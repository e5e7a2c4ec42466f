//! What the program says to operators, in English and Danish: the one place for it.
//!
//! A text is a constant [`Text`] with both languages side by side, so neither can be without the other; the files below
//! group them by where they are shown. `{name}` in a text is replaced by [`Text::fill`]. What events mean stands in
//! their registry (`calendar::codes`) in the same two languages; [`in_language`] picks from it.
//!
//! To add texts: a file `texts/<area>.rs` with one `texts! { … }`, and its `ALL` in `ALL`. Tests see to it that both
//! languages are there, that they have the same placeholders and that no key stands twice.
//!
//! Which language: `--language`, else the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set, else English.
//! Numbers, codes, words in logs and JSON keys are the same in both.

use std::fmt::Display;

use base::event_entry::Bilingual;
use clap::{Args, ValueEnum};

/// Defines texts: `NAME = "area.key" { en "…" da "…" }`.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $key:literal { en $en:literal da $da:literal })*) => {
        $(
            $(#[$doc])*
            #[doc = concat!("\"", $en, "\"")]
            pub(crate) const $name: $crate::texts::Text = $crate::texts::Text { key: $key, en: $en, da: $da };
        )*
        /// All texts of this file.
        #[cfg(test)]
        pub(crate) const ALL: &[$crate::texts::Text] = &[$($name),*];
    };
}

pub(crate) mod alerts;
pub(crate) mod causes;
pub(crate) mod codes;
pub(crate) mod config;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod doctor_mailbox;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod lists;
pub(crate) mod mailbox;
pub(crate) mod operations;
pub(crate) mod reasons;
pub(crate) mod refusals;
pub(crate) mod set_aside;
pub(crate) mod status;
pub(crate) mod stored;
pub(crate) mod stream;
pub(crate) mod withheld;
pub(crate) mod words;

/// Every text there is.
#[cfg(test)]
pub(crate) const ALL: &[&[Text]] = &[
    alerts::ALL,
    causes::ALL,
    codes::ALL,
    config::ALL,
    diff::ALL,
    doctor::ALL,
    doctor_mailbox::ALL,
    erase::ALL,
    explain::ALL,
    lists::ALL,
    mailbox::ALL,
    operations::ALL,
    reasons::ALL,
    refusals::ALL,
    set_aside::ALL,
    status::ALL,
    stored::ALL,
    stream::ALL,
    withheld::ALL,
    words::ALL,
];

/// A language that the program speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Danish.
    Da,
}

impl Language {
    /// The language of this session, by its environment.
    pub fn of_session() -> Self {
        Self::from_environment(|name| std::env::var(name).ok())
    }

    /// The same with a given environment.
    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable);
        let first = named.map(|value| value.to_ascii_lowercase()).find(|value| !value.is_empty());
        match first {
            Some(locale) if locale == "da" || locale.starts_with("da_") || locale.starts_with("da.") => {
                Self::Da
            }
            _ => Self::En,
        }
    }

    /// "en" or "da".
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Da => "da",
        }
    }
}

/// The option `--language`; flatten it into the arguments of a command. Wherever it stands on the command line, the
/// command gets it; one that knows English alone takes it, too.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LanguageArg {
    /// Answer in this language, where the command knows both; that of the session (LC_ALL, LC_MESSAGES, LANG) when absent.
    #[arg(long, value_enum, value_name = "LANGUAGE", global = true)]
    pub language: Option<Language>,
}

impl LanguageArg {
    /// The language to answer in.
    pub fn language(self) -> Language {
        self.language.unwrap_or_else(Language::of_session)
    }
}

/// Words for operators in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// "area.name", the same in every language.
    pub key: &'static str,
    /// English.
    pub en: &'static str,
    /// Danish.
    pub da: &'static str,
}

impl Text {
    /// The words.
    pub const fn say(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Da => self.da,
        }
    }

    /// The words with `{name}` replaced by its value. A name that the text does not have changes nothing.
    pub fn fill(&self, language: Language, values: &[(&str, &dyn Display)]) -> String {
        values.iter().fold(self.say(language).to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), &value.to_string())
        })
    }
}

/// The words of a registry.
pub const fn in_language(words: Bilingual, language: Language) -> &'static str {
    match language {
        Language::En => words.en,
        Language::Da => words.da,
    }
}

#[cfg(test)]
mod tests;
