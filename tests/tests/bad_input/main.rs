//! Goal: whatever comes in, and whatever is away, is told by an event with its code, stops nothing else, and in
//! the end nothing is lost. Method: the simulators spoil their answers, a gate shuts before the database or
//! Planner, changes go on meanwhile; then Planner must hold what the oracle says. That no event says
//! "panicked", that the process lived on, and that Planner's agreement on calls was kept is part of every test
//! (`assert_unharmed`).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; helpers outside #[test] too")]

mod appointments;
mod away;
mod exchange;
mod mailboxes;
mod planner;
mod resource_list;
mod stream;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
