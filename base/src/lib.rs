//! What every crate may use: clock, disposition of an error, back-off, typed ids.
#![forbid(unsafe_code)]
