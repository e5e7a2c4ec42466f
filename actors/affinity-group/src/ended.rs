//! Subscriptions that a group ended itself, so that it is not alarmed when its stream says so. Pure, and bounded: what is
//! forgotten is told as lost, which does no harm.

use std::collections::VecDeque;

use calendar::ids::SubscriptionId;

/// How many are remembered: five times what a stream holds.
const ENDED_MAX: usize = 1_024;

/// Those that no stream has complained about yet; the oldest first.
#[derive(Debug, Default)]
pub(crate) struct EndedHere(VecDeque<SubscriptionId>);

impl EndedHere {
    /// None so far.
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// This one is about to be ended.
    pub(crate) fn remember(&mut self, subscription: &SubscriptionId) {
        if self.0.len() >= ENDED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(subscription.clone());
    }

    /// How many of these were not ended here.
    pub(crate) fn others_among(&self, subscriptions: &[SubscriptionId]) -> usize {
        subscriptions.iter().filter(|id| !self.0.contains(id)).count()
    }

    /// A stream has complained about these. Each excuses one stream, the one that it was on.
    pub(crate) fn excuse(&mut self, subscriptions: &[SubscriptionId]) {
        self.0.retain(|id| !subscriptions.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ended_is_forgotten_in_the_end_and_excuses_once() {
        let id = |n: usize| SubscriptionId::new(format!("s{n}"));
        let mut ended = EndedHere::new();
        (0..2_000).for_each(|n| ended.remember(&id(n)));
        assert_eq!(ended.0.len(), ENDED_MAX);
        assert_eq!(ended.others_among(&[id(0), id(1_999), id(5_000)]), 2, "the oldest, and one of nobody's");
        ended.excuse(&[id(1_999)]);
        assert_eq!(ended.others_among(&[id(1_999), id(1_998)]), 1);
    }
}
