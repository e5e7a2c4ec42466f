//! What counts in the end: every key with its value and where that comes from, and everything that is wrong, for
//! `kommuneklient config check`.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::origin::ValueSource;
use super::{Config, Problems, Remark, Required, Section, in_words};
use crate::ServiceError;
use crate::texts::Language;

/// A key with the value that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// `planner.simultaneous_calls`
    pub key: String,
    /// Its value, a secret hidden; null = it is not set and has no default.
    pub value: Value,
    /// Where the value comes from.
    pub source: ValueSource,
}

impl Effective {
    /// The value as people write it.
    pub fn text(&self) -> String {
        fn of(value: &Value) -> String {
            match value {
                Value::Null => "(not set)".to_owned(),
                Value::String(text) => text.clone(),
                Value::Array(items) => items.iter().map(of).collect::<Vec<_>>().join(", "),
                other => other.to_string(),
            }
        }
        of(&self.value)
    }

    /// Where it comes from, for people.
    pub fn origin(&self) -> &str {
        self.source.place().unwrap_or("default")
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "key": self.key,
            "value": self.value,
            "source": self.source.kind(),
            "place": self.source.place(),
        })
    }
}

/// A configuration that was looked at as `run` would.
#[derive(Debug)]
pub struct Examined {
    /// What it says; what cannot be read has its default.
    pub config: Config,
    /// What `run` would use; `None` = something is missing.
    pub required: Option<Required>,
    /// Everything that is wrong.
    pub problems: Problems,
    /// Certificates whose end is near, or over, or that have not begun.
    pub(super) certificates: Vec<Remark>,
}

impl Examined {
    /// What works and should still be looked at, one sentence each.
    pub fn warnings_in(&self, language: Language) -> Vec<String> {
        let certificates = self.certificates.iter().map(|remark| in_words(remark, language));
        self.config.warnings_in(language).into_iter().chain(certificates).collect()
    }
}

impl Config {
    /// Looks at a file and this process's environment as `run` would, and finds everything that is wrong at once; also
    /// in the files with certificates that it names, as far as they are read at `now`.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML.
    pub fn examine(file: &Path, now: Timestamp) -> Result<Examined, ServiceError> {
        let environment = Self::environment(file)?;
        let (config, mut problems) = Self::gather(file, &Self::text(file)?, environment)?;
        let required = config.run_needs(&mut problems);
        let certificates = config.certificates_usable(now, &mut problems);
        problems.locate(&config.origins);
        Ok(Examined { config, required, problems, certificates })
    }

    /// The same of what was read already: what works and should still be looked at.
    ///
    /// # Errors
    /// [`ServiceError::Configuration`] with everything that `run` would refuse.
    pub(crate) fn usable(&self, now: Timestamp) -> Result<Vec<Remark>, ServiceError> {
        let mut problems = Problems::default();
        let required = self.run_needs(&mut problems);
        let certificates = self.certificates_usable(now, &mut problems);
        if required.is_none() || !problems.is_empty() {
            return Err(self.refuse(problems));
        }
        Ok(self.remarks().into_iter().chain(certificates).collect())
    }

    /// Every key with the value that counts, by section.
    pub fn effective(&self) -> Vec<Effective> {
        let mut all = Vec::new();
        self.add(&self.node, &mut all);
        self.add(&self.database, &mut all);
        self.add(&self.exchange, &mut all);
        self.add(&self.listener, &mut all);
        self.add(&self.qualifier, &mut all);
        self.add(&self.planner, &mut all);
        self.add(&self.secrets, &mut all);
        self.add(&self.calendar, &mut all);
        self.add(&self.leases, &mut all);
        self.add(&self.retention_days, &mut all);
        self.add(&self.telemetry, &mut all);
        self.add(&self.http, &mut all);
        all
    }

    fn add<S: Section>(&self, section: &S, all: &mut Vec<Effective>) {
        for (key, value) in members(section) {
            let key = format!("{}.{key}", S::NAME);
            let source = self.source_of(&key);
            all.push(Effective { key, value, source });
        }
    }

    /// A secret may stand in a file of its own, which another key names.
    fn source_of(&self, key: &str) -> ValueSource {
        match self.origins.source(key) {
            ValueSource::Default => self.origins.source(&format!("{key}_file")),
            source => source,
        }
    }
}

fn members<S: Serialize>(section: &S) -> Map<String, Value> {
    match serde_json::to_value(section) {
        Ok(Value::Object(members)) => members,
        // a section is a struct of texts, numbers and lists
        _ => Map::new(),
    }
}
