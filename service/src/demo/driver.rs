//! Changes calendars at a steady rate, as many people would, and remembers when each change was asked for and
//! what Planner should hold because of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::SharedClock;
use jiff::Timestamp;
use jiff::civil::Time;
use proto_ews::{
    CalendarItem, DayOfWeek, DeleteType, ItemId, ItemRef, Recurrence, RecurrencePattern, RecurrenceRange,
    TimeZoneDefinition, field,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::changes::{self, Act, Content, Entry, Horizon, Rhythm, Series, Times};
use super::error::DemoError;
use super::outlook::Outlook;

/// Changes under way at once.
const IN_FLIGHT_MAX: usize = 32;
/// Entries that a calendar holds before its owner only changes what is there.
const ENTRIES_MAX: usize = 30;

/// One change that was made.
#[derive(Debug, Clone)]
pub struct Change {
    /// When it was asked for, before Exchange knew of it.
    pub at: Timestamp,
    /// The keys that should become different in Planner. Empty for a change that Planner must not notice.
    pub expected: Vec<changes::Expected>,
}

/// The calendars and the hands that change them.
#[derive(Debug)]
pub struct Driver {
    outlook: Outlook,
    clock: SharedClock,
    horizon: Horizon,
    calendars: Vec<Arc<Mutex<Calendar>>>,
    made: Arc<AtomicU64>,
    seed: u64,
}

/// One calendar, and what was done to it so far.
#[derive(Debug)]
pub struct Calendar {
    mailbox: String,
    entries: Vec<(Entry, ItemId)>,
    /// What Planner should hold by now, to tell which keys a change makes different.
    expected: HashMap<String, Times>,
    rng: StdRng,
    made: u64,
}

impl Driver {
    /// Hands for `mailboxes`, whose random choices follow from `seed`.
    pub fn new(
        outlook: Outlook,
        clock: SharedClock,
        horizon: Horizon,
        mailboxes: &[String],
        seed: u64,
    ) -> Self {
        let calendars = mailboxes
            .iter()
            .enumerate()
            .map(|(index, mailbox)| {
                let seed = seed.wrapping_mul(0x9e37_79b9).wrapping_add(index as u64);
                Arc::new(Mutex::new(Calendar::new(mailbox.clone(), seed)))
            })
            .collect();
        Self { outlook, clock, horizon, calendars, made: Arc::default(), seed }
    }

    /// How many changes have been made so far.
    pub fn made(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.made)
    }

    /// Makes changes at `per_second` (0: none) for `duration` and returns them all, when the last is answered.
    pub async fn run(&self, per_second: f64, duration: Duration) -> Result<Vec<Change>, DemoError> {
        if per_second <= 0.0 {
            tokio::time::sleep(duration).await;
            return Ok(Vec::new());
        }
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let end = self.clock.monotonic() + duration;
        let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let mut tasks: JoinSet<Result<Option<Change>, DemoError>> = JoinSet::new();
        let mut all = Vec::new();
        loop {
            ticks.tick().await;
            if self.clock.monotonic() >= end {
                break;
            }
            while let Some(done) = tasks.try_join_next() {
                all.extend(joined(done)?);
            }
            let Some(calendar) = self.calendars.choose(&mut rng).cloned() else { break };
            let place = Arc::clone(&places).acquire_owned().await.expect("this semaphore is never closed");
            let (outlook, clock) = (self.outlook.clone(), Arc::clone(&self.clock));
            let (horizon, made) = (self.horizon.clone(), Arc::clone(&self.made));
            tasks.spawn(async move {
                let change = calendar.lock().await.act(&outlook, &clock, &horizon).await?;
                made.fetch_add(1, Ordering::Relaxed);
                drop(place);
                Ok(change)
            });
        }
        while let Some(done) = tasks.join_next().await {
            all.extend(joined(done)?);
        }
        Ok(all)
    }
}

fn joined(
    done: Result<Result<Option<Change>, DemoError>, tokio::task::JoinError>,
) -> Result<Option<Change>, DemoError> {
    done.map_err(|error| DemoError::Exchange { what: error.to_string(), source: None })?
}

impl Calendar {
    /// An empty one; all chance follows from `seed`.
    pub fn new(mailbox: String, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self { mailbox, entries: Vec::new(), expected: HashMap::new(), rng, made: 0 }
    }

    /// What is in it, as far as it was put there by this.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter().map(|(entry, _)| entry)
    }

    /// Puts a new entry into it; `draw` draws it from this calendar's chance, its address and a new UID.
    pub async fn create(
        &mut self,
        draw: impl FnOnce(&mut StdRng, &str, String) -> Entry,
        outlook: &Outlook,
        clock: &SharedClock,
        horizon: &Horizon,
    ) -> Result<Change, DemoError> {
        self.made += 1;
        let uid =
            format!("040000008200E00074C5B7101A82E008{:016X}{:08X}", self.rng.random::<u64>(), self.made);
        let entry = draw(&mut self.rng, &self.mailbox, uid);
        let at = clock.now();
        let id = outlook.create(&self.mailbox, to_item(&entry, &horizon.zone)).await?;
        self.entries.push((entry.clone(), id));
        Ok(self.note(at, &entry, horizon))
    }

    /// Does one random thing to this calendar.
    async fn act(
        &mut self,
        outlook: &Outlook,
        clock: &SharedClock,
        horizon: &Horizon,
    ) -> Result<Option<Change>, DemoError> {
        let creates =
            self.entries.len() < 2 || (self.entries.len() < ENTRIES_MAX && self.rng.random_bool(0.4));
        if creates {
            let draw = |rng: &mut StdRng, mailbox: &str, uid| changes::draw_entry(rng, mailbox, uid, horizon);
            return self.create(draw, outlook, clock, horizon).await.map(Some);
        }
        let at = clock.now();
        let index = self.rng.random_range(0..self.entries.len());
        let act = changes::draw_act(&mut self.rng, &self.entries[index].0, horizon);
        self.perform(act, index, at, outlook, horizon).await.map(Some)
    }

    /// Does this to the entry with that index. One that is deleted leaves its place to the last.
    pub async fn perform(
        &mut self,
        act: Act,
        index: usize,
        at: Timestamp,
        outlook: &Outlook,
        horizon: &Horizon,
    ) -> Result<Change, DemoError> {
        let mailbox = self.mailbox.clone();
        let id = self.entries[index].1.clone();
        let master = id.id.clone();
        let occurrence = |index: i32| ItemRef::Occurrence {
            recurring_master_id: master.clone(),
            change_key: None,
            instance_index: index,
        };
        match act {
            Act::Create => unreachable!("an entry that is there is not drawn to be created"),
            Act::Reschedule => {
                let entry = &mut self.entries[index].0;
                let times = changes::draw_times(&mut self.rng, horizon);
                // an all-day entry becomes one with times
                let updates = match entry.content {
                    Content::AllDay { .. } => {
                        vec![(field::IS_ALL_DAY_EVENT, with(|i| i.is_all_day = Some(false)))]
                    }
                    _ => vec![],
                };
                entry.content = Content::Single { times };
                let updates = updates.into_iter().chain(time_updates(times)).collect();
                outlook.update(&mailbox, id.into(), updates).await?;
            }
            Act::Retitle => {
                let title = format!("Meeting {}", self.rng.random_range(0..1000));
                let updates = vec![(field::SUBJECT, with(|i| i.subject = Some(title)))];
                outlook.update(&mailbox, id.into(), updates).await?;
            }
            Act::Status => {
                let status = changes::draw_status(&mut self.rng);
                self.entries[index].0.free_busy = status;
                let updates = vec![(field::LEGACY_FREE_BUSY_STATUS, with(|i| i.free_busy = Some(status)))];
                outlook.update(&mailbox, id.into(), updates).await?;
            }
            Act::RescheduleOccurrence(number, times) => {
                outlook.update(&mailbox, occurrence(number), time_updates(times).collect()).await?;
                if let Content::Series(series) = &mut self.entries[index].0.content {
                    series.changed.insert(number, times);
                }
            }
            Act::DeleteOccurrence(number) => {
                outlook.delete(&mailbox, occurrence(number), DeleteType::MoveToDeletedItems).await?;
                if let Content::Series(series) = &mut self.entries[index].0.content {
                    series.deleted.push(number);
                }
            }
            Act::HardDelete | Act::Trash => {
                let how = match act {
                    Act::HardDelete => DeleteType::HardDelete,
                    _ => DeleteType::MoveToDeletedItems,
                };
                outlook.delete(&mailbox, id.into(), how).await?;
                let (mut entry, _) = self.entries.swap_remove(index);
                entry.away = true;
                return Ok(self.note(at, &entry, horizon));
            }
            Act::MoveAway | Act::MoveBack => {
                let away = matches!(act, Act::MoveAway);
                let folder = if away { "deleteditems" } else { "calendar" };
                self.entries[index].1 = outlook.move_to(&mailbox, id, folder).await?;
                self.entries[index].0.away = away;
            }
        }
        let entry = self.entries[index].0.clone();
        Ok(self.note(at, &entry, horizon))
    }

    /// Which keys become different in Planner by the entry being as it is now.
    fn note(&mut self, at: Timestamp, entry: &Entry, horizon: &Horizon) -> Change {
        let mut expected = Vec::new();
        for (key, times) in entry.expected(horizon) {
            let before = match times {
                Some(times) => self.expected.insert(key.1.clone(), times),
                None => self.expected.remove(&key.1),
            };
            if before != times {
                expected.push((key, times));
            }
        }
        Change { at, expected }
    }
}

fn with(set: impl FnOnce(&mut CalendarItem)) -> CalendarItem {
    let mut item = CalendarItem::default();
    set(&mut item);
    item
}

fn time_updates((start, end): Times) -> impl Iterator<Item = (&'static str, CalendarItem)> {
    [(field::START, with(|i| i.start = Some(start))), (field::END, with(|i| i.end = Some(end)))].into_iter()
}

/// The entry as Outlook would send it: the Danish zone by its Windows name.
fn to_item(entry: &Entry, zone: &jiff::tz::TimeZone) -> CalendarItem {
    let midnight = |day: jiff::civil::Date| {
        let at = zone.to_ambiguous_zoned(day.to_datetime(Time::midnight())).compatible();
        at.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    };
    let (times, is_all_day, recurrence) = match &entry.content {
        Content::Single { times } => (*times, false, None),
        Content::AllDay { first, days } => {
            let last = first.saturating_add(jiff::Span::new().days(*days));
            ((midnight(*first), midnight(last)), true, None)
        }
        Content::Series(series) => (series.original(1, zone), false, Some(to_recurrence(series))),
    };
    let danish = TimeZoneDefinition::id("Romance Standard Time");
    CalendarItem {
        subject: Some("Conversation".into()),
        uid: Some(entry.uid.clone()),
        start: Some(times.0),
        end: Some(times.1),
        is_all_day: Some(is_all_day),
        free_busy: Some(entry.free_busy),
        recurrence,
        start_time_zone: Some(danish.clone()),
        end_time_zone: Some(danish),
        ..CalendarItem::default()
    }
}

fn to_recurrence(series: &Series) -> Recurrence {
    let pattern = match series.rhythm {
        Rhythm::Daily(interval) => RecurrencePattern::Daily { interval },
        Rhythm::Weekly(interval) => RecurrencePattern::Weekly {
            interval,
            days: vec![day_of_week(series.first)],
            first_day_of_week: Some(DayOfWeek::Monday),
        },
        Rhythm::Monthly(day) => RecurrencePattern::AbsoluteMonthly { interval: 1, day_of_month: day },
    };
    Recurrence {
        pattern,
        range: RecurrenceRange::Numbered { start: series.first, occurrences: series.count },
    }
}

fn day_of_week(day: jiff::civil::Date) -> DayOfWeek {
    use jiff::civil::Weekday as W;
    match day.weekday() {
        W::Monday => DayOfWeek::Monday,
        W::Tuesday => DayOfWeek::Tuesday,
        W::Wednesday => DayOfWeek::Wednesday,
        W::Thursday => DayOfWeek::Thursday,
        W::Friday => DayOfWeek::Friday,
        W::Saturday => DayOfWeek::Saturday,
        W::Sunday => DayOfWeek::Sunday,
    }
}
