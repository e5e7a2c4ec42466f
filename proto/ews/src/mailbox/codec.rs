//! Addresses of people on the wire.

use proto_soap::{Element, Reader, Writer};

use super::{Attendee, EmailAddress};
use crate::wire::{read_all, read_time, write_time};
use crate::{Error, TYPES_NS};

impl EmailAddress {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut address = Self::default();
        reader.children(element, |reader, child| {
            let field = match child.name() {
                (TYPES_NS, "Name") => &mut address.name,
                (TYPES_NS, "EmailAddress") => &mut address.address,
                (TYPES_NS, "RoutingType") => &mut address.routing_type,
                (TYPES_NS, "MailboxType") => &mut address.mailbox_type,
                _ => return Ok::<_, Error>(()),
            };
            *field = Some(reader.text(child)?);
            Ok(())
        })?;
        Ok(address)
    }

    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |w| {
            w.optional("t:Name", self.name.as_deref());
            w.optional("t:EmailAddress", self.address.as_deref());
            w.optional("t:RoutingType", self.routing_type.as_deref());
            w.optional("t:MailboxType", self.mailbox_type.as_deref());
        });
    }

    /// The `t:Mailbox` inside `element`, as organizers are written.
    pub(crate) fn read_inside(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<Self>, Error> {
        let mut mailboxes = read_all(reader, element, |reader, child| match child.name() {
            (TYPES_NS, "Mailbox") => Self::read(reader, child).map(Some),
            _ => Ok(None),
        })?;
        Ok(mailboxes.pop())
    }
}

impl Attendee {
    pub(crate) fn read_list(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<Self>, Error> {
        read_all(reader, element, |reader, child| match child.name() {
            (TYPES_NS, "Attendee") => Self::read(reader, child).map(Some),
            _ => Ok(None),
        })
    }

    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut attendee = Self::default();
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "Mailbox") => attendee.mailbox = EmailAddress::read(reader, child)?,
                (TYPES_NS, "ResponseType") => attendee.response_type = Some(reader.text(child)?),
                (TYPES_NS, "LastResponseTime") => {
                    attendee.last_response_time = Some(read_time(reader, child)?);
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(attendee)
    }

    /// The list `name`; nothing when it is empty, since the schema wants one at least.
    pub(crate) fn write_list(writer: &mut Writer, name: &str, attendees: &[Self]) {
        if attendees.is_empty() {
            return;
        }
        writer.element(name, |w| {
            for attendee in attendees {
                w.element("t:Attendee", |w| {
                    attendee.mailbox.write(w, "t:Mailbox");
                    w.optional("t:ResponseType", attendee.response_type.as_deref());
                    write_time(w, "t:LastResponseTime", attendee.last_response_time);
                });
            }
        });
    }
}
