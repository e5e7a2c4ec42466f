//! `diff`: what Planner is to be told and was not yet, appointment by appointment, with what each waits for. With
//! `planner.dry_run` this is what would be sent.

use serde_json::{Value, json};
use store::inspect::{Hold, PlannerFailure, Unsent};
use store::instances::Senders;
use store::operations::Scope;
use store::outbox::Operation;
use store::set_aside::{SetAsideFilter, SetAsideKey, SetAsidePage, StopReason, StoppedCount};
use store::withheld::WithheldRun;

use super::show::{counted_in, hanging, moment, table_in, terminal, times};
use super::unused::{self, Unused};
use super::{CommandError, Desk, set_aside, stored, withheld};
use crate::cli::tools::DiffArgs;
use crate::texts::{Language, Text, diff as t, words as w};

/// For programs: nothing is sent.
pub(crate) const DRY_RUN: &str = "dry_run";
/// For programs: calls to Planner fail.
pub(crate) const PLANNER_FAILS: &str = "planner_fails";

/// What keeps everything from being sent, whatever an appointment itself waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sending {
    /// Nothing is sent: by what the instances that run say, and where none runs by the configuration.
    pub(crate) dry_run: bool,
    /// The configuration that this command reads says something else than the instances that run.
    pub(crate) differs: bool,
    /// Some instances send and others rehearse.
    pub(crate) mixed: bool,
    /// The last call to Planner failed.
    pub(crate) failure: Option<PlannerFailure>,
}

impl Sending {
    /// How it stands now, by what the instances say, by this configuration and by the log of calls.
    pub(crate) async fn now(desk: &Desk) -> Result<Self, CommandError> {
        let failure = desk.store.planner_failure().await?;
        Ok(Self { failure, ..Self::by(desk.store.senders().await?, desk.config.planner.dry_run) })
    }

    /// By the instances that are alive, and by the configuration where none of them says anything.
    pub(crate) fn by(senders: Senders, configured: bool) -> Self {
        let dry_run = match senders {
            Senders { sending: 0, rehearsing: 0 } => configured,
            Senders { sending, .. } => sending == 0,
        };
        let mixed = senders.sending > 0 && senders.rehearsing > 0;
        Self { dry_run, differs: dry_run != configured, mixed, failure: None }
    }

    /// What operators are to be told of it, beside the failure: the first is whether anything is sent.
    pub(crate) fn remarks(&self) -> Vec<Text> {
        let dry_run = self.dry_run.then_some(t::DRY_RUN);
        dry_run.into_iter().chain(self.warnings()).collect()
    }

    /// What is not as the reader of this configuration would think.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Text> {
        let differs = self.differs.then_some(if self.dry_run { t::FILE_SENDS } else { t::FILE_REHEARSES });
        differs.into_iter().chain(self.mixed.then_some(t::MIXED))
    }

    /// For programs: the failure of the last call, if it failed.
    pub(crate) fn failure_value(&self) -> Value {
        self.failure.as_ref().map_or(Value::Null, |failure| {
            json!({
                "at": failure.at.to_string(), "since": failure.since.to_string(), "call": failure.operation,
                "event_id": failure.event_id, "text": failure.text,
            })
        })
    }
}

/// When the last call failed and why, as the texts name them.
pub(crate) fn failure_values(failure: &PlannerFailure) -> Vec<(&'static str, String)> {
    let code = failure.event_id.map(|id| format!(" ({id})")).unwrap_or_default();
    let text = failure.text.as_deref().filter(|text| !text.is_empty());
    let why = format!("{}{code}", text.map(|text| format!(": {text}")).unwrap_or_default());
    vec![("at", moment(failure.at)), ("why", why)]
}

/// Runs that are named.
const RUNS_TOLD: usize = 10;

/// Deletions that nobody sends before an operator says so: Planner holds what it should not, perhaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Withheld {
    deletions: u64,
    /// The numbers of their runs.
    runs: Vec<String>,
}

impl Withheld {
    fn of(runs: &[WithheldRun]) -> Self {
        Self {
            deletions: runs.iter().map(|run| u64::from(run.remaining)).sum(),
            runs: runs.iter().map(|run| run.id.to_string()).collect(),
        }
    }

    /// What is said of them, if there are any.
    fn text(&self, language: Language) -> Option<String> {
        if self.deletions == 0 {
            return None;
        }
        let (told, more) = self.runs.split_at(self.runs.len().min(RUNS_TOLD));
        let told = told.join(", ") + if more.is_empty() { "" } else { " …" };
        let runs = if self.runs.len() == 1 { t::ONE_RUN } else { t::RUNS };
        let text = if self.deletions == 1 { t::ONE_WITHHELD } else { t::WITHHELD };
        let runs = runs.fill(language, &[("runs", &told)]);
        Some(text.fill(language, &[("n", &self.deletions), ("runs", &runs)]))
    }
}

/// Most appointments that are named which Planner refused or which were set aside.
const STOPPED_TOLD: u32 = 10;

/// Appointments that are not sent any more as decided, and notifications that are not tried any more: Planner does not hold
/// what it should, perhaps, and nothing is done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stopped {
    count: StoppedCount,
    /// Notifications that were set aside: what they tell of was not decided.
    notifications: u64,
    /// The first of them.
    keys: Vec<SetAsideKey>,
}

impl Stopped {
    async fn of(desk: &Desk, scope: &Scope) -> Result<Self, CommandError> {
        let count = desk.store.stopped(scope).await?;
        let filter = SetAsideFilter { scope: scope.clone(), refused: true };
        let page = SetAsidePage { after: None, limit: STOPPED_TOLD };
        let notifications = desk.store.set_aside_notification_count(scope).await?;
        Ok(Self { count, notifications, keys: desk.store.set_aside_keys(&filter, &page).await?.keys })
    }

    const fn is_empty(&self) -> bool {
        self.count.set_aside + self.count.refused + self.notifications == 0
    }

    /// What is said of them, if there are any.
    fn texts(&self, language: Language) -> Vec<String> {
        let is_refused = |key: &&SetAsideKey| matches!(key.reason, StopReason::Refused(_));
        let (refused, aside): (Vec<_>, Vec<_>) = self.keys.iter().partition(is_refused);
        let told = |count: u64, one: Text, many: Text, keys: &[&SetAsideKey]| {
            let line = |key: &&SetAsideKey| format!("\n  {EXPLAIN} {} {}", key.mail, key.origin_id);
            let lines: Vec<String> = keys.iter().map(line).collect();
            (count > 0).then(|| counted_in(language, count, one, many) + &lines.concat())
        };
        let refused = told(self.count.refused, t::ONE_REFUSED, t::REFUSED, &refused);
        let aside = told(self.count.set_aside, t::ONE_ASIDE, t::ASIDE, &aside);
        let notifications = told(self.notifications, t::ONE_NOTIFICATION_ASIDE, t::NOTIFICATIONS_ASIDE, &[]);
        refused.into_iter().chain(aside).chain(notifications).collect()
    }

    /// For programs.
    fn value(&self) -> Value {
        json!({
            "refused": self.count.refused,
            "set_aside": self.count.set_aside,
            "notifications": self.notifications,
            "appointments": self.keys.iter().map(set_aside::key_value).collect::<Vec<_>>(),
        })
    }
}

/// The command that tells what happened with an appointment.
const EXPLAIN: &str = "kommuneklient explain";

/// What is said where there is no difference to be sent; `uncompared`: so many mailboxes are still to be compared.
const fn none_to_send(
    withheld: &Withheld,
    stopped: &Stopped,
    unused: Option<&Unused>,
    uncompared: u64,
) -> Text {
    match withheld.deletions > 0 || !stopped.is_empty() || unused.is_some() || uncompared > 0 {
        true => t::NOTHING_NOW,
        false => t::NOTHING,
    }
}

/// What is said of mailboxes that are still to be compared, if there are any.
fn uncompared_text(count: u64, language: Language) -> Option<String> {
    (count > 0).then(|| counted_in(language, count, t::ONE_TO_COMPARE, t::TO_COMPARE))
}

/// Why the one mailbox that is asked about is not in use, where it is not.
///
/// # Errors
/// It is no resource here, or the database failed.
async fn unused_one(desk: &Desk, scope: &Scope) -> Result<Option<Unused>, CommandError> {
    let Scope::One(mail) = scope else { return Ok(None) };
    match unused::why(&desk.store, mail).await? {
        Some(unused) if !unused.is_resource() => Err(unused.refusal(mail)),
        unused => Ok(unused),
    }
}

/// What is said of one that is not in use.
fn unused_text(mail: &str, unused: &Unused, language: Language) -> String {
    t::UNUSED.fill(language, &[("mailbox", &mail), ("why", &unused.text(language))])
}

/// Shows the differences.
pub(crate) async fn diff(desk: Desk, args: &DiffArgs) -> Result<(), CommandError> {
    let scope = args.mailbox.clone().map_or(Scope::All, Scope::One);
    let unused = unused_one(&desk, &scope).await?;
    let sending = Sending::now(&desk).await?;
    let page = desk.store.unsent(&scope, args.limit).await?;
    let withheld = Withheld::of(&withheld::waiting_of(&desk, &scope).await?);
    let stopped = Stopped::of(&desk, &scope).await?;
    let uncompared = desk.store.to_be_compared(&scope).await?;
    let value = json!({
        "dry_run": sending.dry_run,
        "dry_run_of_this_file": desk.config.planner.dry_run,
        "some_send_some_rehearse": sending.mixed,
        "planner_failure": sending.failure_value(),
        "total": page.total,
        "withheld": { "deletions": withheld.deletions, "runs": withheld.runs },
        "stopped": stopped.value(),
        "not_in_use": unused.as_ref().map(Unused::value),
        "to_be_compared": uncompared,
        "complete": page.total <= page.keys.len() as u64,
        "appointments": page.keys.iter().map(|key| value(key, &sending)).collect::<Vec<_>>(),
    });
    desk.answer(&value, || {
        let language = desk.language;
        let headings = [w::MAILBOX, t::WOULD, w::START, w::END, t::PLANNER_HOLDS, t::WAITS_FOR, w::ORIGIN_ID];
        let rows = page.keys.iter().map(|key| row(key, &sending, language)).collect();
        let none = none_to_send(&withheld, &stopped, unused.as_ref(), uncompared);
        let mut lines = vec![table_in(language, &headings, rows, none)];
        if page.total > page.keys.len() as u64 {
            lines.push(t::MORE.fill(language, &[("n", &page.keys.len()), ("all", &page.total)]));
        }
        lines.extend(
            scope.mail().zip(unused.as_ref()).map(|(mail, unused)| unused_text(mail, unused, language)),
        );
        lines.extend(withheld.text(language));
        lines.extend(stopped.texts(language));
        lines.extend(uncompared_text(uncompared, language));
        lines.extend(sending.remarks().into_iter().map(|text| text.say(language).to_owned()));
        lines.extend(sending.failure.as_ref().map(|failure| failure_line(failure, language)));
        closed(lines, terminal())
    });
    Ok(())
}

/// The last call that failed, for below a table.
pub(crate) fn failure_line(failure: &PlannerFailure, language: Language) -> String {
    filled(t::PLANNER_FAILS, &failure_values(failure), language)
}

/// A table and the sentences below it, these broken at blanks on a terminal of this width.
pub(crate) fn closed(parts: Vec<String>, terminal: Option<usize>) -> String {
    let mut parts = parts.into_iter();
    let table = parts.next().unwrap_or_default();
    let sentences = parts.map(|sentence| hanging("", &sentence, terminal));
    std::iter::once(table).chain(sentences).collect::<Vec<_>>().join("\n\n")
}

const fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}

/// What is asked of Planner, for people.
pub(super) const fn verb_text(operation: Operation) -> Text {
    match operation {
        Operation::Create => t::CREATE,
        Operation::Update => t::UPDATE,
        Operation::Delete => t::DELETE,
    }
}

fn row(key: &Unsent, sending: &Sending, language: Language) -> Vec<String> {
    let held = match (&key.held, key.operation) {
        (Some(slot), _) => times(language, slot),
        (None, Operation::Create) => t::HELD_NOTHING.say(language).to_owned(),
        (None, _) => t::HELD_UNKNOWN.say(language).to_owned(),
    };
    vec![
        key.mail.clone(),
        verb_text(key.operation).say(language).to_owned(),
        moment(key.slot.start),
        moment(key.slot.end),
        held,
        cell(key.hold, sending, language),
        key.origin_id.to_string(),
    ]
}

/// What a key waits for, in words.
pub(crate) fn waits(hold: Hold, sending: &Sending, language: Language) -> String {
    let (text, values) = hold_text(hold, sending);
    filled(text, &values, language)
}

/// The same for a cell of a table: an error that all rows share stands once below it ([`failure_line`]).
fn cell(hold: Hold, sending: &Sending, language: Language) -> String {
    match hold_name(hold, sending) {
        PLANNER_FAILS => w::CALLS_FAIL.say(language).to_owned(),
        _ => waits(hold, sending, language),
    }
}

fn filled(text: Text, values: &[(&'static str, String)], language: Language) -> String {
    // the causes among them hold sentences of ours
    let values = values.iter().map(|(name, value)| (*name, stored::parts(value, language)));
    let values: Vec<(&str, String)> = values.collect();
    let values: Vec<(&str, &dyn std::fmt::Display)> =
        values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
    text.fill(language, &values)
}

/// The text for what a key waits for, and the values that belong into it.
pub(crate) fn hold_text(hold: Hold, sending: &Sending) -> (Text, Vec<(&'static str, String)>) {
    match (hold, &sending.failure) {
        (Hold::NotInUse, _) => (w::HOLD_NOT_IN_USE, Vec::new()),
        (Hold::NotAdopted, _) => (w::HOLD_NOT_ADOPTED, Vec::new()),
        (Hold::NotRead, _) => (w::HOLD_NOT_READ, Vec::new()),
        (Hold::InFlight, _) => (w::HOLD_IN_FLIGHT, Vec::new()),
        (Hold::Pauses(_) | Hold::InTurn, _) if sending.dry_run => (w::HOLD_DRY_RUN, Vec::new()),
        (Hold::Pauses(until), _) => (w::HOLD_PAUSES, vec![("until", moment(until))]),
        (Hold::InTurn, Some(failure)) => (w::HOLD_PLANNER_FAILS, failure_values(failure)),
        (Hold::InTurn, None) => (w::HOLD_IN_TURN, Vec::new()),
    }
}

/// What a key waits for, for programs.
pub(crate) const fn hold_name(hold: Hold, sending: &Sending) -> &'static str {
    match hold {
        Hold::Pauses(_) | Hold::InTurn if sending.dry_run => DRY_RUN,
        Hold::InTurn if sending.failure.is_some() => PLANNER_FAILS,
        Hold::NotInUse => "not_in_use",
        Hold::NotAdopted => "not_adopted",
        Hold::NotRead => "not_read",
        Hold::InFlight => "in_flight",
        Hold::Pauses(_) => "pauses",
        Hold::InTurn => "in_turn",
    }
}

fn value(key: &Unsent, sending: &Sending) -> Value {
    json!({
        "mailbox": key.mail,
        "origin_id": key.origin_id.as_str(),
        "would": verb(key.operation),
        "start": key.slot.start.to_string(),
        "end": key.slot.end.to_string(),
        "held": key.held.map(|slot| json!({ "start": slot.start.to_string(), "end": slot.end.to_string() })),
        "decided_at": key.decided_at.to_string(),
        "bulk": key.bulk,
        "waits_for": hold_name(key.hold, sending),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// The instances that run count, not the file that the command was given.
    #[test]
    fn whether_anything_is_sent_is_told_by_the_instances() {
        let by = |sending, rehearsing, file| Sending::by(Senders { sending, rehearsing }, file);
        for (now, dry_run, warnings) in [
            (by(0, 0, false), false, vec![]),
            (by(0, 0, true), true, vec![]),
            (by(1, 0, false), false, vec![]),
            (by(0, 2, true), true, vec![]),
            (by(1, 0, true), false, vec![t::FILE_REHEARSES]),
            (by(0, 1, false), true, vec![t::FILE_SENDS]),
            (by(1, 1, false), false, vec![t::MIXED]),
            (by(1, 1, true), false, vec![t::FILE_REHEARSES, t::MIXED]),
        ] {
            let words = |texts: Vec<Text>| -> Vec<&str> {
                texts.into_iter().map(|text| text.say(Language::En)).collect()
            };
            assert_eq!(now.dry_run, dry_run, "{now:?}");
            assert_eq!(words(now.warnings().collect()), words(warnings), "{now:?}");
        }
    }

    /// Who reads that nothing is to be sent is told of what waits for an operator.
    #[test]
    fn what_is_withheld_is_told_with_its_runs() {
        let withheld = |deletions, runs: &[&str]| Withheld {
            deletions,
            runs: runs.iter().map(|run| (*run).to_owned()).collect(),
        };
        assert_eq!(Withheld::default().text(Language::En), None);
        assert_eq!(
            withheld(30, &["3"]).text(Language::En).unwrap(),
            "30 deletions are withheld (run 3): kommuneklient withheld list"
        );
        assert_eq!(
            withheld(1, &["3"]).text(Language::Da).unwrap(),
            "1 sletning er tilbageholdt (kørsel 3): kommuneklient withheld list"
        );
        let many: Vec<String> = (1..=12).map(|run| run.to_string()).collect();
        let told = Withheld { deletions: 12, runs: many }.text(Language::En).unwrap();
        assert!(told.contains("(runs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …)"), "{told}");
    }

    /// Regression: "Planner holds what it should" was said while Planner had refused an appointment, or one was set aside.
    #[test]
    fn what_planner_refused_and_what_was_set_aside_is_told_and_named() {
        let key = |origin_id: &str, reason| SetAsideKey {
            mail: calendar::MailAddress::parse("a@x.dk").unwrap(),
            origin_id: calendar::OriginId::new(origin_id),
            operation: Operation::Create,
            slot: calendar::Slot { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH },
            reason,
            receipt_code: Some(1),
            attempts: 0,
            since: Timestamp::UNIX_EPOCH,
        };
        let none = Stopped::default();
        assert!(none.texts(Language::En).is_empty());
        assert_eq!(none_to_send(&Withheld::default(), &none, None, 0), t::NOTHING);
        // regression: it was said while a comparison waited for Planner
        assert_eq!(none_to_send(&Withheld::default(), &none, None, 1), t::NOTHING_NOW);
        assert_eq!(uncompared_text(0, Language::En), None);
        let one = uncompared_text(1, Language::En).unwrap();
        assert!(one.starts_with("1 mailbox is still to be compared with Planner"), "{one}");
        let two = uncompared_text(2, Language::Da).unwrap();
        assert!(two.starts_with("2 postkasser mangler endnu at blive sammenlignet"), "{two}");
        let refused = Stopped {
            count: StoppedCount { set_aside: 0, refused: 1 },
            keys: vec![key("U1", StopReason::Refused(1))],
            ..Stopped::default()
        };
        assert_eq!(none_to_send(&Withheld::default(), &refused, None, 0), t::NOTHING_NOW);
        assert_eq!(
            refused.texts(Language::En),
            [
                "Planner refused 1 appointment: kommuneklient set-aside list\n  kommuneklient explain a@x.dk U1"
            ]
        );
        let both = Stopped {
            count: StoppedCount { set_aside: 2, refused: 1 },
            keys: vec![key("U1", StopReason::Refused(1)), key("U2", StopReason::SetAside("why".into()))],
            ..Stopped::default()
        };
        assert_eq!(
            both.texts(Language::Da),
            [
                "Planner afviste 1 aftale: kommuneklient set-aside list\n  kommuneklient explain a@x.dk U1",
                "2 aftaler er lagt til side: kommuneklient set-aside list\n  kommuneklient explain a@x.dk U2",
            ]
        );
        let value = both.value();
        assert_eq!((&value["refused"], &value["set_aside"]), (&json!(1), &json!(2)));
        assert_eq!(value["appointments"][1]["origin_id"], "U2");
    }

    /// Regression: "Planner holds what it should" was said while notifications were set aside, so that what they told of was
    /// never decided.
    #[test]
    fn notifications_that_were_set_aside_are_told() {
        let stopped = |notifications| Stopped { notifications, ..Stopped::default() };
        assert_eq!(none_to_send(&Withheld::default(), &stopped(1), None, 0), t::NOTHING_NOW);
        let (one, many) = (stopped(1).texts(Language::En).concat(), stopped(2).texts(Language::Da).concat());
        assert!(one.starts_with("1 notification is set aside") && one.ends_with(" set-aside list"), "{one}");
        assert!(many.starts_with("2 notifikationer er lagt til side"), "{many}");
        assert_eq!(stopped(2).value()["notifications"], 2);
    }

    /// Regression: of a mailbox that is not in use it was said that Planner holds what it should.
    #[test]
    fn of_a_mailbox_that_is_not_in_use_it_is_told_why() {
        let unused =
            Unused::Dropped { since: Timestamp::UNIX_EPOCH, reason: Some("P-NonWhitelist".to_owned()) };
        let none = none_to_send(&Withheld::default(), &Stopped::default(), Some(&unused), 0);
        assert_eq!(none, t::NOTHING_NOW);
        let english = unused_text("a@x.dk", &unused, Language::En);
        assert!(english.starts_with("a@x.dk: not in use since "), "{english}");
        assert!(english.contains("not on the whitelist (P-NonWhitelist). "), "{english}");
        let danish = unused_text("a@x.dk", &unused, Language::Da);
        assert!(danish.starts_with("a@x.dk: ikke i brug siden "), "{danish}");
    }

    /// "its turn" is said only where nothing else keeps it; tables and programs are told the same.
    #[test]
    fn what_keeps_everything_is_named_and_not_hidden_behind_a_turn() {
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let failure = PlannerFailure {
            at,
            since: at,
            operation: "CreateEvents".to_owned(),
            event_id: Some(6904),
            text: Some("connection refused".to_owned()),
        };
        let rehearsal = Sending { dry_run: true, ..Sending::default() };
        let fails = Sending { failure: Some(failure), ..Sending::default() };
        let well = Sending::default();
        for (hold, sending, name, words) in [
            (Hold::InTurn, &well, "in_turn", "its turn"),
            (Hold::InTurn, &rehearsal, "dry_run", "the end of dry_run"),
            (Hold::Pauses(at), &rehearsal, "dry_run", "the end of dry_run"),
            (Hold::InTurn, &fails, "planner_fails", "connection refused (6904)"),
            (Hold::Pauses(at), &fails, "pauses", "another try"),
            (Hold::NotAdopted, &fails, "not_adopted", "the adoption"),
        ] {
            assert_eq!(hold_name(hold, sending), name, "{hold:?}");
            let text = waits(hold, sending, Language::En);
            assert!(text.contains(words) && !text.contains('{'), "{hold:?}: {text}");
            // of an error that all rows share a row tells that there is one
            assert!(!cell(hold, sending, Language::En).contains("refused"), "{hold:?}");
        }
        assert_eq!(cell(Hold::InTurn, &fails, Language::Da), "kald til Planner mislykkes");
        let line = failure_line(fails.failure.as_ref().unwrap(), Language::En);
        assert!(line.contains("connection refused (6904)"), "{line}");
    }

    #[test]
    fn sentences_below_a_table_are_as_wide_as_the_terminal_and_the_table_stays() {
        let parts =
            || vec![" WIDE  ".repeat(9), "one two three four five six seven eight nine ten".to_owned()];
        assert_eq!(closed(parts(), None), parts().join("\n\n"));
        let text = closed(parts(), Some(30));
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines[0], parts()[0]);
        assert_eq!(&lines[2..], ["one two three four five six", "seven eight nine ten"]);
    }
}
