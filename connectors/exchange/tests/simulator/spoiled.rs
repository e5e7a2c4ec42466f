//! Mailboxes of which something is wrong: not where they are thought to be, not shared, an appointment that cannot
//! be read, a sync state of another time. What is right with them goes on.

use calendar::source::{Location, Reading, SourceErrorKind};
use calendar::{CalendarSource, ItemId, SourceError};
use simulator_exchange::mailbox::{Access, Discovery};
use simulator_exchange::{Act, Fault, Options};
use simulator_kit::FaultRule;

use super::options;
use super::world::{World, slot};

fn act(world: &World, act: &Act) {
    world.simulator.service().act(act).unwrap();
}

fn access(world: &World, n: u32, access: Access) {
    act(world, &Act::Access { mailbox: World::mail(n).to_string(), access });
}

fn discovery(world: &World, n: u32, answer: Discovery) {
    act(world, &Act::Discovery { mailbox: World::mail(n).to_string(), answer });
}

fn codes(located: &[Result<Location, SourceError>]) -> Vec<&str> {
    located.iter().map(|one| one.as_ref().map_or_else(|error| error.code.as_str(), |_| "found")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_soap_tells_the_same_plainly() {
    let world = World::start(Options { groups: 2, ..options(3) }).await;
    let mails: Vec<_> = [1, 2, 99, 3].map(World::mail).to_vec();
    let by_soap = world.exchange.locate(&mails).await;
    assert_eq!(codes(&by_soap), ["found", "found", "InvalidUser", "found"]);

    let world = World::start(Options { groups: 2, ..options(3) }).await;
    let rule = FaultRule {
        kind: Fault::NotFound,
        operation: Some("GetUserSettings".into()),
        mailbox: None,
        probability: Some(1.0),
        next: None,
    };
    world.simulator.service().faults.add(vec![rule]).unwrap();
    let plainly = world.exchange.locate(&mails).await;
    assert_eq!(codes(&plainly), ["found", "found", "autodiscover 500", "found"]);
    for (n, (one, other)) in by_soap.iter().zip(&plainly).enumerate() {
        let grouping =
            |located: &Result<Location, SourceError>| located.as_ref().ok().map(|l| l.grouping.clone());
        assert_eq!(grouping(one), grouping(other), "mailbox {n}");
    }
    // whoever was found needs no further question to be read
    world.exchange.check(&world.mailbox(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_autodiscover_says_of_a_mailbox_holds_for_it_alone() {
    let world = World::start(Options { groups: 2, ..options(6) }).await;
    discovery(&world, 1, Discovery::NoEndpointInSoap);
    discovery(&world, 2, Discovery::NoEndpoint);
    discovery(&world, 3, Discovery::RedirectAddress("m0006@sim.test".into()));
    discovery(
        &world,
        4,
        Discovery::RedirectUrl("http://elsewhere.sim.test/autodiscover/autodiscover.svc".into()),
    );
    discovery(&world, 5, Discovery::RedirectAddress("m0005@sim.test".into()));
    let mails: Vec<_> = (1..=6).map(World::mail).collect();
    let located = world.exchange.locate(&mails).await;
    assert_eq!(
        codes(&located),
        ["found", "no endpoint", "found", "bad redirect", "redirected in a circle", "found"]
    );
    // the one that was redirected lives where the other does
    assert_eq!(located[2].as_ref().unwrap(), located[5].as_ref().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_impersonation_a_mailbox_is_refused_that_gave_no_rights_and_the_others_are_not() {
    let world = World::start_as(Options { impersonation: false, ..options(4) }, false).await;
    access(&world, 1, Access::Unshared);
    access(&world, 2, Access::AvailabilityOnly);
    access(&world, 3, Access::AccessDenied);
    for (n, code) in [(1, "ErrorFolderNotFound"), (2, "no right to read"), (3, "ErrorAccessDenied")] {
        let error = world.exchange.check(&world.mailbox(n)).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (SourceErrorKind::Mailbox, code), "mailbox {n}");
    }
    world.exchange.check(&world.mailbox(4)).await.unwrap();
    let window = slot("2031-03-01T00:00:00Z", "2031-04-01T00:00:00Z");
    let error = world.exchange.read_window(&world.mailbox(2), window).await.unwrap_err();
    assert_eq!(error.code, "ErrorAccessDenied");
    // who impersonates the owner needs no rights
    let world = World::start(options(2)).await;
    access(&world, 1, Access::Unshared);
    access(&world, 2, Access::AvailabilityOnly);
    world.exchange.check(&world.mailbox(1)).await.unwrap();
    world.exchange.read_window(&world.mailbox(2), window).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_appointment_hides_no_other_in_a_view_nor_in_a_batch() {
    let world = World::start(options(1)).await;
    let mailbox = world.mailbox(1);
    let first = world.create(1, "2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z").await;
    let corrupt = world.create(1, "2031-03-17T09:00:00Z", "2031-03-17T10:00:00Z").await;
    let last = world.create(1, "2031-03-17T14:00:00Z", "2031-03-17T15:00:00Z").await;
    world.create_daily(1, "2031-03-20T08:00:00Z", "2031-03-20T09:00:00Z", 5).await;
    let spoil = |corrupt: &str, spoilt| Act::Corrupt {
        mailbox: World::mail(1).to_string(),
        item: corrupt.to_owned(),
        corrupt: spoilt,
    };
    act(&world, &spoil(&corrupt, true));
    let window = slot("2031-03-01T00:00:00Z", "2031-06-01T00:00:00Z");
    let read = world.exchange.read_window(&mailbox, window).await.unwrap();
    assert_eq!(read.found.len(), 7);
    // the server does not say which item it was: it lies in a short stretch
    let [hidden] = &read.unreadable[..] else { panic!("{:?}", read.unreadable) };
    assert_eq!((&hidden.item, hidden.error.code.as_str()), (&None, "ErrorItemCorrupt"));
    let item = ItemId::new(corrupt.clone());
    assert!(read.may_hide(Some(&item), slot("2031-03-17T09:00:00Z", "2031-03-17T10:00:00Z")));
    assert!(!read.may_hide(Some(&item), slot("2031-03-16T09:00:00Z", "2031-03-16T10:00:00Z")));
    assert!(!read.may_hide(Some(&item), slot("2031-03-18T09:00:00Z", "2031-03-18T10:00:00Z")));

    let ids = [&first, &corrupt, &last].map(|id| ItemId::new(id.clone()));
    let readings = world.exchange.read_items(&mailbox, &ids).await.unwrap();
    assert!(matches!(&readings[0], Reading::There(_)), "{readings:?}");
    assert!(
        matches!(&readings[1], Reading::Failed(error) if error.code == "ErrorItemCorrupt"),
        "{readings:?}"
    );
    assert!(matches!(&readings[2], Reading::There(_)), "{readings:?}");

    act(&world, &spoil(&corrupt, false));
    let read = world.exchange.read_window(&mailbox, window).await.unwrap();
    assert_eq!((read.found.len(), read.unreadable.len()), (8, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_series_leaves_the_stretches_beside_it_readable() {
    let world = World::start(options(1)).await;
    world.create(1, "2031-03-04T09:00:00Z", "2031-03-04T10:00:00Z").await;
    let series = world.create_daily(1, "2031-05-01T08:00:00Z", "2031-05-01T09:00:00Z", 3).await;
    act(&world, &Act::Corrupt { mailbox: World::mail(1).to_string(), item: series, corrupt: true });
    let window = slot("2031-03-01T00:00:00Z", "2031-06-01T00:00:00Z");
    let read = world.exchange.read_window(&world.mailbox(1), window).await.unwrap();
    assert_eq!(read.found.len(), 1);
    for day in 1..=3 {
        let occurrence = slot(&format!("2031-05-0{day}T08:00:00Z"), &format!("2031-05-0{day}T09:00:00Z"));
        assert!(read.may_hide(Some(&ItemId::new("any")), occurrence), "{day}");
    }
    let march = slot("2031-03-01T00:00:00Z", "2031-04-01T00:00:00Z");
    assert!(!read.may_hide(Some(&ItemId::new("any")), march));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_state_of_before_a_restore_is_refused_and_a_new_one_is_not() {
    let world = World::start(options(1)).await;
    let mailbox = world.mailbox(1);
    let before = world.exchange.catch_up(&mailbox, None).await.unwrap().state;
    act(&world, &Act::ForgetSyncStates { mailbox: World::mail(1).to_string() });
    let error = world.exchange.catch_up(&mailbox, Some(&before)).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::SyncStateRejected);
    let anew = world.exchange.catch_up(&mailbox, None).await.unwrap().state;
    world.exchange.catch_up(&mailbox, Some(&anew)).await.unwrap();
}

/// A daily series of which every occurrence was moved by an hour, as a calendar file.
fn much_changed_series(occurrences: i64) -> String {
    let first: jiff::civil::Date = "2031-01-01".parse().unwrap();
    let day = |n: i64| first.saturating_add(jiff::Span::new().days(n)).strftime("%Y%m%d").to_string();
    let mut text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:MUCH-CHANGED\r\nDTSTART:{0}T080000Z\r\nDTEND:{0}T090000Z\r\n\
         RRULE:FREQ=DAILY;COUNT={occurrences}\r\nEND:VEVENT\r\n",
        day(0)
    );
    for n in 0..occurrences {
        text += &format!(
            "BEGIN:VEVENT\r\nUID:MUCH-CHANGED\r\nRECURRENCE-ID:{0}T080000Z\r\nDTSTART:{0}T090000Z\r\n\
             DTEND:{0}T100000Z\r\nEND:VEVENT\r\n",
            day(n)
        );
    }
    text + "END:VCALENDAR\r\n"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_with_3000_exceptions_is_read_completely_also_where_the_view_leaves_out_their_origin() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m0001.ics"), much_changed_series(3_000)).unwrap();
    let calendars = Some(folder.path().to_owned());
    let world = World::start(Options { sparse_views: true, calendars, ..options(1) }).await;
    let window = slot("2031-01-01T00:00:00Z", "2039-12-01T00:00:00Z");
    let read = world.exchange.read_window(&world.mailbox(1), window).await.unwrap();
    assert_eq!((read.found.len(), read.unreadable.len()), (3_000, 0));
    for item in &read.found {
        let original = item.slot.start.checked_sub(jiff::SignedDuration::from_hours(1)).unwrap();
        assert_eq!(item.recurrence_id, Some(original));
    }
}
