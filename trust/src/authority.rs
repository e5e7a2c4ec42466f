//! A certificate authority for this crate's tests, and handshakes in memory.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, DnValue, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, ServerConfig, ServerConnection};
use tempfile::TempDir;

/// The instant at which these tests read their files.
#[expect(clippy::disallowed_methods, reason = "a handshake verifies by the machine's clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// What a certificate is to be.
pub(crate) struct Wish<'a> {
    pub(crate) name: &'a str,
    pub(crate) serial_number: Option<&'a str>,
    /// Days from now at which it begins and ends.
    pub(crate) days: (i64, i64),
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Self { name: "localhost", serial_number: None, days: (-1, 365) }
    }
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Issued {
    /// Writes `<name>.pem` and `<name>.key`.
    pub(crate) fn write(&self, folder: &TempDir, name: &str) -> crate::OwnCertificate {
        let certificate = write(folder, &format!("{name}.pem"), self.certificate.pem());
        let key = write(folder, &format!("{name}.key"), self.key.serialize_pem());
        crate::OwnCertificate::pem(certificate, key)
    }
}

/// An authority that issues certificates.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(), KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority under this one.
    pub(crate) fn intermediate(&self) -> Self {
        Self(CertifiedIssuer::signed_by(Self::params(), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own, so that a stranger is unknown and not merely a bad signature.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    pub(crate) fn write_root(&self, folder: &TempDir, name: &str) -> PathBuf {
        write(folder, name, self.0.pem())
    }

    pub(crate) fn issue(&self, wish: &Wish<'_>) -> Issued {
        self.issue_for(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), wish)
    }

    /// For a key that is there: a renewal.
    pub(crate) fn issue_for(&self, key: KeyPair, wish: &Wish<'_>) -> Issued {
        let mut params = CertificateParams::new(vec![wish.name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, wish.name);
        if let Some(number) = wish.serial_number {
            let kind = DnType::CustomDnType(vec![2, 5, 4, 5]);
            params.distinguished_name.push(kind, DnValue::PrintableString(number.try_into().unwrap()));
        }
        let day = |days: i64| {
            let instant = now().as_second() + days * 86_400;
            let time = Timestamp::from_second(instant).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            rcgen::date_time_ymd(time.year().into(), time.month() as u8, time.day() as u8)
        };
        (params.not_before, params.not_after) = (day(wish.days.0), day(wish.days.1));
        Issued { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }
}

pub(crate) fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Shakes hands for the name `localhost`; answers the protocol version, the certificate that the client saw
/// and whether the server saw one.
pub(crate) fn shake(
    client: ClientConfig,
    server: ServerConfig,
) -> Result<(ProtocolVersion, Vec<u8>, bool), rustls::Error> {
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
    let seen = client.peer_certificates().expect("a server shows one")[0].to_vec();
    Ok((version, seen, server.peer_certificates().is_some()))
}

fn feed(wire: &[u8], mut read: impl FnMut(&mut dyn io::Read) -> io::Result<usize>) {
    let mut rest = wire;
    while !rest.is_empty() {
        read(&mut rest).unwrap();
    }
}
