//! Goal: a test of an account tells what works, what does not and the next step, in bounded time. Method: the
//! simulated Exchange, and a server that never answers.

use std::path::{Path, PathBuf};

use store::testing::{TestDatabase, database};

use super::*;
use crate::cli::ConfigFile;
use crate::config::HumanDuration;

const PASSWORD: &str = "marked-password-of-svc";

async fn exchange() -> simulator_exchange::Simulator {
    trust::install_provider();
    let options = simulator_exchange::Options {
        mailboxes: 2,
        user: "svc".into(),
        password: PASSWORD.into(),
        ..simulator_exchange::Options::default()
    };
    simulator_exchange::Simulator::start(options).await.unwrap()
}

fn config(autodiscover: &str, password: &str) -> Config {
    let text =
        format!("[exchange]\nautodiscover_url = {autodiscover:?}\nuser = \"svc\"\npassword = {password:?}\n");
    Config::parse(Path::new("test.toml"), &text, []).unwrap()
}

async fn tried(database: &TestDatabase, config: &Config, mailbox: Option<&str>, timeout: u64) -> Logon {
    let arguments = CredentialTest {
        user: None,
        mailbox: mailbox.map(Into::into),
        timeout: HumanDuration::seconds(timeout),
        json: false,
        config: ConfigFile { config: PathBuf::from("test.toml") },
    };
    let mut logons = test(&database.store, config, &arguments).await.unwrap();
    assert_eq!(logons.len(), 1);
    logons.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logon_says_what_works_and_what_to_do_otherwise() {
    let (database, exchange) = (database().await, exchange().await);
    let url = exchange.autodiscover_url();
    let good = tried(&database, &config(&url, PASSWORD), Some("m0001@sim.test"), 30).await;
    assert!(good.ok && good.text().contains("the calendar of m0001@sim.test can be read"), "{}", good.text());

    let wrong = tried(&database, &config(&url, "wrong-one"), Some("m0001@sim.test"), 30).await;
    let text = wrong.text();
    assert!(!wrong.ok && text.contains("credential add svc --replace") && text.contains("401"), "{text}");
    assert!(!text.contains("wrong-one"), "{text}");

    let missing = tried(&database, &config(&url, PASSWORD), Some("nobody@sim.test"), 30).await;
    assert!(!missing.ok && missing.next.is_some(), "{}", missing.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_ends_the_test_in_time() {
    trust::install_provider();
    let database = database().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/autodiscover/autodiscover.svc", silent.local_addr().unwrap());
    let late = tried(&database, &config(&url, PASSWORD), Some("m0001@sim.test"), 1).await;
    assert!(!late.ok && late.text().contains("no answer within 1 s"), "{}", late.text());
    assert!(late.text().contains("exchange.autodiscover_url"), "{}", late.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_is_needed() {
    trust::install_provider();
    let database = database().await;
    let arguments = CredentialTest {
        user: None,
        mailbox: None,
        timeout: HumanDuration::seconds(1),
        json: false,
        config: ConfigFile { config: PathBuf::from("test.toml") },
    };
    let error = test(&database.store, &config("http://127.0.0.1:9/", "x"), &arguments).await.unwrap_err();
    assert!(telemetry::chain(&error).to_string().contains("--mailbox ADDRESS"));
    let nobody = CredentialTest { user: Some("other".into()), ..arguments };
    let error = test(&database.store, &config("http://127.0.0.1:9/", "x"), &nobody).await.unwrap_err();
    assert!(telemetry::chain(&error).to_string().contains("no service account other"));
}
