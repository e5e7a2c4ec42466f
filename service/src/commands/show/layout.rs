//! Where words stand on the lines of a terminal. Pure: the width comes in, lines go out.
//!
//! Widths are counted in characters. Lines are broken at blanks alone: an address or an origin id can always be copied as
//! one piece. Without a width nothing is broken, for programs that read line by line.

/// The blank before each line of a table.
const MARGIN: usize = 1;
/// The blanks between two columns.
const GAP: usize = 2;
/// The blanks before what stands below its row.
const INDENT: usize = 4;
/// A column that is no wider is never broken: over two lines, "3 of 3" reads as two things.
const SHORT: usize = 12;
/// What hangs beside something gets so many columns at least; else the terminal breaks it.
const ROOM_MIN: usize = 24;

/// The lines of a table on a terminal of this width; `None` = as wide as it takes. The widest columns are broken first. Where
/// not even the longest words of all columns have room beside each other, the last columns are told below each row, each
/// with its heading. A cell that is a date and a time is broken only where that spares this, and a short column not even
/// then.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let count = rows.iter().map(Vec::len).fold(headings.len(), usize::max);
    let headings: Vec<&str> = headings.iter().copied().chain(std::iter::repeat("")).take(count).collect();
    let natural = widest(&headings, rows, |cell| cell.split('\n').map(length).max().unwrap_or_default());
    let width = width.unwrap_or(usize::MAX);
    if total(&natural) <= width {
        return beside(&headings, rows, &natural);
    }
    let words = |cell: &str| cell.split([' ', '\n']).map(length).max().unwrap_or_default();
    let whole = widest(&headings, rows, |cell| if is_moment(cell) { length(cell) } else { words(cell) });
    let (whole, broken) =
        (short_whole(&natural, whole), short_whole(&natural, widest(&headings, rows, words)));
    // the first says what a row is about, so it always stands there
    let kept = (1..=count).rev().find(|kept| total(&broken[..*kept]) <= width).unwrap_or(1).min(count);
    let least = if total(&whole[..kept]) <= width { &whole } else { &broken };
    let widths = fitted(&natural[..kept], &least[..kept], width);
    let mut lines = row_lines(&headings[..kept], &widths);
    for row in rows {
        let cells: Vec<&str> = (0..kept).map(|column| cell(row, column)).collect();
        lines.extend(row_lines(&cells, &widths));
        for (column, heading) in headings.iter().enumerate().skip(kept) {
            let value = cell(row, column);
            if !value.is_empty() {
                let lead = format!("{:INDENT$}{heading}: ", "");
                lines.extend(below(&lead, value, width));
            }
        }
    }
    lines
}

/// `text` after `lead`. Further lines begin below the beginning of the text, and none is longer than `width` where that
/// leaves some room.
pub(crate) fn hanging(lead: &str, text: &str, width: Option<usize>) -> String {
    let indent = length(lead);
    match width.map(|width| width.saturating_sub(indent)) {
        Some(room) if room >= ROOM_MIN => {
            let next_line = format!("\n{:indent$}", "");
            format!("{lead}{}", wrapped(text, room).join(next_line.as_str())).trim_end().to_owned()
        }
        _ => format!("{lead}{text}").trim_end().to_owned(),
    }
}

/// A value below its row: after `lead`, or where it has no room there, on lines of its own.
fn below(lead: &str, value: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(2 * INDENT);
    if length(lead) + length(value) <= width {
        return vec![format!("{lead}{value}")];
    }
    let lines = wrapped(value, room).into_iter().map(|line| format!("{:1$}{line}", "", 2 * INDENT));
    std::iter::once(lead.trim_end().to_owned()).chain(lines).collect()
}

/// All columns beside each other, as wide as they are.
fn beside(headings: &[&str], rows: &[Vec<String>], widths: &[usize]) -> Vec<String> {
    let mut lines = row_lines(headings, widths);
    for row in rows {
        let cells: Vec<&str> = (0..headings.len()).map(|column| cell(row, column)).collect();
        lines.extend(row_lines(&cells, widths));
    }
    lines
}

/// The lines of one row, with its cells broken to these widths.
fn row_lines(cells: &[&str], widths: &[usize]) -> Vec<String> {
    let columns: Vec<(Vec<String>, usize)> =
        cells.iter().zip(widths).map(|(cell, width)| (wrapped(cell, *width), *width)).collect();
    let height = columns.iter().map(|(parts, _)| parts.len()).max().unwrap_or_default();
    let mut lines = Vec::with_capacity(height);
    for index in 0..height {
        let mut line = " ".repeat(MARGIN);
        for (column, (parts, width)) in columns.iter().enumerate() {
            let (gap, width) = (if column == 0 { 0 } else { GAP }, *width);
            let part = parts.get(index).map_or("", String::as_str);
            line.push_str(&format!("{:gap$}{part:width$}", ""));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The lines of a text, broken at blanks so that none is longer than `width`; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.split('\n') {
        if length(part) <= width {
            lines.push(part.to_owned());
            continue;
        }
        let mut line = String::new();
        for word in part.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && length(&line) + 1 + length(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Widths between `least` and `natural` with which all columns have room, where that can be: of the widest that can be
/// broken, column by column.
fn fitted(natural: &[usize], least: &[usize], width: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    while total(&widths) > width {
        let breakable = (0..widths.len()).filter(|column| widths[*column] > least[*column]);
        let Some(widest) = breakable.max_by_key(|column| widths[*column]) else { break };
        widths[widest] -= 1;
    }
    widths
}

/// The least widths, with those of short columns as wide as these are.
fn short_whole(natural: &[usize], least: Vec<usize>) -> Vec<usize> {
    let whole = |(least, natural): (usize, &usize)| if *natural <= SHORT { *natural } else { least };
    least.into_iter().zip(natural).map(whole).collect()
}

/// The width of a line with columns of these widths.
fn total(widths: &[usize]) -> usize {
    MARGIN + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Column by column the most that `of` says of a cell or the heading.
fn widest(headings: &[&str], rows: &[Vec<String>], of: impl Fn(&str) -> usize) -> Vec<usize> {
    let column = |index: usize| rows.iter().map(|row| of(cell(row, index))).max().unwrap_or_default();
    headings.iter().enumerate().map(|(index, &heading)| of(heading).max(column(index))).collect()
}

/// Is it a date and a time, as [`moment`](super::moment) writes them?
fn is_moment(cell: &str) -> bool {
    let bytes = cell.as_bytes();
    bytes.len() == 19 && bytes[4] == b'-' && bytes[10] == b' ' && bytes[13] == b':'
}

fn cell(row: &[String], column: usize) -> &str {
    row.get(column).map_or("", String::as_str)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
