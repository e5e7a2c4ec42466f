//! Goal: over TLS who shows a certificate that counts may call, nobody else gets as far as a request, and what is no TLS,
//! or an old one, is refused and told. Method: real sockets, certificates of an authority made here; no database is asked.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::path::PathBuf;

use base::{Clock, SystemClock};
use secrecy::SecretString;
use simulator_kit::authority::{Authority, Wanted};
use store::{Store, StoreOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use trust::{ClientTls, MutualTls, OwnCertificate, Roots};

use super::*;
use crate::acts::Allowed;
use crate::admin::Access;
use crate::http::told::Told;

const TOKEN: &str = "marked-token-0123456789abcdef0123456789";

struct Scene {
    folder: TempDir,
    authority: Authority,
    config: HttpConfig,
}

impl Scene {
    fn new(token: bool, clients: bool) -> Self {
        trust::install_provider();
        let (folder, authority) = (TempDir::new().unwrap(), Authority::new("admin").unwrap());
        std::fs::write(folder.path().join("root.pem"), authority.root_pem()).unwrap();
        let issued = authority.issue(&Wanted::loopback()).unwrap();
        let (certificate, key) = issued.write(folder.path(), "server").unwrap();
        let config = HttpConfig {
            admin_listen: ([127, 0, 0, 1], 0).into(),
            admin_token: token.then(|| TOKEN.into()),
            admin_certificate: Some(certificate),
            admin_key: Some(key),
            admin_client_authorities: clients.then(|| folder.path().join("root.pem")),
            ..HttpConfig::default()
        };
        Self { folder, authority, config }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    fn listener(&self) -> AdminListener {
        open(&self.config, SystemClock.now()).unwrap().unwrap()
    }

    fn serve(&self, listener: &AdminListener) -> Pages {
        let tls = ClientTls { roots: Roots::Nobody };
        let store = Store::open(StoreOptions {
            url: "postgres://u:p@127.0.0.1:1/none".to_owned().into(),
            pool_size: 2,
            patience: Duration::from_millis(10),
            idle_in_transaction: Duration::from_secs(1),
            tls: tls.client_config().unwrap(),
            application_name: "test".into(),
        });
        let mut access = Access::default();
        if let Some(token) = &self.config.admin_token {
            access = access.token(token);
        }
        if self.config.admin_client_authorities.is_some() {
            access = access.certificates(self.config.admin_pins());
        }
        let (runtime, clock) = (Handle::current(), SystemClock::shared());
        let calls = AdminCalls::new(
            store.unwrap(),
            runtime,
            clock,
            access,
            Allowed { rediscovery: true, sending: true },
        );
        listener.serve(&calls).unwrap()
    }

    fn client(&self, own: Option<OwnCertificate>) -> reqwest::Client {
        let tls = MutualTls { roots: Roots::Only(self.root()), certificate: own, ..MutualTls::default() };
        let live = tls.open(SystemClock.now()).unwrap();
        let builder = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(live.client_config());
        builder.build().unwrap()
    }

    /// A client's certificate of this authority, or of another.
    fn own(&self, authority: &Authority, name: &str) -> OwnCertificate {
        let issued = authority.issue(&Wanted::client(name, "1")).unwrap();
        let (certificate, key) = issued.write(self.folder.path(), name).unwrap();
        OwnCertificate::pem(certificate, key)
    }
}

/// Asks for a call that is none, which needs no database: 404 for who may call, 401 for who may not, `None` when there is no
/// connection.
async fn ask(client: &reqwest::Client, pages: &Pages, token: Option<&str>) -> Option<u16> {
    let mut request = client.get(format!("https://{}/admin/none", pages.address()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.ok().map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn without_a_certificate_that_counts_nobody_gets_a_connection() {
    let (told, _guard) = Told::listen();
    let scene = Scene::new(false, true);
    let pages = scene.serve(&scene.listener());
    assert!(pages.ready_line().starts_with("kommuneklient taking admin calls on https://127.0.0.1:"));
    let known = scene.client(Some(scene.own(&scene.authority, "monitoring")));
    assert_eq!(ask(&known, &pages, None).await, Some(404));
    assert_eq!(told.codes(), [2956], "an unknown call of somebody who may call");
    assert_eq!(ask(&scene.client(None), &pages, None).await, None);
    told.until(9664, "127.0.0.1").await;
    let stranger = Authority::new("stranger").unwrap();
    let foreign = scene.client(Some(scene.own(&stranger, "foreign")));
    assert_eq!(ask(&foreign, &pages, Some(TOKEN)).await, None);
    assert_eq!(ask(&known, &pages, None).await, Some(404));
}

#[tokio::test]
async fn token_or_certificate_opens_and_pins_choose_among_certificates() {
    let mut scene = Scene::new(true, true);
    let kim = scene.own(&scene.authority, "kim");
    let facts = kim.load(SystemClock.now()).unwrap().facts().clone();
    scene.config.admin_client_pins = vec![facts.key_fingerprint.to_string()];
    let pages = scene.serve(&scene.listener());
    let eve = scene.own(&scene.authority, "eve");
    assert_eq!(ask(&scene.client(Some(kim)), &pages, None).await, Some(404));
    assert_eq!(ask(&scene.client(Some(eve)), &pages, None).await, Some(401), "of the authority, not pinned");
    assert_eq!(ask(&scene.client(None), &pages, None).await, Some(401));
    assert_eq!(ask(&scene.client(None), &pages, Some("wrong")).await, Some(401));
    assert_eq!(ask(&scene.client(None), &pages, Some(TOKEN)).await, Some(404));
}

/// What the other side answers to these bytes until it closes.
async fn raw(pages: &Pages, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(pages.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    said
}

/// A hello that offers this version at most (0x0302 = TLS 1.1), and otherwise what the server knows.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]); // ECDHE, RSA, AES-128-GCM; no compression
    let groups = [0, 10, 0, 4, 0, 2, 0, 23];
    let signatures = [0, 13, 0, 6, 0, 4, 8, 4, 4, 1];
    body.extend([0, 24].iter().chain(&groups).chain(&signatures).chain(&[0, 11, 0, 2, 1, 0]));
    let mut hello = vec![0x16, 3, 1, 0, u8::try_from(body.len() + 4).unwrap()];
    hello.extend([1, 0, 0, u8::try_from(body.len()).unwrap()]);
    hello.extend(body);
    hello
}

#[tokio::test]
async fn what_is_no_tls_or_an_old_one_is_refused_and_told() {
    {
        // the same in a version that is spoken is answered: it is the version that is refused
        let scene = Scene::new(true, false);
        let pages = scene.serve(&scene.listener());
        let mut stream = TcpStream::connect(pages.address()).await.unwrap();
        stream.write_all(&hello([3, 3])).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 0x16, "a handshake");
    }
    for (bytes, alert) in [
        (b"GET /admin/operations HTTP/1.1\r\n\r\n".to_vec(), None),
        (hello([3, 2]), Some(70_u8)), // protocol_version
        (hello([3, 0]), Some(70)),
    ] {
        let (told, _guard) = Told::listen();
        let scene = Scene::new(true, false);
        let pages = scene.serve(&scene.listener());
        let said = raw(&pages, &bytes).await;
        assert!(!said.starts_with(b"HTTP"), "answered without TLS");
        if let Some(alert) = alert {
            assert_eq!((said.first(), said.last()), (Some(&0x15), Some(&alert)), "{said:?}");
        }
        told.until(9664, "127.0.0.1").await;
        assert_eq!(ask(&scene.client(None), &pages, Some(TOKEN)).await, Some(404));
    }
}

#[tokio::test]
async fn a_handshake_that_stands_still_is_closed_and_a_look_at_the_port_is_nothing() {
    let (told, _guard) = Told::listen();
    let scene = Scene::new(true, false);
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::USUAL };
    let pages = scene.serve(&scene.listener().with_limits(limits));
    drop(TcpStream::connect(pages.address()).await.unwrap());
    let hello = hello([3, 3]);
    assert_eq!(raw(&pages, &hello[..hello.len() - 1]).await, b"");
    told.until(9661, "the TLS handshake was not done in time").await;
    assert_eq!(ask(&scene.client(None), &pages, Some(TOKEN)).await, Some(404));
    assert_eq!(told.codes(), [9661, 2956]);
}

#[tokio::test]
async fn files_that_cannot_be_used_refuse_the_start() {
    let mut scene = Scene::new(true, true);
    let expired = scene.authority.issue(&Wanted::loopback().expired()).unwrap();
    let (certificate, key) = expired.write(scene.folder.path(), "expired").unwrap();
    for (config, words) in [
        (
            HttpConfig { admin_certificate: Some(certificate), admin_key: Some(key), ..scene.config.clone() },
            "expired",
        ),
        (HttpConfig { admin_key: Some("/nowhere/a.key".into()), ..scene.config.clone() }, "/nowhere/a.key"),
        (
            HttpConfig { admin_client_authorities: Some("/nowhere/c.pem".into()), ..scene.config.clone() },
            "/nowhere/c.pem",
        ),
    ] {
        let error = open(&config, SystemClock.now()).unwrap_err();
        let told = telemetry::chain(&error).to_string();
        assert!(told.contains("http.admin_listen") && told.contains(words), "{told}");
    }
    scene.config.admin_token = None;
    scene.config.admin_client_authorities = None;
    assert!(open(&scene.config, SystemClock.now()).unwrap().is_none(), "nobody may call: no listener");
}

#[tokio::test(start_paused = true)]
async fn the_files_are_followed_and_the_end_of_the_certificate_is_told() {
    let (told, _guard) = Told::listen();
    let scene = Scene::new(true, false);
    let listener = scene.listener();
    let kept = listener.clone();
    let _keeping = tokio::spawn(async move { kept.keep(SystemClock::shared()).await });
    let before = listener.door.tls.as_ref().unwrap().facts();
    let renewed = scene.authority.issue(&Wanted::loopback()).unwrap();
    renewed.write(scene.folder.path(), "server").unwrap();
    tokio::time::sleep(LOOK_EVERY + LOOK_EVERY / 2).await; // paused: no time passes
    told.until(9666, "").await;
    assert_ne!(listener.door.tls.as_ref().unwrap().facts().fingerprint, before.fingerprint);
    std::fs::write(scene.folder.path().join("server.pem"), "no certificate").unwrap();
    tokio::time::sleep(LOOK_EVERY * 3).await;
    told.until(9667, "").await;
    assert_eq!(told.codes(), [9666, 9667]);
    let facts = listener.door.tls.as_ref().unwrap().facts();
    look(&facts, &mut ExpiryWatch::default(), facts.not_after - Duration::from_secs(86_400));
    assert_eq!(told.codes(), [9666, 9667, 9668]);
}

#[test]
fn a_token_is_not_shown() {
    let config = HttpConfig { admin_token: Some(SecretString::from(TOKEN)), ..HttpConfig::default() };
    assert!(!format!("{config:?}").contains("marked"));
}
