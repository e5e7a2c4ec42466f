//! Goal: accounts log on as they are told to and in no weaker way, over TLS that is verified. Method: the simulator with
//! certificates of its own authority; it judges NTLM by computations that are not the client's, and counts how
//! everybody logged on.

use std::path::{Path, PathBuf};

use calendar::SourceError;
use calendar::source::{CalendarSource, Hint, SourceErrorKind as K};
use connector_exchange::{Account, Authentication, ExchangeOptions, OAuth};
use simulator_exchange::logon::LogonCounts;
use simulator_exchange::{Fault, Logins, Options, Simulator};
use simulator_kit::{Authority, Clients, FaultRule, Tls, Wanted};

use crate::world::{World, events, next, next_said};

const NTLM: Logins = Logins { basic: true, ntlm: true, bearer: false };
const BEARER: Logins = Logins { basic: true, ntlm: false, bearer: true };

/// A server's TLS and the file of the root that it can be trusted by.
struct Ground {
    folder: tempfile::TempDir,
    tls: Tls,
}

impl Ground {
    fn new() -> Self {
        let authority = Authority::new("test").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), authority.root_pem()).unwrap();
        let tls = authority.issue(&Wanted::loopback()).unwrap().tls(Clients::Any).unwrap();
        Self { folder, tls }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    fn options(&self, logins: Logins) -> Options {
        Options { mailboxes: 3, tls: Some(self.tls.clone()), logins, ..Options::default() }
    }

    async fn world(&self, logins: Logins, user: &str, password: &str) -> World {
        self.world_with(self.options(logins), user, password).await
    }

    async fn world_with(&self, options: Options, user: &str, password: &str) -> World {
        let bearer = options.logins.bearer;
        let account = Account::configured(user, password.to_owned().into());
        World::start_with(options, true, |simulator, connector| {
            connector.account = Some(account);
            trusts(connector, &self.root());
            connector.authentication = if bearer { oauth(simulator) } else { Authentication::Ntlm };
        })
        .await
    }
}

fn trusts(options: &mut ExchangeOptions, root: &Path) {
    options.tls.roots = trust::Roots::Only(root.to_owned());
}

fn oauth(simulator: &Simulator) -> Authentication {
    let token_url = simulator.token_url().parse().unwrap();
    Authentication::OAuth(OAuth { token_url, scope: "https://exchange.sim.test/.default".to_owned() })
}

fn counts(world: &World) -> LogonCounts {
    world.simulator.service().logons.counts()
}

/// The next login, or event on a stream, meets this.
fn at_logon(world: &World, kind: Fault) {
    let rule = FaultRule { kind, operation: None, mailbox: None, probability: None, next: Some(1) };
    world.simulator.service().faults.add(vec![rule]).unwrap();
}

async fn check(world: &World) -> Result<(), SourceError> {
    world.exchange.check(&world.mailbox(1)).await.map(|_folder| ())
}

fn kind_and_code(error: &SourceError) -> (K, &str) {
    (error.kind, error.code.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ntlm_logs_a_connection_on_once_and_each_form_of_a_name_does() {
    let ground = Ground::new();
    for user in ["svc", "SIM\\svc", "svc@sim.test"] {
        let world = ground.world(NTLM, user, "pw").await;
        world.exchange.locate(&[World::mail(1)]).await.remove(0).unwrap();
        for _ in 0..5 {
            check(&world).await.unwrap();
        }
        let expected = LogonCounts { ntlm: 6, ntlm_logins: 1, ..LogonCounts::default() };
        assert_eq!(counts(&world), expected, "{user}: one connection, one login");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ntlm_without_tls_is_bound_to_nothing_and_works() {
    let options = Options { mailboxes: 1, logins: Logins::NTLM, ..Options::default() };
    let world =
        World::start_with(options, true, |_, options| options.authentication = Authentication::Ntlm).await;
    check(&world).await.unwrap();
    assert_eq!(counts(&world).ntlm_logins, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_one_time_have_a_connection_each_and_no_more_than_are_allowed() {
    let ground = Ground::new();
    let world = World::start_with(ground.options(NTLM), true, |_, options| {
        trusts(options, &ground.root());
        options.authentication = Authentication::Ntlm;
        options.simultaneous_calls = 3;
    })
    .await;
    let mailbox = world.mailbox(1);
    let calls = (0..30).map(|_| world.exchange.check(&mailbox));
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap();
    }
    let counts = counts(&world);
    assert_eq!((counts.ntlm, counts.refused), (30, 0));
    assert!((1..=3).contains(&counts.ntlm_logins), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_has_a_logged_on_connection_to_itself_and_calls_go_on_beside_it() {
    let ground = Ground::new();
    for logins in [NTLM, BEARER] {
        let world = ground.world(logins, "svc", "pw").await;
        let (affinity, ids) = world.subscribe(&[1, 2]).await;
        let mut stream = world.exchange.listen(&affinity, &ids).await.unwrap();
        assert_eq!(next(&mut stream).await, Hint::Opened);
        for _ in 0..3 {
            check(&world).await.unwrap();
            world.create(2, "2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z").await;
            let (id, _) = events(&mut stream).await;
            assert_eq!(id, ids[1]);
        }
        let counts = counts(&world);
        if logins.ntlm {
            assert_eq!((counts.ntlm, counts.ntlm_logins), (6, 2), "the stream took one, the calls another");
        } else {
            assert_eq!((counts.bearer, counts.tokens), (6, 1));
        }
        drop(stream);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_once_and_not_tried_again_at_once() {
    let ground = Ground::new();
    let world = ground.world(NTLM, "svc", "wrong").await;
    assert_eq!(kind_and_code(&check(&world).await.unwrap_err()), (K::Credentials, "HTTP 401"));
    assert_eq!(counts(&world).refused, 1);
    assert_eq!(world.exchange.refusals().len(), 1, "its calls wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_for_less_than_ntlmv2_gets_no_answer() {
    let ground = Ground::new();
    for lm in [false, true] {
        let world = ground.world(NTLM, "svc", "pw").await;
        at_logon(&world, Fault::WeakLogin { lm });
        let error = check(&world).await.unwrap_err();
        assert_eq!(kind_and_code(&error), (K::Credentials, "ntlm downgrade"), "{error:?}");
        assert_eq!(counts(&world), LogonCounts::default(), "nothing to judge was sent");
        assert_eq!(world.exchange.refusals().len(), 1, "and nobody tries on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_passed_on_over_another_connection_is_refused() {
    let ground = Ground::new();
    // somebody in between shows a certificate that the client trusts, and passes on what it hears to the real server,
    // whose certificate is another one
    let real = Authority::new("real").unwrap().issue(&Wanted::loopback()).unwrap();
    let binding = real.tls(Clients::Any).unwrap().binding;
    assert!(binding.is_some());
    let mut options = ground.options(NTLM);
    options.tls = Some(Tls { binding, ..ground.tls.clone() });
    let world = ground.world_with(options, "svc", "pw").await;
    assert_eq!(kind_and_code(&check(&world).await.unwrap_err()), (K::Credentials, "HTTP 401"));
    assert_eq!((counts(&world).ntlm_logins, counts(&world).refused), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_no_longer_knows_is_logged_on_anew() {
    let ground = Ground::new();
    let world = ground.world(NTLM, "svc", "pw").await;
    check(&world).await.unwrap();
    world.fault(Fault::Unauthorized);
    check(&world).await.unwrap();
    assert_eq!(counts(&world).ntlm_logins, 2);
    assert_eq!(world.exchange.refusals(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_take_ntlm_says_so_once() {
    let ground = Ground::new();
    let world = ground.world(Logins::BASIC, "svc", "pw").await;
    let error = check(&world).await.unwrap_err();
    assert_eq!(kind_and_code(&error), (K::Credentials, "login not offered"));
    assert_eq!(counts(&world).basic, 0, "and no weaker way was tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_about_something_else_than_the_login_are_understood_as_such() {
    let ground = Ground::new();
    let world = ground.world(NTLM, "svc", "pw").await;
    world.fault(Fault::Http503);
    let error = check(&world).await.unwrap_err();
    assert_eq!(kind_and_code(&error), (K::Unavailable, "HTTP 503"));
    world.fault(Fault::Disconnect);
    let error = check(&world).await.unwrap_err();
    assert_eq!((error.kind, error.is_outage()), (K::Unavailable, true), "{error:?}");
    check(&world).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_serves_all_calls_and_one_that_is_withdrawn_is_replaced_once() {
    let ground = Ground::new();
    let world = ground.world(BEARER, "svc", "pw").await;
    let mailbox = world.mailbox(1);
    for outcome in futures::future::join_all((0..10).map(|_| world.exchange.check(&mailbox))).await {
        outcome.unwrap();
    }
    assert_eq!(counts(&world), LogonCounts { bearer: 10, tokens: 1, ..LogonCounts::default() });
    at_logon(&world, Fault::TokenWithdrawn);
    check(&world).await.unwrap();
    let expected = LogonCounts { bearer: 11, tokens: 2, refused: 1, ..LogonCounts::default() };
    assert_eq!(counts(&world), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_again_is_not_tried_a_third_time() {
    let ground = Ground::new();
    let world = ground.world(BEARER, "svc", "pw").await;
    for _ in 0..2 {
        at_logon(&world, Fault::TokenWithdrawn);
    }
    assert_eq!(kind_and_code(&check(&world).await.unwrap_err()), (K::Credentials, "HTTP 401"));
    assert_eq!((counts(&world).tokens, counts(&world).refused), (2, 2));
    assert_eq!(world.exchange.refusals().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_that_refuses_is_told_without_the_secret() {
    let ground = Ground::new();
    let world = ground.world(BEARER, "svc", "a-secret-of-svc").await;
    let error = check(&world).await.unwrap_err();
    assert_eq!(kind_and_code(&error), (K::Credentials, "token refused"));
    assert_eq!(error.text, "the token service refuses with 401 invalid_client 7000215");
    assert_eq!(counts(&world).refused, 1, "asked once");
    let shown = format!("{error:?} {error} {:?}", world.exchange);
    assert!(!shown.contains("a-secret-of-svc"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_that_is_away_is_an_outage() {
    let ground = Ground::new();
    let world = ground.world(BEARER, "svc", "pw").await;
    let rule = FaultRule {
        kind: Fault::Http503,
        operation: Some("Token".into()),
        mailbox: None,
        probability: None,
        next: Some(1),
    };
    world.simulator.service().faults.add(vec![rule]).unwrap();
    let error = check(&world).await.unwrap_err();
    assert_eq!(kind_and_code(&error), (K::Unavailable, "no token"));
    assert_eq!(world.exchange.refusals(), [], "no reason to wait for the password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_verified_unless_it_is_asked_for_in_so_many_words() {
    let ground = Ground::new();
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), Authority::new("other").unwrap().root_pem()).unwrap();
    for authentication in [Authentication::Basic, Authentication::Ntlm] {
        for danger in [false, true] {
            let authentication = authentication.clone();
            let world = World::start_with(ground.options(NTLM), true, |_, options| {
                trusts(options, other.path());
                options.authentication = authentication;
                options.danger_accept_invalid_certificates = danger;
            })
            .await;
            let outcome = check(&world).await;
            if danger {
                outcome.unwrap();
            } else {
                let error = outcome.unwrap_err();
                assert_eq!(kind_and_code(&error), (K::Unavailable, "no connection"));
                assert!(error.text.contains("UnknownIssuer"), "{error:?}");
                assert_eq!(counts(&world), LogonCounts::default(), "no password was sent");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_are_expired_or_of_another_host_are_refused() {
    let authority = Authority::new("test").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority.root_pem()).unwrap();
    for (wanted, reason) in [
        (Wanted::loopback().expired(), "expired"),
        (Wanted::server(&["mail.sim.test"]), "not valid for name"),
    ] {
        let tls = authority.issue(&wanted).unwrap().tls(Clients::Any).unwrap();
        let options = Options { mailboxes: 1, tls: Some(tls), logins: NTLM, ..Options::default() };
        let world = World::start_with(options, true, |_, options| {
            trusts(options, &root);
            options.authentication = Authentication::Ntlm;
        })
        .await;
        let error = check(&world).await.unwrap_err();
        assert_eq!(kind_and_code(&error), (K::Unavailable, "no connection"));
        assert!(error.text.contains(reason), "{error:?}");
        assert_eq!(counts(&world), LogonCounts::default(), "no login was begun");
    }
}

/// A stream that breaks says so over a connection of NTLM, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_ntlm_that_is_cut_is_an_outage() {
    let ground = Ground::new();
    let world = ground.world(NTLM, "svc", "pw").await;
    let (affinity, ids) = world.subscribe(&[1]).await;
    let mut stream = world.exchange.listen(&affinity, &ids).await.unwrap();
    assert_eq!(next(&mut stream).await, Hint::Opened);
    at_logon(&world, Fault::DropStream);
    world.create(1, "2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z").await;
    let said = next_said(&mut stream).await;
    assert!(matches!(&said, Err(error) if error.is_outage()), "{said:?}");
}
