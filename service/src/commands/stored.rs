//! Words that the stages store in English, for people in their language; those of a newer version as they are. Pure.

use crate::texts::{Language, Text, alerts as a, causes as c, explain as e, stored as t};

/// What may have become of a notification.
const HANDLED: &[Text] = &[
    t::UNCHANGED,
    t::CREATED,
    t::UPDATED,
    t::DELETED,
    t::SEVERAL,
    t::READ,
    t::READ_IN_PART,
    t::NOT_IN_USE,
    t::NO_RESOURCE,
];

/// What may have ended a withheld run by itself.
const SETTLED: &[Text] =
    &[t::RUN_NEWER, t::RUN_NEWER_WITHIN, t::RUN_SEEN_AGAIN, t::RUN_LATER_LIST_FEW, t::RUN_LATER_LIST_OTHERS];

/// What a list of numbers, or of what was done, is made of. Of two that begin alike the longer one stands first.
const PARTS: &[Text] = &[
    t::N_FOUND,
    t::N_CREATED,
    t::N_UPDATED,
    t::N_DELETED,
    t::N_WITHHELD,
    t::N_UNREADABLE,
    t::N_REFUSED,
    t::STILL_NOT,
    t::COMPARED_NOTHING,
    t::COMPARED_LACKING,
    t::COMPARED_TIMES,
    t::COMPARED_ONLY,
    t::COMPARED_CORRECTED,
    t::COMPARED_LEFT,
    t::NOBODY_IN_USE,
    t::LIST_EMPTY,
    t::LIST_FAILED,
    t::LIST_N,
    t::LIST_NEW,
    t::LIST_AGAIN,
    t::LIST_DROPPED,
    t::LIST_WITHHELD,
    t::LIST_TWICE,
    t::LIST_ONE_TWICE,
    t::LIST_UNUSABLE,
    t::LIST_UNREADABLE,
    t::LIST_PART,
];

/// What a cause is made of, where its words are ours. Of two that begin alike the longer one stands first.
const CAUSES: &[Text] = &[
    c::CONVERTED_TWICE,
    c::NOT_NOW_TOO_OFTEN,
    c::FAILS_ALONE,
    c::UNSENDABLE,
    c::CALENDAR_UNREAD,
    c::NOT_LOCATED,
    c::READ_TOO_LONG,
    c::STORE_FAILED,
    c::PANICKED,
    c::NO_CONNECTION,
    c::IN_NO_TIME,
    c::BROKEN,
    c::TOO_LATE,
    c::NOT_SIGNED_BY_US,
    c::NOT_SIGNED,
    c::ANSWER_UNREAD,
    c::ANSWER_LONG,
    c::HTTP_STATUS,
    c::PAGE,
    c::FAULT,
    c::SENT_ELSEWHERE,
    c::CLIENT_REFUSED,
    c::NO_SERVICE,
    c::PROXY_ASKS,
    c::CALL_REFUSED,
    c::THEIRS_REFUSED,
    c::OURS_REFUSED,
    c::UNSENDABLE_N,
    c::RECEIPTS,
    c::RECEIPTS_FOR_ONE,
    c::ONE_RECEIPT,
    c::RECEIPT_OF_OTHER,
    c::HELD_UNFETCHED,
    c::HELD_UNTAKEN,
    c::HELD_UNSTORED,
    c::HELD_PANICKED,
    c::DUTY_ENDS,
    c::LIST_UNFETCHED,
    c::LIST_UNSTORED,
    c::LIST_NOBODY,
    c::LIST_USELESS,
    c::NOTHING_TO_SIGN_WITH,
    c::TLS_UNUSABLE,
    c::ACCOUNT_MISSING,
    c::ACCOUNTS_EXHAUSTED,
    c::NO_ACCOUNT,
    c::NO_MORE_GROUPS,
    c::NOT_SOLVED,
    c::NOT_COMPLETE,
    c::NO_RIGHT,
    c::WINDOW_FULL,
    c::BATCH_STOPPED,
    c::LEFT_OUT,
    c::MISFIT,
    c::CIRCLE,
    c::TOO_MANY_REDIRECTS,
    c::SERVICE_REFUSES,
    c::STREAM_INSIDE,
    c::STREAM_ENDED,
];

/// What stands between two parts.
const BETWEEN: [&str; 3] = [", ", ": ", " ("];

/// What is known of a stored word, or the word.
pub(super) fn say(known: Option<Text>, stored: &str, language: Language) -> String {
    known.map_or_else(|| stored.to_owned(), |text| text.say(language).to_owned())
}

/// What became of a notification.
pub(super) fn handled(outcome: &str) -> Option<Text> {
    HANDLED.iter().find(|text| text.en == outcome).copied()
}

/// What ended a withheld run; `None` for somebody's name.
pub(super) fn settled(by: &str) -> Option<Text> {
    SETTLED.iter().find(|text| text.en == by).copied()
}

/// What a receipt led to.
pub(super) fn receipt(outcome: &str) -> Option<Text> {
    Some(match outcome {
        "acknowledged" => e::ACCEPTED,
        "converted" => e::CONVERTED,
        "own" => e::OWN,
        "transient" => e::NOT_NOW,
        "refused" => e::REFUSED,
        "set_aside" => e::SET_ASIDE,
        "unknown" => e::OPEN,
        "unsure" => e::UNSURE,
        "unsent" => e::UNSENT,
        _ => return None,
    })
}

/// A kind of notification.
pub(super) fn kind(kind: &str) -> Option<Text> {
    Some(match kind {
        "CreatedEvent" => e::NEW_ITEM,
        "ModifiedEvent" => e::CHANGED_ITEM,
        "DeletedEvent" => e::GONE_ITEM,
        "MovedEvent" => e::MOVED_ITEM,
        "CopiedEvent" => e::COPIED_ITEM,
        "FreeBusyChangedEvent" => e::FREE_BUSY,
        "SyncChange" => e::CAUGHT_CHANGE,
        "SyncDelete" => e::CAUGHT_DELETE,
        "SyncCheck" => e::CAUGHT_CHECK,
        "FullRead" => e::FULL_READ,
        _ => return None,
    })
}

/// How bad an event is.
pub(super) fn severity(name: &str) -> Option<Text> {
    [a::SEVERITY_INFORMATION, a::SEVERITY_WARNING, a::SEVERITY_ERROR].into_iter().find(|text| text.en == name)
}

/// Part after part; one that is not known stays as it is. Also for a cause: its words that come from elsewhere stay.
pub(super) fn parts(text: &str, language: Language) -> String {
    let mut told = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (said, left) = part(rest, language);
        told.push_str(&said);
        let between = BETWEEN.into_iter().find(|between| left.starts_with(between)).unwrap_or_default();
        told.push_str(between);
        // what is left begins with what stands between, or is empty
        rest = left.get(between.len().max(1)..).unwrap_or_default();
    }
    told
}

/// The first part in a language, and what follows it.
fn part(text: &str, language: Language) -> (String, &str) {
    let ends = |rest: &str| rest.is_empty() || BETWEEN.into_iter().any(|between| rest.starts_with(between));
    let known = PARTS.iter().chain(CAUSES).find_map(|known| {
        let (values, rest) = read(known.en, text)?;
        ends(rest).then(|| {
            let said = values.iter().fold(known.say(language).to_owned(), |said, (name, value)| {
                said.replace(&format!("{{{name}}}"), value)
            });
            (said, rest)
        })
    });
    known.unwrap_or_else(|| {
        let end = BETWEEN.into_iter().filter_map(|between| text.find(between)).min().unwrap_or(text.len());
        (text[..end].to_owned(), &text[end..])
    })
}

/// The names and numbers of a text that begins with this template, and what follows it.
type Read<'a> = (Vec<(&'static str, &'a str)>, &'a str);

fn read<'a>(template: &'static str, text: &'a str) -> Option<Read<'a>> {
    let mut pieces = template.split('{');
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    for piece in pieces {
        let (name, words) = piece.split_once('}')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return None;
        }
        values.push((name, number));
        rest = after.strip_prefix(words)?;
    }
    Some((values, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_said_in_danish_and_left_alone_in_english() {
        for (stored, danish) in [
            (
                "found 12, created 1, updated 0, deleted 3, deletions withheld 30 of 40, unreadable 2, \
                 refused by the database 1",
                "fandt 12, oprettede 1, ændrede 0, slettede 3, tilbageholdt 30 af 40 sletninger, ulæselige 2, \
                 afvist af databasen 1",
            ),
            (
                "10 listed: 0 new, 2 used again, 1 not used any more, 3 missing, withheld, \
                 4 addresses listed twice, skipped, 5 without a usable address, skipped, \
                 6 that cannot be read, skipped, 7 of which a part cannot be read, used without it",
                "10 på listen: 0 nye, 2 bruges igen, 1 bruges ikke mere, 3 mangler, tilbageholdt, \
                 4 adresser på listen to gange, sprunget over, 5 uden brugbar adresse, sprunget over, \
                 6 der ikke kan læses, sprunget over, 7 hvor en del ikke kan læses, brugt uden den",
            ),
            (
                "planner returned no resources, the last good list stays",
                "Planner svarede uden ressourcer, den sidste gode liste bliver stående",
            ),
            (
                "failed, it is tried again: connection refused, os error 111",
                "mislykkedes, den forsøges igen: connection refused, os error 111",
            ),
            (
                "no such mailbox is in use, so there is nothing to be done",
                "ingen sådan postkasse er i brug, så der er intet at gøre",
            ),
            ("it cannot be listened to: ErrorAccessDenied", "der kan ikke lyttes til den: ErrorAccessDenied"),
            ("nothing to put right", "intet at rette"),
            (
                "1 lacking in Planner, 2 with other times in Planner, 3 in Planner only, \
                 4 in step already, otherwise than believed, deletions withheld 5 of 6, 7 left alone",
                "1 mangler i Planner, 2 med andre tider i Planner, 3 kun i Planner, \
                 4 allerede i trit, anderledes end antaget, tilbageholdt 5 af 6 sletninger, 7 ikke rørt",
            ),
            ("found 1, something new, created 2", "fandt 1, something new, oprettede 2"),
            ("the call failed: timeout, again", "the call failed: timeout, again"),
            // regression: sentences of ours stood in English below a Danish heading
            (
                "planner denied having it and not having it for the same decision",
                "Planner afviste både at have den og ikke at have den, for samme afgørelse",
            ),
            (
                "the calendar cannot be read: FindItem failed: ErrorServerBusy",
                "kalenderen kan ikke læses: FindItem failed: ErrorServerBusy",
            ),
            (
                "CreateEvents: planner answered with HTTP status 403, which refuses this client: check planner.client_certificate",
                "CreateEvents: Planner svarede med HTTP-status 403, som afviser denne klient: se på planner.client_certificate",
            ),
            (
                "CreateEvents: planner answered with a fault (Client), which refuses the call itself: check \
                 planner.jobcenter_number and planner.request_user_identifier",
                "CreateEvents: Planner svarede med en fejl (Client), som afviser selve kaldet: se på \
                 planner.jobcenter_number og planner.request_user_identifier",
            ),
            (
                "failed, it is tried again: the resource list cannot be fetched: GetResources: no connection to planner: refused",
                "mislykkedes, den forsøges igen: ressourcelisten kan ikke hentes: GetResources: ingen forbindelse til Planner: refused",
            ),
            (
                "there is no service account for a group (4933): there is no service account",
                "der er ingen servicekonto til en gruppe (4933): der er ingen servicekonto",
            ),
            (": no connection to planner (6901)", ": ingen forbindelse til Planner (6901)"),
            ("planner sent 0 receipts for 1 appointment", "Planner sendte 0 kvitteringer for 1 aftale"),
            ("1 address listed twice, skipped", "1 adresse på listen to gange, sprunget over"),
            ("failed (planner", "failed (planner"),
            ("found many", "found many"),
            ("", ""),
        ] {
            assert_eq!(parts(stored, Language::Da), danish);
            assert_eq!(parts(stored, Language::En), stored);
        }
    }

    #[test]
    fn words_of_a_newer_version_are_told_as_they_are() {
        let handled = |word: &str| say(handled(word), word, Language::Da);
        assert_eq!((handled("unchanged"), handled("full read")), ("uændret".into(), "læst helt".into()));
        assert_eq!(handled("put off"), "put off");
        assert_eq!(say(severity("warning"), "warning", Language::Da), "advarsel");
        assert_eq!(say(receipt("acknowledged"), "acknowledged", Language::Da), "accepteret");
        assert_eq!(say(kind("Other"), "Other", Language::Da), "Other");
        // what is stored is the English of the text
        for text in HANDLED.iter().chain(SETTLED).chain(PARTS).chain(CAUSES) {
            assert_ne!(text.en, text.da);
        }
        // each is found as it is stored, before one that begins like it
        let with_numbers = |text: &str| text.replace("{n}", "2").replace("{all}", "3");
        for text in PARTS.iter().chain(CAUSES) {
            assert_eq!(parts(&with_numbers(text.en), Language::Da), with_numbers(text.da));
        }
    }

    #[test]
    fn the_causes_are_those_that_the_stages_store() {
        use planner_batcher::receipt::{CONVERTED_TWICE, FAILS_ALONE, NOT_NOW_TOO_OFTEN, UNSENDABLE};
        let aside = [CONVERTED_TWICE, NOT_NOW_TOO_OFTEN, FAILS_ALONE, UNSENDABLE];
        assert_eq!(CAUSES.iter().take(aside.len()).map(|text| text.en).collect::<Vec<_>>(), aside);
    }
}
