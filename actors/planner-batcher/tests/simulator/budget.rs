//! Goal: the budget of a minute holds as Planner's own meter sees it, over all five operations and two processes that
//! share nothing but the database, with crashes and take-overs, and it is used. Method: two call books and connectors on
//! sockets to the simulator, whose clock stands still and is moved together with what the database has recorded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::SystemClock;
use base::clock::ManualClock;
use calendar::MailAddress;
use connector_planner::{CalendarEvent, Call, Operation as Wire, Planner};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use simulator_planner::{Options as SimulatorOptions, Simulator};
use store::Store;
use store::calls::{CallBook, CallEnd, CallLimits, Class, Permit, ReadCall};
use store::lease::Fence;
use store::outbox::testing::{decide, decide_as, fence, number, resource, slot, sql};
use store::outbox::{Answer, Batch, KeyAnswer, Operation, Outcome, PageSize};
use store::testing::database;

use crate::world::Admin;

const CALLS: u32 = 12;
const EVENTS: u32 = 40;
const SLOTS: u32 = 2;
const MAILBOXES: u32 = 8;
const LIFE: Duration = Duration::from_secs(30);

struct Process {
    duty: String,
    book: CallBook,
    planner: Planner,
    fence: Fence,
    reads: u32,
    time: RealTime,
}

/// What a process did.
#[derive(Debug, PartialEq, Eq)]
enum Did {
    Called,
    Waits,
    Nothing,
}

/// Planner's time follows the database's, also on a slow machine: what really passed is added before each request
/// leaves, behind its permit.
#[derive(Debug, Clone)]
struct RealTime {
    clock: Arc<ManualClock>,
    told: Arc<Mutex<tokio::time::Instant>>,
}

impl RealTime {
    fn new(clock: &Arc<ManualClock>) -> Self {
        Self { clock: Arc::clone(clock), told: Arc::new(Mutex::new(tokio::time::Instant::now())) }
    }

    fn tell(&self) {
        let mut told = self.told.lock().unwrap();
        let now = tokio::time::Instant::now();
        self.clock.advance(now.duration_since(*told));
        *told = now;
    }
}

impl Process {
    async fn new(store: &Store, simulator: &Simulator, duty: String, time: RealTime) -> Self {
        let limits = CallLimits {
            simultaneous_calls: SLOTS,
            calls_per_minute: Some(CALLS),
            events_per_minute: Some(EVENTS),
        };
        let url = simulator.endpoint().parse().unwrap();
        let planner = Planner::new(connector_planner::testing::options(url), SystemClock::shared()).unwrap();
        let fence = fence(store, &duty).await;
        Self { duty, book: CallBook::new(store.clone(), limits), planner, fence, reads: 0, time }
    }

    fn call(id: uuid::Uuid) -> Call {
        Call { id, deadline: tokio::time::Instant::now().into_std() + LIFE, trace: None }
    }

    /// Makes a call that only reads.
    async fn read(&mut self, dies: bool) -> Did {
        self.reads += 1;
        let of_resources = self.reads.is_multiple_of(2);
        let operation = if of_resources { "GetResources" } else { "GetEvents" };
        let call = ReadCall { operation, mail: None, mailboxes: 1, lifetime: LIFE };
        let Permit::Granted(start) = self.book.begin(&self.fence, &call).await.unwrap() else {
            return Did::Waits;
        };
        self.time.tell();
        let call = Self::call(start.id);
        if of_resources {
            self.planner.resources(&call).await.unwrap();
        } else {
            let mail = MailAddress::parse("m0001@sim.test").unwrap();
            let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(2_000_000_000).unwrap());
            self.planner.events(&call, &[mail], from, to).await.unwrap();
        }
        if !dies {
            self.book.end(start.id, &CallEnd { success: true, ..CallEnd::default() }).await.unwrap();
        }
        Did::Called
    }

    /// Sends the next changes of one mailbox.
    async fn change(&self, class: Class, dies: bool, random: &mut StdRng) -> Did {
        let size = PageSize { mailboxes: 20, keys_per_mailbox: 20 };
        let keys = self.book.store().pending_keys(class, "", size).await.unwrap().keys;
        if keys.is_empty() {
            return Did::Nothing;
        }
        let picked = &keys[random.random_range(0..keys.len())];
        let alike = keys.iter().filter(|key| key.mail == picked.mail && key.operation == picked.operation);
        let keys: Vec<_> = alike.take(random.random_range(1..=7)).cloned().collect();
        let batch = Batch { mail: picked.mail.clone(), operation: picked.operation, class, keys };
        let call = match self.book.reserve(&self.fence, &batch, LIFE).await.unwrap() {
            Permit::Granted(Some(call)) => call,
            Permit::Granted(None) => return Did::Nothing,
            Permit::Wait(_) => return Did::Waits,
        };
        let wire = match call.operation {
            Operation::Create => Wire::CreateEvents,
            Operation::Update => Wire::UpdateEvents,
            Operation::Delete => Wire::DeleteEvents,
        };
        let events = call.keys.iter().map(|key| {
            CalendarEvent::new(key.mail.as_str(), key.origin_id.as_str(), key.slot.start, key.slot.end)
        });
        self.time.tell();
        let changed = self.planner.change(&Self::call(call.call_id), wire, events.collect()).await.unwrap();
        if dies {
            return Did::Called;
        }
        let keys = call.keys.iter().zip(&changed.receipts).map(|(key, receipt)| KeyAnswer {
            origin_id: key.origin_id.clone(),
            // after a crash 8 and 10 say that the call before was applied
            outcome: match (call.operation, receipt.error_code) {
                (_, 0) | (Operation::Delete, 10) => Outcome::Acknowledged,
                (Operation::Create, 8) => Outcome::Has,
                (Operation::Update, 10) => Outcome::Lacks,
                (operation, code) => panic!("{operation:?} {code}"),
            },
            receipt_code: Some(receipt.error_code),
            text: None,
            calendar_event_identifier: None,
            planner_resource_identifier: None,
        });
        let answer = Answer {
            call_id: call.call_id,
            mail: call.mail.clone(),
            end: CallEnd { success: true, ..CallEnd::default() },
            keys: keys.collect(),
            adopt_after: None,
        };
        self.book.answer(&self.fence, &answer, call.operation == Operation::Delete).await.unwrap();
        Did::Called
    }
}

/// Lets time pass for Planner and for what was recorded.
async fn pass(store: &Store, clock: &ManualClock, time: Duration) {
    let seconds = time.as_secs_f64();
    sql(
        store,
        &format!(
            "update service_call_reference_log set started_at = started_at - interval '{seconds} s', \
                 deadline = deadline - interval '{seconds} s', ended_at = ended_at - interval '{seconds} s'; \
             update key_in_flight set deadline = deadline - interval '{seconds} s'"
        ),
    )
    .await;
    clock.advance(time);
}

async fn more_changes(store: &Store, random: &mut StdRng) {
    for _ in 0..30 {
        let mail = format!("m{:04}@sim.test", random.random_range(1..=MAILBOXES));
        let id = format!("U{}", random.random_range(0..40));
        let wanted = random.random_bool(0.7).then(|| slot(random.random_range(0..9)));
        if random.random_bool(0.3) {
            decide_as(store, &mail, &id, wanted, true, None).await;
        } else {
            decide(store, &mail, &id, wanted).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_budget_that_planners_meter_sees_kept_and_used() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let clock = ManualClock::at(Timestamp::from_second(1_900_000_000).unwrap());
    let simulator = Simulator::start(SimulatorOptions {
        mailboxes: MAILBOXES,
        allowed_in_flight: SLOTS,
        allowed_calls_per_minute: Some(CALLS),
        allowed_events_per_minute: Some(EVENTS),
        clock: Arc::<ManualClock>::clone(&clock),
        ..SimulatorOptions::default()
    })
    .await
    .unwrap();
    let admin = Admin::of(&simulator);
    let database = database().await;
    let store = &database.store;
    for n in 1..=MAILBOXES {
        resource(store, &format!("m{n:04}@sim.test")).await;
    }
    let time = RealTime::new(&clock);
    let mut processes = Vec::new();
    for n in 0..2 {
        processes.push(Process::new(store, &simulator, format!("duty {n}"), time.clone()).await);
    }
    let dead = "select count(*) from service_call_reference_log where event_id = 9204 or ended_at is null";
    // until each operation had its turn and somebody died: which come when is chance
    for round in 0.. {
        let done = all_were_made(&admin.get("meter").await) && number(store, dead).await > 0;
        if round >= 25 && (round >= 200 || done) {
            break;
        }
        more_changes(store, &mut random).await;
        // both push until the budget holds both back
        let mut idle = 0;
        while idle < 6 {
            let process = &mut processes[random.random_range(0..2)];
            let dies = random.random_bool(0.06);
            let did = match random.random_range(0..10) {
                0 => process.read(dies).await,
                1..=3 => process.change(Class::Bulk, dies, &mut random).await,
                _ => process.change(Class::Live, dies, &mut random).await,
            };
            idle = if did == Did::Called { 0 } else { idle + 1 };
            if dies {
                process.fence = fence(store, &process.duty).await;
            }
        }
        pass(store, &clock, Duration::from_secs(random.random_range(5..25))).await;
        let duty = processes[0].fence.clone();
        store.expire_calls(&duty, 9204, Duration::from_secs(60)).await.unwrap();
    }
    let meter = admin.get("meter").await;
    assert_eq!(meter["violations_total"], 0, "{meter:#}");
    let most = |name: &str| meter[name].as_u64().unwrap();
    assert!(most("calls_per_minute_max") >= u64::from(CALLS) - 3, "the budget is used: {meter:#}");
    assert!(most("events_per_minute_max") >= u64::from(EVENTS) * 3 / 5, "the budget is used: {meter:#}");
    assert!(all_were_made(&meter), "{meter:#}");
    assert!(number(store, dead).await > 0, "some died");
    simulator.stop().await.unwrap();
}

/// Did Planner see calls of all five operations?
fn all_were_made(meter: &serde_json::Value) -> bool {
    ["CreateEvents", "UpdateEvents", "DeleteEvents", "GetEvents", "GetResources"]
        .into_iter()
        .all(|operation| meter["calls"][operation].as_u64().is_some_and(|calls| calls > 0))
}
