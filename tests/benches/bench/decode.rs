//! Decoding what Exchange sends most: the view of a calendar (a full read) and the envelopes of a stream. Beside it a
//! loop of quick-xml over the same bytes that resolves namespaces and looks at every attribute and text and keeps nothing;
//! the bare loop over events, which looks at nothing, is printed too.

use std::hint::black_box;

use jiff::{Timestamp, ToSpan as _};
use proto_ews::operation::FoundItems;
use proto_ews::{
    CalendarItem, CalendarItemKind, ChangeEvent, Event, EventKind, FolderId, Item, ItemId, Limits,
    Notification, Response, ResponseEnvelope, ResponseMessage, StreamMessage, StreamSplitter, SubscriptionId,
    Target, decode_response, encode_response,
};
use quick_xml::events::Event as XmlEvent;
use quick_xml::reader::{NsReader, Reader};

use crate::cpu;
use crate::figures::Figures;

pub(crate) const NAME: &str = "decode";
/// Appointments of a view.
const APPOINTMENTS: i64 = 40;
/// Envelopes of a stream that come in one piece, with as many events each.
const ENVELOPES: i64 = 20;
const EVENTS: i64 = 5;

/// Measures.
pub(crate) fn run() -> Figures {
    let mut figures = Figures::default();
    let view = view();
    measure(&mut figures, "calendar-view", &view, &mut || {
        black_box(decode_response(&view, Limits::standard()).expect("a message of ours"));
    });
    let stream = stream();
    measure(&mut figures, "stream", &stream, &mut || {
        let mut splitter = StreamSplitter::new(16 * 1024 * 1024);
        for envelope in splitter.push(&stream).expect("envelopes of ours") {
            black_box(decode_response(&envelope, Limits::standard()).expect("a message of ours"));
        }
    });
    figures
}

fn measure(figures: &mut Figures, name: &str, bytes: &[u8], decode: &mut dyn FnMut()) {
    let mut looks = 0_usize;
    let [ours, looking, bare] =
        cpu::of_each([decode, &mut || looks = black_box(look_at_all(bytes)), &mut || {
            black_box(count(bytes));
        }]);
    let rate = |seconds: f64| bytes.len() as f64 / seconds / 1e6;
    eprintln!("  {name}: {} bytes, {looks} bytes of names, attributes and texts", bytes.len());
    figures.add(&format!("{NAME}/{name}"), "MB/s", rate(ours), rate(looking));
    figures.add(&format!("{NAME}/{name}/beside-bare-loop"), "MB/s", rate(ours), rate(bare));
}

/// Resolves each element's namespace and looks at each attribute and text.
fn look_at_all(bytes: &[u8]) -> usize {
    let mut reader = NsReader::from_reader(bytes);
    let mut seen = 0;
    loop {
        let (namespace, event) = reader.read_resolved_event().expect("xml of ours");
        match event {
            XmlEvent::Start(element) | XmlEvent::Empty(element) => {
                black_box(namespace);
                seen += element.local_name().as_ref().len();
                for attribute in element.attributes() {
                    let attribute = attribute.expect("an attribute of ours");
                    black_box(reader.resolver().resolve_attribute(attribute.key));
                    seen += black_box(&attribute.value).len();
                }
            }
            XmlEvent::Text(text) => {
                seen += black_box(text.xml10_content()).len();
            }
            XmlEvent::Eof => return seen,
            _ => {}
        }
    }
}

/// Counts events.
fn count(bytes: &[u8]) -> usize {
    let mut reader = Reader::from_reader(bytes);
    let mut events = 0;
    while reader.read_event().expect("xml of ours") != XmlEvent::Eof {
        events += 1;
    }
    events
}

fn at(n: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000).expect("a time in range") + n.hours()
}

/// An identifier as long as Exchange's.
fn identifier(n: i64) -> String {
    format!("AAMkADk1NzA4{}{n:020}AAA=", "AbCdEfGh0123456789".repeat(6))
}

fn view() -> Vec<u8> {
    let item = |n: i64| CalendarItem {
        item_id: Some(ItemId::new(identifier(n))),
        parent_folder_id: Some(FolderId::new(identifier(-1))),
        uid: Some(format!("040000008200E00074C5B7101A82E008{n:080X}")),
        start: Some(at(n)),
        end: Some(at(n + 1)),
        is_all_day: Some(false),
        is_cancelled: Some(false),
        kind: Some(CalendarItemKind::Single),
        ..CalendarItem::default()
    };
    let found = FoundItems {
        indexed_paging_offset: None,
        total_items_in_view: None,
        includes_last_item_in_range: true,
        items: (0..APPOINTMENTS).map(item).map(Item::from).collect(),
    };
    encode(Response::FindItem(vec![ResponseMessage::Success(found)]))
}

fn stream() -> Vec<u8> {
    let envelope = |n: i64| {
        let change = |k: i64| Event::Change(changed(EVENTS * n + k));
        let notification = Notification {
            subscription_id: SubscriptionId::new(identifier(n)),
            more_events: Some(false),
            events: (0..EVENTS).map(change).collect(),
        };
        encode(Response::GetStreamingEvents(vec![StreamMessage::notifications(vec![notification])]))
    };
    (0..ENVELOPES).flat_map(envelope).collect()
}

fn changed(n: i64) -> ChangeEvent {
    ChangeEvent {
        kind: EventKind::Modified,
        time_stamp: at(n),
        target: Target::Item(ItemId::new(identifier(n))),
        parent_folder_id: FolderId::new(identifier(-1)),
        old: None,
        old_parent_folder_id: None,
        unread_count: None,
    }
}

fn encode(response: Response) -> Vec<u8> {
    let envelope = ResponseEnvelope { server_version: None, body: Ok(response) };
    encode_response(&envelope).expect("a message that can be written").into()
}
