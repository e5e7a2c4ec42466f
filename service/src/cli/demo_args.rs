//! Arguments of `kommuneklient demo`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::demo::{Login, Settings};

/// How the demonstration runs.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "\
Examples:
  kommuneklient demo
  kommuneklient demo --mailboxes 200 --changes-per-second 20 --seconds 20 --faults default --json
  kommuneklient demo --tls --mailboxes 50 --seconds 15 --json
  kommuneklient demo --otlp http://127.0.0.1:4317      look at the traces in Jaeger

With --json the last line of standard output is one JSON object with mailboxes, changes,
planner_calls, latency_ms {p50, p95, p99}, missing, stale, extra, sla_violations, stream_faults,
actor_restarts, converged and more.

While it runs, the other commands can be tried on it from another terminal: its configuration is
the file kommuneklient.toml in a folder kommuneklient-demo-* below TMPDIR (/tmp where that is not
set), with --tls or without. Of several such folders the latest is the one that runs; the others
were kept by runs that were not in step. --seconds 600 leaves time to look:
  export KOMMUNEKLIENT_CONFIG=$(ls -dt /tmp/kommuneklient-demo-*/kommuneklient.toml | head -1)
  kommuneklient status
  kommuneklient explain m0001@sim.test")]
pub struct DemoArgs {
    /// How many mailboxes take part.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub mailboxes: u32,
    /// How many calendar changes are made a second.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub changes_per_second: u32,
    /// For how many seconds changes are made.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Which faults happen meanwhile.
    #[arg(long, value_enum, default_value_t = DemoFaults::None)]
    pub faults: DemoFaults,
    /// All over TLS with a test authority: a client certificate and signed messages to Planner, --login to Exchange.
    #[arg(long)]
    pub tls: bool,
    /// How the service account logs on to Exchange with --tls.
    #[arg(long, value_enum, requires = "tls", default_value_t = Login::Ntlm)]
    pub login: Login,
    /// Start from the calendars in this folder: one .ics file a mailbox.
    #[arg(long, value_name = "DIR")]
    pub calendars: Option<PathBuf>,
    /// Write every SOAP message to DIR/exchange/*.xml and DIR/planner/*.xml.
    #[arg(long, value_name = "DIR")]
    pub capture: Option<PathBuf>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
    /// Send traces here: http://127.0.0.1:4317 (gRPC) or http://127.0.0.1:4318 (HTTP).
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Repeats the random choices of a run that was made with this seed; its report names it.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl DemoArgs {
    /// The settings of a run, with a seed of its own where none is given.
    pub fn settings(self) -> Settings {
        Settings {
            mailboxes: self.mailboxes,
            changes_per_second: self.changes_per_second,
            seconds: self.seconds,
            faults: self.faults == DemoFaults::Default,
            secured: self.tls.then_some(self.login),
            calendars: self.calendars,
            capture: self.capture,
            otlp: self.otlp,
            seed: self.seed.unwrap_or_else(rand::random),
        }
    }
}

/// Which faults happen during the demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DemoFaults {
    /// None.
    None,
    /// Dropped and silenced streams, expired subscriptions, lost notifications, server busy, timeouts of
    /// Planner before and after applying, 5xx, and one SIGKILL of the service.
    Default,
}
