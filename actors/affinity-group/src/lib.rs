//! Affinity groups: one actor per group with its streaming connection, and the listener that forms the
//! groups (B7, B12).
#![forbid(unsafe_code)]

pub mod config;
pub mod filter;
pub mod folder_watch;
pub mod grouping;
pub mod policy;
