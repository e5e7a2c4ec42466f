//! `erase`: removes a person's data, leaves a tombstone, and reports what it removed.

use std::io::{BufRead, IsTerminal, Write};

use calendar::MailAddress;
use serde_json::{Value, json};
use store::erasure::{self, Erasure};

use super::show::{counted, table};
use super::{CommandError, Desk};
use crate::cli::tools::EraseArgs;

/// Erases a mailbox, or says what that would remove.
pub(crate) async fn erase(desk: Desk, args: &EraseArgs) -> Result<(), CommandError> {
    let (mail, by) = (&args.mailbox, args.who.name());
    if args.undo {
        return undo(&desk, mail, &by).await;
    }
    let now = desk.now();
    let would = desk.store.erase(mail, &by, args.leave_in_planner, false, now).await?;
    if args.dry_run {
        desk.answer(&value(&would), || format!("would be removed:\n{}", text(&would)));
        return Ok(());
    }
    allowed(mail, &would, args)?;
    if !args.yes && !confirmed(mail, &would)? {
        return Err(CommandError::NotSure {
            consequence: format!(
                "everything that is stored of {mail} would be removed, and it would not be listed again"
            ),
        });
    }
    let done = desk.store.erase(mail, &by, args.leave_in_planner, true, now).await?;
    if !done.done {
        allowed(mail, &done, args)?;
    }
    // who was erased is not written down again
    let mark = hex::encode(&erasure::hash(mail)[..4]);
    let rows: u64 = done.rows.iter().map(|(_, count)| count).sum();
    desk.record(&by, "erase", json!({ "address_sha256_begins": mark, "rows": rows })).await;
    desk.answer(&value(&done), || {
        format!(
            "{mail} is erased, and the next resource list does not bring it back:\n{}\n\nbackups of the database, log files \
             and traces of this time still name it",
            text(&done)
        )
    });
    Ok(())
}

/// Refuses while Planner holds, or may come to hold, what nothing would delete afterwards.
fn allowed(mail: &MailAddress, erasure: &Erasure, args: &EraseArgs) -> Result<(), CommandError> {
    if erasure.in_flight > 0 {
        return Err(CommandError::NotErased {
            reason: format!(
                "{} in a call to Planner; try again in a minute",
                counted(erasure.in_flight, "appointment is", "appointments are")
            ),
        });
    }
    if erasure.held_by_planner > 0 && !args.leave_in_planner {
        return Err(CommandError::NotErased {
            reason: format!(
                "Planner holds, or is to hold, {} of it. Have them deleted first: `kommuneklient mailbox block {mail} \
                 --reason TEXT --withdraw`, until `kommuneklient diff {mail}` shows nothing; or leave them there with \
                 --leave-in-planner",
                counted(erasure.held_by_planner, "appointment", "appointments")
            ),
        });
    }
    Ok(())
}

async fn undo(desk: &Desk, mail: &MailAddress, by: &str) -> Result<(), CommandError> {
    let undone = desk.store.forget_erasure(mail).await?;
    if undone {
        desk.record(by, "erase --undo", json!({ "mailbox": mail.as_str() })).await;
    }
    desk.answer(&json!({ "mailbox": mail.as_str(), "undone": undone }), || {
        if undone {
            format!("{mail} may be listed again; `kommuneklient resources refresh` brings it back if Planner lists it")
        } else {
            format!("{mail} was not erased")
        }
    });
    Ok(())
}

/// Asks a person; where there is none, nobody is sure.
fn confirmed(mail: &MailAddress, would: &Erasure) -> Result<bool, CommandError> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() {
        return Ok(false);
    }
    let question =
        format!("{}\n\nErase {mail}? This cannot be taken back. Write its address to go on: ", text(would));
    let asked = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    let mut answer = String::new();
    let answered = asked.and_then(|()| stdin.lock().read_line(&mut answer));
    Ok(answered.is_ok() && MailAddress::parse(&answer).is_ok_and(|typed| typed == *mail))
}

fn text(erasure: &Erasure) -> String {
    let rows = erasure.rows.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]).collect();
    let mut text = table(&["TABLE", "ROWS"], rows, "nothing is stored of it");
    if erasure.held_by_planner > 0 {
        text.push_str(&format!(
            "\n\nPlanner holds, or is to hold, {} of it",
            counted(erasure.held_by_planner, "appointment", "appointments")
        ));
    }
    text
}

fn value(erasure: &Erasure) -> Value {
    let rows: serde_json::Map<String, Value> =
        erasure.rows.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    json!({ "erased": erasure.done, "rows": rows, "held_by_planner": erasure.held_by_planner, "in_flight": erasure.in_flight })
}
