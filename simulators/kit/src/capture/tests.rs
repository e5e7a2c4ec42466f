//! Captured messages: their names, their going on after a restart, and a capture that fails.

use super::Capture;

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn exchanges_are_numbered_and_go_on_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("planner");
    let first = Capture::open(&folder).unwrap();
    let number = first.begin();
    first.request(number, b"<a/>");
    first.response(number, b"<b/>");
    let second = Capture::open(&folder).unwrap();
    let number = second.begin();
    second.request(number, b"<c/>");
    second.response_part(number, 1, b"<d/>");
    second.response_part(number, 2, b"<e/>");
    assert_eq!(
        names(&folder),
        [
            "000001-request.xml",
            "000001-response.xml",
            "000002-request.xml",
            "000002-response-0001.xml",
            "000002-response-0002.xml",
        ]
    );
    assert_eq!(std::fs::read(folder.join("000002-response-0002.xml")).unwrap(), b"<e/>");
}

#[test]
fn a_folder_that_cannot_be_is_refused_and_one_that_goes_away_ends_the_capture_only() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(Capture::open(&file).is_err());

    let folder = place.path().join("gone");
    let capture = Capture::open(&folder).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    capture.request(capture.begin(), b"<a/>");
    std::fs::create_dir(&folder).unwrap();
    capture.request(capture.begin(), b"<b/>");
    assert_eq!(names(&folder), Vec::<String>::new(), "an ended capture stays ended, holes are not hidden");
}
