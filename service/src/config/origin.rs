//! Where each value comes from, so that an error can point there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::ServiceError;

/// The place of every value.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins {
    file: PathBuf,
    lines: HashMap<String, usize>,
    /// The values as people wrote them, for messages: shortened, and without what may be secret.
    values: HashMap<String, String>,
    variables: HashMap<String, String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// Nobody said anything.
    Default,
    /// The configuration's file.
    File(String),
    /// An environment variable.
    Environment(String),
}

impl ValueSource {
    /// `default`, `file` or `environment`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(_) => "file",
            Self::Environment(_) => "environment",
        }
    }

    /// The file and line, or the name of the variable.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::File(place) | Self::Environment(place) => Some(place),
        }
    }
}

/// The longest value that stands in a message, in characters.
const VALUE_MAX: usize = 80;
/// What stands for a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// May the value of this key be secret? Where the type of a value is known, that decides; this is for values that
/// could not be read.
fn is_secret(key: &str) -> bool {
    let key = key.rsplit('.').next().unwrap_or(key);
    let is_file = key.ends_with("_file") || key.ends_with("_files");
    !is_file && (key == "key" || ["password", "secret", "token"].iter().any(|word| key.contains(word)))
}

/// The value in a message: shortened, and hidden where it is secret or an address with a password in it.
fn told(key: &str, value: &str) -> String {
    if is_secret(key) || key == "database.url" || value.contains('@') && value.contains("://") {
        return HIDDEN.to_owned();
    }
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

impl Origins {
    /// No key of the file is known.
    pub(super) fn empty(file: &Path) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// The lines of all keys of the file.
    pub(super) fn of(file: &Path, text: &str) -> Result<Self, ServiceError> {
        let table = DeTable::parse(text).map_err(|error| syntax(file, text, &error))?;
        let mut origins = Self::empty(file);
        origins.collect(text, "", table.get_ref());
        Ok(origins)
    }

    /// A variable has replaced the value of `key`.
    pub(super) fn overlay(&mut self, key: &str, variable: &str, value: &str) {
        self.variables.insert(key.to_owned(), variable.to_owned());
        self.values.insert(key.to_owned(), told(key, &format!("{value:?}")));
    }

    /// Another key has replaced this one.
    pub(super) fn forget(&mut self, key: &str) {
        self.lines.remove(key);
        self.variables.remove(key);
    }

    /// A key was given by a former name.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        let Self { lines, values, variables, .. } = self;
        if let Some(line) = lines.remove(old) {
            lines.insert(new.to_owned(), line);
        }
        for texts in [values, variables] {
            if let Some(text) = texts.remove(old) {
                texts.insert(new.to_owned(), text);
            }
        }
    }

    /// The value of `key` as it was written, for a message.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        self.values.get(key).cloned()
    }

    /// Where the value of `key` comes from.
    pub(super) fn source(&self, key: &str) -> ValueSource {
        match (self.variables.get(key), self.lines.get(key)) {
            (Some(variable), _) => ValueSource::Environment(variable.clone()),
            (None, Some(line)) => ValueSource::File(format!("{}:{line}", self.file.display())),
            (None, None) => ValueSource::Default,
        }
    }

    fn collect(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let dotted = match prefix {
                "" => key.get_ref().to_string(),
                _ => format!("{prefix}.{}", key.get_ref()),
            };
            self.lines.insert(dotted.clone(), line_and_column(text, key.span().start).0);
            match value.get_ref() {
                DeValue::Table(inner) => self.collect(text, &dotted, inner),
                _ => {
                    let written = text.get(value.span()).unwrap_or_default();
                    let told = told(&dotted, written);
                    self.values.insert(dotted, told);
                }
            }
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The variable, or the file and line of the key or of its section, or the file.
    pub(super) fn place(&self, key: &str) -> String {
        let whole = key.split('[').next().unwrap_or(key);
        if let Some(variable) = self.variables.get(whole) {
            return format!("environment variable {variable}");
        }
        let section = whole.split('.').next().unwrap_or(whole);
        if let Some(line) = self.lines.get(whole).or_else(|| self.lines.get(section)) {
            return format!("{}:{line}", self.file.display());
        }
        // a section that only the environment names
        let within = |name: &str| name.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
        match self.variables.iter().filter(|(name, _)| within(name)).map(|(_, variable)| variable).min() {
            Some(variable) => format!("environment variable {variable}"),
            None => self.file.display().to_string(),
        }
    }
}

/// A syntax error with its place. Only the parser's message is taken, not its picture of the line: the
/// line may hold a secret.
pub(super) fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> ServiceError {
    let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
    ServiceError::ConfigurationSyntax {
        file: file.to_owned(),
        line,
        column,
        reason: error.message().lines().collect::<Vec<_>>().join(", "),
    }
}

/// Line and column, both from 1, of a byte of the text.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
