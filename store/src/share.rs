//! Who is to own what, when several instances share units of work. Pure.
//!
//! Rules, for n units and k instances:
//! * Every unit has exactly one owner, and no instance owns more than one unit more than another.
//! * Units stay where they are as far as that allows: an instance that comes takes only what the others have too
//!   much, and one that goes leaves only its own.
//! * The answer depends on the facts alone, so that all instances that see the same come to the same.
//!
//! Nothing here is a promise that nobody else acts: that is what leases are for. Two instances that see different
//! facts want different things for a moment, and the lease decides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// The owner that each of `units` is to have: units with the present owner, where there is one, and all `instances`
/// that take part. Empty without instances. A present owner that takes no part is one that is to hand over.
pub fn share<U, I>(units: &BTreeMap<U, Option<I>>, instances: &BTreeSet<I>) -> BTreeMap<U, I>
where
    U: Ord + Clone,
    I: Ord + Clone,
{
    let mut room = quotas(units, instances);
    let mut shares = BTreeMap::new();
    let mut homeless = Vec::new();
    for (unit, owner) in units {
        match owner.as_ref().and_then(|owner| room.get_mut(owner).map(|room| (owner, room))) {
            Some((owner, room)) if *room > 0 => {
                *room -= 1;
                shares.insert(unit.clone(), owner.clone());
            }
            _ => homeless.push(unit.clone()),
        }
    }
    let free = room.into_iter().flat_map(|(instance, room)| std::iter::repeat_n(instance, room));
    shares.extend(homeless.into_iter().zip(free));
    shares
}

/// How many units each instance is to own. Those that own most now have the remainder, so that fewest units move.
fn quotas<U, I>(units: &BTreeMap<U, Option<I>>, instances: &BTreeSet<I>) -> BTreeMap<I, usize>
where
    I: Ord + Clone,
{
    let mut owned: BTreeMap<&I, usize> = instances.iter().map(|instance| (instance, 0)).collect();
    for owner in units.values().flatten() {
        if let Some(count) = owned.get_mut(owner) {
            *count += 1;
        }
    }
    let mut ranked: Vec<(Reverse<usize>, &I)> =
        owned.into_iter().map(|(instance, count)| (Reverse(count), instance)).collect();
    ranked.sort();
    let Some(least) = units.len().checked_div(ranked.len()) else { return BTreeMap::new() };
    let remainder = units.len() % ranked.len();
    ranked
        .into_iter()
        .enumerate()
        .map(|(rank, (_, instance))| (instance.clone(), least + usize::from(rank < remainder)))
        .collect()
}
