//! What works again: the words of the field `succeeded`, by which code says so and alerts end.
//!
//! An event of a success is at level DEBUG and names its subject in the same field (`mailbox`, `group`, `account`) as
//! the events whose alert it ends; without that field it ends the alert for all subjects.

/// Planner answered a call.
pub const PLANNER_CALL: &str = "planner_call";
/// Planner took every appointment of a call.
pub const PLANNER_ITEMS: &str = "planner_items";
/// Planner told what it holds, and that was compared or adopted.
pub const COMPARISON: &str = "comparison";
/// A resource list was fetched and applied.
pub const RESOURCE_LIST: &str = "resource_list";
/// A resource list was applied, and each of its entries can be used in full.
pub const RESOURCE_ENTRIES: &str = "resource_entries";
/// The communicator looked what is to be sent, and could.
pub const COMMUNICATOR: &str = "communicator";
/// A qualifier shard is in office.
pub const SHARD: &str = "shard";
/// The notifications of a mailbox (field `mailbox`) were handled.
pub const MAILBOX_HANDLED: &str = "mailbox_handled";
/// A mailbox (field `mailbox`) is listened to and has caught up.
pub const MAILBOX_HEARD: &str = "mailbox_heard";
/// A group's (field `group`) stream is open.
pub const STREAM_OPEN: &str = "stream_open";
/// No mailbox of a group (field `group`) is kept from being listened to by an outage.
pub const GROUP_WELL: &str = "group_well";
/// The listener compared the resource table and formed its groups.
pub const LISTENER_ROUND: &str = "listener_round";
/// Every located mailbox has a group and an account.
pub const COVERAGE: &str = "coverage";
/// Notifications were stored.
pub const NOTIFICATIONS_STORED: &str = "notifications_stored";
/// Exchange answered a call of an account (field `account`).
pub const EXCHANGE_ANSWER: &str = "exchange_answer";
/// The database answered.
pub const DATABASE: &str = "database";
/// A daily schedule was kept.
pub const SCHEDULE: &str = "schedule";
/// A certificate (field `certificate`) is valid for long enough.
pub const CERTIFICATE: &str = "certificate";
/// The files with certificates can be used.
pub const CERTIFICATE_FILES: &str = "certificate_files";
/// The certificate of the admin calls is valid for long enough.
pub const ADMIN_CERTIFICATE: &str = "admin_certificate";

/// All of them, with what they mean to an operator.
pub const ALL: &[(&str, base::event_entry::Bilingual)] = &[
    (PLANNER_CALL, both("Planner answers a call", "Planner besvarer et kald")),
    (
        PLANNER_ITEMS,
        both("Planner takes all appointments of a call", "Planner modtager alle aftaler i et kald"),
    ),
    (COMPARISON, both("a comparison with Planner succeeds", "en sammenligning med Planner lykkes")),
    (RESOURCE_LIST, both("the resource list is refreshed", "ressourcelisten bliver opdateret")),
    (
        RESOURCE_ENTRIES,
        both("every entry of the resource list can be used", "alle poster i ressourcelisten kan bruges"),
    ),
    (COMMUNICATOR, both("the communicator goes on", "kommunikationen fortsætter")),
    (SHARD, both("the qualifier goes on", "vurderingen fortsætter")),
    (
        MAILBOX_HANDLED,
        both("the mailbox's notifications are handled", "postkassens notifikationer bliver behandlet"),
    ),
    (MAILBOX_HEARD, both("the mailbox is listened to again", "der bliver lyttet til postkassen igen")),
    (STREAM_OPEN, both("the group's stream is open again", "gruppens strøm er åben igen")),
    (GROUP_WELL, both("the group's outage is over", "gruppens nedbrud er forbi")),
    (LISTENER_ROUND, both("the listener goes on", "lytteren fortsætter")),
    (COVERAGE, both("every mailbox has a service account", "alle postkasser har en servicekonto")),
    (NOTIFICATIONS_STORED, both("notifications are stored again", "notifikationer bliver gemt igen")),
    (
        CERTIFICATE,
        both("the certificate is valid for more than 60 days", "certifikatet gælder i mere end 60 dage"),
    ),
    (
        CERTIFICATE_FILES,
        both("the files with certificates can be used", "filerne med certifikater kan bruges"),
    ),
    (
        ADMIN_CERTIFICATE,
        both(
            "the certificate of the admin calls is valid for more than 60 days",
            "administrationskaldenes certifikat gælder i mere end 60 dage",
        ),
    ),
    (EXCHANGE_ANSWER, both("Exchange answers the account", "Exchange svarer kontoen")),
    (DATABASE, both("the database answers", "databasen svarer")),
    (SCHEDULE, both("the schedule is kept again", "tidsplanen bliver overholdt igen")),
];

const fn both(en: &'static str, da: &'static str) -> base::event_entry::Bilingual {
    base::event_entry::Bilingual { en, da }
}
