//! No write by an old token.
//!
//! The audit (`observer::audit`) records, from inside each transaction that writes something protected, which lease
//! rows the transaction has locked `FOR KEY SHARE`, with their owner and token at that moment, and whose connection
//! wrote. So a write is judged by what PostgreSQL itself says:
//! * nothing locked: there was no fence, and a take-over could have happened in the middle;
//! * the lease is that of another duty (`DUTIES`): nothing kept the right one's owner from writing at the same time;
//! * the lease belongs to another process: an old owner wrote;
//! * a call was recorded under a token that is not the lease's: an old incarnation of the owner wrote.
//!
//! A lease that is being handed back has no owner; nobody can take it before the transaction ends.

use jiff::Timestamp;

use super::lives::Lives;
use super::{FENCE, bounded, violation};
use crate::torture::contract::Violation;

/// The leases of the listener's groups.
const GROUP: &str = "affinity-group/";
/// The lease of the duty that forms groups.
const LISTENER: &str = "listener";
/// The leases of the qualifier's shards.
const SHARD: &str = "qualifier/";
/// The lease of the duty that sends to Planner.
const SENDER: &str = "communicator/planner-batcher";
/// The lease of the duty that compares and adopts.
const COMPARISON: &str = "communicator/comparison";
/// The lease of the duty that fetches Planner's list.
const RESOURCE_LIST: &str = "communicator/resource-list";

/// What is written (`observer/audit.sql` names it), and under which leases: how their keys begin. In the code of the
/// product that is the `Fence` which the functions of the store are given that write it.
const DUTIES: &[(&str, &[&str])] = &[
    // saved by a group, dropped by it, and by the listener when a mailbox leaves
    ("sync state", &[GROUP, LISTENER]),
    ("group", &[LISTENER]),
    // formed by the listener; its subscription is recorded by its group
    ("member of a group", &[LISTENER, GROUP]),
    // of a comparison: what Planner has and nobody wants is deleted there
    ("decision", &[SHARD, COMPARISON]),
    // of receipts and calls without an answer; of what Planner says that it holds
    ("acknowledgement", &[SENDER, COMPARISON]),
    ("key in flight", &[SENDER]),
    ("call", &[SENDER, COMPARISON, RESOURCE_LIST]),
    ("claim", &[SHARD]),
    ("end of a notification", &[SHARD]),
    // on the list or not; adopted; read in full
    ("resource", &[RESOURCE_LIST, COMPARISON, SHARD]),
];

/// May this be written under the lease of that key? What the table does not know may: the observer must not accuse because it
/// was not kept up to date (a test sees to that).
fn is_of_duty(what: &str, key: &str) -> bool {
    let duties = DUTIES.iter().find(|(name, _)| *name == what).map(|(_, duties)| *duties);
    duties.is_none_or(|duties| duties.iter().any(|duty| key.starts_with(duty)))
}

/// What the audit wrote about one protected write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedWrite {
    /// When.
    pub at: Timestamp,
    /// What was written.
    pub what: String,
    /// The writer's `application_name`.
    pub writer: String,
    /// The lease that its transaction holds, if any.
    pub lease: Option<Held>,
    /// The token that the written row itself names, where it names one (calls do).
    pub named_token: Option<i64>,
}

/// A lease row that a transaction has locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its key.
    pub key: String,
    /// Its owner then; empty while it is being handed back.
    pub owner: String,
    /// Its token then.
    pub token: i64,
}

/// The broken promises among these writes.
pub fn check(writes: &[AuditedWrite]) -> Vec<Violation> {
    bounded(writes.iter().filter_map(judge).collect())
}

fn judge(write: &AuditedWrite) -> Option<Violation> {
    let broken = |words: String| Some(violation(FENCE, Some(write.at), words));
    let AuditedWrite { what, writer, .. } = write;
    let Some(held) = &write.lease else {
        return broken(format!("{what} written by {writer} without holding any lease"));
    };
    if !is_of_duty(what, &held.key) {
        return broken(format!("{what} written by {writer} under {}, the lease of another duty", held.key));
    }
    let (owner, by) = (Lives::pid_of_owner(&held.owner), Lives::pid_of_writer(writer));
    if !held.owner.is_empty() && owner != by {
        let Held { key, owner, token } = held;
        return broken(format!("{what} written by {writer} under {key}, which {owner} owns (token {token})"));
    }
    match write.named_token {
        Some(named) if named != held.token => {
            let Held { key, token, .. } = held;
            broken(format!("{what} written by {writer} under token {named} of {key}, whose token is {token}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lives::tests::at;
    use super::*;

    fn write() -> AuditedWrite {
        let held = Held { key: "qualifier/3".into(), owner: "host/7/abc".into(), token: 5 };
        AuditedWrite {
            at: at(0),
            what: "decision".into(),
            writer: "kommuneklient/7".into(),
            lease: Some(held),
            named_token: None,
        }
    }

    #[test]
    fn writes_of_the_owner_are_good() {
        let mut handed_back = write();
        handed_back.lease.as_mut().unwrap().owner.clear();
        let call = AuditedWrite { named_token: Some(5), ..under("call", SENDER) };
        assert_eq!(check(&[write(), handed_back, call]), []);
    }

    fn under(what: &str, key: &str) -> AuditedWrite {
        let held = Held { key: key.into(), owner: "host/7/abc".into(), token: 5 };
        AuditedWrite { what: what.into(), lease: Some(held), ..write() }
    }

    #[test]
    fn a_write_under_the_lease_of_another_duty_is_caught() {
        let keys =
            ["affinity-group/12", LISTENER, "qualifier/3", SENDER, COMPARISON, RESOURCE_LIST, "housekeeping"];
        // which of those keys are good
        let table = [
            ("sync state", "affinity-group/12 listener"),
            ("group", "listener"),
            ("member of a group", "affinity-group/12 listener"),
            ("decision", "qualifier/3 communicator/comparison"),
            ("acknowledgement", "communicator/planner-batcher communicator/comparison"),
            ("key in flight", "communicator/planner-batcher"),
            ("call", "communicator/planner-batcher communicator/comparison communicator/resource-list"),
            ("claim", "qualifier/3"),
            ("end of a notification", "qualifier/3"),
            ("resource", "qualifier/3 communicator/comparison communicator/resource-list"),
        ];
        assert_eq!(table.len(), DUTIES.len());
        for (what, good) in table {
            for key in keys {
                let found = check(&[under(what, key)]);
                let is_good = good.split(' ').any(|good| good == key);
                assert_eq!(found.is_empty(), is_good, "{what} under {key}: {found:?}");
                assert!(
                    found.iter().all(|one| one.words.ends_with("the lease of another duty")),
                    "{found:?}"
                );
            }
        }
    }

    #[test]
    fn everything_that_the_audit_names_has_its_duties() {
        let audit = include_str!("../observer/audit.sql");
        let arguments = audit.split("torture.audit('").skip(1).chain(audit.split("torture.note('").skip(1));
        let named: std::collections::BTreeSet<&str> =
            arguments.filter_map(|rest| rest.split('\'').next()).collect();
        let known: std::collections::BTreeSet<&str> = DUTIES.iter().map(|(what, _)| *what).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn a_write_without_a_fence_is_caught() {
        let found = check(&[write(), AuditedWrite { lease: None, ..write() }]);
        assert_eq!(found.len(), 1);
        assert!(found[0].words.contains("without holding any lease"), "{found:?}");
    }

    #[test]
    fn a_write_of_an_old_owner_is_caught() {
        let found = check(&[AuditedWrite { writer: "kommuneklient/8".into(), ..write() }]);
        assert!(found[0].words.contains("which host/7/abc owns"), "{found:?}");
    }

    #[test]
    fn a_write_of_an_old_incarnation_is_caught_where_the_row_names_its_token() {
        let found = check(&[AuditedWrite { named_token: Some(4), ..write() }]);
        assert!(found[0].words.contains("token 4 of qualifier/3, whose token is 5"), "{found:?}");
    }
}
