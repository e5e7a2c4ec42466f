//! Goal: a server shows its certificate, lets in whom it must and nobody else, and follows its files.
//! Method: handshakes in memory.

use tempfile::TempDir;

use super::*;
use crate::MutualTls;
use crate::authority::{Authority, Wish, now, shake};

fn client(folder: &TempDir, server: &Authority, own: Option<OwnCertificate>) -> rustls::ClientConfig {
    let roots = Roots::Only(server.write_root(folder, "servers.pem"));
    MutualTls { roots, certificate: own, ..MutualTls::default() }.open(now()).unwrap().client_config()
}

#[test]
fn clients_are_asked_as_the_setting_says() {
    let (folder, authority, stranger) = (TempDir::new().unwrap(), Authority::new(), Authority::new());
    let root = authority.write_root(&folder, "clients.pem");
    let certificate = authority.issue(&Wish::default()).write(&folder, "server");
    let own = authority.issue(&Wish { name: "client.test", ..Wish::default() }).write(&folder, "own");
    let foreign = stranger.issue(&Wish { name: "client.test", ..Wish::default() }).write(&folder, "foreign");
    let outcome = |clients: &ClientsCertificate, own: Option<&OwnCertificate>| {
        let server = ServerTls { certificate: certificate.clone(), clients: clients.clone() };
        let server = server.open(now()).unwrap().server_config();
        shake(client(&folder, &authority, own.cloned()), server).map(|(_, _, showed)| showed).ok()
    };
    let (optional, required) =
        (ClientsCertificate::Optional(root.clone()), ClientsCertificate::Required(root));
    for (clients, without, with, with_foreign) in [
        (ClientsCertificate::Ignored, Some(false), Some(false), Some(false)),
        (optional, Some(false), Some(true), None),
        (required, None, Some(true), None),
    ] {
        assert_eq!(outcome(&clients, None), without, "{clients:?}");
        assert_eq!(outcome(&clients, Some(&own)), with, "{clients:?}");
        assert_eq!(outcome(&clients, Some(&foreign)), with_foreign, "{clients:?}");
    }
}

#[test]
fn a_renewed_certificate_and_new_roots_count_from_the_next_connection() {
    let (folder, authority, other) = (TempDir::new().unwrap(), Authority::new(), Authority::new());
    let server = ServerTls {
        certificate: authority.issue(&Wish::default()).write(&folder, "server"),
        clients: ClientsCertificate::Required(authority.write_root(&folder, "clients.pem")),
    };
    let live = server.open(now()).unwrap();
    let own = other.issue(&Wish { name: "client.test", ..Wish::default() }).write(&folder, "own");
    let client = client(&folder, &authority, Some(own));
    let before = live.facts();
    assert!(shake(client.clone(), live.server_config()).is_err());
    authority.issue(&Wish::default()).write(&folder, "server");
    other.write_root(&folder, "clients.pem");
    assert!(matches!(live.refresh(now()), Refresh::Changed));
    assert_ne!(live.facts().fingerprint, before.fingerprint);
    assert!(shake(client, live.server_config()).unwrap().2);
}

#[test]
fn a_server_without_a_usable_certificate_does_not_start() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let certificate = authority.issue(&Wish { days: (-9, -1), ..Wish::default() }).write(&folder, "server");
    let tls = ServerTls { certificate, clients: ClientsCertificate::Ignored };
    let error = tls.open(now()).unwrap_err();
    assert!(matches!(error, TrustError::Expired { .. }), "{error}");
}
