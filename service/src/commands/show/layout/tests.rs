//! Goal: a table has room on its terminal, and whatever its width, each address and origin id stands there in one piece.
//! Method: tables as the commands make them, line by line, and every width for what must hold of all.

use super::*;

const HEADINGS: [&str; 4] = ["POSTKASSE", "TILSTAND", "SIDEN", "ORIGIN ID"];
const ORIGIN_ID: &str = "040000008200E00074C5B7101A82E00800000000A0B1C2D3E4F5D901000000000000000010000000";

fn rows() -> Vec<Vec<String>> {
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    vec![
        row(["søren@kommune.dk", "i brug, men der kan ikke lyttes til den", "2026-11-22 23:22:12", "UID-T1"]),
        row(["aa@kommune.dk", "på æøå", "", ORIGIN_ID]),
    ]
}

fn told(width: Option<usize>) -> Vec<String> {
    table(&HEADINGS, &rows(), width)
}

#[test]
fn without_a_width_each_row_is_one_line_with_all_it_has() {
    let lines = told(None);
    assert_eq!(
        lines[..2],
        [
            " POSTKASSE         TILSTAND                                 SIDEN                ORIGIN ID",
            " søren@kommune.dk  i brug, men der kan ikke lyttes til den  2026-11-22 23:22:12  UID-T1",
        ]
    );
    assert_eq!(lines.len(), 3);
    assert!(lines[2].ends_with(ORIGIN_ID));
    assert_eq!(told(Some(500)), lines, "there is room for all of it");
    assert_eq!(told(Some(length(&lines[2]))), lines);
}

#[test]
fn the_widest_columns_are_broken_at_blanks() {
    let rows = vec![rows().remove(0)];
    let lines = table(&HEADINGS, &rows, Some(66));
    assert_eq!(
        lines,
        [
            " POSTKASSE         TILSTAND         SIDEN                ORIGIN ID",
            " søren@kommune.dk  i brug, men der  2026-11-22 23:22:12  UID-T1",
            "                   kan ikke lyttes",
            "                   til den",
        ]
    );
}

#[test]
fn what_has_no_room_beside_the_others_stands_below_its_row() {
    assert_eq!(
        told(Some(60)),
        [
            " POSTKASSE         TILSTAND              SIDEN",
            " søren@kommune.dk  i brug, men der kan   2026-11-22 23:22:12",
            "                   ikke lyttes til den",
            "    ORIGIN ID: UID-T1",
            " aa@kommune.dk     på æøå",
            "    ORIGIN ID:",
            &format!("        {ORIGIN_ID}"),
        ]
    );
}

#[test]
fn at_every_width_lines_fit_and_no_word_is_broken() {
    let words: Vec<String> =
        rows().concat().iter().flat_map(|cell| cell.split(' ')).map(str::to_owned).collect();
    for width in 0..150 {
        let lines = told(Some(width));
        let found: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        for word in words.iter().filter(|word| !word.is_empty()) {
            assert!(found.contains(&word.as_str()), "{width}: {word} is missing in {lines:#?}");
        }
        for line in &lines {
            assert!(!line.ends_with(' '), "{width}: {line:?}");
            let is_one_word = line.split_whitespace().count() <= 1;
            assert!(is_one_word || width < 30 || length(line) <= width, "{width}: {line:?}");
        }
    }
    assert_eq!(table(&["A"], &[vec!["x".into(), "more".into()]], Some(80)), [" A", " x  more"]);
}

/// Regression: how much of an operation is done stood on two lines on a terminal of 80 columns.
#[test]
fn short_columns_are_never_broken() {
    let headings = ["ID", "WHAT", "MAILBOXES", "DONE", "STATE", "ASKED AT", "BY"];
    let row = |cells: [&str; 7]| cells.map(str::to_owned).to_vec();
    let mail = "anna.berggrens@kommune.test";
    let state = "done: found 12, created 1, updated 0, deleted 3";
    let rows = [
        row(["12", "full pull", "all", "3 of 3", state, "2026-11-22 23:22:12", "kim"]),
        row(["11", "adoption", mail, "0 of 1", "waiting", "2026-11-22 23:22:10", "somebody"]),
    ];
    for width in 30..140 {
        let lines = table(&headings, &rows, Some(width));
        for cell in ["3 of 3", "0 of 1", "full pull"] {
            assert!(lines.iter().any(|line| line.contains(cell)), "{width}: {cell} in {lines:#?}");
        }
    }
    let lines = table(&headings, &rows, Some(80));
    assert!(lines[0].contains("DONE") && lines.iter().all(|line| length(line) <= 80), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("all") && line.contains("3 of 3")), "{lines:#?}");
    assert!(lines.contains(&"    BY: kim".to_owned()), "no room is left for it: {lines:#?}");
}

#[test]
fn what_hangs_beside_its_name_stays_there() {
    let text = "der kan ikke lyttes til den æøå";
    assert_eq!(hanging("fejl  ", text, None), "fejl  der kan ikke lyttes til den æøå");
    assert_eq!(hanging("fejl  ", text, Some(37)), "fejl  der kan ikke lyttes til den æøå");
    assert_eq!(hanging("fejl  ", text, Some(36)), "fejl  der kan ikke lyttes til den\n      æøå");
    assert_eq!(hanging("fejl  ", text, Some(20)), "fejl  der kan ikke lyttes til den æøå", "too narrow");
    assert_eq!(hanging("fejl  ", "", Some(80)), "fejl");
}
