//! `withheld`: deletions that the mass-delete guard keeps back, of a mailbox's appointments or of the resource
//! list.

use calendar::Slot;
use serde_json::{Value, json};
use store::operations::RunKey;
use store::resource_list::withheld::{RunState, Settled, WithheldList};
use store::withheld::WithheldRun;

use super::show::{counted, moment, table};
use super::{CommandError, Desk};
use crate::cli::operators::{RunId, SettleArgs};

/// How many runs of the resource list are shown.
const SHOWN: u32 = 50;

/// A run, of whichever kind.
struct Run {
    id: RunId,
    what: String,
    source: &'static str,
    missing: u64,
    of: u64,
    withheld_at: jiff::Timestamp,
    state: String,
    settled: Option<(String, jiff::Timestamp)>,
}

impl From<WithheldRun> for Run {
    fn from(run: WithheldRun) -> Self {
        Self {
            id: RunId::Mailbox(run.id),
            what: run.mail.to_string(),
            source: run.source.as_str(),
            missing: u64::from(if run.state == "withheld" { run.remaining } else { run.keys }),
            of: u64::from(run.there),
            withheld_at: run.withheld_at,
            state: run.state,
            settled: run.settled,
        }
    }
}

impl From<WithheldList> for Run {
    fn from(list: WithheldList) -> Self {
        Self {
            id: RunId::List(list.id),
            what: "resource list".to_owned(),
            source: "resource_list",
            missing: u64::try_from(list.missing).unwrap_or_default(),
            of: u64::try_from(list.in_use_before).unwrap_or_default(),
            withheld_at: list.withheld_at,
            state: list.state.as_str().to_owned(),
            settled: list.settled_by.zip(list.settled_at),
        }
    }
}

/// Shows the runs that wait, and with `settled` the latest others.
pub(crate) async fn list(desk: Desk, settled: bool) -> Result<(), CommandError> {
    let mut runs: Vec<Run> = Vec::new();
    let lists = desk.store.withheld_lists(SHOWN).await?;
    runs.extend(lists.into_iter().filter(|list| settled || list.state == RunState::Withheld).map(Run::from));
    let of_mailboxes = desk.store.withheld_runs(settled, desk.now()).await?;
    runs.extend(of_mailboxes.into_iter().map(Run::from));
    let values: Vec<Value> = runs.iter().map(value).collect();
    desk.answer(&Value::from(values), || {
        table(HEADINGS, runs.iter().map(row).collect(), "nothing is withheld")
    });
    Ok(())
}

const HEADINGS: &[&str] = &["RUN", "OF", "FOUND BY", "MISSING", "STATE", "WITHHELD AT"];

fn row(run: &Run) -> Vec<String> {
    let state = match &run.settled {
        Some((by, at)) => format!("{} by {by}, {}", run.state, moment(*at)),
        None => run.state.clone(),
    };
    vec![
        run.id.to_string(),
        run.what.clone(),
        run.source.replace('_', " "),
        format!("{} of {}", run.missing, run.of),
        state,
        moment(run.withheld_at),
    ]
}

fn value(run: &Run) -> Value {
    json!({
        "run": run.id.to_string(),
        "of": run.what,
        "source": run.source,
        "missing": run.missing,
        "there": run.of,
        "state": run.state,
        "withheld_at": run.withheld_at.to_string(),
        "settled_by": run.settled.as_ref().map(|(by, _)| by),
        "settled_at": run.settled.as_ref().map(|(_, at)| at.to_string()),
    })
}

/// Shows what a run would delete.
pub(crate) async fn show(desk: Desk, id: RunId) -> Result<(), CommandError> {
    let (run, headings, lines, items): (Run, &[&str], Vec<Vec<String>>, Vec<Value>) = match id {
        RunId::List(number) => {
            let found = desk.store.withheld_list(number).await?;
            let (list, resources) = found.ok_or(CommandError::UnknownRun { run: id })?;
            let missing = resources.into_iter().filter(|one| one.reappeared_at.is_none());
            let mails: Vec<String> = missing.map(|one| one.mail).collect();
            let items = mails.iter().map(|mail| json!({ "mailbox": mail })).collect();
            (list.into(), &["RESOURCE"], mails.into_iter().map(|mail| vec![mail]).collect(), items)
        }
        RunId::Mailbox(number) => {
            let run = mailbox_run(&desk, number).await?.ok_or(CommandError::UnknownRun { run: id })?;
            let keys = desk.store.withheld_run_keys(number, desk.now()).await?;
            let line = |key: &RunKey| {
                let Slot { start, end } = key.slot;
                vec![moment(start), moment(end), key.origin_id.to_string()]
            };
            let items = keys.iter().map(key_value).collect();
            (run.into(), &["START", "END", "ORIGIN ID"], keys.iter().map(line).collect(), items)
        }
    };
    let mut answer = value(&run);
    answer["items"] = Value::from(items);
    desk.answer(&answer, || {
        let items = table(headings, lines, "nothing of it is left");
        let next = if run.state == "withheld" {
            let deletes = match id {
                RunId::List(_) => "stops using these",
                RunId::Mailbox(_) => "deletes these in Planner",
            };
            format!(
                "\n\n`kommuneklient withheld confirm {id}` {deletes}, `kommuneklient withheld reject {id}` keeps them"
            )
        } else {
            String::new()
        };
        format!("{}\n\n{items}{next}", table(HEADINGS, vec![row(&run)], ""))
    });
    Ok(())
}

fn key_value(key: &RunKey) -> Value {
    let Slot { start, end } = key.slot;
    json!({ "origin_id": key.origin_id.as_str(), "start": start.to_string(), "end": end.to_string() })
}

async fn mailbox_run(desk: &Desk, number: i64) -> Result<Option<WithheldRun>, CommandError> {
    let runs = desk.store.withheld_runs(true, desk.now()).await?;
    Ok(runs.into_iter().find(|run| run.id == number))
}

/// Confirms or rejects a run.
pub(crate) async fn settle(desk: Desk, args: &SettleArgs, confirm: bool) -> Result<(), CommandError> {
    let (run, by) = (args.run, args.who.name());
    let count = match run {
        RunId::List(number) => settle_list(&desk, number, confirm, &by).await?,
        RunId::Mailbox(number) => settle_mailbox(&desk, number, confirm, &by).await?,
    };
    let (act, state) =
        if confirm { ("withheld confirm", "confirmed") } else { ("withheld reject", "rejected") };
    desk.record(&by, act, json!({ "run": run.to_string(), "count": count })).await;
    desk.answer(&json!({ "run": run.to_string(), "state": state, "count": count }), || {
        let (one, many) = match run {
            RunId::List(_) => ("resource", "resources"),
            RunId::Mailbox(_) => ("appointment", "appointments"),
        };
        match (confirm, run) {
            (true, RunId::List(_)) => {
                format!("run {run} is confirmed: {} not used any more", counted(count, one, many))
            }
            (true, RunId::Mailbox(_)) => {
                format!("run {run} is confirmed: {} deleted in Planner", counted(count, one, many))
            }
            (false, RunId::List(_)) => {
                format!("run {run} is rejected: the {many} stay in use until Planner lists them again")
            }
            (false, RunId::Mailbox(_)) => {
                format!(
                    "run {run} is rejected: {} stay until deleted in the calendar, or over",
                    counted(count, one, many)
                )
            }
        }
    });
    Ok(())
}

async fn settle_list(desk: &Desk, number: i64, confirm: bool, by: &str) -> Result<u64, CommandError> {
    let run = RunId::List(number);
    let settled = if confirm {
        desk.store.confirm_withheld_list(number, by, desk.now()).await?
    } else {
        desk.store.reject_withheld_list(number, by, desk.now()).await?
    };
    match settled {
        Settled::Done(dropped) => Ok(dropped),
        Settled::Already(state) => Err(CommandError::Settled { run, state: state.as_str().to_owned() }),
        Settled::Unknown => Err(CommandError::UnknownRun { run }),
    }
}

async fn settle_mailbox(desk: &Desk, number: i64, confirm: bool, by: &str) -> Result<u64, CommandError> {
    let run = RunId::Mailbox(number);
    let settled = if confirm {
        desk.store.confirm_withheld(number, by, desk.now()).await?
    } else {
        desk.store.reject_withheld(number, by, desk.now()).await?
    };
    if let Some(settled) = settled {
        return Ok(settled.keys);
    }
    Err(match mailbox_run(desk, number).await? {
        Some(found) => CommandError::Settled { run, state: found.state },
        None => CommandError::UnknownRun { run },
    })
}
