//! What a withheld run of a mailbox would delete, and which run took the place of one, for the operator who is to say so.

use calendar::{OriginId, Slot};
use jiff::Timestamp;

use crate::{Store, StoreError};

/// A key of a withheld run, with the times that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    /// The key, together with the run's mailbox.
    pub origin_id: OriginId,
    /// Its times.
    pub slot: Slot,
}

/// Most keys that are shown of one run.
const KEYS_MAX: i64 = 10_000;

impl Store {
    /// The keys of a withheld run that were neither seen again nor decided about since, and are not over, by
    /// their start.
    pub async fn withheld_run_keys(&self, run: i64, now: Timestamp) -> Result<Vec<RunKey>, StoreError> {
        let operation = "read what a run withheld";
        let client = self.client(operation).await?;
        let rows = client
            .query(
                "select w.origin_id, w.start_at, w.end_at from withheld_key w \
                 left join calendar_event e on e.mail = w.mail and e.origin_id = w.origin_id \
                 where w.run = $1 and w.end_at > $2 and coalesce(e.version, 0) = w.version \
                 order by w.start_at, w.origin_id limit $3",
                &[&run, &now, &KEYS_MAX],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let key = |row: &tokio_postgres::Row| -> Result<RunKey, tokio_postgres::Error> {
            Ok(RunKey {
                origin_id: OriginId::new(row.try_get::<_, String>(0)?),
                slot: Slot { start: row.try_get(1)?, end: row.try_get(2)? },
            })
        };
        rows.iter().map(key).collect::<Result<_, _>>().map_err(StoreError::query(operation))
    }

    /// The run that took the place of a withheld run of a mailbox; where that was replaced too, the last of them. `None` =
    /// it was not replaced, or its successor is not kept any more. A run begins at the instant at which it ends the one
    /// before it ([`crate::withheld::withhold`]).
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn withheld_run_successor(&self, run: i64) -> Result<Option<i64>, StoreError> {
        let line = "select id, mail, source, state, settled_at from withheld_run where id = $1 \
                    union \
                    select n.id, n.mail, n.source, n.state, n.settled_at from line l \
                    join withheld_run n on n.mail = l.mail and n.source = l.source and n.id > l.id \
                                       and n.withheld_at = l.settled_at \
                    where l.state = 'replaced'";
        self.last_of(line, run).await
    }

    /// The same of a run of the resource list, which is cancelled when another takes its place.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn withheld_list_successor(&self, run: i64) -> Result<Option<i64>, StoreError> {
        let line = "select id, state, settled_at from withheld_list where id = $1 \
                    union \
                    select n.id, n.state, n.settled_at from line l \
                    join withheld_list n on n.id > l.id and n.withheld_at = l.settled_at \
                    where l.state = 'cancelled'";
        self.last_of(line, run).await
    }

    /// The last of a line of runs of which each took the place of the one before; `line` is the SQL of it, from the run `$1`.
    async fn last_of(&self, line: &'static str, run: i64) -> Result<Option<i64>, StoreError> {
        let operation = "look for the run that took the place of another";
        let client = self.client(operation).await?;
        let query = format!("with recursive line as ({line}) select max(id) from line where id <> $1");
        let row = client.query_one(&query, &[&run]).await.map_err(StoreError::query(operation))?;
        row.try_get(0).map_err(StoreError::query(operation))
    }
}
