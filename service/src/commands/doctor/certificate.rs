//! Can the certificate that is shown to Planner be used, and how long? As `config check` judges the same files.

use jiff::Timestamp;
use trust::{ExpiryStep, TrustError, Watched, Whose};

use super::super::show::moment;
use super::{Said, Step, Verdict, plain, ready, said};
use crate::config::{Config, Problem};
use crate::texts::Text;
use crate::texts::doctor as t;

/// The step of the certificate.
pub(super) fn step(config: &Config, now: Timestamp) -> Step {
    let lacks = |verdict, evidence| {
        Step::new(t::CERTIFICATE, verdict, plain(evidence), plain(t::CERTIFICATE_NONE_NEXT))
    };
    if config.planner.lacks_certificate() {
        return lacks(Verdict::Fail, t::CERTIFICATE_NEEDED);
    }
    if config.planner.client_certificate.is_none() {
        return lacks(Verdict::Warn, t::CERTIFICATE_NONE);
    }
    let problem = |one: &Problem| said(t::CONFIGURED_WARN, [("what", one.to_string())]);
    if let Some(problems) = config.planner_files(now).iter().map(problem).reduce(ready::both) {
        return broken(
            problems,
            if is_over(config, now) { t::CERTIFICATE_RENEW } else { t::CERTIFICATE_NEXT },
        );
    }
    match config.planner.tls().open(now) {
        Ok(live) => lasting(&live.watched(), now),
        // no file of ours: this machine has no authorities
        Err(error) => {
            let why = telemetry::chain(&error).to_string();
            broken(said(t::CERTIFICATE_BROKEN, [("why", why)]), t::CERTIFICATE_NEXT)
        }
    }
}

fn broken(evidence: Said, next: Text) -> Step {
    Step::new(t::CERTIFICATE, Verdict::Fail, evidence, plain(next))
}

/// Is our own one over?
fn is_over(config: &Config, now: Timestamp) -> bool {
    let own = config.planner.tls().certificate.map(|own| own.load(now));
    matches!(own, Some(Err(TrustError::Expired { .. })))
}

/// How long they last: our own one goes first, then the one of Planner that ends first.
fn lasting(watched: &[Watched], now: Timestamp) -> Step {
    let is_ending = |one: &&Watched| ExpiryStep::of(one.facts.left(now)).is_some();
    let is_theirs = |one: &Watched| one.whose != Whose::Own;
    let ending = watched.iter().filter(is_ending).min_by_key(|one| (is_theirs(one), one.facts.not_after));
    match (ending, watched.iter().find(|one| !is_theirs(one))) {
        (Some(one), _) => {
            let next = if is_theirs(one) { t::CERTIFICATE_THEIRS_NEXT } else { t::CERTIFICATE_RENEW };
            Step::new(t::CERTIFICATE, Verdict::Warn, valid(one, now), plain(next))
        }
        (None, Some(own)) => Step::ok(t::CERTIFICATE, valid(own, now)),
        (None, None) => Step::open(t::CERTIFICATE, plain(t::CERTIFICATE_NONE)),
    }
}

fn valid(one: &Watched, now: Timestamp) -> Said {
    said(
        t::CERTIFICATE_OK,
        [
            ("subject", one.facts.subject.clone()),
            ("end", moment(one.facts.not_after)),
            ("days", one.facts.days_left(now).to_string()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::texts::Language;

    /// Only who talks to a simulator needs no certificate.
    #[test]
    fn https_to_planner_needs_a_certificate() {
        let verdict = |text: &str| {
            let config = Config::parse(Path::new("x.toml"), text, []).unwrap();
            let step = step(&config, Timestamp::UNIX_EPOCH);
            (step.verdict, step.next.map(|next| next.words(Language::En)).unwrap_or_default())
        };
        let (failed, next) = verdict("[planner]\nservice_url = \"https://planner.example/x\"\n");
        assert_eq!(failed, Verdict::Fail);
        assert!(next.starts_with("set planner.client_certificate"), "{next}");
        assert_eq!(verdict("[planner]\nservice_url = \"http://127.0.0.1:1/x\"\n").0, Verdict::Warn);
    }

    /// Regression: the doctor knew less of certificates than `config check`, and called a configuration usable that is
    /// refused.
    #[cfg(feature = "simulators")]
    #[test]
    fn files_with_certificates_are_judged_as_config_check_does() {
        use simulator_kit::authority::{Authority, Wanted};

        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("doctor").unwrap());
        let issued = |name: &str, wanted: &Wanted| {
            authority.issue(wanted).unwrap().write(folder.path(), name).unwrap()
        };
        let wanted = || Wanted::client("kk", "CVR:12345678-FID:1");
        let ((good, key), (over, over_key)) =
            (issued("good", &wanted()), issued("over", &wanted().expired()));
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let (der, closed) = (folder.path().join("own.cer"), folder.path().join("closed.key"));
        let own = trust::OwnCertificate::pem(good.clone(), key.clone()).load(now).unwrap();
        std::fs::write(&der, own.certificate()).unwrap();
        let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        std::fs::write(&closed, text).unwrap();
        let with = |certificate: &Path, key: &Path| {
            let text = format!("[planner]\nclient_certificate = {certificate:?}\nclient_key = {key:?}\n");
            Config::parse(Path::new("x.toml"), &text, []).unwrap()
        };
        for (config, told, next) in [
            (with(&der, &key), "openssl x509 -inform der -in ", "config check"),
            (with(&good, &closed), "none was given; name the file", "config check"),
            (with(&over, &over_key), "it must be renewed", "order a new one"),
            (with(&good, &over_key), "name the key that belongs to it", "config check"),
        ] {
            let step = step(&config, now);
            assert_eq!(step.verdict, Verdict::Fail, "{step:?}");
            let evidence = step.evidence.words(Language::En);
            assert!(evidence.contains(told) && evidence.contains("planner.client_"), "{evidence}");
            let advice = step.next.map(|next| next.words(Language::En)).unwrap_or_default();
            assert!(advice.contains(next), "{advice}");
            // the step of the configuration refuses it as a start does
            let refused = ready::configured(&config, now);
            assert_eq!(refused.verdict, Verdict::Fail);
            let evidence = refused.evidence.words(Language::Da);
            assert!(evidence.contains(told), "{evidence}");
        }
        let config = with(&good, &key);
        assert_eq!(step(&config, now).verdict, Verdict::Ok);
        assert!(!ready::configured(&config, now).evidence.words(Language::En).contains("client_"));
        // its end is near
        let soon: Timestamp = "2098-12-20T12:00:00Z".parse().unwrap();
        let step = step(&config, soon);
        assert_eq!(step.verdict, Verdict::Warn);
        let next = step.next.map(|next| next.words(Language::Da)).unwrap_or_default();
        assert!(next.starts_with("bestil et nyt"), "{next}");
    }
}
