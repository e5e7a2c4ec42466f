//! The append half of the notification table (B7): hints that something changed, made durable before they
//! count as received. (Taking and finishing them is the qualifier's half, another module.)
//!
//! Protocol: one `INSERT` a batch, announced after the commit. Storing a hint twice is harmless, so an append
//! needs no fence. What a catch-up found is stored in the same transaction as the sync state that covers it,
//! guarded by the affinity group's lease: a paused former owner cannot move a sync state back.
//! Failure: an error means that nothing of the batch was stored, or that this is unknown; append it again.

use base::TraceContext;
use calendar::ids::SyncState;
use calendar::{ItemId, MailAddress};
use jiff::Timestamp;
use tokio_postgres::types::Type;

use crate::lease::{self, Fence};
use crate::notification_queue::first_read;
use crate::wake::{Channel, News};
use crate::{Store, StoreError, prepared, sync_states};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// What sort of hint a notification is; the text is what the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationKind {
    /// An item is new.
    Created,
    /// An item changed.
    Modified,
    /// An item is gone.
    Deleted,
    /// An item moved between folders and has a new identifier.
    Moved,
    /// An item was copied.
    Copied,
    /// The free/busy time of an item changed.
    FreeBusyChanged,
    /// A catch-up found this item new or changed.
    SyncChange,
    /// A catch-up found this item gone.
    SyncDelete,
    /// A catch-up cannot tell about this item, because it was learnt after the sync state: if it was deleted in
    /// the gap, the source reports an item that came and went as nothing at all.
    SyncCheck,
    /// The whole window of the mailbox is to be read.
    FullRead,
}

impl NotificationKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Modified,
        Self::Deleted,
        Self::Moved,
        Self::Copied,
        Self::FreeBusyChanged,
        Self::SyncChange,
        Self::SyncDelete,
        Self::SyncCheck,
        Self::FullRead,
    ];

    /// The text in column `event_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CreatedEvent",
            Self::Modified => "ModifiedEvent",
            Self::Deleted => "DeletedEvent",
            Self::Moved => "MovedEvent",
            Self::Copied => "CopiedEvent",
            Self::FreeBusyChanged => "FreeBusyChangedEvent",
            Self::SyncChange => "SyncChange",
            Self::SyncDelete => "SyncDelete",
            Self::SyncCheck => "SyncCheck",
            Self::FullRead => "FullRead",
        }
    }

    /// The kind that column `event_type` names; `None` for a text of another version.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A notification that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Whose calendar.
    pub mail: MailAddress,
    /// What sort of hint.
    pub kind: NotificationKind,
    /// The item; `None` only for [`NotificationKind::FullRead`].
    pub item_id: Option<ItemId>,
    /// The item's identifier before a move.
    pub old_item_id: Option<ItemId>,
    /// The source's time of it (whole seconds), where it gave one.
    pub exchange_timestamp: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The trace that it began.
    pub trace: Option<TraceContext>,
}

impl NewNotification {
    /// A hint that the whole window of `mail` is to be read.
    pub fn full_read(mail: MailAddress, received_at: Timestamp, trace: Option<TraceContext>) -> Self {
        Self {
            mail,
            kind: NotificationKind::FullRead,
            item_id: None,
            old_item_id: None,
            exchange_timestamp: None,
            received_at,
            trace,
        }
    }
}

impl Store {
    /// Stores a batch of notifications, in its order, and wakes the qualifiers. An empty batch does nothing.
    pub async fn append(&self, batch: &[NewNotification]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let operation = "store notifications";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        insert(&tx, batch).await?;
        self.commit(tx, news_of(batch), operation).await
    }

    /// Stores what a catch-up found together with the sync state that covers it, under the fence of the
    /// affinity group. The batch may be empty; the state is saved all the same.
    ///
    /// `asked_at` goes with the last page: when it was asked for. Then items that were learnt by other paths since
    /// the catch-up before are hinted at as [`NotificationKind::SyncCheck`], one of each UID, and so is what a
    /// qualifier has in hand: the changes since a sync state do not tell of an item that came and went after it. Items
    /// whose deletion is withheld or was rejected (B8), and those that share a UID with one, are left: their absence is
    /// the operator's to judge, and the next full read tells of the others under the guard.
    pub async fn append_with_sync_state(
        &self,
        fence: &Fence,
        mail: &MailAddress,
        state: &SyncState,
        batch: &[NewNotification],
        asked_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let operation = "store what a catch-up found";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        if !batch.is_empty() {
            insert(&tx, batch).await?;
        }
        let checks = if asked_at.is_some() { insert_checks(&tx, mail, now).await? } else { 0 };
        sync_states::save(&tx, mail, state, asked_at, now).await?;
        // among the checks may be a full read
        let of_checks = News::of_parts(Channel::Notification, [mail.bucket()])
            .with(News::of_parts(Channel::FullRead, [mail.bucket()]));
        self.commit(tx, news_of(batch).with(of_checks.when(checks > 0)), operation).await
    }
}

/// What a batch is news of: the buckets of hints and of full reads, whose shards alone look for them.
fn news_of(batch: &[NewNotification]) -> News {
    let of = |channel, full_reads: bool| {
        let those = batch.iter().filter(|one| (one.kind == NotificationKind::FullRead) == full_reads);
        News::of_parts(channel, those.map(|one| one.mail.bucket()))
    };
    of(Channel::Notification, false).with(of(Channel::FullRead, true))
}

/// More items than these are checked by one full read, under the mass-delete guard (B8), instead of one by one.
const CHECKS_MAX: i64 = 50;

/// Hints at what was learnt since the saved sync state was asked for; the minute covers clocks of instances that
/// differ. What a qualifier has in hand is hinted at too: it may have been read before it was deleted, and what
/// that leads to is not stored yet. Hints that nobody has taken up need no other. Answers how many there are.
///
/// A single reading is not guarded, and settles all keys of its UID (B5). So where the deletion of one of them is withheld
/// or was rejected, none of them is checked: what a full read was not allowed to infer, a check would decide.
async fn insert_checks(
    tx: &deadpool_postgres::Transaction<'_>,
    mail: &MailAddress,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let operation = "hint at items learnt since the last catch-up";
    let began =
        prepared::query_one(tx, "select exists (select from sync_state where mail = $1)", &[&mail.as_str()])
            .await
            .and_then(|row| row.try_get::<_, bool>(0))
            .map_err(StoreError::query(operation))?;
    // nothing was learnt before the first one, and what follows is planned anew each time
    if !began {
        return Ok(0);
    }
    // One statement sees one state: what is no longer in hand stands among what is known.
    // Not prepared: see notification_queue::finish.
    let statement = format!(
        "with waiting as ( \
                 select n.event_type, n.item_id, n.claim is not null as in_hand from notification n \
                 where n.mail = $1 and n.set_aside_at is null), \
             learnt as ( \
                 select distinct on (coalesce(e.uid, e.origin_id)) e.item_id \
                 from calendar_event e join sync_state s on s.mail = e.mail \
                 where e.mail = $1 and e.wanted and e.item_id is not null \
                   and e.item_known_since >= s.asked_at - interval '1 minute' \
                   and not exists ( \
                       select from withheld_key k join calendar_event h \
                            on h.mail = k.mail and h.origin_id = k.origin_id and h.version = k.version \
                       where k.mail = $1 and k.end_at > $4::timestamptz and h.wanted \
                         and coalesce(h.uid, h.origin_id) = coalesce(e.uid, e.origin_id)) \
                 order by coalesce(e.uid, e.origin_id), e.origin_id), \
             crowd as (select count(*) > $6 as crowded from learnt), \
             checks as ( \
                 select $3::text as event_type, item_id from learnt, crowd where not crowded \
                 union \
                 select $5, null from crowd where crowded \
                 union \
                 select $3, item_id from waiting where in_hand and item_id is not null \
                 union \
                 select $5, null from waiting where in_hand and event_type = $5) \
             insert into notification (mail, bucket, event_type, item_id, received_at, first_read) \
             select $1, $2::smallint, c.event_type, c.item_id, $4::timestamptz, \
                    case when c.event_type = $5 then {} else false end \
             from checks c \
             where not exists (select from waiting w where not w.in_hand and w.item_id = c.item_id) \
               and not (c.event_type = $5 and exists (select from waiting w where not w.in_hand and w.event_type = $5)) \
             order by c.event_type, c.item_id",
        first_read("$1")
    );
    let (check, full_read) = (NotificationKind::SyncCheck.as_str(), NotificationKind::FullRead.as_str());
    let bucket = i16::from(mail.bucket());
    tx.execute_typed(
        &statement,
        &[
            (&mail.as_str(), Type::TEXT),
            (&bucket, Type::INT2),
            (&check, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
            (&full_read, Type::TEXT),
            (&CHECKS_MAX, Type::INT8),
        ],
    )
    .await
    .map_err(StoreError::query(operation))
}

/// One `INSERT` for the whole batch; ids follow its order.
async fn insert(
    tx: &deadpool_postgres::Transaction<'_>,
    batch: &[NewNotification],
) -> Result<(), StoreError> {
    let operation = "store notifications";
    let statement = tx
        .prepare_cached(&format!(
            "insert into notification (mail, bucket, event_type, item_id, old_item_id, exchange_timestamp, \
             received_at, trace_context, first_read) \
             select mail, bucket, event_type, item_id, old_item_id, exchange_timestamp, received_at, trace_context, \
             case event_type when 'FullRead' then {} else false end \
             from unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], \
             $7::timestamptz[], $8::text[]) with ordinality \
             as n (mail, bucket, event_type, item_id, old_item_id, exchange_timestamp, received_at, trace_context, \
             position) order by position",
            first_read("n.mail")
        ))
        .await
        .map_err(StoreError::query(operation))?;
    let mails: Vec<&str> = batch.iter().map(|n| n.mail.as_str()).collect();
    let buckets: Vec<i16> = batch.iter().map(|n| i16::from(n.mail.bucket())).collect();
    let kinds: Vec<&str> = batch.iter().map(|n| n.kind.as_str()).collect();
    let items: Vec<Option<&str>> = batch.iter().map(|n| n.item_id.as_ref().map(ItemId::as_str)).collect();
    let old_items: Vec<Option<&str>> =
        batch.iter().map(|n| n.old_item_id.as_ref().map(ItemId::as_str)).collect();
    let exchange_times: Vec<Option<Timestamp>> = batch.iter().map(|n| n.exchange_timestamp).collect();
    let received: Vec<Timestamp> = batch.iter().map(|n| n.received_at).collect();
    let traces: Vec<Option<&str>> =
        batch.iter().map(|n| n.trace.as_ref().map(TraceContext::as_str)).collect();
    tx.execute(
        &statement,
        &[&mails, &buckets, &kinds, &items, &old_items, &exchange_times, &received, &traces],
    )
    .await
    .map_err(StoreError::query(operation))?;
    Ok(())
}
