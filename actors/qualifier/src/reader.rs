//! Reading calendars so that one bad item cannot hide the others.
//!
//! A failure of the service or of the whole mailbox ends the reading: nothing is known, everything waits.
//! Any other failure of a batch may be the fault of one item in it: then the items are read one by one, and
//! an item that fails alone is the culprit, provided that the mailbox can be reached at all.
//!
//! An item that alone is forbidden (Exchange answers so about single items, too) is such a culprit as well: the
//! mailbox can be reached, and waiting would not heal it.
//!
//! A service that is "away" again and again for one mailbox, though the mailbox can be reached, may be choking
//! on one of its items: from some failures in a row on ([`Reader::suspicious`]) that is looked for too.

use base::Turns;
use calendar::source::{Mailbox, Reading, SourceErrorKind, WindowReading};
use calendar::{CalendarSource, ItemId, Slot, SourceError};

use crate::plan::Readings;

/// Whose fault a failure can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The service or the whole mailbox: no item is to blame.
    Everything,
    /// Perhaps something in the items that were asked for.
    TheItems,
}

/// Whose fault a failure of this kind can be.
pub(crate) fn blame(kind: SourceErrorKind) -> Blame {
    use SourceErrorKind as K;
    match kind {
        K::Unavailable | K::Credentials | K::Rediscover | K::Mailbox | K::Resubscribe | K::Missed => {
            Blame::Everything
        }
        K::BadAnswer | K::TooMuch | K::OwnBug | K::Unknown | K::Gone | K::SyncStateRejected => {
            Blame::TheItems
        }
    }
}

/// Whose fault is it that an item alone could not be read, in a mailbox that can be reached?
pub(crate) fn blame_of_item(kind: SourceErrorKind) -> Blame {
    match kind {
        SourceErrorKind::Mailbox => Blame::TheItems,
        other => blame(other),
    }
}

/// Reads the calendar of one mailbox.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a dyn CalendarSource,
    pub(crate) mailbox: &'a Mailbox,
    pub(crate) items_per_call: usize,
    /// Has the mailbox failed so often in a row that an outage is doubted?
    pub(crate) suspicious: bool,
}

impl Reader<'_> {
    /// Reads items into `readings`. An error means that the mailbox cannot be read now.
    pub(crate) async fn items(&self, ids: &[ItemId], readings: &mut Readings) -> Result<(), SourceError> {
        for chunk in ids.chunks(self.items_per_call.max(1)) {
            match self.batch(chunk).await {
                Ok(read) => {
                    if read.iter().any(is_forbidden) {
                        self.must_be_reachable().await?;
                    }
                    readings.extend(chunk.iter().cloned().zip(read));
                }
                Err(error) if self.ends_items(&error) => return Err(error),
                Err(error) if chunk.len() == 1 => {
                    self.must_be_reachable().await?;
                    readings.insert(chunk[0].clone(), Reading::Failed(error));
                }
                Err(_) => self.one_by_one(chunk, readings).await?,
            }
        }
        Ok(())
    }

    /// Does a failure of a call end the reading?
    fn ends(&self, error: &SourceError) -> bool {
        let doubted = self.suspicious && error.kind == SourceErrorKind::Unavailable;
        blame(error.kind) == Blame::Everything && !doubted
    }

    /// Does a failure of reading items end the reading? That the mailbox is to blame must be proven by a check.
    fn ends_items(&self, error: &SourceError) -> bool {
        error.kind != SourceErrorKind::Mailbox && self.ends(error)
    }

    async fn one_by_one(&self, ids: &[ItemId], readings: &mut Readings) -> Result<(), SourceError> {
        self.must_be_reachable().await?;
        for id in ids {
            match self.batch(std::slice::from_ref(id)).await {
                Ok(read) => readings.extend(std::iter::once(id.clone()).zip(read)),
                Err(error) if self.ends_items(&error) => return Err(error),
                Err(error) => {
                    readings.insert(id.clone(), Reading::Failed(error));
                }
            }
        }
        Ok(())
    }

    async fn batch(&self, ids: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        let read = self.source.read_items(self.mailbox, ids).await?;
        if read.len() == ids.len() {
            return Ok(read);
        }
        Err(SourceError {
            operation: "read items",
            kind: SourceErrorKind::BadAnswer,
            code: "count".into(),
            text: format!("{} readings for {} items", read.len(), ids.len()),
            after: None,
        })
    }

    async fn must_be_reachable(&self) -> Result<(), SourceError> {
        self.source.check(self.mailbox).await.map(drop)
    }

    /// Reads everything that overlaps `window`. The outer error means that the mailbox cannot be read now;
    /// the inner one that the window cannot. Single items that cannot be read are part of the reading.
    pub(crate) async fn window(
        &self,
        window: Slot,
    ) -> Result<Result<WindowReading, SourceError>, SourceError> {
        match self.source.read_window(self.mailbox, window).await {
            Ok(reading) => Ok(Ok(reading)),
            Err(error) if self.ends(&error) => Err(error),
            Err(error) => self.must_be_reachable().await.map(|()| Err(error)),
        }
    }

    /// The same for a full read, whose calls are made by turns.
    pub(crate) async fn window_by_turns(
        &self,
        window: Slot,
        turns: &Turns,
    ) -> Result<Result<WindowReading, SourceError>, SourceError> {
        match self.source.read_window_by_turns(self.mailbox, window, turns).await {
            Ok(reading) => Ok(Ok(reading)),
            Err(error) if self.ends(&error) => Err(error),
            Err(error) => {
                let _turn = turns.take().await;
                self.must_be_reachable().await.map(|()| Err(error))
            }
        }
    }

    /// The masters of the series that these occurrences belong to; same errors as [`window`](Self::window).
    pub(crate) async fn masters(
        &self,
        occurrences: &[ItemId],
    ) -> Result<Result<Vec<Option<ItemId>>, SourceError>, SourceError> {
        let mut masters = Vec::with_capacity(occurrences.len());
        for chunk in occurrences.chunks(self.items_per_call.max(1)) {
            match self.source.masters_of(self.mailbox, chunk).await {
                Ok(some) => masters.extend(some),
                Err(error) if self.ends_items(&error) => return Err(error),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(masters))
    }
}

fn is_forbidden(reading: &Reading) -> bool {
    matches!(reading, Reading::Failed(error) if error.kind == SourceErrorKind::Mailbox)
}
