//! Catching up: what changed since the saved sync state becomes notifications (B7).
//!
//! Each page is stored together with the sync state after it, in one transaction. Without a saved state the
//! changes are walked to their end without storing them, then one `FullRead` notification is stored with the final
//! state: the qualifier reads the window, the walk only marks from where changes count. A sync state that the
//! server does not accept is dropped and the mailbox starts over, once a catch-up.
//!
//! The changes since a sync state do not tell of an item that was created *and* deleted after it. Such an item may
//! have become known by the stream before the gap, and have been deleted in the gap. So the store remembers when
//! the last page was asked for, and with the last page of the next catch-up it hints at every item that was
//! learnt since ([`store::notifications::NotificationKind::SyncCheck`]).

use base::TraceContext;
use calendar::CalendarSource;
use calendar::ids::SyncState;
use calendar::source::{ChangePage, Mailbox, SourceErrorKind};
use jiff::Timestamp;
use store::Store;
use store::lease::Fence;
use store::notifications::{NewNotification, NotificationKind};

use crate::error::SubscriberError;

#[cfg(test)]
mod tests;

/// What a catch-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Pages read.
    pub pages: u32,
    /// Changes stored as notifications.
    pub changes: usize,
    /// Did it start over, so that the window is read in full?
    pub full: bool,
}

/// Everything that a catch-up needs.
#[derive(Debug, Clone, Copy)]
pub struct CatchUp<'a, S: CalendarSource + ?Sized> {
    /// Where changes come from.
    pub source: &'a S,
    /// Where they go.
    pub store: &'a Store,
    /// The lease of the affinity group.
    pub fence: &'a Fence,
    /// Whose calendar.
    pub mailbox: &'a Mailbox,
    /// Most pages.
    pub pages_max: u32,
    /// The clock.
    pub clock: &'a dyn base::Clock,
}

impl<S: CalendarSource + ?Sized> CatchUp<'_, S> {
    /// Runs to the end. On an error what was stored so far stays, with its sync state.
    pub async fn run(&self, trace: Option<TraceContext>) -> Result<Found, SubscriberError> {
        let saved = self.store.sync_state(&self.mailbox.address).await.map_err(SubscriberError::Store)?;
        let Some(state) = saved else { return self.start_over(trace).await };
        match self.go_on(state, trace.clone()).await {
            Err(SubscriberError::Source(error)) if error.kind == SourceErrorKind::SyncStateRejected => {
                tracing::warn!(
                    event_id = calendar::codes::SYNC_STATE_REJECTED.id,
                    mailbox = %self.mailbox.address,
                    code = error.code,
                    "the sync state is not accepted, the mailbox starts over"
                );
                self.store
                    .drop_sync_state(self.fence, &self.mailbox.address)
                    .await
                    .map_err(SubscriberError::Store)?;
                self.start_over(trace).await
            }
            other => other,
        }
    }

    /// From a saved state: every page is stored with the state after it.
    async fn go_on(
        &self,
        mut state: SyncState,
        trace: Option<TraceContext>,
    ) -> Result<Found, SubscriberError> {
        let mut found = Found::default();
        loop {
            let asked_at = self.clock.now();
            let page = self.page(Some(&state), &mut found).await?;
            base::crash::point("listener.catch-up-read");
            let batch = notifications(self.mailbox, &page, self.clock.now(), trace.as_ref());
            let asked_at = (!page.more).then_some(asked_at);
            if page.state != state || !batch.is_empty() || asked_at.is_some() {
                self.save(&page.state, &batch, asked_at).await?;
                base::crash::point("listener.catch-up-saved");
            }
            found.changes += batch.len();
            self.refuse_standing_still(&page, &state)?;
            if !page.more {
                return Ok(found);
            }
            state = page.state;
        }
    }

    /// Without a state: walk to the end, then read the window.
    async fn start_over(&self, trace: Option<TraceContext>) -> Result<Found, SubscriberError> {
        let mut found = Found { full: true, ..Found::default() };
        let mut asked_at = self.clock.now();
        let mut page = self.page(None, &mut found).await?;
        while page.more {
            asked_at = self.clock.now();
            let next = self.page(Some(&page.state), &mut found).await?;
            self.refuse_standing_still(&next, &page.state)?;
            page = next;
        }
        base::crash::point("listener.start-over-walked");
        let read = NewNotification::full_read(self.mailbox.address.clone(), self.clock.now(), trace);
        self.save(&page.state, &[read], Some(asked_at)).await?;
        base::crash::point("listener.start-over-saved");
        Ok(found)
    }

    async fn page(
        &self,
        state: Option<&SyncState>,
        found: &mut Found,
    ) -> Result<ChangePage, SubscriberError> {
        if found.pages >= self.pages_max {
            return Err(SubscriberError::Endless { pages: self.pages_max });
        }
        found.pages += 1;
        self.source.catch_up(self.mailbox, state).await.map_err(SubscriberError::Source)
    }

    /// "More" with the same state would go round for ever.
    fn refuse_standing_still(&self, page: &ChangePage, before: &SyncState) -> Result<(), SubscriberError> {
        if page.more && page.state == *before {
            return Err(SubscriberError::Endless { pages: self.pages_max });
        }
        Ok(())
    }

    async fn save(
        &self,
        state: &SyncState,
        batch: &[NewNotification],
        asked_at: Option<Timestamp>,
    ) -> Result<(), SubscriberError> {
        self.store
            .append_with_sync_state(
                self.fence,
                &self.mailbox.address,
                state,
                batch,
                asked_at,
                self.clock.now(),
            )
            .await
            .map_err(SubscriberError::Store)
    }
}

/// The notifications that a page stands for.
fn notifications(
    mailbox: &Mailbox,
    page: &ChangePage,
    now: Timestamp,
    trace: Option<&TraceContext>,
) -> Vec<NewNotification> {
    if base::sabotage::is_broken(base::sabotage::Safeguard::CatchUp) {
        return Vec::new();
    }
    let of = |kind, id: &calendar::ItemId| NewNotification {
        mail: mailbox.address.clone(),
        kind,
        item_id: Some(id.clone()),
        old_item_id: None,
        exchange_timestamp: None,
        received_at: now,
        trace: trace.cloned(),
    };
    let changed = page.changed.iter().map(|id| of(NotificationKind::SyncChange, id));
    let deleted = page.deleted.iter().map(|id| of(NotificationKind::SyncDelete, id));
    changed.chain(deleted).collect()
}
