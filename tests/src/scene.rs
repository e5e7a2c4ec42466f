//! A database, both simulators, and the product as a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::{SharedClock, SystemClock};
use jiff::tz::TimeZone;
use kommuneklient::demo::changes::{Horizon, Times};
use kommuneklient::demo::http::Admin;
use kommuneklient::demo::listing;
use kommuneklient::demo::oracle::{self, Key};
use kommuneklient::demo::outlook::Outlook;
use kommuneklient::demo::planner_view::PlannerView;
use kommuneklient::demo::world::Process;
use secrecy::ExposeSecret;
use serde_json::Value;
use store::testing::TestDatabase;

use crate::gate::{Behind, Gate};
pub use part::Part;

mod part;
use crate::wait::wait_for;

/// The zone of everybody.
pub const ZONE: &str = "Europe/Copenhagen";
/// The service account towards Exchange.
pub const USER: &str = "svc";
/// Its password.
pub const PASSWORD: &str = "marked-password-5cb1";
const JOBCENTER: &str = "10100";
/// Below the scene's folder: what the simulated Planner made for its clients.
pub const PLANNER_CERTIFICATES: &str = "planner-certificates";
/// The port in the name of PostgreSQL's socket.
const DATABASE_SOCKET: &str = ".s.PGSQL.5432";

/// What differs from the usual scene.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Mailboxes in Exchange and resources in Planner.
    pub mailboxes: u32,
    /// Lines of the configuration by section, which replace or add to the usual ones:
    /// `("planner", "call_timeout", "\"1s\"")`.
    pub configuration: Vec<(&'static str, &'static str, &'static str)>,
    /// Grouping values that Autodiscover tells.
    pub groups: u16,
    /// The folder of simulated calendars to begin with.
    pub calendars: Option<PathBuf>,
    /// Keep every SOAP message, in [`Scene::captured`].
    pub capture: bool,
    /// The first service account.
    pub user: &'static str,
    /// Service accounts that Exchange knows: `user`, then the same with 2, 3 … behind it.
    pub accounts: u32,
    /// How long a minute of a stream's timeout is.
    pub stream_minute: Duration,
    /// How long the minute of Planner's meter is.
    pub planner_minute: Duration,
    /// Calls that Planner's meter allows in it.
    pub planner_calls_per_minute: Option<u32>,
    /// Calls to Planner are secured by TLS with both sides' certificates (`Some(false)`), and signed as well (`Some(true)`).
    pub planner_security: Option<bool>,
    /// How the product logs on to Exchange; over TLS, with a certificate of an authority of this scene. People and
    /// tests use Basic. `None`: Basic without TLS.
    pub login: Option<Login>,
    /// Begin without a schema, so that the first process makes it.
    pub without_schema: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            mailboxes: 3,
            configuration: Vec::new(),
            groups: 1,
            calendars: None,
            capture: false,
            user: USER,
            accounts: 1,
            stream_minute: Duration::from_secs(60),
            planner_minute: Duration::from_secs(60),
            planner_calls_per_minute: None,
            planner_security: None,
            login: None,
            without_schema: false,
        }
    }
}

/// How the product logs on to Exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Connection by connection.
    Ntlm,
    /// With tokens that hold this long.
    OAuth {
        /// Their life.
        token_life: Duration,
    },
}

/// The TLS of the simulated Exchange; the root goes to `root`.
fn tls(root: &Path) -> simulator_kit::Tls {
    let authority = simulator_kit::Authority::new("scene").expect("an authority");
    std::fs::write(root, authority.root_pem()).expect("a file in a temporary folder");
    let issued = authority.issue(&simulator_kit::Wanted::loopback()).expect("a certificate");
    issued.tls(simulator_kit::Clients::Any).expect("a usable certificate")
}

/// A running scene.
pub struct Scene {
    /// The product's database.
    pub database: TestDatabase,
    /// The simulated Exchange's admin side.
    pub exchange: Admin,
    /// The simulated Planner.
    pub planner: PlannerView,
    /// The hands of the people.
    pub outlook: Outlook,
    /// The clock of all.
    pub clock: SharedClock,
    /// The product, while it runs.
    pub service: Option<Process>,
    /// The configuration's file.
    pub configuration: PathBuf,
    sections: Sections,
    environment: BTreeMap<String, String>,
    program: PathBuf,
    folder: tempfile::TempDir,
    exchange_simulator: simulator_exchange::Simulator,
    planner_simulator: simulator_planner::Simulator,
}

/// A configuration: values by section and key.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

impl Scene {
    /// Starts the database and the simulators; the product is started by [`start_service`](Self::start_service).
    /// `program` is `env!("CARGO_BIN_EXE_kommuneklient-under-test")`.
    pub async fn new(program: &str, setting: Setting) -> Self {
        trust::install_provider();
        let database = if setting.without_schema {
            store::testing::empty_database().await
        } else {
            store::testing::database().await
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let capture = |service| setting.capture.then(|| folder.path().join(service));
        let root = folder.path().join("exchange-root.pem");
        let token_life = match setting.login {
            Some(Login::OAuth { token_life }) => token_life,
            _ => Duration::from_secs(3_600),
        };
        let exchange_simulator = simulator_exchange::Simulator::start(simulator_exchange::Options {
            mailboxes: setting.mailboxes,
            user: setting.user.into(),
            password: PASSWORD.into(),
            groups: setting.groups,
            accounts: setting.accounts,
            stream_minute: setting.stream_minute,
            calendars: setting.calendars.clone(),
            capture: capture("exchange"),
            heartbeat: Duration::from_secs(1),
            tls: setting.login.map(|_| tls(&root)),
            logins: simulator_exchange::Logins {
                basic: true,
                ntlm: setting.login == Some(Login::Ntlm),
                bearer: matches!(setting.login, Some(Login::OAuth { .. })),
            },
            token_life,
            ..simulator_exchange::Options::default()
        })
        .await
        .expect("the simulated Exchange starts");
        let planner_simulator = simulator_planner::Simulator::start(simulator_planner::Options {
            mailboxes: setting.mailboxes,
            jobcenter: JOBCENTER.into(),
            minute: setting.planner_minute,
            allowed_calls_per_minute: setting.planner_calls_per_minute,
            capture: capture("planner"),
            tls: setting.planner_security.map(|_| folder.path().join(PLANNER_CERTIFICATES)),
            signed: setting.planner_security == Some(true),
            ..simulator_planner::Options::default()
        })
        .await
        .expect("the simulated Planner starts");
        let configuration = folder.path().join("kommuneklient.toml");
        let mut sections = usual_configuration(
            &setting,
            database.url.expose_secret(),
            &exchange_simulator.autodiscover_url(),
            &planner_simulator.endpoint(),
        );
        if let Some(signed) = setting.planner_security {
            secure_planner(&mut sections, &folder.path().join(PLANNER_CERTIFICATES), signed);
        }
        if let Some(login) = setting.login {
            let exchange = sections.entry("exchange".to_owned()).or_default();
            let mut set = |key: &str, text: &str| exchange.insert(key.to_owned(), quote(text));
            set("root_certificates", &root.display().to_string());
            set("authentication", if login == Login::Ntlm { "ntlm" } else { "oauth" });
            if login != Login::Ntlm {
                set("oauth_token_url", &exchange_simulator.token_url());
            }
        }
        write_configuration(&configuration, &sections);
        let roots = match setting.login {
            None => trust::Roots::Nobody,
            Some(_) => trust::Roots::Only(root),
        };
        let clock = SystemClock::shared();
        let zone = TimeZone::get(ZONE).expect("a zone that exists");
        Self {
            exchange: Admin::trusting(exchange_simulator.url(), roots.clone()).expect("a client"),
            planner: PlannerView::new(&planner_simulator.url(), JOBCENTER, zone, clock.clone())
                .expect("a client"),
            outlook: Outlook::trusting(exchange_simulator.url(), setting.user, PASSWORD, roots)
                .expect("a client"),
            clock,
            service: None,
            configuration,
            sections,
            environment: BTreeMap::new(),
            program: program.into(),
            folder,
            exchange_simulator,
            planner_simulator,
            database,
        }
    }

    /// A scene in which the product is listening to every mailbox.
    pub async fn ready(program: &str, setting: Setting) -> Self {
        let mut scene = Self::new(program, setting).await;
        scene.start_service().await;
        scene.until_ready().await;
        scene
    }

    /// Where the simulated Exchange listens.
    pub fn exchange_url(&self) -> &str {
        self.exchange_simulator.url()
    }

    /// The tokens that the simulated Exchange gave out.
    pub fn tokens(&self) -> Vec<String> {
        self.exchange_simulator.service().logons.tokens()
    }

    /// The folder that this scene's files are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files of the simulated Planner's authority, where calls are secured.
    pub fn planner_certificates(&self) -> PathBuf {
        self.folder.path().join(PLANNER_CERTIFICATES)
    }

    /// Sets a value of the configuration (as TOML) for the next start of the product.
    pub fn configure(&mut self, section: &str, key: &str, value: &str) {
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        write_configuration(&self.configuration, &self.sections);
    }

    /// Leaves a value out of the configuration for the next start of the product.
    pub fn leave_out(&mut self, section: &str, key: &str) {
        let left_out = self.sections.get_mut(section).and_then(|values| values.remove(key));
        assert!(left_out.is_some(), "{section}.{key} is not configured");
        write_configuration(&self.configuration, &self.sections);
    }

    /// Puts a gate, shut at first, between the product and its database.
    pub fn gate_before_database(&mut self) -> Gate {
        let url = self.database.url.expose_secret();
        let folder = url.split('\'').nth(1).expect("the test database is named by its socket's folder");
        let gate = Gate::shut_before(Behind::Socket(PathBuf::from(folder).join(DATABASE_SOCKET)));
        let (_, rest) = url.rsplit_once('\'').expect("the folder stands in quotes");
        let address = gate.address();
        let through = format!("host={} port={}{rest}", address.ip(), address.port());
        self.configure("database", "url", &quote(&through));
        gate
    }

    /// Puts a gate, shut at first, between the product and Planner.
    pub fn gate_before_planner(&mut self) -> Gate {
        let url = self.planner_simulator.url();
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let gate = Gate::shut_before(Behind::Address(address.parse().expect("an address and port")));
        let through = self.planner_simulator.endpoint().replace(address, &gate.address().to_string());
        self.configure("planner", "service_url", &quote(&through));
        gate
    }

    /// The SOAP messages so far that went from or to `service` (`exchange`, `planner`): file name and text. Only
    /// with [`Setting::capture`].
    pub fn captured(&self, service: &str) -> Vec<(String, String)> {
        let folder = self.folder.path().join(service);
        let entries = std::fs::read_dir(folder).expect("messages were captured");
        let message = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str().filter(|name| name.ends_with(".xml"))?.to_owned();
            Some((name, std::fs::read_to_string(&path).ok()?))
        };
        entries.filter_map(message).collect()
    }

    /// Starts the product.
    pub async fn start_service(&mut self) {
        let arguments = ["run".to_owned(), "--config".to_owned(), self.configuration.display().to_string()];
        let environment: Vec<(String, String)> = self.environment.clone().into_iter().collect();
        let log = self.log_path();
        let service =
            Process::start_program_with("service", &self.program, &arguments, &environment, &log).await;
        self.service =
            Some(service.unwrap_or_else(|error| panic!("the service starts: {error}\n{}", self.log())));
    }

    /// Sets a variable of the environment for the next starts of the product.
    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Kills the product as a crash would.
    pub async fn kill_service(&mut self) {
        let service = self.service.take().expect("the service is running");
        service.kill().await.expect("a child can be killed");
    }

    /// Ends the product in order (SIGTERM).
    pub async fn stop_service(&mut self) {
        let service = self.service.take().expect("the service is running");
        service
            .stop()
            .await
            .unwrap_or_else(|error| panic!("the service ends in order: {error}\n{}", self.log()));
    }

    /// Waits until the product says that it is ready and everything in it at work: it listens to every mailbox.
    pub async fn until_ready(&self) {
        part::until_settled(&self.service.as_ref().expect("the service is running").url).await;
    }

    /// The product's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Where the product takes admin calls, `127.0.0.1:PORT`; `http.admin_listen` is to pick a port (0). The log says it.
    pub async fn admin_address(&self) -> String {
        let found = || {
            let mut listening = self.log().lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
            let line =
                listening.find(|line| line.contains("http.admin_listen") && line.contains("listening"))?;
            let line: Value = serde_json::from_str(&line).ok()?;
            Some(line.pointer("/fields/address").or_else(|| line.get("address"))?.as_str()?.to_owned())
        };
        wait_for("the listener of the admin calls", async || found().ok_or_else(|| self.log())).await;
        found().expect("it was there just now")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("service.log")
    }

    /// What Planner should hold now, by the oracle.
    pub async fn expected(&self) -> BTreeMap<Key, Times> {
        let zone = TimeZone::get(ZONE).expect("a zone that exists");
        let horizon = Horizon::at(self.clock.now(), &zone, 3);
        let listed = listing::listed(&self.exchange, &horizon).await.expect("Exchange tells its state");
        oracle::expected(&listed, &horizon)
    }

    /// Waits until Planner holds exactly what the oracle says, and returns it.
    pub async fn until_in_step(&self) -> BTreeMap<Key, Times> {
        wait_for("Planner being in step", async || {
            let expected = self.expected().await;
            let there = self.planner.listing().await.map_err(|error| error.to_string())?;
            let differences = oracle::compare(&expected, &there);
            if differences.is_empty() { Ok(expected) } else { Err(format!("{differences:?}")) }
        })
        .await
    }

    /// Asserts that the agreement on the form and load of calls was kept.
    pub async fn assert_no_violations(&self) {
        let meter = self.planner.meter().await.expect("the meter answers");
        assert_eq!(meter.violations_total, 0, "{:?}", meter.violations);
    }

    /// One number from the product's database.
    pub async fn count(&self, query: &str) -> i64 {
        let client = self.database.store.client("count").await.expect("a connection");
        client.query_one(query, &[]).await.expect("a query that works").get(0)
    }

    /// Adds a fault to the simulated Planner.
    pub async fn planner_fault(&self, rule: Value) {
        self.planner.admin().post("/admin/faults", &rule).await.expect("the fault is taken");
    }

    /// Adds a fault to the simulated Exchange.
    pub async fn exchange_fault(&self, rule: Value) {
        self.exchange.post("/admin/faults", &rule).await.expect("the fault is taken");
    }

    /// Waits until an open stream carries so many subscriptions, by Exchange's own count.
    pub async fn until_streamed(&self, subscriptions: u64) {
        wait_for("subscriptions on an open stream", async || {
            let meter: Value = self.exchange.get("/admin/meter").await.expect("Exchange tells its meter");
            let streamed = meter["subscriptions_streamed"].as_u64().expect("the meter counts");
            if streamed == subscriptions { Ok(()) } else { Err(format!("{streamed}; {}", self.log_end())) }
        })
        .await;
    }

    /// Lets something happen at the simulated Exchange at once.
    pub async fn exchange_act(&self, act: Value) {
        self.exchange.post("/admin/acts", &act).await.expect("the act is taken");
    }

    /// Ends all faults.
    pub async fn end_faults(&self) {
        self.exchange.delete("/admin/faults").await.expect("the faults end");
        self.planner.admin().delete("/admin/faults").await.expect("the faults end");
    }
}

/// A text as a value of TOML.
pub fn quote(text: &str) -> String {
    format!("{text:?}")
}

/// The usual configuration of a scene: everything at its default but addresses and patience.
fn usual_configuration(setting: &Setting, database: &str, autodiscover: &str, planner: &str) -> Sections {
    let mut sections = Sections::new();
    let mut set = |section: &str, key: &str, value: String| {
        sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value);
    };
    set("database", "url", quote(database));
    set("exchange", "autodiscover_url", quote(autodiscover));
    set("exchange", "user", quote(setting.user));
    set("exchange", "password", quote(PASSWORD));
    set("exchange", "request_timeout", quote("5s"));
    set("exchange", "autodiscover_failure_memory", quote("1s"));
    set("listener", "stream_silence_limit", quote("3s"));
    set("listener", "catch_up_jitter", quote("50ms"));
    set("planner", "service_url", quote(planner));
    set("planner", "jobcenter_number", quote(JOBCENTER));
    set(
        "planner",
        "request_user_identifier",
        quote("CVR:12345678-UUID:00000000-0000-4000-8000-000000000000"),
    );
    set("planner", "call_timeout", quote("2s"));
    set("planner", "retry_initial", quote("100ms"));
    set("planner", "retry_cap", quote("1s"));
    set("planner", "compare_after_unknown_outcome", quote("2s"));
    set("leases", "ttl", quote("2s"));
    set("leases", "renew", quote("600ms"));
    set("telemetry", "log_format", quote("json"));
    set("http", "listen", quote("127.0.0.1:0"));
    for (section, key, value) in &setting.configuration {
        set(section, key, (*value).to_owned());
    }
    sections
}

/// The files of the simulated Planner's authority.
fn secure_planner(sections: &mut Sections, folder: &Path, signed: bool) {
    use simulator_planner::security::{CLIENT_FILE, CLIENT_KEY_FILE, ROOT_FILE, SERVER_FILE};
    let planner = sections.entry("planner".to_owned()).or_default();
    let mut file = |key: &str, name: &str| {
        planner.insert(key.to_owned(), quote(&folder.join(name).display().to_string()));
    };
    file("root_certificates", ROOT_FILE);
    file("client_certificate", CLIENT_FILE);
    file("client_key", CLIENT_KEY_FILE);
    file("server_pin_file", SERVER_FILE);
    if signed {
        file("answer_certificates", SERVER_FILE);
        planner.insert("security".to_owned(), quote("mtls+wss"));
    }
}

fn write_configuration(file: &Path, sections: &Sections) {
    let mut text = String::new();
    for (section, values) in sections {
        text.push_str(&format!("[{section}]\n"));
        for (key, value) in values {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    std::fs::write(file, text).expect("the configuration is written");
}
