//! From Planner's answer and the store's list to changes (B10). Pure.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use calendar::guard::{GuardLimits, Judgement, judge};
use connector_planner::{CalendarResource, PartLeftOut, ResourcesAnswer};
use store::resource_list::{
    Identity, KnownList, KnownResource, ListChanges, ListedResource, NON_WHITELIST, NOT_IN_PLANNER,
    WorkingHours,
};

#[cfg(test)]
mod tests;

/// What Planner answered, sorted out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// How many entries the answer has.
    pub entries: usize,
    /// Resources whose address occurs once.
    pub usable: Vec<ListedResource>,
    /// Addresses that occur more than once: all their entries are skipped (3201).
    pub duplicates: BTreeSet<MailAddress>,
    /// Entries whose address is none.
    pub invalid: Vec<Invalid>,
    /// Entries that cannot be read: an address is missing, an identifier is none, and the like.
    pub unreadable: Vec<Invalid>,
    /// Addresses that only entries that cannot be read name: they are listed, and nothing else is known of them.
    pub still_listed: BTreeSet<MailAddress>,
    /// What entries lack because it cannot be read and is not needed.
    pub left_out: Vec<PartLeftOut>,
}

impl Reading {
    /// All entries that are skipped for their content.
    pub fn skipped(&self) -> impl Iterator<Item = &Invalid> {
        self.invalid.iter().chain(&self.unreadable)
    }

    /// Can each entry be used, and all of it? Addresses that occur twice are told apart from this.
    pub fn is_clean(&self) -> bool {
        self.skipped().next().is_none() && self.left_out.is_empty()
    }

    /// Why the first of the entries is skipped, if any is.
    pub fn first_skipped(&self) -> Option<&str> {
        let first = self.skipped().min_by_key(|entry| entry.position).map(|entry| &*entry.reason);
        first.or((!self.duplicates.is_empty()).then_some("its address occurs more than once"))
    }
}

/// An entry that cannot be used. Its address is not shown: it may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Its place in the answer, from 1.
    pub position: usize,
    /// What is wrong with it.
    pub reason: String,
    /// What it says of whose it is.
    pub identity: Identity,
    /// Does it have an address, which says whose it is, and something else is wrong?
    pub has_address: bool,
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
    /// Resources that are missing in the answer and stay because too many are missing, or because they may be listed.
    pub withheld: usize,
    /// Some of those may be what an entry is that names nobody, so that no number of them is few.
    pub unsure: bool,
    /// Resources in use before.
    pub in_use_before: usize,
}

/// Sorts an answer out.
pub fn read(answer: ResourcesAnswer) -> Reading {
    let entries = answer.resources.len() + answer.unusable.len();
    let mut reading = Reading { entries, left_out: answer.left_out, ..Reading::default() };
    let mut by_mail: BTreeMap<MailAddress, ListedResource> = BTreeMap::new();
    let mut taken = answer.unusable.iter().map(|entry| entry.position).peekable();
    let mut position = 0;
    for resource in answer.resources {
        position += 1;
        while taken.next_if_eq(&position).is_some() {
            position += 1;
        }
        let mail = match MailAddress::parse(&resource.email_address) {
            Ok(mail) => mail,
            Err(error) => {
                let identity =
                    Identity { planner_resource_id: resource.planner_resource_identifier, rid: resource.rid };
                let reason = error.to_string();
                reading.invalid.push(Invalid { position, reason, identity, has_address: false });
                continue;
            }
        };
        if by_mail.contains_key(&mail) {
            reading.duplicates.insert(mail);
        } else {
            by_mail.insert(mail.clone(), listed(mail, resource));
        }
    }
    for entry in answer.unusable {
        let mail = MailAddress::parse(&entry.email_address).ok();
        let has_address = mail.is_some();
        // an address that other entries name as well occurs more than once
        if let Some(mail) = mail
            && (by_mail.contains_key(&mail) || !reading.still_listed.insert(mail.clone()))
        {
            reading.duplicates.insert(mail);
        }
        let identity = Identity { planner_resource_id: entry.planner_resource_identifier, rid: entry.rid };
        let reason = entry.error.to_string();
        reading.unreadable.push(Invalid { position: entry.position, reason, identity, has_address });
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
    let named = named(reading, known);
    let awaited = known.withheld.union(&known.rejected);
    changes.reappeared = awaited.filter(|mail| named.contains(mail)).cloned().collect();
    let gone = |resource: &&KnownResource| {
        !named.contains(&resource.mail) && !known.blacklist.contains(&resource.mail)
    };
    let missing: Vec<&KnownResource> = known
        .resources
        .iter()
        .filter(|resource| resource.in_use && !known.rejected.contains(&resource.mail))
        .filter(gone)
        .collect();
    let unsure = is_unsure(reading, known, &missing);
    let missing: BTreeSet<MailAddress> = missing.into_iter().map(|resource| resource.mail.clone()).collect();
    let in_use_before = known.resources.iter().filter(|resource| resource.in_use).count();
    let mut summary = Summary { in_use_before, ..Summary::default() };
    // What the whitelist excludes is an operator's own decision and does not count.
    if unsure || judge(missing.len(), in_use_before, &GuardLimits::DEFAULT) == Judgement::Withhold {
        summary.withheld = missing.len();
        summary.unsure = unsure;
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

/// Whom the answer names, be it by an entry that is skipped: nobody falls out of use because an entry cannot be read.
/// Without a usable address an entry names whom Planner's identifier or the number told it to be when it was last read.
fn named<'a>(reading: &'a Reading, known: &'a KnownList) -> BTreeSet<&'a MailAddress> {
    let skipped: Identities<'_> = reading.skipped().map(|entry| &entry.identity).collect();
    let is_told = |resource: &&KnownResource| skipped.contains(&resource.identity);
    let listed = reading.usable.iter().map(|resource| &resource.mail);
    let by_address = reading.duplicates.iter().chain(&reading.still_listed);
    let told = known.resources.iter().filter(is_told).map(|resource| &resource.mail);
    listed.chain(by_address).chain(told).collect()
}

/// May one of the `missing` be what an entry is that names nobody: without an address, and with nothing by which anybody
/// is known? Only Planner's identifier tells them apart; the number may be a new one.
fn is_unsure(reading: &Reading, known: &KnownList, missing: &[&KnownResource]) -> bool {
    let everybody: Identities<'_> = known.resources.iter().map(|resource| &resource.identity).collect();
    let unaddressed = reading.skipped().filter(|entry| !entry.has_address).map(|entry| &entry.identity);
    let mut nameless = unaddressed.filter(|identity| !everybody.contains(identity)).peekable();
    let lacks_id = |identity: &Identity| identity.planner_resource_id.is_none_or(|id| id.is_nil());
    let is_any = nameless.peek().is_some();
    let is_anybody = nameless.any(lacks_id);
    missing.iter().any(|resource| is_anybody || (is_any && lacks_id(&resource.identity)))
}

/// What some entries or resources are told by beside their addresses. Nothing is like nothing.
#[derive(Default)]
struct Identities<'a> {
    ids: BTreeSet<u128>,
    rids: BTreeSet<&'a str>,
}

impl Identities<'_> {
    /// Is it one of them?
    fn contains(&self, identity: &Identity) -> bool {
        let Identity { planner_resource_id, rid } = identity;
        planner_resource_id.is_some_and(|id| self.ids.contains(&id.as_u128()))
            || self.rids.contains(rid.trim())
    }
}

impl<'a> FromIterator<&'a Identity> for Identities<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Identity>>(identities: I) -> Self {
        let mut all = Self::default();
        for identity in identities {
            all.ids.extend(identity.planner_resource_id.filter(|id| !id.is_nil()).map(|id| id.as_u128()));
            all.rids.extend(Some(identity.rid.trim()).filter(|rid| !rid.is_empty()));
        }
        all
    }
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
