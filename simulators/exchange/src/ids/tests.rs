//! Goal: every id survives the wire and says the same afterwards; anything else is refused, never
//! misread, and never panics.
use super::*;
use proptest::prelude::*;

fn keys() -> impl Strategy<Value = ItemKey> {
    (
        any::<u128>(),
        0usize..6,
        any::<u64>(),
        proptest::option::of((1601i16..4500, 1i8..=12, 1i8..=28, 0i8..24, 0i8..60, 0i8..60)),
    )
        .prop_map(|(mailbox, folder, number, at)| ItemKey {
            mailbox: MailboxKey(mailbox),
            folder: FolderKind::ALL[folder],
            number,
            occurrence: at.map(|(y, mo, d, h, mi, s)| civil::DateTime::new(y, mo, d, h, mi, s, 0).unwrap()),
        })
}

proptest! {
    #[test]
    fn item_ids_round_trip(key in keys()) {
        let text = key.encode();
        prop_assert!(text.starts_with("AAMk"));
        prop_assert!(text.len() < 512);
        prop_assert_eq!(ItemKey::parse(&text), Ok(key));
        prop_assert_eq!(FolderKey::parse(&text), Err(MalformedId));
    }

    #[test]
    fn folder_ids_round_trip(mailbox in any::<u128>(), folder in 0usize..6) {
        let key = FolderKey { mailbox: MailboxKey(mailbox), folder: FolderKind::ALL[folder] };
        prop_assert_eq!(FolderKey::parse(&key.encode()), Ok(key));
        prop_assert_eq!(ItemKey::parse(&key.encode()), Err(MalformedId));
    }

    #[test]
    fn sync_states_round_trip(mailbox in any::<u128>(), since in 0u64..u64::MAX / 2, more in any::<u32>(),
                              before in any::<u64>()) {
        let folder = FolderKey { mailbox: MailboxKey(mailbox), folder: FolderKind::Calendar };
        let state = SyncState { folder, since, until: since + u64::from(more), before };
        prop_assert_eq!(SyncState::parse(&state.encode()), Ok(state));
    }

    #[test]
    fn other_text_is_refused(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = (ItemKey::parse(&text), FolderKey::parse(&text));
        prop_assert!(SyncState::parse(&text).is_err());
        let text = STANDARD.encode(bytes);
        let _ = (ItemKey::parse(&text), FolderKey::parse(&text));
        prop_assert!(SyncState::parse(&text).is_err());
    }

    #[test]
    fn one_changed_character_of_a_sync_state_is_noticed(at in 0usize..60, other in "[A-Za-z0-9+/]") {
        let folder = FolderKey { mailbox: MailboxKey::of("m0001@sim.test"), folder: FolderKind::Calendar };
        let good = SyncState { folder, since: 1, until: 2, before: 2 }.encode();
        let mut bad = good.clone();
        bad.replace_range(at..=at, &other);
        prop_assume!(bad != good);
        prop_assert!(SyncState::parse(&bad).is_err());
    }
}

#[test]
fn the_same_address_has_the_same_mailbox() {
    assert_eq!(MailboxKey::of(" M0001@Sim.test"), MailboxKey::of("m0001@sim.test"));
    assert_ne!(MailboxKey::of("m0001@sim.test"), MailboxKey::of("m0002@sim.test"));
}

#[test]
fn change_keys_differ_by_version_and_are_no_stubs() {
    let mailbox = MailboxKey::of("m0001@sim.test");
    let first = item_change_key(mailbox, 1);
    assert!(first.starts_with("DwAAABYAAAB") && first.len() == 40, "{first}");
    assert_ne!(first, item_change_key(mailbox, 2));
    assert!(change_key_is(mailbox, 1, &first) && !change_key_is(mailbox, 1, STUB_ITEM));
    assert!(folder_change_key(mailbox, 1).starts_with("AgAAABYAAAB"));
}

#[test]
fn a_subscription_id_names_its_server() {
    let mailbox = MailboxKey::of("m0001@sim.test");
    let created = "2026-03-02T09:15:07Z".parse().unwrap();
    let bytes = STANDARD.decode(subscription_id("ex1-1.sim.test", 7, created, mailbox)).unwrap();
    assert_eq!(&bytes[..2], [14, 0]);
    assert_eq!(&bytes[2..16], b"ex1-1.sim.test");
}
