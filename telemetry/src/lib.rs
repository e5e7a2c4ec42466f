//! Logs, traces and metrics; event codes are given to it.
#![forbid(unsafe_code)]

pub mod trace;
