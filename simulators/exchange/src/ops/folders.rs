//! GetFolder, ResolveNames, ConvertId.

use proto_ews::operation::{AlternateId, ConvertId, GetFolder, ResolutionSet, ResolveNames};
use proto_ews::{
    BaseShape, EffectiveRights, EmailAddress, ExtendedFieldUri, ExtendedProperty, ExtendedValue, Folder,
    FolderId, FolderKind as Element, FolderShape, Problem, PropertyPath, ResponseCode, ResponseMessage,
};

use crate::ids::{FolderKey, FolderKind, ItemKey, MailboxKey, STUB_FOLDER, folder_change_key};
use crate::mailbox::{Access, Mailbox};
use crate::ops;
use crate::service::{Caller, Service};

/// Names that ResolveNames tells at most.
const NAMES_MAX: usize = 100;

/// GetFolder.
pub fn get_folder(
    service: &Service,
    caller: &Caller,
    request: &GetFolder,
) -> Vec<ResponseMessage<Vec<Folder>>> {
    let world = service.world();
    let one = |folder| -> Result<Vec<Folder>, Problem> {
        let key = ops::folder(service, &world, caller, folder)?;
        let mailbox = ops::mailbox(&world, key.mailbox)?;
        let mut folder = describe(mailbox, key, &request.shape);
        let rights = match mailbox.access {
            Access::AvailabilityOnly => EffectiveRights::default(),
            Access::PrivateHidden => {
                EffectiveRights { read: true, view_private_items: Some(false), ..EffectiveRights::default() }
            }
            _ => all_rights(),
        };
        if caller.acting.is_none() {
            folder.effective_rights = folder.effective_rights.map(|_| rights);
        }
        Ok(vec![folder])
    };
    request
        .folder_ids
        .iter()
        .map(|folder| one(folder).map_or_else(ResponseMessage::Error, ResponseMessage::Success))
        .collect()
}

/// A folder with the properties that were asked for.
fn describe(mailbox: &Mailbox, key: FolderKey, shape: &FolderShape) -> Folder {
    let kind = match key.folder {
        FolderKind::Calendar => Element::CalendarFolder,
        _ => Element::Folder,
    };
    let wants = |uri: &str| match shape.base {
        BaseShape::IdOnly => shape.additional.iter().any(|path| *path == PropertyPath::field(uri)),
        _ => true,
    };
    let version = mailbox.version();
    let parent = FolderKey { folder: key.folder.parent(), ..key };
    let children = FolderKind::ALL.iter().filter(|kind| kind.parent() == key.folder && **kind != key.folder);
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let class = match key.folder {
        FolderKind::Calendar => "IPF.Appointment",
        FolderKind::Root | FolderKind::MsgFolderRoot => "IPF",
        _ => "IPF.Note",
    };
    let mut folder = Folder::new(kind);
    folder.folder_id =
        Some(FolderId::new(key.encode()).with_change_key(folder_change_key(key.mailbox, version)));
    folder.parent_folder_id =
        wants("folder:ParentFolderId").then(|| FolderId::new(parent.encode()).with_change_key(STUB_FOLDER));
    folder.folder_class = wants("folder:FolderClass").then(|| class.to_owned());
    folder.display_name = wants("folder:DisplayName").then(|| key.folder.display_name().to_owned());
    folder.total_count = wants("folder:TotalCount").then(|| count(mailbox.count(key.folder)));
    folder.child_folder_count = wants("folder:ChildFolderCount").then(|| count(children.count()));
    folder.effective_rights = wants("folder:EffectiveRights").then(all_rights);
    folder.distinguished_folder_id =
        wants("folder:DistinguishedFolderId").then(|| key.folder.distinguished().to_owned());
    folder.unread_count = (kind == Element::Folder && wants("folder:UnreadCount")).then_some(0);
    folder.extended_properties = shape
        .additional
        .iter()
        .filter_map(|path| match path {
            PropertyPath::Extended(uri) => extended(mailbox, uri),
            _ => None,
        })
        .collect();
    folder
}

/// What the caller may do: everything.
pub(crate) fn all_rights() -> EffectiveRights {
    EffectiveRights {
        create_associated: true,
        create_contents: true,
        create_hierarchy: true,
        delete: true,
        modify: true,
        read: true,
        view_private_items: Some(true),
    }
}

/// The two properties by which a client sees cheaply that something has changed (reference.md section 7).
fn extended(mailbox: &Mailbox, uri: &ExtendedFieldUri) -> Option<ExtendedProperty> {
    let tag = uri.property_tag.as_deref()?;
    let tag = u16::from_str_radix(tag.trim_start_matches("0x").trim_start_matches("0X"), 16).ok()?;
    let value = match tag {
        0x670a => mailbox.changed().to_string(),
        0x670b => mailbox.deletions().to_string(),
        _ => return None,
    };
    Some(ExtendedProperty { uri: uri.clone(), value: ExtendedValue::Single(value) })
}

/// ResolveNames: by address, or by what an address begins with.
pub fn resolve_names(service: &Service, request: &ResolveNames) -> Vec<ResponseMessage<ResolutionSet>> {
    let world = service.world();
    let entry = request.unresolved_entry.trim();
    let exact = entry.get(..5).filter(|start| start.eq_ignore_ascii_case("smtp:")).map(|_| &entry[5..]);
    let found: Vec<&Mailbox> = match exact {
        Some(address) => world.mailboxes.get(&MailboxKey::of(address)).into_iter().collect(),
        None => {
            let entry = entry.to_lowercase();
            let begins = world.mailboxes.values().filter(|mailbox| mailbox.address().starts_with(&entry));
            begins.take(NAMES_MAX).collect()
        }
    };
    let mut mailboxes: Vec<EmailAddress> = found
        .into_iter()
        .filter(|mailbox| mailbox.access != Access::Missing)
        .map(|mailbox| EmailAddress {
            name: Some(mailbox.address().to_owned()),
            address: Some(mailbox.address().to_owned()),
            routing_type: Some("SMTP".into()),
            mailbox_type: Some("Mailbox".into()),
        })
        .collect();
    mailboxes.sort_by(|a, b| a.address.cmp(&b.address));
    let set = ResolutionSet {
        total_items_in_view: i32::try_from(mailboxes.len()).ok(),
        includes_last_item_in_range: Some(true),
        mailboxes,
    };
    vec![match set.mailboxes.len() {
        0 => ResponseMessage::error(ResponseCode::NAME_RESOLUTION_NO_RESULTS, "No results were found."),
        1 => ResponseMessage::Success(set),
        _ => ResponseMessage::Warning {
            content: Some(set),
            problem: Problem::new(
                ResponseCode::NAME_RESOLUTION_MULTIPLE_RESULTS,
                "Multiple results were found.",
            ),
        },
    }]
}

/// ConvertId: ids of this server are the same in every format; others are malformed, which is the
/// answer that exchangelib's discovery waits for.
pub fn convert_id(service: &Service, request: &ConvertId) -> Vec<ResponseMessage<AlternateId>> {
    let world = service.world();
    let known = |id: &AlternateId| {
        let mailbox = ItemKey::parse(&id.id)
            .map(|key| key.mailbox)
            .or_else(|_| FolderKey::parse(&id.id).map(|key| key.mailbox));
        mailbox.is_ok_and(|mailbox| world.mailboxes.contains_key(&mailbox))
    };
    let one = |id: &AlternateId| match known(id) {
        true => {
            ResponseMessage::Success(AlternateId { format: request.destination_format.clone(), ..id.clone() })
        }
        false => ResponseMessage::Error(ops::malformed()),
    };
    request.source_ids.iter().map(one).collect()
}
