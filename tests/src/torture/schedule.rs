//! What happens when, in one seed: a pure function of the seed, so that a failing seed can be run again.
//!
//! People change calendars all the time, and faults fall at random moments; most of them last, so that they overlap.
//! The table holds what is done, not what comes of it: which appointment a change meets depends on those that are
//! there, by the number drawn with it.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::fault::{self, Fault, GENTLE, KILLED_AT_POINT, KINDS};

#[cfg(test)]
mod tests;

/// How long changes and faults go on.
pub const SPAN_MS: u64 = 6_000;
/// Changes of calendars in that time.
const CHANGES: std::ops::RangeInclusive<usize> = 40..=90;
/// Faults in that time.
const FAULTS: std::ops::RangeInclusive<usize> = 8..=14;
/// PostgreSQL is away this often at most: each time nearly everything stands still.
const RESTARTS_MAX: usize = 2;
/// Where accounts have few slots: how often a group is dissolved and formed anew.
const DISSOLVED: u64 = 4;
/// When the first of them is, and how long after it the next.
const DISSOLVED_FROM_MS: u64 = 1_800;
const DISSOLVED_EVERY_MS: u64 = 1_000;
/// Nothing goes wrong before this: the instances are to have begun.
const FIRST_FAULT_MS: u64 = 300;

/// What a seed tries besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Emphasis {
    /// Nothing.
    #[default]
    Usual,
    /// That nobody leaves a subscription behind: without faults after which nobody can know of one, or nobody can end it
    /// ([`GENTLE`]).
    Gentle,
    /// That service accounts carry no more than they may: two of them, with as many slots together as there are groups,
    /// and groups that dissolve and form anew while their owners die between their stream's end and their lease's.
    FewSlots,
}

impl Emphasis {
    /// Of a seed: by its number alone, so that the tables of all others are as they were before there was this.
    pub const fn of(seed: u64) -> Self {
        match seed % 8 {
            3 => Self::Gentle,
            6 => Self::FewSlots,
            _ => Self::Usual,
        }
    }
}

/// All that is done in one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Where it comes from.
    pub seed: u64,
    /// What it tries besides.
    #[serde(default)]
    pub emphasis: Emphasis,
    /// How much the clock of each instance is ahead at its first start.
    pub clock_offsets_ms: Vec<i64>,
    /// Calls in a (scaled) minute that are agreed; `None` = any number.
    pub sla_calls: Option<u32>,
    /// Appointments in a (scaled) minute that are agreed.
    pub sla_events: Option<u32>,
    /// What Planner holds before anything starts, for mailboxes of these numbers: one appointment that Exchange does
    /// not have.
    pub planted: Vec<u32>,
    /// Mailboxes whose calendars hold something before anything starts: each number is one change.
    pub before: Vec<(u32, What, u64)>,
    /// What is done, by time.
    pub steps: Vec<Step>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, in milliseconds from the beginning.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Somebody changes a calendar.
    Change {
        /// Whose, from 1.
        mailbox: u32,
        /// How.
        what: What,
        /// Decides the rest.
        draw: u64,
    },
    /// A resource leaves Planner's list and comes back later; the product is told to refresh each time.
    Resource {
        /// Which, from 1.
        mailbox: u32,
        /// When it comes back.
        back_after_ms: u64,
    },
    /// Something goes wrong.
    Fault(Fault),
}

/// What somebody does to a calendar. Where that is not possible (nothing is there to be deleted), something is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A new appointment, whole days among them.
    Create,
    /// A new series.
    CreateSeries,
    /// Other times.
    Move,
    /// Busy, free, tentative.
    Status,
    /// Deleted for good, or into Deleted Items.
    Delete,
    /// Other times for one occurrence of a series.
    Exception,
    /// One occurrence of a series is deleted.
    DeleteOccurrence,
    /// Into another folder, and back.
    ToOtherFolder,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::CreateSeries,
        Self::Move,
        Self::Status,
        Self::Delete,
        Self::Exception,
        Self::DeleteOccurrence,
        Self::ToOtherFolder,
    ];

    fn draw(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..32 => Self::Create,
            32..40 => Self::CreateSeries,
            40..60 => Self::Move,
            60..68 => Self::Status,
            68..82 => Self::Delete,
            82..89 => Self::Exception,
            89..94 => Self::DeleteOccurrence,
            _ => Self::ToOtherFolder,
        }
    }
}

impl Schedule {
    /// The table of `seed`.
    pub fn of(seed: u64, instances: u32, mailboxes: u32) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let emphasis = Emphasis::of(seed);
        let clock_offsets_ms = (0..instances)
            .map(|_| if rng.random_bool(0.5) { fault::draw_offset(&mut rng) } else { 0 })
            .collect();
        let sla_calls = *[None, Some(20), Some(60)].choose(&mut rng).expect("the list is not empty");
        let sla_events = *[None, Some(40), Some(150)].choose(&mut rng).expect("the list is not empty");
        let planted = (1..=mailboxes).filter(|_| rng.random_bool(0.4)).collect();
        let before = (0..rng.random_range(4..=12))
            .map(|_| {
                let what = if rng.random_bool(0.2) { What::CreateSeries } else { What::Create };
                (rng.random_range(1..=mailboxes), what, rng.random())
            })
            .collect();
        let mut steps = Vec::new();
        for _ in 0..rng.random_range(CHANGES) {
            let act = Act::Change {
                mailbox: rng.random_range(1..=mailboxes),
                what: What::draw(&mut rng),
                draw: rng.random(),
            };
            steps.push(Step { at_ms: rng.random_range(0..SPAN_MS), act });
        }
        if rng.random_bool(0.3) {
            let act = Act::Resource {
                mailbox: rng.random_range(1..=mailboxes),
                back_after_ms: rng.random_range(300..3_000),
            };
            steps.push(Step { at_ms: rng.random_range(FIRST_FAULT_MS..SPAN_MS), act });
        }
        steps.extend(draw_faults(&mut rng, emphasis, instances, mailboxes));
        steps.sort_by_key(|step| step.at_ms);
        Self { seed, emphasis, clock_offsets_ms, sla_calls, sla_events, planted, before, steps }
    }

    /// May Planner refuse something for good? Then only a comparison brings the state in step (B9). Of a resource that is
    /// not on its list it refuses everything; when the product's refreshes do not see it away (Planner or the database
    /// are), it is not revived either, and so not adopted anew.
    pub fn refuses_for_good(&self) -> bool {
        let leaves = self.steps.iter().any(|step| matches!(step.act, Act::Resource { .. }));
        leaves
            || self
                .faults()
                .any(|fault| matches!(fault, Fault::Refused { code, .. } if !matches!(code, 15 | 16)))
    }

    /// Mailboxes that leave Planner's list for a while, by their numbers.
    pub fn leaving(&self) -> impl Iterator<Item = u32> {
        self.steps.iter().filter_map(|step| match step.act {
            Act::Resource { mailbox, .. } => Some(mailbox),
            _ => None,
        })
    }

    /// Mailboxes, by their numbers, of which notifications are lost without a word: what was lost is found after the next
    /// gap of their streams (B7), and only then.
    pub fn lost_without_a_word(&self) -> BTreeSet<u32> {
        let lost = self.faults().filter_map(|fault| match fault {
            Fault::NotificationsLostBeforeGap { mailbox, .. } => Some(*mailbox),
            _ => None,
        });
        lost.collect()
    }

    /// Does something befall the database? An instance whose connections are gone may end by its own decision (event 9015).
    pub fn harms_database(&self) -> bool {
        self.faults().any(|fault| {
            matches!(
                fault,
                Fault::DatabaseRestarted { .. } | Fault::ConnectionsCut { of: fault::Side::Database }
            )
        })
    }

    /// The faults, by time.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.steps.iter().filter_map(|step| match &step.act {
            Act::Fault(fault) => Some(fault),
            _ => None,
        })
    }
}

/// Two of the mailboxes are alone with their grouping value ([`super::world`]). One after the other goes to the value of
/// others, which dissolves its group, and back within the life of a lease, which forms one anew; every instance dies where
/// it has closed the stream of a group and not handed its lease back. So a new group finds the slot of the one before taken
/// by a lease that nobody will hand back.
fn draw_dissolved(rng: &mut StdRng, instances: u32) -> Vec<Step> {
    let mut steps = Vec::new();
    for instance in 1..=instances {
        let mut points = ["listener.group-ending", "listener.group-unsubscribed"]
            .map(|name| (name.to_owned(), 1))
            .to_vec();
        points.shuffle(rng);
        let at_ms = FIRST_FAULT_MS + u64::from(instance) * 200;
        steps.push(Step { at_ms, act: Act::Fault(Fault::KilledAtPoints { instance, points }) });
    }
    for round in 0..DISSOLVED {
        let mailbox = rng.random_range(3..=4);
        let home = u16::try_from(mailbox).expect("3 or 4");
        let away = rng.random_range(1..=2);
        let at_ms = DISSOLVED_FROM_MS + round * DISSOLVED_EVERY_MS + rng.random_range(0..200);
        let back_ms = at_ms + rng.random_range(fault::LEASE_MS / 4..fault::LEASE_MS * 9 / 10);
        for (at_ms, group) in [(at_ms, away), (back_ms, home)] {
            let act = Act::Fault(Fault::MailboxMoved { mailbox, group, endpoint: 0 });
            steps.push(Step { at_ms, act });
        }
    }
    steps
}

/// About every second fault falls within half a second of another one, so that they meet. In every seed but the gentle
/// ones an instance kills itself between two steps.
fn draw_faults(rng: &mut StdRng, emphasis: Emphasis, instances: u32, mailboxes: u32) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut restarts = 0;
    for _ in 0..rng.random_range(FAULTS) {
        let index = match emphasis {
            Emphasis::Gentle => *GENTLE.choose(rng).expect("the list is not empty"),
            _ => rng.random_range(0..KINDS.len()),
        };
        let mut drawn = Fault::draw(rng, index, mailboxes, instances);
        if let (Emphasis::FewSlots, Fault::MailboxMoved { endpoint, .. }) = (emphasis, &mut drawn) {
            // two endpoints make more groups than there are slots
            *endpoint = 0;
        }
        let near = rng.random_bool(0.5).then(|| steps.choose(rng).map(|step| step.at_ms)).flatten();
        let at_ms = match near {
            Some(at_ms) => (at_ms + rng.random_range(0..500)).min(SPAN_MS - 1),
            None => rng.random_range(FIRST_FAULT_MS..SPAN_MS),
        };
        if matches!(drawn, Fault::DatabaseRestarted { .. }) {
            restarts += 1;
            if restarts > RESTARTS_MAX {
                continue;
            }
        }
        steps.push(Step { at_ms, act: Act::Fault(drawn) });
    }
    if emphasis == Emphasis::Gentle {
        return steps;
    }
    if emphasis == Emphasis::FewSlots {
        steps.extend(draw_dissolved(rng, instances));
    }
    // early, so that there is time to meet the points
    let drawn = Fault::draw(rng, KILLED_AT_POINT, mailboxes, instances);
    let at_ms = rng.random_range(FIRST_FAULT_MS..SPAN_MS / 4);
    steps.push(Step { at_ms, act: Act::Fault(drawn) });
    steps
}
