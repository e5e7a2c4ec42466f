//! Goal: the one certificate that is meant is taken, in every form in which municipalities get theirs, and
//! whatever is wrong is named. Method: files made on the spot, in a table of faults.

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, LocalKeyId, PrivateKey, PrivateKeyChain};
use tempfile::TempDir;

use super::*;
use crate::authority::{Authority, Issued, Wish, now, write};

const PASSWORD: &str = "correct horse";
const NUMBER: &str = "CVR:12345678-FID:1";

/// A PKCS #12 file with these certificates and their keys.
fn pkcs12(folder: &TempDir, issued: &[&Issued]) -> PathBuf {
    let mut store = KeyStore::new();
    for (number, one) in issued.iter().enumerate() {
        let key = PrivateKey::from_der(&one.key.serialize_der()).unwrap();
        let certificate = Certificate::from_der(one.certificate.der()).unwrap();
        let chain = PrivateKeyChain::new(LocalKeyId(vec![number as u8]), key, [certificate]);
        store.add_entry(&format!("entry {number}"), KeyStoreEntry::PrivateKeyChain(chain));
    }
    write(folder, "own.p12", store.writer(PASSWORD).write().unwrap())
}

fn password(folder: &TempDir) -> Password {
    Password::File(write(folder, "password", format!("{PASSWORD}\n")))
}

fn foces(days: (i64, i64), number: &str) -> Issued {
    Authority::new().issue(&Wish { serial_number: Some(number), days, ..Wish::default() })
}

#[test]
fn pkcs12_and_pem_give_the_same() {
    let (folder, issued) = (TempDir::new().unwrap(), foces((-1, 300), NUMBER));
    let pem = issued.write(&folder, "own").load(now()).unwrap();
    let bag = OwnCertificate::pkcs12(pkcs12(&folder, &[&issued]), password(&folder)).load(now()).unwrap();
    assert_eq!(pem.facts(), bag.facts());
    assert_eq!(pem.key(), bag.key());
    assert_eq!(pem.facts().serial_number.as_deref(), Some(NUMBER));
    assert_eq!(pem.facts().days_left(now()), 299);
    assert_eq!(pem.certificate(), &issued.certificate.der()[..]);
    assert!(!format!("{pem:?}").contains(&hex::encode(&pem.key()[..8])));
}

/// As `openssl genpkey -aes256` writes it: PBES2 with PBKDF2.
#[test]
fn a_key_under_a_password_in_pem_opens() {
    let (folder, issued) = (TempDir::new().unwrap(), foces((-1, 300), NUMBER));
    let mut own = issued.write(&folder, "own");
    let der = issued.key.serialize_der();
    let sealed = pkcs8::PrivateKeyInfoRef::try_from(der.as_slice()).unwrap();
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1_000, b"salt salt", [7; 16]);
    let sealed = sealed.encrypt_with_params(parameters.unwrap(), PASSWORD).unwrap();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sealed.as_bytes());
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    let text = format!(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----\n",
        lines.join("\n")
    );
    let key = write(&folder, "sealed.key", text);
    own.files = CertificateFiles::Pem { certificate: own.file().to_owned(), key };
    own.password = password(&folder);
    assert_eq!(own.load(now()).unwrap().key(), der);
    own.password = Password::None;
    assert!(matches!(own.load(now()).unwrap_err(), TrustError::Password { .. }));
}

#[test]
fn the_serial_number_chooses() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (foces((-1, 300), NUMBER), foces((-1, 300), "CVR:12345678-FID:2"));
    let mut own = OwnCertificate::pkcs12(pkcs12(&folder, &[&one, &two]), password(&folder));
    let error = own.load(now()).unwrap_err();
    assert!(matches!(error, TrustError::SeveralMatch { .. }), "{error}");
    assert!(error.to_string().contains("FID:2"), "{error}");
    own.serial_number = Some("CVR:12345678-FID:2".into());
    assert_eq!(own.load(now()).unwrap().certificate(), &two.certificate.der()[..]);
    own.serial_number = Some("CVR:99999999-FID:9".into());
    let error = own.load(now()).unwrap_err();
    assert!(matches!(error, TrustError::NoneMatches { .. }), "{error}");
    assert!(error.to_string().contains(NUMBER), "what is there is said: {error}");
}

/// A renewed certificate bears the same serial number, and both may stand in one file.
#[test]
fn of_two_with_one_serial_number_the_valid_one_is_taken() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (foces((-900, -1), NUMBER), foces((-1, 900), NUMBER));
    let mut own = OwnCertificate::pkcs12(pkcs12(&folder, &[&old, &new]), password(&folder));
    own.serial_number = Some(NUMBER.into());
    assert_eq!(own.load(now()).unwrap().certificate(), &new.certificate.der()[..]);
    let both = OwnCertificate::pkcs12(pkcs12(&folder, &[&new, &foces((-1, 900), NUMBER)]), password(&folder));
    assert!(matches!(both.load(now()).unwrap_err(), TrustError::SeveralMatch { .. }));
}

#[test]
fn what_is_wrong_is_named() {
    let folder = TempDir::new().unwrap();
    let own = foces((-1, 300), NUMBER).write(&folder, "own");

    let expired = foces((-900, -1), NUMBER).write(&folder, "expired").load(now()).unwrap_err();
    assert!(matches!(expired, TrustError::Expired { .. }), "{expired}");
    let early = foces((1, 300), NUMBER).write(&folder, "early").load(now()).unwrap_err();
    assert!(matches!(early, TrustError::NotYetValid { .. }), "{early}");

    let stranger = write(&folder, "stranger.key", rcgen::KeyPair::generate().unwrap().serialize_pem());
    let other = OwnCertificate::pem(own.file(), stranger).load(now()).unwrap_err();
    assert!(matches!(other, TrustError::KeyOfAnother { .. }), "{other}");
    assert!(other.to_string().contains("stranger.key"), "{other}");

    let no_key = OwnCertificate::pem(own.file(), own.file()).load(now()).unwrap_err();
    assert!(matches!(no_key, TrustError::Nothing { .. }), "{no_key}");
    // regression: it held "no a private key"
    assert!(no_key.to_string().ends_with(" holds no private key"), "{no_key}");
    // regression: of a PEM file whose name ends in .p12 a tag of ASN.1 was said to be unknown
    let pem = write(&folder, "pem.p12", std::fs::read(own.file()).unwrap());
    let error = OwnCertificate::pkcs12(pem, password(&folder)).load(now()).unwrap_err();
    assert!(matches!(error, TrustError::PemByAnotherName { .. }), "{error}");
    assert!(error.to_string().contains("pem.p12 is a PEM file"), "{error}");

    let file = pkcs12(&folder, &[&foces((-1, 300), NUMBER)]);
    let wrong = Password::File(write(&folder, "wrong", "not the password"));
    let error = OwnCertificate::pkcs12(&file, wrong).load(now()).unwrap_err();
    assert!(matches!(error, TrustError::Password { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("not the password"), "{error:?}");
    let given = OwnCertificate::pkcs12(&file, Password::Given(PASSWORD.into()));
    given.load(now()).unwrap();
    assert!(!format!("{given:?}").contains(PASSWORD));
    let no_text = Password::File(write(&folder, "binary", [0xff, 0xfe]));
    let error = OwnCertificate::pkcs12(&file, no_text).load(now()).unwrap_err();
    assert!(matches!(error, TrustError::PasswordForm { .. }), "{error}");
    let damaged = write(&folder, "damaged.p12", &std::fs::read(&file).unwrap()[..200]);
    let error = OwnCertificate::pkcs12(damaged, password(&folder)).load(now()).unwrap_err();
    assert!(matches!(error, TrustError::Pkcs12 { .. }), "{error}");
}

#[test]
fn the_chain_is_sent_without_the_root() {
    let (folder, root) = (TempDir::new().unwrap(), Authority::new());
    let middle = root.intermediate();
    let issued = middle.issue(&Wish::default());
    let own = issued.write(&folder, "own");
    // in any order, with the root among them
    let all = format!("{}{}{}", root.0.pem(), issued.certificate.pem(), middle.0.pem());
    let identity = OwnCertificate {
        files: CertificateFiles::Pem {
            certificate: write(&folder, "all.pem", all),
            key: own.key_file().to_owned(),
        },
        ..own
    }
    .load(now())
    .unwrap();
    let chain: Vec<&[u8]> = identity.certified.cert.iter().map(|der| &der[..]).collect();
    assert_eq!(chain, [&issued.certificate.der()[..], &middle.0.der()[..]]);
}
