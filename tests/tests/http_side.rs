//! Goal: whoever attacks the service's own listeners is refused and told by an event with a code, and neither the work nor
//! health and metrics suffer. Method: the product as a process with its usual limits, attacked over raw sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::time::Duration;

use end_to_end::scene::quote;
use end_to_end::{Scene, Setting, mailbox};
use simulator_kit::{Authority, Wanted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kommuneklient-under-test");
const TOKEN: &str = "marked-token-5d0f6a1b2c3d4e5f60718293";
/// Connections that one peer may have at one time.
const PLACES: usize = 16;

/// Sends all of it, as far as it is taken, and reads what is answered.
async fn raw(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(request).await;
    rest(stream).await
}

async fn rest(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

fn call(token: &str, more: &str) -> String {
    format!("POST /admin/operations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{more}\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_on_the_services_own_listeners_are_refused_and_told() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 1, ..Setting::default() }).await;
    scene.configure("http", "admin_token", &quote(TOKEN));
    scene.configure("http", "admin_listen", &quote("127.0.0.1:0"));
    scene.start_service().await;
    scene.until_ready().await;
    let admin = scene.admin_address().await;

    // 9660: a head that is too large
    let large = call("x", &format!("x-large: {}\r\n", "y".repeat(64 * 1024)));
    let said = raw(&admin, large.as_bytes()).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
    scene.until_raised(9660, "127.0.0.1").await;

    // 9663: a body that is too large, of somebody who may call
    let large = call(TOKEN, "content-length: 16385\r\n") + &" ".repeat(16_385);
    let said = raw(&admin, large.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    scene.until_raised(9663, "too large").await;

    // 9665: guessing
    let mut answers = Vec::new();
    for guess in 0..8 {
        let said = raw(&admin, call(&format!("guess-{guess}"), "").as_bytes()).await;
        answers.push(said.split(' ').nth(1).unwrap_or_default().to_owned());
    }
    assert_eq!(answers, ["401", "401", "401", "401", "401", "429", "429", "429"]);
    scene.until_raised(9510, "").await;
    scene.until_raised(9665, "127.0.0.1").await;

    // 9661 and 9662: connections that say half a head and no more, as many as are let in, and one more
    let mut held = Vec::new();
    for _ in 0..PLACES {
        let mut stream = TcpStream::connect(&admin).await.unwrap();
        stream.write_all(b"POST /admin/operations HTTP/1.1\r\nx: ").await.unwrap();
        held.push(stream);
    }
    assert_eq!(raw(&admin, b"").await, "");
    scene.until_raised(9662, "this peer has all that one may have").await;
    // the pages have a listener of their own, and the work goes on
    let pages = scene.service.as_ref().unwrap().url.trim_start_matches("http://").trim_end_matches('/');
    let said = raw(pages, b"GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    scene.outlook.create(&mailbox(1), scene.appointment("UID-1", 3)).await.unwrap();
    scene.until_in_step().await;
    for stream in held {
        let closed = tokio::time::timeout(Duration::from_secs(60), rest(stream)).await;
        assert_eq!(closed.expect("slow connections are closed"), "");
    }
    scene.until_raised(9661, "did not arrive in time").await;
    let said = raw(&admin, call(TOKEN, "content-length: 2\r\n").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "a body that does not come: {said}");
    assert!(!scene.log().contains(TOKEN) && !scene.log().contains("guess-"), "a token stands in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_calls_beyond_this_machine_need_tls() {
    let mut scene = Scene::new(PROGRAM, Setting { mailboxes: 1, ..Setting::default() }).await;
    scene.configure("http", "admin_token", &quote(TOKEN));
    scene.configure("http", "admin_listen", &quote("0.0.0.0:0"));
    let ended = end_to_end::command::operate(PROGRAM, &scene.configuration, "run").await;
    assert_eq!(ended.status, 2, "{ended:?}");
    assert!(ended.err.contains("http.admin_listen: is not loopback"), "{ended:?}");

    let authority = Authority::new("admin").unwrap();
    let issued = authority.issue(&Wanted::loopback()).unwrap();
    let (certificate, key) = issued.write(scene.folder(), "admin").unwrap();
    scene.configure("http", "admin_certificate", &quote(&certificate.display().to_string()));
    scene.configure("http", "admin_key", &quote(&key.display().to_string()));
    scene.start_service().await;
    scene.until_ready().await;
    let address = scene.admin_address().await.replace("0.0.0.0", "127.0.0.1");
    // 9664: no TLS
    let said = raw(&address, call(TOKEN, "").as_bytes()).await;
    assert!(!said.starts_with("HTTP"), "answered without TLS: {said}");
    scene.until_raised(9664, "127.0.0.1").await;
    let root = scene.folder().join("admin-root.pem");
    std::fs::write(&root, authority.root_pem()).unwrap();
    let tls = trust::ClientTls { roots: trust::Roots::Only(root) };
    let client =
        reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls.client_config().unwrap());
    let request =
        client.build().unwrap().get(format!("https://{address}/admin/operations")).bearer_auth(TOKEN);
    assert_eq!(request.send().await.unwrap().status(), 200);
}
