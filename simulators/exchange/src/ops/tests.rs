//! Goal: the answers of operations that no wire is needed for: limits, errors of single ids, rights,
//! conflicts, and the events that writing raises.
use std::sync::Arc;

use jiff::Timestamp;
use proto_ews::operation::{
    CalendarView, CreateItem, DeleteItem, FieldUpdate, FindItem, GetFolder, GetItem, ItemChange, MoveItem,
    Subscribe, SubscribedFolders, SyncChange, SyncFolderItems, UpdateItem, View,
};
use proto_ews::{
    BaseShape, CalendarItem, ConflictResolution, DeleteType, DistinguishedFolderId, EmailAddress, EventKind,
    ExtendedFieldUri, ExtendedProperty, ExtendedValue, FolderRef, FolderShape, FreeBusy, Item, ItemId,
    ItemRef, ItemShape, PropertyPath, Recurrence, RecurrencePattern, RecurrenceRange, ResponseMessage,
    TimeZoneDefinition, Traversal,
};

use super::*;
use crate::affinity::BackEnd;
use crate::hub::Output;
use crate::options::Options;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

fn service(options: Options) -> Arc<Service> {
    let clock = base::clock::ManualClock::at(now());
    Arc::new(Service::new(Options { mailboxes: 3, groups: 2, clock, ..options }, None).unwrap())
}

fn caller(mailbox: Option<&str>) -> Caller {
    let acting = mailbox.map(MailboxKey::of);
    Caller { account: 0, acting, back_end: BackEnd { group: 0, index: 0 }, zone: None, now: now() }
}

const ONE: &str = "m0001@sim.test";
const TWO: &str = "m0002@sim.test";

fn given(start: &str, end: &str) -> CalendarItem {
    CalendarItem { start: Some(at(start)), end: Some(at(end)), ..CalendarItem::default() }
}

fn create(service: &Service, items: Vec<CalendarItem>) -> Vec<ResponseMessage<Vec<Item>>> {
    let request = CreateItem {
        message_disposition: None,
        send_meeting_invitations: Some("SendToNone".into()),
        saved_item_folder: None,
        items: items.into_iter().map(Item::from).collect(),
    };
    write::create_item(service, &caller(Some(ONE)), &request)
}

fn id_of(answer: &ResponseMessage<Vec<Item>>) -> ItemId {
    match answer {
        ResponseMessage::Success(items) => items[0].item_id().unwrap().clone(),
        other => panic!("{other:?}"),
    }
}

fn created(service: &Service, item: CalendarItem) -> ItemId {
    id_of(&create(service, vec![item])[0])
}

fn code<T>(answer: &ResponseMessage<T>) -> &str {
    answer.problem().map_or("NoError", |problem| problem.code.as_str())
}

fn read(service: &Service, who: &Caller, item: ItemRef) -> ResponseMessage<Vec<Item>> {
    let shape = ItemShape { base: BaseShape::AllProperties, ..ItemShape::id_only() };
    read::get_item(service, who, &GetItem { shape, item_ids: vec![item] }).remove(0)
}

fn calendar_item(answer: ResponseMessage<Vec<Item>>) -> CalendarItem {
    match answer.into_result().unwrap().remove(0) {
        Item::Calendar(item) => *item,
        other => panic!("{other:?}"),
    }
}

fn find(
    service: &Service,
    window: CalendarView,
    folder: FolderRef,
) -> ResponseMessage<proto_ews::operation::FoundItems> {
    let request = FindItem {
        traversal: Traversal::Shallow,
        shape: ItemShape::with_fields(["calendar:Start"]),
        view: View::Calendar(window),
        has_restriction: false,
        parent_folder_ids: vec![folder],
    };
    read::find_item(service, &caller(Some(ONE)), &request).remove(0)
}

fn window(start: &str, end: &str, most: Option<i32>) -> CalendarView {
    CalendarView { max_entries_returned: most, start: at(start), end: at(end) }
}

fn daily(count: i32) -> CalendarItem {
    let range = RecurrenceRange::Numbered { start: jiff::civil::date(2026, 3, 2), occurrences: count };
    CalendarItem {
        recurrence: Some(Recurrence { pattern: RecurrencePattern::Daily { interval: 1 }, range }),
        ..given("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z")
    }
}

#[test]
fn a_view_is_truncated_or_refused() {
    let service = service(Options::default());
    created(&service, daily(600));
    created(&service, daily(500));
    let calendar = FolderRef::calendar;
    let all = ("2026-03-01T00:00:00Z", "2028-03-01T00:00:00Z");
    let refused = find(&service, window(all.0, all.1, None), calendar());
    assert_eq!(code(&refused), "ErrorExceededFindCountLimit");
    assert_eq!(refused.problem().unwrap().message_xml.get("PolicyLimit"), Some("1000"));
    let cut = find(&service, window(all.0, all.1, Some(10)), calendar()).into_result().unwrap();
    assert_eq!(
        (cut.items.len(), cut.total_items_in_view, cut.includes_last_item_in_range),
        (10, Some(1_100), false)
    );
    let whole = find(&service, window(all.0, "2026-03-03T00:00:00Z", Some(1_000)), calendar());
    let whole = whole.into_result().unwrap();
    assert_eq!((whole.items.len(), whole.includes_last_item_in_range), (2, true));
    for (from, to, folder, expected) in [
        (all.0, "2028-03-05T00:00:00Z", calendar(), "ErrorCalendarViewRangeTooBig"),
        (all.1, all.0, calendar(), "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (
            all.0,
            all.1,
            FolderRef::distinguished("deleteditems"),
            "ErrorCalendarFolderIsInvalidForCalendarView",
        ),
        (all.0, all.1, FolderRef::distinguished("contacts"), "ErrorFolderNotFound"),
        (all.0, all.1, FolderRef::id("bm9uc2Vuc2U="), "ErrorInvalidIdMalformed"),
    ] {
        assert_eq!(code(&find(&service, window(from, to, Some(10)), folder)), expected);
    }
}

#[test]
fn occurrences_by_index_and_master_by_occurrence() {
    let service = service(Options::default());
    let master = created(&service, daily(3));
    let index = |instance_index| ItemRef::Occurrence {
        recurring_master_id: master.id.clone(),
        change_key: None,
        instance_index,
    };
    let who = caller(Some(ONE));
    let third = calendar_item(read(&service, &who, index(3)));
    assert_eq!(third.recurrence_id, Some(at("2026-03-04T09:00:00Z")));
    let occurrence = third.item_id.unwrap().id;
    assert!(occurrence.len() > master.id.len(), "an occurrence's id embeds its date");
    let back = ItemRef::RecurringMaster { occurrence_id: occurrence.clone(), change_key: None };
    assert_eq!(calendar_item(read(&service, &who, back)).item_id.unwrap().id, master.id);
    let delete = DeleteItem {
        delete_type: DeleteType::MoveToDeletedItems,
        send_meeting_cancellations: None,
        affected_task_occurrences: None,
        suppress_read_receipts: None,
        item_ids: vec![index(3)],
    };
    assert_eq!(code(&write::delete_item(&service, &who, &delete)[0]), "NoError");
    assert_eq!(code(&read(&service, &who, index(3))), "ErrorCalendarOccurrenceIsDeletedFromRecurrence");
    assert_eq!(code(&read(&service, &who, index(4))), "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange");
    assert_eq!(code(&read(&service, &who, ItemRef::id(occurrence))), "ErrorItemNotFound");
    let upper = ItemRef::id(master.id.to_uppercase());
    assert!(code(&read(&service, &who, upper)).starts_with("Error"), "ids are case-sensitive");
}

#[test]
fn rights() {
    let no_rights = service(Options { folder_rights: false, ..Options::default() });
    let service = service(Options::default());
    let of = |address: &str| {
        let mailbox = Some(EmailAddress::smtp(address));
        FolderRef::Distinguished(DistinguishedFolderId { name: "calendar".into(), change_key: None, mailbox })
    };
    let ask = |service: &Service, who: Caller, folder: FolderRef| {
        let request = GetFolder { shape: FolderShape::id_only(), folder_ids: vec![folder] };
        code(&folders::get_folder(service, &who, &request)[0]).to_owned()
    };
    let own = FolderRef::calendar;
    assert_eq!(ask(&service, caller(Some(ONE)), own()), "NoError");
    assert_eq!(ask(&service, caller(Some(ONE)), of(TWO)), "ErrorAccessDenied");
    assert_eq!(ask(&service, caller(None), of(TWO)), "NoError");
    assert_eq!(ask(&service, caller(None), of("ghost@sim.test")), "ErrorNonExistentMailbox");
    assert_eq!(ask(&service, caller(None), own()), "ErrorNonExistentMailbox", "the account has no mailbox");
    assert_eq!(ask(&no_rights, caller(None), of(TWO)), "ErrorAccessDenied");
    assert_eq!(ask(&no_rights, caller(Some(TWO)), own()), "NoError");
    let item = created(&service, given("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z"));
    assert_eq!(code(&read(&service, &caller(Some(TWO)), item.clone().into())), "ErrorAccessDenied");
    for (access, expected) in
        [(Access::AccessDenied, "ErrorAccessDenied"), (Access::FolderNotFound, "ErrorFolderNotFound")]
    {
        service.act(&crate::Act::Access { mailbox: ONE.into(), access }).unwrap();
        assert_eq!(ask(&service, caller(Some(ONE)), own()), expected);
    }
}

fn update(
    service: &Service,
    item: ItemRef,
    updates: Vec<FieldUpdate>,
    resolution: ConflictResolution,
) -> String {
    let request = UpdateItem {
        conflict_resolution: resolution,
        message_disposition: None,
        send_meeting_invitations_or_cancellations: None,
        suppress_read_receipts: None,
        saved_item_folder: None,
        changes: vec![ItemChange { item, updates }],
    };
    code(&write::update_item(service, &caller(Some(ONE)), &request)[0]).to_owned()
}

fn set(uri: &str, item: CalendarItem) -> FieldUpdate {
    FieldUpdate::Set { path: PropertyPath::field(uri), item: Box::new(item) }
}

#[test]
fn conflicts_and_impossible_changes() {
    use ConflictResolution::{AlwaysOverwrite, AutoResolve, NeverOverwrite};
    let service = service(Options::default());
    let item = created(&service, given("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z"));
    let later = || {
        set("calendar:End", CalendarItem { end: Some(at("2026-03-02T10:00:00Z")), ..CalendarItem::default() })
    };
    let before = || {
        set("calendar:End", CalendarItem { end: Some(at("2026-03-01T10:00:00Z")), ..CalendarItem::default() })
    };
    let id = ItemRef::id(item.id.clone());
    assert_eq!(update(&service, id.clone(), vec![later()], AutoResolve), "ErrorChangeKeyRequired");
    assert_eq!(
        update(&service, item.clone().into(), vec![before()], NeverOverwrite),
        "ErrorCalendarEndDateIsEarlierThanStartDate"
    );
    assert_eq!(update(&service, item.clone().into(), vec![later()], NeverOverwrite), "NoError");
    assert_eq!(
        update(&service, item.clone().into(), vec![later()], NeverOverwrite),
        "ErrorIrresolvableConflict"
    );
    assert_eq!(update(&service, item.into(), vec![later()], AutoResolve), "NoError");
    let cancelled = set("calendar:IsCancelled", CalendarItem::default());
    assert_eq!(update(&service, id.clone(), vec![cancelled], AlwaysOverwrite), "ErrorInvalidPropertySet");
    let zone =
        CalendarItem { start_time_zone: Some(TimeZoneDefinition::id("Moon")), ..CalendarItem::default() };
    assert_eq!(
        update(&service, id, vec![set("calendar:StartTimeZone", zone)], AlwaysOverwrite),
        "ErrorTimeZone"
    );
}

#[test]
fn an_appointment_is_cancelled_by_its_state_flags() {
    let service = service(Options::default());
    let item = created(&service, given("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z"));
    let uri = ExtendedFieldUri {
        distinguished_property_set_id: Some("Appointment".into()),
        property_id: Some(0x8217),
        property_type: "Integer".into(),
        ..ExtendedFieldUri::default()
    };
    let property = ExtendedProperty { uri: uri.clone(), value: ExtendedValue::Single("5".into()) };
    let path = PropertyPath::Extended(uri);
    let given = CalendarItem { extended_properties: vec![property], ..CalendarItem::default() };
    let change = FieldUpdate::Set { path, item: Box::new(given) };
    let id = ItemRef::id(item.id);
    assert_eq!(update(&service, id.clone(), vec![change], ConflictResolution::AlwaysOverwrite), "NoError");
    assert_eq!(calendar_item(read(&service, &caller(Some(ONE)), id)).is_cancelled, Some(true));
}

#[test]
fn impossible_items_are_refused_one_by_one() {
    let service = service(Options::default());
    let mut bad_rule = daily(0);
    bad_rule.recurrence.as_mut().unwrap().pattern =
        RecurrencePattern::Weekly { interval: 1, days: Vec::new(), first_day_of_week: None };
    let answers = create(
        &service,
        vec![
            given("2026-03-02T09:00:00Z", "2026-03-02T08:00:00Z"),
            given("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"),
            bad_rule,
        ],
    );
    let codes: Vec<&str> = answers.iter().map(code).collect();
    assert_eq!(
        codes,
        ["ErrorCalendarEndDateIsEarlierThanStartDate", "NoError", "ErrorCalendarInvalidRecurrence"]
    );
}

fn subscription(service: &Service, who: &Caller) -> ResponseMessage<proto_ews::SubscriptionId> {
    let request = Subscribe {
        folders: SubscribedFolders::These(vec![FolderRef::calendar()]),
        event_kinds: vec![EventKind::Created, EventKind::Moved, EventKind::Deleted, EventKind::Modified],
    };
    subscribe::subscribe(service, who, &request).remove(0)
}

#[test]
fn a_mailbox_of_another_group_is_served_elsewhere() {
    let service = service(Options::default());
    assert_eq!(code(&subscription(&service, &caller(Some(ONE)))), "NoError");
    assert_eq!(code(&subscription(&service, &caller(Some(TWO)))), "ErrorProxyRequestNotAllowed");
    let mut there = caller(Some(TWO));
    there.back_end.group = 1;
    assert_eq!(code(&subscription(&service, &there)), "NoError");
    let all = Subscribe { folders: SubscribedFolders::All, event_kinds: vec![EventKind::Created] };
    assert_eq!(
        code(&subscribe::subscribe(&service, &caller(None), &all)[0]),
        "ErrorInvalidSubscriptionRequest"
    );
}

#[test]
fn moves_and_deletions_are_heard_under_both_ids() {
    let service = service(Options::default());
    let who = caller(Some(ONE));
    let id = subscription(&service, &who).into_result().unwrap();
    let item = created(
        &service,
        CalendarItem {
            free_busy: Some(FreeBusy::Free),
            ..given("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z")
        },
    );
    let trash = MoveItem {
        to_folder: FolderRef::distinguished("deleteditems"),
        item_ids: vec![item.clone().into()],
        return_new_item_ids: None,
    };
    let moved = id_of(&write::move_item(&service, &who, &trash)[0]);
    assert_ne!(moved.id, item.id);
    let back = MoveItem {
        to_folder: FolderRef::calendar(),
        item_ids: vec![moved.clone().into()],
        return_new_item_ids: Some(false),
    };
    assert_eq!(write::move_item(&service, &who, &back), [ResponseMessage::Success(Vec::new())]);
    assert_eq!(code(&read(&service, &who, moved.into())), "ErrorItemNotFound");
    let mut world = service.world();
    let (stream, _) = world.hub.open(0, who.back_end, &[id.as_str().to_owned()], 3, now()).unwrap();
    let Output::Events(all) = world.hub.collect(stream) else { panic!("no events") };
    let kinds: Vec<EventKind> = all[0].events.iter().map(|event| event.kind).collect();
    use EventKind::{Created, Modified, Moved};
    assert_eq!(kinds, [Created, Modified, Moved, Modified, Moved, Modified]);
}

#[test]
fn sync_tells_stored_items_and_refuses_garbage() {
    let service = service(Options::default());
    let who = caller(Some(ONE));
    let ask = |state: Option<&str>, ignore: Vec<ItemId>| {
        let request = SyncFolderItems {
            shape: ItemShape::with_fields(["calendar:CalendarItemType"]),
            folder: FolderRef::calendar(),
            sync_state: state.map(str::to_owned),
            ignore,
            max_changes_returned: 512,
            sync_scope: None,
        };
        sync::sync_folder_items(&service, &who, &request).remove(0)
    };
    let master = created(&service, daily(3));
    let page = ask(None, Vec::new()).into_result().unwrap();
    assert!(page.includes_last_item_in_range);
    let [SyncChange::Create(Item::Calendar(item))] = &page.changes[..] else { panic!("{page:?}") };
    assert_eq!(item.kind.unwrap().as_str(), "RecurringMaster");
    assert_eq!(ask(None, vec![master]).into_result().unwrap().changes, []);
    for garbage in ["x", "H4sIAAAB", "AAMkAAAA"] {
        assert_eq!(code(&ask(Some(garbage), Vec::new())), "ErrorInvalidSyncStateData", "{garbage}");
    }
    assert_eq!(ask(Some(&page.sync_state), Vec::new()).into_result().unwrap().changes, []);
}

#[test]
fn more_than_a_thousand_ids_are_not_answered() {
    let service = service(Options::default());
    let request = GetItem { shape: ItemShape::id_only(), item_ids: vec![ItemRef::id("x"); 1_001] };
    let answers = read::get_item(&service, &caller(Some(ONE)), &request);
    assert_eq!(answers.len(), 1_001);
    assert_eq!(code(&answers[999]), "ErrorInvalidIdMalformed");
    assert_eq!(code(&answers[1_000]), "ErrorBatchProcessingStopped");
}

#[test]
fn names_are_resolved() {
    let service = service(Options::default());
    let ask = |entry: &str| {
        let request = proto_ews::operation::ResolveNames {
            return_full_contact_data: false,
            search_scope: None,
            parent_folder_ids: Vec::new(),
            unresolved_entry: entry.into(),
        };
        folders::resolve_names(&service, &request).remove(0)
    };
    assert_eq!(code(&ask("smtp:ghost@sim.test")), "ErrorNameResolutionNoResults");
    assert_eq!(code(&ask("m000")), "ErrorNameResolutionMultipleResults");
    let one = ask("SMTP:M0001@sim.test").into_result().unwrap();
    assert_eq!(one.mailboxes[0].address.as_deref(), Some(ONE));
}

/// Fifty thousand idle mailboxes with a subscription each: seconds to make, and no timer anywhere.
#[test]
fn fifty_thousand_mailboxes_are_light() {
    let clock = base::clock::ManualClock::at(now());
    let service = Service::new(Options { mailboxes: 50_000, clock, ..Options::default() }, None).unwrap();
    for number in 1..=50_000 {
        let who = caller(Some(&service.options.mailbox(number)));
        assert_eq!(code(&subscription(&service, &who)), "NoError");
    }
    assert!(size_of::<Mailbox>() <= 256);
    assert!(size_of::<crate::hub::Subscription>() <= 256);
    assert_eq!(service.world().hub.subscriptions(), 50_000);
}
