//! The rights of the role that runs the service on a schema that another role owns.
//!
//! Protocol: the owner migrates, the service runs as [`RUNTIME_ROLE`] (or a member of it) with `database.migrate =
//! false`. Where that role exists, migrating gives it what it lacks, under the lock of the migrations and each time, so
//! it does not matter whether the role or the schema was there first; where it does not exist nothing happens. It may
//! read and write rows and use sequences; it may change no table, make none, empty none at once, and only read
//! what was migrated. Whoever runs the service without a right is told which ([`lacking`]), as it is told of a migration.
//!
//! Failure: who migrates and may not grant (it owns only a part of the tables) gets the database's error.

use tokio_postgres::GenericClient;

use crate::error::StoreError;
use crate::pool::Store;

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// The role that gets the rights of the service whenever the schema is migrated.
pub const RUNTIME_ROLE: &str = "kommuneklient_runtime";

/// What the role $1 lacks in the schema of the connection: a name for people, and the statement that gives it. History
/// is read only. A right that the role has by another way (as a member, as the owner) is not lacking.
const LACKING: &str = "
    select 'the schema ' || nspname, format('grant usage on schema %I to %I', nspname, $1::name)
      from pg_namespace
     where nspname = current_schema() and not has_schema_privilege($1::name, oid, 'usage')
    union all
    select relname::text,
           case when relkind = 'S' then format('grant usage on sequence %I.%I to %I', nspname, relname, $1::name)
                when relname = 'refinery_schema_history'
                then format('grant select on table %I.%I to %I', nspname, relname, $1::name)
                else format('grant select, insert, update, delete on table %I.%I to %I', nspname, relname, $1::name) end
      from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where nspname = current_schema() and relkind in ('r', 'p', 'S')
       and case when relkind = 'S' then not has_sequence_privilege($1::name, pg_class.oid, 'usage')
                else not (has_table_privilege($1::name, pg_class.oid, 'select')
                          and (relname = 'refinery_schema_history'
                               or has_table_privilege($1::name, pg_class.oid, 'insert')
                                  and has_table_privilege($1::name, pg_class.oid, 'update')
                                  and has_table_privilege($1::name, pg_class.oid, 'delete'))) end
     order by 1";
/// Names that are told of what is lacking.
const TOLD: usize = 5;

/// Is there a role of this name?
///
/// # Errors
/// The database is away.
pub async fn exists(store: &Store, role: &str) -> Result<bool, StoreError> {
    let operation = "look for the role of the service";
    there(&**store.client(operation).await?, role).await.map_err(StoreError::query(operation))
}

async fn there(client: &impl GenericClient, role: &str) -> Result<bool, tokio_postgres::Error> {
    client.query_one("select exists (select from pg_roles where rolname = $1)", &[&role]).await?.try_get(0)
}

/// Gives `role` the rights of the service that it lacks, where there is such a role.
pub(crate) async fn grant(client: &impl GenericClient, role: &str) -> Result<(), tokio_postgres::Error> {
    if !there(client, role).await? {
        return Ok(());
    }
    for row in client.query(LACKING, &[&role]).await? {
        client.batch_execute(row.try_get(1)?).await?;
    }
    Ok(())
}

/// The rights of the service that the role of this connection lacks, in words; nothing = it can run the service. For a
/// schema that is up to date.
///
/// # Errors
/// The database is away.
pub async fn lacking(store: &Store) -> Result<Option<String>, StoreError> {
    let operation = "look for missing rights";
    let failed = StoreError::query(operation);
    let client = store.client(operation).await?;
    let role = client.query_one("select current_user::text", &[]).await.map_err(&failed)?;
    let role: String = role.try_get(0).map_err(&failed)?;
    let rows = client.query(LACKING, &[&role]).await.map_err(&failed)?;
    let mut names: Vec<String> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(&failed)?;
    if names.is_empty() {
        return Ok(None);
    }
    let more = names.len().saturating_sub(TOLD);
    names.truncate(TOLD);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Ok(Some(format!("rights of {role} on {}{more}", names.join(", "))))
}
