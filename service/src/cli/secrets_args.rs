//! Arguments of `kommuneklient secrets`.

use std::path::PathBuf;

use clap::Subcommand;

use super::ConfigFile;

/// What to do with the keys that secrets in the database are sealed under.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Make a new key.
    ///
    /// Keep a copy apart from the copies of the database: without the key the sealed passwords are lost and must be
    /// entered again.
    #[command(after_help = "\
Examples:
  kommuneklient secrets generate --out /etc/kommuneklient/sealing.key
  export KOMMUNEKLIENT__SECRETS__KEY=$(kommuneklient secrets generate)")]
    Generate {
        /// Where to; a new file that only its owner can read. Standard output when absent.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Seal every secret in the database under the current key.
    ///
    /// First give every instance the new key as secrets.key_file and the old one in secrets.previous_key_files, and
    /// restart it; then rotate; then the old key may go. Can be interrupted and repeated, also while the service
    /// runs.
    #[command(after_help = "\
Example:
  kommuneklient secrets rotate --config kommuneklient.toml --dry-run")]
    Rotate {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// Say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show which keys there are and what is sealed under each.
    #[command(after_help = "\
Example:
  kommuneklient secrets status --config kommuneklient.toml")]
    Status {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigFile,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
