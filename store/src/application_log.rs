//! The table `application_log`: every event with a code (B13), written in batches.

use jiff::Timestamp;
use serde_json::Value;

use crate::error::StoreError;
use crate::pool::Store;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// When.
    pub at: Timestamp,
    /// The event's code.
    pub event_id: u16,
    /// `information`, `warning` or `error`.
    pub severity: String,
    /// The stage.
    pub source: String,
    /// What happened.
    pub message: String,
    /// The event's values.
    pub fields: Value,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
}

/// Appends rows in one statement. `instance` names this process.
pub async fn append(store: &Store, instance: &str, events: &[LoggedEvent]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let operation = "write the application log";
    let client = store.client(operation).await?;
    let statement = client
        .prepare_cached(
            "insert into application_log (at, event_id, severity, source, message, fields, trace_id, instance)
             select *, $8 from unnest($1::timestamptz[], $2::integer[], $3::text[], $4::text[], $5::text[],
                                      $6::jsonb[], $7::text[])",
        )
        .await
        .map_err(StoreError::query(operation))?;
    let at: Vec<_> = events.iter().map(|event| event.at).collect();
    let ids: Vec<_> = events.iter().map(|event| i32::from(event.event_id)).collect();
    let severities: Vec<_> = events.iter().map(|event| event.severity.as_str()).collect();
    let sources: Vec<_> = events.iter().map(|event| event.source.as_str()).collect();
    let messages: Vec<_> = events.iter().map(|event| event.message.replace('\0', " ")).collect();
    let fields: Vec<_> = events.iter().map(|event| &event.fields).collect();
    let traces: Vec<_> = events.iter().map(|event| event.trace_id.as_deref()).collect();
    client
        .execute(&statement, &[&at, &ids, &severities, &sources, &messages, &fields, &traces, &instance])
        .await
        .map_err(StoreError::query(operation))?;
    Ok(())
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn events_are_kept_with_their_values() {
        let database = database().await;
        let event = LoggedEvent {
            at: "2026-11-22T10:00:00.123456Z".parse().unwrap(),
            event_id: 6904,
            severity: "error".into(),
            source: "PCS".into(),
            message: "timeout\0calling DFDG".into(),
            fields: serde_json::json!({"operation": "CreateEvents", "items": 3}),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        };
        append(&database.store, "one", &[event.clone(), event.clone()]).await.unwrap();
        append(&database.store, "one", &[]).await.unwrap();
        let client = database.store.client("test").await.unwrap();
        let rows = client
            .query("select at, event_id, message, fields, instance from application_log", &[])
            .await
            .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get::<_, Timestamp>(0), event.at);
        assert_eq!(rows[0].get::<_, i32>(1), 6904);
        assert_eq!(rows[0].get::<_, String>(2), "timeout calling DFDG");
        assert_eq!(rows[0].get::<_, Value>(3), event.fields);
        assert_eq!(rows[0].get::<_, String>(4), "one");
    }
}
