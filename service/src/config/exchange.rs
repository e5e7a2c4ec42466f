//! `[exchange]`

use std::path::PathBuf;

use connector_exchange::config::is_loopback;
use connector_exchange::{Authentication, OAuth};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use trust::ClientTls;
use url::Url;

use super::{HumanDuration, Problems, Section, address, minutes, original, roots, secret};

/// The Exchange that appointments come from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeConfig {
    /// The EWS address for all mailboxes. Needed where `autodiscover_url` is absent.
    #[serde(deserialize_with = "address::optional")]
    pub service_url: Option<Url>,
    /// The Autodiscover address; goes before `service_url`. SOAP first, plain XML where that is not there.
    #[serde(deserialize_with = "address::optional")]
    pub autodiscover_url: Option<Url>,
    /// How long a mailbox or service that Autodiscover failed for is not asked for again (B12).
    pub autodiscover_failure_memory: HumanDuration,
    /// The service account that counts while the database holds none.
    pub user: Option<String>,
    /// Its password.
    #[serde(deserialize_with = "secret::optional", serialize_with = "secret::hidden")]
    pub password: Option<SecretString>,
    /// A file that holds the password instead.
    pub password_file: Option<PathBuf>,
    /// How service accounts log on: one of [`AUTHENTICATIONS`].
    pub authentication: String,
    /// The token service, with `oauth`.
    #[serde(deserialize_with = "address::optional")]
    pub oauth_token_url: Option<Url>,
    /// What is asked of it.
    pub oauth_scope: String,
    /// Log on with the identity of the process, as on Windows. Only `false` is possible here.
    pub use_default_credentials: bool,
    /// Find the Autodiscover address in Active Directory. Only `false` is possible here.
    pub enable_scp_lookup: bool,
    /// Whether calls to Exchange are logged: `None`, or any of [`TRACE_FLAGS`]. Never with what they hold (B6).
    pub ews_trace_flags: Vec<String>,
    /// Act as the owner of each mailbox (`true`), or with rights on its calendar folder (B12).
    pub use_impersonation: bool,
    /// A PEM file with certificate authorities that are trusted besides the system's.
    pub root_certificates: Option<PathBuf>,
    /// Take any certificate of a server on this machine: for the demo.
    pub danger_accept_invalid_certificates: bool,
    /// The longest time of one ordinary call.
    pub request_timeout: HumanDuration,
    /// Minutes (1-30) after which the server ends a stream as planned; written as a number of them or as a duration.
    #[serde(deserialize_with = "minutes::whole")]
    pub exchange_connection_timeout: u8,
    /// Ordinary calls at one time; streams do not count.
    pub simultaneous_calls: usize,
    /// The schema version that requests ask for.
    pub server_version: String,
}

/// The service account of the configuration.
#[derive(Debug, Clone)]
pub struct RequiredExchange {
    /// The service account.
    pub user: String,
    /// Its password.
    pub password: SecretString,
}

/// The ways to log on.
const AUTHENTICATIONS: &[&str] = &["basic", "ntlm", "oauth"];

/// The versions that know streaming notifications.
const SERVER_VERSIONS: &[&str] =
    &["Exchange2010_SP1", "Exchange2010_SP2", "Exchange2013", "Exchange2013_SP1", "Exchange2016"];

/// What the original's library can log.
const TRACE_FLAGS: &[&str] = &[
    "None",
    "EwsRequest",
    "EwsResponse",
    "EwsRequestHttpHeaders",
    "EwsResponseHttpHeaders",
    "AutodiscoverRequest",
    "AutodiscoverResponse",
    "AutodiscoverRequestHttpHeaders",
    "AutodiscoverResponseHttpHeaders",
    "AutodiscoverConfiguration",
    "EwsTimeZones",
    "DebugMessage",
    "All",
];

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            service_url: None,
            autodiscover_url: None,
            autodiscover_failure_memory: HumanDuration::seconds(120),
            user: None,
            password: None,
            password_file: None,
            authentication: "basic".to_owned(),
            oauth_token_url: None,
            oauth_scope: "https://outlook.office365.com/.default".to_owned(),
            use_default_credentials: false,
            enable_scp_lookup: false,
            ews_trace_flags: vec!["None".to_owned()],
            use_impersonation: true,
            root_certificates: None,
            danger_accept_invalid_certificates: false,
            request_timeout: HumanDuration::seconds(60),
            exchange_connection_timeout: 2,
            simultaneous_calls: 10,
            server_version: "Exchange2013_SP1".to_owned(),
        }
    }
}

impl ExchangeConfig {
    /// Whom the connection trusts.
    pub fn tls(&self) -> ClientTls {
        let urls = [self.service_url.as_ref(), self.autodiscover_url.as_ref(), self.oauth_token_url.as_ref()];
        ClientTls { roots: roots(&urls, self.root_certificates.as_deref()) }
    }

    /// How service accounts log on. The values have been checked.
    pub fn authentication(&self) -> Authentication {
        match (self.authentication.as_str(), &self.oauth_token_url) {
            ("ntlm", _) => Authentication::Ntlm,
            ("oauth", Some(token_url)) => {
                Authentication::OAuth(OAuth { token_url: token_url.clone(), scope: self.oauth_scope.clone() })
            }
            _ => Authentication::Basic,
        }
    }

    /// Shall calls to Exchange be logged?
    pub fn traces_calls(&self) -> bool {
        self.ews_trace_flags.iter().any(|flag| flag != "None")
    }

    /// The account of the configuration, if there is one, or `None` after a problem. Accounts of the database
    /// need no other, and there can only be some where `has_key`.
    pub(super) fn required(
        &self,
        has_key: bool,
        problems: &mut Problems,
    ) -> Option<Option<RequiredExchange>> {
        let before = problems.iter().count();
        if self.service_url.is_none() && self.autodiscover_url.is_none() {
            problems.add(
                "exchange.service_url",
                "is missing, and so is exchange.autodiscover_url; write one of them, like \
                 service_url = \"https://mail.example.dk/EWS/Exchange.asmx\"",
            );
        }
        if has_key && self.user.is_none() && self.password.is_none() {
            return (problems.iter().count() == before).then_some(None);
        }
        if self.user.is_none() {
            problems.add(
                "exchange.user",
                "is missing; write the service account, like user = \"svc@example.dk\", or give secrets.key_file \
                 and keep accounts in the database (kommuneklient credential add)",
            );
        }
        if self.password.is_none() {
            problems.missing(
                "exchange.password",
                "is missing; write password_file = \"/path/to/file\" (or password = \"…\")",
            );
        }
        let (Some(user), Some(password)) = (self.user.clone(), self.password.clone()) else { return None };
        (problems.iter().count() == before).then_some(Some(RequiredExchange { user, password }))
    }
}

impl ExchangeConfig {
    fn check_login(&self, check: &mut Problems) {
        if !AUTHENTICATIONS.contains(&self.authentication.as_str()) {
            check.add("authentication", format!("must be one of {}", AUTHENTICATIONS.join(", ")));
        }
        check.web_address("oauth_token_url", self.oauth_token_url.as_ref());
        check.not_empty("oauth_scope", &self.oauth_scope);
        match &self.oauth_token_url {
            None if self.authentication == "oauth" => check.add(
                "oauth_token_url",
                "is missing, and exchange.authentication is oauth; write it like \
                 \"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token\"",
            ),
            Some(url) if url.scheme() != "https" && !is_loopback(url) => {
                check
                    .add("oauth_token_url", "must begin with https://: the secret of the account goes there");
            }
            _ => {}
        }
        let elsewhere = [&self.service_url, &self.autodiscover_url, &self.oauth_token_url];
        if self.danger_accept_invalid_certificates
            && elsewhere.into_iter().flatten().any(|url| !is_loopback(url))
        {
            check.add(
                "danger_accept_invalid_certificates",
                "must be false: it is for a demo whose servers are all on this machine; give the authority of \
                 Exchange in exchange.root_certificates",
            );
        }
    }
}

impl Section for ExchangeConfig {
    const NAME: &'static str = "exchange";

    fn read_secrets(&mut self, problems: &mut Problems) {
        secret::from_file("password", &mut self.password, self.password_file.as_deref(), problems);
    }

    fn check(&self, check: &mut Problems) {
        check.web_address("service_url", self.service_url.as_ref());
        check.web_address("autodiscover_url", self.autodiscover_url.as_ref());
        if let Some(user) = &self.user {
            check.not_empty("user", user);
            // Basic authentication ends the user's name at the first colon.
            if user.contains(':') {
                check.add("user", "must not hold a colon");
            }
        }
        if self.password.as_ref().is_some_and(|password| password.expose_secret().is_empty()) {
            check.add("password", "must not be empty");
        }
        let (second, hour) = (HumanDuration::seconds(1), HumanDuration::minutes(60));
        check.range("autodiscover_failure_memory", self.autodiscover_failure_memory, second..=hour);
        check.range("request_timeout", self.request_timeout, second..=hour);
        check.range("exchange_connection_timeout", self.exchange_connection_timeout, 1..=30);
        check.range("simultaneous_calls", self.simultaneous_calls, 1..=100);
        self.check_login(check);
        if self.use_default_credentials {
            check.add("use_default_credentials", format!("must be false: {}", original::WINDOWS));
        }
        if self.enable_scp_lookup {
            check.add("enable_scp_lookup", format!("must be false: {}", original::DIRECTORY));
        }
        for (index, flag) in self.ews_trace_flags.iter().enumerate() {
            if !TRACE_FLAGS.contains(&flag.as_str()) {
                let reason = format!("must be one of {}, not {flag:?}", TRACE_FLAGS.join(", "));
                check.add(&format!("ews_trace_flags[{index}]"), reason);
            }
        }
        if !SERVER_VERSIONS.contains(&self.server_version.as_str()) {
            check.add("server_version", format!("must be one of {}", SERVER_VERSIONS.join(", ")));
        }
    }
}
