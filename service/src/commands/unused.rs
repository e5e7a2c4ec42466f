//! Why a mailbox is not in use: one judgement for all commands that say so.

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use store::inspect::Tombstone;
use store::resource_list::lists::{ListEntry, ResourceRow};

use super::show::moment;
use super::{CommandError, mailbox, reasons};
use crate::texts::{Language, lists as l, mailbox as t, words as w};

/// Why a mailbox is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unused {
    /// Its data was erased, and Planner's list does not bring it back.
    Erased(Tombstone),
    /// It is on the blacklist; whether Planner lists it is not known where that was before the first list.
    Blocked(ListEntry),
    /// Planner does not list it any more, or the whitelist does not name it.
    Dropped {
        /// Since when.
        since: Timestamp,
        /// Why, as it is stored.
        reason: Option<String>,
    },
    /// Planner never listed it.
    NeverListed,
}

/// Why this mailbox is not in use; `None` where it is.
///
/// # Errors
/// The database.
pub(crate) async fn why(store: &Store, mail: &MailAddress) -> Result<Option<Unused>, CommandError> {
    let row = store.resource_row(mail).await?;
    if row.as_ref().is_some_and(|row| row.deleted_date.is_none()) {
        return Ok(None);
    }
    let (tombstone, blocked) = (store.tombstone(mail).await?, store.blocked(mail).await?);
    Ok(Some(judge(row, tombstone, blocked)))
}

/// The same of one that is not in use, by what is stored of it. Pure.
fn judge(row: Option<ResourceRow>, tombstone: Option<Tombstone>, blocked: Option<ListEntry>) -> Unused {
    if let Some(tombstone) = tombstone {
        return Unused::Erased(tombstone);
    }
    if let Some(blocked) = blocked {
        return Unused::Blocked(blocked);
    }
    match row.and_then(|row| Some((row.deleted_date?, row.deleted_reason))) {
        Some((since, reason)) => Unused::Dropped { since, reason },
        None => Unused::NeverListed,
    }
}

impl Unused {
    /// Is it a resource here, which Planner lists or listed?
    pub(crate) const fn is_resource(&self) -> bool {
        match self {
            Self::Dropped { .. } => true,
            Self::Blocked(entry) => entry.in_use.is_some(),
            Self::Erased(_) | Self::NeverListed => false,
        }
    }

    /// As a refusal, with the next step.
    pub(crate) fn refusal(self, mail: &MailAddress) -> CommandError {
        let mailbox = mail.to_string();
        match self {
            Self::Erased(Tombstone { at, by }) => CommandError::Erased { mail: mailbox, at: moment(at), by },
            Self::Blocked(entry) => CommandError::blocked(mail, entry),
            Self::Dropped { since, reason } => {
                CommandError::NotInUse { mail: mailbox, since: moment(since), reason }
            }
            Self::NeverListed => CommandError::UnknownMailbox { mail: mailbox },
        }
    }

    /// In words.
    pub(crate) fn text(&self, language: Language) -> String {
        match self {
            Self::Erased(Tombstone { at, by }) => {
                l::ERASED_BY.fill(language, &[("at", &moment(*at)), ("by", by)])
            }
            Self::Blocked(entry) => mailbox::blocked_text(entry, l::BLOCKED_BY, language),
            Self::Dropped { since, reason } => {
                let why = reasons::or_none(reason.as_deref(), language);
                w::NOT_IN_USE.fill(language, &[("at", &moment(*since)), ("why", &why)])
            }
            Self::NeverListed => t::NEVER_LISTED.say(language).to_owned(),
        }
    }

    /// For programs.
    pub(crate) fn value(&self) -> Value {
        let (why, since, by, reason) = match self {
            Self::Erased(Tombstone { at, by }) => ("erased", Some(*at), Some(by), None),
            Self::Blocked(entry) => {
                ("blocked", Some(entry.added_at), Some(&entry.added_by), entry.reason.as_ref())
            }
            Self::Dropped { since, reason } => ("dropped", Some(*since), None, reason.as_ref()),
            Self::NeverListed => ("never_listed", None, None, None),
        };
        json!({ "why": why, "since": since.map(|at| at.to_string()), "by": by, "reason": reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ResourceRow {
        ResourceRow {
            mail: "anna@x.dk".into(),
            is_case_worker: true,
            deleted_date: Some(Timestamp::UNIX_EPOCH),
            deleted_reason: Some("P-NonWhitelist".into()),
            blacklisted: false,
            error_code: None,
            last_success: None,
            adopted_at: None,
            last_full_sync: None,
            group: None,
        }
    }

    /// Regression: who was erased, or blocked before the first list came, was called never listed.
    #[test]
    fn only_of_whom_nothing_is_known_it_is_said_that_planner_never_listed_them() {
        let mail = MailAddress::parse("anna@x.dk").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let erased = || Some(Tombstone { at, by: "bo".into() });
        let blocked = |in_use| {
            let reason = Some("has left".to_owned());
            Some(ListEntry { mail: "Anna@x.dk".into(), reason, added_by: "kim".into(), added_at: at, in_use })
        };
        for (row, erased, blocked, why, words, is_resource) in [
            (None, None, None, "never_listed", "Planner never listed", false),
            (None, None, blocked(None), "blocked", "blocked by kim", false),
            (Some(row()), None, blocked(Some(false)), "blocked", "blocked by kim", true),
            (Some(row()), None, None, "dropped", "not on the whitelist (P-NonWhitelist)", true),
            (None, erased(), None, "erased", "by bo", false),
            (None, erased(), blocked(None), "erased", "by bo", false),
        ] {
            let unused = judge(row, erased, blocked);
            assert_eq!((&unused.value()["why"], unused.is_resource()), (&json!(why), is_resource));
            let told = unused.text(Language::En);
            assert!(told.contains(words), "{told}");
            let refused = unused.clone().refusal(&mail).to_string();
            assert_eq!(refused.contains("never listed"), why == "never_listed", "{refused}");
            assert_ne!(unused.text(Language::Da), told);
        }
    }
}
