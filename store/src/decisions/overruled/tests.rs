//! Goal: each decision that another takes the place of is kept once, as it was, by whatever overrules it; what takes no place
//! keeps nothing; and the story of an appointment tells all of them in their order. Method: a real database a test, and
//! the functions of the stages.

use calendar::reconcile::{Change, Decision};
use calendar::{ItemId, MailAddress, OriginId, Slot};
use jiff::Timestamp;

use crate::Store;
use crate::comparison::tests::{began, comparison, done, held};
use crate::decisions::{Applied, Done, Effect, Guarded, GuardedRun};
use crate::inspect::{Happening, HistoryQuery};
use crate::lease::Fence;
use crate::outbox::testing::{fence, number, resource, slot, sql};
use crate::testing::database;
use crate::withheld::MissingKey;

const MAIL: &str = crate::comparison::tests::MAIL;

fn mail() -> MailAddress {
    MailAddress::parse(MAIL).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn decision(key: &str, expected_version: i64, change: Change) -> Decision {
    Decision {
        origin_id: OriginId::new(key),
        uid: None,
        recurrence_time: None,
        item_id: Some(ItemId::new("item")),
        expected_version,
        change,
    }
}

/// What a reading that began at `began` leads to.
fn effect(began: i64, decisions: Vec<Decision>) -> Effect {
    Effect {
        mail: mail(),
        reading_began: at(began),
        decided_at: at(began + 1),
        bulk: began % 20 == 0,
        decisions: decisions.into_iter().map(|decision| (decision, None)).collect(),
        series: Vec::new(),
        masters_gone: Vec::new(),
        fresh: false,
        finished: Vec::new(),
        full_read: false,
        full_read_whole: false,
        full_read_began_db: None,
        guarded: Guarded::default(),
    }
}

async fn apply(store: &Store, fence: &Fence, effect: &Effect) -> Applied {
    store.apply(fence, effect).await.unwrap()
}

/// What is told of a key: version, wanted, its times, when it was decided, by bulk work, and whether it was overruled.
type Told = (i64, bool, Option<Slot>, Timestamp, bool, bool);

async fn story(store: &Store, key: &str) -> Vec<Told> {
    let (mail, key) = (mail(), OriginId::new(key));
    let query =
        HistoryQuery { mail: &mail, origin_id: Some(&key), since: Timestamp::UNIX_EPOCH, limit: 1_000 };
    let history = store.history(&query).await.unwrap();
    let told = history.entries.iter().filter_map(|entry| match &entry.what {
        Happening::Decided { version, wanted, slot, bulk, overruled_at, .. } => {
            Some((*version, *wanted, *slot, entry.at, *bulk, overruled_at.is_some()))
        }
        _ => None,
    });
    told.collect()
}

async fn kept(store: &Store) -> i64 {
    number(store, "select count(*) from decision_history").await
}

#[tokio::test]
async fn the_story_of_a_key_tells_each_decision_in_its_order() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "qualifier/0").await;
    let done = Applied::Done(Done::default());
    let first = vec![decision("U", 0, Change::Create(slot(1))), decision("V", 0, Change::Create(slot(1)))];
    assert_eq!(apply(store, &fence, &effect(0, first)).await, done);
    assert_eq!(kept(store).await, 0, "a first decision overrules none");
    let moved = vec![decision("U", 1, Change::Update(slot(2))), decision("W", 0, Change::Create(slot(1)))];
    assert_eq!(apply(store, &fence, &effect(10, moved)).await, done);
    // only its item is another one
    assert_eq!(apply(store, &fence, &effect(15, vec![decision("U", 2, Change::Refresh)])).await, done);
    assert_eq!(kept(store).await, 1);
    let gone = vec![decision("U", 2, Change::Delete { slot: slot(2), inferred: false })];
    assert_eq!(apply(store, &fence, &effect(20, gone)).await, done);
    let back = vec![decision("U", 3, Change::Create(slot(5)))];
    assert_eq!(apply(store, &fence, &effect(30, back)).await, done);
    assert_eq!(
        story(store, "U").await,
        [
            (1, true, Some(slot(1)), at(1), true, true),
            (2, true, Some(slot(2)), at(11), false, true),
            // its times stay, for who looks at what it was
            (3, false, Some(slot(2)), at(21), true, true),
            (4, true, Some(slot(5)), at(31), false, false),
        ]
    );
    assert_eq!(story(store, "V").await, [(1, true, Some(slot(1)), at(1), true, false)]);
    assert_eq!(number(store, "select count(*) from decision_history where reading_began is null").await, 0);

    // of what is told the decisions that stand alone are told whenever they were made
    let (mail, key) = (mail(), OriginId::new("U"));
    let late = HistoryQuery { mail: &mail, origin_id: Some(&key), since: at(25), limit: 1_000 };
    let versions = |history: &crate::inspect::History| -> Vec<i64> {
        let version = |what: &Happening| match what {
            Happening::Decided { version, .. } => Some(*version),
            _ => None,
        };
        history.entries.iter().filter_map(|entry| version(&entry.what)).collect()
    };
    assert_eq!(versions(&store.history(&late).await.unwrap()), [4]);
    let whole = HistoryQuery { origin_id: None, since: at(5), ..late };
    assert_eq!(versions(&store.history(&whole).await.unwrap()), [1, 2, 3, 4], "the first is W's");

    // what is removed and comes back begins anew with its versions, and that is no reason to refuse it
    sql(store, "delete from calendar_event where origin_id = 'U'").await;
    for (began, version) in [(40, 0), (50, 1)] {
        let again = vec![decision("U", version, Change::Create(slot(7)))];
        assert_eq!(apply(store, &fence, &effect(began, again)).await, done);
    }
    let versions: Vec<i64> = story(store, "U").await.iter().map(|told| told.0).collect();
    assert_eq!(versions, [1, 2, 3, 1, 2]);
}

#[tokio::test]
async fn what_does_not_take_effect_keeps_nothing() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "qualifier/0").await;
    let first = vec![decision("U", 0, Change::Create(slot(1))), decision("V", 0, Change::Create(slot(1)))];
    apply(store, &fence, &effect(50, first)).await;
    // an older reading is discarded, and what else it found is stored
    let older = vec![decision("U", 1, Change::Update(slot(2))), decision("W", 0, Change::Create(slot(1)))];
    let discarded = Done { discarded: vec![OriginId::new("U")], withheld: None };
    assert_eq!(apply(store, &fence, &effect(40, older)).await, Applied::Done(discarded));
    // somebody decided meanwhile
    let blind = vec![decision("V", 1, Change::Update(slot(2))), decision("U", 7, Change::Update(slot(2)))];
    assert_eq!(apply(store, &fence, &effect(60, blind)).await, Applied::Conflict);
    assert_eq!(kept(store).await, 0);
}

#[tokio::test]
async fn what_is_stored_together_keeps_what_it_overrules_of_each_mailbox() {
    let database = database().await;
    let store = &database.store;
    let fence = fence(store, "qualifier/0").await;
    for name in [MAIL, "m0002@sim.test"] {
        resource(store, name).await;
    }
    let other = |effect: Effect| Effect { mail: MailAddress::parse("m0002@sim.test").unwrap(), ..effect };
    let first = || vec![decision("U", 0, Change::Create(slot(1)))];
    let fresh = Effect { fresh: true, ..effect(0, first()) };
    let fresh_other = other(Effect { fresh: true, ..effect(0, first()) });
    assert!(store.apply_together(&[(&fence, &fresh), (&fence, &fresh_other)]).await.unwrap());
    assert_eq!(kept(store).await, 0);
    let next = |hour| vec![decision("U", 1, Change::Update(slot(hour)))];
    let (one, two) = (effect(10, next(2)), other(effect(10, next(3))));
    assert!(store.apply_together(&[(&fence, &one), (&fence, &two)]).await.unwrap());
    assert_eq!(kept(store).await, 2);
    assert_eq!(number(store, "select count(distinct mail) from decision_history where version = 1").await, 2);
    // one that cannot be undoes all
    let (one, two) =
        (effect(20, vec![decision("U", 2, Change::Update(slot(4)))]), other(effect(20, next(4))));
    assert!(!store.apply_together(&[(&fence, &one), (&fence, &two)]).await.unwrap());
    assert_eq!(kept(store).await, 2);
}

#[tokio::test]
async fn comparisons_settlements_and_withdrawals_keep_what_they_overrule() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let qualifier = fence(store, "qualifier/0").await;
    let keys = ["repaired", "in step", "withheld"];
    let first = keys.map(|key| decision(key, 0, Change::Create(slot(20)))).to_vec();
    apply(store, &qualifier, &effect(0, first)).await;
    sql(
        store,
        "update calendar_event set ack_there = true, ack_start = start_at, ack_end = end_at, \
                decision_stored_at = now() - interval '1 h'; \
         update planner_resource set full_read_began_db = now()",
    )
    .await;

    // Planner has lost one of them
    let communicator = fence(store, "communicator").await;
    let answer = vec![held("in step", slot(20)), held("withheld", slot(20)), held("nobody's", slot(30))];
    let mut asked = comparison(began(&database, &communicator).await, answer);
    asked.now = at(40);
    let compared = done(store.compare(&communicator, &asked).await.unwrap());
    assert_eq!((compared.created, compared.deleted), (1, 1), "{compared:?}");
    assert_eq!(kept(store).await, 1, "of what nobody had decided about there is nothing to keep");
    let versions = async |key: &str| -> Vec<(i64, bool, bool)> {
        story(store, key).await.iter().map(|told| (told.0, told.1, told.5)).collect()
    };
    assert_eq!(versions("repaired").await, [(1, true, true), (2, true, false)]);

    // a deletion is withheld, and an operator confirms it
    let key = MissingKey { origin_id: OriginId::new("withheld"), version: 1, slot: slot(20) };
    let withheld = Effect {
        guarded: Guarded {
            seen: Vec::new(),
            run: GuardedRun::Withholds { keys: vec![key], from: Timestamp::UNIX_EPOCH, there: 3 },
        },
        ..effect(60, Vec::new())
    };
    let Applied::Done(Done { withheld: Some(run), .. }) = apply(store, &qualifier, &withheld).await else {
        panic!("it is withheld");
    };
    assert_eq!(kept(store).await, 1, "nothing is decided yet");
    assert_eq!(store.confirm_withheld(run, "kim", at(70)).await.unwrap().unwrap().keys, 1);
    assert_eq!(versions("withheld").await, [(1, true, true), (2, false, false)]);

    // the mailbox is withdrawn
    let withdrawal = store.add_to_blacklist_and_withdraw(&mail(), "has left", "kim", at(80)).await.unwrap();
    assert_eq!(withdrawal.decided, 2, "what is to be deleted already is not decided again");
    assert_eq!(versions("in step").await, [(1, true, true), (2, false, false)]);
    assert_eq!(versions("repaired").await, [(1, true, true), (2, true, true), (3, false, false)]);
    assert_eq!(versions("nobody's").await, [(1, false, false)]);
    assert_eq!(kept(store).await, 4);
}
