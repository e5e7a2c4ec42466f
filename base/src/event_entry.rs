//! The form of a row in the registry of event codes (B13): what a code means to an operator, when it calls for
//! somebody, when that is over, and what to look at. The rows are domain knowledge and stand elsewhere; telemetry
//! evaluates them and the command line shows them.

use serde::Serialize;

use crate::event_code::{EventCode, Severity};

/// Words for operators in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bilingual {
    /// English.
    pub en: &'static str,
    /// Danish.
    pub da: &'static str,
}

/// What an operator does about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Nothing.
    Nothing,
    /// Find out why.
    Investigate,
    /// Find out why, in Exchange.
    InvestigateInExchange,
    /// Find out why, in Jobcenter Planner.
    InvestigateInPlanner,
    /// The configuration is wrong.
    CorrectConfiguration,
    /// Call Planner's support.
    AskPlannerSupport,
    /// Another event tells why.
    SeeOther,
    /// Something waits for a decision that no program makes.
    Decide,
}

/// From when on an event calls for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// It never does.
    Never,
    /// Each time.
    Always,
    /// When it came more often than this without a success between.
    InARow {
        /// Up to so many are borne.
        more_than: u32,
    },
    /// When it came more often than this within 24 hours.
    InADay {
        /// Up to so many are borne.
        more_than: u32,
    },
}

impl Threshold {
    /// How many occurrences are borne; `None` when no number is too many.
    pub const fn more_than(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::Always => Some(0),
            Self::InARow { more_than } | Self::InADay { more_than } => Some(more_than),
        }
    }
}

/// What ends an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clears {
    /// The event does not come again for an hour: nothing tells of its end.
    Quiet,
    /// A success: an event with the field `succeeded` and this word. For one subject only where the event of the
    /// success names one.
    On(&'static str),
    /// What it is about is no longer so; somebody looks and says so.
    State,
}

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// In words.
    pub words: Bilingual,
    /// Commands that show it; words in capitals are to be replaced.
    pub commands: &'static [&'static str],
}

/// Whether the situation of a code occurs in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occurs {
    /// It does, and the code is raised then.
    Here,
    /// It does, and is told by other codes.
    ToldAs {
        /// By these.
        codes: &'static [u16],
        /// Why not by its own.
        why: Bilingual,
    },
    /// It cannot.
    Never {
        /// Why.
        why: Bilingual,
    },
}

/// A row of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CodeEntry {
    /// The code itself.
    pub code: EventCode,
    /// What it means, in one line.
    pub meaning: Bilingual,
    /// What to do.
    pub reaction: Reaction,
    /// When to do it.
    pub threshold: Threshold,
    /// The field of the event that names what it is about ("mailbox"): occurrences are counted, and successes end
    /// alerts, for each subject apart.
    pub per: Option<&'static str>,
    /// When that is over.
    pub clears: Clears,
    /// Is it one of those for which somebody is called at night?
    pub critical: bool,
    /// What to look at.
    pub look: &'static Hint,
    /// Whether it occurs here.
    pub occurs: Occurs,
}

impl CodeEntry {
    /// A row: errors and warnings are investigated each time, what is information calls for nobody.
    pub const fn new(
        id: u16,
        source: &'static str,
        severity: Severity,
        meaning: Bilingual,
        look: &'static Hint,
    ) -> Self {
        let (reaction, threshold) = match severity {
            Severity::Information => (Reaction::Nothing, Threshold::Never),
            Severity::Warning | Severity::Error => (Reaction::Investigate, Threshold::Always),
        };
        Self {
            code: EventCode { id, source, severity, meaning: meaning.en },
            meaning,
            reaction,
            threshold,
            per: None,
            clears: Clears::Quiet,
            critical: false,
            look,
            occurs: Occurs::Here,
        }
    }

    /// With another reaction.
    pub const fn react(mut self, reaction: Reaction) -> Self {
        self.reaction = reaction;
        self
    }

    /// Calls for nobody.
    pub const fn quiet(mut self) -> Self {
        self.reaction = Reaction::Nothing;
        self.threshold = Threshold::Never;
        self
    }

    /// Calls for somebody when it came more than `more_than` times without a success between.
    pub const fn in_a_row(mut self, more_than: u32) -> Self {
        self.threshold = Threshold::InARow { more_than };
        self
    }

    /// Calls for somebody when it came more than `more_than` times within 24 hours.
    pub const fn in_a_day(mut self, more_than: u32) -> Self {
        self.threshold = Threshold::InADay { more_than };
        self
    }

    /// Is about what this field of the event names.
    pub const fn per(mut self, field: &'static str) -> Self {
        self.per = Some(field);
        self
    }

    /// Its alert ends with this success.
    pub const fn ends_on(mut self, success: &'static str) -> Self {
        self.clears = Clears::On(success);
        self
    }

    /// Its alert stands for as long as somebody who looks says so.
    pub const fn is_a_state(mut self) -> Self {
        self.clears = Clears::State;
        self
    }

    /// Somebody is called at night.
    pub const fn critical(mut self) -> Self {
        self.critical = true;
        self
    }

    /// Told by other codes.
    pub const fn told_as(mut self, codes: &'static [u16], en: &'static str, da: &'static str) -> Self {
        self.occurs = Occurs::ToldAs { codes, why: Bilingual { en, da } };
        self
    }

    /// Cannot occur.
    pub const fn never(mut self, en: &'static str, da: &'static str) -> Self {
        self.occurs = Occurs::Never { why: Bilingual { en, da } };
        self
    }

    /// Can it call for somebody?
    pub const fn can_alert(&self) -> bool {
        self.threshold.more_than().is_some() && matches!(self.occurs, Occurs::Here)
    }
}
