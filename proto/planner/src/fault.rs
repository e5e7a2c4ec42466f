//! A call that failed as a whole.

use std::fmt;

/// A SOAP fault with Planner's detail, where there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct PlannerFault {
    /// Whose fault it is.
    pub code: FaultCode,
    /// The fault's text, for people.
    pub text: String,
    /// Planner's own detail.
    pub details: Option<FaultDetails>,
}

/// The fault codes of SOAP 1.1 that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultCode {
    /// The message was wrong.
    Client,
    /// The service failed.
    Server,
    /// Any other code, without its prefix (`VersionMismatch`, `MustUnderstand`, a service's own).
    Other(String),
}

impl FaultCode {
    /// The code's local name.
    pub fn local_name(&self) -> &str {
        match self {
            Self::Client => "Client",
            Self::Server => "Server",
            Self::Other(name) => name,
        }
    }

    /// The code that a local name stands for.
    pub fn from_local_name(name: &str) -> Self {
        match name {
            "Client" => Self::Client,
            "Server" => Self::Server,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Planner's detail of a fault; every part of it is optional.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FaultDetails {
    /// Planner's number for the error.
    pub error_code: Option<i32>,
    /// Planner's words.
    pub message: Option<String>,
    /// The error beneath.
    pub inner_exception: Option<String>,
    /// Where in Planner it happened.
    pub stack_trace: Option<String>,
    /// Which part of Planner it was.
    pub source: Option<String>,
}

/// Shows code and number; Planner's words may repeat what was sent and stay out of logs.
impl fmt::Debug for PlannerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannerFault")
            .field("code", &self.code)
            .field("error_code", &self.details.as_ref().and_then(|details| details.error_code))
            .finish_non_exhaustive()
    }
}

/// Shows the number only, as [`PlannerFault`] does.
impl fmt::Debug for FaultDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultDetails").field("error_code", &self.error_code).finish_non_exhaustive()
    }
}
