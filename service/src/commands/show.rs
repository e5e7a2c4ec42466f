//! Tables and words for people.

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A table with these headings and rows, or `empty` when there are none.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| (*heading).to_owned()));
    for row in rows {
        table.add_row(row);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A moment in the time zone of this machine, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment that may not be.
pub(crate) fn maybe(at: Option<Timestamp>) -> String {
    at.map(moment).unwrap_or_default()
}

/// "1 mailbox", "2 mailboxes": a number with the word that goes with it.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_headings_and_no_blanks_at_the_end() {
        let text = table(
            &["MAILBOX", "WHY"],
            vec![vec!["a@x".into(), String::new()], vec!["long@x".into(), "r".into()]],
            "none",
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].contains("MAILBOX") && lines[0].ends_with("WHY"));
        assert!(lines[1].ends_with("a@x") && lines[2].ends_with('r'));
        assert_eq!(table(&["X"], Vec::new(), "none"), "none");
    }

    #[test]
    fn one_and_many() {
        assert_eq!(counted(1, "mailbox", "mailboxes"), "1 mailbox");
        assert_eq!(counted(0, "mailbox", "mailboxes"), "0 mailboxes");
    }
}
