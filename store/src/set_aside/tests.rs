//! Goal: the list shows exactly what is not sent any more, with its reason; a retry makes set-aside keys
//! pending again as if they had just been decided, and nothing else. Method: a real database; keys brought
//! there by the answers that set them aside.

use std::time::Duration;

use base::{Clock as _, SystemClock};
use calendar::{MailAddress, OriginId};

use super::*;
use crate::calls::{CallBook, CallEnd, CallLimits, Class, Permit};
use crate::outbox::testing::{decide, fence, key_row, number, resource, slot, sql};
use crate::outbox::{Answer, Batch, KeyAnswer, Outcome, PageSize};
use crate::testing::{self, TestDatabase, database};

const ALL: SetAsideFilter = SetAsideFilter { scope: Scope::All, refused: true };
const PAGE: SetAsidePage = SetAsidePage { after: None, limit: 100 };

fn one(mail: &str) -> Scope {
    Scope::One(MailAddress::parse(mail).unwrap())
}

/// Decides a key and lets its call be answered with this.
async fn settle(database: &TestDatabase, mail: &str, origin_id: &str, outcome: Outcome, code: i32) {
    let store = &database.store;
    decide(store, mail, origin_id, Some(slot(1))).await;
    let fence = fence(store, "communicator").await;
    let limits = CallLimits { simultaneous_calls: 9, calls_per_minute: None, events_per_minute: None };
    let book = CallBook::new(store.clone(), limits);
    let size = PageSize { mailboxes: 10, keys_per_mailbox: 10 };
    let mut keys = store.pending_keys(Class::Live, "", size).await.unwrap().keys;
    keys.retain(|key| key.mail.as_str() == mail && key.origin_id.as_str() == origin_id);
    let batch = Batch { mail: keys[0].mail.clone(), operation: keys[0].operation, class: Class::Live, keys };
    let reserved = book.reserve(&fence, &batch, Duration::from_secs(30)).await.unwrap();
    let Permit::Granted(Some(call)) = reserved else { panic!("{reserved:?}") };
    let answer = Answer {
        call_id: call.call_id,
        mail: call.mail.clone(),
        end: CallEnd { success: true, ..CallEnd::default() },
        keys: vec![KeyAnswer {
            origin_id: OriginId::new(origin_id),
            outcome,
            receipt_code: Some(code),
            text: None,
            calendar_event_identifier: None,
            planner_resource_identifier: None,
        }],
        adopt_after: None,
    };
    assert_eq!(book.answer(&fence, &answer, false).await.unwrap(), 1);
}

/// Two mailboxes; in each a key that was set aside, one that was refused and one that is well.
async fn scene() -> TestDatabase {
    let database = database().await;
    for mail in ["a@x", "b@x"] {
        resource(&database.store, mail).await;
        let aside = Outcome::SetAside { reason: "for a test", there: Some(true) };
        settle(&database, mail, "aside", aside, 8).await;
        settle(&database, mail, "refused", Outcome::Refused { code: -7 }, -7).await;
        settle(&database, mail, "well", Outcome::Acknowledged, 0).await;
    }
    sql(
        &database.store,
        "update calendar_event set attempts = 50, unanswered = 3, converted_to_update_version = version, \
         next_attempt_at = now() + interval '1 h' where origin_id = 'aside'",
    )
    .await;
    database
}

#[tokio::test]
async fn the_list_shows_reason_code_and_time_page_by_page() {
    let database = scene().await;
    let store = &database.store;
    let list = store.set_aside_keys(&ALL, &PAGE).await.unwrap();
    let shown: Vec<_> =
        list.keys.iter().map(|key| (key.mail.as_str(), key.origin_id.as_str(), key.receipt_code)).collect();
    assert_eq!(
        shown,
        [
            ("a@x", "aside", Some(8)),
            ("a@x", "refused", Some(-7)),
            ("b@x", "aside", Some(8)),
            ("b@x", "refused", Some(-7))
        ]
    );
    assert_eq!(list.next, None);
    assert_eq!(list.keys[0].reason, StopReason::SetAside("for a test".into()));
    assert_eq!((list.keys[0].operation, list.keys[0].attempts), (Operation::Update, 50));
    assert_eq!(list.keys[1].reason, StopReason::Refused(-7));
    assert_eq!((list.keys[1].operation, list.keys[1].slot), (Operation::Create, slot(1)));
    let minute = jiff::SignedDuration::from_mins(1);
    assert!(list.keys.iter().all(|key| SystemClock.now().duration_since(key.since).abs() < minute));
    // by mailbox, without the refused ones, and page by page
    let filter = SetAsideFilter { scope: one("b@x"), refused: false };
    let list = store.set_aside_keys(&filter, &PAGE).await.unwrap();
    assert_eq!(list.keys.len(), 1);
    let mut page = SetAsidePage { limit: 3, ..PAGE };
    let first = store.set_aside_keys(&ALL, &page).await.unwrap();
    page.after = first.next;
    let second = store.set_aside_keys(&ALL, &page).await.unwrap();
    assert_eq!((first.keys.len(), second.keys.len(), second.next), (3, 1, None));
    // and counted
    let both = StoppedCount { set_aside: 2, refused: 2 };
    assert_eq!(store.stopped(&Scope::All).await.unwrap(), both);
    let of_one = StoppedCount { set_aside: 1, refused: 1 };
    assert_eq!(store.stopped(&one("b@x")).await.unwrap(), of_one);
    assert_eq!(store.stopped(&one("c@x")).await.unwrap(), StoppedCount::default());
    // a new decision takes the key off the list
    decide(store, "a@x", "aside", Some(slot(2))).await;
    decide(store, "a@x", "refused", None).await;
    assert_eq!(store.set_aside_keys(&ALL, &PAGE).await.unwrap().keys.len(), 2);
}

#[tokio::test]
async fn a_retry_is_a_new_beginning_for_what_was_set_aside_and_for_nothing_else() {
    let database = scene().await;
    let store = &database.store;
    assert_eq!(store.retry_set_aside(&one("nobody@x")).await.unwrap(), 0);
    assert_eq!(store.retry_set_aside(&one("a@x")).await.unwrap(), 1);
    let row = key_row(store, "a@x", "aside").await.unwrap();
    assert!(row.pending && !row.waits && row.set_aside.is_none());
    assert_eq!((row.attempts, row.unanswered), (0, 0));
    assert!(!key_row(store, "b@x", "aside").await.unwrap().pending, "another mailbox");
    for mail in ["a@x", "b@x"] {
        assert!(!key_row(store, mail, "refused").await.unwrap().pending, "only a decision changes that");
        assert!(!key_row(store, mail, "well").await.unwrap().pending);
    }
    let size = PageSize { mailboxes: 10, keys_per_mailbox: 10 };
    let live = store.pending_keys(Class::Live, "", size).await.unwrap().keys;
    assert_eq!(live.iter().map(|key| key.converted).collect::<Vec<_>>(), [false], "conversions begin anew");
    // one key
    let b = MailAddress::parse("b@x").unwrap();
    assert!(!store.retry_set_aside_key(&b, &OriginId::new("refused")).await.unwrap());
    assert!(store.retry_set_aside_key(&b, &OriginId::new("aside")).await.unwrap());
    assert!(!store.retry_set_aside_key(&b, &OriginId::new("aside")).await.unwrap(), "it is not any more");
    assert_eq!(store.set_aside_keys(&ALL, &PAGE).await.unwrap().keys.len(), 2, "the refused ones");
}

#[tokio::test]
async fn a_retry_of_all_goes_behind_the_changes_of_the_day_and_wakes_the_sender() {
    let database = scene().await;
    let store = &database.store;
    let wake = testing::listening(store).await;
    let mut news = wake.subscribe(Channel::Decision);
    assert_eq!(store.retry_set_aside(&Scope::All).await.unwrap(), 2);
    tokio::time::timeout(Duration::from_secs(10), news.changed()).await.unwrap().unwrap();
    assert_eq!(number(store, "select count(*) from calendar_event where pending and bulk").await, 2);
    assert_eq!(number(store, "select count(*) from calendar_event where pending and not bulk").await, 0);
}
