//! Do calls to Planner and to Exchange work? By the way there, the last calls, the streams and the alerts that stand. The
//! judgement is pure, and the same for the installation and for one mailbox.
//!
//! What is advised here is what the registry of events says of the code, with the settings to look at: `status` and `codes` send
//! whoever asks to `doctor`, which must not send them back without a word.

use std::collections::BTreeMap;

use base::event_entry::{Bilingual, Clears, Reaction};
use calendar::codes::{self, success};
use store::alerts::{Alert, named};
use store::group_streams::StreamState;
use store::inspect::{Group, PlannerFailure, Work};
use store::{Store, StoreError};

use super::super::diff::failure_values;
use super::super::show::moment;
use super::super::stream;
use super::host::Way;
use super::{Said, Step, Verdict, plain, ready, said, way};
use crate::commands::status::{FailingStreams, alerts, failing_streams_of};
use crate::texts::{Text, doctor as t, doctor_mailbox as m, stream as s};

/// Whom calls go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Planner,
    Exchange,
}

impl Side {
    /// The settings that say where it is and as whom it is called.
    const fn keys(self) -> &'static str {
        match self {
            Self::Planner => "planner.service_url, planner.client_certificate, planner.client_key",
            Self::Exchange => "exchange.service_url, exchange.autodiscover_url, exchange.user",
        }
    }
}

/// What the alerts of these codes say of calls; of the others what ends them tells.
const OF_CODES: [(u16, Option<(Side, Verdict)>); 10] = [
    (codes::EVENTS_FETCH_FAILED.id, Some((Side::Planner, Verdict::Fail))),
    (codes::CERTIFICATE_EXPIRED.id, Some((Side::Planner, Verdict::Fail))),
    // those in use stay so, and calls work with them
    (codes::CERTIFICATES_UNUSABLE.id, Some((Side::Planner, Verdict::Warn))),
    // one call was not made; the others are
    (codes::PLANNER_SEND_UNKNOWN_ERROR.id, Some((Side::Planner, Verdict::Warn))),
    // nobody listens
    (codes::STREAMING_START_FAILED.id, Some((Side::Exchange, Verdict::Fail))),
    // it begins anew
    (codes::LISTENER_UNKNOWN_ERROR.id, Some((Side::Exchange, Verdict::Warn))),
    // about mailboxes one by one, read by the qualifier
    (codes::ITEM_FETCH_FAILED.id, Some((Side::Exchange, Verdict::Warn))),
    (codes::MAILBOX_UNREACHABLE.id, Some((Side::Exchange, Verdict::Warn))),
    (codes::FULL_READ_SKIPPED.id, Some((Side::Exchange, Verdict::Warn))),
    // it ends with a success of Exchange, and is about the database
    (codes::SUBSCRIPTIONS_READ_FAILED.id, None),
];
/// Calls about a mailbox that Exchange did not answer, or not as it should: one mailbox may be at fault, or all calls.
const BY_NUMBER: [u16; 2] = [codes::EXCHANGE_CONNECTION_FAILED.id, codes::LISTENER_EXCHANGE_FAILED.id];
/// Nobody foresaw why: no setting is known to be at fault.
const UNFORESEEN: [u16; 3] = [
    codes::PLANNER_SEND_UNKNOWN_ERROR.id,
    codes::LISTENER_UNKNOWN_ERROR.id,
    codes::STREAMING_START_FAILED.id,
];

/// What an alert says of calls, where `in_use` mailboxes are: to whom, and whether they fail or are to be looked at. Nothing
/// of most.
fn says(alert: &Alert, in_use: u64) -> Option<(Side, Verdict)> {
    use Side::{Exchange, Planner};
    use Verdict::{Fail, Warn};
    if BY_NUMBER.contains(&alert.code) {
        return Some((Exchange, if concerns_many(alert, in_use) { Fail } else { Warn }));
    }
    if let Some((_, of_code)) = OF_CODES.iter().find(|(code, _)| *code == alert.code) {
        return *of_code;
    }
    let Clears::On(word) = codes::by_id(alert.code)?.clears else { return None };
    match word {
        success::PLANNER_CALL => Some((Planner, Fail)),
        success::PLANNER_ITEMS | success::CERTIFICATE => Some((Planner, Warn)),
        success::STREAM_OPEN | success::GROUP_WELL | success::EXCHANGE_ANSWER | success::COVERAGE => {
            Some((Exchange, Fail))
        }
        success::MAILBOX_HEARD => Some((Exchange, Warn)),
        _ => None,
    }
}

/// Is it about more mailboxes than are named, about all that are in use (0 = not known how many), or about the whole?
fn concerns_many(alert: &Alert, in_use: u64) -> bool {
    let (names, more) = named(&alert.subjects);
    let count = names.len().saturating_add(more);
    let is_all = count == 0 || (in_use > 0 && u64::try_from(count).is_ok_and(|count| count >= in_use));
    // more than are kept apart are counted as one
    is_all || count > alerts::NAMED_MAX || names.iter().any(|name| name == "others")
}

/// Is it about mailboxes, each of which tells more by itself?
fn is_of_mailboxes(alert: &Alert) -> bool {
    codes::by_id(alert.code).is_some_and(|entry| entry.per == Some("mailbox"))
}

/// What is known of calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The alerts that stand.
    pub(super) alerts: Vec<Alert>,
    /// The cause that the last event of an alert gave, by its code.
    pub(super) causes: BTreeMap<u16, String>,
    /// The last call to Planner failed.
    pub(super) failure: Option<PlannerFailure>,
    /// The streams that fail.
    pub(super) streams: FailingStreams,
    /// Mailboxes in use; 0 = not known.
    pub(super) in_use: u64,
    /// The last call to Planner, of the last hour, worked.
    pub(super) planner_answers: bool,
    /// Exchange holds a stream open.
    pub(super) exchange_answers: bool,
}

impl Known {
    /// What the database tells, where the stages stand as `work` says.
    pub(super) async fn of(store: &Store, work: &Work) -> Result<Self, StoreError> {
        let alerts = alerts::merged(store.standing_alerts().await?);
        let in_use = u64::try_from(work.queues.resources).unwrap_or_default();
        let told = alerts.iter().filter(|alert| says(alert, in_use).is_some());
        let codes: Vec<u16> = told.map(|alert| alert.code).collect();
        let causes = store.last_causes(&codes).await?.into_iter().collect();
        let streams = failing_streams_of(work, &alerts);
        let is_open = |group: &Group| {
            !streams.contains_key(&group.id) && group.stream.as_ref().is_some_and(|stream| stream.open)
        };
        let exchange_answers = work.groups.iter().any(is_open);
        let (failure, planner_answers) = (store.planner_failure().await?, store.planner_answers().await?);
        Ok(Self { alerts, causes, failure, streams, in_use, planner_answers, exchange_answers })
    }
}

/// Can Planner be reached, and do calls to it work? Where nothing is `known` of them, an open way is not enough.
pub(super) fn planner(title: Text, way: Way, known: Option<&Known>) -> Step {
    let Some(known) = known else { return way::judged(title, way, None) };
    let failed = known.failure.as_ref().map(|failure| {
        let mut failed = said(t::CALLS_FAIL, [("since", moment(failure.since))]);
        failed.values.extend(failure_values(failure));
        failed
    });
    let step = way::judged(title, way, Some(known.planner_answers));
    judged(step, Side::Planner, failed.into_iter().collect(), known)
}

/// Can Exchange be reached, are the streams open, and do calls to it work? As for Planner.
pub(super) fn exchange(title: Text, way: Way, known: Option<&Known>) -> Step {
    let Some(known) = known else { return way::judged(title, way, None) };
    let step = way::judged(title, way, Some(known.exchange_answers));
    judged(step, Side::Exchange, streams(known), known)
}

/// Most streams that are told one by one.
const STREAMS_TOLD: usize = 3;

/// The streams that fail, where it is known how they stand; the alerts tell of the others.
fn streams(known: &Known) -> Vec<Said> {
    let all: Vec<(i64, &StreamState)> =
        known.streams.iter().filter_map(|(group, state)| Some((*group, state.as_ref()?))).collect();
    let mut told: Vec<Said> =
        all.iter().take(STREAMS_TOLD).map(|(group, state)| not_open(*group, state)).collect();
    let more = all.len().saturating_sub(STREAMS_TOLD);
    if more > 0 {
        told.push(said(t::CALLS_STREAMS_MORE, [("count", more.to_string())]));
    }
    told
}

/// That the stream of a group is not open, since when and why.
pub(super) fn not_open(group: i64, state: &StreamState) -> Said {
    let why = said(stream::happening(state), [("what", state.happening.clone())]);
    let why = match &state.code {
        Some(code) => said(s::OF_CODE, [("code", code.clone())]).with("why", why),
        None => why,
    };
    said(m::LISTENED_NOT_OPEN, [("group", group.to_string()), ("at", moment(state.since))]).with("why", why)
}

/// The step of the way there, with what `fails` now and what the alerts say.
fn judged(step: Step, side: Side, fails: Vec<Said>, known: &Known) -> Step {
    let standing: Vec<(&Alert, Verdict)> = known
        .alerts
        .iter()
        .filter_map(|alert| {
            says(alert, known.in_use).filter(|(of, _)| *of == side).map(|(_, verdict)| (alert, verdict))
        })
        .collect();
    if fails.is_empty() && standing.is_empty() {
        return step;
    }
    let is_failure = step.verdict == Verdict::Fail
        || !fails.is_empty()
        || standing.iter().any(|(_, verdict)| *verdict == Verdict::Fail);
    let verdict = if is_failure { Verdict::Fail } else { Verdict::Warn };
    let told = standing.iter().map(|(alert, _)| of_alert(alert, known));
    let evidence = fails.into_iter().chain(told).fold(step.evidence, ready::both);
    // a way that is closed from here goes first, unless calls work all the same
    let of_way = step.next.filter(|_| step.verdict == Verdict::Fail);
    let next = of_way.unwrap_or_else(|| next(side, verdict, &standing, known));
    Step::new(step.title, verdict, evidence, next)
}

/// An alert, with the cause that its last event gave unless the last call said it.
fn of_alert(alert: &Alert, known: &Known) -> Said {
    let values = [
        ("code", alert.code.to_string()),
        ("since", moment(alert.since)),
        ("count", alert.occurrences.to_string()),
        ("at", moment(alert.last_at)),
    ];
    let meaning = codes::by_id(alert.code).map(|entry| of_registry(entry.meaning));
    let is_told = failed_with(known) == Some(alert.code);
    let alert_said = match known.causes.get(&alert.code).filter(|_| !is_told) {
        Some(cause) => {
            let mut with_cause = said(t::CALLS_ALERT_CAUSE, values);
            with_cause.values.push(("cause", cause.clone()));
            with_cause
        }
        None => said(t::CALLS_ALERT, values),
    };
    alert_said.with_all("meaning", meaning.into_iter().collect())
}

/// The code with which the last call to Planner failed.
fn failed_with(known: &Known) -> Option<u16> {
    known.failure.as_ref()?.event_id.and_then(|id| u16::try_from(id).ok())
}

/// What to do: by the code of what fails now, else by the worst alert.
fn next(side: Side, verdict: Verdict, standing: &[(&Alert, Verdict)], known: &Known) -> Said {
    let of_verdict = standing.iter().filter(|(_, one)| *one == verdict).map(|(alert, _)| *alert);
    let of_verdict: Vec<&Alert> = of_verdict.collect();
    if (side, verdict) == (Side::Exchange, Verdict::Warn)
        && of_verdict.iter().any(|alert| is_of_mailboxes(alert))
    {
        return plain(t::CALLS_MAILBOXES_NEXT);
    }
    let worst = of_verdict.into_iter().max_by_key(|alert| weight(alert)).map(|alert| alert.code);
    let code = match side {
        Side::Planner => failed_with(known).or(worst),
        // a stream that is not open, and nobody was alarmed so far
        Side::Exchange => worst.or(Some(codes::STREAM_OPEN_FAILED.id)),
    };
    let keys = ("keys", side.keys().to_owned());
    let Some(entry) = code.and_then(codes::by_id) else { return said(t::CALLS_PLANNER_NEXT, [keys]) };
    let (hint, code) = (of_registry(entry.look.words), ("code", entry.code.id.to_string()));
    if UNFORESEEN.contains(&entry.code.id) {
        return said(t::CALLS_UNFORESEEN_NEXT, [code]).with("hint", hint);
    }
    said(t::CALLS_NEXT, [keys, code]).with("hint", hint)
}

/// How telling an alert is: what is to be corrected here goes first, then what is critical, then what came last.
fn weight(alert: &Alert) -> (bool, bool, jiff::Timestamp) {
    let entry = codes::by_id(alert.code);
    let corrects = entry.is_some_and(|entry| entry.reaction == Reaction::CorrectConfiguration);
    (corrects, alerts::is_critical(alert), alert.last_at)
}

/// Words of the registry of events.
const fn of_registry(words: Bilingual) -> Said {
    plain(Text { key: "doctor.registry", en: words.en, da: words.da })
}

#[cfg(test)]
mod tests {
    use base::event_entry::CodeEntry;
    use jiff::Timestamp;

    use super::*;
    use crate::texts::Language;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + second).unwrap()
    }

    fn alert(code: u16) -> Alert {
        Alert { code, since: at(0), last_at: at(60), occurrences: 7, subjects: Vec::new() }
    }

    fn standing(codes: &[u16]) -> Known {
        Known { alerts: codes.iter().copied().map(alert).collect(), ..Known::default() }
    }

    fn open() -> Way {
        Way::Open("there:443".to_owned())
    }

    fn verdicts(known: &Known) -> (Verdict, Verdict) {
        let known = Some(known);
        let steps = (planner(t::PLANNER, open(), known), exchange(t::EXCHANGE, open(), known));
        (steps.0.verdict, steps.1.verdict)
    }

    fn words(said: Option<Said>, language: Language) -> String {
        said.map(|said| said.words(language)).unwrap_or_default()
    }

    /// Regression: all was green while every call to Planner or to Exchange failed.
    #[test]
    fn alerts_about_calls_fail_the_step_of_whom_they_go_to() {
        use Verdict::{Fail, Ok, Warn};
        for (codes, expected) in [
            (&[] as &[u16], (Ok, Ok)),
            // Planner
            (&[3936], (Fail, Ok)),
            (&[6901], (Fail, Ok)),
            (&[6904], (Fail, Ok)),
            (&[6906], (Fail, Ok)),
            (&[9624], (Fail, Ok)),
            (&[6902], (Fail, Ok)),
            (&[6903], (Fail, Ok)),
            (&[6905], (Fail, Ok)),
            (&[9627], (Fail, Ok)),
            (&[9628], (Fail, Ok)),
            (&[9629], (Fail, Ok)),
            // it answers, and takes not all; it will not for long
            (&[3932], (Warn, Ok)),
            // regression: the old files stay in use
            (&[9626], (Warn, Ok)),
            (&[9621], (Warn, Ok)),
            // Exchange
            (&[2907], (Ok, Fail)),
            (&[4937], (Ok, Fail)),
            // regression: it is critical, and was not told
            (&[4902], (Ok, Fail)),
            (&[4901], (Ok, Warn)),
            (&[4908], (Ok, Fail)),
            (&[4911], (Ok, Fail)),
            (&[4933], (Ok, Fail)),
            (&[4938], (Ok, Fail)),
            (&[5201], (Ok, Fail)),
            (&[9006], (Ok, Fail)),
            (&[9641], (Ok, Fail)),
            // mailboxes one by one
            (&[4906], (Ok, Warn)),
            (&[4906, 4915, 4916, 4922, 4925, 4929, 4930], (Ok, Warn)),
            (&[2951], (Ok, Warn)),
            (&[4906, 5201, 9621, 6905], (Fail, Fail)),
            // the database, what waits for an operator, and a code of a newer version
            (&[4910, 4912, 4918, 8901, 9106, 9101, 60_000], (Ok, Ok)),
        ] {
            assert_eq!(verdicts(&standing(codes)), expected, "{codes:?}");
        }
    }

    /// What ends when Planner answers a call, each with what it says: whoever adds one judges it here, too.
    #[test]
    fn what_ends_when_planner_answers_is_judged_code_by_code() {
        let judged = [6901, 6902, 6903, 6904, 6905, 6906, 9627, 9628, 9629];
        let ends = |entry: &&CodeEntry| entry.clears == Clears::On(success::PLANNER_CALL);
        let ending: Vec<u16> = codes::REGISTRY.iter().filter(ends).map(|entry| entry.code.id).collect();
        let others: Vec<u16> = ending.iter().copied().filter(|code| !judged.contains(code)).collect();
        assert_eq!(ending.len(), judged.len() + 1, "{ending:?}");
        for code in judged {
            assert_eq!(verdicts(&standing(&[code])), (Verdict::Fail, Verdict::Ok), "{code}");
        }
        // regression: what nobody foresaw failed the step, and sent to settings that have nothing to do with it
        let [unforeseen] = others[..] else { panic!("{others:?} are not judged") };
        assert!(codes::by_id(unforeseen).is_some_and(|entry| entry.meaning.en.contains("unforeseen")));
        let step = planner(t::PLANNER, open(), Some(&standing(&[unforeseen])));
        assert_eq!(step.verdict, Verdict::Warn);
        for language in [Language::En, Language::Da] {
            let next = words(step.next.clone(), language);
            assert!(!next.contains("planner.") && next.contains(&format!("codes {unforeseen}")), "{next}");
        }
    }

    /// Regression: nobody could start to listen, somebody was called at night, and the doctor was content.
    #[test]
    fn what_somebody_is_called_for_at_night_is_told() {
        const LEFT_OUT: [(u16, &str); 4] = [
            (codes::LISTENER_CANNOT_START.id, "the step of the stages tells it"),
            (codes::QUALIFIER_CANNOT_START.id, "the step of the stages tells it"),
            (codes::COMMUNICATOR_CANNOT_START.id, "the step of the stages tells it"),
            (codes::COMMUNICATOR_DATABASE_FAILED.id, "the steps of the database tell it"),
        ];
        let of_stages = |entry: &&CodeEntry| ["ELS", "EPS", "PCS"].contains(&entry.code.source);
        let critical: Vec<u16> = codes::REGISTRY
            .iter()
            .filter(of_stages)
            .filter(|entry| entry.critical)
            .map(|entry| entry.code.id)
            .collect();
        assert!(critical.len() > LEFT_OUT.len(), "{critical:?}");
        for code in &critical {
            let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| left_out == code);
            assert_eq!(says(&alert(*code), 0).is_none(), is_left_out, "{code}");
        }
        for (code, why) in LEFT_OUT {
            assert!(critical.contains(&code), "{code} is not critical any more: {why}");
        }
        let next = words(exchange(t::EXCHANGE, open(), Some(&standing(&[4902]))).next, Language::En);
        assert!(next.contains("kommuneklient codes 4902") && !next.contains("exchange."), "{next}");
    }

    /// Regression: one bad mailbox failed the installation.
    #[test]
    fn what_fails_for_one_mailbox_is_judged_by_how_many_it_fails_for() {
        use Verdict::{Fail, Warn};
        for code in [2907, 4937] {
            for (subjects, in_use, expected) in [
                (&["a@x.dk"] as &[&str], 500, Warn),
                (&["a@x.dk", "b@x.dk", "c@x.dk", "d@x.dk", "e@x.dk"], 500, Warn),
                // one more than are named, and more than are kept apart
                (&["a@x.dk", "b@x.dk", "c@x.dk", "d@x.dk", "e@x.dk", "+1"], 500, Fail),
                (&["a@x.dk", "others"], 500, Fail),
                // all that are in use
                (&["a@x.dk", "b@x.dk"], 3, Warn),
                (&["a@x.dk", "b@x.dk"], 10, Warn),
                (&["a@x.dk", "b@x.dk"], 2, Fail),
                (&["a@x.dk"], 1, Fail),
                // nobody knows how many are
                (&["a@x.dk"], 0, Warn),
                (&[], 500, Fail),
            ] {
                let mut known = Known { in_use, ..standing(&[code]) };
                known.alerts[0].subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
                let step = exchange(t::EXCHANGE, open(), Some(&known));
                assert_eq!(step.verdict, expected, "{code} {subjects:?} of {in_use}");
                let next = words(step.next, Language::En);
                assert_eq!(next.contains("kommuneklient doctor MAILBOX"), expected == Warn, "{next}");
                assert_eq!(next.contains("kommuneklient mailbox list --failing"), expected == Warn, "{next}");
            }
        }
    }

    /// Regression: behind a proxy that all must use the step failed for ever, although every call worked.
    #[test]
    fn a_way_that_is_closed_from_here_is_no_failure_where_calls_work() {
        let closed = || Way::Closed { address: "there:443".to_owned(), why: "refused".to_owned() };
        let known = Known { planner_answers: true, exchange_answers: true, ..standing(&[9621]) };
        let step = exchange(t::EXCHANGE, closed(), Some(&known));
        assert_eq!(step.verdict, Verdict::Warn);
        assert!(words(step.next, Language::Da).contains("NO_PROXY"));
        // what the alerts say of calls goes first then
        let step = planner(t::PLANNER, closed(), Some(&known));
        assert_eq!(step.verdict, Verdict::Warn);
        assert!(words(step.next, Language::En).contains("kommuneklient codes 9621"));
        let none = Known::default();
        assert_eq!(planner(t::PLANNER, closed(), Some(&none)).verdict, Verdict::Fail);
        assert_eq!(exchange(t::EXCHANGE, closed(), Some(&none)).verdict, Verdict::Fail);
    }

    /// Regression: what could not be asked was taken for nothing that fails.
    #[test]
    fn an_open_way_is_not_all_where_nothing_is_known_of_calls() {
        let steps = [planner(t::PLANNER, open(), None), exchange(t::EXCHANGE, open(), None)];
        for step in steps {
            assert_eq!(step.verdict, Verdict::Open);
            assert!(
                step.evidence.words(Language::En).contains("whether calls work is not known"),
                "{step:?}"
            );
        }
    }

    #[test]
    fn an_alert_is_told_with_since_when_how_often_why_and_what_to_do() {
        let mut known = standing(&[6901, 9629]);
        known.causes.insert(9629, "a call failed: alert certificate unknown".to_owned());
        let step = planner(t::PLANNER, open(), Some(&known));
        for (language, expected) in [
            (
                Language::En,
                "there:443 accepts connections; alert 6901 since {since} (events: 7, the last {at}): a call to Planner \
                 failed; alert 9629 since {since} (events: 7, the last {at}): Planner refuses the certificate of this \
                 installation (a call failed: alert certificate unknown)",
            ),
            (
                Language::Da,
                "there:443 tager imod forbindelser; alarm 6901 siden {since} (hændelser: 7, den seneste {at}): et kald \
                 til Planner mislykkedes; alarm 9629 siden {since} (hændelser: 7, den seneste {at}): Planner afviser \
                 denne installations certifikat (a call failed: alert certificate unknown)",
            ),
        ] {
            let expected = expected.replace("{since}", &moment(at(0))).replace("{at}", &moment(at(60)));
            assert_eq!(step.evidence.words(language), expected);
        }
        // what is to be corrected here goes first, and nobody is sent round in a circle
        let next = words(step.next, Language::En);
        assert!(
            next.contains("planner.client_certificate") && next.contains("kommuneklient codes 9629"),
            "{next}"
        );
        assert!(!next.contains("kommuneklient doctor"), "{next}");
    }

    /// Regression: the sentence of the log, which says what the meaning says, stood behind it, in Danish too, and so did the
    /// sentences of ours in a cause.
    #[test]
    fn a_cause_is_told_in_the_language_of_whoever_asks() {
        let mut known = standing(&[6901]);
        let cause = "GetEvents: no connection to planner: refused";
        known.causes.insert(6901, cause.to_owned());
        let step = planner(t::PLANNER, open(), Some(&known));
        let (english, danish) = (step.evidence.words(Language::En), step.evidence.words(Language::Da));
        assert!(english.ends_with(" (GetEvents: no connection to planner: refused)"), "{english}");
        assert!(danish.ends_with(" (GetEvents: ingen forbindelse til Planner: refused)"), "{danish}");
    }

    #[test]
    fn the_last_call_tells_what_fails_now_and_its_cause_once() {
        let mut known = standing(&[6905]);
        known.causes.insert(6905, "told twice".to_owned());
        let failure = |event_id| PlannerFailure {
            at: at(90),
            since: at(30),
            operation: "GetEvents".to_owned(),
            event_id,
            text: Some("no answer".to_owned()),
        };
        known.failure = Some(failure(Some(6905)));
        let step = planner(t::PLANNER, open(), Some(&known));
        let told = step.evidence.words(Language::En);
        let fails =
            format!("calls fail since {}, the last at {}: no answer (6905)", moment(at(30)), moment(at(90)));
        assert!(told.contains(&fails) && !told.contains("told twice"), "{told}");
        assert!(words(step.next, Language::Da).contains("kommuneklient codes 6905"));
        // without a code
        let known = Known { failure: Some(failure(None)), ..Known::default() };
        let step = planner(t::PLANNER, Way::NotTried, Some(&known));
        assert_eq!(step.verdict, Verdict::Fail);
        assert!(words(step.next, Language::En).contains("Planner's support"));
        // the way there goes first
        let closed = Way::Closed { address: "there:443".to_owned(), why: "refused".to_owned() };
        assert!(words(planner(t::PLANNER, closed, Some(&known)).next, Language::En).contains("firewall"));
    }

    #[test]
    fn a_stream_that_is_not_open_fails_before_anybody_is_alarmed() {
        let state = StreamState {
            open: false,
            since: at(0),
            happening: "away".to_owned(),
            code: Some("HTTP 503".to_owned()),
            happened_at: at(0),
        };
        let of = |streams: i64| Known {
            streams: (1..=streams).map(|group| (group, Some(state.clone()))).collect(),
            ..Known::default()
        };
        let step = exchange(t::EXCHANGE, open(), Some(&of(1)));
        assert_eq!((step.verdict, verdicts(&of(1)).0), (Verdict::Fail, Verdict::Ok));
        let told = step.evidence.words(Language::En);
        assert!(
            told.contains("the stream of group 1 is not open since") && told.contains("HTTP 503"),
            "{told}"
        );
        let next = words(step.next, Language::En);
        assert!(next.contains("exchange.service_url") && next.contains("kommuneklient codes 4908"), "{next}");
        let told = exchange(t::EXCHANGE, open(), Some(&of(5))).evidence.words(Language::En);
        assert!(
            told.contains("group 3 ") && !told.contains("group 4 ") && told.ends_with("not open: 2"),
            "{told}"
        );
        let mailboxes = exchange(t::EXCHANGE, open(), Some(&standing(&[4906])));
        assert!(words(mailboxes.next, Language::Da).contains("mailbox list --failing"));
    }
}
