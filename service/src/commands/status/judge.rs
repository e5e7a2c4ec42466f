//! What of a picture is to be looked at. Pure.

use std::collections::BTreeMap;

use calendar::codes;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::accounts::BackOffReason;
use store::alerts::Alert;
use store::group_streams::StreamState;
use store::inspect::{Group, Work};
use store::instances::Instance;
use store::shares::{GROUP_LEASES, LISTENER_LEASE, SENDER_LEASE as SENDER, SHARD_LEASES as SHARD};

use super::super::show::moment;
use super::super::stream::why;
use super::{Picture, age_s, alerts};
use crate::texts::status as t;
use crate::texts::{Language, Text};

/// A change that waits for longer is late: the product promises a second, and an outage is known by then.
const LATE_S: f64 = 120.0;
/// The same for a notification.
const SLOW_S: f64 = 120.0;

/// A stage (B1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Listener,
    Qualifier,
    Communicator,
}

impl Stage {
    pub(super) const ALL: [Self; 3] = [Self::Listener, Self::Qualifier, Self::Communicator];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Qualifier => "qualifier",
            Self::Communicator => "communicator",
        }
    }

    pub(super) const fn text(self) -> Text {
        match self {
            Self::Listener => t::LISTENER,
            Self::Qualifier => t::QUALIFIER,
            Self::Communicator => t::COMMUNICATOR,
        }
    }

    /// The role of an instance that does its work.
    const fn role(self) -> &'static str {
        match self {
            Self::Listener => "listen",
            Self::Qualifier => "qualify",
            Self::Communicator => "communicate",
        }
    }

    /// Is there an instance, alive or silent, that is to do its work?
    fn is_staffed(self, work: &Work) -> bool {
        let has_role = |one: &Instance| one.roles.iter().any(|role| role == self.role());
        work.instances.iter().any(|one| pulse(one) != Pulse::Gone && has_role(one))
    }

    /// Is the lease one of its?
    fn owns(self, key: &str) -> bool {
        match self {
            Self::Listener => key == LISTENER_LEASE || key.starts_with(GROUP_LEASES),
            Self::Qualifier => key.starts_with(SHARD),
            Self::Communicator => key.starts_with("communicator"),
        }
    }

    /// Must somebody hold the lease for the stage to run? A group of which nobody knows any more leaves its lease behind, and
    /// so does a shard after a change of their number ([`free_shards`]).
    fn needs(self, key: &str, work: &Work) -> bool {
        match self {
            Self::Listener => {
                key == LISTENER_LEASE
                    || work.groups.iter().any(|group| format!("{GROUP_LEASES}{}", group.id) == key)
            }
            Self::Qualifier => false,
            Self::Communicator => true,
        }
    }
}

/// How a stage stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct StageState {
    /// Who owns something of it.
    pub(super) owners: Vec<String>,
    /// What of it nobody owns.
    pub(super) missing: Vec<String>,
}

impl StageState {
    pub(super) fn runs(&self) -> bool {
        !self.owners.is_empty()
    }
}

/// How a stage stands, by its leases.
pub(super) fn stage(work: &Work, stage: Stage) -> StageState {
    let mut state = StageState::default();
    for lease in work.leases.iter().filter(|lease| stage.owns(&lease.key)) {
        match &lease.owner {
            Some(owner) if !state.owners.contains(owner) => state.owners.push(owner.clone()),
            Some(_) => {}
            None if stage.needs(&lease.key, work) => state.missing.push(lease.key.clone()),
            None => {}
        }
    }
    if stage == Stage::Qualifier {
        let free = free_shards(work);
        state.missing.extend(free.free.iter().map(|shard| format!("{SHARD}{shard}")));
    }
    state
}

/// The same, without what is nobody's on purpose: in a rehearsal nobody sends.
pub(super) fn stage_of(picture: &Picture, one: Stage) -> StageState {
    let mut state = stage(&picture.work, one);
    state.missing.retain(|key| !(picture.sending.dry_run && key == SENDER));
    state
}

/// The shards of the qualifier that nobody owns: nothing is decided about their mailboxes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FreeShards {
    /// They.
    pub(super) free: Vec<u8>,
    /// How many shards there are.
    pub(super) all: u8,
    /// Since when the first of them is nobody's, as far as is known: one that was handed back does not tell.
    pub(super) since: Option<Timestamp>,
}

/// The shards that nobody owns. Those beyond the number that was agreed on are nobody's concern.
pub(super) fn free_shards(work: &Work) -> FreeShards {
    let mut found = FreeShards { all: work.shards.unwrap_or_default(), ..FreeShards::default() };
    for shard in 0..found.all {
        let key = format!("{SHARD}{shard}");
        let lease = work.leases.iter().find(|lease| lease.key == key);
        if lease.is_some_and(|lease| lease.owner.is_some()) {
            continue;
        }
        found.free.push(shard);
        let since = lease.and_then(|lease| lease.free_since);
        found.since = found.since.into_iter().chain(since).min();
    }
    found
}

/// What was heard of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// It renews what it owns.
    Beats,
    /// It has not done so when it was to; or its row ran out, as in an outage of the database, and it has taken leases since.
    Late,
    /// It has not done so twice in a row: it has died, is paused, or does not reach the database. What it owns is not free
    /// yet.
    Silent,
    /// What it owned is free.
    Gone,
}

impl Pulse {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Beats => "beats",
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Gone => "gone",
        }
    }
}

/// What was heard of this instance. It is to be heard of three times within its life.
pub(super) fn pulse(one: &Instance) -> Pulse {
    match one.heard {
        // what it had owned ran out with its row
        _ if !one.alive && one.leases > 0 => Pulse::Late,
        _ if !one.alive => Pulse::Gone,
        Some(heard) if heard.ago * 3 > heard.life * 2 => Pulse::Silent,
        Some(heard) if heard.ago * 3 > heard.life => Pulse::Late,
        _ => Pulse::Beats,
    }
}

/// Host and process of an instance; the rest of its name only tells starts apart.
pub(super) fn short(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(short, _)| short)
}

/// Does no instance of the service run? Whoever runs holds a lease, or is among those that are alive: after an outage of
/// the database nobody has a lease yet, nor one that cannot do its work.
pub(super) fn nobody_runs(work: &Work) -> bool {
    work.leases.iter().all(|lease| lease.owner.is_none())
        && work.instances.iter().all(|one| pulse(one) == Pulse::Gone)
}

/// How the stream of a group stands, as far as the database knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Nobody owns the group.
    Nobodys,
    /// Its owner raised an alert about it that is not over.
    Fails,
    /// It is open.
    Open,
    /// It is not, and nobody was alarmed about that so far.
    NotOpen,
    /// Its owner has no complaint, and is of a version that does not tell more.
    Owned,
}

impl Stream {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nobodys => "nobody",
            Self::Fails => "fails",
            Self::Open => "open",
            Self::NotOpen => "not_open",
            Self::Owned => "owned",
        }
    }
}

/// How the stream of this group stands.
pub(super) fn stream(picture: &Picture, group: &Group) -> Stream {
    if group.owner.is_none() {
        Stream::Nobodys
    } else if alerts::of_group(&picture.alerts, group.id).next().is_some() {
        Stream::Fails
    } else {
        match &group.stream {
            Some(state) if state.open => Stream::Open,
            Some(_) => Stream::NotOpen,
            None => Stream::Owned,
        }
    }
}

/// The streams of groups with mailboxes that fail, with how each stands where that is known: those that have not been open
/// for long, and while an alert about them stands those that are not known to be open.
pub(super) fn failing_streams(work: &Work, alerts: &[Alert]) -> BTreeMap<i64, Option<StreamState>> {
    let fails = |group: &&Group| stream_fails(group.id, group.stream.as_ref(), alerts, work.at);
    let groups = work.groups.iter().filter(|group| group.members > 0);
    groups.filter(fails).map(|group| (group.id, group.stream.clone())).collect()
}

/// Does the stream of this group fail, which stands so at `at`?
pub(crate) fn stream_fails(
    group: i64,
    stream: Option<&StreamState>,
    alerts: &[Alert],
    at: Timestamp,
) -> bool {
    let alarmed = || alerts::of_group(alerts, group).next().is_some();
    match stream {
        Some(state) if state.open => false,
        Some(state) => alarmed() || age_s(state.since, at) > LATE_S,
        None => alarmed(),
    }
}

/// Something to be looked at, and the next step.
#[derive(Debug, Clone)]
pub(super) struct Remark {
    what: Text,
    next: Text,
    values: Vec<(&'static str, String)>,
    /// Values that are told in the language of the rest.
    words: Vec<(&'static str, Text)>,
    /// It is this alert, whose meaning and subjects are told in the language of the rest.
    alert: Option<Alert>,
    /// It is this stream, the reason of which is told in the language of the rest.
    stream: Option<StreamState>,
}

impl Remark {
    fn new(what: Text, next: Text, values: Vec<(&'static str, String)>) -> Self {
        Self { what, next, values, words: Vec::new(), alert: None, stream: None }
    }

    fn fill(&self, text: Text, language: Language) -> String {
        let words: Vec<(&str, &str)> =
            self.words.iter().map(|(name, word)| (*name, word.say(language))).collect();
        let plain = self.values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display));
        let values: Vec<(&str, &dyn std::fmt::Display)> =
            plain.chain(words.iter().map(|(name, word)| (*name, word as &dyn std::fmt::Display))).collect();
        let meaning = self.alert.as_ref().map_or("", |alert| alerts::meaning(alert.code, language));
        let about = self.alert.as_ref().map(|alert| alerts::about(alert, language));
        let about = about.filter(|names| !names.is_empty()).map(|names| format!(" ({names})"));
        let why = self.stream.as_ref().map(|state| why(state, language)).unwrap_or_default();
        let text = text.fill(language, &values).replace("{meaning}", meaning).replace("{reason}", &why);
        text.replace("{subjects}", &about.unwrap_or_default())
    }

    /// In words, and the next step.
    pub(super) fn text(&self, language: Language) -> (String, String) {
        (self.fill(self.what, language), self.fill(self.next, language))
    }

    /// For programs, in English.
    pub(super) fn value(&self) -> Value {
        let (what, next) = self.text(Language::En);
        json!({ "what": what, "next": next, "key": self.what.key })
    }
}

/// What nobody does.
fn still(picture: &Picture) -> Vec<Remark> {
    let work = &picture.work;
    if nobody_runs(work) {
        return vec![Remark::new(t::R_NOBODY_RUNS, t::R_NOBODY_RUNS_NEXT, Vec::new())];
    }
    let (running, still): (Vec<Stage>, Vec<Stage>) =
        Stage::ALL.into_iter().partition(|one| stage(work, *one).runs());
    // who has no account to read with takes no share of the work
    let no_account = picture.alerts.iter().any(|alert| alert.code == codes::SERVICE_ACCOUNT_MISSING.id);
    let next = |still: &Stage| match still {
        _ if !still.is_staffed(work) => t::R_STAGE_START_NEXT,
        Stage::Qualifier if no_account => t::R_STAGE_ACCOUNT_NEXT,
        _ => t::R_STAGE_NEXT,
    };
    let of_stage = |still: &Stage| Remark {
        words: vec![("stage", still.text())],
        ..Remark::new(t::R_STAGE, next(still), vec![("role", still.role().to_owned())])
    };
    let mut remarks: Vec<Remark> = still.iter().map(of_stage).collect();
    if running.contains(&Stage::Qualifier) {
        remarks.extend(shards(work));
    }
    let parts: Vec<String> = running
        .into_iter()
        .filter(|one| *one != Stage::Qualifier)
        .flat_map(|one| stage_of(picture, one).missing)
        .collect();
    if !parts.is_empty() {
        remarks.push(Remark::new(t::R_PART, t::R_PART_NEXT, vec![("parts", parts.join(", "))]));
    }
    remarks
}

/// The shards that nobody owns although the stage runs.
fn shards(work: &Work) -> Option<Remark> {
    let free = free_shards(work);
    if free.free.is_empty() {
        return None;
    }
    let mut values = vec![("count", free.free.len().to_string()), ("all", free.all.to_string())];
    values.extend(free.since.map(|since| ("since", moment(since))));
    let what = if free.since.is_some() { t::R_SHARDS_SINCE } else { t::R_SHARDS };
    Some(Remark::new(what, t::R_SHARDS_NEXT, values))
}

/// The instances that are taken to be alive and were not heard of when they were to be.
fn silent(work: &Work) -> impl Iterator<Item = Remark> {
    let silent = work.instances.iter().filter(|one| pulse(one) == Pulse::Silent);
    silent.map(|one| {
        let ago = one.heard.map_or(0.0, |heard| heard.ago.as_secs_f64());
        let values = vec![("instance", short(&one.name).to_owned()), ("age", age(ago))];
        Remark::new(t::R_SILENT, t::R_SILENT_NEXT, values)
    })
}

/// The instances that ended without taking leave, for as long as their rows are kept: good to know, and nothing to be looked
/// at, since what is nobody's is told apart from it.
pub(super) fn notes(picture: &Picture) -> Vec<Remark> {
    let work = &picture.work;
    let is_done = |state: StageState| state.runs() && state.missing.is_empty();
    let all_done = Stage::ALL.into_iter().all(|one| is_done(stage_of(picture, one)));
    let what = if all_done { t::N_GONE_TAKEN_OVER } else { t::N_GONE };
    let gone = work.instances.iter().filter(|one| pulse(one) == Pulse::Gone);
    let note = |one: &Instance| {
        let seen = work.at.checked_sub(one.heard?.ago).ok()?;
        let values = vec![("instance", short(&one.name).to_owned()), ("at", moment(seen))];
        Some(Remark::new(what, t::N_GONE_NEXT, values))
    };
    gone.filter_map(note).collect()
}

/// The alerts that stand, the critical ones first.
fn standing(picture: &Picture) -> Vec<Remark> {
    let remark = |alert: &Alert| {
        let values = vec![("code", alert.code.to_string()), ("since", moment(alert.since))];
        Remark { alert: Some(alert.clone()), ..Remark::new(t::R_ALERT, t::R_ALERT_NEXT, values) }
    };
    let (critical, others): (Vec<&Alert>, Vec<&Alert>) =
        picture.alerts.iter().partition(|alert| alerts::is_critical(alert));
    critical.into_iter().chain(others).map(remark).collect()
}

/// The streams that have not been open for a while, and nobody was alarmed.
fn not_open(picture: &Picture) -> Vec<Remark> {
    let work = &picture.work;
    let groups = work.groups.iter().filter(|group| group.members > 0);
    let silent = groups.filter(|group| stream(picture, group) == Stream::NotOpen);
    let late = silent.filter_map(|group| {
        let state = group.stream.as_ref()?;
        let waited = age_s(state.since, work.at);
        let values = vec![("group", group.id.to_string()), ("age", age(waited))];
        (waited > LATE_S).then(|| Remark {
            stream: Some(state.clone()),
            ..Remark::new(t::R_NOT_OPEN, t::R_NOT_OPEN_NEXT, values)
        })
    });
    late.collect()
}

/// Everything that is to be looked at, the worst first.
pub(super) fn remarks(picture: &Picture) -> Vec<Remark> {
    let work = &picture.work;
    let mut remarks = still(picture);
    remarks.extend(silent(work));
    remarks.extend(standing(picture));
    remarks.extend(not_open(picture));
    let mut add = |what: Text, next: Text, values: Vec<(&'static str, String)>| {
        remarks.push(Remark::new(what, next, values));
    };
    if work.queues.resource_list_fetched_at.is_none() {
        add(t::R_NO_LIST, t::R_NO_LIST_NEXT, Vec::new());
    }
    if picture.limits.any_certificate {
        add(t::R_ANY_CERTIFICATE, t::R_ANY_CERTIFICATE_NEXT, Vec::new());
    }
    for warning in picture.sending.warnings() {
        add(warning, t::R_DRY_DIFFERS_NEXT, Vec::new());
    }
    if picture.sending.dry_run {
        add(t::R_DRY_RUN, t::R_DRY_RUN_NEXT, Vec::new());
    } else if let Some(key) = &picture.oldest
        && age_s(key.decided_at, work.at) > LATE_S
    {
        let values = vec![("age", age(age_s(key.decided_at, work.at))), ("mailbox", key.mail.clone())];
        add(t::R_LATE, t::R_LATE_NEXT, values);
    }
    if let Some(waited) = work.queues.oldest_notification_s.filter(|waited| *waited > SLOW_S) {
        add(t::R_SLOW, t::R_SLOW_NEXT, vec![("age", age(waited))]);
    }
    let counted = [
        (picture.accounts.not_covered as u64, t::R_NOT_COVERED, t::R_NOT_COVERED_NEXT),
        (picture.failing(), t::R_FAILING, t::R_FAILING_NEXT),
        (work.withheld, t::R_WITHHELD, t::R_WITHHELD_NEXT),
        (
            work.keys_set_aside + u64::try_from(work.queues.notifications_set_aside).unwrap_or_default(),
            t::R_ASIDE,
            t::R_ASIDE_NEXT,
        ),
        (work.keys_refused, t::R_REFUSED, t::R_REFUSED_NEXT),
    ];
    for (count, what, next) in counted.into_iter().filter(|(count, ..)| *count > 0) {
        add(what, next, vec![("count", count.to_string())]);
    }
    for account in &picture.accounts.accounts {
        if let Some((_, why)) = account.waits {
            let number = account.account.get();
            let name = picture.user(number, account.user_name.as_ref()).cloned();
            let mut remark = Remark {
                words: vec![("why", back_off(why))],
                ..Remark::new(t::R_ACCOUNT_WAITS, t::R_ACCOUNT_WAITS_NEXT, Vec::new())
            };
            match name {
                None if number == 0 => remark.words.push(("account", t::OF_CONFIGURATION)),
                name => remark.values.push(("account", name.unwrap_or_else(|| number.to_string()))),
            }
            remarks.push(remark);
        }
    }
    if work.budget.failed > 0 {
        let values =
            vec![("failed", work.budget.failed.to_string()), ("calls", work.budget.calls.to_string())];
        remarks.push(Remark::new(t::R_CALLS_FAIL, t::R_CALLS_FAIL_NEXT, values));
    }
    remarks
}

/// Why an account waits.
pub(super) const fn back_off(reason: BackOffReason) -> Text {
    match reason {
        BackOffReason::Busy => t::WAITS_BUSY,
        BackOffReason::Refused => t::WAITS_REFUSED,
    }
}

/// An age for people: the two largest units.
pub(super) fn age(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, left) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{left} s"),
        (0, 0, _) => format!("{minutes} min {left} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests;
