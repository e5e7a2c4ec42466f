//! Arguments of the commands that operators give to a running service.

use calendar::MailAddress;
use clap::{Args, Subcommand};
use store::operations::Scope;

use super::tools::ToolCommand;
use super::{ConfigFile, ListsCommand};
use crate::config::HumanDuration;
use crate::texts::LanguageArg;

/// What operators ask of a running service. All of it goes through the database that `run` uses.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Read calendars in full now, and decide everything that is found or missing.
    #[command(after_help = "\
The night's full pull does the same for all mailboxes (qualifier.full_appointment_pull_schedule).
Deletions that are too many at once are withheld: kommuneklient withheld list.

Examples:
  kommuneklient pull anna@kommune.dk --config kommuneklient.toml --wait
  kommuneklient pull --all --config kommuneklient.toml")]
    Pull(AskArgs),
    /// Compare what Planner holds with what it should hold now, and correct it.
    #[command(after_help = "\
Examples:
  kommuneklient compare anna@kommune.dk --config kommuneklient.toml --wait
  kommuneklient compare --all --config kommuneklient.toml")]
    Compare(AskArgs),
    /// Take over from Planner what it holds, as for a new mailbox: after an old backup was restored.
    #[command(after_help = "\
Nothing is sent for a mailbox until what Planner holds was taken over and its calendar read in full.

Examples:
  kommuneklient adopt --all --config kommuneklient.toml --wait
  kommuneklient adopt anna@kommune.dk --config kommuneklient.toml")]
    Adopt(AskArgs),
    /// The tools to look at the service and at single mailboxes.
    #[command(flatten)]
    Tool(ToolCommand),
    /// Show what was asked for, by whom, and how far it is.
    #[command(after_help = "\
Examples:
  kommuneklient operations --config kommuneklient.toml
  kommuneklient operations 17 --config kommuneklient.toml --json")]
    Operations(OperationsArgs),
    /// The case workers and rooms that Planner lists.
    #[command(subcommand)]
    Resources(ResourcesCommand),
    /// The whitelist: where it has entries, only these mailboxes are used.
    #[command(subcommand)]
    Whitelist(WhitelistCommand),
    /// The blacklist: these mailboxes are not used, whatever Planner and the whitelist say.
    #[command(subcommand)]
    Blacklist(BlacklistCommand),
    /// Both lists at once.
    #[command(subcommand)]
    Lists(ListsCommand),
    /// Deletions that were too many at once and wait for somebody who looks.
    #[command(subcommand)]
    Withheld(WithheldCommand),
    /// What kept failing by itself and was set aside.
    #[command(name = "set-aside", subcommand)]
    SetAside(SetAsideCommand),
}

/// Which configuration, and how to answer.
#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Answer in JSON, for programs.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) language: LanguageArg,
}

/// Who acts.
#[derive(Debug, Args)]
pub struct Who {
    /// The name that is recorded; the user of this session when absent.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// Which mailboxes.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: Option<MailAddress>,
    /// All mailboxes in use.
    #[arg(long)]
    pub all: bool,
}

impl Target {
    /// What is meant.
    pub fn scope(&self) -> Scope {
        self.mailbox.clone().map_or(Scope::All, Scope::One)
    }
}

/// Whether to follow what was asked for.
#[derive(Debug, Args)]
pub struct Follow {
    /// Follow it until it is done; status 1 when that takes longer than --timeout.
    #[arg(long)]
    pub wait: bool,
    /// How long to follow it.
    #[arg(long, value_name = "DURATION", default_value = "10m", requires = "wait")]
    pub timeout: HumanDuration,
}

/// An operation for one or all mailboxes.
#[derive(Debug, Args)]
pub struct AskArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) follow: Follow,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Why, as somebody wrote it; blanks alone say nothing.
pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() { Err("must say why, in a few words") } else { Ok(text.to_owned()) }
}

/// A number as lists show it.
fn number(text: &str) -> Result<i64, &'static str> {
    let number = text.parse().ok().filter(|number: &i64| *number > 0);
    number.ok_or("must be a number, as the list of them shows it")
}

/// Which operations to show.
#[derive(Debug, Args)]
pub struct OperationsArgs {
    /// The number of one; the latest 20 when absent.
    #[arg(value_name = "ID", value_parser = number)]
    pub id: Option<i64>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to do with the resources.
#[derive(Debug, Subcommand)]
pub enum ResourcesCommand {
    /// Show all that Planner lists or ever listed.
    #[command(after_help = "\
Example:
  kommuneklient resources list --config kommuneklient.toml")]
    List(Common),
    /// Fetch the list from Planner now.
    #[command(after_help = "\
Example:
  kommuneklient resources refresh --config kommuneklient.toml --wait")]
    Refresh(RefreshArgs),
}

/// A refresh, and whether to follow it.
#[derive(Debug, Args)]
pub struct RefreshArgs {
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) follow: Follow,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Addresses for the whitelist.
#[derive(Debug, Args)]
pub struct WhitelistArgs {
    /// The mailboxes.
    #[arg(value_name = "MAILBOX", required = true, value_parser = MailAddress::parse)]
    pub mailboxes: Vec<MailAddress>,
    /// Why; recorded, and shown with the whitelist.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    /// It is meant, also where many mailboxes stop or begin to be used by it.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to do with the whitelist.
#[derive(Debug, Subcommand)]
pub enum WhitelistCommand {
    /// Show it.
    #[command(after_help = "\
Example:
  kommuneklient whitelist list --config kommuneklient.toml")]
    List(Common),
    /// Put mailboxes on it. The first entry excludes everybody else.
    #[command(after_help = "\
Example, a roll-out that begins with three:
  kommuneklient whitelist add anna@kommune.dk bo@kommune.dk room1@kommune.dk --reason \"pilot\" --config kommuneklient.toml --yes")]
    Add(WhitelistArgs),
    /// Take mailboxes off it. Without any entry everybody is used.
    #[command(after_help = "\
Example:
  kommuneklient whitelist remove anna@kommune.dk --config kommuneklient.toml")]
    Remove(WhitelistArgs),
}

/// What to do with the blacklist.
#[derive(Debug, Subcommand)]
pub enum BlacklistCommand {
    /// Show it.
    #[command(after_help = "\
Example:
  kommuneklient blacklist list --config kommuneklient.toml")]
    List(Common),
    /// Block a mailbox. Its appointments stay in Planner.
    #[command(after_help = "\
Example:
  kommuneklient blacklist add anna@kommune.dk --reason \"has left\" --config kommuneklient.toml")]
    Add(BlacklistAddArgs),
    /// Take a mailbox off it. It comes back with the next resource list, which is asked for.
    #[command(after_help = "\
Example:
  kommuneklient blacklist remove anna@kommune.dk --config kommuneklient.toml")]
    Remove(BlacklistRemoveArgs),
}

/// A mailbox to be blocked.
#[derive(Debug, Args)]
pub struct BlacklistAddArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    /// Why; shown wherever the mailbox is.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A mailbox to be blocked no more.
#[derive(Debug, Args)]
pub struct BlacklistRemoveArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The number of a withheld run: `17` is one of a mailbox, `L3` one of the resource list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunId {
    /// Deletions of a mailbox's appointments.
    Mailbox(i64),
    /// Resources that Planner lists no more.
    List(i64),
}

impl std::str::FromStr for RunId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = "must be a number like 17 (a mailbox) or L3 (the resource list)";
        match text.strip_prefix(['L', 'l']) {
            Some(number) => number.parse().map(Self::List).map_err(|_error| refuse),
            None => text.parse().map(Self::Mailbox).map_err(|_error| refuse),
        }
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mailbox(id) => write!(f, "{id}"),
            Self::List(id) => write!(f, "L{id}"),
        }
    }
}

/// Which runs.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Runs {
    /// The runs, as `withheld list` names them: 17 (of a mailbox) or L3 (of the resource list).
    #[arg(value_name = "RUN")]
    pub runs: Vec<RunId>,
    /// All that wait.
    #[arg(long)]
    pub all: bool,
}

/// Runs and who settles them.
#[derive(Debug, Args)]
pub struct SettleArgs {
    #[command(flatten)]
    pub(crate) what: Runs,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to do with withheld runs.
#[derive(Debug, Subcommand)]
pub enum WithheldCommand {
    /// Show those that wait.
    #[command(after_help = "\
Example:
  kommuneklient withheld list --settled --config kommuneklient.toml")]
    List(WithheldListArgs),
    /// Show what a run would delete.
    #[command(after_help = "\
Example:
  kommuneklient withheld show 17 --config kommuneklient.toml")]
    Show(WithheldShowArgs),
    /// It is right: delete. Final: nothing brings the appointments back but their calendar.
    #[command(after_help = "\
Examples:
  kommuneklient withheld confirm L3 --config kommuneklient.toml
  kommuneklient withheld confirm 17 18 19 --by kim --config kommuneklient.toml")]
    Confirm(SettleArgs),
    /// It is wrong: keep. Final: what was rejected cannot be confirmed any more.
    ///
    /// Appointments that were kept stay in Planner until they are deleted in their calendar by hand or their time has
    /// passed; no full pull and no comparison withholds or deletes them again.
    #[command(after_help = "\
Examples:
  kommuneklient withheld reject 17 --config kommuneklient.toml
  kommuneklient withheld reject --all --config kommuneklient.toml")]
    Reject(SettleArgs),
}

/// Which runs to show.
#[derive(Debug, Args)]
pub struct WithheldListArgs {
    /// Also the latest ones that were settled.
    #[arg(long)]
    pub settled: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which run to show.
#[derive(Debug, Args)]
pub struct WithheldShowArgs {
    /// The run, as `withheld list` names it: 17 (of a mailbox) or L3 (of the resource list).
    #[arg(value_name = "RUN")]
    pub run: RunId,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to do with what was set aside.
#[derive(Debug, Subcommand)]
pub enum SetAsideCommand {
    /// Show notifications and appointments that are not tried any more, and why.
    #[command(after_help = "\
Example:
  kommuneklient set-aside list --mailbox anna@kommune.dk --config kommuneklient.toml")]
    List(SetAsideListArgs),
    /// Try again what was set aside.
    #[command(after_help = "\
What Planner refused is not tried again: it is sent when its decision changes or a comparison says so.

Examples:
  kommuneklient set-aside retry 4711 --config kommuneklient.toml
  kommuneklient set-aside retry --mailbox anna@kommune.dk --config kommuneklient.toml")]
    Retry(RetryArgs),
}

/// Of which mailbox.
#[derive(Debug, Args)]
pub struct SetAsideListArgs {
    /// Only of this mailbox.
    #[arg(long, value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: Option<MailAddress>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to try again.
#[derive(Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    pub(crate) what: RetryTarget,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RetryTarget {
    /// The notification with this number.
    #[arg(value_name = "ID", value_parser = number)]
    pub id: Option<i64>,
    /// Everything of this mailbox.
    #[arg(long, value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: Option<MailAddress>,
    /// Everything.
    #[arg(long)]
    pub all: bool,
}
