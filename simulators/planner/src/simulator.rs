//! Starting and ending the simulator.

use std::net::{Ipv4Addr, SocketAddr};

use actix_web::web;
use proto_planner::{MESSAGE_BYTES_MAX, SERVICE_PATH};
use simulator_kit::{Server, ServerOptions};

use crate::security::Certificates;
use crate::shared::Shared;
use crate::{Options, SimulatorError, admin, service};

#[cfg(test)]
mod tests;

/// How many threads answer requests.
const WORKERS: usize = 2;

/// A running simulator, served over a socket. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    server: Server,
    /// The admin paths without TLS, where the service has it.
    admin: Option<Server>,
}

impl Simulator {
    /// Starts the simulator; it answers when this returns.
    ///
    /// # Errors
    /// [`SimulatorError::Option`] for options that cannot be, [`SimulatorError::Kit`] when the address or
    /// the capture folder cannot be had or a fault rule is wrong.
    pub async fn start(options: Options) -> Result<Self, SimulatorError> {
        Self::serve(options, false).await
    }

    async fn serve(options: Options, ends_by_signal: bool) -> Result<Self, SimulatorError> {
        options.check()?;
        let certificates = options.tls.as_deref().map(Certificates::make).transpose()?;
        let server_options = ServerOptions {
            name: "planner simulator",
            listen: options.listen,
            body_bytes_max: MESSAGE_BYTES_MAX,
            workers: WORKERS,
            ends_by_signal,
            tls: certificates.as_ref().map(|certificates| certificates.tls.clone()),
            clock: std::sync::Arc::clone(&options.clock),
        };
        let shared = web::Data::new(Shared::new(options, certificates.as_ref())?);
        let admin = match &certificates {
            None => None,
            Some(_) => {
                let listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
                let plain = ServerOptions {
                    name: "planner simulator admin",
                    listen,
                    workers: 1,
                    ends_by_signal: false,
                    tls: None,
                    ..server_options.clone()
                };
                let shared = shared.clone();
                let observed = move |config: &mut web::ServiceConfig| {
                    admin_routes(config, &shared);
                    config.service(web::resource(SERVICE_PATH).route(web::post().to(service::observe)));
                };
                Some(Server::start(plain, observed).await?)
            }
        };
        let server = Server::start(server_options, move |config| {
            admin_routes(config, &shared);
            config.service(
                web::resource(SERVICE_PATH)
                    .route(web::get().to(service::describe))
                    .route(web::post().to(service::call)),
            );
        })
        .await?;
        Ok(Self { server, admin })
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end; the admin paths are below it. Plain also where the
    /// service has TLS.
    pub fn url(&self) -> String {
        self.admin.as_ref().unwrap_or(&self.server).url()
    }

    /// The service's own address.
    pub fn endpoint(&self) -> String {
        format!("{}{SERVICE_PATH}", self.server.url())
    }

    /// Ends the simulator.
    ///
    /// # Errors
    /// [`SimulatorError::Kit`] when the server had failed.
    pub async fn stop(self) -> Result<(), SimulatorError> {
        if let Some(admin) = self.admin {
            admin.stop().await?;
        }
        Ok(self.server.stop().await?)
    }
}

/// The admin paths, and what they share with the service.
fn admin_routes(config: &mut web::ServiceConfig, shared: &web::Data<Shared>) {
    shared.faults.routes(config);
    config.app_data(shared.clone()).configure(admin::routes);
}

/// Runs the simulator as a process of its own: prints the line with `listening` on standard output when it
/// is ready and returns after SIGINT or SIGTERM.
///
/// # Errors
/// As [`Simulator::start`].
pub async fn run(options: Options) -> Result<(), SimulatorError> {
    let mut simulator = Simulator::serve(options, true).await?;
    simulator.server.announce();
    if let Some(admin) = &simulator.admin {
        admin.announce();
    }
    Ok(simulator.server.ended().await?)
}
