//! Goal: several instances share the work evenly, take over from one that dies within 15 s, at once from one that is
//! told to end, and a paused one or one with a wrong clock does no harm; nothing is lost by any of it, and what was
//! agreed with Planner is kept over all of them. Method: real processes on one database against both simulators, ended
//! by SIGTERM and SIGKILL, stopped by SIGSTOP; who owns what is read from the database.

#![expect(clippy::disallowed_methods, reason = "take-overs are measured in real time")]
#![expect(clippy::print_stdout, reason = "the times that were measured are for docs/reliability.md")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use end_to_end::scene::Part;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const MAILBOXES: u32 = 6;
/// What one instance owns at least when it is alone: the listener's duty, two groups, four shards, three duties of the
/// communicator.
const ALL: i64 = 10;
/// The duties among them.
const DUTIES: usize = 4;

fn setting() -> Setting {
    Setting { mailboxes: MAILBOXES, groups: 2, ..Setting::default() }
}

/// How many groups and shards each process owns, by its number.
async fn shares(scene: &Scene) -> BTreeMap<i32, (i64, i64)> {
    let client = scene.database.store.client("shares").await.unwrap();
    let rows = client
        .query(
            "select split_part(owner, '/', 2)::int, count(*) filter (where key like 'affinity-group/%'), \
                    count(*) filter (where key like 'qualifier/%') \
             from lease where owner <> '' and expires_at > clock_timestamp() group by 1",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

/// Waits until two processes have a group and two shards each; gives their numbers.
async fn until_shared(scene: &Scene) -> Vec<i32> {
    wait_for("two instances sharing evenly", async || {
        let shares = shares(scene).await;
        let even = shares.len() == 2 && shares.values().all(|share| *share == (1, 2));
        if even { Ok(shares.keys().copied().collect()) } else { Err(format!("{shares:?}")) }
    })
    .await
}

/// Which instance something happens to: the first has the duties, of the listener, the communicator and the rest, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    WithDuties,
    WithoutDuties,
}

impl Which {
    /// That one and the other one, each with the number of its process.
    async fn of(self, scene: &Scene, [first, second]: [Part; 2], processes: [i32; 2]) -> [(Part, i32); 2] {
        let duties = duties(scene).await;
        assert!(duties.len() >= DUTIES && duties.values().all(|owner| *owner == processes[0]), "{duties:?}");
        let (first, second) = ((first, processes[0]), (second, processes[1]));
        match self {
            Self::WithDuties => [first, second],
            Self::WithoutDuties => [second, first],
        }
    }
}

/// Who has each duty: whatever is neither a group nor a shard.
async fn duties(scene: &Scene) -> BTreeMap<String, i32> {
    let client = scene.database.store.client("duties").await.unwrap();
    let rows = client
        .query(
            "select key, split_part(owner, '/', 2)::int from lease \
             where key not like 'affinity-group/%' and key not like 'qualifier/%' and owner <> '' \
                   and expires_at > clock_timestamp()",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until one process has every duty, and gives how long that took from now on.
async fn until_one_has_the_duties(scene: &Scene, process: i32) -> Duration {
    let began = Instant::now();
    wait_for("one instance having the duties", async || {
        let duties = duties(scene).await;
        let all = duties.len() >= DUTIES && duties.values().all(|owner| *owner == process);
        if all { Ok(()) } else { Err(format!("{duties:?}, not all of {process}")) }
    })
    .await;
    began.elapsed()
}

/// Waits until one process owns everything; gives how long that took.
async fn until_one_has_all(scene: &Scene, process: i32) -> Duration {
    let began = Instant::now();
    let others = format!(
        "select count(*) from lease where not (split_part(owner, '/', 2) = '{process}' and expires_at > clock_timestamp())"
    );
    let held = "select count(*) from lease where expires_at > clock_timestamp()";
    wait_for("one instance owning everything", async || {
        match (scene.count(&others).await, scene.count(held).await) {
            (0, ALL..) => Ok(()),
            (others, held) => Err(format!("{held} are held, {others} not by this one")),
        }
    })
    .await;
    began.elapsed()
}

/// The number of the process that runs alone.
async fn only(scene: &Scene) -> i32 {
    let shares = shares(scene).await;
    assert_eq!(shares.len(), 1, "{shares:?}");
    *shares.keys().next().unwrap()
}

/// An appointment in every mailbox.
async fn create_everywhere(scene: &Scene, round: u32) {
    for n in 1..=MAILBOXES {
        let item = scene.appointment(&format!("UID-{round}-{n}"), i64::from(3 + round));
        scene.outlook.create(&mailbox(n), item).await.unwrap();
    }
}

fn signal(process: i32, signal: Signal) {
    kill_process(Pid::from_raw(process).unwrap(), signal).unwrap();
}

/// Two instances that share evenly, and their numbers.
async fn two(scene: &Scene, environments: [&[&str]; 2]) -> ([Part; 2], [i32; 2]) {
    let first = scene.start_part("first", "", environments[0]).await;
    first.until_settled().await;
    let of_first = only(scene).await;
    let second = scene.start_part("second", "", environments[1]).await;
    second.until_ready().await;
    let processes = until_shared(scene).await;
    let of_second = processes.into_iter().find(|process| *process != of_first).unwrap();
    ([first, second], [of_first, of_second])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_shared_evenly_and_handed_over_at_once_when_one_ends() {
    handed_over(Which::WithoutDuties).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_duties_are_handed_over_at_once_when_their_owner_ends() {
    handed_over(Which::WithDuties).await;
}

async fn handed_over(which: Which) {
    let scene = Scene::new(PROGRAM, setting()).await;
    let (parts, processes) = two(&scene, [&[], &[]]).await;
    let [(mut ends, _), (_stays, of_other)] = which.of(&scene, parts, processes).await;
    create_everywhere(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), MAILBOXES as usize);
    // changes go on while it ends
    let people = create_everywhere(&scene, 2);
    let ((), duties, took, ()) = tokio::join!(
        ends.stop(),
        until_one_has_the_duties(&scene, of_other),
        until_one_has_all(&scene, of_other),
        people
    );
    println!("{which:?}: handed over after {took:?}, the duties after {duties:?}");
    assert!(took < Duration::from_secs(2), "a lease lives for 2 s: {took:?}");
    assert_eq!(scene.until_in_step().await.len(), 2 * MAILBOXES as usize);
    // the other one has it to itself, and everything is listened to: no waiting for a poll
    create_everywhere(&scene, 3).await;
    assert_eq!(scene.until_in_step().await.len(), 3 * MAILBOXES as usize);
    assert_eq!(scene.count("select count(*) from instance").await, 1, "who ended has taken leave");
    scene.assert_no_violations().await;
}

/// SIGTERM while a call to Planner is not answered: what has nothing in flight goes to the others at once, the call is waited
/// for so long and no longer, and its key is sent again after its own deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_ends_while_planner_does_not_answer_hands_the_rest_over_and_leaves_the_call() {
    // a fifth: it waits for 4 s instead of 20
    let pace: &[&str] = &["KOMMUNEKLIENT_PACE=5"];
    let mut scene = Scene::new(PROGRAM, setting()).await;
    scene.configure("planner", "call_timeout", "\"15s\"");
    let ([mut first, _second], [_, of_second]) = two(&scene, [pace, pace]).await;
    create_everywhere(&scene, 1).await;
    scene.until_in_step().await;
    let rule = json!({"kind": {"hold-before": {"seconds": 600.0}}, "operation": "CreateEvents", "next": 1});
    scene.planner_fault(rule).await;
    let held = scene.appointment("HELD", 5);
    scene.outlook.create(&mailbox(1), held).await.unwrap();
    // reserved is not sent: a call that has not left is not waited for
    wait_for("the call at planner", async || match scene.planner.meter().await {
        Ok(meter) if meter.faults_fired > 0 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let began = Instant::now();
    let listening = async {
        wait_for("the other one listening and qualifying", async || {
            let shares = shares(&scene).await;
            if shares.get(&of_second) == Some(&(2, 4)) { Ok(()) } else { Err(format!("{shares:?}")) }
        })
        .await;
        began.elapsed()
    };
    let ((), took) = tokio::join!(first.stop(), listening);
    let ended = began.elapsed();
    println!("handed over after {took:?}, ended after {ended:?}");
    assert!(took < Duration::from_secs(2), "a lease lives for 2 s: {took:?}");
    assert!(ended >= Duration::from_secs(4), "the answer might have come: {ended:?}");
    assert!(ended < Duration::from_secs(10), "{ended:?}");
    assert!(first.log().contains("\"event_id\":9016"), "{}", first.log_end());
    // everything else goes on at once, and the key in its own time
    create_everywhere(&scene, 2).await;
    assert_eq!(scene.until_in_step().await.len(), 2 * MAILBOXES as usize + 1);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_is_taken_over_within_15_seconds_by_default() {
    taken_over(Which::WithoutDuties).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_duties_of_one_that_is_killed_are_taken_over_within_15_seconds_by_default() {
    taken_over(Which::WithDuties).await;
}

async fn taken_over(which: Which) {
    let mut scene = Scene::new(PROGRAM, setting()).await;
    for key in ["ttl", "renew"] {
        scene.configure("leases", key, default_of(key));
    }
    let (parts, processes) = two(&scene, [&[], &[]]).await;
    let [(mut dies, _), (_lives, of_other)] = which.of(&scene, parts, processes).await;
    create_everywhere(&scene, 1).await;
    scene.until_in_step().await;
    dies.kill().await;
    let began = Instant::now();
    create_everywhere(&scene, 2).await;
    let (duties, _) =
        tokio::join!(until_one_has_the_duties(&scene, of_other), until_one_has_all(&scene, of_other));
    let took = began.elapsed();
    println!("{which:?}: taken over after {took:?}, the duties {duties:?} after the changes");
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(scene.until_in_step().await.len(), 2 * MAILBOXES as usize);
    scene.assert_no_violations().await;
}

/// The default of a setting of `[leases]`, as TOML.
fn default_of(key: &str) -> &'static str {
    match key {
        "ttl" => "\"12s\"",
        "renew" => "\"4s\"",
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_instance_finds_its_leases_lost_stops_and_competes_anew() {
    paused(Which::WithoutDuties).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_instance_with_the_duties_finds_them_lost_and_waits_for_them() {
    paused(Which::WithDuties).await;
}

async fn paused(which: Which) {
    let scene = Scene::new(PROGRAM, setting()).await;
    let (parts, processes) = two(&scene, [&[], &[]]).await;
    let [(mut sleeps, of_sleeper), (_wakes, of_other)] = which.of(&scene, parts, processes).await;
    create_everywhere(&scene, 1).await;
    scene.until_in_step().await;
    signal(of_sleeper, Signal::STOP);
    create_everywhere(&scene, 2).await;
    let (duties, took) =
        tokio::join!(until_one_has_the_duties(&scene, of_other), until_one_has_all(&scene, of_other));
    println!("{which:?}: taken over {took:?} after the changes, the duties {duties:?}");
    assert_eq!(scene.until_in_step().await.len(), 2 * MAILBOXES as usize);
    let tokens = "select sum(token)::bigint from lease";
    let before = scene.count(tokens).await;
    signal(of_sleeper, Signal::CONT);
    // it has noticed: what it shares from now on it was given with tokens of its own
    until_shared(&scene).await;
    assert!(scene.count(tokens).await > before);
    create_everywhere(&scene, 3).await;
    assert_eq!(scene.until_in_step().await.len(), 3 * MAILBOXES as usize);
    let owners = self::duties(&scene).await;
    assert!(owners.values().all(|owner| *owner == of_other), "they stay where they are: {owners:?}");
    assert_eq!(sleeps.ended(), None, "{}", sleeps.log_end());
    assert!(sleeps.log().contains("\"event_id\":9011"), "{}", sleeps.log_end());
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_minutes_wrong_lose_nothing_when_work_changes_hands() {
    let scene = Scene::new(PROGRAM, setting()).await;
    let ahead: &[&str] = &["KOMMUNEKLIENT_CLOCK_OFFSET_MS=300000"];
    let behind: &[&str] = &["KOMMUNEKLIENT_CLOCK_OFFSET_MS=-300000"];
    let ([mut first, _second], [_, of_second]) = two(&scene, [ahead, behind]).await;
    let mut items = Vec::new();
    for n in 1..=MAILBOXES {
        let item = scene.appointment(&format!("UID-{n}"), 3);
        items.push(scene.outlook.create(&mailbox(n), item).await.unwrap());
    }
    assert_eq!(scene.until_in_step().await.len(), MAILBOXES as usize);
    // from the one that is ahead to the one that is behind: its decisions lie minutes in the other's future
    first.kill().await;
    until_one_has_all(&scene, of_second).await;
    for (n, item) in (1..=MAILBOXES).zip(&items) {
        let times = scene.new_times(4);
        scene.outlook.update(&mailbox(n), item.clone().into(), times).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), MAILBOXES as usize);
    let off = "select count(*) from calendar_event \
               where abs(extract(epoch from decided_at - decision_stored_at)) > 5";
    assert_eq!(scene.count(off).await, 0, "they go by the database's clock");
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_with_different_numbers_of_shards_use_that_of_the_first() {
    let mut scene = Scene::new(PROGRAM, setting()).await;
    let first = scene.start_part("first", "", &[]).await;
    first.until_ready().await;
    scene.configure("qualifier", "shards", "8");
    let second = scene.start_part("second", "", &[]).await;
    second.until_ready().await;
    until_shared(&scene).await;
    assert_eq!(scene.count("select count(*) from lease where key like 'qualifier/%'").await, 4);
    assert!(second.log().contains("\"event_id\":9010"), "{}", second.log_end());
    create_everywhere(&scene, 1).await;
    assert_eq!(scene.until_in_step().await.len(), MAILBOXES as usize);
    scene.assert_no_violations().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_of_a_minute_holds_over_two_instances_and_a_kill() {
    // a minute of 3 s, for the product and for Planner's meter
    let pace: &[&str] = &["KOMMUNEKLIENT_PACE=20"];
    let mut scene = Scene::new(
        PROGRAM,
        Setting { planner_minute: Duration::from_secs(3), planner_calls_per_minute: Some(6), ..setting() },
    )
    .await;
    scene.configure("planner", "sla_calls_per_minute", "6");
    scene.configure("planner", "max_calendar_event_updates_per_call", "1");
    let ([mut first, _second], [_, of_second]) = two(&scene, [pace, pace]).await;
    create_everywhere(&scene, 1).await;
    create_everywhere(&scene, 2).await;
    // in the midst of it
    wait_for("some calls", async || {
        let calls =
            scene.count("select count(*) from service_call_reference_log where operation = 'CreateEvents'");
        match calls.await {
            0..4 => Err("few".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    first.kill().await;
    until_one_has_all(&scene, of_second).await;
    assert_eq!(scene.until_in_step().await.len(), 2 * MAILBOXES as usize);
    scene.assert_no_violations().await;
}

/// An instance that can renew its leases and nothing else: the server keeps its connection for renewals and takes no other.
/// It says so, hands its leases back and ends with an error, and the other one goes on with all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_connections_are_gone_but_that_of_the_renewals_ends_and_is_taken_over() {
    // its pool may be silent for 3 s instead of 30
    let pace: &[&str] = &["KOMMUNEKLIENT_PACE=10"];
    let mut scene = Scene::new(PROGRAM, setting()).await;
    // renewals are given up after a quarter of a life, and their connection with them: not on a busy machine
    scene.configure("leases", "ttl", default_of("ttl"));
    let role = LimitedRole::new(&scene).await;
    let usual = scene.database.url.expose_secret().to_owned();
    scene.configure_text(
        "database",
        "url",
        &usual.replace("user=kommuneklient", &format!("user={}", role.name)),
    );
    let mut first = scene.start_part("first", "", pace).await;
    first.until_settled().await;
    scene.configure_text("database", "url", &usual);
    let second = scene.start_part("second", "", &[]).await;
    second.until_ready().await;
    let processes = until_shared(&scene).await;
    let of_first = duties(&scene).await["listener"];
    let of_second = processes.into_iter().find(|process| *process != of_first).unwrap();
    create_everywhere(&scene, 1).await;
    scene.until_in_step().await;

    let began = Instant::now();
    role.leave_only_the_renewals().await;
    let first = std::cell::RefCell::new(&mut first);
    let ended = wait_for("the process ending by itself", async || {
        let mut first = first.borrow_mut();
        first.ended().ok_or_else(|| first.log_end())
    })
    .await;
    println!("ended after {:?}", began.elapsed());
    let log = first.borrow().log();
    assert_eq!(ended, "exit status: 1");
    assert!(log.contains("\"event_id\":9015"), "{}", first.borrow().log_end());
    assert!(began.elapsed() >= Duration::from_secs(3), "it was given its time");
    until_one_has_all(&scene, of_second).await;
    create_everywhere(&scene, 2).await;
    assert_eq!(scene.until_in_step().await.len(), 2 * MAILBOXES as usize);
    scene.assert_no_violations().await;
    role.remove().await;
}

/// A role of the server for one process, whose connections can be taken away.
struct LimitedRole {
    name: String,
    store: store::Store,
}

impl LimitedRole {
    async fn new(scene: &Scene) -> Self {
        let store = scene.database.store.clone();
        let client = store.client("make a role").await.unwrap();
        let database: String = client.query_one("select current_database()", &[]).await.unwrap().get(0);
        let name = format!("role_of_{database}");
        client.batch_execute(&format!("create role {name} login in role kommuneklient")).await.unwrap();
        Self { name, store }
    }

    async fn remove(self) {
        let client = self.store.client("remove the role").await.unwrap();
        client.batch_execute(&format!("drop role {}", self.name)).await.unwrap();
    }

    /// From now on the process has the connection for renewals and gets no other.
    async fn leave_only_the_renewals(&self) {
        let client = self.store.client("take connections away").await.unwrap();
        let limit = format!("alter role {} connection limit 1", self.name);
        client.batch_execute(&limit).await.unwrap();
        let others = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where usename = '{}' and pid <> (select max(pid) from pg_stat_activity \
                                              where usename = '{0}' and query like '%update lease set expires_at%')",
            self.name
        );
        wait_for("the connections but one being gone", async || {
            let gone: i64 = client.query_one(&others, &[]).await.unwrap().get(0);
            let left = format!("select count(*) from pg_stat_activity where usename = '{}'", self.name);
            match client.query_one(&left, &[]).await.unwrap().get::<_, i64>(0) {
                1 => Ok(()),
                left => Err(format!("{left} are there, {gone} were told to go")),
            }
        })
        .await;
    }
}
