//! Everything that the store knows of what a full read found, in one round trip.

use calendar::{ItemId, Known, MailAddress, OriginId, Slot, Uid};
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use crate::decisions::{COLUMNS, KeyQuery, Series, known_of, series_of};
use crate::withheld::{self, WithheldKey};
use crate::{Store, StoreError};

/// What is known before a full read is decided about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FullReadFacts {
    /// The keys that are there (or adopted without a decision) and overlap what was read, and those that what
    /// was found may belong to.
    pub known: Vec<Known>,
    /// The known series among the UIDs that were found.
    pub series: Vec<Series>,
    /// What is withheld or rejected of the mailbox.
    pub withheld: Vec<WithheldKey>,
}

impl Store {
    /// Loads what is known of a mailbox of which `slot` was read and `query` was found. What is withheld is read
    /// first: who settles a run in between changes what is known.
    pub async fn full_read_facts(
        &self,
        mail: &MailAddress,
        slot: Slot,
        query: &KeyQuery,
        now: Timestamp,
    ) -> Result<FullReadFacts, StoreError> {
        let operation = "load what is known about a mailbox";
        let client = self.client(operation).await?;
        let prepare =
            async |sql: &str| client.prepare_cached(sql).await.map_err(StoreError::query(operation));
        // Of a mailbox of which nothing is known at all the first look costs a fraction of the others.
        let any = prepare(
            "select exists (select from calendar_event where mail = $1) \
                 or exists (select from series where mail = $1) \
                 or exists (select from withheld_key where mail = $1)",
        )
        .await?;
        let row = client.query_one(&any, &[&mail.as_str()]).await.map_err(StoreError::query(operation))?;
        let is_any: bool = row.try_get(0).map_err(StoreError::query(operation))?;
        if !is_any {
            return Ok(FullReadFacts::default());
        }
        let withheld = prepare(&withheld::standing_sql()).await?;
        let known = prepare(&format!(
            "select {COLUMNS} from calendar_event \
             where mail = $1 and ((wanted and end_at > $2 and start_at < $3) \
                                  or (version = 0 and ack_there and ack_end > $2 and ack_start < $3) \
                                  or uid = any ($4) or origin_id = any ($5) or item_id = any ($6)) \
             order by origin_id"
        ))
        .await?;
        let series =
            prepare("select uid, item_id from series where mail = $1 and uid = any ($2) order by uid")
                .await?;
        let mails = [mail.as_str()];
        let uids: Vec<&str> = query.uids.iter().map(Uid::as_str).collect();
        let origin_ids: Vec<&str> = query.origin_ids.iter().map(OriginId::as_str).collect();
        let item_ids: Vec<&str> = query.item_ids.iter().map(ItemId::as_str).collect();
        let mail = mail.as_str();
        let of_withheld: [&(dyn ToSql + Sync); 2] = [&now, &&mails[..]];
        let of_known: [&(dyn ToSql + Sync); 6] =
            [&mail, &slot.start, &slot.end, &uids, &origin_ids, &item_ids];
        let of_series: [&(dyn ToSql + Sync); 2] = [&mail, &uids];
        // One connection answers in the order in which it is asked.
        let (withheld, known, series) = tokio::try_join!(
            client.query(&withheld, &of_withheld),
            client.query(&known, &of_known),
            client.query(&series, &of_series),
        )
        .map_err(StoreError::query(operation))?;
        Ok(FullReadFacts {
            known: known
                .iter()
                .map(known_of)
                .collect::<Result<_, _>>()
                .map_err(StoreError::query(operation))?,
            series: series
                .iter()
                .map(series_of)
                .collect::<Result<_, _>>()
                .map_err(StoreError::query(operation))?,
            withheld: withheld
                .iter()
                .map(|row| withheld::key_of(row, operation))
                .collect::<Result<_, _>>()?,
        })
    }
}
