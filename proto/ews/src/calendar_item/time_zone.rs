//! Zones and occurrences on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{Body, DeletedOccurrence, OccurrenceInfo, TimeZoneDefinition};
use crate::wire::{boolean_attribute, read_all, read_time, write_attribute, write_time};
use crate::{BodyType, Error, ItemId, TYPES_NS};

impl TimeZoneDefinition {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let text = |name: &str| element.attribute(name).map(str::to_owned);
        let (id, name) = (text("Id"), text("Name"));
        let definition = read_all(reader, element, |reader, child| Ok(Some(reader.node(child)?)))?;
        Ok(Self { id, name, definition })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            write_attribute(w, "Name", self.name.as_ref());
            write_attribute(w, "Id", self.id.as_ref());
            self.definition.iter().for_each(|node| node.write(w, ""));
        });
    }
}

impl OccurrenceInfo {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut item_id, mut start, mut end, mut original_start) = (None, None, None, None);
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "ItemId") => item_id = Some(ItemId::read(child)?),
                (TYPES_NS, "Start") => start = Some(read_time(reader, child)?),
                (TYPES_NS, "End") => end = Some(read_time(reader, child)?),
                (TYPES_NS, "OriginalStart") => original_start = Some(read_time(reader, child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            item_id: item_id.ok_or(Error::missing("ItemId"))?,
            start: start.ok_or(Error::missing("Start"))?,
            end: end.ok_or(Error::missing("End"))?,
            original_start: original_start.ok_or(Error::missing("OriginalStart"))?,
        })
    }

    pub(crate) fn read_list(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<Self>, Error> {
        read_all(reader, element, |reader, child| match child.name() {
            (TYPES_NS, "Occurrence") => Self::read(reader, child).map(Some),
            _ => Ok(None),
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            self.item_id.write(w, "t:ItemId");
            write_time(w, "t:Start", Some(self.start));
            write_time(w, "t:End", Some(self.end));
            write_time(w, "t:OriginalStart", Some(self.original_start));
        });
    }
}

impl DeletedOccurrence {
    pub(crate) fn read_list(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<Self>, Error> {
        read_all(reader, element, |reader, child| match child.name() {
            (TYPES_NS, "DeletedOccurrence") => Self::read(reader, child).map(Some),
            _ => Ok(None),
        })
    }

    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut start = None;
        reader.children(element, |reader, child| {
            if child.is(TYPES_NS, "Start") {
                start = Some(read_time(reader, child)?);
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { start: start.ok_or(Error::missing("Start"))? })
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.element("t:DeletedOccurrence", |w| write_time(w, "t:Start", Some(self.start)));
    }
}

impl Body {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        Ok(Self {
            body_type: element.parse_attribute("BodyType")?.unwrap_or(BodyType::Unknown),
            is_truncated: boolean_attribute(element, "IsTruncated")?,
            text: reader.text(element)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            // The schema wants a type; text is the form that needs no interpretation.
            let body_type = if self.body_type.is_known() { self.body_type } else { BodyType::Text };
            w.attribute("BodyType", body_type.as_str());
            write_attribute(w, "IsTruncated", self.is_truncated);
            w.text(&self.text);
        });
    }
}
