//! Goal: what came later counts: newer decisions over older ones and over the answers to them, and failures of a key over
//! what was tried before. Method: as in the module above.

use super::*;

/// List C of the features: copies that were made to be sent again kept the old time of creation, so that "the latest"
/// was drawn by lot. Here a resend makes no copy, and what is sent is the highest version whatever the clocks said.
#[tokio::test]
async fn a_resend_is_of_the_latest_version_also_when_the_clock_stood_still_or_went_back() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    for (version, shift) in [(1, 0), (2, 0), (3, -3_600)] {
        decide(store, MAIL, "U", Some(slot(version))).await;
        sql(store, &format!("update calendar_event set decided_at = to_timestamp(1900000000 + ({shift}))"))
            .await;
        let call = send(&database, &fence, Outcome::Transient { after: Duration::ZERO, own: false }).await;
        assert_eq!((call.keys[0].version, call.keys[0].slot), (version, slot(version)));
    }
    // and again
    let call = send(&database, &fence, Outcome::Acknowledged).await;
    assert_eq!((call.keys[0].version, call.keys[0].slot), (3, slot(3)));
    assert_eq!(pending(&database).await, []);
}

/// B9: what is sent is the difference between acknowledged and decided state. Every pair and triple of decisions
/// since the last acknowledgement collapses to the net change.
#[tokio::test]
async fn decisions_collapse_to_the_net_change() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    let (a, b) = (Some(slot(1)), Some(slot(2)));
    let options = [None, a, b];
    let mut n = 0;
    for held in options {
        for first in options {
            for second in options {
                for last in options {
                    n += 1;
                    let id = format!("U{n}");
                    if held.is_some() {
                        decide(store, MAIL, &id, held).await;
                        send(&database, &fence, Outcome::Acknowledged).await;
                    }
                    for wanted in [first, second, last] {
                        decide(store, MAIL, &id, wanted).await;
                    }
                    let expected = match (held, last) {
                        (None, Some(slot)) => Some((Operation::Create, slot)),
                        (Some(had), None) => Some((Operation::Delete, had)),
                        (Some(had), Some(slot)) if had != slot => Some((Operation::Update, slot)),
                        _ => None,
                    };
                    let keys = pending(&database).await;
                    let shown = keys.first().map(|key| (key.operation, key.slot));
                    assert_eq!(shown, expected, "{held:?}: {first:?} {second:?} {last:?}");
                    if expected.is_some() {
                        send(&database, &fence, Outcome::Acknowledged).await;
                    }
                }
            }
        }
    }
}

/// A call that fails for one key alone, while others succeed, counts against that key; anything else does not.
#[tokio::test]
async fn failures_of_a_key_by_itself_are_counted_and_known() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    let after = Duration::ZERO;
    let poison =
        async || pending(&database).await.into_iter().find(|key| key.origin_id.as_str() == "poison").unwrap();
    decide(store, MAIL, "poison", Some(slot(1))).await;
    assert!(!poison().await.others_succeeded);
    send(&database, &fence, Outcome::Unsure { after, own: false }).await;
    let key = poison().await;
    assert_eq!((key.attempts, key.unanswered, key.others_succeeded), (0, 1, false), "an outage, perhaps");
    // another key is taken
    let book = book(&database);
    decide(store, MAIL, "good", Some(slot(1))).await;
    let good = pending(&database).await.into_iter().filter(|key| key.origin_id.as_str() == "good").collect();
    let call = reserve(&book, &fence, good).await.unwrap();
    answer(&book, &fence, &call, Outcome::Acknowledged).await;
    let key = poison().await;
    assert!(key.others_succeeded);
    send(&database, &fence, Outcome::Unknown { after, own: true }).await;
    let key = poison().await;
    assert_eq!((key.attempts, key.unanswered, key.others_succeeded), (1, 2, false), "since its last attempt");
    // put off, as others are: nobody was taken
    send(&database, &fence, Outcome::Transient { after, own: false }).await;
    resource(store, "m0002@sim.test").await;
    decide(store, "m0002@sim.test", "other", Some(slot(1))).await;
    let mut keys = pending(&database).await;
    keys.retain(|key| key.origin_id.as_str() == "other");
    let call = reserve(&book, &fence, keys).await.unwrap();
    answer(&book, &fence, &call, Outcome::Transient { after: Duration::from_secs(60), own: false }).await;
    let key = poison().await;
    assert_eq!((key.attempts, key.put_off, key.unanswered, key.others_succeeded), (1, 1, 0, false));
    send(&database, &fence, Outcome::Acknowledged).await;
    let row = key_row(store, MAIL, "poison").await.unwrap();
    assert_eq!((row.attempts, row.pending), (0, false));
}

/// A newer decision was made while an older one was under way: the answer to that says nothing of when and how often
/// the newer one is tried.
#[tokio::test]
async fn an_answer_to_an_old_decision_does_not_make_a_newer_one_wait() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator").await;
    let book = book(&database);
    let after = Duration::from_secs(600);
    let outcomes = [
        Outcome::Transient { after, own: true },
        Outcome::Unknown { after, own: true },
        Outcome::Unsure { after, own: true },
        Outcome::Refused { code: 5 },
        Outcome::SetAside { reason: "x", there: None },
    ];
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let id = format!("U{n}");
        decide(store, MAIL, &id, Some(slot(1))).await;
        let call = reserve(&book, &fence, pending(&database).await).await.unwrap();
        decide(store, MAIL, &id, Some(slot(2))).await;
        answer(&book, &fence, &call, outcome.clone()).await;
        let keys = pending(&database).await;
        let shown: Vec<_> = keys.iter().map(|key| (key.version, key.attempts)).collect();
        assert_eq!(shown, [(2, 0)], "{outcome:?}");
        let stopped = "select count(*) from calendar_event where stopped_at is not null and pending";
        assert_eq!(number(store, stopped).await, 0, "{outcome:?}");
        // and its own answer does
        let call = reserve(&book, &fence, keys).await.unwrap();
        answer(&book, &fence, &call, outcome.clone()).await;
        assert_eq!(pending(&database).await, [], "{outcome:?}");
        let row = key_row(store, MAIL, &id).await.unwrap();
        let own = !matches!(outcome, Outcome::Refused { .. });
        assert_eq!(row.attempts, i32::from(own), "{outcome:?}");
        sql(store, "delete from calendar_event").await;
    }
}
