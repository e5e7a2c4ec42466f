//! Goal: a fault of a stream restarts the actor of that stream and nothing else; faults that come again and
//! again restart its group, and nothing above; an outage restarts nothing more. And no change is lost by it.

use std::collections::BTreeMap;

use simulator_exchange::{Act, Fault, Options};
use supervision::TreeStatus;

use crate::harness::{World, run};
use crate::{ANY, CAUGHT_UP, STREAMED};

/// Restarts of everything in the tree, by path.
fn restarts(world: &World) -> BTreeMap<String, u64> {
    fn collect(status: &TreeStatus, into: &mut BTreeMap<String, u64>) {
        into.insert(status.path.clone(), status.restarts);
        status.children.iter().for_each(|child| collect(child, into));
    }
    let mut all = BTreeMap::new();
    collect(&world.tree().status(), &mut all);
    all
}

/// What was restarted between two looks, and how often; for the paths that both looks show.
fn restarted(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = |(path, now): (&String, &u64)| {
        let more = now - before.get(path)?;
        (more > 0).then(|| (path.clone(), more))
    };
    after.iter().filter_map(more).collect()
}

/// The only one whose path ends like this.
fn path_of(all: &BTreeMap<String, u64>, end: &str) -> String {
    let mut found = all.keys().filter(|path| path.ends_with(end));
    let path = found.next().unwrap_or_else(|| panic!("{end} in {all:?}")).clone();
    assert_eq!(found.next(), None);
    path
}

#[test]
fn a_dropped_stream_restarts_the_actor_of_the_stream_once_and_nothing_else() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        let (before, total) = (restarts(&world), world.tree().restarts_total());
        let stream = path_of(&before, "/streams/stream");
        assert_eq!(world.act(Act::DropStreams { count: None, mailbox: None }), 1);
        let in_the_gap = world.create(2).await;
        world.wait_for_item(2, &in_the_gap, CAUGHT_UP).await;
        world.wait_listened(3).await;
        let next = world.create(2).await;
        world.wait_for_item(2, &next, STREAMED).await;
        let after = restarts(&world);
        assert_eq!(restarted(&before, &after), BTreeMap::from([(stream.clone(), 1)]));
        assert_eq!(world.tree().restarts_total(), total + 1);
        assert!(before.keys().eq(after.keys()), "{before:?} {after:?}");
        let status = world.tree().status();
        let last_exit = status.find(&stream).and_then(|stream| stream.last_exit.clone());
        assert!(
            last_exit.as_deref().is_some_and(|exit| exit.starts_with("failed: the stream failed: ")),
            "{last_exit:?}"
        );
    });
}

#[test]
fn a_planned_end_and_new_members_restart_nothing() {
    run(|runtime| async {
        let options = Options {
            stream_minute: std::time::Duration::from_millis(50),
            mailboxes: 3,
            ..Options::default()
        };
        let mut world = World::new(runtime, options).await;
        world.add_resource(1).await;
        world.start();
        world.wait_listened(1).await;
        let opened = world.requests("GetStreamingEvents");
        world.add_resource(2).await;
        world.wait_listened(2).await;
        world
            .until("streams that end as planned", || async {
                let now = world.requests("GetStreamingEvents");
                if now >= opened + 3 { Ok(()) } else { Err(format!("{now}")) }
            })
            .await;
        assert_eq!(world.tree().restarts_total(), 0, "{:?}", restarts(&world));
    });
}

#[test]
fn stream_faults_again_and_again_restart_the_group_and_nothing_above() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        let before = restarts(&world);
        let streams = path_of(&before, "/streams");
        let group = streams.strip_suffix("/streams").expect("below its group").to_owned();
        let mut created = Vec::new();
        while !restarted(&before, &restarts(&world)).contains_key(&format!("{group}/group")) {
            world
                .until("a stream to drop", || async {
                    let over = restarted(&before, &restarts(&world)).contains_key(&format!("{group}/group"));
                    if over || world.act(Act::DropStreams { count: None, mailbox: None }) > 0 {
                        return Ok(());
                    }
                    Err("none is open".to_owned())
                })
                .await;
            created.push(world.create(1).await);
            assert!(created.len() < 100, "no escalation: {:?}", restarts(&world));
        }
        // six restarts are granted, the seventh fault is one too many
        assert!(created.len() >= 7, "{}", created.len());
        world.wait_listened(3).await;
        for item in &created {
            world.wait_for_item(1, item, ANY).await;
        }
        let next = world.create(2).await;
        world.wait_for_item(2, &next, STREAMED).await;
        let changed = restarted(&before, &restarts(&world));
        assert_eq!(changed.get(&streams), Some(&1), "{changed:?}");
        let beyond: Vec<&String> =
            changed.keys().filter(|path| !path.starts_with(&format!("{group}/"))).collect();
        assert!(beyond.is_empty(), "{changed:?}");
        assert_eq!(world.number("select count(*) from notification where event_type = 'FullRead'").await, 3);
    });
}

#[test]
fn an_outage_costs_one_restart_however_long_it_lasts() {
    run(|runtime| async {
        let world = World::listening(runtime, 2).await;
        let before = restarts(&world);
        let stream = path_of(&before, "/streams/stream");
        world.fault(Fault::Http503, Some("GetStreamingEvents"), None, None);
        assert_eq!(world.act(Act::DropStreams { count: None, mailbox: None }), 1);
        let unheard = world.create(1).await;
        world
            .until("openings that are refused", || async {
                let rules = world.simulator.service().faults.list();
                let now: u64 = rules.iter().map(|rule| rule.fired).sum();
                if now >= 12 { Ok(()) } else { Err(format!("{now}")) }
            })
            .await;
        assert_eq!(restarted(&before, &restarts(&world)), BTreeMap::from([(stream.clone(), 1)]));
        world.simulator.service().faults.clear();
        world.wait_listened(2).await;
        world.wait_for_item(1, &unheard, CAUGHT_UP).await;
        let next = world.create(2).await;
        world.wait_for_item(2, &next, STREAMED).await;
        assert_eq!(restarted(&before, &restarts(&world)), BTreeMap::from([(stream, 1)]));
    });
}

/// The group listens to all others, in one stream that is not touched; nobody above hears of it.
#[test]
fn an_actor_of_a_mailbox_that_always_panics_is_isolated() {
    run(|runtime| async {
        let mut world = World::new(runtime, Options { mailboxes: 4, ..Options::default() }).await;
        for n in 1..=4 {
            world.add_resource(n).await;
        }
        // the first of them would be the group's anchor
        world.poison = Some(1);
        world.start();
        world.wait_listened(3).await;
        let of_victim = |all: &BTreeMap<String, u64>| {
            *all.get(&path_of(all, "/mailbox-subscriber/m0001@sim.test")).unwrap()
        };
        world
            .until("the actor having been restarted a few times", || async {
                let times = of_victim(&restarts(&world));
                if times >= 4 { Ok(()) } else { Err(times.to_string()) }
            })
            .await;
        for n in 2..=4 {
            let item = world.create(n).await;
            world.wait_for_item(n, &item, STREAMED).await;
        }
        let all = restarts(&world);
        let others: Vec<_> =
            all.iter().filter(|(path, times)| **times > 0 && !path.ends_with("m0001@sim.test")).collect();
        assert!(others.is_empty(), "{others:?}");
    });
}
