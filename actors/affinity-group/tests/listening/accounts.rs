//! Goal: the groups are spread over the service accounts within their limits, accounts come and go without touching
//! other groups' streams, growth is made in batches, and a busy account holds up its own groups alone.

use simulator_exchange::{Act, Options};

use crate::ANY;
use crate::harness::{World, run};

/// Groups of two mailboxes, two groups an account, and accounts `svc2` to `svc<accounts>`.
async fn world(runtime: tokio::runtime::Handle, mailboxes: u32, accounts: i64) -> World {
    let options = Options { mailboxes, accounts: 5, streams_per_account: 2, ..Options::default() };
    let mut world = World::new(runtime, options).await;
    world.options.mailboxes_per_subscription_group = 2;
    world.options.subscription_groups_per_credential = 2;
    for n in 1..=mailboxes {
        world.add_resource(n).await;
    }
    for number in 2..=accounts {
        world.add_account(number).await;
    }
    world.start();
    world
}

fn streams(of: &[(&str, usize)]) -> std::collections::BTreeMap<String, usize> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn an_account_too_few_is_told_and_one_more_covers_the_rest_without_touching_other_streams() {
    run(|runtime| async move {
        let mut world = world(runtime, 10, 3).await;
        world.wait_listened_of(8, 2).await;
        assert_eq!(world.streams_by_account(), streams(&[("svc2", 2), ("svc3", 2)]));
        let uncovered =
            "select error_description from planner_resource where error_code = 'NotCovered' limit 1";
        let told = world.text(uncovered).await.unwrap();
        assert!(told.contains("4934"), "{told}");
        let opened = world.requests("GetStreamingEvents");
        let subscribed = world.requests("Subscribe");

        world.add_account(4).await;
        world.wait_listened(10).await;
        assert_eq!(world.streams_by_account(), streams(&[("svc2", 2), ("svc3", 2), ("svc4", 1)]));
        assert_eq!(world.requests("Subscribe") - subscribed, 2, "the two that were not covered");
        assert!(world.requests("GetStreamingEvents") - opened <= 2, "only the new group's stream was opened");
        world.stop().await;
    });
}

#[test]
fn the_groups_of_a_removed_account_move_to_one_with_room_and_the_others_stay() {
    run(|runtime| async move {
        let mut world = world(runtime, 8, 4).await;
        world.wait_listened(8).await;
        let before = world.streams_by_account();
        assert_eq!(before.values().sum::<usize>(), 4, "{before:?}");
        let kept = "select count(*) from subscription where service_user_credential_id <> 2";
        let others = world.number(kept).await;
        let newest = world.number("select max(id) from subscription").await;

        world.remove_account(2).await;
        world
            .until("the groups to have moved", || async {
                let now = world.streams_by_account();
                if now == streams(&[("svc3", 2), ("svc4", 2)]) && world.streamed() == 8 {
                    return Ok(());
                }
                Err(format!("{now:?}, {} streamed", world.streamed()))
            })
            .await;
        world.wait_listened(8).await;
        let old = format!("select count(*) from subscription where id <= {newest}");
        assert_eq!(world.number(&old).await, others, "no other group was formed anew");
        // what happens in a mailbox that moved is heard
        for n in 1..=8 {
            let item = world.create(n).await;
            world.wait_for_item(n, &item, ANY).await;
        }
        world.stop().await;
    });
}

#[test]
fn without_any_account_nobody_is_covered_until_one_comes() {
    run(|runtime| async move {
        let mut world = world(runtime, 2, 1).await;
        world.wait_listened(2).await;
        assert_eq!(
            world.streams_by_account(),
            streams(&[("svc", 1)]),
            "an empty table means the default one"
        );
        world.stop().await;
        world.accounts.clear();
        world.start();
        world.wait_listened_of(0, 2).await;
        let told = world.text("select error_description from planner_resource limit 1").await.unwrap();
        assert!(told.contains("4933"), "{told}");
        world.add_account(2).await;
        world.wait_listened(2).await;
        assert_eq!(world.streams_by_account(), streams(&[("svc2", 1)]));
        world.stop().await;
    });
}

#[test]
fn a_busy_account_holds_up_its_own_groups_alone() {
    run(|runtime| async move {
        let mut world = world(runtime, 4, 3).await;
        world.wait_listened(4).await;
        assert_eq!(world.streams_by_account(), streams(&[("svc2", 1), ("svc3", 1)]));
        // another instance was told that svc2 must wait, and then all streams break
        world.hold(2);
        let caught_up = world.requests("SyncFolderItems");
        assert_eq!(world.act(Act::DropStreams { count: None, mailbox: None }), 2);
        world
            .until("the stream of the other account", || async {
                let now = world.streams_by_account();
                if now == streams(&[("svc3", 1)]) { Ok(()) } else { Err(format!("{now:?}")) }
            })
            .await;
        // the group of svc3 has mailboxes 3 and 4; its mailboxes catch up and are heard
        for n in [3, 4] {
            let item = world.create(n).await;
            world.wait_for_item(n, &item, ANY).await;
        }
        assert_eq!(world.streams_by_account(), streams(&[("svc3", 1)]));
        assert!(world.requests("SyncFolderItems") - caught_up <= 4, "nobody asks for the mailboxes of svc2");
        world.stop().await;
    });
}

#[test]
fn a_group_that_gets_many_members_at_once_opens_its_stream_a_few_times_only() {
    run(|runtime| async move {
        let mut world = World::new(runtime, Options { mailboxes: 160, ..Options::default() }).await;
        for n in 1..=10 {
            world.add_resource(n).await;
        }
        world.start();
        world.wait_listened(10).await;
        let opened = world.requests("GetStreamingEvents");
        for n in 11..=160 {
            world.add_resource(n).await;
        }
        world.wait_listened(160).await;
        let growths = world.requests("GetStreamingEvents") - opened;
        assert!(growths <= 12, "150 mailboxes came, the stream was opened {growths} times");
        println!("150 mailboxes came, the stream was opened {growths} times");
        assert_eq!(world.number("select count(*) from subscription").await, 1);
        world.stop().await;
    });
}
