//! `kommuneklient simulate`: hands the arguments to the simulators.

use std::time::Duration;

use crate::ServiceError;
use crate::cli::{SimulateCommand, SimulateExchangeArgs, SimulatedLogin};

/// Runs a simulator until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServiceError::Simulator`] for options that make no sense, an address in use, or a server that failed.
pub fn simulate(command: SimulateCommand) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Runtime::new().map_err(ServiceError::Runtime)?;
    match command {
        SimulateCommand::Exchange(arguments) => {
            let options = exchange_options(arguments)?;
            runtime.block_on(simulator_exchange::run(options)).map_err(failed("Exchange"))
        }
        SimulateCommand::Planner(options) => {
            runtime.block_on(simulator_planner::run(options)).map_err(failed("Planner"))
        }
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    what: &'static str,
) -> impl FnOnce(E) -> ServiceError {
    move |error| ServiceError::Simulator { what, source: error.into() }
}

fn exchange_options(arguments: SimulateExchangeArgs) -> Result<simulator_exchange::Options, ServiceError> {
    let faults = arguments
        .faults
        .iter()
        .map(|rule| serde_json::from_str(rule))
        .collect::<Result<_, _>>()
        .map_err(failed("Exchange"))?;
    Ok(simulator_exchange::Options {
        listen: arguments.listen,
        mailboxes: arguments.mailboxes,
        domain: arguments.domain,
        user: arguments.user,
        password: arguments.password,
        accounts: arguments.accounts,
        tls: arguments.tls_root.as_deref().map(tls).transpose()?,
        logins: simulator_exchange::Logins {
            basic: arguments.logins.contains(&SimulatedLogin::Basic),
            ntlm: arguments.logins.contains(&SimulatedLogin::Ntlm),
            bearer: arguments.logins.contains(&SimulatedLogin::Oauth),
        },
        calendars: arguments.calendars,
        groups: arguments.groups,
        capture: arguments.capture,
        heartbeat: Duration::from_secs(arguments.heartbeat_seconds),
        faults,
        seed: arguments.seed,
        ends_by_signal: true,
        ..simulator_exchange::Options::default()
    })
}

/// TLS with a certificate of a new authority, whose root is written to `root`.
fn tls(root: &std::path::Path) -> Result<simulator_kit::Tls, ServiceError> {
    let authority = simulator_kit::Authority::new("Exchange simulator").map_err(failed("Exchange"))?;
    let issued = authority.issue(&simulator_kit::Wanted::loopback()).map_err(failed("Exchange"))?;
    std::fs::write(root, authority.root_pem()).map_err(failed("Exchange"))?;
    issued.tls(simulator_kit::Clients::Any).map_err(failed("Exchange"))
}
