//! `metrics`: what `/metrics` exports, and what it means. Needs no configuration.

use super::show::table;
use crate::ServiceError;
use crate::cli::MetricsArgs;
use crate::metrics_list::METRICS;
use crate::texts::{Language, in_language};

/// Shows the list.
///
/// # Errors
/// None is known: the list can be written.
pub(crate) fn show(args: &MetricsArgs) -> Result<(), ServiceError> {
    crate::cli::print(&if args.json {
        serde_json::to_string(METRICS).map_err(|error| super::failed("metrics", error))?
    } else if args.markdown {
        markdown().trim_end().to_owned()
    } else {
        listing(args.language.language())
    });
    Ok(())
}

fn listing(language: Language) -> String {
    let header = match language {
        Language::En => ["METRIC", "KIND", "LABELS", "OF", "MEANING"],
        Language::Da => ["MÅLING", "ART", "MÆRKER", "AF", "BETYDNING"],
    };
    let row = |metric: &crate::metrics_list::MetricEntry| {
        vec![
            metric.name.to_owned(),
            metric.kind.word().to_owned(),
            metric.labels.join(", "),
            metric.of.word().to_owned(),
            in_language(metric.meaning, language).to_owned(),
        ]
    };
    table(&header, METRICS.iter().map(row).collect(), "")
}

/// The table of docs/observability.md.
fn markdown() -> String {
    let mut text =
        "| metric | kind | labels | of | meaning | betydning |\n|---|---|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, of, meaning) = (metric.kind.word(), metric.of.word(), metric.meaning);
        text += &format!(
            "| `{}` | {kind} | {} | {of} | {} | {} |\n",
            metric.name,
            labels.join(", "),
            meaning.en,
            meaning.da
        );
    }
    text
}

#[cfg(test)]
mod tests;
