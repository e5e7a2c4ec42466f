//! Goal: what real servers sent decodes to the values that stand there. Method: every sample of our
//! operations is decoded and written again; then each value that the sample holds must stand in what was
//! written, at the same place and in the same order, and nothing else. The list of elements that the decoder leaves
//! out on purpose is below. Some values are also looked at through the types.
//!
//! Skips itself visibly where the samples are not at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proto_ews::operation::SyncChange;
use proto_ews::time::{parse_date, parse_timestamp};
use proto_ews::{
    CalendarItem, CalendarItemKind, ConnectionStatus, Error, Event, EventKind, Fault, FreeBusy, Item,
    ItemKind, Limits, Notification, Problem, RecurrencePattern, RecurrenceRange, Request, Response,
    ResponseCode, ResponseEnvelope, ResponseMessage, StreamMessage, StreamSplitter, Target, autodiscover,
    decode_request, decode_response, encode_request, encode_response, pox,
};
use proto_soap::{Node, Reader};

use crate::shared;

/// Elements that the decoder leaves out, with all that stands in them.
const LEFT_OUT: &[&str] = &[
    "DescriptiveLinkKey",
    // Of items: nothing that the product or the simulator's other clients use.
    "ResponseObjects",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
    "InternetMessageHeaders",
    "ConflictingMeetingCount",
    "AdjacentMeetingCount",
    "ConflictingMeetings",
    "AdjacentMeetings",
    "Preview",
    "StartWallClock",
    "EndWallClock",
    "Flag",
    "InstanceKey",
    "EntityExtractionResult",
    "EnhancedLocation",
    "MeetingTimeZone",
    "InReplyTo",
    "ReminderNextTime",
    "DisplayBcc",
    "StoreEntryId",
    "TextBody",
    "NormalizedBody",
    "UniqueBody",
    "IsClutter",
    "BlockStatus",
    "HasBlockedImages",
    "IconIndex",
    "SearchKey",
    "SortKey",
    "IntendedFreeBusyStatus",
    "JoinOnlineMeetingUrl",
    "OnlineMeetingSettings",
    "CalendarActivityData",
    "DoNotForwardMeeting",
    "InboxReminders",
    "MentionedMe",
    "IsSeriesCancelled",
    "Attachments",
    "MeetingWorkspaceUrl",
    "NetShowUrl",
    "RetentionDate",
    "RightsManagementLicenseData",
    "AttendeeCounts",
    "Hashtags",
    "AppliedHashtags",
    "InferenceClassification",
    "CanDelete",
    // Of folders.
    "PermissionSet",
    "SharingEffectiveRights",
    "ManagedFolderInformation",
    "SearchParameters",
    // Of the rest.
    "HighlightTerms",
    "Groups",
    "ArchiveTag",
    "PolicyTag",
    "ReplicaList",
    "FilterHtmlContent",
    "ConvertHtmlCodePageToUTF8",
    "Contact",
];

/// Where in the document, and what stands there.
type Fact = (String, String);

/// The values in a tree: attributes and texts with their path, in the order of the document.
fn facts(node: &Node, above: &str, out: &mut Vec<Fact>) {
    if LEFT_OUT.contains(&node.local.as_str()) {
        return;
    }
    let path = format!("{above}/{}", node.local);
    // The character set of a MIME content: base64 of bytes that the product does not read.
    let left_out = |name: &str| name == "CharacterSet";
    for attribute in node.attributes.iter().filter(|a| a.namespace.is_empty() && !left_out(&a.local)) {
        out.push((format!("{path}@{}", attribute.local), canonical(&attribute.local, &attribute.value)));
    }
    let other_item = ItemKind::ALL.iter().any(|kind| kind.as_str() == node.local) && above.ends_with("Items");
    let children = node.children.iter().filter(|child| !other_item || child.local == "ItemId");
    children.for_each(|child| facts(child, &path, out));
    // Empty elements say nothing that their absence does not say.
    if node.children.is_empty() && !node.text.trim().is_empty() {
        out.push((path, canonical(&node.local, &node.text)));
    }
}

/// One form for values that may be written in several.
fn canonical(name: &str, value: &str) -> String {
    let trimmed = value.trim();
    if matches!(name, "StartDate" | "EndDate")
        && parse_timestamp(trimmed).is_none_or(|t| t.to_string().contains("T00:00:00"))
    {
        return parse_date(trimmed).map_or(trimmed.to_owned(), |date| date.to_string());
    }
    if let Some(time) = parse_timestamp(trimmed) {
        return time.to_string();
    }
    match (name, trimmed) {
        // Booleans of clients.
        (_, "0") if name.starts_with("Is") => "false".to_owned(),
        (_, "1") if name.starts_with("Is") => "true".to_owned(),
        ("ReminderIsSet" | "IsAllDayEvent", "0") => "false".to_owned(),
        ("ReminderIsSet" | "IsAllDayEvent", "1") => "true".to_owned(),
        _ => value.to_owned(),
    }
}

/// The facts of a message, sorted by place; equal places keep their order.
fn facts_of(message: &[u8]) -> Vec<Fact> {
    let mut reader = Reader::new(message, Limits::standard()).unwrap();
    let root = reader.root().unwrap();
    let tree = reader.node(&root).unwrap();
    let mut out = Vec::new();
    tree.children.iter().for_each(|part| facts(part, "", &mut out));
    out.sort_by(|a, b| a.0.cmp(&b.0));
    // grommunio writes the zones of an item twice.
    out.dedup_by(|a, b| a == b && a.0.contains("TimeZone@"));
    out
}

fn assert_same_facts(name: &str, original: &[u8], written: &str) {
    let (original, written) = (facts_of(original), facts_of(written.as_bytes()));
    let lost: Vec<_> = original.iter().filter(|fact| !written.contains(fact)).take(5).collect();
    let invented: Vec<_> = written.iter().filter(|fact| !original.contains(fact)).take(5).collect();
    assert!(lost.is_empty() && invented.is_empty(), "{name}: lost {lost:?}, invented {invented:?}");
    assert_eq!(written, original, "{name}: order");
    assert!(original.len() > 2, "{name}: there is something to compare");
}

/// The samples of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "xml"))
        .collect();
    files.sort();
    let parent = folder.file_name().unwrap().to_string_lossy().into_owned();
    files
        .into_iter()
        .map(|path| {
            let name = format!("{parent}/{}", path.file_name().unwrap().to_string_lossy());
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

/// The envelopes in a file: several in a stream's.
fn envelopes(name: &str, content: &[u8]) -> Vec<Vec<u8>> {
    if !name.contains("stream") {
        return vec![content.to_vec()];
    }
    let mut splitter = StreamSplitter::new(StreamSplitter::STANDARD_LIMIT);
    // Small pieces, since real ones are cut anywhere.
    let envelopes = content.chunks(97).flat_map(|piece| splitter.push(piece).unwrap()).collect();
    assert!(!splitter.is_inside(), "{name}");
    envelopes
}

/// Every answer in the samples, checked against its own text.
fn answers(samples: &Path) -> BTreeMap<String, Vec<ResponseEnvelope>> {
    let folders = [
        "createitem",
        "deleteitem",
        "errors",
        "faults",
        "finditem",
        "getfolder",
        "getitem",
        "grommunio",
        "moveitem",
        "resolvenames",
        "streaming",
        "sync",
        "unsubscribe",
        "updateitem",
    ];
    let mut answers = BTreeMap::new();
    for (name, content) in folders.iter().flat_map(|folder| files(&samples.join(folder))) {
        if name.ends_with(".req.xml") {
            continue;
        }
        let mut decoded = Vec::new();
        for message in envelopes(&name, &content) {
            match decode_response(&message, Limits::standard()) {
                Ok(envelope) => {
                    if envelope.body.is_ok() {
                        assert_same_facts(&name, &message, &encode_response(&envelope).unwrap());
                    }
                    decoded.push(envelope);
                }
                Err(error) => {
                    let folders = ["CreateFolderResponse", "DeleteFolderResponse"];
                    let other =
                        matches!(&error, Error::UnknownOperation { name } if folders.contains(&&**name));
                    assert!(other, "{name}: {error:?}");
                }
            }
        }
        answers.insert(name, decoded);
    }
    answers
}

#[test]
fn answers_hold_what_the_samples_hold() {
    let Some(samples) = shared::folder("ews/samples") else { return };
    let answers = answers(&samples);
    assert!(answers.len() >= 80, "only {} files found", answers.len());
    let response = |name: &str| match &answers[name][..] {
        [ResponseEnvelope { body: Ok(response), .. }] => response.clone(),
        other => panic!("{name}: {other:?}"),
    };
    series_and_times(&response);
    views(&response);
    errors_and_changes(&response);
    faults(&|name| answers[name][0].body.clone().unwrap_err());
    streams(&answers);
}

fn only<T: Clone + std::fmt::Debug>(messages: &[ResponseMessage<T>]) -> T {
    match messages {
        [ResponseMessage::Success(content)] => content.clone(),
        other => panic!("{other:?}"),
    }
}

fn only_item(response: &Response) -> CalendarItem {
    let Response::GetItem(messages) = response else { panic!("{response:?}") };
    match &only(messages)[..] {
        [Item::Calendar(item)] => *item.clone(),
        other => panic!("{other:?}"),
    }
}

fn time(text: &str) -> Option<jiff::Timestamp> {
    Some(text.parse().unwrap())
}

fn series_and_times(response: &dyn Fn(&str) -> Response) {
    let master = only_item(&response("getitem/01-garethp-recurring-master-15.2.xml"));
    assert_eq!(master.kind, Some(CalendarItemKind::RecurringMaster));
    assert_eq!(master.is_recurring, Some(false), "note 30");
    assert_eq!(master.start, time("2025-07-02T10:00:00Z"), "its own start, not that of an occurrence");
    assert_eq!(master.last_occurrence.unwrap().start, time("2025-07-23T10:00:00Z").unwrap());
    let recurrence = master.recurrence.unwrap();
    assert!(matches!(
        recurrence.pattern,
        RecurrencePattern::Weekly { interval: 1, first_day_of_week: None, .. }
    ));
    assert!(matches!(recurrence.range, RecurrenceRange::Numbered { occurrences: 4, .. }));

    // ConflictingMeetings holds a whole second item.
    let single = only_item(&response("getitem/02-garethp-single-14.3.xml"));
    assert_eq!(single.kind, Some(CalendarItemKind::Single));

    let exceptions = only_item(&response("grommunio/getitem-master-with-exceptions.res.xml"));
    assert_eq!(exceptions.modified_occurrences.len(), 1);
    assert_eq!(exceptions.modified_occurrences[0].original_start, time("2026-12-08T23:00:00Z").unwrap());
    assert_eq!(exceptions.deleted_occurrences[0].start, time("2026-12-16T08:00:00Z").unwrap());
    assert_eq!(exceptions.start_time_zone.unwrap().id.as_deref(), Some("W. Europe Standard Time"));

    let Response::GetItem(messages) = response("getitem/07-bourse-meetingrequest.xml") else { panic!() };
    assert!(matches!(&only(&messages)[..], [Item::Other(item)] if item.kind == ItemKind::MeetingRequest));
    let german = only_item(&response("getitem/06-otris-single-de.xml"));
    assert_eq!(german.start_time_zone_id.as_deref(), Some("tzone://Microsoft/Utc"), "note 35");
}

fn views(response: &dyn Fn(&str) -> Response) {
    let found = |name: &str| match response(name) {
        Response::FindItem(messages) => only(&messages),
        other => panic!("{other:?}"),
    };
    let occurrences = found("finditem/01-garethp-calendarview-occurrences-15.2.xml");
    assert_eq!(occurrences.items.len(), 6);
    let items: Vec<_> = occurrences.items.iter().filter_map(Item::as_calendar).collect();
    assert!(items.iter().any(|i| i.kind == Some(CalendarItemKind::Occurrence) && i.recurrence_id.is_some()));
    let all_day = items.iter().find(|i| i.is_all_day == Some(true)).unwrap();
    assert_eq!(all_day.duration.as_deref(), Some("P1D"), "note 36");
    assert_eq!(all_day.free_busy, Some(FreeBusy::Free));

    let truncated = found("finditem/06-bourse-calendarview-truncated.xml");
    assert!(!truncated.includes_last_item_in_range);
    assert_eq!((truncated.total_items_in_view, truncated.items.len()), (Some(13), 3));
    assert_eq!(truncated.indexed_paging_offset, None);
    assert_eq!(truncated.items[2].as_calendar().unwrap().is_cancelled, Some(true));
    for empty in ["finditem/05-ewsjs-calendarview-0.xml", "finditem/09-thread-pagedpastend.xml"] {
        let found = found(empty);
        assert!(found.items.is_empty() && found.includes_last_item_in_range, "{empty}");
    }
    assert_eq!(found("grommunio/finditem-calendarview-masters.res.xml").items.len(), 3);
}

fn errors_and_changes(response: &dyn Fn(&str) -> Response) {
    let Response::GetItem(batch) = response("getitem/08-kde-mixed-batch-2010.xml") else { panic!() };
    let good =
        batch.iter().filter(|m| matches!(m, ResponseMessage::Success(items) if items.len() == 1)).count();
    let gone =
        batch.iter().filter_map(|m| m.problem()).filter(|p| p.code == ResponseCode::ITEM_NOT_FOUND).count();
    assert_eq!((batch.len(), good, gone), (9, 7, 2));

    let problem = |name: &str| -> Problem {
        match response(name) {
            Response::SyncFolderItems(messages) => messages[0].problem().unwrap().clone(),
            Response::DeleteItem(messages) => messages[0].problem().unwrap().clone(),
            Response::ResolveNames(messages) => messages[0].problem().unwrap().clone(),
            other => panic!("{other:?}"),
        }
    };
    let busy = problem("sync/06-ewsrs-serverbusy-in-body.xml");
    assert_eq!((busy.code.clone(), busy.back_off_ms()), (ResponseCode::SERVER_BUSY, Some(5000)));
    let inner = problem("errors/08-exchangelib-innererror.xml");
    assert_eq!(inner.effective_code().as_str(), "ErrorQuotaExceededOnDelete");
    let nobody = problem("resolvenames/01-otris-noresults-de.xml");
    assert_eq!(nobody.code, ResponseCode::NAME_RESOLUTION_NO_RESULTS);

    let page = |name: &str| match response(name) {
        Response::SyncFolderItems(messages) => only(&messages),
        other => panic!("{other:?}"),
    };
    let nothing = page("sync/02-garethp-nochange-15.20.xml");
    assert!(
        nothing.changes.is_empty() && nothing.includes_last_item_in_range && !nothing.sync_state.is_empty()
    );
    assert_eq!(page("sync/05-garethp-state-14.3.xml").changes.len(), 10);
    assert!(!page("grommunio/sync-paged.res.xml").includes_last_item_in_range);
    assert!(matches!(page("grommunio/sync-delete.res.xml").changes[..], [SyncChange::Delete(_)]));
    assert!(matches!(
        &page("grommunio/sync-update.res.xml").changes[..],
        [SyncChange::Update(Item::Calendar(_))]
    ));

    let Response::CreateItem(created) = response("createitem/02-mhewedy-empty-items.xml") else { panic!() };
    assert_eq!(only(&created), vec![]);
    let Response::MoveItem(moved) = response("moveitem/01-kde-2010.xml") else { panic!() };
    assert!(matches!(&only(&moved)[..], [Item::Other(item)] if item.item_id.is_some()));
}

fn faults(fault: &dyn Fn(&str) -> Fault) {
    for (name, code, back_off_ms) in [
        ("faults/01-evolution-schema-2007.xml", "ErrorSchemaValidation", None),
        ("faults/02-evolution-schema-2010.xml", "ErrorSchemaValidation", None),
        ("faults/03-ewsjs-schema-missing-id.xml", "ErrorSchemaValidation", None),
        ("faults/04-ewsrs-exceededconnectioncount.xml", "ErrorExceededConnectionCount", None),
        ("faults/05-mhewedy-schema-action-header.xml", "ErrorSchemaValidation", None),
        ("faults/07-alexandria-schema-nbNO.xml", "ErrorSchemaValidation", None),
        ("faults/08-exchangelib-serverbusy.xml", "ErrorServerBusy", Some(297_749)),
        (
            "faults/09-thread-invalidimpersonationheader.xml",
            "ErrorInvalidExchangeImpersonationHeaderData",
            None,
        ),
        ("errors/07-gowsdl-itemnotfound-two-sentences.xml", "ErrorInvalidArgument", None),
        ("grommunio/fault-impersonation-denied.res.xml", "ErrorImpersonateUserDenied", None),
        ("grommunio/fault-unknown-mailbox.res.xml", "ErrorCannotFindUser", None),
        ("grommunio/stream-malformed-id-fault.res.xml", "Client", None),
        ("grommunio/unknown-operation.res.xml", "Server", None),
    ] {
        let fault = fault(name);
        assert_eq!((fault.code.as_str(), fault.back_off_ms()), (code, back_off_ms), "{name}");
        assert!(!fault.text.is_empty(), "{name}");
    }
    let connections = fault("faults/04-ewsrs-exceededconnectioncount.xml");
    assert_eq!(connections.message_xml.get("MaxConcurrencyLimit"), Some("27"));
    let schema = fault("faults/05-mhewedy-schema-action-header.xml");
    assert_eq!(schema.message_xml.get("LineNumber"), Some("0"), "bare elements are kept by their name");
}

fn streams(answers: &BTreeMap<String, Vec<ResponseEnvelope>>) {
    let messages = |name: &str| -> Vec<StreamMessage> {
        let of = |envelope: &ResponseEnvelope| match &envelope.body {
            Ok(Response::GetStreamingEvents(messages)) => messages.clone(),
            other => panic!("{name}: {other:?}"),
        };
        answers[name].iter().flat_map(of).collect()
    };
    let kinds = |notification: &Notification| -> Vec<EventKind> {
        let of = |event: &Event| match event {
            Event::Change(change) => Some(change.kind),
            Event::Status => None,
        };
        notification.events.iter().filter_map(of).collect()
    };

    use EventKind::{Created, FreeBusyChanged, Modified, Moved};
    let deleted = messages("streaming/03-bourse-moved-to-deleted.xml");
    let notification = &deleted[0].notifications[0];
    assert_eq!(
        kinds(notification),
        [Modified, FreeBusyChanged, Modified, Moved, FreeBusyChanged, Modified],
        "note 8"
    );
    let Event::Change(moved) = &notification.events[3] else { panic!() };
    assert!(matches!(&moved.old, Some(Target::Item(old)) if old.change_key.as_deref() == Some("CQAAAA==")));
    assert!(moved.old_parent_folder_id.is_some());
    let Event::Change(last) = &notification.events[5] else { panic!() };
    assert!(matches!(last.target, Target::Folder(_)) && last.unread_count.is_none());

    let created = messages("streaming/02-bourse-created-freebusy-modified.xml");
    let [first, second] = &created[0].notifications[..] else { panic!() };
    assert_eq!(first.subscription_id, second.subscription_id, "note 10");
    assert_eq!(kinds(first).iter().chain(&kinds(second)).filter(|k| **k == Created).count(), 1);
    let status = |name: &str| messages(name)[0].connection_status;
    assert_eq!(status("streaming/06-thread-opened.xml"), Some(ConnectionStatus::Ok));
    assert_eq!(status("streaming/04-bourse-closed.xml"), Some(ConnectionStatus::Closed));

    let mixed = messages("grommunio/stream-mixed-owner-error.res.xml");
    assert_eq!(mixed.len(), 8);
    assert_eq!(mixed[0].connection_status, Some(ConnectionStatus::Closed));
    let second = &mixed[1];
    assert_eq!(second.problem.as_ref().unwrap().code, ResponseCode::INVALID_SUBSCRIPTION);
    assert_eq!(second.error_subscription_ids.len(), 1, "an id without a namespace");
    assert_eq!(second.notifications[0].events.len(), 6, "events of the good one in a message of class Error");

    let many = messages("grommunio/stream-more-events.res.xml");
    let events = |m: &StreamMessage| m.notifications.iter().map(|n| kinds(n).len()).sum::<usize>();
    assert_eq!(many.iter().map(events).sum::<usize>(), 240);
    assert_eq!(many[1].notifications[0].more_events, Some(true));
    let beat = &messages("grommunio/stream-folder-heartbeats-closed.res.xml")[2];
    assert_eq!(beat.notifications[0].events, [Event::Status]);
    let three = &messages("grommunio/stream-three-mailboxes-taken-over.res.xml")[1];
    assert_eq!(three.notifications.len(), 3);
}

#[test]
fn requests_hold_what_the_samples_hold() {
    let Some(samples) = shared::folder("ews/samples") else { return };
    let mut names = BTreeMap::new();
    for (name, content) in files(&samples.join("grommunio")) {
        if !name.ends_with(".req.xml") {
            continue;
        }
        match decode_request(&content, Limits::standard()) {
            Ok(envelope) => {
                assert_same_facts(&name, &content, &encode_request(&envelope).unwrap());
                *names.entry(envelope.request.name()).or_insert(0) += 1;
                if name == "grommunio/createitem-series.req.xml" {
                    let Request::CreateItem(create) = &envelope.request else { panic!() };
                    let item = create.items[0].as_calendar().unwrap();
                    assert_eq!(item.start, time("2026-12-02T08:00:00Z"), "an offset");
                    assert_eq!(item.reminder_is_set, Some(false), "written as 0");
                }
            }
            Err(error) => assert_eq!(
                (name.as_str(), error),
                (
                    "grommunio/unknown-operation.req.xml",
                    Error::UnknownOperation { name: "GetFoo".to_owned() }
                )
            ),
        }
    }
    assert_eq!(names.len(), 12, "every operation but MoveItem: {names:?}");
}

#[test]
fn autodiscover_answers() {
    let Some(samples) = shared::folder("ews/samples/autodiscover") else { return };
    let decode = |name: &str| {
        let content = std::fs::read(samples.join(name)).unwrap();
        autodiscover::decode_response(&content, Limits::standard())
    };
    let grouping = decode("04-ewsjs-getusersettings-grouping.xml").unwrap().unwrap();
    assert_eq!(grouping.error_code, "NoError");
    let user = &grouping.users[0];
    assert_eq!(user.get(autodiscover::GROUPING_INFORMATION), Some("SX3PR03"));
    assert_eq!(
        user.get(autodiscover::EXTERNAL_EWS_URL),
        Some("https://outlook.office365.com/EWS/Exchange.asmx")
    );
    assert_eq!((user.settings.len(), user.setting_errors.len()), (13, 2));
    assert_eq!(user.setting_errors[0].setting_name, "PublicFolderServer");

    let redirect = decode("05-ewsjs-redirectaddress.xml").unwrap().unwrap();
    assert_eq!(redirect.users.len(), 2);
    assert_eq!(redirect.users[0].outcome, autodiscover::UserOutcome::Found);
    assert_eq!(redirect.users[0].settings.len(), 6, "three of nine are no texts");
    let autodiscover::UserOutcome::RedirectAddress(target) = &redirect.users[1].outcome else { panic!() };
    assert!(target.contains('@'));

    let fault = decode("06-ewsjs-internalservicefault.xml").unwrap().unwrap_err();
    assert_eq!(fault.code.local, "InternalServiceFault");
    for (name, settings) in
        [("07-ewsjs-getusersettings-15.1.201.xml", 11), ("08-bourse-getusersettings-15.0.xml", 2)]
    {
        let users = decode(name).unwrap().unwrap().users;
        assert_eq!((users.len(), users[0].settings.len()), (1, settings), "{name}");
    }
    let not_soap = decode("02-garethp-pox-error600.xml").unwrap_err();
    assert_eq!(not_soap, Error::Soap(proto_soap::Error::NotAnEnvelope { found: "Autodiscover".to_owned() }));
}

#[test]
fn plain_autodiscover_answers() {
    let Some(samples) = shared::folder("ews/samples/autodiscover") else { return };
    let decode = |name: &str| {
        let content = std::fs::read(samples.join(name)).unwrap();
        pox::decode_response(&content, Limits::standard())
    };
    for (name, grouping) in
        [("01-garethp-pox-settings-online.xml", "SX1PR01"), ("03-garethp-pox-settings-2016.xml", "SX2PR02")]
    {
        let url = Some("https://outlook.office365.com/EWS/Exchange.asmx".to_owned());
        let settings = pox::PoxSettings {
            external_ews_url: url.clone(),
            internal_ews_url: url,
            grouping_information: Some(grouping.to_owned()),
        };
        assert_eq!(decode(name).unwrap(), pox::PoxResponse::Settings(settings), "{name}");
    }
    let failed = pox::PoxResponse::Failed { code: "600".into(), message: "Invalid Request".into() };
    assert_eq!(decode("02-garethp-pox-error600.xml").unwrap(), failed);
    assert!(decode("04-ewsjs-getusersettings-grouping.xml").is_err(), "soap is another service");
}

#[test]
fn other_services_are_named() {
    let Some(samples) = shared::folder("ews/samples") else { return };
    for folder in ["availability", "findfolder", "notification", "other", "timezones"] {
        for (name, content) in files(&samples.join(folder)) {
            let error = decode_response(&content, Limits::standard()).unwrap_err();
            assert!(matches!(error, Error::UnknownOperation { .. }), "{name}: {error:?}");
        }
    }
}
