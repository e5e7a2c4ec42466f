//! Goal: what the authority makes is what verifiers accept and refuse.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{ServerName, UnixTime};

use super::{Authority, Clients, Wanted};

/// What a verifier that trusts `authority` says on 1 June 2026 of a certificate for `host`.
fn verify(authority: &Authority, of: &Authority, wanted: &Wanted, host: &'static str) -> Result<(), Error> {
    let issued = of.issue(wanted).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(host).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000));
    let der = issued.certificate_der().unwrap();
    verifier.verify_server_cert(&der, &[], &name, &[], now).map(|_| ())
}

#[test]
fn good_certificates_are_accepted_and_bad_ones_refused_for_their_reason() {
    let authority = Authority::new("test").unwrap();
    let other = Authority::new("other").unwrap();
    let loopback = Wanted::loopback();
    verify(&authority, &authority, &loopback, "127.0.0.1").unwrap();
    verify(&authority, &authority, &loopback, "localhost").unwrap();
    let refused =
        |of: &Authority, wanted: &Wanted, host| match verify(&authority, of, wanted, host).unwrap_err() {
            Error::InvalidCertificate(reason) => reason,
            other => panic!("{other:?}"),
        };
    assert!(matches!(
        refused(&authority, &loopback.clone().expired(), "localhost"),
        CertificateError::ExpiredContext { .. }
    ));
    assert!(matches!(
        refused(&authority, &loopback.clone().not_yet_valid(), "localhost"),
        CertificateError::NotValidYetContext { .. }
    ));
    assert!(matches!(
        refused(&authority, &loopback, "mail.sim.test"),
        CertificateError::NotValidForNameContext { .. }
    ));
    assert_eq!(refused(&other, &loopback, "localhost"), CertificateError::UnknownIssuer);
}

#[test]
fn files_hold_the_certificate_and_a_key_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("test").unwrap();
    let issued = authority.issue(&Wanted::client("kommuneklient", "CVR:12345678-FID:1")).unwrap();
    let (certificate, key) = issued.write(folder.path(), "client").unwrap();
    assert_eq!(std::fs::read_to_string(certificate).unwrap(), issued.certificate_pem);
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!format!("{issued:?}").contains("PRIVATE KEY"));
    // the subject's serial number stands in the certificate as it was wanted
    let der = issued.certificate_der().unwrap();
    assert!(der.windows(18).any(|part| part == b"CVR:12345678-FID:1"));
    issued.server_config(Clients::Of(&authority)).unwrap();
}
