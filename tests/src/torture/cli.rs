//! `kommuneklient-torture`: runs seeds and says what became of them.
//!
//! Exit status: 0 all seeds are green, 1 a seed failed, 2 a seed could not be run to its end, or the arguments make no
//! sense.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use base::sabotage::Safeguard;
use clap::Parser;
use tokio::sync::Mutex;

use super::cluster::Cluster;
use super::error::TortureError;
use super::report::Report;
use super::results::{self, Outcome, SeedResult};
use super::run::{self, Setting};
use super::schedule::Schedule;
use super::world::MAILBOXES;

const EXAMPLES: &str = "\
Examples:
  kommuneklient-torture --seeds 10                     seeds 1 to 10
  kommuneklient-torture --seed 4711 --keep /tmp/4711   one seed, with the logs of all processes if it fails
  kommuneklient-torture --seeds 1000 --resume results  go on where an interrupted run ended
  kommuneklient-torture --seed 4711 --show             what the seed holds, without running it
  kommuneklient-torture --seeds 50 --break fence       a build without fences: a seed must fail

A seed decides which changes people make and which faults happen when and to whom. The same seed holds the same; how
processes are scheduled is not repeated, so give a failing seed a few runs.

Exit status: 0 all seeds are green, 1 a seed failed, 2 one could not be run to its end or not at all (Ctrl-C), or wrong
usage.";

/// Tortures Kommuneklient: several instances against real PostgreSQL and both simulators, with every kind of fault
/// over each other; then nothing may be lost.
#[derive(Debug, Parser)]
#[command(name = "kommuneklient-torture", version, after_help = EXAMPLES)]
struct Arguments {
    /// Run this seed (the first one, with --seeds).
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Run so many seeds, one after the other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: u64,
    /// Write a line of JSON for each seed to this file, and do not run those again that it tells of.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Instances of the product.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=8))]
    instances: u32,
    /// Keep configuration and logs of each seed that is not green in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// With --keep: also of each seed that was in step later than this after the end of the faults.
    #[arg(long, value_name = "MS", requires = "keep")]
    keep_slower_than: Option<u64>,
    /// Leave a safeguard out, to see that it is missed: fence, catch-up, adoption, in-flight or budget.
    #[arg(long = "break", value_name = "SAFEGUARD", value_parser = safeguard)]
    broken: Option<String>,
    /// End at the first seed that is not green.
    #[arg(long)]
    fail_fast: bool,
    /// Print what the seeds hold and run nothing.
    #[arg(long)]
    show: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// The program under test; the one beside this program without it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

fn safeguard(name: &str) -> Result<String, String> {
    let names = Safeguard::ALL.map(Safeguard::name);
    names
        .contains(&name)
        .then(|| name.to_owned())
        .ok_or_else(|| format!("must be one of {}", names.join(", ")))
}

/// Parses this process's arguments and does what they say.
pub fn main() -> ExitCode {
    trust::install_provider();
    let arguments = Arguments::parse();
    if arguments.show {
        return show(&arguments);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refused(&error.to_string()),
    };
    match runtime.block_on(run_all(&arguments)) {
        Ok(report) => {
            let text = if arguments.json {
                serde_json::to_string(&report).unwrap_or_default()
            } else {
                report.text()
            };
            say(&mut std::io::stdout(), text.trim_end());
            match (report.failed.is_empty(), report.broken.is_empty() && report.not_run == 0) {
                (true, true) => ExitCode::SUCCESS,
                (false, _) => ExitCode::from(1),
                (true, false) => ExitCode::from(2),
            }
        }
        Err(error) => refused(&run::in_words(&error)),
    }
}

fn show(arguments: &Arguments) -> ExitCode {
    for seed in seeds(arguments) {
        let schedule = Schedule::of(seed, arguments.instances, MAILBOXES);
        let text = if arguments.json {
            serde_json::to_string(&schedule)
        } else {
            serde_json::to_string_pretty(&schedule)
        };
        say(&mut std::io::stdout(), &text.unwrap_or_default());
    }
    ExitCode::SUCCESS
}

fn seeds(arguments: &Arguments) -> impl Iterator<Item = u64> {
    arguments.seed..arguments.seed.saturating_add(arguments.seeds)
}

async fn run_all(arguments: &Arguments) -> Result<Report, TortureError> {
    let program = program(arguments)?;
    let mut all = match &arguments.resume {
        Some(path) => {
            results::touch(path)?;
            let done = results::read(path)?;
            if done.iter().any(|result| result.broken_build != arguments.broken) {
                return Err(TortureError::Process {
                    what: "go on with these results",
                    reason: format!(
                        "{} tells of a run with another --break; name another file",
                        path.display()
                    ),
                });
            }
            done
        }
        None => Vec::new(),
    };
    let open = results::open(seeds(arguments), &all);
    let setting = Setting {
        program,
        instances: arguments.instances,
        keep: arguments.keep.clone(),
        keep_slower_than: arguments.keep_slower_than.map(std::time::Duration::from_millis),
        broken_build: arguments.broken.clone(),
    };
    let place = place()?;
    let cluster = Arc::new(Mutex::new(Cluster::start(place.path()).await?));
    let (count, mut stop, mut not_run) = (open.len(), interrupted(), 0);
    for (index, seed) in open.into_iter().enumerate() {
        let result = tokio::select! {
            result = run::seed(seed, &setting, &cluster) => result,
            () = &mut stop => {
                not_run = count - index;
                tell(&format!("interrupted: {not_run} of the seeds were not run"));
                break;
            }
        };
        tell(&format!("[{}/{count}] {}", index + 1, in_a_line(&result)));
        if result.outcome != Outcome::Green {
            tell(&in_full(&result));
        }
        if let Some(path) = &arguments.resume {
            results::append(path, &result)?;
        }
        let green = result.outcome == Outcome::Green;
        all.push(result);
        if arguments.fail_fast && !green {
            break;
        }
    }
    if let Some(cluster) = Arc::into_inner(cluster) {
        cluster.into_inner().stop().await?;
    }
    Ok(Report { not_run, ..Report::of(&all) })
}

/// The folder of the server: one that PostgreSQL's own account can enter.
fn place() -> Result<tempfile::TempDir, TortureError> {
    use std::os::unix::fs::PermissionsExt;
    let below = std::env::temp_dir();
    let made = tempfile::Builder::new().prefix("kommuneklient-torture-db-").tempdir();
    let folder = made.map_err(TortureError::file(&below))?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
        .map_err(TortureError::file(folder.path()))?;
    Ok(folder)
}

/// The program beside this one, unless told otherwise.
fn program(arguments: &Arguments) -> Result<PathBuf, TortureError> {
    if let Some(program) = &arguments.program {
        return match program.is_file() {
            true => Ok(program.clone()),
            false => Err(TortureError::Process {
                what: "find the program under test",
                reason: format!("{} is no file", program.display()),
            }),
        };
    }
    let own = std::env::current_exe().map_err(TortureError::file("this program".as_ref()))?;
    let beside = own.with_file_name("kommuneklient-under-test");
    match beside.is_file() {
        true => Ok(beside),
        false => Err(TortureError::Process {
            what: "find the program under test",
            reason: format!("{} is not there: cargo build -p end-to-end, or --program", beside.display()),
        }),
    }
}

/// Resolves at Ctrl-C or SIGTERM, so that children and database end with this.
fn interrupted() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async {
        let terminated = async {
            let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
            match signal {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = terminated => {}
        }
    })
}

fn in_a_line(result: &SeedResult) -> String {
    let worst = result.findings.figures.take_overs_ms.iter().max().copied().unwrap_or_default();
    format!(
        "seed {} {} in {:.1} s: {} faults, {} changes, in step after {} ms, worst take-over {worst} ms",
        result.seed,
        match result.outcome {
            Outcome::Green => "green",
            Outcome::Failed => "FAILED",
            Outcome::Broken => "COULD NOT BE RUN",
        },
        std::time::Duration::from_millis(result.took_ms).as_secs_f64(),
        result.injected.values().sum::<u64>(),
        result.changes,
        result.findings.figures.settled_after_ms.unwrap_or_default(),
    )
}

fn in_full(result: &SeedResult) -> String {
    let mut lines = vec![format!("--- seed {}: again with --seed {}", result.seed, result.seed)];
    lines.extend(result.error.iter().map(|error| format!("error: {error}")));
    lines.extend(result.difference.iter().map(|words| format!("difference: {words}")));
    let violations = result.findings.violations.iter();
    lines.extend(violations.map(|violation| {
        let at = violation.at.map(|at| format!(" at {at}")).unwrap_or_default();
        format!("broken: {}{at}: {}", violation.invariant, violation.words)
    }));
    lines.push("what was done:".to_owned());
    lines.extend(result.fault_log.iter().cloned());
    lines.extend(result.kept.iter().map(|path| format!("kept in {}", path.display())));
    lines.join("\n")
}

fn tell(text: &str) {
    say(&mut std::io::stderr(), text);
}

fn say(to: &mut impl Write, text: &str) {
    // nobody is left to tell when it is closed
    let _closed = writeln!(to, "{text}");
}

fn refused(text: &str) -> ExitCode {
    tell(&format!("error: {text}"));
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    //! Goal: the command line says what it can do, and refuses what makes no sense.
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
        let parse = |text: &str| Arguments::try_parse_from(text.split(' '));
        let all = parse("t --seed 5 --seeds 3 --resume r --instances 2 --keep k --json").expect("understood");
        assert_eq!(seeds(&all).collect::<Vec<_>>(), [5, 6, 7]);
        for refused in
            ["t --seeds 0", "t --keep-slower-than 5", "t --instances 0", "t --break everything", "t --sead 1"]
        {
            assert!(parse(refused).is_err(), "{refused}");
        }
        assert_eq!(parse("t --break fence").expect("understood").broken.as_deref(), Some("fence"));
    }
}
