//! A file with a white- and a blacklist, as people export and edit it: CSV with semicolons, commas or tabs, with or
//! without headings, in UTF-8 or Windows-1252. Pure; [`crate::commands`] stores what it says.
//!
//! A row has a list, a mail address and a reason. Headings may stand in any order and in Danish; without them the
//! columns are list, address, reason, or address, reason where the list is given for the whole file.
//!
//! Failure: rows that cannot be used are told with their line, all of them; the others are kept apart from them. Rows,
//! columns and the file have limits.

use std::fmt;

use calendar::MailAddress;
use calendar::address::MailAddressError;

use crate::texts::{Language, refusals as t};

/// The largest file, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The most rows.
const ROWS_MAX: usize = 100_000;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum ListName {
    /// Only these mailboxes are used.
    Whitelist,
    /// These mailboxes are not used.
    Blacklist,
}

impl ListName {
    fn of(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "whitelist" | "white" | "plannerresourcewhitelist" | "hvidliste" | "hvid" | "allow" => {
                Some(Self::Whitelist)
            }
            "blacklist" | "black" | "plannerresourceblacklist" | "sortliste" | "sort" | "block" => {
                Some(Self::Blacklist)
            }
            _ => None,
        }
    }
}

/// How to read a file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading<'a> {
    /// The list that all rows without one belong to.
    pub(crate) list: Option<ListName>,
    /// The reason of all rows without one.
    pub(crate) reason: Option<&'a str>,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct InvalidRow {
    /// Its line in the file, from 1.
    pub(crate) line: u64,
    /// What is wrong, and what to write; for programs in English.
    pub(crate) reason: RowFault,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowFault {
    /// It names no list, and none is given for all.
    NoList,
    /// It names something that is no list.
    OtherList(String),
    /// It has no address.
    NoAddress,
    /// Its address cannot be used.
    BadAddress(String, MailAddressError),
    /// This one is to be blocked, and nobody says why.
    NoReason(MailAddress),
}

impl RowFault {
    /// In words.
    pub(crate) fn text(&self, language: Language) -> String {
        match self {
            Self::NoList => t::ROW_NO_LIST.say(language).to_owned(),
            Self::OtherList(text) => t::ROW_OTHER_LIST.fill(language, &[("text", &format!("{text:?}"))]),
            Self::NoAddress => t::ROW_NO_ADDRESS.say(language).to_owned(),
            Self::BadAddress(text, error) => {
                let why = match language {
                    Language::En => error.to_string(),
                    Language::Da => t::BAD_ADDRESS.say(language).to_owned(),
                };
                t::ROW_BAD_ADDRESS.fill(language, &[("text", &format!("{text:?}")), ("why", &why)])
            }
            Self::NoReason(mail) => t::ROW_NO_REASON.fill(language, &[("mail", mail)]),
        }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::En))
    }
}

impl serde::Serialize for RowFault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    /// Addresses for the whitelist, each once.
    pub(crate) whitelist: Vec<(MailAddress, Option<String>)>,
    /// Addresses to be blocked, each once.
    pub(crate) blacklist: Vec<(MailAddress, String)>,
    /// Rows that say again what a row before them said.
    pub(crate) repeated: u64,
    /// Rows that cannot be used.
    pub(crate) invalid: Vec<InvalidRow>,
}

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListsFileError {
    /// It is no text.
    NotText,
    /// Nothing stands in it.
    Empty,
    /// Its headings name no address.
    NoAddress,
    /// It is too long.
    TooManyRows,
}

impl ListsFileError {
    /// In words.
    pub(crate) fn text(&self, language: Language) -> String {
        match self {
            Self::NotText => t::FILE_NOT_TEXT.say(language).to_owned(),
            Self::Empty => t::FILE_EMPTY.say(language).to_owned(),
            Self::NoAddress => t::FILE_NO_ADDRESS.say(language).to_owned(),
            Self::TooManyRows => t::FILE_TOO_MANY_ROWS.fill(language, &[("n", &ROWS_MAX)]),
        }
    }
}

/// Where each part stands in a row.
#[derive(Debug, Clone, Copy)]
struct Columns {
    list: Option<usize>,
    mail: usize,
    reason: Option<usize>,
}

/// Reads a file.
///
/// # Errors
/// It cannot be read as rows at all.
pub(crate) fn read(bytes: &[u8], reading: Reading<'_>) -> Result<Lists, ListsFileError> {
    let text = decoded(bytes).ok_or(ListsFileError::NotText)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter(&text))
        .from_reader(text.as_bytes());
    let (mut lists, mut columns, mut rows) = (Lists::default(), None, 0_usize);
    let mut seen = std::collections::BTreeSet::new();
    for record in reader.records() {
        // text in memory: no row can fail but by its form, and a flexible reader takes every form
        let Ok(record) = record else { continue };
        if record.iter().all(str::is_empty) {
            continue;
        }
        rows += 1;
        if rows > ROWS_MAX {
            return Err(ListsFileError::TooManyRows);
        }
        let line = record.position().map_or(0, |position| line_of(&text, position));
        let of = match columns {
            Some(columns) => columns,
            None => {
                let (found, is_heading) = columns_of(&record, reading.list)?;
                columns = Some(found);
                if is_heading {
                    continue;
                }
                found
            }
        };
        match row(&record, of, reading) {
            Ok((list, mail, reason)) => {
                if !seen.insert((list, mail.clone())) {
                    lists.repeated += 1;
                    continue;
                }
                match (list, reason) {
                    (ListName::Whitelist, reason) => lists.whitelist.push((mail, reason)),
                    (ListName::Blacklist, reason) => lists.blacklist.push((mail, reason.unwrap_or_default())),
                }
            }
            Err(reason) => lists.invalid.push(InvalidRow { line, reason }),
        }
    }
    if rows == 0 { Err(ListsFileError::Empty) } else { Ok(lists) }
}

/// The line of a record. What the reader calls its position stands before the blank lines above it.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let rest = usize::try_from(position.byte()).ok().and_then(|at| text.get(at..)).unwrap_or_default();
    let blank = rest.bytes().take_while(|byte| b"\r\n".contains(byte)).filter(|byte| *byte == b'\n');
    position.line() + blank.count() as u64
}

/// The text: by its byte order mark, else as UTF-8, else as what spreadsheets on Windows write.
fn decoded(bytes: &[u8]) -> Option<String> {
    let text = if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..])?.into_owned()
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        text.to_owned()
    } else {
        let windows = encoding_rs::WINDOWS_1252;
        windows.decode_without_bom_handling_and_without_replacement(bytes)?.into_owned()
    };
    (!text.contains('\0')).then_some(text)
}

/// What parts the columns of the first line that has any; a spreadsheet may say it in a line of its own.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |one: char| first.matches(one).count();
    [(';', count(';')), ('\t', count('\t')), (',', count(','))]
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .filter(|(_, count)| *count > 0)
        .map_or(b';', |(one, _)| one as u8)
}

/// The columns by the first row, and whether that is a heading: it is when no address stands in it.
fn columns_of(record: &csv::StringRecord, list: Option<ListName>) -> Result<(Columns, bool), ListsFileError> {
    if record.iter().any(|cell| cell.contains('@')) {
        let shift = usize::from(list.is_none() || ListName::of(record.get(0).unwrap_or_default()).is_some());
        let columns = Columns { list: (shift == 1).then_some(0), mail: shift, reason: Some(shift + 1) };
        return Ok((columns, false));
    }
    let place =
        |names: &[&str]| record.iter().position(|cell| names.contains(&cell.trim().to_lowercase().as_str()));
    let mail = place(&[
        "mail",
        "email",
        "e-mail",
        "mailbox",
        "address",
        "mailaddress",
        "mailadresse",
        "adresse",
        "postkasse",
        "mail address",
        "emailaddress",
    ]);
    let columns = Columns {
        list: place(&["list", "liste", "table", "tabel"]),
        mail: mail.ok_or(ListsFileError::NoAddress)?,
        reason: place(&["reason", "årsag", "begrundelse", "grund", "deletedreason", "comment", "bemærkning"]),
    };
    Ok((columns, true))
}

fn row(
    record: &csv::StringRecord,
    columns: Columns,
    reading: Reading<'_>,
) -> Result<(ListName, MailAddress, Option<String>), RowFault> {
    let cell = |place: Option<usize>| {
        place.and_then(|place| record.get(place)).map(str::trim).filter(|cell| !cell.is_empty())
    };
    let list = match cell(columns.list) {
        Some(text) => {
            let short: String = text.chars().take(40).collect();
            ListName::of(text).ok_or(RowFault::OtherList(short))?
        }
        None => reading.list.ok_or(RowFault::NoList)?,
    };
    let mail = cell(Some(columns.mail)).ok_or(RowFault::NoAddress)?;
    let mail = MailAddress::parse(mail).map_err(|error| {
        let short: String = mail.chars().take(80).collect();
        RowFault::BadAddress(short, error)
    })?;
    let reason = cell(columns.reason).or(reading.reason).map(ToOwned::to_owned);
    if list == ListName::Blacklist && reason.is_none() {
        return Err(RowFault::NoReason(mail));
    }
    Ok((list, mail, reason))
}

#[cfg(test)]
mod tests;
