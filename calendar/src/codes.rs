//! The registry of event codes (B13): what operators know an event by.
//!
//! Codes below 9000 are those of the original product, so that existing monitoring keeps working; 9000 to
//! 9999 are situations the original did not have: 90xx listener, 91xx qualifier, 92xx communicator, 93xx
//! the process as a whole. A warning about a refused item is 6200 + Planner's receipt code
//! ([`receipt_refused`]); receipt codes outside 0-48 become 6249.
//!
//! An event is raised by a tracing event with the field `event_id = codes::X.id`. Reactions and thresholds
//! are not part of this table.

use base::{EventCode, Severity};

const ELS: &str = "ELS";
const EPS: &str = "EPS";
const PCS: &str = "PCS";
const ALL: &str = "all";

macro_rules! codes {
    ($($name:ident = $id:literal $source:ident $severity:ident $meaning:literal;)*) => {
        $(
            #[doc = concat!("Event ", stringify!($id), ": ", $meaning, ".")]
            pub const $name: EventCode = EventCode {
                id: $id,
                source: $source,
                severity: Severity::$severity,
                meaning: $meaning,
            };
        )*
        const NAMED: &[EventCode] = &[$($name),*];
    };
}

codes! {
    // Qualifier (EPS)
    QUALIFIER_UNKNOWN_ERROR = 2901 EPS Error "something unforeseen failed while qualifying";
    QUALIFIER_CANNOT_START = 2902 EPS Error "the qualifier cannot start";
    ITEM_FETCH_FAILED = 2903 EPS Error "an appointment could not be fetched from Exchange";
    NOTIFICATION_FAILED = 2905 EPS Error "a notification could not be handled";
    DECISION_FAILED = 2906 EPS Error "it could not be decided whether Planner must be told";
    EXCHANGE_CONNECTION_FAILED = 2907 EPS Error "no connection to Exchange";
    NOTIFICATION_REMOVAL_FAILED = 2908 EPS Error "a handled notification could not be moved to the log";
    NOTIFICATION_WITHOUT_MAILBOX = 2909 EPS Error "a notification belongs to no known mailbox";
    MAILBOX_UNREACHABLE = 2951 EPS Error "a mailbox cannot be reached";
    DECISION_STORE_FAILED = 2952 EPS Error "a decision about an appointment could not be stored";
    ABSENCE_STORE_FAILED = 2953 EPS Error "the decision that an appointment is absent could not be stored";
    SERIES_READ_FAILED = 2954 EPS Error "the occurrences of a series could not be read";
    COMMAND_UNKNOWN = 2956 EPS Error "an operator's command is not known";
    COMMAND_FAILED = 2957 EPS Error "an operator's command failed, another event says why";

    // Communicator (PCS)
    RESOURCE_ADDRESS_TWICE = 3201 PCS Warning "the resource list names an address more than once, its entries are skipped";
    RESOURCE_LIST_EMPTY = 3202 PCS Warning "Planner returned no resources, the last good list stays";
    COMMUNICATOR_CANNOT_START = 3902 PCS Error "the communicator cannot start";
    PLANNER_SYNC_UNKNOWN_ERROR = 3903 PCS Error "something unforeseen failed while comparing with Planner";
    PLANNER_SEND_UNKNOWN_ERROR = 3904 PCS Error "something unforeseen failed while sending to Planner";
    RESOURCE_SYNC_UNKNOWN_ERROR = 3905 PCS Error "something unforeseen failed while refreshing the resource list";
    COMMUNICATOR_DATABASE_FAILED = 3906 PCS Error "the communicator cannot work with the database";
    COMMUNICATOR_SETUP_FAILED = 3907 PCS Error "the communicator cannot be set up";
    COMMUNICATOR_RUN_FAILED = 3908 PCS Error "a round of the communicator failed";
    OPERATION_UNKNOWN = 3931 PCS Error "the operation of a logged item is none of create, update, delete";
    ITEM_SYNC_FAILED = 3932 PCS Error "an appointment could not be brought to Planner";
    ITEM_SYNC_WITHOUT_LOG = 3933 PCS Error "an appointment could not be brought to Planner and has no log of attempts";
    EVENTS_FETCH_FAILED = 3936 PCS Error "Planner's appointments of some mailboxes could not be fetched";

    // Listener (ELS)
    NO_ACTIVE_MAILBOXES = 4200 ELS Warning "there is no active mailbox to listen to";
    NO_SUBSCRIPTIONS = 4201 ELS Warning "not one subscription could be made";
    SUBSCRIBING_FAILED = 4202 ELS Warning "some mailboxes could not be subscribed to";
    SUBSCRIPTION_EXISTS = 4203 ELS Warning "a subscription that exists was to be made again";
    SUBSCRIPTION_ALREADY_STOPPED = 4204 ELS Warning "a subscription that had ended was to be ended again";
    EVENT_TYPE_UNKNOWN = 4205 ELS Warning "a notification of an unknown type arrived";
    DISPOSAL_FAILED = 4206 ELS Warning "something could not be cleaned up";
    LISTENER_CANNOT_START = 1901 ELS Error "the listener cannot start";
    LISTENER_SETUP_FAILED = 1902 ELS Error "the listener cannot be set up";
    LISTENER_UNKNOWN_ERROR = 4901 ELS Error "something unforeseen failed while listening";
    STREAMING_START_FAILED = 4902 ELS Error "streaming could not be started";
    STREAMING_STOP_FAILED = 4903 ELS Error "streaming could not be stopped";
    STREAMING_STATUS_FAILED = 4904 ELS Error "it could not be told whether streaming runs";
    SUBSCRIBER_ADD_FAILED = 4905 ELS Error "a mailbox could not be added to those listened to";
    GROUP_MAILBOX_FAILED = 4906 ELS Error "a mailbox of a group cannot be found or opened in Exchange";
    STREAM_CLOSE_FAILED = 4907 ELS Error "a stream could not be closed";
    STREAM_OPEN_FAILED = 4908 ELS Error "a stream could not be opened";
    STREAM_DISCONNECT_FAILED = 4909 ELS Error "a stream could not be disconnected";
    NOTIFICATION_STORE_FAILED = 4910 ELS Error "notifications could not be written to the database";
    STREAM_FAILED = 4911 ELS Error "a stream broke";
    SUBSCRIPTIONS_READ_FAILED = 4912 ELS Error "the groups could not be read from the database";
    SUBSCRIPTIONS_WRITE_FAILED = 4913 ELS Error "the groups could not be written to the database";
    MEMBERSHIPS_READ_FAILED = 4914 ELS Error "the members of groups could not be read from the database";
    MAILBOX_NOT_FOUND = 4915 ELS Error "a mailbox was not found";
    CALENDAR_FOLDER_MISSING = 4916 ELS Error "a mailbox has no calendar folder";
    SUBSCRIPTION_ATTACH_FAILED = 4917 ELS Error "a subscription could not be attached to its stream";
    SUBSCRIBERS_WRITE_FAILED = 4918 ELS Error "changes of the mailboxes listened to could not be written to the database";
    SUBSCRIBER_REMOVE_FAILED = 4919 ELS Error "a mailbox could not be removed from those listened to";
    SUBSCRIPTION_REMOVE_FAILED = 4920 ELS Error "a subscription could not be removed";
    SUBSCRIPTION_REMOVAL_FAILED = 4921 ELS Error "a subscription could not be taken out of its group";
    SUBSCRIPTION_ADD_FAILED = 4922 ELS Error "a subscription could not be added";
    SUBSCRIPTION_ADDITION_FAILED = 4923 ELS Error "a subscription could not be put into its group";
    GROUP_AFFINITY_FAILED = 4924 ELS Error "the affinity of a group could not be kept";
    GROUP_AFFINITY_UNSOLVED = 4925 ELS Error "the affinity of a group could not be found out";
    STREAM_WITHOUT_SUBSCRIPTIONS = 4926 ELS Error "a stream cannot be made, no mailbox of its group could be subscribed to";
    SUBSCRIBER_STATUS_WRITE_FAILED = 4927 ELS Error "the status of a mailbox could not be written to the database";
    GROUP_CREATE_FAILED = 4928 ELS Error "an affinity group could not be made";
    LOCATE_FAILED = 4929 ELS Error "the Exchange address of a mailbox could not be found";
    ENDPOINT_MISSING = 4930 ELS Error "autodiscovery names no endpoint for a mailbox";
    GROUP_SETUP_FAILED = 4931 ELS Error "the group of some mailboxes could not be set up";
    MAILBOX_MISSING = 4932 ELS Error "a mailbox cannot be found";
    SERVICE_ACCOUNT_MISSING = 4933 ELS Error "there is no service account for a group";
    SERVICE_ACCOUNTS_EXHAUSTED = 4934 ELS Error "there are too few service accounts for all groups";
    GROUP_NAME_FAILED = 4935 ELS Error "a group has no usable name";
    LISTENER_TIMER_FAILED = 4936 ELS Error "a timer of the listener failed";
    LISTENER_EXCHANGE_FAILED = 4937 ELS Error "talking to Exchange failed while listening";
    GROUP_EXCHANGE_FAILED = 4938 ELS Error "talking to Exchange failed for a whole group";

    // Exchange, used by listener and qualifier
    EXCHANGE_BUSY = 5201 ELS Warning "Exchange says that it is busy";
    EXCHANGE_UNKNOWN_ERROR = 5901 ELS Error "something unforeseen failed in a call to Exchange";
    EXCHANGE_RETRIES_EXHAUSTED = 5902 ELS Error "a call to Exchange failed too many times";
    CALENDAR_NOT_FOUND = 5903 ELS Error "an account has no calendar";
    AUTODISCOVER_MISSING = 5904 ELS Error "there is no autodiscovery information for an account";
    SERVICE_ACCOUNT_UNKNOWN = 5905 ELS Error "the service account towards Exchange is not configured";

    // Planner's service
    PLANNER_CALL_FAILED = 6901 PCS Error "a call to Planner failed";
    PLANNER_FAULT = 6902 PCS Error "Planner answered with a fault that has no detail";
    PLANNER_FAULT_DETAILED = 6903 PCS Error "Planner answered with a fault that has details";
    PLANNER_TIMEOUT = 6904 PCS Error "Planner did not answer in time";
    PLANNER_TRANSPORT_FAILED = 6905 PCS Error "the connection to Planner failed";
    PLANNER_ANSWER_UNUSABLE = 6906 PCS Error "Planner's answer cannot be used";

    // Everywhere
    INTERVAL_TIMER_FAILED = 7901 ALL Error "what an interval timer started failed";
    DAILY_TIMER_FAILED = 7902 ALL Error "what a daily timer started failed";
    INTERVAL_TIMER_REARM_FAILED = 7903 ALL Error "an interval timer could not be set again";
    DAILY_TIMER_REARM_FAILED = 7904 ALL Error "a daily timer could not be set again";
    DATABASE_UNREACHABLE = 8901 ALL Error "the database cannot be reached";

    // 90xx listener: situations that the original did not have
    SYNC_STATE_REJECTED = 9001 ELS Warning "Exchange does not accept a sync state, the mailbox starts over and is read in full";
    LISTENER_WAITS = 9002 ELS Information "the listener waits for the first resource list";
    SUBSCRIPTIONS_LOST = 9003 ELS Warning "all subscriptions of a group were lost, it is set up anew";
    NOTIFICATIONS_OVERFLOW = 9004 ELS Error "more notifications waited for the database than fit, their mailboxes catch up";
    LOGON_REFUSED = 9006 ELS Error "Exchange refuses the service account: its name or password is wrong, or it is locked";
    LEASE_STANDBY = 9005 ELS Information "another instance owns this, it is waited for";

    // 91xx qualifier
    NOTIFICATION_SET_ASIDE = 9101 EPS Error "a notification kept failing by itself and was set aside";
    READING_STALE = 9102 EPS Information "a reading was older than the stored decision and was discarded";
    ITEM_NOT_REPRESENTABLE = 9103 EPS Error "an appointment has an identifier that cannot be stored or sent";
    FULL_READ_SKIPPED = 9104 EPS Warning "a mailbox could not be read in full and was skipped for now";
    SETTINGS_CHANGED = 9105 EPS Information "zone, months or busy statuses changed, everything is decided anew";
    DELETES_WITHHELD = 9106 EPS Error "a full read lacks so many appointments that their deletions are withheld, an operator confirms or rejects them";
    WITHHELD_SEEN_AGAIN = 9107 EPS Information "appointments whose deletion was withheld or rejected stand in the calendar again";
    FULL_PULL_BEGAN = 9108 EPS Information "a full pull began: by its schedule, or made up because it was missed";
    ZONE_UNKNOWN = 9120 EPS Warning "an all-day appointment names a time zone that is not known, the configured zone is used";

    // 92xx communicator
    RESOURCE_ADDRESS_INVALID = 9201 PCS Warning "the resource list names something that is no mail address, it is skipped";
    RESOURCE_DROP_WITHHELD = 9202 PCS Error "the resource list would drop more than 10 and more than 10 % of the resources, the drops are withheld";
    KEY_SET_ASIDE = 9203 PCS Error "an appointment cannot be brought to Planner as decided and was set aside";
    CALL_ABANDONED = 9204 PCS Warning "a call to Planner ended without a recorded answer, its appointments are sent again";
    BATCHES_SMALLER = 9205 PCS Warning "repeated timeouts made the calls to Planner smaller";
    SENDING_PAUSED = 9206 PCS Warning "calls to Planner fail, sending pauses";
    SENDING_RESUMED = 9207 PCS Information "calls to Planner succeed again";
    RECEIPT_CODE_UNKNOWN = 9208 PCS Error "Planner answered with a receipt code that is not assigned, for the first time";

    // 93xx the process as a whole
    SERVICE_ENDED = 9301 ALL Error "the service ends because of an error";
    PANICKED = 9302 ALL Error "a part of the program panicked, it is restarted";
    WINDOW_ITEMS_UNREADABLE = 9303 ALL Error "some appointments of a calendar cannot be read, what is known of them is left as it is";
    PRIVATE_ITEMS_HIDDEN = 9304 ALL Warning "the service account may not see the private appointments of a mailbox, they may be missing in Planner";

    // 96xx accounts and secrets
    SEALING_KEY_EXPOSED = 9601 ALL Warning "others than its owner can read or change the file of a sealing key";
    CREDENTIAL_UNUSABLE = 9602 ELS Error "the password of a service account cannot be opened, the account is not used";
    ACCOUNTS_CHANGED = 9603 ELS Information "service accounts were added, changed or removed, and are used so from now on";
    BACK_OFFS_NOT_SHARED = 9610 ELS Warning "the back-offs of service accounts could not be shared with other instances";
    GROUP_OUTAGE_OVER = 9611 ELS Information "an outage that kept mailboxes of a group from being listened to is over";
    // 95xx operators
    RESOURCE_LIST_REQUESTED = 9501 PCS Information "an operator asked for the resource list";
    RESOURCE_DROP_CANCELLED = 9502 PCS Information "withheld drops of the resource list are void, a later list lacks few or others";
    OPERATOR_ACTED = 9503 ALL Information "an operator changed a list or a service account, sealed passwords anew, settled a withheld run or retried what was set aside";

    // 94xx comparison back
    COMPARISON_WAITS = 9401 PCS Information "mailboxes are read in full before they are compared with Planner, their comparison waits for that";
    ROWS_NOT_ASKED_FOR = 9402 PCS Warning "Planner answered with appointments of mailboxes that were not asked for, they are never touched";
    COMPARISON_NOT_STORED = 9403 PCS Error "what Planner holds for a mailbox cannot be stored, the others go on";
    COMPARISON_WITHHELD = 9404 PCS Error "Planner holds so many appointments that are not to be there that their deletions are withheld, an operator confirms or rejects them";
    COMPARISON_BEGAN = 9405 PCS Information "a comparison of all mailboxes began: by its schedule, at start, or made up because it was missed";
    COMPARISON_REPAIRED = 9406 PCS Warning "a comparison found that Planner holds something else than was decided, the difference is sent";
}

/// Number of codes for refused items: 6200 to 6249.
const REFUSALS: usize = 50;

/// The warning for an item that Planner refused with `receipt_code` (6200 + code; codes below 0 or above
/// 48 are outside the reserved range and become 6249).
pub const fn receipt_refused(receipt_code: i32) -> EventCode {
    let offset = if receipt_code < 0 || receipt_code > 48 { 49 } else { receipt_code as u16 };
    EventCode {
        id: 6200 + offset,
        source: PCS,
        severity: Severity::Warning,
        meaning: "Planner refused an appointment with the receipt code in the last two digits",
    }
}

const ALL_CODES: [EventCode; NAMED.len() + REFUSALS] = {
    let mut all = [receipt_refused(0); NAMED.len() + REFUSALS];
    let mut n = 0;
    while n < NAMED.len() {
        all[n] = NAMED[n];
        n += 1;
    }
    let mut code = 0;
    while code < REFUSALS {
        all[n + code] = receipt_refused(code as i32);
        code += 1;
    }
    all
};

/// Every event code there is, 6200 to 6249 included.
pub static REGISTRY: &[EventCode] = &ALL_CODES;

/// The code with number `id`.
pub fn by_id(id: u16) -> Option<EventCode> {
    REGISTRY.iter().copied().find(|code| code.id == id)
}

#[cfg(test)]
mod tests;
