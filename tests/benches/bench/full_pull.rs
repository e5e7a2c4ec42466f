//! A full pull from nothing, beside the same requests answered to a client that reads and throws away.
//!
//! The simulated Exchange is a process of its own; PostgreSQL is the embedded one with its durable defaults; the
//! qualifier runs in this process on the real store and connector. A first pull goes through a recorder, which
//! gives the requests; then pulls into an empty database and the bare requests take turns, as many at one time as
//! the pull makes calls. The medians count. Of each round the processor time of all processes is told, too: that of a
//! pull without the making of its database.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{SharedClock, SystemClock};
use calendar::{MailAddress, Policy, Zones};
use connector_exchange::{Exchange, ExchangeOptions};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use kommuneklient::demo::world::{Process, Workplace};
use qualifier::{QualifierOptions, Services};
use store::Store;
use store::embedded::{Embedded, EmbeddedOptions};
use store::lease::LeaseBook;
use store::wake::{Channel, Wake};
use supervision::Tree;

use crate::figures::Figures;
use crate::recorder::{Recorder, Request};
use crate::usage;
use crate::world::Cpu;

pub(crate) const NAME: &str = "full-pull";
const MAILBOXES: u32 = 1_000;
/// Single appointments of a mailbox.
const SINGLES: u32 = 30;
/// Occurrences of its weekly series.
const OCCURRENCES: u32 = 10;
const APPOINTMENTS: u32 = MAILBOXES * (SINGLES + OCCURRENCES);
/// Calls of the pull at one time (`simultaneous_calls_at_full_pull`).
const SIMULTANEOUS: [usize; 2] = [1, 8];
/// Pulls and bare runs that are measured, each.
const ROUNDS: usize = 9;
const PATIENCE: Duration = Duration::from_secs(600);
/// How long it is waited for news before it is looked without any.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const ZONE: &str = "Europe/Copenhagen";
const USER: &str = "svc";
const PASSWORD: &str = "pw";

/// Measures.
pub(crate) async fn run() -> Figures {
    let clock = SystemClock::shared();
    let place = Workplace::new().expect("a temporary folder");
    fill(&place.path("calendars"), &clock);
    let simulator = simulator(&place).await;
    let server = Embedded::start(&EmbeddedOptions {
        data_dir: place.path("database"),
        binaries: None,
        throw_away: false,
        patience: Duration::from_secs(60),
    })
    .await
    .expect("the embedded server starts");
    let address: SocketAddr =
        simulator.url.trim_start_matches("http://").parse().expect("the simulator says where it listens");
    let recorder = Recorder::before(address).await;
    let pids = Pids {
        postgres: usage::postmaster(&place.path("database")),
        simulator: simulator.id().expect("the simulator runs"),
    };
    let bench = Bench { clock, server, pids, runs: AtomicUsize::new(0) };
    let warm = bench.pull(recorder.address, 8).await;
    let requests: Arc<[Request]> = recorder.requests().into();
    let (warm, _) = warm;
    eprintln!("  {} requests for a pull; a first one took {:.1} s", requests.len(), warm.as_secs_f64());
    let mut figures = Figures::default();
    for simultaneous in SIMULTANEOUS {
        let (mut pulls, mut bares) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            let (pull, of_pull) = bench.pull(address, simultaneous).await;
            let before = bench.pids.cpu();
            let bare = bench.bare(address, &requests, simultaneous).await;
            let of_bare = bench.pids.cpu().since(before);
            eprintln!(
                "  {simultaneous} at a time, round {round} of {ROUNDS}: pull {:.2} s (processor: service {:.2}, \
                 PostgreSQL {:.2}, simulator {:.2} s), bare requests {:.2} s (client {:.2}, simulator {:.2} s); load {}",
                pull.as_secs_f64(),
                of_pull.service,
                of_pull.postgres,
                of_pull.simulators,
                bare.as_secs_f64(),
                of_bare.service,
                of_bare.simulators,
                usage::load(),
            );
            pulls.push(pull);
            bares.push(bare);
        }
        let rate = |times: Vec<Duration>| f64::from(APPOINTMENTS) / median(times).as_secs_f64();
        let name = format!("{NAME}/{simultaneous}-at-a-time");
        figures.add(&name, "appointments/s", rate(pulls), rate(bares));
    }
    bench.server.stop().await.expect("the embedded server stops");
    simulator.stop().await.expect("the simulator stops");
    figures
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The simulated Exchange with its calendars.
async fn simulator(place: &Workplace) -> Process {
    let arguments = ["simulate", "exchange", "--user", USER, "--password", PASSWORD, "--calendars"];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
    arguments.push(place.path("calendars").display().to_string());
    arguments.extend(["--mailboxes".to_owned(), "0".to_owned()]);
    let program = Path::new(env!("CARGO_BIN_EXE_kommuneklient-under-test"));
    Process::start_program("exchange simulator", program, &arguments, &place.path("exchange.log"))
        .await
        .expect("the simulator starts")
}

/// One calendar file a mailbox: single appointments over the next ten weeks, and a weekly series.
fn fill(folder: &Path, clock: &SharedClock) {
    std::fs::create_dir(folder).expect("a new folder");
    let zone = TimeZone::get(ZONE).expect("a zone that exists");
    let first = clock.now().to_zoned(zone).date() + 2.days();
    for mailbox in 1..=MAILBOXES {
        let mut file = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n");
        let mut event = |uid: &str, start: jiff::civil::DateTime, more: &str| {
            let end = start + 30.minutes();
            write!(
                file,
                "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID={ZONE}:{}\r\n\
                 DTEND;TZID={ZONE}:{}\r\nSUMMARY:x\r\n{more}END:VEVENT\r\n",
                start.strftime("%Y%m%dT%H%M%S"),
                end.strftime("%Y%m%dT%H%M%S"),
            )
            .expect("writing to a string works");
        };
        for n in 0..SINGLES {
            let hour = 8 + i8::try_from((mailbox + n) % 8).expect("below 8");
            event(
                &format!("single-{mailbox}-{n}"),
                (first + (2 * i64::from(n)).days()).at(hour, 0, 0, 0),
                "",
            );
        }
        let rule = format!("RRULE:FREQ=WEEKLY;COUNT={OCCURRENCES}\r\n");
        event(&format!("series-{mailbox}"), first.at(17, 0, 0, 0), &rule);
        file.push_str("END:VCALENDAR\r\n");
        std::fs::write(folder.join(format!("{}.ics", mail(mailbox))), file).expect("a file can be written");
    }
}

fn mail(number: u32) -> String {
    format!("m{number:04}@sim.test")
}

/// Whose processor time is told besides our own.
#[derive(Debug, Clone, Copy)]
struct Pids {
    postgres: u32,
    simulator: u32,
}

impl Pids {
    /// Processor seconds so far; the service runs in this process, and so does the client of the bare requests.
    fn cpu(self) -> Cpu {
        Cpu {
            service: usage::cpu_s(std::process::id()),
            postgres: usage::cpu_with_children_s(self.postgres),
            simulators: usage::cpu_s(self.simulator),
        }
    }
}

struct Bench {
    clock: SharedClock,
    server: Embedded,
    pids: Pids,
    runs: AtomicUsize,
}

impl Bench {
    /// Reads all mailboxes into an empty database; says how long that took, and of what processor time.
    async fn pull(&self, exchange: SocketAddr, simultaneous: usize) -> (Duration, Cpu) {
        let store = self.empty_store(exchange).await;
        let services = self.services(&store, exchange);
        let mut news = services.wake.subscribe(Channel::Decision);
        let policy = Policy {
            zones: Zones::named(ZONE).expect("a zone that exists"),
            months: 3,
            busy_statuses: Policy::BUSY_BY_DEFAULT.into_iter().collect(),
        };
        let options = QualifierOptions {
            simultaneous_full_reads: simultaneous,
            full_read_at_start: true,
            ..QualifierOptions::new(policy)
        };
        let qualifier = qualifier::supervisor(options, services).expect("options that work");
        let (began, before) = (self.clock.monotonic(), self.pids.cpu());
        let tree = Tree::start(qualifier, self.clock.clone());
        let all_read = async {
            while is_any_unread(&store).await {
                // each transaction that stores full reads is news
                let _ = tokio::time::timeout(LOOK_AGAIN, news.changed()).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_read).await.expect("all mailboxes are read in time");
        let took = self.clock.monotonic().saturating_duration_since(began);
        let used = self.pids.cpu().since(before);
        let there: i64 = one(&store, "select count(*) from calendar_event where wanted").await;
        assert_eq!(there, i64::from(APPOINTMENTS), "a pull must find everything to count");
        tree.shutdown().await;
        store.close();
        (took, used)
    }

    /// The same requests, their answers read and thrown away.
    async fn bare(&self, exchange: SocketAddr, requests: &Arc<[Request]>, simultaneous: usize) -> Duration {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        let next = Arc::new(AtomicUsize::new(0));
        let began = self.clock.monotonic();
        let workers: Vec<_> = (0..simultaneous)
            .map(|_| {
                let (client, requests, next) = (client.clone(), Arc::clone(requests), Arc::clone(&next));
                tokio::spawn(async move {
                    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let url = format!("http://{exchange}{}", request.path);
                        let asked =
                            client.post(url).headers(request.headers.clone()).body(request.body.clone());
                        let mut answer = asked.send().await.expect("the simulator answers");
                        assert!(answer.status().is_success(), "the same request was answered before");
                        while answer.chunk().await.expect("the answer is whole").is_some() {}
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.expect("no worker panics");
        }
        self.clock.monotonic().saturating_duration_since(began)
    }

    async fn empty_store(&self, exchange: SocketAddr) -> Store {
        let name = format!("pull_{}", self.runs.fetch_add(1, Ordering::Relaxed));
        let admin = Store::open(store::testing::options(self.server.url())).expect("a url that works");
        let client = admin.client("bench").await.expect("a connection");
        client.batch_execute(&format!("create database {name}")).await.expect("a database can be made");
        drop(client);
        admin.close();
        let store =
            Store::open(store::testing::options(self.server.url_of(&name))).expect("a url that works");
        store::migrations::migrate(&store).await.expect("the schema can be made");
        let endpoint = format!("http://{exchange}/EWS/Exchange.asmx");
        let mails: Vec<String> = (1..=MAILBOXES).map(mail).collect();
        let buckets: Vec<i16> = mails
            .iter()
            .map(|mail| i16::from(MailAddress::parse(mail).expect("an address").bucket()))
            .collect();
        let client = store.client("bench").await.expect("a connection");
        client
            .execute(
                "insert into planner_resource (mail, bucket, name, rid, is_case_worker, endpoint, grouping_value) \
                 select mail, bucket, 'n', 'r', true, $3, 'bench' from unnest($1::text[], $2::smallint[]) as t (mail, bucket)",
                &[&mails, &buckets, &endpoint],
            )
            .await
            .expect("resources can be stored");
        drop(client);
        store
    }

    fn services(&self, store: &Store, exchange: SocketAddr) -> Services {
        let url = format!("http://{exchange}/EWS/Exchange.asmx");
        let options = ExchangeOptions {
            service_url: Some(url.parse().expect("a url")),
            ..ExchangeOptions::new(USER, PASSWORD.to_owned().into())
        };
        let source = Exchange::new(options, self.clock.clone()).expect("options that work");
        Services {
            leases: LeaseBook::new(
                store.clone(),
                self.clock.clone(),
                "bench".to_owned(),
                Duration::from_secs(600),
            ),
            shares: store::shares::Shares::alone(),
            wake: Wake::start(store.clone()),
            store: store.clone(),
            source: Arc::new(source),
            clock: self.clock.clone(),
            runtime: tokio::runtime::Handle::current(),
        }
    }
}

/// Is there a mailbox that was not read? Cheap, since what it costs is counted.
async fn is_any_unread(store: &Store) -> bool {
    let client = store.client("bench").await.expect("a connection");
    let query = "select from planner_resource where last_full_sync is null limit 1";
    let query = client.prepare_cached(query).await.expect("a query that works");
    client.query_opt(&query, &[]).await.expect("a query that works").is_some()
}

async fn one(store: &Store, query: &str) -> i64 {
    let client = store.client("bench").await.expect("a connection");
    client.query_one(query, &[]).await.expect("a query that works").get(0)
}
