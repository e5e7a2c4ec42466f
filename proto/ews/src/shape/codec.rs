//! Shapes, paths and extended properties on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{ExtendedFieldUri, ExtendedProperty, ExtendedValue, FolderShape, ItemShape, PropertyPath};
use crate::wire::{read_all, read_strings, write_attribute, write_value};
use crate::{BodyType, Error, TYPES_NS};

impl ItemShape {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut base, mut include_mime_content, mut body_type) = (None, None, None);
        let mut additional = Vec::new();
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "BaseShape") => base = Some(reader.parse(child)?),
                (TYPES_NS, "IncludeMimeContent") => include_mime_content = Some(reader.boolean(child)?),
                (TYPES_NS, "BodyType") => body_type = Some(reader.parse(child)?),
                (TYPES_NS, "AdditionalProperties") => {
                    additional = read_all(reader, child, |_, path| PropertyPath::read(path))?;
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let base = base.ok_or(Error::missing("BaseShape"))?;
        Ok(Self { base, include_mime_content, body_type, additional })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            w.leaf("t:BaseShape", self.base.as_str());
            write_value(w, "t:IncludeMimeContent", self.include_mime_content);
            write_value(w, "t:BodyType", self.body_type.filter(|b: &BodyType| b.is_known()));
            write_paths(w, &self.additional);
        });
    }
}

impl FolderShape {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let ItemShape { base, additional, .. } = ItemShape::read(reader, element)?;
        Ok(Self { base, additional })
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            w.leaf("t:BaseShape", self.base.as_str());
            write_paths(w, &self.additional);
        });
    }
}

/// The schema wants one path at least.
fn write_paths(writer: &mut Writer, paths: &[PropertyPath]) {
    if !paths.is_empty() {
        writer.element("t:AdditionalProperties", |w| paths.iter().for_each(|path| path.write(w)));
    }
}

impl PropertyPath {
    /// Reads one; `None` when the element is none.
    pub(crate) fn read(element: &Element<'_>) -> Result<Option<Self>, Error> {
        Ok(match element.name() {
            (TYPES_NS, "FieldURI") => Some(Self::Field(element.require("FieldURI")?.to_owned())),
            (TYPES_NS, "ExtendedFieldURI") => Some(Self::Extended(ExtendedFieldUri::read(element)?)),
            (TYPES_NS, "IndexedFieldURI") => Some(Self::Indexed {
                uri: element.require("FieldURI")?.to_owned(),
                index: element.require("FieldIndex")?.to_owned(),
            }),
            _ => None,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Field(uri) => writer.element("t:FieldURI", |w| w.attribute("FieldURI", uri)),
            Self::Extended(uri) => uri.write(writer),
            Self::Indexed { uri, index } => writer.element("t:IndexedFieldURI", |w| {
                w.attribute("FieldURI", uri);
                w.attribute("FieldIndex", index);
            }),
        }
    }
}

impl ExtendedFieldUri {
    fn read(element: &Element<'_>) -> Result<Self, Error> {
        let text = |name: &str| element.attribute(name).map(str::to_owned);
        Ok(Self {
            distinguished_property_set_id: text("DistinguishedPropertySetId"),
            property_set_id: text("PropertySetId"),
            property_tag: text("PropertyTag"),
            property_name: text("PropertyName"),
            property_id: element.parse_attribute("PropertyId")?,
            property_type: element.require("PropertyType")?.to_owned(),
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("t:ExtendedFieldURI", |w| {
            let set = self.distinguished_property_set_id.as_ref();
            write_attribute(w, "DistinguishedPropertySetId", set);
            write_attribute(w, "PropertySetId", self.property_set_id.as_ref());
            write_attribute(w, "PropertyTag", self.property_tag.as_ref());
            write_attribute(w, "PropertyName", self.property_name.as_ref());
            write_attribute(w, "PropertyId", self.property_id);
            w.attribute("PropertyType", &self.property_type);
        });
    }
}

impl ExtendedProperty {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut uri, mut value) = (None, None);
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "ExtendedFieldURI") => uri = Some(ExtendedFieldUri::read(child)?),
                (TYPES_NS, "Value") => value = Some(ExtendedValue::Single(reader.text(child)?)),
                (TYPES_NS, "Values") => {
                    value = Some(ExtendedValue::Multiple(read_strings(reader, child, "Value")?));
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            uri: uri.ok_or(Error::missing("ExtendedFieldURI"))?,
            value: value.ok_or(Error::missing("Value"))?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element("t:ExtendedProperty", |w| {
            self.uri.write(w);
            match &self.value {
                ExtendedValue::Single(value) => w.leaf("t:Value", value),
                ExtendedValue::Multiple(values) => {
                    w.element("t:Values", |w| values.iter().for_each(|value| w.leaf("t:Value", value)));
                }
            }
        });
    }
}
