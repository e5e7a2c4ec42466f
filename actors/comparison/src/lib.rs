//! Adoption of what Planner already holds (B9).
#![forbid(unsafe_code)]
