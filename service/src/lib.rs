//! Wiring of Kommuneklient.
#![forbid(unsafe_code)]
