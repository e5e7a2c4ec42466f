//! Goal: a sync state never gets ahead of what it covers, a first catch-up asks for a full read only, and no
//! server can keep it busy without end. Method: a scripted source on real PostgreSQL.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use base::SystemClock;
use calendar::ids::SubscriptionId;
use calendar::source::{Affinity, CalendarFolder, HintStream, Location, Reading, Subscribed, WindowReading};
use calendar::{ItemId, MailAddress, Slot, SourceError};
use store::lease::LeaseBook;
use store::testing::{TestDatabase, database};

use super::*;

/// Gives its pages in order and remembers from which states they were asked.
#[derive(Debug, Default)]
struct Pages {
    pages: Mutex<VecDeque<Result<ChangePage, SourceError>>>,
    asked: Mutex<Vec<Option<String>>>,
}

fn not_asked() -> SourceError {
    SourceError {
        operation: "test",
        kind: SourceErrorKind::OwnBug,
        code: "not scripted".into(),
        text: String::new(),
        after: None,
    }
}

#[async_trait]
impl CalendarSource for Pages {
    async fn catch_up(&self, _: &Mailbox, state: Option<&SyncState>) -> Result<ChangePage, SourceError> {
        self.asked.lock().unwrap().push(state.map(|state| state.as_str().to_owned()));
        self.pages.lock().unwrap().pop_front().unwrap_or_else(|| Err(not_asked()))
    }
    async fn locate(&self, _: &[MailAddress]) -> Vec<Result<Location, SourceError>> {
        Vec::new()
    }
    async fn check(&self, _: &Mailbox) -> Result<CalendarFolder, SourceError> {
        Err(not_asked())
    }
    async fn subscribe(&self, _: &Mailbox, _: &Affinity) -> Result<Subscribed, SourceError> {
        Err(not_asked())
    }
    async fn unsubscribe(&self, _: &Mailbox, _: &Affinity, _: &SubscriptionId) -> Result<(), SourceError> {
        Err(not_asked())
    }
    async fn listen(&self, _: &Affinity, _: &[SubscriptionId]) -> Result<HintStream, SourceError> {
        Err(not_asked())
    }
    async fn read_items(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Reading>, SourceError> {
        Err(not_asked())
    }
    async fn masters_of(&self, _: &Mailbox, _: &[ItemId]) -> Result<Vec<Option<ItemId>>, SourceError> {
        Err(not_asked())
    }
    async fn read_window(&self, _: &Mailbox, _: Slot) -> Result<WindowReading, SourceError> {
        Err(not_asked())
    }
}

fn page(state: &str, changed: &[&str], deleted: &[&str], more: bool) -> Result<ChangePage, SourceError> {
    let ids = |texts: &[&str]| texts.iter().map(|text| ItemId::new(*text)).collect();
    Ok(ChangePage { changed: ids(changed), deleted: ids(deleted), state: SyncState::new(state), more })
}

fn error(kind: SourceErrorKind) -> Result<ChangePage, SourceError> {
    Err(SourceError { kind, ..not_asked() })
}

struct World {
    database: TestDatabase,
    fence: Fence,
    mailbox: Mailbox,
}

impl World {
    async fn new() -> Self {
        let database = database().await;
        let clock = SystemClock::shared();
        let book = LeaseBook::new(database.store.clone(), clock, "test".into(), Duration::from_secs(60));
        let fence = book.acquire("affinity-group/1", Duration::ZERO).await.unwrap().fence();
        let address = MailAddress::parse("m1@sim.test").unwrap();
        Self { database, fence, mailbox: Mailbox { address, endpoint: String::new(), account: None } }
    }

    async fn run(
        &self,
        pages: Vec<Result<ChangePage, SourceError>>,
    ) -> (Result<Found, SubscriberError>, Vec<Option<String>>) {
        let source = Pages { pages: Mutex::new(pages.into()), ..Pages::default() };
        let catch_up = CatchUp {
            source: &source,
            store: &self.database.store,
            fence: &self.fence,
            mailbox: &self.mailbox,
            pages_max: 10,
            clock: &SystemClock,
        };
        let found = catch_up.run(None).await;
        (found, source.asked.into_inner().unwrap())
    }

    async fn saved(&self) -> Option<String> {
        let state = self.database.store.sync_state(&self.mailbox.address).await.unwrap();
        state.map(|state| state.as_str().to_owned())
    }

    async fn stored(&self) -> Vec<String> {
        let client = self.database.store.client("test").await.unwrap();
        let rows = client
            .query("select event_type || coalesce(' ' || item_id, '') from notification order by id", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_time_it_walks_to_the_end_and_asks_for_one_full_read() {
    let world = World::new().await;
    let (found, asked) =
        world.run(vec![page("a", &["i1", "i2"], &[], true), page("b", &["i3"], &[], false)]).await;
    assert_eq!(found.unwrap(), Found { pages: 2, changes: 0, full: true });
    assert_eq!(asked, [None, Some("a".into())]);
    assert_eq!(world.stored().await, ["FullRead"]);
    assert_eq!(world.saved().await.as_deref(), Some("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_that_breaks_off_saves_nothing_and_begins_anew() {
    let world = World::new().await;
    let (found, _) =
        world.run(vec![page("a", &["i1"], &[], true), error(SourceErrorKind::Unavailable)]).await;
    assert!(matches!(found, Err(SubscriberError::Source(_))));
    assert_eq!((world.saved().await, world.stored().await.len()), (None, 0));
    let (_, asked) = world.run(vec![page("b", &[], &[], false)]).await;
    assert_eq!(asked, [None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_each_page_is_stored_with_the_state_after_it() {
    let world = World::new().await;
    world.run(vec![page("a", &[], &[], false)]).await.0.unwrap();
    // the second page fails: the first one stays, and so does its state
    let (found, asked) =
        world.run(vec![page("b", &["i1"], &["i2"], true), error(SourceErrorKind::Unavailable)]).await;
    assert!(found.is_err());
    assert_eq!(asked, [Some("a".into()), Some("b".into())]);
    assert_eq!(world.saved().await.as_deref(), Some("b"));
    let (found, asked) = world.run(vec![page("c", &["i3"], &[], false)]).await;
    assert_eq!(found.unwrap(), Found { pages: 1, changes: 1, full: false });
    assert_eq!(asked, [Some("b".into())]);
    assert_eq!(world.stored().await, ["FullRead", "SyncChange i1", "SyncDelete i2", "SyncChange i3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_not_accepted_is_dropped_and_the_mailbox_read_in_full() {
    let world = World::new().await;
    world.run(vec![page("a", &[], &[], false)]).await.0.unwrap();
    let (found, asked) =
        world.run(vec![error(SourceErrorKind::SyncStateRejected), page("z", &["i1"], &[], false)]).await;
    assert!(found.unwrap().full);
    assert_eq!(asked, [Some("a".into()), None]);
    assert_eq!(world.stored().await, ["FullRead", "FullRead"]);
    // a server that accepts none is an error, not a loop
    let (found, asked) = world
        .run(vec![error(SourceErrorKind::SyncStateRejected), error(SourceErrorKind::SyncStateRejected)])
        .await;
    assert!(matches!(found, Err(SubscriberError::Source(_))));
    assert_eq!(asked.len(), 2);
    assert_eq!(world.saved().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_without_end_are_given_up() {
    let world = World::new().await;
    world.run(vec![page("a", &[], &[], false)]).await.0.unwrap();
    let (found, asked) = world.run(vec![page("a", &["i1"], &[], true), page("a", &["i1"], &[], true)]).await;
    assert!(matches!(found, Err(SubscriberError::Endless { .. })));
    assert_eq!(asked.len(), 1, "more, from the same state, would go round for ever");
    let endless = (0..20).map(|n| page(&format!("s{n}"), &[], &[], true)).collect();
    let (found, asked) = world.run(endless).await;
    assert!(matches!(found, Err(SubscriberError::Endless { pages: 10 })));
    assert_eq!(asked.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_lease_nothing_is_stored() {
    let mut world = World::new().await;
    world.run(vec![page("a", &[], &[], false)]).await.0.unwrap();
    world.fence.token -= 1;
    let (found, _) = world.run(vec![page("b", &["i1"], &[], false)]).await;
    assert!(matches!(found, Err(SubscriberError::Store(store::StoreError::LeaseLost { .. }))), "{found:?}");
    assert_eq!(world.saved().await.as_deref(), Some("a"));
    assert_eq!(world.stored().await, ["FullRead"]);
}

/// Regression: an item that the stream told of was deleted in a gap before any catch-up had seen it. The source
/// reports an item that came and went since the sync state as nothing, and the deletion was never noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_learnt_since_the_last_catch_up_are_checked() {
    let world = World::new().await;
    world.run(vec![page("a", &[], &[], false)]).await.0.unwrap();
    let client = world.database.store.client("test").await.unwrap();
    let learn = "insert into calendar_event (mail, origin_id, uid, item_id, item_known_since, version, wanted, start_at, end_at)
                 values ('m1@sim.test', $1, $2, $3, now() + $4::float8 * interval '1 s', 1, true, now(), now() + interval '1 h')";
    let old = -3_600.0_f64;
    for (origin, uid, item, since) in [
        ("U", "U", "single", 0.0),
        ("S$1", "S", "o1", 0.0),
        ("S$2", "S", "o2", 0.0),
        ("V", "V", "known", old),
    ] {
        client.execute(learn, &[&origin, &uid, &item, &since]).await.unwrap();
    }
    // not yet: this is not the last page
    let (found, _) = world.run(vec![page("b", &[], &[], true), error(SourceErrorKind::Unavailable)]).await;
    assert!(found.is_err());
    assert_eq!(world.stored().await, ["FullRead"]);
    world.run(vec![page("c", &[], &[], false)]).await.0.unwrap();
    assert_eq!(world.stored().await, ["FullRead", "SyncCheck o1", "SyncCheck single"]);
}
