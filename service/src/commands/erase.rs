//! `erase`: removes a person's data, leaves a tombstone, and reports what it removed.

use calendar::MailAddress;
use serde_json::{Value, json};
use store::erasure::{self, Erasure};

use super::error::Consequence;
use super::show::{counted_in, table_in};
use super::{CommandError, Desk, confirm};
use crate::cli::tools::EraseArgs;
use crate::texts::{Language, erase as t, words as w};

/// Erases a mailbox, or says what that would remove.
pub(crate) async fn erase(desk: Desk, args: &EraseArgs) -> Result<(), CommandError> {
    let (mail, by) = (&args.mailbox, args.who.name());
    if args.undo {
        return undo(&desk, mail, &by).await;
    }
    let (now, language) = (desk.now(), desk.language);
    let would = desk.store.erase(mail, &by, args.leave_in_planner, false, now).await?;
    if would.rows.is_empty() && !args.even_if_unknown && desk.store.tombstone(mail).await?.is_none() {
        return Err(CommandError::NothingKnown { mail: mail.to_string() });
    }
    if args.dry_run {
        let refusal = allowed(mail, &would, args).err();
        let mut value = value(&would);
        value["refused"] = json!(refusal.as_ref().map(ToString::to_string));
        desk.answer(&value, || {
            let told = format!("{}\n{}", t::WOULD.say(language), text(&would, language));
            match refusal {
                Some(refusal) => {
                    let refused = t::WOULD_BE_REFUSED.fill(language, &[("why", &refusal.text(language))]);
                    format!("{told}\n\n{refused}")
                }
                None => told,
            }
        });
        return Ok(());
    }
    allowed(mail, &would, args)?;
    if !args.yes && !confirmed(mail, &would, language) {
        return Err(CommandError::NotSure(Consequence::Erased { mail: mail.to_string() }));
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
        let head = t::DONE.fill(language, &[("mailbox", mail)]);
        format!("{head}\n{}\n\n{}", text(&done, language), t::ELSEWHERE.say(language))
    });
    Ok(())
}

/// Refuses while Planner holds, or may come to hold, what nothing would delete afterwards, and what would leave an empty
/// whitelist, with which everybody is used.
fn allowed(mail: &MailAddress, erasure: &Erasure, args: &EraseArgs) -> Result<(), CommandError> {
    if erasure.in_flight > 0 {
        return Err(CommandError::InCall { count: erasure.in_flight });
    }
    if erasure.held_by_planner > 0 && !args.leave_in_planner {
        return Err(CommandError::StillHeld { mail: mail.to_string(), count: erasure.held_by_planner });
    }
    if erasure.last_on_whitelist {
        return Err(CommandError::LastOnWhitelist { mail: mail.to_string() });
    }
    Ok(())
}

async fn undo(desk: &Desk, mail: &MailAddress, by: &str) -> Result<(), CommandError> {
    let undone = desk.store.forget_erasure(mail).await?;
    if undone {
        desk.record(by, "erase --undo", json!({ "mailbox": mail.as_str() })).await;
    }
    desk.answer(&json!({ "mailbox": mail.as_str(), "undone": undone }), || {
        let outcome = if undone { t::UNDONE } else { t::NOT_ERASED };
        outcome.fill(desk.language, &[("mailbox", mail)])
    });
    Ok(())
}

/// Asks a person; where there is none, nobody is sure.
fn confirmed(mail: &MailAddress, would: &Erasure, language: Language) -> bool {
    let asked = t::QUESTION.fill(language, &[("mailbox", mail)]);
    let question = format!("{}\n\n{asked}", text(would, language));
    let typed = confirm::answer(&question).and_then(|answer| MailAddress::parse(&answer).ok());
    typed.is_some_and(|typed| typed == *mail)
}

fn text(erasure: &Erasure, language: Language) -> String {
    let rows = erasure.rows.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]).collect();
    let mut text = table_in(language, &[t::TABLE, t::ROWS], rows, t::NOTHING);
    if erasure.held_by_planner > 0 {
        let held = counted_in(language, erasure.held_by_planner, w::ONE_APPOINTMENT, w::APPOINTMENTS);
        text.push_str(&format!("\n\n{}", t::HELD.fill(language, &[("appointments", &held)])));
    }
    text
}

fn value(erasure: &Erasure) -> Value {
    let rows: serde_json::Map<String, Value> =
        erasure.rows.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    json!({ "erased": erasure.done, "rows": rows, "held_by_planner": erasure.held_by_planner, "in_flight": erasure.in_flight, "last_on_whitelist": erasure.last_on_whitelist })
}
