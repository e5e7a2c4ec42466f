//! SOAP 1.1 envelopes and the bounded, namespace-aware XML reader and writer under them.
#![forbid(unsafe_code)]
