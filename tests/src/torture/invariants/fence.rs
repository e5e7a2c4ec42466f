//! No write by an old token.
//!
//! The audit (`observer::audit`) records, from inside each transaction that writes something protected, which lease
//! rows the transaction has locked `FOR KEY SHARE`, with their owner and token at that moment, and whose connection
//! wrote. So a write is judged by what PostgreSQL itself says:
//! * nothing locked: there was no fence, and a take-over could have happened in the middle;
//! * the lease belongs to another process: an old owner wrote;
//! * a call was recorded under a token that is not the lease's: an old incarnation of the owner wrote.
//!
//! A lease that is being handed back has no owner; nobody can take it before the transaction ends.

use jiff::Timestamp;

use super::lives::Lives;
use super::{FENCE, bounded, violation};
use crate::torture::contract::Violation;

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
        let call = AuditedWrite { what: "call".into(), named_token: Some(5), ..write() };
        assert_eq!(check(&[write(), handed_back, call]), []);
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
