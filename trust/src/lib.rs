//! TLS configuration: roots, client certificates, the one crypto provider.
#![forbid(unsafe_code)]
