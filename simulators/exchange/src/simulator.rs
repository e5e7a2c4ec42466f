//! Starting, stopping, and being down for a while.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use simulator_kit::{Capture, KitError, Server, ServerOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::admin::{self, Command};
use crate::ids::FolderKind;
use crate::options::Options;
use crate::server::REQUEST_BYTES_MAX;
use crate::service::Service;
use crate::{SimulatorError, discover, ics, logon, server};

/// Where tokens are given out: at the place that Entra has below a tenant.
pub const TOKEN_PATH: &str = "/oauth2/v2.0/token";
/// The simulator's name in its ready line.
const NAME: &str = "exchange simulator";
/// Between an admin request that takes the server down and its end, so that the request is answered.
const BEFORE_DOWN: Duration = Duration::from_millis(100);
/// How often the old address is tried after a time down, once a second.
const BIND_TRIES: u32 = 30;

/// A simulator that is being served. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    url: String,
    service: Arc<Service>,
    commands: mpsc::Sender<Command>,
    owner: JoinHandle<()>,
}

impl Simulator {
    /// Starts a simulator; it answers requests when this returns. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SimulatorError`]: an address that cannot be had, options that can never work, a calendar that
    /// cannot be read.
    pub async fn start(options: Options) -> Result<Self, SimulatorError> {
        let capture = options.capture.as_deref().map(Capture::open).transpose()?;
        let service = Arc::new(Service::new(options, capture)?);
        if let Some(folder) = &service.options.calendars {
            load(&service, folder)?;
        }
        let (commands, received) = mpsc::channel(4);
        let first = serve(&service, service.options.listen, &commands).await?;
        let (address, url) = (first.address(), first.url());
        let owner = Owner { service: Arc::clone(&service), commands: commands.clone(), address };
        let owner = tokio::spawn(owner.run(first, received));
        Ok(Self { address, url, service, commands, owner })
    }

    /// The address that it listens on, with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The EWS endpoint.
    pub fn ews_url(&self) -> String {
        format!("{}/EWS/Exchange.asmx", self.url)
    }

    /// The Autodiscover endpoint.
    pub fn autodiscover_url(&self) -> String {
        format!("{}/autodiscover/autodiscover.svc", self.url)
    }

    /// The Autodiscover endpoint that is spoken to plainly, without SOAP.
    pub fn plain_autodiscover_url(&self) -> String {
        format!("{}/autodiscover/autodiscover.xml", self.url)
    }

    /// The token service.
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.url)
    }

    /// What it holds, for tests in the same process.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Ends the simulator; open connections are cut.
    pub async fn stop(mut self) {
        // A closed channel says that the owner has ended already.
        let _ = self.commands.send(Command::Stop).await;
        if let Err(error) = (&mut self.owner).await {
            tracing::warn!(%error, "the simulator's owner ended badly");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The owner holds the server, which ends when it is dropped.
        self.owner.abort();
    }
}

async fn serve(
    service: &Arc<Service>,
    listen: SocketAddr,
    commands: &mpsc::Sender<Command>,
) -> Result<Server, KitError> {
    let options = ServerOptions {
        name: NAME,
        listen,
        body_bytes_max: REQUEST_BYTES_MAX,
        workers: service.options.workers,
        ends_by_signal: false,
        tls: service.options.tls.as_ref().map(|tls| tls.config.clone()),
        clock: Arc::clone(&service.options.clock),
    };
    let data = web::Data::from(Arc::clone(service));
    let commands = web::Data::new(commands.clone());
    let configure = move |config: &mut web::ServiceConfig| {
        config
            .app_data(data.clone())
            .app_data(commands.clone())
            .route("/EWS/Exchange.asmx", web::post().to(server::ews))
            .route("/ews/exchange.asmx", web::post().to(server::ews))
            .route(TOKEN_PATH, web::post().to(logon::token))
            .route("/autodiscover/autodiscover.svc", web::post().to(discover::get_user_settings))
            .route("/autodiscover/autodiscover.xml", web::post().to(discover::plainly));
        admin::routes(config);
    };
    Server::start(options, configure).await
}

/// Owns the listening server, and takes it down for a while when told.
struct Owner {
    service: Arc<Service>,
    commands: mpsc::Sender<Command>,
    address: SocketAddr,
}

impl Owner {
    async fn run(self, first: Server, mut received: mpsc::Receiver<Command>) {
        let mut server = Some(first);
        while let Some(command) = received.recv().await {
            let Some(current) = server.take() else { break };
            let Command::Down(duration) = command else {
                stop(current).await;
                break;
            };
            tokio::time::sleep(BEFORE_DOWN).await;
            stop(current).await;
            tracing::info!(duration_ms = duration.as_millis(), "down on purpose");
            tokio::time::sleep(duration).await;
            server = self.again().await;
        }
    }

    async fn again(&self) -> Option<Server> {
        for _ in 0..BIND_TRIES {
            match serve(&self.service, self.address, &self.commands).await {
                Ok(server) => return Some(server),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the address is not free yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        tracing::error!(address = %self.address, "the address could not be had again");
        None
    }
}

async fn stop(server: Server) {
    if let Err(error) = server.stop().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the server had ended badly");
    }
}

/// Loads a folder of calendars: `NAME.ics` is the mailbox NAME, or NAME@domain.
fn load(service: &Service, folder: &Path) -> Result<(), SimulatorError> {
    let failed = |source| SimulatorError::Calendars { folder: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort();
    for file in files {
        let is_calendar = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ics"));
        let Some(stem) = file.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_calendar) else {
            continue;
        };
        let address = match stem.contains('@') {
            true => stem.to_owned(),
            false => format!("{stem}@{}", service.options.domain),
        };
        let content = std::fs::read(&file).map_err(failed)?;
        let now = service.now();
        let loaded = ics::read(&String::from_utf8_lossy(&content), &service.zone, now)
            .map_err(|source| SimulatorError::Calendar { file: file.clone(), source })?;
        for skipped in &loaded.skipped {
            tracing::warn!(file = %file.display(), line = skipped.line, reason = %skipped.reason, "skipped an event");
        }
        let key = service.add_mailbox(&address, None)?;
        let count = loaded.appointments.len();
        let mut world = service.world();
        for appointment in loaded.appointments {
            if let Some(mailbox) = world.mailboxes.get_mut(&key) {
                mailbox.create(FolderKind::Calendar, appointment, now);
            }
        }
        tracing::info!(file = %file.display(), appointments = count, "loaded a calendar");
    }
    Ok(())
}

/// Runs a simulator as the whole of a process: prints its ready line, and ends on SIGINT or SIGTERM.
///
/// # Errors
/// Like [`Simulator::start`].
pub async fn run(options: Options) -> Result<(), SimulatorError> {
    let ends_by_signal = options.ends_by_signal;
    let simulator = Simulator::start(options).await?;
    ready(&format!("{NAME} listening on {}", simulator.url()));
    if ends_by_signal {
        ended_by_signal().await;
    } else {
        std::future::pending::<()>().await;
    }
    simulator.stop().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the ready line is what scripts wait for")]
fn ready(line: &str) {
    println!("{line}");
}

async fn ended_by_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "no handler for SIGTERM; only SIGINT ends this");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
