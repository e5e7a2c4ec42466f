//! Planner over HTTPS through DFDG.
#![forbid(unsafe_code)]
