//! One look for work, on the runtime: a slot, keys, a plan, a reservation.

use std::time::Duration;

use base::Disposition;
use calendar::codes;
use jiff::Timestamp;
use store::StoreError;
use store::calls::{Class, Permit, Slot};
use store::lease::Fence;
use store::outbox::{PageSize, Reserved};
use tokio_util::sync::CancellationToken;

use crate::config::{BatcherOptions, Deps};
use crate::plan::{Picker, Walk};
use crate::policy::Look;

/// Mailboxes of a page.
const PAGE_MAILBOXES: u32 = 64;
/// Pages that one look walks before it lets others have their turn.
const PAGES_MAX: u32 = 32;
/// Batches that one look finds to be sent by nobody any more before it lets others have their turn.
const STALE_MAX: u32 = 64;

/// What a look found.
#[derive(Debug)]
pub(crate) struct Found {
    /// How it ended.
    pub(crate) look: Look,
    /// The call that it reserved, with its slot and when its time began.
    pub(crate) call: Option<(Reserved, Slot, std::time::Instant)>,
}

/// Looks for work, unless `stop` comes before there is room for a call. No call has more than `size` keys. Leaves in the picker
/// what is planned beyond the reserved call.
pub(crate) async fn look(
    deps: &Deps,
    options: &BatcherOptions,
    fence: &Fence,
    picker: &mut Picker,
    size: usize,
    stop: &CancellationToken,
) -> Result<Found, StoreError> {
    // The slot comes first: what is sent is decided when it can be sent.
    let slot = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(Found { look: Look::Unfinished, call: None }),
        slot = deps.book.slot() => slot,
    };
    let as_of = expire(deps, options, fence).await?;
    picker.fit(size);
    let mut search = Search { deps, options, fence, picker, size, pages: PAGES_MAX, stale: STALE_MAX };
    // Each class has room of its own: that one finds none says nothing of the other.
    let mut no_room: Option<Duration> = None;
    for class in search.picker.order() {
        match search.class(class).await? {
            Step::Reserved(reserved, began) => {
                return Ok(Found { look: Look::Reserved, call: Some((reserved, slot, began)) });
            }
            Step::NoRoom(wait) => no_room = Some(no_room.map_or(wait, |other| other.min(wait))),
            Step::Unfinished => return Ok(Found { look: Look::Unfinished, call: None }),
            Step::Nothing => {}
        }
    }
    if let Some(wait) = no_room {
        return Ok(Found { look: Look::NoRoom(wait), call: None });
    }
    let due = deps.book.store().outbox_due(as_of).await?;
    Ok(Found { look: Look::Nothing { due }, call: None })
}

/// A look that cannot be made now and may be later.
pub(crate) fn passes(error: &StoreError) -> bool {
    matches!(error.disposition(), Disposition::Retry { .. })
}

/// Frees the keys of calls whose deadline has passed; answers the database's time from before.
async fn expire(deps: &Deps, options: &BatcherOptions, fence: &Fence) -> Result<Timestamp, StoreError> {
    let event = codes::CALL_ABANDONED.id;
    let adopt_after = options.adopt_after_unknown_outcome;
    let expired = deps.book.store().expire_calls(fence, event, adopt_after).await?;
    if expired.keys > 0 {
        tracing::warn!(
            event_id = event,
            calls = expired.calls,
            keys = expired.keys,
            "calls to planner ended without a recorded answer, their keys are sent again"
        );
    }
    Ok(expired.as_of)
}

enum Step {
    Reserved(Reserved, std::time::Instant),
    NoRoom(Duration),
    Nothing,
    Unfinished,
}

struct Search<'a> {
    deps: &'a Deps,
    options: &'a BatcherOptions,
    fence: &'a Fence,
    picker: &'a mut Picker,
    size: usize,
    pages: u32,
    stale: u32,
}

impl Search<'_> {
    /// Serves one class: plans until a call is reserved or nothing is left.
    async fn class(&mut self, class: Class) -> Result<Step, StoreError> {
        loop {
            while let Some(batch) = self.picker.take(class) {
                let began = self.deps.clock.monotonic();
                match self.deps.book.reserve(self.fence, &batch, self.options.lifetime()).await? {
                    Permit::Granted(Some(reserved)) => {
                        self.picker.served(class, &batch.mail);
                        return Ok(Step::Reserved(reserved, began));
                    }
                    Permit::Granted(None) => self.picker.passed(class, &batch.mail),
                    Permit::Wait(wait) => {
                        self.picker.put_back(batch);
                        return Ok(Step::NoRoom(wait));
                    }
                }
                self.stale = self.stale.saturating_sub(1);
                if self.stale == 0 {
                    return Ok(Step::Unfinished);
                }
            }
            if self.pages == 0 {
                return Ok(Step::Unfinished);
            }
            self.pages -= 1;
            let keys_per_mailbox = u32::try_from(self.size.saturating_mul(2)).unwrap_or(u32::MAX);
            let size = PageSize { mailboxes: PAGE_MAILBOXES, keys_per_mailbox };
            let page = self.deps.book.store().pending_keys(class, self.picker.after(class), size).await?;
            if self.picker.offer(class, page, self.size) == Walk::Nothing {
                self.picker.nothing(class);
                return Ok(Step::Nothing);
            }
        }
    }
}
