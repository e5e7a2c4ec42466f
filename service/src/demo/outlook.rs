//! The hands of the people whose calendars change: a small EWS client of its own, which shares no code with the
//! product's connector but the wire format. The product itself has no operation that writes to Exchange.

use std::time::Duration;

use proto_ews::operation::{CreateItem, DeleteItem, FieldUpdate, ItemChange, MoveItem, UpdateItem};
use proto_ews::{
    CalendarItem, ConflictResolution, DeleteType, FolderRef, Impersonation, Item, ItemId, ItemRef, Limits,
    PropertyPath, Request, RequestEnvelope, Response, decode_response, encode_request,
};

use super::error::DemoError;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How often a change is tried while the simulated server is busy or down.
const ATTEMPTS_MAX: u32 = 200;
/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(100);

/// A client for one server.
#[derive(Debug, Clone)]
pub struct Outlook {
    http: reqwest::Client,
    url: String,
    user: String,
    password: String,
}

impl Outlook {
    /// A client that logs on as `user`, who may impersonate everybody.
    pub fn new(base_url: &str, user: &str, password: &str) -> Result<Self, DemoError> {
        Self::trusting(base_url, user, password, trust::Roots::Nobody)
    }

    /// The same over TLS.
    pub fn trusting(
        base_url: &str,
        user: &str,
        password: &str,
        roots: trust::Roots,
    ) -> Result<Self, DemoError> {
        let http = super::http::client(roots)
            .map_err(|reason| DemoError::Exchange { what: reason, source: None })?
            .timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(8)
            .build()
            .map_err(|source| DemoError::Exchange {
                what: "make a client".into(),
                source: Some(Box::new(source)),
            })?;
        Ok(Self {
            http,
            url: format!("{}/EWS/Exchange.asmx", base_url.trim_end_matches('/')),
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    /// Puts an appointment into a calendar and returns its identifier.
    pub async fn create(&self, mailbox: &str, item: CalendarItem) -> Result<ItemId, DemoError> {
        let request = Request::CreateItem(CreateItem {
            message_disposition: None,
            send_meeting_invitations: Some("SendToNone".into()),
            saved_item_folder: Some(FolderRef::calendar()),
            items: vec![item.into()],
        });
        match self.call(mailbox, request).await? {
            Response::CreateItem(messages) => first_id(messages, "CreateItem"),
            other => Err(unexpected("CreateItem", other.name())),
        }
    }

    /// Sets properties of an appointment or occurrence; each item holds just the named property.
    pub async fn update(
        &self,
        mailbox: &str,
        item: ItemRef,
        updates: Vec<(&'static str, CalendarItem)>,
    ) -> Result<(), DemoError> {
        let updates = updates
            .into_iter()
            .map(|(path, item)| FieldUpdate::Set { path: PropertyPath::field(path), item: Box::new(item) })
            .collect();
        let request = Request::UpdateItem(UpdateItem {
            conflict_resolution: ConflictResolution::AlwaysOverwrite,
            message_disposition: None,
            send_meeting_invitations_or_cancellations: Some("SendToNone".into()),
            suppress_read_receipts: None,
            saved_item_folder: None,
            changes: vec![ItemChange { item, updates }],
        });
        match self.call(mailbox, request).await? {
            Response::UpdateItem(messages) => done(messages, "UpdateItem"),
            other => Err(unexpected("UpdateItem", other.name())),
        }
    }

    /// Deletes an appointment, a series or one occurrence.
    pub async fn delete(&self, mailbox: &str, item: ItemRef, how: DeleteType) -> Result<(), DemoError> {
        let request = Request::DeleteItem(DeleteItem {
            delete_type: how,
            send_meeting_cancellations: Some("SendToNone".into()),
            affected_task_occurrences: None,
            suppress_read_receipts: None,
            item_ids: vec![item],
        });
        match self.call(mailbox, request).await? {
            Response::DeleteItem(messages) => done(messages, "DeleteItem"),
            other => Err(unexpected("DeleteItem", other.name())),
        }
    }

    /// Moves an item to the folder with that role and returns its new identifier.
    pub async fn move_to(&self, mailbox: &str, item: ItemId, folder: &str) -> Result<ItemId, DemoError> {
        let request = Request::MoveItem(MoveItem {
            to_folder: FolderRef::distinguished(folder),
            item_ids: vec![item.into()],
            return_new_item_ids: Some(true),
        });
        match self.call(mailbox, request).await? {
            Response::MoveItem(messages) => first_id(messages, "MoveItem"),
            other => Err(unexpected("MoveItem", other.name())),
        }
    }

    /// One call, tried again while the server says that it is busy or is not there: what is being simulated
    /// is a person's calendar, not a person who gives up. A server that refuses does so before it changes
    /// anything, so trying again changes nothing twice.
    async fn call(&self, mailbox: &str, request: Request) -> Result<Response, DemoError> {
        let name = request.name();
        let envelope = RequestEnvelope {
            server_version: Some("Exchange2016".into()),
            impersonation: Some(Impersonation::SmtpAddress(mailbox.to_owned())),
            time_zone_context: None,
            request,
        };
        let body = encode_request(&envelope)
            .map_err(|source| DemoError::Exchange { what: name.into(), source: Some(Box::new(source)) })?;
        let mut last = String::new();
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(mailbox, body.clone()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(fault)) if fault == "ErrorServerBusy" => last = fault,
                Ok(Err(fault)) => {
                    return Err(DemoError::Exchange { what: format!("{name}: {fault}"), source: None });
                }
                Err(reason) => last = reason,
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(DemoError::Exchange { what: format!("{name}: still failing with {last}"), source: None })
    }

    /// The answer, a fault's code, or why there was neither.
    async fn attempt(&self, mailbox: &str, body: String) -> Result<Result<Response, String>, String> {
        let answer = self
            .http
            .post(&self.url)
            .basic_auth(&self.user, Some(&self.password))
            .header("content-type", "text/xml; charset=utf-8")
            .header("x-anchormailbox", mailbox)
            .body(body)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let bytes =
            super::http::read_bounded(answer, ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
        match decode_response(&bytes, Limits::default()) {
            Ok(envelope) => Ok(envelope.body.map_err(|fault| fault.code.as_str().to_owned())),
            Err(_) => Err(format!("HTTP {status}")),
        }
    }
}

fn unexpected(asked: &str, got: &str) -> DemoError {
    DemoError::Exchange { what: format!("{asked} was answered with {got}"), source: None }
}

fn done<T>(messages: Vec<proto_ews::ResponseMessage<T>>, asked: &str) -> Result<(), DemoError> {
    for message in messages {
        message.into_result().map_err(|problem| DemoError::Exchange {
            what: format!("{asked}: {}", problem.code.as_str()),
            source: None,
        })?;
    }
    Ok(())
}

fn first_id(messages: Vec<proto_ews::ResponseMessage<Vec<Item>>>, asked: &str) -> Result<ItemId, DemoError> {
    let message = messages.into_iter().next().ok_or_else(|| unexpected(asked, "nothing"))?;
    let items = message.into_result().map_err(|problem| DemoError::Exchange {
        what: format!("{asked}: {}", problem.code.as_str()),
        source: None,
    })?;
    items.first().and_then(Item::item_id).cloned().ok_or_else(|| unexpected(asked, "no identifier"))
}
