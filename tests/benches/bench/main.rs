//! `make bench`: what the product does in a second, beside what the same machine does at most in the same run.
//!
//! `cargo bench -p end-to-end --bench bench -- [--list] [NAME …]` runs the benchmarks that are named, or all. Each
//! gives figures with a reference that was measured in the same run, so that a figure says something on any
//! machine. The table goes to standard output; `target/bench.json` holds one object, name → value, unit,
//! reference, ratio; a run of some benchmarks replaces their figures there and keeps the others.
#![expect(clippy::print_stdout, reason = "the table is for the person who started it")]
#![expect(clippy::panic, reason = "a benchmark fails by panicking, with what it saw")]
#![expect(clippy::print_stderr, reason = "progress and errors are for the person who started it")]

mod backpressure;
mod cpu;
mod decode;
mod figures;
mod full_pull;
mod idle;
mod latency;
mod people;
mod pipeline;
mod plain;
mod recorder;
mod signing;
mod sla;
mod usage;
mod world;

use std::process::ExitCode;

use figures::Figures;

/// A benchmark: its name and what it measures.
type Bench = (&'static str, &'static str);

const BENCHES: [Bench; 8] = [
    (decode::NAME, "decode views and streams of Exchange, beside a loop that looks at all and keeps nothing"),
    (signing::NAME, "sign a call with 20 appointments and verify its answer, beside the bare RSA operations"),
    (full_pull::NAME, "read 1,000 mailboxes with 40 appointments each in full, from nothing"),
    (
        pipeline::NAME,
        "20,000 changes of 2,000 mailboxes at once to Planner's receipts, beside PostgreSQL writing the same rows",
    ),
    (
        latency::NAME,
        "change to receipt at 50 a second with 10,000 mailboxes, beside the original's intervals (10 min)",
    ),
    (idle::NAME, "memory, processor and time to listen of 1,000 to 50,000 quiet mailboxes (20 min)"),
    (
        sla::NAME,
        "use what was agreed with Planner, at ten times as much to be sent, beside what was agreed (4 min)",
    ),
    (
        backpressure::NAME,
        "memory with Planner away for a minute and at ten times the budget, beside that at rest (3 min)",
    ),
];

fn main() -> ExitCode {
    // `cargo bench` adds --bench to what was asked for
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    if arguments.iter().any(|one| one == "--list" || one == "--help") {
        for (name, what) in BENCHES {
            println!("{name:12} {what}");
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = arguments.iter().find(|one| BENCHES.iter().all(|(name, _)| name != one)) {
        eprintln!("there is no benchmark {unknown:?}; --list shows what there is");
        return ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures are good for nothing but trying the benchmark out");
    }
    trust::install_provider();
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Runtime::new().expect("a runtime can be made") // as the product: I/O beside the actors
    });
    let mut figures = Figures::default();
    for (name, what) in BENCHES {
        if !arguments.is_empty() && arguments.iter().all(|one| one != name) {
            continue;
        }
        eprintln!("{name}: {what}");
        figures.extend(system.block_on(async {
            match name {
                decode::NAME => decode::run(),
                signing::NAME => signing::run(),
                pipeline::NAME => pipeline::run().await,
                latency::NAME => latency::run().await,
                idle::NAME => idle::run().await,
                sla::NAME => sla::run().await,
                backpressure::NAME => backpressure::run().await,
                _ => full_pull::run().await,
            }
        }));
    }
    println!("{}", figures.table());
    match figures.save() {
        Ok(path) => {
            println!("written to {}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("target/bench.json cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
