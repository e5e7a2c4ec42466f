//! The tools with which operators look at the service and at single mailboxes: which of them is meant.

use store::operations::OperationKind::{Rediscovery, Resend};

use super::{diff, doctor, erase, explain, mailbox, operations, status, with};
use crate::ServiceError;
use crate::cli::tools::{
    MailboxAllowArgs, MailboxBlockArgs, MailboxCommand, MailboxListArgs, MailboxShowArgs, MailboxUnblockArgs,
    ToolCommand as Tool,
};

/// Does what an operator says.
///
/// # Errors
/// The configuration, the database, or a refusal with its next step.
pub(super) fn perform(tool: &Tool) -> Result<(), ServiceError> {
    match tool {
        Tool::Rediscover(args) => {
            with("rediscover", &args.common, |desk| operations::ask(desk, Rediscovery, args))
        }
        Tool::Resend(args) => with("resend", &args.common, |desk| operations::ask(desk, Resend, args)),
        Tool::Status(args) => with("status", &args.common, |desk| status::status(desk, args)),
        Tool::Mailbox(command) => of_mailbox(command),
        Tool::Explain(args) => with("explain", &args.common, |desk| explain::explain(desk, args)),
        Tool::Doctor(args) => doctor::perform(args),
        Tool::Diff(args) => with("diff", &args.common, |desk| diff::diff(desk, args)),
        Tool::Erase(args) => with("erase", &args.common, |desk| erase::erase(desk, args)),
    }
}

fn of_mailbox(command: &MailboxCommand) -> Result<(), ServiceError> {
    match command {
        MailboxCommand::List(args @ MailboxListArgs { common, .. }) => {
            with("mailbox list", common, |desk| mailbox::list(desk, args))
        }
        MailboxCommand::Show(args @ MailboxShowArgs { common, .. }) => {
            with("mailbox show", common, |desk| mailbox::show(desk, args))
        }
        MailboxCommand::Block(args @ MailboxBlockArgs { common, .. }) => {
            with("mailbox block", common, |desk| mailbox::block(desk, args))
        }
        MailboxCommand::Unblock(args @ MailboxUnblockArgs { common, .. }) => {
            with("mailbox unblock", common, |desk| mailbox::unblock(desk, args))
        }
        MailboxCommand::Allow(args @ MailboxAllowArgs { common, .. }) => {
            with("mailbox allow", common, |desk| mailbox::allow(desk, args))
        }
    }
}
