//! Goal: what servers and clients do besides the schema is read as it is meant (field notes by number).
//! The messages here are composed for these tests.

use proto_ews::operation::{FieldUpdate, SubscribedFolders};
use proto_ews::{
    CalendarItem, Error, EventKind, Fault, FolderRef, Impersonation, Item, ItemRef, Limits, PropertyPath,
    Request, RequestEnvelope, Response, ResponseCode, ResponseEnvelope, ResponseMessage, SubscriptionId,
    decode_request, decode_response, encode_request, encode_response,
};

const S: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const M: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const T: &str = "http://schemas.microsoft.com/exchange/services/2006/types";

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{S}' xmlns:m='{M}' xmlns:t='{T}'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn response(body: &str) -> Result<Response, Fault> {
    decode_response(envelope("", body).as_bytes(), Limits::standard()).unwrap().body
}

fn request(body: &str) -> Result<RequestEnvelope, Error> {
    decode_request(envelope("", body).as_bytes(), Limits::standard())
}

/// The messages of a GetItem answer with these items in one message each.
fn items(messages: &str) -> Vec<ResponseMessage<Vec<Item>>> {
    let body =
        format!("<m:GetItemResponse><m:ResponseMessages>{messages}</m:ResponseMessages></m:GetItemResponse>");
    match response(&body).unwrap() {
        Response::GetItem(messages) => messages,
        other => panic!("{other:?}"),
    }
}

fn success(item: &str) -> String {
    format!(
        "<m:GetItemResponseMessage ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode>\
         <m:Items>{item}</m:Items></m:GetItemResponseMessage>"
    )
}

fn calendar_item(inner: &str) -> CalendarItem {
    match items(&success(&format!("<t:CalendarItem>{inner}</t:CalendarItem>"))).remove(0) {
        ResponseMessage::Success(mut items) => match items.remove(0) {
            Item::Calendar(item) => *item,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_class_decides_before_the_content() {
    // Note 24: the elements of a success in an error.
    let body = "<m:SyncFolderItemsResponse><m:ResponseMessages><m:SyncFolderItemsResponseMessage ResponseClass='Error'>\
        <m:MessageText>x</m:MessageText><m:ResponseCode>ErrorServerBusy</m:ResponseCode>\
        <m:SyncState>old</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>\
        <m:Changes><t:Create><broken/></t:Create></m:Changes>\
        </m:SyncFolderItemsResponseMessage></m:ResponseMessages></m:SyncFolderItemsResponse>";
    let Ok(Response::SyncFolderItems(messages)) = response(body) else { panic!() };
    assert!(matches!(&messages[..], [ResponseMessage::Error(p)] if p.code == ResponseCode::SERVER_BUSY));
    // The rest of a batch that was stopped: a warning with an empty list is no answer.
    let stopped = items(
        "<m:GetItemResponseMessage ResponseClass='Warning'><m:MessageText>x</m:MessageText>\
         <m:ResponseCode>ErrorBatchProcessingStopped</m:ResponseCode><m:Items/></m:GetItemResponseMessage>",
    );
    assert!(matches!(&stopped[..], [ResponseMessage::Warning { content: None, .. }]));
    let problem = stopped[0].clone().into_result().unwrap_err();
    assert_eq!(problem.code, ResponseCode::BATCH_PROCESSING_STOPPED);
    // Several mailboxes of one name: a warning with content.
    let body = "<m:ResolveNamesResponse><m:ResponseMessages><m:ResolveNamesResponseMessage ResponseClass='Warning'>\
        <m:ResponseCode>ErrorNameResolutionMultipleResults</m:ResponseCode><m:ResolutionSet TotalItemsInView='2'>\
        <t:Resolution><t:Mailbox><t:EmailAddress>a@sim.test</t:EmailAddress></t:Mailbox></t:Resolution>\
        <t:Resolution><t:Mailbox><t:EmailAddress>b@sim.test</t:EmailAddress></t:Mailbox></t:Resolution>\
        </m:ResolutionSet></m:ResolveNamesResponseMessage></m:ResponseMessages></m:ResolveNamesResponse>";
    let Ok(Response::ResolveNames(messages)) = response(body) else { panic!() };
    assert_eq!(messages[0].clone().into_result().unwrap().mailboxes.len(), 2);
    // Without a class, the code.
    let no_class =
        items("<m:GetItemResponseMessage><m:ResponseCode>ErrorX</m:ResponseCode></m:GetItemResponseMessage>");
    assert!(matches!(&no_class[..], [ResponseMessage::Error(p)] if p.code.as_str() == "ErrorX"));
}

#[test]
fn a_success_without_its_content_is_an_error() {
    for (operation, missing) in
        [("Subscribe", "SubscriptionId"), ("FindItem", "RootFolder"), ("SyncFolderItems", "SyncState")]
    {
        let body = format!(
            "<m:{operation}Response><m:ResponseMessages><m:{operation}ResponseMessage ResponseClass='Success'>\
             <m:ResponseCode>NoError</m:ResponseCode><m:SyncState/></m:{operation}ResponseMessage></m:ResponseMessages></m:{operation}Response>"
        );
        let error = decode_response(envelope("", &body).as_bytes(), Limits::standard()).unwrap_err();
        assert_eq!(error, Error::Soap(proto_soap::Error::Missing { name: missing }));
    }
}

#[test]
fn one_bad_item_does_not_lose_the_others() {
    let good =
        success("<t:CalendarItem><t:ItemId Id='good'/><t:Subject>a&#x0;b</t:Subject></t:CalendarItem>");
    let bad = success(
        "<t:CalendarItem><t:ItemId Id='bad'/><t:Start>whenever</t:Start><t:UID>u</t:UID></t:CalendarItem>",
    );
    let messages = items(&format!("{good}{bad}{good}"));
    let items: Vec<_> = messages.into_iter().map(|m| m.into_result().unwrap().remove(0)).collect();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0].as_calendar().unwrap().subject.as_deref(), Some("a\u{fffd}b"), "note 5");
    let Item::Unreadable { item_id: Some(id), error } = &items[1] else { panic!("{:?}", items[1]) };
    assert_eq!(id.id, "bad");
    assert!(matches!(error, proto_soap::Error::Value { name, .. } if name == "Start"));
    assert_eq!(items[2], items[0]);
    // Damage of the XML is another matter.
    let cut = envelope(
        "",
        "<m:GetItemResponse><m:ResponseMessages><m:GetItemResponseMessage><m:Items><t:CalendarItem>&x;",
    );
    let error = decode_response(cut.as_bytes(), Limits::standard()).unwrap_err();
    assert!(matches!(error, Error::Soap(proto_soap::Error::Entity { .. })));
}

#[test]
fn unknown_values_are_kept_apart_from_absent_ones() {
    let item = calendar_item(
        "<t:Sensitivity>Secret</t:Sensitivity><t:LegacyFreeBusyStatus>Busier</t:LegacyFreeBusyStatus>\
         <t:CalendarItemType>New</t:CalendarItemType><t:FutureElement><t:Start>x</t:Start></t:FutureElement>",
    );
    assert!(item.sensitivity.is_some_and(|s| !s.is_known()));
    assert!(item.free_busy.is_some_and(|s| !s.is_known()));
    assert!(item.kind.is_some_and(|s| !s.is_known()));
    assert_eq!(item.start, None);
    // They are not written.
    let body = Ok(Response::GetItem(vec![ResponseMessage::Success(vec![item.into()])]));
    let message = encode_response(&ResponseEnvelope { server_version: None, body }).unwrap();
    assert!(message.contains("<t:CalendarItem/>"), "{message}");
}

#[test]
fn nested_items_do_not_leak() {
    // Note 31.
    let item = calendar_item(
        "<t:FirstOccurrence><t:ItemId Id='o'/><t:Start>2026-01-01T08:00:00Z</t:Start><t:End>2026-01-01T09:00:00Z</t:End>\
         <t:OriginalStart>2026-01-01T08:00:00Z</t:OriginalStart></t:FirstOccurrence>\
         <t:ConflictingMeetings><t:CalendarItem><t:ItemId Id='c'/><t:UID>c</t:UID></t:CalendarItem></t:ConflictingMeetings>",
    );
    assert_eq!((item.item_id, item.uid, item.start, item.original_start), (None, None, None, None));
    assert_eq!(item.first_occurrence.unwrap().item_id.id, "o");
}

#[test]
fn prefixes_of_2007_and_default_namespaces() {
    let plain = format!(
        "<?xml version='1.0'?>\n<soap:Envelope xmlns:soap='{S}'><soap:Header><t:ServerVersionInfo xmlns:t='{T}' MajorVersion='8' MinorVersion='1'/></soap:Header>\
         <soap:Body><SubscribeResponse xmlns='{M}'><ResponseMessages><SubscribeResponseMessage ResponseClass='Success'>\
         <ResponseCode>\n NoError </ResponseCode><SubscriptionId>\n id\n</SubscriptionId></SubscribeResponseMessage></ResponseMessages></SubscribeResponse></soap:Body></soap:Envelope>\n"
    );
    let decoded = decode_response(plain.as_bytes(), Limits::standard()).unwrap();
    let version = decoded.server_version.unwrap();
    assert_eq!((version.major, version.minor, version.major_build, version.version), (8, 1, 0, None));
    let Ok(Response::Subscribe(messages)) = decoded.body else { panic!() };
    assert_eq!(messages, [ResponseMessage::Success(SubscriptionId::new("id"))]);
}

#[test]
fn notifications_in_any_namespace() {
    for prefix in ["m:", "t:", "xmlns='' "] {
        let element = |name: &str, inner: &str| match prefix.strip_prefix("xmlns=''") {
            Some(_) => format!("<{name} xmlns=''>{inner}</{name}>"),
            None => format!("<{prefix}{name}>{inner}</{prefix}{name}>"),
        };
        let notification = element("Notification", "<t:SubscriptionId>a</t:SubscriptionId><t:StatusEvent/>");
        let bad = element("SubscriptionId", "b");
        let body = format!(
            "<m:GetStreamingEventsResponse><m:ResponseMessages><m:GetStreamingEventsResponseMessage ResponseClass='Success'>\
             <m:ResponseCode>NoError</m:ResponseCode><m:Notifications>{notification}</m:Notifications>\
             <m:ErrorSubscriptionIds>{bad}</m:ErrorSubscriptionIds></m:GetStreamingEventsResponseMessage>\
             </m:ResponseMessages></m:GetStreamingEventsResponse>"
        );
        let Ok(Response::GetStreamingEvents(messages)) = response(&body) else { panic!() };
        assert_eq!(messages[0].notifications[0].subscription_id.as_str(), "a", "{prefix}");
        assert_eq!(messages[0].error_subscription_ids, [SubscriptionId::new("b")], "{prefix}");
    }
}

#[test]
fn faults_take_their_code_from_the_detail_first() {
    let fault = |inner: &str| match response(&format!("<s:Fault>{inner}</s:Fault>")) {
        Err(fault) => fault,
        Ok(other) => panic!("{other:?}"),
    };
    let detail = "<detail><e:ResponseCode xmlns:e='e'>\n ErrorServerBusy </e:ResponseCode><t:MessageXml>\
                  <t:Value Name='BackOffMilliseconds'> 15000 </t:Value><t:Violation>v</t:Violation></t:MessageXml></detail>";
    let busy = fault(&format!("<faultcode>s:Client</faultcode><faultstring>wait</faultstring>{detail}"));
    assert_eq!((busy.code.clone(), busy.back_off_ms()), (ResponseCode::SERVER_BUSY, Some(15_000)));
    assert_eq!(busy.message_xml.get("Violation"), Some("v"));
    let bare = fault("<faultcode xmlns:a='x'>a:ErrorNonExistentMailbox</faultcode>");
    assert_eq!(bare.code, ResponseCode::NON_EXISTENT_MAILBOX);
    let empty =
        fault("<faultcode>ErrorCannotFindUser</faultcode><detail><e:ResponseCode xmlns:e='e'/></detail>");
    assert_eq!(empty.code, ResponseCode::CANNOT_FIND_USER);
}

#[test]
fn faults_are_written_in_the_form_of_2010_and_later() {
    let fault = Fault::new(ResponseCode::SERVER_BUSY, "wait").with_value("BackOffMilliseconds", "15000");
    let message = encode_response(&ResponseEnvelope { server_version: None, body: Err(fault) }).unwrap();
    assert!(!message.contains("Header"), "note 20");
    assert!(
        message.contains(&format!("<faultcode xmlns:a=\"{T}\">a:ErrorServerBusy</faultcode>")),
        "note 21"
    );
    assert!(message.contains("<faultstring xml:lang=\"en-US\">wait</faultstring>"));
    assert!(message.contains("<t:Value Name=\"BackOffMilliseconds\">15000</t:Value>"));
}

#[test]
fn errors_carry_the_empty_container_of_their_operation() {
    // Note 27.
    let error = || ResponseMessage::error(ResponseCode::ITEM_NOT_FOUND, "gone");
    for (body, container) in [
        (Response::GetItem(vec![error()]), "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey><m:Items/></m:"),
        (
            Response::DeleteItem(vec![ResponseMessage::error(ResponseCode::ITEM_NOT_FOUND, "gone")]),
            "0</m:DescriptiveLinkKey></m:",
        ),
        (
            Response::GetFolder(vec![ResponseMessage::error(ResponseCode::FOLDER_NOT_FOUND, "gone")]),
            "<m:Folders/></m:",
        ),
    ] {
        let message = encode_response(&ResponseEnvelope { server_version: None, body: Ok(body) }).unwrap();
        assert!(message.contains(container), "{message}");
    }
}

#[test]
fn requests_of_exchangelib() {
    let header = "<t:RequestServerVersion Version='Exchange2016'/><t:ExchangeImpersonation><t:ConnectingSID>\
        <t:PrimarySmtpAddress>a@sim.test</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>\
        <t:TimeZoneContext><t:TimeZoneDefinition Id='Romance Standard Time'><t:Periods/></t:TimeZoneDefinition></t:TimeZoneContext>";
    let body = "<m:CreateItem SendMeetingInvitations='SendToNone'><m:SavedItemFolderId><t:DistinguishedFolderId Id='calendar'>\
        <t:Mailbox><t:EmailAddress>a@sim.test</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></m:SavedItemFolderId><m:Items><t:CalendarItem>\
        <t:Subject>s</t:Subject><t:ReminderIsSet>0</t:ReminderIsSet><t:Start>2026-03-02T10:00:00+01:00</t:Start>\
        <t:End>2026-03-02T11:00:00+01:00</t:End><t:IsAllDayEvent>1</t:IsAllDayEvent>\
        <t:StartTimeZone Id='Romance Standard Time'><t:Periods><t:Period Bias='-PT60M' Name='Standard' Id='s'/></t:Periods>\
        <t:TransitionsGroups/><t:Transitions/></t:StartTimeZone></t:CalendarItem></m:Items></m:CreateItem>";
    let decoded = decode_request(envelope(header, body).as_bytes(), Limits::standard()).unwrap();
    assert_eq!(decoded.impersonation, Some(Impersonation::PrimarySmtpAddress("a@sim.test".to_owned())));
    assert_eq!(decoded.time_zone_context.as_deref(), Some("Romance Standard Time"));
    let Request::CreateItem(create) = decoded.request else { panic!() };
    let Some(FolderRef::Distinguished(folder)) = create.saved_item_folder else { panic!() };
    assert_eq!(folder.mailbox.unwrap().address.as_deref(), Some("a@sim.test"));
    let item = create.items[0].as_calendar().unwrap();
    assert_eq!((item.reminder_is_set, item.is_all_day), (Some(false), Some(true)));
    assert_eq!(item.start, Some("2026-03-02T09:00:00Z".parse().unwrap()));
    let zone = item.start_time_zone.as_ref().unwrap();
    assert_eq!(zone.id.as_deref(), Some("Romance Standard Time"));
    assert_eq!(zone.definition.len(), 3);
}

#[test]
fn eighty_field_uris_are_kept_in_order() {
    let uris: Vec<String> = (0..80).map(|n| format!("calendar:Field{n}")).collect();
    let fields: String = uris.iter().map(|uri| format!("<t:FieldURI FieldURI='{uri}'/>")).collect();
    let body = format!(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:FilterHtmlContent>1</t:FilterHtmlContent>\
         <t:AdditionalProperties>{fields}<t:Unknown/></t:AdditionalProperties></m:ItemShape>\
         <m:ItemIds><t:OccurrenceItemId RecurringMasterId='m' InstanceIndex='2'/><t:Unknown/></m:ItemIds></m:GetItem>"
    );
    let Request::GetItem(get) = request(&body).unwrap().request else { panic!() };
    let expected: Vec<_> = uris.iter().map(|uri| PropertyPath::field(uri)).collect();
    assert_eq!(get.shape.additional, expected);
    assert!(matches!(&get.item_ids[..], [ItemRef::Occurrence { instance_index: 2, .. }]));
}

#[test]
fn updates_set_delete_and_append() {
    let body = "<m:UpdateItem ConflictResolution='AutoResolve'><m:ItemChanges><t:ItemChange><t:ItemId Id='i' ChangeKey='c'/><t:Updates>\
        <t:SetItemField><t:FieldURI FieldURI='item:Subject'/><t:Item><t:Subject>s</t:Subject></t:Item></t:SetItemField>\
        <t:DeleteItemField><t:FieldURI FieldURI='calendar:Location'/></t:DeleteItemField>\
        <t:AppendToItemField><t:FieldURI FieldURI='item:Body'/><t:CalendarItem><t:Body BodyType='Text'>b</t:Body></t:CalendarItem></t:AppendToItemField>\
        </t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>";
    let Request::UpdateItem(update) = request(body).unwrap().request else { panic!() };
    let [
        FieldUpdate::Set { item: set, .. },
        FieldUpdate::Delete { path },
        FieldUpdate::Append { item: append, .. },
    ] = &update.changes[0].updates[..]
    else {
        panic!("{update:?}")
    };
    assert_eq!(set.subject.as_deref(), Some("s"), "in t:Item as well");
    assert_eq!(*path, PropertyPath::field("calendar:Location"));
    assert_eq!(append.body.as_ref().unwrap().text, "b");
}

#[test]
fn wrong_requests_are_refused_with_their_reason() {
    let missing = |name| Error::Soap(proto_soap::Error::Missing { name });
    for (body, expected) in [
        ("<m:GetFoo/>", Error::UnknownOperation { name: "GetFoo".to_owned() }),
        ("<GetItem/>", Error::UnknownOperation { name: "GetItem".to_owned() }),
        ("<s:Fault/>", Error::UnknownOperation { name: "Fault".to_owned() }),
        (
            "<m:Subscribe><m:PushSubscriptionRequest/></m:Subscribe>",
            Error::Unsupported { what: "a push subscription" },
        ),
        (
            "<m:Subscribe><m:PullSubscriptionRequest/></m:Subscribe>",
            Error::Unsupported { what: "a pull subscription" },
        ),
        ("<m:Subscribe/>", missing("StreamingSubscriptionRequest")),
        ("<m:GetItem><m:ItemIds/></m:GetItem>", missing("ItemShape")),
        ("<m:DeleteItem/>", missing("DeleteType")),
        ("<m:Unsubscribe/>", missing("SubscriptionId")),
        ("<m:MoveItem><m:ToFolderId/></m:MoveItem>", missing("FolderId")),
        ("<m:GetFolder><m:FolderShape/></m:GetFolder>", missing("BaseShape")),
    ] {
        assert_eq!(request(body).unwrap_err(), expected, "{body}");
    }
    // A wrong value of an item is the sender's error, and so is one of an enumeration.
    for body in [
        "<m:CreateItem><m:Items><t:CalendarItem><t:Start>x</t:Start></t:CalendarItem></m:Items></m:CreateItem>",
        "<m:DeleteItem DeleteType='Softly'/>",
        "<m:GetStreamingEvents><m:ConnectionTimeout>long</m:ConnectionTimeout></m:GetStreamingEvents>",
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>Some</t:BaseShape></m:ItemShape></m:SyncFolderItems>",
    ] {
        let error = request(body).unwrap_err();
        assert!(matches!(error, Error::Soap(proto_soap::Error::Value { .. })), "{body}: {error:?}");
    }
}

#[test]
fn restrictions_are_noticed() {
    let find = |part: &str| {
        let body = format!(
            "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>{part}<m:ParentFolderIds/></m:FindItem>"
        );
        match request(&body).unwrap().request {
            Request::FindItem(find) => find.has_restriction,
            other => panic!("{other:?}"),
        }
    };
    assert!(!find("") && !find("<m:SortOrder/>"));
    assert!(find("<m:Restriction/>") && find("<m:GroupBy/>") && find("<m:QueryString>x</m:QueryString>"));
}

#[test]
fn subscriptions_of_all_folders_and_of_some() {
    let subscribe = |attributes: &str, folders: &str| {
        let body = format!(
            "<m:Subscribe><m:StreamingSubscriptionRequest {attributes}>{folders}<t:EventTypes><t:EventType>MovedEvent</t:EventType></t:EventTypes>\
             </m:StreamingSubscriptionRequest></m:Subscribe>"
        );
        match request(&body).unwrap().request {
            Request::Subscribe(subscribe) => subscribe,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(subscribe("SubscribeToAllFolders='1'", "").folders, SubscribedFolders::All);
    let some = subscribe("", "<t:FolderIds><t:FolderId Id='f'/></t:FolderIds>");
    assert_eq!(some.folders, SubscribedFolders::These(vec![FolderRef::id("f")]));
    assert_eq!(some.event_kinds, [EventKind::Moved]);
}

#[test]
fn chunk_lengths_are_told_apart_from_bad_xml() {
    // Note 4.
    let error = decode_response(b"2000\r\n<?xml version='1.0'?><x/>", Limits::standard()).unwrap_err();
    assert_eq!(error, Error::Soap(proto_soap::Error::BrokenProxy));
    assert!(error.disposition().is_retry());
}

#[test]
fn nothing_private_shows_in_debug_output() {
    let secret = "hemmeligt møde";
    let item = calendar_item(&format!(
        "<t:Subject>{secret}</t:Subject><t:Body BodyType='Text'>{secret}</t:Body><t:Categories><t:String>{secret}</t:String></t:Categories>\
         <t:Location>{secret}</t:Location><t:Organizer><t:Mailbox><t:Name>{secret}</t:Name></t:Mailbox></t:Organizer>"
    ));
    assert_eq!(item.subject.as_deref(), Some(secret));
    assert!(!format!("{item:?} {:?}", item.body).contains("hemmeligt"));
}

#[test]
fn a_request_is_written_with_its_header_in_order() {
    let envelope = RequestEnvelope {
        server_version: Some("Exchange2016".to_owned()),
        impersonation: Some(Impersonation::SmtpAddress("a@sim.test".to_owned())),
        time_zone_context: None,
        request: request("<m:Unsubscribe><m:SubscriptionId>id</m:SubscriptionId></m:Unsubscribe>")
            .unwrap()
            .request,
    };
    let message = encode_request(&envelope).unwrap();
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{S}\" xmlns:m=\"{M}\" xmlns:t=\"{T}\"><s:Header>\
         <t:RequestServerVersion Version=\"Exchange2016\"/><t:ExchangeImpersonation><t:ConnectingSID>\
         <t:SmtpAddress>a@sim.test</t:SmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header>\
         <s:Body><m:Unsubscribe><m:SubscriptionId>id</m:SubscriptionId></m:Unsubscribe></s:Body></s:Envelope>"
    );
    assert_eq!(message, expected);
}
