//! The product, both simulators and PostgreSQL with its durable defaults, each as a process of its own, for figures of
//! whole runs.

use std::path::Path;
use std::time::Duration;

use base::SystemClock;
use jiff::tz::TimeZone;
use kommuneklient::demo::http::Admin;
use kommuneklient::demo::planner_view::PlannerView;
use kommuneklient::demo::world::{Process, Workplace};
use secrecy::ExposeSecret;
use serde_json::Value;
use store::Store;
use store::embedded::{Embedded, EmbeddedOptions};
use tokio::time::Instant;

use crate::usage;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
/// The service account, and the others with a number behind it.
pub(crate) const USER: &str = "svc";
pub(crate) const PASSWORD: &str = "pw";
pub(crate) const ZONE: &str = "Europe/Copenhagen";
const JOBCENTER: &str = "10100";
/// Mailboxes of one service account: three streams of 200, as Exchange and the product have it.
const MAILBOXES_PER_ACCOUNT: u32 = 600;
/// Calls to Planner at one time.
pub(crate) const CALLS: u32 = 4;
/// The pause between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Processor seconds by who used them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) service: f64,
    pub(crate) postgres: f64,
    pub(crate) simulators: f64,
}

impl Cpu {
    /// Since another look.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            service: self.service - before.service,
            postgres: self.postgres - before.postgres,
            simulators: self.simulators - before.simulators,
        }
    }
}

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct World {
    place: Workplace,
    pub(crate) mailboxes: u32,
    pub(crate) server: Embedded,
    pub(crate) store: Store,
    pub(crate) exchange: Admin,
    pub(crate) planner: PlannerView,
    exchange_process: Process,
    planner_process: Process,
    service: Option<Process>,
    key: String,
}

/// The address of a mailbox, from 1.
pub(crate) fn mail(number: u32) -> String {
    format!("m{number:04}@sim.test")
}

impl World {
    /// Everything but the product, with so many empty mailboxes and as many service accounts as they need.
    pub(crate) async fn new(mailboxes: u32) -> Self {
        let place = Workplace::new().expect("a temporary folder");
        let server = Embedded::start(&EmbeddedOptions {
            data_dir: place.path("database"),
            binaries: None,
            throw_away: false,
            patience: Duration::from_secs(60),
        })
        .await
        .expect("the embedded server starts");
        let accounts = mailboxes.div_ceil(MAILBOXES_PER_ACCOUNT);
        let exchange_process = simulator(
            &place,
            "exchange",
            &[
                ("--mailboxes", mailboxes.to_string()),
                ("--accounts", accounts.to_string()),
                ("--user", USER.to_owned()),
                ("--password", PASSWORD.to_owned()),
            ],
        )
        .await;
        let planner_process = simulator(
            &place,
            "planner",
            &[
                ("--mailboxes", mailboxes.to_string()),
                ("--jobcenter", JOBCENTER.to_owned()),
                ("--allowed-in-flight", CALLS.to_string()),
            ],
        )
        .await;
        let store = Store::open(store::testing::options(server.url())).expect("a url that works");
        let zone = TimeZone::get(ZONE).expect("a zone that exists");
        let planner = PlannerView::new(&planner_process.url, JOBCENTER, zone, SystemClock::shared());
        let key = said(&["secrets", "generate"], &[]).trim().to_owned();
        let world = Self {
            exchange: Admin::new(&exchange_process.url).expect("a client"),
            planner: planner.expect("a client"),
            place,
            mailboxes,
            server,
            store,
            exchange_process,
            planner_process,
            service: None,
            key,
        };
        world.configure(&[]);
        world.add_accounts(accounts);
        world
    }

    /// Where the simulated Exchange listens.
    pub(crate) fn exchange_url(&self) -> &str {
        &self.exchange_process.url
    }

    /// Writes the configuration: everything at its default but addresses, the calls at one time, the mailboxes that one
    /// call asks about (one by one the adoption of many mailboxes takes as many calls), the size of Planner's answers (its
    /// resource list grows with the mailboxes), and what is `given`, in TOML.
    pub(crate) fn configure(&self, given: &[(&str, &str, &str)]) {
        let text = |value: &str| format!("{value:?}");
        let autodiscover = format!("{}/autodiscover/autodiscover.svc", self.exchange_process.url);
        let planner = format!("{}{}", self.planner_process.url, proto_planner::SERVICE_PATH);
        let mut sections = [
            ("database", format!("url = {}\n", text(self.server.url().expose_secret()))),
            (
                "exchange",
                format!(
                    "autodiscover_url = {}\nuser = {}\npassword = {}\n",
                    text(&autodiscover),
                    text(USER),
                    text(PASSWORD)
                ),
            ),
            ("listener", String::new()),
            ("qualifier", String::new()),
            (
                "planner",
                format!(
                    "service_url = {}\njobcenter_number = {}\nsimultaneous_calls = {CALLS}\n\
                     max_calendar_event_fetches_per_call = 100\nanswer_limit_bytes = 67108864\n\
                     request_user_identifier = \"CVR:12345678-UUID:00000000-0000-4000-8000-000000000000\"\n",
                    text(&planner),
                    text(JOBCENTER)
                ),
            ),
            ("telemetry", "log_format = \"json\"\n".to_owned()),
            ("http", "listen = \"127.0.0.1:0\"\n".to_owned()),
        ];
        for (section, key, value) in given {
            let (_, lines) =
                sections.iter_mut().find(|(name, _)| name == section).expect("a section that is written");
            lines.push_str(&format!("{key} = {value}\n"));
        }
        let all: String = sections.iter().map(|(name, lines)| format!("[{name}]\n{lines}")).collect();
        self.place.write("kommuneklient.toml", &all).expect("a file in a temporary folder");
    }

    fn add_accounts(&self, accounts: u32) {
        let file = self.place.path("kommuneklient.toml").display().to_string();
        let password = self.place.write("password", PASSWORD).expect("a file in a temporary folder");
        let password = password.display().to_string();
        let key = [("KOMMUNEKLIENT__SECRETS__KEY", self.key.as_str())];
        said(&["migrate", "--config", &file], &key);
        for number in 1..=accounts {
            let user = if number == 1 { USER.to_owned() } else { format!("{USER}{number}") };
            said(&["credential", "add", &user, "--password-file", &password, "--config", &file], &key);
        }
    }

    /// Starts the product.
    pub(crate) async fn start_service(&mut self) {
        let file = self.place.path("kommuneklient.toml").display().to_string();
        let arguments = ["run".to_owned(), "--config".to_owned(), file];
        let environment = [("KOMMUNEKLIENT__SECRETS__KEY".to_owned(), self.key.clone())];
        let log = self.place.path("service.log");
        let service =
            Process::start_program_with("service", Path::new(PROGRAM), &arguments, &environment, &log);
        self.service = Some(service.await.expect("the service starts"));
    }

    /// Kills the product, as a crash would.
    pub(crate) async fn kill_service(&mut self) {
        let service = self.service.take().expect("the service runs");
        service.kill().await.expect("a child can be killed");
    }

    /// The product's process.
    pub(crate) fn pid(&self) -> u32 {
        self.service.as_ref().and_then(Process::id).expect("the service runs")
    }

    /// Processor seconds so far.
    pub(crate) fn cpu(&self) -> Cpu {
        let simulators = [&self.exchange_process, &self.planner_process];
        Cpu {
            service: usage::cpu_s(self.pid()),
            postgres: usage::cpu_with_children_s(usage::postmaster(&self.place.path("database"))),
            simulators: simulators.into_iter().filter_map(Process::id).map(usage::cpu_s).sum(),
        }
    }

    /// One number from the product's database.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let client = self.store.client("bench").await.expect("a connection");
        client.query_one(query, &[]).await.expect("a query that works").get(0)
    }

    /// Subscriptions that are carried by an open stream.
    pub(crate) async fn streamed(&self) -> u64 {
        let meter: Value = self.exchange.get("/admin/meter").await.expect("the meter answers");
        meter["subscriptions_streamed"].as_u64().expect("the meter counts")
    }

    /// Waits until every mailbox has a live subscription on an open stream.
    pub(crate) async fn until_listening(&mut self, patience: Duration) -> Duration {
        let mailboxes = u64::from(self.mailboxes);
        self.until(patience, "listening to all", async |world| world.streamed().await == mailboxes).await
    }

    /// Waits until every mailbox was read in full and adopted, so that its changes are sent.
    pub(crate) async fn until_sendable(&mut self, patience: Duration) -> Duration {
        let query = format!(
            "select {} - count(*) from planner_resource \
             where adopted_at is not null and full_read_began_at is not null",
            self.mailboxes
        );
        self.until(patience, "every mailbox being adopted and read", async |world| {
            world.count(&query).await == 0
        })
        .await
    }

    /// Waits for a condition; how long it took.
    pub(crate) async fn until(
        &mut self,
        patience: Duration,
        what: &str,
        mut holds: impl AsyncFnMut(&Self) -> bool,
    ) -> Duration {
        let began = Instant::now();
        while !holds(self).await {
            if let Some(status) = self.service.as_mut().and_then(Process::ended) {
                panic!("the service ended with {status}; {}", self.log_end());
            }
            assert!(
                Instant::now().duration_since(began) < patience,
                "waited in vain for {what}; {}",
                self.log_end()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Instant::now().duration_since(began)
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.place.path("service.log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Asserts that the agreement with Planner was kept.
    pub(crate) async fn assert_no_violations(&self) {
        let meter = self.planner.meter().await.expect("the meter answers");
        assert_eq!(meter.violations_total, 0, "{:?}", meter.violations);
    }

    /// Ends everything.
    pub(crate) async fn end(mut self) {
        if self.service.is_some() {
            self.kill_service().await;
        }
        self.exchange_process.kill().await.expect("a child can be killed");
        self.planner_process.kill().await.expect("a child can be killed");
        self.store.close();
        self.server.stop().await.expect("the embedded server stops");
        if std::env::var_os("KOMMUNEKLIENT_BENCH_KEEP").is_some() {
            eprintln!("  kept in {}", self.place.keep().display());
        }
    }
}

async fn simulator(place: &Workplace, which: &'static str, options: &[(&str, String)]) -> Process {
    let mut arguments = vec!["simulate".to_owned(), which.to_owned()];
    arguments.extend(options.iter().flat_map(|(name, value)| [(*name).to_owned(), value.clone()]));
    let log = place.path(&format!("{which}.log"));
    let process = Process::start_program(which, Path::new(PROGRAM), &arguments, &log);
    process.await.expect("the simulator starts")
}

/// What a command of the product prints.
fn said(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let ended = end_to_end::command::run(PROGRAM, arguments, environment);
    assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.err);
    ended.out
}
