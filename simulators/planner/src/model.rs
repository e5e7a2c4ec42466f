//! What Planner holds and how a change is taken; pure, without clock and I/O.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use proto_planner::{CalendarEvent, CalendarResource, EventsQuery, Operation};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// Receipt codes that the simulator gives by itself.
pub(crate) mod code {
    /// Accepted.
    pub(crate) const ACCEPTED: i32 = 0;
    /// Ours: the address is no resource of the job centre.
    pub(crate) const UNKNOWN_MAILBOX: i32 = 3;
    /// Ours: the appointment ends before it begins.
    pub(crate) const ENDS_BEFORE_START: i32 = 4;
    /// Create of something that is there.
    pub(crate) const EXISTS: i32 = 8;
    /// Update or delete of something that is not there.
    pub(crate) const MISSING: i32 = 10;
    /// The appointment is Planner's own.
    pub(crate) const OWN: i32 = 13;
}

/// All that the simulated Planner knows.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    /// The resource list in its order; an address may occur twice.
    resources: Vec<CalendarResource>,
    /// Planner's identifier of each address in the list, by lower-cased address.
    known: BTreeMap<Arc<str>, Option<Uuid>>,
    /// Appointments by lower-cased address; those of an address that left the list stay.
    mailboxes: BTreeMap<Arc<str>, Mailbox>,
}

/// The appointments of one address.
#[derive(Debug, Default)]
struct Mailbox {
    /// By origin id.
    events: BTreeMap<Arc<str>, Held>,
    /// Those without origin id: made in Planner, unknown outside.
    native: Vec<Held>,
}

/// One appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: Uuid,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) planner_own: bool,
}

/// One appointment with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) mail: Arc<str>,
    /// Empty for one without origin id.
    pub(crate) origin_id: Arc<str>,
    pub(crate) held: Held,
}

/// How one appointment of a change was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) code: i32,
    /// The key as the model keeps it, so that a log shares its text.
    pub(crate) mail: Arc<str>,
    pub(crate) origin_id: Arc<str>,
    /// Planner's identifier of the appointment, where it has one.
    pub(crate) event_id: Option<Uuid>,
    /// Planner's identifier of the resource, where the address is one.
    pub(crate) resource_id: Option<Uuid>,
}

/// An address as it is compared.
pub(crate) fn folded(mail: &str) -> String {
    mail.trim().to_lowercase()
}

/// The addresses that a query asks for.
fn asked(query: &EventsQuery) -> Vec<String> {
    query.resources.iter().map(|resource| folded(&resource.email_address)).collect()
}

impl Planner {
    // === resources ===

    /// Replaces the resource list.
    pub(crate) fn set_resources(&mut self, resources: Vec<CalendarResource>) {
        self.known = resources
            .iter()
            .map(|resource| (folded(&resource.email_address).into(), resource.planner_resource_identifier))
            .collect();
        self.resources = resources;
    }

    /// The resources of these addresses in the order of the list; all where no address is given.
    pub(crate) fn resources(&self, addresses: &[String]) -> Vec<CalendarResource> {
        let wanted: std::collections::BTreeSet<String> = addresses.iter().map(|mail| folded(mail)).collect();
        let chosen = |resource: &&CalendarResource| {
            wanted.is_empty() || wanted.contains(&folded(&resource.email_address))
        };
        self.resources.iter().filter(chosen).cloned().collect()
    }

    // === appointments ===

    /// Takes one appointment of a change. `new_id` becomes the identifier of one that is created.
    pub(crate) fn take(&mut self, operation: Operation, event: &CalendarEvent, new_id: Uuid) -> Taken {
        let address = folded(&event.origin_email_address);
        let origin = event.origin_system_identifier.as_str();
        let Some((mail, resource_id)) = self.known.get_key_value(address.as_str()) else {
            return Taken {
                code: code::UNKNOWN_MAILBOX,
                mail: address.into(),
                origin_id: origin.into(),
                event_id: None,
                resource_id: None,
            };
        };
        let (mail, resource_id) = (Arc::clone(mail), *resource_id);
        let events = &mut self.mailboxes.entry(Arc::clone(&mail)).or_default().events;
        let known = events.get_key_value(origin).map(|(key, held)| (Arc::clone(key), *held));
        let origin_id = known.as_ref().map_or_else(|| Arc::from(origin), |(key, _)| Arc::clone(key));
        let held = known.map(|(_, held)| held);
        let code = verdict(operation, event, held);
        let mut event_id = held.map(|held| held.id);
        if code == code::ACCEPTED {
            if operation == Operation::DeleteEvents {
                events.remove(origin);
            } else {
                let id = *event_id.get_or_insert(new_id);
                let held = Held { id, start: event.start, end: event.end, planner_own: false };
                events.insert(Arc::clone(&origin_id), held);
            }
        }
        Taken { code, mail, origin_id, event_id, resource_id }
    }

    /// Plants an appointment, whatever the resource list says; one of the same key is replaced.
    pub(crate) fn plant(&mut self, row: Row) {
        let mailbox = self.mailboxes.entry(folded(&row.mail).into()).or_default();
        if row.origin_id.is_empty() {
            mailbox.native.push(row.held);
        } else {
            mailbox.events.insert(row.origin_id, row.held);
        }
    }

    /// Removes appointments without a trace: those of one key, of one address, or all. Tells how many.
    pub(crate) fn remove(&mut self, mail: Option<&str>, origin_id: Option<&str>) -> usize {
        let size = |mailbox: &Mailbox| mailbox.events.len() + mailbox.native.len();
        match (mail, origin_id) {
            (None, None) => std::mem::take(&mut self.mailboxes).values().map(size).sum(),
            (None, Some(origin)) => {
                let removed = self.mailboxes.values_mut().filter_map(|mailbox| mailbox.events.remove(origin));
                removed.count()
            }
            (Some(mail), None) => self.mailboxes.remove(folded(mail).as_str()).as_ref().map_or(0, size),
            (Some(mail), Some(origin)) => {
                let mailbox = self.mailboxes.get_mut(folded(mail).as_str());
                usize::from(mailbox.and_then(|mailbox| mailbox.events.remove(origin)).is_some())
            }
        }
    }

    /// The appointments that a query asks for: of each address once, filtered by their start.
    pub(crate) fn find(&self, query: &EventsQuery) -> Vec<CalendarEvent> {
        let mut addresses = asked(query);
        let mut seen = std::collections::BTreeSet::new();
        addresses.retain(|address| seen.insert(address.clone()));
        self.of_addresses(addresses.iter().map(String::as_str), query)
    }

    /// The appointments of the addresses that a query does not ask for, filtered by their start as it asks.
    pub(crate) fn find_of_others(&self, query: &EventsQuery) -> Vec<CalendarEvent> {
        let asked = asked(query);
        let others = self.mailboxes.keys().map(|mail| &**mail);
        self.of_addresses(others.filter(|mail| !asked.iter().any(|asked| asked == mail)), query)
    }

    fn of_addresses<'m>(
        &self,
        addresses: impl Iterator<Item = &'m str>,
        query: &EventsQuery,
    ) -> Vec<CalendarEvent> {
        let within = |held: &Held| {
            query.start_from.is_none_or(|from| held.start >= from)
                && query.start_to.is_none_or(|to| held.start <= to)
        };
        let mut found = Vec::new();
        for address in addresses {
            let resource_id = self.known.get(address).copied().flatten();
            for row in self.rows_of(address).filter(|row| within(&row.held)) {
                let mut event = CalendarEvent::new(&*row.mail, &*row.origin_id, row.held.start, row.held.end);
                event.calendar_event_identifier = Some(row.held.id);
                event.planner_resource_identifier = resource_id;
                found.push(event);
            }
        }
        found
    }

    /// All appointments of the next `mailboxes` addresses behind `after`, and the last of these addresses;
    /// `None` when there is none behind it. So a long list is read piece by piece.
    pub(crate) fn page(&self, after: Option<&str>, mailboxes: usize) -> Option<(Arc<str>, Vec<Row>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let mut rows = Vec::new();
        for (mail, mailbox) in self.mailboxes.range::<str, _>((from, Bound::Unbounded)).take(mailboxes) {
            rows.extend(mailbox.rows(mail));
            last = Some(Arc::clone(mail));
        }
        last.map(|last| (last, rows))
    }

    /// All appointments of one address.
    pub(crate) fn rows_of(&self, mail: &str) -> impl Iterator<Item = Row> + '_ {
        let mailbox = self.mailboxes.get_key_value(folded(mail).as_str());
        mailbox.into_iter().flat_map(|(mail, mailbox)| mailbox.rows(mail))
    }
}

impl Mailbox {
    fn rows<'m>(&'m self, mail: &'m Arc<str>) -> impl Iterator<Item = Row> + 'm {
        let keyed = self.events.iter().map(|(origin_id, held)| (Arc::clone(origin_id), *held));
        let native = self.native.iter().map(|held| (Arc::from(""), *held));
        keyed.chain(native).map(|(origin_id, held)| Row { mail: Arc::clone(mail), origin_id, held })
    }
}

/// The receipt code for a change of an appointment, given what is held under its key.
fn verdict(operation: Operation, event: &CalendarEvent, held: Option<Held>) -> i32 {
    let creates = operation == Operation::CreateEvents;
    let deletes = operation == Operation::DeleteEvents;
    match held {
        Some(held) if held.planner_own => code::OWN,
        Some(_) if creates => code::EXISTS,
        None if !creates => code::MISSING,
        _ if !deletes && event.end < event.start => code::ENDS_BEFORE_START,
        _ => code::ACCEPTED,
    }
}
