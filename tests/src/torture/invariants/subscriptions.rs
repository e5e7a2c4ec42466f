//! Live subscriptions at Exchange: who is listened to, and what ended groups leave behind.

use std::collections::{BTreeMap, BTreeSet};

use simulator_exchange::admin::SubscriptionState;

use super::{LEFT_BEHIND, LISTENING, bounded, violation};
use crate::torture::contract::Violation;

/// Mailboxes of `in_use` that no open stream hears: until that is so, the state has not come to rest.
pub fn unheard(live: &[SubscriptionState], in_use: &BTreeSet<String>) -> Vec<String> {
    let heard = heard(live);
    in_use.iter().filter(|mailbox| !heard.contains_key(*mailbox)).cloned().collect()
}

/// Whose subscriptions are on no open stream: one entry for each.
pub fn idle(live: &[SubscriptionState]) -> Vec<String> {
    live.iter().filter(|one| !one.streamed).map(|one| one.mailbox.to_lowercase()).collect()
}

/// At rest nobody is heard twice, and nobody who is not in use.
pub fn check_at_rest(live: &[SubscriptionState], in_use: &BTreeSet<String>) -> Vec<Violation> {
    let found = heard(live).into_iter().filter_map(|(mailbox, count)| {
        let words = if !in_use.contains(&mailbox) {
            format!("{mailbox} is not in use, and {count} streams hear it")
        } else if count > 1 {
            format!("{count} streams hear {mailbox}")
        } else {
            return None;
        };
        Some(violation(LISTENING, None, words))
    });
    bounded(found.collect())
}

/// What was heard at rest, and still lives when every instance has ended in order.
pub fn check_left_behind(at_rest: &[SubscriptionState], in_the_end: &[SubscriptionState]) -> Vec<Violation> {
    let heard: BTreeSet<&str> =
        at_rest.iter().filter(|one| one.streamed).map(|one| one.id.as_str()).collect();
    let left = in_the_end.iter().filter(|one| one.streamed || heard.contains(one.id.as_str()));
    let found = left.map(|one| {
        let words = format!("a subscription of {} lives on after all instances ended in order", one.mailbox);
        violation(LEFT_BEHIND, None, words)
    });
    bounded(found.collect())
}

/// Lower-cased addresses, and how many open streams hear each.
fn heard(live: &[SubscriptionState]) -> BTreeMap<String, usize> {
    let mut heard = BTreeMap::new();
    for one in live.iter().filter(|one| one.streamed) {
        *heard.entry(one.mailbox.to_lowercase()).or_default() += 1;
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::super::lives::tests::at;
    use super::*;

    fn subscription(id: &str, mailbox: &str, streamed: bool) -> SubscriptionState {
        SubscriptionState {
            id: id.into(),
            mailbox: mailbox.into(),
            account: "svc".into(),
            back_end: "ex1-1".into(),
            created: at(0),
            streamed,
            waiting: 0,
        }
    }

    fn in_use() -> BTreeSet<String> {
        BTreeSet::from(["a@x".to_owned(), "b@x".to_owned()])
    }

    #[test]
    fn a_mailbox_whose_subscription_is_on_no_stream_is_not_heard() {
        let live = [subscription("1", "A@x", true), subscription("2", "b@x", false)];
        assert_eq!(unheard(&live, &in_use()), ["b@x"]);
        assert_eq!(idle(&live), ["b@x"]);
        assert_eq!(check_at_rest(&live, &in_use()), []);
    }

    #[test]
    fn twice_or_without_use_is_caught() {
        let twice = [subscription("1", "a@x", true), subscription("2", "a@x", true)];
        assert!(check_at_rest(&twice, &in_use())[0].words.starts_with("2 streams hear a@x"));
        let unused = [subscription("1", "c@x", true)];
        assert!(check_at_rest(&unused, &in_use())[0].words.contains("not in use"));
    }

    #[test]
    fn what_lives_on_after_the_end_is_caught() {
        let at_rest = [subscription("1", "a@x", true), subscription("2", "b@x", true)];
        // of a process that was killed: nobody could end it
        let orphan = subscription("0", "a@x", false);
        assert_eq!(check_left_behind(&at_rest, std::slice::from_ref(&orphan)), []);
        let found = check_left_behind(&at_rest, &[orphan, subscription("2", "b@x", false)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].words.contains("of b@x"), "{found:?}");
    }
}
