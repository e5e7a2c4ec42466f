//! `doctor`: is the installation ready (the guide's appendix G), or why are the appointments of a mailbox not in step
//! (appendix I)? Step by step, each with a verdict, what it rests on, and what to do.
//!
//! Nothing is changed, and Planner is not called: whether it can be reached is tried by opening a connection alone.
//! Some steps only a person can answer.

mod host;
mod mailbox;
mod ready;

use std::fmt::Display;

use serde_json::{Value, json};

use super::{CommandError, Desk};
use crate::cli::tools::DoctorArgs;
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
    words: Vec<(&'static str, Said)>,
}

impl Said {
    fn words(&self, language: Language) -> String {
        let words: Vec<(&str, String)> =
            self.words.iter().map(|(name, said)| (*name, said.words(language))).collect();
        let plain = self.values.iter().map(|(name, value)| (*name, value as &dyn Display));
        let values: Vec<(&str, &dyn Display)> =
            plain.chain(words.iter().map(|(name, value)| (*name, value as &dyn Display))).collect();
        self.text.fill(language, &values)
    }

    /// The same with a value that is itself said in a language.
    pub(super) fn with(mut self, name: &'static str, words: Self) -> Self {
        self.words.push((name, words));
        self
    }
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

/// Goes through the steps. Status 1 where one fails.
pub(crate) async fn doctor(desk: Desk, args: &DoctorArgs) -> Result<(), CommandError> {
    let language = desk.language;
    let steps = match &args.mailbox {
        Some(mail) => mailbox::steps(&desk, mail).await?,
        None => ready::steps(&desk, args.offline).await,
    };
    let count = |verdict: Verdict| steps.iter().filter(|step| step.verdict == verdict).count();
    let failed = count(Verdict::Fail);
    let values: Vec<Value> = steps.iter().map(Step::value).collect();
    desk.answer(&json!({ "failed": failed, "steps": values }), || {
        let counts = Verdict::ALL.map(|verdict| (verdict.name(), count(verdict)));
        let counts: Vec<(&str, &dyn Display)> =
            counts.iter().map(|(name, count)| (*name, count as &dyn Display)).collect();
        format!("{}\n\n{}", list(&steps, language), t::SUMMARY.fill(language, &counts))
    });
    if failed > 0 { Err(CommandError::StepsFail { count: failed }) } else { Ok(()) }
}

/// Step after step, each with what to do below it.
fn list(steps: &[Step], language: Language) -> String {
    let width = |texts: &mut dyn Iterator<Item = Text>| {
        texts.map(|text| text.say(language).chars().count()).max().unwrap_or_default()
    };
    let verdicts = width(&mut Verdict::ALL.into_iter().map(Verdict::text));
    let titles = width(&mut steps.iter().map(|step| step.title));
    let mut text = String::new();
    for step in steps {
        text.push_str(&format!(
            "{:verdicts$}  {:titles$}  {}\n",
            step.verdict.text().say(language),
            step.title.say(language),
            step.evidence.words(language)
        ));
        if let Some(next) = &step.next {
            text.push_str(&format!(
                "{:verdicts$}  {}: {}\n",
                "",
                t::NEXT.say(language),
                next.words(language)
            ));
        }
    }
    text.trim_end().to_owned()
}
