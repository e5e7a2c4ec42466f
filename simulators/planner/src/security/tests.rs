//! Goal: only clients with the right certificate get a connection, only signed requests are carried out, answers are
//! signed, and each fault spoils the signature in its own way. Method: the simulator on a real socket with TLS.

use base::{Clock as _, SystemClock};
use proto_planner::{
    Answer, CalendarEvent, Headers, Operation, Request, RequestEnvelope, Response, SERVICE_PATH, TimeForm,
    WireTime, decode_response, encode_request,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{Options, Simulator};

struct House {
    folder: TempDir,
    simulator: Simulator,
}

async fn house(signed: bool) -> House {
    trust::install_provider();
    let folder = TempDir::new().unwrap();
    let options =
        Options { tls: Some(folder.path().join("tls")), signed, mailboxes: 3, ..Options::default() };
    House { simulator: Simulator::start(options).await.unwrap(), folder }
}

impl House {
    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join("tls").join(name)).unwrap()
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(&self.read(&format!("{name}.pem"))).unwrap()
    }

    fn key(&self, name: &str) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(&self.read(&format!("{name}.key"))).unwrap()
    }

    /// A client that shows this certificate.
    fn client(&self, own: Option<&str>) -> reqwest::Client {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate("root")).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some(name) => config.with_client_auth_cert(vec![self.certificate(name)], self.key(name)).unwrap(),
        };
        reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap()
    }

    fn signer(&self, name: &str) -> Signer {
        Signer::new(&self.certificate(name), self.key(name).secret_der()).unwrap()
    }

    async fn send(&self, client: &reqwest::Client, message: String) -> Result<String, reqwest::Error> {
        self.send_to(client, &self.simulator.endpoint(), message).await
    }

    async fn send_to(
        &self,
        client: &reqwest::Client,
        url: &str,
        message: String,
    ) -> Result<String, reqwest::Error> {
        let call = client
            .post(url)
            .header("content-type", "text/xml; charset=utf-8")
            .header("soapaction", format!("\"{}\"", Operation::CreateEvents.soap_action()));
        let mut answer = call.body(message).send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            assert!(body.len() < 1 << 20);
        }
        Ok(String::from_utf8(body).unwrap())
    }

    fn verify(&self, answer: &str) -> Result<String, WsseError> {
        let verifier = Verifier::new(&[self.certificate("server")], TOLERANCE, MESSAGE_BYTES_MAX).unwrap();
        verifier.verify(answer.as_bytes(), now(), None).map(|verified| verified.envelope)
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn time() -> WireTime {
    WireTime { zone: jiff::tz::TimeZone::UTC, form: TimeForm::Utc }
}

fn create(origin_id: &str) -> String {
    let headers = Headers::of_system("10100", "CVR:12345678-FID:1", "test", Operation::CreateEvents, now());
    let start = Timestamp::from_second(1_900_000_000).unwrap();
    let event = CalendarEvent::new("m0001@sim.test", origin_id, start, start + SignedDuration::from_hours(1));
    let request = Request::CreateEvents(vec![event]);
    encode_request(&RequestEnvelope { headers, request }, &time()).unwrap()
}

/// The receipt's code, or the words of the fault.
fn code(answer: &str) -> Result<i32, String> {
    match decode_response(Operation::CreateEvents, answer.as_bytes(), &time()).unwrap() {
        Answer::Response(Response::CreateEvents(answer)) => Ok(answer.receipts[0].error_code),
        Answer::Response(other) => panic!("{other:?}"),
        Answer::Fault(fault) => Err(fault.text),
    }
}

#[tokio::test]
async fn only_a_client_with_the_right_certificate_gets_a_connection() {
    let house = house(false).await;
    for own in [None, Some("expired"), Some("stranger")] {
        let refused = house.send(&house.client(own), create("a")).await;
        assert!(refused.is_err(), "{own:?}: {refused:?}");
    }
    let answer = house.send(&house.client(Some("client")), create("a")).await.unwrap();
    assert_eq!(code(&answer), Ok(0));
    let trusted = trust::OwnCertificate::pem(
        house.folder.path().join("tls").join(CLIENT_FILE),
        house.folder.path().join("tls").join(CLIENT_KEY_FILE),
    );
    let identity = trust::OwnCertificate { serial_number: Some(CLIENT_SERIAL_NUMBER.into()), ..trusted };
    assert!(identity.load(now()).is_ok(), "the product can choose it by its serial number");
}

#[tokio::test]
async fn only_signed_requests_are_carried_out_and_answers_are_signed() {
    let house = house(true).await;
    let (client, signer) = (house.client(Some("client")), house.signer("client"));
    let refused = |answer: &str| code(&house.verify(answer).unwrap()).unwrap_err();
    let unsigned = house.send(&client, create("a")).await.unwrap();
    assert!(refused(&unsigned).contains("signature is refused"), "a refusal is signed as well");
    let signed = signer.sign(&create("a"), now(), Uuid::new_v4()).unwrap();
    let altered = house.send(&client, signed.replace(">a<", ">b<")).await.unwrap();
    assert!(refused(&altered).contains("altered"));
    let stranger = house.signer("stranger").sign(&create("a"), now(), Uuid::new_v4()).unwrap();
    assert!(refused(&house.send(&client, stranger).await.unwrap()).contains("another certificate"));
    let answer = house.send(&client, signed.clone()).await.unwrap();
    assert_eq!(code(&house.verify(&answer).unwrap()), Ok(0));
    assert!(refused(&house.send(&client, signed).await.unwrap()).contains("came before"));
    // observers read without a signature, and only read
    let url = format!("{}{SERVICE_PATH}", house.simulator.url());
    let change = house.send_to(&reqwest::Client::new(), &url, create("c")).await.unwrap();
    assert!(code(&change).unwrap_err().contains("changes are taken"), "{change}");
}

#[tokio::test]
async fn each_fault_spoils_the_signature_in_its_own_way() {
    let house = house(true).await;
    let (client, signer) = (house.client(Some("client")), house.signer("client"));
    let mut number = 0;
    let mut next = || {
        number += 1;
        signer.sign(&create(&format!("a{number}")), now(), Uuid::new_v4()).unwrap()
    };
    let first = house.send(&client, next()).await.unwrap();
    for (fault, refusal) in [
        ("unsigned-answer", WsseError::MissingSignature),
        ("strangers-signature", WsseError::OtherCertificate),
        ("altered-answer", WsseError::AlteredBody),
    ] {
        tell(&house, fault).await;
        let answer = house.send(&client, next()).await.unwrap();
        assert_eq!(house.verify(&answer).unwrap_err(), refusal, "{fault}");
    }
    tell(&house, "expired-signature").await;
    let expired = house.verify(&house.send(&client, next()).await.unwrap()).unwrap_err();
    assert!(matches!(expired, WsseError::Expired { .. }), "{expired}");
    let last = house.send(&client, next()).await.unwrap();
    tell(&house, "replayed-answer").await;
    assert_eq!(house.send(&client, next()).await.unwrap(), last);
    assert_ne!(first, last);
}

async fn tell(house: &House, fault: &str) {
    let rule = json!({ "kind": fault, "next": 1 }).to_string();
    let call = reqwest::Client::new().post(format!("{}/admin/faults", house.simulator.url())).body(rule);
    assert!(call.send().await.unwrap().status().is_success());
}
