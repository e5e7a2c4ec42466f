//! The end of a group in order: subscriptions are ended on the server, so that they do not fill its limits during
//! restarts, and the lease is handed back.

use actix::fut::wrap_future;
use actix::prelude::{ActorContext, ActorFutureExt, AsyncContext, Context};
use calendar::ids::SubscriptionId;
use calendar::source::{Location, Mailbox};
use calendar::{MailAddress, codes};
use futures::StreamExt;
use mailbox_subscriber::{GroupAffinity, end_subscription};
use std::sync::Arc;
use store::duty;
use store::lease::Fence;
use store::subscriptions::GroupId;

use super::{GroupActor, GroupTools, Owned};

/// Subscriptions that are ended at one time.
const UNSUBSCRIBE_AT_ONCE: usize = 10;

impl GroupActor {
    /// Ends everything in order; the actor ends when this is done.
    pub(super) fn stop(&mut self, ctx: &mut Context<Self>) {
        // the stream's actor has ended before; without the order nothing offers to the journal any more
        self.orders.withdraw();
        let Some(owned) = self.owned.take() else { return ctx.stop() };
        let live = self.policy.live_subscriptions();
        let tools = Arc::clone(&self.tools);
        let (id, patience) = (self.id, self.tools.options.stop_patience);
        let task = self.tools.mailboxes.runtime.spawn(async move {
            let Owned {
                lease, fence, location, affinity, journal, journal_task, reports, unfinished, ..
            } = owned;
            drop((journal, reports));
            if !journal_task.finish(patience / 2).await {
                tracing::error!(
                    event_id = codes::NOTIFICATION_STORE_FAILED.id,
                    group = id.get(),
                    "notifications were not stored before the end"
                );
            }
            base::crash::point("listener.group-ending");
            let affinity = affinity.borrow().clone();
            // what is still being made or ended by others, too: their actors are gone
            unfinished.close();
            let ending = async {
                tokio::join!(
                    end_subscriptions(&tools, id, &fence, &location, &affinity, live),
                    unfinished.wait()
                )
            };
            if tokio::time::timeout(patience / 2, ending).await.is_err() {
                tracing::warn!(
                    event_id = codes::STREAMING_STOP_FAILED.id,
                    group = id.get(),
                    "not all subscriptions were ended in time"
                );
            }
            base::crash::point("listener.group-unsubscribed");
            duty::give_back(lease).await;
        });
        ctx.spawn(wrap_future::<_, Self>(task).map(|_, _, ctx| ctx.stop()));
    }
}

/// Unsubscribes all and forgets their subscriptions.
async fn end_subscriptions(
    tools: &GroupTools,
    id: GroupId,
    fence: &Fence,
    location: &Location,
    affinity: &GroupAffinity,
    live: Vec<(MailAddress, SubscriptionId)>,
) {
    let tools = &tools.mailboxes;
    let ended: Vec<(MailAddress, Option<SubscriptionId>)> = futures::stream::iter(live)
        .map(|(address, subscription)| async move {
            let affinity = affinity.for_mailbox(&address);
            let mailbox = Mailbox {
                address: address.clone(),
                endpoint: location.endpoint.clone(),
                account: Some(affinity.account),
            };
            let outcome = end_subscription(tools, &mailbox, &affinity, &subscription).await;
            outcome.ok().map(|()| (address, None))
        })
        .buffer_unordered(UNSUBSCRIBE_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let now = tools.clock.now();
    if let Err(error) = tools.store.record_subscriptions(fence, id, &ended, now).await {
        tracing::warn!(
            event_id = codes::SUBSCRIPTIONS_WRITE_FAILED.id,
            group = id.get(),
            error = &error as &dyn std::error::Error,
            "the end of subscriptions was not recorded"
        );
    }
}
