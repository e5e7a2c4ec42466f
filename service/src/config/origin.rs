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
    variables: HashMap<String, String>,
}

impl Origins {
    /// No key of the file is known.
    pub(super) fn empty(file: &Path) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// The lines of all keys of the file.
    pub(super) fn of(file: &Path, text: &str) -> Result<Self, ServiceError> {
        let table = DeTable::parse(text).map_err(|error| syntax(file, text, &error))?;
        let mut lines = HashMap::new();
        collect(text, "", table.get_ref(), &mut lines);
        Ok(Self { file: file.to_owned(), lines, variables: HashMap::new() })
    }

    /// A variable has replaced the value of `key`.
    pub(super) fn overlay(&mut self, key: &str, variable: &str) {
        self.variables.insert(key.to_owned(), variable.to_owned());
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

fn collect(text: &str, prefix: &str, table: &DeTable<'_>, lines: &mut HashMap<String, usize>) {
    for (key, value) in table.iter() {
        let dotted = match prefix {
            "" => key.get_ref().to_string(),
            _ => format!("{prefix}.{}", key.get_ref()),
        };
        lines.insert(dotted.clone(), line_and_column(text, key.span().start).0);
        if let DeValue::Table(inner) = value.get_ref() {
            collect(text, &dotted, inner, lines);
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
