//! `kommuneklient credential test`: one logon with each account, and what to do where it fails.

use std::time::Duration;

use calendar::ids::AccountId;
use calendar::source::{CalendarSource, Mailbox, SourceErrorKind};
use calendar::{MailAddress, SourceError};
use connector_exchange::Account;
use serde::Serialize;
use store::Store;

use super::{TEST, failed, stored};
use crate::ServiceError;
use crate::accounts;
use crate::cli::CredentialTest;
use crate::config::Config;
use crate::wiring;

/// What became of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Logon {
    /// Its number; 0 = the account of the configuration.
    number: i64,
    /// Its name.
    user: String,
    /// Did everything work?
    pub(crate) ok: bool,
    /// What was found.
    result: String,
    /// What to do, where something is to be done.
    next: Option<String>,
}

impl Logon {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let next = self.next.iter().map(|next| format!("\n  next: {next}")).collect::<String>();
        format!("{} {}: {}{next}", if self.ok { "ok    " } else { "FAILED" }, self.user, self.result)
    }
}

/// Tries each account that is meant, one after the other.
pub(crate) async fn test(
    store: &Store,
    config: &Config,
    arguments: &CredentialTest,
) -> Result<Vec<Logon>, ServiceError> {
    let default = config.default_account();
    let opened = accounts::load(store, config.secrets.ring(), default.as_ref()).await;
    let opened = opened.map_err(stored("load the service accounts"))?;
    let meant = |user: &str| {
        arguments.user.as_ref().is_none_or(|wanted| wanted.trim().to_lowercase() == user.to_lowercase())
    };
    let mailbox = mailbox(store, arguments.mailbox.as_deref()).await?;
    let mut logons = Vec::new();
    for one in opened.unusable.iter().filter(|one| meant(&one.user)) {
        logons.push(Logon {
            number: one.id.get(),
            user: one.user.clone(),
            ok: false,
            result: "its password cannot be opened".to_owned(),
            next: Some(one.error.to_string()),
        });
    }
    for account in opened.accounts.iter().filter(|one| meant(&one.user)) {
        logons.push(log_on(config, account, mailbox.clone(), arguments.patience()).await?);
    }
    if logons.is_empty() {
        let which = arguments.user.as_deref().unwrap_or("at all");
        return Err(failed(
            TEST,
            format!("there is no service account {which}; add it: kommuneklient credential add USER"),
        ));
    }
    Ok(logons)
}

/// The mailbox to look at: the one that was named, else the first that is in use.
async fn mailbox(store: &Store, named: Option<&str>) -> Result<Option<MailAddress>, ServiceError> {
    if let Some(named) = named {
        return MailAddress::parse(named).map(Some).map_err(|error| failed(TEST, error));
    }
    let resources = store.active_resources().await.map_err(stored("load the resources"))?;
    Ok(resources.into_iter().map(|resource| resource.mail).min())
}

async fn log_on(
    config: &Config,
    account: &Account,
    mailbox: Option<MailAddress>,
    patience: Duration,
) -> Result<Logon, ServiceError> {
    let wired = |source| ServiceError::Wiring { what: "Exchange", source: Box::new(source) };
    // without any mailbox in use, the account's own will do where its name is an address
    let Some(mailbox) = mailbox.or_else(|| MailAddress::parse(&account.user).ok()) else {
        return Err(failed(TEST, "no mailbox is in use yet; name one: --mailbox ADDRESS"));
    };
    let exchange = wiring::exchange(config, &base::SystemClock::shared())?;
    exchange.set_accounts(std::slice::from_ref(account)).map_err(wired)?;
    let steps = tokio::time::timeout(patience, steps(&exchange, account.id, &mailbox)).await;
    let (ok, result, next) = match steps {
        Ok(Ok(())) => (true, format!("logged on, the calendar of {mailbox} can be read"), None),
        Ok(Err(error)) => {
            (false, format!("{error} ({})", error.text), Some(advice(error.kind, &account.user, &mailbox)))
        }
        Err(_elapsed) => (
            false,
            format!("no answer within {} s", patience.as_secs()),
            Some(advice(SourceErrorKind::Unavailable, &account.user, &mailbox)),
        ),
    };
    Ok(Logon { number: account.id.get(), user: account.user.clone(), ok, result, next })
}

/// Locates the mailbox, then looks at its calendar folder.
async fn steps(
    exchange: &impl CalendarSource,
    account: AccountId,
    mailbox: &MailAddress,
) -> Result<(), SourceError> {
    let located = exchange.locate(std::slice::from_ref(mailbox)).await;
    let location = match located.into_iter().next() {
        Some(located) => located?,
        None => return Ok(()),
    };
    let mailbox = Mailbox { address: mailbox.clone(), endpoint: location.endpoint, account: Some(account) };
    exchange.check(&mailbox).await.map(|_folder| ())
}

/// The next step after a failure of this kind.
fn advice(kind: SourceErrorKind, user: &str, mailbox: &MailAddress) -> String {
    use SourceErrorKind as K;
    match kind {
        K::Credentials => format!(
            "name or password are refused, or the account may not use EWS: check it in the directory (locked? expired?), then enter the password again: kommuneklient credential add {user} --replace"
        ),
        K::Mailbox => format!(
            "the logon worked, but the calendar of {mailbox} cannot be read: check the role ApplicationImpersonation (use_impersonation = true) or the rights on its calendar (false), or try another mailbox: --mailbox ADDRESS"
        ),
        K::Unavailable | K::Rediscover => {
            "Exchange does not answer, or is busy: check exchange.service_url or exchange.autodiscover_url, the network and the certificates; then try again".to_owned()
        }
        _ => "this is no answer that was expected: check that exchange.service_url or exchange.autodiscover_url is that of an Exchange".to_owned(),
    }
}

#[cfg(test)]
mod tests;
