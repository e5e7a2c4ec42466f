//! Every metric of `/metrics`: its name as it is exported, what kind it is, its labels and what it means.
//!
//! `kommuneklient metrics` shows this list, docs/observability.md is held against it, and the alert rules and the
//! dashboard below `deploy/k8s` may name nothing else. Tests compare it with the names in the source, and with what a
//! running service exports.

use base::event_entry::Bilingual;
use serde::Serialize;

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MetricEntry {
    /// As it is exported: a counter's ends with `_total`.
    pub name: &'static str,
    /// What kind of number.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Who shows it: every instance its own, or each the same of the whole installation.
    pub of: Of,
    /// What it means; times are in seconds.
    pub meaning: Bilingual,
}

/// The kinds of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only grows, from the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observed values by bucket: `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// What a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// This instance: add up over instances.
    Instance,
    /// The whole installation, read from the database by every instance: take the largest over instances.
    Installation,
}

impl Kind {
    /// The word of Prometheus.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Of {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Installation => "installation",
        }
    }
}

macro_rules! metrics {
    ($($name:literal $kind:ident $of:ident [$($label:literal),*] $en:literal $da:literal;)*) => {
        /// Every metric there is, by name.
        pub static METRICS: &[MetricEntry] = &[$(MetricEntry {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            of: Of::$of,
            meaning: Bilingual { en: $en, da: $da },
        }),*];
    };
}

metrics! {
    "kommuneklient_account_groups" Gauge Installation ["account"]
        "affinity groups that a service account carries (0 = the account of the configuration)"
        "affinitetsgrupper, som en servicekonto bærer (0 = konfigurationens konto)";
    "kommuneklient_account_groups_free" Gauge Installation ["account"]
        "affinity groups that a service account still has room for"
        "affinitetsgrupper, som en servicekonto endnu har plads til";
    "kommuneklient_account_mailboxes" Gauge Installation ["account"]
        "mailboxes that a service account listens to"
        "postkasser, som en servicekonto lytter til";
    "kommuneklient_account_waits_seconds" Gauge Installation ["account"]
        "how much longer all calls of a service account wait, because Exchange asked for it or refused the logon"
        "hvor meget længere alle en servicekontos kald venter, fordi Exchange har bedt om det eller afvist login";
    "kommuneklient_actor_restarts" Gauge Instance []
        "restarts of actors by their supervisors since the process started"
        "genstarter af aktører ved deres overordnede, siden processen startede";
    "kommuneklient_alert_active" Gauge Instance ["code"]
        "1 while an event code calls for somebody by its threshold, else 0; there from the start for each such code"
        "1 så længe en hændelseskode efter sin tærskel kalder på nogen, ellers 0; findes fra starten for hver sådan kode";
    "kommuneklient_certificate_expiry_seconds" Gauge Instance ["certificate"]
        "how long a certificate towards Planner is still valid (own, pinned, signer), negative when it is over; only where there is one"
        "hvor længe et certifikat til Planner endnu gælder (own, pinned, signer), negativt når det er udløbet; kun hvor der er et";
    "kommuneklient_changes_unsent" Gauge Installation []
        "appointments that Planner has not acknowledged as decided"
        "aftaler, som Planner ikke har kvitteret for, som de er besluttet";
    "kommuneklient_events_dropped_total" Counter Instance []
        "coded events that did not reach application_log, because the database was behind; log and metrics have them"
        "hændelser med kode, der ikke nåede application_log, fordi databasen var bagud; log og målinger har dem";
    "kommuneklient_events_total" Counter Instance ["source", "code", "severity"]
        "coded events (docs/event-codes.md)"
        "hændelser med kode (docs/event-codes.md)";
    "kommuneklient_gauges_taken_seconds" Gauge Installation []
        "when the figures of the installation were read from the database, in Unix time"
        "hvornår installationens tal blev læst i databasen, i Unix-tid";
    "kommuneklient_housekeeping_done_seconds" Gauge Instance []
        "when this instance last removed what is old, in Unix time; only where it has that duty"
        "hvornår denne instans sidst fjernede, hvad der er gammelt, i Unix-tid; kun hvor den har pligten";
    "kommuneklient_housekeeping_rows_total" Counter Instance ["table"]
        "rows that were removed because they were old enough"
        "rækker, der er fjernet, fordi de var gamle nok";
    "kommuneklient_keys_in_flight" Gauge Installation []
        "appointments in a call to Planner that is under way"
        "aftaler i et igangværende kald til Planner";
    "kommuneklient_mailboxes_not_covered" Gauge Installation []
        "mailboxes that no service account covers: nobody listens to them"
        "postkasser, som ingen servicekonto dækker: ingen lytter til dem";
    "kommuneklient_notifications_set_aside" Gauge Installation []
        "notifications that kept failing and are tried no more until somebody says so"
        "beskeder, der blev ved med at fejle og ikke prøves igen, før nogen siger til";
    "kommuneklient_notifications_waiting" Gauge Installation []
        "notifications of Exchange that wait to be handled"
        "beskeder fra Exchange, der venter på at blive behandlet";
    "kommuneklient_oldest_notification_seconds" Gauge Installation []
        "age of the oldest notification that waits"
        "alderen på den ældste besked, der venter";
    "kommuneklient_oldest_unsent_change_seconds" Gauge Installation []
        "age of the oldest change that Planner has not acknowledged: the figure to watch"
        "alderen på den ældste ændring, som Planner ikke har kvitteret for: det tal, man holder øje med";
    "kommuneklient_planner_call_seconds" Histogram Instance ["operation", "outcome"]
        "time from a changing request to Planner to its answer; outcome answered or failed"
        "tid fra en ændrende forespørgsel til Planner til dens svar; outcome answered eller failed";
    "kommuneklient_planner_items_total" Counter Instance ["operation", "outcome"]
        "appointments in changing requests to Planner"
        "aftaler i ændrende forespørgsler til Planner";
    "kommuneklient_planner_receipts_total" Counter Instance ["operation", "event"]
        "Planner's receipts, by event code (6200 = taken)"
        "Planners kvitteringer efter hændelseskode (6200 = modtaget)";
    "kommuneklient_resources" Gauge Installation []
        "case workers and rooms in use"
        "sagsbehandlere og lokaler i brug";
    "kommuneklient_resources_failing" Gauge Installation []
        "of these, those whose mailbox cannot be listened to"
        "heraf dem, hvis postkasse der ikke kan lyttes til";
    "kommuneklient_resources_not_adopted" Gauge Installation []
        "of these, those for which nothing is sent yet: to be compared with Planner, or to be read in full since"
        "heraf dem, der endnu ikke sendes noget for: skal sammenlignes med Planner eller siden læses helt";
    "kommuneklient_spans_total" Counter Instance ["outcome"]
        "spans of traces: ended, exported (the collector took them), failed"
        "spor: ended (afsluttet), exported (modtaget af samleren), failed (mislykket)";
}

/// The metric with this exported name; the parts of a histogram are it, too.
pub fn by_name(name: &str) -> Option<&'static MetricEntry> {
    METRICS.iter().find(|metric| {
        let part = name.strip_prefix(metric.name);
        match metric.kind {
            Kind::Histogram => matches!(part, Some("_bucket" | "_sum" | "_count")),
            Kind::Counter | Kind::Gauge => part == Some(""),
        }
    })
}

#[cfg(test)]
mod tests;
