//! A stand-in for Exchange that independent clients accept, with fault injection.
#![forbid(unsafe_code)]
