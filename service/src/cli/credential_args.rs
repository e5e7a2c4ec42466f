//! Arguments of `kommuneklient credential`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::ConfigFile;
use super::operators::Who;
use crate::config::HumanDuration;

/// What to do with the service accounts that the database holds.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Add a service account, or replace its password.
    ///
    /// The password is asked for at the terminal without being shown, or read from --password-file or standard
    /// input; it is never an argument, which every user of the machine could read. It is stored sealed, under
    /// the key in the section secrets of the configuration. A service that runs uses the account at once.
    #[command(after_help = "\
Examples:
  kommuneklient credential add svc2@kommune.dk --config kommuneklient.toml
  kommuneklient credential add svc2@kommune.dk --replace --password-file /run/secrets/svc2")]
    Add(CredentialAdd),
    /// Show the service accounts, what they carry and what waits.
    #[command(after_help = "\
Example:
  kommuneklient credential list --config kommuneklient.toml --json")]
    List {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Log on to Exchange with a service account and say what to do where that fails.
    ///
    /// Locates one mailbox and looks at its calendar folder. Changes nothing. A wrong password counts as a
    /// failed logon in the directory; it is tried once.
    #[command(after_help = "\
Example:
  kommuneklient credential test svc2@kommune.dk --mailbox jobcenter1@kommune.dk")]
    Test(CredentialTest),
    /// Remove a service account.
    ///
    /// One that carries affinity groups is only removed with --force: other accounts then take its mailboxes, as
    /// far as they have room.
    #[command(after_help = "\
Example:
  kommuneklient credential remove svc2@kommune.dk --force")]
    Remove {
        /// Which account.
        user: String,
        /// Remove it although it carries groups.
        #[arg(long)]
        force: bool,
        /// Who acts.
        #[command(flatten)]
        who: Who,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Which account to add.
#[derive(Debug, Args)]
pub struct CredentialAdd {
    /// The name that Exchange knows it by.
    pub user: String,
    /// A file whose only line is the password.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// It is there already: replace its password.
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub(crate) who: Who,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which account to try.
#[derive(Debug, Args)]
pub struct CredentialTest {
    /// Which account; all of them when absent.
    pub user: Option<String>,
    /// The mailbox whose calendar is looked at; the first resource in use when absent.
    #[arg(long, value_name = "ADDRESS")]
    pub mailbox: Option<String>,
    /// How long each account may take (1s-10m).
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub timeout: HumanDuration,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigFile,
}

fn patience(text: &str) -> Result<HumanDuration, String> {
    let duration = text.parse::<HumanDuration>().map_err(|error| error.to_string())?;
    let allowed = HumanDuration::seconds(1)..=HumanDuration::minutes(10);
    if allowed.contains(&duration) {
        return Ok(duration);
    }
    Err(format!("must lie from {} to {}", allowed.start(), allowed.end()))
}

impl CredentialTest {
    /// How long each account may take.
    pub const fn patience(&self) -> Duration {
        self.timeout.get()
    }
}
