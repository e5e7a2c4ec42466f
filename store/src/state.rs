//! Small facts of the installation, by name: when the resource list was last fetched, with which settings
//! the last full pull was made.

use crate::error::StoreError;
use crate::pool::Store;

/// Reads a fact.
pub async fn get(store: &Store, name: &str) -> Result<Option<String>, StoreError> {
    let operation = "read a fact of the installation";
    let client = store.client(operation).await?;
    let statement = client
        .prepare_cached("select value from store_state where name = $1")
        .await
        .map_err(StoreError::query(operation))?;
    let row = client.query_opt(&statement, &[&name]).await.map_err(StoreError::query(operation))?;
    Ok(row.map(|row| row.get(0)))
}

/// Writes a fact inside the caller's transaction.
pub async fn put(
    transaction: &tokio_postgres::Transaction<'_>,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    transaction
        .execute(
            "insert into store_state (name, value) values ($1, $2)
             on conflict (name) do update set value = excluded.value, changed_at = now()",
            &[&name, &value],
        )
        .await
        .map_err(StoreError::query("write a fact of the installation"))?;
    Ok(())
}

/// Writes the same value of several facts inside the caller's transaction.
pub(crate) async fn put_all(
    transaction: &tokio_postgres::Transaction<'_>,
    names: &[String],
    value: &str,
) -> Result<(), StoreError> {
    transaction
        .execute(
            "insert into store_state (name, value) select name, $2 from unnest($1::text[]) as n (name) order by name
             on conflict (name) do update set value = excluded.value, changed_at = now()",
            &[&names, &value],
        )
        .await
        .map(drop)
        .map_err(StoreError::query("write facts of the installation"))
}
