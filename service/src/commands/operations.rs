//! `pull`, `compare`, `adopt`, `resources refresh` and `operations`: asking the stages for work, and how far it is.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use base::{Clock, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use store::inspect::Hold;
use store::operations::{NOT_SENT, Operation, OperationKind, Progress, Scope};

use super::diff::{self, Sending};
use super::show::{counted_in, moment, table_in, terminal};
use super::{CommandError, Desk, LOOK_EVERY, resources, stored, withheld as runs};
use crate::acts::{self, state, value, words};
use crate::cli::operators::{AskArgs, Follow, Who};
use crate::texts::{Language, Text, operations as t, withheld, words as w};

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
    let (store, language) = (&desk.store, desk.language);
    let operation = acts::ask(store, desk.allowed(), kind, &scope, &who.name(), desk.now()).await?;
    let nobody = store.live_instances().await? == 0;
    if nobody {
        say(t::NOBODY_RUNS.say(language));
    }
    if !follow.wait {
        let progress = store.operation_progress(&operation).await?;
        desk.answer(&value(&operation, &progress), || {
            let of = meant(&operation, &progress, language);
            let what = words(kind).say(language);
            t::ASKED.fill(language, &[("id", &operation.id), ("what", &what), ("of", &of)])
        });
        return Ok(());
    }
    say(&t::FOLLOWED.fill(language, &[("id", &operation.id)]));
    let progress = wait_for(&desk, &operation, follow.timeout.get()).await?;
    if acts::is_void(&operation, &progress) {
        return Err(CommandError::CameToNothing { id: operation.id, unused: progress.unused });
    }
    let withheld = deletions_withheld(&desk, kind, &scope).await?;
    let mut told = value(&operation, &progress);
    if withheld > 0 {
        told["withheld"] = json!(withheld);
    }
    desk.answer(&told, || {
        let outcome = outcome(&progress, language).map(|text| format!(": {text}")).unwrap_or_default();
        let of = meant(&operation, &progress, language);
        let what = words(kind).say(language);
        t::IS_DONE.fill(language, &[("id", &operation.id), ("what", &what), ("of", &of)])
            + &outcome
            + &withheld_line(withheld, language)
    });
    Ok(())
}

/// How many deletions of these mailboxes wait for somebody who decides after an operation that may have withheld some.
async fn deletions_withheld(desk: &Desk, kind: OperationKind, scope: &Scope) -> Result<u64, CommandError> {
    if !matches!(kind, OperationKind::FullPull | OperationKind::Comparison) {
        return Ok(0);
    }
    Ok(runs::waiting_of(desk, scope).await?.iter().map(|run| u64::from(run.remaining)).sum())
}

/// Tells of them on a line of its own; nothing where there are none.
fn withheld_line(deletions: u64, language: Language) -> String {
    if deletions == 0 {
        return String::new();
    }
    format!("\n{}", counted_in(language, deletions, t::ONE_WITHHELD, t::WITHHELD))
}

/// Follows an operation until it is done.
async fn wait_for(desk: &Desk, operation: &Operation, timeout: Duration) -> Result<Progress, CommandError> {
    let began = SystemClock.monotonic();
    let mut follower = Follower::new(desk.language);
    loop {
        let progress = desk.store.operation_progress(operation).await?;
        let held = held(operation, &progress, &Sending::now(desk).await?);
        follower.show(&progress, held.map(|(_, words)| words));
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
    language: Language,
}

impl Follower {
    fn new(language: Language) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos} of {len} {msg}");
            let bar = ProgressBar::new(1).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, last: String::new(), language }
    }

    fn show(&mut self, progress: &Progress, held: Option<Text>) {
        let text = keeps(progress, held, self.language);
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
                let line = format!("{} {text}", done_of(progress, self.language));
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

/// What came of it so far.
fn outcome(progress: &Progress, language: Language) -> Option<String> {
    let stored = progress.outcome.as_deref()?;
    // of a settlement it is the state of the run
    Some(
        withheld::state(stored)
            .map_or_else(|| stored::parts(stored, language), |state| state.say(language).into()),
    )
}

/// How it stands while it is not done, in words: what came of it so far, and the first thing that keeps it, which is
/// what a mailbox waits for, or else what holds all of them.
fn keeps(progress: &Progress, held: Option<Text>, language: Language) -> String {
    if progress.is_done() {
        return String::new();
    }
    let reason = progress
        .waiting
        .iter()
        .find_map(|one| Some(format!("{}: {}", one.mail, reason(one.reason.as_ref()?, language))));
    let kept = reason.or_else(|| held.map(|words| words.say(language).to_owned()));
    outcome(progress, language).into_iter().chain(kept).collect::<Vec<_>>().join("; ")
}

/// Why a mailbox waits: what the last receipt led to, that it is not in use, or what an error says.
fn reason(stored: &str, language: Language) -> String {
    if stored == NOT_SENT {
        return w::HOLD_NOT_IN_USE.say(language).to_owned();
    }
    let (word, details) = stored.split_once(": ").unwrap_or((stored, ""));
    match stored::receipt(word) {
        Some(text) if details.is_empty() => text.say(language).to_owned(),
        Some(text) => format!("{}: {}", text.say(language), stored::parts(details, language)),
        // why it cannot be listened to is kept as a code
        None => match resources::trouble(stored, language) {
            words if words == stored => stored::parts(stored, language),
            words => words,
        },
    }
}

fn done_of(progress: &Progress, language: Language) -> String {
    w::OF.fill(language, &[("n", &progress.done), ("all", &progress.of)])
}

fn meant(operation: &Operation, progress: &Progress, language: Language) -> String {
    if let Some(run) = &operation.subject {
        return w::RUN.fill(language, &[("run", run)]);
    }
    match &operation.scope {
        _ if operation.kind == OperationKind::ResourceList => t::FROM_PLANNER.say(language).to_owned(),
        Scope::One(mail) => mail.to_string(),
        Scope::All => counted_in(language, progress.of, w::ONE_MAILBOX, w::MAILBOXES),
    }
}

/// What keeps all that an operation of this kind still waits for, for programs and for people; `None` = its turn alone.
fn hold(kind: OperationKind, sending: &Sending) -> Option<(&'static str, Text)> {
    use OperationKind as K;
    match kind {
        K::Resend | K::Confirmation if sending.dry_run => Some((diff::DRY_RUN, w::HOLD_DRY_RUN)),
        K::Resend | K::Confirmation | K::Comparison | K::Adoption if sending.failure.is_some() => {
            Some((diff::PLANNER_FAILS, w::CALLS_FAIL))
        }
        _ => None,
    }
}

/// The same for an operation: nothing where it is done, or failed. That its one mailbox is not in use goes before what keeps
/// all of them.
fn held(operation: &Operation, progress: &Progress, sending: &Sending) -> Option<(&'static str, Text)> {
    if progress.is_done() || operation.error.is_some() {
        return None;
    }
    if progress.waiting.iter().any(|one| one.reason.as_deref() == Some(NOT_SENT)) {
        return Some((diff::hold_name(Hold::NotInUse, sending), w::HOLD_NOT_IN_USE));
    }
    hold(operation.kind, sending)
}

/// Shows one operation, or the latest.
pub(crate) async fn show(desk: Desk, id: Option<i64>) -> Result<(), CommandError> {
    let language = desk.language;
    let operations = match id {
        Some(id) => {
            let found = desk.store.operation(id).await?;
            vec![found.ok_or(CommandError::UnknownOperation { id })?]
        }
        None => desk.store.operations(SHOWN).await?,
    };
    let mut values = Vec::with_capacity(operations.len());
    let mut rows = Vec::with_capacity(operations.len());
    let (mut waiting, mut unused) = (Vec::new(), Vec::new());
    let sending = Sending::now(&desk).await?;
    let mut fails = false;
    for operation in &operations {
        let progress = desk.store.operation_progress(operation).await?;
        let mut told = value(operation, &progress);
        let held = held(operation, &progress, &sending);
        if let Some((name, _)) = held {
            told["waits_for"] = json!(name);
            told["planner_failure"] = sending.failure_value();
            fails |= name == diff::PLANNER_FAILS;
        }
        values.push(told);
        rows.push(row(operation, &progress, held.map(|(_, words)| words), language));
        if id.is_some() {
            let reason = |text: &Option<String>| match text {
                Some(text) => reason(text, language),
                None => held.map_or(t::IN_TURN, |(_, words)| words).say(language).to_owned(),
            };
            waiting.extend(progress.waiting.iter().map(|one| vec![one.mail.clone(), reason(&one.reason)]));
            let why = |one| acts::why_unused(one, language);
            unused.extend(progress.unused.iter().map(|one| vec![one.mail.clone(), why(one)]));
        }
    }
    let answer = if id.is_some() { values.pop().unwrap_or(Value::Null) } else { Value::from(values) };
    desk.answer(&answer, || {
        let headings = [t::ID, t::WHAT, t::MAILBOXES, t::DONE, w::STATE, t::ASKED_AT, w::BY];
        let mut text = table_in(language, &headings, rows, t::EMPTY);
        if !waiting.is_empty() {
            text.push_str(&format!("\n\n{}", table_in(language, &[t::WAITING, t::WHY], waiting, t::EMPTY)));
        }
        if !unused.is_empty() {
            text.push_str(&format!("\n\n{}", table_in(language, &[t::UNUSED, t::WHY], unused, t::EMPTY)));
        }
        let failure = sending.failure.as_ref().filter(|_| fails);
        let line = failure.map(|failure| diff::failure_line(failure, language));
        diff::closed(std::iter::once(text).chain(line).collect(), terminal())
    });
    Ok(())
}

fn row(operation: &Operation, progress: &Progress, held: Option<Text>, language: Language) -> Vec<String> {
    let word = match state(operation, progress) {
        "failed" => t::STATE_FAILED,
        "done" => t::STATE_DONE,
        _ => t::STATE_WAITING,
    };
    let word = word.say(language);
    let error = operation.error.as_deref().map(|error| stored::parts(error, language));
    let void = acts::is_void(operation, progress);
    let error = error.or_else(|| void.then(|| acts::void(&progress.unused, language)));
    let outcome = || {
        if progress.is_done() { outcome(progress, language) } else { Some(keeps(progress, held, language)) }
    };
    let state = match error.or_else(outcome).filter(|text| !text.is_empty()) {
        Some(text) => format!("{word}: {text}"),
        None => word.to_owned(),
    };
    let of = match (&operation.subject, operation.scope.mail()) {
        (Some(run), _) => w::RUN.fill(language, &[("run", run)]),
        (None, mail) => mail.unwrap_or(t::EVERY_MAILBOX.say(language)).to_owned(),
    };
    vec![
        operation.id.to_string(),
        words(operation.kind).say(language).to_owned(),
        of,
        done_of(progress, language),
        state,
        moment(operation.asked_at),
        operation.asked_by.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use calendar::MailAddress;
    use jiff::Timestamp;
    use store::inspect::PlannerFailure;
    use store::operations::{Unused, Waiting};

    use super::*;

    /// "done, 0 of 0" would say that what nobody did was done.
    #[test]
    fn an_operation_that_nobody_is_left_for_is_not_told_as_done() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let operation = |scope| Operation {
            id: 7,
            kind: OperationKind::Adoption,
            scope,
            subject: None,
            asked_by: "kim".to_owned(),
            asked_at: Timestamp::UNIX_EPOCH,
            error: None,
            meant: Some(1),
            outcome: None,
        };
        let unused =
            |blocked| Unused { mail: mail.to_string(), blocked, reason: Some("has left".to_owned()) };
        let told = |scope, unused, language| {
            let progress = Progress { unused, ..Progress::default() };
            row(&operation(scope), &progress, None, language).remove(4)
        };
        let one = || Scope::One(mail.clone());
        assert_eq!(told(one(), vec![unused(true)], Language::En), "failed: anna@x.dk is blocked (has left)");
        assert_eq!(
            told(one(), vec![unused(true)], Language::Da),
            "mislykket: anna@x.dk er spærret (has left)"
        );
        assert_eq!(
            told(one(), vec![unused(false)], Language::En),
            "failed: anna@x.dk is not used any more (has left)"
        );
        let two = vec![unused(true), unused(false)];
        assert_eq!(
            told(Scope::All, two, Language::En),
            "failed: none of the mailboxes that were meant is used any more"
        );
        // regression: of an operation of an older version nobody knows who was meant, and it was told as failed
        let before = Operation { meant: None, ..operation(Scope::All) };
        assert_eq!(row(&before, &Progress::default(), None, Language::En)[4], "done");
        let told = value(&before, &Progress::default());
        assert_eq!((&told["state"], &told["error"]), (&json!("done"), &Value::Null));
        // some are left: it is done for them
        let progress = Progress { done: 1, of: 1, unused: vec![unused(true)], ..Progress::default() };
        assert_eq!(row(&operation(Scope::All), &progress, None, Language::En)[4], "done");
    }

    /// Regression: what waited for an outage was told as "waiting" alone in the list, and as nothing by who followed it.
    #[test]
    fn what_keeps_an_operation_stands_in_the_list_and_is_told_to_who_follows_it() {
        let operation = Operation {
            id: 7,
            kind: OperationKind::Comparison,
            scope: Scope::All,
            subject: None,
            asked_by: "kim".to_owned(),
            asked_at: Timestamp::UNIX_EPOCH,
            error: None,
            meant: Some(2),
            outcome: None,
        };
        let waiting = |reason: Option<&str>| {
            let one = Waiting { mail: "anna@x.dk".to_owned(), reason: reason.map(str::to_owned) };
            Progress { done: 1, of: 2, waiting: vec![one], ..Progress::default() }
        };
        let outcome =
            |progress: Progress, outcome: &str| Progress { outcome: Some(outcome.to_owned()), ..progress };
        let fails = Some(w::CALLS_FAIL);
        for (progress, held, expected) in [
            (waiting(None), None, ""),
            (waiting(None), fails, "calls to Planner fail"),
            // what is known of the mailbox itself says more
            (waiting(Some("Exchange is away")), fails, "anna@x.dk: Exchange is away"),
            (waiting(Some("Exchange is away")), None, "anna@x.dk: Exchange is away"),
            // regression: the bare code stood there
            (
                waiting(Some("NotCovered")),
                None,
                "anna@x.dk: no service account covers it (kommuneklient credential list shows the accounts and their room)",
            ),
            (outcome(waiting(None), "confirmed"), fails, "confirmed; calls to Planner fail"),
            (Progress { done: 2, of: 2, ..Progress::default() }, None, ""),
        ] {
            assert_eq!(keeps(&progress, held, Language::En), expected);
            let state = row(&operation, &progress, held, Language::En).remove(4);
            let word = if progress.is_done() { "done" } else { "waiting" };
            let told = if expected.is_empty() { word.to_owned() } else { format!("{word}: {expected}") };
            assert_eq!(state, told);
        }
        let state = row(&operation, &waiting(None), fails, Language::Da).remove(4);
        assert_eq!(state, "venter: kald til Planner mislykkes");
    }

    /// Regression: a confirmed run of a mailbox that is not in use was told as "waiting: confirmed", whatever keeps it.
    #[test]
    fn what_was_confirmed_of_a_mailbox_that_is_not_in_use_says_that_it_is_not_sent() {
        assert_eq!(NOT_SENT, w::HOLD_NOT_IN_USE.en);
        let operation = Operation {
            id: 17,
            kind: OperationKind::Confirmation,
            scope: Scope::One(MailAddress::parse("anna@x.dk").unwrap()),
            subject: Some("4".to_owned()),
            asked_by: "kim".to_owned(),
            asked_at: Timestamp::UNIX_EPOCH,
            error: None,
            meant: None,
            outcome: None,
        };
        let waits = |reason: Option<&str>| {
            let one = Waiting { mail: "anna@x.dk".to_owned(), reason: reason.map(str::to_owned) };
            let outcome = Some("confirmed".to_owned());
            Progress { done: 0, of: 3, waiting: vec![one], outcome, ..Progress::default() }
        };
        let told = |progress: &Progress, sending: &Sending, language| {
            let held = held(&operation, progress, sending);
            let state = row(&operation, progress, held.map(|(_, words)| words), language).remove(4);
            (held.map(|(name, _)| name), state)
        };
        let rehearses = Sending { dry_run: true, ..Sending::default() };
        for sending in [Sending::default(), rehearses] {
            let (name, english) = told(&waits(Some(NOT_SENT)), &sending, Language::En);
            assert_eq!(name, Some("not_in_use"));
            assert_eq!(english, "waiting: confirmed; anna@x.dk: not sent while the mailbox is not in use");
            let (_, danish) = told(&waits(Some(NOT_SENT)), &sending, Language::Da);
            assert!(
                danish.ends_with("anna@x.dk: sendes ikke, så længe postkassen ikke er i brug"),
                "{danish}"
            );
        }
        let (name, english) = told(&waits(None), &Sending::default(), Language::En);
        assert_eq!((name, english.as_str()), (None, "waiting: confirmed"));
        let done = Progress { done: 3, waiting: Vec::new(), ..waits(None) };
        assert_eq!(told(&done, &Sending::default(), Language::En).0, None);
    }

    /// Regression: a full pull whose deletions were withheld ended with "done" alone.
    #[test]
    fn what_was_withheld_is_told_at_the_end() {
        assert_eq!(withheld_line(0, Language::En), "");
        assert!(withheld_line(1, Language::En).starts_with("\n1 deletion is withheld"));
        assert!(
            withheld_line(12, Language::En)
                .ends_with("wait for somebody who decides: kommuneklient withheld list")
        );
        assert!(withheld_line(12, Language::Da).starts_with("\n12 sletninger er tilbageholdt"));
    }

    /// "in turn" is said only where nothing else keeps it: as `diff` and `doctor` tell.
    #[test]
    fn an_operation_that_needs_planner_tells_what_keeps_it() {
        use OperationKind as K;
        let at = Timestamp::UNIX_EPOCH;
        let failure =
            PlannerFailure { at, since: at, operation: "GetEvents".to_owned(), event_id: None, text: None };
        let fails = Sending { failure: Some(failure), ..Sending::default() };
        let rehearses = Sending { dry_run: true, ..Sending::default() };
        let name = |kind, sending: &Sending| hold(kind, sending).map(|(name, _)| name);
        for kind in [K::Comparison, K::Adoption, K::Resend, K::Confirmation] {
            assert_eq!(name(kind, &fails), Some("planner_fails"), "{kind:?}");
            assert_eq!(name(kind, &Sending::default()), None, "{kind:?}");
        }
        // Planner is asked what it holds whether or not anything is sent; Exchange has nothing to do with either
        assert_eq!(
            (name(K::Resend, &rehearses), name(K::Confirmation, &rehearses)),
            (Some("dry_run"), Some("dry_run"))
        );
        assert_eq!((name(K::Comparison, &rehearses), name(K::FullPull, &fails)), (None, None));
    }
}
