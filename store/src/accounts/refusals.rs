//! Services that refuse an account's name or password (B12), known to all instances: kept like back-offs, but for the
//! service that said so.

use std::time::Duration;

use calendar::ids::AccountId;

use super::{BACK_OFF_MAX, duration};
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

/// A service that refuses an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which account.
    pub account: AccountId,
    /// Which service: scheme, host and port.
    pub service: String,
    /// How much longer calls wait there.
    pub left: Duration,
    /// Refused logons in a row.
    pub failures: u32,
}

/// Most rows that are read: accounts × services, far more than there are.
const ROWS_MAX: i64 = 10_000;

impl Store {
    /// Records that services refuse accounts, and wakes whoever else uses them. A pause is only ever lengthened; rows
    /// that were over long ago are removed.
    ///
    /// # Errors
    /// Nothing was recorded, or this is unknown.
    pub async fn record_refusals(&self, refusals: &[Refusal]) -> Result<(), StoreError> {
        if refusals.is_empty() {
            return Ok(());
        }
        let operation = "record that services refuse accounts";
        let failed = StoreError::query(operation);
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(&failed)?;
        let accounts: Vec<i64> = refusals.iter().map(|one| one.account.get()).collect();
        let services: Vec<&str> = refusals.iter().map(|one| one.service.as_str()).collect();
        let left: Vec<f64> = refusals.iter().map(|one| one.left.min(BACK_OFF_MAX).as_secs_f64()).collect();
        let failures: Vec<i32> =
            refusals.iter().map(|one| i32::try_from(one.failures).unwrap_or(i32::MAX)).collect();
        tx.execute("delete from account_refusal where until < clock_timestamp() - interval '1 day'", &[])
            .await
            .map_err(&failed)?;
        tx.execute(
            "insert into account_refusal as b (account, service, until, failures) \
             select account, service, clock_timestamp() + make_interval(secs => secs), failures \
             from unnest($1::bigint[], $2::text[], $3::float8[], $4::int[]) \
             as n (account, service, secs, failures) order by account, service \
             on conflict (account, service) do update set until = excluded.until, failures = excluded.failures, \
             changed_at = now() where excluded.until > b.until",
            &[&accounts, &services, &left, &failures],
        )
        .await
        .map_err(&failed)?;
        wake::notify(&tx, Channel::Account).await?;
        tx.commit().await.map_err(&failed)
    }

    /// The services that refuse accounts now.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn refusals(&self) -> Result<Vec<Refusal>, StoreError> {
        let operation = "read which services refuse accounts";
        let failed = StoreError::query(operation);
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select account, service, extract(epoch from until - clock_timestamp())::float8, failures \
                 from account_refusal where until > clock_timestamp() order by account, service limit $1",
            )
            .await
            .map_err(&failed)?;
        let rows = client.query(&statement, &[&ROWS_MAX]).await.map_err(&failed)?;
        rows.iter()
            .map(|row| {
                let failures: i32 = row.try_get(3)?;
                Ok(Refusal {
                    account: AccountId::new(row.try_get(0)?),
                    service: row.try_get(1)?,
                    left: duration(row.try_get(2)?),
                    failures: u32::try_from(failures).unwrap_or_default(),
                })
            })
            .collect::<Result<_, _>>()
            .map_err(&failed)
    }
}
