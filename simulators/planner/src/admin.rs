//! The admin paths and the JSON that they speak. Times are RFC 3339 in UTC.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures::{Stream, stream};
use jiff::Timestamp;
use proto_planner::CalendarResource;
use serde::{Deserialize, Serialize};
use simulator_kit::{PageQuery, reply};
use uuid::Uuid;

use crate::model::{Held, Row};
use crate::shared::Shared;

/// How many mailboxes of the list of appointments are written at one time.
const MAILBOXES_PER_PIECE: usize = 256;

/// An appointment that Planner holds: a row of `GET /admin/events` (`{"events": [row, …]}`, ordered by mail
/// address and origin id; `?mail=` for one address).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Lower-cased mail address.
    pub mail: String,
    /// Origin id; empty where there is none.
    pub origin_id: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Is it Planner's own?
    pub planner_own: bool,
    /// Planner's identifier of it.
    pub calendar_event_identifier: Uuid,
}

/// The answer to `GET /admin/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventList {
    /// The rows.
    pub events: Vec<EventRow>,
}

/// An appointment to be planted by `POST /admin/events`, which takes a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantedEvent {
    /// Mail address; need not be a resource.
    pub mail: String,
    /// Origin id; empty or absent for an appointment that nobody outside Planner knows.
    #[serde(default)]
    pub origin_id: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Is it Planner's own, so that changes of it get code 13?
    #[serde(default)]
    pub planner_own: bool,
}

/// Which appointments `DELETE /admin/events` removes and `GET /admin/events` lists; nothing given is all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFilter {
    mail: Option<String>,
    origin_id: Option<String>,
}

/// One appointment of a change, as it was taken: an entry of `GET /admin/log?after=SEQ&limit=N`, which
/// answers a [`simulator_kit::Page`] of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When it took effect, by the wall clock, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// The operation's name.
    pub operation: std::borrow::Cow<'static, str>,
    /// Lower-cased mail address.
    pub mail: Arc<str>,
    /// Origin id.
    pub origin_id: Arc<str>,
    /// The start that was sent.
    pub start: Timestamp,
    /// The end that was sent.
    pub end: Timestamp,
    /// The receipt's code; only 0 changed anything.
    pub code: i32,
}

/// A resource, as `GET /admin/resources` lists and `POST /admin/resources` sets them (a list; it may be
/// empty, and an address may occur twice).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Mail address.
    pub address: String,
    /// Case worker (or room)?
    #[serde(default = "Resource::default_case_worker")]
    pub is_case_worker: bool,
    /// Name for people; the part before the `@` where it is absent.
    #[serde(default)]
    pub name: Option<String>,
}

impl Resource {
    const fn default_case_worker() -> bool {
        true
    }

    /// The resource as the service tells it.
    pub(crate) fn on_the_wire(self, id: Uuid) -> CalendarResource {
        let local = self.address.split('@').next().unwrap_or_default();
        let name = self.name.unwrap_or_else(|| local.to_owned());
        CalendarResource {
            name,
            planner_resource_identifier: Some(id),
            is_case_worker: self.is_case_worker,
            ..CalendarResource::of_address(&self.address)
        }
    }
}

impl From<Row> for EventRow {
    fn from(row: Row) -> Self {
        Self {
            mail: row.mail.to_string(),
            origin_id: row.origin_id.to_string(),
            start: row.held.start,
            end: row.held.end,
            planner_own: row.held.planner_own,
            calendar_event_identifier: row.held.id,
        }
    }
}

/// Mounts all admin paths but those of the kit.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/admin/events")
                .route(web::get().to(list_events))
                .route(web::post().to(plant_events))
                .route(web::delete().to(remove_events)),
        )
        .service(
            web::resource("/admin/meter")
                .route(web::get().to(read_meter))
                .route(web::delete().to(reset_meter)),
        )
        .service(
            web::resource("/admin/resources")
                .route(web::get().to(list_resources))
                .route(web::post().to(set_resources)),
        )
        .route("/admin/log", web::get().to(read_log))
        .route("/admin/calls", web::get().to(read_calls));
}

async fn list_events(shared: web::Data<Shared>, filter: web::Query<EventFilter>) -> HttpResponse {
    if filter.origin_id.is_none() && filter.mail.is_none() {
        let pieces = event_pieces(shared.into_inner());
        return HttpResponse::Ok().content_type("application/json").streaming(pieces);
    }
    let rows: Vec<Row> = match &filter.mail {
        Some(mail) => shared.planner().rows_of(mail).collect(),
        None => Vec::new(),
    };
    let wanted = |row: &Row| filter.origin_id.as_deref().is_none_or(|origin| *row.origin_id == *origin);
    let events = rows.into_iter().filter(wanted).map(EventRow::from).collect();
    reply::json(&EventList { events })
}

/// The list of all appointments piece by piece, so that millions of them neither fill the memory nor hold
/// the lock for long. Each mailbox is seen at one moment, different mailboxes at different ones.
fn event_pieces(shared: Arc<Shared>) -> impl Stream<Item = Result<Bytes, serde_json::Error>> {
    enum Position {
        Begin,
        After(Option<Arc<str>>, bool),
        End,
    }
    stream::unfold((shared, Position::Begin), |(shared, position)| async move {
        let (after, mut first) = match position {
            Position::Begin => {
                let opening = Ok(Bytes::from_static(b"{\"events\":["));
                return Some((opening, (shared, Position::After(None, true))));
            }
            Position::After(after, first) => (after, first),
            Position::End => return None,
        };
        let page = shared.planner().page(after.as_deref(), MAILBOXES_PER_PIECE);
        let Some((last, rows)) = page else {
            return Some((Ok(Bytes::from_static(b"]}")), (shared, Position::End)));
        };
        let mut piece = Vec::new();
        for row in rows {
            if !std::mem::take(&mut first) {
                piece.push(b',');
            }
            if let Err(error) = serde_json::to_writer(&mut piece, &EventRow::from(row)) {
                return Some((Err(error), (shared, Position::End)));
            }
        }
        Some((Ok(Bytes::from(piece)), (shared, Position::After(Some(last), first))))
    })
}

async fn plant_events(shared: web::Data<Shared>, events: web::Json<Vec<PlantedEvent>>) -> HttpResponse {
    let events = events.into_inner();
    let planted = events.len();
    let mut planner = shared.planner();
    for event in events {
        let held =
            Held { id: Uuid::new_v4(), start: event.start, end: event.end, planner_own: event.planner_own };
        planner.plant(Row { mail: event.mail.into(), origin_id: event.origin_id.into(), held });
    }
    drop(planner);
    reply::json(&serde_json::json!({ "planted": planted }))
}

async fn remove_events(shared: web::Data<Shared>, filter: web::Query<EventFilter>) -> HttpResponse {
    let removed = shared.planner().remove(filter.mail.as_deref(), filter.origin_id.as_deref());
    reply::json(&serde_json::json!({ "removed": removed }))
}

async fn read_meter(shared: web::Data<Shared>) -> HttpResponse {
    let mut report = shared.meter().report();
    report.faults_fired = shared.faults.fired();
    reply::json(&report)
}

async fn reset_meter(shared: web::Data<Shared>) -> HttpResponse {
    shared.meter().reset();
    read_meter(shared).await
}

async fn read_log(shared: web::Data<Shared>, query: web::Query<PageQuery>) -> HttpResponse {
    reply::json(&shared.log.page(*query))
}

async fn read_calls(shared: web::Data<Shared>, query: web::Query<PageQuery>) -> HttpResponse {
    reply::json(&shared.calls.page(*query))
}

async fn list_resources(shared: web::Data<Shared>) -> HttpResponse {
    let resources = shared.planner().resources(&[]);
    let listed = resources.into_iter().map(|resource| Resource {
        address: resource.email_address,
        is_case_worker: resource.is_case_worker,
        name: Some(resource.name),
    });
    reply::json(&listed.collect::<Vec<_>>())
}

async fn set_resources(shared: web::Data<Shared>, resources: web::Json<Vec<Resource>>) -> HttpResponse {
    let resources: Vec<_> =
        resources.into_inner().into_iter().map(|resource| resource.on_the_wire(Uuid::new_v4())).collect();
    let count = resources.len();
    shared.planner().set_resources(resources);
    reply::json(&serde_json::json!({ "resources": count }))
}
