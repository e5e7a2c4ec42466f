//! `pull`, `compare`, `adopt`, `resources refresh` and `operations`: asking the stages for work, and how far it is.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use base::{Clock, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use store::Store;
use store::operations::{Operation, OperationKind, Progress, Scope};

use super::show::{counted, moment, table};
use super::{CommandError, Desk, LOOK_EVERY};
use crate::acts::{self, state, value, words};
use crate::cli::operators::{AskArgs, Follow, Who};

/// How many operations are shown.
const SHOWN: u32 = 20;

/// Asks for an operation for one or all mailboxes.
pub(crate) async fn ask(desk: Desk, kind: OperationKind, args: &AskArgs) -> Result<(), CommandError> {
    begin(desk, kind, args.target.scope(), &args.who, &args.follow).await
}

/// Asks for the resource list.
pub(crate) async fn refresh(desk: Desk, who: &Who, follow: &Follow) -> Result<(), CommandError> {
    begin(desk, OperationKind::ResourceList, Scope::All, who, follow).await
}

async fn begin(
    desk: Desk,
    kind: OperationKind,
    scope: Scope,
    who: &Who,
    follow: &Follow,
) -> Result<(), CommandError> {
    let store = &desk.store;
    let operation = acts::ask(store, desk.allowed(), kind, &scope, &who.name(), desk.now()).await?;
    let nobody = store.live_instances().await? == 0;
    if nobody {
        say("no instance of the service is running; it is done when one starts");
    }
    if !follow.wait {
        let progress = store.operation_progress(&operation).await?;
        desk.answer(&value(&operation, &progress), || {
            format!(
                "operation {} is asked for: {} ({}); `kommuneklient operations {}` shows how far it is",
                operation.id,
                words(kind),
                meant(&operation, &progress),
                operation.id
            )
        });
        return Ok(());
    }
    say(&format!("operation {} is asked for; who stops waiting here does not stop it", operation.id));
    let progress = wait_for(store, &operation, follow.timeout.get()).await?;
    desk.answer(&value(&operation, &progress), || {
        let outcome = progress.outcome.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        format!(
            "operation {} is done: {} ({}){outcome}",
            operation.id,
            words(kind),
            meant(&operation, &progress)
        )
    });
    Ok(())
}

/// Follows an operation until it is done.
async fn wait_for(store: &Store, operation: &Operation, timeout: Duration) -> Result<Progress, CommandError> {
    let began = SystemClock.monotonic();
    let mut follower = Follower::new();
    loop {
        let progress = store.operation_progress(operation).await?;
        follower.show(&progress);
        if progress.is_done() {
            return Ok(progress);
        }
        let waited = SystemClock.monotonic().saturating_duration_since(began);
        if waited >= timeout {
            return Err(CommandError::TimedOut {
                id: operation.id,
                waited: timeout,
                done: progress.done,
                of: progress.of,
            });
        }
        tokio::time::sleep(LOOK_EVERY.min(timeout - waited)).await;
    }
}

/// A bar on a terminal, a line for each change elsewhere; on standard error, so that the answer stays clean.
struct Follower {
    bar: Option<ProgressBar>,
    last: String,
}

impl Follower {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos} of {len} {msg}");
            let bar = ProgressBar::new(1).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, last: String::new() }
    }

    fn show(&mut self, progress: &Progress) {
        let text = keeps(progress);
        match &self.bar {
            Some(bar) => {
                bar.set_length(progress.of);
                bar.set_position(progress.done);
                bar.set_message(text);
                if progress.is_done() {
                    bar.finish_and_clear();
                }
            }
            None => {
                let line = format!("{} of {} {text}", progress.done, progress.of);
                if line != self.last {
                    say(line.trim_end());
                    self.last = line;
                }
            }
        }
    }
}

fn say(line: &str) {
    // nobody is left to tell when standard error is closed
    let _closed = writeln!(std::io::stderr().lock(), "{line}");
}

/// The first thing that keeps it, in words.
fn keeps(progress: &Progress) -> String {
    let outcome = progress.outcome.clone().filter(|_| !progress.is_done());
    let reason =
        progress.waiting.iter().find_map(|one| Some(format!("{}: {}", one.mail, one.reason.as_ref()?)));
    outcome.or(reason).unwrap_or_default()
}

fn meant(operation: &Operation, progress: &Progress) -> String {
    if let Some(run) = &operation.subject {
        return format!("run {run}");
    }
    match &operation.scope {
        _ if operation.kind == OperationKind::ResourceList => "from Planner".to_owned(),
        Scope::One(mail) => mail.to_string(),
        Scope::All => counted(progress.of, "mailbox", "mailboxes"),
    }
}

/// Shows one operation, or the latest.
pub(crate) async fn show(desk: Desk, id: Option<i64>) -> Result<(), CommandError> {
    let operations = match id {
        Some(id) => {
            let found = desk.store.operation(id).await?;
            vec![found.ok_or(CommandError::UnknownOperation { id })?]
        }
        None => desk.store.operations(SHOWN).await?,
    };
    let mut values = Vec::with_capacity(operations.len());
    let mut rows = Vec::with_capacity(operations.len());
    let mut waiting = Vec::new();
    for operation in &operations {
        let progress = desk.store.operation_progress(operation).await?;
        values.push(value(operation, &progress));
        rows.push(row(operation, &progress));
        if id.is_some() {
            let reason = |text: &Option<String>| text.clone().unwrap_or_else(|| "in turn".into());
            waiting.extend(progress.waiting.iter().map(|one| vec![one.mail.clone(), reason(&one.reason)]));
        }
    }
    let answer = if id.is_some() { values.pop().unwrap_or(Value::Null) } else { Value::from(values) };
    desk.answer(&answer, || {
        let headings = ["ID", "WHAT", "MAILBOXES", "DONE", "STATE", "ASKED AT", "BY"];
        let mut text = table(&headings, rows, "nothing was asked for yet");
        if !waiting.is_empty() {
            text.push_str(&format!("\n\n{}", table(&["WAITING", "WHY"], waiting, "")));
        }
        text
    });
    Ok(())
}

fn row(operation: &Operation, progress: &Progress) -> Vec<String> {
    let state = match (&operation.error, &progress.outcome) {
        (Some(error), _) => format!("failed: {error}"),
        (None, Some(outcome)) => format!("{}: {outcome}", state(operation, progress)),
        (None, None) => state(operation, progress).to_owned(),
    };
    vec![
        operation.id.to_string(),
        words(operation.kind).to_owned(),
        operation
            .subject
            .as_ref()
            .map_or_else(|| operation.scope.mail().unwrap_or("all").to_owned(), |run| format!("run {run}")),
        format!("{} of {}", progress.done, progress.of),
        state,
        moment(operation.asked_at),
        operation.asked_by.clone(),
    ]
}
