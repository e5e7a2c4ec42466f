//! Goal: the table names each point once, each is passed by exactly the file that it names and by no other, and what
//! the environment says is understood or refused. (That each can be hit is for the end-to-end tests.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::POINTS;

/// The sources of the product, without its tests.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        ["actors", "connectors", "store", "service", "calendar", "telemetry", "supervision"]
            .map(|name| root.join(name))
            .to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn each_point_is_passed_in_the_file_that_the_table_names_and_nowhere_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut passed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(root) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root).unwrap().display().to_string();
        for after in text.split("crash::point(\"").skip(1) {
            let name = after.split('"').next().unwrap().to_owned();
            passed.entry(name).or_default().insert(file.clone());
        }
    }
    let table: BTreeMap<String, BTreeSet<String>> =
        POINTS.iter().map(|point| (point.name.to_owned(), BTreeSet::from([point.file.to_owned()]))).collect();
    assert_eq!(table.len(), POINTS.len(), "a name occurs twice");
    assert_eq!(passed, table);
}

#[test]
fn names_can_stand_in_the_variable() {
    for point in POINTS {
        let fits = |c: char| c.is_ascii_lowercase() || c == '-' || c == '.';
        assert!(point.name.chars().all(fits) && point.name.contains('.'), "{}", point.name);
        assert!(!point.between.is_empty());
    }
}

#[cfg(feature = "crash-points")]
mod armed {
    use super::super::armed::{CrashError, Orders};
    use jiff::SignedDuration;

    fn orders(name: &'static str, text: &'static str) -> Result<Orders, CrashError> {
        Orders::read(|asked| (asked == name).then(|| text.to_owned()))
    }

    #[test]
    fn nothing_is_ordered_where_nothing_is_said() {
        let orders = Orders::read(|_| None).unwrap();
        assert!(orders.kill.is_empty() && orders.clock_offset.is_zero());
        assert!(!orders.pass("qualifier.claimed"));
    }

    #[test]
    fn it_dies_at_the_pass_that_was_ordered_and_at_no_other_point() {
        let third = orders("KOMMUNEKLIENT_CRASH_AT", "qualifier.claimed:3").unwrap();
        let passes: Vec<bool> = ["qualifier.claimed", "qualifier.decided", "qualifier.claimed"]
            .into_iter()
            .chain(["qualifier.decided", "qualifier.claimed"])
            .map(|name| third.pass(name))
            .collect();
        assert_eq!(passes, [false, false, false, false, true]);
        let first = orders("KOMMUNEKLIENT_CRASH_AT", "lease.taken").unwrap();
        assert!(first.pass("lease.taken"));
    }

    #[test]
    fn of_several_points_it_dies_at_the_one_that_is_met_first() {
        let several = orders("KOMMUNEKLIENT_CRASH_AT", "lease.taken:2,qualifier.claimed").unwrap();
        assert!(!several.pass("lease.taken") && !several.pass("qualifier.decided"));
        assert!(several.pass("qualifier.claimed") && several.pass("lease.taken"));
        let error = orders("KOMMUNEKLIENT_CRASH_AT", "lease.taken,qualifier.dreams").unwrap_err();
        assert!(matches!(error, CrashError::NoPoint { .. }), "{error:?}");
    }

    #[test]
    fn nobody_dies_any_more_once_the_file_is_there() {
        let path = std::env::temp_dir().join(format!("kommuneklient-crash-unless-{}", std::process::id()));
        let _none = std::fs::remove_file(&path);
        let told = path.display().to_string();
        let orders = Orders::read(|asked| match asked {
            "KOMMUNEKLIENT_CRASH_AT" => Some("lease.taken,qualifier.claimed".to_owned()),
            "KOMMUNEKLIENT_CRASH_UNLESS" => Some(told.clone()),
            _ => None,
        })
        .unwrap();
        assert!(orders.pass("lease.taken"), "it is not there yet");
        std::fs::write(&path, "").unwrap();
        let died = orders.pass("qualifier.claimed");
        std::fs::remove_file(&path).unwrap();
        assert!(!died, "it is there");
        assert!(!orders.pass("qualifier.claimed"), "that pass is over, and no other one is in its place");
    }

    #[test]
    fn it_panics_at_every_pass_or_at_the_first_few() {
        let at = "KOMMUNEKLIENT_PANIC_AT";
        let always = orders(at, "qualifier.claimed").unwrap();
        assert!((0..100).all(|_| always.panics("qualifier.claimed") && !always.panics("lease.taken")));
        assert!(!always.pass("qualifier.claimed"));
        let twice = orders(at, "lease.taken:2").unwrap();
        let passes: Vec<bool> = (0..4).map(|_| twice.panics("lease.taken")).collect();
        assert_eq!(passes, [true, true, false, false]);
    }

    #[test]
    fn clocks_go_ahead_and_behind() {
        for (text, ms) in [("1500", 1500), ("+20", 20), ("-3000", -3000)] {
            let orders = orders("KOMMUNEKLIENT_CLOCK_OFFSET_MS", text).unwrap();
            assert_eq!(orders.clock_offset, SignedDuration::from_millis(ms));
        }
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        let refused = |name, text| orders(name, text).unwrap_err();
        let at = "KOMMUNEKLIENT_CRASH_AT";
        assert_eq!(
            refused(at, "qualifier.dreams:1"),
            CrashError::NoPoint { variable: at, name: "qualifier.dreams".into() }
        );
        for text in ["qualifier.claimed:0", "qualifier.claimed:x", "qualifier.claimed:"] {
            assert_eq!(refused(at, text), CrashError::NoPass { variable: at, text: text.into() });
        }
        let text = "soon";
        assert_eq!(
            refused("KOMMUNEKLIENT_CLOCK_OFFSET_MS", text),
            CrashError::NoOffset { text: text.into() }
        );
    }
}
