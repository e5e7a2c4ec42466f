//! Which call meets which fault.
//!
//! A rule names a fault, may narrow it to one operation and one mailbox, and fires either for the next `n`
//! calls that it fits or with a probability. The same JSON is used by option at start and at run time:
//! `{"kind": …, "operation": "CreateEvents", "mailbox": "m0001@sim.test", "next": 3}` or with
//! `"probability": 0.05` instead of `next`. Rules are asked in the order in which they came; the first that
//! fires decides. Chance comes from a seed, so that a run can be repeated.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{HttpResponse, web};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{KitError, reply};

#[cfg(test)]
mod tests;

/// The most rules that a plan holds.
const RULES_MAX: usize = 1_000;

/// What a simulator calls a fault: an enum that reads and writes JSON.
pub trait FaultKind: Clone + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// Does the fault make sense for this operation (`None`: for any)? The answer is the reason why not.
    ///
    /// # Errors
    /// The reason, in words for people.
    fn check(&self, operation: Option<&str>) -> Result<(), String>;
}

/// A rule as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule<K> {
    /// The fault.
    pub kind: K,
    /// Only calls of this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls about this mailbox (compared without case).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// Fires with this probability, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Fires for the next so many calls that fit, then the rule is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// A rule and how often it has fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultStatus<K> {
    /// The rule; `next` counts down.
    pub rule: FaultRule<K>,
    /// How often it has fired.
    pub fired: u64,
}

/// The rules of one simulator.
#[derive(Debug)]
pub struct FaultPlan<K> {
    operations: &'static [&'static str],
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    rules: Vec<FaultStatus<K>>,
    /// How often rules have fired that are over or were taken back.
    fired_before: u64,
    random: StdRng,
}

impl<K: FaultKind> FaultPlan<K> {
    /// A plan without rules. `operations` are the names that a rule may use; `seed` decides all chance.
    pub fn new(operations: &'static [&'static str], seed: u64) -> Self {
        let state = State { rules: Vec::new(), fired_before: 0, random: StdRng::seed_from_u64(seed) };
        Self { operations, state: Mutex::new(state) }
    }

    /// Adds the rules of a JSON text: one rule, or a list of them. All are taken or none.
    ///
    /// # Errors
    /// [`KitError::FaultSyntax`] and [`KitError::FaultRule`], which say what is wrong.
    pub fn add_json(&self, text: &[u8]) -> Result<(), KitError> {
        // By way of a bare value, so that the error is about the rule and not about "one or many".
        let value: serde_json::Value = serde_json::from_slice(text).map_err(KitError::FaultSyntax)?;
        let rules = match value {
            list @ serde_json::Value::Array(_) => serde_json::from_value(list),
            rule => serde_json::from_value(rule).map(|rule| vec![rule]),
        };
        self.add(rules.map_err(KitError::FaultSyntax)?)
    }

    /// Adds rules behind those that are there. All are taken or none.
    ///
    /// # Errors
    /// [`KitError::FaultRule`] when one of them can never mean anything or there would be too many.
    pub fn add(&self, rules: Vec<FaultRule<K>>) -> Result<(), KitError> {
        rules.iter().try_for_each(|rule| self.check(rule))?;
        let mut state = self.lock();
        if state.rules.len() + rules.len() > RULES_MAX {
            return Err(KitError::FaultRule { reason: format!("more than {RULES_MAX} rules") });
        }
        state.rules.extend(rules.into_iter().map(|rule| FaultStatus { rule, fired: 0 }));
        Ok(())
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.fired_before += state.rules.iter().map(|status| status.fired).sum::<u64>();
        state.rules.clear();
    }

    /// The rules and how often each has fired.
    pub fn list(&self) -> Vec<FaultStatus<K>> {
        self.lock().rules.clone()
    }

    /// How often any rule has ever fired.
    pub fn fired(&self) -> u64 {
        let state = self.lock();
        state.fired_before + state.rules.iter().map(|status| status.fired).sum::<u64>()
    }

    /// The fault that a call meets, if any. `mailboxes` are those that the call is about.
    pub fn draw(&self, operation: &str, mailboxes: &[&str]) -> Option<K> {
        let mut state = self.lock();
        let State { rules, random, .. } = &mut *state;
        let position = rules.iter().position(|status| status.rule.fires(operation, mailboxes, random))?;
        let status = &mut rules[position];
        status.fired += 1;
        let kind = status.rule.kind.clone();
        if let Some(next) = &mut status.rule.next {
            *next -= 1;
            if *next == 0 {
                let over = rules.remove(position);
                state.fired_before += over.fired;
            }
        }
        drop(state);
        tracing::debug!(operation, fault = ?kind, "a call meets a fault");
        Some(kind)
    }

    /// `GET`, `POST` and `DELETE /admin/faults`.
    pub fn routes(self: &Arc<Self>, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::from(Arc::clone(self))).service(
            web::resource("/admin/faults")
                .route(web::get().to(get::<K>))
                .route(web::post().to(post::<K>))
                .route(web::delete().to(delete::<K>)),
        );
    }

    fn check(&self, rule: &FaultRule<K>) -> Result<(), KitError> {
        let operation = rule.operation.as_deref();
        let reason = match (rule.probability, rule.next) {
            _ if operation.is_some_and(|name| !self.operations.contains(&name)) => {
                format!("no such operation; there are {}", self.operations.join(", "))
            }
            (Some(probability), None) if !(0.0..=1.0).contains(&probability) => {
                "a probability is between 0 and 1".to_owned()
            }
            (None, Some(0)) => "next is at least 1".to_owned(),
            (Some(_), None) | (None, Some(_)) => match rule.kind.check(operation) {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            },
            (None, None) | (Some(_), Some(_)) => "give either probability or next".to_owned(),
        };
        Err(KitError::FaultRule { reason })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> FaultRule<K> {
    /// Does the rule fit the call, and does chance allow it?
    fn fires(&self, operation: &str, mailboxes: &[&str], random: &mut StdRng) -> bool {
        let fits_operation = self.operation.as_deref().is_none_or(|name| name == operation);
        let fits_mailbox = self
            .mailbox
            .as_deref()
            .is_none_or(|address| mailboxes.iter().any(|other| other.eq_ignore_ascii_case(address)));
        fits_operation
            && fits_mailbox
            && self.probability.is_none_or(|probability| random.random::<f64>() < probability)
    }
}

async fn get<K: FaultKind>(plan: web::Data<FaultPlan<K>>) -> HttpResponse {
    reply::json(&serde_json::json!({ "rules": plan.list(), "fired": plan.fired() }))
}

async fn post<K: FaultKind>(plan: web::Data<FaultPlan<K>>, body: web::Bytes) -> HttpResponse {
    match plan.add_json(&body) {
        Ok(()) => get(plan).await,
        Err(error) => reply::refused(&error),
    }
}

async fn delete<K: FaultKind>(plan: web::Data<FaultPlan<K>>) -> HttpResponse {
    plan.clear();
    get(plan).await
}
