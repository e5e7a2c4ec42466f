//! What can keep the simulator from starting.

use base::Disposition;
use simulator_kit::KitError;

/// Why the simulator could not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// An option that cannot be.
    #[error("starting the planner simulator: option {option}: {reason}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The certificates that were made cannot sign.
    #[error("signing messages of the planner simulator")]
    Keys(#[source] proto_wsse::WsseError),
    /// Serving, capture or a fault rule failed.
    #[error("running the planner simulator")]
    Kit(#[from] KitError),
}

impl SimulatorError {
    /// Nothing here gets better by trying again without a change from outside.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Option { .. } | Self::Keys(_) => Disposition::Escalate,
            Self::Kit(error) => error.disposition(),
        }
    }
}
