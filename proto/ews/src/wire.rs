//! Helpers that every encoder and decoder here uses. Writers take element names with their prefix: `m:` and
//! `t:` are declared on the operation's element or above.

use jiff::Timestamp;
use jiff::civil::Date;
use proto_soap::{Element, Reader, Writer};

use crate::time::{format_date, format_timestamp, parse_date, parse_timestamp};
use crate::{Error, TYPES_NS};

/// A time.
pub(crate) fn read_time(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Timestamp, Error> {
    let text = reader.content(element)?;
    Ok(parse_timestamp(&text).ok_or_else(|| element.value_error())?)
}

/// A date.
pub(crate) fn read_date(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Date, Error> {
    let text = reader.text(element)?;
    Ok(parse_date(&text).ok_or_else(|| element.value_error())?)
}

/// An attribute that is an XML boolean.
pub(crate) fn boolean_attribute(element: &Element<'_>, name: &str) -> Result<Option<bool>, Error> {
    match element.attribute(name).map(str::trim) {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(element.value_error().into()),
    }
}

/// The texts of the children `local` (in the types namespace), as lists of strings are written.
pub(crate) fn read_strings(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    local: &str,
) -> Result<Vec<String>, Error> {
    let mut strings = Vec::new();
    reader.children(element, |reader, child| {
        if child.is(TYPES_NS, local) {
            strings.push(reader.text(child)?);
        }
        Ok::<_, Error>(())
    })?;
    Ok(strings)
}

/// The things that `read` makes of the child elements, which it may pass over.
pub(crate) fn read_all<T>(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    mut read: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<Option<T>, Error>,
) -> Result<Vec<T>, Error> {
    let mut things = Vec::new();
    reader.children(element, |reader, child| {
        things.extend(read(reader, child)?);
        Ok::<_, Error>(())
    })?;
    Ok(things)
}

/// A time, if there is one.
pub(crate) fn write_time(writer: &mut Writer, name: &str, time: Option<Timestamp>) {
    if let Some(time) = time {
        writer.leaf(name, &format_timestamp(time));
    }
}

/// A date.
pub(crate) fn write_date(writer: &mut Writer, name: &str, date: Date) {
    writer.leaf(name, &format_date(date));
}

/// A boolean or number, if there is one.
pub(crate) fn write_value(writer: &mut Writer, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        writer.value(name, value);
    }
}

/// An attribute, if there is a value.
pub(crate) fn write_attribute(writer: &mut Writer, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        writer.attribute(name, &value.to_string());
    }
}
