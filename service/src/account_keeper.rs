//! The child `accounts`: keeps the accounts that Exchange is asked with as the database has them. It reads them
//! when [`Channel::Account`](store::wake::Channel) wakes and at an interval, hands them to the connector, and tells
//! the listener which there are.
//!
//! Failure: a database that is away, or a row that can no longer be opened (a key was rotated before this process
//! was told of the new one), leaves the accounts as they are: what worked goes on. So does the account of the
//! configuration until one of the database can be used: the first `kommuneklient credential add` under a key that
//! this process was not started with silences nobody. Each is told once (9602) until it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use calendar::codes;
use calendar::ids::AccountId;
use connector_exchange::{Account, Exchange};
use secrecy::ExposeSecret;
use store::wake::{Channel, Wake};
use store::{Store, StoreError};
use supervision::{ChildContext, Stop};
use tokio::runtime::Handle;
use tokio::sync::watch;
use trust::seal::KeyRing;

use crate::accounts::{self, Opened};
use crate::config::RequiredExchange;

/// The accounts in use.
#[derive(Debug, Clone, Default)]
struct InUse {
    accounts: BTreeMap<AccountId, Account>,
    /// What was told of accounts that cannot be used.
    told: BTreeMap<AccountId, String>,
}

impl InUse {
    /// Takes over what was read; says whether anything changed, and tells what cannot be used and was not told.
    fn take(&mut self, opened: Opened) -> bool {
        let mut next: BTreeMap<_, _> = opened.accounts.into_iter().map(|one| (one.id, one)).collect();
        let mut told = BTreeMap::new();
        for one in &opened.unusable {
            if let Some(known) = self.accounts.get(&one.id).filter(|known| known.user == one.user) {
                next.insert(one.id, known.clone());
            }
            let text = one.error.to_string();
            if self.told.get(&one.id) != Some(&text) {
                one.report();
            }
            told.insert(one.id, text);
        }
        if next.is_empty() && !opened.unusable.is_empty() {
            next.extend(self.accounts.get_key_value(&AccountId::DEFAULT).map(|(id, one)| (*id, one.clone())));
        }
        self.told = told;
        let changed = next.len() != self.accounts.len()
            || next.values().zip(self.accounts.values()).any(|(one, other)| !same(one, other));
        self.accounts = next;
        changed
    }

    fn ids(&self) -> BTreeSet<AccountId> {
        self.accounts.keys().copied().collect()
    }
}

fn same(one: &Account, other: &Account) -> bool {
    one.id == other.id
        && one.user == other.user
        && one.password.expose_secret() == other.password.expose_secret()
}

/// The accounts, shared by all incarnations of their keeper.
#[derive(Debug)]
pub(crate) struct AccountBook {
    store: Store,
    ring: Option<KeyRing>,
    default: Option<RequiredExchange>,
    exchange: Arc<Exchange>,
    in_use: Mutex<InUse>,
    ids: watch::Sender<Option<BTreeSet<AccountId>>>,
}

impl AccountBook {
    /// Begins with the accounts that were read at the start.
    pub(crate) fn new(
        store: Store,
        ring: Option<KeyRing>,
        default: Option<RequiredExchange>,
        exchange: Arc<Exchange>,
        opened: Opened,
    ) -> Self {
        let (ids, _) = watch::channel(None);
        let book = Self { store, ring, default, exchange, in_use: Mutex::default(), ids };
        book.use_these(opened);
        book
    }

    /// The accounts that there are, for the listener.
    pub(crate) fn ids(&self) -> watch::Receiver<Option<BTreeSet<AccountId>>> {
        self.ids.subscribe()
    }

    /// Reads the accounts and uses them.
    async fn refresh(&self) -> Result<(), StoreError> {
        let opened = accounts::load(&self.store, self.ring.as_ref(), self.default.as_ref()).await?;
        self.use_these(opened);
        Ok(())
    }

    fn use_these(&self, opened: Opened) {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let former = in_use.clone();
        let changed = in_use.take(opened);
        let ids = in_use.ids();
        if changed {
            let accounts: Vec<Account> = in_use.accounts.values().cloned().collect();
            if let Err(error) = self.exchange.set_accounts(&accounts) {
                tracing::error!(
                    event_id = codes::CREDENTIAL_UNUSABLE.id,
                    error = &error as &dyn std::error::Error,
                    "the service accounts cannot be used as they are now, the former ones are"
                );
                // so that the next reading sees the change again and tries again
                *in_use = former;
                return;
            }
            tracing::info!(
                event_id = codes::ACCOUNTS_CHANGED.id,
                accounts = ids.len(),
                "service accounts are used as they are now"
            );
        }
        let news = Some(ids);
        self.ids.send_if_modified(|told| {
            let moved = *told != news;
            *told = news;
            moved
        });
    }
}

/// Reads the accounts now and then.
#[derive(Debug)]
pub(crate) struct AccountKeeper {
    book: Arc<AccountBook>,
    wake: Wake,
    every: Duration,
    runtime: Handle,
    context: ChildContext,
    reading: bool,
    again: bool,
}

impl AccountKeeper {
    /// A keeper of `book` that reads at every `every`, too; the database work runs on `runtime`.
    pub(crate) const fn new(
        book: Arc<AccountBook>,
        wake: Wake,
        every: Duration,
        runtime: Handle,
        context: ChildContext,
    ) -> Self {
        Self { book, wake, every, runtime, context, reading: false, again: false }
    }

    /// Reads whenever there is news; when no more can come, the interval is left.
    fn await_news(&mut self, mut news: watch::Receiver<u64>, ctx: &mut Context<Self>) {
        let next = async move { news.changed().await.is_ok().then_some(news) };
        ctx.spawn(next.into_actor(self).map(|news, actor, ctx| {
            if let Some(news) = news {
                actor.read(ctx);
                actor.await_news(news, ctx);
            }
        }));
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.reading {
            // what was announced while reading may not be in what is being read
            self.again = true;
            return;
        }
        self.reading = true;
        self.context.busy(true);
        let book = Arc::clone(&self.book);
        let reading = self.runtime.spawn(async move { book.refresh().await });
        ctx.spawn(reading.into_actor(self).map(|result, actor, ctx| {
            actor.reading = false;
            actor.context.busy(false);
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(
                    event_id = codes::DATABASE_UNREACHABLE.id,
                    error = &error as &dyn std::error::Error,
                    "the service accounts could not be read, the former ones are used"
                ),
                Err(error) => actor.context.fail(format!("reading the accounts ended: {error}")),
            }
            if std::mem::take(&mut actor.again) {
                actor.read(ctx);
            }
        }));
    }
}

impl Actor for AccountKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.await_news(self.wake.subscribe(Channel::Account), ctx);
        ctx.run_interval(self.every, Self::read);
    }
}

impl Handler<Stop> for AccountKeeper {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests;
