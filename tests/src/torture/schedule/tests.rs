//! Goal: a seed is reproducible, and fifty of them hold every kind of fault and of change. Method: draw them.

use std::collections::BTreeSet;

use super::*;

const INSTANCES: u32 = 3;
const MAILBOXES: u32 = 6;

#[test]
fn the_same_seed_is_the_same_table() {
    for seed in 1..=50 {
        let table = Schedule::of(seed, INSTANCES, MAILBOXES);
        assert_eq!(table, Schedule::of(seed, INSTANCES, MAILBOXES));
        assert_ne!(table.steps, Schedule::of(seed + 1, INSTANCES, MAILBOXES).steps);
    }
}

#[test]
fn fifty_seeds_hold_every_kind() {
    let (mut kinds, mut changes, mut refreshes) = (BTreeSet::new(), Vec::new(), 0);
    for seed in 1..=50 {
        for step in Schedule::of(seed, INSTANCES, MAILBOXES).steps {
            match step.act {
                Act::Fault(fault) => {
                    kinds.insert(fault.kind());
                }
                Act::Change { what, .. } => changes.push(what),
                Act::Resource { .. } => refreshes += 1,
            }
        }
    }
    assert_eq!(kinds, KINDS.into_iter().collect());
    assert!(What::ALL.iter().all(|what| changes.contains(what)));
    assert!(refreshes > 5, "{refreshes}");
}

#[test]
fn every_index_draws_the_kind_of_its_name() {
    let mut rng = StdRng::seed_from_u64(1);
    for (index, kind) in KINDS.iter().enumerate() {
        for _ in 0..20 {
            assert_eq!(Fault::draw(&mut rng, index, MAILBOXES, INSTANCES).kind(), *kind);
        }
    }
}

#[test]
fn a_table_is_ordered_bounded_and_names_who_is_there() {
    for seed in 1..=200 {
        let table = Schedule::of(seed, INSTANCES, MAILBOXES);
        assert!(table.steps.is_sorted_by_key(|step| step.at_ms));
        assert!(table.steps.iter().all(|step| step.at_ms < SPAN_MS));
        assert!(table.faults().count() >= 6, "seed {seed}");
        let lethal =
            ["killed", "killed-at-point", "paused", "exchange-down", "exchange-calls-fail", "server-busy"];
        let lethal = lethal.into_iter().chain([
            "connections-cut",
            "database-restarted-fast",
            "database-restarted-immediate",
        ]);
        let lethal: Vec<&str> = lethal.collect();
        if table.emphasis == Emphasis::Gentle {
            assert!(table.faults().all(|fault| !lethal.contains(&fault.kind())), "seed {seed}");
        }
        let restarts = table.faults().filter(|fault| fault.kind().starts_with("database-restarted"));
        assert!(restarts.count() <= RESTARTS_MAX);
        for fault in table.faults() {
            match fault {
                Fault::Killed { instance, .. }
                | Fault::KilledAtPoints { instance, .. }
                | Fault::Paused { instance, .. }
                | Fault::Ended { instance, .. }
                | Fault::ClockChanged { instance, .. } => assert!((1..=INSTANCES).contains(instance)),
                Fault::MailboxMoved { mailbox, .. } | Fault::SyncStatesForgotten { mailbox } => {
                    assert!((1..=MAILBOXES).contains(mailbox));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn faults_overlap() {
    let together = (1..=50).filter(|seed| {
        let table = Schedule::of(*seed, INSTANCES, MAILBOXES);
        let at: Vec<u64> = table
            .steps
            .iter()
            .filter(|step| matches!(step.act, Act::Fault(_)))
            .map(|step| step.at_ms)
            .collect();
        at.windows(2).any(|pair| pair[1] - pair[0] < 500)
    });
    assert!(together.count() >= 45);
}

#[test]
fn a_table_can_be_written_and_read() {
    let table = Schedule::of(7, INSTANCES, MAILBOXES);
    let text = serde_json::to_string(&table).expect("a table can be written");
    assert_eq!(serde_json::from_str::<Schedule>(&text).expect("and read"), table);
}

#[test]
fn some_seeds_try_something_besides() {
    let of = |emphasis| (1..=16).filter(|seed| Emphasis::of(*seed) == emphasis).count();
    assert_eq!([of(Emphasis::Gentle), of(Emphasis::FewSlots), of(Emphasis::Usual)], [2, 2, 12]);
    let few: Vec<Schedule> = (1..=400)
        .map(|seed| Schedule::of(seed, INSTANCES, MAILBOXES))
        .filter(|one| one.emphasis == Emphasis::FewSlots)
        .collect();
    let moved = few.iter().flat_map(Schedule::faults).filter_map(|fault| match fault {
        Fault::MailboxMoved { endpoint, .. } => Some(*endpoint),
        _ => None,
    });
    let moved: Vec<u8> = moved.collect();
    assert!(moved.len() > 5 && moved.iter().all(|endpoint| *endpoint == 0), "{moved:?}");
    for table in &few {
        let armed = |instance| {
            table.faults().any(|fault| match fault {
                Fault::KilledAtPoints { instance: of, points } => {
                    *of == instance && points.iter().any(|(name, _)| name == "listener.group-ending")
                }
                _ => false,
            })
        };
        assert!((1..=INSTANCES).all(armed), "seed {}", table.seed);
        let home = |fault: &&Fault| matches!(fault, Fault::MailboxMoved { mailbox, group, .. } if *mailbox >= 3 && *mailbox == u32::from(*group));
        assert!(table.faults().filter(home).count() >= 4, "seed {}", table.seed);
    }
}
