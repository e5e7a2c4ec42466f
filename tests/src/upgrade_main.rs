//! A rolling upgrade with real programs: the one of a former version, both side by side, then the new one alone.
//!
//! `kommuneklient-upgrade-test --old PROGRAM --new PROGRAM [--mailboxes n] [--changes n]`, usually by
//! `scripts/upgrade-test COMMIT`, which builds the old one. On an empty database, against both simulators, people
//! change calendars in each phase and while programs start and end; after each phase Planner must hold what the
//! rules say. A difference, a process that ends by itself or a breach of the agreement with Planner ends the run by a
//! panic with what was seen, that is with status 101.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base::{Clock, SystemClock};
use clap::Parser;
use end_to_end::scene::Part;
use end_to_end::{Scene, Setting, mailbox};
use proto_ews::DeleteType;

/// The pause between two changes.
const PAUSE: Duration = Duration::from_millis(100);

/// A former version, both side by side, this version alone.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program of the former version.
    #[arg(long)]
    old: PathBuf,
    /// The program of this version.
    #[arg(long)]
    new: PathBuf,
    /// Mailboxes.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=500))]
    mailboxes: u32,
    /// Changes in each phase, beside those that are made while programs start and end.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    changes: u32,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let setting = Setting { mailboxes: arguments.mailboxes, without_schema: true, ..Setting::default() };
    let scene = Arc::new(Scene::new(&arguments.new.display().to_string(), setting).await);
    let mut run = Run { people: Arc::new(People::default()), scene, arguments };
    run.all().await;
}

struct Run {
    scene: Arc<Scene>,
    people: Arc<People>,
    arguments: Arguments,
}

impl Run {
    async fn all(&mut self) {
        println!("{:<42} {:>8} {:>14} {:>9} {:>8}", "phase", "changes", "appointments", "in step", "schema");
        let (old_program, new_program) = (self.arguments.old.clone(), self.arguments.new.clone());
        let mut old = self.start(&old_program, "old").await;
        self.phase("old alone").await;

        let mut new = self.while_people_change(self.start(&new_program, "new")).await;
        self.phase("old and new, the schema migrated").await;

        self.people_during(old.kill()).await;
        self.phase("old killed, new goes on").await;

        self.people_during(old.start()).await;
        old.until_settled().await;
        self.phase("old back beside new, newer schema").await;

        self.people_during(new.stop()).await;
        self.phase("new stopped, old goes on (rolled back)").await;

        self.people_during(new.start()).await;
        self.people_during(old.stop()).await;
        new.until_settled().await;
        self.phase("old stopped, new alone").await;

        self.people_during(new.kill()).await;
        self.people_during(new.start()).await;
        self.phase("new restarted").await;
        for part in [&mut old, &mut new] {
            assert_eq!(part.ended(), None, "{} ended by itself: {}", part.name, part.log_end());
            assert!(!part.log().contains("panicked at"), "{} panicked: {}", part.name, part.log_end());
        }
        self.scene.assert_no_violations().await;
        println!("Planner holds what the rules say after each phase; no call broke the agreement");
    }

    async fn start(&self, program: &Path, name: &'static str) -> Part {
        let part = self.scene.start_part_of(program, name, "", &[]).await;
        part.until_settled().await;
        part
    }

    /// Lets people go on with their changes while `something` takes place.
    async fn while_people_change<T>(&self, something: impl Future<Output = T>) -> T {
        let (stop, mailboxes) = (Arc::new(AtomicBool::new(false)), self.arguments.mailboxes);
        let (people, scene, told) = (Arc::clone(&self.people), Arc::clone(&self.scene), Arc::clone(&stop));
        let changing = tokio::spawn(async move {
            while !told.load(Ordering::Relaxed) {
                people.change(&scene, mailboxes).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        let done = something.await;
        stop.store(true, Ordering::Relaxed);
        changing.await.expect("changing calendars does not panic");
        done
    }

    async fn people_during(&self, something: impl Future<Output = ()>) {
        self.while_people_change(something).await;
    }

    /// So many changes, and then Planner must be in step.
    async fn phase(&self, name: &str) {
        for _ in 0..self.arguments.changes {
            self.people.change(&self.scene, self.arguments.mailboxes).await;
            tokio::time::sleep(PAUSE).await;
        }
        let begin = SystemClock.monotonic();
        let held = self.scene.until_in_step().await.len();
        let took = SystemClock.monotonic().saturating_duration_since(begin);
        let schema = self.scene.count("select max(version)::bigint from refinery_schema_history").await;
        let made = self.people.made.load(Ordering::Relaxed);
        println!("{name:<42} {made:>8} {held:>14} {:>7} ms {:>8}", took.as_millis(), format!("V{schema}"));
    }
}

/// Changes of calendars: new appointments, series, moves and deletions.
#[derive(Default)]
struct People {
    made: AtomicU32,
}

impl People {
    async fn change(&self, scene: &Scene, mailboxes: u32) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let owner = mailbox(1 + number % mailboxes);
        let days = 2 + i64::from(number % 60);
        let item = match number % 10 {
            7 => scene.series(&format!("SERIES-{number}"), days, 4),
            _ => scene.appointment(&format!("UID-{number}"), days),
        };
        let id = scene.outlook.create(&owner, item).await.expect("an appointment is made");
        if number % 3 == 1 {
            scene.outlook.update(&owner, id.into(), scene.new_times(days)).await.expect("it is moved");
        } else if number.is_multiple_of(5) {
            scene.outlook.delete(&owner, id.into(), DeleteType::HardDelete).await.expect("it is deleted");
        }
    }
}
