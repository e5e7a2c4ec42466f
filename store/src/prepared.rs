//! Statements of transactions that are made again and again: each connection parses them once, and PostgreSQL plans them
//! anew for as long as that is worth it.
//!
//! Their text must not contain values: each text is kept for as long as its connection lives.

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

/// As [`tokio_postgres::Transaction::execute`].
pub(crate) async fn execute(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, parameters).await
}

/// As [`tokio_postgres::Transaction::query`].
pub(crate) async fn query(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.query(&statement, parameters).await
}

/// As [`tokio_postgres::Transaction::query_one`].
pub(crate) async fn query_one(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Row, Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.query_one(&statement, parameters).await
}

/// As [`tokio_postgres::Transaction::query_opt`].
pub(crate) async fn query_opt(
    tx: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Option<Row>, Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.query_opt(&statement, parameters).await
}
