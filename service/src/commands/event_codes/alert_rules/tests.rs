//! Goal: each code that can call for somebody has one rule, each rule looks at metrics that exist, and the file that is
//! deployed is this. (Prometheus' own reading of it: `make check-k8s`.)

use std::path::Path;

use calendar::codes::REGISTRY;

use super::*;
use crate::metrics_list;

fn values<'a>(document: &'a str, key: &str) -> Vec<&'a str> {
    let key = format!("{key}: ");
    document
        .lines()
        .filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix(&*key))
        .collect()
}

#[test]
fn every_code_that_can_alert_has_one_rule() {
    let document = document();
    let names = values(&document, "alert");
    let expected: Vec<String> = sorted()
        .into_iter()
        .filter(|entry| entry.can_alert())
        .map(|entry| format!("Kommuneklient{}", entry.code.id))
        .chain(FIGURES.iter().map(|figure| figure.alert.to_owned()))
        .collect();
    assert_eq!(names, expected);
    assert!(names.len() > 40, "{}", names.len());
    let critical = REGISTRY.iter().filter(|entry| entry.can_alert() && entry.critical).count();
    let figures = FIGURES.iter().filter(|figure| figure.severity == "critical").count();
    assert_eq!(
        values(&document, "severity").iter().filter(|word| **word == "critical").count(),
        critical + figures
    );
}

#[test]
fn rules_look_at_metrics_that_exist() {
    let document = document();
    for expression in values(&document, "expr") {
        let words = expression.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let metrics: Vec<&str> = words.filter(|word| word.starts_with("kommuneklient_")).collect();
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            assert!(metrics_list::by_name(metric).is_some(), "{expression}");
        }
    }
}

#[test]
fn no_text_is_taken_for_a_template_of_prometheus() {
    assert!(!document().contains("{{"));
}

#[test]
fn the_deployed_file_is_fresh() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/k8s/components/monitoring/alert-rules.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text == document(), "alert-rules.yaml is stale (make alert-rules)");
}
