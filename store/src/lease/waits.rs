//! What this process waits for in the database.

use deadpool_postgres::Object;

use super::LeaseBook;
use crate::StoreError;

/// By the name and the address of the connection that asks: those of this process alone.
const WAITS: &str = "select exists (
    select from pg_stat_activity me
    join pg_stat_activity other on other.datname = me.datname and other.application_name = me.application_name
         and other.client_addr is not distinct from me.client_addr
    where me.pid = pg_backend_pid() and other.wait_event_type = 'Lock')";

impl LeaseBook {
    /// Does any connection of this process wait for a lock that somebody else holds? Asked through the connection for
    /// renewals, which waits for nobody's work.
    ///
    /// # Errors
    /// It is not known.
    pub async fn waits_for_locks(&self) -> Result<bool, StoreError> {
        let operation = "ask what the connections wait for";
        let patience = self.inner.time_to_live / 4;
        let store = &self.inner.renewals;
        let client = tokio::time::timeout(patience, store.client(operation))
            .await
            .map_err(store.silent(operation))??;
        match tokio::time::timeout(patience, client.query_typed_one(WAITS, &[])).await {
            Ok(answer) => answer.and_then(|row| row.try_get(0)).map_err(StoreError::query(operation)),
            Err(elapsed) => {
                // the next renewal must not wait behind it
                drop(Object::take(client));
                Err(store.silent(operation)(elapsed))
            }
        }
    }
}
