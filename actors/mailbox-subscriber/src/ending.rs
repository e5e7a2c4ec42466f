//! Ending a subscription on the server, so that it does not count against its account until it ages out.

use std::time::Duration;

use base::Backoff;
use base::pace::scaled;
use calendar::codes;
use calendar::ids::SubscriptionId;
use calendar::source::{Affinity, Mailbox, SourceErrorKind};

use crate::actor::Tools;

/// Tries to end one. After the last the server forgets it by itself (30 min, B7).
const TRIES: u32 = 5;
/// Longest pause between two tries, whatever the server asks for.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// All tries together, with what they wait for their turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends `subscription`, again when the service is busy or away for a moment, for a minute at most. It needs no lease:
/// whoever made it may end it. Is it gone now? Also when the server does not know it (any more).
pub async fn end_subscription(
    tools: &Tools,
    mailbox: &Mailbox,
    affinity: &Affinity,
    subscription: &SubscriptionId,
) -> bool {
    let trying = try_to_end(tools, mailbox, affinity, subscription);
    tokio::time::timeout(scaled(PATIENCE), trying).await.unwrap_or_else(|_| {
        stays_behind(mailbox, "no answer in time");
        false
    })
}

async fn try_to_end(
    tools: &Tools,
    mailbox: &Mailbox,
    affinity: &Affinity,
    subscription: &SubscriptionId,
) -> bool {
    let backoff = Backoff::doubling(Duration::from_secs(1), PAUSE_MAX);
    let mut attempt = 1;
    loop {
        let Err(error) = tools.source.unsubscribe(mailbox, affinity, subscription).await else { return true };
        match error.kind {
            SourceErrorKind::Unavailable | SourceErrorKind::BadAnswer if attempt < TRIES => {}
            SourceErrorKind::Resubscribe => {
                tracing::debug!(
                    event_id = codes::SUBSCRIPTION_ALREADY_STOPPED.id,
                    mailbox = %mailbox.address,
                    code = error.code,
                    "a subscription had ended before"
                );
                return true;
            }
            _ => {
                stays_behind(mailbox, &error.code);
                return false;
            }
        }
        let pause = backoff.delay_jittered(attempt).max(error.after.unwrap_or_default());
        tokio::time::sleep(pause.min(scaled(PAUSE_MAX))).await;
        attempt += 1;
    }
}

fn stays_behind(mailbox: &Mailbox, code: &str) {
    tracing::debug!(
        event_id = codes::SUBSCRIPTION_REMOVE_FAILED.id,
        mailbox = %mailbox.address,
        code,
        "a subscription stays behind"
    );
}
