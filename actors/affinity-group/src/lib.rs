//! One actor per affinity group: streaming connection, anchor, cookie, silence watch; and the listener that forms the groups.
#![forbid(unsafe_code)]
