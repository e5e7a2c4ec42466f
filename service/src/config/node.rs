//! The configuration between text and types: values from the file, which have a type, and values from
//! the environment, which are text and take the type of what they are read into.

use std::collections::BTreeMap;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::Error;

/// A value or a table of values.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A list of which something was taken out, each with its number in the whole.
    Rest(Vec<(usize, toml::Value)>),
    /// A section.
    Table(BTreeMap<String, Node>),
    /// A value of the file.
    Value(toml::Value),
    /// A value of the environment.
    Text(String),
}

impl From<toml::Value> for Node {
    fn from(value: toml::Value) -> Self {
        match value {
            toml::Value::Table(table) => {
                Self::Table(table.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
            value => Self::Value(value),
        }
    }
}

impl Node {
    /// Takes the item with this place in what is left of a list out of it; answers its number in the whole.
    pub(super) fn take_item(&mut self, place: Option<usize>) -> Option<usize> {
        let items = match self {
            Self::Rest(items) => items,
            Self::Value(toml::Value::Array(list)) => {
                *self = Self::Rest(std::mem::take(list).into_iter().enumerate().collect());
                let Self::Rest(items) = self else { return None };
                items
            }
            Self::Text(text) if !text.trim_start().starts_with('[') => {
                *self = Self::Rest(items_of(text).map(toml::Value::from).enumerate().collect());
                let Self::Rest(items) = self else { return None };
                items
            }
            _ => return None,
        };
        place.filter(|place| *place < items.len()).map(|place| items.remove(place).0)
    }
}

/// The items of a list in the environment.
fn items_of(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';']).map(str::trim).filter(|item| !item.is_empty())
}

impl IntoDeserializer<'_, Error> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads the text as a number or another simple type.
macro_rules! parsed {
    ($($method:ident => $visit:ident: $type:ty, $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Self::Text(text) => match text.trim().parse::<$type>() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(Error::custom(concat!("must be ", $what))),
                },
                other => other.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Table(table) => visitor.visit_map(MapDeserializer::new(table.into_iter())),
            Self::Value(value) => value.deserialize_any(visitor),
            Self::Text(text) => visitor.visit_string(text),
            Self::Rest(items) => {
                let values = items.into_iter().map(|(_, value)| Self::Value(value));
                visitor.visit_seq(SeqDeserializer::new(values))
            }
        }
    }

    parsed! {
        deserialize_bool => visit_bool: bool, "true or false";
        deserialize_i8 => visit_i64: i64, "a whole number";
        deserialize_i16 => visit_i64: i64, "a whole number";
        deserialize_i32 => visit_i64: i64, "a whole number";
        deserialize_i64 => visit_i64: i64, "a whole number";
        deserialize_u8 => visit_i64: i64, "a whole number";
        deserialize_u16 => visit_i64: i64, "a whole number";
        deserialize_u32 => visit_i64: i64, "a whole number";
        deserialize_u64 => visit_i64: i64, "a whole number";
        deserialize_f32 => visit_f64: f64, "a number";
        deserialize_f64 => visit_f64: f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) => visitor.visit_enum(text.trim().into_deserializer()),
            Self::Value(value) => value.deserialize_enum(name, variants, visitor),
            Self::Table(_) | Self::Rest(_) => {
                Err(Error::custom(format!("must be one of {}", variants.join(", "))))
            }
        }
    }

    /// A list in the environment: `01:00,13:00` (or with semicolons), or as in the file,
    /// `["01:00", "13:00"]`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self::Text(text) = self else { return self.deserialize_any(visitor) };
        if text.trim_start().starts_with('[') {
            let mut table: toml::Table = format!("list = {text}")
                .parse()
                .map_err(|_error| Error::custom("is no list; write a,b or [\"a\", \"b\"]"))?;
            let list = table.remove("list").unwrap_or_else(|| toml::Value::Array(Vec::new()));
            return list.deserialize_any(visitor);
        }
        let items: Vec<Self> = items_of(&text).map(|item| Self::Text(item.to_owned())).collect();
        visitor.visit_seq(SeqDeserializer::new(items.into_iter()))
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// The keys that a section knows.
pub(super) fn keys<T: serde::de::DeserializeOwned>() -> &'static [&'static str] {
    struct Keys<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Keys<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(Error::custom("a section is a struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("the keys are all that was asked for"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut found: &'static [&'static str] = &[];
    // Always an error: the keys come by the side.
    let _keys_only = T::deserialize(Keys(&mut found));
    found
}
