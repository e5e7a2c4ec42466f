//! One actor per mailbox: check, subscribe, catch up, listen; its errors.
#![forbid(unsafe_code)]
