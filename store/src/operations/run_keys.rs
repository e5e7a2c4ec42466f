//! What a withheld run of a mailbox would delete, for the operator who is to say so.

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
}
