//! What the simulators share: HTTP serving, capture, faults.
#![forbid(unsafe_code)]
