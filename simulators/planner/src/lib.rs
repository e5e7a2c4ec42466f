//! A stand-in for Planner with a meter for violations and fault injection.
#![forbid(unsafe_code)]
