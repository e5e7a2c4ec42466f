//! Words of ours that stand in the database and in JSON for why a mailbox is not used or not listened to, and what they
//! say to people. What an operator gave as a reason stays as it is.

use store::resource_list::{NON_WHITELIST, NOT_IN_PLANNER};

use crate::texts::{Language, Text, reasons as t, words as w};

/// One of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason {
    /// As it is stored.
    pub(crate) code: &'static str,
    /// What it says, in short.
    pub(crate) words: Text,
    /// What that means and what to do.
    pub(crate) means: Text,
}

/// All of them.
pub(crate) const REASONS: [Reason; 4] = [
    Reason { code: NON_WHITELIST, words: t::NON_WHITELIST, means: t::NON_WHITELIST_MEANS },
    Reason { code: NOT_IN_PLANNER, words: t::NOT_IN_PLANNER, means: t::NOT_IN_PLANNER_MEANS },
    Reason { code: "NotCovered", words: t::NOT_COVERED, means: t::NOT_COVERED_MEANS },
    Reason { code: "NotSolved", words: t::NOT_SOLVED, means: t::NOT_SOLVED_MEANS },
];

/// The word with this name, in whatever case somebody wrote it.
pub(crate) fn named(code: &str) -> Option<Reason> {
    REASONS.into_iter().find(|reason| reason.code.eq_ignore_ascii_case(code.trim()))
}

/// Why a mailbox is not used, for people: our words with the code behind them, what an operator gave as it is.
pub(crate) fn words(reason: &str, language: Language) -> String {
    match REASONS.into_iter().find(|known| known.code == reason) {
        Some(known) => {
            t::WITH_CODE.fill(language, &[("words", &known.words.say(language)), ("code", &known.code)])
        }
        None => reason.to_owned(),
    }
}

/// The same where there may be none.
pub(crate) fn or_none(reason: Option<&str>, language: Language) -> String {
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => words(reason, language),
        None => w::NO_REASON.say(language).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_codes_have_words_and_what_operators_wrote_stays() {
        assert_eq!(words("P-NonWhitelist", Language::En), "not on the whitelist (P-NonWhitelist)");
        assert_eq!(words("P-NotInPlanner", Language::Da), "ikke længere på Planners liste (P-NotInPlanner)");
        assert_eq!(words("on leave {code}", Language::En), "on leave {code}");
        assert_eq!(named(" p-nonwhitelist").map(|reason| reason.code), Some("P-NonWhitelist"));
        assert_eq!(named("on leave"), None);
    }
}
