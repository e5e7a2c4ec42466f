//! What was measured, for people and for programs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The product's.
    pub(crate) value: f64,
    /// Of value and reference.
    pub(crate) unit: String,
    /// What was measured beside it in the same run.
    pub(crate) reference: f64,
    /// value / reference.
    pub(crate) ratio: f64,
}

/// Figures by name.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, Figure>);

impl Figures {
    /// Adds a figure.
    pub(crate) fn add(&mut self, name: &str, unit: &str, value: f64, reference: f64) {
        let figure = Figure { value, unit: unit.to_owned(), reference, ratio: value / reference };
        self.0.insert(name.to_owned(), figure);
    }

    /// Adds those of a benchmark.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// For people.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["benchmark", "value", "reference", "ratio", "unit"]);
        for (name, figure) in &self.0 {
            table.add_row([
                name.clone(),
                format!("{:.1}", figure.value),
                format!("{:.1}", figure.reference),
                format!("{:.2}", figure.ratio),
                figure.unit.clone(),
            ]);
        }
        table
    }

    /// Writes `target/bench.json`, keeping the figures of benchmarks that did not run.
    pub(crate) fn save(&self) -> io::Result<PathBuf> {
        let path = target().join("bench.json");
        let mut all: BTreeMap<String, Figure> = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        all.extend(self.0.clone());
        std::fs::write(&path, serde_json::to_string_pretty(&all)? + "\n")?;
        Ok(path)
    }
}

/// The workspace's folder of what was built.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}
