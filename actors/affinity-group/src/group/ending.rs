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
use std::time::Duration;
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
        let known: Vec<(MailAddress, SubscriptionId)> = self
            .members
            .iter()
            .filter_map(|(mail, member)| Some((mail.clone(), member.known.get()?)))
            .collect();
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
            // what is still being made or ended by others is waited for, too: their actors are gone
            unfinished.close();
            let all = known.len();
            let (ended, others) = tokio::join!(
                end_subscriptions(&tools, &location, &affinity, known, patience * 3 / 8),
                tokio::time::timeout(patience * 3 / 8, unfinished.wait())
            );
            if ended.len() < all || others.is_err() {
                tracing::warn!(
                    event_id = codes::STREAMING_STOP_FAILED.id,
                    group = id.get(),
                    "not all subscriptions were ended in time"
                );
            }
            let recording = record_ended(&tools, id, &fence, &ended);
            if tokio::time::timeout(patience / 8, recording).await.is_err() {
                tracing::warn!(
                    event_id = codes::SUBSCRIPTIONS_WRITE_FAILED.id,
                    group = id.get(),
                    "the end of subscriptions was not recorded in time"
                );
            }
            base::crash::point("listener.group-unsubscribed");
            duty::give_back(lease).await;
        });
        ctx.spawn(wrap_future::<_, Self>(task).map(|_, _, ctx| ctx.stop()));
    }
}

/// Unsubscribes all, for as long as `patience`, and answers those that are gone: one that cannot be ended does not keep what
/// came of the others.
async fn end_subscriptions(
    tools: &GroupTools,
    location: &Location,
    affinity: &GroupAffinity,
    known: Vec<(MailAddress, SubscriptionId)>,
    patience: Duration,
) -> Vec<(MailAddress, Option<SubscriptionId>)> {
    let tools = &tools.mailboxes;
    futures::stream::iter(known)
        .map(|(address, subscription)| async move {
            let affinity = affinity.for_mailbox(&address);
            let mailbox = Mailbox {
                address: address.clone(),
                endpoint: location.endpoint.clone(),
                account: Some(affinity.account),
            };
            end_subscription(tools, &mailbox, &affinity, &subscription).await.then_some((address, None))
        })
        .buffer_unordered(UNSUBSCRIBE_AT_ONCE)
        .take_until(tokio::time::sleep(patience))
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Forgets the subscriptions that are gone.
async fn record_ended(
    tools: &GroupTools,
    id: GroupId,
    fence: &Fence,
    ended: &[(MailAddress, Option<SubscriptionId>)],
) {
    let tools = &tools.mailboxes;
    if let Err(error) = tools.store.record_subscriptions(fence, id, ended, tools.clock.now()).await {
        tracing::warn!(
            event_id = codes::SUBSCRIPTIONS_WRITE_FAILED.id,
            group = id.get(),
            error = &error as &dyn std::error::Error,
            "the end of subscriptions was not recorded"
        );
    }
}
