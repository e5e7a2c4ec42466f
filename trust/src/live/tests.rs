//! Goal: the mutual connection verifies what it must, pins what it is told, and follows its files without
//! being rebuilt. Method: handshakes in memory; files rewritten between two of them.

use std::fs;

use rustls::{CertificateError, ServerConfig};
use tempfile::TempDir;

use super::*;
use crate::authority::{Authority, Issued, Wish, now, shake, write};
use crate::{ClientsCertificate, Fingerprint, ServerTls};

struct House {
    folder: TempDir,
    authority: Authority,
}

impl House {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), authority: Authority::new() }
    }

    fn own(&self, name: &str, wish: &Wish<'_>) -> OwnCertificate {
        self.authority.issue(wish).write(&self.folder, name)
    }

    fn roots(&self) -> Roots {
        Roots::Only(self.authority.write_root(&self.folder, "root.pem"))
    }

    fn client(&self) -> MutualTls {
        let own = self.own("client", &Wish { name: "client.test", ..Wish::default() });
        MutualTls { roots: self.roots(), certificate: Some(own), ..MutualTls::default() }
    }

    /// A server that demands a certificate of this authority.
    fn server(&self, issued: &Issued, chain: &[&Authority]) -> ServerConfig {
        let certificate = issued.write(&self.folder, "server");
        let mut text = issued.certificate.pem();
        chain.iter().for_each(|authority| text.push_str(&authority.0.pem()));
        fs::write(certificate.file(), text).unwrap();
        let root = self.authority.write_root(&self.folder, "clients.pem");
        let tls = ServerTls { certificate, clients: ClientsCertificate::Required(root) };
        tls.open(now()).unwrap().server_config()
    }
}

fn reason(error: Error) -> CertificateError {
    match error {
        Error::InvalidCertificate(reason) => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn shows_its_certificate_and_verifies_the_other() {
    let house = House::new();
    let issued = house.authority.issue(&Wish::default());
    let live = house.client().open(now()).unwrap();
    let (version, seen, showed) = shake(live.client_config(), house.server(&issued, &[])).unwrap();
    assert_eq!((version, showed), (rustls::ProtocolVersion::TLSv1_3, true));
    assert_eq!(seen, issued.certificate.der().to_vec());

    let bare = MutualTls { certificate: None, ..house.client() }.open(now()).unwrap();
    let refused = shake(bare.client_config(), house.server(&issued, &[])).unwrap_err();
    assert!(matches!(refused, Error::NoCertificatesPresented), "{refused}");
}

#[test]
fn a_server_of_another_authority_name_or_time_is_refused() {
    let house = House::new();
    let live = house.client().open(now()).unwrap();
    let stranger = Authority::new().issue(&Wish::default());
    let error = shake(live.client_config(), house.server(&stranger, &[])).unwrap_err();
    assert_eq!(reason(error), CertificateError::UnknownIssuer);
    let elsewhere = house.authority.issue(&Wish { name: "elsewhere.test", ..Wish::default() });
    let error = shake(live.client_config(), house.server(&elsewhere, &[])).unwrap_err();
    assert!(matches!(reason(error), CertificateError::NotValidForNameContext { .. }));
    // a server with a certificate that is over must be made by hand: ours refuses to start with one
    let expired = house.authority.issue(&Wish { days: (-30, -1), ..Wish::default() });
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(expired.key.serialize_der());
    let server = ServerConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS).unwrap();
    let server = server.with_no_client_auth();
    let server = server.with_single_cert(vec![expired.certificate.der().clone()], key.into()).unwrap();
    let error = shake(live.client_config(), server).unwrap_err();
    assert!(matches!(reason(error), CertificateError::ExpiredContext { .. }));
    let nobody = MutualTls { roots: Roots::Nobody, ..house.client() }.open(now()).unwrap();
    let issued = house.authority.issue(&Wish::default());
    let error = shake(nobody.client_config(), house.server(&issued, &[])).unwrap_err();
    assert_eq!(reason(error), CertificateError::UnknownIssuer);
}

#[test]
fn tls_1_2_is_spoken_and_pinned_as_well() {
    let house = House::new();
    let issued = house.authority.issue(&Wish::default());
    let live = house.client().open(now()).unwrap();
    let old = |issued: &Issued| {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.key.serialize_der());
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.certificate.der().clone()], key.into())
            .unwrap()
    };
    let (version, ..) = shake(live.client_config(), old(&issued)).unwrap();
    assert_eq!(version, rustls::ProtocolVersion::TLSv1_2);
    let pins = Pins { file: None, fingerprints: vec![Fingerprint::of(b"another")] };
    let live = MutualTls { pins, ..house.client() }.open(now()).unwrap();
    let error = shake(live.client_config(), old(&issued)).unwrap_err();
    assert_eq!(reason(error), CertificateError::ApplicationVerificationFailure);
}

#[test]
fn every_form_of_pin_lets_its_server_in_and_no_other() {
    let house = House::new();
    let middle = house.authority.intermediate();
    let (pinned, other) = (middle.issue(&Wish::default()), house.authority.issue(&Wish::default()));
    let key = |der: &[u8]| CertificateFacts::of(der).unwrap().key_fingerprint;
    let file = |name: &str, text: String| Pins {
        file: Some(write(&house.folder, name, text)),
        fingerprints: vec![],
    };
    let print = |fingerprint| Pins { file: None, fingerprints: vec![fingerprint] };
    for (form, pins, lets_other_in) in [
        ("certificate file", file("pin1.pem", pinned.certificate.pem()), false),
        ("issuer file", file("pin2.pem", middle.0.pem()), false),
        ("root file", file("pin3.pem", house.authority.0.pem()), true),
        ("certificate", print(Fingerprint::of(pinned.certificate.der())), false),
        ("key", print(key(pinned.certificate.der())), false),
        ("issuer", print(Fingerprint::of(middle.0.der())), false),
        ("issuer's key", print(key(middle.0.der())), false),
        ("root's key", print(key(house.authority.0.der())), true),
    ] {
        let live = MutualTls { pins, ..house.client() }.open(now()).unwrap();
        let good = shake(live.client_config(), house.server(&pinned, &[&middle]));
        assert!(good.is_ok(), "{form}: {good:?}");
        let bad = shake(live.client_config(), house.server(&other, &[]));
        assert_eq!(bad.is_ok(), lets_other_in, "{form}: {bad:?}");
    }
}

/// A server sends what it likes beside its own certificate: a pinned authority among it proves nothing.
#[test]
fn a_pinned_issuer_that_only_travels_along_is_refused() {
    let house = House::new();
    let (pinned, other) = (house.authority.intermediate(), house.authority.intermediate());
    let issued = other.issue(&Wish::default());
    let pins = Pins { file: None, fingerprints: vec![Fingerprint::of(pinned.0.der())] };
    let live = MutualTls { pins, ..house.client() }.open(now()).unwrap();
    // sent by hand: our own server leaves out what does not belong to its chain
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.key.serialize_der());
    let chain = [issued.certificate.der(), other.0.der(), pinned.0.der()].map(Clone::clone).to_vec();
    let server = ServerConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS).unwrap();
    let server = server.with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    let error = shake(live.client_config(), server).unwrap_err();
    assert_eq!(reason(error), CertificateError::ApplicationVerificationFailure);
}

/// A pin is asked for in addition: the pinned certificate of a stranger is still a stranger's.
#[test]
fn a_pin_does_not_replace_the_roots() {
    let house = House::new();
    let stranger = Authority::new().issue(&Wish::default());
    let pins = Pins { file: None, fingerprints: vec![Fingerprint::of(stranger.certificate.der())] };
    let live = MutualTls { pins, ..house.client() }.open(now()).unwrap();
    let error = shake(live.client_config(), house.server(&stranger, &[])).unwrap_err();
    assert_eq!(reason(error), CertificateError::UnknownIssuer);
}

#[test]
fn a_renewed_certificate_is_shown_with_the_next_connection() {
    let house = House::new();
    let issued = house.authority.issue(&Wish::default());
    let live = house.client().open(now()).unwrap();
    let config = live.client_config();
    let before = live.identity().unwrap();
    assert!(matches!(live.refresh(now()), Refresh::Unchanged));
    house.own("client", &Wish { name: "renewed.test", ..Wish::default() });
    assert!(matches!(live.refresh(now()), Refresh::Changed));
    assert!(matches!(live.refresh(now()), Refresh::Unchanged));
    let after = live.identity().unwrap();
    assert_ne!(before.facts().fingerprint, after.facts().fingerprint);
    assert!(shake(config, house.server(&issued, &[])).unwrap().2);
    assert_eq!(live.watched(), [Watched { whose: Whose::Own, facts: after.facts().clone() }]);
}

/// As Kubernetes renews a secret: the folder is a link that is swapped.
#[cfg(unix)]
#[test]
fn a_swapped_link_is_a_change() {
    let house = House::new();
    let place = |name: &str| house.folder.path().join(name);
    for (name, who) in [("one", "one.test"), ("two", "two.test")] {
        let issued = house.authority.issue(&Wish { name: who, ..Wish::default() });
        fs::create_dir(place(name)).unwrap();
        fs::write(place(name).join("tls.crt"), issued.certificate.pem()).unwrap();
        fs::write(place(name).join("tls.key"), issued.key.serialize_pem()).unwrap();
    }
    std::os::unix::fs::symlink(place("one"), place("data")).unwrap();
    let own = OwnCertificate::pem(place("data").join("tls.crt"), place("data").join("tls.key"));
    let live = MutualTls { certificate: Some(own), ..house.client() }.open(now()).unwrap();
    std::os::unix::fs::symlink(place("two"), place("next")).unwrap();
    fs::rename(place("next"), place("data")).unwrap();
    assert!(matches!(live.refresh(now()), Refresh::Changed));
    assert!(live.identity().unwrap().facts().subject.contains("two.test"));
}

#[test]
fn a_bad_file_keeps_the_old_one_and_is_told_once() {
    let house = House::new();
    let issued = house.authority.issue(&Wish::default());
    let live = house.client().open(now()).unwrap();
    let before = live.identity().unwrap();
    // the certificate of the next one, while the key is still the old one: half of a renewal
    let next = house.authority.issue(&Wish { name: "next.test", ..Wish::default() });
    let good = fs::read(house.folder.path().join("client.pem")).unwrap();
    write(&house.folder, "client.pem", next.certificate.pem());
    assert!(matches!(live.refresh(now()), Refresh::Unchanged), "the other half may be on its way");
    let Refresh::Refused(error) = live.refresh(now()) else { panic!("told at the second look") };
    assert!(matches!(error, TrustError::KeyOfAnother { .. }), "{error}");
    assert!(matches!(live.refresh(now()), Refresh::Unchanged), "told once");
    assert_eq!(live.identity().unwrap().facts(), before.facts());
    assert!(shake(live.client_config(), house.server(&issued, &[])).unwrap().2);
    // one that expired meanwhile is bad as well
    let expired = house.authority.issue(&Wish { days: (-9, -2), ..Wish::default() });
    expired.write(&house.folder, "client");
    assert!(matches!(live.refresh(now()), Refresh::Unchanged));
    assert!(matches!(live.refresh(now()), Refresh::Refused(TrustError::Expired { .. })));
    // back again, then whole
    write(&house.folder, "client.pem", good);
    next.write(&house.folder, "client");
    assert!(matches!(live.refresh(now()), Refresh::Changed));
    assert!(live.identity().unwrap().facts().subject.contains("next.test"));
}

#[test]
fn new_roots_and_pins_count_from_the_next_connection() {
    let (house, other) = (House::new(), Authority::new());
    let stranger = other.issue(&Wish::default());
    let pins =
        Pins { file: Some(write(&house.folder, "pin.pem", house.authority.0.pem())), ..Pins::default() };
    let signers = Some(house.authority.write_root(&house.folder, "signers.pem"));
    let live = MutualTls { pins, signers, ..house.client() }.open(now()).unwrap();
    let config = live.client_config();
    let refused = shake(config.clone(), house.server(&stranger, &[])).unwrap_err();
    let wrapped = std::io::Error::other(refused);
    assert_eq!(crate::refused_certificate(&wrapped), Some(crate::RefusedCertificate::Theirs));
    assert_eq!(crate::refused_certificate(&std::io::Error::other("else")), None);
    write(&house.folder, "root.pem", format!("{}{}", house.authority.0.pem(), other.0.pem()));
    write(&house.folder, "pin.pem", stranger.certificate.pem());
    assert!(matches!(live.refresh(now()), Refresh::Changed));
    assert!(shake(config.clone(), house.server(&stranger, &[])).is_ok());
    let issued = house.authority.issue(&Wish::default());
    assert!(shake(config, house.server(&issued, &[])).is_err(), "pinned away");
    assert_eq!(live.signers(), [house.authority.0.der().to_vec()]);
    let watched: Vec<&str> = live.watched().iter().map(|watched| watched.whose.as_str()).collect();
    assert_eq!(watched, ["own", "pinned", "signer"]);
}
