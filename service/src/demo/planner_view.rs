//! What Planner holds: through its own operation GetEvents for the verdict, and through the simulator's admin
//! side for what no client of the real service could see (the meter, the log of what was applied).

use std::collections::BTreeMap;
use std::time::Duration;

use base::SharedClock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto_planner::{
    Answer, EventsQuery, Headers, Operation, Request, RequestEnvelope, Response, SERVICE_PATH, TimeForm,
    WireTime,
};
use serde::Deserialize;

use super::changes::Times;
use super::error::DemoError;
use super::http::{Admin, read_bounded};
use super::measure::Applied;
use super::oracle::Key;

/// Mailboxes asked for in one GetEvents.
const MAILBOXES_PER_CALL: usize = 100;
/// Entries asked for at a time.
const LOG_PAGE: usize = 10_000;

/// The simulated Planner as the demo sees it.
#[derive(Debug, Clone)]
pub struct PlannerView {
    admin: Admin,
    http: reqwest::Client,
    url: String,
    jobcenter: String,
    zone: TimeZone,
    clock: SharedClock,
}

/// What the meter counted, as far as the report shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Meter {
    /// Calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// All violations.
    pub violations_total: u64,
    /// Violations by kind.
    pub violations: BTreeMap<String, u64>,
    /// Faults that were played.
    pub faults_fired: u64,
}

#[derive(Deserialize)]
struct Listing {
    events: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    mail: String,
    origin_id: String,
    start: Timestamp,
    end: Timestamp,
}

#[derive(Deserialize)]
struct LogPage {
    entries: Vec<LogLine>,
    last: u64,
    lost: u64,
}

#[derive(Deserialize)]
struct LogLine {
    seq: u64,
    at_us: i64,
    operation: String,
    mail: String,
    origin_id: String,
    start: Timestamp,
    end: Timestamp,
    code: i32,
}

impl PlannerView {
    /// A view on the simulator at `base_url`.
    pub fn new(
        base_url: &str,
        jobcenter: &str,
        zone: TimeZone,
        clock: SharedClock,
    ) -> Result<Self, DemoError> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| DemoError::Admin { path: base_url.to_owned(), reason: error.to_string() })?;
        Ok(Self {
            admin: Admin::new(base_url)?,
            http,
            url: format!("{}{SERVICE_PATH}", base_url.trim_end_matches('/')),
            jobcenter: jobcenter.to_owned(),
            zone,
            clock,
        })
    }

    /// The admin side, for faults.
    pub const fn admin(&self) -> &Admin {
        &self.admin
    }

    /// What the meter counted.
    pub async fn meter(&self) -> Result<Meter, DemoError> {
        self.admin.get("/admin/meter").await
    }

    /// What Planner holds, by the simulator's own listing: cheap, for watching.
    pub async fn listing(&self) -> Result<BTreeMap<Key, Times>, DemoError> {
        let listing: Listing = self.admin.get("/admin/events").await?;
        Ok(listing.events.into_iter().map(|row| ((row.mail, row.origin_id), (row.start, row.end))).collect())
    }

    /// What Planner holds for these mailboxes, by its own operation GetEvents: the verdict rests on this.
    pub async fn get_events(&self, mailboxes: &[String]) -> Result<BTreeMap<Key, Times>, DemoError> {
        let mut all = BTreeMap::new();
        for chunk in mailboxes.chunks(MAILBOXES_PER_CALL) {
            for event in self.ask(chunk).await? {
                let key = (event.origin_email_address.to_lowercase(), event.origin_system_identifier);
                all.insert(key, (event.start, event.end));
            }
        }
        Ok(all)
    }

    async fn ask(&self, mailboxes: &[String]) -> Result<Vec<proto_planner::CalendarEvent>, DemoError> {
        let fail = |reason: String| DemoError::Admin { path: SERVICE_PATH.to_owned(), reason };
        let operation = Operation::GetEvents;
        let now = self.clock.now();
        let envelope = RequestEnvelope {
            headers: Headers::of_system(
                &self.jobcenter,
                "CVR:12345678-FID:1",
                "Kommuneklient demo",
                operation,
                now,
            ),
            request: Request::GetEvents(EventsQuery::of_addresses(mailboxes, None, None)),
        };
        let wire_time = WireTime { zone: self.zone.clone(), form: TimeForm::Utc };
        let body =
            proto_planner::encode_request(&envelope, &wire_time).map_err(|error| fail(error.to_string()))?;
        let answer = self
            .http
            .post(&self.url)
            .header("content-type", "text/xml; charset=utf-8")
            .header("soapaction", format!("\"{}\"", operation.soap_action()))
            .body(body)
            .send()
            .await
            .map_err(|error| fail(error.to_string()))?;
        let bytes = read_bounded(answer, proto_planner::MESSAGE_BYTES_MAX).await.map_err(&fail)?;
        match proto_planner::decode_response(operation, &bytes, &wire_time)
            .map_err(|error| fail(error.to_string()))?
        {
            Answer::Response(Response::GetEvents(answer)) => Ok(answer.events),
            Answer::Response(_) => Err(fail("answered another operation".into())),
            Answer::Fault(_) => Err(fail("answered with a fault".into())),
        }
    }

    /// Everything that Planner accepted so far, oldest first.
    pub async fn applied(&self) -> Result<Vec<Applied>, DemoError> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page: LogPage = self.admin.get(&format!("/admin/log?after={after}&limit={LOG_PAGE}")).await?;
            if page.lost > 0 {
                return Err(DemoError::Admin {
                    path: "/admin/log".into(),
                    reason: format!("{} entries were lost; the run was too long for it", page.lost),
                });
            }
            let Some(last) = page.entries.last().map(|line| line.seq) else { return Ok(all) };
            all.extend(page.entries.into_iter().filter_map(LogLine::applied));
            after = last;
            if after >= page.last {
                return Ok(all);
            }
        }
    }
}

impl LogLine {
    fn applied(self) -> Option<Applied> {
        let deleted = self.operation == Operation::DeleteEvents.name();
        (self.code == 0).then_some(())?;
        Some(Applied {
            at: Timestamp::from_microsecond(self.at_us).ok()?,
            key: (self.mail, self.origin_id),
            times: (!deleted).then_some((self.start, self.end)),
        })
    }
}
