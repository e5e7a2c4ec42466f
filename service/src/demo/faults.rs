//! What goes wrong during `--faults default`: rules that hit calls, notifications and streams by chance all the
//! time, and blows at set shares of the run. All of it ends when the changes end.

use serde_json::{Value, json};

use super::error::DemoError;
use super::http::Admin;

/// Something that happens at one moment of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// All streams swallow their events from now on and stay open.
    SilenceStreams,
    /// All streams are cut.
    DropStreams,
    /// Some subscriptions are gone.
    ExpireSubscriptions,
    /// Every call to Exchange is refused for a while.
    ExchangeBusy,
    /// The service is killed (SIGKILL) and started anew.
    KillService,
}

/// The blows and when they fall, as shares of the run.
pub const BLOWS: [(f64, Blow); 6] = [
    (0.15, Blow::SilenceStreams),
    (0.35, Blow::DropStreams),
    (0.45, Blow::ExpireSubscriptions),
    (0.55, Blow::KillService),
    (0.75, Blow::ExchangeBusy),
    (0.90, Blow::DropStreams),
];

/// Starts the rules that act by chance.
pub async fn begin(exchange: &Admin, planner: &Admin) -> Result<(), DemoError> {
    exchange.post("/admin/faults", &exchange_rules()).await?;
    planner.post("/admin/faults", &planner_rules()).await
}

fn exchange_rules() -> Value {
    json!([
        {"kind": {"server_busy": {"back_off_ms": 300}}, "operation": "GetItem", "probability": 0.02},
        {"kind": {"busy_in_body": {"back_off_ms": 200}}, "operation": "SyncFolderItems", "probability": 0.05},
        {"kind": "http503", "operation": "FindItem", "probability": 0.03},
        {"kind": {"slow": {"delay_ms": 400}}, "operation": "GetItem", "probability": 0.03},
        {"kind": "disconnect", "operation": "GetItem", "probability": 0.01},
        {"kind": "malformed", "operation": "FindItem", "probability": 0.01},
        {"kind": {"lose": {"what": "items"}}, "probability": 0.03},
        {"kind": {"lose": {"what": "all_and_told"}}, "probability": 0.02},
        {"kind": "duplicate", "probability": 0.05},
        {"kind": "drop_stream", "probability": 0.003},
    ])
}

fn planner_rules() -> Value {
    // longer than the demo's call timeout of 2 s
    json!([
        {"kind": {"hold-before": {"seconds": 3.0}}, "probability": 0.005},
        {"kind": {"hold-after": {"seconds": 3.0}}, "probability": 0.005},
        {"kind": {"http-status": {"status": 503}}, "probability": 0.02},
        {"kind": {"soap-fault": {"detail": true}}, "probability": 0.01},
        {"kind": {"broken-connection": {"applied": true}}, "probability": 0.005},
        {"kind": {"refuse": {"code": 15}}, "operation": "UpdateEvents", "probability": 0.02},
        {"kind": "receipts-in-wrong-order", "operation": "CreateEvents", "probability": 0.01},
    ])
}

/// Strikes at Exchange; killing the service is the caller's business.
pub async fn strike(blow: Blow, exchange: &Admin) -> Result<(), DemoError> {
    let act = match blow {
        Blow::SilenceStreams => json!({"act": "silence_streams"}),
        Blow::DropStreams => json!({"act": "drop_streams"}),
        Blow::ExpireSubscriptions => json!({"act": "expire_subscriptions", "count": 10}),
        Blow::ExchangeBusy => json!({"act": "busy", "for_ms": 1000, "back_off_ms": 300}),
        Blow::KillService => return Ok(()),
    };
    exchange.post("/admin/acts", &act).await
}

/// Ends all rules.
pub async fn end(exchange: &Admin, planner: &Admin) -> Result<(), DemoError> {
    exchange.delete("/admin/faults").await?;
    planner.delete("/admin/faults").await
}
