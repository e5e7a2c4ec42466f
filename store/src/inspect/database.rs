//! The database itself, for who asks whether the installation is ready.

use std::time::Duration;

use base::{Clock, SystemClock};
use tokio_postgres::Row;

use crate::{Store, StoreError, migrations};

/// So much of what an event said is told, in characters.
const WORDS_MAX: i32 = 300;

/// What the database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// Of PostgreSQL.
    pub version: String,
    /// As whom the service speaks to it.
    pub user: String,
    /// How long an answer takes, the connection included.
    pub answer: Duration,
    /// Migrations that were not applied.
    pub missing: Vec<String>,
    /// How many tables there are, that of the migrations not counted.
    pub tables: usize,
    /// Tables that the user may not read and write.
    pub forbidden: Vec<String>,
    /// Does the user own tables of the schema?
    pub owner: bool,
}

impl Store {
    /// What the database says of itself; needs no schema.
    pub async fn database_facts(&self) -> Result<DatabaseFacts, StoreError> {
        let operation = "look at the database";
        let began = SystemClock.monotonic();
        let client = self.client(operation).await?;
        let row = client
            .query_one("select current_setting('server_version'), current_user::text", &[])
            .await
            .map_err(StoreError::query(operation))?;
        let answer = SystemClock.monotonic().saturating_duration_since(began);
        let rows = client
            .query(
                "select c.relname::text, \
                        has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert') \
                        and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'), \
                        pg_get_userbyid(c.relowner) = current_user \
                 from pg_class c \
                 where c.relkind = 'r' and c.relnamespace = (select oid from pg_namespace where nspname = current_schema()) \
                   and c.relname <> 'refinery_schema_history' order by 1",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        drop(client);
        let missing = migrations::missing(self).await?;
        let read = || -> Result<DatabaseFacts, tokio_postgres::Error> {
            let mut forbidden = Vec::new();
            let mut owner = false;
            for row in &rows {
                if !row.try_get::<_, bool>(1)? {
                    forbidden.push(row.try_get(0)?);
                }
                owner |= row.try_get::<_, bool>(2)?;
            }
            Ok(DatabaseFacts {
                version: row.try_get(0)?,
                user: row.try_get(1)?,
                answer,
                missing,
                tables: rows.len(),
                forbidden,
                owner,
            })
        };
        read().map_err(StoreError::query(operation))
    }

    /// How many coded events were recorded in the last day.
    pub async fn events_of_last_day(&self) -> Result<u64, StoreError> {
        let operation = "count the events of the last day";
        let client = self.client(operation).await?;
        let day = "select count(*) from application_log where at > clock_timestamp() - interval '1 day'";
        client
            .query_one(day, &[])
            .await
            .and_then(|row: Row| super::work::count(&row, 0))
            .map_err(StoreError::query(operation))
    }

    /// Why the last event of each of these codes within the last day came about: its error, or its code and reason, in English as
    /// they were logged. Not its message, which says what the code means. A code without such an event, or cause, is left out.
    pub async fn last_causes(&self, codes: &[u16]) -> Result<Vec<(u16, String)>, StoreError> {
        let operation = "look what the last events of some codes said";
        if codes.is_empty() {
            return Ok(Vec::new());
        }
        let codes: Vec<i32> = codes.iter().copied().map(i32::from).collect();
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select event_id, left(cause, $2) from ( \
                     select distinct on (event_id) event_id, \
                            coalesce(fields->>'error', concat_ws(', ', fields->>'code', fields->>'reason')) as cause \
                     from application_log \
                     where at > clock_timestamp() - interval '1 day' and event_id = any ($1) \
                     order by event_id, at desc, id desc) as last \
                 where cause <> '' order by event_id",
                &[&codes, &WORDS_MAX],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let read = |row: &Row| -> Result<(u16, String), tokio_postgres::Error> {
            // it is one of those that were asked for
            Ok((u16::try_from(row.try_get::<_, i32>(0)?).unwrap_or_default(), row.try_get(1)?))
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }
}
