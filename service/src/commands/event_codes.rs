//! `codes`: what events mean, when they call for somebody, what to do and what to look at. Needs no configuration.

use base::CodeEntry;
use base::event_entry::{Clears, Occurs, Reaction, Threshold};
use calendar::codes::{self, REGISTRY};
use serde_json::{Value, json};

use super::reasons::{self, Reason};
use super::show::table;
use crate::ServiceError;
use crate::cli::CodesArgs;
use crate::texts::{Language, Text, alerts, codes as text, in_language, reasons as t, words};

mod alert_rules;
mod markdown;

/// Codes that are named when one is not known.
const NEAREST: usize = 3;

/// Shows what is asked for.
///
/// # Errors
/// There is no such code.
pub(crate) fn show(args: &CodesArgs) -> Result<(), ServiceError> {
    let language = args.language.language();
    let answer = match args.id.as_deref().map(str::trim) {
        _ if args.markdown => markdown::document().trim_end().to_owned(),
        _ if args.alert_rules => alert_rules::document().trim_end().to_owned(),
        None if args.json => Value::from(sorted().into_iter().map(value).collect::<Vec<_>>()).to_string(),
        None => listing(language),
        Some(id) => one(id, args.json, language).map_err(|source| ServiceError::Command {
            command: "codes",
            language,
            source: source.into(),
        })?,
    };
    crate::cli::print(&answer);
    Ok(())
}

/// One code, or one of the words for why a mailbox is not used; the error says that there is none.
fn one(id: &str, as_json: bool, language: Language) -> Result<String, String> {
    if let Ok(number) = id.parse() {
        let entry = codes::by_id(number).ok_or_else(|| unknown(number, language))?;
        return Ok(if as_json { value(entry).to_string() } else { explained(entry, language) });
    }
    let Some(Reason { code, words, means }) = reasons::named(id) else {
        let known = reasons::REASONS.map(|reason| reason.code).join(", ");
        return Err(t::UNKNOWN.fill(language, &[("words", &known), ("word", &id)]));
    };
    Ok(if as_json {
        let both = |text: Text| json!({ "en": text.en, "da": text.da });
        json!({ "code": code, "words": both(words), "meaning": both(means) }).to_string()
    } else {
        format!("{code}\n{}\n\n{}", words.say(language), means.say(language))
    })
}

/// All codes by number.
fn sorted() -> Vec<&'static CodeEntry> {
    let mut all: Vec<&CodeEntry> = REGISTRY.iter().collect();
    all.sort_by_key(|entry| entry.code.id);
    all
}

/// All codes by number, those in a run that differ by their number alone together.
fn runs() -> Vec<Vec<&'static CodeEntry>> {
    let mut runs: Vec<Vec<&CodeEntry>> = Vec::new();
    for entry in sorted() {
        let belongs = |last: &&CodeEntry| {
            last.code.id + 1 == entry.code.id && last.meaning == entry.meaning && last.occurs == entry.occurs
        };
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(belongs) => run.push(entry),
            _ => runs.push(vec![entry]),
        }
    }
    runs
}

/// "4906", or "6201-6207".
fn numbers(run: &[&CodeEntry]) -> String {
    match (run.first(), run.last()) {
        (Some(first), Some(last)) if first.code.id != last.code.id => {
            format!("{}-{}", first.code.id, last.code.id)
        }
        (Some(first), _) => first.code.id.to_string(),
        (None, _) => String::new(),
    }
}

fn unknown(id: u16, language: Language) -> String {
    let mut all = sorted();
    all.sort_by_key(|entry| entry.code.id.abs_diff(id));
    let mut nearest: Vec<u16> = all.iter().take(NEAREST).map(|entry| entry.code.id).collect();
    nearest.sort_unstable();
    let nearest = nearest.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    text::UNKNOWN.fill(language, &[("id", &id), ("nearest", &nearest)])
}

/// The table of all codes.
fn listing(language: Language) -> String {
    let headings = [text::CODE, text::SOURCE, text::SEVERITY, text::ALERTS, text::MEANING];
    let headings = headings.map(|heading| heading.say(language));
    let rows = runs().into_iter().filter_map(|run| {
        let entry = run.first().copied()?;
        Some(vec![
            numbers(&run),
            entry.code.source.to_owned(),
            severity(entry).say(language).to_owned(),
            if entry.occurs == Occurs::Here {
                threshold(entry, language)
            } else {
                text::NOT_RAISED.say(language).to_owned()
            },
            in_language(entry.meaning, language).to_owned(),
        ])
    });
    table(&headings, rows.collect(), "")
}

/// Everything about one code.
fn explained(entry: &CodeEntry, language: Language) -> String {
    let code = entry.code;
    let mut lines = vec![
        format!("{} {} {}", code.id, code.source, severity(entry).say(language)),
        in_language(entry.meaning, language).to_owned(),
        String::new(),
    ];
    let mut facts: Vec<(Text, String)> = Vec::new();
    if let Some(why) = occurs(entry, language) {
        facts.push((text::LABEL_OCCURS, why));
    }
    facts.push((text::LABEL_REACTION, reaction(entry.reaction).say(language).to_owned()));
    facts.push((text::LABEL_ALERTS, threshold(entry, language)));
    if let Some(end) = end(entry, language) {
        facts.push((text::LABEL_ENDS, end));
    }
    if entry.critical {
        facts.push((text::LABEL_CRITICAL, text::CRITICAL.say(language).to_owned()));
    }
    facts.push((text::LABEL_LOOK, in_language(entry.look.words, language).to_owned()));
    let commands = entry.look.commands.iter();
    facts.extend(commands.map(|command| (text::LABEL_RUN, command_in(command, language))));
    if entry.occurs == Occurs::Here {
        facts.push((text::LABEL_WHERE, text::WHERE.say(language).to_owned()));
    }
    let width = facts.iter().map(|(label, _)| label.say(language).chars().count()).max().unwrap_or_default();
    lines.extend(facts.iter().map(|(label, fact)| format!("{:<width$}  {fact}", label.say(language))));
    lines.join("\n")
}

/// A command with the words that are to be replaced in a language.
fn command_in(command: &str, language: Language) -> String {
    command.split(' ').map(|word| word_in(word, language)).collect::<Vec<_>>().join(" ")
}

fn word_in(word: &str, language: Language) -> &str {
    match word {
        "MAILBOX" => words::MAILBOX.say(language),
        "FILE" => text::FILE.say(language),
        "RUN" => text::RUN.say(language),
        other => other,
    }
}

/// Everything about one code, for programs.
fn value(entry: &CodeEntry) -> Value {
    let (code, clears) = (
        entry.code,
        match entry.clears {
            Clears::Quiet => "quiet",
            Clears::On(success) => success,
            Clears::State => "state",
        },
    );
    let (occurs, told_as, why) = match entry.occurs {
        Occurs::Here => ("here", &[][..], None),
        Occurs::ToldAs { codes, why } => ("told_as", codes, Some(why)),
        Occurs::Never { why } => ("never", &[][..], Some(why)),
    };
    let (threshold, more_than) = match entry.threshold {
        Threshold::Never => ("never", None),
        Threshold::Always => ("always", Some(0)),
        Threshold::InARow { more_than } => ("in_a_row", Some(more_than)),
        Threshold::InADay { more_than } => ("in_a_day", Some(more_than)),
    };
    json!({
        "code": code.id,
        "source": code.source,
        "severity": code.severity,
        "meaning": entry.meaning,
        "reaction": entry.reaction,
        "threshold": threshold,
        "more_than": more_than,
        "per": entry.per,
        "clears": clears,
        "critical": entry.critical,
        "look_at": entry.look.words,
        "commands": entry.look.commands,
        "occurs": occurs,
        "told_as": told_as,
        "why": why,
    })
}

fn severity(entry: &CodeEntry) -> Text {
    match entry.code.severity {
        base::Severity::Information => alerts::SEVERITY_INFORMATION,
        base::Severity::Warning => alerts::SEVERITY_WARNING,
        base::Severity::Error => alerts::SEVERITY_ERROR,
    }
}

/// What to do, in words.
pub(crate) const fn reaction(reaction: Reaction) -> Text {
    match reaction {
        Reaction::Nothing => alerts::REACTION_NOTHING,
        Reaction::Investigate => alerts::REACTION_INVESTIGATE,
        Reaction::InvestigateInExchange => alerts::REACTION_EXCHANGE,
        Reaction::InvestigateInPlanner => alerts::REACTION_PLANNER,
        Reaction::CorrectConfiguration => alerts::REACTION_CONFIGURATION,
        Reaction::AskPlannerSupport => alerts::REACTION_SUPPORT,
        Reaction::SeeOther => alerts::REACTION_OTHER,
        Reaction::Decide => alerts::REACTION_DECIDE,
    }
}

/// When it calls for somebody, in words.
fn threshold(entry: &CodeEntry, language: Language) -> String {
    let words = match entry.threshold {
        Threshold::Never => alerts::ALERTS_NEVER.say(language).to_owned(),
        Threshold::Always => alerts::ALERTS_ALWAYS.say(language).to_owned(),
        Threshold::InARow { more_than } => alerts::ALERTS_IN_A_ROW.fill(language, &[("n", &more_than)]),
        Threshold::InADay { more_than } => alerts::ALERTS_IN_A_DAY.fill(language, &[("n", &more_than)]),
    };
    let counted = matches!(entry.threshold, Threshold::InARow { .. } | Threshold::InADay { .. });
    let per = match entry.per {
        Some("mailbox") if counted => alerts::ALERTS_PER_MAILBOX,
        Some("account") if counted => alerts::ALERTS_PER_ACCOUNT,
        Some("group") if counted => alerts::ALERTS_PER_GROUP,
        Some("shard") if counted => alerts::ALERTS_PER_SHARD,
        _ => return words,
    };
    per.fill(language, &[("threshold", &words)])
}

/// When the alert is over; `None` for a code that never calls for anybody.
fn end(entry: &CodeEntry, language: Language) -> Option<String> {
    if !entry.can_alert() {
        return None;
    }
    Some(match (entry.clears, entry.threshold) {
        (Clears::Quiet, Threshold::InADay { .. }) => alerts::ENDS_DAY.say(language).to_owned(),
        (Clears::Quiet, _) => alerts::ENDS_QUIET.say(language).to_owned(),
        (Clears::State, _) => alerts::ENDS_STATE.say(language).to_owned(),
        (Clears::On(success), _) => {
            let known = codes::success::ALL.iter().find(|(word, _)| *word == success);
            let words = known.map_or(success, |(_, words)| in_language(*words, language));
            alerts::ENDS_ON.fill(language, &[("success", &words)])
        }
    })
}

/// Why it is not raised here; `None` when it is.
fn occurs(entry: &CodeEntry, language: Language) -> Option<String> {
    match entry.occurs {
        Occurs::Here => None,
        Occurs::ToldAs { codes, why } => {
            let codes = codes.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            Some(text::TOLD_AS.fill(language, &[("codes", &codes), ("why", &in_language(why, language))]))
        }
        Occurs::Never { why } => Some(text::NEVER.fill(language, &[("why", &in_language(why, language))])),
    }
}

#[cfg(test)]
mod tests;
