//! What a supervisor does about a child that ended: which children come back, and who goes with them.

use serde::{Deserialize, Serialize};

/// Which ends of a child lead to a new incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Any end: the child is meant to live as long as its supervisor.
    Permanent,
    /// Only a failure: a child that stops by itself has done its work.
    Transient,
    /// Never.
    Temporary,
}

impl Restart {
    /// Does an end call for a new incarnation? `failed` is false when the child stopped by itself.
    pub const fn wants_restart(self, failed: bool) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => failed,
            Self::Temporary => false,
        }
    }
}

/// Which siblings are restarted along with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Only the child itself: siblings do not depend on one another.
    OneForOne,
    /// All of them: siblings share state that one failure makes worthless.
    OneForAll,
    /// The child and those started after it: later siblings depend on earlier ones.
    RestForOne,
}
