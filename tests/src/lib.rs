//! End-to-end tests on real PostgreSQL and both simulators over sockets.
#![forbid(unsafe_code)]
