//! What a shard is told, apart from [`supervision::Stop`]. Work itself comes through the database.

/// There may be news: notifications of these kinds were stored. Comes from the wake-up streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Woken(pub(crate) Kinds);

/// Kinds of notifications.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// Hints at items.
    pub(crate) live: bool,
    /// Full reads.
    pub(crate) full: bool,
}

impl Kinds {
    pub(crate) const NONE: Self = Self { live: false, full: false };
    pub(crate) const LIVE: Self = Self { live: true, full: false };
    pub(crate) const FULL_READS: Self = Self { live: false, full: true };
    pub(crate) const ALL: Self = Self { live: true, full: true };

    pub(crate) const fn with(self, other: Self) -> Self {
        Self { live: self.live || other.live, full: self.full || other.full }
    }
}
