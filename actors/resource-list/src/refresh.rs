//! From Planner's answer and the store's list to changes (B10). Pure.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use calendar::guard::{GuardLimits, Judgement, judge};
use connector_planner::CalendarResource;
use store::resource_list::{
    KnownList, KnownResource, ListChanges, ListedResource, NON_WHITELIST, NOT_IN_PLANNER, WorkingHours,
};

#[cfg(test)]
mod tests;

/// What Planner answered, sorted out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Resources whose address occurs once.
    pub usable: Vec<ListedResource>,
    /// Addresses that occur more than once: all their entries are skipped (3201).
    pub duplicates: BTreeSet<MailAddress>,
    /// Entries whose address is none.
    pub invalid: Vec<Invalid>,
}

/// An entry that cannot be used. Its address is not shown: it may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Its place in the answer, from 1.
    pub position: usize,
    /// What is wrong with its address.
    pub reason: String,
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
    for (index, resource) in resources.into_iter().enumerate() {
        let mail = match MailAddress::parse(&resource.email_address) {
            Ok(mail) => mail,
            Err(error) => {
                reading.invalid.push(Invalid { position: index + 1, reason: error.to_string() });
                continue;
            }
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
    place_listed(reading, known, &mut changes);
    let named: BTreeSet<&MailAddress> =
        reading.usable.iter().map(|resource| &resource.mail).chain(&reading.duplicates).collect();
    let awaited = known.withheld.union(&known.rejected);
    changes.reappeared = awaited.filter(|mail| named.contains(mail)).cloned().collect();
    let gone = |resource: &&KnownResource| {
        !named.contains(&resource.mail) && !known.blacklist.contains(&resource.mail)
    };
    let missing: BTreeSet<MailAddress> = known
        .resources
        .iter()
        .filter(|resource| resource.in_use && !known.rejected.contains(&resource.mail))
        .filter(gone)
        .map(|resource| resource.mail.clone())
        .collect();
    let in_use_before = known.resources.iter().filter(|resource| resource.in_use).count();
    let mut summary = Summary { in_use_before, ..Summary::default() };
    // What the whitelist excludes is an operator's own decision and does not count.
    if judge(missing.len(), in_use_before, &GuardLimits::DEFAULT) == Judgement::Withhold {
        summary.withheld = missing.len();
        changes.withheld = missing;
    } else {
        changes.dropped.extend(missing.into_iter().map(|mail| (mail, NOT_IN_PLANNER)));
        let excluded = known.resources.iter().filter(|resource| is_unused_for(resource, NON_WHITELIST));
        changes
            .relabelled
            .extend(excluded.filter(gone).map(|resource| (resource.mail.clone(), NOT_IN_PLANNER)));
    }
    summary.added = changes.added.iter().filter(|(_, reason)| reason.is_none()).count();
    summary.revived = changes.revived.len();
    summary.dropped = changes.dropped.len();
    (changes, summary)
}

/// What becomes of the resources that Planner lists.
fn place_listed(reading: &Reading, known: &KnownList, changes: &mut ListChanges) {
    let by_mail: BTreeMap<&MailAddress, &KnownResource> =
        known.resources.iter().map(|resource| (&resource.mail, resource)).collect();
    for resource in &reading.usable {
        let mail = &resource.mail;
        if known.blacklist.contains(mail) || known.erased.contains(mail) {
            continue;
        }
        let allowed = known.whitelist.is_empty() || known.whitelist.contains(mail);
        match (by_mail.get(mail), allowed) {
            (None, true) => changes.added.push((resource.clone(), None)),
            (None, false) => changes.added.push((resource.clone(), Some(NON_WHITELIST))),
            (Some(row), true) if row.in_use => changes.kept.push(resource.clone()),
            (Some(row), false) if row.in_use => changes.dropped.push((mail.clone(), NON_WHITELIST)),
            (Some(_), true) => changes.revived.push(resource.clone()),
            // the whitelist is applied to these without asking Planner when it changes
            (Some(row), false) if is_unused_for(row, NOT_IN_PLANNER) => {
                changes.relabelled.push((mail.clone(), NON_WHITELIST));
            }
            (Some(_), false) => {}
        }
    }
}

fn is_unused_for(resource: &KnownResource, reason: &str) -> bool {
    !resource.in_use && resource.deleted_reason.as_deref() == Some(reason)
}
