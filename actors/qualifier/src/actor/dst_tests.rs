//! Goal: in the two nights in which the clocks change the pull runs once for each of its times, and reads and decides
//! about the window of that day. Method: the schedule alone, minute by minute; then the real tree with a clock that is
//! set by hand, ten minutes at a time.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use base::clock::ManualClock;
use base::{Clock, DailyTimes};
use calendar::testing::{FakeCalendar, single};
use calendar::{Appointment, Slot};
use jiff::SignedDuration;
use jiff::civil::time;
use store::testing::database;

use super::tests::{start, system};
use super::*;
use crate::testkit::{log, mail, options, resources, services, there, wait_for};

/// So often the clock is asked at least before a step counts as seen: a look asks once, one that is due twice, and
/// nothing else asks while the database is asked about the schedule.
const LOOKS: usize = 10;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Two times of the hour that is missing in spring and comes twice in autumn, and one after it.
fn times() -> DailyTimes {
    DailyTimes::new([time(2, 0, 0, 0), time(2, 30, 0, 0), time(4, 0, 0, 0)]).unwrap()
}

/// 30 March 2031: 02:00 becomes 03:00, where 02:00 and 02:30 are one run. 04:00 is 02:00 UTC.
const SPRING: [&str; 2] = ["2031-03-30T01:00:00Z", "2031-03-30T02:00:00Z"];
/// 26 October 2031: 03:00 becomes 02:00, and the first 02:00 and 02:30 count. 04:00 is 03:00 UTC.
const AUTUMN: [&str; 3] = ["2031-10-26T00:00:00Z", "2031-10-26T00:30:00Z", "2031-10-26T03:00:00Z"];

#[test]
fn in_the_nights_of_dst_each_instant_of_the_pull_is_due_once() {
    let zone = options().policy.zones.configured().clone();
    let due = |from: &str| {
        let (mut pulled, mut runs) = (at(from), Vec::new());
        for minute in 1..24 * 60 {
            let now = at(from) + SignedDuration::from_mins(minute);
            if pull::is_due(&times(), &zone, Some(pulled), now) {
                runs.push(now.to_string());
                pulled = now;
            }
        }
        runs
    };
    assert_eq!(due("2031-03-29T23:00:00Z"), SPRING);
    assert_eq!(due("2031-10-25T22:00:00Z"), AUTUMN);
}

/// A clock that is set by hand, and counts how often it was asked for the time of day.
#[derive(Debug)]
struct Counted {
    clock: Arc<ManualClock>,
    asked: AtomicUsize,
}

impl Clock for Counted {
    fn now(&self) -> Timestamp {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    fn monotonic(&self) -> Instant {
        self.clock.monotonic()
    }
}

impl Counted {
    /// Sets the time, and waits until it was seen.
    async fn show(&self, now: Timestamp) {
        self.clock.set(now);
        let before = self.asked.load(Ordering::Relaxed);
        wait_for(async || {
            let asked = self.asked.load(Ordering::Relaxed) - before;
            if asked > LOOKS { Ok(()) } else { Err(format!("the clock was asked {asked} times")) }
        })
        .await;
    }
}

fn slot(start: &str, end: &str) -> Slot {
    Slot { start: at(start), end: at(end) }
}

/// A night, and what stands in the calendar around the midnight that follows it.
struct Night {
    /// Twenty minutes before its midnight.
    eve: &'static str,
    runs: &'static [&'static str],
    /// The whole day, which has 23 or 25 hours.
    today: Slot,
    /// The last half hour of it.
    evening: Slot,
    /// The first half hour of the next day.
    first: Slot,
    /// The next day as a whole.
    tomorrow: Slot,
}

fn nights() -> [Night; 2] {
    let spring = Night {
        eve: "2031-03-29T22:40:00Z",
        runs: &SPRING,
        today: slot("2031-03-29T23:00:00Z", "2031-03-30T22:00:00Z"),
        evening: slot("2031-03-30T21:30:00Z", "2031-03-30T22:00:00Z"),
        first: slot("2031-03-30T22:00:00Z", "2031-03-30T22:30:00Z"),
        tomorrow: slot("2031-03-30T22:00:00Z", "2031-03-31T22:00:00Z"),
    };
    let autumn = Night {
        eve: "2031-10-25T21:40:00Z",
        runs: &AUTUMN,
        today: slot("2031-10-25T22:00:00Z", "2031-10-26T23:00:00Z"),
        evening: slot("2031-10-26T22:30:00Z", "2031-10-26T23:00:00Z"),
        first: slot("2031-10-26T23:00:00Z", "2031-10-26T23:30:00Z"),
        tomorrow: slot("2031-10-26T23:00:00Z", "2031-10-27T23:00:00Z"),
    };
    [spring, autumn]
}

#[test]
fn in_the_nights_of_dst_the_pull_really_runs_once_at_each_of_its_instants() {
    system(async {
        for night in nights() {
            let database = database().await;
            resources(&database, 2).await;
            let source = Arc::new(FakeCalendar::default());
            let whole_day =
                |item: &str, slot: Slot| Appointment { is_all_day: true, ..single(item, item, slot) };
            source.put(&mail(1), whole_day("TODAY", night.today));
            source.put(&mail(1), single("EVENING", "EVENING", night.evening));
            source.put(&mail(1), single("FIRST", "FIRST", night.first));
            source.put(&mail(1), whole_day("TOMORROW", night.tomorrow));
            let eve = at(night.eve);
            let clock = Arc::new(Counted { clock: ManualClock::at(eve), asked: AtomicUsize::new(0) });
            let mut services = services(&database, &source).await;
            services.clock = clock.clone();
            let client = database.store.client("test").await.unwrap();
            let last_runs = async || {
                let last = "select distinct value from store_state where name like 'schedule/full_pull/%'";
                let rows = client.query(last, &[]).await.unwrap();
                rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<String>>()
            };
            // the first start ever begins with the present; nothing but looks at the schedule asks the clock afterwards
            let options = QualifierOptions {
                shards: 1,
                full_reads_at: times(),
                look_again: Duration::from_millis(2),
                poll_interval: Duration::from_secs(3_600),
                ..options()
            };
            let tree = start(&services, options);
            wait_for(async || {
                let now = last_runs().await;
                if now == [night.eve] { Ok(()) } else { Err(format!("recorded: {now:?}")) }
            })
            .await;
            let mut runs: Vec<String> = Vec::new();
            for step in 1..=36 {
                let now = eve + SignedDuration::from_mins(10 * step);
                clock.show(now).await;
                if last_runs().await == [now.to_string()] {
                    runs.push(now.to_string());
                    // over before the clock goes on, so that none is swallowed by another
                    wait_for(async || {
                        let read = log(&database).await.len();
                        if read == 2 * runs.len() { Ok(()) } else { Err(format!("{read} mailboxes read")) }
                    })
                    .await;
                }
            }
            assert_eq!(runs, night.runs);
            let readings = source.calls().iter().filter(|call| call.operation == "read_window").count();
            assert_eq!(readings, 2 * night.runs.len(), "each mailbox once in each run");
            // the window begins with the midnight that follows a day of 23 or 25 hours
            let stored: Vec<(String, Slot)> =
                there(&database, 1).await.into_iter().map(|(key, slot, _)| (key, slot)).collect();
            let expected = [("FIRST".to_owned(), night.first), ("TOMORROW".to_owned(), night.tomorrow)];
            assert_eq!(stored, expected);
            tree.shutdown().await;
        }
    });
}
