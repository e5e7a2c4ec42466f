//! Goal: a configuration trusts what it was told to trust and nothing else, verifies names, shows its
//! certificate, and says which file is wrong. Method: real handshakes in memory between a rustls server
//! with certificates made on the spot and the configuration under test.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::*;

/// An authority that issues server and client certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own, so that a stranger is unknown and not merely a bad signature.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write_root(&self, folder: &TempDir) -> PathBuf {
        write(folder, "root.pem", &self.0.pem())
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// A server that calls itself `name`; with `ask`, one that demands a certificate of this authority.
    fn server(&self, name: &str, ask: bool) -> ServerConfig {
        let (certificate, key) = self.issue(name);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = if ask {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Shakes hands for the name `localhost`; answers the protocol version and whether the server saw a
/// client certificate.
fn shake(
    client: ClientConfig,
    server: ServerConfig,
) -> Result<(rustls::ProtocolVersion, bool), rustls::Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    // A handshake is at most a handful of flights.
    for _flight in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |bytes| server.read_tls(bytes));
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |bytes| client.read_tls(bytes));
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking(), "the handshake did not end");
    let version = client.protocol_version().expect("known after the handshake");
    Ok((version, server.peer_certificates().is_some()))
}

fn feed(wire: &[u8], mut read: impl FnMut(&mut dyn io::Read) -> io::Result<usize>) {
    let mut rest = wire;
    while !rest.is_empty() {
        read(&mut rest).unwrap();
    }
}

fn only(path: &Path) -> ClientTls {
    ClientTls { roots: Roots::Only(path.to_owned()), client_certificate: None }
}

#[test]
fn trusts_the_authority_of_the_file() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let root = authority.write_root(&folder);
    for tls in [only(&root), ClientTls { roots: Roots::SystemAnd(root.clone()), ..ClientTls::default() }] {
        let (version, showed) =
            shake(tls.client_config().unwrap(), authority.server("localhost", false)).unwrap();
        assert_eq!(version, rustls::ProtocolVersion::TLSv1_3);
        assert!(!showed);
    }
}

#[test]
fn speaks_tls_1_2_where_the_server_knows_no_newer() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let (certificate, key) = authority.issue("localhost");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let client = only(&authority.write_root(&folder)).client_config().unwrap();
    assert_eq!(shake(client, server).unwrap().0, rustls::ProtocolVersion::TLSv1_2);
}

#[test]
fn refuses_another_authority_and_another_name() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let client = only(&authority.write_root(&folder)).client_config().unwrap();
    let stranger = shake(client.clone(), Authority::new().server("localhost", false)).unwrap_err();
    assert!(
        matches!(stranger, rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)),
        "{stranger}"
    );
    let elsewhere = shake(client, authority.server("elsewhere.test", false)).unwrap_err();
    assert!(
        matches!(
            elsewhere,
            rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext { .. })
        ),
        "{elsewhere}"
    );
}

#[test]
fn nobody_means_nobody() {
    let client = ClientTls { roots: Roots::Nobody, client_certificate: None }.client_config().unwrap();
    let error = shake(client, Authority::new().server("localhost", false)).unwrap_err();
    assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
}

#[test]
fn shows_its_certificate_when_asked() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let root = authority.write_root(&folder);
    let (certificate, key) = authority.issue("client.test");
    let tls = ClientTls {
        roots: Roots::Only(root.clone()),
        client_certificate: Some(ClientCertificate {
            cert_pem: write(&folder, "client.pem", &certificate.pem()),
            key_pem: write(&folder, "client.key", &key.serialize_pem()),
        }),
    };
    let (_, showed) = shake(tls.client_config().unwrap(), authority.server("localhost", true)).unwrap();
    assert!(showed);
    let without = shake(only(&root).client_config().unwrap(), authority.server("localhost", true));
    assert!(matches!(without, Err(rustls::Error::NoCertificatesPresented)), "{without:?}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let (certificate, _) = authority.issue("client.test");
    let tls = ClientTls {
        roots: Roots::Only(authority.write_root(&folder)),
        client_certificate: Some(ClientCertificate {
            cert_pem: write(&folder, "client.pem", &certificate.pem()),
            key_pem: write(&folder, "other.key", &KeyPair::generate().unwrap().serialize_pem()),
        }),
    };
    let error = tls.client_config().unwrap_err();
    assert!(matches!(error, TrustError::ClientCertificate { .. }), "{error}");
    assert!(error.to_string().contains("other.key"), "{error}");
    assert_eq!(error.disposition(), base::Disposition::Escalate);
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let missing = folder.path().join("missing.pem");
    let error = only(&missing).client_config().unwrap_err();
    assert!(matches!(error, TrustError::Read { .. }) && error.to_string().contains("missing.pem"), "{error}");
    assert!(error.source().is_some());

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

    let root = authority.write_root(&folder);
    let no_key = ClientTls {
        roots: Roots::Only(root.clone()),
        client_certificate: Some(ClientCertificate { cert_pem: root.clone(), key_pem: root }),
    };
    let error = no_key.client_config().unwrap_err();
    assert!(matches!(error, TrustError::Nothing { .. }), "{error}");
}

#[test]
fn installing_the_provider_twice_does_nothing() {
    crate::install_provider();
    crate::install_provider();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}
