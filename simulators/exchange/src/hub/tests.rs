//! Goal: who hears what, what waits, what a second stream does to the first, and every refusal.
use super::*;
use crate::event::{Action, Object, events};
use crate::ids::ItemKey;

const HERE: BackEnd = BackEnd { group: 0, index: 1 };
const THERE: BackEnd = BackEnd { group: 0, index: 2 };
const MAILBOX: MailboxKey = MailboxKey(7);
const ALL_KINDS: &[EventKind] = &[
    EventKind::Created,
    EventKind::Modified,
    EventKind::Moved,
    EventKind::Deleted,
    EventKind::FreeBusyChanged,
    EventKind::Copied,
];

fn now() -> Timestamp {
    "2026-03-02T09:15:07Z".parse().unwrap()
}

fn subscribe(hub: &mut Hub, account: usize) -> String {
    let heard = Heard::These(vec![FolderKind::Calendar]);
    hub.subscribe(MAILBOX, account, HERE, "ex1-2.sim.test", heard, ALL_KINDS, 3, now()).unwrap().to_string()
}

fn open(hub: &mut Hub, ids: &[&String]) -> u64 {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    hub.open(0, HERE, &ids, 3, now()).unwrap().0
}

fn create(hub: &mut Hub, number: u64, delivery: Delivery) {
    let item = ItemKey { mailbox: MAILBOX, folder: FolderKind::Calendar, number, occurrence: None };
    hub.publish(MAILBOX, &events(Action::Created, item, true, now()), None, delivery, now());
}

fn events_of(output: Output) -> Vec<Batch> {
    match output {
        Output::Events(events) => events,
        other => panic!("no events but {other:?}"),
    }
}

#[test]
fn events_wait_for_a_stream_and_for_the_next_one() {
    let mut hub = Hub::default();
    let id = subscribe(&mut hub, 0);
    create(&mut hub, 1, Delivery::Normal);
    assert_eq!(hub.subscription(&id).unwrap().waiting(), 3);
    let stream = open(&mut hub, &[&id]);
    let all = events_of(hub.collect(stream));
    assert_eq!((all.len(), all[0].events.len(), all[0].more), (1, 3, false));
    assert_eq!(hub.collect(stream), Output::Nothing);
    hub.close(stream, now());
    create(&mut hub, 2, Delivery::Normal);
    let stream = open(&mut hub, &[&id]);
    assert_eq!(events_of(hub.collect(stream))[0].events.len(), 3);
    assert_eq!(hub.streams().next().unwrap().1.events, 3);
}

#[test]
fn at_most_fifty_events_then_more() {
    let mut hub = Hub::default();
    let id = subscribe(&mut hub, 0);
    for number in 0..20 {
        create(&mut hub, number * 3 + 1, Delivery::Normal);
    }
    let stream = open(&mut hub, &[&id]);
    let first = events_of(hub.collect(stream));
    assert_eq!((first[0].events.len(), first[0].more), (50, true));
    let second = events_of(hub.collect(stream));
    assert_eq!((second[0].events.len(), second[0].more), (10, false));
}

#[test]
fn a_second_stream_ends_the_first() {
    let mut hub = Hub::default();
    let (one, two) = (subscribe(&mut hub, 0), subscribe(&mut hub, 0));
    let first = open(&mut hub, &[&one, &two]);
    let second = open(&mut hub, &[&one]);
    assert_eq!(
        hub.collect(first),
        Output::Last(ResponseCode::NEW_EVENT_STREAM_CONNECTION_OPENED, vec![one.as_str().into()])
    );
    create(&mut hub, 1, Delivery::Normal);
    let all = events_of(hub.collect(second));
    assert_eq!((all.len(), &*all[0].id), (1, one.as_str()));
    // closing the first must not take the second off
    hub.close(first, now());
    assert!(hub.subscription(&one).unwrap().is_streamed());
    assert!(!hub.subscription(&two).unwrap().is_streamed());
}

#[test]
fn one_bad_id_refuses_the_whole_stream() {
    let mut hub = Hub::default();
    let (mine, foreign) = (subscribe(&mut hub, 0), subscribe(&mut hub, 1));
    let refused = |hub: &mut Hub, back_end, ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        match hub.open(0, back_end, &ids, 3, now()) {
            Err(Refused::Subscriptions(bad)) => bad,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused(&mut hub, HERE, &[&mine, "unknown", &foreign]),
        [
            (ResponseCode::SUBSCRIPTION_ACCESS_DENIED, vec![foreign.clone()]),
            (ResponseCode::SUBSCRIPTION_NOT_FOUND, vec!["unknown".to_owned()]),
        ]
    );
    assert_eq!(
        refused(&mut hub, THERE, &[&mine]),
        [(ResponseCode::SUBSCRIPTION_NOT_FOUND, vec![mine.clone()])]
    );
    assert!(!hub.subscription(&mine).unwrap().is_streamed());
    assert_eq!(hub.unsubscribe(&foreign, 0), Err(ResponseCode::SUBSCRIPTION_ACCESS_DENIED));
    assert_eq!(hub.unsubscribe(&foreign, 1), Ok(()));
    assert_eq!(hub.unsubscribe(&foreign, 1), Err(ResponseCode::SUBSCRIPTION_NOT_FOUND));
}

#[test]
fn an_account_has_so_many_streams_and_a_mailbox_so_many_subscriptions() {
    let mut hub = Hub::default();
    let ids: Vec<String> = (0..3).map(|_| subscribe(&mut hub, 0)).collect();
    let heard = Heard::All;
    assert_eq!(hub.subscribe(MAILBOX, 0, HERE, "h", heard.clone(), ALL_KINDS, 3, now()), None);
    let elsewhere = MailboxKey(8);
    let other =
        hub.subscribe(elsewhere, 0, HERE, "h", heard.clone(), ALL_KINDS, 3, now()).unwrap().to_string();
    for id in &ids {
        open(&mut hub, &[id]);
    }
    assert_eq!(
        hub.open(0, HERE, std::slice::from_ref(&other), 3, now()).unwrap_err(),
        Refused::TooManyStreams
    );
    // another account has its own
    let of_two = hub.subscribe(elsewhere, 1, HERE, "h", heard, ALL_KINDS, 3, now()).unwrap().to_string();
    assert!(hub.open(1, HERE, &[of_two], 3, now()).is_ok());
    // a stream that takes over an open one needs no further place
    let again = hub.open(0, HERE, &[ids[0].clone(), other], 3, now());
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn deliveries() {
    for (delivery, expected) in [(Delivery::WithoutItems, 1), (Delivery::Twice, 6), (Delivery::Normal, 3)] {
        let mut hub = Hub::default();
        let id = subscribe(&mut hub, 0);
        create(&mut hub, 1, delivery);
        let stream = open(&mut hub, &[&id]);
        let all = events_of(hub.collect(stream));
        assert_eq!(all[0].events.len(), expected, "{delivery:?}");
        if delivery == Delivery::WithoutItems {
            assert_eq!(all[0].events[0].object, Object::Folder(FolderKind::Calendar));
        }
    }
    let mut hub = Hub::default();
    let id = subscribe(&mut hub, 0);
    let stream = open(&mut hub, &[&id]);
    create(&mut hub, 1, Delivery::Lost);
    assert_eq!(hub.collect(stream), Output::Nothing);
    create(&mut hub, 1, Delivery::LostAndTold);
    let missed = Output::Problem(ResponseCode::MISSED_NOTIFICATION_EVENTS, vec![id.as_str().into()]);
    assert_eq!(hub.collect(stream), missed);
    assert_eq!(hub.collect(stream), Output::Nothing, "told once, and the subscription lives on");
}

#[test]
fn a_full_queue_says_that_events_were_missed() {
    let mut hub = Hub::default();
    let id = subscribe(&mut hub, 0);
    for number in 0..=MAX_QUEUE as u64 / 3 {
        create(&mut hub, number * 3 + 1, Delivery::Normal);
    }
    assert!(hub.subscription(&id).unwrap().waiting() <= MAX_QUEUE);
    let stream = open(&mut hub, &[&id]);
    assert!(matches!(hub.collect(stream), Output::Problem(..)));
}

#[test]
fn only_the_asked_for_kinds_and_folders() {
    let mut hub = Hub::default();
    let heard = Heard::These(vec![FolderKind::Calendar]);
    let kinds = [EventKind::Deleted];
    let id = hub.subscribe(MAILBOX, 0, HERE, "h", heard, &kinds, 3, now()).unwrap();
    create(&mut hub, 1, Delivery::Normal);
    let trashed = ItemKey { mailbox: MAILBOX, folder: FolderKind::DeletedItems, number: 9, occurrence: None };
    hub.publish(MAILBOX, &events(Action::Deleted, trashed, true, now()), None, Delivery::Normal, now());
    assert_eq!(hub.subscription(&id).unwrap().waiting(), 0);
    let item = ItemKey { folder: FolderKind::Calendar, ..trashed };
    hub.publish(MAILBOX, &events(Action::Deleted, item, true, now()), None, Delivery::Normal, now());
    assert_eq!(hub.subscription(&id).unwrap().waiting(), 1);
    hub.publish(MailboxKey(8), &events(Action::Deleted, item, true, now()), None, Delivery::Normal, now());
    assert_eq!(hub.subscription(&id).unwrap().waiting(), 1);
}

#[test]
fn disturbed_streams_are_cut_or_silent() {
    let mut hub = Hub::default();
    let ids: Vec<String> = (0..3).map(|_| subscribe(&mut hub, 0)).collect();
    let streams: Vec<u64> = ids.iter().map(|id| open(&mut hub, &[id])).collect();
    assert_eq!(hub.disturb(Some(1), None, false), 1);
    assert_eq!(hub.collect(streams[0]), Output::Cut);
    assert_eq!(hub.disturb(None, None, true), 2);
    create(&mut hub, 1, Delivery::Normal);
    assert_eq!(hub.collect(streams[1]), Output::Silence);
    assert_eq!(hub.subscription(&ids[1]).unwrap().waiting(), 0, "swallowed");
    // a new stream for the same subscription is no longer swallowed by the old one
    let anew = open(&mut hub, &[&ids[1]]);
    create(&mut hub, 4, Delivery::Normal);
    assert_eq!(hub.collect(streams[1]), Output::Silence);
    assert_eq!(events_of(hub.collect(anew))[0].events.len(), 3);
}

#[test]
fn only_the_streams_of_a_mailbox_are_cut_where_one_is_named() {
    let mut hub = Hub::default();
    let other = MailboxKey(8);
    let heard = Heard::These(vec![FolderKind::Calendar]);
    let theirs =
        hub.subscribe(other, 0, HERE, "ex1-2.sim.test", heard, ALL_KINDS, 3, now()).unwrap().to_string();
    let (one, two) = (subscribe(&mut hub, 0), subscribe(&mut hub, 0));
    let both = open(&mut hub, &[&theirs, &one]);
    let alone = open(&mut hub, &[&two]);
    assert_eq!(hub.disturb(None, Some(MailboxKey(9)), false), 0, "nobody hears it");
    assert_eq!(hub.disturb(None, Some(other), false), 1);
    assert_eq!((hub.collect(both), hub.collect(alone)), (Output::Cut, Output::Nothing));
    assert_eq!(hub.disturb(None, Some(other), false), 0, "it is cut already");
    assert_eq!(hub.disturb(None, Some(MAILBOX), false), 1);
}

#[test]
fn an_ended_subscription_ends_its_stream() {
    let mut hub = Hub::default();
    let (one, two) = (subscribe(&mut hub, 0), subscribe(&mut hub, 0));
    let stream = open(&mut hub, &[&one, &two]);
    assert!(hub.end(&one, ResponseCode::EXPIRED_SUBSCRIPTION));
    assert!(!hub.end(&one, ResponseCode::EXPIRED_SUBSCRIPTION));
    assert_eq!(
        hub.collect(stream),
        Output::Last(ResponseCode::EXPIRED_SUBSCRIPTION, vec![one.as_str().into()])
    );
    hub.close(stream, now());
    assert_eq!(hub.subscriptions(), 1);
    hub.end_all_of(MAILBOX, &ResponseCode::SUBSCRIPTION_NOT_FOUND);
    assert_eq!((hub.subscriptions(), hub.ids(Some(MAILBOX)).len()), (0, 0));
}

#[test]
fn an_idle_subscription_ends_and_a_streamed_one_does_not() {
    let mut hub = Hub::default();
    let (idle, streamed) = (subscribe(&mut hub, 0), subscribe(&mut hub, 0));
    open(&mut hub, &[&streamed]);
    let later = now() + IDLE_LIMIT + SignedDuration::from_secs(1);
    hub.publish(MAILBOX, &[], None, Delivery::Normal, later);
    assert!(hub.subscription(&idle).is_none());
    assert!(hub.subscription(&streamed).is_some());
}
