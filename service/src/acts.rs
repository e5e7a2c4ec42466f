//! What operators can ask the stages for, by the command line ([`crate::commands`]) or over HTTP ([`crate::admin`]): the
//! original's service commands, and what came with the rules it did not have.
//!
//! Protocol: whatever is asked for is a row of `operation` first, with who asked; then the stage is told in its own way.
//! How far it is, is derived from what the stages write ([`Store::operation_progress`]).
//!
//! Failure: what is refused leaves no row. What could not be passed on to its stage leaves one with the reason.

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::operations::{Operation, OperationKind, Progress, Scope, Unused};
use store::resource_list::withheld::Settled;
use store::{Store, StoreError};

use crate::cli::operators::RunId;
use crate::commands::{CommandError, Sending, in_use, reasons};
use crate::texts::{Language, Text, operations as t};

#[cfg(test)]
mod tests;

/// What the configuration of whoever asks allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// May mailboxes be located anew (`listener.deactivate_solving_of_group_affinity` is false)?
    pub(crate) rediscovery: bool,
    /// Is anything sent (`planner.dry_run` is false)? It counts where no instance that is alive says what it does.
    pub(crate) sending: bool,
}

/// Asks for something for one or all mailboxes.
///
/// # Errors
/// A mailbox that nothing is done for, something that the configuration rules out, or the database.
pub(crate) async fn ask(
    store: &Store,
    allowed: Allowed,
    kind: OperationKind,
    scope: &Scope,
    by: &str,
    now: Timestamp,
) -> Result<Operation, CommandError> {
    if kind == OperationKind::Rediscovery && !allowed.rediscovery {
        return Err(CommandError::NotRediscovered);
    }
    if kind == OperationKind::Resend {
        let sending = Sending::by(store.senders().await?, !allowed.sending);
        if sending.dry_run {
            return Err(CommandError::DryRun { differs: sending.differs });
        }
    }
    if let Scope::One(mail) = scope {
        in_use(store, mail).await?;
    }
    let operation = store.record_operation(kind, scope, by).await?;
    if operation.error.is_some() {
        return Err(CommandError::NobodyInUse { id: operation.id });
    }
    if let Err(error) = pass_on(store, kind, scope, now).await {
        // the row says why; that it cannot even be written is told by the error itself
        let reason = telemetry::chain(&error).to_string();
        let _unrecorded = store.operation_failed(operation.id, &reason).await;
        return Err(error.into());
    }
    Ok(operation)
}

/// Tells the stage.
async fn pass_on(
    store: &Store,
    kind: OperationKind,
    scope: &Scope,
    now: Timestamp,
) -> Result<(), StoreError> {
    match kind {
        OperationKind::FullPull => store.ask_for_full_reads(scope, now).await.map(drop),
        OperationKind::Comparison => store.ask_for_comparison(scope).await.map(drop),
        OperationKind::Adoption => store.ask_for_adoption(scope).await.map(drop),
        OperationKind::ResourceList => store.ask_for_resource_list().await,
        OperationKind::Rediscovery => store.ask_for_rediscovery(scope).await.map(drop),
        OperationKind::Resend => store.ask_for_resend(scope).await.map(drop),
        // these are settled by `settle`, which is about a run
        OperationKind::Confirmation | OperationKind::Rejection => Ok(()),
    }
}

/// Confirms or rejects a withheld run. Answers the operation, and how many keys or resources it was about.
///
/// # Errors
/// There is no such run, it does not wait any more, or the database.
pub(crate) async fn settle(
    store: &Store,
    run: RunId,
    confirm: bool,
    by: &str,
    now: Timestamp,
) -> Result<(Operation, u64), CommandError> {
    let (mail, count) = match run {
        RunId::List(number) => (None, settle_list(store, number, confirm, by, now).await?),
        RunId::Mailbox(number) => {
            let (mail, count) = settle_mailbox(store, number, confirm, by, now).await?;
            (Some(mail), count)
        }
    };
    let kind = if confirm { OperationKind::Confirmation } else { OperationKind::Rejection };
    let scope = mail.map_or(Scope::All, Scope::One);
    let operation = store.record_operation_about(kind, &scope, Some(&run.to_string()), by).await?;
    Ok((operation, count))
}

async fn settle_list(
    store: &Store,
    number: i64,
    confirm: bool,
    by: &str,
    now: Timestamp,
) -> Result<u64, CommandError> {
    let run = RunId::List(number);
    let settled = if confirm {
        store.confirm_withheld_list(number, by, now).await?
    } else {
        store.reject_withheld_list(number, by, now).await?
    };
    match settled {
        Settled::Done(count) => Ok(count),
        Settled::Already(state) => {
            let successor = store.withheld_list_successor(number).await?.map(RunId::List);
            // cancelled is also what a later list made void
            let state = if successor.is_some() { "replaced" } else { state.as_str() };
            Err(CommandError::Settled { run, state: state.to_owned(), successor })
        }
        Settled::Unknown => Err(CommandError::UnknownRun { run }),
    }
}

async fn settle_mailbox(
    store: &Store,
    number: i64,
    confirm: bool,
    by: &str,
    now: Timestamp,
) -> Result<(MailAddress, u64), CommandError> {
    let run = RunId::Mailbox(number);
    let settled = if confirm {
        store.confirm_withheld(number, by, now).await?
    } else {
        store.reject_withheld(number, by, now).await?
    };
    if let Some(settled) = settled {
        return Ok((settled.mail, settled.keys));
    }
    Err(match store.withheld_run_state(number).await? {
        Some(state) => {
            let successor = store.withheld_run_successor(number).await?.map(RunId::Mailbox);
            CommandError::Settled { run, state, successor }
        }
        None => CommandError::UnknownRun { run },
    })
}

/// The name of an operation for people.
pub(crate) const fn words(kind: OperationKind) -> Text {
    match kind {
        OperationKind::FullPull => t::FULL_PULL,
        OperationKind::Comparison => t::COMPARISON,
        OperationKind::Adoption => t::ADOPTION,
        OperationKind::ResourceList => t::RESOURCE_LIST,
        OperationKind::Rediscovery => t::REDISCOVERY,
        OperationKind::Resend => t::RESEND,
        OperationKind::Confirmation => t::CONFIRMATION,
        OperationKind::Rejection => t::REJECTION,
    }
}

/// Why an operation comes to nothing that nobody is left for: who is not used any more, and why.
pub(crate) fn void(unused: &[Unused], language: Language) -> String {
    let [one] = unused else { return t::NOBODY_LEFT.say(language).to_owned() };
    let text = if one.blocked { t::IS_BLOCKED } else { t::IS_UNUSED };
    text.fill(language, &[("mail", &one.mail), ("why", &why_unused(one, language))])
}

/// Why a mailbox is not used, in words.
pub(crate) fn why_unused(one: &Unused, language: Language) -> String {
    reasons::or_none(one.reason.as_deref(), language)
}

/// Did it come to nothing, since none of those that were meant is in use any more? Of an operation that an older version
/// booked nobody knows who was meant: that none is left to be told of says nothing.
pub(crate) const fn is_void(operation: &Operation, progress: &Progress) -> bool {
    operation.meant.is_some() && progress.is_void()
}

/// `failed`, `done` or `waiting`.
pub(crate) fn state(operation: &Operation, progress: &Progress) -> &'static str {
    if operation.error.is_some() || is_void(operation, progress) {
        "failed"
    } else if progress.is_done() {
        "done"
    } else {
        "waiting"
    }
}

/// An operation for programs.
pub(crate) fn value(operation: &Operation, progress: &Progress) -> Value {
    let waiting: Vec<Value> =
        progress.waiting.iter().map(|one| json!({ "mailbox": one.mail, "reason": one.reason })).collect();
    let void = || void(&progress.unused, Language::En);
    let error = operation.error.clone().or_else(|| is_void(operation, progress).then(void));
    let mut value = json!({
        "id": operation.id,
        "kind": operation.kind.as_str(),
        "mailbox": operation.scope.mail(),
        "asked_by": operation.asked_by,
        "asked_at": operation.asked_at.to_string(),
        "state": state(operation, progress),
        "done": progress.done,
        "of": progress.of,
        "outcome": progress.outcome,
        "waiting": waiting,
        "error": error,
    });
    if !progress.unused.is_empty() {
        let unused = progress.unused.iter();
        let unused =
            unused.map(|one| json!({ "mailbox": one.mail, "blocked": one.blocked, "reason": one.reason }));
        value["not_used"] = unused.collect();
    }
    if let Some(subject) = &operation.subject {
        value["run"] = json!(subject);
    }
    value
}
