//! Goal: a full read makes the decisions what the calendar says, infers absence from a complete reading only,
//! and ends where live changes end. Method: a real database, a calendar in memory; random histories with a
//! fixed seed, so that a failure can be seen again.
use calendar::source::SourceErrorKind;
use calendar::testing::{failure, occurrence, single};
use calendar::{Appointment, FreeBusy, MailAddress, Uid};
use store::notifications::NotificationKind as Kind;

use super::*;
use crate::testkit::{Kit, mail, options, policy, slot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finds_everything_and_infers_what_is_absent() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.source.put(&mail(1), single("b", "B", slot(3, 9)));
    kit.source.put_series(
        &mail(1),
        "s",
        "S",
        vec![occurrence("s1", "S", slot(4, 9)), occurrence("s2", "S", slot(5, 9))],
    );
    kit.source.put(&mail(1), single("far", "F", slot(400, 9)));
    kit.ask_full_read(1).await;
    kit.ask_full_read(1).await;
    assert_eq!(kit.work().await.unwrap().finished, 2);
    assert_eq!(kit.keys(1).await.len(), 4);
    let series = kit.services.store.series(&mail(1), &[], &[Uid::new("S")]).await.unwrap();
    assert_eq!(series[0].item_id.as_str(), "s");
    let client = kit.database.store.client("test").await.unwrap();
    let row = client
        .query_one("select full_read_began_at <= last_full_sync from planner_resource", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Option<bool>>(0), Some(true));
    let bulk = client.query_one("select bool_and(bulk) from calendar_event", &[]).await.unwrap();
    assert!(bulk.get::<_, bool>(0));
    // nobody told that these went
    kit.source.remove(&mail(1), "a");
    kit.source.remove(&mail(1), "s");
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["B"]);
    let calls = kit.source.calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation).collect();
    // one reading for two requests, and the master asked for once
    assert_eq!(operations, ["read_window", "masters_of", "read_window"]);
    assert_eq!(kit.log().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_answers_with_an_error_is_never_read_as_empty() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    for kind in [SourceErrorKind::Unavailable, SourceErrorKind::Mailbox, SourceErrorKind::Rediscover] {
        kit.source.set_mailbox_failing(&mail(1), Some(failure(kind)));
        kit.ask_full_read(1).await;
        assert!(kit.work().await.is_err(), "{kind:?}");
        assert_eq!(kit.keys(1).await, ["A"]);
    }
    assert!(kit.waiting().await.iter().all(|(attempts, _, aside)| *attempts == 0 && !aside));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_after_the_reading_began_is_left_alone() {
    let kit = Kit::new(1).await;
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    kit.source.remove(&mail(1), "a");
    let client = kit.database.store.client("test").await.unwrap();
    client.batch_execute("update calendar_event set decided_at = now() + interval '1 hour'").await.unwrap();
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adopted_keys_that_the_reading_lacks_are_absent() {
    let kit = Kit::new(1).await;
    let client = kit.database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into calendar_event (mail, origin_id, ack_there, ack_start, ack_end) values \
             ('m0001@sim.test', 'A', true, $1, $2), ('m0001@sim.test', 'gone', true, $1, $2), \
             ('m0001@sim.test', 'past', true, $3, $4)",
            &[&slot(2, 9).start, &slot(2, 9).end, &slot(-9, 9).start, &slot(-9, 9).end],
        )
        .await
        .unwrap();
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    let rows = client
        .query("select origin_id, version, wanted, pending from calendar_event order by origin_id", &[])
        .await
        .unwrap();
    let rows: Vec<(&str, i64, Option<bool>, bool)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    assert_eq!(rows, [("A", 1, Some(true), false), ("gone", 1, Some(false), true), ("past", 0, None, false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_the_database_refuses_does_not_keep_out_the_others() {
    let kit = Kit::new(1).await;
    kit.refuse("B").await;
    kit.source.put(&mail(1), single("bad", "B", slot(2, 9)));
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.source.put(&mail(1), single("c", "C", slot(2, 9)));
    kit.ask_full_read(1).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
    assert_eq!(kit.keys(1).await, ["A", "C"]);
    assert_eq!(kit.log().await, [("FullRead".to_owned(), "full read in part".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_does_not_work_for_long_is_tried_until_it_does() {
    let kit = Kit::new(1).await;
    kit.ask_full_read(1).await;
    let unreadable = UnreadableWindow(Arc::clone(&kit.source));
    let mut services = kit.services.clone();
    services.source = Arc::new(unreadable);
    let shared = crate::office::Shared::new(&options());
    let office = Office::new(Arc::new(options()), services, kit.office.fence.clone(), &shared);
    // nothing is sent for a new mailbox before: setting it aside would silence the mailbox
    for attempt in 1..=options().attempts + 2 {
        let batch = FullBatch { mail: mail(1), notifications: kit.claim().await, failures: 0 };
        assert_eq!(batch.notifications.len(), 1, "attempt {attempt}");
        assert_eq!(handle(&office, &batch).await.unwrap().failed, 1);
    }
    let waiting = kit.waiting().await;
    assert_eq!((waiting[0].0, waiting[0].2), (0, false));
    assert!(waiting[0].1.is_some(), "its error is recorded");
    kit.source.put(&mail(1), single("a", "A", slot(2, 9)));
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, ["A"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_taken_place_keeps_its_name() {
    let kit = Kit::new(1).await;
    let past = single("a", "A", slot(-3, 9));
    kit.source.put(&mail(1), past.clone());
    kit.source.put(&mail(1), single("b", "A", slot(2, 9)));
    let client = kit.database.store.client("test").await.unwrap();
    client
        .execute(
            "insert into calendar_event (mail, origin_id, uid, item_id, version, wanted, start_at, end_at, \
                                         decided_at, reading_began) \
             values ('m0001@sim.test', 'A', 'A', 'a', 1, true, $1, $2, $1, $1)",
            &[&past.slot.start, &past.slot.end],
        )
        .await
        .unwrap();
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    let there = kit.there(1).await;
    assert_eq!(there.len(), 2, "{there:?}");
    assert_eq!((there[0].0.as_str(), there[0].1), ("A", past.slot));
    assert_eq!((there[1].2.as_str(), there[1].1), ("b", slot(2, 9)));
}

/// B4: in another zone the occurrences of a series have other names. All of them are there under the new ones, none under the
/// old ones, and nobody is asked: nothing is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_zone_a_series_has_new_names_and_nothing_is_withheld() {
    let mut kit = Kit::new(1).await;
    let occurrences = (0..20).map(|n| occurrence(&format!("s{n:02}"), "S", slot(2 + n, 9)));
    kit.source.put_series(&mail(1), "s", "S", occurrences.collect());
    let names = |zone: &str| -> Vec<String> {
        let name = |n: i64| {
            let start = slot(2 + n, 9).start.in_tz(zone).unwrap();
            format!("S${}", start.strftime("%Y%m%d-%H%M%S"))
        };
        (0..20).map(name).collect()
    };
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await, names("Europe/Copenhagen"));
    let zones = calendar::Zones::named("Europe/London").unwrap();
    kit.decide_by(Policy { zones, ..policy() });
    kit.ask_full_read(1).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
    assert_eq!(kit.keys(1).await, names("Europe/London"));
    let times: Vec<calendar::Slot> = kit.there(1).await.into_iter().map(|(_, slot, _)| slot).collect();
    assert_eq!(times, (0..20).map(|n| slot(2 + n, 9)).collect::<Vec<_>>());
    assert_eq!(kit.services.store.withheld_runs(false, kit.office.now()).await.unwrap(), []);
    // and that is how it stays
    let before = versions(&kit).await;
    assert_eq!(before.len(), 40, "the old names are absent, not forgotten");
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(versions(&kit).await, before);
}

/// B4: what has a status that blocks no more is taken back at once, however much it is: it was seen, nothing is inferred.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_blocks_no_more_is_taken_back_and_nothing_is_withheld() {
    let mut kit = Kit::new(1).await;
    for n in 0..20 {
        let item = single(&format!("i{n:02}"), &format!("U{n:02}"), slot(2 + n, 9));
        kit.source.put(&mail(1), Appointment { free_busy: FreeBusy::Tentative, ..item });
    }
    let occurrences = (0..20).map(|n| {
        let item = occurrence(&format!("s{n:02}"), "S", slot(2 + n, 12));
        Appointment { free_busy: FreeBusy::Tentative, ..item }
    });
    kit.source.put_series(&mail(1), "s", "S", occurrences.collect());
    kit.source.put(&mail(1), single("busy", "B", slot(3, 15)));
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 41);
    let mut other = policy();
    other.busy_statuses.remove(&FreeBusy::Tentative);
    kit.decide_by(other);
    kit.ask_full_read(1).await;
    assert_eq!(kit.work().await.unwrap().finished, 1);
    assert_eq!(kit.keys(1).await, ["B"]);
    assert_eq!(kit.services.store.withheld_runs(false, kit.office.now()).await.unwrap(), []);
    // and back
    kit.decide_by(policy());
    kit.ask_full_read(1).await;
    kit.work().await.unwrap();
    assert_eq!(kit.keys(1).await.len(), 41);
}

/// A mailbox that can be reached, but whose window cannot be read.
#[derive(Debug)]
struct UnreadableWindow(Arc<calendar::testing::FakeCalendar>);

#[async_trait::async_trait]
impl calendar::CalendarSource for UnreadableWindow {
    async fn locate(
        &self,
        mailboxes: &[MailAddress],
    ) -> Vec<Result<calendar::source::Location, SourceError>> {
        self.0.locate(mailboxes).await
    }

    async fn check(
        &self,
        mailbox: &calendar::source::Mailbox,
    ) -> Result<calendar::source::CalendarFolder, SourceError> {
        self.0.check(mailbox).await
    }

    async fn subscribe(
        &self,
        mailbox: &calendar::source::Mailbox,
        affinity: &calendar::source::Affinity,
    ) -> Result<calendar::source::Subscribed, SourceError> {
        self.0.subscribe(mailbox, affinity).await
    }

    async fn unsubscribe(
        &self,
        mailbox: &calendar::source::Mailbox,
        affinity: &calendar::source::Affinity,
        id: &calendar::ids::SubscriptionId,
    ) -> Result<(), SourceError> {
        self.0.unsubscribe(mailbox, affinity, id).await
    }

    async fn listen(
        &self,
        affinity: &calendar::source::Affinity,
        ids: &[calendar::ids::SubscriptionId],
    ) -> Result<calendar::source::HintStream, SourceError> {
        self.0.listen(affinity, ids).await
    }

    async fn catch_up(
        &self,
        mailbox: &calendar::source::Mailbox,
        state: Option<&calendar::ids::SyncState>,
    ) -> Result<calendar::source::ChangePage, SourceError> {
        self.0.catch_up(mailbox, state).await
    }

    async fn read_items(
        &self,
        mailbox: &calendar::source::Mailbox,
        items: &[ItemId],
    ) -> Result<Vec<Reading>, SourceError> {
        self.0.read_items(mailbox, items).await
    }

    async fn masters_of(
        &self,
        mailbox: &calendar::source::Mailbox,
        occurrences: &[ItemId],
    ) -> Result<Vec<Option<ItemId>>, SourceError> {
        self.0.masters_of(mailbox, occurrences).await
    }

    async fn read_window(
        &self,
        _: &calendar::source::Mailbox,
        _: calendar::Slot,
    ) -> Result<WindowReading, SourceError> {
        Err(failure(SourceErrorKind::BadAnswer))
    }
}

/// A small random number generator with a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn slot(&mut self) -> calendar::Slot {
        slot(i64::try_from(self.roll(6)).unwrap() + 2, i64::try_from(self.roll(8)).unwrap() + 8)
    }
}

/// Changes the calendars of two mailboxes alike. Answers the hints.
fn change(
    dice: &mut Dice,
    kit: &Kit,
    next: &mut u32,
    live: &mut Vec<String>,
) -> Vec<(Kind, String, Option<String>)> {
    let uid = ["A", "B", "S"][usize::try_from(dice.roll(3)).unwrap()];
    let pick = |dice: &mut Dice, live: &[String]| {
        (!live.is_empty()).then(|| live[usize::try_from(dice.roll(live.len() as u64)).unwrap()].clone())
    };
    let mut fresh = || {
        *next += 1;
        format!("i{:03}", (*next * 37) % 1_000)
    };
    let both = [mail(1), mail(2)];
    match dice.roll(6) {
        0 | 1 => {
            let (id, slot) = (fresh(), dice.slot());
            let free = dice.roll(5) == 0;
            for mail in &both {
                let free_busy = if free { FreeBusy::Free } else { FreeBusy::Busy };
                kit.source.put(mail, Appointment { free_busy, ..single(&id, uid, slot) });
            }
            live.push(id.clone());
            vec![(Kind::Created, id, None)]
        }
        2 => {
            let id = fresh();
            let days = dice.roll(4);
            let first = dice.slot();
            for mail in &both {
                let occurrences = (0..days).map(|n| {
                    let shift = jiff::SignedDuration::from_hours(24 * i64::try_from(n).unwrap());
                    let slot = calendar::Slot { start: first.start + shift, end: first.end + shift };
                    occurrence(&format!("{id}-{n}"), &format!("{uid}{id}"), slot)
                });
                kit.source.put_series(mail, &id, &format!("{uid}{id}"), occurrences.collect());
            }
            live.push(id.clone());
            vec![(Kind::Created, id, None)]
        }
        3 => {
            let Some(id) = pick(dice, live) else { return Vec::new() };
            live.retain(|other| *other != id);
            both.iter().for_each(|mail| kit.source.remove(mail, &id));
            vec![(Kind::Deleted, id, None)]
        }
        4 => {
            let Some(id) = pick(dice, live) else { return Vec::new() };
            live.retain(|other| *other != id);
            let new = fresh();
            let back = dice.roll(2) == 0;
            both.iter().for_each(|mail| kit.source.relocate(mail, &id, &new, back));
            live.push(new.clone());
            vec![(Kind::Moved, new, Some(id))]
        }
        _ => {
            let Some(id) = pick(dice, live) else { return Vec::new() };
            let slot = dice.slot();
            both.iter().for_each(|mail| kit.source.put(mail, single(&id, uid, slot)));
            vec![(Kind::Modified, id.clone(), None), (Kind::FreeBusyChanged, id, None)]
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_changes_end_where_a_full_read_ends() {
    // the guard is another matter: calendars are emptied here
    let unguarded = calendar::guard::GuardLimits { count: u32::MAX, percent: 100 };
    let kit = Kit::with(2, crate::QualifierOptions { guard: unguarded, ..options() }).await;
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let (mut next, mut live) = (u32::try_from(seed).unwrap() * 100, Vec::new());
        for _ in 0..25 {
            // several changes may be handled together, and hints may come twice
            let mut hints = Vec::new();
            for _ in 0..=dice.roll(2) {
                hints.extend(change(&mut dice, &kit, &mut next, &mut live));
            }
            let hints: Vec<(Kind, &str, Option<&str>)> =
                hints.iter().map(|(kind, item, old)| (*kind, item.as_str(), old.as_deref())).collect();
            kit.hint(1, &hints).await;
            kit.work().await.unwrap();
        }
        // mailbox 2 is only ever read in full
        kit.ask_full_read(2).await;
        kit.work().await.unwrap();
        assert_eq!(kit.there(1).await, kit.there(2).await, "seed {seed}");
        // and a full read after the live changes changes nothing
        let before = versions(&kit).await;
        kit.ask_full_read(1).await;
        kit.work().await.unwrap();
        assert_eq!(versions(&kit).await, before, "seed {seed}");
        // empty both for the next seed
        for id in live {
            kit.source.remove(&mail(1), &id);
            kit.source.remove(&mail(2), &id);
        }
        for n in 1..=2 {
            kit.ask_full_read(n).await;
            kit.work().await.unwrap();
            assert!(kit.keys(n).await.is_empty());
        }
    }
}

async fn versions(kit: &Kit) -> Vec<(String, i64)> {
    let client = kit.database.store.client("test").await.unwrap();
    let rows = client
        .query("select origin_id, version from calendar_event where mail = 'm0001@sim.test' order by 1", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
