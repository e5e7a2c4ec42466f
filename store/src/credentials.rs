//! Names and sealed passwords of the service accounts (B12; the original's ServiceUserCredential, which kept them
//! in clear text).
//!
//! Protocol: the number of a new row is drawn first ([`Store::next_credential`]), because a password is sealed for
//! its row ([`password_place`]); then the row is added. Bytes go in and out sealed, always as bind values; nothing
//! here can open them. A change wakes [`Channel::Account`], so that it takes effect without a restart. Sealing
//! anew is a compare-and-set on the former bytes ([`Store::reseal_password`]): it never undoes a password that
//! was changed meanwhile.
//!
//! Failure: every function is one transaction; broken off, nothing has changed (a number that was drawn is lost).

use calendar::ids::AccountId;
use jiff::Timestamp;
use trust::seal::{KeyId, Place, Sealed};

use crate::accounts;
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// Where the password of an account is kept: what it is sealed for.
pub const fn password_place(account: AccountId) -> Place {
    Place { table: "service_user_credential", row: account.get(), field: "sealed_password" }
}

/// A service account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Its number.
    pub account: AccountId,
    /// Its name towards Exchange.
    pub user_name: String,
    /// Its password; `None` = none was ever entered, the account cannot be used.
    pub password: Option<Sealed>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the password was entered, where that is known.
    pub password_changed_at: Option<Timestamp>,
}

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// There is no such account.
    Unknown,
    /// It carries this many groups and was left as it is.
    Carries(u64),
    /// It is gone; so are the groups that it carried, whose mailboxes find other places.
    Removed {
        /// How many those were.
        groups: u64,
    },
}

impl Store {
    /// All service accounts, by number.
    pub async fn credentials(&self) -> Result<Vec<StoredCredential>, StoreError> {
        let operation = "load the service accounts";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select id, user_name, sealed_password, key_id, created_at, password_changed_at \
                 from service_user_credential order by id",
            )
            .await
            .map_err(&failed)?;
        let rows = client.query(&statement, &[]).await.map_err(&failed)?;
        rows.iter().map(credential).collect::<Result<_, _>>().map_err(&failed)
    }

    /// Draws the number of an account that is to be added.
    pub async fn next_credential(&self) -> Result<AccountId, StoreError> {
        let operation = "draw the number of a service account";
        let client = self.client(operation).await?;
        let row = client
            .query_one("select nextval(pg_get_serial_sequence('service_user_credential', 'id'))", &[])
            .await
            .map_err(StoreError::query(operation))?;
        Ok(AccountId::new(row.try_get(0).map_err(StoreError::query(operation))?))
    }

    /// Adds an account under the number that was drawn for it. `false`: there is one of this name (in whatever
    /// case, as directories have it), and nothing was changed.
    pub async fn add_credential(
        &self,
        account: AccountId,
        user_name: &str,
        password: &Sealed,
    ) -> Result<bool, StoreError> {
        let operation = "add a service account";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        // two that are added at once, in different case, must not both find nobody
        tx.execute("lock table service_user_credential in share row exclusive mode", &[])
            .await
            .map_err(&failed)?;
        let added = tx
            .execute(
                "insert into service_user_credential \
                 (id, user_name, sealed_password, key_id, password_changed_at) overriding system value \
                 select $1, $2, $3, $4, now() where not exists \
                 (select from service_user_credential where lower(user_name) = lower($2))",
                &[&account.get(), &user_name, &password.bytes, &password.key_id.as_str()],
            )
            .await
            .map_err(&failed)?;
        if added == 0 {
            return Ok(false);
        }
        wake::notify(&tx, Channel::Account).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(true)
    }

    /// Replaces the password of an account and ends its back-off, which a refused former password may have begun.
    /// `false`: there is no such account any more.
    pub async fn change_password(&self, account: AccountId, password: &Sealed) -> Result<bool, StoreError> {
        let operation = "change the password of a service account";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        let changed = tx
            .execute(
                "update service_user_credential \
                 set sealed_password = $2, key_id = $3, password_changed_at = now() where id = $1",
                &[&account.get(), &password.bytes, &password.key_id.as_str()],
            )
            .await
            .map_err(&failed)?;
        if changed == 0 {
            return Ok(false);
        }
        accounts::forget_back_off(&tx, account).await.map_err(&failed)?;
        wake::notify(&tx, Channel::Account).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(true)
    }

    /// Stores the same password sealed anew. `false`: what is stored is no longer `before`.
    pub async fn reseal_password(
        &self,
        account: AccountId,
        before: &Sealed,
        after: &Sealed,
    ) -> Result<bool, StoreError> {
        let operation = "store a password that was sealed anew";
        let client = self.client(operation).await?;
        let changed = client
            .execute(
                "update service_user_credential set sealed_password = $4, key_id = $5 \
                 where id = $1 and sealed_password = $2 and key_id = $3",
                &[
                    &account.get(),
                    &before.bytes,
                    &before.key_id.as_str(),
                    &after.bytes,
                    &after.key_id.as_str(),
                ],
            )
            .await
            .map_err(StoreError::query(operation))?;
        Ok(changed == 1)
    }

    /// Removes an account by its name. One that carries groups is removed only by `force`; its groups end, and
    /// their mailboxes find other places in the listener's next round.
    pub async fn remove_credential(&self, user_name: &str, force: bool) -> Result<Removal, StoreError> {
        let operation = "remove a service account";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        // the lock keeps the listener from giving it further groups meanwhile
        let row = tx
            .query_opt(
                "select id from service_user_credential where lower(user_name) = lower($1) for update",
                &[&user_name],
            )
            .await
            .map_err(&failed)?;
        let Some(row) = row else { return Ok(Removal::Unknown) };
        let account = AccountId::new(row.try_get(0).map_err(&failed)?);
        let row = tx
            .query_one(
                "select count(*) from subscription where service_user_credential_id = $1",
                &[&account.get()],
            )
            .await
            .map_err(&failed)?;
        let carried: i64 = row.try_get(0).map_err(&failed)?;
        if carried > 0 && !force {
            return Ok(Removal::Carries(carried.unsigned_abs()));
        }
        let groups = accounts::release_groups(&tx, account).await?;
        tx.execute("delete from service_user_credential where id = $1", &[&account.get()])
            .await
            .map_err(&failed)?;
        wake::notify(&tx, Channel::Account).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(Removal::Removed { groups })
    }
}

fn credential(row: &tokio_postgres::Row) -> Result<StoredCredential, tokio_postgres::Error> {
    let bytes: Option<Vec<u8>> = row.try_get(2)?;
    let key_id: Option<String> = row.try_get(3)?;
    Ok(StoredCredential {
        account: AccountId::new(row.try_get(0)?),
        user_name: row.try_get(1)?,
        // without an id no key is found for it, which says which row is wrong
        password: bytes.map(|bytes| Sealed { key_id: KeyId::stored(key_id.unwrap_or_default()), bytes }),
        created_at: row.try_get(4)?,
        password_changed_at: row.try_get(5)?,
    })
}
