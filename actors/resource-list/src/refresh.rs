//! From Planner's answer and the store's list to changes (B10). Pure.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use connector_planner::CalendarResource;
use store::resource_list::{KnownList, KnownResource, ListChanges, ListedResource, WorkingHours};

#[cfg(test)]
mod tests;

/// Why a resource is not used: Planner does not list it any more.
pub const NOT_IN_PLANNER: &str = "P-NotInPlanner";
/// Why a resource is not used: there is a whitelist and it is not on it.
pub const NON_WHITELIST: &str = "P-NonWhitelist";

/// Drops beyond both of these are withheld: this many …
pub const DROP_GUARD_COUNT: usize = 10;
/// … and this share of the resources in use, in percent.
pub const DROP_GUARD_PERCENT: usize = 10;

/// What Planner answered, sorted out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Resources whose address occurs once.
    pub usable: Vec<ListedResource>,
    /// Addresses that occur more than once: all their entries are skipped (3201).
    pub duplicates: BTreeSet<MailAddress>,
    /// Entries whose address is none.
    pub invalid: usize,
}

/// What a refresh did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// New resources that are used.
    pub added: usize,
    /// Resources that are used again.
    pub revived: usize,
    /// Resources that are not used any more.
    pub dropped: usize,
    /// Resources that are missing in the answer and stay because too many are missing.
    pub withheld: usize,
    /// Resources in use before.
    pub in_use_before: usize,
}

/// Sorts an answer out.
pub fn read(resources: Vec<CalendarResource>) -> Reading {
    let mut reading = Reading::default();
    let mut by_mail: BTreeMap<MailAddress, ListedResource> = BTreeMap::new();
    for resource in resources {
        let Ok(mail) = MailAddress::parse(&resource.email_address) else {
            reading.invalid += 1;
            continue;
        };
        if by_mail.contains_key(&mail) {
            reading.duplicates.insert(mail);
        } else {
            by_mail.insert(mail.clone(), listed(mail, resource));
        }
    }
    by_mail.retain(|mail, _| !reading.duplicates.contains(mail));
    reading.usable = by_mail.into_values().collect();
    reading
}

fn listed(mail: MailAddress, resource: CalendarResource) -> ListedResource {
    let hours = |day: &connector_planner::WorkingHours| WorkingHours {
        weekday: day.weekday,
        start: day.start.time(),
        end: day.end.time(),
    };
    ListedResource {
        mail,
        name: resource.name,
        rid: resource.rid,
        planner_resource_id: resource.planner_resource_identifier,
        description: resource.description,
        working_hours: resource.working_hours.iter().map(hours).collect(),
        is_case_worker: resource.is_case_worker,
    }
}

/// Decides what changes. A reading without a usable resource must not come here: it keeps the last list.
pub fn plan(reading: &Reading, known: &KnownList) -> (ListChanges, Summary) {
    let mut changes = ListChanges::default();
    let by_mail: BTreeMap<&MailAddress, &KnownResource> =
        known.resources.iter().map(|resource| (&resource.mail, resource)).collect();
    let allowed = |mail: &MailAddress| known.whitelist.is_empty() || known.whitelist.contains(mail);
    for resource in &reading.usable {
        let mail = &resource.mail;
        if known.blacklist.contains(mail) {
            continue;
        }
        match (by_mail.get(mail).map(|known| known.in_use), allowed(mail)) {
            (None, true) => changes.added.push((resource.clone(), None)),
            (None, false) => changes.added.push((resource.clone(), Some(NON_WHITELIST))),
            (Some(true), true) => changes.kept.push(resource.clone()),
            (Some(true), false) => changes.dropped.push((mail.clone(), NON_WHITELIST)),
            (Some(false), true) => changes.revived.push(resource.clone()),
            (Some(false), false) => {}
        }
    }
    let named: BTreeSet<&MailAddress> =
        reading.usable.iter().map(|resource| &resource.mail).chain(&reading.duplicates).collect();
    let missing: Vec<&MailAddress> = known
        .resources
        .iter()
        .filter(|known| known.in_use)
        .map(|resource| &resource.mail)
        .filter(|mail| !named.contains(mail) && !known.blacklist.contains(*mail))
        .collect();
    let in_use_before = known.resources.iter().filter(|resource| resource.in_use).count();
    let mut summary = Summary { in_use_before, ..Summary::default() };
    if is_mass_drop(missing.len(), in_use_before) {
        summary.withheld = missing.len();
    } else {
        changes.dropped.extend(missing.into_iter().map(|mail| (mail.clone(), NOT_IN_PLANNER)));
    }
    summary.added = changes.added.iter().filter(|(_, reason)| reason.is_none()).count();
    summary.revived = changes.revived.len();
    summary.dropped = changes.dropped.len();
    (changes, summary)
}

/// Would dropping `missing` of `in_use` go beyond both bounds? What the whitelist excludes is an operator's
/// own decision and does not count.
const fn is_mass_drop(missing: usize, in_use: usize) -> bool {
    missing > DROP_GUARD_COUNT && missing * 100 > in_use * DROP_GUARD_PERCENT
}
