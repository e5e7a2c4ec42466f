//! Asking the person at the terminal whether something is meant. Where there is no terminal nobody is sure: then an option has
//! said so, or nothing is changed.

use std::io::{BufRead, IsTerminal, Write};

use super::CommandError;
use super::error::Consequence;
use crate::texts::{Language, refusals as t};

/// The most that is read of an answer, in bytes.
const ANSWER_MAX: u64 = 1_000;

/// The answer of a person to `question`; `None` where there is nobody to ask.
pub(super) fn answer(question: &str) -> Option<String> {
    use std::io::Read;
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() {
        return None;
    }
    stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush()).ok()?;
    let mut answer = String::new();
    stdin.lock().take(ANSWER_MAX).read_line(&mut answer).ok()?;
    Some(answer)
}

/// Passes when a person says that this consequence is meant.
///
/// # Errors
/// [`CommandError::NotSure`] when not, and where there is nobody to ask.
pub(super) fn sure(consequence: Consequence, language: Language) -> Result<(), CommandError> {
    let said = answer(&t::GO_ON.fill(language, &[("consequence", &consequence.text(language))]));
    if said.is_some_and(|said| says_yes(&said)) { Ok(()) } else { Err(CommandError::NotSure(consequence)) }
}

fn says_yes(answer: &str) -> bool {
    ["y", "yes", "j", "ja"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, expected) in [
            ("y\n", true),
            ("Yes", true),
            (" ja \n", true),
            ("J", true),
            ("", false),
            ("\n", false),
            ("n", false),
            ("yy", false),
        ] {
            assert_eq!(says_yes(answer), expected, "{answer:?}");
        }
    }
}
