//! Arguments of the tools with which operators look at the service and at single mailboxes.

use calendar::{MailAddress, OriginId};
use clap::{Args, Subcommand};

use super::operators::{AskArgs, Common, Who, reason};
use crate::config::HumanDuration;

/// The tools.
#[derive(Debug, Subcommand)]
pub enum ToolCommand {
    /// Find out anew where mailboxes live, now; those that could not be listened to are tried at once.
    #[command(after_help = "\
What is stored holds until a new place is known.

Examples:
  kommuneklient rediscover anna@kommune.dk --config kommuneklient.toml --wait
  kommuneklient rediscover --all --config kommuneklient.toml")]
    Rediscover(AskArgs),
    /// Send at once what waits for another try, and try again what was set aside.
    #[command(after_help = "\
What Planner refused is not sent again: it is sent when its decision changes or a comparison says so.

Examples:
  kommuneklient resend anna@kommune.dk --config kommuneklient.toml --wait
  kommuneklient resend --all --config kommuneklient.toml")]
    Resend(AskArgs),
    /// How the whole service stands: alerts, stages, groups, accounts, queues, budget, and what is to be looked at.
    #[command(after_help = "\
Exit status: 0 an instance of the service runs (--json says in \"well\" whether all is well), 1 none runs or the
database cannot be asked, 2 wrong usage or configuration.

Examples:
  kommuneklient status --config kommuneklient.toml
  kommuneklient status --watch 5s --config kommuneklient.toml
  kommuneklient status --config kommuneklient.toml --json")]
    Status(StatusArgs),
    /// Mailboxes one by one: whether they are used, why not, and everything that is known of them.
    #[command(subcommand)]
    Mailbox(MailboxCommand),
    /// What happened with a mailbox or an appointment: notifications, decisions, calls and receipts, in order.
    #[command(after_help = "\
Examples:
  kommuneklient explain anna@kommune.dk --config kommuneklient.toml
  kommuneklient explain anna@kommune.dk --since 24h --limit 50 --config kommuneklient.toml
  kommuneklient explain anna@kommune.dk 040000008200E00074C5B7101A82E008 --config kommuneklient.toml")]
    Explain(ExplainArgs),
    /// Is the installation ready? With MAILBOX: why are its appointments not in step?
    #[command(after_help = "\
Each step has a verdict, what it rests on, and what to do. Status 1 where one fails.

Examples:
  kommuneklient doctor --config kommuneklient.toml
  kommuneklient doctor anna@kommune.dk --config kommuneklient.toml")]
    Doctor(DoctorArgs),
    /// What Planner is to be told and was not yet; with planner.dry_run, what would be sent.
    #[command(after_help = "\
Examples:
  kommuneklient diff --config kommuneklient.toml
  kommuneklient diff anna@kommune.dk --config kommuneklient.toml")]
    Diff(DiffArgs),
    /// Remove everything that is stored of a person, for good; the next resource list does not bring it back.
    #[command(after_help = "\
docs/privacy.md says what is stored where. What Planner holds is deleted first by `mailbox block --withdraw`.

Examples:
  kommuneklient erase anna@kommune.dk --dry-run --config kommuneklient.toml
  kommuneklient erase anna@kommune.dk --yes --by kim --config kommuneklient.toml")]
    Erase(EraseArgs),
}

/// How the whole service stands.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show it anew this often, until interrupted.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "2s")]
    pub watch: Option<HumanDuration>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to do with mailboxes.
#[derive(Debug, Subcommand)]
pub enum MailboxCommand {
    /// Show all mailboxes that Planner lists or ever listed.
    #[command(after_help = "\
Examples:
  kommuneklient mailbox list --config kommuneklient.toml
  kommuneklient mailbox list --failing --config kommuneklient.toml --json")]
    List(MailboxListArgs),
    /// Show everything that is known of one mailbox.
    #[command(after_help = "\
`kommuneklient doctor MAILBOX` says what is wrong with it, `kommuneklient explain MAILBOX` what happened.

Example:
  kommuneklient mailbox show anna@kommune.dk --config kommuneklient.toml")]
    Show(MailboxShowArgs),
    /// Stop using a mailbox, whatever Planner and the whitelist say.
    #[command(after_help = "\
Its appointments stay in Planner, unless --withdraw has them deleted there. Appointments that are over stay always.

Examples:
  kommuneklient mailbox block anna@kommune.dk --reason \"has left\" --config kommuneklient.toml
  kommuneklient mailbox block anna@kommune.dk --reason \"has left\" --withdraw --config kommuneklient.toml")]
    Block(MailboxBlockArgs),
    /// End a block. The mailbox comes back with the next resource list, which is asked for.
    #[command(after_help = "\
Example:
  kommuneklient mailbox unblock anna@kommune.dk --reason \"is back\" --config kommuneklient.toml")]
    Unblock(MailboxUnblockArgs),
    /// Put a mailbox on the whitelist. The first entry excludes everybody else.
    #[command(after_help = "\
Example:
  kommuneklient mailbox allow anna@kommune.dk --reason \"pilot\" --config kommuneklient.toml --yes")]
    Allow(MailboxAllowArgs),
}

/// Which mailboxes to show.
#[derive(Debug, Args)]
pub struct MailboxListArgs {
    /// Only those that are in use and cannot be listened to, by themselves or with the stream of their group.
    #[arg(long, conflicts_with = "unused")]
    pub failing: bool,
    /// Only those that are not in use.
    #[arg(long)]
    pub unused: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which mailbox to show.
#[derive(Debug, Args)]
pub struct MailboxShowArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which mailbox to block.
#[derive(Debug, Args)]
pub struct MailboxBlockArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    /// Why; shown wherever the mailbox is.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// Also delete its appointments in Planner, those that are over excepted.
    #[arg(long)]
    pub withdraw: bool,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which mailbox to block no more.
#[derive(Debug, Args)]
pub struct MailboxUnblockArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    /// Why; recorded.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which mailbox to put on the whitelist.
#[derive(Debug, Args)]
pub struct MailboxAllowArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    /// Why; shown with the whitelist.
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

/// What to explain.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    /// Only this appointment: its origin id, as `kommuneklient explain MAILBOX` and Planner show it.
    #[arg(value_name = "ORIGIN-ID", value_parser = origin_id)]
    pub origin_id: Option<OriginId>,
    /// How far back.
    #[arg(long, value_name = "DURATION", default_value = "168h")]
    pub since: HumanDuration,
    /// So many entries at most, the latest.
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The longest origin id that Planner takes is shorter.
const ORIGIN_ID_MAX: usize = 1_000;

fn origin_id(text: &str) -> Result<OriginId, String> {
    if text.is_empty() || text.len() > ORIGIN_ID_MAX || text.contains('\0') {
        return Err("must be an origin id, as Planner knows it".to_owned());
    }
    Ok(OriginId::new(text.to_owned()))
}

/// What to look at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Why are the appointments of this mailbox not in step? Without it: is the installation ready?
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: Option<MailAddress>,
    /// Do not try whether Exchange and Planner can be reached over the network.
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Whose differences to show.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Only of this mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: Option<MailAddress>,
    /// So many appointments at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Whom to erase.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// The mailbox.
    #[arg(value_name = "MAILBOX", value_parser = MailAddress::parse)]
    pub mailbox: MailAddress,
    /// Only say what would be removed.
    #[arg(long, conflicts_with_all = ["yes", "undo"])]
    pub dry_run: bool,
    /// It is meant: do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Leave in Planner what it holds of this mailbox; nothing will delete it there afterwards.
    #[arg(long)]
    pub leave_in_planner: bool,
    /// Also where nothing is stored of it: it is never listed then, if Planner should list it once.
    #[arg(long, conflicts_with = "undo")]
    pub even_if_unknown: bool,
    /// Let an erased mailbox be listed and used again. What was removed does not come back by that.
    #[arg(long, conflicts_with = "leave_in_planner")]
    pub undo: bool,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) common: Common,
}
