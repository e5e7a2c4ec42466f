//! Arguments of `kommuneklient config`.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do with a configuration file.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a file as `run` would, with this environment and the files with secrets and certificates that it names.
    ///
    /// Prints every problem with its place, key, value and remedy; or, where there is none, every key with the value
    /// that counts and where that comes from. Secrets are hidden. Connects to nothing.
    #[command(after_help = "\
Examples:
  kommuneklient config check kommuneklient.toml
  kommuneklient config check kommuneklient.toml --json")]
    Check {
        /// The configuration file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Answer in JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Turn the configuration files of the original (.exe.config of its three services) into one of ours.
    ///
    /// Writes the configuration to standard output, with a comment for each value that could not be taken over, and
    /// to standard error a report: what was read, where the services disagree, what is left to do. Passwords and
    /// connection strings are neither taken over nor shown.
    #[command(after_help = "\
Examples:
  kommuneklient config import ELS.exe.config EPS.exe.config PCS.exe.config > kommuneklient.toml
  kommuneklient config import PCS.exe.config --json")]
    Import {
        /// The files, of one, two or all three services.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Leave out settings that the original does not have, instead of refusing the file.
        #[arg(long)]
        allow_unknown: bool,
        /// Answer in JSON, for programs: the report, with the configuration as its member toml.
        #[arg(long)]
        json: bool,
    },
}
