//! How a shard comes into office: it waits for a resource list (B1), takes its lease, gets a number for its
//! claims, and asks for full reads where the start or changed settings demand them (B4, B8).
//!
//! Failure: whatever fails is tried again with growing pauses, until the actor ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use calendar::codes;
use store::StoreError;
use store::lease::Lease;
use store::wake::Channel;
use supervision::ChildContext;
use tokio::sync::Semaphore;

use crate::config::{QualifierOptions, Services};

/// Full reads whose mailbox has been read and which are decided about and stored while the next ones are read.
pub(crate) const STORED_MEANWHILE: usize = 4;

/// What the shards of a process share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// One permit for each full read in hand: being read, or what was read being stored.
    pub(crate) full_reads: Arc<Semaphore>,
    /// One permit for each mailbox that is being read in full (`simultaneous_calls_at_full_pull`).
    pub(crate) full_read_calls: Arc<Semaphore>,
    /// Shards that have been in office since the process started: for them the pull at start is done.
    started: Arc<Mutex<BTreeSet<u8>>>,
}

impl Shared {
    pub(crate) fn new(options: &QualifierOptions) -> Self {
        Self {
            full_reads: Arc::new(Semaphore::new(options.simultaneous_full_reads + STORED_MEANWHILE)),
            full_read_calls: Arc::new(Semaphore::new(options.simultaneous_full_reads)),
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

/// Comes into office; takes as long as it takes.
pub(crate) async fn take(
    shard: u8,
    options: Arc<QualifierOptions>,
    services: Services,
    shared: Shared,
    child: ChildContext,
) -> Incumbency {
    let mut failures = 0_u32;
    loop {
        match attempt(shard, &options, &services, &shared, &child).await {
            Ok(incumbency) => return incumbency,
            // Another instance has it; that is how it should be.
            Err(StoreError::LeaseTaken { key }) => {
                failures = 0;
                tracing::debug!(lease = key, "lease held by another instance, waiting");
            }
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
                tokio::time::sleep(options.retry.delay_jittered(failures)).await;
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
) -> Result<Incumbency, StoreError> {
    wait_for_resource_list(options, services, child).await?;
    child.ready(true);
    let lease = services.leases.acquire(&format!("qualifier/{shard}"), options.lease_patience).await?;
    match begin(shard, options, services, shared, &lease).await {
        Ok(claim) => Ok(Incumbency { lease, claim }),
        Err(error) => {
            // Best effort: the lease runs out by itself otherwise.
            let _ = lease.release().await;
            Err(error)
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
