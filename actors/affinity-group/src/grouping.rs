//! Which mailbox belongs to which affinity group. Pure (B12).
//!
//! * Existing memberships stay as long as the mailbox is in use and its endpoint and grouping are the group's.
//!   A mailbox whose location is unknown at present stays where it is.
//! * New mailboxes fill existing groups of their location, then form new ones.
//! * There are never more groups than the accounts carry. When they do not suffice, groups of a location that
//!   needs fewer are merged first; what then still finds no place is not covered.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use calendar::source::Location;
use store::subscriptions::{GroupId, Regrouping, StoredGroup};

#[cfg(test)]
mod tests;

/// What there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most mailboxes of a group, at least 1.
    pub per_group: usize,
    /// Most groups, over all accounts.
    pub groups: usize,
}

/// What is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes to be stored.
    pub changes: Regrouping,
    /// Mailboxes that find no place.
    pub uncovered: Vec<MailAddress>,
}

/// A group while it is planned.
struct Draft {
    id: GroupId,
    location: Location,
    kept: BTreeSet<MailAddress>,
    joining: BTreeSet<MailAddress>,
}

impl Draft {
    fn len(&self) -> usize {
        self.kept.len() + self.joining.len()
    }
}

type Newcomers = BTreeMap<Location, BTreeSet<MailAddress>>;

/// Plans the memberships of `resources` (those in use, with their location where it is known).
pub fn plan(
    resources: &BTreeMap<MailAddress, Option<Location>>,
    groups: &[StoredGroup],
    limits: Limits,
) -> Plan {
    let per_group = limits.per_group.max(1);
    let mut drafts = drafts(resources, groups, per_group);
    let mut newcomers = newcomers(resources, &drafts);
    fill(&mut drafts, &mut newcomers, per_group);
    let mut dissolved: Vec<GroupId> = Vec::new();
    let wanted: usize = newcomers.values().map(|some| some.len().div_ceil(per_group)).sum();
    retire(&mut drafts, &mut dissolved, |draft| draft.len() == 0);
    if drafts.len() + wanted > limits.groups {
        merge(&mut drafts, &mut newcomers, &mut dissolved, per_group);
    }
    while drafts.len() > limits.groups {
        give_up_smallest(&mut drafts, &mut newcomers, &mut dissolved);
    }
    let formed = form(&mut newcomers, limits.groups - drafts.len(), per_group);
    finish(groups, &drafts, dissolved, formed, newcomers)
}

/// The groups with the members that stay.
fn drafts(
    resources: &BTreeMap<MailAddress, Option<Location>>,
    groups: &[StoredGroup],
    per_group: usize,
) -> Vec<Draft> {
    let stays = |mail: &MailAddress, location: &Location| {
        resources.get(mail).is_some_and(|found| found.as_ref().is_none_or(|found| found == location))
    };
    groups
        .iter()
        .map(|group| Draft {
            id: group.id,
            location: group.location.clone(),
            kept: group
                .members
                .iter()
                .map(|member| &member.mail)
                .filter(|mail| stays(mail, &group.location))
                // a smaller limit than before: the rest looks for another place
                .take(per_group)
                .cloned()
                .collect(),
            joining: BTreeSet::new(),
        })
        .collect()
}

/// Mailboxes with a location that have no place yet.
fn newcomers(resources: &BTreeMap<MailAddress, Option<Location>>, drafts: &[Draft]) -> Newcomers {
    let placed: BTreeSet<&MailAddress> = drafts.iter().flat_map(|draft| &draft.kept).collect();
    let mut newcomers = Newcomers::new();
    for (mail, location) in resources {
        if let Some(location) = location.as_ref().filter(|_| !placed.contains(mail)) {
            newcomers.entry(location.clone()).or_default().insert(mail.clone());
        }
    }
    newcomers
}

/// Puts newcomers into the free places of groups of their location.
fn fill(drafts: &mut [Draft], newcomers: &mut Newcomers, per_group: usize) {
    for draft in drafts {
        let Some(waiting) = newcomers.get_mut(&draft.location) else { continue };
        while draft.len() < per_group {
            let Some(mail) = waiting.pop_first() else { break };
            draft.joining.insert(mail);
        }
    }
    newcomers.retain(|_, waiting| !waiting.is_empty());
}

/// Takes out the groups that `ends` names.
fn retire(drafts: &mut Vec<Draft>, dissolved: &mut Vec<GroupId>, ends: impl Fn(&Draft) -> bool) {
    dissolved.extend(drafts.iter().filter(|draft| ends(draft)).map(|draft| draft.id));
    drafts.retain(|draft| !ends(draft));
}

/// Dissolves the smallest groups of locations that have more groups than their mailboxes need.
fn merge(drafts: &mut Vec<Draft>, newcomers: &mut Newcomers, dissolved: &mut Vec<GroupId>, per_group: usize) {
    let locations: BTreeSet<Location> = drafts.iter().map(|draft| draft.location.clone()).collect();
    for location in locations {
        let here = |draft: &&Draft| draft.location == location;
        let members: usize = drafts.iter().filter(here).map(Draft::len).sum();
        let members = members + newcomers.get(&location).map_or(0, BTreeSet::len);
        let surplus = drafts.iter().filter(here).count().saturating_sub(members.div_ceil(per_group));
        let mut sizes: Vec<(usize, GroupId)> =
            drafts.iter().filter(here).map(|draft| (draft.len(), draft.id)).collect();
        sizes.sort_unstable();
        for (_, id) in sizes.into_iter().take(surplus) {
            release(drafts, newcomers, dissolved, id);
        }
    }
    fill(drafts, newcomers, per_group);
}

fn give_up_smallest(drafts: &mut Vec<Draft>, newcomers: &mut Newcomers, dissolved: &mut Vec<GroupId>) {
    if let Some(id) = drafts.iter().min_by_key(|draft| (draft.len(), draft.id)).map(|draft| draft.id) {
        release(drafts, newcomers, dissolved, id);
    }
}

/// Ends a group; its members look for another place.
fn release(drafts: &mut Vec<Draft>, newcomers: &mut Newcomers, dissolved: &mut Vec<GroupId>, id: GroupId) {
    if let Some(position) = drafts.iter().position(|draft| draft.id == id) {
        let draft = drafts.remove(position);
        dissolved.push(draft.id);
        newcomers.entry(draft.location).or_default().extend(draft.kept.into_iter().chain(draft.joining));
    }
}

/// New groups for those who still wait, the fullest first, as many as there may be.
fn form(newcomers: &mut Newcomers, free: usize, per_group: usize) -> Vec<(Location, Vec<MailAddress>)> {
    let mut chunks: Vec<(Location, Vec<MailAddress>)> = Vec::new();
    for (location, waiting) in newcomers.iter() {
        let waiting: Vec<MailAddress> = waiting.iter().cloned().collect();
        chunks.extend(waiting.chunks(per_group).map(|some| (location.clone(), some.to_vec())));
    }
    chunks.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.cmp(b)));
    chunks.truncate(free);
    for (location, members) in &chunks {
        if let Some(waiting) = newcomers.get_mut(location) {
            members.iter().for_each(|mail| {
                waiting.remove(mail);
            });
        }
    }
    chunks.sort();
    chunks
}

fn finish(
    groups: &[StoredGroup],
    drafts: &[Draft],
    mut dissolved: Vec<GroupId>,
    formed: Vec<(Location, Vec<MailAddress>)>,
    newcomers: Newcomers,
) -> Plan {
    let before: BTreeMap<&MailAddress, GroupId> =
        groups.iter().flat_map(|group| group.members.iter().map(|member| (&member.mail, group.id))).collect();
    let mut placed: BTreeSet<&MailAddress> = formed.iter().flat_map(|(_, members)| members).collect();
    let mut joining = Vec::new();
    for draft in drafts {
        for mail in draft.kept.iter().chain(&draft.joining) {
            placed.insert(mail);
            // merged and filled again into the group that it came from: nothing changes
            if before.get(mail) != Some(&draft.id) {
                joining.push((draft.id, mail.clone()));
            }
        }
    }
    let leaving = before.keys().filter(|mail| !placed.contains(**mail)).map(|mail| (*mail).clone()).collect();
    dissolved.sort_unstable();
    let changes = Regrouping { leaving, dissolved, joining, formed };
    let uncovered = newcomers.into_values().flatten().collect();
    Plan { changes, uncovered }
}
