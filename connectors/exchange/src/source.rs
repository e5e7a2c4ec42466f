//! The port, call by call.

use async_trait::async_trait;
use base::{SharedClock, Turns};
use calendar::ids::{FolderId, SubscriptionId, SyncState};
use calendar::source::{
    Affinity, CalendarFolder, ChangePage, HintStream, Location, Mailbox, Reading, SourceErrorKind,
    Subscribed, WindowReading,
};
use calendar::{CalendarSource, ItemId, MailAddress, Slot, SourceError, codes};
use proto_ews::operation::SyncChange;
use proto_ews::{Problem, Response, ResponseMessage};

use crate::accounts::Account;
use crate::classify::{self, own};
use crate::folders::Folders;
use crate::throttle::{BackOff, Refusal};
use crate::transport::{Route, Transport};
use crate::{ExchangeError, ExchangeOptions, hints, locate, reading, request, window};

/// Exchange through its service accounts.
#[derive(Debug)]
pub struct Exchange {
    pub(crate) transport: std::sync::Arc<Transport>,
    pub(crate) folders: Folders,
    locator: locate::Locator,
}

impl Exchange {
    /// Prepares clients and account; nothing is sent yet.
    pub fn new(options: ExchangeOptions, clock: SharedClock) -> Result<Self, ExchangeError> {
        let locator = locate::Locator::new(options.autodiscover_memory, clock.clone());
        let transport = std::sync::Arc::new(Transport::new(options, clock)?);
        Ok(Self { transport, folders: Folders::default(), locator })
    }

    /// From now on there are these service accounts and no others. Those that stay as they are keep their
    /// connections and back-offs.
    ///
    /// # Errors
    /// A name or password that cannot be sent; nothing has changed then.
    pub fn set_accounts(&self, accounts: &[Account]) -> Result<(), ExchangeError> {
        self.transport.set_accounts(accounts)
    }

    /// The accounts whose calls wait now.
    pub fn back_offs(&self) -> Vec<BackOff> {
        self.transport.back_offs()
    }

    /// Lets the calls of an account wait, because another user of it was told so. Never shortens a wait.
    pub fn hold(&self, back_off: &BackOff) {
        self.transport.hold(back_off);
    }

    /// The services that refuse an account's name or password, and where its calls therefore wait.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.transport.refusals()
    }

    /// Lets the calls of an account to a service wait that refused it for another user of it. Never shortens a wait.
    pub fn hold_at(&self, refusal: &Refusal) {
        self.transport.hold_at(refusal);
    }

    /// Changes whenever an answer to this process lets an account wait, or wait longer.
    pub fn back_offs_moved(&self) -> tokio::sync::watch::Receiver<u64> {
        self.transport.back_offs_moved()
    }

    /// The calendar folder in requests about `mailbox`.
    pub(crate) fn calendar(&self, mailbox: &Mailbox) -> proto_ews::FolderRef {
        request::calendar_of(mailbox, self.transport.options.use_impersonation)
    }
}

/// An ordinary call about a mailbox.
pub(crate) const fn ordinary(mailbox: &Mailbox) -> Route<'_> {
    Route {
        endpoint: mailbox.endpoint.as_str(),
        mailbox: &mailbox.address,
        account: mailbox.account,
        affinity: None,
        turns: None,
    }
}

/// A call about a subscription of a mailbox: by the account of its group, within the group's affinity.
const fn within<'a>(mailbox: &'a Mailbox, affinity: &'a Affinity) -> Route<'a> {
    Route {
        endpoint: affinity.endpoint.as_str(),
        mailbox: &mailbox.address,
        account: mailbox.account,
        affinity: Some(affinity),
        turns: None,
    }
}

/// The only message of an answer to one question.
pub(crate) fn only<T>(operation: &'static str, messages: Vec<ResponseMessage<T>>) -> Result<T, SourceError> {
    let mut messages = messages.into_iter();
    match (messages.next(), messages.next()) {
        (Some(message), None) => {
            message.into_result().map_err(|problem: Problem| classify::of_problem(operation, &problem))
        }
        _ => Err(own(operation, SourceErrorKind::BadAnswer, "wrong count", "not one message in the answer")),
    }
}

/// The answer was checked to be to the same operation; what else it may be is a defect of ours.
pub(crate) fn unexpected(operation: &'static str) -> SourceError {
    own(operation, SourceErrorKind::OwnBug, "other operation", "the answer is to another question")
}

#[async_trait]
impl CalendarSource for Exchange {
    async fn locate(&self, mailboxes: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        self.locator.locate(&self.transport, mailboxes).await
    }

    async fn check(&self, mailbox: &Mailbox) -> Result<CalendarFolder, SourceError> {
        const OPERATION: &str = "GetFolder";
        let asked = request::check(self.calendar(mailbox));
        let answer = self.transport.call(ordinary(mailbox), asked).await?;
        let Response::GetFolder(messages) = answer.response else { return Err(unexpected(OPERATION)) };
        let folder = only(OPERATION, messages)?.into_iter().next();
        let bad = |text| own(OPERATION, SourceErrorKind::BadAnswer, "incomplete", text);
        let folder = folder.ok_or_else(|| bad("no folder in the answer"))?;
        if folder
            .effective_rights
            .is_some_and(|rights| rights.read && rights.view_private_items == Some(false))
            && self.folders.first_without_private(&mailbox.address)
        {
            tracing::warn!(
                event_id = codes::PRIVATE_ITEMS_HIDDEN.id,
                mailbox = %mailbox.address,
                "the service account may not see private appointments"
            );
        }
        if folder.effective_rights.is_some_and(|rights| !rights.read) {
            let text = "the service account may not read the calendar";
            return Err(own(OPERATION, SourceErrorKind::Mailbox, "no right to read", text));
        }
        let id = folder.folder_id.ok_or_else(|| bad("a folder without identifier"))?;
        let folder = CalendarFolder { id: FolderId::new(id.id) };
        self.folders.know(&mailbox.address, folder.id.clone());
        Ok(folder)
    }

    async fn subscribe(&self, mailbox: &Mailbox, affinity: &Affinity) -> Result<Subscribed, SourceError> {
        const OPERATION: &str = "Subscribe";
        let route = within(mailbox, affinity);
        let answer = self.transport.call(route, request::subscribe(self.calendar(mailbox))).await?;
        let Response::Subscribe(messages) = answer.response else { return Err(unexpected(OPERATION)) };
        let id = only(OPERATION, messages)?;
        Ok(Subscribed { id: SubscriptionId::new(id.as_str()), cookie: answer.cookie })
    }

    async fn unsubscribe(
        &self,
        mailbox: &Mailbox,
        affinity: &Affinity,
        id: &SubscriptionId,
    ) -> Result<(), SourceError> {
        const OPERATION: &str = "Unsubscribe";
        let route = within(mailbox, affinity);
        match self.transport.call(route, request::unsubscribe(id)).await?.response {
            Response::Unsubscribe(messages) => only(OPERATION, messages),
            _ => Err(unexpected(OPERATION)),
        }
    }

    async fn listen(&self, affinity: &Affinity, ids: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        hints::listen(&self.transport, affinity, ids).await
    }

    async fn catch_up(
        &self,
        mailbox: &Mailbox,
        state: Option<&SyncState>,
    ) -> Result<ChangePage, SourceError> {
        const OPERATION: &str = "SyncFolderItems";
        let asked = request::changes(self.calendar(mailbox), state);
        let answer = self.transport.call(ordinary(mailbox), asked).await?;
        let Response::SyncFolderItems(messages) = answer.response else {
            return Err(unexpected(OPERATION));
        };
        // an error message may carry a sync state; `only` does not look at it (field note 24)
        let page = only(OPERATION, messages)?;
        let mut changed = Vec::new();
        let mut deleted = Vec::new();
        for change in page.changes {
            match change {
                SyncChange::Create(item) | SyncChange::Update(item) => {
                    changed.extend(item.item_id().map(|id| ItemId::new(id.id.clone())));
                }
                SyncChange::Delete(id) => deleted.push(ItemId::new(id.id)),
                SyncChange::ReadFlagChange { .. } => {}
            }
        }
        let state = SyncState::new(page.sync_state);
        Ok(ChangePage { changed, deleted, state, more: !page.includes_last_item_in_range })
    }

    async fn read_items(&self, mailbox: &Mailbox, items: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        reading::read_items(self, mailbox, items).await
    }

    async fn masters_of(
        &self,
        mailbox: &Mailbox,
        occurrences: &[ItemId],
    ) -> Result<Vec<Option<ItemId>>, SourceError> {
        reading::masters_of(self, mailbox, occurrences).await
    }

    async fn read_window(&self, mailbox: &Mailbox, window: Slot) -> Result<WindowReading, SourceError> {
        window::read_window(self, mailbox, window, None).await
    }

    async fn read_window_by_turns(
        &self,
        mailbox: &Mailbox,
        window: Slot,
        turns: &Turns,
    ) -> Result<WindowReading, SourceError> {
        window::read_window(self, mailbox, window, Some(turns)).await
    }
}
