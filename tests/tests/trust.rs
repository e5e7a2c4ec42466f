//! Goal: the whole pipeline works over TLS with certificates of both sides and with signed messages, whatever is wrong
//! with one of them is refused and told, nothing that is not signed is believed, and renewed certificates are used
//! without a restart. Method: the whole product against both simulators with a test authority; faults of signatures, files
//! that are exchanged.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use end_to_end::scene::quote;
use end_to_end::{Scene, Setting, mailbox, wait_for};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, LocalKeyId, PrivateKey, PrivateKeyChain};
use serde_json::json;
use simulator_kit::hostile::{Hostile, TLS_1_1, Wrong};
use simulator_planner::security::{CLIENT_FILE, CLIENT_KEY_FILE, CLIENT_SERIAL_NUMBER, STRANGER_FILE};
use trust::OwnCertificate;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");

fn secured(signed: bool) -> Setting {
    let configuration = vec![("planner", "certificate_check_interval", "\"1s\"")];
    Setting { planner_security: Some(signed), configuration, ..Setting::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pipeline_works_over_mutual_tls() {
    let mut scene = Scene::new(PROGRAM, secured(false)).await;
    scene.configure("planner", "client_certificate_serial_number", &quote(CLIENT_SERIAL_NUMBER));
    scene.start_service().await;
    scene.until_ready().await;
    for number in 1..=3 {
        scene.outlook.create(&mailbox(number), scene.appointment("UID", 3)).await.unwrap();
    }
    assert_eq!(scene.until_in_step().await.len(), 3);
    scene.assert_unharmed().await;
}

/// Unsigned, signed by another, altered, old, replayed: each is refused and told, and what was sent all the same is found by
/// the comparison, so that nothing is sent twice or lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_messages_carry_the_pipeline_through_every_bad_signature() {
    let mut scene = Scene::new(PROGRAM, secured(true)).await;
    scene.start_service().await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(1), scene.appointment("FIRST", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    let faults =
        ["unsigned-answer", "strangers-signature", "altered-answer", "expired-signature", "replayed-answer"];
    for (number, fault) in faults.iter().enumerate() {
        scene.planner_fault(json!({"kind": fault, "operation": "CreateEvents", "next": 1})).await;
        let uid = format!("BAD-{number}");
        scene.outlook.create(&mailbox(2), scene.appointment(&uid, 4 + number as i64)).await.unwrap();
        wait_for(&format!("the refusal of {fault}"), async || match scene.count_raised(9627, "").await {
            count if count > number => Ok(()),
            count => Err(format!("{count}; {}", scene.log_end())),
        })
        .await;
        assert_eq!(scene.until_in_step().await.len(), 2 + number, "{fault}");
    }
    scene.assert_unharmed().await;
}

/// The certificate of another authority is refused by Planner and told; the right files in its place are taken without a
/// restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let mut scene = Scene::new(PROGRAM, secured(true)).await;
    let made = scene.planner_certificates();
    let own = scene.folder().join("own");
    std::fs::create_dir(&own).unwrap();
    let place = |from: &str, to: &str| std::fs::copy(made.join(from), own.join(to)).map(drop).unwrap();
    place(STRANGER_FILE, CLIENT_FILE);
    place("stranger.key", CLIENT_KEY_FILE);
    let path = |name: &str| quote(&own.join(name).display().to_string());
    scene.configure("planner", "client_certificate", &path(CLIENT_FILE));
    scene.configure("planner", "client_key", &path(CLIENT_KEY_FILE));
    scene.start_service().await;
    scene.until_raised(9629, "").await;
    for file in [CLIENT_FILE, CLIENT_KEY_FILE] {
        place(file, file);
    }
    scene.until_raised(9625, "").await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    // a bad one is told and changes nothing
    std::fs::write(own.join(CLIENT_FILE), "damaged").unwrap();
    scene.until_raised(9626, "").await;
    scene.outlook.create(&mailbox(2), scene.appointment("UID", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
}

/// A PKCS #12 file with the certificate and key of the simulated Planner's client.
fn pkcs12(scene: &Scene, password: &str) -> Vec<u8> {
    let made = scene.planner_certificates();
    let own = OwnCertificate::pem(made.join(CLIENT_FILE), made.join(CLIENT_KEY_FILE));
    let identity = own.load(scene.clock.now()).unwrap();
    let key = PrivateKey::from_der(identity.key()).unwrap();
    let certificate = Certificate::from_der(identity.certificate()).unwrap();
    let chain = PrivateKeyChain::new(LocalKeyId(vec![1]), key, [certificate]);
    let mut store = KeyStore::new();
    store.add_entry("kommune", KeyStoreEntry::PrivateKeyChain(chain));
    store.writer(password).write().unwrap()
}

/// The certificate out of a PKCS #12 file, and later one under another password: the passwords are shown nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pkcs12_file_opens_with_its_password_which_is_in_no_log() {
    const RIGHT: &str = "marked-pkcs12-right-61f8";
    const OTHER: &str = "marked-pkcs12-other-c07d";
    let mut scene = Scene::new(PROGRAM, secured(true)).await;
    let (file, password) = (scene.folder().join("own.p12"), scene.folder().join("own.password"));
    std::fs::write(&file, pkcs12(&scene, RIGHT)).unwrap();
    std::fs::write(&password, format!("{RIGHT}\n")).unwrap();
    scene.leave_out("planner", "client_key");
    scene.configure("planner", "client_certificate", &quote(&file.display().to_string()));
    scene.configure("planner", "client_certificate_password_file", &quote(&password.display().to_string()));
    scene.configure("telemetry", "log_filter", "\"trace\"");
    scene.start_service().await;
    scene.until_ready().await;
    scene.outlook.create(&mailbox(1), scene.appointment("UID", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 1);
    // it does not open: told, and the one from before goes on
    std::fs::write(&file, pkcs12(&scene, OTHER)).unwrap();
    scene.until_raised(9626, "").await;
    scene.outlook.create(&mailbox(2), scene.appointment("UID", 3)).await.unwrap();
    assert_eq!(scene.until_in_step().await.len(), 2);
    scene.assert_unharmed().await;
    scene.stop_service().await;
    let log = scene.log();
    assert!(log.contains("\"level\":\"TRACE\"") && log.contains("own.p12"), "the log is not talkative");
    for secret in ["marked-pkcs12", RIGHT, OTHER] {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "{secret}");
        let stored = format!(
            "select count(*) from application_log where position('{secret}' in application_log::text) > 0"
        );
        assert_eq!(scene.count(&stored).await, 0, "{secret}");
    }
}

/// A trusted authority is not enough where another certificate is pinned: nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_the_pinned_one_gets_nothing() {
    let mut scene = Scene::new(PROGRAM, secured(false)).await;
    let stranger = scene.planner_certificates().join(STRANGER_FILE);
    scene.configure("planner", "server_pin_file", &quote(&stranger.display().to_string()));
    scene.start_service().await;
    scene.until_raised(9628, "").await;
    let meter = scene.planner.meter().await.unwrap();
    assert!(meter.calls.is_empty(), "{meter:?}");
}

/// The connections of the whole product, as it configures them: an old version of TLS is refused by an alert and told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_speak_tls_1_1_get_nothing_and_are_told() {
    const PROTOCOL_VERSION: Option<u8> = Some(70);
    let mut planner = Hostile::start(Wrong::OldTls(TLS_1_1)).await.unwrap();
    let mut scene = Scene::new(PROGRAM, secured(true)).await;
    scene.configure("planner", "service_url", &quote(&format!("https://{}/", planner.address())));
    scene.start_service().await;
    scene.until_raised(6905, "").await;
    assert_eq!(planner.met().await.alert(), PROTOCOL_VERSION);
    scene.stop_service().await;

    let mut exchange = Hostile::start(Wrong::OldTls(TLS_1_1)).await.unwrap();
    let mut scene = Scene::new(PROGRAM, Setting::default()).await;
    let url = format!("https://{}/EWS/Exchange.asmx", exchange.address());
    scene.leave_out("exchange", "autodiscover_url");
    scene.configure("exchange", "service_url", &quote(&url));
    scene.start_service().await;
    // the event tells why there is no connection
    scene.until_raised(4937, "peer is incompatible").await;
    assert_eq!(exchange.met().await.alert(), PROTOCOL_VERSION);
}
