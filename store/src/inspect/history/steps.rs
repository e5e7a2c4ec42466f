//! What the row of a mailbox, and those of the lists, tell of its story. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{Entry, Happening};
use crate::inspect::MailboxFacts;

/// What the row of the mailbox tells.
pub(super) fn steps_of(facts: MailboxFacts) -> Vec<Entry> {
    let steps = [
        (facts.created_at, Happening::Listed),
        (facts.deleted_date, Happening::NotInUse { reason: facts.deleted_reason }),
        (facts.located_at, Happening::Located { endpoint: facts.endpoint.unwrap_or_default() }),
        (facts.last_success, Happening::ListenedTo),
        (facts.adopted_at, Happening::Adopted),
        (facts.last_full_sync, Happening::ReadInFull { whole: facts.full_read_whole }),
        (facts.compared_at, Happening::Compared),
    ];
    let failing = facts.error_code.map(|code| Happening::CannotBeListenedTo {
        code,
        text: facts.error_description,
        count: facts.error_count,
    });
    let failing = facts.error_date.zip(failing);
    let withdrawn = facts.withdrawn.map(|(at, by)| (at, Happening::Withdrawn { by }));
    let blocked = facts.blacklisted.map(|(reason, by, at)| (at, Happening::Blocked { reason, by }));
    let allowed = facts.whitelist_entry.map(|(reason, by, at)| (at, Happening::Allowed { reason, by }));
    let certain = steps.into_iter().filter_map(|(at, what)| Some((at?, what)));
    let others = failing.into_iter().chain(withdrawn).chain(blocked).chain(allowed);
    certain.chain(others).map(|(at, what)| Entry { at, what }).collect()
}

/// An act that put a mailbox on a list was written down within this time.
const WRITTEN_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// The acts that block a mailbox (of a list that was taken over only the numbers were written down).
const BLOCKING: [&str; 2] = ["blacklist add", "mailbox block --withdraw"];
/// The acts that put a mailbox on the whitelist.
const ALLOWING: [&str; 2] = ["whitelist add", "mailbox allow"];

/// Leaves out that the mailbox came on a list where the act itself is told.
pub(super) fn forget_what_acts_tell(entries: &mut Vec<Entry>) {
    let acts: Vec<(Timestamp, String, String)> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            Happening::Acted { act, by, .. } => Some((entry.at, act.clone(), by.clone())),
            _ => None,
        })
        .collect();
    entries.retain(|entry| {
        let (known, who) = match &entry.what {
            Happening::Blocked { by, .. } => (BLOCKING, by),
            Happening::Allowed { by, .. } => (ALLOWING, by),
            _ => return true,
        };
        !acts.iter().any(|(at, act, by)| {
            known.contains(&act.as_str()) && by == who && at.duration_since(entry.at).abs() <= WRITTEN_WITHIN
        })
    });
}
