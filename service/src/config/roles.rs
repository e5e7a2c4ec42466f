//! `[node]`: what this process does of the whole (B1: three stages, each stoppable alone).

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{Problems, Section};

/// One stage. Any number of processes may have it; they share its work by leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Listen to Exchange and store every notification (ELS).
    Listen,
    /// Fetch appointments, decide, store decisions; full pulls (EPS).
    Qualify,
    /// Tell Planner; resource list; adoption and comparison (PCS).
    Communicate,
}

/// All of them, in the order in which a change walks.
pub(super) const ALL: [Role; 3] = [Role::Listen, Role::Qualify, Role::Communicate];

impl Role {
    /// Its name in the configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Qualify => "qualify",
            Self::Communicate => "communicate",
        }
    }

    /// Does it call Exchange? The others need neither its address nor an account.
    pub const fn reads_exchange(self) -> bool {
        matches!(self, Self::Listen | Self::Qualify)
    }
}

/// What this process is in the installation.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// The stages that this process runs. Each needs only its part of the configuration.
    pub roles: Vec<Role>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self { roles: ALL.to_vec() }
    }
}

impl NodeConfig {
    /// Has it this role?
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Does any of its roles call Exchange?
    pub fn reads_exchange(&self) -> bool {
        self.roles.iter().any(|role| role.reads_exchange())
    }

    /// The names of its roles, each once, in the order in which a change walks.
    pub fn names(&self) -> Vec<&'static str> {
        ALL.into_iter().filter(|role| self.has(*role)).map(Role::name).collect()
    }
}

impl Section for NodeConfig {
    const NAME: &'static str = "node";

    fn check(&self, check: &mut Problems) {
        if self.roles.is_empty() {
            check.add("roles", "must name at least one of listen, qualify, communicate");
        }
    }
}
