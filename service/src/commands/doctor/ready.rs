//! Is the installation ready? The steps of appendix G, in their order, and two of ours.

use std::path::Path;

use base::{Clock as _, SystemClock};
use jiff::Timestamp;
use store::inspect::{DatabaseFacts, Work};
use store::{Store, StoreError};
use trust::ExpiryStep;
use url::Url;

use super::super::Desk;
use super::super::show::moment;
use super::host::{self, Host};
use super::{Said, Step, Verdict, plain, said};
use crate::commands::status::stopped;
use crate::config::{Config, LogFormat};
use crate::texts::Text;
use crate::texts::doctor as t;

/// All steps.
pub(super) async fn steps(desk: &Desk, offline: bool) -> Vec<Step> {
    let config = &desk.config;
    let database = desk.store.database_facts().await;
    let work = match &database {
        Ok(found) if found.missing.is_empty() => desk.store.work().await.ok(),
        _ => None,
    };
    let credentials = match &work {
        Some(_) => desk.store.credentials().await.ok().map(|rows| rows.len()),
        None => None,
    };
    let answered = work.as_ref().and_then(|work| work.queues.resource_list_fetched_at);
    let mut steps = vec![
        agreement(answered),
        ordered(config),
        approved(answered),
        account(config, work.as_ref(), credentials),
        machine(&Host::here(&config.database.data_dir)),
        Step::ok(t::PROGRAM, said(t::PROGRAM_IS, [("version", env!("CARGO_PKG_VERSION").to_owned())])),
        certificate(config, SystemClock.now()),
    ];
    steps.extend(database_steps(&database));
    steps.push(registered());
    steps.push(user());
    steps.push(log(config, &desk.store, work.is_some()).await);
    steps.push(configured(config));
    steps.push(started(work.as_ref()));
    steps.push(reached(t::EXCHANGE, exchange_url(config), offline).await);
    steps.push(reached(t::PLANNER, config.planner.service_url.as_ref(), offline).await);
    steps
}

fn answered_at(at: Timestamp) -> Said {
    said(t::ANSWERED, [("at", moment(at))])
}

fn agreement(answered: Option<Timestamp>) -> Step {
    match answered {
        Some(at) => Step::ok(t::AGREEMENT, answered_at(at)),
        None => Step::new(t::AGREEMENT, Verdict::Ask, plain(t::AGREEMENT_ASK), plain(t::AGREEMENT_NEXT)),
    }
}

fn ordered(config: &Config) -> Step {
    match &config.planner.client_certificate {
        Some(_) => Step::ok(t::ORDERED, plain(t::ORDERED_OK)),
        None => Step::new(t::ORDERED, Verdict::Ask, plain(t::AGREEMENT_ASK), plain(t::ORDERED_NEXT)),
    }
}

fn approved(answered: Option<Timestamp>) -> Step {
    match answered {
        Some(at) => Step::ok(t::APPROVED, answered_at(at)),
        None => Step::new(t::APPROVED, Verdict::Ask, plain(t::AGREEMENT_ASK), plain(t::APPROVED_NEXT)),
    }
}

fn account(config: &Config, work: Option<&Work>, credentials: Option<usize>) -> Step {
    let Some(work) = work else { return Step::open(t::ACCOUNT, plain(t::UNKNOWN_WITHOUT_DATABASE)) };
    let listened: u64 = work.groups.iter().map(|group| group.subscribed).sum();
    let evidence = match (credentials, &config.exchange.user) {
        (Some(count), _) if count > 0 => {
            said(t::ACCOUNT_DATABASE, [("count", count.to_string()), ("mailboxes", listened.to_string())])
        }
        (_, Some(_)) => said(t::ACCOUNT_CONFIGURATION, [("mailboxes", listened.to_string())]),
        (_, None) => {
            return Step::new(t::ACCOUNT, Verdict::Fail, plain(t::ACCOUNT_NONE), plain(t::ACCOUNT_NEXT));
        }
    };
    if listened > 0 {
        Step::ok(t::ACCOUNT, evidence)
    } else {
        Step::new(t::ACCOUNT, Verdict::Warn, evidence, plain(t::ACCOUNT_TEST))
    }
}

fn machine(host: &Host) -> Step {
    let evidence = said(
        t::HOST_IS,
        [
            ("cores", host.cores.to_string()),
            ("memory", host.memory_gib.to_string()),
            ("disk", host.disk_gib.to_string()),
        ],
    );
    if host.suffices() {
        Step::ok(t::HOST, evidence)
    } else {
        Step::new(t::HOST, Verdict::Warn, evidence, plain(t::HOST_NEXT))
    }
}

fn certificate(config: &Config, now: Timestamp) -> Step {
    if config.planner.lacks_certificate() {
        return Step::new(
            t::CERTIFICATE,
            Verdict::Fail,
            plain(t::CERTIFICATE_NEEDED),
            plain(t::CERTIFICATE_NONE_NEXT),
        );
    }
    if config.planner.client_certificate.is_none() {
        return Step::new(
            t::CERTIFICATE,
            Verdict::Warn,
            plain(t::CERTIFICATE_NONE),
            plain(t::CERTIFICATE_NONE_NEXT),
        );
    }
    let watched = match config.planner.tls().open(now) {
        Ok(live) => live.watched(),
        Err(error) => {
            return Step::new(
                t::CERTIFICATE,
                Verdict::Fail,
                said(t::CERTIFICATE_BROKEN, [("why", telemetry::chain(&error).to_string())]),
                plain(t::CERTIFICATE_NEXT),
            );
        }
    };
    // the one that ends first
    let Some(first) = watched.iter().min_by_key(|one| one.facts.not_after) else {
        return Step::open(t::CERTIFICATE, plain(t::CERTIFICATE_NONE));
    };
    let evidence = said(
        t::CERTIFICATE_OK,
        [
            ("subject", first.facts.subject.clone()),
            ("end", moment(first.facts.not_after)),
            ("days", first.facts.days_left(now).to_string()),
        ],
    );
    match ExpiryStep::of(first.facts.left(now)) {
        None => Step::ok(t::CERTIFICATE, evidence),
        Some(ExpiryStep::Expired) => {
            Step::new(t::CERTIFICATE, Verdict::Fail, evidence, plain(t::CERTIFICATE_RENEW))
        }
        Some(_) => Step::new(t::CERTIFICATE, Verdict::Warn, evidence, plain(t::CERTIFICATE_RENEW)),
    }
}

fn database_steps(database: &Result<DatabaseFacts, StoreError>) -> [Step; 3] {
    let found = match database {
        Ok(found) => found,
        Err(error) => {
            let why = telemetry::chain(error).to_string();
            let open = |title| Step::open(title, plain(t::UNKNOWN_WITHOUT_DATABASE));
            return [
                Step::new(
                    t::DATABASE,
                    Verdict::Fail,
                    said(t::DATABASE_AWAY, [("why", why)]),
                    plain(t::DATABASE_NEXT),
                ),
                open(t::SCHEMA),
                open(t::RIGHTS),
            ];
        }
    };
    let there = said(
        t::DATABASE_OK,
        [("version", found.version.clone()), ("ms", found.answer.as_millis().to_string())],
    );
    let schema = if found.missing.is_empty() {
        Step::ok(t::SCHEMA, plain(t::SCHEMA_OK))
    } else {
        let lacks = said(t::SCHEMA_LACKS, [("names", found.missing.join(", "))]);
        Step::new(t::SCHEMA, Verdict::Fail, lacks, plain(t::SCHEMA_NEXT))
    };
    [Step::ok(t::DATABASE, there), schema, rights(found)]
}

fn rights(found: &DatabaseFacts) -> Step {
    let user = ("user", found.user.clone());
    if !found.forbidden.is_empty() {
        let lack = said(t::RIGHTS_LACK, [user, ("tables", found.forbidden.join(", "))]);
        return Step::new(t::RIGHTS, Verdict::Fail, lack, plain(t::RIGHTS_NEXT));
    }
    if found.owner {
        return Step::new(
            t::RIGHTS,
            Verdict::Warn,
            said(t::RIGHTS_OWNER, [user]),
            plain(t::RIGHTS_OWNER_NEXT),
        );
    }
    Step::ok(t::RIGHTS, said(t::RIGHTS_OK, [user]))
}

fn registered() -> Step {
    let units = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"]
        .map(|folder| Path::new(folder).join("kommuneklient.service"));
    let unit = units.into_iter().find(|unit| unit.exists());
    let pod = std::env::var("KUBERNETES_SERVICE_HOST").is_ok().then(|| "Kubernetes".to_owned());
    match unit.map(|unit| unit.display().to_string()).or(pod) {
        Some(place) => Step::ok(t::REGISTERED, said(t::REGISTERED_OK, [("where", place)])),
        None => Step::new(t::REGISTERED, Verdict::Ask, plain(t::REGISTERED_ASK), plain(t::REGISTERED_NEXT)),
    }
}

fn user() -> Step {
    let uid = rustix::process::geteuid();
    let name = crate::cli::operators::Who::SESSION.name();
    let evidence = said(t::USER_IS, [("user", format!("{name} ({})", uid.as_raw()))]);
    if uid.is_root() {
        Step::new(t::USER, Verdict::Warn, evidence, plain(t::USER_NEXT))
    } else {
        Step::ok(t::USER, evidence)
    }
}

async fn log(config: &Config, store: &Store, readable: bool) -> Step {
    let format = match config.telemetry.log_format {
        LogFormat::Json => "json",
        LogFormat::Text => "text",
    };
    let count = if readable { store.events_of_last_day().await.ok() } else { None };
    let count = count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    Step::ok(t::LOG, said(t::LOG_IS, [("format", format.to_owned()), ("count", count)]))
}

fn configured(config: &Config) -> Step {
    if let Err(error) = config.for_run() {
        let what = telemetry::chain(&error).to_string();
        return Step::new(
            t::CONFIGURED,
            Verdict::Fail,
            said(t::CONFIGURED_WARN, [("what", what)]),
            plain(t::CONFIGURED_NEXT),
        );
    }
    let warnings = config.warnings();
    if warnings.is_empty() {
        return Step::ok(t::CONFIGURED, plain(t::CONFIGURED_OK));
    }
    let what = said(t::CONFIGURED_WARN, [("what", warnings.join("; "))]);
    Step::new(t::CONFIGURED, Verdict::Warn, what, plain(t::CONFIGURED_NEXT))
}

fn started(work: Option<&Work>) -> Step {
    let Some(work) = work else {
        return Step::open(t::STARTED, plain(t::UNKNOWN_WITHOUT_DATABASE));
    };
    let still = stopped(work);
    match work.queues.resource_list_fetched_at {
        Some(at) if still.is_empty() => Step::ok(t::STARTED, said(t::STARTED_OK, [("at", moment(at))])),
        _ => {
            let evidence = if still.is_empty() {
                plain(t::STARTED_NO_LIST)
            } else {
                said(t::STARTED_NOT, [("stages", still.join(", "))])
            };
            Step::new(t::STARTED, Verdict::Fail, evidence, plain(t::STARTED_NEXT))
        }
    }
}

fn exchange_url(config: &Config) -> Option<&Url> {
    config.exchange.autodiscover_url.as_ref().or(config.exchange.service_url.as_ref())
}

async fn reached(title: Text, url: Option<&Url>, offline: bool) -> Step {
    let Some(url) = url else { return Step::open(title, plain(t::NO_ADDRESS)) };
    if offline {
        return Step::open(title, plain(t::NOT_TRIED));
    }
    match host::reach(url).await {
        Ok(address) => Step::ok(title, said(t::REACHED, [("address", address)])),
        Err((address, why)) => Step::new(
            title,
            Verdict::Fail,
            said(t::NOT_REACHED, [("address", address), ("why", why)]),
            plain(t::REACH_NEXT),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    /// Only who talks to a simulator needs no certificate.
    #[test]
    fn https_to_planner_needs_a_certificate() {
        let verdict = |text: &str| {
            let config = Config::parse(Path::new("x.toml"), text, []).unwrap();
            let step = certificate(&config, Timestamp::UNIX_EPOCH);
            (step.verdict, step.next.map(|next| next.words(Language::En)).unwrap_or_default())
        };
        let (failed, next) = verdict("[planner]\nservice_url = \"https://planner.example/x\"\n");
        assert_eq!(failed, Verdict::Fail);
        assert!(next.starts_with("set planner.client_certificate"), "{next}");
        assert_eq!(verdict("[planner]\nservice_url = \"http://127.0.0.1:1/x\"\n").0, Verdict::Warn);
    }
}
