//! One round of the listener: read the resources, locate those that need it, form the groups, store that.
//!
//! All of it is repeatable: a round that fails half-way is simply done again.

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use base::EventCode;
use calendar::ids::AccountId;
use calendar::source::{Location, SourceErrorKind};
use calendar::{CalendarSource, MailAddress, SourceError, codes};
use store::Store;
use store::lease::Fence;
use store::resources::{ActiveResource, ResourceFailure};

use crate::config::ListenerOptions;
use crate::error::ListenerError;
use crate::grouping::{self, Limits};

#[cfg(test)]
mod tests;

/// Mailboxes asked for in one call of the source, and written in one statement.
const LOCATE_BATCH: usize = 100;
/// On the resource row of a mailbox that finds no place in any group.
pub(crate) const NOT_COVERED: &str = "NotCovered";
/// On the resource row of a mailbox without stored location, while solving is switched off.
pub(crate) const NOT_SOLVED: &str = "NotSolved";

/// What a round led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No resource list has been fetched yet.
    NoList,
    /// The groups are as the resources demand.
    Formed {
        /// Were groups or their members changed?
        changed: bool,
        /// More mailboxes wait to be located: go on at once.
        more: bool,
        /// The time until a mailbox is to be located again.
        locate_in: Option<Duration>,
        /// Mailboxes that found no place.
        uncovered: usize,
        /// Is there nobody to listen to?
        nobody: bool,
    },
}

/// Everything that a round needs.
pub(crate) struct Round<'a> {
    pub(crate) source: &'a dyn CalendarSource,
    pub(crate) store: &'a Store,
    pub(crate) fence: &'a Fence,
    pub(crate) options: &'a ListenerOptions,
    /// The service accounts that can be used.
    pub(crate) accounts: &'a BTreeSet<AccountId>,
}

impl Round<'_> {
    pub(crate) async fn run(&self) -> Result<Outcome, ListenerError> {
        if !self.store.has_resource_list().await.map_err(ListenerError::Read)? {
            return Ok(Outcome::NoList);
        }
        let resources = self.store.active_resources().await.map_err(ListenerError::Read)?;
        let solves = !self.options.deactivate_solving_of_group_affinity;
        // without an account nobody can be asked where a mailbox lives, and it says so instead of failing by itself
        let (wanted, more) = match self.accounts.is_empty() {
            true => (Vec::new(), false),
            false => to_locate(&resources, self.options.locate_at_once, solves),
        };
        let resources = if wanted.is_empty() {
            resources
        } else {
            self.locate(&wanted).await?;
            self.store.active_resources().await.map_err(ListenerError::Read)?
        };
        let (changed, uncovered) = self.form(&resources).await?;
        let locate_in = resources
            .iter()
            .filter(|resource| resource.location.is_none())
            .filter_map(|resource| resource.error.as_ref()?.retry_in)
            .min();
        Ok(Outcome::Formed { changed, more, locate_in, uncovered, nobody: resources.is_empty() })
    }

    /// Locates mailboxes and writes what came out to their rows.
    async fn locate(&self, wanted: &[Wanted]) -> Result<(), ListenerError> {
        for batch in wanted.chunks(LOCATE_BATCH) {
            let mails: Vec<MailAddress> = batch.iter().map(|one| one.mail.clone()).collect();
            let located = if self.options.deactivate_solving_of_group_affinity {
                mails.iter().map(|_| Err(not_solved())).collect()
            } else {
                self.source.locate(&mails).await
            };
            base::crash::point("listener.located");
            let mut found: Vec<(MailAddress, Location)> = Vec::new();
            let mut failed: Vec<(MailAddress, ResourceFailure)> = Vec::new();
            let mut kept: Vec<MailAddress> = Vec::new();
            for (Wanted { mail, failures, has_location }, outcome) in batch.iter().zip(located) {
                match outcome {
                    Ok(location) => found.push((mail.clone(), location)),
                    // it stays where it is; if it cannot be reached there, its own retries doubt that again
                    Err(error) if *has_location => {
                        tell_not_located(mail, &error);
                        kept.push(mail.clone());
                    }
                    Err(error) => {
                        let again = self.options.locate_again.delay_jittered(failures + 1);
                        let again = again.max(error.after.unwrap_or_default());
                        tell_not_located(mail, &error);
                        failed.push((mail.clone(), failure(&error, again)));
                    }
                }
            }
            self.store.located(self.fence, &found).await.map_err(ListenerError::Write)?;
            base::crash::point("listener.location-stored");
            self.store.failed(self.fence, &failed).await.map_err(ListenerError::Write)?;
            self.store.keep_locations(self.fence, &kept).await.map_err(ListenerError::Write)?;
        }
        Ok(())
    }

    /// Forms the groups; tells whether anything changed, and how many mailboxes found no place.
    async fn form(&self, resources: &[ActiveResource]) -> Result<(bool, usize), ListenerError> {
        let groups = self.store.affinity_groups().await.map_err(ListenerError::Read)?;
        let known: BTreeMap<MailAddress, Option<Location>> =
            resources.iter().map(|resource| (resource.mail.clone(), resource.location.clone())).collect();
        let options = self.options;
        let limits = Limits {
            per_group: options.mailboxes_per_subscription_group,
            groups_per_account: options.subscription_groups_per_credential,
        };
        let plan = grouping::plan(&known, &groups, self.accounts, limits);
        self.tell_uncovered(resources, &plan.uncovered).await?;
        if plan.changes.is_empty() {
            return Ok((false, plan.uncovered.len()));
        }
        let most = options.subscription_groups_per_credential;
        base::crash::point("listener.regrouping");
        self.store.regroup(self.fence, &plan.changes, most).await.map_err(ListenerError::Write)?;
        base::crash::point("listener.regrouped");
        tracing::info!(
            left = plan.changes.leaving.len(),
            joined = plan.changes.joining.len(),
            formed = plan.changes.formed.len(),
            dissolved = plan.changes.dissolved.len(),
            uncovered = plan.uncovered.len(),
            "affinity groups changed"
        );
        Ok((true, plan.uncovered.len()))
    }

    /// Mailboxes without a place: each row says so once. (The event is the listener's, once a change.)
    async fn tell_uncovered(
        &self,
        resources: &[ActiveResource],
        uncovered: &[MailAddress],
    ) -> Result<(), ListenerError> {
        if uncovered.is_empty() {
            return Ok(());
        }
        let (event, reason) = why_uncovered(self.accounts);
        let told: BTreeSet<&MailAddress> = resources
            .iter()
            .filter(|resource| resource.error.as_ref().is_some_and(|error| error.code == NOT_COVERED))
            .map(|resource| &resource.mail)
            .collect();
        let failures: Vec<(MailAddress, ResourceFailure)> = uncovered
            .iter()
            .filter(|mail| !told.contains(mail))
            .map(|mail| {
                let failure = ResourceFailure {
                    code: NOT_COVERED.to_owned(),
                    description: format!("{} ({}): {reason}", event.meaning, event.id),
                    retry_after: None,
                };
                (mail.clone(), failure)
            })
            .collect();
        self.store.failed(self.fence, &failures).await.map_err(ListenerError::Write)
    }
}

/// The event of mailboxes without a place, and the reason in words.
pub(crate) fn why_uncovered(accounts: &BTreeSet<AccountId>) -> (EventCode, &'static str) {
    if accounts.is_empty() {
        (codes::SERVICE_ACCOUNT_MISSING, "there is no service account")
    } else {
        (codes::SERVICE_ACCOUNTS_EXHAUSTED, "the service accounts carry no more groups")
    }
}

/// A mailbox that is to be located.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    mail: MailAddress,
    /// Failures in a row so far.
    failures: u32,
    /// It is somewhere already, and that is in doubt.
    has_location: bool,
}

/// Pure: whom to locate now (with the failures so far), and whether more wait.
fn to_locate(resources: &[ActiveResource], at_once: usize, solves: bool) -> (Vec<Wanted>, bool) {
    let due = |resource: &&ActiveResource| {
        let retry_in = resource.error.as_ref().and_then(|error| error.retry_in);
        match resource.location {
            None => retry_in.is_none(),
            Some(_) => solves && resource.location_doubted,
        }
    };
    let mut due = resources.iter().filter(due);
    let wanted = due
        .by_ref()
        .take(at_once.max(1))
        .map(|resource| Wanted {
            mail: resource.mail.clone(),
            failures: resource.error.as_ref().map_or(0, |error| error.count),
            has_location: resource.location.is_some(),
        })
        .collect();
    (wanted, due.next().is_some())
}

fn failure(error: &SourceError, retry_after: Duration) -> ResourceFailure {
    ResourceFailure {
        code: error.code.clone(),
        description: format!("{error}: {}", error.text),
        retry_after: Some(retry_after),
    }
}

fn tell_not_located(mail: &MailAddress, error: &SourceError) {
    let event = match error.code.as_str() {
        NOT_SOLVED => codes::GROUP_AFFINITY_UNSOLVED,
        NO_ENDPOINT if error.kind == SourceErrorKind::Mailbox => codes::ENDPOINT_MISSING,
        _ => codes::LOCATE_FAILED,
    };
    tracing::error!(event_id = event.id, mailbox = %mail, code = error.code, "a mailbox was not located");
}

/// The source's code for a mailbox of which it knows no endpoint (the actors know the port, not the connector).
const NO_ENDPOINT: &str = "no endpoint";

fn not_solved() -> SourceError {
    SourceError {
        operation: "GetUserSettings",
        kind: SourceErrorKind::Mailbox,
        code: NOT_SOLVED.to_owned(),
        text: "no location is stored, and deactivate_solving_of_group_affinity forbids to ask".to_owned(),
        after: None,
    }
}
