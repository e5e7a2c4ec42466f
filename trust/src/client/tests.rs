//! Goal: a configuration trusts what it was told to trust and nothing else, verifies names and says which
//! file is wrong. Method: real handshakes in memory between a rustls server with certificates made on the
//! spot and the configuration under test.

use std::error::Error;

use rustls::{CertificateError, ServerConfig};
use tempfile::TempDir;

use super::*;
use crate::authority::{Authority, Wish, now, shake, write};
use crate::{ClientsCertificate, ServerTls};

fn only(path: &Path) -> ClientTls {
    ClientTls { roots: Roots::Only(path.to_owned()) }
}

/// A server that calls itself `name`.
fn server(folder: &TempDir, authority: &Authority, name: &str) -> ServerConfig {
    let certificate = authority.issue(&Wish { name, ..Wish::default() }).write(folder, name);
    let tls = ServerTls { certificate, clients: ClientsCertificate::Ignored };
    tls.open(now()).unwrap().server_config()
}

#[test]
fn trusts_the_authority_of_the_file() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let root = authority.write_root(&folder, "root.pem");
    for tls in [only(&root), ClientTls { roots: Roots::SystemAnd(root.clone()) }] {
        let server = server(&folder, &authority, "localhost");
        let (version, _, showed) = shake(tls.client_config().unwrap(), server).unwrap();
        assert_eq!(version, rustls::ProtocolVersion::TLSv1_3);
        assert!(!showed);
    }
}

#[test]
fn refuses_another_authority_and_another_name() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let client = only(&authority.write_root(&folder, "root.pem")).client_config().unwrap();
    let stranger = shake(client.clone(), server(&folder, &Authority::new(), "localhost")).unwrap_err();
    let refused = |error: &rustls::Error| match error {
        rustls::Error::InvalidCertificate(reason) => reason.clone(),
        other => panic!("{other}"),
    };
    assert_eq!(refused(&stranger), CertificateError::UnknownIssuer);
    let elsewhere = shake(client, server(&folder, &authority, "elsewhere.test")).unwrap_err();
    assert!(matches!(refused(&elsewhere), CertificateError::NotValidForNameContext { .. }), "{elsewhere}");
}

#[test]
fn nobody_means_nobody() {
    let folder = TempDir::new().unwrap();
    let client = ClientTls { roots: Roots::Nobody }.client_config().unwrap();
    let error = shake(client, server(&folder, &Authority::new(), "localhost")).unwrap_err();
    assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let missing = folder.path().join("missing.pem");
    let error = only(&missing).client_config().unwrap_err();
    assert!(matches!(error, TrustError::Read { .. }) && error.to_string().contains("missing.pem"), "{error}");
    assert!(error.source().is_some());
    assert_eq!(error.disposition(), base::Disposition::Escalate);

    let empty = write(&folder, "empty.pem", "nothing here\n");
    let error = only(&empty).client_config().unwrap_err();
    assert!(
        matches!(error, TrustError::Nothing { .. }) && error.to_string().contains("empty.pem"),
        "{error}"
    );

    let cut = write(&folder, "cut.pem", &authority.0.pem()[..100]);
    let error = only(&cut).client_config().unwrap_err();
    assert!(matches!(error, TrustError::Pem { .. }) && error.to_string().contains("cut.pem"), "{error}");

    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = only(&write(&folder, "odd.pem", text)).client_config().unwrap_err();
    assert!(matches!(error, TrustError::Root { number: 1, .. }), "{error}");

    let mut large = authority.0.pem();
    large.push_str(&" ".repeat(5 * 1024 * 1024));
    let error = only(&write(&folder, "large.pem", &large)).client_config().unwrap_err();
    assert!(matches!(error, TrustError::TooLarge { .. }), "{error}");
}

#[test]
fn installing_the_provider_twice_does_nothing() {
    crate::install_provider();
    crate::install_provider();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}
