//! How many changes a second go all the way to Planner's receipts when there are always more: 2,000 mailboxes, ten new
//! appointments in each, made as fast as a call a mailbox makes them; then all of them moved.
//!
//! The reference is the rate at which the same PostgreSQL commits the same rows for the plainest batched client
//! (`plain.rs`), into another database of the same server. No limit but `planner.simultaneous_calls = 4` was agreed.

use std::sync::Arc;
use std::time::Duration;

use base::{SharedClock, SystemClock};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use kommuneklient::demo::driver::Change;
use kommuneklient::demo::measure;
use proto_ews::ItemId;
use serde_json::Value;
use store::Store;

use crate::figures::Figures;
use crate::people::{Appointment, People};
use crate::plain::Written;
use crate::usage;
use crate::world::{self, Cpu, World, ZONE};

pub(crate) const NAME: &str = "pipeline";
const MAILBOXES: u32 = 2_000;
/// Changes of each.
const EACH: u32 = 10;
const CHANGES: u32 = MAILBOXES * EACH;
/// Mailboxes that change at one time.
const PEOPLE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(600);
/// How long after everything is ready the last streams may be opened anew.
const SETTLING: Duration = Duration::from_secs(15);

/// Times of an appointment.
type Times = (Timestamp, Timestamp);

/// Measures.
pub(crate) async fn run() -> Figures {
    let mut world = World::new(MAILBOXES).await;
    world.start_service().await;
    world.until_listening(PATIENCE).await;
    world.until_sendable(PATIENCE).await;
    tokio::time::sleep(SETTLING).await;
    let people = People::new(world.exchange_url());
    let reference = reference_store(&world).await;
    let mut figures = Figures::default();
    let mut items: Arc<Vec<Vec<ItemId>>> = Arc::default();
    for (round, what) in ["created", "moved"].into_iter().enumerate() {
        let done = changes(&mut world, &people, round, &items).await;
        items = Arc::new(done.items);
        let written = Written::since(&world.store, done.began).await;
        assert_eq!(written.changes(), CHANGES as usize, "the rows of all changes count");
        let took = written.write(&reference).await;
        let rate = |took: Duration| f64::from(CHANGES) / took.as_secs_f64();
        let per_1000 = |seconds: f64| seconds * 1000.0 / f64::from(CHANGES);
        eprintln!(
            "  {what} (load {}): made in {:.1} s, Planner's last receipt after {:.1} s; the plain client writes {} in \
             {:.2} s; processor s per 1,000 changes: service {:.2}, PostgreSQL {:.2}, simulators {:.2}",
            usage::load(),
            done.made.as_secs_f64(),
            done.took.as_secs_f64(),
            written.rows(),
            took.as_secs_f64(),
            per_1000(done.used.service),
            per_1000(done.used.postgres),
            per_1000(done.used.simulators),
        );
        figures.add(&format!("{NAME}/{what}"), "changes/s", rate(done.took), rate(took));
        let parts = [
            ("service", done.used.service),
            ("PostgreSQL", done.used.postgres),
            ("simulators", done.used.simulators),
        ];
        let all: f64 = parts.iter().map(|(_, used)| used).sum();
        for (who, used) in parts {
            let name = format!("{NAME}/{what}, processor, {who}");
            figures.add(&name, "s per 1,000 changes, beside all three", per_1000(used), per_1000(all));
        }
    }
    world.assert_no_violations().await;
    reference.close();
    world.end().await;
    figures
}

/// What became of a round of changes.
struct Done {
    /// By the database's clock, which is that of this machine.
    began: Timestamp,
    /// From the first change to Exchange's last answer.
    made: Duration,
    /// From the first change to Planner's last receipt.
    took: Duration,
    used: Cpu,
    items: Vec<Vec<ItemId>>,
}

/// Changes every calendar and waits for the receipts: creates what is not there, moves what is.
async fn changes(world: &mut World, people: &People, round: usize, there: &Arc<Vec<Vec<ItemId>>>) -> Done {
    let clock: SharedClock = SystemClock::shared();
    let (cpu, receipts) = (world.cpu(), receipts(world).await);
    let began = clock.now();
    let begin = clock.monotonic();
    let one = |number: u32| {
        let (people, there, now) = (people.clone(), Arc::clone(there), began);
        tokio::spawn(async move {
            let mail = world::mail(number);
            let wanted = appointments(number, round, now);
            let ids = match there.get(number as usize - 1) {
                None => people.create(&mail, &wanted).await,
                Some(ids) => {
                    let moved: Vec<(ItemId, Times)> =
                        ids.iter().cloned().zip(wanted.iter().map(|(_, times)| *times)).collect();
                    people.reschedule(&mail, &moved).await
                }
            };
            let keys = wanted.into_iter().map(|(uid, times)| ((mail.clone(), uid), Some(times)));
            let changes = keys.map(|key| Change { at: now, expected: vec![key] }).collect::<Vec<_>>();
            (ids, changes)
        })
    };
    let made: Vec<_> = stream::iter(1..=MAILBOXES).map(one).buffered(PEOPLE).collect().await;
    let made_after = clock.monotonic().saturating_duration_since(begin);
    let made = made.into_iter().map(|one| one.expect("nobody panics"));
    let (items, changes): (Vec<_>, Vec<_>) = made.unzip();
    let expected = receipts + u64::from(CHANGES);
    world.until(PATIENCE, "all receipts", async |world| self::receipts(world).await >= expected).await;
    let used = world.cpu().since(cpu);
    let applied = world.planner.applied().await.expect("Planner tells what it applied");
    let changes: Vec<Change> = changes.into_iter().flatten().collect();
    let found = measure::latencies(&changes, &applied);
    assert_eq!(found.overtaken_count, 0, "every change has a receipt of its own");
    let last = applied.last().expect("Planner applied something").at;
    let took = last.duration_since(began).unsigned_abs();
    Done { began, made: made_after, took, used, items }
}

/// Appointments that Planner took changes of.
async fn receipts(world: &World) -> u64 {
    let meter: Value = world.planner.admin().get("/admin/meter").await.expect("the meter answers");
    let of = |operation: &str| meter["items"][operation].as_u64().unwrap_or(0);
    of("CreateEvents") + of("UpdateEvents") + of("DeleteEvents")
}

/// What is to stand in the calendar of this number after a round: an appointment a day, each round an hour later.
fn appointments(number: u32, round: usize, now: Timestamp) -> Vec<Appointment> {
    let today = now.to_zoned(TimeZone::get(ZONE).expect("a zone that exists")).date();
    let hour = 8 + i8::try_from(round).expect("few rounds");
    let one = |n: u32| {
        let day = today + (2 + i64::from(n)).days();
        let start = day.at(hour, 0, 0, 0).in_tz(ZONE).expect("a time that exists").timestamp();
        (format!("pipeline-{number}-{n}"), (start, start + 30.minutes()))
    };
    (0..EACH).map(one).collect()
}

/// An empty database beside the product's.
async fn reference_store(world: &World) -> Store {
    let client = world.store.client("bench").await.expect("a connection");
    client.batch_execute("create database reference").await.expect("a database can be made");
    drop(client);
    let url = world.server.url_of("reference");
    let store = Store::open(store::testing::options(url)).expect("a url that works");
    store::migrations::migrate(&store).await.expect("the schema can be made");
    store
}
