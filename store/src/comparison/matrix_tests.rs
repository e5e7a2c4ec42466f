//! Goal: whatever the store believes, however its decision got stuck and whatever Planner holds, one comparison and
//! the sending that follows bring both in step, without a call that Planner would have to correct (8, 10), and a
//! second comparison finds nothing more. Method: one key for each combination, Planner as a map.

use std::collections::BTreeMap;

use super::tests::*;
use super::*;
use crate::calls::Class;
use crate::outbox::testing::{fence, resource, slot, sql};
use crate::outbox::{Operation, PageSize};
use crate::testing::database;
use calendar::guard::GuardLimits;

const DECISIONS: [&str; 4] = ["unknown", "there", "absent", "outside"];
const BELIEFS: [&str; 4] = ["nothing", "same", "other", "some time"];
const MARKS: [&str; 4] = ["none", "refused", "set aside", "own"];
const HOLDINGS: [&str; 4] = ["nothing", "same", "other", "outside"];

fn times(name: &str) -> Option<Slot> {
    match name {
        "same" | "there" | "absent" => Some(slot(20)),
        "other" => Some(slot(40)),
        "outside" => Some(slot(150)),
        _ => None,
    }
}

struct Case {
    id: String,
    decision: &'static str,
    mark: &'static str,
    held: Option<Slot>,
}

/// Puts one key for each combination into the store.
async fn all_cases(store: &Store) -> Vec<Case> {
    let client = store.client("test").await.unwrap();
    let mut cases = Vec::new();
    for decision in DECISIONS {
        for belief in BELIEFS {
            for mark in MARKS {
                for holding in HOLDINGS {
                    let id = format!("{decision}/{belief}/{mark}/{holding}");
                    let decided = decision != "unknown";
                    let at = times(decision);
                    let believed = times(belief);
                    client
                        .execute(
                            "insert into calendar_event (mail, origin_id, version, wanted, start_at, end_at, decided_at, \
                                 ack_there, ack_start, ack_end, refused_version, refused_code, set_aside_version, \
                                 planner_own, bulk) \
                             values ($1, $2, $3, $4, $5, $6, now(), $7, $8, $9, $10, 5, $11, $12, false)",
                            &[
                                &MAIL,
                                &id,
                                &i64::from(decided),
                                &decided.then_some(decision != "absent"),
                                &at.map(|at| at.start),
                                &at.map(|at| at.end),
                                &(belief != "nothing"),
                                &believed.map(|at| at.start),
                                &believed.map(|at| at.end),
                                &(mark == "refused").then_some(1_i64),
                                &(mark == "set aside").then_some(1_i64),
                                &(mark == "own"),
                            ],
                        )
                        .await
                        .unwrap();
                    cases.push(Case { id, decision, mark, held: times(holding) });
                }
            }
        }
    }
    cases
}

/// Sends what waits as bulk work to the model, and tells the store of the receipts.
async fn send(store: &Store, planner: &mut BTreeMap<String, Slot>) -> usize {
    let size = PageSize { mailboxes: 9, keys_per_mailbox: 999 };
    let keys = store.pending_keys(Class::Bulk, "", size).await.unwrap().keys;
    let client = store.client("test").await.unwrap();
    for key in &keys {
        let id = key.origin_id.to_string();
        let holds = planner.contains_key(&id);
        match key.operation {
            Operation::Create => assert!(!holds, "{id}: Planner would answer 8"),
            Operation::Update | Operation::Delete => assert!(holds, "{id}: Planner would answer 10"),
        }
        if key.operation == Operation::Delete {
            planner.remove(&id);
        } else {
            planner.insert(id.clone(), key.slot);
        }
        client
            .execute(
                "update calendar_event set ack_there = wanted, ack_start = case when wanted then start_at end, \
                        ack_end = case when wanted then end_at end where origin_id = $1",
                &[&id],
            )
            .await
            .unwrap();
    }
    keys.len()
}

#[tokio::test]
async fn one_comparison_brings_every_combination_in_step() {
    let database = database().await;
    let store = &database.store;
    resource(store, MAIL).await;
    let fence = fence(store, "communicator/comparison").await;
    let cases = all_cases(store).await;
    let waiting: Vec<String> = {
        let client = store.client("test").await.unwrap();
        let rows = client.query("select origin_id from calendar_event where pending", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let mut planner: BTreeMap<String, Slot> =
        cases.iter().filter_map(|case| Some((case.id.clone(), case.held?))).collect();
    let before = planner.clone();
    let unlimited = GuardLimits { count: u32::MAX, percent: 100 };
    let compare = async |planner: &BTreeMap<String, Slot>| {
        let events = planner.iter().map(|(id, at)| held(id, *at)).collect();
        let began = began(&database, &fence).await;
        let comparison = Comparison { guard: unlimited, ..comparison(began, events) };
        done(store.compare(&fence, &comparison).await.unwrap())
    };
    let first = compare(&planner).await;
    assert_eq!(send(store, &mut planner).await, first.created + first.updated + first.deleted);
    assert!(first.created > 0 && first.updated > 0 && first.deleted > 0, "{first:?}");
    for case in &cases {
        let now = planner.get(&case.id).copied();
        let expected = match case.decision {
            _ if case.mark == "own" || waiting.contains(&case.id) => case.held,
            "there" => times("there"),
            // what is decided for a time outside the window concerns only where Planner's row does
            "outside" if case.held.is_some_and(|at| window().overlaps(at)) => times("outside"),
            "outside" => case.held,
            _ => case.held.filter(|at| !window().overlaps(*at)),
        };
        assert_eq!(now, expected, "{}, held before {:?}", case.id, before.get(&case.id));
    }
    sql(store, "update calendar_event set decision_stored_at = now() - interval '1 h', ack_at = null").await;
    let second = compare(&planner).await;
    assert_eq!(
        (second.created, second.updated, second.deleted, second.corrected),
        (0, 0, 0, 0),
        "{second:?}"
    );
}
