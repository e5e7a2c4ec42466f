//! What it costs to listen to many mailboxes in which nothing happens, and how long it takes until all are listened to.
//!
//! For each number of mailboxes a world of its own, from an empty database: start, wait until every mailbox has a live
//! subscription on an open stream, and until it was read in full and adopted; then the service's memory and processor
//! time over a quiet half minute; then it is killed and started anew. A run with ten mailboxes comes first: it is what
//! the process takes by itself. `KOMMUNEKLIENT_BENCH_MAILBOXES=1000,5000` measures other numbers than the usual ones.

use std::time::Duration;

use tokio::time::Instant;

use crate::figures::Figures;
use crate::usage;
use crate::world::{Cpu, World};

pub(crate) const NAME: &str = "idle";
const SIZES: [u32; 4] = [1_000, 5_000, 20_000, 50_000];
/// What is the process's own and not a mailbox's.
const FEW: u32 = 10;
/// What a mailbox may take.
const KILOBYTES_PER_MAILBOX: f64 = 20.0;
/// What 50,000 mailboxes may take.
const GIBIBYTE: u64 = 1 << 30;
const QUIET: Duration = Duration::from_secs(30);
/// How long after the last mailbox was ready its stream may be opened anew to take it in, and what else there is to settle.
const SETTLING: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(900);

/// What was seen with one number of mailboxes.
struct Seen {
    listening: Duration,
    sendable: Duration,
    again: Duration,
    memory: usage::Memory,
    quiet: Cpu,
}

/// Measures.
pub(crate) async fn run() -> Figures {
    let few = measure(FEW).await;
    let mut figures = Figures::default();
    let mut first: Option<(u32, Seen)> = None;
    for mailboxes in sizes() {
        let seen = measure(mailboxes).await;
        let each = |value: f64| value / f64::from(mailboxes);
        let name = |what: &str| format!("{NAME}/{mailboxes} {what}");
        let kilobytes = |bytes: u64| bytes as f64 / 1000.0;
        figures.add(
            &name("memory, resident"),
            "kB a mailbox",
            each(kilobytes(seen.memory.resident)),
            KILOBYTES_PER_MAILBOX,
        );
        let above = seen.memory.private.saturating_sub(few.memory.private);
        figures.add(
            &name("memory, above ten mailboxes"),
            "kB a mailbox",
            each(kilobytes(above)),
            KILOBYTES_PER_MAILBOX,
        );
        figures.add(&name("processor, quiet"), "ms/s, beside ten mailboxes", ms_per_s(&seen), ms_per_s(&few));
        // the reference is what the smallest number took for each: 1 = grows with the number
        let (of, smallest) = first.as_ref().map_or((mailboxes, &seen), |(of, smallest)| (*of, smallest));
        let grown = |time: Duration| time.as_secs_f64() * f64::from(mailboxes) / f64::from(of);
        let times = [
            ("listening to all", seen.listening, grown(smallest.listening)),
            ("all adopted and read", seen.sendable, grown(smallest.sendable)),
            ("listening again after SIGKILL", seen.again, grown(smallest.again)),
        ];
        for (what, took, reference) in times {
            figures.add(&name(what), "s, beside as many times the first", took.as_secs_f64(), reference);
        }
        if seen.memory.resident >= GIBIBYTE {
            eprintln!("  {mailboxes} mailboxes take more than 1 GiB");
        }
        first.get_or_insert((mailboxes, seen));
    }
    figures
}

fn ms_per_s(seen: &Seen) -> f64 {
    seen.quiet.service * 1000.0 / QUIET.as_secs_f64()
}

fn sizes() -> Vec<u32> {
    let Ok(given) = std::env::var("KOMMUNEKLIENT_BENCH_MAILBOXES") else { return SIZES.into() };
    given.split(',').map(|one| one.trim().parse().expect("numbers with commas between them")).collect()
}

async fn measure(mailboxes: u32) -> Seen {
    let mut world = World::new(mailboxes).await;
    let began = Instant::now();
    world.start_service().await;
    let before = world.cpu();
    world.until_listening(PATIENCE).await;
    let listening = Instant::now().duration_since(began);
    world.until_sendable(PATIENCE).await;
    let sendable = Instant::now().duration_since(began);
    let start = world.cpu().since(before);
    let peak = usage::memory(world.pid());
    tokio::time::sleep(SETTLING).await;
    let before = world.cpu();
    tokio::time::sleep(QUIET).await;
    let quiet = world.cpu().since(before);
    let memory = usage::memory(world.pid());
    let streamed = world.streamed().await;
    assert_eq!(streamed, u64::from(mailboxes), "it must still be listening for its figures to count");
    world.kill_service().await;
    world.until(PATIENCE, "nobody listening", async |world| world.streamed().await == 0).await;
    let began = Instant::now();
    world.start_service().await;
    world.until_listening(PATIENCE).await;
    let again = Instant::now().duration_since(began);
    eprintln!(
        "  {mailboxes} mailboxes (load {}): listening after {:.1} s, all adopted and read after {:.1} s, listening again \
         {:.1} s after SIGKILL; resident {:.1} MiB ({:.1} MiB when all were read), private {:.1} MiB; processor s of the \
         start: service {:.1}, PostgreSQL {:.1}, simulators {:.1}; ms/s when quiet: {:.2}, {:.2}, {:.2}",
        usage::load(),
        listening.as_secs_f64(),
        sendable.as_secs_f64(),
        again.as_secs_f64(),
        mib(memory.resident),
        mib(peak.resident),
        mib(memory.private),
        start.service,
        start.postgres,
        start.simulators,
        quiet.service * 1000.0 / QUIET.as_secs_f64(),
        quiet.postgres * 1000.0 / QUIET.as_secs_f64(),
        quiet.simulators * 1000.0 / QUIET.as_secs_f64(),
    );
    world.end().await;
    Seen { listening, sendable, again, memory, quiet }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
