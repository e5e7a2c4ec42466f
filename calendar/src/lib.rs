//! The rules, pure: identity, window, decision, comparison; and the port to where appointments come from.
#![forbid(unsafe_code)]
