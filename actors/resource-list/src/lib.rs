//! The resource list from Planner with whitelist and blacklist (B10).
#![forbid(unsafe_code)]
