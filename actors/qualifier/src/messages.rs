//! What a shard is told, apart from [`supervision::Stop`]. Work itself comes through the database.

/// There may be news: notifications were stored. Comes from the wake-up stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Woken;
