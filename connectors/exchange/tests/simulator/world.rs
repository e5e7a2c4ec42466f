//! A simulator, a connector, and a client that changes calendars.

use std::time::Duration;

use base::{Backoff, SystemClock};
use calendar::ids::{AccountId, SubscriptionId};
use calendar::source::{Affinity, Event, Hint, HintStream, Mailbox};
use calendar::{CalendarSource, MailAddress, Slot, SourceError};
use connector_exchange::{Exchange, ExchangeOptions};
use futures::StreamExt;
use proto_ews::operation::{CreateItem, DeleteItem, FieldUpdate, FindItem, ItemChange, UpdateItem, View};
use proto_ews::{
    CalendarItem, ConflictResolution, DeleteType, FolderRef, FreeBusy, Impersonation, Item, ItemRef,
    ItemShape, PropertyPath, Recurrence, RecurrencePattern, RecurrenceRange, Request, RequestEnvelope,
    Response, TimeZoneDefinition, Traversal, decode_response, encode_request, field,
};
use simulator_exchange::{Fault, Options, Simulator};
use simulator_kit::FaultRule;

/// Longest time that a test waits for a hint.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) exchange: Exchange,
    client: reqwest::Client,
    impersonate: bool,
}

pub(crate) fn slot(start: &str, end: &str) -> Slot {
    Slot { start: start.parse().unwrap(), end: end.parse().unwrap() }
}

/// The next thing that a stream says, heartbeats left out.
pub(crate) async fn next_said(stream: &mut HintStream) -> Result<Hint, SourceError> {
    loop {
        let said = tokio::time::timeout(PATIENCE, stream.next()).await.expect("in time").expect("not ended");
        if said != Ok(Hint::Heartbeat) {
            return said;
        }
    }
}

pub(crate) async fn next(stream: &mut HintStream) -> Hint {
    next_said(stream).await.expect("no error")
}

/// The next events, up to the one of the folder, which comes last.
pub(crate) async fn events(stream: &mut HintStream) -> (SubscriptionId, Vec<Event>) {
    let mut all = Vec::new();
    loop {
        match next(stream).await {
            Hint::Events(id, events) => {
                all.extend(events);
                if matches!(
                    all.last(),
                    Some(Event { subject: calendar::source::EventSubject::Folder(_), .. })
                ) {
                    return (id, all);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

impl World {
    pub(crate) async fn start(options: Options) -> Self {
        Self::start_as(options, true).await
    }

    pub(crate) async fn start_as(options: Options, impersonate: bool) -> Self {
        Self::start_with(options, impersonate, |_, _| {}).await
    }

    /// The same with other options of the connector; both sides trust its roots.
    pub(crate) async fn start_with(
        options: Options,
        impersonate: bool,
        change: impl FnOnce(&Simulator, &mut ExchangeOptions),
    ) -> Self {
        trust::install_provider();
        let simulator = Simulator::start(options).await.unwrap();
        let mut options = ExchangeOptions::new("svc", "pw".to_owned().into());
        options.autodiscover_url = Some(simulator.autodiscover_url().parse().unwrap());
        options.use_impersonation = impersonate;
        options.request_timeout = Duration::from_secs(2);
        options.answer_limit_bytes = 4 << 20;
        options.back_off = Backoff::doubling(Duration::from_millis(20), Duration::from_millis(200));
        change(&simulator, &mut options);
        let client = match simulator.url().starts_with("https") {
            false => reqwest::Client::builder(),
            true => {
                reqwest::Client::builder().tls_backend_preconfigured(options.tls.client_config().unwrap())
            }
        };
        let client = client.http1_only().build().unwrap();
        let exchange = Exchange::new(options, SystemClock::shared()).unwrap();
        Self { simulator, exchange, client, impersonate }
    }

    pub(crate) fn mail(n: u32) -> MailAddress {
        MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap()
    }

    pub(crate) fn mailbox(&self, n: u32) -> Mailbox {
        Mailbox { address: Self::mail(n), endpoint: self.simulator.ews_url(), account: None }
    }

    /// Subscribes as a group does: the anchor first.
    pub(crate) async fn subscribe(&self, numbers: &[u32]) -> (Affinity, Vec<SubscriptionId>) {
        let mut affinity = Affinity {
            endpoint: self.simulator.ews_url(),
            account: AccountId::DEFAULT,
            anchor: Self::mail(numbers[0]),
            cookie: None,
        };
        let mut ids = Vec::new();
        for n in numbers {
            let subscribed = self.exchange.subscribe(&self.mailbox(*n), &affinity).await.unwrap();
            affinity.cookie = affinity.cookie.or(subscribed.cookie);
            ids.push(subscribed.id);
        }
        (affinity, ids)
    }

    /// The next call of GetFolder meets this.
    pub(crate) fn fault(&self, kind: Fault) {
        let rule = FaultRule {
            kind,
            operation: Some("GetFolder".into()),
            mailbox: None,
            probability: None,
            next: Some(1),
        };
        self.simulator.service().faults.add(vec![rule]).unwrap();
    }

    async fn call(&self, n: u32, request: Request) -> Response {
        assert!(self.impersonate, "this client acts as the mailbox's owner");
        let envelope = RequestEnvelope {
            server_version: Some("Exchange2016".into()),
            impersonation: Some(Impersonation::SmtpAddress(Self::mail(n).to_string())),
            time_zone_context: None,
            request,
        };
        let mut answer = self
            .client
            .post(self.simulator.ews_url())
            .basic_auth("svc", Some("pw"))
            .body(encode_request(&envelope).unwrap())
            .send()
            .await
            .unwrap();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.unwrap() {
            body.extend_from_slice(&piece);
        }
        decode_response(&body, proto_ews::Limits::standard()).unwrap().body.unwrap()
    }

    async fn save(&self, n: u32, item: CalendarItem) -> String {
        let request = Request::CreateItem(CreateItem {
            message_disposition: None,
            send_meeting_invitations: Some("SendToNone".into()),
            saved_item_folder: Some(FolderRef::calendar()),
            items: vec![Item::from(item)],
        });
        match self.call(n, request).await {
            Response::CreateItem(messages) => {
                let items = messages.into_iter().next().unwrap().into_result().unwrap();
                items[0].item_id().unwrap().id.clone()
            }
            other => panic!("{other:?}"),
        }
    }

    fn item(start: &str, end: &str) -> CalendarItem {
        CalendarItem {
            start: Some(start.parse().unwrap()),
            end: Some(end.parse().unwrap()),
            free_busy: Some(FreeBusy::Busy),
            start_time_zone: Some(TimeZoneDefinition::id("UTC")),
            end_time_zone: Some(TimeZoneDefinition::id("UTC")),
            ..CalendarItem::default()
        }
    }

    pub(crate) async fn create(&self, n: u32, start: &str, end: &str) -> String {
        self.save(n, Self::item(start, end)).await
    }

    /// A series that takes place every day.
    pub(crate) async fn create_daily(&self, n: u32, start: &str, end: &str, occurrences: i32) -> String {
        let start_date = start[..10].parse().unwrap();
        let recurrence = Recurrence {
            pattern: RecurrencePattern::Daily { interval: 1 },
            range: RecurrenceRange::Numbered { start: start_date, occurrences },
        };
        self.save(n, CalendarItem { recurrence: Some(recurrence), ..Self::item(start, end) }).await
    }

    /// Moves one occurrence of a series to other times.
    pub(crate) async fn shift_occurrence(&self, n: u32, master: &str, index: i32, start: &str, end: &str) {
        let set = |path: &str, item: CalendarItem| FieldUpdate::Set {
            path: PropertyPath::field(path),
            item: Box::new(item),
        };
        let start = CalendarItem { start: Some(start.parse().unwrap()), ..CalendarItem::default() };
        let end = CalendarItem { end: Some(end.parse().unwrap()), ..CalendarItem::default() };
        let change = ItemChange {
            item: ItemRef::Occurrence {
                recurring_master_id: master.to_owned(),
                change_key: None,
                instance_index: index,
            },
            updates: vec![set(field::START, start), set(field::END, end)],
        };
        let request = Request::UpdateItem(UpdateItem {
            conflict_resolution: ConflictResolution::AlwaysOverwrite,
            message_disposition: None,
            send_meeting_invitations_or_cancellations: Some("SendToNone".into()),
            suppress_read_receipts: None,
            saved_item_folder: None,
            changes: vec![change],
        });
        match self.call(n, request).await {
            Response::UpdateItem(messages) => {
                messages.into_iter().next().unwrap().into_result().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn delete(&self, n: u32, item: &str, how: DeleteType) {
        let request = Request::DeleteItem(DeleteItem {
            delete_type: how,
            send_meeting_cancellations: Some("SendToNone".into()),
            affected_task_occurrences: None,
            suppress_read_receipts: None,
            item_ids: vec![ItemRef::id(item)],
        });
        match self.call(n, request).await {
            Response::DeleteItem(messages) => {
                messages.into_iter().next().unwrap().into_result().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    /// The only item in the deleted items.
    pub(crate) async fn trash(&self, n: u32) -> String {
        let request = Request::FindItem(FindItem {
            traversal: Traversal::Shallow,
            shape: ItemShape::id_only(),
            view: View::Everything,
            has_restriction: false,
            parent_folder_ids: vec![FolderRef::distinguished("deleteditems")],
        });
        match self.call(n, request).await {
            Response::FindItem(messages) => {
                let found = messages.into_iter().next().unwrap().into_result().unwrap();
                found.items[0].item_id().unwrap().id.clone()
            }
            other => panic!("{other:?}"),
        }
    }
}
