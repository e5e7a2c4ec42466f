//! Starting and ending the simulator.

use actix_web::web;
use proto_planner::{MESSAGE_BYTES_MAX, SERVICE_PATH};
use simulator_kit::{Server, ServerOptions};

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
        let server_options = ServerOptions {
            name: "planner simulator",
            listen: options.listen,
            body_bytes_max: MESSAGE_BYTES_MAX,
            workers: WORKERS,
            ends_by_signal,
            clock: std::sync::Arc::clone(&options.clock),
        };
        let shared = web::Data::new(Shared::new(options)?);
        let server = Server::start(server_options, move |config| {
            shared.faults.routes(config);
            config
                .app_data(shared.clone())
                .service(
                    web::resource(SERVICE_PATH)
                        .route(web::get().to(service::describe))
                        .route(web::post().to(service::call)),
                )
                .configure(admin::routes);
        })
        .await?;
        Ok(Self { server })
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end; the admin paths are below it.
    pub fn url(&self) -> String {
        self.server.url()
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
        Ok(self.server.stop().await?)
    }
}

/// Runs the simulator as a process of its own: prints the line with `listening` on standard output when it
/// is ready and returns after SIGINT or SIGTERM.
///
/// # Errors
/// As [`Simulator::start`].
pub async fn run(options: Options) -> Result<(), SimulatorError> {
    let mut simulator = Simulator::serve(options, true).await?;
    simulator.server.announce();
    Ok(simulator.server.ended().await?)
}
