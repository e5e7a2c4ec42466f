//! The service accounts towards Exchange as they are used: the rows of `service_user_credential` with their
//! passwords opened, or, where the table is empty, the account of the configuration (B12).
//!
//! Protocol: [`load`] reads and opens at start; whoever keeps the accounts calls it again when
//! [`Channel::Account`](store::wake::Channel) wakes and at an interval, so that `kommuneklient credential add`
//! takes effect without a restart.
//!
//! Failure: a row that cannot be opened is left out and told ([`Unusable`], event 9602): the other accounts go on.
//! Where rows exist and not one opens, a start is refused ([`Opened::refuse_if_none_opens`]): no key is configured,
//! or a wrong one.

use calendar::codes;
use calendar::ids::AccountId;
use connector_exchange::Account;
use secrecy::SecretString;
use store::credentials::{StoredCredential, password_place};
use store::{Store, StoreError};
use trust::TrustError;
use trust::seal::KeyRing;

use crate::config::RequiredExchange;

/// Why a stored account cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// No key is configured.
    #[error(
        "its password is sealed under the key {key_id}, and no key is configured; set secrets.key_file to the file with that key"
    )]
    NoKey {
        /// The key that it needs.
        key_id: String,
    },
    /// It was never given a password.
    #[error("it has no password; enter one: kommuneklient credential add {user} --replace")]
    NoPassword {
        /// Its name.
        user: String,
    },
    /// Its name cannot be sent.
    #[error(
        "its name is empty or holds a colon, at which basic authentication ends a name; remove it and add another"
    )]
    Name,
    /// It does not open.
    #[error(transparent)]
    Seal(#[from] Box<TrustError>),
}

/// A stored account that cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub user: String,
    /// Why.
    pub error: AccountError,
}

/// All accounts.
#[derive(Debug, Default)]
pub struct Opened {
    /// Those that can be used, by number. Empty and nothing unusable: there is none at all (4933).
    pub accounts: Vec<Account>,
    /// Those that cannot.
    pub unusable: Vec<Unusable>,
}

impl Opened {
    /// Refuses accounts of which not one can be used: the first, with its remedy.
    ///
    /// # Errors
    /// That account.
    pub fn refuse_if_none_opens(mut self) -> Result<Self, Unusable> {
        if self.accounts.is_empty() && !self.unusable.is_empty() {
            return Err(self.unusable.swap_remove(0));
        }
        Ok(self)
    }
}

impl Unusable {
    /// Raises event 9602.
    pub fn report(&self) {
        tracing::error!(
            event_id = codes::CREDENTIAL_UNUSABLE.id,
            account = self.id.get(),
            user = self.user,
            error = %telemetry::chain(&self.error),
            "the password of a service account cannot be opened, the account is not used"
        );
    }
}

/// Reads and opens the accounts. `default` is that of the configuration, which counts while the table is empty.
pub async fn load(
    store: &Store,
    ring: Option<&KeyRing>,
    default: Option<&RequiredExchange>,
) -> Result<Opened, StoreError> {
    Ok(open(store.credentials().await?, ring, default))
}

/// The accounts of these rows.
fn open(rows: Vec<StoredCredential>, ring: Option<&KeyRing>, default: Option<&RequiredExchange>) -> Opened {
    let mut opened = Opened::default();
    if rows.is_empty() {
        opened
            .accounts
            .extend(default.map(|one| Account::configured(one.user.clone(), one.password.clone())));
    }
    for row in rows {
        match password(&row, ring) {
            Ok(password) => opened.accounts.push(Account { id: row.account, user: row.user_name, password }),
            Err(error) => opened.unusable.push(Unusable { id: row.account, user: row.user_name, error }),
        }
    }
    opened
}

/// The password of one row.
pub(crate) fn password(row: &StoredCredential, ring: Option<&KeyRing>) -> Result<SecretString, AccountError> {
    if row.user_name.is_empty() || row.user_name.contains(':') {
        return Err(AccountError::Name);
    }
    let no_password = || AccountError::NoPassword { user: row.user_name.clone() };
    let sealed = row.password.as_ref().ok_or_else(no_password)?;
    let ring = ring.ok_or_else(|| AccountError::NoKey { key_id: sealed.key_id.to_string() })?;
    Ok(ring.open(password_place(row.account), sealed).map_err(Box::new)?)
}

#[cfg(test)]
mod tests;
