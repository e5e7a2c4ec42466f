//! `doctor`: is the installation ready (the guide's appendix G), or why are the appointments of a mailbox not in step
//! (appendix I)? Step by step, each with a verdict, what it rests on, and what to do.
//!
//! Nothing is changed, and Planner is not called: whether it can be reached is tried by opening a connection alone (to the
//! proxy, where one of the environment is for it), and
//! whether calls to it and to Exchange work the log of calls, the streams and the alerts that stand tell (module `calls`).
//! Some steps only a person can answer. Where the database cannot be had, that is one failed step, and those that need
//! none are gone through all the same.

mod account;
mod calls;
mod certificate;
#[cfg(test)]
mod guide;
mod host;
mod mailbox;
mod ready;
mod way;

use std::cell::Cell;
use std::fmt::Display;

use serde_json::{Value, json};
use store::StoreError;

use super::show::{counted_in, hanging, terminal};
use super::{CommandError, Desk, refused, stored, unmade, with};
use crate::ServiceError;
use crate::cli::tools::DoctorArgs;
use crate::config::Config;
use crate::texts::doctor as t;
use crate::texts::{Language, Text};

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and should be looked at.
    Warn,
    /// It does not work.
    Fail,
    /// Only a person can tell.
    Ask,
    /// It cannot be told, because another step failed, or was not tried.
    Open,
}

impl Verdict {
    const ALL: [Self; 5] = [Self::Ok, Self::Warn, Self::Fail, Self::Ask, Self::Open];

    const fn text(self) -> Text {
        match self {
            Self::Ok => t::OK,
            Self::Warn => t::WARN,
            Self::Fail => t::FAIL,
            Self::Ask => t::ASK,
            Self::Open => t::OPEN,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Ask => "ask",
            Self::Open => "open",
        }
    }
}

/// A text with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    text: Text,
    values: Vec<(&'static str, String)>,
    /// Values that are themselves said in a language.
    words: Vec<(&'static str, Vec<Said>)>,
}

impl Said {
    fn words(&self, language: Language) -> String {
        let words: Vec<(&str, String)> =
            self.words.iter().map(|(name, all)| (*name, joined(all, language))).collect();
        // the causes among them hold sentences of ours
        let told: Vec<(&str, String)> =
            self.values.iter().map(|(name, value)| (*name, stored::parts(value, language))).collect();
        let plain = told.iter().map(|(name, value)| (*name, value as &dyn Display));
        let values: Vec<(&str, &dyn Display)> =
            plain.chain(words.iter().map(|(name, value)| (*name, value as &dyn Display))).collect();
        self.text.fill(language, &values)
    }

    /// The same with a value that is itself said in a language.
    pub(super) fn with(self, name: &'static str, words: Self) -> Self {
        self.with_all(name, vec![words])
    }

    /// The same with several of them, one after the other.
    pub(super) fn with_all(mut self, name: &'static str, words: Vec<Self>) -> Self {
        self.words.push((name, words));
        self
    }
}

fn joined(all: &[Said], language: Language) -> String {
    all.iter().map(|said| said.words(language)).collect::<Vec<_>>().join(", ")
}

/// A text without values.
pub(super) const fn plain(text: Text) -> Said {
    Said { text, values: Vec::new(), words: Vec::new() }
}

/// A text with these values.
pub(super) fn said<const N: usize>(text: Text, values: [(&'static str, String); N]) -> Said {
    Said { text, values: values.into(), words: Vec::new() }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    title: Text,
    verdict: Verdict,
    evidence: Said,
    next: Option<Said>,
}

impl Step {
    pub(super) const fn ok(title: Text, evidence: Said) -> Self {
        Self { title, verdict: Verdict::Ok, evidence, next: None }
    }

    pub(super) const fn new(title: Text, verdict: Verdict, evidence: Said, next: Said) -> Self {
        Self { title, verdict, evidence, next: Some(next) }
    }

    pub(super) const fn open(title: Text, evidence: Said) -> Self {
        Self { title, verdict: Verdict::Open, evidence, next: None }
    }

    fn value(&self) -> Value {
        json!({
            "step": self.title.key,
            "title": self.title.say(Language::En),
            "verdict": self.verdict.name(),
            "evidence": self.evidence.words(Language::En),
            "next": self.next.as_ref().map(|next| next.words(Language::En)),
        })
    }
}

/// Why there is no database to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absent {
    /// The embedded one was never made in this folder.
    NotMade(String),
    /// It cannot be used: why.
    Unusable(String),
}

impl Absent {
    fn of(error: &StoreError) -> Self {
        Self::Unusable(telemetry::chain(error).to_string())
    }
}

/// Goes through the steps. Status 1 where one fails.
///
/// # Errors
/// The configuration; a step that fails; the database where everything rests on it.
pub(super) fn perform(args: &DoctorArgs) -> Result<(), ServiceError> {
    let opened = Cell::new(false);
    let outcome = with("doctor", &args.common, |desk| {
        opened.set(true);
        doctor(desk, args)
    });
    match outcome {
        Err(error @ (ServiceError::Command { .. } | ServiceError::Database { .. }))
            if !opened.get() && args.mailbox.is_none() =>
        {
            without_database(args, &error)
        }
        outcome => outcome,
    }
}

async fn doctor(desk: Desk, args: &DoctorArgs) -> Result<(), CommandError> {
    let steps = match &args.mailbox {
        Some(mail) => mailbox::steps(&desk, mail, args.offline).await?,
        None => ready::steps(&desk.config, Ok(&desk.store), args.offline).await,
    };
    tell(&steps, desk.json, desk.language)
}

/// Goes through the steps although the database could not be opened, because of `error`.
fn without_database(args: &DoctorArgs, error: &ServiceError) -> Result<(), ServiceError> {
    let (config, language) = (Config::load(&args.common.config.config)?, args.common.language.language());
    let absent = match unmade(&config, &config.for_migrate()?) {
        Some(folder) => Absent::NotMade(folder),
        None => Absent::Unusable(telemetry::chain(error).to_string()),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    let steps = runtime.block_on(ready::steps(&config, Err(absent), args.offline));
    tell(&steps, args.common.json, language).map_err(|error| refused("doctor", error, language))
}

fn tell(steps: &[Step], as_json: bool, language: Language) -> Result<(), CommandError> {
    let count = |verdict: Verdict| steps.iter().filter(|step| step.verdict == verdict).count();
    let failed = count(Verdict::Fail);
    let values: Vec<Value> = steps.iter().map(Step::value).collect();
    let text = if as_json {
        json!({ "failed": failed, "steps": values }).to_string()
    } else {
        let counts = Verdict::ALL.map(|verdict| {
            let n = count(verdict);
            let told = match verdict {
                Verdict::Fail => counted_in(language, n as u64, t::ONE_FAILS, t::MANY_FAIL),
                Verdict::Open => counted_in(language, n as u64, t::ONE_OPEN, t::MANY_OPEN),
                Verdict::Ok | Verdict::Warn | Verdict::Ask => n.to_string(),
            };
            (verdict.name(), told)
        });
        let counts: Vec<(&str, &dyn Display)> =
            counts.iter().map(|(name, count)| (*name, count as &dyn Display)).collect();
        format!("{}\n\n{}", list(steps, language, terminal()), t::SUMMARY.fill(language, &counts))
    };
    crate::cli::print(&text);
    if failed > 0 { Err(CommandError::StepsFail { count: failed }) } else { Ok(()) }
}

/// Step after step, each with what to do below it, on a terminal of this width.
fn list(steps: &[Step], language: Language, terminal: Option<usize>) -> String {
    let width = |texts: &mut dyn Iterator<Item = Text>| {
        texts.map(|text| text.say(language).chars().count()).max().unwrap_or_default()
    };
    let verdicts = width(&mut Verdict::ALL.into_iter().map(Verdict::text));
    let titles = width(&mut steps.iter().map(|step| step.title));
    let mut lines = Vec::new();
    for step in steps {
        let (verdict, title) = (step.verdict.text().say(language), step.title.say(language));
        let lead = format!("{verdict:verdicts$}  {title:titles$}  ");
        lines.push(hanging(&lead, &step.evidence.words(language), terminal));
        if let Some(next) = &step.next {
            let lead = format!("{:verdicts$}  {}: ", "", t::NEXT.say(language));
            lines.push(hanging(&lead, &next.words(language), terminal));
        }
    }
    lines.join("\n")
}
