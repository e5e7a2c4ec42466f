//! Tables and words for people.

use calendar::Slot;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::texts::{Language, Text, words as w};

/// Words up to this length are never broken, however narrow the terminal is.
const WORD_MAX: usize = 40;
/// The blanks on both sides of a cell.
const PADDING: usize = 2;

/// A table with these headings and rows, or `empty` when there are none. On a terminal that is too narrow cells are
/// broken at blanks: an address can always be copied as one piece.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let words: Vec<usize> = (0..headings.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
            let words = cells.chain([headings[column]]).flat_map(|cell| cell.split(' '));
            words.map(|word| word.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| (*heading).to_owned()));
    for row in rows {
        table.add_row(row);
    }
    for (column, word) in table.column_iter_mut().zip(words) {
        if let Ok(width) = u16::try_from(word.min(WORD_MAX) + PADDING) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// [`table`] with its words in a language.
pub(crate) fn table_in(language: Language, headings: &[Text], rows: Vec<Vec<String>>, empty: Text) -> String {
    let headings: Vec<&str> = headings.iter().map(|heading| heading.say(language)).collect();
    table(&headings, rows, empty.say(language))
}

/// Names and their values, one a line.
pub(crate) fn pairs(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {value}").trim_end().to_owned();
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A moment in the time zone of this machine, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment that may not be.
pub(crate) fn maybe(at: Option<Timestamp>) -> String {
    at.map(moment).unwrap_or_default()
}

/// The text for one, or the one for many, with the number `n`.
pub(crate) fn counted_in(language: Language, n: u64, one: Text, many: Text) -> String {
    if n == 1 { one } else { many }.fill(language, &[("n", &n)])
}

/// From when to when.
pub(crate) fn times(language: Language, slot: &Slot) -> String {
    w::FROM_TO.fill(language, &[("start", &moment(slot.start)), ("end", &moment(slot.end))])
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
}
