//! The daily schedule of the full pull (B8): each shard asks for the full reads of its own mailboxes. What was
//! asked for lives in the database, so a pull goes on after a crash, and a time that passed while nobody was
//! there is made up when the shard comes into office.

use std::time::Duration;

use actix::AsyncContext;
use base::daily::{DailyTimes, believed, missed, next_after};
use calendar::codes;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Ctx, Shard};
use crate::messages::Kinds;

impl Shard {
    /// Asks for full reads when the schedule says so, and looks again in time.
    pub(super) fn look_at_schedule(&mut self, ctx: &mut Ctx) {
        if let Some(timer) = self.pull_timer.take() {
            ctx.cancel_future(timer);
        }
        let Some((_, office)) = &self.incumbency else { return };
        if self.leaving {
            return;
        }
        let now = self.services.clock.now();
        let (times, zone) = (&self.options.full_reads_at, self.options.policy.zones.configured());
        let due = is_due(times, zone, self.pulled, now);
        if !due {
            let pause = next_after(times, zone, now).duration_since(now);
            let pause = Duration::try_from(pause)
                .unwrap_or_default()
                .min(base::pace::scaled(self.options.look_again));
            self.pull_timer = Some(ctx.run_later(pause, Self::look_at_schedule));
            return;
        }
        let (office, buckets) = (std::sync::Arc::clone(office), self.options.buckets(self.n));
        let task = async move {
            let options = &office.options;
            let (times, zone) = (&options.full_reads_at, options.policy.zones.configured());
            let now: Timestamp = office.now();
            office
                .services
                .store
                .ask_for_scheduled_full_reads(&office.fence, &buckets, times, zone, now)
                .await
        };
        self.run(ctx, task, |act, ctx, asked| match asked {
            Some(Ok(pull)) => {
                if pull.ran {
                    tracing::info!(
                        event_id = codes::FULL_PULL_BEGAN.id,
                        shard = act.n,
                        mailboxes = pull.mailboxes,
                        "full pull began by its schedule"
                    );
                    act.claim(ctx, Kinds::FULL_READS);
                }
                act.pulled = Some(pull.last_run);
                act.look_at_schedule(ctx);
            }
            Some(Err(error)) => {
                act.store_failed(ctx, &error);
                let pause = act.options.poll_interval;
                act.pull_timer = Some(ctx.run_later(pause, Self::look_at_schedule));
            }
            None => act.child.fail("asking for a full pull panicked"),
        });
    }
}

/// Is the database to be asked for a pull? It knows when the pull ran, if this shard came into office just now or the
/// clock was far ahead meanwhile.
pub(super) fn is_due(times: &DailyTimes, zone: &TimeZone, pulled: Option<Timestamp>, now: Timestamp) -> bool {
    believed(pulled, now).is_none_or(|last| missed(times, zone, Some(last), now))
}
