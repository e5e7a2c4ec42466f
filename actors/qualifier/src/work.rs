//! What handling live changes and full reads have in common: what they work with, and how failures are
//! recorded.

use std::sync::Arc;
use std::time::Duration;

use base::{TraceContext, Turn, Turns};
use calendar::source::{Mailbox, WindowReading};
use calendar::zone::unknown_marks;
use calendar::{Appointment, ItemId, MailAddress, SourceError, Window, codes};
use jiff::Timestamp;
use store::decisions::{Effect, Guarded, Series, to_stored_precision};
use store::full_reads::Target;
use store::lease::Fence;
use store::notification_queue::{Claimed, Failed, Finished};

use crate::beginnings::Beginnings;
use crate::config::{QualifierOptions, Services};
use crate::error::QualifierError;
use crate::office::Shared;
use crate::plan::SeriesNews;
use crate::reader::{Blame, Reader, blame_of_item};
use crate::together::Together;

/// What a shard that owns its lease works with.
#[derive(Debug, Clone)]
pub struct Office {
    pub(crate) options: Arc<QualifierOptions>,
    pub(crate) services: Services,
    pub(crate) fence: Fence,
    /// Who reads the window of a mailbox in full holds one of them.
    windows: Turns,
    /// Who reads a mailbox in full holds one of them while it asks the source.
    full_read_calls: Turns,
    pub(crate) beginnings: Arc<Beginnings>,
    pub(crate) together: Arc<Together>,
}

/// What came of a batch that was handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Notifications that are done with.
    pub finished: usize,
    /// Notifications that failed by themselves.
    pub failed: usize,
    /// When the earliest of these is to be tried again.
    pub again_at: Option<Timestamp>,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.finished += other.finished;
        self.failed += other.failed;
        self.again_at = match (self.again_at, other.again_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// How often a decision is made anew because somebody else decided meanwhile.
pub(crate) const CONFLICTS_MAX: usize = 3;

/// Why it is given up then.
pub(crate) const CONTENDED: &str = "the keys kept changing while they were decided about";

/// Does `work` in the longest time that a handling may take.
pub(crate) async fn in_time<T>(
    office: &Office,
    work: impl Future<Output = Result<T, QualifierError>>,
) -> Result<T, QualifierError> {
    let deadline = office.options.job_deadline;
    tokio::time::timeout(deadline, work).await.unwrap_or(Err(QualifierError::TooLong(deadline)))
}

impl Office {
    /// An office of the shard that holds `fence`, with what the shards of the process share.
    pub(crate) fn new(
        options: Arc<QualifierOptions>,
        services: Services,
        fence: Fence,
        shared: &Shared,
    ) -> Self {
        Self {
            options,
            services,
            fence,
            windows: shared.windows.clone(),
            full_read_calls: shared.full_read_calls.clone(),
            beginnings: Arc::clone(&shared.beginnings),
            together: Arc::clone(&shared.together),
        }
    }

    /// Waits for the turn to ask the source for a full read (`simultaneous_calls_at_full_pull`).
    pub(crate) async fn turn_to_read(&self) -> Turn<'_> {
        self.full_read_calls.take().await
    }

    /// Waits for the turn to read a window in full.
    pub(crate) async fn turn_of_window(&self) -> Turn<'_> {
        self.windows.take().await
    }

    /// Reads the window of a full read that begins now, in this turn; says when that was.
    pub(crate) async fn read_window(
        &self,
        reader: &Reader<'_>,
        _turn: Turn<'_>,
    ) -> (Window, Timestamp, Result<Result<WindowReading, SourceError>, SourceError>) {
        let began = self.now();
        let window = self.options.policy.window(began);
        (window, began, reader.window_by_turns(window.slot(), &self.full_read_calls).await)
    }

    /// The present, as the store keeps it.
    pub(crate) fn now(&self) -> Timestamp {
        to_stored_precision(self.services.clock.now())
    }

    /// A reader of the mailbox, which has failed `failures` times in a row as a whole.
    pub(crate) fn reader<'a>(&'a self, mailbox: &'a Mailbox, failures: u32) -> Reader<'a> {
        /// So many outages in a row of one mailbox are doubted.
        const FAILURES_DOUBTED: u32 = 3;
        Reader {
            source: &*self.services.source,
            mailbox,
            items_per_call: self.options.items_per_call,
            suspicious: failures >= FAILURES_DOUBTED,
        }
    }

    /// Finds the mailbox of `target`, and tells when it was looked up by the database's clock; `None` when it is not in use, and then its notifications are done with.
    pub(crate) async fn mailbox(
        &self,
        target: Target,
        mail: &MailAddress,
        notifications: impl Iterator<Item = &Claimed>,
        report: &mut Report,
    ) -> Result<Option<(Mailbox, Timestamp)>, QualifierError> {
        let outcome = match target {
            Target::Located { endpoint, account, looked_up_at } => {
                return Ok(Some((Mailbox { address: mail.clone(), endpoint, account }, looked_up_at)));
            }
            Target::NotLocated => return Err(QualifierError::NotLocated),
            Target::NotInUse => "not in use",
            Target::Unknown => {
                tracing::error!(
                    event_id = codes::NOTIFICATION_WITHOUT_MAILBOX.id,
                    mailbox = %mail,
                    "notification for a mailbox that is no resource"
                );
                "no such resource"
            }
        };
        let now = self.now();
        let finished: Vec<Finished> =
            notifications.map(|one| Finished { id: one.id, outcome, text: None }).collect();
        report.finished += finished.len();
        let effect = Effect { finished, ..self.effect(mail, now, now) };
        self.services.store.apply(&self.fence, &effect).await?;
        Ok(None)
    }

    /// An effect that changes nothing yet.
    pub(crate) fn effect(&self, mail: &MailAddress, began: Timestamp, now: Timestamp) -> Effect {
        Effect {
            mail: mail.clone(),
            reading_began: began,
            decided_at: now,
            bulk: false,
            decisions: Vec::new(),
            series: Vec::new(),
            masters_gone: Vec::new(),
            fresh: false,
            finished: Vec::new(),
            full_read: false,
            full_read_whole: false,
            full_read_began_db: None,
            guarded: Guarded::default(),
        }
    }

    /// Finds the masters of series that nobody knows, and puts the news of series into the effect. A master
    /// that cannot be found is told and forgotten: the next reading asks again.
    pub(crate) async fn learn_series(
        &self,
        reader: &Reader<'_>,
        news: SeriesNews,
        effect: &mut Effect,
    ) -> Result<(), QualifierError> {
        effect.series = news.learned;
        effect.masters_gone = news.gone;
        let occurrences: Vec<ItemId> = news.unknown.iter().map(|(_, item)| item.clone()).collect();
        match reader.masters(&occurrences).await.map_err(QualifierError::Source)? {
            Ok(masters) => {
                let found = news.unknown.into_iter().zip(masters);
                let found = found.filter_map(|((uid, _), master)| Some(Series { uid, item_id: master? }));
                effect.series.extend(found);
            }
            Err(error) => tracing::error!(
                event_id = codes::SERIES_READ_FAILED.id,
                mailbox = %effect.mail,
                error = %telemetry::chain(&error),
                "the masters of some series could not be found"
            ),
        }
        Ok(())
    }

    /// Records failures: those of the notifications themselves are counted, and set aside in the end;
    /// others only wait.
    pub(crate) async fn fail(
        &self,
        mail: &MailAddress,
        failures: Vec<Failure<'_>>,
    ) -> Result<Report, QualifierError> {
        let now = self.now();
        let mut report = Report::default();
        let mut rows = Vec::new();
        for Failure { notification, error, own } in failures {
            report.failed += 1;
            let id = notification.id;
            let again_at = if own {
                let attempts = notification.attempts.saturating_add(1);
                let aside = attempts >= self.options.attempts;
                tell_failed(mail, id, attempts, aside, &error);
                let pause = self.options.retry.delay_jittered(attempts);
                let again_at = (!aside).then(|| later(now, pause));
                rows.push(Failed { id, error, again_at });
                again_at
            } else {
                // The longer it has been so, the longer the pause: that grows like a back-off.
                let age =
                    Duration::try_from(now.duration_since(notification.received_at)).unwrap_or_default();
                let least = base::pace::scaled(PAUSE_MIN);
                let pause = age.clamp(least, self.options.mailbox_retry.cap().max(least));
                let again_at = later(now, pause);
                self.services.store.postpone_notifications(&self.fence, &[id], &error, again_at).await?;
                Some(again_at)
            };
            report.add(Report { again_at, ..Report::default() });
        }
        self.services.store.notifications_failed(&self.fence, &rows, now).await?;
        Ok(report)
    }

    /// Tells that items could not be fetched.
    pub(crate) fn tell_fetch_failed(&self, mail: &MailAddress, error: &SourceError) {
        tracing::error!(
            event_id = codes::ITEM_FETCH_FAILED.id,
            mailbox = %mail,
            code = error.code,
            error = %telemetry::chain(error),
            "an appointment could not be fetched"
        );
    }
}

/// Why a notification could not be handled.
pub(crate) struct Failure<'a> {
    pub(crate) notification: &'a Claimed,
    /// In words, without content.
    pub(crate) error: String,
    /// Is it a failure of this notification itself, which counts?
    pub(crate) own: bool,
}

impl<'a> Failure<'a> {
    /// The failure of all these notifications because something could not be read.
    pub(crate) fn of_reading(
        notifications: &'a [Claimed],
        error: &SourceError,
    ) -> impl Iterator<Item = Self> + use<'a> {
        let own = blame_of_item(error.kind) == Blame::TheItems;
        let text = format!("{error}: {}", error.text);
        notifications.iter().map(move |notification| Self { notification, error: text.clone(), own })
    }
}

/// The shortest pause of what only waits.
const PAUSE_MIN: Duration = Duration::from_secs(1);

pub(crate) fn later(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(now)
}

fn tell_failed(mail: &MailAddress, notification: i64, attempts: u32, aside: bool, error: &str) {
    if aside {
        tracing::error!(
            event_id = codes::NOTIFICATION_SET_ASIDE.id,
            mailbox = %mail,
            notification,
            attempts,
            error,
            "notification set aside"
        );
    } else {
        tracing::error!(
            event_id = codes::NOTIFICATION_FAILED.id,
            mailbox = %mail,
            notification,
            attempts,
            error,
            "notification failed"
        );
    }
}

/// Tells the zones of all-day appointments that nobody knows: their dates are taken in the configured zone (B4). By marks,
/// since their names may be text of outsiders (B6).
pub(crate) fn tell_unknown_zones(mail: &MailAddress, found: &[Appointment]) {
    /// More would only repeat each other.
    const ZONES_MAX: usize = 3;
    for zone in unknown_marks(found).into_iter().take(ZONES_MAX) {
        tracing::warn!(
            event_id = codes::ZONE_UNKNOWN.id,
            mailbox = %mail,
            zone_mark = zone,
            "the zone of an all-day appointment is not known, its dates are taken in the configured zone"
        );
    }
}

/// The traces of notifications, each once.
pub(crate) fn traces<'a>(notifications: impl Iterator<Item = &'a Claimed>) -> Vec<&'a TraceContext> {
    let mut traces: Vec<&TraceContext> = Vec::new();
    for trace in notifications.filter_map(|one| one.trace.as_ref()) {
        if !traces.contains(&trace) {
            traces.push(trace);
        }
    }
    traces
}

/// A span that goes on from the first of these traces and links to the others.
pub(crate) fn continue_traces(span: &tracing::Span, traces: &[&TraceContext]) {
    /// More would only repeat each other.
    const LINKS_MAX: usize = 8;
    if let Some((first, others)) = traces.split_first() {
        telemetry::trace::continue_from(span, first);
        others.iter().take(LINKS_MAX).for_each(|other| telemetry::trace::link(span, other));
    }
}
