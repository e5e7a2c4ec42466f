//! What the simulated Exchange holds and counts, from its admin side.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::changes::Horizon;
use super::error::DemoError;
use super::http::Admin;
use super::oracle::Listed;

#[derive(Deserialize)]
struct State {
    mailboxes: Vec<Calendar>,
}

#[derive(Deserialize)]
struct Calendar {
    mailbox: String,
    items: Vec<Item>,
    occurrences: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    item_id: String,
    uid: String,
    kind: String,
    start: Timestamp,
    end: Timestamp,
    all_day: bool,
    iana_zone: Option<String>,
    free_busy: String,
    cancelled: bool,
    recurrence_id: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Counted {
    meter: Meter,
}

#[derive(Deserialize)]
struct Meter {
    injected: BTreeMap<String, u64>,
}

/// Every appointment of every calendar, series unfolded within the window.
pub async fn listed(exchange: &Admin, horizon: &Horizon) -> Result<Vec<Listed>, DemoError> {
    let state: State =
        exchange.get(&format!("/admin/state?from={}&to={}", horizon.start, horizon.end)).await?;
    let mut all = Vec::new();
    for calendar in state.mailboxes {
        let singles = calendar.items.into_iter().filter(|item| item.kind == "Single");
        for item in singles.chain(calendar.occurrences) {
            all.push(Listed {
                mailbox: calendar.mailbox.clone(),
                item_id: item.item_id,
                uid: Some(item.uid),
                // an unmodified occurrence may tell none: its start is its original one
                recurrence_id: match item.kind.as_str() {
                    "Single" => None,
                    _ => item.recurrence_id.or(Some(item.start)),
                },
                times: (item.start, item.end),
                all_day: item.all_day,
                zone: item.iana_zone,
                free_busy: item.free_busy,
                cancelled: item.cancelled,
            });
        }
    }
    Ok(all)
}

/// Faults that hit streams, subscriptions or notifications.
pub async fn stream_faults(exchange: &Admin) -> Result<u64, DemoError> {
    const OF_STREAMS: [&str; 8] = [
        "drop_stream",
        "silence_stream",
        "lose",
        "duplicate",
        "expire",
        "drop_streams",
        "silence_streams",
        "expire_subscriptions",
    ];
    let counted: Counted = exchange.get("/admin/meter").await?;
    Ok(OF_STREAMS.iter().filter_map(|name| counted.meter.injected.get(*name)).sum())
}

/// Faults of all kinds that Exchange played.
pub async fn faults(exchange: &Admin) -> Result<u64, DemoError> {
    let counted: Counted = exchange.get("/admin/meter").await?;
    Ok(counted.meter.injected.values().sum())
}
