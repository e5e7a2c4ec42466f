//! Which mailbox belongs to which affinity group, and which service account carries which group. Pure (B12).
//!
//! * Existing memberships stay as long as the mailbox is in use and its endpoint and grouping are the group's.
//!   A mailbox whose location is unknown at present stays where it is.
//! * A group stays with its account as long as there is such an account: subscriptions belong to the account that
//!   made them. A group whose account is gone, or carries more than it may, is formed anew with the same members
//!   under another account that has room.
//! * New mailboxes fill existing groups of their location, then form new ones, under the account with the fewest.
//! * No account ever carries more groups than it may. When there are too few, groups of a location that
//!   needs fewer are merged first; what then still finds no place is not covered. Groups that have their
//!   account are not disturbed for those that lost theirs.
//!
//! Everything here goes by identities: groups of different locations or accounts are never taken for one
//! another, whatever they are called.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use calendar::ids::AccountId;
use calendar::source::Location;
use store::subscriptions::{GroupId, NewGroup, Regrouping, StoredGroup};

#[cfg(test)]
mod tests;

/// What there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most mailboxes of a group, at least 1.
    pub per_group: usize,
    /// Most groups of one account.
    pub groups_per_account: usize,
}

/// What is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes to be stored.
    pub changes: Regrouping,
    /// Mailboxes that find no place: located ones, and all where there is no account.
    pub uncovered: Vec<MailAddress>,
}

/// A group while it is planned.
struct Draft {
    id: GroupId,
    location: Location,
    account: AccountId,
    /// Does its account carry it? Otherwise it must be formed anew elsewhere.
    housed: bool,
    kept: BTreeSet<MailAddress>,
    joining: BTreeSet<MailAddress>,
}

impl Draft {
    fn len(&self) -> usize {
        self.kept.len() + self.joining.len()
    }
}

type Newcomers = BTreeMap<Location, BTreeSet<MailAddress>>;

/// Plans the memberships of `resources` (those in use, with their location where it is known) in groups that
/// `accounts` carry.
pub fn plan(
    resources: &BTreeMap<MailAddress, Option<Location>>,
    groups: &[StoredGroup],
    accounts: &BTreeSet<AccountId>,
    limits: Limits,
) -> Plan {
    let per_group = limits.per_group.max(1);
    let slots = accounts.len().saturating_mul(limits.groups_per_account);
    let mut drafts = drafts(resources, groups, accounts, per_group);
    let mut newcomers = newcomers(resources, &drafts);
    fill(&mut drafts, &mut newcomers, per_group);
    let mut dissolved: Vec<GroupId> = Vec::new();
    retire(&mut drafts, &mut dissolved, |draft| draft.len() == 0);
    evict_surplus(&mut drafts, limits.groups_per_account);
    let wanted: usize = newcomers.values().map(|some| some.len().div_ceil(per_group)).sum();
    if drafts.len() + wanted > slots {
        merge(&mut drafts, &mut newcomers, &mut dissolved, per_group);
    }
    while drafts.len() > slots {
        give_up_one(&mut drafts, &mut newcomers, &mut dissolved);
    }
    fill(&mut drafts, &mut newcomers, per_group);
    let mut free = Free::new(accounts, &drafts, limits.groups_per_account);
    let mut formed = rehouse(&mut drafts, &mut dissolved, &mut free);
    let chunks = form(&mut newcomers, free.left(), per_group);
    formed.extend(
        chunks
            .into_iter()
            .filter_map(|(location, members)| Some(NewGroup { location, account: free.take()?, members })),
    );
    let mut plan = finish(groups, &drafts, dissolved, formed, newcomers);
    if accounts.is_empty() {
        // also those of which the location is not known: nobody can ask for it
        plan.uncovered = resources.keys().cloned().collect();
    }
    plan
}

/// Room for groups, by account.
struct Free<'a> {
    carried: BTreeMap<AccountId, usize>,
    most: usize,
    accounts: &'a BTreeSet<AccountId>,
}

impl<'a> Free<'a> {
    fn new(accounts: &'a BTreeSet<AccountId>, drafts: &[Draft], most: usize) -> Self {
        let mut carried = BTreeMap::new();
        for draft in drafts.iter().filter(|draft| draft.housed) {
            *carried.entry(draft.account).or_default() += 1;
        }
        Self { carried, most, accounts }
    }

    fn carried_by(&self, account: AccountId) -> usize {
        self.carried.get(&account).copied().unwrap_or_default()
    }

    fn left(&self) -> usize {
        self.accounts.iter().map(|account| self.most.saturating_sub(self.carried_by(*account))).sum()
    }

    /// Room with the account that carries the fewest groups.
    fn take(&mut self) -> Option<AccountId> {
        let account = self.accounts.iter().copied().min_by_key(|id| (self.carried_by(*id), *id))?;
        let carried = self.carried.entry(account).or_default();
        (*carried < self.most).then(|| {
            *carried += 1;
            account
        })
    }
}

/// Takes from each account the groups beyond what it may carry, the smallest first.
fn evict_surplus(drafts: &mut [Draft], most: usize) {
    let accounts: BTreeSet<AccountId> = drafts.iter().map(|draft| draft.account).collect();
    for account in accounts {
        let mut carried: Vec<&mut Draft> =
            drafts.iter_mut().filter(|draft| draft.housed && draft.account == account).collect();
        carried.sort_by_key(|draft| (std::cmp::Reverse(draft.len()), draft.id));
        carried.into_iter().skip(most).for_each(|draft| draft.housed = false);
    }
}

/// Forms the groups that lost their account anew under others, with the same members.
fn rehouse(drafts: &mut Vec<Draft>, dissolved: &mut Vec<GroupId>, free: &mut Free<'_>) -> Vec<NewGroup> {
    let (housed, homeless): (Vec<Draft>, Vec<Draft>) = drafts.drain(..).partition(|draft| draft.housed);
    *drafts = housed;
    let mut formed = Vec::new();
    for draft in homeless {
        // there are never more groups than room (`give_up_one`)
        let Some(account) = free.take() else { continue };
        dissolved.push(draft.id);
        let members = draft.kept.into_iter().chain(draft.joining).collect();
        formed.push(NewGroup { location: draft.location, account, members });
    }
    formed
}

/// The groups with the members that stay.
fn drafts(
    resources: &BTreeMap<MailAddress, Option<Location>>,
    groups: &[StoredGroup],
    accounts: &BTreeSet<AccountId>,
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
            account: group.account,
            housed: accounts.contains(&group.account),
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
        // those that must move anyway go first
        let mut sizes: Vec<(bool, usize, GroupId)> =
            drafts.iter().filter(here).map(|draft| (draft.housed, draft.len(), draft.id)).collect();
        sizes.sort_unstable();
        for (_, _, id) in sizes.into_iter().take(surplus) {
            release(drafts, newcomers, dissolved, id);
        }
    }
    fill(drafts, newcomers, per_group);
}

/// Ends the smallest group, of those without account as long as there are any.
fn give_up_one(drafts: &mut Vec<Draft>, newcomers: &mut Newcomers, dissolved: &mut Vec<GroupId>) {
    let smallest = drafts.iter().min_by_key(|draft| (draft.housed, draft.len(), draft.id));
    if let Some(id) = smallest.map(|draft| draft.id) {
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
    formed: Vec<NewGroup>,
    newcomers: Newcomers,
) -> Plan {
    let before: BTreeMap<&MailAddress, GroupId> =
        groups.iter().flat_map(|group| group.members.iter().map(|member| (&member.mail, group.id))).collect();
    let mut placed: BTreeSet<&MailAddress> = formed.iter().flat_map(|new| &new.members).collect();
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
