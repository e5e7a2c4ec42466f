//! The service account: is there one, does its password open with the keys of this configuration, is it let in?

use std::collections::BTreeSet;

use calendar::codes;
use store::inspect::Work;
use trust::TrustError;

use super::calls::Known;
use super::{Said, Step, Verdict, plain, ready, said};
use crate::accounts::{AccountError, Opened, Unusable};
use crate::commands::status::listened_of;
use crate::config::Config;
use crate::texts::Text;
use crate::texts::doctor as t;

/// What instances that run have told of service accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// One was refused by Exchange (9006), and not let in since.
    Refused,
    /// The password of one could not be opened (9602), as after a rotation that an instance has not the new key of.
    Closed,
}

impl Trouble {
    /// By the codes of the alerts that stand; the worst.
    fn of(standing: &[u16]) -> Option<Self> {
        if standing.contains(&codes::LOGON_REFUSED.id) {
            return Some(Self::Refused);
        }
        standing.contains(&codes::CREDENTIAL_UNUSABLE.id).then_some(Self::Closed)
    }
}

/// The step of the service account, where the `stored` ones open so with the keys of this configuration; `None` = they
/// could not be read.
pub(super) fn step(config: &Config, known: Result<(&Work, &Known), Text>, stored: Option<&Opened>) -> Step {
    let (work, calls) = match known {
        Ok(known) => known,
        Err(unknown) => return Step::open(t::ACCOUNT, plain(unknown)),
    };
    let trouble = Trouble::of(&calls.alerts.iter().map(|alert| alert.code).collect::<Vec<_>>());
    let listened: u64 = work.groups.iter().map(|group| listened_of(group, &calls.streams)).sum();
    let count = stored.map_or(0, |stored| stored.accounts.len() + stored.unusable.len());
    let evidence = match &config.exchange.user {
        _ if count > 0 => {
            said(t::ACCOUNT_DATABASE, [("count", count.to_string()), ("mailboxes", listened.to_string())])
        }
        Some(_) => said(t::ACCOUNT_CONFIGURATION, [("mailboxes", listened.to_string())]),
        None => {
            return Step::new(t::ACCOUNT, Verdict::Fail, plain(t::ACCOUNT_NONE), plain(t::ACCOUNT_NEXT));
        }
    };
    // whoever calls nobody at Exchange needs no key
    let stored = stored.filter(|stored| config.node.reads_exchange() && !stored.unusable.is_empty());
    opening(used(trouble, listened, evidence.clone()), evidence, stored)
}

fn used(trouble: Option<Trouble>, listened: u64, evidence: Said) -> Step {
    match (trouble, listened) {
        (Some(Trouble::Refused), _) => {
            Step::new(t::ACCOUNT, Verdict::Fail, plain(t::ACCOUNT_REFUSED), plain(t::ACCOUNT_REFUSED_NEXT))
        }
        (Some(Trouble::Closed), _) => {
            Step::new(t::ACCOUNT, Verdict::Warn, plain(t::ACCOUNT_CLOSED), plain(t::ACCOUNT_CLOSED_NEXT))
        }
        (None, 0) => Step::new(t::ACCOUNT, Verdict::Warn, evidence, plain(t::ACCOUNT_TEST)),
        (None, _) => Step::ok(t::ACCOUNT, evidence),
    }
}

/// The step `judged`, unless some of the `stored` accounts cannot be used with this configuration: where none can, a start
/// is refused.
fn opening(judged: Step, evidence: Said, stored: Option<&Opened>) -> Step {
    let Some(Opened { accounts, unusable }) = stored else { return judged };
    let is_refused = accounts.is_empty();
    if judged.verdict == Verdict::Fail && !is_refused {
        return judged;
    }
    let (why, next) = closed(unusable);
    let evidence = ready::both(evidence, why);
    if is_refused {
        let evidence = ready::both(evidence, plain(t::ACCOUNT_NONE_OPENS));
        return Step::new(t::ACCOUNT, Verdict::Fail, evidence, next);
    }
    Step::new(t::ACCOUNT, Verdict::Warn, evidence, next)
}

/// Why these cannot be used, and what to do: the keys that they need, otherwise the first of them.
fn closed(unusable: &[Unusable]) -> (Said, Said) {
    let keys: Vec<&str> = unusable.iter().filter_map(|one| key_of(&one.error)).collect();
    if !keys.is_empty() {
        let count = keys.len().to_string();
        let ids: Vec<&str> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let ids = || ("keys", ids.join(", "));
        let why = said(t::ACCOUNT_KEY_LACKS, [("count", count), ids()]);
        return (why, said(t::ACCOUNT_KEY_LACKS_NEXT, [ids()]));
    }
    let first = unusable.first();
    let why = first.map(|one| telemetry::chain(&one.error).to_string()).unwrap_or_default();
    let user = || ("user", first.map(|one| one.user.clone()).unwrap_or_default());
    (said(t::ACCOUNT_UNUSABLE, [user(), ("why", why)]), said(t::ACCOUNT_UNUSABLE_NEXT, [user()]))
}

/// The key that is not configured.
fn key_of(error: &AccountError) -> Option<&str> {
    match error {
        AccountError::NoKey { key_id } => Some(key_id.as_str()),
        AccountError::Seal(error) => match &**error {
            TrustError::UnknownKey { key_id, .. } => Some(key_id.as_str()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use calendar::ids::AccountId;
    use connector_exchange::Account;
    use store::credentials::password_place;
    use trust::seal::KeyId;

    use super::*;
    use crate::texts::Language;

    /// Regression: after a rotation nobody was pointed at the instances that have not the new key.
    #[test]
    fn an_instance_that_cannot_open_a_password_is_told_with_the_key_as_its_remedy() {
        let (refused, closed) = (codes::LOGON_REFUSED.id, codes::CREDENTIAL_UNUSABLE.id);
        assert_eq!(Trouble::of(&[4906]), None);
        assert_eq!(Trouble::of(&[4906, closed]), Some(Trouble::Closed));
        assert_eq!(Trouble::of(&[closed, refused]), Some(Trouble::Refused));
        let evidence = || plain(t::ACCOUNT_NONE);
        assert_eq!(used(None, 3, evidence()).verdict, Verdict::Ok);
        assert_eq!(used(None, 0, evidence()).verdict, Verdict::Warn);
        assert_eq!(used(Some(Trouble::Refused), 3, evidence()).verdict, Verdict::Fail);
        let step = used(Some(Trouble::Closed), 3, evidence());
        assert_eq!(step.verdict, Verdict::Warn);
        let told = step.evidence.words(Language::En);
        assert!(told.contains("9602"), "{told}");
    }

    fn unusable(number: i64, error: AccountError) -> Unusable {
        Unusable { id: AccountId::new(number), user: format!("svc{number}"), error }
    }

    fn usable() -> Account {
        Account { id: AccountId::new(9), user: "svc9".to_owned(), password: "x".into() }
    }

    /// Regression: all was well with a stored account of which the key is not configured, and a start was refused.
    #[test]
    fn a_stored_account_that_does_not_open_with_this_configuration_is_told_with_its_key() {
        let no_key = |id: &str| AccountError::NoKey { key_id: id.to_owned() };
        let place = password_place(AccountId::new(2));
        let wrong = TrustError::UnknownKey { place, key_id: KeyId::stored("k2") };
        let judge = |accounts, unusable, trouble| {
            let evidence = plain(t::ACCOUNT_TEST);
            let opened = Opened { accounts, unusable };
            opening(used(trouble, 3, evidence.clone()), evidence, Some(&opened))
        };
        for (unusable, keys) in [
            (vec![unusable(1, no_key("k1"))], "k1"),
            (vec![unusable(2, AccountError::Seal(Box::new(wrong))), unusable(1, no_key("k1"))], "k1, k2"),
        ] {
            let step = judge(Vec::new(), unusable, None);
            assert_eq!(step.verdict, Verdict::Fail);
            for (language, start, setting) in [
                (Language::En, "a start is refused", "in secrets.key_file"),
                (Language::Da, "en start afvises", "i secrets.key_file"),
            ] {
                let evidence = step.evidence.words(language);
                assert!(evidence.contains(keys) && evidence.contains(start), "{evidence}");
                let next = step.next.as_ref().map(|next| next.words(language)).unwrap_or_default();
                assert!(next.contains(keys) && next.contains(setting), "{next}");
            }
        }
        // one is enough for a start
        let step = judge(vec![usable()], vec![unusable(1, no_key("k1"))], None);
        assert_eq!(step.verdict, Verdict::Warn);
        assert!(step.evidence.words(Language::En).contains("(k1)"), "{step:?}");
        let step = judge(vec![usable()], vec![unusable(1, no_key("k1"))], Some(Trouble::Refused));
        assert_eq!(step.evidence, plain(t::ACCOUNT_REFUSED));
        // what is no matter of keys
        let none = AccountError::NoPassword { user: "svc3".to_owned() };
        let step = judge(vec![usable()], vec![unusable(3, none)], None);
        let next = step.next.map(|next| next.words(Language::En)).unwrap_or_default();
        assert!(next.contains("credential add svc3 --replace"), "{next}");
    }
}
