//! Supervision trees on actix, without domain knowledge.
#![forbid(unsafe_code)]
