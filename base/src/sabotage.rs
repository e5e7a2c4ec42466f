//! Builds that are broken on purpose, to see that the torture run catches them.
//!
//! In the product [`is_broken`] is always false and costs nothing. Only a build with the feature `crash-points`
//! listens to `KOMMUNEKLIENT_BREAK=fence` (or another name of [`Safeguard`]; several with commas) and then leaves
//! that safeguard out.

/// A safeguard that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safeguard {
    /// The check of the fencing token in protected writes.
    Fence,
    /// The catch-up after a gap.
    CatchUp,
    /// Learning what Planner holds before anything is sent for a new mailbox.
    Adoption,
    /// Keys in flight wait for the deadline of their call before they are freed.
    InFlight,
    /// Permits of former owners of the communicator's duties count.
    Budget,
}

impl Safeguard {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fence, Self::CatchUp, Self::Adoption, Self::InFlight, Self::Budget];

    /// Its name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::CatchUp => "catch-up",
            Self::Adoption => "adoption",
            Self::InFlight => "in-flight",
            Self::Budget => "budget",
        }
    }
}

/// Is this safeguard left out on purpose?
#[cfg(feature = "crash-points")]
pub fn is_broken(safeguard: Safeguard) -> bool {
    static BROKEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let broken = BROKEN.get_or_init(|| std::env::var("KOMMUNEKLIENT_BREAK").unwrap_or_default());
    broken.split(',').any(|name| name == safeguard.name())
}

/// Is this safeguard left out on purpose? Never in the product.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn is_broken(_: Safeguard) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_broken_unless_told() {
        assert!(Safeguard::ALL.iter().all(|safeguard| !is_broken(*safeguard)));
        let mut names = Safeguard::ALL.map(Safeguard::name);
        names.sort_unstable();
        assert_eq!(names, ["adoption", "budget", "catch-up", "fence", "in-flight"]);
    }
}
