//! People who change many appointments of a calendar with one call, so that making changes costs little beside what
//! follows of them.

use std::time::Duration;

use jiff::Timestamp;
use kommuneklient::demo::http::read_bounded;
use proto_ews::operation::{CreateItem, FieldUpdate, ItemChange, UpdateItem};
use proto_ews::{
    CalendarItem, ConflictResolution, FolderRef, FreeBusy, Impersonation, Item, ItemId, Limits, PropertyPath,
    Request, RequestEnvelope, Response, ResponseMessage, decode_response, encode_request, field,
};

use crate::world::{PASSWORD, USER};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// An appointment: its UID and its times.
pub(crate) type Appointment = (String, (Timestamp, Timestamp));

/// A client of the simulated Exchange.
#[derive(Debug, Clone)]
pub(crate) struct People {
    http: reqwest::Client,
    url: String,
}

impl People {
    /// Of this server.
    pub(crate) fn new(exchange: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build();
        Self { http: http.expect("a client can be made"), url: format!("{exchange}/EWS/Exchange.asmx") }
    }

    /// Puts appointments into a calendar; answers their identifiers.
    pub(crate) async fn create(&self, mailbox: &str, appointments: &[Appointment]) -> Vec<ItemId> {
        let item = |(uid, (start, end)): &Appointment| {
            let item = CalendarItem {
                uid: Some(uid.clone()),
                start: Some(*start),
                end: Some(*end),
                free_busy: Some(FreeBusy::Busy),
                ..CalendarItem::default()
            };
            item.into()
        };
        let request = Request::CreateItem(CreateItem {
            message_disposition: None,
            send_meeting_invitations: Some("SendToNone".into()),
            saved_item_folder: Some(FolderRef::calendar()),
            items: appointments.iter().map(item).collect(),
        });
        let Response::CreateItem(messages) = self.call(mailbox, request).await else {
            panic!("CreateItem was answered with something else")
        };
        identifiers(messages)
    }

    /// Gives appointments other times; answers their new identifiers.
    pub(crate) async fn reschedule(
        &self,
        mailbox: &str,
        items: &[(ItemId, (Timestamp, Timestamp))],
    ) -> Vec<ItemId> {
        let set = |path, item: CalendarItem| FieldUpdate::Set {
            path: PropertyPath::field(path),
            item: Box::new(item),
        };
        let change = |(id, (start, end)): &(ItemId, (Timestamp, Timestamp))| ItemChange {
            item: id.clone().into(),
            updates: vec![
                set(field::START, CalendarItem { start: Some(*start), ..CalendarItem::default() }),
                set(field::END, CalendarItem { end: Some(*end), ..CalendarItem::default() }),
            ],
        };
        let request = Request::UpdateItem(UpdateItem {
            conflict_resolution: ConflictResolution::AlwaysOverwrite,
            message_disposition: None,
            send_meeting_invitations_or_cancellations: Some("SendToNone".into()),
            suppress_read_receipts: None,
            saved_item_folder: None,
            changes: items.iter().map(change).collect(),
        });
        let Response::UpdateItem(messages) = self.call(mailbox, request).await else {
            panic!("UpdateItem was answered with something else")
        };
        for message in messages {
            message.into_result().expect("the simulated Exchange takes new times");
        }
        items.iter().map(|(id, _)| id.clone()).collect()
    }

    async fn call(&self, mailbox: &str, request: Request) -> Response {
        let envelope = RequestEnvelope {
            server_version: Some("Exchange2016".into()),
            impersonation: Some(Impersonation::SmtpAddress(mailbox.to_owned())),
            time_zone_context: None,
            request,
        };
        let body = encode_request(&envelope).expect("a request that can be written");
        let asked = self
            .http
            .post(&self.url)
            .basic_auth(USER, Some(PASSWORD))
            .header("content-type", "text/xml; charset=utf-8")
            .header("x-anchormailbox", mailbox)
            .body(body);
        let answer = asked.send().await.expect("the simulated Exchange answers");
        let bytes = read_bounded(answer, ANSWER_BYTES_MAX).await.expect("the answer is whole");
        let answer = decode_response(&bytes, Limits::default()).expect("the answer can be read");
        answer.body.expect("the simulated Exchange does what it is asked for")
    }
}

fn identifiers(messages: Vec<ResponseMessage<Vec<Item>>>) -> Vec<ItemId> {
    let of = |message: ResponseMessage<Vec<Item>>| {
        let items = message.into_result().expect("the simulated Exchange takes an appointment");
        items.first().and_then(Item::item_id).cloned().expect("it has an identifier")
    };
    messages.into_iter().map(of).collect()
}
