//! Claiming notifications for a shard, and handing them back.
//!
//! Protocol: a claim says which full reads are in hand, always: their ends are committed without waiting for the disk,
//! so a crash of the database server may bring a notification back that bears the shard's number and that nobody
//! has any more. Of live changes those commits wait for the disk, and for a synchronous standby, that decide something; ends
//! of notifications that led to no decision do not, so a crash of the server or a failover may bring them back in the same way.
//! What was left behind of hints is looked for when the shard comes into office (its predecessors had it in hand), after a
//! claim that failed and at each poll, until a claim has looked at all of it: one that leaves mailboxes out, or has no room,
//! has not. Otherwise new rows alone are looked for, which costs what is found.
//! Claims are made one after the other, and a row leaves the schedule only after the commit of its end, or into
//! `handing_back` until it was handed back: so nothing is claimed that is still being handled.

use std::sync::Arc;

use calendar::MailAddress;
use jiff::Timestamp;
use store::StoreError;
use store::notification_queue::{ClaimRequest, Claimed, Subject, Wanted};

use super::{CLAIM_MAX, Ctx, FULL_READS_AHEAD, Shard};
use crate::messages::Kinds;
use crate::work::Office;

impl Shard {
    /// Claims what there is, as far as there is room. Where there are news of one kind alone, the other is not looked for:
    /// that costs as much.
    pub(super) fn claim(&mut self, ctx: &mut Ctx, kinds: Kinds) {
        let Some((incumbency, office)) = &self.incumbency else { return };
        if self.leaving {
            return;
        }
        if self.claiming {
            // that one may not have seen it, or had no room for it when it began
            self.claim_again = self.claim_again.with(kinds);
            return;
        }
        // also what was to be looked for and had no room for what else was found
        let kinds = kinds.with(std::mem::take(&mut self.claim_again));
        let live_max = if kinds.live { self.schedule.room().min(CLAIM_MAX) } else { 0 };
        let ahead = if kinds.full { FULL_READS_AHEAD } else { 0 };
        let full_max = ahead.saturating_sub(self.schedule.full_waiting());
        self.claiming = true;
        let (without, pausing) = (self.schedule.closed(), self.schedule.pausing());
        let left_out = !without.is_empty();
        let request = Claim {
            number: incumbency.claim,
            buckets: self.options.buckets(self.n),
            live: Part { without, most: live_max },
            full: Part { without: self.schedule.crowded(), most: full_max },
            pausing,
            live_in_hand: self.claim_uncertain.then(|| self.in_hand(self.schedule.rows())),
            full_in_hand: self.in_hand(self.schedule.full_rows()),
        };
        let task = claim(Arc::clone(office), request);
        self.run(ctx, task, move |act, ctx, claimed| {
            act.claiming = false;
            match claimed {
                Some(Ok(Brought { left_behind, claimed })) => {
                    let live = claimed.iter().filter(|one| !is_full_read(one)).count();
                    act.claim_uncertain =
                        act.claim_uncertain && !has_seen_all(left_out, left_behind, live_max);
                    if full_max > 0 {
                        act.more_full = claimed.len() - live >= full_max;
                    }
                    let more_live = Kinds { live: live > 0 && live == live_max, full: false };
                    let more = std::mem::take(&mut act.claim_again).with(more_live);
                    let pause_ended = act.schedule.arrive(claimed, act.services.clock.monotonic());
                    act.proceed(ctx);
                    let more = more.with(Kinds { live: false, full: act.has_few_full() });
                    // this claim left out what was to wait for that
                    let more = if pause_ended { Kinds::ALL } else { more };
                    if is_worth_it(more, act.schedule.room()) {
                        act.claim(ctx, more);
                    }
                }
                Some(Err(error)) => {
                    act.claim_uncertain = true;
                    act.more_full = true;
                    act.store_failed(ctx, &error);
                }
                None => act.child.fail("claiming notifications panicked"),
            }
        });
    }

    /// Is it time to claim the full reads that there are besides those that wait here?
    pub(super) fn has_few_full(&self) -> bool {
        self.more_full && self.schedule.full_waiting() <= FULL_READS_AHEAD / 2
    }

    /// These rows of the schedule, and those on their way back.
    fn in_hand(&self, mut rows: Vec<i64>) -> Vec<i64> {
        rows.extend(&self.handing_back);
        rows
    }

    /// Hands notifications back to the database; they left memory, so this is tried until it worked.
    pub(super) fn hand_back(&mut self, ctx: &mut Ctx, rows: Vec<i64>, error: String, again_at: Timestamp) {
        let Some((_, office)) = &self.incumbency else { return };
        let task = hand_back(Arc::clone(office), rows.clone(), error, again_at);
        self.handing_back.extend(&rows);
        self.run(ctx, task, move |act, ctx, result| match result {
            Some(Ok(())) => act.handing_back.retain(|row| !rows.contains(row)),
            Some(Err(error)) => act.store_failed(ctx, &error),
            None => act.child.fail("handing notifications back panicked"),
        });
    }
}

/// Is another claim of these worth while, with so much room for live changes? A full read has room of its own; live changes
/// are claimed when there is room, by whatever makes it.
const fn is_worth_it(more: Kinds, room: usize) -> bool {
    more.full || (more.live && room > 0)
}

/// Has a claim that worked looked at every row that is claimed without being in hand? Not when it left
/// mailboxes out (they pause exactly when the database was away, as a claim that failed does), nor when it took all that
/// there was room for.
const fn has_seen_all(left_out: bool, claimed: usize, most: usize) -> bool {
    !left_out && claimed < most
}

fn is_full_read(one: &Claimed) -> bool {
    one.subject == Subject::FullRead
}

/// What is to be claimed.
struct Claim {
    number: i64,
    buckets: Vec<i16>,
    /// Of hints.
    live: Part,
    /// Of full reads.
    full: Part,
    /// Mailboxes in a pause: of these those full reads that are not put off.
    pausing: Vec<MailAddress>,
    /// While something may be left behind.
    live_in_hand: Option<Vec<i64>>,
    full_in_hand: Vec<i64>,
}

/// How much of one kind is claimed.
struct Part {
    /// Mailboxes of which nothing is.
    without: Vec<MailAddress>,
    most: usize,
}

/// What claims brought.
struct Brought {
    /// How many hints had been left behind.
    left_behind: usize,
    claimed: Vec<Claimed>,
}

async fn claim(office: Arc<Office>, claim: Claim) -> Result<Brought, StoreError> {
    let mut claimed = Vec::new();
    let Part { without, most } = &claim.live;
    if let Some(in_hand) = &claim.live_in_hand {
        claimed.extend(claim_some(&office, &claim, Wanted::LeftBehind { in_hand }, without, *most).await?);
    }
    let left_behind = claimed.len();
    claimed.extend(claim_some(&office, &claim, Wanted::New, without, most - left_behind).await?);
    let full_reads = Wanted::FullReads { in_hand: &claim.full_in_hand, pausing: &claim.pausing };
    let Part { without, most } = &claim.full;
    claimed.extend(claim_some(&office, &claim, full_reads, without, *most).await?);
    Ok(Brought { left_behind, claimed })
}

async fn claim_some(
    office: &Office,
    claim: &Claim,
    wanted: Wanted<'_>,
    without: &[MailAddress],
    limit: usize,
) -> Result<Vec<Claimed>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let request = ClaimRequest {
        fence: &office.fence,
        claim: claim.number,
        buckets: &claim.buckets,
        wanted,
        without,
        now: office.now(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    };
    let claimed = office.services.store.claim(&request).await?;
    base::crash::point("qualifier.claimed");
    Ok(claimed)
}

async fn hand_back(
    office: Arc<Office>,
    rows: Vec<i64>,
    error: String,
    again_at: Timestamp,
) -> Result<(), StoreError> {
    let mut failures = 0_u32;
    loop {
        let store = &office.services.store;
        match store.postpone_notifications(&office.fence, &rows, &error, again_at).await {
            Err(error) if error.is_outage() => {
                failures = failures.saturating_add(1);
                tokio::time::sleep(office.options.retry.delay_jittered(failures)).await;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: in a flood of live changes there is no room when a claim of them ends, and the news of a full read that
    /// had come meanwhile were forgotten.
    #[test]
    fn a_full_read_is_looked_for_however_many_live_changes_there_are() {
        for (more, room, worth_it) in [
            (Kinds::FULL_READS, 0, true),
            (Kinds::ALL, 0, true),
            (Kinds::LIVE, 0, false),
            (Kinds::LIVE, 1, true),
            (Kinds::NONE, 1, false),
        ] {
            assert_eq!(is_worth_it(more, room), worth_it, "{more:?}, {room}");
        }
    }

    /// Regression (torture seed 77): the commit of a claim was lost with its connection, and the same outage made a
    /// mailbox of it pause. The next claim left that mailbox out, and its rows were forgotten for as long as the shard
    /// lived.
    #[test]
    fn only_a_claim_that_saw_everything_ends_the_doubt_about_the_one_before() {
        assert!(has_seen_all(false, 3, 10));
        assert!(!has_seen_all(true, 3, 10), "a mailbox was left out");
        assert!(!has_seen_all(false, 10, 10), "there may be more");
        assert!(!has_seen_all(false, 0, 0), "nothing was asked for");
    }
}
