//! Goal: no number is given twice, every number lies in a known range, and every row of the original's
//! table is there with the same source and severity.
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

#[test]
fn numbers_are_unique_and_in_range() {
    let mut seen = BTreeMap::new();
    for code in REGISTRY {
        assert!((1000..=9999).contains(&code.id), "{code:?}");
        assert!(!code.meaning.is_empty() && !code.meaning.ends_with('.'), "{code:?}");
        assert_eq!(seen.insert(code.id, code), None, "{code:?} is there twice");
    }
}

#[test]
fn receipt_codes_stay_in_their_range() {
    for (receipt, id) in
        [(0, 6200), (1, 6201), (48, 6248), (49, 6249), (50, 6249), (-1, 6249), (i32::MAX, 6249)]
    {
        assert_eq!(receipt_refused(receipt).id, id);
        assert!(by_id(id).is_some());
    }
}

#[test]
fn every_code_of_the_original_is_there() {
    let Some(table) = shared("kommuneklient/event-codes.tsv") else { return };
    let mut rows = 0;
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (first, last) = cells[1].split_once('-').unwrap_or((cells[1], cells[1]));
        for id in first.parse::<u16>().unwrap()..=last.parse().unwrap() {
            let code = by_id(id).unwrap_or_else(|| panic!("{id} is missing"));
            assert_eq!(code.source, cells[0], "{id}");
            assert_eq!(format!("{:?}", code.severity).to_lowercase(), cells[2], "{id}");
            rows += 1;
        }
    }
    assert!(rows > 100, "{rows}");
}

/// Reference material, where it is at hand.
fn shared(path: &str) -> Option<String> {
    let root = std::env::var_os("KOMMUNEKLIENT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let text = std::fs::read_to_string(root.join(path)).ok();
    if text.is_none() {
        println!("skipped: {path} is not at hand under {}", root.display());
    }
    text
}
