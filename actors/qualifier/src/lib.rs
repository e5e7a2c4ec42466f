//! Notifications become decisions: coalesce, fetch, decide, store; full pull.
#![forbid(unsafe_code)]
