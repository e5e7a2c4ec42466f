//! Goal: a subscription is ended that nobody needs any more: one that Exchange has made while its answer was on its way when
//! nobody is left who waits for it, and one whose ending fails at first. Method: the answers to Subscribe are kept back
//! until that is so. Before, each of these left one behind (seen as gentle seeds 35, 107 and 123 of the torture at a high
//! load).

use simulator_exchange::{Fault, Lost, Options};

use crate::harness::{World, run};

/// Three mailboxes, of which the third is being subscribed to: Exchange has done it, the answer is kept back.
async fn world(runtime: tokio::runtime::Handle) -> World {
    let mut world = World::new(runtime, Options { mailboxes: 3, ..Options::default() }).await;
    world.add_resource(1).await;
    world.add_resource(2).await;
    world.start();
    world.wait_listened(2).await;
    world.answers.send_replace(false);
    world.add_resource(3).await;
    world.wait_subscribed(3, 2).await;
    world
}

/// Another owner had them for a moment.
async fn lose_leases(world: &World) {
    world
        .execute("update lease set token = token + 1, owner = '', expires_at = 'epoch' where owner <> ''")
        .await;
}

#[test]
fn when_the_group_has_lost_its_lease_meanwhile() {
    run(|runtime| async {
        let world = world(runtime).await;
        lose_leases(&world).await;
        world
            .until("a group without its stream", || async {
                match world.streamed() {
                    0 => Ok(()),
                    streamed => Err(format!("{streamed} streamed")),
                }
            })
            .await;
        world.answers.send_replace(true);
        world.wait_listened(3).await;
        world.wait_subscribed(3, 3).await;
    });
}

#[test]
fn when_its_mailbox_has_left_meanwhile() {
    run(|runtime| async {
        let world = world(runtime).await;
        world.drop_resource(3).await;
        world
            .until("no third member", || async {
                match world.number("select count(*) from planner_resource_subscription").await {
                    2 => Ok(()),
                    members => Err(format!("{members} members")),
                }
            })
            .await;
        // its actor has ended when its name is gone from the tree
        world
            .until("the end of its actor", || async {
                let tree = format!("{:?}", world.tree().status());
                if tree.contains(World::mail(3).as_str()) { Err(tree) } else { Ok(()) }
            })
            .await;
        world.answers.send_replace(true);
        world.wait_subscribed(2, 2).await;
    });
}

#[test]
fn when_the_listener_ends_in_order_which_waits_for_it() {
    run(|runtime| async {
        let mut world = world(runtime).await;
        let answers = world.answers.clone();
        let ending = std::sync::Arc::clone(&world.ending);
        let release = tokio::spawn(async move {
            // the other two are being ended
            ending.notified().await;
            answers.send_replace(true);
        });
        world.stop().await;
        release.await.unwrap();
        assert_eq!(world.simulator.service().world().hub.subscriptions(), 0);
    });
}

/// What only fails for a moment is tried again: a former one, here of a process that died, and one whose mailbox leaves.
#[test]
fn when_ending_it_fails_at_first() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        let known =
            "select string_agg(ews_subscription_id, ',' order by mail) from planner_resource_subscription";
        let left = world.text(known).await;
        // without its lease the group does not end its subscriptions
        world.fault(Fault::Http503, Some("Unsubscribe"), None, Some(2));
        lose_leases(&world).await;
        world
            .until("new subscriptions", || async {
                if world.text(known).await == left { Err(format!("{left:?}")) } else { Ok(()) }
            })
            .await;
        world.wait_listened(3).await;
        world.wait_subscribed(3, 3).await;
        assert!(world.requests("Unsubscribe") >= 5, "two of them in vain");

        world.fault(Fault::Http503, Some("Unsubscribe"), None, Some(1));
        world.drop_resource(2).await;
        world.wait_subscribed(2, 2).await;
    });
}

/// What a former owner left behind is known until it is replaced, however often that fails, or the mailbox leaves.
#[test]
fn when_replacing_it_fails_at_first() {
    run(|runtime| async {
        let world = World::listening(runtime, 3).await;
        // the third cannot be subscribed to any more
        world.fault(Fault::Http503, Some("Subscribe"), Some(3), None);
        world.fault(Fault::Http503, Some("Subscribe"), Some(2), Some(2));
        let failed = world.requests("Subscribe");
        lose_leases(&world).await;
        world
            .until("tries in vain", || async {
                let tries = world.requests("Subscribe") - failed;
                if tries >= 6 && world.streamed() == 2 { Ok(()) } else { Err(format!("{tries} tries")) }
            })
            .await;
        world.wait_subscribed(3, 2).await;
        world.drop_resource(3).await;
        world.wait_subscribed(2, 2).await;
    });
}

/// Three mailboxes; the third was live, and cannot be caught up with: it is in error, and its subscription is on no stream.
async fn parked(runtime: tokio::runtime::Handle) -> World {
    let world = World::listening(runtime, 3).await;
    let refused = Fault::CodeInBody { code: "ErrorAccessDenied".to_owned() };
    world.fault(refused, Some("SyncFolderItems"), Some(3), None);
    world.fault(Fault::Lose { what: Lost::AllAndTold }, None, Some(3), Some(1));
    world.create(3).await;
    world.wait_subscribed(3, 2).await;
    world
}

#[test]
fn when_its_mailbox_leaves_while_it_is_in_error() {
    run(|runtime| async {
        let world = parked(runtime).await;
        world.drop_resource(3).await;
        world.wait_subscribed(2, 2).await;
    });
}

#[test]
fn when_the_listener_ends_while_its_mailbox_is_in_error() {
    run(|runtime| async {
        let mut world = parked(runtime).await;
        world.stop().await;
        assert_eq!(world.simulator.service().world().hub.subscriptions(), 0);
    });
}
