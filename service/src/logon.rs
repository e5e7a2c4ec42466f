//! The child `logon`: at the start of a process that reads Exchange it tries each service account once, so that a
//! process with a wrong password is not taken for ready and a roll-out stops at it.
//!
//! Protocol: when there is a resource list, one call (GetFolder) about one mailbox by each account. An account that
//! Exchange answers to is accepted, also when the answer is that this mailbox cannot be read; the child says that it is
//! ready and ends for good. So it does when Exchange does not answer, or is busy: that is an outage, which
//! each stage waits out. Until then the process takes no share of the affinity groups and qualifier shards: another one
//! that can do the work keeps it. When every account is refused, or there is none, it says that it is not ready and tries again:
//! when the accounts change, else with growing pauses (a directory locks accounts that are tried too often; while
//! the connector holds an account back because it was refused, nothing is sent).
//!
//! Failure: a database that is away is waited for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use base::Backoff;
use calendar::CalendarSource;
use calendar::MailAddress;
use calendar::ids::AccountId;
use calendar::source::{Location, Mailbox, SourceError, SourceErrorKind};
use connector_exchange::{Exchange, Reason};
use store::Store;
use store::wake::{Channel, Wake};
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Exchange has this long to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause before accounts that were refused are tried again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// The pause before the database is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Accounts that are tried at most.
const ACCOUNTS_MAX: usize = 16;

/// What became of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Exchange lets it in.
    Accepted,
    /// Exchange does not.
    Refused,
    /// Exchange said nothing about it.
    Unknown,
}

/// What a call by the account says of it.
fn answer(outcome: Result<(), SourceErrorKind>) -> Answer {
    use SourceErrorKind as K;
    match outcome {
        Ok(()) | Err(K::Mailbox | K::Gone | K::Rediscover) => Answer::Accepted,
        Err(K::Credentials) => Answer::Refused,
        Err(_) => Answer::Unknown,
    }
}

/// Can the process do its work with these accounts? One is enough, and none is not.
fn can_work(answers: &[Answer]) -> bool {
    answers.iter().any(|answer| *answer != Answer::Refused)
}

/// What the child works with.
#[derive(Debug, Clone)]
pub(crate) struct Deps {
    pub(crate) source: Arc<Exchange>,
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    /// Told when one of them can be used.
    pub(crate) usable: watch::Sender<bool>,
    pub(crate) accounts: watch::Receiver<Option<BTreeSet<AccountId>>>,
    pub(crate) runtime: Handle,
}

/// Tries the accounts until one can be used.
#[derive(Debug)]
pub(crate) struct Logon {
    deps: Deps,
    context: ChildContext,
}

impl Logon {
    /// One that has not begun.
    pub(crate) const fn new(deps: Deps, context: ChildContext) -> Self {
        Self { deps, context }
    }
}

impl Actor for Logon {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (deps, ended) = (self.deps.clone(), self.context.ended());
        let trying =
            self.deps.runtime.spawn(async move { ended.run_until_cancelled(until_usable(deps)).await });
        ctx.spawn(trying.into_actor(self).map(|tried, actor, ctx| match tried {
            Ok(_) => {
                actor.deps.usable.send_replace(true);
                actor.context.ready(true);
                ctx.stop();
            }
            Err(error) => actor.context.fail(format!("trying the service accounts ended: {error}")),
        }));
    }
}

impl Handler<Stop> for Logon {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// Returns when the process can work, as far as Exchange lets it in.
async fn until_usable(mut deps: Deps) {
    let Some(mailbox) = some_mailbox(&deps.store, &deps.wake).await else {
        return; // a list in which nobody is in use
    };
    let pauses = Backoff::doubling(AGAIN.0, AGAIN.1);
    for failures in 1_u32.. {
        let accounts = deps.accounts.borrow_and_update().clone().unwrap_or_default();
        let mut answers = Vec::new();
        for account in accounts.into_iter().take(ACCOUNTS_MAX) {
            answers.push(tried(&deps.source, account, &mailbox).await);
            if can_work(&answers) {
                return;
            }
        }
        if answers.is_empty() {
            tracing::warn!(
                "there is no service account, this process is not ready: kommuneklient credential add USER"
            );
        } else {
            tracing::warn!(
                accounts = answers.len(),
                "exchange lets no service account in, this process is not ready: kommuneklient credential test"
            );
        }
        let pause = pauses.delay_jittered(failures);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = deps.accounts.changed() => if changed.is_err() {
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// A mailbox in use with its stored place, once there is a resource list; none when nobody is in use.
async fn some_mailbox(store: &Store, wake: &Wake) -> Option<(MailAddress, Option<Location>)> {
    let mut news = wake.subscribe(Channel::Resource);
    loop {
        match store.some_mailbox().await {
            Ok(Some(mailbox)) => return Some(mailbox),
            Ok(None) => match store.has_resource_list().await {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "no resource list yet");
                }
            },
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no mailbox to try with yet");
            }
        }
        // either way it is looked for again
        let _ = tokio::time::timeout(LOOK_AGAIN, news.changed()).await;
    }
}

/// One call by the account, unless it is known that it is refused.
async fn tried(source: &Exchange, account: AccountId, mailbox: &(MailAddress, Option<Location>)) -> Answer {
    let held = source.back_offs().iter().any(|one| one.account == account && one.reason == Reason::Refused);
    if held || source.refusals().iter().any(|one| one.account == account) {
        return Answer::Refused;
    }
    match tokio::time::timeout(PATIENCE, call(source, account, mailbox)).await {
        Ok(outcome) => answer(outcome.map_err(|error| error.kind)),
        Err(_elapsed) => Answer::Unknown,
    }
}

async fn call(
    source: &impl CalendarSource,
    account: AccountId,
    (address, place): &(MailAddress, Option<Location>),
) -> Result<(), SourceError> {
    let location = match place {
        Some(location) => location.clone(),
        None => match source.locate(std::slice::from_ref(address)).await.into_iter().next() {
            Some(located) => located?,
            None => return Ok(()),
        },
    };
    let mailbox = Mailbox { address: address.clone(), endpoint: location.endpoint, account: Some(account) };
    source.check(&mailbox).await.map(|_folder| ())
}

#[cfg(test)]
mod tests {
    //! Goal: an account is refused only when Exchange says so, and one that is not refused is enough.
    use super::*;

    #[test]
    fn only_a_refusal_counts_against_an_account() {
        use SourceErrorKind as K;
        assert_eq!(answer(Ok(())), Answer::Accepted);
        for kind in [K::Mailbox, K::Gone, K::Rediscover] {
            assert_eq!(
                answer(Err(kind)),
                Answer::Accepted,
                "{kind:?}: the mailbox is at fault, not the account"
            );
        }
        assert_eq!(answer(Err(K::Credentials)), Answer::Refused);
        for kind in [K::Unavailable, K::BadAnswer, K::Unknown, K::OwnBug, K::TooMuch, K::Missed] {
            assert_eq!(answer(Err(kind)), Answer::Unknown, "{kind:?}");
        }
    }

    #[test]
    fn one_account_that_is_not_refused_is_enough_and_none_is_not() {
        use Answer::{Accepted, Refused, Unknown};
        let cases: [(&[Answer], bool); 6] = [
            (&[], false),
            (&[Refused], false),
            (&[Refused, Refused], false),
            (&[Accepted, Refused], true),
            (&[Refused, Unknown], true), // an outage holds nobody up
            (&[Unknown], true),
        ];
        for (answers, expected) in cases {
            assert_eq!(can_work(answers), expected, "{answers:?}");
        }
    }
}
