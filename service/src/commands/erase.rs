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
        let obstacles = obstacles(mail, &would, args.leave_in_planner);
        desk.answer(&rehearsed(&would, &obstacles), || {
            let told = format!("{}\n{}", t::WOULD.say(language), text(&would, language));
            match refused(&obstacles, language) {
                Some(refused) => format!("{told}\n\n{refused}"),
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

/// Refuses by the first of the [`obstacles`].
fn allowed(mail: &MailAddress, erasure: &Erasure, args: &EraseArgs) -> Result<(), CommandError> {
    obstacles(mail, erasure, args.leave_in_planner).into_iter().next().map_or(Ok(()), Err)
}

/// All that is in the way: Planner holds, or may come to hold, what nothing would delete afterwards, and what would leave an
/// empty whitelist, with which everybody is used.
fn obstacles(mail: &MailAddress, erasure: &Erasure, leave_in_planner: bool) -> Vec<CommandError> {
    let mail = || mail.to_string();
    let in_call = (erasure.in_flight > 0).then_some(CommandError::InCall { count: erasure.in_flight });
    let held = (erasure.held_by_planner > 0 && !leave_in_planner)
        .then(|| CommandError::StillHeld { mail: mail(), count: erasure.held_by_planner });
    let last = erasure.last_on_whitelist.then(|| CommandError::LastOnWhitelist { mail: mail() });
    in_call.into_iter().chain(held).chain(last).collect()
}

/// What a rehearsal says of the obstacles to people; nothing where there are none.
fn refused(obstacles: &[CommandError], language: Language) -> Option<String> {
    match obstacles {
        [] => None,
        [only] => Some(t::WOULD_BE_REFUSED.fill(language, &[("why", &only.text(language))])),
        several => {
            let lines = several.iter().map(|one| format!("\n  - {}", one.text(language)));
            Some(t::WOULD_BE_REFUSED_FOR.say(language).to_owned() + &lines.collect::<String>())
        }
    }
}

/// The answer of a rehearsal for programs: `refused` is what the erasure itself would say, `obstacles` all that is in the
/// way.
fn rehearsed(would: &Erasure, obstacles: &[CommandError]) -> Value {
    let mut value = value(would);
    value["refused"] = json!(obstacles.first().map(ToString::to_string));
    value["obstacles"] = obstacles.iter().map(ToString::to_string).collect();
    value
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: a rehearsal named the first obstacle alone, so that the next came to light only after it was cleared.
    #[test]
    fn a_rehearsal_names_all_that_is_in_the_way() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let would =
            Erasure { held_by_planner: 2, in_flight: 1, last_on_whitelist: true, ..Erasure::default() };
        let all = obstacles(&mail, &would, false);
        assert_eq!(all.len(), 3, "{all:?}");
        for language in [Language::En, Language::Da] {
            let told = refused(&all, language).unwrap();
            assert_eq!(told.lines().count(), 4, "{told}");
            for one in &all {
                assert!(told.contains(&format!("\n  - {}", one.text(language))), "{told}");
            }
        }
        let value = rehearsed(&would, &all);
        let said: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!((&value["refused"], &value["obstacles"]), (&json!(said[0]), &json!(said)));

        let left = obstacles(&mail, &would, true);
        assert!(!left.iter().any(|one| matches!(one, CommandError::StillHeld { .. })), "{left:?}");
        let last = Erasure { last_on_whitelist: true, ..Erasure::default() };
        let one = refused(&obstacles(&mail, &last, false), Language::Da).unwrap();
        assert_eq!(one.lines().count(), 1, "{one}");
        let none = obstacles(&mail, &Erasure::default(), false);
        assert_eq!(refused(&none, Language::En), None);
        let value = rehearsed(&Erasure::default(), &none);
        assert_eq!((&value["refused"], &value["obstacles"]), (&Value::Null, &json!([])));
    }
}
