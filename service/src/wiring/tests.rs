//! Goal: the tree holds what the roles say and no more, and a part that always fails ends the process within minutes
//! unless it is one of many. Method: the real specifications, without starting them.

use std::collections::BTreeSet;
use std::path::Path;

use base::SystemClock;
use store::StoreOptions;

use super::*;

const TEXT: &str = "
[database]
url = \"postgres://u:p@127.0.0.1:1/none\"
[exchange]
service_url = \"https://mail.example.dk/EWS/Exchange.asmx\"
user = \"svc\"
password = \"secret\"
[planner]
service_url = \"https://planner.example.dk/x\"
jobcenter_number = \"10100\"
request_user_identifier = \"CVR:1\"
";

/// The whole tree of a process with these roles, as a specification.
fn whole(roles: &str) -> SupervisorSpec {
    trust::install_provider();
    let text = format!("[node]\nroles = [{roles}]\n{TEXT}");
    let config = Config::parse(Path::new("test.toml"), &text, []).unwrap();
    let required = config.for_run().unwrap();
    let tls = trust::ClientTls { roots: trust::Roots::Nobody };
    let store = Store::open(StoreOptions {
        url: "postgres://u:p@127.0.0.1:1/none".to_owned().into(),
        pool_size: 2,
        patience: Duration::from_millis(10),
        idle_in_transaction: Duration::from_secs(1),
        tls: tls.client_config().unwrap(),
        application_name: "test".into(),
    })
    .unwrap();
    let clock = SystemClock::shared();
    let shared = Shared {
        store: store.clone(),
        leases: LeaseBook::new(store.clone(), clock.clone(), "test".into(), Duration::from_secs(15)),
        clock,
        runtime: Handle::current(),
        instance: "test".into(),
        tree: Arc::new(OnceLock::new()),
        start: Arc::new(Start::new(config.node.names())),
        usable: tokio::sync::watch::Sender::new(false),
        broken: tokio::sync::watch::Sender::new(None),
    };
    let wake = Wake::start(store);
    let mut spec = root(&config, &shared);
    let sharing = Sharing { shares: Shares::alone(), shards: 4 };
    let stages =
        stages(&config, &required, &shared, &wake, &sharing, (Opened::default(), &Waits::default())).unwrap();
    // `event-log` and `gauges`, which need running telemetry, are actors below the root as `http` is
    for child in stages {
        spec = spec.child(child);
    }
    spec
}

fn times(roles: &str) -> Vec<(String, Option<Duration>)> {
    whole(roles).time_to_give_up()
}

#[tokio::test]
async fn each_role_has_its_stage_and_what_it_needs() {
    let exchange = ["accounts", "back-offs", "logon"];
    let cases: [(&str, &[&str]); 4] = [
        ("\"listen\"", &["listener"]),
        ("\"qualify\"", &["qualifier"]),
        ("\"communicate\"", &["communicator"]),
        ("\"listen\", \"qualify\", \"communicate\"", &["qualifier", "communicator", "listener"]),
    ];
    for (roles, stages) in cases {
        let paths = times(roles);
        let parts: BTreeSet<&str> = paths.iter().filter_map(|(path, _)| path.split('/').nth(1)).collect();
        for part in ["http", "leases"] {
            assert!(parts.contains(part), "{roles}: {part} is missing in {parts:?}");
        }
        let reads_exchange = roles != "\"communicate\"";
        for part in exchange {
            assert_eq!(parts.contains(part), reads_exchange, "{roles}: {part} in {parts:?}");
        }
        for stage in ["listener", "qualifier", "communicator"] {
            assert_eq!(parts.contains(stage), stages.contains(&stage), "{roles}: {stage} in {parts:?}");
        }
    }
}

/// docs/runtime-semantics.md states the bound.
#[tokio::test]
async fn a_part_that_always_fails_ends_the_process_within_five_minutes() {
    let all = times("\"listen\", \"qualify\", \"communicate\"");
    assert!(all.len() >= 12, "{all:#?}");
    for (path, time) in all {
        // what a part takes to fail comes on top
        let bound = Duration::from_secs(300);
        assert!(time.is_some_and(|time| time < bound), "{path}: {time:?}");
    }
}
