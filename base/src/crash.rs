//! Places between two steps at which a torture run may let the process die.
//!
//! [`point`] stands between two steps whose order matters: what was done before it is done, what comes after it is
//! not. Without the cargo feature `crash-points` it is nothing at all, and none of the variables below is read: the
//! product's own program is built without it. With the feature (the program under test of the end-to-end crate has
//! it) the process does what its environment says:
//!
//! | variable | |
//! |---|---|
//! | `KOMMUNEKLIENT_CRASH_AT=name:n` | SIGKILL to itself at the n-th pass of the point `name` (`name` alone: at the first); of several with commas, the one that is met first |
//! | `KOMMUNEKLIENT_CRASH_UNLESS=file` | no SIGKILL once that file exists: a pass that was to be the last goes on, and no later one is in its place |
//! | `KOMMUNEKLIENT_PANIC_AT=name:n` | a panic at each of the first n passes of the point `name` (`name` alone: at every one) |
//! | `KOMMUNEKLIENT_CRASH_TRACE=file` | a line `pid name` in that file at the first pass of each point |
//! | `KOMMUNEKLIENT_CLOCK_OFFSET_MS=±n` | the wall clock of [`SystemClock`](crate::SystemClock) is so much ahead; the other one is not touched |
//!
//! ([`pace`](crate::pace) and [`sabotage`](crate::sabotage) listen under the same feature.)
//!
//! Failure: what cannot be understood is an error of [`check`], which the program under test asks first; a run must
//! not pass because its fault was misspelt.

mod points;

#[cfg(feature = "crash-points")]
mod armed;
#[cfg(test)]
mod tests;

pub use points::{POINTS, Point};

#[cfg(feature = "crash-points")]
pub use armed::{CrashError, check, clock_offset, point};

/// Passes the point `name` of [`POINTS`]. Built without `crash-points`, this is nothing.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub const fn point(_name: &'static str) {}
