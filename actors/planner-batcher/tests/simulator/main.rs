//! The communicator against the Planner simulator on a real socket: through a storm of faults ([`storm`]), with changes
//! that Planner applies late ([`late`]), and under a budget that two processes share ([`budget`]).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of a test, which clippy does not know as such here"
)]

mod budget;
mod late;
mod storm;
mod world;
