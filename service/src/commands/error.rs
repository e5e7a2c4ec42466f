//! Why a command of an operator was refused or failed, with the next step, in the language of whoever asked. What a cause below
//! says (the database, the operating system) is in English.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use calendar::MailAddress;
use store::StoreError;
use store::operations::Unused;
use store::resource_list::lists::{ListEdit, ListEntry};
use store::resource_list::{NON_WHITELIST, NOT_IN_PLANNER};

use super::reasons;
use super::show::{counted_in, moment};
use crate::acts;
use crate::cli::operators::RunId;
use crate::lists_file::{InvalidRow, ListsFileError};
use crate::texts::{Language, lists, refusals as t, withheld as runs, words as w};

/// Most rows that cannot be used which are told to people.
const ROWS_TOLD: usize = 100;

/// A failure of a command. Its `Display` is English, as logs and programs get it; [`text`](Self::text) is for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The database failed.
    Store(#[source] StoreError),
    /// The embedded database was never made.
    NoDatabase {
        /// The folder that it is to be in.
        folder: String,
    },
    /// The tables that the command needs are not there.
    Schema(#[source] StoreError),
    /// There is no such resource.
    UnknownMailbox {
        /// Which.
        mail: String,
    },
    /// It is blocked.
    Blocked {
        /// Which.
        mail: String,
        /// Why, where somebody said so.
        reason: Option<String>,
        /// By whom.
        by: String,
        /// Since when.
        at: String,
        /// Is it a resource here, which Planner lists or listed?
        is_listed: bool,
    },
    /// It is not in use.
    NotInUse {
        /// Which.
        mail: String,
        /// Since when.
        since: String,
        /// Why, where that is known.
        reason: Option<String>,
    },
    /// Nobody is meant.
    NobodyInUse {
        /// The operation's number.
        id: i64,
    },
    /// Nobody is left of those who were meant.
    CameToNothing {
        /// The operation's number.
        id: i64,
        /// Some of those who are not used any more.
        unused: Vec<Unused>,
    },
    /// Somebody should be sure first.
    NotSure(Consequence),
    /// There is no operation with this number.
    UnknownOperation {
        /// Its number.
        id: i64,
    },
    /// There is no withheld run with this number.
    UnknownRun {
        /// Its number.
        run: RunId,
    },
    /// The run does not wait any more.
    Settled {
        /// Its number.
        run: RunId,
        /// What became of it: `confirmed` …
        state: String,
        /// The run that took its place, if one did.
        successor: Option<RunId>,
    },
    /// A file cannot be read.
    ReadFile {
        /// Its path.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of lists cannot be read as one.
    ListsFile {
        /// Its path.
        file: String,
        /// Why.
        why: ListsFileError,
    },
    /// Some rows of a file cannot be used.
    InvalidRows(Vec<InvalidRow>),
    /// A rehearsal found that some rows of a file cannot be used; the answer names them.
    RowsWouldRefuse {
        /// How many.
        count: u64,
    },
    /// Some of several runs could not be settled; the answer names them.
    SomeNotSettled {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
    },
    /// Its data was erased.
    Erased {
        /// Which.
        mail: String,
        /// When.
        at: String,
        /// By whom.
        by: String,
    },
    /// It cannot be erased now: appointments of it are in a call.
    InCall {
        /// How many.
        count: u64,
    },
    /// It cannot be erased: nothing would delete in Planner what it holds of it.
    StillHeld {
        /// Which.
        mail: String,
        /// How many appointments.
        count: u64,
    },
    /// It cannot be erased: the whitelist would be empty, and so everybody be used.
    LastOnWhitelist {
        /// Which.
        mail: String,
    },
    /// Nothing is known of it, so that it is hardly meant.
    NothingKnown {
        /// Which.
        mail: String,
    },
    /// Mailboxes are not to be located anew.
    NotRediscovered,
    /// Nothing is sent at all.
    DryRun {
        /// The configuration of whoever asks says something else than the instances that run.
        differs: bool,
    },
    /// Steps of the doctor fail.
    StepsFail {
        /// How many.
        count: usize,
    },
    /// Nobody does anything.
    NothingRuns,
    /// There is nothing to be tried again.
    NothingSetAside,
    /// It took too long.
    TimedOut {
        /// Its number.
        id: i64,
        /// How long it was followed.
        waited: Duration,
        /// Mailboxes done.
        done: u64,
        /// Mailboxes meant.
        of: u64,
    },
}

/// What somebody should be sure of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The whitelist would be empty, and so many be used that are not used now.
    WhitelistEmpty {
        /// How many.
        revived: u64,
    },
    /// So many would not be used any more.
    NotUsed {
        /// How many.
        dropped: u64,
        /// Of how many.
        in_use_before: u64,
    },
    /// Everything that is stored of it would be removed.
    Erased {
        /// Whose.
        mail: String,
    },
}

impl Consequence {
    /// What this change of the lists leads to.
    pub(super) const fn of(edit: &ListEdit) -> Self {
        if edit.entries_now == 0 {
            return Self::WhitelistEmpty { revived: edit.revived };
        }
        Self::NotUsed { dropped: edit.dropped, in_use_before: edit.in_use_before }
    }

    /// In words.
    pub(super) fn text(&self, language: Language) -> String {
        let resources = |n: u64| counted_in(language, n, w::ONE_RESOURCE, w::RESOURCES);
        match self {
            Self::WhitelistEmpty { revived } => {
                t::WOULD_EMPTY_WHITELIST.fill(language, &[("resources", &resources(*revived))])
            }
            Self::NotUsed { dropped, in_use_before } => {
                let of = resources(*in_use_before);
                t::WOULD_NOT_BE_USED.fill(language, &[("n", dropped), ("resources", &of)])
            }
            Self::Erased { mail } => t::WOULD_ERASE.fill(language, &[("mail", mail)]),
        }
    }
}

/// The rows of a file that cannot be used, for people.
pub(super) fn rows_told(invalid: &[InvalidRow], language: Language) -> Vec<String> {
    let told = invalid.iter().take(ROWS_TOLD);
    let mut lines: Vec<String> = told
        .map(|row| t::ROW.fill(language, &[("line", &row.line), ("why", &row.reason.text(language))]))
        .collect();
    if let Some(more) = invalid.len().checked_sub(ROWS_TOLD).filter(|more| *more > 0) {
        lines.push(t::MORE_ROWS.fill(language, &[("n", &more)]));
    }
    lines
}

impl CommandError {
    /// Whoever `mail` is, this entry of the blacklist keeps them from being used.
    pub(super) fn blocked(mail: &MailAddress, entry: ListEntry) -> Self {
        let ListEntry { reason, added_by, added_at, in_use, .. } = entry;
        let (mail, at) = (mail.to_string(), moment(added_at));
        Self::Blocked { mail, reason, by: added_by, at, is_listed: in_use.is_some() }
    }

    /// In words; what a cause says is not among them.
    pub(crate) fn text(&self, language: Language) -> String {
        let why = |reason: &Option<String>| reasons::or_none(reason.as_deref(), language);
        match self {
            Self::Store(_) => t::STORE.say(language).to_owned(),
            Self::NoDatabase { folder } => t::NO_DATABASE.fill(language, &[("folder", folder)]),
            Self::Schema(_) => t::SCHEMA.say(language).to_owned(),
            Self::UnknownMailbox { mail } => t::UNKNOWN_MAILBOX.fill(language, &[("mail", mail)]),
            Self::Blocked { mail, reason, by, at, is_listed } => {
                let text = if *is_listed { t::BLOCKED } else { t::BLOCKED_UNLISTED };
                text.fill(language, &[("mail", mail), ("by", by), ("at", at), ("reason", &why(reason))])
            }
            Self::NotInUse { mail, since, reason } => {
                let text = match reason.as_deref() {
                    Some(NON_WHITELIST) => t::NOT_IN_USE_WHITELIST,
                    Some(NOT_IN_PLANNER) => t::NOT_IN_USE_PLANNER,
                    _ => t::NOT_IN_USE,
                };
                text.fill(language, &[("mail", mail), ("since", since), ("reason", &why(reason))])
            }
            Self::NobodyInUse { id } => t::NOBODY_IN_USE.fill(language, &[("id", id)]),
            Self::CameToNothing { id, unused } => {
                let why = acts::void(unused, language);
                t::CAME_TO_NOTHING.fill(language, &[("id", id), ("why", &why)])
            }
            Self::NotSure(consequence) => {
                t::NOT_SURE.fill(language, &[("consequence", &consequence.text(language))])
            }
            Self::UnknownOperation { id } => t::UNKNOWN_OPERATION.fill(language, &[("id", id)]),
            Self::UnknownRun { run } => t::UNKNOWN_RUN.fill(language, &[("run", run)]),
            Self::Settled { run, state, successor } => {
                let state = runs::state(state).map_or(state.as_str(), |state| state.say(language));
                match successor {
                    Some(successor) => t::SETTLED_BY_RUN
                        .fill(language, &[("run", run), ("state", &state), ("successor", successor)]),
                    None => t::SETTLED.fill(language, &[("run", run), ("state", &state)]),
                }
            }
            Self::SomeNotSettled { failed, of } => {
                t::SOME_NOT_SETTLED.fill(language, &[("failed", failed), ("of", of)])
            }
            Self::StepsFail { count } => counted_in(language, *count as u64, t::STEP_FAILS, t::STEPS_FAIL),
            Self::TimedOut { id, waited, done, of } => t::TIMED_OUT
                .fill(language, &[("id", id), ("waited", &waited.as_secs()), ("done", done), ("of", of)]),
            Self::NotRediscovered => t::NOT_REDISCOVERED.say(language).to_owned(),
            Self::DryRun { differs: false } => t::DRY_RUN.say(language).to_owned(),
            Self::DryRun { differs: true } => t::DRY_RUN_RUNNING.say(language).to_owned(),
            Self::NothingRuns => t::NOTHING_RUNS.say(language).to_owned(),
            Self::NothingSetAside => t::NOTHING_SET_ASIDE.say(language).to_owned(),
            Self::ReadFile { .. }
            | Self::ListsFile { .. }
            | Self::InvalidRows(_)
            | Self::RowsWouldRefuse { .. } => self.of_file(language),
            Self::Erased { .. }
            | Self::InCall { .. }
            | Self::StillHeld { .. }
            | Self::LastOnWhitelist { .. }
            | Self::NothingKnown { .. } => self.of_erasure(language),
        }
    }

    fn of_file(&self, language: Language) -> String {
        match self {
            Self::ReadFile { file, .. } => t::READ_FILE.fill(language, &[("file", file)]),
            Self::ListsFile { file, why } => {
                t::LISTS_FILE.fill(language, &[("file", file), ("why", &why.text(language))])
            }
            Self::RowsWouldRefuse { count } => {
                let rows = counted_in(language, *count, lists::ONE_ROW, lists::ROWS);
                t::ROWS_WOULD_REFUSE.fill(language, &[("rows", &rows)])
            }
            Self::InvalidRows(rows) => {
                let count = counted_in(language, rows.len() as u64, lists::ONE_ROW, lists::ROWS);
                let head = t::INVALID_ROWS.fill(language, &[("rows", &count)]);
                format!("{head}\n{}", rows_told(rows, language).join("\n"))
            }
            _ => String::new(),
        }
    }

    fn of_erasure(&self, language: Language) -> String {
        match self {
            Self::Erased { mail, at, by } => {
                t::ERASED.fill(language, &[("mail", mail), ("at", at), ("by", by)])
            }
            Self::InCall { count } => counted_in(language, *count, t::ONE_IN_CALL, t::IN_CALL),
            Self::StillHeld { mail, count } => {
                let held = counted_in(language, *count, w::ONE_APPOINTMENT, w::APPOINTMENTS);
                t::STILL_HELD.fill(language, &[("appointments", &held), ("mail", mail)])
            }
            Self::LastOnWhitelist { mail } => t::LAST_ON_WHITELIST.fill(language, &[("mail", mail)]),
            Self::NothingKnown { mail } => t::NOTHING_KNOWN.fill(language, &[("mail", mail)]),
            _ => String::new(),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::En))
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        if error.lacks_schema() { Self::Schema(error) } else { Self::Store(error) }
    }
}

/// A failure as it is told in a language, with the causes below it.
#[derive(Debug)]
pub(crate) struct Told {
    error: CommandError,
    language: Language,
}

impl Told {
    pub(super) const fn new(error: CommandError, language: Language) -> Self {
        Self { error, language }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.text(self.language))
    }
}

impl StdError for Told {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.error {
            // that tables are missing is all there is to it; which one the database missed first helps nobody
            CommandError::Schema(_) => None,
            error => error.source(),
        }
    }
}

#[cfg(test)]
mod tests;
