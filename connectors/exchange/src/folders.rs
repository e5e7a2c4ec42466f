//! Which folder is the calendar, whatever the encoding of its identifier.
//!
//! Folder identifiers come in two encodings (field note 13), so two different texts may name one folder.
//! Equal texts are the same folder. Different texts are settled by asking the server for the folder
//! (GetFolder answers with its own encoding); the answers are remembered, up to a limit.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use calendar::ids::FolderId;
use calendar::source::{Mailbox, SourceErrorKind};
use calendar::{CalendarSource, MailAddress, SourceError};
use proto_ews::Response;

use crate::request;
use crate::source::{Exchange, ordinary, unexpected};

/// Most folders that are remembered of each kind; beyond it all are forgotten and asked for again.
const REMEMBERED_MAX: usize = 100_000;

/// What is known of folders.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The calendar folder of each mailbox.
    calendars: HashMap<MailAddress, FolderId>,
    /// Any encoding of a folder's identifier to the one that GetFolder gives.
    canonical: HashMap<FolderId, FolderId>,
    /// Mailboxes of which it has been told that their private appointments cannot be seen.
    without_private: HashSet<MailAddress>,
}

impl Folders {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no holder of this lock can panic")
    }

    /// Remembers the calendar folder of a mailbox.
    pub(crate) fn know(&self, mailbox: &MailAddress, folder: FolderId) {
        let mut known = self.known();
        if known.calendars.len() >= REMEMBERED_MAX {
            known.calendars.clear();
        }
        known.calendars.insert(mailbox.clone(), folder);
    }

    /// Is this the first time that a mailbox is found to hide its private appointments? Told once a process.
    pub(crate) fn first_without_private(&self, mailbox: &MailAddress) -> bool {
        let mut known = self.known();
        if known.without_private.len() >= REMEMBERED_MAX {
            known.without_private.clear();
        }
        known.without_private.insert(mailbox.clone())
    }

    fn calendar(&self, mailbox: &MailAddress) -> Option<FolderId> {
        self.known().calendars.get(mailbox).cloned()
    }

    fn canonical(&self, folder: &FolderId) -> Option<FolderId> {
        self.known().canonical.get(folder).cloned()
    }

    fn learn(&self, folder: &FolderId, canonical: FolderId) {
        let mut known = self.known();
        if known.canonical.len() >= REMEMBERED_MAX {
            known.canonical.clear();
        }
        known.canonical.insert(folder.clone(), canonical);
    }
}

impl Exchange {
    /// The calendar folder of a mailbox, from memory or by asking.
    pub(crate) async fn calendar_folder(&self, mailbox: &Mailbox) -> Result<FolderId, SourceError> {
        match self.folders.calendar(&mailbox.address) {
            Some(folder) => Ok(folder),
            None => self.check(mailbox).await.map(|folder| folder.id),
        }
    }

    /// Is `folder` the calendar of `mailbox`?
    pub(crate) async fn is_calendar(
        &self,
        mailbox: &Mailbox,
        folder: &FolderId,
    ) -> Result<bool, SourceError> {
        let calendar = self.calendar_folder(mailbox).await?;
        if *folder == calendar {
            return Ok(true);
        }
        if let Some(canonical) = self.folders.canonical(folder) {
            return Ok(canonical == calendar);
        }
        match self.ask_for_folder(mailbox, folder).await {
            Ok(canonical) => {
                let same = canonical == calendar;
                self.folders.learn(folder, canonical);
                Ok(same)
            }
            // the calendar itself was readable, so a folder that is not there or not ours is another one
            Err(error) if matches!(error.kind, SourceErrorKind::Gone | SourceErrorKind::Mailbox) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ask_for_folder(&self, mailbox: &Mailbox, folder: &FolderId) -> Result<FolderId, SourceError> {
        const OPERATION: &str = "GetFolder";
        let asked = request::folder_ids(&[folder.as_str()]);
        let answer = self.transport.call(ordinary(mailbox), asked).await?;
        let Response::GetFolder(messages) = answer.response else { return Err(unexpected(OPERATION)) };
        let found = crate::source::only(OPERATION, messages)?.into_iter().next();
        found.and_then(|folder| folder.folder_id).map(|id| FolderId::new(id.id)).ok_or_else(|| {
            crate::classify::own(
                OPERATION,
                SourceErrorKind::BadAnswer,
                "incomplete",
                "a folder without identifier",
            )
        })
    }
}
