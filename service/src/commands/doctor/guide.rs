//! Which step answers what the guide of the original asks: appendix G before the start, appendix I of a mailbox.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Absent, Step, ready};
use crate::config::Config;

/// What is asked, in our words, and the keys of the steps that answer it.
pub(super) type Asked = (&'static str, &'static [&'static str]);

/// Appendix G: is all there that a start needs?
const READY: [Asked; 16] = [
    ("the municipality may use DFDG", &["doctor.agreement"]),
    ("a function certificate was ordered", &["doctor.ordered"]),
    ("DFDG lets that certificate in", &["doctor.approved"]),
    ("there is an account that reads the calendars", &["doctor.account"]),
    ("the machine is large enough", &["doctor.host"]),
    ("the software is on the machine", &["doctor.program"]),
    ("certificate and key can be read", &["doctor.certificate"]),
    ("a database answers", &["doctor.database"]),
    ("it has all tables", &["doctor.schema"]),
    ("the account of the service may use them", &["doctor.rights"]),
    // three programs there, one here
    ("its programs are where they belong", &["doctor.program"]),
    ("the machine starts them by itself", &["doctor.registered"]),
    ("they run as the user that is meant", &["doctor.user"]),
    ("the log can be written", &["doctor.log"]),
    ("the settings are those of this installation", &["doctor.configured"]),
    ("all stages were started, the list of resources first", &["doctor.started"]),
];

/// Steps of ours beside them.
const READY_OURS: [&str; 2] = ["doctor.exchange", "doctor.planner"];

/// Appendix I: why do the appointments of somebody not arrive?
pub(super) const OF_MAILBOX: [Asked; 9] = [
    ("Planner lists the person", &["mailbox.known"]),
    ("Planner has synchronisation switched on for the person", &["mailbox.sync"]),
    ("Exchange has the mailbox", &["mailbox.exists"]),
    ("the account may read its calendar", &["mailbox.readable"]),
    ("listener, qualifier and communicator are at work", &["mailbox.stages"]),
    ("the address is right, and what its last error was", &["mailbox.exists", "mailbox.readable"]),
    ("who has left Exchange is to leave Planner, too", &["mailbox.exists"]),
    ("an operator ends it: blocked, or out of use since", &["mailbox.used"]),
    (
        "what came last, what was decided of it, what was sent, what is held back",
        &["mailbox.notified", "mailbox.decided", "mailbox.sent", "mailbox.held"],
    ),
];

/// Steps of ours beside them.
pub(super) const OF_MAILBOX_OURS: [&str; 5] =
    ["doctor.exchange", "mailbox.listened", "mailbox.adopted", "mailbox.planner", "mailbox.compared"];

/// Is each question answered by steps that there are, and each step there for a question or known as ours?
pub(super) fn assert_answered(steps: &[Step], asked: &[Asked], ours: &[&'static str]) {
    let there: BTreeSet<&str> = steps.iter().map(|step| step.title.key).collect();
    for (question, keys) in asked {
        assert!(!keys.is_empty(), "no step says whether {question}");
        for key in *keys {
            assert!(there.contains(key), "{question}: there is no step {key}");
        }
    }
    let named: BTreeSet<&str> = asked.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
    let ours: BTreeSet<&str> = ours.iter().copied().collect();
    assert!(named.is_disjoint(&ours), "of the guide and ours at once: {named:?}, {ours:?}");
    let known: BTreeSet<&str> = named.union(&ours).copied().collect();
    assert_eq!(there, known, "the steps, and those that are named");
}

#[tokio::test]
async fn whether_all_is_ready_is_asked_as_the_guide_does() {
    let config = Config::parse(Path::new("x.toml"), "[database]\nurl = \"embedded\"\n", []).unwrap();
    let steps = ready::steps(&config, Err(Absent::NotMade("/var/lib/x".into())), true).await;
    assert_answered(&steps, &READY, &READY_OURS);
}
