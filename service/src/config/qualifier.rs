//! `[qualifier]`

use serde::{Deserialize, Serialize};

use super::{DailyTime, HumanDuration, Problems, Section};

/// The stage that turns notifications into decisions (EPS; B4, B7, B8).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualifierConfig {
    /// How often stored notifications are looked for when no wake-up came.
    pub notification_processing_interval: HumanDuration,
    /// The times of day at which the whole window of every mailbox is read.
    pub full_appointment_pull_schedule: Vec<DailyTime>,
    /// Read the whole window of every mailbox at start.
    pub make_full_calendar_pull_at_startup: bool,
    /// Mailboxes that are read in full at one time.
    pub simultaneous_calls_at_full_pull: usize,
    /// Workers; a mailbox always belongs to the same one.
    pub shards: u16,
    /// An item is handled once more when its notifications have been quiet for this long.
    pub coalesce_quiet: HumanDuration,
    /// … and after this long at the latest.
    pub coalesce_at_most: HumanDuration,
    /// A notification that failed this many times by itself is set aside. Outages do not count.
    pub notification_attempts: u32,
}

impl Default for QualifierConfig {
    fn default() -> Self {
        Self {
            notification_processing_interval: HumanDuration::seconds(4),
            full_appointment_pull_schedule: vec![DailyTime::at(2, 0)],
            make_full_calendar_pull_at_startup: false,
            simultaneous_calls_at_full_pull: 1,
            shards: 4,
            coalesce_quiet: HumanDuration::seconds(1),
            coalesce_at_most: HumanDuration::seconds(5),
            notification_attempts: 5,
        }
    }
}

impl Section for QualifierConfig {
    const NAME: &'static str = "qualifier";

    fn check(&self, check: &mut Problems) {
        let (tick, hour) = (HumanDuration::millis(10), HumanDuration::minutes(60));
        check.range("notification_processing_interval", self.notification_processing_interval, tick..=hour);
        check.schedule("full_appointment_pull_schedule", &self.full_appointment_pull_schedule);
        check.range("simultaneous_calls_at_full_pull", self.simultaneous_calls_at_full_pull, 1..=100);
        check.range("shards", self.shards, 1..=64);
        check.range("coalesce_quiet", self.coalesce_quiet, tick..=hour);
        check.range("coalesce_at_most", self.coalesce_at_most, tick..=hour);
        if self.coalesce_at_most < self.coalesce_quiet {
            check.add(
                "coalesce_at_most",
                format!("must not be shorter than coalesce_quiet ({})", self.coalesce_quiet),
            );
        }
        check.range("notification_attempts", self.notification_attempts, 1..=1_000);
    }
}
