//! Which properties a request asks for, and properties outside the schema.

use crate::{BaseShape, BodyType};

/// `ItemShape`. The parts that only concern bodies' HTML are read over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemShape {
    /// The named set.
    pub base: BaseShape,
    /// Ask for the MIME content too.
    pub include_mime_content: Option<bool>,
    /// The form of a body.
    pub body_type: Option<BodyType>,
    /// Further properties, in the request's order.
    pub additional: Vec<PropertyPath>,
}

impl ItemShape {
    /// Identifiers only.
    pub const fn id_only() -> Self {
        Self { base: BaseShape::IdOnly, include_mime_content: None, body_type: None, additional: Vec::new() }
    }

    /// Identifiers and these properties (constants in [`field`](crate::field)).
    pub fn with_fields<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        let additional = fields.into_iter().map(PropertyPath::field).collect();
        Self { additional, ..Self::id_only() }
    }
}

/// `FolderShape`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderShape {
    /// The named set.
    pub base: BaseShape,
    /// Further properties, in the request's order.
    pub additional: Vec<PropertyPath>,
}

impl FolderShape {
    /// Identifiers only.
    pub const fn id_only() -> Self {
        Self { base: BaseShape::IdOnly, additional: Vec::new() }
    }

    /// Identifiers and these properties.
    pub fn with_fields<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        Self { base: BaseShape::IdOnly, additional: fields.into_iter().map(PropertyPath::field).collect() }
    }
}

/// One property by its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PropertyPath {
    /// `FieldURI`.
    Field(String),
    /// `ExtendedFieldURI`.
    Extended(ExtendedFieldUri),
    /// `IndexedFieldURI`.
    Indexed {
        /// The dictionary, `item:InternetMessageHeader` …
        uri: String,
        /// The entry in it.
        index: String,
    },
}

impl PropertyPath {
    /// A property of the schema.
    pub fn field(uri: &str) -> Self {
        Self::Field(uri.to_owned())
    }
}

/// `ExtendedFieldURI`: a MAPI property, by tag or by property set and name or number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ExtendedFieldUri {
    /// Well-known property set.
    pub distinguished_property_set_id: Option<String>,
    /// Property set by GUID.
    pub property_set_id: Option<String>,
    /// Tag as it was written, `0x670a`.
    pub property_tag: Option<String>,
    /// Name in the set.
    pub property_name: Option<String>,
    /// Number in the set.
    pub property_id: Option<i32>,
    /// MAPI type: `SystemTime`, `Integer`, `StringArray` …
    pub property_type: String,
}

impl ExtendedFieldUri {
    /// A property by its tag.
    pub fn tag(tag: &str, property_type: &str) -> Self {
        Self {
            property_tag: Some(tag.to_owned()),
            property_type: property_type.to_owned(),
            ..Self::default()
        }
    }
}

/// `ExtendedProperty`: a MAPI property with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedProperty {
    /// Which one.
    pub uri: ExtendedFieldUri,
    /// Its value in text form.
    pub value: ExtendedValue,
}

/// The value of an extended property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtendedValue {
    /// `Value`.
    Single(String),
    /// `Values`.
    Multiple(Vec<String>),
}

mod codec;
