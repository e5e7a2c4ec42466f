//! Goal: the list of metrics is that of the source: none is missing, none is left over. Method: the names in the source's
//! literals. (That a running service exports what the list says is seen in `end-to-end: kubernetes`.)

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::sources;

#[test]
fn the_list_names_what_the_source_exports_and_nothing_else() {
    let own = Path::new("service/src/metrics_list.rs");
    let mut found = BTreeSet::new();
    for source in sources::all() {
        // the store's names are those of roles and wake-ups; the demo reads metrics and makes none
        let reads = ["store/", "service/src/demo"].iter().any(|folder| source.path.starts_with(folder));
        if source.path == own || reads || source.path.ends_with("alert_rules.rs") {
            continue;
        }
        for name in sources::literals(&source.text) {
            let is_name = name.strip_prefix("kommuneklient_").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
            if is_name {
                found.insert(name.trim_end_matches("_total").to_owned());
            }
        }
    }
    let listed: BTreeSet<String> =
        METRICS.iter().map(|metric| metric.name.trim_end_matches("_total").to_owned()).collect();
    assert_eq!(found, listed);
}

#[test]
fn the_list_is_in_order_and_counters_say_so() {
    assert!(METRICS.is_sorted_by(|one, next| one.name < next.name));
    for metric in METRICS {
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        assert!(metric.meaning.en != metric.meaning.da, "{}", metric.name);
    }
}

#[test]
fn parts_of_a_histogram_are_it() {
    let histogram = by_name("kommuneklient_planner_call_seconds_bucket").map(|metric| metric.name);
    assert_eq!(histogram, Some("kommuneklient_planner_call_seconds"));
    assert_eq!(by_name("kommuneklient_planner_call_seconds"), None);
    assert_eq!(by_name("kommuneklient_events"), None);
    assert!(by_name("kommuneklient_events_total").is_some());
}
