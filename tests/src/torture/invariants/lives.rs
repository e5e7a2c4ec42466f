//! When each process lived and when it was paused, from what the driver told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::torture::contract::{Act, Noted};

/// The lives of all processes, by process id. (Within one seed the system gives no id twice.)
#[derive(Debug, Clone, Default)]
pub struct Lives {
    lives: BTreeMap<u32, Life>,
    /// From when to when the database was away.
    database_away: Vec<(Timestamp, Option<Timestamp>)>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Which instance it is.
    pub instance: u32,
    /// When it was started.
    pub started: Timestamp,
    /// How it ended.
    pub end: Option<End>,
    /// From when to when it was paused; one that was never woken up has no end.
    pub pauses: Vec<(Timestamp, Option<Timestamp>)>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Killed at this time.
    Killed(Timestamp),
    /// In order, after SIGTERM.
    InOrder(Timestamp),
}

impl Lives {
    /// What the notes tell.
    pub fn of(notes: &[Noted]) -> Self {
        let mut lives: BTreeMap<u32, Life> = BTreeMap::new();
        let mut database_away: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
        for Noted { at, act } in notes {
            match *act {
                Act::Started { instance, pid } => {
                    lives.insert(pid, Life { instance, started: *at, end: None, pauses: Vec::new() });
                }
                Act::Killed { pid, .. } => {
                    if let Some(life) = lives.get_mut(&pid) {
                        life.end = Some(End::Killed(*at));
                    }
                }
                Act::Ended { pid, .. } => {
                    if let Some(life) = lives.get_mut(&pid) {
                        life.end = Some(End::InOrder(*at));
                    }
                }
                Act::Paused { pid, .. } => {
                    if let Some(life) = lives.get_mut(&pid) {
                        life.pauses.push((*at, None));
                    }
                }
                Act::Resumed { pid, .. } => {
                    if let Some(pause) = lives.get_mut(&pid).and_then(|life| life.pauses.last_mut()) {
                        pause.1 = Some(*at);
                    }
                }
                Act::DatabaseDown => database_away.push((*at, None)),
                Act::DatabaseUp => {
                    if let Some(away) = database_away.last_mut() {
                        away.1 = Some(*at);
                    }
                }
                Act::FaultsEnded => {}
            }
        }
        Self { lives, database_away }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Life)> {
        self.lives.iter().map(|(pid, life)| (*pid, life))
    }

    /// Was the process paused at any time from `from` to `to`, both included?
    pub fn was_paused(&self, pid: u32, from: Timestamp, to: Timestamp) -> bool {
        let pauses = self.lives.get(&pid).map(|life| life.pauses.as_slice()).unwrap_or_default();
        pauses.iter().any(|(begin, end)| *begin <= to && end.is_none_or(|end| end >= from))
    }

    /// Was the database away at any time from `from` to `to`?
    pub fn was_database_away(&self, from: Timestamp, to: Timestamp) -> bool {
        self.database_away.iter().any(|(begin, end)| *begin <= to && end.is_none_or(|end| end >= from))
    }

    /// Have all of them ended, and the last process of each instance in order?
    pub fn all_ended_in_order(&self) -> bool {
        let mut last: BTreeMap<u32, &Life> = BTreeMap::new();
        for life in self.lives.values() {
            let latest = last.entry(life.instance).or_insert(life);
            if life.started > latest.started {
                *latest = life;
            }
        }
        !last.is_empty()
            && self.lives.values().all(|life| life.end.is_some())
            && last.values().all(|life| matches!(life.end, Some(End::InOrder(_))))
    }

    /// The process whose lease it is: `HOST/PID/UUID`.
    pub fn pid_of_owner(owner: &str) -> Option<u32> {
        owner.rsplit('/').nth(1)?.parse().ok()
    }

    /// The process whose connection it is: `kommuneklient/PID`.
    pub fn pid_of_writer(application_name: &str) -> Option<u32> {
        application_name.strip_prefix("kommuneklient/")?.parse().ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    pub(crate) fn noted(ms: i64, act: Act) -> Noted {
        Noted { at: at(ms), act }
    }

    #[test]
    fn a_pause_lasts_from_before_the_signal_to_after_it() {
        let lives = Lives::of(&[
            noted(0, Act::Started { instance: 1, pid: 7 }),
            noted(100, Act::Paused { instance: 1, pid: 7 }),
            noted(300, Act::Resumed { instance: 1, pid: 7 }),
            noted(400, Act::Paused { instance: 1, pid: 7 }),
            noted(450, Act::Killed { instance: 1, pid: 7 }),
        ]);
        for (from, to, expected) in [
            (0, 99, false),
            (0, 100, true),
            (200, 210, true),
            (300, 399, true),
            (301, 399, false),
            (500, 600, true),
        ] {
            assert_eq!(lives.was_paused(7, at(from), at(to)), expected, "{from} to {to}");
        }
        assert!(!lives.was_paused(8, at(0), at(600)));
        assert!(!lives.all_ended_in_order(), "it was killed, and nobody ended in order");
    }

    #[test]
    fn all_have_ended_in_order_when_the_last_process_of_each_instance_has() {
        let mut notes = vec![
            noted(0, Act::Started { instance: 1, pid: 7 }),
            noted(0, Act::Started { instance: 2, pid: 8 }),
            noted(10, Act::Killed { instance: 1, pid: 7 }),
            noted(20, Act::Started { instance: 1, pid: 5 }),
            noted(30, Act::Ended { instance: 1, pid: 5 }),
        ];
        assert!(!Lives::of(&notes).all_ended_in_order(), "one lives");
        notes.push(noted(40, Act::Ended { instance: 2, pid: 8 }));
        assert!(Lives::of(&notes).all_ended_in_order());
        notes.pop();
        notes.push(noted(40, Act::Killed { instance: 2, pid: 8 }));
        assert!(!Lives::of(&notes).all_ended_in_order(), "one was killed");
    }

    #[test]
    fn names_tell_processes() {
        assert_eq!(Lives::pid_of_owner("host/with/slash/4711/0123abcd"), Some(4711));
        assert_eq!(Lives::pid_of_owner(""), None);
        assert_eq!(Lives::pid_of_writer("kommuneklient/4711"), Some(4711));
        assert_eq!(Lives::pid_of_writer("kommuneklient withheld"), None);
    }
}
