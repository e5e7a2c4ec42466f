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
        write!(f, "{}", self.0)?;
        for cause in std::iter::successors(self.0.source(), |&cause| cause.source()).take(CAUSES_MAX) {
            write!(f, ": {cause}")?;
        }
        Ok(())
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
}
