//! An error with its causes on one line, for logs.

use std::error::Error;
use std::fmt;

/// The most causes that are shown: a chain that refers to itself must end.
const CAUSES_MAX: usize = 16;

/// Displays an error and its sources, separated by `: `.
#[derive(Debug)]
pub struct Chain<'a>(&'a (dyn Error + 'static));

/// The error with its causes: `error = %telemetry::chain(&error)`.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> Chain<'a> {
    Chain(error)
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        for cause in std::iter::successors(self.0.source(), |&cause| cause.source()).take(CAUSES_MAX) {
            let cause = cause.to_string();
            // errors of others often repeat their source in their own text
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn shows_every_cause_once() {
        let error = Outer("x".parse::<u8>().unwrap_err());
        assert_eq!(chain(&error).to_string(), "outer: invalid digit found in string");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped: {0}")]
    struct Repeating(#[source] Outer);

    #[test]
    fn a_source_that_the_text_repeats_is_shown_once() {
        let outer = || Outer("x".parse::<u8>().unwrap_err());
        let shown = chain(&Repeating(outer())).to_string();
        assert_eq!(shown, "wrapped: outer: invalid digit found in string");
    }
}
