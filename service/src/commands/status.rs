//! `status`: how the whole service stands, from the database, so from any machine that has the configuration: stages,
//! instances, affinity groups with their streams, service accounts, queues, the budget of calls, and what is to be
//! looked at with the next step.

pub(crate) mod alerts;
mod judge;
mod page;

use std::collections::BTreeMap;
use std::io::IsTerminal;

use jiff::Timestamp;
use serde_json::{Value, json};
use store::accounts::AccountCapacity;
use store::alerts::Alert;
use store::group_streams::StreamState;
use store::inspect::{Group, Unsent, Work};

use super::diff::{Sending, hold_name};
use super::{CommandError, Desk, stream};
use crate::cli::tools::StatusArgs;
use crate::texts::{Language, Text};
use judge::Stage;
/// Does the stream of a group fail, so that none of its mailboxes is listened to? The one judgement of that.
pub(crate) use judge::stream_fails;

/// Everything that is shown.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// How the stages stand.
    pub(crate) work: Work,
    /// What the accounts carry.
    pub(crate) accounts: AccountCapacity,
    /// The oldest unsent change.
    pub(crate) oldest: Option<Unsent>,
    /// The alerts that stand, by code.
    pub(crate) alerts: Vec<Alert>,
    /// What keeps everything from being sent.
    pub(crate) sending: Sending,
    /// What the configuration of this machine says.
    pub(crate) limits: Limits,
    /// The service account that it names (`exchange.user`): number 0.
    pub(crate) configured: Option<String>,
}

impl Picture {
    /// The streams that fail.
    fn streams(&self) -> FailingStreams {
        failing_streams_of(&self.work, &self.alerts)
    }

    /// Mailboxes in use that cannot be listened to, by themselves or because the stream of their group fails: those that
    /// `mailbox list --failing` shows.
    fn failing(&self) -> u64 {
        let streams = self.streams();
        let by_stream =
            self.work.groups.iter().map(|group| failing_of(group, &streams).saturating_sub(group.failing));
        u64::try_from(self.work.queues.resources_failing).unwrap_or_default() + by_stream.sum::<u64>()
    }

    /// The name of the account of that number, where it is known.
    fn user<'a>(&'a self, account: i64, stored: Option<&'a String>) -> Option<&'a String> {
        stored.or(self.configured.as_ref().filter(|_| account == 0))
    }
}

/// The limits that what is used is shown beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Calls in a minute.
    pub(crate) calls: Option<u32>,
    /// Appointments in a minute.
    pub(crate) events: Option<u32>,
    /// Calls at one time.
    pub(crate) simultaneous: usize,
    /// Groups of an account.
    pub(crate) groups: usize,
    /// Are certificates of Exchange not verified?
    pub(crate) any_certificate: bool,
}

/// Shows how the service stands, once or again and again. Status 1 where no instance of it runs.
pub(crate) async fn status(desk: Desk, args: &StatusArgs) -> Result<(), CommandError> {
    let language = desk.language;
    loop {
        let picture = look(&desk).await?;
        if args.watch.is_some() && !desk.json && std::io::stdout().is_terminal() {
            // clears the screen and goes to its corner
            crate::cli::print("\x1b[2J\x1b[H");
        }
        desk.answer(&value(&picture), || page::page(&picture, language));
        let Some(every) = args.watch else {
            // who asks by a script is told by the status, too
            return if judge::nobody_runs(&picture.work) { Err(CommandError::NothingRuns) } else { Ok(()) };
        };
        tokio::time::sleep(every.get()).await;
    }
}

/// Looks at everything.
pub(crate) async fn look(desk: &Desk) -> Result<Picture, CommandError> {
    let (planner, configured) = (&desk.config.planner, desk.config.exchange.user.clone());
    let mut accounts = desk.store.account_capacity().await?;
    if configured.is_none() {
        // there is none of the configuration, unless it carries something: another machine has another configuration
        accounts.accounts.retain(|one| one.account.get() != 0 || one.groups > 0);
    }
    Ok(Picture {
        work: desk.store.work().await?,
        accounts,
        oldest: desk.store.oldest_unsent().await?,
        alerts: standing(desk).await?,
        sending: Sending::now(desk).await?,
        limits: Limits {
            calls: planner.sla_calls_per_minute,
            events: planner.sla_events_per_minute,
            simultaneous: planner.simultaneous_calls,
            groups: desk.config.listener.subscription_groups_per_credential,
            any_certificate: desk.config.exchange.danger_accept_invalid_certificates,
        },
        configured,
    })
}

/// The groups of which the stream fails, and how it stands, where that is known.
pub(crate) type FailingStreams = BTreeMap<i64, Option<StreamState>>;

/// The streams that fail now: all mailboxes of their groups are not listened to.
pub(crate) async fn failing_streams(desk: &Desk) -> Result<FailingStreams, CommandError> {
    let alerts = alerts::merged(desk.store.standing_alerts().await?);
    Ok(judge::failing_streams(&desk.store.work().await?, &alerts))
}

/// The same by what was looked at. Pure.
pub(crate) fn failing_streams_of(work: &Work, alerts: &[Alert]) -> FailingStreams {
    judge::failing_streams(work, alerts)
}

/// How many mailboxes of the group are listened to: none while its stream fails, whatever subscriptions they have.
pub(crate) fn listened_of(group: &Group, streams: &FailingStreams) -> u64 {
    if streams.contains_key(&group.id) { 0 } else { group.subscribed }
}

/// How many mailboxes of the group cannot be listened to: all of them while its stream fails.
fn failing_of(group: &Group, streams: &FailingStreams) -> u64 {
    if streams.contains_key(&group.id) { group.members } else { group.failing }
}

/// The alerts that stand. What waits for an operator is looked up, so that one who has just settled it sees that.
async fn standing(desk: &Desk) -> Result<Vec<Alert>, CommandError> {
    let mut standing = alerts::merged(desk.store.standing_alerts().await?);
    if standing.iter().any(alerts::is_state) {
        // an event comes after what it is about: what is not there any more was settled
        alerts::drop_settled(&mut standing, &desk.store.open_matters().await?);
        let mailboxes = desk.store.waiting_mailboxes(alerts::NAMED_MAX).await?;
        alerts::name_waiting(&mut standing, &mailboxes);
    }
    Ok(standing)
}

/// The stages of which nobody does the work.
pub(crate) fn stopped(work: &Work) -> Vec<Text> {
    Stage::ALL.into_iter().filter(|stage| !judge::stage(work, *stage).runs()).map(Stage::text).collect()
}

/// What the code of an event means; nothing for one of a newer version.
fn event_meaning(event_id: i32, language: Language) -> &'static str {
    u16::try_from(event_id).map_or("", |code| alerts::meaning(code, language))
}

/// Seconds since then; none for what lies ahead.
pub(super) fn age_s(at: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64().max(0.0)
}

fn value(picture: &Picture) -> Value {
    let Picture { work, accounts, oldest, alerts, sending, limits, .. } = picture;
    let streams = picture.streams();
    let at = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let queues = &work.queues;
    let free = judge::free_shards(work);
    let remarks: Vec<Value> = judge::remarks(picture).iter().map(judge::Remark::value).collect();
    json!({
        "at": work.at.to_string(),
        "well": remarks.is_empty(),
        "remarks": remarks,
        "notes": judge::notes(picture).iter().map(judge::Remark::value).collect::<Vec<_>>(),
        "alerts": alerts.iter().map(alerts::value).collect::<Vec<_>>(),
        "stages": Stage::ALL.map(|stage| {
            let state = judge::stage_of(picture, stage);
            json!({ "stage": stage.name(), "runs": state.runs(), "owners": state.owners, "missing": state.missing })
        }),
        "shards": { "all": work.shards, "free": free.free, "free_since": at(free.since) },
        "instances": work.instances.iter().map(|one| json!({
            "name": one.name, "alive": judge::pulse(one) != judge::Pulse::Gone, "roles": one.roles, "version": one.version,
            "since": one.started_at.to_string(), "leases": one.leases, "pulse": judge::pulse(one).name(),
            "last_seen_s": one.heard.map(|heard| heard.ago.as_secs_f64()),
        })).collect::<Vec<_>>(),
        "groups": work.groups.iter().map(|group| json!({
            "id": group.id, "endpoint": group.endpoint, "grouping_value": group.grouping_value,
            "account": group.account, "user": picture.user(group.account, group.user_name.as_ref()),
            "mailboxes": group.members, "subscribed": listened_of(group, &streams),
            "failing": failing_of(group, &streams), "owner": group.owner,
            "stream": judge::stream(picture, group).name(), "stream_state": stream::value(group.stream.as_ref()),
            "alerts": alerts::of_group(alerts, group.id).map(|alert| alert.code).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "accounts": accounts.accounts.iter().map(|one| json!({
            "number": one.account.get(), "user": picture.user(one.account.get(), one.user_name.as_ref()),
            "groups": one.groups, "groups_most": limits.groups,
            "mailboxes": one.mailboxes, "waits_until": one.waits.map(|(until, _)| until.to_string()),
            "waits_because": one.waits.map(|(_, why)| why.as_str()),
        })).collect::<Vec<_>>(),
        "queues": {
            "notifications": queues.notifications, "oldest_notification_s": queues.oldest_notification_s,
            "notifications_set_aside": queues.notifications_set_aside, "unsent": queues.unsent,
            "oldest_unsent_s": queues.oldest_unsent_s, "in_flight": queues.in_flight,
            "appointments_set_aside": work.keys_set_aside, "appointments_refused": work.keys_refused,
            "withheld_runs": work.withheld, "withdrawals_unsent": work.withdrawals_unsent,
        },
        "oldest_unsent": oldest.as_ref().map(|key| json!({
            "mailbox": key.mail, "origin_id": key.origin_id.as_str(), "decided_at": key.decided_at.to_string(),
            "operation": key.operation.call_name(), "waits_for": hold_name(key.hold, sending),
        })),
        "resources": {
            "in_use": queues.resources, "failing": picture.failing(),
            "not_adopted": queues.resources_not_adopted, "not_covered": accounts.not_covered,
            "list_fetched_at": at(queues.resource_list_fetched_at), "full_pull_at": at(work.full_pull_at),
            "comparison_at": at(work.comparison_at),
        },
        "budget": {
            "calls": work.budget.calls, "calls_most": limits.calls, "events": work.budget.events,
            "events_most": limits.events, "in_flight": work.budget.in_flight,
            "in_flight_most": limits.simultaneous, "bulk_calls": work.budget.bulk_calls, "failed": work.budget.failed,
        },
        "events": work.events.iter().map(|event| json!({
            "code": event.event_id, "meaning": event_meaning(event.event_id, Language::En), "severity": event.severity, "count": event.count,
            "last_at": event.last_at.to_string(),
        })).collect::<Vec<_>>(),
        "dry_run": picture.sending.dry_run,
        "some_send_some_rehearse": picture.sending.mixed,
        "planner_failure": sending.failure_value(),
    })
}
