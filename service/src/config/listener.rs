//! `[listener]`

use serde::{Deserialize, Serialize};

use super::{HumanDuration, Problems, Section};

/// The stage that listens to Exchange (ELS; B7, B12).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerConfig {
    /// How often the resource table is compared with what is listened to.
    pub subscriber_update_time_interval: HumanDuration,
    /// Mailboxes of one affinity group at most.
    pub mailboxes_per_subscription_group: usize,
    /// Affinity groups that one service account carries at most.
    pub subscription_groups_per_credential: usize,
    /// A stream that is silent for longer is dead.
    pub stream_silence_limit: HumanDuration,
    /// Use the stored endpoint and group of each mailbox instead of Autodiscover.
    pub deactivate_solving_of_group_affinity: bool,
    /// First and longest pause before a mailbox that could not be located is asked for again.
    pub locate_retry_initial: HumanDuration,
    /// See `locate_retry_initial`.
    pub locate_retry_cap: HumanDuration,
    /// First and longest pause before a mailbox that cannot be used is tried again.
    pub mailbox_retry_initial: HumanDuration,
    /// See `mailbox_retry_initial`.
    pub mailbox_retry_cap: HumanDuration,
    /// Mailboxes that catch up at one time.
    pub catch_up_concurrency: usize,
    /// Catch-ups after a gap are spread over this time.
    pub catch_up_jitter: HumanDuration,
    /// How long an event of the folder waits for an event of an item that explains it.
    pub folder_event_grace: HumanDuration,
    /// A mailbox catches up for folder events at most this often.
    pub folder_catch_up_interval: HumanDuration,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            subscriber_update_time_interval: HumanDuration::minutes(10),
            mailboxes_per_subscription_group: 200,
            subscription_groups_per_credential: 3,
            stream_silence_limit: HumanDuration::seconds(110),
            deactivate_solving_of_group_affinity: false,
            locate_retry_initial: HumanDuration::seconds(30),
            locate_retry_cap: HumanDuration::minutes(60),
            mailbox_retry_initial: HumanDuration::seconds(60),
            mailbox_retry_cap: HumanDuration::minutes(60),
            catch_up_concurrency: 8,
            catch_up_jitter: HumanDuration::seconds(2),
            folder_event_grace: HumanDuration::seconds(2),
            folder_catch_up_interval: HumanDuration::seconds(10),
        }
    }
}

impl Section for ListenerConfig {
    const NAME: &'static str = "listener";

    fn check(&self, check: &mut Problems) {
        let zero = HumanDuration::default();
        let (second, hour) = (HumanDuration::seconds(1), HumanDuration::minutes(60));
        let day = HumanDuration::minutes(24 * 60);
        check.range("subscriber_update_time_interval", self.subscriber_update_time_interval, second..=day);
        // Exchange takes no more than 200 subscriptions in one GetStreamingEvents.
        check.range("mailboxes_per_subscription_group", self.mailboxes_per_subscription_group, 1..=200);
        check.range("subscription_groups_per_credential", self.subscription_groups_per_credential, 1..=100);
        check.range("stream_silence_limit", self.stream_silence_limit, second..=hour);
        let retries = [
            (
                ("locate_retry_initial", self.locate_retry_initial),
                ("locate_retry_cap", self.locate_retry_cap),
            ),
            (
                ("mailbox_retry_initial", self.mailbox_retry_initial),
                ("mailbox_retry_cap", self.mailbox_retry_cap),
            ),
        ];
        for ((initial_key, initial), (cap_key, cap)) in retries {
            check.range(initial_key, initial, HumanDuration::millis(100)..=day);
            check.range(cap_key, cap, HumanDuration::millis(100)..=day);
            if cap.get() < initial.get() {
                check.add(cap_key, format!("must not be shorter than {initial_key}"));
            }
        }
        check.range("catch_up_concurrency", self.catch_up_concurrency, 1..=100);
        check.range("catch_up_jitter", self.catch_up_jitter, zero..=hour);
        check.range("folder_event_grace", self.folder_event_grace, HumanDuration::millis(10)..=hour);
        check.range(
            "folder_catch_up_interval",
            self.folder_catch_up_interval,
            HumanDuration::millis(10)..=day,
        );
    }
}
