//! `[leases]`

use serde::{Deserialize, Serialize};

use super::{HumanDuration, Problems, Section};

/// Who owns which work.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeasesConfig {
    /// A lease that is not renewed for this long can be taken by another instance.
    pub ttl: HumanDuration,
    /// How often leases are renewed; at most a third of `ttl`, so that one lost renewal loses nothing.
    pub renew: HumanDuration,
}

impl Default for LeasesConfig {
    fn default() -> Self {
        Self { ttl: HumanDuration::seconds(12), renew: HumanDuration::seconds(4) }
    }
}

impl Section for LeasesConfig {
    const NAME: &'static str = "leases";

    fn check(&self, check: &mut Problems) {
        check.range("ttl", self.ttl, HumanDuration::seconds(1)..=HumanDuration::minutes(10));
        check.range("renew", self.renew, HumanDuration::millis(100)..=HumanDuration::minutes(3));
        if self.renew.get() * 3 > self.ttl.get() {
            check.add("renew", format!("must be at most a third of ttl ({})", self.ttl));
        }
    }
}
