//! Goal: the port over a real wire against a server that keeps Exchange's rules: affinity, limits, series,
//! moves, errors. Method: the Exchange simulator on sockets; calendars are changed over EWS as any client does.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod spoiled;
#[cfg(test)]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use calendar::ids::SubscriptionId;
use calendar::source::{Affinity, ChangeKind, EventSubject, Hint, Reading, SourceErrorKind};
use calendar::{AppointmentKind, CalendarSource, ItemId};
use proto_ews::DeleteType;
use simulator_exchange::{Fault, Options};
use world::{World, slot};

fn options(mailboxes: u32) -> Options {
    Options { mailboxes, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_are_located_with_their_site_and_unknown_ones_are_told_alone() {
    let world = World::start(Options { groups: 2, ..options(3) }).await;
    let mails: Vec<_> = [1, 2, 99, 3].map(World::mail).to_vec();
    let located = world.exchange.locate(&mails).await;
    let groupings: Vec<Option<String>> =
        located.iter().map(|l| l.as_ref().ok().map(|l| l.grouping.clone())).collect();
    assert_eq!(groupings[0], groupings[3], "dealt out in turn");
    assert_ne!(groupings[0], groupings[1]);
    assert_eq!(located[2].as_ref().unwrap_err().kind, SourceErrorKind::Mailbox);
    assert_eq!(located[0].as_ref().unwrap().endpoint, world.simulator.ews_url());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_listens_on_one_stream_within_its_affinity() {
    let world = World::start(options(8)).await;
    let (affinity, ids) = world.subscribe(&[1, 2, 3]).await;
    assert!(affinity.cookie.is_some());
    let mut stream = world.exchange.listen(&affinity, &ids).await.unwrap();
    assert_eq!(world::next(&mut stream).await, Hint::Opened);
    let folder = world.exchange.check(&world.mailbox(2)).await.unwrap().id;
    let item = world.create(2, "2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z").await;
    let (id, events) = world::events(&mut stream).await;
    assert_eq!(id, ids[1]);
    let first = &events[0];
    assert_eq!((first.kind, first.parent.as_ref()), (ChangeKind::Created, Some(&folder)));
    assert!(matches!(&first.subject, EventSubject::Item { id, .. } if id.as_str() == item));
    assert!(events.iter().any(|event| event.subject == EventSubject::Folder(folder.clone())));

    world.delete(2, &item, DeleteType::MoveToDeletedItems).await;
    let (_, events) = world::events(&mut stream).await;
    let moved = events.iter().find(|event| event.kind == ChangeKind::Moved).unwrap();
    match &moved.subject {
        EventSubject::Item { id, old_id, old_parent } => {
            assert_ne!(id.as_str(), item, "the identifier changes");
            assert_eq!(old_id.as_ref().map(ItemId::as_str), Some(item.as_str()));
            assert_eq!(old_parent.as_ref(), Some(&folder));
        }
        other => panic!("{other:?}"),
    }
    // without the cookie the anchor decides, and on another back end nobody knows the subscriptions
    drop(stream);
    let mut refusals = 0;
    for n in 2..=8 {
        let astray = Affinity { cookie: None, anchor: World::mail(n), ..affinity.clone() };
        match world.exchange.listen(&astray, &ids).await {
            Err(error) => {
                assert_eq!(error.kind, SourceErrorKind::Resubscribe, "{error:?}");
                refusals += 1;
            }
            Ok(mut stream) => match world::next_said(&mut stream).await {
                Ok(Hint::BadSubscriptions(bad, kind, _)) => {
                    assert_eq!((bad.len(), kind), (3, SourceErrorKind::Resubscribe));
                    refusals += 1;
                }
                // that mailbox lives on the same back end
                Ok(Hint::Opened) => {}
                other => panic!("{other:?}"),
            },
        }
    }
    assert!(refusals > 0, "every mailbox lives on one back end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_subscription_is_named_and_one_that_is_gone_is_told_as_such() {
    let world = World::start(options(2)).await;
    let (affinity, ids) = world.subscribe(&[1, 2]).await;
    let ended = async |id| {
        world.exchange.unsubscribe(&world.mailbox(1), &affinity, id).await.map_err(|error| error.kind)
    };
    assert_eq!(ended(&ids[0]).await, Ok(()));
    assert_eq!(ended(&ids[0]).await, Err(SourceErrorKind::Resubscribe));
    let mut stream = world.exchange.listen(&affinity, &ids).await.unwrap();
    let bad = loop {
        match world::next_said(&mut stream).await.unwrap() {
            Hint::BadSubscriptions(bad, kind, _) => {
                assert_eq!(kind, SourceErrorKind::Resubscribe);
                break bad;
            }
            Hint::Opened | Hint::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(bad, [ids[0].clone()]);
    assert_eq!(ended(&SubscriptionId::new("unknown")).await, Err(SourceErrorKind::Resubscribe));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_caught_up_page_by_page_from_any_state() {
    let world = World::start(options(1)).await;
    let mailbox = world.mailbox(1);
    let empty = world.exchange.catch_up(&mailbox, None).await.unwrap();
    assert!(empty.changed.is_empty() && !empty.more);
    let a = world.create(1, "2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z").await;
    let b = world.create(1, "2031-03-05T09:00:00Z", "2031-03-05T10:00:00Z").await;
    let page = world.exchange.catch_up(&mailbox, Some(&empty.state)).await.unwrap();
    let mut changed: Vec<&str> = page.changed.iter().map(ItemId::as_str).collect();
    changed.sort_unstable();
    let mut expected = vec![a.as_str(), b.as_str()];
    expected.sort_unstable();
    assert_eq!(changed, expected);
    world.delete(1, &a, DeleteType::HardDelete).await;
    let later = world.exchange.catch_up(&mailbox, Some(&page.state)).await.unwrap();
    assert_eq!(later.deleted, [ItemId::new(a)]);
    let nonsense = calendar::ids::SyncState::new("nonsense");
    let refused = world.exchange.catch_up(&mailbox, Some(&nonsense)).await.unwrap_err();
    assert_eq!(refused.kind, SourceErrorKind::SyncStateRejected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_read_where_they_are() {
    let world = World::start(options(1)).await;
    let mailbox = world.mailbox(1);
    let there = world.create(1, "2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z").await;
    let trashed = world.create(1, "2031-03-04T11:00:00Z", "2031-03-04T12:00:00Z").await;
    let before = world.exchange.catch_up(&mailbox, None).await.unwrap().state;
    world.delete(1, &trashed, DeleteType::MoveToDeletedItems).await;
    let moved = world.trash(1).await;
    let ids = [there.clone(), trashed, moved].map(ItemId::new);
    let readings = world.exchange.read_items(&mailbox, &ids).await.unwrap();
    match &readings[0] {
        Reading::There(appointment) => {
            assert_eq!(appointment.slot, slot("2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z"));
            assert_eq!(appointment.kind, AppointmentKind::Single);
            assert!(appointment.uid.is_some() && appointment.zone.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((&readings[1], &readings[2]), (&Reading::Gone, &Reading::Elsewhere));
    assert_eq!(world.exchange.catch_up(&mailbox, Some(&before)).await.unwrap().deleted.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_holds_series_unfolded_whether_or_not_the_view_tells_their_origin() {
    for sparse_views in [false, true] {
        let world = World::start(Options { sparse_views, ..options(1) }).await;
        let mailbox = world.mailbox(1);
        let master = world.create_daily(1, "2031-03-03T08:00:00Z", "2031-03-03T09:00:00Z", 10).await;
        world.create(1, "2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z").await;
        world.shift_occurrence(1, &master, 3, "2031-03-05T12:00:00Z", "2031-03-05T13:00:00Z").await;
        let window = slot("2031-03-01T00:00:00Z", "2031-04-01T00:00:00Z");
        let found = world.exchange.read_window(&mailbox, window).await.unwrap().found;
        assert_eq!(found.len(), 11);
        let exception =
            found.iter().find(|appointment| appointment.kind == AppointmentKind::Exception).unwrap();
        assert_eq!(exception.recurrence_id, Some("2031-03-05T08:00:00Z".parse().unwrap()));
        assert_eq!(exception.slot, slot("2031-03-05T12:00:00Z", "2031-03-05T13:00:00Z"));
        let mut by_uid: BTreeMap<_, usize> = BTreeMap::new();
        found.iter().for_each(|appointment| *by_uid.entry(appointment.uid.clone()).or_default() += 1);
        let mut sizes: Vec<usize> = by_uid.into_values().collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 10], "a series shares its uid");
        let occurrence = ItemId::new(exception.item_id.as_str());
        let masters = world.exchange.masters_of(&mailbox, &[occurrence]).await.unwrap();
        assert_eq!(masters, [Some(ItemId::new(master))]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_calendar_is_read_completely_beyond_the_limit_of_a_view() {
    let world = World::start(options(1)).await;
    world.create_daily(1, "2031-01-01T08:00:00Z", "2031-01-01T09:00:00Z", 720).await;
    world.create_daily(1, "2031-01-01T10:00:00Z", "2031-01-01T11:00:00Z", 720).await;
    let window = slot("2031-01-01T00:00:00Z", "2034-01-01T00:00:00Z");
    let found = world.exchange.read_window(&world.mailbox(1), window).await.unwrap().found;
    assert_eq!(found.len(), 1_440);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_on_the_wire_has_its_class_and_passes() {
    let world = World::start(options(1)).await;
    let mailbox = world.mailbox(1);
    for (fault, kind) in [
        (Fault::ServerBusy { back_off_ms: Some(50) }, SourceErrorKind::Unavailable),
        (Fault::ServerBusy { back_off_ms: None }, SourceErrorKind::Unavailable),
        (Fault::BusyInBody { back_off_ms: 50 }, SourceErrorKind::Unavailable),
        (Fault::Http503, SourceErrorKind::Unavailable),
        (Fault::Unauthorized, SourceErrorKind::Credentials),
        (Fault::Disconnect, SourceErrorKind::Unavailable),
        (Fault::Malformed, SourceErrorKind::BadAnswer),
        (Fault::Oversized { bytes: 5 << 20 }, SourceErrorKind::BadAnswer),
        (Fault::Code { code: "ErrorOfTomorrow".into() }, SourceErrorKind::Unknown),
        (Fault::CodeInBody { code: "ErrorMailboxMoveInProgress".into() }, SourceErrorKind::Rediscover),
        (Fault::Slow { delay_ms: 5_000 }, SourceErrorKind::Unavailable),
    ] {
        world.fault(fault.clone());
        let error = world.exchange.check(&mailbox).await.unwrap_err();
        assert_eq!(error.kind, kind, "{fault:?}: {error:?}");
        assert!(error.after.is_none_or(|after| after <= Duration::from_secs(1)));
        // and the next call works, after whatever pause was asked for
        world.exchange.check(&mailbox).await.unwrap();
    }
    let missing = world.exchange.check(&world.mailbox(99)).await.unwrap_err();
    assert_eq!((missing.kind, missing.code.as_str()), (SourceErrorKind::Mailbox, "ErrorNonExistentMailbox"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_impersonation_rights_on_the_folder_do() {
    let world = World::start_as(Options { impersonation: false, ..options(1) }, false).await;
    let mailbox = world.mailbox(1);
    let folder = world.exchange.check(&mailbox).await.unwrap();
    let (affinity, ids) = world.subscribe(&[1]).await;
    let mut stream = world.exchange.listen(&affinity, &ids).await.unwrap();
    assert_eq!(world::next(&mut stream).await, Hint::Opened);
    assert!(!folder.id.as_str().is_empty());
    let page = world.exchange.catch_up(&mailbox, None).await.unwrap();
    assert!(page.changed.is_empty());
    let window = slot("2031-03-01T00:00:00Z", "2031-04-01T00:00:00Z");
    assert_eq!(world.exchange.read_window(&mailbox, window).await.unwrap().found, []);
}
