//! The people whose calendars change: what a step of the schedule means for what is in a calendar by then.

use base::SharedClock;
use kommuneklient::demo::changes::{self, Act, Content, Entry, Horizon};
use kommuneklient::demo::driver::Calendar;
use kommuneklient::demo::error::DemoError;
use kommuneklient::demo::outlook::Outlook;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Mutex;

use super::schedule::What;
use crate::calendar::mailbox;

/// All calendars of a seed.
#[derive(Debug)]
pub struct People {
    calendars: Vec<Mutex<Calendar>>,
    outlook: Outlook,
    clock: SharedClock,
    horizon: Horizon,
}

impl People {
    /// Empty calendars of mailboxes 1 to `mailboxes`.
    pub fn new(mailboxes: u32, seed: u64, outlook: Outlook, clock: SharedClock, horizon: Horizon) -> Self {
        let calendar = |number: u32| {
            let seed = seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(number));
            Mutex::new(Calendar::new(mailbox(number), seed))
        };
        Self { calendars: (1..=mailboxes).map(calendar).collect(), outlook, clock, horizon }
    }

    /// Does it, or makes a new appointment where nothing is there that it could be done to. Tried again while the
    /// server is busy.
    ///
    /// # Errors
    /// A change that Exchange does not take.
    pub async fn change(&self, number: u32, what: What, draw: u64) -> Result<(), DemoError> {
        let mut rng = StdRng::seed_from_u64(draw);
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or_default();
        let Some(calendar) = self.calendars.get(index) else { return Ok(()) };
        let mut calendar = calendar.lock().await;
        let act = self.act(&calendar, what, &mut rng);
        let (outlook, clock, horizon) = (&self.outlook, &self.clock, &self.horizon);
        let done = match act {
            Some((index, act)) => calendar.perform(act, index, clock.now(), outlook, horizon).await,
            None => {
                let series = what == What::CreateSeries;
                let draw =
                    |_: &mut StdRng, mailbox: &str, uid| entry(&mut rng, series, mailbox, uid, horizon);
                calendar.create(draw, outlook, clock, horizon).await
            }
        };
        done.map(drop)
    }

    /// Which entry it is done to, and what is done; `None` = a new one is made.
    fn act(&self, calendar: &Calendar, what: What, rng: &mut StdRng) -> Option<(usize, Act)> {
        let fits = |entry: &Entry| {
            let series = matches!(entry.content, Content::Series(_));
            match what {
                What::Create | What::CreateSeries => false,
                What::Move => !series && !entry.away,
                What::Status | What::Delete => !entry.away,
                What::Exception | What::DeleteOccurrence => series && !entry.away,
                What::ToOtherFolder => !series,
            }
        };
        let fitting: Vec<(usize, &Entry)> =
            calendar.entries().enumerate().filter(|(_, entry)| fits(entry)).collect();
        if fitting.is_empty() {
            return None;
        }
        let (index, entry) = fitting[rng.random_range(0..fitting.len())];
        let act = match what {
            What::Create | What::CreateSeries => return None,
            What::Move => Act::Reschedule,
            What::Status => Act::Status,
            What::Delete if rng.random_bool(0.5) && !matches!(entry.content, Content::Series(_)) => {
                Act::HardDelete
            }
            What::Delete => Act::Trash,
            What::ToOtherFolder if entry.away => Act::MoveBack,
            What::ToOtherFolder => Act::MoveAway,
            What::Exception | What::DeleteOccurrence => self.act_on_series(entry, what, rng)?,
        };
        Some((index, act))
    }

    fn act_on_series(&self, entry: &Entry, what: What, rng: &mut StdRng) -> Option<Act> {
        let Content::Series(series) = &entry.content else { return None };
        let alive: Vec<i32> = (1..=series.count).filter(|index| !series.deleted.contains(index)).collect();
        if alive.len() < 2 {
            // the last occurrence is deleted with its series
            return Some(Act::Trash);
        }
        let index = alive[rng.random_range(0..alive.len())];
        if what == What::DeleteOccurrence {
            return Some(Act::DeleteOccurrence(index));
        }
        let (start, end) = series.original(index, &self.horizon.zone);
        let later = jiff::SignedDuration::from_mins(15 * rng.random_range(1..8_i64));
        Some(Act::RescheduleOccurrence(index, (start + later, end + later)))
    }
}

fn entry(rng: &mut StdRng, series: bool, mailbox: &str, uid: String, horizon: &Horizon) -> Entry {
    let drawn = changes::draw_entry(rng, mailbox, uid, horizon);
    if series {
        return Entry { content: Content::Series(changes::draw_series(rng, horizon)), ..drawn };
    }
    drawn
}
