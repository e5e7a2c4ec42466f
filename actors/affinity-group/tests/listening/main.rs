//! Goal: every change in a mailbox becomes a stored notification, whatever happens to streams,
//! subscriptions, mailboxes and the listener itself. Method: the whole tree of the listener on real
//! PostgreSQL, against the Exchange simulator over sockets; each test does harm and then waits for the change.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod subscribing;
mod watched;

use std::time::Duration;

use harness::{World, run};
use proto_ews::DeleteType;
use simulator_exchange::{Act, Fault, Lost, Options};

const STREAMED: &[&str] = &["CreatedEvent"];
const CAUGHT_UP: &[&str] = &["SyncChange"];
const ANY: &[&str] = &["CreatedEvent", "SyncChange"];

#[test]
fn a_change_is_stored_within_a_second_and_new_mailboxes_are_read_in_full() {
    run(|runtime| async {
        let world = World::listening(runtime, 5).await;
        let reads = world.notifications().await;
        assert_eq!(reads.len(), 5, "{reads:?}");
        assert!(reads.iter().all(|(_, kind, item)| kind == "FullRead" && item.is_none()));
        assert_eq!(world.number("select count(*) from sync_state").await, 5);

        let start = tokio::time::Instant::now();
        let item = world.create(3).await;
        world.wait_for_item(3, &item, STREAMED).await;
        assert!(tokio::time::Instant::now() - start < Duration::from_secs(1));
        world.delete(3, &item, DeleteType::MoveToDeletedItems).await;
        world
            .until("the move", || async {
                let old =
                    world.text("select old_item_id from notification where event_type = 'MovedEvent'").await;
                old.filter(|old| *old == item).map(drop).ok_or_else(|| "none".to_owned())
            })
            .await;
    });
}

#[test]
fn it_waits_for_the_resource_list_and_says_so_by_not_being_ready() {
    run(|runtime| async {
        let mut world = World::new(runtime, Options { mailboxes: 2, ..Options::default() }).await;
        world.start();
        world
            .until("the duty", || async {
                let held =
                    world.number("select count(*) from lease where key = 'listener' and owner <> ''").await;
                if held == 1 { Ok(()) } else { Err("not held".to_owned()) }
            })
            .await;
        assert!(!world.tree().ready());
        world.add_resource(1).await;
        world.wait_listened(1).await;
        world.add_resource(2).await;
        world.wait_listened(2).await;
    });
}

#[test]
fn a_dropped_stream_with_a_change_in_the_gap_loses_nothing() {
    run(|runtime| async {
        let world = World::listening(runtime, 4).await;
        // the events that were about to be sent are lost with the connection
        world.fault(Fault::DropStream, None, None, Some(1));
        let lost = world.create(2).await;
        world.wait_for_item(2, &lost, CAUGHT_UP).await;
        world.wait_listened(4).await;
        let next = world.create(2).await;
        world.wait_for_item(2, &next, STREAMED).await;
    });
}

/// Whether they are new or have a gap: so many mailboxes catch up at one time and no more, the others wait for their turn.
#[test]
fn no_more_mailboxes_catch_up_at_one_time_than_may() {
    run(|runtime| async {
        const MAILBOXES: u32 = 6;
        let mut world = World::new(runtime, Options { mailboxes: MAILBOXES, ..Options::default() }).await;
        world.work = 2;
        // long enough for all of them to ask together, if they could
        world.fault(Fault::Slow { delay_ms: 150 }, Some("SyncFolderItems"), None, None);
        for n in 1..=MAILBOXES {
            world.add_resource(n).await;
        }
        world.start();
        world.wait_listened(MAILBOXES).await;
        assert_eq!(world.catch_ups.most(), 2, "of the first ones");
        let first = world.catch_ups.done();
        assert!(first >= MAILBOXES as usize, "{first}");
        world.act(Act::DropStreams { count: None, mailbox: None });
        world
            .until("all to have caught up after the gap", || async {
                match world.catch_ups.done() - first {
                    done if done >= MAILBOXES as usize => Ok(()),
                    done => Err(format!("{done}")),
                }
            })
            .await;
        assert_eq!(world.catch_ups.most(), 2, "after the gap");
        world.wait_listened(MAILBOXES).await;
        let item = world.create(4).await;
        world.wait_for_item(4, &item, ANY).await;
        world.stop().await;
    });
}

#[test]
fn a_silent_stream_is_dead_after_the_limit() {
    run(|runtime| async {
        let mut world = World::new(
            runtime,
            Options { heartbeat: Duration::from_millis(300), mailboxes: 2, ..Options::default() },
        )
        .await;
        world.options.group.stream_silence_limit = Duration::from_millis(1_500);
        world.add_resource(1).await;
        world.add_resource(2).await;
        world.start();
        world.wait_listened(2).await;
        world.act(Act::SilenceStreams { count: None });
        let unheard = world.create(1).await;
        world.wait_for_item(1, &unheard, CAUGHT_UP).await;
        let next = world.create(1).await;
        world.wait_for_item(1, &next, ANY).await;
    });
}

#[test]
fn an_expired_subscription_is_replaced_and_the_others_go_on() {
    run(|runtime| async {
        let world = World::listening(runtime, 4).await;
        let mailbox = Some(World::mail(2).to_string());
        assert_eq!(world.act(Act::ExpireSubscriptions { mailbox, count: None }), 1);
        let unheard = world.create(2).await;
        let heard = world.create(3).await;
        world.wait_for_item(2, &unheard, ANY).await;
        world.wait_for_item(3, &heard, ANY).await;
        world.wait_listened(4).await;
        let next = world.create(2).await;
        world.wait_for_item(2, &next, STREAMED).await;
    });
}

#[test]
fn when_all_subscriptions_are_lost_together_the_group_is_set_up_anew() {
    run(|runtime| async {
        let world = World::listening(runtime, 4).await;
        assert_eq!(world.act(Act::ExpireSubscriptions { mailbox: None, count: None }), 4);
        let unheard = world.create(4).await;
        world.wait_for_item(4, &unheard, ANY).await;
        world.wait_listened(4).await;
        let next = world.create(1).await;
        world.wait_for_item(1, &next, STREAMED).await;
    });
}

/// What the group ends itself is no fault: neither told as one, nor a restart of the stream's actor, of which a few within
/// half a minute would restart the group.
#[test]
fn mailboxes_that_leave_one_after_the_other_are_no_fault_of_their_stream() {
    run(|runtime| async {
        let mut world = World::new(runtime, Options { mailboxes: 10, ..Options::default() }).await;
        // so that the stream still holds who has just left
        world.options.group.growth_pause = Duration::from_secs(2);
        for n in 1..=10 {
            world.add_resource(n).await;
        }
        world.start();
        world.wait_listened(10).await;
        for n in 2..=9 {
            let ended = world.requests("Unsubscribe");
            world.drop_resource(n).await;
            world
                .until("the end of a subscription", || async {
                    let now = world.requests("Unsubscribe");
                    if now > ended { Ok(()) } else { Err(format!("{now}")) }
                })
                .await;
        }
        let item = world.create(10).await;
        world.wait_for_item(10, &item, ANY).await;
        world
            .until("a stream of those that stayed", || async {
                let now = world.streamed();
                if now == 2 { Ok(()) } else { Err(format!("{now}")) }
            })
            .await;
        assert_eq!(world.tree().restarts_total(), 0);
        // one that is really lost is made anew
        let mailbox = Some(World::mail(10).to_string());
        let subscribed = world.requests("Subscribe");
        assert_eq!(world.act(Act::ExpireSubscriptions { mailbox, count: None }), 1);
        let unheard = world.create(10).await;
        world.wait_for_item(10, &unheard, ANY).await;
        assert_eq!(world.requests("Subscribe"), subscribed + 1);
    });
}

#[test]
fn missed_events_and_unexplained_folder_events_make_the_mailbox_catch_up() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        world.fault(Fault::Lose { what: Lost::AllAndTold }, None, Some(1), Some(1));
        let missed = world.create(1).await;
        world.wait_for_item(1, &missed, CAUGHT_UP).await;
        world.fault(Fault::Lose { what: Lost::Items }, None, Some(2), Some(1));
        let unexplained = world.create(2).await;
        world.wait_for_item(2, &unexplained, CAUGHT_UP).await;
        // the other mailboxes did not catch up
        let caught_up = world.notifications().await;
        assert!(!caught_up.iter().any(|(mail, kind, _)| mail.starts_with("m0003") && kind == "SyncChange"));
    });
}

#[test]
fn a_planned_end_of_the_stream_is_no_gap() {
    run(|runtime| async {
        let options =
            Options { stream_minute: Duration::from_millis(50), mailboxes: 2, ..Options::default() };
        let mut world = World::new(runtime, options).await;
        world.add_resource(1).await;
        world.add_resource(2).await;
        world.start();
        world.wait_listened(2).await;
        let opened = world.requests("GetStreamingEvents");
        let synced = world.requests("SyncFolderItems");
        let mut items = Vec::new();
        // 30 minutes are one and a half seconds here
        world
            .until("streams that end as planned", || async {
                let now = world.requests("GetStreamingEvents");
                if now >= opened + 2 { Ok(()) } else { Err(format!("{now}")) }
            })
            .await;
        items.push(world.create(1).await);
        world.wait_for_item(1, &items[0], STREAMED).await;
        assert_eq!(world.requests("SyncFolderItems"), synced, "nobody caught up");
    });
}

#[test]
fn a_mailbox_in_trouble_is_told_on_its_row_breaks_nobody_and_recovers() {
    run(|runtime| async {
        let mut world = World::new(runtime, Options { mailboxes: 3, ..Options::default() }).await;
        let code = || Fault::Code { code: "ErrorImpersonateUserDenied".into() };
        // the first by address would be the anchor
        world.fault(code(), Some("GetFolder"), Some(1), None);
        for n in 1..=4 {
            world.add_resource(n).await;
        }
        world.start();
        // 4 does not exist at all
        world.wait_listened(2).await;
        let row =
            |n: u32| format!("select error_code from planner_resource where mail = '{}'", World::mail(n));
        assert_eq!(world.text(&row(1)).await.as_deref(), Some("ErrorImpersonateUserDenied"));
        world
            .until("the error of a mailbox that does not exist", || async {
                world.text(&row(4)).await.map(drop).ok_or_else(|| "none".to_owned())
            })
            .await;
        assert!(
            world.number("select error_count::bigint from planner_resource where mail like 'm0001%'").await
                >= 1
        );
        let heard = world.create(2).await;
        world.wait_for_item(2, &heard, STREAMED).await;

        world.simulator.service().faults.clear();
        world.wait_listened(3).await;
        assert_eq!(world.text(&row(1)).await, None);
        let heard = world.create(1).await;
        world.wait_for_item(1, &heard, STREAMED).await;
    });
}

#[test]
fn a_resource_that_leaves_is_unsubscribed_and_read_in_full_when_it_returns() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        world.drop_resource(2).await;
        world
            .until("the end of its subscription", || async {
                let left = world.simulator.service().world().hub.subscriptions();
                let member = world.number("select count(*) from planner_resource_subscription").await;
                let state = world.number("select count(*) from sync_state").await;
                if (left, member, state, world.streamed()) == (2, 2, 2, 2) {
                    return Ok(());
                }
                Err(format!(
                    "{left} subscriptions, {member} members, {state} states, {} streamed",
                    world.streamed()
                ))
            })
            .await;
        let full_reads = "select count(*) from notification where event_type = 'FullRead'";
        assert_eq!(world.number(full_reads).await, 3);
        world.add_resource(2).await;
        world.wait_listened(3).await;
        assert_eq!(world.number(full_reads).await, 4);
    });
}

/// The wake-up is a help: what nobody tells of is found after `subscriber_update_time_interval`.
#[test]
fn a_resource_that_nobody_tells_of_is_found_at_the_next_interval() {
    run(|runtime| async {
        let mut world = World::new(runtime, Options { mailboxes: 2, ..Options::default() }).await;
        world.options.subscriber_update_time_interval = Duration::from_millis(500);
        world.add_resource(1).await;
        world.start();
        world.wait_listened(1).await;
        world
            .execute(&format!(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker) \
                 values ('{}', {}, '', '', true)",
                World::mail(2),
                World::mail(2).bucket()
            ))
            .await;
        world.wait_listened(2).await;
    });
}

#[test]
fn a_newcomer_of_another_site_leaves_the_streams_of_other_groups_alone() {
    run(|runtime| async {
        // odd mailboxes live at one site, even ones at another
        let mut world = World::new(runtime, Options { mailboxes: 4, groups: 2, ..Options::default() }).await;
        world.add_resource(1).await;
        world.add_resource(3).await;
        world.start();
        world.wait_listened(2).await;
        let streams = || -> Vec<(u64, usize)> {
            let model = world.simulator.service().world();
            model.hub.streams().map(|(number, stream)| (number, stream.ids.len())).collect()
        };
        let before = streams();
        world.add_resource(2).await;
        world.wait_listened(3).await;
        let after = streams();
        assert_eq!((before.len(), after.len()), (1, 2));
        assert!(after.contains(&before[0]), "{before:?} {after:?}");
    });
}

#[test]
fn a_stop_ends_all_subscriptions_and_hands_the_leases_back() {
    run(|runtime| async {
        let mut world = World::listening(runtime, 3).await;
        world.stop().await;
        assert_eq!(world.simulator.service().world().hub.subscriptions(), 0);
        assert_eq!(world.number("select count(*) from lease where owner <> ''").await, 0);
        let left = "select count(*) from planner_resource_subscription where ews_subscription_id is not null";
        assert_eq!(world.number(left).await, 0);

        // a successor goes on from the saved sync states
        let unheard = world.create(1).await;
        world.start();
        world.wait_for_item(1, &unheard, CAUGHT_UP).await;
        assert_eq!(world.number("select count(*) from notification where event_type = 'FullRead'").await, 3);
    });
}

#[test]
fn changes_of_many_mailboxes_over_several_groups_all_arrive() {
    run(|runtime| async {
        let options = Options { mailboxes: 12, groups: 2, streams_per_account: 4, ..Options::default() };
        let mut world = World::new(runtime, options).await;
        world.options.mailboxes_per_subscription_group = 4;
        world.options.subscription_groups_per_credential = 2;
        for n in 1..=12 {
            world.add_resource(n).await;
        }
        world.start();
        // two groups of four are carried, the rest is told
        world.wait_listened_of(8, 4).await;
        let told = "select count(*) from planner_resource where error_code = 'NotCovered'";
        assert_eq!(world.number(told).await, 4);
        let covered =
            world.text("select string_agg(mail, ' ') from planner_resource_subscription").await.unwrap();
        for n in 1..=12 {
            let item = world.create(n).await;
            if covered.contains(World::mail(n).as_str()) {
                world.wait_for_item(n, &item, STREAMED).await;
            }
        }
        // with room for all at the next start, the rest is taken in
        world.stop().await;
        world.options.subscription_groups_per_credential = 4;
        world.start();
        world.wait_listened_of(12, 0).await;
    });
}

#[test]
fn a_server_that_is_busy_or_down_for_a_while_only_delays() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        world.act(Act::Busy { for_ms: 700, back_off_ms: 300 });
        world.act(Act::DropStreams { count: None, mailbox: None });
        world
            .until("the stream to be open again", || async {
                if world.streamed() == 3 { Ok(()) } else { Err(format!("{} streamed", world.streamed())) }
            })
            .await;
        let item = world.create(2).await;
        world.wait_for_item(2, &item, ANY).await;
        world.fault(Fault::Http503, Some("GetStreamingEvents"), None, Some(2));
        world.fault(Fault::Malformed, Some("SyncFolderItems"), None, Some(2));
        world.act(Act::DropStreams { count: None, mailbox: None });
        let item = world.create(3).await;
        world.wait_for_item(3, &item, ANY).await;
        world.wait_listened(3).await;
    });
}

#[test]
fn a_refused_sync_state_starts_the_mailbox_over() {
    run(|runtime| async {
        let mut world = World::listening(runtime, 1).await;
        world.stop().await;
        world.execute("update sync_state set state = 'nonsense'").await;
        world.start();
        world
            .until("a second full read", || async {
                let reads =
                    world.number("select count(*) from notification where event_type = 'FullRead'").await;
                if reads == 2 { Ok(()) } else { Err(format!("{reads}")) }
            })
            .await;
        let item = world.create(1).await;
        world.wait_for_item(1, &item, ANY).await;
    });
}

#[test]
fn a_database_that_goes_away_delays_and_loses_nothing() {
    run(|runtime| async {
        let world = World::listening(runtime, 2).await;
        // every write of notifications waits, as if the database hung; then all connections break
        let blocker = world.database.store.client("test").await.unwrap();
        blocker.batch_execute("begin; lock table notification in access exclusive mode").await.unwrap();
        let item = world.create(1).await;
        let client = world.database.store.client("test").await.unwrap();
        world
            .until("a write that waits", || async {
                let waiting: i64 = client
                    .query_one(
                        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' \
                         and datname = current_database()",
                        &[],
                    )
                    .await
                    .unwrap()
                    .get(0);
                if waiting > 0 { Ok(()) } else { Err("none".to_owned()) }
            })
            .await;
        client
            .batch_execute(
                "select pg_terminate_backend(pid) from pg_stat_activity \
                 where wait_event_type = 'Lock' and datname = current_database()",
            )
            .await
            .unwrap();
        blocker.batch_execute("rollback").await.unwrap();
        drop((blocker, client));
        world.wait_for_item(1, &item, STREAMED).await;
        // it had to wait: a gap, so the mailbox caught up, too
        world.wait_for_item(1, &item, CAUGHT_UP).await;
    });
}

#[test]
fn under_many_faults_at_once_no_change_is_lost() {
    const MAILBOXES: u32 = 40;
    run(|runtime| async {
        let options =
            Options { heartbeat: Duration::from_millis(400), mailboxes: MAILBOXES, ..Options::default() };
        let mut world = World::new(runtime, options).await;
        world.options.group.stream_silence_limit = Duration::from_millis(1_500);
        for n in 1..=MAILBOXES {
            world.add_resource(n).await;
        }
        world.start();
        world.wait_listened(MAILBOXES).await;
        let mut created = Vec::new();
        for round in 0..160_u32 {
            let n = round * 7 % MAILBOXES + 1;
            harm(&world, round, n);
            created.push((n, world.create(n).await));
        }
        for (n, item) in &created {
            world.wait_for_item(*n, item, ANY).await;
        }
        world.wait_listened(MAILBOXES).await;
        let reads = "select count(*) from notification where event_type = 'FullRead'";
        assert_eq!(world.number(reads).await, i64::from(MAILBOXES), "nobody had to start over");
    });
}

/// What goes wrong before change number `round`, of mailbox `n`.
fn harm(world: &World, round: u32, n: u32) {
    let all = None;
    match round {
        20 | 90 => world.fault(Fault::DropStream, None, None, Some(1)),
        35 | 111 => drop(world.act(Act::DropStreams { count: all, mailbox: None })),
        45 => drop(world.act(Act::ExpireSubscriptions { mailbox: None, count: Some(5) })),
        60 => drop(world.act(Act::SilenceStreams { count: all })),
        75 => world.fault(Fault::Lose { what: Lost::AllAndTold }, None, Some(n), Some(1)),
        100 => {
            let busy = Fault::ServerBusy { back_off_ms: Some(100) };
            world.fault(busy, Some("SyncFolderItems"), None, Some(3));
        }
        110 => world.fault(Fault::Malformed, Some("GetStreamingEvents"), None, Some(1)),
        120 => drop(world.act(Act::ExpireSubscriptions { mailbox: None, count: all })),
        130 => world.fault(Fault::Disconnect, Some("Subscribe"), None, Some(5)),
        140 => world.fault(Fault::Lose { what: Lost::Items }, None, Some(n), Some(1)),
        _ => {}
    }
}
