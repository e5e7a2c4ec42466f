//! Any message that the schema allows: requests, answers, faults.

use jiff::Timestamp;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proto_ews::operation::{
    AlternateId, CalendarView, ConvertId, CreateItem, DeleteItem, FieldUpdate, FindItem, FoundItems,
    GetFolder, GetItem, GetStreamingEvents, ItemChange, MoveItem, ResolutionSet, ResolveNames, Subscribe,
    SubscribedFolders, SyncChange, SyncFolderItems, SyncPage, Unsubscribe, UpdateItem, UpdatedItems, View,
};
use proto_ews::{
    BaseShape, BodyType, ChangeEvent, ConflictResolution, ConnectionStatus, DeleteType,
    DistinguishedFolderId, EmailAddress, Event, EventKind, ExtendedFieldUri, ExtendedProperty, ExtendedValue,
    Fault, FolderId, FolderRef, FolderShape, Impersonation, ItemId, ItemRef, ItemShape, MessageXml,
    Notification, Problem, PropertyPath, Request, RequestEnvelope, Response, ResponseCode, ResponseEnvelope,
    ResponseMessage, ServerVersion, StreamMessage, SubscriptionId, Target, Traversal,
};

use crate::strategies_items::{calendar_item, folder, item};

/// Any text, with what needs escaping.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\t\r\n]{0,12}",
        prop::collection::vec(select(vec!['<', '>', '&', '"', '\'', 'å', '€', '😀', ' ', ']']), 0..8)
            .prop_map(String::from_iter),
    ]
}

/// A text that is not empty and has no white space at its ends.
pub(crate) fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9+/=_-]{1,16}"
}

/// An identifier: mostly base64, sometimes with everything that an attribute must escape.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[A-Za-z0-9+/]{4,24}={0,2}", 1 => text()]
}

pub(crate) fn one_of(values: &[&str]) -> impl Strategy<Value = String> + use<> {
    select(values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>())
}

/// Years 1 to 9998, whole seconds or with a fraction.
pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    let nanoseconds = prop_oneof![Just(0), 0..1_000_000_000];
    (-62_135_596_800_i64..253_370_764_800, nanoseconds)
        .prop_map(|(seconds, fraction)| Timestamp::new(seconds, fraction).unwrap())
}

pub(crate) fn item_id() -> impl Strategy<Value = ItemId> {
    (id(), option::of(id())).prop_map(|(id, change_key)| ItemId { id, change_key })
}

pub(crate) fn folder_id() -> impl Strategy<Value = FolderId> {
    (id(), option::of(id())).prop_map(|(id, change_key)| FolderId { id, change_key })
}

pub(crate) fn address() -> impl Strategy<Value = EmailAddress> {
    let mailbox_type = one_of(&["Mailbox", "OneOff", "PublicDL", "Contact"]);
    (option::of(text()), option::of(token()), option::of(one_of(&["SMTP", "EX"])), option::of(mailbox_type))
        .prop_map(|(name, address, routing_type, mailbox_type)| EmailAddress {
            name,
            address,
            routing_type,
            mailbox_type,
        })
}

fn folder_ref() -> impl Strategy<Value = FolderRef> {
    let name = one_of(&["calendar", "root", "msgfolderroot", "deleteditems", "inbox"]);
    prop_oneof![
        folder_id().prop_map(FolderRef::Id),
        (name, option::of(id()), option::of(address())).prop_map(|(name, change_key, mailbox)| {
            FolderRef::Distinguished(DistinguishedFolderId { name, change_key, mailbox })
        }),
    ]
}

fn item_ref() -> impl Strategy<Value = ItemRef> {
    prop_oneof![
        item_id().prop_map(ItemRef::Item),
        (id(), option::of(id()), 1..1000).prop_map(|(recurring_master_id, change_key, instance_index)| {
            ItemRef::Occurrence { recurring_master_id, change_key, instance_index }
        }),
        (id(), option::of(id()))
            .prop_map(|(occurrence_id, change_key)| ItemRef::RecurringMaster { occurrence_id, change_key }),
    ]
}

fn extended_uri() -> impl Strategy<Value = ExtendedFieldUri> {
    let property_type = one_of(&["String", "Integer", "SystemTime", "StringArray", "Binary"]);
    let set = option::of(one_of(&["Appointment", "Common", "PublicStrings"]));
    let guid = option::of(Just("00062002-0000-0000-C000-000000000046".to_owned()));
    (set, guid, option::of("0x[0-9a-f]{4}"), option::of(text()), option::of(any::<i32>()), property_type)
        .prop_map(|(distinguished, guid, tag, name, number, property_type)| ExtendedFieldUri {
            distinguished_property_set_id: distinguished,
            property_set_id: guid,
            property_tag: tag,
            property_name: name,
            property_id: number,
            property_type,
        })
}

pub(crate) fn extended_property() -> impl Strategy<Value = ExtendedProperty> {
    let value = prop_oneof![
        text().prop_map(ExtendedValue::Single),
        prop::collection::vec(text(), 1..4).prop_map(ExtendedValue::Multiple),
    ];
    (extended_uri(), value).prop_map(|(uri, value)| ExtendedProperty { uri, value })
}

fn path(fields: &'static [&'static str]) -> impl Strategy<Value = PropertyPath> {
    prop_oneof![
        4 => select(fields).prop_map(PropertyPath::field),
        1 => extended_uri().prop_map(PropertyPath::Extended),
        1 => text().prop_map(|index| PropertyPath::Indexed {
            uri: "item:InternetMessageHeader".to_owned(),
            index,
        }),
    ]
}

const ITEM_FIELDS: &[&str] =
    &["item:Subject", "item:LastModifiedTime", "calendar:UID", "calendar:Start", "calendar:StartTimeZone"];
const FOLDER_FIELDS: &[&str] = &["folder:DisplayName", "folder:EffectiveRights", "folder:TotalCount"];

fn item_shape() -> impl Strategy<Value = ItemShape> {
    let base = select(vec![BaseShape::IdOnly, BaseShape::Default, BaseShape::AllProperties]);
    let body_type = option::of(select(BodyType::ALL));
    (base, option::of(any::<bool>()), body_type, prop::collection::vec(path(ITEM_FIELDS), 0..4)).prop_map(
        |(base, include_mime_content, body_type, additional)| ItemShape {
            base,
            include_mime_content,
            body_type,
            additional,
        },
    )
}

fn folder_shape() -> impl Strategy<Value = FolderShape> {
    let base = select(vec![BaseShape::IdOnly, BaseShape::Default, BaseShape::AllProperties]);
    (base, prop::collection::vec(path(FOLDER_FIELDS), 0..4))
        .prop_map(|(base, additional)| FolderShape { base, additional })
}

fn some<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(one, 1..4)
}

fn send() -> impl Strategy<Value = Option<String>> {
    option::of(one_of(&["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"]))
}

fn disposition() -> impl Strategy<Value = Option<String>> {
    option::of(one_of(&["SaveOnly", "SendOnly", "SendAndSaveCopy"]))
}

fn subscription_id() -> impl Strategy<Value = SubscriptionId> {
    token().prop_map(SubscriptionId::new)
}

fn subscribe() -> impl Strategy<Value = Subscribe> {
    let folders =
        prop_oneof![Just(SubscribedFolders::All), some(folder_ref()).prop_map(SubscribedFolders::These)];
    (folders, some(select(EventKind::ALL)))
        .prop_map(|(folders, event_kinds)| Subscribe { folders, event_kinds })
}

fn alternate_id() -> impl Strategy<Value = AlternateId> {
    (one_of(&["EwsId", "EntryId", "HexEntryId"]), id(), token(), option::of(any::<bool>()))
        .prop_map(|(format, id, mailbox, is_archive)| AlternateId { format, id, mailbox, is_archive })
}

fn resolve_names() -> impl Strategy<Value = ResolveNames> {
    let scope = option::of(one_of(&["ActiveDirectory", "Contacts"]));
    (any::<bool>(), scope, prop::collection::vec(folder_ref(), 0..3), token()).prop_map(
        |(return_full_contact_data, search_scope, parent_folder_ids, unresolved_entry)| ResolveNames {
            return_full_contact_data,
            search_scope,
            parent_folder_ids,
            unresolved_entry,
        },
    )
}

fn sync() -> impl Strategy<Value = SyncFolderItems> {
    let scope = option::of(one_of(&["NormalItems", "NormalAndAssociatedItems"]));
    let ignore = prop::collection::vec(item_id(), 0..3);
    (item_shape(), folder_ref(), option::of(token()), ignore, 1..=512, scope).prop_map(
        |(shape, folder, sync_state, ignore, max_changes_returned, sync_scope)| SyncFolderItems {
            shape,
            folder,
            sync_state,
            ignore,
            max_changes_returned,
            sync_scope,
        },
    )
}

fn find_item() -> impl Strategy<Value = FindItem> {
    let view = prop_oneof![
        Just(View::Everything),
        (option::of(1..1000), time(), time()).prop_map(|(max_entries_returned, start, end)| {
            View::Calendar(CalendarView { max_entries_returned, start, end })
        }),
        (option::of(1..1000), 0..1000, any::<bool>()).prop_map(
            |(max_entries_returned, offset, beginning)| {
                View::Indexed { max_entries_returned, offset, from_beginning: beginning }
            }
        ),
    ];
    (select(Traversal::ALL), item_shape(), view, some(folder_ref())).prop_map(
        |(traversal, shape, view, parent_folder_ids)| FindItem {
            traversal,
            shape,
            view,
            has_restriction: false,
            parent_folder_ids,
        },
    )
}

fn update() -> impl Strategy<Value = FieldUpdate> {
    prop_oneof![
        (path(ITEM_FIELDS), calendar_item())
            .prop_map(|(path, item)| FieldUpdate::Set { path, item: Box::new(item) }),
        path(ITEM_FIELDS).prop_map(|path| FieldUpdate::Delete { path }),
        (path(ITEM_FIELDS), calendar_item())
            .prop_map(|(path, item)| FieldUpdate::Append { path, item: Box::new(item) }),
    ]
}

fn update_item() -> impl Strategy<Value = UpdateItem> {
    let change = (item_ref(), some(update())).prop_map(|(item, updates)| ItemChange { item, updates });
    let resolution = select(ConflictResolution::ALL);
    let folder = option::of(folder_ref());
    (resolution, disposition(), send(), option::of(any::<bool>()), folder, some(change)).prop_map(
        |(conflict_resolution, message_disposition, send, suppress, saved_item_folder, changes)| UpdateItem {
            conflict_resolution,
            message_disposition,
            send_meeting_invitations_or_cancellations: send,
            suppress_read_receipts: suppress,
            saved_item_folder,
            changes,
        },
    )
}

fn delete_item() -> impl Strategy<Value = DeleteItem> {
    let tasks = option::of(one_of(&["AllOccurrences", "SpecifiedOccurrenceOnly"]));
    (select(DeleteType::ALL), send(), tasks, option::of(any::<bool>()), some(item_ref())).prop_map(
        |(delete_type, send_meeting_cancellations, affected_task_occurrences, suppress, item_ids)| {
            DeleteItem {
                delete_type,
                send_meeting_cancellations,
                affected_task_occurrences,
                suppress_read_receipts: suppress,
                item_ids,
            }
        },
    )
}

fn create_item() -> impl Strategy<Value = CreateItem> {
    (disposition(), send(), option::of(folder_ref()), some(item())).prop_map(
        |(message_disposition, send_meeting_invitations, saved_item_folder, items)| CreateItem {
            message_disposition,
            send_meeting_invitations,
            saved_item_folder,
            items,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (folder_shape(), some(folder_ref()))
            .prop_map(|(shape, folder_ids)| Request::GetFolder(GetFolder { shape, folder_ids })),
        resolve_names().prop_map(Request::ResolveNames),
        (one_of(&["EwsId", "EntryId"]), some(alternate_id())).prop_map(|(destination_format, source_ids)| {
            Request::ConvertId(ConvertId { destination_format, source_ids })
        }),
        subscribe().prop_map(Request::Subscribe),
        (some(subscription_id()), 1..=30).prop_map(|(subscription_ids, connection_timeout_minutes)| {
            Request::GetStreamingEvents(GetStreamingEvents { subscription_ids, connection_timeout_minutes })
        }),
        subscription_id().prop_map(|subscription_id| Request::Unsubscribe(Unsubscribe { subscription_id })),
        sync().prop_map(Request::SyncFolderItems),
        find_item().prop_map(Request::FindItem),
        (item_shape(), some(item_ref()))
            .prop_map(|(shape, item_ids)| Request::GetItem(GetItem { shape, item_ids })),
        create_item().prop_map(Request::CreateItem),
        update_item().prop_map(Request::UpdateItem),
        delete_item().prop_map(Request::DeleteItem),
        (folder_ref(), some(item_ref()), option::of(any::<bool>())).prop_map(
            |(to_folder, item_ids, return_new_item_ids)| Request::MoveItem(MoveItem {
                to_folder,
                item_ids,
                return_new_item_ids
            })
        ),
    ]
}

/// A request with any header.
pub(crate) fn request_envelope() -> impl Strategy<Value = RequestEnvelope> {
    let impersonation = prop_oneof![
        token().prop_map(Impersonation::PrincipalName),
        token().prop_map(Impersonation::Sid),
        token().prop_map(Impersonation::PrimarySmtpAddress),
        token().prop_map(Impersonation::SmtpAddress),
    ];
    let version = option::of(one_of(&["Exchange2010_SP1", "Exchange2013_SP1", "Exchange2016"]));
    (version, option::of(impersonation), option::of(text()), request()).prop_map(
        |(server_version, impersonation, time_zone_context, request)| RequestEnvelope {
            server_version,
            impersonation,
            time_zone_context,
            request,
        },
    )
}

fn message_xml() -> impl Strategy<Value = MessageXml> {
    prop::collection::vec((token(), text()), 0..3).prop_map(|values| MessageXml { values })
}

/// A code of the schema; that of connection failures is on the wire only (reference section 6).
fn code() -> impl Strategy<Value = ResponseCode> {
    let on_the_wire_only =
        [ResponseCode::NO_ERROR, ResponseCode::CONNECTION_FAILED_TRANSIENT, ResponseCode::CANNOT_FIND_USER];
    select(ResponseCode::ALL.iter().filter(|c| !on_the_wire_only.contains(c)).cloned().collect::<Vec<_>>())
}

fn problem() -> impl Strategy<Value = Problem> {
    (code(), text(), message_xml()).prop_map(|(code, text, message_xml)| Problem { code, text, message_xml })
}

/// Messages of all classes; a warning only with content that is something.
fn messages<T: std::fmt::Debug + Clone + 'static>(
    content: impl Strategy<Value = T> + 'static,
    is_something: fn(&T) -> bool,
) -> impl Strategy<Value = Vec<ResponseMessage<T>>> {
    let content = content.boxed();
    let warning = (option::of(content.clone()), problem()).prop_map(move |(content, problem)| {
        ResponseMessage::Warning { content: content.filter(is_something), problem }
    });
    prop::collection::vec(
        prop_oneof![
            3 => content.prop_map(ResponseMessage::Success),
            1 => warning,
            1 => problem().prop_map(ResponseMessage::Error),
        ],
        1..4,
    )
}

fn sync_page() -> impl Strategy<Value = SyncPage> {
    let change = prop_oneof![
        item().prop_map(SyncChange::Create),
        item().prop_map(SyncChange::Update),
        item_id().prop_map(SyncChange::Delete),
        (item_id(), any::<bool>())
            .prop_map(|(item_id, is_read)| SyncChange::ReadFlagChange { item_id, is_read }),
    ];
    (token(), any::<bool>(), prop::collection::vec(change, 0..4)).prop_map(
        |(sync_state, includes_last_item_in_range, changes)| SyncPage {
            sync_state,
            includes_last_item_in_range,
            changes,
        },
    )
}

fn found_items() -> impl Strategy<Value = FoundItems> {
    let number = || option::of(0..5000);
    (number(), number(), any::<bool>(), prop::collection::vec(item(), 0..4)).prop_map(
        |(indexed_paging_offset, total_items_in_view, includes_last_item_in_range, items)| FoundItems {
            indexed_paging_offset,
            total_items_in_view,
            includes_last_item_in_range,
            items,
        },
    )
}

fn resolution_set() -> impl Strategy<Value = ResolutionSet> {
    (option::of(0..100), option::of(any::<bool>()), prop::collection::vec(address(), 0..3)).prop_map(
        |(total_items_in_view, includes_last_item_in_range, mailboxes)| ResolutionSet {
            total_items_in_view,
            includes_last_item_in_range,
            mailboxes,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![item_id().prop_map(Target::Item), folder_id().prop_map(Target::Folder)]
}

fn event() -> impl Strategy<Value = Event> {
    let simple = select(vec![
        EventKind::Created,
        EventKind::Deleted,
        EventKind::Modified,
        EventKind::NewMail,
        EventKind::FreeBusyChanged,
    ]);
    let simple = (simple, time(), target(), folder_id(), option::of(0..100)).prop_map(
        |(kind, time_stamp, target, parent_folder_id, unread)| ChangeEvent {
            kind,
            time_stamp,
            target,
            parent_folder_id,
            old: None,
            old_parent_folder_id: None,
            unread_count: unread.filter(|_| kind == EventKind::Modified),
        },
    );
    let moved = select(vec![EventKind::Moved, EventKind::Copied]);
    let moved = (moved, time(), target(), folder_id(), target(), folder_id()).prop_map(
        |(kind, time_stamp, target, parent_folder_id, old, old_parent)| ChangeEvent {
            kind,
            time_stamp,
            target,
            parent_folder_id,
            old: Some(old),
            old_parent_folder_id: Some(old_parent),
            unread_count: None,
        },
    );
    prop_oneof![Just(Event::Status), prop_oneof![simple, moved].prop_map(Event::Change)]
}

fn stream_message() -> impl Strategy<Value = StreamMessage> {
    let notification = (subscription_id(), option::of(any::<bool>()), some(event())).prop_map(
        |(subscription_id, more_events, events)| Notification { subscription_id, more_events, events },
    );
    let status = option::of(select(ConnectionStatus::ALL));
    let notifications = prop::collection::vec(notification, 0..3);
    let bad = prop::collection::vec(subscription_id(), 0..3);
    (option::of(problem()), bad, notifications, status).prop_map(
        |(problem, error_subscription_ids, notifications, connection_status)| StreamMessage {
            problem,
            error_subscription_ids,
            notifications,
            connection_status,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let items = || messages(prop::collection::vec(item(), 0..3), |items| !items.is_empty());
    let updated = (prop::collection::vec(item(), 0..3), option::of(0..3))
        .prop_map(|(items, conflict_count)| UpdatedItems { items, conflict_count });
    prop_oneof![
        messages(prop::collection::vec(folder(), 0..3), |folders| !folders.is_empty())
            .prop_map(Response::GetFolder),
        messages(resolution_set(), |_| true).prop_map(Response::ResolveNames),
        messages(alternate_id(), |_| true).prop_map(Response::ConvertId),
        messages(subscription_id(), |_| true).prop_map(Response::Subscribe),
        stream_response(),
        messages(Just(()), |()| false).prop_map(Response::Unsubscribe),
        messages(sync_page(), |_| true).prop_map(Response::SyncFolderItems),
        messages(found_items(), |_| true).prop_map(Response::FindItem),
        items().prop_map(Response::GetItem),
        items().prop_map(Response::CreateItem),
        messages(updated, |updated| !updated.items.is_empty()).prop_map(Response::UpdateItem),
        messages(Just(()), |()| false).prop_map(Response::DeleteItem),
        items().prop_map(Response::MoveItem),
    ]
}

fn stream_response() -> impl Strategy<Value = Response> {
    prop::collection::vec(stream_message(), 1..3).prop_map(Response::GetStreamingEvents)
}

fn server_version() -> impl Strategy<Value = ServerVersion> {
    (0..20_u32, 0..30_u32, 0..5000_u32, 0..50_u32, option::of(one_of(&["V2017_07_11", "Exchange2010_SP2"])))
        .prop_map(|(major, minor, major_build, minor_build, version)| ServerVersion {
            major,
            minor,
            major_build,
            minor_build,
            version,
        })
}

fn fault() -> impl Strategy<Value = Fault> {
    (code(), text(), message_xml()).prop_map(|(code, text, message_xml)| Fault { code, text, message_xml })
}

/// An answer or a fault.
pub(crate) fn response_envelope() -> impl Strategy<Value = ResponseEnvelope> {
    let body = prop_oneof![9 => response().prop_map(Ok), 1 => fault().prop_map(Err)];
    (option::of(server_version()), body)
        .prop_map(|(server_version, body)| ResponseEnvelope { server_version, body })
}

/// One envelope of a stream.
pub(crate) fn stream_envelope() -> impl Strategy<Value = ResponseEnvelope> {
    (option::of(server_version()), stream_response())
        .prop_map(|(server_version, response)| ResponseEnvelope { server_version, body: Ok(response) })
}
