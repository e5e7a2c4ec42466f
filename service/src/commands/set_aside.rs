//! `set-aside`: notifications and appointments that are not tried any more.

use calendar::MailAddress;
use serde_json::{Value, json};
use store::notification_queue::SetAsideNotification;
use store::notifications::NotificationKind;
use store::operations::Scope;
use store::set_aside::{SetAsideFilter, SetAsideKey, SetAsidePage, StopReason};

use super::show::{counted_in, moment, table_in};
use super::{CommandError, Desk, diff, stored};
use crate::cli::operators::RetryArgs;
use crate::texts::{Language, Text, set_aside as t, words as w};

/// Most notifications, and most appointments, of one answer.
const SHOWN: u32 = 10_000;

/// Shows what was set aside, and what Planner refused.
pub(crate) async fn list(desk: Desk, mailbox: Option<&MailAddress>) -> Result<(), CommandError> {
    let scope = mailbox.cloned().map_or(Scope::All, Scope::One);
    let notifications = desk.store.set_aside_notifications(&scope, SHOWN).await?;
    let filter = SetAsideFilter { scope, refused: true };
    let page = SetAsidePage { after: None, limit: SHOWN };
    let keys = desk.store.set_aside_keys(&filter, &page).await?;
    let answer = json!({
        "notifications": notifications.iter().map(notification_value).collect::<Vec<_>>(),
        "appointments": keys.keys.iter().map(key_value).collect::<Vec<_>>(),
        "complete": keys.next.is_none() && notifications.len() < SHOWN as usize,
    });
    desk.answer(&answer, || {
        let language = desk.language;
        let mut parts = Vec::new();
        if !notifications.is_empty() {
            let headings = [t::ID, w::MAILBOX, t::NOTIFICATION, t::SINCE, t::TRIES, t::WHY];
            let rows = notifications.iter().map(|one| notification_row(one, language)).collect();
            parts.push(table_in(language, &headings, rows, t::NOTHING));
        }
        if !keys.keys.is_empty() {
            let headings = [w::MAILBOX, t::WOULD, w::START, t::SINCE, t::TRIES, t::WHY, w::ORIGIN_ID];
            let rows = keys.keys.iter().map(|key| key_row(key, language)).collect();
            parts.push(table_in(language, &headings, rows, t::NOTHING));
            parts.push(t::NEXT.say(language).to_owned());
        }
        if notifications.len() == SHOWN as usize {
            parts.push(t::MORE_NOTIFICATIONS.fill(language, &[("n", &SHOWN)]));
        }
        if keys.next.is_some() {
            parts.push(t::MORE_APPOINTMENTS.fill(language, &[("n", &SHOWN)]));
        }
        if parts.is_empty() { t::NOTHING.say(language).to_owned() } else { parts.join("\n\n") }
    });
    Ok(())
}

fn notification_row(one: &SetAsideNotification, language: Language) -> Vec<String> {
    vec![
        one.id.to_string(),
        one.mail.clone(),
        kind_text(&one.event_type, language),
        moment(one.set_aside_at),
        one.attempts.to_string(),
        one.error.as_deref().map(|error| stored::parts(error, language)).unwrap_or_default(),
    ]
}

/// What a notification told, in words, and as it is named in the database; of another version's only the name is known.
fn kind_text(event_type: &str, language: Language) -> String {
    match NotificationKind::parse(event_type) {
        Some(kind) => {
            t::WITH_TYPE.fill(language, &[("words", &kind_words(kind).say(language)), ("type", &event_type)])
        }
        None => event_type.to_owned(),
    }
}

const fn kind_words(kind: NotificationKind) -> Text {
    match kind {
        NotificationKind::Created => t::CREATED,
        NotificationKind::Modified => t::MODIFIED,
        NotificationKind::Deleted => t::DELETED,
        NotificationKind::Moved => t::MOVED,
        NotificationKind::Copied => t::COPIED,
        NotificationKind::FreeBusyChanged => t::FREE_BUSY_CHANGED,
        NotificationKind::SyncChange => t::SYNC_CHANGE,
        NotificationKind::SyncDelete => t::SYNC_DELETE,
        NotificationKind::SyncCheck => t::SYNC_CHECK,
        NotificationKind::FullRead => t::FULL_READ,
    }
}

fn notification_value(one: &SetAsideNotification) -> Value {
    json!({
        "id": one.id,
        "mailbox": one.mail,
        "notification": one.event_type,
        "received_at": one.received_at.to_string(),
        "since": one.set_aside_at.to_string(),
        "tries": one.attempts,
        "reason": one.error,
    })
}

fn why(reason: &StopReason, language: Language) -> String {
    match reason {
        StopReason::SetAside(reason) => t::ASIDE.fill(language, &[("why", &stored::parts(reason, language))]),
        StopReason::Refused(code) => t::REFUSED.fill(language, &[("code", code)]),
    }
}

fn key_row(key: &SetAsideKey, language: Language) -> Vec<String> {
    vec![
        key.mail.to_string(),
        diff::verb_text(key.operation).say(language).to_owned(),
        moment(key.slot.start),
        moment(key.since),
        key.attempts.to_string(),
        why(&key.reason, language),
        key.origin_id.to_string(),
    ]
}

/// A key, for programs.
pub(super) fn key_value(key: &SetAsideKey) -> Value {
    let (refused, set_aside) = match &key.reason {
        StopReason::Refused(code) => (Some(*code), None),
        StopReason::SetAside(reason) => (None, Some(reason)),
    };
    json!({
        "mailbox": key.mail.as_str(),
        "origin_id": key.origin_id.as_str(),
        "operation": key.operation.call_name(),
        "start": key.slot.start.to_string(),
        "end": key.slot.end.to_string(),
        "since": key.since.to_string(),
        "tries": key.attempts,
        "receipt_code": key.receipt_code,
        "refused": refused,
        "set_aside": set_aside,
    })
}

/// Tries again what was set aside.
pub(crate) async fn retry(desk: Desk, args: &RetryArgs) -> Result<(), CommandError> {
    let (notifications, appointments) = match (args.what.id, &args.what.mailbox) {
        (Some(id), _) => (desk.store.retry_notifications(Some(&[id])).await?, 0),
        (None, Some(mailbox)) => {
            let scope = Scope::One(mailbox.clone());
            let found = desk.store.set_aside_notifications(&scope, SHOWN).await?;
            let ids: Vec<i64> = found.iter().map(|one| one.id).collect();
            (desk.store.retry_notifications(Some(&ids)).await?, desk.store.retry_set_aside(&scope).await?)
        }
        (None, None) => {
            (desk.store.retry_notifications(None).await?, desk.store.retry_set_aside(&Scope::All).await?)
        }
    };
    if notifications + appointments == 0 {
        return Err(CommandError::NothingSetAside);
    }
    let counts = json!({ "notifications": notifications, "appointments": appointments });
    let mut fields = counts.clone();
    fields["mailbox"] = json!(args.what.mailbox.as_ref().map(MailAddress::as_str));
    desk.record(&args.who.name(), "set-aside retry", fields).await;
    desk.answer(&counts, || {
        let language = desk.language;
        let notifications = counted_in(language, notifications, t::ONE_NOTIFICATION, t::NOTIFICATIONS);
        let appointments = counted_in(language, appointments, w::ONE_APPOINTMENT, w::APPOINTMENTS);
        t::RETRIED.fill(language, &[("notifications", &notifications), ("appointments", &appointments)])
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use calendar::{OriginId, Slot};
    use jiff::Timestamp;
    use store::outbox::Operation;

    use super::*;

    /// Each kind has words in both languages, with the name that the database and programs know; a name of another version stays.
    #[test]
    fn what_was_notified_is_told_in_words() {
        for kind in NotificationKind::ALL {
            for language in [Language::En, Language::Da] {
                let told = kind_text(kind.as_str(), language);
                assert!(told.ends_with(&format!(" ({})", kind.as_str())), "{told}");
            }
        }
        assert_eq!(kind_text("DeletedEvent", Language::Da), "slettet (DeletedEvent)");
        assert_eq!(kind_text("SyncCheck", Language::En), "to be looked at after a gap (SyncCheck)");
        assert_eq!(kind_text("NewMailEvent", Language::Da), "NewMailEvent");
    }

    /// Regression: what `diff` called "create" stood here as the name of Planner's call.
    #[test]
    fn what_would_be_done_is_told_in_the_words_of_diff() {
        let at = Timestamp::UNIX_EPOCH;
        let key = |operation| SetAsideKey {
            mail: MailAddress::parse("a@x.dk").unwrap(),
            origin_id: OriginId::new("U"),
            operation,
            slot: Slot { start: at, end: at },
            reason: StopReason::Refused(1),
            receipt_code: Some(1),
            attempts: 0,
            since: at,
        };
        let aside = SetAsideKey {
            reason: StopReason::SetAside("planner said \"not now\" too often".to_owned()),
            ..key(Operation::Create)
        };
        // regression: the reason, which is a sentence of ours, stood there in English
        assert_eq!(key_row(&aside, Language::Da)[5], "lagt til side: Planner svarede for ofte \"ikke nu\"");
        let told = |operation, language| key_row(&key(operation), language).remove(1);
        assert_eq!(told(Operation::Create, Language::En), "create");
        assert_eq!(told(Operation::Update, Language::Da), "ændre");
        assert_eq!(told(Operation::Delete, Language::En), "delete");
        // `explain` wants it
        assert_eq!(key_row(&key(Operation::Create), Language::En).last().map(String::as_str), Some("U"));
        // programs are told the call, as before
        assert_eq!(key_value(&key(Operation::Create))["operation"], "CreateEvents");
    }
}
