//! Why a command of an operator was refused or failed, with the next step.

use std::time::Duration;

use store::StoreError;

use crate::cli::operators::RunId;

/// A failure of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The database failed.
    #[error("the database cannot be used (is it running, and is database.url right?)")]
    Store(#[source] StoreError),
    /// The tables that the command needs are not there.
    #[error(
        "the database has no tables of this version; bring it up to date with `kommuneklient migrate` \
         (or start the service)"
    )]
    Schema(#[source] StoreError),
    /// There is no such resource.
    #[error("Planner never listed {mail}; `kommuneklient resources list` shows whom it lists")]
    UnknownMailbox {
        /// Which.
        mail: String,
    },
    /// It is blocked.
    #[error("{mail} is blocked ({reason}); `kommuneklient blacklist remove {mail}` ends that")]
    Blocked {
        /// Which.
        mail: String,
        /// Why.
        reason: String,
    },
    /// It is not in use.
    #[error(
        "{mail} has not been in use since {since} ({reason}); nothing is done for it until Planner and the whitelist name it"
    )]
    NotInUse {
        /// Which.
        mail: String,
        /// Since when.
        since: String,
        /// Why.
        reason: String,
    },
    /// Nobody is meant.
    #[error(
        "operation {id} comes to nothing: no mailbox is in use; `kommuneklient resources list` shows whom Planner lists"
    )]
    NobodyInUse {
        /// The operation's number.
        id: i64,
    },
    /// Somebody should be sure first.
    #[error("nothing was changed: {consequence}; add --yes if that is meant")]
    NotSure {
        /// What would happen.
        consequence: String,
    },
    /// There is no operation with this number.
    #[error("there is no operation {id}; `kommuneklient operations` shows the latest")]
    UnknownOperation {
        /// Its number.
        id: i64,
    },
    /// There is no withheld run with this number.
    #[error("there is no withheld run {run}; `kommuneklient withheld list --settled` shows them")]
    UnknownRun {
        /// Its number.
        run: RunId,
    },
    /// The run does not wait any more.
    #[error("run {run} does not wait any more, it is {state}")]
    Settled {
        /// Its number.
        run: RunId,
        /// What became of it.
        state: String,
    },
    /// A file cannot be read.
    #[error("cannot read {file}")]
    ReadFile {
        /// Its path.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of lists cannot be read as one.
    #[error("{file} cannot be taken over")]
    ListsFile {
        /// Its path.
        file: String,
        /// Why.
        #[source]
        source: crate::lists_file::ListsFileError,
    },
    /// Some rows of a file cannot be used.
    #[error(
        "nothing was changed: {count} rows cannot be used; correct them, or give --skip-invalid to leave them out:\n{rows}"
    )]
    InvalidRows {
        /// How many.
        count: usize,
        /// Their lines and what is wrong with each.
        rows: String,
    },
    /// Some of several runs could not be settled; the answer names them.
    #[error("{failed} of {of} runs were left as they are")]
    SomeNotSettled {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
    },
    /// Its data was erased.
    #[error(
        "the data of {mail} was erased {at} by {by}; `kommuneklient erase {mail} --undo` lets it be listed again"
    )]
    Erased {
        /// Which.
        mail: String,
        /// When.
        at: String,
        /// By whom.
        by: String,
    },
    /// It cannot be erased now.
    #[error("nothing was erased: {reason}")]
    NotErased {
        /// Why.
        reason: String,
    },
    /// Nothing is known of it, so that it is hardly meant.
    #[error(
        "nothing was erased: {mail} is not known here, check the spelling (`kommuneklient mailbox list`); \
         --even-if-unknown erases it all the same, so that it is never listed"
    )]
    NothingKnown {
        /// Which.
        mail: String,
    },
    /// Mailboxes are not to be located anew.
    #[error(
        "listener.deactivate_solving_of_group_affinity is true: mailboxes keep their stored places; set it to false \
         and start the service anew"
    )]
    NotRediscovered,
    /// Nothing is sent at all.
    #[error(
        "planner.dry_run is true: nothing is sent, so nothing can be sent again; `kommuneklient diff` shows what would be"
    )]
    DryRun,
    /// Steps of the doctor fail.
    #[error("{count} of the steps fail, see above")]
    StepsFail {
        /// How many.
        count: usize,
    },
    /// Nobody does anything.
    #[error("no instance of the service is running; start it: kommuneklient run")]
    NothingRuns,
    /// There is nothing to be tried again.
    #[error(
        "nothing of that is set aside (`kommuneklient set-aside list` shows what is); what Planner refused is sent \
         when its decision changes or a comparison says so"
    )]
    NothingSetAside,
    /// It took too long.
    #[error(
        "operation {id} is not done after {}s ({done} of {of}); it goes on, `kommuneklient operations {id}` shows it",
        waited.as_secs()
    )]
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

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        if error.lacks_schema() { Self::Schema(error) } else { Self::Store(error) }
    }
}
