//! The audit in the product's database: triggers that note which lease a writing transaction holds, and who took which
//! lease when.
//!
//! A transaction that checked its fence has locked the lease row; PostgreSQL keeps the locker in the row's `xmax` (alone,
//! or as a member of a multixact), where the trigger, which runs in the same transaction, finds it. So what is noted
//! cannot be said by the product, and a fence that was left out shows at the first write. Who writes is told by the
//! connection's `application_name`, `kommuneklient/PID`; connections of operators' commands have other names and are
//! not judged.
//!
//! Failure: the database may go away at any moment; reading is tried again. Trouble inside a trigger is a row of
//! `torture.trouble`, and makes the observer say that it is blind.

use std::collections::HashMap;

use jiff::Timestamp;
use store::{Store, StoreError};

use crate::torture::invariants::calls::{Early, Freed, Permit};
use crate::torture::invariants::fence::{AuditedWrite, Held};
use crate::torture::invariants::lives::Lives;
use crate::torture::invariants::take_over::Change;

const AUDIT: &str = include_str!("audit.sql");

/// Everything that the audit noted.
#[derive(Debug, Clone, Default)]
pub struct Audited {
    /// Protected writes.
    pub writes: Vec<AuditedWrite>,
    /// Leases that changed hands, in order.
    pub changes: Vec<Change>,
    /// Permits by correlation id.
    pub permits: HashMap<String, Permit>,
    /// Calls that were given up before their deadline.
    pub early: Vec<Early>,
    /// Calls whose keys were free again before their deadline, each once.
    pub freed: Vec<Freed>,
    /// Trouble of the audit itself.
    pub trouble: Vec<String>,
}

/// What waits in the product's database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Notifications that are neither handled nor set aside.
    pub notifications: i64,
    /// Keys with something to send.
    pub keys: i64,
    /// Keys in flight.
    pub in_flight: i64,
    /// Keys that Planner refused or that were set aside: a comparison takes them up again.
    pub stopped: i64,
}

/// Installs the audit; the schema must be there. One that is there already is replaced, and what it noted is gone.
///
/// # Errors
/// The database is away, or has no schema.
pub async fn install(store: &Store) -> Result<(), StoreError> {
    let client = store.client("install the audit").await?;
    client.batch_execute(AUDIT).await.map_err(StoreError::query("install the audit"))
}

/// Reads what was noted.
///
/// # Errors
/// The database is away.
pub async fn read(store: &Store) -> Result<Audited, StoreError> {
    let operation = "read the audit";
    let client = store.client(operation).await?;
    let mut audited = Audited::default();
    let rows = client
        .query("select at, key, owner, token from torture.lease_history order by id", &[])
        .await
        .map_err(StoreError::query(operation))?;
    for row in rows {
        audited.changes.push(Change {
            at: row.get(0),
            key: row.get(1),
            owner: row.get(2),
            token: row.get(3),
        });
    }
    let rows = client
        .query(
            "select at, what, writer, key, owner, token, named_token from torture.written order by id",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    for row in rows {
        let key: Option<String> = row.get(3);
        let held = key.map(|key| Held { key, owner: row.get(4), token: row.get(5) });
        audited.writes.push(AuditedWrite {
            at: row.get(0),
            what: row.get(1),
            writer: row.get(2),
            lease: held,
            named_token: row.get(6),
        });
    }
    let rows = client
        .query("select at, call_id, until from torture.early order by id", &[])
        .await
        .map_err(StoreError::query(operation))?;
    let early = rows.iter().map(|row| Early { at: row.get(0), call_id: row.get(1), until: row.get(2) });
    audited.early = early.collect();
    let rows = client
        .query(
            "select distinct on (call_id) at, call_id, until, writer from torture.freed order by call_id, id",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    let freed = rows.iter().map(|row| Freed {
        at: row.get(0),
        call_id: row.get(1),
        until: row.get(2),
        pid: Lives::pid_of_writer(row.get(3)),
    });
    audited.freed = freed.collect();
    let rows = client
        .query("select text from torture.trouble order by id limit 20", &[])
        .await
        .map_err(StoreError::query(operation))?;
    audited.trouble = rows.iter().map(|row| row.get(0)).collect();
    let rows = client
        .query(
            "select c.call_id::text, c.started_at, \
                    (select h.owner from torture.lease_history h \
                     where h.key = c.lease_key and h.token = c.lease_token and h.owner <> '' \
                     order by h.id limit 1) \
             from service_call_reference_log c",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    for row in rows {
        let owner: Option<String> = row.get(2);
        let at: Timestamp = row.get(1);
        let permit = Permit { at, pid: owner.as_deref().and_then(Lives::pid_of_owner) };
        audited.permits.insert(row.get(0), permit);
    }
    Ok(audited)
}

/// Looks what waits.
///
/// # Errors
/// The database is away.
pub async fn waiting(store: &Store) -> Result<Waiting, StoreError> {
    let operation = "look what waits";
    let client = store.client(operation).await?;
    let row = client
        .query_one(
            "select (select count(*) from notification where set_aside_at is null), \
                    (select count(*) from calendar_event where pending), \
                    (select count(*) from key_in_flight), \
                    (select count(*) from calendar_event \
                     where version > 0 and (refused_version = version or set_aside_version = version))",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    Ok(Waiting { notifications: row.get(0), keys: row.get(1), in_flight: row.get(2), stopped: row.get(3) })
}

/// How often the lease of an affinity group was taken without having been handed back: its owner had died, or had lost it.
///
/// # Errors
/// The database is away.
pub async fn groups_lost(store: &Store) -> Result<u64, StoreError> {
    let operation = "look whose leases were lost";
    let client = store.client(operation).await?;
    let row = client
        .query_one(
            "select count(*) from (select owner, lag(owner) over (partition by key order by id) as before \
                                   from torture.lease_history where key like 'affinity-group/%') h \
             where owner <> '' and before <> ''",
            &[],
        )
        .await
        .map_err(StoreError::query(operation))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}

/// The operators' black- and whitelist, lower-cased.
///
/// # Errors
/// The database is away.
pub async fn lists(store: &Store) -> Result<crate::torture::oracle::Lists, StoreError> {
    let operation = "read the operators' lists";
    let client = store.client(operation).await?;
    let mut lists = crate::torture::oracle::Lists::default();
    for (table, list) in [("blacklist", &mut lists.black), ("whitelist", &mut lists.white)] {
        let query = format!("select lower(mail) from planner_resource_{table}");
        let rows = client.query(&query, &[]).await.map_err(StoreError::query(operation))?;
        list.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    Ok(lists)
}

#[cfg(test)]
mod tests;
