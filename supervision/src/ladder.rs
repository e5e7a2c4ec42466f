//! How long a part that always fails takes to end the tree: from level to level, by the limits and pauses of the
//! specifications alone. Pure; for tests that hold a tree to what is written of it.
//!
//! Pauses may spread failures wider than the window of an intensity: then the supervisor restarts that child for
//! ever and nobody above hears of it. That is right for one of many (a mailbox), and wrong for a part without
//! which the process is of no use.

use std::time::Duration;

use base::Backoff;

use crate::child::Kind;
use crate::intensity::Intensity;
use crate::strategy::Restart;
use crate::supervisor::SupervisorSpec;

impl SupervisorSpec {
    /// For each static actor below, by its path: after how long, at most, this supervisor gives up when that actor fails
    /// at once at each start; `None` = never for that alone. What the actor takes to fail comes on top, and may
    /// only be as long as the windows leave room for.
    pub fn time_to_give_up(&self) -> Vec<(String, Option<Duration>)> {
        let mut all = Vec::new();
        for child in &self.children {
            let below = match &child.kind {
                Kind::Actor(_) => vec![(child.id.to_string(), Some(Duration::ZERO))],
                Kind::Supervisor(spec) => spec.time_to_give_up(),
            };
            let is_restarted = child.restart != Restart::Temporary;
            for (path, cycle) in below {
                let time = cycle
                    .filter(|_| is_restarted)
                    .and_then(|cycle| give_up(self.policy.intensity, &self.policy.backoff, cycle));
                all.push((format!("{}/{path}", self.id), time));
            }
        }
        all
    }
}

/// How long until a child that fails `cycle` after each start is given up.
fn give_up(intensity: Intensity, backoff: &Backoff, cycle: Duration) -> Option<Duration> {
    let pauses: Duration = (1..=intensity.max_restarts).map(|failure| backoff.delay(failure, 0.0)).sum();
    // from the first restart that is granted to the failure that is one too many
    let span = pauses + cycle * intensity.max_restarts;
    (span < intensity.window).then(|| span + cycle)
}

#[cfg(test)]
mod tests {
    //! Goal: the reckoning is that of the supervisors. Method: by hand; a tree on paused time that fails.
    use base::SystemClock;

    use super::*;
    use crate::tree::testing::{Stage, Vice, on_paused_time, root, supervisor};
    use crate::{ChildSpec, Ended, Strategy, Tree};

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_pauses_must_fit_into_the_window() {
        let backoff = Backoff::doubling(seconds(1), seconds(4));
        let of = |max_restarts, window, cycle| {
            give_up(Intensity { max_restarts, window: seconds(window) }, &backoff, seconds(cycle))
        };
        assert_eq!(of(0, 1, 0), Some(seconds(0)));
        assert_eq!(of(4, 12, 0), Some(seconds(1 + 2 + 4 + 4)));
        assert_eq!(of(4, 11, 0), None);
        assert_eq!(of(4, 20, 2), Some(seconds(1 + 2 + 4 + 4 + 5 * 2)));
        assert_eq!(of(4, 19, 2), None);
    }

    #[test]
    fn a_tree_gives_up_within_the_time_that_was_reckoned() {
        on_paused_time(async {
            let stage = Stage::default();
            let tree_of = |always_fails| {
                let (spec, _) = stage.puppet_with("a", move |_| always_fails);
                let below = supervisor("below", Strategy::OneForOne, 3).child(spec);
                root(Strategy::OneForOne, 2).child(ChildSpec::supervisor(below))
            };
            let times = tree_of(None).time_to_give_up();
            assert_eq!(times.len(), 1);
            assert_eq!(times[0].0, "root/below/a");
            let bound = times[0].1.expect("the pauses of the test's supervisors fit into their windows");
            let begin = tokio::time::Instant::now();
            let tree = Tree::start(tree_of(Some(Vice::PanicInStarted)), SystemClock::shared());
            assert!(matches!(tree.ended().await, Ended::Escalated { .. }));
            let took = tokio::time::Instant::now().duration_since(begin);
            assert!(took <= bound + Duration::from_millis(100), "{took:?}, reckoned {bound:?}");
        });
    }
}
