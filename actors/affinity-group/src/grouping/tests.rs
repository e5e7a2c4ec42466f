//! Goal: every mailbox with a location is in exactly one group of its location, or told as uncovered; limits
//! hold; what is well placed stays. Method: tables for the usual changes, properties for any.

use proptest::prelude::*;
use store::subscriptions::StoredMember;

use super::*;

fn mail(n: u32) -> MailAddress {
    MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
}

fn at(grouping: &str) -> Location {
    Location { endpoint: "https://mail/EWS".into(), grouping: grouping.into() }
}

fn group(id: i64, grouping: &str, members: &[u32]) -> StoredGroup {
    StoredGroup {
        id: GroupId::new(id),
        location: at(grouping),
        members: members.iter().map(|n| StoredMember { mail: mail(*n), subscription: None }).collect(),
    }
}

fn resources(list: &[(u32, Option<&str>)]) -> BTreeMap<MailAddress, Option<Location>> {
    list.iter().map(|(n, grouping)| (mail(*n), grouping.map(at))).collect()
}

const LIMITS: Limits = Limits { per_group: 2, groups: 3 };

#[test]
fn the_first_plan_forms_groups_in_order_of_address() {
    let plan =
        plan(&resources(&[(3, Some("A")), (1, Some("A")), (2, Some("A")), (4, Some("B"))]), &[], LIMITS);
    assert_eq!(
        plan.changes.formed,
        [(at("A"), vec![mail(1), mail(2)]), (at("A"), vec![mail(3)]), (at("B"), vec![mail(4)])]
    );
    assert!(plan.uncovered.is_empty());
}

#[test]
fn nothing_changes_when_nothing_changed() {
    let groups = [group(1, "A", &[1, 2]), group(2, "A", &[3])];
    let found = resources(&[(1, Some("A")), (2, Some("A")), (3, Some("A"))]);
    assert!(plan(&found, &groups, LIMITS).changes.is_empty());
}

#[test]
fn a_newcomer_fills_a_group_and_one_that_left_makes_room() {
    let groups = [group(1, "A", &[1, 2])];
    let found = resources(&[(1, Some("A")), (5, Some("A"))]);
    let plan = plan(&found, &groups, LIMITS);
    assert_eq!(plan.changes.leaving, [mail(2)]);
    assert_eq!(plan.changes.joining, [(GroupId::new(1), mail(5))]);
    assert!(plan.changes.formed.is_empty() && plan.changes.dissolved.is_empty());
}

#[test]
fn a_mailbox_without_known_location_stays_and_is_not_placed_anew() {
    let groups = [group(1, "A", &[1])];
    let plan = plan(&resources(&[(1, None), (2, None)]), &groups, LIMITS);
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_mailbox_that_moved_changes_its_group_and_an_empty_group_ends() {
    let groups = [group(1, "A", &[1]), group(2, "B", &[2])];
    let plan = plan(&resources(&[(1, Some("B")), (2, Some("B"))]), &groups, LIMITS);
    assert_eq!(plan.changes.joining, [(GroupId::new(2), mail(1))]);
    assert_eq!(plan.changes.dissolved, [GroupId::new(1)]);
    assert!(plan.changes.leaving.is_empty(), "it moves and keeps its sync state");
}

#[test]
fn what_the_accounts_cannot_carry_is_told_and_the_rest_goes_on() {
    let all: Vec<(u32, Option<&str>)> = (1..=9).map(|n| (n, Some("A"))).collect();
    let plan = plan(&resources(&all), &[], LIMITS);
    assert_eq!(plan.changes.formed.len(), 3);
    assert_eq!(plan.uncovered, [mail(7), mail(8), mail(9)]);
    let none = super::plan(&resources(&all), &[], Limits { groups: 0, ..LIMITS });
    assert_eq!((none.changes.formed.len(), none.uncovered.len()), (0, 9));
}

#[test]
fn thin_groups_are_merged_before_anybody_is_left_uncovered() {
    let groups = [group(1, "A", &[1]), group(2, "A", &[2]), group(3, "A", &[3, 4])];
    let found = resources(&[(1, Some("A")), (2, Some("A")), (3, Some("A")), (4, Some("A")), (5, Some("B"))]);
    let plan = plan(&found, &groups, LIMITS);
    assert!(plan.uncovered.is_empty(), "{plan:?}");
    assert_eq!(plan.changes.dissolved, [GroupId::new(1)]);
    assert_eq!(plan.changes.joining, [(GroupId::new(2), mail(1))]);
    assert_eq!(plan.changes.formed, [(at("B"), vec![mail(5)])]);
}

#[test]
fn a_smaller_limit_than_before_moves_the_rest() {
    let groups = [group(1, "A", &[1, 2, 3, 4, 5])];
    let all: Vec<(u32, Option<&str>)> = (1..=5).map(|n| (n, Some("A"))).collect();
    let plan = plan(&resources(&all), &groups, LIMITS);
    assert_eq!(plan.changes.formed, [(at("A"), vec![mail(3), mail(4)]), (at("A"), vec![mail(5)])]);
    let fewer = super::plan(&resources(&all), &groups, Limits { per_group: 5, groups: 0 });
    assert_eq!(fewer.uncovered.len(), 5);
    assert_eq!(fewer.changes.dissolved, [GroupId::new(1)]);
}

/// What the store makes of a plan.
fn apply(groups: &[StoredGroup], plan: &Regrouping) -> Vec<StoredGroup> {
    let mut after: Vec<StoredGroup> = groups.to_vec();
    let joining: Vec<&MailAddress> =
        plan.joining.iter().map(|(_, mail)| mail).chain(plan.formed.iter().flat_map(|f| &f.1)).collect();
    for group in &mut after {
        group
            .members
            .retain(|member| !plan.leaving.contains(&member.mail) && !joining.contains(&&member.mail));
    }
    for (id, mail) in &plan.joining {
        let group = after.iter_mut().find(|group| group.id == *id).expect("joins a group that exists");
        group.members.push(StoredMember { mail: mail.clone(), subscription: None });
    }
    let next = after.iter().map(|group| group.id.get()).max().unwrap_or(0) + 1;
    for (next, (location, members)) in (next..).zip(&plan.formed) {
        let members =
            members.iter().map(|mail| StoredMember { mail: mail.clone(), subscription: None }).collect();
        after.push(StoredGroup { id: GroupId::new(next), location: location.clone(), members });
    }
    for id in &plan.dissolved {
        let group = after.iter().find(|group| group.id == *id).expect("dissolves a group that exists");
        assert!(group.members.is_empty(), "nobody is thrown out silently");
    }
    after.retain(|group| !plan.dissolved.contains(&group.id));
    for group in &mut after {
        group.members.sort_by(|a, b| a.mail.cmp(&b.mail));
    }
    after
}

proptest! {
    #[test]
    fn any_change_of_resources_leaves_everybody_placed_once_or_told(
        rounds in proptest::collection::vec(
            proptest::collection::btree_map(0u32..30, proptest::option::weighted(0.9, 0u8..3), 0..30), 1..5),
        per_group in 1usize..6,
        most in 0usize..6,
    ) {
        let limits = Limits { per_group, groups: most };
        let mut groups: Vec<StoredGroup> = Vec::new();
        for round in rounds {
            let found: BTreeMap<MailAddress, Option<Location>> = round
                .iter()
                .map(|(n, grouping)| (mail(*n), grouping.map(|g| at(&g.to_string()))))
                .collect();
            let planned = plan(&found, &groups, limits);
            let after = apply(&groups, &planned.changes);
            prop_assert!(after.len() <= most);
            let mut seen = BTreeSet::new();
            for group in &after {
                prop_assert!(!group.members.is_empty() && group.members.len() <= per_group);
                for member in &group.members {
                    prop_assert!(seen.insert(member.mail.clone()), "in two groups");
                    let location = found.get(&member.mail);
                    prop_assert!(location.is_some_and(|l| l.as_ref().is_none_or(|l| *l == group.location)));
                }
            }
            for (mail, location) in &found {
                let covered = seen.contains(mail);
                let told = planned.uncovered.contains(mail);
                prop_assert!(!(covered && told));
                prop_assert!(covered || told || location.is_none());
            }
            // deciding twice changes nothing
            let again = plan(&found, &after, limits);
            if planned.uncovered.is_empty() {
                prop_assert!(again.changes.is_empty(), "{again:?}");
            }
            prop_assert_eq!(again.uncovered.len(), planned.uncovered.len());
            groups = after;
        }
    }
}
