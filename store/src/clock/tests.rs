//! Goal: whatever the machine's clock says, the database's time is shown, as exactly as the round trips allow, and
//! never back by a little. Method: a machine that is set by hand, and properties over any round trips.

use base::clock::ManualClock;
use proptest::prelude::*;

use super::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

/// A database whose clock is ahead of the machine's by so many seconds.
struct World {
    machine: Arc<ManualClock>,
    clock: Arc<DatabaseClock>,
    database: Timestamp,
}

impl World {
    fn new(ahead: i64) -> Self {
        let machine = ManualClock::at(at(0));
        let clock = DatabaseClock::new(Arc::clone(&machine) as SharedClock);
        Self { machine, clock, database: at(ahead) }
    }

    fn pass(&mut self, time: Duration) {
        self.machine.advance(time);
        self.database += time;
    }

    /// Asks the database: `there` and `back` is how long the way takes.
    fn ask(&mut self, there: Duration, back: Duration) {
        let asked = self.machine.monotonic();
        self.pass(there);
        let shows = self.database;
        self.pass(back);
        self.clock.tell(asked, shows, self.machine.monotonic());
    }

    fn off(&self) -> Duration {
        self.clock.now().duration_since(self.database).unsigned_abs()
    }
}

#[test]
fn the_machines_clock_counts_until_the_database_was_asked_and_never_again() {
    for ahead in [-300, 0, 300] {
        let mut world = World::new(ahead);
        assert_eq!(world.clock.now(), at(0));
        world.ask(MS, MS);
        assert_eq!(world.clock.now(), world.database);
        world.pass(4 * S);
        // somebody sets the machine's clock
        world.machine.set(at(100_000));
        assert_eq!(world.clock.now(), world.database);
    }
}

#[test]
fn a_slow_answer_does_not_spoil_what_a_fast_one_told() {
    let mut world = World::new(60);
    world.ask(MS, MS);
    world.ask(2 * S, 100 * MS);
    assert_eq!(world.off(), Duration::ZERO);
}

#[test]
fn a_step_is_followed_at_once_in_both_directions() {
    let mut world = World::new(0);
    for _ in 0..SAMPLES {
        world.ask(MS, MS);
        world.pass(4 * S);
        let _ = world.clock.now();
    }
    world.database += 3_600 * S;
    world.ask(5 * MS, 5 * MS);
    assert_eq!(world.off(), Duration::ZERO);
    world.database -= 7_200 * S;
    world.ask(5 * MS, 5 * MS);
    assert_eq!(world.off(), Duration::ZERO);
}

proptest! {
    #[test]
    fn it_is_as_exact_as_the_shortest_of_the_last_round_trips_and_never_goes_back(
        ahead in -600_i64..600,
        asks in proptest::collection::vec((0_u64..200, 0_u64..200, 0_u64..5_000), 1..40),
    ) {
        let mut world = World::new(ahead);
        let mut last = None;
        let mut trips: VecDeque<Duration> = VecDeque::new();
        for (there, back, pause) in asks {
            let (there, back) = (Duration::from_millis(there), Duration::from_millis(back));
            world.ask(there, back);
            trips.push_back(there + back);
            if trips.len() > SAMPLES {
                trips.pop_front();
            }
            let now = world.clock.now();
            prop_assert!(last.is_none_or(|last| last <= now), "{last:?} {now:?}");
            // it may hold for a moment what it showed before
            let shortest = *trips.iter().min().unwrap();
            prop_assert!(world.off() <= shortest / 2 + STEP, "{:?} {shortest:?}", world.off());
            world.pass(Duration::from_millis(pause) + STEP * 2);
            prop_assert!(world.off() <= shortest / 2 + MS, "{:?} {shortest:?}", world.off());
            last = Some(world.clock.now());
        }
    }
}
