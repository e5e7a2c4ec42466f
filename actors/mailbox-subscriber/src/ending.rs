//! Ending a subscription on the server, so that it does not count against its account until it ages out.

use std::time::Duration;

use base::Backoff;
use calendar::ids::SubscriptionId;
use calendar::source::{Affinity, Mailbox, SourceErrorKind};
use calendar::{SourceError, codes};

use crate::actor::Tools;

/// Tries to end one, over about a quarter of a minute. After that the server forgets it by itself (30 min, B7).
const TRIES: u32 = 5;

/// Ends `subscription`, again when the service is busy or away for a moment. It needs no lease: whoever made it may end it.
///
/// # Errors
/// The last one: the subscription stays behind, or the server does not know it (any more).
pub async fn end_subscription(
    tools: &Tools,
    mailbox: &Mailbox,
    affinity: &Affinity,
    subscription: &SubscriptionId,
) -> Result<(), SourceError> {
    let backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_secs(8));
    let mut attempt = 1;
    loop {
        let Err(error) = tools.source.unsubscribe(mailbox, affinity, subscription).await else {
            return Ok(());
        };
        let passing = matches!(error.kind, SourceErrorKind::Unavailable | SourceErrorKind::BadAnswer);
        if !passing || attempt >= TRIES {
            // one that Exchange does not know (any more) has ended
            let event = match error.kind {
                SourceErrorKind::Resubscribe => codes::SUBSCRIPTION_ALREADY_STOPPED,
                _ => codes::SUBSCRIPTION_REMOVE_FAILED,
            };
            tracing::debug!(
                event_id = event.id,
                mailbox = %mailbox.address,
                code = error.code,
                attempt,
                "a subscription stays behind"
            );
            return Err(error);
        }
        let pause = backoff.delay_jittered(attempt).max(error.after.unwrap_or_default());
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}
