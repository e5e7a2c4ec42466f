//! `resources list`: the case workers and rooms that Planner lists or listed.

use std::collections::{BTreeMap, BTreeSet};

use calendar::MailAddress;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Store;
use store::group_streams::StreamState;
use store::resource_list::lists::{ListEntry, ResourceRow};

use super::diff::closed;
use super::show::{counted_in, maybe, moment, table_in, terminal};
use super::status::{self, FailingStreams};
use super::{CommandError, Desk, lists, mailbox, reasons, stream, unused};
use crate::texts::{Language, Text, lists as l, mailbox as t, reasons as r, words as w};

/// Most groups that are named below a table.
const GROUPS_NAMED: usize = 10;

/// Shows all resources.
pub(crate) async fn list(desk: Desk) -> Result<(), CommandError> {
    list_where(desk, true, |_, _| true).await
}

/// Shows those that `shown` says, which is told the streams that fail, too; and with `blocked_before` those of whom nothing is
/// known but that they are blocked, since they were so before Planner's list came, which passes over them.
pub(crate) async fn list_where(
    desk: Desk,
    blocked_before: bool,
    shown: impl Fn(&ResourceRow, &FailingStreams) -> bool,
) -> Result<(), CommandError> {
    let mut rows = desk.store.resource_rows().await?;
    let streams = status::failing_streams(&desk).await?;
    let blocked = lists::blocked_by_address(&desk).await?;
    let mut unlisted = unlisted(&blocked);
    // the sum is of all, whatever is shown
    let known = rows.len() + unlisted.len();
    let used = rows.iter().filter(|row| row.deleted_date.is_none()).count() as u64;
    rows.retain(|row| shown(row, &streams));
    unlisted.retain(|_| blocked_before);
    let values = rows.iter().map(|row| value(row, blocked.get(&row.mail), &streams));
    let values: Vec<Value> = values.chain(unlisted.iter().map(|one| unlisted_value(one))).collect();
    desk.answer(&Value::from(values), || {
        let language = desk.language;
        let headings =
            [w::MAILBOX, t::KIND, w::STATE, t::LISTENED_HEADING, t::ADOPTED_HEADING, t::READ_HEADING];
        let lines = rows.iter().map(|row| {
            vec![
                row.mail.clone(),
                kind_text(row.is_case_worker).say(language).to_owned(),
                state(row, blocked.get(&row.mail), &streams, language),
                maybe(listened_since(row, &streams)),
                maybe(row.adopted_at),
                maybe(row.last_full_sync),
            ]
        });
        let lines = lines.chain(unlisted.iter().map(|one| unlisted_line(one, language)));
        let empty = if known == 0 { t::NOBODY_LISTED } else { t::THERE_IS_NONE };
        let text = table_in(language, &headings, lines.collect(), empty);
        let used = counted_in(language, used, w::ONE_RESOURCE, w::RESOURCES);
        let sum = t::SUM.fill(language, &[("used", &used), ("all", &known)]);
        let remark = streams_told(&rows, &streams, language);
        closed(std::iter::once(text).chain(remark).chain([sum]).collect(), terminal())
    });
    Ok(())
}

/// Those who are blocked and are no resource here.
fn unlisted(blocked: &BTreeMap<String, ListEntry>) -> Vec<&ListEntry> {
    blocked.values().filter(|entry| entry.in_use.is_none()).collect()
}

/// A row of the table of whom nothing is known but that they are blocked.
fn unlisted_line(one: &ListEntry, language: Language) -> Vec<String> {
    let mut line = vec![String::new(); 6];
    line[0].clone_from(&one.mail);
    line[2] = mailbox::blocked_text(one, l::BLOCKED_BY, language);
    line
}

/// The same for programs.
fn unlisted_value(one: &ListEntry) -> Value {
    json!({
        "mailbox": one.mail, "kind": null, "in_use": false, "deleted_date": null, "deleted_reason": null,
        "blacklisted": true, "blocked": blocked_value(one), "error_code": null, "group": null,
        "stream_fails": false, "last_success": null, "adopted_at": null, "last_full_sync": null,
    })
}

/// Why, by whom and since when somebody is blocked, for programs.
fn blocked_value(entry: &ListEntry) -> Value {
    json!({ "reason": entry.reason, "by": entry.added_by, "since": entry.added_at.to_string() })
}

/// What is said below the table of the streams that keep some of these from being listened to.
fn streams_told(rows: &[ResourceRow], streams: &FailingStreams, language: Language) -> Option<String> {
    let groups: BTreeSet<i64> =
        rows.iter().filter_map(|row| failing_stream(row, streams)).map(|(group, _)| group).collect();
    let names: Vec<String> = groups.iter().take(GROUPS_NAMED).map(ToString::to_string).collect();
    let names = names.join(", ") + if groups.len() > GROUPS_NAMED { " …" } else { "" };
    let text = match groups.len() {
        0 => return None,
        1 => t::ONE_STREAM_FAILS,
        _ => t::STREAMS_FAIL,
    };
    Some(text.fill(language, &[("groups", &names)]))
}

/// The stream that fails and keeps it from being listened to, by its group, and how that stands, where it is known.
fn failing_stream<'a>(
    row: &ResourceRow,
    streams: &'a FailingStreams,
) -> Option<(i64, Option<&'a StreamState>)> {
    let group = row.group.filter(|_| row.deleted_date.is_none())?;
    streams.get(&group).map(|stream| (group, stream.as_ref()))
}

/// Is it in use, and cannot be listened to: by itself, or because the stream of its group fails?
pub(crate) fn is_failing(row: &ResourceRow, streams: &FailingStreams) -> bool {
    row.deleted_date.is_none() && (row.error_code.is_some() || failing_stream(row, streams).is_some())
}

/// Since when it has been listened to; nothing where it is not used any more, or cannot be listened to now.
fn listened_since(row: &ResourceRow, streams: &FailingStreams) -> Option<Timestamp> {
    row.last_success.filter(|_| row.deleted_date.is_none() && !is_failing(row, streams))
}

fn kind(row: &ResourceRow) -> &'static str {
    if row.is_case_worker { "case worker" } else { "room" }
}

/// A case worker or a room.
pub(crate) const fn kind_text(is_case_worker: bool) -> Text {
    if is_case_worker { t::CASE_WORKER } else { t::ROOM }
}

fn state(
    row: &ResourceRow,
    blocked: Option<&ListEntry>,
    streams: &FailingStreams,
    language: Language,
) -> String {
    if let Some(blocked) = blocked {
        return mailbox::blocked_text(blocked, l::BLOCKED_BY, language);
    }
    // what is wrong with the mailbox itself goes first: it lasts when the stream is open again
    if row.error_code.is_none()
        && let Some((group, stream)) = failing_stream(row, streams)
    {
        let error = stream_trouble(group, stream, language);
        return w::NOT_LISTENED.fill(language, &[("error", &error)]);
    }
    use_state(row.deleted_date, row.deleted_reason.as_deref(), row.error_code.as_deref(), language)
}

/// In use or not, and why; `error` is the code of what keeps it from being listened to.
pub(crate) fn use_state(
    deleted: Option<Timestamp>,
    reason: Option<&str>,
    error: Option<&str>,
    language: Language,
) -> String {
    let reason = reasons::or_none(reason, language);
    match (deleted, error.map(|code| trouble(code, language))) {
        (Some(since), _) => w::NOT_IN_USE.fill(language, &[("at", &moment(since)), ("why", &reason)]),
        (None, Some(error)) => w::NOT_LISTENED.fill(language, &[("error", &error)]),
        (None, None) => w::IN_USE.say(language).to_owned(),
    }
}

/// Why a mailbox cannot be listened to, in words; a code of Exchange stands behind them, for who looks it up.
pub(crate) fn trouble(code: &str, language: Language) -> String {
    let words = match code {
        "NotCovered" => return r::TROUBLE_NOT_COVERED.say(language).to_owned(),
        "NotSolved" => return r::TROUBLE_NOT_SOLVED.say(language).to_owned(),
        "ErrorNonExistentMailbox" | "ErrorMailboxNotFound" => r::TROUBLE_NO_MAILBOX,
        "ErrorAccessDenied" | "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" => r::TROUBLE_DENIED,
        "ErrorFolderNotFound" | "ErrorItemNotFound" => r::TROUBLE_NO_CALENDAR,
        "ErrorMailboxMoveInProgress" => r::TROUBLE_MOVED,
        "ErrorMailboxStoreUnavailable" | "ErrorMailboxFailover" => r::TROUBLE_AWAY,
        _ => return code.to_owned(),
    };
    r::WITH_CODE.fill(language, &[("words", &words.say(language)), ("code", &code)])
}

/// Why the mailboxes of a group cannot be listened to, in words.
fn stream_trouble(group: i64, stream: Option<&StreamState>, language: Language) -> String {
    match stream {
        Some(state) => {
            let why = stream::why(state, language);
            r::TROUBLE_STREAM.fill(language, &[("group", &group), ("why", &why)])
        }
        None => r::TROUBLE_STREAM_FAILS.fill(language, &[("group", &group)]),
    }
}

fn value(row: &ResourceRow, blocked: Option<&ListEntry>, streams: &FailingStreams) -> Value {
    json!({
        "mailbox": row.mail,
        "kind": kind(row),
        "in_use": row.deleted_date.is_none(),
        "deleted_date": row.deleted_date.map(|at| at.to_string()),
        "deleted_reason": row.deleted_reason,
        "blacklisted": row.blacklisted,
        "blocked": blocked.map(blocked_value),
        "error_code": row.error_code,
        "group": row.group,
        "stream_fails": failing_stream(row, streams).is_some(),
        "last_success": row.last_success.map(|at| at.to_string()),
        "adopted_at": row.adopted_at.map(|at| at.to_string()),
        "last_full_sync": row.last_full_sync.map(|at| at.to_string()),
    })
}

/// Refuses a mailbox that nothing is done for, and says why.
pub(crate) async fn in_use(store: &Store, mail: &MailAddress) -> Result<(), CommandError> {
    match unused::why(store, mail).await? {
        None => Ok(()),
        Some(unused) => Err(unused.refusal(mail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use() -> ResourceRow {
        ResourceRow {
            mail: "anna@x.dk".into(),
            is_case_worker: true,
            deleted_date: None,
            deleted_reason: None,
            blacklisted: false,
            error_code: None,
            last_success: Some(Timestamp::UNIX_EPOCH),
            adopted_at: None,
            last_full_sync: None,
            group: Some(3),
        }
    }

    /// The stream of group 3 fails.
    fn third_fails(how: Option<StreamState>) -> FailingStreams {
        FailingStreams::from([(3, how)])
    }

    fn away() -> StreamState {
        let at = Timestamp::UNIX_EPOCH;
        let (happening, code) = ("away".to_owned(), Some("HTTP 503".to_owned()));
        StreamState { open: false, since: at, happening, code, happened_at: at }
    }

    #[test]
    fn who_is_blocked_is_called_so_with_who_when_and_why() {
        let at = Timestamp::UNIX_EPOCH;
        let row = ResourceRow {
            deleted_date: Some(at),
            deleted_reason: Some("P-NonWhitelist".into()),
            blacklisted: true,
            ..in_use()
        };
        let entry = ListEntry {
            mail: "Anna@x.dk".into(),
            reason: Some("has left".into()),
            added_by: "kim".into(),
            added_at: at,
            in_use: Some(false),
        };
        let none = FailingStreams::new();
        let told = state(&row, Some(&entry), &none, Language::En);
        assert_eq!(told, format!("blocked by kim {}: has left", moment(at)));
        assert_eq!(value(&row, Some(&entry), &none)["blocked"]["by"], "kim");
        let told = state(&row, None, &none, Language::En);
        assert!(told.ends_with(": not on the whitelist (P-NonWhitelist)"), "{told}");
    }

    /// Regression: who was blocked before the first list came stood in no list of mailboxes.
    #[test]
    fn who_was_blocked_before_the_first_list_is_listed_with_who_when_and_why() {
        let at = Timestamp::UNIX_EPOCH;
        let entry = |mail: &str, in_use| {
            let reason = Some("has left".to_owned());
            let entry = ListEntry { mail: mail.into(), reason, added_by: "kim".into(), added_at: at, in_use };
            (mail.to_owned(), entry)
        };
        let blocked = BTreeMap::from([entry("anna@x.dk", Some(false)), entry("eva@x.dk", None)]);
        let unlisted = unlisted(&blocked);
        assert_eq!(unlisted.len(), 1);
        let told = format!("blocked by kim {}: has left", moment(at));
        assert_eq!(unlisted_line(unlisted[0], Language::En), ["eva@x.dk", "", told.as_str(), "", "", ""]);
        let (told, known) = (unlisted_value(unlisted[0]), value(&in_use(), None, &FailingStreams::new()));
        assert_eq!((&told["blocked"]["by"], &told["in_use"]), (&json!("kim"), &json!(false)));
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&told), keys(&known), "the same for programs");
    }

    /// Regression: a mailbox that could not be listened to any more was shown as listened to since it last could be.
    #[test]
    fn only_what_can_be_listened_to_is_listened_to_since() {
        let at = Timestamp::UNIX_EPOCH;
        let none = FailingStreams::new();
        assert_eq!(listened_since(&in_use(), &none), Some(at));
        let failing = ResourceRow { error_code: Some("ErrorAccessDenied".into()), ..in_use() };
        let unused = ResourceRow { deleted_date: Some(at), ..in_use() };
        assert_eq!((listened_since(&failing, &none), listened_since(&unused, &none)), (None, None));
        assert_eq!(listened_since(&in_use(), &third_fails(None)), None);
    }

    /// Regression: while Exchange as a whole was out of reach, no mailbox failed: each is well by itself.
    #[test]
    fn mailboxes_fail_with_the_stream_of_their_group() {
        let none = FailingStreams::new();
        let row = in_use();
        let other = ResourceRow { group: Some(4), ..in_use() };
        let no_group = ResourceRow { group: None, ..in_use() };
        let unused = ResourceRow { deleted_date: Some(Timestamp::UNIX_EPOCH), ..in_use() };
        let denied = ResourceRow { error_code: Some("ErrorAccessDenied".into()), ..in_use() };
        let third = third_fails(Some(away()));
        for (row, streams, fails) in [
            (&row, &none, false),
            (&row, &third, true),
            (&other, &third, false),
            (&no_group, &third, false),
            (&unused, &third, false),
            (&denied, &none, true),
        ] {
            assert_eq!(is_failing(row, streams), fails, "{row:?}");
        }
        for (streams, english, danish) in [
            (
                &third,
                "in use, cannot be listened to: the stream of group 3 is not open: Exchange cannot open it now (HTTP 503)",
                "i brug, men der kan ikke lyttes til den: strømmen for gruppe 3 er ikke åben: Exchange kan ikke åbne den nu (HTTP 503)",
            ),
            (
                &third_fails(None),
                "in use, cannot be listened to: the stream of group 3 fails",
                "i brug, men der kan ikke lyttes til den: strømmen for gruppe 3 fejler",
            ),
        ] {
            let told = |language| state(&row, None, streams, language);
            assert_eq!((told(Language::En), told(Language::Da)), (english.to_owned(), danish.to_owned()));
        }
        assert!(state(&denied, None, &third, Language::En).contains("ErrorAccessDenied"));
        assert_eq!(
            (&value(&row, None, &third)["stream_fails"], &value(&row, None, &third)["group"]),
            (&json!(true), &json!(3))
        );
        assert_eq!(value(&other, None, &third)["stream_fails"], json!(false));
    }

    #[test]
    fn the_streams_that_fail_are_named_once_below_the_table() {
        let rows = [in_use(), in_use(), ResourceRow { group: Some(4), ..in_use() }];
        let told = |streams: &FailingStreams, language| streams_told(&rows, streams, language);
        assert_eq!(told(&FailingStreams::new(), Language::En), None);
        let one = told(&third_fails(None), Language::En).unwrap();
        assert!(one.starts_with("the stream of group 3 fails, "), "{one}");
        let both = told(&FailingStreams::from([(3, None), (4, None), (5, None)]), Language::Da).unwrap();
        assert!(both.starts_with("strømmene for grupperne 3, 4 fejler, "), "{both}");
        let many: Vec<ResourceRow> =
            (0..12).map(|group| ResourceRow { group: Some(group), ..in_use() }).collect();
        let all: FailingStreams = (0..12).map(|group| (group, None)).collect();
        let told = streams_told(&many, &all, Language::En).unwrap();
        assert!(told.contains("8, 9 … fail"), "{told}");
    }

    #[test]
    fn people_read_words_and_not_our_codes() {
        let in_english = |code| trouble(code, Language::En);
        assert!(in_english("NotCovered").contains("no service account covers it"));
        assert!(!in_english("NotSolved").contains("NotSolved"));
        assert_eq!(
            in_english("ErrorNonExistentMailbox"),
            "Exchange has no such mailbox (ErrorNonExistentMailbox)"
        );
        assert_eq!(in_english("ErrorSomethingNew"), "ErrorSomethingNew");
    }

    #[test]
    fn danish_lists_tell_it_in_danish() {
        let told = |code| use_state(None, None, Some(code), Language::Da);
        let expected =
            "i brug, men der kan ikke lyttes til den: servicekontoen må ikke læse den (ErrorAccessDenied)";
        assert_eq!(told("ErrorAccessDenied"), expected);
        for code in [
            "NotCovered",
            "NotSolved",
            "ErrorMailboxNotFound",
            "ErrorItemNotFound",
            "ErrorMailboxMoveInProgress",
            "ErrorMailboxFailover",
        ] {
            assert_ne!(trouble(code, Language::Da), trouble(code, Language::En), "{code}");
        }
    }
}
