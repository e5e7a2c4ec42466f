//! Goal: over a socket, who has the token can ask, follow and settle; who has none learns nothing and gets nowhere; and
//! whatever is wrong is said with a status that tells whose fault it is. Method: real requests on port 0, a real database.

use base::SystemClock;
use secrecy::SecretString;
use serde_json::{Value, json};
use store::outbox::testing::{number, resource, sql};
use store::testing::{TestDatabase, database};

use super::*;
use crate::config::HttpConfig;
use crate::http::server::Pages;
use crate::http::told::Told;

const TOKEN: &str = "marked-token-0123456789abcdef0123456789";

struct Desk {
    database: TestDatabase,
    pages: Pages,
    client: reqwest::Client,
}

struct Said {
    status: u16,
    location: Option<String>,
    body: Value,
}

impl Desk {
    async fn new() -> Self {
        trust::install_provider();
        let database = database().await;
        let access = Access::default().token(&SecretString::from(TOKEN));
        let allowed = Allowed { rediscovery: true, sending: true };
        let (store, clock) = (database.store.clone(), SystemClock::shared());
        let calls = AdminCalls::new(store, Handle::current(), clock.clone(), access, allowed);
        let config = HttpConfig {
            admin_listen: ([127, 0, 0, 1], 0).into(),
            admin_token: Some(TOKEN.into()),
            ..HttpConfig::default()
        };
        let pages = open(&config, clock.now()).unwrap().unwrap().serve(&calls).unwrap();
        Self { database, pages, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Said {
        let method: reqwest::Method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("http://{}{path}", self.pages.address()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.body(body.to_vec()).send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        Said { status, location, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    async fn get(&self, path: &str) -> Said {
        self.call("GET", path, Some(TOKEN), b"").await
    }

    async fn post(&self, path: &str, body: &Value) -> Said {
        self.call("POST", path, Some(TOKEN), body.to_string().as_bytes()).await
    }

    async fn count(&self, query: &str) -> i64 {
        number(&self.database.store, query).await
    }
}

#[tokio::test]
async fn what_is_asked_for_can_be_followed() {
    let desk = Desk::new().await;
    resource(&desk.database.store, "a@x.dk").await;
    let asked = desk
        .post("/admin/operations", &json!({ "kind": "full_pull", "mailbox": "A@X.dk", "by": "kim" }))
        .await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    assert_eq!(asked.location.as_deref(), Some("/admin/operations/1"));
    assert_eq!(
        (&asked.body["kind"], &asked.body["mailbox"], &asked.body["asked_by"], &asked.body["state"]),
        (&json!("full_pull"), &json!("a@x.dk"), &json!("kim (http)"), &json!("waiting"))
    );
    assert_eq!(desk.count("select count(*) from notification where event_type = 'FullRead'").await, 1);
    sql(&desk.database.store, "update planner_resource set full_read_began_at = clock_timestamp()").await;
    let followed = desk.get("/admin/operations/1").await;
    assert_eq!((followed.status, &followed.body["state"]), (200, &json!("done")));
    for kind in ["comparison", "adoption", "rediscovery", "resend"] {
        let asked = desk.post("/admin/operations", &json!({ "kind": kind, "all": true, "by": "kim" })).await;
        assert_eq!((asked.status, &asked.body["kind"]), (202, &json!(kind)));
    }
    let asked = desk.post("/admin/operations", &json!({ "kind": "resource_list", "by": "kim" })).await;
    assert_eq!(asked.status, 202);
    assert_eq!(desk.get("/admin/operations").await.body.as_array().unwrap().len(), 6);
}

/// What nothing was done for is not told as done, whatever was asked for.
#[tokio::test]
async fn an_operation_whose_mailbox_is_blocked_meanwhile_has_failed_and_says_so() {
    let desk = Desk::new().await;
    let store = &desk.database.store;
    resource(store, "a@x.dk").await;
    // false says no more than nothing beside a mailbox
    let ask = |kind: &str| json!({ "kind": kind, "mailbox": "a@x.dk", "all": false, "by": "kim" });
    let kinds = ["full_pull", "comparison", "adoption", "rediscovery"];
    for kind in kinds {
        let asked = desk.post("/admin/operations", &ask(kind)).await;
        assert_eq!((asked.status, &asked.body["state"]), (202, &json!("waiting")), "{}", asked.body);
        assert_eq!(asked.body.get("not_used"), None);
    }
    let mail = calendar::MailAddress::parse("a@x.dk").unwrap();
    store.add_to_blacklist(&mail, "has left", "kim", SystemClock::shared().now()).await.unwrap();
    let all = desk.get("/admin/operations").await.body;
    assert_eq!(all.as_array().unwrap().len(), kinds.len());
    for told in all.as_array().unwrap() {
        assert_eq!((&told["state"], &told["of"]), (&json!("failed"), &json!(0)), "{told}");
        assert_eq!(told["error"], "a@x.dk is blocked (has left)", "{told}");
        let expected = json!([{ "mailbox": "a@x.dk", "blocked": true, "reason": "has left" }]);
        assert_eq!(told["not_used"], expected, "{told}");
    }
}

#[tokio::test]
async fn a_withheld_run_is_settled_once() {
    let desk = Desk::new().await;
    resource(&desk.database.store, "a@x.dk").await;
    sql(
        &desk.database.store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there) \
             values ('a@x.dk', 'comparison', now(), now(), 1, 1); \
         insert into withheld_key (mail, origin_id, run, version, start_at, end_at) \
             values ('a@x.dk', 'U', 1, 0, now() + interval '1 day', now() + interval '2 days')",
    )
    .await;
    let runs = desk.get("/admin/withheld").await;
    assert_eq!((runs.status, &runs.body[0]["run"]), (200, &json!("1")));
    let settled = desk.post("/admin/withheld/1/confirm", &json!({ "by": "kim" })).await;
    assert_eq!((settled.status, &settled.body["kind"]), (202, &json!("confirmation")), "{}", settled.body);
    assert_eq!((&settled.body["run"], &settled.body["mailbox"]), (&json!("1"), &json!("a@x.dk")));
    assert_eq!(desk.count("select count(*) from calendar_event where not wanted and pending").await, 1);
    let again = desk.post("/admin/withheld/1/reject", &json!({ "by": "kim" })).await;
    assert_eq!(again.status, 409, "{}", again.body);
    assert_eq!(desk.post("/admin/withheld/9/confirm", &json!({ "by": "kim" })).await.status, 404);
    assert_eq!(desk.post("/admin/withheld/L9/confirm", &json!({ "by": "kim" })).await.status, 404);
    assert_eq!(desk.post("/admin/withheld/x/confirm", &json!({ "by": "kim" })).await.status, 400);
    assert_eq!(desk.post("/admin/withheld/1/dance", &json!({ "by": "kim" })).await.status, 404);
    assert_eq!(desk.count("select count(*) from application_log where event_id = 9503").await, 1);
}

/// Whoever confirms an old number is told of the one that counts.
#[tokio::test]
async fn a_run_that_was_replaced_names_its_successor() {
    let desk = Desk::new().await;
    sql(
        &desk.database.store,
        "insert into withheld_run (mail, source, reading_began, withheld_at, keys, there, state, settled_at, settled_by) \
             values ('a@x.dk', 'full_read', now(), now(), 1, 1, 'replaced', now(), 'a newer run'), \
                    ('a@x.dk', 'full_read', now(), now(), 1, 1, 'withheld', null, null); \
         insert into withheld_list (withheld_at, in_use_before, state, settled_at, settled_by) \
             values (now(), 30, 'cancelled', now(), 'a later list that lacks others too'), \
                    (now(), 30, 'withheld', null, null)",
    )
    .await;
    for (call, told) in [
        ("/admin/withheld/1/confirm", "it is replaced by run 2; `kommuneklient withheld show 2`"),
        ("/admin/withheld/1/reject", "it is replaced by run 2; `kommuneklient withheld show 2`"),
        ("/admin/withheld/L1/confirm", "it is replaced by run L2; `kommuneklient withheld show L2`"),
    ] {
        let refused = desk.post(call, &json!({ "by": "kim" })).await;
        assert_eq!(refused.status, 409, "{call}: {}", refused.body);
        assert!(refused.body["error"].as_str().unwrap().contains(told), "{call}: {}", refused.body);
    }
}

#[tokio::test]
async fn who_has_no_token_gets_nowhere_and_is_slowed_down() {
    let (told, _guard) = Told::listen();
    let desk = Desk::new().await;
    resource(&desk.database.store, "a@x.dk").await;
    let ask = json!({ "kind": "full_pull", "all": true, "by": "eve" }).to_string();
    for (method, path, token) in [
        ("POST", "/admin/operations", None),
        ("POST", "/admin/operations", Some("wrong")),
        ("GET", "/admin/withheld", Some("")),
        ("GET", "/elsewhere", None),
    ] {
        let refused = desk.call(method, path, token, ask.as_bytes()).await;
        assert_eq!(refused.status, 401, "{method} {path}: {}", refused.body);
    }
    assert_eq!(desk.call("GET", "/admin/operations", None, b"").await.status, 401);
    assert_eq!(told.codes(), [9510; 5]);
    assert!(told.all().iter().all(|(_, text)| text.contains("127.0.0.1")), "{:?}", told.all());
    for _ in 0..3 {
        assert_eq!(desk.call("GET", "/admin/operations", None, b"").await.status, 429, "too many guesses");
    }
    assert_eq!(told.codes(), [9510, 9510, 9510, 9510, 9510, 9665], "told once, and no guess is looked at");
    assert!(told.all()[5].1.contains("127.0.0.1"), "{:?}", told.all());
    assert_eq!(desk.get("/admin/operations").await.status, 200, "who knows the token is not kept out");
    assert_eq!(desk.count("select count(*) from operation").await, 0);
    assert_eq!(desk.count("select count(*) from notification").await, 0);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let desk = Desk::new().await;
    resource(&desk.database.store, "a@x.dk").await;
    for (body, status, words) in [
        (json!({ "kind": "dance", "all": true, "by": "kim" }), 400, "none of full_pull"),
        (json!({ "kind": "confirmation", "all": true, "by": "kim" }), 400, "none of full_pull"),
        (json!({ "kind": "full_pull", "by": "kim" }), 400, "either"),
        (json!({ "kind": "full_pull", "mailbox": "a@x.dk", "all": true, "by": "kim" }), 400, "either"),
        (json!({ "kind": "resource_list", "mailbox": "a@x.dk", "by": "kim" }), 400, "either"),
        (json!({ "kind": "resource_list", "all": true, "by": "kim" }), 400, "either"),
        (json!({ "kind": "resource_list", "all": false, "by": "kim" }), 400, "either"),
        (json!({ "kind": "full_pull", "all": false, "by": "kim" }), 400, "either"),
        (json!({ "kind": "full_pull", "mailbox": "nonsense", "by": "kim" }), 400, "mailbox"),
        (json!({ "kind": "full_pull", "all": true, "by": " " }), 400, "by"),
        (json!({ "kind": "full_pull", "all": true }), 400, "by"),
        (json!({ "kind": "full_pull", "all": true, "by": "kim", "why": 1 }), 400, "why"),
        (json!({ "kind": "full_pull", "mailbox": "b@x.dk", "by": "kim" }), 404, "never listed"),
    ] {
        let refused = desk.post("/admin/operations", &body).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.body);
        assert!(refused.body["error"].as_str().unwrap().contains(words), "{body}: {}", refused.body);
    }
    sql(&desk.database.store, "update planner_resource set deleted_date = now(), deleted_reason = 'x'").await;
    let unused =
        desk.post("/admin/operations", &json!({ "kind": "resend", "mailbox": "a@x.dk", "by": "kim" })).await;
    assert_eq!(unused.status, 409);
    assert_eq!(desk.get("/admin/operations/7").await.status, 404);
    assert_eq!(desk.get("/admin/operations/x").await.status, 404);
    let large = vec![b' '; BODY_MAX + 1];
    let refused = desk.call("POST", "/admin/operations", Some(TOKEN), &large).await;
    assert_eq!(
        (refused.status, refused.body["error"].as_str()),
        (413, Some("the body is larger than 16384 bytes"))
    );
    let unknown = desk.call("POST", "/admin/operations", None, &large).await;
    assert_eq!(unknown.status, 401, "who has no token learns nothing else");
    assert_eq!(desk.count("select count(*) from operation").await, 0, "what is refused leaves no row");
}

/// Whoever has the token and misses the call is told which there are; whoever has none learns nothing.
#[tokio::test]
async fn a_call_that_is_none_is_answered_with_the_list_of_those_there_are() {
    let desk = Desk::new().await;
    for (method, path, status) in [
        ("GET", "/admin", 404),
        ("GET", "/admin/", 404),
        ("POST", "/admin/full-pull", 404),
        ("GET", "/admin/operations/1/more", 404),
        ("DELETE", "/admin/operations/1", 405),
        ("PUT", "/admin/operations", 405),
        ("POST", "/admin/withheld", 405),
        ("GET", "/admin/withheld/1/confirm", 405),
    ] {
        let refused = desk.call(method, path, Some(TOKEN), b"").await;
        assert_eq!(refused.status, status, "{method} {path}: {}", refused.body);
        assert!(refused.body["error"].as_str().unwrap().starts_with("there is no such admin call"));
        let calls: Vec<&str> =
            refused.body["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap()).collect();
        assert!(
            calls.contains(&"POST /admin/operations") && calls.contains(&"POST /admin/withheld/{run}/reject"),
            "{calls:?}"
        );
    }
    let unknown = desk.call("GET", "/admin/full-pull", None, b"").await;
    assert_eq!((unknown.status, unknown.body.get("calls")), (401, None));
}

#[tokio::test]
async fn what_the_configuration_rules_out_is_refused() {
    let database = database().await;
    resource(&database.store, "a@x.dk").await;
    use store::operations::OperationKind;
    for (kind, words) in [
        (OperationKind::Rediscovery, "deactivate_solving_of_group_affinity"),
        // it would be waited for until the rehearsal is over
        (OperationKind::Resend, "planner.dry_run is true"),
    ] {
        let asked = crate::acts::ask(
            &database.store,
            Allowed { rediscovery: false, sending: false },
            kind,
            &store::operations::Scope::All,
            "kim",
            jiff::Timestamp::UNIX_EPOCH,
        );
        let refused = asked.await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    assert_eq!(number(&database.store, "select count(*) from operation").await, 0);
}
