//! Everything that runs during a demo: the database, both simulators and the service, with the service's
//! configuration written for them.

use std::path::PathBuf;
use std::time::Duration;

use base::SharedClock;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use simulator_planner::security::{CLIENT_FILE, CLIENT_KEY_FILE, ROOT_FILE, SERVER_FILE};
use store::embedded::{Embedded, EmbeddedOptions};

use super::error::DemoError;
use super::http::Admin;
use super::planner_view::PlannerView;
use super::world::{Process, Workplace};
use super::{Login, Settings};

/// The job centre that the simulated Planner serves.
pub const JOBCENTER: &str = "10100";
/// The domain of the simulated mailboxes.
pub const DOMAIN: &str = "sim.test";
/// The service account that the product uses.
pub const USER: &str = "svc";
/// Its password, which only the simulator knows.
pub const PASSWORD: &str = "demo-password";
/// The certificate of the simulated Exchange's authority, in the run's folder.
const EXCHANGE_ROOT_FILE: &str = "exchange-root.pem";
/// The folder with the files of the simulated Planner's authority.
const PLANNER_CERTIFICATES: &str = "planner-certificates";
/// Calls to Planner that may be in flight at once.
const CALLS_IN_FLIGHT: u32 = 4;

/// What is running.
#[derive(Debug)]
pub struct Stage {
    /// The folder of this run.
    pub workplace: Workplace,
    database: Embedded,
    exchange_process: Process,
    planner_process: Process,
    service: Option<Process>,
    configuration: PathBuf,
    exchange_roots: trust::Roots,
    /// The simulated Exchange's admin side.
    pub exchange: Admin,
    /// The simulated Planner.
    pub planner: PlannerView,
}

impl Stage {
    /// Starts everything but the service.
    pub async fn start(settings: &Settings, clock: &SharedClock, zone: &TimeZone) -> Result<Self, DemoError> {
        let workplace = Workplace::new()?;
        let database = Embedded::start(&EmbeddedOptions {
            data_dir: workplace.path("postgres"),
            binaries: None,
            throw_away: false,
            patience: Duration::from_secs(60),
        })
        .await?;
        let exchange_process = Process::start(
            "simulated Exchange",
            &exchange_arguments(settings, &workplace),
            &workplace.path("exchange.log"),
        )
        .await?;
        let planner_process = {
            let (name, log) = ("simulated Planner", workplace.path("planner.log"));
            let arguments = planner_arguments(settings, &workplace);
            match settings.secured {
                None => Process::start(name, &arguments, &log).await?,
                Some(_) => Process::start_with_admin(name, &arguments, &log).await?,
            }
        };
        let configuration = workplace.write(
            "kommuneklient.toml",
            &configuration(
                settings,
                &workplace,
                database.url().expose_secret(),
                &exchange_process.url,
                &planner_process.url,
            ),
        )?;
        let exchange_roots = match settings.secured {
            None => trust::Roots::Nobody,
            Some(_) => trust::Roots::Only(workplace.path(EXCHANGE_ROOT_FILE)),
        };
        let exchange = Admin::trusting(&exchange_process.url, exchange_roots.clone())?;
        let planner = PlannerView::new(&planner_process.admin_url, JOBCENTER, zone.clone(), clock.clone())?;
        let mut stage = Self {
            workplace,
            database,
            exchange_process,
            planner_process,
            service: None,
            configuration,
            exchange_roots,
            exchange,
            planner,
        };
        stage.start_service().await?;
        Ok(stage)
    }

    /// Where the simulated Exchange listens.
    pub fn exchange_url(&self) -> &str {
        &self.exchange_process.url
    }

    /// Whom a client of the simulated Exchange trusts.
    pub fn exchange_roots(&self) -> trust::Roots {
        self.exchange_roots.clone()
    }

    /// Starts the service.
    pub async fn start_service(&mut self) -> Result<(), DemoError> {
        let arguments = ["run".to_owned(), "--config".to_owned(), self.configuration.display().to_string()];
        let log = self.workplace.path("service.log");
        self.service = Some(Process::start("service", &arguments, &log).await?);
        Ok(())
    }

    /// Kills the service, as a crash would, and starts it anew.
    pub async fn kill_service(&mut self) -> Result<(), DemoError> {
        if let Some(service) = self.service.take() {
            service.kill().await?;
        }
        self.start_service().await
    }

    /// Is the service ready and everything in it at work, by its own word? The second value says what is not.
    pub async fn service_ready(&self) -> Result<(), String> {
        let Some(service) = &self.service else { return Err("the service is not running".into()) };
        let admin = Admin::new(&service.url).map_err(|error| error.to_string())?;
        let said: serde_json::Value = admin.get("/health/ready").await.map_err(|error| error.to_string())?;
        if said["settled"] == true { Ok(()) } else { Err(said["unsettled"].to_string()) }
    }

    /// A child that has ended although nobody asked it to.
    pub fn casualty(&mut self) -> Option<String> {
        let named = [
            ("simulated Exchange", &mut self.exchange_process),
            ("simulated Planner", &mut self.planner_process),
        ];
        let simulators = named.into_iter().map(|(name, process)| (name, Some(process)));
        let all = simulators.chain([("service", self.service.as_mut())]);
        all.filter_map(|(name, process)| Some(format!("{name} ended with {}", process?.ended()?))).next()
    }

    /// A number from the service's metrics; 0 where it is not there.
    pub async fn metric(&self, name: &str) -> f64 {
        let Some(service) = &self.service else { return 0.0 };
        let Ok(text) = super::http::text(&format!("{}/metrics", service.url)).await else { return 0.0 };
        let value = text.lines().find_map(|line| {
            let (found, value) = line.split_once(' ')?;
            (found.split('{').next() == Some(name)).then(|| value.trim().parse().ok())?
        });
        value.unwrap_or(0.0)
    }

    /// Ends everything in order. With `keep` the folder with the logs stays and is returned.
    pub async fn end(mut self, keep: bool) -> Result<Option<PathBuf>, DemoError> {
        let mut outcome = Ok(());
        if let Some(service) = self.service.take() {
            outcome = service.stop().await;
        }
        for process in [self.exchange_process, self.planner_process] {
            outcome = outcome.and(process.stop().await);
        }
        outcome = outcome.and(self.database.stop().await.map_err(DemoError::from));
        let kept = (keep || outcome.is_err()).then(|| self.workplace.keep());
        outcome.map(|()| kept)
    }
}

fn exchange_arguments(settings: &Settings, workplace: &Workplace) -> Vec<String> {
    let mut arguments: Vec<String> = ["simulate", "exchange", "--listen", "127.0.0.1:0", "--domain", DOMAIN]
        .into_iter()
        .chain(["--user", USER, "--password", PASSWORD])
        .map(ToOwned::to_owned)
        .collect();
    arguments.extend(["--mailboxes".to_owned(), settings.mailboxes.to_string()]);
    if settings.faults {
        // a stream that says nothing for 3 s is dead by the demo's configuration
        arguments.extend(["--heartbeat-seconds".to_owned(), "1".to_owned()]);
    }
    if let Some(login) = settings.secured {
        let root = workplace.path(EXCHANGE_ROOT_FILE).display().to_string();
        arguments.extend(["--tls-root".to_owned(), root]);
        // the people of the demo log on with their passwords
        arguments.extend(["--logins".to_owned(), format!("basic,{}", login.as_str())]);
    }
    if let Some(folder) = &settings.calendars {
        arguments.extend(["--calendars".to_owned(), folder.display().to_string()]);
    }
    if let Some(folder) = &settings.capture {
        arguments.extend(["--capture".to_owned(), folder.join("exchange").display().to_string()]);
    }
    arguments
}

fn planner_arguments(settings: &Settings, workplace: &Workplace) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["simulate", "planner", "--listen", "127.0.0.1:0", "--jobcenter", JOBCENTER, "--domain", DOMAIN]
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
    arguments.extend(["--mailboxes".to_owned(), settings.mailboxes.to_string()]);
    arguments.extend(["--allowed-items".to_owned(), "20".to_owned()]);
    if settings.secured.is_some() {
        let folder = workplace.path(PLANNER_CERTIFICATES).display().to_string();
        arguments.extend(["--tls".to_owned(), folder, "--signed".to_owned()]);
    }
    arguments.extend(["--allowed-in-flight".to_owned(), CALLS_IN_FLIGHT.to_string()]);
    arguments.extend(["--allowed-calls-per-minute".to_owned(), calls_per_minute(settings).to_string()]);
    if let Some(folder) = &settings.capture {
        arguments.extend(["--capture".to_owned(), folder.join("planner").display().to_string()]);
    }
    arguments
}

/// The agreed load of the demo: three times what its changes need, and room for the first adoption.
fn calls_per_minute(settings: &Settings) -> u32 {
    (settings.changes_per_second * 180 + settings.mailboxes * 2).max(600)
}

/// The service's configuration. Without faults everything is at its default but the addresses and the agreed load;
/// with faults the patience is shortened, so that a run of seconds shows what takes minutes in real life.
fn configuration(
    settings: &Settings,
    workplace: &Workplace,
    database: &str,
    exchange: &str,
    planner: &str,
) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let mut lines = vec![
        "[database]".to_owned(),
        format!("url = {}", text(database)),
        "[exchange]".to_owned(),
        format!("autodiscover_url = {}", text(&format!("{exchange}/autodiscover/autodiscover.svc"))),
        format!("user = {}", text(USER)),
        format!("password = {}", text(PASSWORD)),
    ];
    if let Some(login) = settings.secured {
        let root = workplace.path(EXCHANGE_ROOT_FILE);
        lines.push(format!("root_certificates = {}", text(&root.display().to_string())));
        lines.push(format!("authentication = {}", text(login.as_str())));
        if login == Login::Oauth {
            let url = format!("{exchange}{}", simulator_exchange::TOKEN_PATH);
            lines.push(format!("oauth_token_url = {}", text(&url)));
        }
    }
    if settings.faults {
        lines.push("request_timeout = \"5s\"".to_owned());
    }
    lines.extend([
        "[planner]".to_owned(),
        format!("service_url = {}", text(&format!("{planner}{}", proto_planner::SERVICE_PATH))),
        format!("jobcenter_number = {}", text(JOBCENTER)),
        "request_user_identifier = \"CVR:12345678-UUID:00000000-0000-4000-8000-000000000000\"".to_owned(),
        format!("simultaneous_calls = {CALLS_IN_FLIGHT}"),
        format!("sla_calls_per_minute = {}", calls_per_minute(settings)),
    ]);
    if settings.secured.is_some() {
        lines.push(format!("security = {}", text("mtls+wss")));
        lines.extend(
            [
                ("root_certificates", ROOT_FILE),
                ("client_certificate", CLIENT_FILE),
                ("client_key", CLIENT_KEY_FILE),
                ("server_pin_file", SERVER_FILE),
                ("answer_certificates", SERVER_FILE),
            ]
            .map(|(key, file)| {
                let file = workplace.path(PLANNER_CERTIFICATES).join(file);
                format!("{key} = {}", text(&file.display().to_string()))
            }),
        );
    }
    if settings.faults {
        lines.extend(
            [
                "call_timeout = \"2s\"",
                "retry_initial = \"200ms\"",
                "retry_cap = \"2s\"",
                "compare_after_unknown_outcome = \"3s\"",
            ]
            .map(ToOwned::to_owned),
        );
        lines.extend(
            ["[listener]", "stream_silence_limit = \"3s\"", "catch_up_jitter = \"200ms\""]
                .map(ToOwned::to_owned),
        );
        lines.extend(["[leases]", "ttl = \"3s\"", "renew = \"1s\""].map(ToOwned::to_owned));
    }
    lines.extend(["[telemetry]", "log_format = \"json\""].map(ToOwned::to_owned));
    if let Some(url) = &settings.otlp {
        lines.push(format!("otlp_endpoint = {}", text(url)));
    }
    lines.extend(["[http]", "listen = \"127.0.0.1:0\"", ""].map(ToOwned::to_owned));
    lines.join("\n")
}
