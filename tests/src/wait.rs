//! Waiting for a condition.

use std::time::Duration;

/// How long a condition may take in a test.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until `look` answers `Ok`, and returns its value.
///
/// # Panics
/// When it does not within [`PATIENCE`], with the last status.
pub async fn wait_for<T, F: Future<Output = Result<T, String>>>(what: &str, look: impl FnMut() -> F) -> T {
    wait_longer(PATIENCE, what, look).await
}

/// The same with another patience: for what comes about after a pause of minutes.
///
/// # Panics
/// As [`wait_for`].
pub async fn wait_longer<T, F: Future<Output = Result<T, String>>>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let begin = tokio::time::Instant::now();
    loop {
        let last = match look().await {
            Ok(value) => return value,
            Err(status) => status,
        };
        let waited = tokio::time::Instant::now().duration_since(begin);
        assert!(waited < patience, "{what} did not come about within {waited:?}; last: {last}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
