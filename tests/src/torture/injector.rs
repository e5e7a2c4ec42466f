//! Performs what the schedule says: each fault at its target.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::cluster::Cluster;
use super::contract::Act as Noted;
use super::error::TortureError;
use super::fault::{CALL_TIMEOUT_MS, ExchangeFailure, Fault, Side, Unusable};
use super::fault_log::FaultLog;
use super::instance::Instances;
use super::world::World;
use crate::calendar::mailbox;

/// How late an answer of Exchange is that is late: within the time-out of a call.
const LATE_ANSWER_MS: u64 = 700;
/// How long a call is held that times out.
const HELD_S: f64 = 1.5;
/// How long an instance is away that gets another clock.
const CLOCK_AWAY: Duration = Duration::from_millis(50);
/// The other name of this machine: another endpoint.
const OTHER_HOST: &str = "localhost";

/// Everything that faults fall on. A clone is a handle on the same things.
#[derive(Debug, Clone)]
pub struct Injector {
    /// Simulators and gates.
    pub world: Arc<World>,
    /// PostgreSQL.
    pub cluster: Arc<Mutex<Cluster>>,
    /// The seed's database.
    pub database: String,
    /// The product.
    pub instances: Instances,
    /// What was done.
    pub log: FaultLog,
}

impl Injector {
    /// Does it, to its end: a fault that lasts is over when this returns.
    ///
    /// # Errors
    /// What could not be done.
    pub async fn inject(&self, fault: &Fault) -> Result<(), TortureError> {
        self.log.say(&serde_json::to_string(fault).unwrap_or_default());
        if let Some(rule) = planner_rule(fault) {
            return self.world.planner_rule(rule).await;
        }
        if let Some(rule) = exchange_rule(fault) {
            self.world.exchange_rule(rule).await?;
        } else if let Some(act) = exchange_act(fault) {
            return self.world.exchange_act(act).await;
        }
        match fault {
            Fault::NotificationsLostBeforeGap { mailbox, cut_after_ms, .. } => {
                tokio::time::sleep(Duration::from_millis(*cut_after_ms)).await;
                self.drop_streams_of(*mailbox).await
            }
            Fault::ExchangeDown { for_ms } => {
                World::down(&self.world.exchange_gate, Duration::from_millis(*for_ms)).await;
                Ok(())
            }
            Fault::PlannerDown { for_ms } => {
                World::down(&self.world.planner_gate, Duration::from_millis(*for_ms)).await;
                Ok(())
            }
            Fault::ConnectionsCut { of } => self.cut(*of).await,
            Fault::DatabaseRestarted { immediate, away_ms } => {
                self.restart_database(*immediate, Duration::from_millis(*away_ms)).await
            }
            other => self.on_instance(other).await,
        }
    }

    /// The streams that hear this mailbox are cut, so that what was lost of it without a word is followed by a gap. No
    /// others: a gap heals whatever else a group has forgotten.
    ///
    /// # Errors
    /// [`TortureError::Demo`].
    pub async fn drop_streams_of(&self, number: u32) -> Result<(), TortureError> {
        self.world.exchange_act(json!({"act": "drop_streams", "mailbox": mailbox(number)})).await
    }

    async fn on_instance(&self, fault: &Fault) -> Result<(), TortureError> {
        let (instances, millis) = (&self.instances, Duration::from_millis);
        match fault {
            Fault::Killed { instance, away_ms } => instances.kill(*instance, millis(*away_ms)).await,
            Fault::KilledAtPoints { instance, points } => instances.kill_at(*instance, points).await,
            Fault::Paused { instance, for_ms } => instances.pause(*instance, millis(*for_ms)).await,
            Fault::Ended { instance, away_ms } => instances.end(*instance, millis(*away_ms), None).await,
            Fault::ClockChanged { instance, offset_ms } => {
                instances.end(*instance, CLOCK_AWAY, Some(*offset_ms)).await
            }
            _ => Ok(()),
        }
    }

    async fn cut(&self, of: Side) -> Result<(), TortureError> {
        match of {
            Side::Exchange => World::cut(&self.world.exchange_gate).await,
            Side::Planner => World::cut(&self.world.planner_gate).await,
            Side::Database => return self.cluster.lock().await.cut_connections(&self.database).await,
        }
        Ok(())
    }

    async fn restart_database(&self, immediate: bool, away: Duration) -> Result<(), TortureError> {
        let mut cluster = self.cluster.lock().await;
        self.log.note(Noted::DatabaseDown);
        cluster.go_down(immediate).await?;
        tokio::time::sleep(away).await;
        cluster.come_back().await?;
        self.log.note(Noted::DatabaseUp);
        Ok(())
    }
}

fn exchange_act(fault: &Fault) -> Option<Value> {
    Some(match fault {
        Fault::StreamsDropped { count } => json!({"act": "drop_streams", "count": count}),
        Fault::StreamsSilenced { count } => json!({"act": "silence_streams", "count": count}),
        Fault::SubscriptionsExpired { mailbox: number } => {
            json!({"act": "expire_subscriptions", "mailbox": number.map(mailbox)})
        }
        Fault::SyncStatesForgotten { mailbox: number } => {
            json!({"act": "forget_sync_states", "mailbox": mailbox(*number)})
        }
        Fault::ServerBusy { for_ms, back_off_ms } => {
            json!({"act": "busy", "for_ms": for_ms, "back_off_ms": back_off_ms})
        }
        Fault::MailboxMoved { mailbox: number, group, endpoint } => json!({
            "act": "move_mailbox", "mailbox": mailbox(*number), "group": group,
            "host": (*endpoint > 0).then_some(OTHER_HOST),
        }),
        _ => return None,
    })
}

fn exchange_rule(fault: &Fault) -> Option<Value> {
    Some(match fault {
        Fault::StreamsDelayed { delay_ms, next } => {
            json!({"kind": {"delay_stream": {"delay_ms": delay_ms}}, "next": next})
        }
        Fault::NotificationsLostAndTold { mailbox: number, next } => {
            json!({"kind": {"lose": {"what": "all_and_told"}}, "mailbox": mailbox(*number), "next": next})
        }
        Fault::NotificationsOfItemsLost { mailbox: number, next } => {
            json!({"kind": {"lose": {"what": "items"}}, "mailbox": mailbox(*number), "next": next})
        }
        Fault::NotificationsLostBeforeGap { mailbox: number, next, .. } => {
            json!({"kind": {"lose": {"what": "all"}}, "mailbox": mailbox(*number), "next": next})
        }
        Fault::NotificationsDuplicated { next } => json!({"kind": "duplicate", "next": next}),
        Fault::ExchangeCallsFail { operation, how, next } => {
            let kind = match how {
                ExchangeFailure::Status503 => json!("http503"),
                ExchangeFailure::Disconnect => json!("disconnect"),
                ExchangeFailure::DisconnectAfter => json!("disconnect_after"),
                ExchangeFailure::Malformed => json!("malformed"),
                ExchangeFailure::Late => json!({"slow": {"delay_ms": LATE_ANSWER_MS}}),
            };
            json!({"kind": kind, "operation": operation, "next": next})
        }
        _ => return None,
    })
}

fn planner_rule(fault: &Fault) -> Option<Value> {
    let seconds = |millis: u64| Duration::from_millis(millis).as_secs_f64();
    let (kind, next) = match fault {
        Fault::PlannerSlow { delay_ms, next } => {
            (json!({"hold-after": {"seconds": seconds(*delay_ms)}}), next)
        }
        Fault::TimeoutBeforeApplying { next } => (json!({"hold-before": {"seconds": HELD_S}}), next),
        Fault::TimeoutAfterApplying { next } => (json!({"hold-after": {"seconds": HELD_S}}), next),
        Fault::LateApplying { after_ms, next } => {
            (json!({"apply-late": {"seconds": seconds((*after_ms).max(CALL_TIMEOUT_MS))}}), next)
        }
        Fault::PlannerErrors { status: Some(status), applied, next } => {
            (json!({"http-status": {"status": status, "applied": applied}}), next)
        }
        Fault::PlannerErrors { status: None, applied, next } => {
            (json!({"soap-fault": {"detail": true, "applied": applied}}), next)
        }
        Fault::PlannerBreaksOff { applied, next } => {
            (json!({"broken-connection": {"applied": applied}}), next)
        }
        Fault::Refused { code, next } => (json!({"refuse": {"code": code}}), next),
        Fault::ReceiptsReordered { next } => (json!("receipts-in-wrong-order"), next),
        Fault::AnswersUnusable { how, next } => {
            let kind = match how {
                Unusable::FewerReceipts => "fewer-receipts",
                Unusable::MoreReceipts => "more-receipts",
                Unusable::RepeatedReceipt => "repeated-receipt",
                Unusable::ForeignReceipts => "foreign-receipts",
                Unusable::Malformed => "malformed-answer",
                Unusable::Oversized => "oversized-answer",
            };
            (json!(kind), next)
        }
        _ => return None,
    };
    Some(json!({"kind": kind, "next": next}))
}

#[cfg(test)]
mod tests {
    //! Goal: what is drawn is what the simulators understand. Method: give every drawn rule and act to them.
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use simulator_planner::Simulator;

    use super::super::fault::KINDS;
    use super::*;

    #[tokio::test]
    async fn the_simulators_take_every_rule_and_act() {
        trust::install_provider();
        let mut rng = StdRng::seed_from_u64(3);
        let exchange = simulator_exchange::Simulator::start(simulator_exchange::Options {
            mailboxes: 6,
            groups: super::super::world::GROUPS,
            ..simulator_exchange::Options::default()
        })
        .await
        .expect("the simulated Exchange starts");
        let planner = Simulator::start(simulator_planner::Options::default())
            .await
            .expect("the simulated Planner starts");
        let admin = |url: &str| kommuneklient::demo::http::Admin::new(url).expect("a client");
        let (exchange_admin, planner_admin) = (admin(exchange.url()), admin(&planner.url()));
        let act = json!({"act": "drop_streams", "mailbox": mailbox(1)});
        exchange_admin.post("/admin/acts", &act).await.unwrap_or_else(|error| panic!("{act}: {error}"));
        let mut taken = 0;
        for index in 0..KINDS.len() {
            for _ in 0..10 {
                let fault = Fault::draw(&mut rng, index, 6, 3);
                let posts = [
                    (&planner_admin, "/admin/faults", planner_rule(&fault)),
                    (&exchange_admin, "/admin/faults", exchange_rule(&fault)),
                    (&exchange_admin, "/admin/acts", exchange_act(&fault)),
                ];
                for (admin, path, body) in posts {
                    let Some(body) = body else { continue };
                    admin.post(path, &body).await.unwrap_or_else(|error| panic!("{body}: {error}"));
                    taken += 1;
                }
            }
        }
        assert!(taken > 180, "{taken}");
    }
}
