//! The table `application_log`: every event with a code (B13), written in batches.
//!
//! Failure: an error means that nothing was written, or that this is unknown. Where the database refuses a value (a
//! text from outside with a character that it does not take), the rows go one by one and the refused one is left
//! out with a warning, so that it holds up no other.

use jiff::Timestamp;
use serde_json::Value;

use crate::decisions::is_refusal;
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

/// Appends rows, in one statement unless one is refused. `instance` names this process.
pub async fn append(store: &Store, instance: &str, events: &[LoggedEvent]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let outcome = insert(store, instance, events).await;
    if !outcome.as_ref().is_err_and(is_refusal) {
        return outcome;
    }
    for event in events {
        match insert(store, instance, std::slice::from_ref(event)).await {
            // without a code: an event about this would only come back here
            Err(error) if is_refusal(&error) => tracing::warn!(
                code = event.event_id,
                error = &error as &dyn std::error::Error,
                "a coded event is refused by the database and left out"
            ),
            other => other?,
        }
    }
    Ok(())
}

async fn insert(store: &Store, instance: &str, events: &[LoggedEvent]) -> Result<(), StoreError> {
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

    /// PostgreSQL's JSON takes no NUL.
    #[tokio::test]
    async fn a_refused_event_holds_up_no_other() {
        let database = database().await;
        let event = |id: u16, text: &str| LoggedEvent {
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            event_id: id,
            severity: "error".into(),
            source: "PCS".into(),
            message: "message".into(),
            fields: serde_json::json!({ "text": text }),
            trace_id: None,
        };
        append(&database.store, "one", &[event(1, "a"), event(2, "b\0"), event(3, "c")]).await.unwrap();
        let client = database.store.client("test").await.unwrap();
        let rows = client.query("select event_id from application_log order by id", &[]).await.unwrap();
        let ids: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(ids, [1, 3]);
    }
}
