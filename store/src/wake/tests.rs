//! Goal: what is announced is heard by whoever waits, in this process at once and in others too, never before the commit, and
//! many announcements are few statements; what breaks is made good or costs an interval.
//! Method: real databases, with a connection that listens to all that is announced.

use calendar::{ItemId, MailAddress};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::*;
use crate::notifications::{NewNotification, NotificationKind};
use crate::pool::StoreOptions;
use crate::testing::{self, TestDatabase, database};

const PATIENCE: Duration = Duration::from_secs(20);

/// Hears every announcement.
struct Line {
    _client: tokio_postgres::Client,
    heard: mpsc::Receiver<(String, String)>,
    _driver: AbortOnDropHandle<()>,
}

impl Line {
    async fn open(database: &TestDatabase) -> Self {
        let (client, mut connection) = database.store.direct("test").await.unwrap();
        let (sender, heard) = mpsc::channel(10_000);
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                let AsyncMessage::Notification(heard) = message else { continue };
                if sender.send((heard.channel().to_owned(), heard.payload().to_owned())).await.is_err() {
                    break;
                }
            }
        }));
        for channel in Channel::ALL {
            client.batch_execute(&format!("listen {}", channel.name())).await.unwrap();
        }
        Self { _client: client, heard, _driver: driver }
    }

    /// The next announcement: its channel and who announced.
    async fn next(&mut self) -> (String, String) {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        next.expect("nothing is announced any more").expect("it listens")
    }

    /// The channels of what is heard until one is `last`.
    async fn until(&mut self, last: Channel) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        while heard.last().is_none_or(|channel| channel != last.name()) {
            heard.push(self.next().await.0);
        }
        heard
    }
}

/// The same database as seen by another process.
fn other(database: &TestDatabase, name: &str) -> Store {
    let options = testing::options(database.url.clone());
    Store::open(StoreOptions { application_name: name.to_owned(), ..options }).unwrap()
}

/// A listening end that listens by now.
async fn listening(store: &Store, channel: Channel) -> (Wake, watch::Receiver<u64>) {
    let wake = testing::listening(store).await;
    let news = wake.subscribe(channel);
    (wake, news)
}

async fn changed(news: &mut watch::Receiver<u64>) {
    tokio::time::timeout(PATIENCE, news.changed()).await.expect("woken").unwrap();
}

fn hint() -> NewNotification {
    NewNotification {
        mail: MailAddress::parse("m0001@sim.test").unwrap(),
        kind: NotificationKind::Created,
        item_id: Some(ItemId::new("a")),
        old_item_id: None,
        exchange_timestamp: None,
        received_at: Timestamp::from_second(1_900_000_000).unwrap(),
        trace: None,
    }
}

/// Waits until a connection waits for a lock.
async fn until_locked_out(database: &TestDatabase) {
    let observer = database.store.client("test").await.unwrap();
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let waits = async {
        while observer.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("nobody waits for the lock");
}

#[test]
fn news_are_of_the_channels_that_were_named() {
    let channels = |news: News| news.channels().map(|(channel, _)| channel).collect::<Vec<_>>();
    assert_eq!(channels(News::NONE), []);
    for channel in Channel::ALL {
        assert_eq!(channels(News::of(channel)), [channel]);
        assert_eq!(channels(News::of(channel).when(false)), []);
    }
    let both = News::of(Channel::Group).with(News::of(Channel::Notification));
    assert_eq!(channels(both), [Channel::Notification, Channel::Group]);
}

#[test]
fn news_of_parts_are_told_and_read_as_they_are() {
    let some = News::of_parts(Channel::Notification, [0, 5, 63, 64]);
    let parts = 1 | 1 << 5 | 1 << 63;
    assert_eq!(some.channels().collect::<Vec<_>>(), [(Channel::Notification, parts)], "64 is none");
    let more = some.with(News::of_parts(Channel::Notification, [1])).with(News::of(Channel::FullRead));
    let expected = [(Channel::Notification, parts | 2), (Channel::FullRead, ALL_PARTS)];
    assert_eq!(more.channels().collect::<Vec<_>>(), expected);
    assert_eq!(News::of_parts(Channel::Notification, []), News::NONE);
    for parts in [1, parts, ALL_PARTS] {
        assert_eq!(announcer::read_payload(&announcer::payload("name", parts)), ("name", parts));
    }
    // of a version that knew no parts, and what nobody announces
    for (payload, by) in [("name", "name"), ("", ""), ("name:", "name"), ("name:x", "name")] {
        assert_eq!(announcer::read_payload(payload), (by, ALL_PARTS));
    }
}

/// Is there nothing new for it by now?
async fn is_pending(news: &mut PartNews) -> bool {
    let mut changed = std::pin::pin!(news.changed());
    poll_fn(|cx| std::task::Poll::Ready(changed.as_mut().poll(cx).is_pending())).await
}

/// Regression: each hint woke all shards of all instances, and each of them asked the database in vain (10,000 mailboxes and
/// 50 changes a second: two thirds of the server's processor time).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_parts_is_woken_by_news_of_these_alone() {
    let database = database().await;
    let elsewhere = other(&database, "elsewhere");
    let (own, mut anything) = listening(&database.store, Channel::Notification).await;
    let (theirs, mut there) = listening(&elsewhere, Channel::Notification).await;
    let bucket = hint().mail.bucket();
    let parts = |wake: &Wake, parts: &[u8]| wake.subscribe_parts(Channel::Notification, parts.to_vec());
    let others: Vec<u8> = (0..64).filter(|part| *part != bucket).collect();
    let mut waiting = [
        (parts(&own, &[bucket]), parts(&own, &others)),
        (parts(&theirs, &[bucket]), parts(&theirs, &others)),
    ];
    database.store.append(&[hint()]).await.unwrap();
    changed(&mut anything).await;
    changed(&mut there).await;
    for (concerned, unconcerned) in &mut waiting {
        assert!(tokio::time::timeout(PATIENCE, concerned.changed()).await.expect("woken"));
        // it has heard by now, and finds nothing of its own
        assert!(is_pending(unconcerned).await, "woken by news of others");
    }
    // who does not say which parts means all of them
    elsewhere.announce(News::of(Channel::Notification));
    for (_, unconcerned) in &mut waiting {
        assert!(tokio::time::timeout(PATIENCE, unconcerned.changed()).await.expect("woken"));
    }
    // and news are not lost between two looks
    let (concerned, _) = &mut waiting[0];
    assert!(tokio::time::timeout(PATIENCE, concerned.changed()).await.expect("woken"), "all of them");
    database.store.append(&[hint()]).await.unwrap();
    database.store.append(&[hint()]).await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, concerned.changed()).await.expect("woken"));
    assert!(is_pending(concerned).await, "once for both");
    elsewhere.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_announced_before_the_commit_and_then_everybody_hears_it() {
    let database = database().await;
    let elsewhere = other(&database, "elsewhere");
    let (_own, mut here) = listening(&database.store, Channel::Notification).await;
    let (_theirs, mut there) = listening(&elsewhere, Channel::Notification).await;
    let mut client = database.store.client("test").await.unwrap();
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table notification in share mode").await.unwrap();
    let store = database.store.clone();
    let append = tokio::spawn(async move { store.append(&[hint()]).await });
    until_locked_out(&database).await;
    assert!(!here.has_changed().unwrap() && !there.has_changed().unwrap(), "before the commit");
    lock.commit().await.unwrap();
    changed(&mut here).await;
    changed(&mut there).await;
    append.await.unwrap().unwrap();
    elsewhere.close();
}

/// Regression: the announcement was part of the commit, so that the commits of the pipeline waited for one lock of the server,
/// one after the other until each was on the disk. What a transaction announces itself bears no name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_for_each_change_is_announced_by_a_transaction_of_its_own() {
    let database = database().await;
    let mut line = Line::open(&database).await;
    database.store.append(&[hint()]).await.unwrap();
    let (by, bucket) = (database.store.announcer().name(), hint().mail.bucket());
    let payload = format!("{by}:{:x}", 1_u64 << bucket);
    assert_eq!(line.next().await, (Channel::Notification.name().to_owned(), payload));
    let mut client = database.store.client("test").await.unwrap();
    let tx = client.transaction().await.unwrap();
    notify(&tx, Channel::Resource).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(line.next().await, (Channel::Resource.name().to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_process_announced_does_not_wake_it_once_more() {
    let database = database().await;
    let elsewhere = other(&database, "elsewhere");
    let (wake, here) = listening(&database.store, Channel::Decision).await;
    let (_theirs, mut there) = listening(&elsewhere, Channel::Decision).await;
    let before = *here.borrow();
    database.store.announce(News::of(Channel::Decision));
    assert_eq!(*here.borrow(), before + 1, "at once");
    changed(&mut there).await;
    // what is announced after it is heard after it
    let mut account = wake.subscribe(Channel::Account);
    elsewhere.announce(News::of(Channel::Account));
    changed(&mut account).await;
    assert_eq!(*here.borrow(), before + 1);
    elsewhere.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_announcements_become_few_statements() {
    let database = database().await;
    let mut line = Line::open(&database).await;
    for _ in 0..1_000 {
        database.store.announce(News::of(Channel::Decision));
    }
    database.store.announce(News::of(Channel::Account));
    let heard = line.until(Channel::Account).await;
    let decisions = heard.iter().filter(|channel| *channel == Channel::Decision.name()).count();
    assert!((1..=250).contains(&decisions), "{decisions} of 1,000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_cut_is_renewed_and_announces_again() {
    let database = database().await;
    let announcing = other(&database, "announces");
    let mut line = Line::open(&database).await;
    announcing.announce(News::of(Channel::Decision));
    line.until(Channel::Decision).await;
    let client = database.store.client("test").await.unwrap();
    let cut =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'announces'";
    assert!(client.query_one(cut, &[]).await.unwrap().get::<_, i64>(0) > 0);
    announcing.announce(News::of(Channel::Account));
    line.until(Channel::Account).await;
    announcing.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_marked_at_the_end_is_still_announced() {
    let database = database().await;
    let ending = other(&database, "ends");
    let mut line = Line::open(&database).await;
    ending.announce(News::of(Channel::Decision));
    ending.announce(News::of(Channel::Account));
    ending.close();
    let heard = line.until(Channel::Account).await;
    assert!(heard.iter().any(|channel| channel == Channel::Decision.name()), "{heard:?}");
    // and afterwards nothing is left running
    let announcer = Arc::downgrade(ending.announcer());
    drop(ending);
    let gone = async {
        while announcer.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the announcer ends with its store");
}

/// Goal: who waits until the connection stands is not woken by that it stands, but by what others announce, and each time that
/// it is made anew. Method: another store announces; the connection is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_it_listens_is_news_alone() {
    let database = database().await;
    for _ in 0..5 {
        let (wake, mut news) = listening(&database.store, Channel::Account).await;
        assert!(!news.has_changed().unwrap(), "nothing was announced");
        let others = other(&database, "another");
        let mut client = others.client("test").await.unwrap();
        let transaction = client.transaction().await.unwrap();
        notify(&transaction, Channel::Account).await.unwrap();
        transaction.commit().await.unwrap();
        changed(&mut news).await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and query like 'listen %'";
        client.execute(cut, &[]).await.unwrap();
        // everybody is woken, and only then it listens again
        changed(&mut news).await;
        tokio::time::timeout(PATIENCE, wake.listens()).await.expect("a new connection stands");
        assert!(!news.has_changed().unwrap(), "woken once for the new connection");
    }
}

/// Without a database nothing waits and nothing fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_that_cannot_be_sent_is_tried_once_more_and_forgotten() {
    let nowhere = std::env::temp_dir().join(format!("kommuneklient-nowhere-{}", uuid::Uuid::new_v4()));
    let url = format!("host='{}' user=nobody dbname=nothing", nowhere.display());
    let store = Store::open(testing::options(url.into())).unwrap();
    let wake = Wake::start(store.clone());
    let news = wake.subscribe(Channel::Decision);
    store.announce(News::of(Channel::Decision));
    assert!(news.has_changed().unwrap(), "whoever waits here is woken all the same");
    drop((wake, news));
    let announcer = Arc::downgrade(store.announcer());
    drop(store);
    let gone = async {
        while announcer.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it gives up");
}
