//! Arguments of `kommuneklient simulate`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which system is stood in for.
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// An Exchange server: EWS with streaming notifications, and Autodiscover.
    Exchange(SimulateExchangeArgs),
    /// Jobcenter Planner's calendar service.
    #[command(after_help = "\
Endpoint: /PjakTassWCFtService/1/PlannerExternalCalendarService.svc, with its description at ?wsdl.
Prints a line with \"listening\" on standard output when ready and runs until SIGTERM or SIGINT. What
it holds: /admin/events; the changes it applied: /admin/log; its meter of calls and violations:
/admin/meter; its resources: /admin/resources; faults at run time: /admin/faults.

Example:
  kommuneklient simulate planner --listen 127.0.0.1:8082 --jobcenter 10100 --mailboxes 50")]
    Planner(simulator_planner::Options),
}

/// A way to log on to the Exchange simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SimulatedLogin {
    /// Name and password in each request.
    Basic,
    /// NTLM, connection by connection.
    Ntlm,
    /// Bearer tokens.
    Oauth,
}

/// How the Exchange simulator runs.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "\
Endpoints: /EWS/Exchange.asmx and /autodiscover/autodiscover.svc. Mailboxes are m0001@DOMAIN,
m0002@DOMAIN and so on, empty unless --calendars fills them. Prints a line with \"listening\" on
standard output when ready and runs until SIGTERM or SIGINT. Faults can be changed at run time:
GET, POST and DELETE /admin/faults.

Example:
  kommuneklient simulate exchange --listen 127.0.0.1:8081 --mailboxes 50 --user svc --password pw")]
pub struct SimulateExchangeArgs {
    /// The address in numbers, like 127.0.0.1:8081; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// How many mailboxes there are.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub mailboxes: u32,
    /// The domain of the mailboxes.
    #[arg(long, value_name = "NAME", default_value = "sim.test")]
    pub domain: String,
    /// The service account; further accounts have 2, 3 and so on at the end
    #[arg(long, value_name = "NAME", default_value = "svc")]
    pub user: String,
    /// The password of every service account.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "pw",
        env = "KOMMUNEKLIENT_SIMULATOR_PASSWORD",
        hide_env_values = true
    )]
    pub password: String,
    /// How many service accounts there are.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub accounts: u32,
    /// How many grouping values Autodiscover gives out.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub groups: u16,
    /// Fill mailboxes from this folder: one .ics file a mailbox, named like its address.
    #[arg(long, value_name = "DIR")]
    pub calendars: Option<PathBuf>,
    /// Write every SOAP message to DIR, one envelope a file.
    #[arg(long, value_name = "DIR")]
    pub capture: Option<PathBuf>,
    /// Ways to log on: basic, ntlm, oauth (tokens come from /oauth2/v2.0/token).
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "basic")]
    pub logins: Vec<SimulatedLogin>,
    /// Speak TLS, with a certificate for 127.0.0.1 and localhost of a new authority; its root is written to FILE, PEM.
    #[arg(long, value_name = "FILE")]
    pub tls_root: Option<PathBuf>,
    /// Seconds between the heartbeats of a stream.
    #[arg(long, value_name = "N", default_value_t = 45, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub heartbeat_seconds: u64,
    /// A fault rule as JSON, for example {"kind":"drop_stream","probability":0.05}; may be repeated.
    #[arg(long = "fault", value_name = "JSON")]
    pub faults: Vec<String>,
    /// Seed of all chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}
