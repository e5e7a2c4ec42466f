//! Admin paths: what the simulator holds, what it has done, and what is to go wrong.
//!
//! | path | |
//! |---|---|
//! | `GET /admin/state?from=&to=&mailbox=` | every item of every (or one) calendar, series also as their occurrences that overlap the window |
//! | `GET /admin/streams` | open streams |
//! | `GET /admin/subscriptions` | live subscriptions, on a stream or not |
//! | `GET /admin/meter` | requests by operation, faults, counters |
//! | `GET`, `POST`, `DELETE /admin/faults` | rules of faults ([`crate::faults`]) |
//! | `POST /admin/acts` | something that happens at once ([`crate::faults::Act`]) |
//! | `GET`, `POST /admin/mailboxes` | the addresses; `{"add": […], "remove": […]}` |
//!
//! They ask for no credentials: the simulator listens on loopback unless told otherwise. No subject, body
//! or place is told here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use proto_ews::CalendarItemKind as Kind;
use serde::{Deserialize, Serialize};
use simulator_kit::{FaultRule, reply};
use tokio::sync::mpsc;

use crate::faults::{Act, Fault};
use crate::hub::Subscription;
use crate::ids::{FolderKind, ItemKey, MailboxKey, item_change_key};
use crate::item::{Appointment, Shown};
use crate::mailbox::{Mailbox, view};
use crate::service::Service;
use crate::zone::Zone;

/// What the server's owner is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Listen no more for so long.
    Down(Duration),
    /// End.
    Stop,
}

/// Adds the admin paths.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/admin/state", web::get().to(state))
        .route("/admin/streams", web::get().to(streams))
        .route("/admin/subscriptions", web::get().to(subscriptions))
        .route("/admin/meter", web::get().to(meter))
        .route("/admin/acts", web::post().to(acts))
        .service(
            web::resource("/admin/mailboxes")
                .route(web::get().to(list_mailboxes))
                .route(web::post().to(change_mailboxes)),
        )
        .service(
            web::resource("/admin/faults")
                .route(web::get().to(list_faults))
                .route(web::post().to(add_faults))
                .route(web::delete().to(clear_faults)),
        );
}

/// The window of [`state`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    /// Begin; without it series are not expanded.
    from: Option<Timestamp>,
    /// End; without it series are not expanded.
    to: Option<Timestamp>,
    /// Only this mailbox.
    mailbox: Option<String>,
}

/// What the calendars hold.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// The time of this server's clock.
    pub now: Timestamp,
    /// Mailboxes that hold something, by address; a mailbox that was asked for by name in any case.
    pub mailboxes: Vec<MailboxState>,
}

/// What one calendar holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct MailboxState {
    /// Its address.
    pub mailbox: String,
    /// Its grouping value.
    pub group: String,
    /// Its stored items: singles and masters.
    pub items: Vec<ItemState>,
    /// The occurrences of its series that overlap the window.
    pub occurrences: Vec<ItemState>,
}

/// One appointment, as the oracle needs it. Instants are UTC, in whole seconds.
#[derive(Debug, Serialize, Deserialize)]
pub struct ItemState {
    /// Its id.
    pub item_id: String,
    /// Its change key.
    pub change_key: String,
    /// For an occurrence: the id of its master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_id: Option<String>,
    /// Its UID.
    pub uid: String,
    /// `Single`, `RecurringMaster`, `Occurrence`, `Exception`.
    pub kind: String,
    /// Begin.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Covers whole dates of its zone.
    pub all_day: bool,
    /// Its zone as clients see it (`StartTimeZone`).
    pub zone: String,
    /// The same as an IANA name, where there is one.
    pub iana_zone: Option<String>,
    /// Begin in local time of its zone.
    pub local_start: jiff::civil::DateTime,
    /// End in local time of its zone.
    pub local_end: jiff::civil::DateTime,
    /// `LegacyFreeBusyStatus`.
    pub free_busy: String,
    /// Cancelled.
    pub cancelled: bool,
    /// The original start of an occurrence.
    pub recurrence_id: Option<Timestamp>,
    /// When it was last changed.
    pub modified: Timestamp,
}

async fn state(service: web::Data<Service>, query: web::Query<StateQuery>) -> HttpResponse {
    let window = query.from.zip(query.to);
    // Copies under the lock, expands outside of it.
    let calendars: Vec<_> = {
        let world = service.world();
        let one = query.mailbox.as_deref().map(MailboxKey::of);
        let wanted = world.mailboxes.values().filter(|mailbox| match one {
            Some(one) => mailbox.key() == one,
            None => mailbox.count(FolderKind::Calendar) > 0,
        });
        wanted.map(|mailbox| (mailbox.address().to_owned(), mailbox.group, mailbox.calendar())).collect()
    };
    let mut mailboxes: Vec<MailboxState> = calendars
        .into_iter()
        .map(|(mailbox, group, calendar)| MailboxState {
            mailbox,
            group: service.options.grouping(group),
            items: calendar
                .iter()
                .map(|(key, version, appointment)| {
                    item_state(*key, *version, appointment, &appointment.stored())
                })
                .collect(),
            occurrences: window.map(|(from, to)| occurrences(&calendar, from, to)).unwrap_or_default(),
        })
        .collect();
    mailboxes.sort_by(|a, b| a.mailbox.cmp(&b.mailbox));
    reply::json(&State { now: service.now(), mailboxes })
}

fn occurrences(
    calendar: &[(ItemKey, u64, Arc<Appointment>)],
    from: Timestamp,
    to: Timestamp,
) -> Vec<ItemState> {
    let all = view(calendar, from, to);
    all.iter()
        .filter(|(_, _, _, shown)| matches!(shown.kind, Kind::Occurrence | Kind::Exception))
        .map(|(key, version, appointment, shown)| item_state(*key, *version, appointment, shown))
        .collect()
}

fn item_state(key: ItemKey, version: u64, appointment: &Appointment, shown: &Shown) -> ItemState {
    let details = &shown.details;
    let zone: &Zone = &details.start_zone;
    ItemState {
        item_id: key.encode(),
        change_key: item_change_key(key.mailbox, version),
        master_id: key.occurrence.is_some().then(|| key.master().encode()),
        uid: appointment.uid.clone(),
        kind: shown.kind.as_str().to_owned(),
        start: details.start,
        end: details.end,
        all_day: details.all_day,
        zone: zone.id().to_owned(),
        iana_zone: zone.iana().map(str::to_owned),
        local_start: zone.local(details.start),
        local_end: zone.local(details.end),
        free_busy: details.free_busy.as_str().to_owned(),
        cancelled: details.cancelled,
        recurrence_id: shown.recurrence_id,
        modified: shown.modified,
    }
}

/// An open stream.
#[derive(Debug, Serialize, Deserialize)]
pub struct StreamState {
    /// Its number.
    pub number: u64,
    /// The account that opened it.
    pub account: String,
    /// The back ends of its subscriptions (one, unless something is wrong).
    pub back_ends: Vec<String>,
    /// The mailboxes of its subscriptions.
    pub mailboxes: Vec<String>,
    /// When it was opened.
    pub opened: Timestamp,
    /// Events sent on it.
    pub events: u64,
    /// Events that wait in its subscriptions.
    pub waiting: usize,
    /// It swallows everything.
    pub silent: bool,
}

async fn streams(service: web::Data<Service>) -> HttpResponse {
    let world = service.world();
    let all: Vec<StreamState> = world
        .hub
        .streams()
        .map(|(number, stream)| {
            let own = || stream.ids.iter().filter_map(|id| world.hub.subscription(id));
            let domain = &service.options.domain;
            let mut back_ends: Vec<String> = own().map(|own| own.back_end.host(domain)).collect();
            back_ends.sort();
            back_ends.dedup();
            let address = |key| world.mailboxes.get(&key).map(|mailbox| mailbox.address().to_owned());
            StreamState {
                number,
                account: service.accounts.get(stream.account).cloned().unwrap_or_default(),
                back_ends,
                mailboxes: own().filter_map(|own| address(own.mailbox)).collect(),
                opened: stream.opened,
                events: stream.events,
                waiting: own().map(Subscription::waiting).sum(),
                silent: stream.silent,
            }
        })
        .collect();
    reply::json(&all)
}

/// A live subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionState {
    /// Its id.
    pub id: String,
    /// Its mailbox's address; empty when that was removed.
    pub mailbox: String,
    /// The account that owns it.
    pub account: String,
    /// The back end where it lives.
    pub back_end: String,
    /// When it was made.
    pub created: Timestamp,
    /// It is on an open stream.
    pub streamed: bool,
    /// Events that wait.
    pub waiting: usize,
}

async fn subscriptions(service: web::Data<Service>) -> HttpResponse {
    let world = service.world();
    let address = |key| world.mailboxes.get(&key).map(|mailbox: &Mailbox| mailbox.address().to_owned());
    let state = |id: &Arc<str>| {
        let own = world.hub.subscription(id)?;
        Some(SubscriptionState {
            id: id.to_string(),
            mailbox: address(own.mailbox).unwrap_or_default(),
            account: service.accounts.get(own.account).cloned().unwrap_or_default(),
            back_end: own.back_end.host(&service.options.domain),
            created: own.created(),
            streamed: own.is_streamed(),
            waiting: own.waiting(),
        })
    };
    let mut all: Vec<SubscriptionState> = world.hub.ids(None).iter().filter_map(state).collect();
    all.sort_by(|a, b| (&a.mailbox, &a.id).cmp(&(&b.mailbox, &b.id)));
    reply::json(&all)
}

async fn meter(service: web::Data<Service>) -> HttpResponse {
    let world = service.world();
    let mut by_account: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, stream) in world.hub.streams() {
        let account = service.accounts.get(stream.account).map(String::as_str).unwrap_or_default();
        *by_account.entry(account).or_default() += 1;
    }
    let ids = world.hub.ids(None);
    let is_streamed = |id: &str| world.hub.subscription(id).is_some_and(Subscription::is_streamed);
    let streamed = ids.iter().filter(|id| is_streamed(id)).count();
    reply::json(&serde_json::json!({
        "meter": world.meter(),
        "mailboxes": world.mailboxes.len(),
        "subscriptions": world.hub.subscriptions(),
        "subscriptions_streamed": streamed,
        "streams": world.hub.streams().count(),
        "streams_by_account": by_account,
        "logons": service.logons.counts(),
    }))
}

async fn acts(
    service: web::Data<Service>,
    commands: web::Data<mpsc::Sender<Command>>,
    act: web::Json<Act>,
) -> HttpResponse {
    if let Act::Down { for_ms } = *act
        && commands.try_send(Command::Down(Duration::from_millis(for_ms))).is_err()
    {
        return HttpResponse::Conflict().json(serde_json::json!({ "error": "going down already" }));
    }
    match service.act(&act) {
        Ok(done) => reply::json(&serde_json::json!({ "done": done })),
        Err(error) => reply::refused(&error),
    }
}

async fn list_faults(service: web::Data<Service>) -> HttpResponse {
    reply::json(&serde_json::json!({ "rules": service.faults.list() }))
}

async fn add_faults(service: web::Data<Service>, body: web::Bytes) -> HttpResponse {
    // By way of a bare value, so that the error is about the rule and not about "one or many".
    let rules = serde_json::from_slice::<serde_json::Value>(&body).and_then(|value| match value {
        list @ serde_json::Value::Array(_) => serde_json::from_value::<Vec<FaultRule<Fault>>>(list),
        rule => serde_json::from_value(rule).map(|rule| vec![rule]),
    });
    let added =
        rules.map_err(simulator_kit::KitError::FaultSyntax).and_then(|rules| service.faults.add(rules));
    match added {
        Ok(()) => list_faults(service).await,
        Err(error) => reply::refused(&error),
    }
}

async fn clear_faults(service: web::Data<Service>) -> HttpResponse {
    service.faults.clear();
    list_faults(service).await
}

async fn list_mailboxes(service: web::Data<Service>) -> HttpResponse {
    let world = service.world();
    let mut all: Vec<&str> = world.mailboxes.values().map(Mailbox::address).collect();
    all.sort_unstable();
    reply::json(&all)
}

/// Mailboxes to add or remove.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailboxChanges {
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    /// The group of the added ones, from 1; dealt out in turn without it.
    #[serde(default)]
    group: Option<u16>,
}

async fn change_mailboxes(service: web::Data<Service>, changes: web::Json<MailboxChanges>) -> HttpResponse {
    let added =
        changes.add.iter().try_for_each(|address| service.add_mailbox(address, changes.group).map(drop));
    let removed = || changes.remove.iter().try_for_each(|address| service.remove_mailbox(address));
    match added.and_then(|()| removed()) {
        Ok(()) => reply::json(&serde_json::json!({ "mailboxes": service.world().mailboxes.len() })),
        Err(error) => reply::refused(&error),
    }
}
