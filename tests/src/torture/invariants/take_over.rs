//! How long leases were without a living owner: figures, and a promise about the longest ([`MOST`]).
//!
//! All leases are meant: each duty is somebody's all the time, and the key of a group that was dissolved never comes again.

use std::time::Duration;

use jiff::Timestamp;

use super::lives::{End, Lives};
use super::{TAKE_OVER, bounded, violation};
use crate::torture::contract::Violation;

/// Within this time somebody else has taken over. It is the promise of an unscaled service, in real time: a machine that is
/// loaded does not become faster when settings are scaled down.
pub const MOST: Duration = Duration::from_secs(15);

/// A lease changed hands (or was handed back: no owner).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Which lease.
    pub key: String,
    /// Its owner from then on; empty when it was handed back.
    pub owner: String,
    /// Its token from then on.
    pub token: i64,
}

/// How long leases were without a living owner, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// With the database there all the time.
    pub plain: Vec<u64>,
    /// With the database away for some of it: nobody can take anything over then.
    pub without_database: Vec<u64>,
}

/// A lease that was without a living owner.
#[derive(Debug)]
struct Orphaned<'a> {
    key: &'a str,
    /// From then on.
    from: Timestamp,
    /// Until another process took it.
    to: Timestamp,
    /// Was the database away at any time of it?
    without_database: bool,
}

impl Orphaned<'_> {
    fn millis(&self) -> u64 {
        u64::try_from(self.to.duration_since(self.from).as_millis()).unwrap_or_default()
    }
}

/// How long leases were without a living owner. `changes` stand in order of time.
pub fn times(changes: &[Change], lives: &Lives) -> Times {
    let mut times = Times::default();
    for one in orphaned(changes, lives) {
        let kind = if one.without_database { &mut times.without_database } else { &mut times.plain };
        kind.push(one.millis());
    }
    times
}

/// With the database there, nobody waits for [`MOST`].
pub fn check(changes: &[Change], lives: &Lives) -> Vec<Violation> {
    let most = u64::try_from(MOST.as_millis()).unwrap_or(u64::MAX);
    let late =
        orphaned(changes, lives).into_iter().filter(|one| !one.without_database && one.millis() >= most);
    let found = late.map(|one| {
        let words = format!("{} was without a living owner for {} ms", one.key, one.millis());
        violation(TAKE_OVER, Some(one.from), words)
    });
    bounded(found.collect())
}

/// Each lease that its owner held when it was killed or paused and that another process took later.
fn orphaned<'a>(changes: &'a [Change], lives: &Lives) -> Vec<Orphaned<'a>> {
    let mut orphaned = Vec::new();
    for (index, taken) in changes.iter().enumerate() {
        let Some(next) = changes[index + 1..].iter().find(|later| later.key == taken.key) else { continue };
        if taken.owner.is_empty() || next.owner.is_empty() || next.owner == taken.owner {
            continue;
        }
        let Some(pid) = Lives::pid_of_owner(&taken.owner) else { continue };
        if let Some(from) = gone(pid, taken.at, next.at, lives) {
            let without_database = lives.was_database_away(from, next.at);
            orphaned.push(Orphaned { key: &taken.key, from, to: next.at, without_database });
        }
    }
    orphaned
}

/// When the owner ceased to act between taking the lease and losing it.
fn gone(pid: u32, from: Timestamp, to: Timestamp, lives: &Lives) -> Option<Timestamp> {
    let (_, life) = lives.iter().find(|(other, _)| *other == pid)?;
    let killed = match life.end {
        Some(End::Killed(at)) => Some(at),
        _ => None,
    };
    let paused =
        life.pauses.iter().filter(|(_, end)| end.is_none_or(|end| end > to)).map(|(begin, _)| *begin);
    killed.into_iter().chain(paused).filter(|at| (from..=to).contains(at)).min()
}

#[cfg(test)]
mod tests {
    use super::super::lives::tests::{at, noted};
    use super::*;
    use crate::torture::contract::Act;

    fn change(ms: i64, key: &str, pid: u32, token: i64) -> Change {
        let owner = if pid == 0 { String::new() } else { format!("host/{pid}/x") };
        Change { at: at(ms), key: key.into(), owner, token }
    }

    #[test]
    fn the_time_from_the_death_of_an_owner_to_the_next_one() {
        let lives = Lives::of(&[
            noted(0, Act::Started { instance: 1, pid: 7 }),
            noted(0, Act::Started { instance: 2, pid: 8 }),
            noted(500, Act::Killed { instance: 1, pid: 7 }),
            noted(2_000, Act::Paused { instance: 2, pid: 8 }),
            noted(9_000, Act::Resumed { instance: 2, pid: 8 }),
        ]);
        let changes = [
            change(100, "a", 7, 2),
            change(110, "b", 7, 2),
            change(120, "c", 8, 2),
            // handed back in order, then taken: no owner was missed
            change(130, "d", 7, 2),
            change(140, "d", 0, 2),
            change(1_400, "a", 8, 3),
            change(1_500, "d", 8, 3),
            change(3_100, "c", 9, 3),
        ];
        let found = times(&changes, &lives);
        assert_eq!(
            (found.plain.as_slice(), found.without_database.as_slice()),
            ([900, 1_100].as_slice(), [].as_slice())
        );
    }

    #[test]
    fn a_take_over_may_not_take_fifteen_seconds_while_the_database_is_there() {
        let most = i64::try_from(MOST.as_millis()).unwrap();
        for (took, away, broken) in [(most - 1, false, 0), (most, false, 1), (most, true, 0)] {
            let mut notes = vec![
                noted(0, Act::Started { instance: 1, pid: 7 }),
                noted(500, Act::Killed { instance: 1, pid: 7 }),
            ];
            if away {
                notes.push(noted(600, Act::DatabaseDown));
                notes.push(noted(700, Act::DatabaseUp));
            }
            let changes = [change(100, "qualifier/1", 7, 2), change(500 + took, "qualifier/1", 8, 3)];
            let found = check(&changes, &Lives::of(&notes));
            assert_eq!(found.len(), broken, "{took} ms, the database away: {away}");
            let words = format!("qualifier/1 was without a living owner for {took} ms");
            assert!(found.iter().all(|one| one.invariant == TAKE_OVER && one.words == words), "{found:?}");
        }
    }

    #[test]
    fn take_overs_while_the_database_is_away_are_counted_apart() {
        let lives = Lives::of(&[
            noted(0, Act::Started { instance: 1, pid: 7 }),
            noted(500, Act::Killed { instance: 1, pid: 7 }),
            noted(600, Act::DatabaseDown),
            noted(1_900, Act::DatabaseUp),
            noted(3_000, Act::Started { instance: 1, pid: 9 }),
            noted(4_000, Act::Killed { instance: 1, pid: 9 }),
        ]);
        let changes = [
            change(100, "a", 7, 2),
            change(2_400, "a", 8, 3),
            change(3_100, "b", 9, 2),
            change(5_000, "b", 8, 3),
        ];
        let found = times(&changes, &lives);
        assert_eq!(found, Times { plain: vec![1_000], without_database: vec![1_900] });
    }
}
