//! Goal: docs/observability.md names every metric, span and log field that the source has, and no others. Method: the
//! source's own text (module `sources`).

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::sources;

/// The words in backquotes of the first column of the tables below a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/observability.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| {
        let names = row.split('|').next().unwrap();
        names.split('`').step_by(2).map(str::to_owned).collect::<Vec<_>>()
    })
    .filter(|name| !name.trim_matches([',', ' ']).is_empty())
    .collect()
}

/// The section names these, each with its meaning, and nothing else.
#[track_caller]
fn assert_documented(heading: &str, in_source: &BTreeSet<String>) {
    let documented = documented(heading);
    let lacking: Vec<&String> = in_source.difference(&documented).collect();
    let left_over: Vec<&String> = documented.difference(in_source).collect();
    assert!(
        lacking.is_empty() && left_over.is_empty(),
        "docs/observability.md, {heading}: say what {lacking:?} mean; nothing has the names {left_over:?} any more"
    );
}

#[test]
fn the_document_has_the_table_of_metrics() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/observability.md");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(&markdown()), "docs/observability.md is stale: kommuneklient metrics --markdown");
    assert_eq!(documented("Metrics").len(), METRICS.len());
}

#[test]
fn the_document_names_every_span() {
    let mut spans = BTreeSet::new();
    for source in sources::all() {
        let macros = ["info_span!(", "named!("].map(|opening| sources::calls(&source.text, opening));
        for argument in macros.into_iter().flatten().flatten() {
            if let Some(name) = argument.strip_prefix('"') {
                spans.insert(name.trim_end_matches('"').to_owned());
            }
        }
        for argument in sources::calls(&source.text, "tracing::instrument(").into_iter().flatten() {
            if let Some(name) = argument.strip_prefix("name = \"") {
                spans.insert(name.trim_end_matches('"').to_owned());
            }
        }
    }
    assert!(spans.contains("planner.send") && spans.contains("exchange.get_item"), "{spans:?}");
    assert_documented("Spans", &spans);
}

#[test]
fn the_document_names_every_field_of_the_log() {
    let mut fields = BTreeSet::new();
    for source in sources::all() {
        for level in ["trace!(", "debug!(", "info!(", "warn!(", "error!("] {
            for arguments in sources::calls(&source.text, level) {
                for argument in arguments.iter().take_while(|argument| !argument.starts_with('"')) {
                    let name = argument.trim_start_matches(['%', '?']).split([' ', '=']).next().unwrap();
                    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.') {
                        fields.insert(name.to_owned());
                    }
                }
            }
        }
    }
    assert!(fields.len() > 60, "{fields:?}");
    assert_documented("Log fields", &fields);
}

#[test]
fn the_listing_is_there_in_both_languages() {
    let (english, danish) = (listing(Language::En), listing(Language::Da));
    assert!(english.contains("kommuneklient_oldest_unsent_change_seconds"), "{english}");
    assert!(danish.contains("BETYDNING") && danish.contains("det tal, man holder øje med"), "{danish}");
}
