//! The child `communicator/certificates`: reads the files with certificates again when they change, and tells when one of
//! them comes to its end.
//!
//! Protocol: every `planner.certificate_check_interval` the files are looked at, on a thread that may wait. Changed ones are in
//! use from the next connection and message on (9625); ones that cannot be used are told once (9626) and change nothing.
//! The end of each certificate (own, pinned, signer) is told 60, 30, 14 and 3 days before and when it is over (9620 to
//! 9624), each once in a process; `kommuneklient_certificate_expiry_seconds{certificate}` counts down, negative afterwards.
//!
//! Failure: nobody waits for this; a look that ends in a panic fails the child, which is restarted.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use base::{EventCode, SharedClock};
use calendar::codes;
use connector_planner::{Planner, PlannerError};
use jiff::Timestamp;
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use trust::{ExpiryStep, ExpiryWatch, Watched};

#[cfg(test)]
mod tests;

/// How long the end of a look is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the work is done with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) planner: Planner,
    pub(crate) every: Duration,
    pub(crate) clock: SharedClock,
    pub(crate) runtime: Handle,
}

/// Keeps the certificates.
#[derive(Debug)]
pub(crate) struct CertificateKeeper {
    tools: Tools,
    context: ChildContext,
    stop: CancellationToken,
    work: Option<tokio::task::JoinHandle<()>>,
}

impl CertificateKeeper {
    pub(crate) fn new(tools: Tools, context: ChildContext) -> Self {
        let stop = context.ended().child_token();
        Self { tools, context, stop, work: None }
    }
}

impl Actor for CertificateKeeper {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let (tools, stop, context) = (self.tools.clone(), self.stop.clone(), self.context.clone());
        let guard = self.context.clone();
        self.work = Some(self.tools.runtime.spawn(guard.guarded("certificates", async move {
            let failure = tokio::select! {
                failure = keep(&tools) => failure,
                () = stop.cancelled() => return,
            };
            context.fail(failure);
        })));
    }
}

impl Handler<Stop> for CertificateKeeper {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stop.cancel();
        let work = self.work.take();
        let wait = async move {
            if let Some(work) = work {
                let _ = tokio::time::timeout(PATIENCE, work).await;
            }
        };
        Box::pin(wait.into_actor(self).map(|(), _, ctx| ctx.stop()))
    }
}

/// Look after look; ends with the reason when a look could not be made.
async fn keep(tools: &Tools) -> String {
    let mut watch = ExpiryWatch::default();
    loop {
        look(&tools.planner.certificates(), &mut watch, tools.clock.now());
        tokio::time::sleep(tools.every).await;
        let planner = tools.planner.clone();
        match tools.runtime.spawn_blocking(move || planner.refresh_certificates()).await {
            Ok(refreshed) => tell_refreshed(refreshed),
            Err(error) => return format!("looking at the certificates ended: {error}"),
        }
    }
}

/// Tells what became of the files.
fn tell_refreshed(refreshed: Result<bool, PlannerError>) {
    match refreshed {
        Ok(false) => {}
        Ok(true) => {
            tracing::info!(
                event_id = codes::CERTIFICATES_RENEWED.id,
                "the files with certificates have changed and are in use"
            );
            tracing::debug!(
                succeeded = codes::success::CERTIFICATE_FILES,
                "the files with certificates can be used"
            );
        }
        Err(error) => tracing::error!(
            event_id = codes::CERTIFICATES_UNUSABLE.id,
            error = %telemetry::chain(&error),
            "the changed files with certificates cannot be used, the old ones stay in use"
        ),
    }
}

/// Shows how long each certificate is valid, and tells the steps that are due.
fn look(watched: &[Watched], watch: &mut ExpiryWatch, now: Timestamp) {
    for one in lasting(watched) {
        let (certificate, left) = (one.whose.as_str(), one.facts.left(now));
        telemetry::metrics()
            .gauge(
                "kommuneklient_certificate_expiry_seconds",
                "How long a certificate towards Planner is still valid; of several of a kind the one that ends last",
                &[("certificate", certificate)],
            )
            .set(left.as_secs() as f64);
        if ExpiryStep::of(left).is_none() {
            tracing::debug!(
                succeeded = codes::success::CERTIFICATE,
                certificate,
                "a certificate is valid for long enough"
            );
        }
        if let Some(step) = watch.observe(&one.facts, now) {
            tell(step, one, now);
        }
    }
}

/// Of each kind the certificate that ends last: beside a new one the old one may end.
fn lasting(watched: &[Watched]) -> impl Iterator<Item = &Watched> {
    let mut last: BTreeMap<&'static str, &Watched> = BTreeMap::new();
    for one in watched {
        let kept = last.entry(one.whose.as_str()).or_insert(one);
        if one.facts.not_after > kept.facts.not_after {
            *kept = one;
        }
    }
    last.into_values()
}

fn tell(step: ExpiryStep, watched: &Watched, now: Timestamp) {
    let code = code_of(step);
    let days_left = watched.facts.days_left(now);
    let (holder, expires) = (&watched.facts.subject, watched.facts.not_after);
    let certificate = watched.whose.as_str();
    if step >= ExpiryStep::Days3 {
        tracing::error!(event_id = code.id, certificate, holder, %expires, days_left, "{}", code.meaning);
    } else {
        tracing::warn!(event_id = code.id, certificate, holder, %expires, days_left, "{}", code.meaning);
    }
}

/// The event of a step.
const fn code_of(step: ExpiryStep) -> EventCode {
    match step {
        ExpiryStep::Days60 => codes::CERTIFICATE_60_DAYS,
        ExpiryStep::Days30 => codes::CERTIFICATE_30_DAYS,
        ExpiryStep::Days14 => codes::CERTIFICATE_14_DAYS,
        ExpiryStep::Days3 => codes::CERTIFICATE_3_DAYS,
        ExpiryStep::Expired => codes::CERTIFICATE_EXPIRED,
    }
}
