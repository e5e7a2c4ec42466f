//! Which subjects of alerts are not here any more: a group, a shard, a mailbox or a duty that another instance owns now, a
//! mailbox that is not used any more, an account that was removed. Their success, which would end the alert, will never be told in
//! this process. Pure: what the database says comes in as a value.
//!
//! | named by | not here any more |
//! |---|---|
//! | `group` | another instance owns it, or there is none |
//! | `shard` | another instance owns it, or there are fewer |
//! | `mailbox`, ended by being heard | its group (without one: who forms the groups) is another instance's, or it is not used |
//! | `mailbox`, ended by being handled | its shard is another instance's, or it is not used |
//! | `account` | it was removed |
//! | nothing, ended by what one duty alone does | each duty that may do it is another instance's |
//!
//! What nobody owns at the moment is here: after an outage its owner of before takes it again. Alerts that no success ends
//! are over an hour after their event, wherever their subject is.

use base::event_entry::Clears;
use calendar::{MailAddress, codes};
use store::alerts::{Homes, Sought};
use store::shares::{COMPARISON_LEASE, LISTENER_LEASE, RESOURCE_LIST_LEASE, SENDER_LEASE};

/// Raised by who forms the groups, whoever owns the mailbox's own.
const LOCATING: [u16; 3] =
    [codes::GROUP_AFFINITY_UNSOLVED.id, codes::LOCATE_FAILED.id, codes::ENDPOINT_MISSING.id];
/// About mailboxes that are not used.
const NOT_USED: [u16; 1] = [codes::NOTIFICATION_WITHOUT_MAILBOX.id];

/// What something is counted about, with the code and the words by which it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subjects(Vec<(u16, String, Subject)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Group(i64),
    Shard(u8),
    Account(i64),
    /// Of the listener.
    Heard(MailAddress),
    /// Of the qualifier.
    Handled(MailAddress),
    /// The whole of what one of these leases stands for.
    Duty(&'static [&'static str]),
}

/// Whose duty it is that this works again: the leases of all that may say so. Nothing for what every instance does, and for
/// what groups and shards do, of which one instance may own some and another the rest.
fn duty(success: &str) -> Option<&'static [&'static str]> {
    let duty: &[&str] = match success {
        codes::success::COMMUNICATOR | codes::success::PLANNER_ITEMS => &[SENDER_LEASE],
        codes::success::COMPARISON => &[COMPARISON_LEASE],
        codes::success::RESOURCE_LIST | codes::success::RESOURCE_ENTRIES => &[RESOURCE_LIST_LEASE],
        codes::success::PLANNER_CALL => &[SENDER_LEASE, COMPARISON_LEASE, RESOURCE_LIST_LEASE],
        codes::success::LISTENER_ROUND | codes::success::COVERAGE => &[LISTENER_LEASE],
        _ => return None,
    };
    Some(duty)
}

impl Subjects {
    /// Those among what is counted that may go elsewhere; what has no words is the code's as a whole.
    pub(super) fn of(counted: Vec<(u16, String)>) -> Self {
        let subject =
            |(code, words): (u16, String)| subject(code, &words).map(|subject| (code, words, subject));
        Self(counted.into_iter().filter_map(subject).collect())
    }

    /// Is there nothing to be looked for?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is to be looked for.
    pub(super) fn sought(&self) -> Sought {
        let mut sought = Sought::default();
        for (_, _, subject) in &self.0 {
            match subject {
                Subject::Group(id) => sought.groups.push(*id),
                Subject::Account(id) => sought.accounts.push(*id),
                Subject::Heard(mail) | Subject::Handled(mail) => sought.mailboxes.push(mail.to_string()),
                Subject::Shard(_) | Subject::Duty(_) => {}
            }
        }
        sought
    }

    /// Those that are not here any more, where here is the instance `me`.
    pub(super) fn ended(&self, homes: &Homes, me: &str) -> Vec<(u16, String)> {
        let ended = self.0.iter().filter(|(code, _, subject)| is_elsewhere(*code, subject, homes, me));
        ended.map(|(code, words, _)| (*code, words.clone())).collect()
    }
}

/// What these words name; nothing for what does not go elsewhere, or ends by itself.
fn subject(code: u16, words: &str) -> Option<Subject> {
    let entry = codes::by_id(code)?;
    let Clears::On(success) = entry.clears else { return None };
    let Some(per) = entry.per else {
        return duty(success).filter(|_| words.is_empty()).map(Subject::Duty);
    };
    match per {
        "group" => words.parse().ok().map(Subject::Group),
        "shard" => words.parse().ok().map(Subject::Shard),
        // 0 is that of the configuration, which is everywhere
        "account" => words.parse::<i64>().ok().filter(|id| *id != 0).map(Subject::Account),
        "mailbox" => {
            let mail = MailAddress::parse(words).ok()?;
            let heard = success == codes::success::MAILBOX_HEARD;
            Some(if heard { Subject::Heard(mail) } else { Subject::Handled(mail) })
        }
        _ => None,
    }
}

fn is_elsewhere(code: u16, subject: &Subject, homes: &Homes, me: &str) -> bool {
    let another = |owner: Option<&String>| owner.is_some_and(|owner| owner != me);
    match subject {
        Subject::Group(id) => homes.groups.get(id).is_none_or(|owner| another(owner.as_ref())),
        Subject::Shard(shard) => homes.shards.as_ref().is_some_and(|owners| {
            owners.get(usize::from(*shard)).is_none_or(|owner| another(owner.as_ref()))
        }),
        Subject::Account(id) => !homes.accounts.contains(id),
        Subject::Duty(leases) => leases.iter().all(|key| another(homes.duties.get(*key))),
        Subject::Heard(mail) => match homes.mailboxes.get(mail.as_str()) {
            None => true,
            Some(home) if home.group.is_none() || LOCATING.contains(&code) => {
                another(homes.listener.as_ref())
            }
            Some(home) => another(home.owner.as_ref()),
        },
        Subject::Handled(mail) => {
            let unused = !NOT_USED.contains(&code) && !homes.mailboxes.contains_key(mail.as_str());
            unused || another(shard_owner(mail, homes))
        }
    }
}

/// Who decides about the mailbox (B1).
fn shard_owner<'a>(mail: &MailAddress, homes: &'a Homes) -> Option<&'a String> {
    let owners = homes.shards.as_ref()?;
    let shard = usize::from(mail.bucket()).checked_rem(owners.len())?;
    owners.get(shard)?.as_ref()
}

#[cfg(test)]
mod tests;
