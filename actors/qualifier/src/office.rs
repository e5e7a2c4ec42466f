//! How a shard comes into office: it waits for a resource list (B1) and until it is in this instance's share, takes its
//! lease, gets a number for its claims, and asks for full reads where the start or changed settings demand them (B4,
//! B8).
//!
//! Failure: whatever fails is tried again with growing pauses, until the actor ends; but when other instances cut the
//! mailboxes into another number of shards meanwhile (this one was paused), nothing here can be right.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use base::Turns;
use calendar::codes;
use store::StoreError;
use store::duty;
use store::lease::Lease;
use store::shares::shard_lease;
use store::wake::Channel;
use supervision::ChildContext;
use tokio::sync::Semaphore;

use crate::beginnings::Beginnings;
use crate::config::{QualifierOptions, Services};
use crate::together::{MAILBOXES_MAX, Together, WRITERS};

/// Full reads whose mailbox has been read and which are decided about and stored while the next ones are read: the groups
/// that are being stored, and the one that gathers after them.
pub(crate) const STORED_MEANWHILE: usize = (WRITERS + 1) * MAILBOXES_MAX;

/// Mailboxes that are looked up before their reading begins, besides those for whose windows there is a turn: as many as are read
/// while a question is out.
const LOOKED_UP_AHEAD: usize = 8;

/// What the shards of a process share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// One permit for each full read in hand: being read, or what was read being stored.
    pub(crate) full_reads: Arc<Semaphore>,
    /// One for each mailbox whose window is being read: twice as many as there may be calls and one, so that a call is under
    /// way while the answers to others are decoded; not more, since what a reading says holds from its begin on.
    pub(crate) windows: Turns,
    /// One for each call of full reads (`simultaneous_calls_at_full_pull`).
    pub(crate) full_read_calls: Turns,
    /// Where they begin.
    pub(crate) beginnings: Arc<Beginnings>,
    /// Where they are stored.
    pub(crate) together: Arc<Together>,
    /// Shards that have been in office since the process started: for them the pull at start is done.
    started: Arc<Mutex<BTreeSet<u8>>>,
}

impl Shared {
    pub(crate) fn new(options: &QualifierOptions) -> Self {
        Self {
            full_reads: Arc::new(Semaphore::new(options.simultaneous_full_reads + STORED_MEANWHILE)),
            windows: Turns::new(2 * options.simultaneous_full_reads + 1),
            full_read_calls: Turns::new(options.simultaneous_full_reads),
            beginnings: Arc::new(Beginnings::new(2 * options.simultaneous_full_reads + LOOKED_UP_AHEAD)),
            together: Arc::new(Together::new()),
            started: Arc::default(),
        }
    }

    fn is_first_time(&self, shard: u8) -> bool {
        !self.started.lock().unwrap_or_else(PoisonError::into_inner).contains(&shard)
    }

    fn note_started(&self, shard: u8) {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).insert(shard);
    }
}

/// A shard's claim to its mailboxes.
#[derive(Debug)]
pub(crate) struct Incumbency {
    pub(crate) lease: Lease,
    /// The number that its claims bear.
    pub(crate) claim: i64,
}

/// The instances agreed on another number of shards than this one works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the mailboxes are cut into {agreed} shards now, and this process works with {ours}: it must start anew"
)]
pub(crate) struct CutAnew {
    ours: u8,
    agreed: u8,
}

/// Comes into office; takes as long as it takes.
pub(crate) async fn take(
    shard: u8,
    options: Arc<QualifierOptions>,
    services: Services,
    shared: Shared,
    child: ChildContext,
) -> Result<Incumbency, CutAnew> {
    let mut failures = 0_u32;
    loop {
        match attempt(shard, &options, &services, &shared, &child).await {
            Ok(outcome) => return outcome,
            Err(error) => {
                failures = failures.saturating_add(1);
                let code = if error.is_outage() {
                    codes::DATABASE_UNREACHABLE
                } else {
                    codes::QUALIFIER_CANNOT_START
                };
                tracing::error!(
                    event_id = code.id,
                    shard,
                    failures,
                    error = %telemetry::chain(&error),
                    "qualifier shard cannot begin, trying again"
                );
                let mut pause = options.retry.delay_jittered(failures);
                if error.is_outage() {
                    pause = pause.min(base::pace::scaled(duty::OUTAGE_PAUSE_MAX));
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn attempt(
    shard: u8,
    options: &QualifierOptions,
    services: &Services,
    shared: &Shared,
    child: &ChildContext,
) -> Result<Result<Incumbency, CutAnew>, StoreError> {
    wait_for_resource_list(options, services, child).await?;
    child.ready(true);
    let lease = in_turn(shard, services).await?;
    // asked for under the lease: from here on nobody can change it
    let agreed = match services.store.agreed_shards().await {
        Ok(agreed) => agreed.unwrap_or(options.shards),
        Err(error) => return refuse(lease, error).await,
    };
    if agreed != options.shards {
        duty::give_back(lease).await;
        return Ok(Err(CutAnew { ours: options.shards, agreed }));
    }
    match begin(shard, options, services, shared, &lease).await {
        Ok(claim) => {
            base::crash::point("qualifier.in-office");
            Ok(Ok(Incumbency { lease, claim }))
        }
        Err(error) => refuse(lease, error).await,
    }
}

async fn refuse<T>(lease: Lease, error: StoreError) -> Result<T, StoreError> {
    duty::give_back(lease).await;
    Err(error)
}

/// Takes the lease of the shard once it is in this instance's share.
async fn in_turn(shard: u8, services: &Services) -> Result<Lease, StoreError> {
    let key = shard_lease(shard);
    loop {
        services.shares.until(|part| part.has_shard(shard)).await;
        tokio::select! {
            held = duty::hold(&services.leases, &key, || {}) => return held,
            () = services.shares.until(|part| !part.has_shard(shard)) => {}
        }
    }
}

async fn wait_for_resource_list(
    options: &QualifierOptions,
    services: &Services,
    child: &ChildContext,
) -> Result<(), StoreError> {
    let mut news = services.wake.subscribe(Channel::Resource);
    let mut told = false;
    while !services.store.has_resource_list().await? {
        child.ready(false);
        if !told {
            tracing::info!("waiting for a resource list");
            told = true;
        }
        // Either way the list is looked for again.
        let _ = tokio::time::timeout(options.poll_interval, news.changed()).await;
    }
    Ok(())
}

async fn begin(
    shard: u8,
    options: &QualifierOptions,
    services: &Services,
    shared: &Shared,
    lease: &Lease,
) -> Result<i64, StoreError> {
    let claim = services.store.new_claim().await?;
    let all = options.full_read_at_start && shared.is_first_time(shard);
    let asked = services
        .store
        .ask_for_full_reads_at_start(
            &lease.fence(),
            &options.buckets(shard),
            &options.policy.fingerprint(),
            all,
            services.clock.now(),
        )
        .await?;
    shared.note_started(shard);
    if asked.changed_buckets > 0 {
        tracing::info!(
            event_id = codes::SETTINGS_CHANGED.id,
            shard,
            mailboxes = asked.mailboxes,
            "settings of decisions changed, mailboxes are read anew"
        );
    }
    tracing::info!(shard, claim, full_reads = asked.mailboxes, "qualifier shard in office");
    Ok(claim)
}
