//! Who may ask: Basic, NTLM (connection by connection) and bearer tokens with the service that gives them.
//!
//! NTLM is judged as Exchange does: NTLMv2 with its integrity check, and over TLS with the channel binding of this
//! server's certificate (extended protection "require"). Tokens are opaque, and each belongs to the account whose
//! name and password asked for it as client id and secret.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use actix_web::http::Version;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::{SignedDuration, Timestamp};
use proto_ntlm::acceptor::{Server, Strength};
use serde::{Deserialize, Serialize};
use simulator_kit::Credentials;
use simulator_kit::login::{ConnectionLogin, Ntlm};

use crate::faults::{Fault, TOKEN};
use crate::options::Options;
use crate::service::Service;

/// The name in `WWW-Authenticate`.
const REALM: &str = "exchange simulator";
/// Tokens that are remembered; beyond it the oldest go.
const TOKENS_MAX: usize = 1_000;

/// Which logins a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logins {
    /// Name and password in each request.
    pub basic: bool,
    /// NTLM.
    pub ntlm: bool,
    /// Bearer tokens.
    pub bearer: bool,
}

impl Logins {
    /// Basic alone.
    pub const BASIC: Self = Self { basic: true, ntlm: false, bearer: false };
    /// NTLM alone.
    pub const NTLM: Self = Self { basic: false, ntlm: true, bearer: false };
    /// Bearer tokens alone.
    pub const BEARER: Self = Self { basic: false, ntlm: false, bearer: true };
}

/// How often accounts logged on, and were refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LogonCounts {
    /// Requests with Basic authentication.
    pub basic: u64,
    /// Requests over connections that NTLM logged on.
    pub ntlm: u64,
    /// Logins by NTLM, of which the last message was accepted.
    pub ntlm_logins: u64,
    /// Requests with a bearer token.
    pub bearer: u64,
    /// Tokens that were given.
    pub tokens: u64,
    /// Refusals of a name, a password, a token or a binding; asking for a login is none.
    pub refused: u64,
}

/// What is known of logins.
#[derive(Debug)]
pub struct Logons {
    ntlm: Server,
    tokens: Mutex<HashMap<String, Token>>,
    basic: AtomicU64,
    ntlm_requests: AtomicU64,
    ntlm_logins: AtomicU64,
    bearer: AtomicU64,
    given: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Clone)]
struct Token {
    account: usize,
    until: Timestamp,
    given: u64,
}

impl Logons {
    pub(crate) fn new(options: &Options) -> Self {
        let label = options.domain.split('.').next().unwrap_or_default().to_uppercase();
        let binding = options.tls.as_ref().and_then(|tls| tls.binding.clone());
        Self {
            ntlm: Server { domain: label, computer: "MAIL".to_owned(), binding },
            tokens: Mutex::default(),
            basic: AtomicU64::new(0),
            ntlm_requests: AtomicU64::new(0),
            ntlm_logins: AtomicU64::new(0),
            bearer: AtomicU64::new(0),
            given: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The tokens that were given and not withdrawn, also those that have expired; the oldest are forgotten some day.
    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The counts until now.
    pub fn counts(&self) -> LogonCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LogonCounts {
            basic: read(&self.basic),
            ntlm: read(&self.ntlm_requests),
            ntlm_logins: read(&self.ntlm_logins),
            bearer: read(&self.bearer),
            tokens: read(&self.given),
            refused: read(&self.refused),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The account of a request.
///
/// # Errors
/// The answer to a request without good credentials, or in the middle of a login.
pub fn account(service: &Service, request: &HttpRequest) -> Result<usize, Box<HttpResponse>> {
    let (logins, logons) = (service.options.logins, &service.logons);
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scheme = value.and_then(|value| value.split(' ').next()).unwrap_or_default();
    if logins.basic && scheme.eq_ignore_ascii_case("basic") {
        let found = by_password(service, request);
        count(if found.is_some() { &logons.basic } else { &logons.refused });
        return found.ok_or_else(|| Box::new(offers(service)));
    }
    if logins.bearer && scheme.eq_ignore_ascii_case("bearer") {
        let token = value.and_then(|value| value.get("bearer ".len()..)).unwrap_or_default();
        let found = by_token(service, token);
        count(if found.is_some() { &logons.bearer } else { &logons.refused });
        return found.ok_or_else(|| Box::new(invalid_token()));
    }
    // of a connection that carries many requests at once NTLM can say nothing
    if logins.ntlm && request.version() != Version::HTTP_2 {
        return by_connection(service, request);
    }
    if !scheme.is_empty() {
        count(&logons.refused);
    }
    Err(Box::new(offers(service)))
}

/// The domain of `DOMAIN\user` is not looked at.
fn by_password(service: &Service, request: &HttpRequest) -> Option<usize> {
    let given = Credentials::of(request)?;
    if given.password != service.options.password {
        return None;
    }
    number_of(service, given.user.rsplit('\\').next().unwrap_or_default())
}

fn number_of(service: &Service, user: &str) -> Option<usize> {
    service.accounts.iter().position(|account| account.eq_ignore_ascii_case(user))
}

/// The account of a name in NTLM: with the domain beside it, or as a user principal name.
fn number_of_login(service: &Service, user: &str) -> Option<usize> {
    let local = user.split('@').next().unwrap_or_default();
    number_of(service, user).or_else(|| number_of(service, local))
}

fn by_connection(service: &Service, request: &HttpRequest) -> Result<usize, Box<HttpResponse>> {
    let logons = &service.logons;
    let strength = || match service.faults.of_logon() {
        Some(Fault::WeakLogin { lm: true }) => Strength::Lm,
        Some(Fault::WeakLogin { lm: false }) => Strength::V1,
        _ => Strength::V2,
    };
    let is_login = request.headers().contains_key(AUTHORIZATION);
    let password =
        |user: &str, _domain: &str| number_of_login(service, user).map(|_| service.options.password.clone());
    let clock = &*service.options.clock;
    match ConnectionLogin::judge(request, &logons.ntlm, strength, clock, password) {
        Ntlm::Known(user) => {
            if is_login {
                count(&logons.ntlm_logins);
            }
            count(&logons.ntlm_requests);
            number_of_login(service, &user).ok_or_else(|| Box::new(offers(service)))
        }
        Ntlm::Challenge(value) => {
            Err(Box::new(HttpResponse::Unauthorized().insert_header((WWW_AUTHENTICATE, value)).finish()))
        }
        Ntlm::Silent => Err(Box::new(offers(service))),
        Ntlm::Refused(why) => {
            count(&logons.refused);
            tracing::info!(error = &why as &dyn std::error::Error, "a login was refused");
            Err(Box::new(offers(service)))
        }
    }
}

fn by_token(service: &Service, token: &str) -> Option<usize> {
    let mut tokens = service.logons.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(service.faults.of_logon(), Some(Fault::TokenWithdrawn)) {
        tokens.remove(token);
    }
    let now = service.options.clock.now();
    tokens.get(token).filter(|known| now < known.until).map(|known| known.account)
}

/// The answer to a request without good credentials.
pub fn offers(service: &Service) -> HttpResponse {
    let logins = service.options.logins;
    let mut answer = HttpResponse::Unauthorized();
    // as IIS, with a line for each
    let mut offer = |value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.append_header((WWW_AUTHENTICATE, value));
        }
    };
    if logins.ntlm {
        offer("NTLM");
    }
    if logins.bearer {
        offer("Bearer realm=\"exchange simulator\"");
    }
    if logins.basic {
        offer(&format!("Basic realm=\"{REALM}\""));
    }
    answer.finish()
}

fn invalid_token() -> HttpResponse {
    let value = "Bearer realm=\"exchange simulator\", error=\"invalid_token\"";
    HttpResponse::Unauthorized().insert_header((WWW_AUTHENTICATE, value)).finish()
}

/// What is asked of the token service (RFC 6749 section 4.4.2).
#[derive(Deserialize)]
pub struct TokenRequest {
    grant_type: String,
    client_id: String,
    client_secret: String,
    scope: String,
}

/// `POST /oauth2/v2.0/token`.
pub async fn token(form: web::Form<TokenRequest>, service: web::Data<Service>) -> HttpResponse {
    let service = service.into_inner();
    match service.draw(TOKEN, &[]) {
        Some(Fault::Http503) => return HttpResponse::ServiceUnavailable().finish(),
        Some(Fault::Slow { delay_ms }) => {
            tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
        }
        Some(Fault::Malformed) => return HttpResponse::Ok().body("{\"access_token\":"),
        _ => {}
    }
    let refused = |status: &mut actix_web::HttpResponseBuilder, error: &str, number: u32| {
        count(&service.logons.refused);
        status.json(serde_json::json!({
            "error": error,
            // real services repeat in words what was asked: nobody may show this
            "error_description": format!("refused for {} with {}", form.client_id, form.client_secret),
            "error_codes": [number],
        }))
    };
    if form.grant_type != "client_credentials" {
        return refused(&mut HttpResponse::BadRequest(), "unsupported_grant_type", 70_003);
    }
    let account = number_of(&service, &form.client_id);
    let Some(account) = account.filter(|_| form.client_secret == service.options.password) else {
        return refused(&mut HttpResponse::Unauthorized(), "invalid_client", 7_000_215);
    };
    if !form.scope.ends_with("/.default") {
        return refused(&mut HttpResponse::BadRequest(), "invalid_scope", 70_011);
    }
    let life = service.options.token_life;
    let until = service.options.clock.now() + SignedDuration::try_from(life).unwrap_or(SignedDuration::ZERO);
    let given = service.logons.given.fetch_add(1, Ordering::Relaxed);
    let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let mut tokens = service.logons.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    if tokens.len() >= TOKENS_MAX {
        let oldest = tokens.iter().min_by_key(|(_, token)| token.given).map(|(name, _)| name.clone());
        oldest.map(|oldest| tokens.remove(&oldest));
    }
    tokens.insert(token.clone(), Token { account, until, given });
    HttpResponse::Ok().json(serde_json::json!({
        "token_type": "Bearer",
        "expires_in": life.as_secs(),
        "access_token": token,
    }))
}
