//! Tables and words for people.

mod layout;

use calendar::Slot;
use comfy_table::Table;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::texts::{Language, Text, words as w};
pub(crate) use layout::hanging;

/// The width of the terminal that answers go to, in characters; `None` where they go to a file or another program.
pub(crate) fn terminal() -> Option<usize> {
    Table::new().width().map(usize::from).filter(|width| *width > 0)
}

/// A table with these headings and rows, or `empty` when there are none. On a terminal it is as wide as that at most,
/// with every address and number in one piece; elsewhere each row is one line.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    layout::table(headings, &rows, terminal()).join("\n")
}

/// [`table`] with its words in a language.
pub(crate) fn table_in(language: Language, headings: &[Text], rows: Vec<Vec<String>>, empty: Text) -> String {
    let headings: Vec<&str> = headings.iter().map(|heading| heading.say(language)).collect();
    table(&headings, rows, empty.say(language))
}

/// Names and their values, one a line; on a terminal a long value is broken at blanks.
pub(crate) fn pairs(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let terminal = terminal();
    let line = |(name, value): &(&str, String)| hanging(&format!("{name:width$}  "), value, terminal);
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
