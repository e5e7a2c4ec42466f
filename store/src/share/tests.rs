//! Goal: every unit has one owner, the shares are even, and no more units move than must. Method: a table of what
//! happens when instances come and go, and properties over any state.

use proptest::prelude::*;

use super::*;

type Owned = BTreeMap<u32, Option<char>>;

fn instances(names: &str) -> BTreeSet<char> {
    names.chars().collect()
}

/// Units 0, 1, 2 … with their owners; `-` = nobody.
fn units(owners: &str) -> Owned {
    owners.chars().enumerate().map(|(n, owner)| (n as u32, (owner != '-').then_some(owner))).collect()
}

fn shared(owners: &str, names: &str) -> String {
    share(&units(owners), &instances(names)).values().collect()
}

#[test]
fn what_is_shared_in_practice() {
    for (what, owners, names, expected) in [
        ("nobody is there", "--", "", ""),
        ("nothing is to be shared", "", "ab", ""),
        ("the first takes all", "----", "a", "aaaa"),
        ("the second gets half of it", "aaaa", "ab", "aabb"),
        ("the third gets one from each that has too many", "aabb", "abc", "aabc"),
        ("a dead one's units go to those that live", "aabb", "a", "aaaa"),
        ("one that leaves hands over", "aabbcc", "ab", "aabbab"),
        ("who has more keeps the remainder", "bbbaa", "ab", "bbbaa"),
        ("fewer units than instances", "a", "abc", "a"),
        ("an unknown owner hands over, too", "zz", "ab", "ab"),
        ("a new unit goes to who has least", "aab-", "ab", "aabb"),
    ] {
        assert_eq!(shared(owners, names), expected, "{what}");
    }
}

fn any_state() -> impl Strategy<Value = (Owned, BTreeSet<char>)> {
    let owner = proptest::option::of(proptest::char::range('a', 'h'));
    let units = proptest::collection::btree_map(0_u32..60, owner, 0..40);
    let instances = proptest::collection::btree_set(proptest::char::range('a', 'h'), 0..8);
    (units, instances)
}

fn counts(shares: &BTreeMap<u32, char>, instances: &BTreeSet<char>) -> BTreeMap<char, usize> {
    let mut counts: BTreeMap<char, usize> = instances.iter().map(|one| (*one, 0)).collect();
    for owner in shares.values() {
        *counts.get_mut(owner).expect("only those that take part own") += 1;
    }
    counts
}

fn moved(before: &Owned, after: &BTreeMap<u32, char>) -> usize {
    after.iter().filter(|(unit, owner)| before[unit] != Some(**owner)).count()
}

proptest! {
    #[test]
    fn everything_is_owned_and_evenly((units, instances) in any_state()) {
        let shares = share(&units, &instances);
        if instances.is_empty() {
            prop_assert!(shares.is_empty());
        } else {
            prop_assert!(shares.keys().eq(units.keys()), "one owner each");
            let counts = counts(&shares, &instances);
            let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
            prop_assert!(most - least <= 1, "{counts:?}");
        }
    }

    #[test]
    fn no_more_units_move_than_must((units, instances) in any_state()) {
        let shares = share(&units, &instances);
        // The least that any even sharing moves: what nobody there owns, and what is beyond the quota of its owner,
        // when the remainder lies where most is owned.
        let mut owned: BTreeMap<char, usize> = instances.iter().map(|one| (*one, 0)).collect();
        for owner in units.values().flatten() {
            if let Some(count) = owned.get_mut(owner) {
                *count += 1;
            }
        }
        let mut ranked: Vec<usize> = owned.into_values().collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        let k = ranked.len().max(1);
        let (least, remainder) = (units.len() / k, units.len() % k);
        let stay: usize =
            ranked.iter().enumerate().map(|(rank, count)| (*count).min(least + usize::from(rank < remainder))).sum();
        prop_assert_eq!(moved(&units, &shares), if instances.is_empty() { 0 } else { units.len() - stay });
    }

    #[test]
    fn who_shares_what_was_shared_changes_nothing((units, instances) in any_state()) {
        let once = share(&units, &instances);
        let settled: Owned = once.iter().map(|(unit, owner)| (*unit, Some(*owner))).collect();
        if !instances.is_empty() {
            prop_assert_eq!(share(&settled, &instances), once);
        }
    }

    #[test]
    fn one_that_comes_or_goes_moves_its_own_share_alone((units, instances) in any_state(), who in proptest::char::range('a', 'h')) {
        let mut without = instances;
        without.remove(&who);
        prop_assume!(!without.is_empty());
        let mut with = without.clone();
        with.insert(who);
        let settled = |shares: BTreeMap<u32, char>| -> Owned {
            shares.into_iter().map(|(unit, owner)| (unit, Some(owner))).collect()
        };
        let before = settled(share(&units, &without));
        let after = share(&before, &with);
        let taken = after.values().filter(|owner| **owner == who).count();
        prop_assert_eq!(moved(&before, &after), taken, "somebody else's unit moved when one came");
        let back = share(&settled(after), &without);
        let after_going = moved(&settled(share(&before, &with)), &back);
        prop_assert_eq!(after_going, taken, "somebody else's unit moved when one went");
    }

    #[test]
    fn handing_over_in_any_order_leads_to_the_same((units, instances) in any_state(), order in any::<u64>()) {
        // Units are handed back one by one; who looks in between still wants the same for those that moved.
        prop_assume!(!instances.is_empty());
        let wanted = share(&units, &instances);
        let mut state = units.clone();
        let mut leaving: Vec<u32> =
            units.iter().filter(|(unit, owner)| owner.is_some() && **owner != Some(wanted[unit])).map(|(unit, _)| *unit).collect();
        let mut random = order;
        while !leaving.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let unit = leaving.swap_remove((random >> 33) as usize % leaving.len());
            state.insert(unit, None);
            let now = share(&state, &instances);
            // nobody is asked to give up what it was to keep
            for (unit, owner) in &state {
                if *owner == Some(wanted[unit]) {
                    prop_assert_eq!(now[unit], wanted[unit]);
                }
            }
        }
    }
}
