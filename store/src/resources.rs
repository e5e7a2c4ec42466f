//! The state of resources as mailboxes (B12): where each was located, why it cannot be listened to, when it
//! is tried again, and when listening began. (The list itself, B10, is another module's.)
//!
//! Protocol: `deleted_date is null` means in use. Where mailboxes live is written under the fence of who forms groups,
//! how it goes with one under that of its group: an instance that was paused must not bring back what was so before.
//! A mailbox that fails keeps its error until a success clears it. Instants are the database's, and only durations go
//! in and out, since the clocks of two instances may differ.

use calendar::MailAddress;
use std::time::Duration;

use calendar::source::Location;

use crate::conflict::{self, HELD};
use crate::instances::left;
use crate::lease::{self, Fence};
use crate::wake::{self, Channel};
use crate::{Store, StoreError};

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// A resource in use, as the listener sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveResource {
    /// Its mailbox.
    pub mail: MailAddress,
    /// Where it was located, if ever.
    pub location: Option<Location>,
    /// Is the location in doubt, so that it is to be located anew?
    pub location_doubted: bool,
    /// Why it cannot be listened to now.
    pub error: Option<ResourceError>,
}

/// The recorded failure of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceError {
    /// The service's response code or a name of ours.
    pub code: String,
    /// How often in a row.
    pub count: u32,
    /// How much longer it is not tried again; `None` = no longer.
    pub retry_in: Option<Duration>,
}

/// A failure to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceFailure {
    /// The service's response code or a name of ours.
    pub code: String,
    /// In words; no appointment content.
    pub description: String,
    /// After which time it is tried again; `None` = at once.
    pub retry_after: Option<Duration>,
}

/// Longest description that is kept, in characters.
const DESCRIPTION_MAX: usize = 1_000;

impl Store {
    /// Has a resource list ever been fetched (B1: the stages wait for it)?
    pub async fn has_resource_list(&self) -> Result<bool, StoreError> {
        let operation = "look for a resource list";
        let client = self.client(operation).await?;
        let row = client
            .query_one(
                "select exists (select from planner_resource) \
                 or exists (select from store_state where name = 'resource_list_fetched_at')",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        row.try_get(0).map_err(StoreError::query(operation))
    }

    /// One mailbox in use with where it was located, a located one if there is any; `None` when nobody is in use.
    pub async fn some_mailbox(&self) -> Result<Option<(MailAddress, Option<Location>)>, StoreError> {
        let operation = "look for a mailbox in use";
        let client = self.client(operation).await?;
        let row = client
            .query_opt(
                "select mail, endpoint, grouping_value from planner_resource where deleted_date is null \
                 order by endpoint is null, error_code is not null, mail limit 1",
                &[],
            )
            .await
            .map_err(StoreError::query(operation))?;
        let Some(row) = row else { return Ok(None) };
        let text: &str = row.try_get("mail").map_err(StoreError::query(operation))?;
        let Ok(mail) = MailAddress::parse(text) else { return Ok(None) };
        let endpoint: Option<String> = row.try_get("endpoint").map_err(StoreError::query(operation))?;
        let grouping: Option<String> = row.try_get("grouping_value").map_err(StoreError::query(operation))?;
        let location = endpoint.map(|endpoint| Location { endpoint, grouping: grouping.unwrap_or_default() });
        Ok(Some((mail, location)))
    }

    /// All resources in use, by address. A row whose address is no mail address is left out.
    pub async fn active_resources(&self) -> Result<Vec<ActiveResource>, StoreError> {
        let operation = "load the resources in use";
        let client = self.client(operation).await?;
        let statement = client
            .prepare_cached(
                "select mail, endpoint, grouping_value, location_doubted_at is not null as doubted, error_code, \
                        error_count, extract(epoch from retry_at - clock_timestamp())::float8 as retry_in \
                 from planner_resource where deleted_date is null order by mail",
            )
            .await
            .map_err(StoreError::query(operation))?;
        let rows = client.query(&statement, &[]).await.map_err(StoreError::query(operation))?;
        let mut resources = Vec::with_capacity(rows.len());
        for row in rows {
            let text: &str = row.try_get("mail").map_err(StoreError::query(operation))?;
            let Ok(mail) = MailAddress::parse(text) else {
                tracing::warn!(length = text.len(), "a resource row holds no mail address and is left out");
                continue;
            };
            resources.push(active_resource(mail, &row).map_err(StoreError::query(operation))?);
        }
        Ok(resources)
    }

    /// Records where mailboxes were located, and clears the errors of those that have a new place: for one that
    /// is where it was, what went wrong there still holds.
    pub async fn located(&self, fence: &Fence, found: &[(MailAddress, Location)]) -> Result<(), StoreError> {
        if found.is_empty() {
            return Ok(());
        }
        conflict::again(|| self.write_located(fence, found)).await
    }

    async fn write_located(
        &self,
        fence: &Fence,
        found: &[(MailAddress, Location)],
    ) -> Result<(), StoreError> {
        let operation = "record where mailboxes live";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let statement = tx
            .prepare_cached(
                &format!("{HELD} update planner_resource r set endpoint = n.endpoint, grouping_value = n.grouping_value, \
                 located_at = clock_timestamp(), location_doubted_at = null, \
                 error_code = case when n.stays then error_code end, \
                 error_description = case when n.stays then error_description end, \
                 error_date = case when n.stays then error_date end, \
                 error_count = case when n.stays then error_count else 0 end, \
                 retry_at = case when n.stays then retry_at end \
                 from (select f.mail, f.endpoint, f.grouping_value, \
                              f.endpoint is not distinct from o.endpoint \
                              and f.grouping_value is not distinct from o.grouping_value as stays \
                       from unnest($1::text[], $2::text[], $3::text[]) as f (mail, endpoint, grouping_value) \
                       join planner_resource o using (mail)) as n join held using (mail) \
                 where r.mail = n.mail"),
            )
            .await
            .map_err(StoreError::query(operation))?;
        let mails: Vec<&str> = found.iter().map(|(mail, _)| mail.as_str()).collect();
        let endpoints: Vec<&str> = found.iter().map(|(_, location)| location.endpoint.as_str()).collect();
        let groupings: Vec<&str> = found.iter().map(|(_, location)| location.grouping.as_str()).collect();
        tx.execute(&statement, &[&mails, &endpoints, &groupings])
            .await
            .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// A mailbox seems to be served elsewhere: its place and those of the others of its group are in doubt (one that
    /// moves can draw its whole group after it), and the listener is woken to locate them anew. The stored places
    /// hold until then.
    pub async fn doubt_location(&self, fence: &Fence, mail: &MailAddress) -> Result<(), StoreError> {
        let operation = "doubt where a mailbox lives";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let doubted = tx
            .execute(
                "update planner_resource r set location_doubted_at = clock_timestamp() \
                 where r.endpoint is not null and r.location_doubted_at is null and (r.mail = $1 or r.mail in ( \
                     select other.mail from planner_resource_subscription own \
                     join planner_resource_subscription other using (subscription_id) where own.mail = $1))",
                &[&mail.as_str()],
            )
            .await
            .map_err(StoreError::query(operation))?;
        if doubted > 0 {
            wake::notify(&tx, Channel::Resource).await?;
        }
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// Doubted mailboxes could not be located anew: what is stored goes on to hold.
    pub async fn keep_locations(&self, fence: &Fence, mails: &[MailAddress]) -> Result<(), StoreError> {
        if mails.is_empty() {
            return Ok(());
        }
        conflict::again(|| self.write_kept(fence, mails)).await
    }

    async fn write_kept(&self, fence: &Fence, mails: &[MailAddress]) -> Result<(), StoreError> {
        let operation = "keep where mailboxes live";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        tx.execute(
            &format!(
                "{HELD} update planner_resource r set location_doubted_at = null from held where r.mail = held.mail"
            ),
            &[&mails],
        )
            .await
            .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// Records failures of mailboxes; counts them up.
    pub async fn failed(
        &self,
        fence: &Fence,
        failures: &[(MailAddress, ResourceFailure)],
    ) -> Result<(), StoreError> {
        if failures.is_empty() {
            return Ok(());
        }
        conflict::again(|| self.write_failed(fence, failures)).await
    }

    async fn write_failed(
        &self,
        fence: &Fence,
        failures: &[(MailAddress, ResourceFailure)],
    ) -> Result<(), StoreError> {
        let operation = "record failures of mailboxes";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let statement = tx
            .prepare_cached(
                &format!("{HELD} update planner_resource r set error_code = n.code, error_description = n.description, \
                 error_date = clock_timestamp(), error_count = r.error_count + 1, \
                 retry_at = clock_timestamp() + make_interval(secs => n.retry_after) \
                 from unnest($1::text[], $2::text[], $3::text[], $4::float8[]) \
                 as n (mail, code, description, retry_after) join held using (mail) where r.mail = n.mail"),
            )
            .await
            .map_err(StoreError::query(operation))?;
        let mails: Vec<&str> = failures.iter().map(|(mail, _)| mail.as_str()).collect();
        let codes: Vec<&str> = failures.iter().map(|(_, failure)| failure.code.as_str()).collect();
        let descriptions: Vec<String> = failures
            .iter()
            // PostgreSQL's text takes no NUL; the description comes from outside.
            .map(|(_, failure)| {
                failure.description.chars().filter(|c| *c != '\0').take(DESCRIPTION_MAX).collect()
            })
            .collect();
        let retries: Vec<Option<f64>> = failures
            .iter()
            .map(|(_, failure)| failure.retry_after.map(|after| after.as_secs_f64()))
            .collect();
        tx.execute(&statement, &[&mails, &codes, &descriptions, &retries])
            .await
            .map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }

    /// Records that mailboxes are listened to: clears their errors.
    pub async fn listened_to(&self, fence: &Fence, mails: &[MailAddress]) -> Result<(), StoreError> {
        if mails.is_empty() {
            return Ok(());
        }
        conflict::again(|| self.write_listened_to(fence, mails)).await
    }

    async fn write_listened_to(&self, fence: &Fence, mails: &[MailAddress]) -> Result<(), StoreError> {
        let operation = "record that mailboxes are listened to";
        let mut client = self.client(operation).await?;
        let tx = client.transaction().await.map_err(StoreError::query(operation))?;
        lease::guard(&tx, fence).await?;
        let statement = tx
            .prepare_cached(&format!(
                "{HELD} update planner_resource r set last_success = clock_timestamp(), error_code = null, \
                 error_description = null, error_date = null, error_count = 0, retry_at = null \
                 from held where r.mail = held.mail"
            ))
            .await
            .map_err(StoreError::query(operation))?;
        let mails: Vec<&str> = mails.iter().map(MailAddress::as_str).collect();
        tx.execute(&statement, &[&mails]).await.map_err(StoreError::query(operation))?;
        tx.commit().await.map_err(StoreError::query(operation))
    }
}

fn active_resource(
    mail: MailAddress,
    row: &tokio_postgres::Row,
) -> Result<ActiveResource, tokio_postgres::Error> {
    let endpoint: Option<String> = row.try_get("endpoint")?;
    let grouping: Option<String> = row.try_get("grouping_value")?;
    let location = endpoint.zip(grouping).map(|(endpoint, grouping)| Location { endpoint, grouping });
    let location_doubted: bool = row.try_get("doubted")?;
    let code: Option<String> = row.try_get("error_code")?;
    let count: i32 = row.try_get("error_count")?;
    let retry_in: Option<f64> = row.try_get("retry_in")?;
    let retry_in = retry_in.filter(|seconds| *seconds > 0.0).map(left);
    let error =
        code.map(|code| ResourceError { code, count: u32::try_from(count).unwrap_or_default(), retry_in });
    Ok(ActiveResource { mail, location, location_doubted, error })
}
