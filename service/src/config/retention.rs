//! `[retention_days]`

use serde::{Deserialize, Serialize};

use super::{Problems, Section};

/// How many days what is kept for people is kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Notifications that were handled.
    pub notification_log: u32,
    /// Answers of Planner, appointment by appointment.
    pub sync_log: u32,
    /// Calls to Planner.
    pub service_call_reference_log: u32,
    /// Events with a code.
    pub application_log: u32,
    /// Appointments, counted from their end.
    pub calendar_event: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            notification_log: 90,
            sync_log: 400,
            service_call_reference_log: 400,
            application_log: 30,
            calendar_event: 90,
        }
    }
}

impl Section for RetentionConfig {
    const NAME: &'static str = "retention_days";

    fn check(&self, check: &mut Problems) {
        for (key, days) in [
            ("notification_log", self.notification_log),
            ("sync_log", self.sync_log),
            ("service_call_reference_log", self.service_call_reference_log),
            ("application_log", self.application_log),
            ("calendar_event", self.calendar_event),
        ] {
            check.range(key, days, 1..=36_500);
        }
    }
}
