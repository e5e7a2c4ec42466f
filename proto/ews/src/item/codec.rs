//! Items on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{Item, OtherItem};
use crate::wire::read_all;
use crate::{CalendarItem, Error, ItemId, ItemKind, TYPES_NS};

/// Is only one value wrong, with the XML around it in order? Then the reader can go on.
const fn is_of_value(error: &proto_soap::Error) -> bool {
    matches!(error, proto_soap::Error::Value { .. } | proto_soap::Error::Missing { .. })
}

impl Item {
    /// Reads one of an answer, by its element's name and nothing else (field notes 32, 39). A wrong value
    /// makes it unreadable, not the answer.
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        match element.name() {
            (TYPES_NS, "CalendarItem") => {
                // made where it stays: it is large
                let mut item = Box::<CalendarItem>::default();
                match item.read_into(reader, element) {
                    Ok(()) => Ok(Some(Self::Calendar(item))),
                    Err(Error::Soap(error)) if is_of_value(&error) => {
                        reader.skip(element)?;
                        Ok(Some(Self::Unreadable { item_id: item.item_id, error }))
                    }
                    Err(error) => Err(error),
                }
            }
            (TYPES_NS, local) => {
                let kind = local.parse().unwrap_or(ItemKind::Item);
                let mut item_id = None;
                reader.children(element, |_, child| {
                    if child.is(TYPES_NS, "ItemId") {
                        item_id = Some(ItemId::read(child)?);
                    }
                    Ok::<_, Error>(())
                })?;
                Ok(Some(Self::Other(OtherItem { kind, item_id })))
            }
            _ => Ok(None),
        }
    }

    /// Reads the items in `element`.
    pub(crate) fn read_list(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<Self>, Error> {
        read_all(reader, element, Self::read)
    }

    /// Reads the items in `element` of a request, where a wrong value is the sender's error.
    pub(crate) fn read_list_strictly(
        reader: &mut Reader<'_>,
        element: &Element<'_>,
    ) -> Result<Vec<Self>, Error> {
        let items = Self::read_list(reader, element)?;
        let wrong = items.iter().find_map(|item| match item {
            Self::Unreadable { error, .. } => Some(error.clone()),
            Self::Calendar(_) | Self::Other(_) => None,
        });
        wrong.map_or(Ok(items), |error| Err(error.into()))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let (kind, item_id) = match self {
            Self::Calendar(item) => return item.write(writer),
            Self::Other(OtherItem { kind, item_id }) => (*kind, item_id),
            Self::Unreadable { item_id, .. } => (ItemKind::Item, item_id),
        };
        writer.element(&format!("t:{kind}"), |w| {
            if let Some(id) = item_id {
                id.write(w, "t:ItemId");
            }
        });
    }

    /// The list `name`.
    pub(crate) fn write_list(writer: &mut Writer, name: &str, items: &[Self]) {
        writer.element(name, |w| items.iter().for_each(|item| item.write(w)));
    }
}
