//! Planner's external calendar service on the wire.
#![forbid(unsafe_code)]
