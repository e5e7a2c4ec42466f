//! Arguments of `kommuneklient lists`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::operators::{Common, Who, reason};
use crate::lists_file::ListName;

/// What to do with both lists.
#[derive(Debug, Subcommand)]
pub enum ListsCommand {
    /// Take over a white- and a blacklist from a CSV file, such as an export of the original's tables.
    ///
    /// A row has a list (whitelist, blacklist), a mail address and a reason, parted by semicolons or commas; headings
    /// (list, mail, reason) may stand in any order. What is on a list already stays as it is. All rows or none, in one
    /// step.
    #[command(after_help = "\
Examples:
  kommuneklient lists import lists.csv --config kommuneklient.toml --dry-run
  kommuneklient lists import blacklist.csv --list blacklist --reason \"from the old system\" --config kommuneklient.toml")]
    Import(ListsImportArgs),
}

/// Which file, and how to take it.
#[derive(Debug, Args)]
pub struct ListsImportArgs {
    /// The file: CSV in UTF-8 or Windows-1252.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The list of rows that name none.
    #[arg(long, value_name = "LIST", value_enum)]
    pub list: Option<ListName>,
    /// The reason of rows that have none.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    /// Tell what would happen and change nothing; ends with the status that the import would end with.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave out rows that cannot be used, instead of changing nothing.
    #[arg(long)]
    pub skip_invalid: bool,
    /// It is meant, also where many mailboxes stop being used by it.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}
