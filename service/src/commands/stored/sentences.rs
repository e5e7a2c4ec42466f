//! What the log says where it raises an event: sentences that say no more than the meaning of the event's code.

/// All of them.
pub(super) const SENTENCES: &[&str] = &[
    "a call to planner failed",
    "a call to planner is left unanswered at the end",
    "a coded event is refused by the database and left out",
    "a comparison with planner was asked for",
    "a decision could not be stored",
    "a group cannot be started",
    "a lease cannot be asked for now",
    "a mailbox cannot be added",
    "a mailbox cannot be listened to",
    "a mailbox could not be read in full",
    "a mailbox was not located",
    "a part is left out of further entries of the resource list",
    "a part of an entry of the resource list cannot be read and is left out, the rest of the entry is used",
    "a part of the program panicked",
    "a reading was older than the stored decisions",
    "a reserved call could not be started, its keys wait for their deadline",
    "a round of the listener panicked",
    "a stream cannot be opened, it is tried again",
    "a subscription had ended before",
    "a subscription stays behind",
    "all subscriptions of a group were lost, it is set up anew",
    "an address occurs more than once in the resource list, its entries are skipped",
    "an admin call failed",
    "an admin call without the right token was refused",
    "an affinity group cannot begin",
    "an affinity group cannot begin now",
    "an affinity group waits until its service account has room for it",
    "an answer of planner could not be recorded",
    "an appointment could not be fetched",
    "an appointment has an identifier that cannot be stored or sent",
    "an appointment is planner's own and is never sent again",
    "an appointment was set aside",
    "an entry of the resource list cannot be used and is skipped",
    "an operator asked for the resource list",
    "an outage keeps mailboxes of a group from being listened to",
    "appointments have identifiers that cannot be stored or sent",
    "appointments of a calendar cannot be read, they are left as they are",
    "appointments whose deletion was withheld or rejected stand in the calendar again",
    "calls to planner ended without a recorded answer, their keys are sent again",
    "catching up failed",
    "exchange does not offer the way to log on that exchange.authentication names",
    "exchange is busy, all calls of the account wait",
    "exchange refuses the service account, its calls to this service wait; check its name and password (account 0: exchange.user and exchange.password, others: kommuneklient credential test)",
    "exchange, or somebody before it, asks for a weaker login than ntlmv2: nothing made of the password was sent",
    "exchange.danger_accept_invalid_certificates is true: no certificate of exchange is verified",
    "full pull began by its schedule",
    "further entries of the resource list are skipped",
    "handling a mailbox panicked",
    "handling a mailbox took too long, it waits",
    "lease lost to another instance",
    "leases are renewed and the pool of connections does not answer, this process ends",
    "leases not renewed, trying again",
    "mailboxes could not be compared with planner or adopted, it is tried again",
    "mailboxes that are to be compared wait for being read in full",
    "no connection for wake-ups, the intervals go on",
    "no mailbox of a group could be subscribed to",
    "no room for notifications, their mailboxes catch up",
    "no token could be had; a former one is used while it is valid",
    "not all subscriptions were ended in time",
    "notification failed",
    "notification for a mailbox that is no resource",
    "notification set aside",
    "notifications are not stored yet",
    "notifications were not stored before the end",
    "others than its owner can use the file of a sealing key",
    "planner answered with a receipt code that is not assigned",
    "planner answered with appointments of mailboxes that were not asked for, they are not touched",
    "planner cannot take an appointment now",
    "planner did not take all appointments of a call",
    "planner holds many appointments that are not to be there, their deletions are withheld: look at them with `kommuneklient withheld show`, then confirm or reject them",
    "planner holds something else than was decided, the difference is sent",
    "planner holds something else than was thought, the other operation follows where it is still wanted",
    "planner refused an appointment",
    "planner returned no resources, the last good list stays",
    "qualifier shard cannot begin, trying again",
    "qualifier.shards differs from what the instances that run have agreed on; theirs is used. to change it, stop all instances that qualify, set the same number for all, and start them",
    "repeated timeouts made the batches to planner smaller",
    "resources are missing in the answer of planner, too many or (unsure) while an entry that names nobody may be one of them, none is dropped until an operator confirms: kommuneklient withheld show L<run>, then confirm or reject",
    "sending to planner goes on",
    "sending to planner pauses",
    "service accounts are used as they are now",
    "settings of decisions changed, mailboxes are read anew",
    "standing by, another instance owns this",
    "subscriptions are not served",
    "talking to exchange about a mailbox failed, it is tried again",
    "the affinity groups cannot be read",
    "the appointments that planner holds for these mailboxes could not be fetched",
    "the back-offs of the service accounts could not be shared, each instance waits by itself",
    "the calendar cannot be read now, the mailbox waits",
    "the certificate of the admin calls expires soon or has expired",
    "the changed files with certificates cannot be used, the old ones stay in use",
    "the changed files with the certificates of the admin calls cannot be used, the old ones stay in use",
    "the clock of this machine differs from the database's, which counts",
    "the comparison cannot go on",
    "the database cannot be asked for a resource list",
    "the database cannot be asked for requests of operators",
    "the database cannot be asked what is to be sent",
    "the database cannot be asked when the resource list was last fetched",
    "the database cannot be asked which mailboxes are to be adopted or compared",
    "the database is away, notifications wait",
    "the database is away, the mailbox waits",
    "the database is away, waiting for it",
    "the end of subscriptions was not recorded",
    "the end of subscriptions was not recorded in time",
    "the files with certificates have changed and are in use",
    "the files with the certificates of the admin calls have changed and are in use",
    "the listener cannot begin",
    "the mailbox cannot be reached, it waits",
    "the masters of some series could not be found",
    "the members of a group cannot be read",
    "the occurrences of a series could not be read",
    "the outage of a group is over",
    "the password of a service account cannot be opened, the account is not used",
    "the planner batcher cannot go on",
    "the queues could not be looked at",
    "the resource list cannot go on",
    "the resource list could not be refreshed, it is tried again",
    "the resource table could not be compared",
    "the schedule of the comparison could not be kept, it is tried again",
    "the schema cannot be looked after now",
    "the schema lacks migrations and database.migrate is false, waiting until kommuneklient migrate was run",
    "the service account may not see private appointments",
    "the service accounts cannot be used as they are now, the former ones are",
    "the service accounts could not be read, the former ones are used",
    "the service ends with an error",
    "the state of a mailbox was not written",
    "the store failed while handling a mailbox",
    "the sync state is not accepted, the mailbox starts over",
    "the token service refuses the service account; check client id, secret, scope and consent",
    "the withheld drops are void, a later list lacks few or others",
    "the zone of an all-day appointment is not known, its dates are taken in the configured zone",
    "there is no active mailbox to listen to",
    "this instance cannot say that it takes its share of the work, trying again",
    "this instance's share of the work changed",
    "too many appointments are missing at once, their deletions are withheld until an operator decides: kommuneklient withheld show RUN, then confirm or reject",
    "unknown admin call",
    "waiting until a resource list has been fetched",
    "what planner holds for a mailbox cannot be stored, it is tried again",
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The sources of a folder and of those below it.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// A literal that is broken within a sentence, in one piece.
    fn unbroken(text: &str) -> String {
        let mut pieces = text.split("\\\n");
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |whole, piece| whole + piece.trim_start())
    }

    /// A sentence that was worded anew would be told in English below its code again.
    #[test]
    fn each_sentence_is_one_that_the_log_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for folder in ["actors", "connectors", "service/src", "store/src"] {
            sources(&root.join(folder), &mut files);
        }
        let texts = files.iter().filter(|file| !file.ends_with("stored/sentences.rs"));
        let all: String = texts.map(|file| unbroken(&fs::read_to_string(file).unwrap())).collect();
        for sentence in SENTENCES {
            assert!(all.contains(&format!("\"{sentence}\"")), "{sentence}");
        }
        assert!(SENTENCES.len() > 90);
    }
}
