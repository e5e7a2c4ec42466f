//! The pace of a rehearsal: what takes minutes in service takes seconds in the torture run.
//!
//! Most times of the product are settings, and a torture run simply sets them short. Those that are no settings,
//! because nobody should ever change them (the 60 s of the agreement with Planner, the wait for what Planner applies
//! late, caps of back-offs), go through [`scaled`]. In the product this is the identity. Only a build with the feature
//! `crash-points` listens to `KOMMUNEKLIENT_PACE=n` and then lets them take an n-th, [`LONGEST`] at most.
//!
//! Pure but for one look at the environment; a value that is no number above zero counts as 1.

use std::time::Duration;

/// The longest that a scaled time takes in a rehearsal: a run of seconds cannot wait for an n-th of an hour.
pub const LONGEST: Duration = Duration::from_secs(4);

/// `time` at the pace of this process.
#[inline]
pub fn scaled(time: Duration) -> Duration {
    at(factor(), time)
}

fn at(factor: u32, time: Duration) -> Duration {
    match factor {
        0 | 1 => time,
        factor => (time / factor).clamp(Duration::from_millis(1), LONGEST),
    }
}

#[cfg(feature = "crash-points")]
fn factor() -> u32 {
    static FACTOR: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *FACTOR.get_or_init(|| {
        std::env::var("KOMMUNEKLIENT_PACE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
    })
}

#[cfg(not(feature = "crash-points"))]
const fn factor() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_become_seconds_and_hours_no_more_than_a_few() {
        let minute = Duration::from_secs(60);
        assert_eq!(at(1, minute), minute);
        assert_eq!(at(0, minute), minute);
        assert_eq!(at(20, minute), Duration::from_secs(3));
        assert_eq!(at(20, 60 * minute), LONGEST);
        assert_eq!(at(20, Duration::from_millis(5)), Duration::from_millis(1));
    }

    #[test]
    fn the_product_keeps_its_times() {
        assert_eq!(scaled(Duration::from_secs(840)), Duration::from_secs(840));
    }
}
