//! Messages as a whole: round trips of everything, hostile input, the schema's judgement, and what real
//! servers sent.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test: a panic is its verdict")]

mod hostile;
mod round_trip;
mod samples;
mod schema;
mod shared;
mod strategies;
mod strategies_discovery;
mod strategies_items;
mod streaming;
mod tolerance;
