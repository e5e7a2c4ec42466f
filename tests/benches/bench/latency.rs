//! From a change to Planner's receipt with 10,000 mailboxes and 50 changes a second, each in another calendar: by both
//! simulators' own logs, as the demo measures it.
//!
//! The reference is the same with wake-ups switched off (`database.wake_ups`), so that each stage waits for its interval:
//! 4 s until notifications are looked at and 20 s until decisions are sent, the original's defaults.
//! `KOMMUNEKLIENT_BENCH_MAILBOXES=1000` measures with another number.

use std::sync::Arc;
use std::time::Duration;

use base::{SharedClock, SystemClock};
use jiff::tz::TimeZone;
use kommuneklient::demo::changes::{Content, Entry, Horizon, draw_times};
use kommuneklient::demo::driver::{Calendar, Change};
use kommuneklient::demo::measure::{self, Percentiles};
use kommuneklient::demo::outlook::Outlook;
use proto_ews::FreeBusy;
use tokio::task::JoinSet;

use crate::figures::Figures;
use crate::usage;
use crate::world::{self, World, ZONE};

pub(crate) const NAME: &str = "latency";
const MAILBOXES: u32 = 10_000;
const PER_SECOND: u32 = 50;
const TIME: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(600);
/// For the last changes to arrive: with the original's intervals, and where the machine does not keep up, whose figures then
/// say so.
const LAST_PATIENCE: Duration = Duration::from_secs(600);
/// How long after everything is ready the last streams may be opened anew.
const SETTLING: Duration = Duration::from_secs(15);
/// The aim.
const P99_MS: f64 = 500.0;

/// Measures.
pub(crate) async fn run() -> Figures {
    let mailboxes = match std::env::var("KOMMUNEKLIENT_BENCH_MAILBOXES") {
        Ok(given) => given.parse().expect("one number"),
        Err(_) => MAILBOXES,
    };
    let mut world = World::new(mailboxes).await;
    world.start_service().await;
    world.until_listening(PATIENCE).await;
    let ready = world.until_sendable(PATIENCE).await;
    eprintln!("  {mailboxes} mailboxes, ready {:.1} s after listening", ready.as_secs_f64());
    tokio::time::sleep(SETTLING).await;
    let ours = changes(&mut world, "with wake-ups", 0).await;
    world.kill_service().await;
    world.configure(&[("database", "wake_ups", "false")]);
    let before = world.count("select (extract(epoch from now()) * 1000000)::bigint").await;
    world.start_service().await;
    world.until_listening(PATIENCE).await;
    let behind = format!(
        "select count(*) from sync_state where saved_at < to_timestamp({before}::bigint / 1000000.0)"
    );
    world.until(PATIENCE, "all having caught up", async |world| world.count(&behind).await == 0).await;
    tokio::time::sleep(SETTLING).await;
    let polling = changes(&mut world, "with the original's intervals", 1).await;
    world.assert_no_violations().await;
    world.end().await;
    if ours.p99 > P99_MS {
        eprintln!("  the aim of {P99_MS} ms is not met");
    }
    let mut figures = Figures::default();
    let rows =
        [("p50", ours.p50, polling.p50), ("p95", ours.p95, polling.p95), ("p99", ours.p99, polling.p99)];
    for (name, ours, polling) in rows {
        figures.add(&format!("{NAME}/{name}"), "ms, beside the original's intervals", ours, polling);
    }
    figures
}

/// Makes the changes of one minute, in calendars that those of other rounds leave alone.
async fn changes(world: &mut World, what: &str, round: u32) -> Percentiles {
    let clock: SharedClock = SystemClock::shared();
    let zone = TimeZone::get(ZONE).expect("a zone that exists");
    let horizon = Arc::new(Horizon::at(clock.now(), &zone, 3));
    let outlook = Outlook::new(world.exchange_url(), world::USER, world::PASSWORD).expect("a client");
    let count = PER_SECOND * u32::try_from(TIME.as_secs()).expect("a minute");
    // every so many-th, so that all groups have their part
    let step = (world.mailboxes / (2 * count)).max(1);
    let before = (world.cpu(), applied(world).await.len());
    let mut ticks = tokio::time::interval(TIME / count);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut making: JoinSet<Change> = JoinSet::new();
    for n in 0..count {
        ticks.tick().await;
        let number = 1 + ((2 * n + round) * step) % world.mailboxes;
        let (outlook, clock, horizon) = (outlook.clone(), clock.clone(), Arc::clone(&horizon));
        // its chance: another for each change, also where calendars are fewer than changes
        let seed = (u64::from(n) << 1) | u64::from(round);
        making.spawn(async move { change(number, seed, &outlook, &clock, &horizon).await });
    }
    let changes = making.join_all().await;
    let expected = before.1 + changes.len();
    world
        .until(LAST_PATIENCE, "the last receipts", async |world| applied(world).await.len() >= expected)
        .await;
    let used = world.cpu().since(before.0);
    let found = measure::latencies(&changes, &applied(world).await);
    assert_eq!((found.apart_count, found.overtaken_count), (changes.len(), 0), "each change has a receipt");
    let found = found.apart;
    eprintln!(
        "  {what} (load {}): {} changes, p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms; processor s: service {:.1}, \
         PostgreSQL {:.1}, simulators {:.1}",
        usage::load(),
        changes.len(),
        found.p50,
        found.p95,
        found.p99,
        used.service,
        used.postgres,
        used.simulators,
    );
    found
}

/// A new appointment in the calendar of this number.
async fn change(number: u32, seed: u64, outlook: &Outlook, clock: &SharedClock, horizon: &Horizon) -> Change {
    let mut calendar = Calendar::new(world::mail(number), seed);
    let made = calendar.create(
        |rng, mailbox, uid| Entry {
            mailbox: mailbox.to_owned(),
            uid,
            // what lies beyond the window is not told to Planner, so no receipt would come
            content: Content::Single {
                times: std::iter::repeat_with(|| draw_times(rng, horizon))
                    .take(1_000)
                    .find(|(start, _)| *start < horizon.end)
                    .expect("nineteen in twenty lie within the window"),
            },
            free_busy: FreeBusy::Busy,
            away: false,
        },
        outlook,
        clock,
        horizon,
    );
    made.await.expect("the simulated Exchange takes an appointment")
}

async fn applied(world: &World) -> Vec<measure::Applied> {
    world.planner.applied().await.expect("Planner tells what it applied")
}
