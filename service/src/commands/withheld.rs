//! `withheld`: deletions that the mass-delete guard keeps back, of a mailbox's appointments or of the resource
//! list.

use calendar::Slot;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use store::inspect::{Hold, MailboxFacts};
use store::operations::{RunKey, Scope};
use store::resource_list::withheld::{RunState, WithheldList};
use store::withheld::WithheldRun;

use super::diff::{self, Sending};
use super::show::{counted_in, moment, table_in};
use super::{CommandError, Desk, stored};
use crate::acts;
use crate::cli::operators::{RunId, SettleArgs};
use crate::texts::{Language, Text, withheld as t, words as w};

/// How many runs of the resource list are shown.
const SHOWN: u32 = 50;
/// Most pages of runs that are read: a hundred thousand runs.
const PAGES_MAX: usize = 100;

/// A run, of whichever kind.
struct Run {
    id: RunId,
    what: String,
    source: &'static str,
    missing: u64,
    of: u64,
    withheld_at: Timestamp,
    state: String,
    settled: Option<(String, Timestamp)>,
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

/// The runs that wait, for programs.
pub(crate) async fn waiting(store: &Store, now: Timestamp) -> Result<Vec<Value>, CommandError> {
    let lists = store.withheld_lists(SHOWN).await?;
    let lists = lists.into_iter().filter(|list| list.state == RunState::Withheld).map(Run::from);
    let of_mailboxes = store.withheld_runs(false, now).await?;
    Ok(lists.chain(of_mailboxes.into_iter().map(Run::from)).map(|run| value(&run)).collect())
}

/// The runs of mailboxes that wait, of one of them or of all.
pub(super) async fn waiting_of(desk: &Desk, scope: &Scope) -> Result<Vec<WithheldRun>, CommandError> {
    let mut runs = mailbox_runs(desk, false).await?;
    runs.retain(|run| scope.mail().is_none_or(|mail| run.mail.as_str() == mail));
    Ok(runs)
}

/// Shows the runs that wait, and with `settled` the latest others.
pub(crate) async fn list(desk: Desk, settled: bool) -> Result<(), CommandError> {
    let mut runs: Vec<Run> = Vec::new();
    let lists = desk.store.withheld_lists(SHOWN).await?;
    runs.extend(lists.into_iter().filter(|list| settled || list.state == RunState::Withheld).map(Run::from));
    let of_mailboxes = mailbox_runs(&desk, settled).await?;
    runs.extend(of_mailboxes.into_iter().map(Run::from));
    let values: Vec<Value> = runs.iter().map(value).collect();
    desk.answer(&Value::from(values), || {
        let rows = runs.iter().map(|run| row(run, desk.language)).collect();
        table_in(desk.language, HEADINGS, rows, t::NOTHING)
    });
    Ok(())
}

const HEADINGS: &[Text] = &[t::RUN, t::OF, t::FOUND_BY, t::MISSING, w::STATE, t::WITHHELD_AT];

/// A word of the database for people; one of a newer version as it is.
fn word(known: &[(&str, Text)], word: &str, language: Language) -> String {
    let found = known.iter().find(|(name, _)| *name == word);
    found.map_or_else(|| word.replace('_', " "), |(_, text)| text.say(language).to_owned())
}

fn state_word(state: &str, language: Language) -> String {
    let known = t::state(state);
    known.map_or_else(|| state.replace('_', " "), |state| state.say(language).to_owned())
}

/// What became of a run, by whom, or by what where nobody settled it.
pub(super) fn settled(state: &str, by: &str, language: Language) -> String {
    let word = state_word(state, language);
    // operators confirm and reject; what a stage ended it says why
    let why = if matches!(state, "confirmed" | "rejected") { None } else { stored::settled(by) };
    match why {
        Some(why) => t::SETTLED_WHY.fill(language, &[("state", &word), ("why", &why.say(language))]),
        None if state == "cancelled" => t::CANCELLED_BY.fill(language, &[("by", &by)]),
        None => t::SETTLED_BY.fill(language, &[("state", &word), ("by", &by)]),
    }
}

fn row(run: &Run, language: Language) -> Vec<String> {
    let sources =
        [("full_read", t::BY_FULL_READ), ("comparison", t::BY_COMPARISON), ("resource_list", t::BY_LIST)];
    let state = match &run.settled {
        Some((by, at)) => format!("{}, {}", settled(&run.state, by, language), moment(*at)),
        None => state_word(&run.state, language),
    };
    vec![
        run.id.to_string(),
        match run.id {
            RunId::List(_) => t::THE_LIST.say(language).to_owned(),
            RunId::Mailbox(_) => run.what.clone(),
        },
        word(&sources, run.source, language),
        w::OF.fill(language, &[("n", &run.missing), ("all", &run.of)]),
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
    let (run, headings, lines, items): (Run, &[Text], Vec<Vec<String>>, Vec<Value>) = match id {
        RunId::List(number) => {
            let found = desk.store.withheld_list(number).await?;
            let (list, resources) = found.ok_or(CommandError::UnknownRun { run: id })?;
            let missing = resources.into_iter().filter(|one| one.reappeared_at.is_none());
            let mails: Vec<String> = missing.map(|one| one.mail).collect();
            let items = mails.iter().map(|mail| json!({ "mailbox": mail })).collect();
            (list.into(), &[t::RESOURCE], mails.into_iter().map(|mail| vec![mail]).collect(), items)
        }
        RunId::Mailbox(number) => {
            let run = mailbox_run(&desk, number).await?.ok_or(CommandError::UnknownRun { run: id })?;
            let keys = desk.store.withheld_run_keys(number, desk.now()).await?;
            let line = |key: &RunKey| {
                let Slot { start, end } = key.slot;
                vec![moment(start), moment(end), key.origin_id.to_string()]
            };
            let items = keys.iter().map(key_value).collect();
            (run.into(), &[w::START, w::END, w::ORIGIN_ID], keys.iter().map(line).collect(), items)
        }
    };
    let mut answer = value(&run);
    answer["items"] = Value::from(items);
    desk.answer(&answer, || {
        let language = desk.language;
        let items = table_in(language, headings, lines, t::NOTHING_LEFT);
        let next = if run.state == "withheld" {
            let next = match id {
                RunId::List(_) => t::NEXT_LIST,
                RunId::Mailbox(_) => t::NEXT_MAILBOX,
            };
            format!("\n\n{}", next.fill(language, &[("run", &id)]))
        } else {
            String::new()
        };
        format!("{}\n\n{items}{next}", table_in(language, HEADINGS, vec![row(&run, language)], t::NOTHING))
    });
    Ok(())
}

fn key_value(key: &RunKey) -> Value {
    let Slot { start, end } = key.slot;
    json!({ "origin_id": key.origin_id.as_str(), "start": start.to_string(), "end": end.to_string() })
}

async fn mailbox_run(desk: &Desk, number: i64) -> Result<Option<WithheldRun>, CommandError> {
    Ok(desk.store.withheld_run(number, desk.now()).await?)
}

/// What became of one run.
struct Told {
    run: RunId,
    count: u64,
    /// What it can be followed by, or why it was left as it is.
    settled: Result<i64, CommandError>,
    /// What keeps the deletions of one that was confirmed from being sent now.
    kept: Option<Hold>,
}

/// What keeps what a confirmed run is to delete; `None` = it is sent as soon as it is its turn. Of a mailbox that is not in
/// use deletions are sent where an operator withdrew it, and none where nobody knows it any more.
fn kept(mailbox: Option<&MailboxFacts>, sending: &Sending) -> Option<Hold> {
    if mailbox.is_none_or(|facts| facts.deleted_date.is_some() && facts.withdrawn.is_none()) {
        return Some(Hold::NotInUse);
    }
    (sending.dry_run || sending.failure.is_some()).then_some(Hold::InTurn)
}

/// Confirms or rejects runs, one after the other: one that cannot be settled does not keep the others.
pub(crate) async fn settle(desk: Desk, args: &SettleArgs, confirm: bool) -> Result<(), CommandError> {
    let by = args.who.name();
    let runs = if args.what.all { all_waiting(&desk).await? } else { args.what.runs.clone() };
    let (act, state) =
        if confirm { ("withheld confirm", "confirmed") } else { ("withheld reject", "rejected") };
    let sending = Sending::now(&desk).await?;
    let mut told = Vec::new();
    for run in runs {
        match acts::settle(&desk.store, run, confirm, &by, desk.now()).await {
            Ok((operation, count)) => {
                desk.record(&by, act, json!({ "run": run.to_string(), "count": count })).await;
                let kept = match &operation.scope {
                    Scope::One(mail) if confirm => {
                        let facts = desk.store.mailbox_facts(mail).await?;
                        kept(facts.as_ref(), &sending)
                    }
                    // a list takes effect at once, and what is rejected is not sent
                    Scope::One(_) | Scope::All => None,
                };
                told.push(Told { run, count, settled: Ok(operation.id), kept });
            }
            // without the database the others cannot be settled either
            Err(error @ (CommandError::Store(_) | CommandError::Schema(_))) => return Err(error),
            Err(error) => told.push(Told { run, count: 0, settled: Err(error), kept: None }),
        }
    }
    let failed = told.iter().filter(|one| one.settled.is_err()).count();
    // one run: its own error is all that there is to say
    if failed == 1
        && let [Told { settled: Err(_), .. }] = &told[..]
        && let Some(Told { settled: Err(error), .. }) = told.pop()
    {
        return Err(error);
    }
    let value = |one: &Told| {
        let run = one.run.to_string();
        match &one.settled {
            Ok(operation) => {
                let mut value =
                    json!({ "run": run, "state": state, "count": one.count, "operation": operation });
                if let Some(hold) = one.kept {
                    value["waits_for"] = json!(diff::hold_name(hold, &sending));
                }
                value
            }
            Err(error) => {
                json!({ "run": run, "state": "not settled", "count": 0, "error": error.to_string() })
            }
        }
    };
    let answer = match &told[..] {
        [one] if !args.what.all => value(one),
        all => Value::from(all.iter().map(value).collect::<Vec<_>>()),
    };
    desk.answer(&answer, || {
        let lines: Vec<String> =
            told.iter().map(|one| outcome(one, confirm, &sending, desk.language)).collect();
        if lines.is_empty() { t::NOTHING.say(desk.language).to_owned() } else { lines.join("\n") }
    });
    if failed > 0 { Err(CommandError::SomeNotSettled { failed, of: told.len() }) } else { Ok(()) }
}

/// The runs that wait for somebody who looks, the list first.
async fn all_waiting(desk: &Desk) -> Result<Vec<RunId>, CommandError> {
    let lists = desk.store.withheld_lists(SHOWN).await?;
    let lists = lists.into_iter().filter(|list| list.state == RunState::Withheld);
    let mut runs: Vec<RunId> = lists.map(|list| RunId::List(list.id)).collect();
    runs.extend(mailbox_runs(desk, false).await?.into_iter().map(|run| RunId::Mailbox(run.id)));
    Ok(runs)
}

/// The runs of mailboxes, page by page.
async fn mailbox_runs(desk: &Desk, settled: bool) -> Result<Vec<WithheldRun>, CommandError> {
    let (now, mut before, mut runs) = (desk.now(), None, Vec::new());
    for _page in 0..PAGES_MAX {
        let page = desk.store.withheld_runs_before(settled, now, before).await?;
        runs.splice(0..0, page.runs);
        before = page.next;
        // of those that were settled the latest are enough
        if before.is_none() || settled {
            break;
        }
    }
    Ok(runs)
}

fn outcome(one: &Told, confirm: bool, sending: &Sending, language: Language) -> String {
    let run = one.run;
    let operation = match &one.settled {
        Ok(operation) => operation,
        Err(error) => return t::LEFT.fill(language, &[("run", &run), ("error", &error.text(language))]),
    };
    let (single, many) = match run {
        RunId::List(_) => (w::ONE_RESOURCE, w::RESOURCES),
        RunId::Mailbox(_) => (w::ONE_APPOINTMENT, w::APPOINTMENTS),
    };
    let count = counted_in(language, one.count, single, many);
    let outcome = match (confirm, run) {
        (true, RunId::List(_)) => t::LIST_CONFIRMED,
        (true, RunId::Mailbox(_)) if one.kept == Some(Hold::NotInUse) => t::MAILBOX_CONFIRMED_UNUSED,
        (true, RunId::Mailbox(_)) => t::MAILBOX_CONFIRMED,
        (false, RunId::List(_)) => t::LIST_REJECTED,
        (false, RunId::Mailbox(_)) if one.count == 1 => t::MAILBOX_REJECTED_ONE,
        (false, RunId::Mailbox(_)) => t::MAILBOX_REJECTED,
    };
    let kept = one.kept.filter(|hold| *hold != Hold::NotInUse);
    let kept =
        kept.map(|hold| t::WAITS_FOR.fill(language, &[("hold", &diff::waits(hold, sending, language))]));
    outcome.fill(language, &[("run", &run), ("count", &count)])
        + &t::OPERATION.fill(language, &[("id", operation)])
        + &kept.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_both_languages_and_words_of_a_newer_version_as_they_are() {
        let mut run = Run {
            id: RunId::List(3),
            what: "resource list".to_owned(),
            source: "resource_list",
            missing: 11,
            of: 20,
            withheld_at: Timestamp::UNIX_EPOCH,
            state: "confirmed".to_owned(),
            settled: Some(("kim".to_owned(), Timestamp::UNIX_EPOCH)),
        };
        let danish = row(&run, Language::Da);
        assert_eq!((danish[1].as_str(), danish[3].as_str()), ("ressourcelisten", "11 af 20"));
        assert!(danish[4].starts_with("bekræftet af kim, "), "{danish:?}");
        assert_eq!(row(&run, Language::En)[1..4], ["resource list", "resource list", "11 of 20"]);
        for (state, by, expected) in [
            ("replaced", "a newer run", "afløst: en nyere kørsel, "),
            (
                "cancelled",
                "a newer run that is within the limits",
                "bortfaldet: en nyere kørsel inden for grænserne, ",
            ),
            ("cancelled", "all its keys were seen again", "bortfaldet: alle dens aftaler blev set igen, "),
            ("cancelled", "a later list that lacks few", "bortfaldet: en senere liste, der mangler få, "),
            ("cancelled", "kim", "annulleret af kim, "),
            ("rejected", "a newer run", "afvist af a newer run, "),
        ] {
            (run.state, run.settled) = (state.to_owned(), Some((by.to_owned(), Timestamp::UNIX_EPOCH)));
            let danish = row(&run, Language::Da);
            assert!(danish[4].starts_with(expected), "{danish:?}");
        }
        (run.state, run.settled) = ("put_off".to_owned(), None);
        assert_eq!(row(&run, Language::Da)[4], "put off");
        let told = Told { run: RunId::Mailbox(17), count: 1, settled: Ok(4), kept: None };
        let sending = Sending::default();
        assert_eq!(
            outcome(&told, false, &sending, Language::En),
            "run 17 is rejected: 1 appointment stays until deleted in the calendar, or over (operation 4)"
        );
        let danish = outcome(&told, true, &sending, Language::Da);
        assert!(danish.starts_with("kørsel 17 er bekræftet: 1 aftale slettes"), "{danish}");
    }

    /// Regression: what was confirmed was told as going out while nothing was sent, or while Planner was away.
    #[test]
    fn what_is_confirmed_tells_what_keeps_it() {
        let at = Timestamp::UNIX_EPOCH;
        let failure = store::inspect::PlannerFailure {
            at,
            since: at,
            operation: "DeleteEvents".to_owned(),
            event_id: Some(6901),
            text: Some("HTTP status 503".to_owned()),
        };
        let sends = Sending::default();
        let rehearses = Sending { dry_run: true, ..Sending::default() };
        let fails = Sending { failure: Some(failure), ..Sending::default() };
        let in_use = MailboxFacts::default();
        let unused = MailboxFacts { deleted_date: Some(at), ..MailboxFacts::default() };
        // regression: the deletions of one that was withdrawn are sent, and it was told that they are not
        let withdrawn = MailboxFacts { withdrawn: Some((at, "kim".to_owned())), ..unused.clone() };
        let is_kept = "run 17 is confirmed, but nothing is sent while its mailbox is not in use: 2 appointments to be deleted in \
                       Planner when it is used again (operation 4)";
        for (mailbox, sending, english, danish) in [
            (
                Some(&in_use),
                &sends,
                "run 17 is confirmed: 2 appointments to be deleted in Planner (operation 4)",
                "(operation 4)",
            ),
            (
                Some(&in_use),
                &rehearses,
                "run 17 is confirmed: 2 appointments to be deleted in Planner (operation 4); that waits for the end of dry_run",
                "; det venter på ophør af dry_run",
            ),
            (
                Some(&in_use),
                &fails,
                "run 17 is confirmed: 2 appointments to be deleted in Planner (operation 4); that waits for calls to Planner \
                 that work again: the last failed at ",
                ": HTTP status 503 (6901)",
            ),
            (Some(&unused), &fails, is_kept, "når den bruges igen (operation 4)"),
            // nobody knows it any more
            (None, &sends, is_kept, "når den bruges igen (operation 4)"),
            (
                Some(&withdrawn),
                &sends,
                "run 17 is confirmed: 2 appointments to be deleted in Planner (operation 4)",
                "(operation 4)",
            ),
        ] {
            let kept = kept(mailbox, sending);
            let told = Told { run: RunId::Mailbox(17), count: 2, settled: Ok(4), kept };
            let text = outcome(&told, true, sending, Language::En);
            assert!(text.starts_with(english), "{text}");
            let text = outcome(&told, true, sending, Language::Da);
            assert!(text.ends_with(danish), "{text}");
        }
    }
}
