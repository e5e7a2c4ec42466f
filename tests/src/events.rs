//! What the product says of itself: events with a code (B13), in the table `application_log` and in its log.

use crate::scene::Scene;
use crate::wait::wait_for;

/// The process gives up.
const SERVICE_ENDED: u16 = 9301;
/// Something panicked.
const PANICKED: u16 = 9302;

impl Scene {
    /// The events with this code so far: severity, message and values of each, oldest first.
    pub async fn raised(&self, code: u16) -> Vec<String> {
        let client = self.database.store.client("look at the events").await.expect("a connection");
        let rows = client
            .query(
                "select severity || ' ' || message || ' ' || fields::text
                   from application_log where event_id = $1 order by id",
                &[&i32::from(code)],
            )
            .await
            .expect("the table can be read");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits for an event with this code whose text holds `words`, in the table and in the JSON log.
    pub async fn until_raised(&self, code: u16, words: &str) -> String {
        let event = wait_for(&format!("event {code} with {words:?}"), async || {
            let raised = self.raised(code).await;
            match raised.iter().find(|text| text.contains(words)) {
                Some(text) => Ok(text.clone()),
                None => Err(format!("{raised:?}; all: {:?}; {}", self.codes_raised().await, self.log_end())),
            }
        })
        .await;
        assert!(self.is_logged(code), "event {code} is not in the log");
        event
    }

    /// How many events with this code hold `words` by now.
    pub async fn count_raised(&self, code: u16, words: &str) -> usize {
        self.raised(code).await.iter().filter(|text| text.contains(words)).count()
    }

    /// Waits until there are more than `before` events with this code whose text holds `words`.
    pub async fn until_raised_again(&self, code: u16, words: &str, before: usize) {
        wait_for(&format!("another event {code} with {words:?}"), async || {
            match self.count_raised(code, words).await {
                count if count > before => Ok(()),
                count => Err(format!("{count}; all: {:?}; {}", self.codes_raised().await, self.log_end())),
            }
        })
        .await;
    }

    /// Does the JSON log hold an event with this code?
    pub fn is_logged(&self, code: u16) -> bool {
        let log = self.log();
        [',', '}'].iter().any(|after| log.contains(&format!("\"event_id\":{code}{after}")))
    }

    /// The codes raised so far, with how often.
    pub async fn codes_raised(&self) -> Vec<(i32, i64)> {
        let client = self.database.store.client("look at the events").await.expect("a connection");
        let rows = client
            .query("select event_id, count(*) from application_log group by event_id order by event_id", &[])
            .await
            .expect("the table can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Asserts that nothing panicked, that the process is the same that was started, and that the agreement on
    /// calls was kept.
    pub async fn assert_unharmed(&mut self) {
        for code in [PANICKED, SERVICE_ENDED] {
            let raised = self.raised(code).await;
            assert!(raised.is_empty(), "event {code}: {raised:?}");
            assert!(
                !self.log().contains(&format!("\"event_id\":{code},")),
                "event {code}: {}",
                self.log_end()
            );
        }
        assert!(!self.log().contains("panicked at"), "{}", self.log_end());
        if let Some(service) = &mut self.service {
            assert_eq!(service.ended(), None, "the service has ended: {}", self.log_end());
        }
        self.assert_no_violations().await;
    }

    /// The value of the line of the product's /metrics that begins with `name`, its labels included.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let service = self.service.as_ref().expect("the service is running");
        let url = format!("{}/metrics", service.url.trim_end_matches('/'));
        let text = kommuneklient::demo::http::text(&url).await.expect("the page answers");
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// The last lines of the product's log, for the message of a test that failed.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let last: Vec<&str> = log.lines().rev().take(30).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
