//! Command line of Kommuneklient.
#![forbid(unsafe_code)]
fn main() {}
