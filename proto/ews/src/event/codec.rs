//! Streaming messages on the wire.
//!
//! Real servers put `Notification` and the ids of errors into the messages namespace where the schema says
//! types, grommunio puts the latter into none: all three are read, the messages namespace is written.

use proto_soap::{Element, Reader, Writer};

use super::{ChangeEvent, Event, Notification, StreamMessage, Target};
use crate::message::codec::Head;
use crate::wire::{read_all, read_time, write_time, write_value};
use crate::{ConnectionStatus, Error, EventKind, FolderId, ItemId, MESSAGES_NS, SubscriptionId, TYPES_NS};

/// Is it an element of EWS, in whatever namespace servers put it?
fn is_loosely(element: &Element<'_>, local: &str) -> bool {
    matches!(element.namespace(), MESSAGES_NS | TYPES_NS | "") && element.local() == local
}

impl StreamMessage {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let mut message = Self::default();
        let mut head = Head::new(element);
        reader.children(element, |reader, child| {
            if head.read(reader, child)? {
                return Ok(());
            }
            match child.name() {
                (MESSAGES_NS, "Notifications") => {
                    message.notifications = read_all(reader, child, |reader, child| {
                        let is_one = is_loosely(child, "Notification");
                        is_one.then(|| Notification::read(reader, child)).transpose()
                    })?;
                }
                (MESSAGES_NS, "ErrorSubscriptionIds") => {
                    message.error_subscription_ids = read_all(reader, child, |reader, child| {
                        let is_one = is_loosely(child, "SubscriptionId");
                        is_one.then(|| SubscriptionId::read(reader, child)).transpose()
                    })?;
                }
                (MESSAGES_NS, "ConnectionStatus") => {
                    message.connection_status = Some(reader.parse(child)?);
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        message.problem = head.finish().1;
        Ok(message)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.element("m:GetStreamingEventsResponseMessage", |w| {
            match &self.problem {
                Some(problem) => Head::write_error(w, problem),
                None => Head::write_success(w),
            }
            if !self.notifications.is_empty() {
                w.element("m:Notifications", |w| self.notifications.iter().for_each(|n| n.write(w)));
            }
            if !self.error_subscription_ids.is_empty() {
                w.element("m:ErrorSubscriptionIds", |w| {
                    self.error_subscription_ids.iter().for_each(|id| w.leaf("m:SubscriptionId", id.as_str()));
                });
            }
            let status = self.connection_status.filter(|status| status.is_known());
            w.optional("m:ConnectionStatus", status.map(ConnectionStatus::as_str));
        });
    }
}

impl SubscriptionId {
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        Ok(Self::new(reader.text(element)?.trim()))
    }
}

impl Notification {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Error> {
        let (mut subscription_id, mut more_events, mut events) = (None, None, Vec::new());
        reader.children(element, |reader, child| {
            if is_loosely(child, "SubscriptionId") {
                subscription_id = Some(SubscriptionId::read(reader, child)?);
                return Ok(());
            }
            match child.name() {
                (TYPES_NS, "MoreEvents") => more_events = Some(reader.boolean(child)?),
                (TYPES_NS, "StatusEvent") => events.push(Event::Status),
                (TYPES_NS, local) => {
                    if let Ok(kind) = local.parse() {
                        events.push(Event::Change(ChangeEvent::read(reader, child, kind)?));
                    }
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        let subscription_id = subscription_id.ok_or(Error::missing("SubscriptionId"))?;
        Ok(Self { subscription_id, more_events, events })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element("m:Notification", |w| {
            w.leaf("t:SubscriptionId", self.subscription_id.as_str());
            write_value(w, "t:MoreEvents", self.more_events);
            for event in &self.events {
                match event {
                    Event::Status => w.empty("t:StatusEvent"),
                    Event::Change(change) => change.write(w),
                }
            }
        });
    }
}

impl ChangeEvent {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>, kind: EventKind) -> Result<Self, Error> {
        let (mut time_stamp, mut target, mut parent, mut unread_count) = (None, None, None, None);
        let (mut old, mut old_parent_folder_id) = (None, None);
        reader.children(element, |reader, child| {
            match child.name() {
                (TYPES_NS, "TimeStamp") => time_stamp = Some(read_time(reader, child)?),
                (TYPES_NS, "ItemId") => target = Some(Target::Item(ItemId::read(child)?)),
                (TYPES_NS, "FolderId") => target = Some(Target::Folder(FolderId::read(child)?)),
                (TYPES_NS, "ParentFolderId") => parent = Some(FolderId::read(child)?),
                (TYPES_NS, "OldItemId") => old = Some(Target::Item(ItemId::read(child)?)),
                (TYPES_NS, "OldFolderId") => old = Some(Target::Folder(FolderId::read(child)?)),
                (TYPES_NS, "OldParentFolderId") => old_parent_folder_id = Some(FolderId::read(child)?),
                (TYPES_NS, "UnreadCount") => unread_count = Some(reader.parse(child)?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self {
            kind,
            time_stamp: time_stamp.ok_or(Error::missing("TimeStamp"))?,
            target: target.ok_or(Error::missing("ItemId"))?,
            parent_folder_id: parent.ok_or(Error::missing("ParentFolderId"))?,
            old,
            old_parent_folder_id,
            unread_count,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.element(&format!("t:{}", self.kind), |w| {
            write_time(w, "t:TimeStamp", Some(self.time_stamp));
            self.target.write(w, "t:ItemId", "t:FolderId");
            self.parent_folder_id.write(w, "t:ParentFolderId");
            if let Some(old) = &self.old {
                old.write(w, "t:OldItemId", "t:OldFolderId");
            }
            if let Some(id) = &self.old_parent_folder_id {
                id.write(w, "t:OldParentFolderId");
            }
            write_value(w, "t:UnreadCount", self.unread_count);
        });
    }
}

impl Target {
    fn write(&self, writer: &mut Writer, item_name: &str, folder_name: &str) {
        match self {
            Self::Item(id) => id.write(writer, item_name),
            Self::Folder(id) => id.write(writer, folder_name),
        }
    }
}
