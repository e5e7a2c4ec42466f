//! `erase`: removes a person's data, leaves a tombstone, and reports what it removed.

use calendar::MailAddress;
use serde_json::{Value, json};
use store::erasure::{self, Erasure};
use store::inspect::Tombstone;
use store::resource_list::lists::ListEntry;

use super::error::Consequence;
use super::show::{counted_in, moment, table_in};
use super::{CommandError, Desk, confirm, mailbox};
use crate::cli::tools::EraseArgs;
use crate::texts::{Language, erase as t, lists as l, words as w};

/// Erases a mailbox, or says what that would remove.
pub(crate) async fn erase(desk: Desk, args: &EraseArgs) -> Result<(), CommandError> {
    let (mail, by) = (&args.mailbox, args.who.name());
    if args.undo {
        return undo(&desk, mail, &by).await;
    }
    let (now, language) = (desk.now(), desk.language);
    let would = desk.store.erase(mail, &by, args.leave_in_planner, false, now).await?;
    let before = desk.store.tombstone(mail).await?;
    if would.rows.is_empty() && !args.even_if_unknown && before.is_none() {
        return Err(CommandError::NothingKnown { mail: mail.to_string() });
    }
    if args.dry_run {
        let obstacles = obstacles(mail, &would, args.leave_in_planner);
        let answer = after(rehearsed(&would, &obstacles), before.as_ref());
        desk.answer(&answer, || {
            let head = head(mail, before.as_ref(), false, language);
            let told = format!("{head}\n{}", text(&would, language));
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
    desk.answer(&after(value(&done), before.as_ref()), || {
        let head = head(mail, before.as_ref(), true, language);
        format!("{head}\n{}\n\n{}", text(&done, language), t::ELSEWHERE.say(language))
    });
    Ok(())
}

/// What is said above what was removed, or in a rehearsal would be; of one that was erased `before`, by whom and when.
fn head(mail: &MailAddress, before: Option<&Tombstone>, done: bool, language: Language) -> String {
    match (before, done) {
        (None, true) => t::DONE.fill(language, &[("mailbox", mail)]),
        (None, false) => t::WOULD.say(language).to_owned(),
        (Some(before), _) => {
            let text = if done { t::DONE_AGAIN } else { t::WOULD_AGAIN };
            text.fill(language, &[("mailbox", mail), ("at", &moment(before.at)), ("by", &before.by)])
        }
    }
}

/// Adds to an answer for programs by whom and when it was erased before, if it was.
fn after(mut value: Value, before: Option<&Tombstone>) -> Value {
    value["erased_before"] =
        before.map_or(Value::Null, |before| json!({ "at": before.at.to_string(), "by": before.by }));
    value
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
    let blocked = desk.store.blocked(mail).await?;
    let value = json!({ "mailbox": mail.as_str(), "undone": undone, "blocked": blocked.is_some() });
    desk.answer(&value, || undone_text(mail, undone, blocked.as_ref(), desk.language));
    Ok(())
}

fn undone_text(mail: &MailAddress, undone: bool, blocked: Option<&ListEntry>, language: Language) -> String {
    match (undone, blocked) {
        (false, _) => t::NOT_ERASED.fill(language, &[("mailbox", mail)]),
        (true, None) => t::UNDONE.fill(language, &[("mailbox", mail)]),
        (true, Some(blocked)) => {
            let why = mailbox::blocked_text(blocked, l::BLOCKED_BY, language);
            t::UNDONE_BLOCKED.fill(language, &[("mailbox", mail), ("why", &why)])
        }
    }
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
    use jiff::Timestamp;

    use super::*;

    /// Regression: who erased again was told, and written down, as if nobody had before.
    #[test]
    fn of_one_that_was_erased_before_it_is_told_by_whom_and_when() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let first = Tombstone { at: Timestamp::UNIX_EPOCH, by: "kim".into() };
        for done in [true, false] {
            let told = head(&mail, Some(&first), done, Language::En);
            let words = format!("anna@x.dk is erased already, {} by kim", moment(first.at));
            assert!(told.starts_with(&words), "{told}");
            assert!(!head(&mail, None, done, Language::En).contains("already"));
            let danish = head(&mail, Some(&first), done, Language::Da);
            assert!(
                danish.starts_with("anna@x.dk er allerede slettet, ") && danish.contains(" af kim"),
                "{danish}"
            );
        }
        assert_eq!(after(json!({}), Some(&first))["erased_before"]["by"], "kim");
        assert_eq!(after(json!({}), None)["erased_before"], Value::Null);
    }

    /// Regression: a blocked mailbox was said to come back with the next list.
    #[test]
    fn who_is_blocked_stays_so_when_an_erasure_is_undone() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let blocked = ListEntry {
            mail: "anna@x.dk".into(),
            reason: Some("has left".into()),
            added_by: "kim".into(),
            added_at: Timestamp::UNIX_EPOCH,
            in_use: None,
        };
        let told = undone_text(&mail, true, Some(&blocked), Language::En);
        assert!(told.contains("blocked by kim") && told.contains("mailbox unblock anna@x.dk"), "{told}");
        assert!(!told.contains("resources refresh"), "{told}");
        let free = undone_text(&mail, true, None, Language::En);
        assert!(free.contains("resources refresh") && !free.contains("blocked"), "{free}");
        let none = undone_text(&mail, false, Some(&blocked), Language::Da);
        assert_eq!(none, "anna@x.dk var ikke slettet");
    }

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
