//! Goal: a sealed value opens at its place, under its key, unchanged, and in no other case; nothing shows a key
//! or a secret. Method: tables of what may be swapped, properties over bytes, real files.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const PLACE: Place = Place { table: "service_user_credential", row: 7, field: "sealed_password" };
const SECRET: &str = "hemmelig-æøå-1";

fn key(byte: u8) -> SealingKey {
    let mut text = hex::encode([byte; 31]);
    text.push_str("2a");
    SealingKey::parse(&text.into(), "test").unwrap()
}

fn ring(current: u8, previous: &[u8]) -> KeyRing {
    KeyRing::new(key(current), previous.iter().copied().map(key)).unwrap()
}

fn sealed() -> Sealed {
    ring(1, &[]).seal(PLACE, &SECRET.into()).unwrap()
}

#[test]
fn what_is_sealed_opens_at_its_place() {
    let sealed = sealed();
    assert_eq!(&sealed.key_id, key(1).id());
    assert_eq!(ring(1, &[]).open(PLACE, &sealed).unwrap().expose_secret(), SECRET);
    let again = tests::sealed();
    assert_ne!(sealed.bytes, again.bytes, "a nonce was used twice");
}

/// Made by another implementation (Python: XChaCha20's key derivation by hand, checked with the draft's own vector,
/// then OpenSSL's ChaCha20-Poly1305), so that the layout is what it says and stays so.
#[test]
fn what_another_implementation_sealed_opens() {
    let sealed = Sealed {
        key_id: KeyId::stored("a096db9f0e7f01df"),
        bytes: hex::decode(
            "016465666768696a6b6c6d6e6f707172737475767778797a7bcb4125e36256078ccd39cb10443cbd0339c14522231234b02d\
             ac35adb1fef743f4",
        )
        .unwrap(),
    };
    assert_eq!(ring(1, &[]).open(PLACE, &sealed).unwrap().expose_secret(), SECRET);
}

#[test]
fn a_value_moved_to_another_row_table_or_field_does_not_open() {
    let sealed = sealed();
    for moved in [
        Place { row: 8, ..PLACE },
        Place { row: -7, ..PLACE },
        Place { table: "other", ..PLACE },
        Place { field: "user_name", ..PLACE },
        // the same letters, divided otherwise
        Place { table: "service_user_credentials", field: "ealed_password", ..PLACE },
    ] {
        let error = ring(1, &[]).open(moved, &sealed).unwrap_err();
        assert!(matches!(error, TrustError::Open { place, .. } if place == moved), "{error}");
    }
}

#[test]
fn a_value_opens_under_its_own_key_alone() {
    let sealed = sealed();
    let error = ring(2, &[3]).open(PLACE, &sealed).unwrap_err();
    assert!(matches!(&error, TrustError::UnknownKey { key_id, .. } if key_id == key(1).id()), "{error}");
    assert!(error.to_string().contains("row 7") && error.to_string().contains(key(1).id().as_str()));
    assert_eq!(ring(2, &[3, 1]).open(PLACE, &sealed).unwrap().expose_secret(), SECRET);
    // the id says another key than the one it was sealed under
    let pretended = Sealed { key_id: key(2).id().clone(), ..sealed };
    assert!(matches!(ring(2, &[1]).open(PLACE, &pretended), Err(TrustError::Open { .. })));
}

#[test]
fn a_rotated_ring_seals_under_the_new_key() {
    let before = sealed();
    let ring = ring(2, &[1]);
    let after = ring.seal(PLACE, &ring.open(PLACE, &before).unwrap()).unwrap();
    assert_eq!(&after.key_id, key(2).id());
    assert_eq!(tests::ring(2, &[]).open(PLACE, &after).unwrap().expose_secret(), SECRET);
    assert_eq!(ring.ids().collect::<Vec<_>>(), [key(2).id(), key(1).id()]);
}

#[test]
fn a_ring_has_each_key_once_and_not_too_many() {
    assert_eq!(ring(1, &[1, 2, 2]).ids().count(), 2);
    let many = || (2..).take(KEYS_MAX).map(key);
    assert!(matches!(KeyRing::new(key(1), many()), Err(TrustError::TooManyKeys { .. })));
    assert!(KeyRing::new(key(1), many().skip(1)).is_ok());
}

#[test]
fn another_version_is_refused() {
    let mut sealed = sealed();
    sealed.bytes[0] = 2;
    assert!(matches!(ring(1, &[]).open(PLACE, &sealed), Err(TrustError::SealedForm { .. })));
}

#[test]
fn a_secret_has_a_length_limit() {
    let long = |length| SecretString::from("x".repeat(length));
    assert!(matches!(
        ring(1, &[]).seal(PLACE, &long(SECRET_BYTES_MAX + 1)),
        Err(TrustError::SecretTooLong { .. })
    ));
    let longest = ring(1, &[]).seal(PLACE, &long(SECRET_BYTES_MAX)).unwrap();
    assert!(ring(1, &[]).open(PLACE, &longest).is_ok());
    let huge = Sealed { bytes: vec![VERSION; 10 * SECRET_BYTES_MAX], ..longest };
    assert!(matches!(ring(1, &[]).open(PLACE, &huge), Err(TrustError::SealedForm { .. })));
}

#[test]
fn keys_are_read_as_base64_and_as_hexadecimal() {
    let made = SealingKey::generate().unwrap();
    assert_ne!(made.id(), SealingKey::generate().unwrap().id());
    let text = made.text();
    assert_eq!(text.expose_secret().len(), 44);
    let with_newline = format!("  {}\n", text.expose_secret());
    assert_eq!(SealingKey::parse(&with_newline.into(), "t").unwrap().id(), made.id());
    let hexadecimal = hex::encode_upper(made.expose());
    assert_eq!(SealingKey::parse(&hexadecimal.into(), "t").unwrap().id(), made.id());
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    for text in ["", "passw0rd", &"z".repeat(64), STANDARD_OF_16, &"A".repeat(43), &"00".repeat(32)] {
        let error = SealingKey::parse(&(*text).into(), "secrets.key").unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("secrets.key"), "{shown}");
        assert!(text.is_empty() || !shown.contains(text), "{shown}");
    }
}
const STANDARD_OF_16: &str = "AAECAwQFBgcICQoLDA0ODw==";

#[test]
fn key_files_are_new_and_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    let made = SealingKey::generate().unwrap();
    made.write_new(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SealingKey::read(&path).unwrap().id(), made.id());
    let error = made.write_new(&path).unwrap_err();
    assert!(matches!(error, TrustError::WriteKey { .. }), "{error}");
    for (mode, exposed) in
        [(0o600, false), (0o400, false), (0o440, false), (0o644, true), (0o602, true), (0o620, true)]
    {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(SealingKey::exposed(&path).unwrap().is_some(), exposed, "{mode:o}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, vec![b'A'; 2000]).unwrap();
    assert!(matches!(SealingKey::read(&path), Err(TrustError::Read { .. })));
    assert!(matches!(SealingKey::read(folder.path()), Err(TrustError::Read { .. })));
}

#[test]
fn nothing_shows_a_key_or_a_secret() {
    let made = key(5);
    let ring = ring(5, &[6]);
    let sealed = ring.seal(PLACE, &SECRET.into()).unwrap();
    let opened = ring.open(PLACE, &sealed).unwrap();
    let errors = [
        ring.open(Place { row: 1, ..PLACE }, &sealed).unwrap_err(),
        tests::ring(9, &[]).open(PLACE, &sealed).unwrap_err(),
    ];
    let shown = format!("{made:?} {ring:?} {sealed:?} {opened:?} {errors:?} {} {}", errors[0], errors[1]);
    for secret in [SECRET, made.text().expose_secret(), &hex::encode(made.expose()), "5, 5, 5"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_survives(text in "\\PC{0,200}", row: i64) {
        let place = Place { row, ..PLACE };
        let ring = ring(1, &[2]);
        let sealed = ring.seal(place, &text.as_str().into()).unwrap();
        let opened = ring.open(place, &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), text.as_str());
        prop_assert!(text.len() < 4 || !sealed.bytes.windows(text.len()).any(|bytes| bytes == text.as_bytes()));
    }

    #[test]
    fn a_changed_bit_is_refused(at: prop::sample::Index, bit in 0_u8..8) {
        let mut sealed = sealed();
        let at = at.index(sealed.bytes.len());
        sealed.bytes[at] ^= 1 << bit;
        prop_assert!(ring(1, &[]).open(PLACE, &sealed).is_err());
    }

    #[test]
    fn a_cut_or_lengthened_value_is_refused(keep: prop::sample::Index, more in prop::collection::vec(any::<u8>(), 1..40)) {
        let whole = sealed();
        let mut cut = whole.clone();
        cut.bytes.truncate(keep.index(whole.bytes.len()));
        prop_assert!(ring(1, &[]).open(PLACE, &cut).is_err());
        let mut longer = whole;
        longer.bytes.extend(more);
        prop_assert!(ring(1, &[]).open(PLACE, &longer).is_err());
    }

    #[test]
    fn what_was_never_sealed_does_not_open(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let made_up = Sealed { key_id: key(1).id().clone(), bytes };
        prop_assert!(ring(1, &[]).open(PLACE, &made_up).is_err());
    }
}
