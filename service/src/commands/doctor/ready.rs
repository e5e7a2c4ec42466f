//! Is the installation ready? The steps of appendix G, in their order, and two of ours.

use std::path::Path;

use base::{Clock as _, SystemClock};
use jiff::Timestamp;
use store::Store;
use store::inspect::{DatabaseFacts, Work};
use url::Url;

use super::super::show::moment;
use super::super::users;
use super::calls::{self, Known};
use super::host::{self, Host, Proxies};
use super::{Absent, Said, Step, Verdict, account, certificate, plain, said};
use crate::commands::status::stopped;
use crate::config::{Config, LOG_FILE, LogFormat, Problem, Remark};
use crate::texts::Text;
use crate::texts::doctor as t;
use crate::{ServiceError, accounts};

/// All steps; those that need the database are open where there is none.
pub(super) async fn steps(config: &Config, store: Result<&Store, Absent>, offline: bool) -> Vec<Step> {
    let database = match &store {
        Ok(store) => store.database_facts().await.map_err(|error| Absent::of(&error)),
        Err(absent) => Err(absent.clone()),
    };
    let store = store.ok();
    let work = match (&database, store) {
        (Ok(found), Some(store)) if found.missing.is_empty() => store.work().await.ok(),
        _ => None,
    };
    let stored = match (&work, store) {
        (Some(_), Some(store)) => accounts::load(store, config.secrets.ring(), None).await.ok(),
        _ => None,
    };
    let calls = match (&work, store) {
        (Some(work), Some(store)) => Known::of(store, work).await.ok(),
        _ => None,
    };
    // where not all could be asked, nothing of it is known
    let work = work.filter(|_| calls.is_some());
    let calls = calls.as_ref();
    let answered = work.as_ref().and_then(|work| work.queues.resource_list_fetched_at);
    let known = work.as_ref().zip(calls).ok_or(unknown(&database));
    let now = SystemClock.now();
    let mut steps = vec![
        agreement(answered),
        ordered(config),
        approved(answered),
        account::step(config, known, stored.as_ref()),
        machine(&Host::here(&config.database.data_dir)),
        Step::ok(t::PROGRAM, said(t::PROGRAM_IS, [("version", env!("CARGO_PKG_VERSION").to_owned())])),
        certificate::step(config, now),
    ];
    steps.extend(database_steps(&database));
    steps.push(registered());
    steps.push(user());
    steps.push(log(config, store.filter(|_| work.is_some())).await);
    steps.push(configured(config, now));
    steps.push(started(known.map(|(work, _)| work)));
    let proxies = Proxies::to_exchange(&config.exchange.authentication());
    let way = host::reach(exchange_url(config), &proxies, offline).await;
    steps.push(calls::exchange(t::EXCHANGE, way, calls));
    let planner = config.planner.service_url.as_ref();
    let way = host::reach(planner, &Proxies::to_planner(planner), offline).await;
    steps.push(calls::planner(t::PLANNER, way, calls));
    steps
}

/// Why the stages and what they work with cannot be told.
fn unknown(database: &Result<DatabaseFacts, Absent>) -> Text {
    match database {
        Ok(found) if !found.missing.is_empty() => t::UNKNOWN_WITHOUT_SCHEMA,
        _ => t::UNKNOWN_WITHOUT_DATABASE,
    }
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

fn database_steps(database: &Result<DatabaseFacts, Absent>) -> [Step; 3] {
    let found = match database {
        Ok(found) => found,
        Err(absent) => {
            let (evidence, next) = match absent {
                Absent::NotMade(folder) => {
                    (said(t::DATABASE_NOT_MADE, [("folder", folder.clone())]), t::DATABASE_NOT_MADE_NEXT)
                }
                Absent::Unusable(why) => (said(t::DATABASE_AWAY, [("why", why.clone())]), t::DATABASE_NEXT),
            };
            let open = |title| Step::open(title, plain(t::UNKNOWN_WITHOUT_DATABASE));
            let failed = Step::new(t::DATABASE, Verdict::Fail, evidence, plain(next));
            return [failed, open(t::SCHEMA), open(t::RIGHTS)];
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
    if found.tables == 0 {
        return Step::open(t::RIGHTS, plain(t::RIGHTS_NO_TABLES));
    }
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
    let number = uid.as_raw();
    let name = users::name_of(number);
    let user = name.map_or_else(|| format!("uid {number}"), |name| format!("{name} ({number})"));
    let evidence = said(t::USER_IS, [("user", user)]);
    if uid.is_root() {
        Step::new(t::USER, Verdict::Warn, evidence, plain(t::USER_NEXT))
    } else {
        Step::ok(t::USER, evidence)
    }
}

async fn log(config: &Config, readable: Option<&Store>) -> Step {
    let format = match config.telemetry.log_format {
        LogFormat::Json => "json",
        LogFormat::Text => "text",
    };
    let place = match &config.telemetry.log_file {
        None => plain(t::LOG_STDERR),
        Some(file) => said(t::LOG_FILE, [("file", file.display().to_string())]),
    };
    if let Some(why) = log_fault(config) {
        let evidence = plain(t::LOG_NOT).with("place", place).with("why", why);
        return Step::new(t::LOG, Verdict::Fail, evidence, plain(t::LOG_NEXT));
    }
    let count = match readable {
        Some(store) => store.events_of_last_day().await.ok(),
        None => None,
    };
    let format = ("format", format.to_owned());
    let evidence = match count {
        Some(count) => said(t::LOG_IS, [format, ("count", count.to_string())]),
        None => said(t::LOG_IS_ALONE, [format]),
    };
    Step::ok(t::LOG, evidence.with("place", place))
}

/// Why the log file cannot be written by whoever asks, if so.
fn log_fault(config: &Config) -> Option<Said> {
    let (text, values) = config.telemetry.log_file_fault()?;
    Some(Said { text, values, words: Vec::new() })
}

/// As `config check` judges it: with the files that it names.
pub(super) fn configured(config: &Config, now: Timestamp) -> Step {
    let judged = config.usable(now).map(warned);
    let (verdict, evidence) = match judged {
        Ok(None) => return Step::ok(t::CONFIGURED, plain(t::CONFIGURED_OK)),
        Ok(Some(what)) => (Verdict::Warn, what),
        Err(error) => (Verdict::Fail, unusable(config, &error)),
    };
    Step::new(t::CONFIGURED, verdict, evidence, plain(t::CONFIGURED_NEXT))
}

/// Why the configuration is refused, one reason after the other.
fn unusable(config: &Config, error: &ServiceError) -> Said {
    let whole = || said(t::CONFIGURED_WARN, [("what", telemetry::chain(error).to_string())]);
    let ServiceError::Configuration { file, problems } = error else { return whole() };
    let problem = |one: &Problem| match log_fault(config) {
        Some(why) if one.key == LOG_FILE => {
            let values = [("place", one.place.clone()), ("key", one.key.clone())];
            said(t::CONFIGURED_PROBLEM, values).with("why", why)
        }
        _ => said(t::CONFIGURED_WARN, [("what", one.to_string())]),
    };
    match problems.iter().map(problem).reduce(both) {
        Some(all) => {
            said(t::CONFIGURED_UNUSABLE, [("file", file.display().to_string())]).with("problems", all)
        }
        None => whole(),
    }
}

/// One after the other.
pub(super) fn both(all: Said, one: Said) -> Said {
    plain(t::CONFIGURED_BOTH).with("first", all).with("then", one)
}

/// What is to be looked at in the configuration, one after the other.
fn warned(remarks: Vec<Remark>) -> Option<Said> {
    remarks.into_iter().map(|(text, values)| Said { text, values, words: Vec::new() }).reduce(both)
}

fn started(work: Result<&Work, Text>) -> Step {
    let work = match work {
        Ok(work) => work,
        Err(unknown) => return Step::open(t::STARTED, plain(unknown)),
    };
    let still = stopped(work);
    match work.queues.resource_list_fetched_at {
        Some(at) if still.is_empty() => Step::ok(t::STARTED, said(t::STARTED_OK, [("at", moment(at))])),
        _ => {
            let evidence = if still.is_empty() {
                plain(t::STARTED_NO_LIST)
            } else {
                plain(t::STARTED_NOT).with_all("stages", still.into_iter().map(plain).collect())
            };
            Step::new(t::STARTED, Verdict::Fail, evidence, plain(t::STARTED_NEXT))
        }
    }
}

/// Where Exchange, or what tells of it, is looked for.
pub(super) fn exchange_url(config: &Config) -> Option<&Url> {
    config.exchange.autodiscover_url.as_ref().or(config.exchange.service_url.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[tokio::test]
    async fn without_a_database_the_other_steps_are_gone_through() {
        let config = Config::parse(Path::new("x.toml"), "[database]\nurl = \"embedded\"\n", []).unwrap();
        let steps = steps(&config, Err(Absent::NotMade("/var/lib/x".into())), true).await;
        let of = |title: Text| steps.iter().find(|step| step.title == title).unwrap();
        let database = of(t::DATABASE);
        assert_eq!(database.verdict, Verdict::Fail);
        assert!(database.evidence.words(Language::En).contains("no database in /var/lib/x"));
        let next = database.next.as_ref().unwrap().words(Language::En);
        // who starts the service first has everybody read before there is a whitelist
        assert!(next.contains("kommuneklient migrate") && !next.contains("kommuneklient run"), "{next}");
        for title in [t::ACCOUNT, t::SCHEMA, t::RIGHTS, t::STARTED] {
            assert_eq!(of(title).verdict, Verdict::Open, "{}", title.en);
        }
        assert_eq!((of(t::PROGRAM).verdict, of(t::CERTIFICATE).verdict), (Verdict::Ok, Verdict::Warn));
    }

    /// Each warning once, in the language of whoever asks.
    #[test]
    fn what_is_to_be_looked_at_in_the_configuration_is_told_in_both_languages() {
        let text = "[planner]\ndry_run = true\n[exchange]\nservice_url = \"http://mail.example.dk/x\"\n";
        let config = Config::parse(Path::new("x.toml"), text, []).unwrap();
        let english = "exchange.service_url is plain http: the password of the service account crosses the network \
                       unencrypted; planner.dry_run is true: everything is decided and compared, nothing is sent";
        assert_eq!(config.warnings().join("; "), english);
        let told = warned(config.remarks()).unwrap();
        assert_eq!(told.words(Language::En), english);
        let danish = told.words(Language::Da);
        assert!(danish.contains("; planner.dry_run er true: alt afgøres og sammenlignes"), "{danish}");
        assert_eq!(config.warnings_in(Language::Da).join("; "), danish);
    }

    /// Whether the log can be written is tried where it is to go, and said with that place.
    #[tokio::test]
    async fn the_log_is_judged_where_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (there, new) = (folder.path().join("there.log"), folder.path().join("new.log"));
        std::fs::write(&there, "kept").unwrap();
        let to = |key: &str| Config::parse(Path::new("x.toml"), &format!("[telemetry]\n{key}"), []).unwrap();
        let to_file = |file: &Path| to(&format!("log_file = {:?}\n", file.to_str().unwrap()));
        let usual = log(&to(""), None).await;
        assert_eq!(usual.verdict, Verdict::Ok);
        // regression: how many events were recorded was told as "?" before there was a table of them
        for (language, end) in [(Language::En, "to application_log"), (Language::Da, "til application_log")] {
            let said = usual.evidence.words(language);
            assert!(said.ends_with(end) && !said.contains('?'), "{said}");
        }
        assert!(
            usual.evidence.words(Language::En).starts_with("to standard error (with systemd"),
            "{usual:?}"
        );
        assert!(
            usual.evidence.words(Language::Da).starts_with("til standard error (med systemd"),
            "{usual:?}"
        );
        for file in [&there, &new] {
            let written = log(&to_file(file), None).await;
            assert_eq!(written.verdict, Verdict::Ok, "{written:?}");
            let words = written.evidence.words(Language::En);
            assert!(
                words.starts_with(&format!("to {} (telemetry.log_file), as text", file.display())),
                "{words}"
            );
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().path()).collect();
        assert_eq!(left, std::slice::from_ref(&there), "a look leaves nothing behind");
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "kept");
        // nobody makes a file in /proc, also who has all rights there
        for (file, english, danish) in [
            (
                Path::new("/nowhere/x/kk.log"),
                "the folder /nowhere/x cannot be used (",
                "mappen /nowhere/x kan ikke bruges (",
            ),
            (
                Path::new("/proc/kk.log"),
                "this user can make no file in /proc (",
                "denne bruger kan ikke oprette filer i /proc (",
            ),
        ] {
            let config = to_file(file);
            let (failed, refused) = (log(&config, None).await, configured(&config, SystemClock.now()));
            assert_eq!((failed.verdict, refused.verdict), (Verdict::Fail, Verdict::Fail), "{failed:?}");
            let place = file.display();
            let said = failed.evidence.words(Language::En);
            assert!(said.starts_with(&format!("to {place} (telemetry.log_file): {english}")), "{said}");
            let said = failed.evidence.words(Language::Da);
            assert!(said.starts_with(&format!("til {place} (telemetry.log_file): {danish}")), "{said}");
            let said = refused.evidence.words(Language::En);
            assert!(said.starts_with("the configuration x.toml cannot be used: "), "{said}");
            assert!(said.contains(&format!("x.toml:2: telemetry.log_file: {english}")), "{said}");
            let said = refused.evidence.words(Language::Da);
            assert!(said.starts_with("konfigurationen x.toml kan ikke bruges: "), "{said}");
            assert!(said.contains(&format!("x.toml:2: telemetry.log_file: {danish}")), "{said}");
        }
    }

    #[test]
    fn rights_on_no_tables_are_not_judged() {
        let mut found = DatabaseFacts {
            version: "16".into(),
            user: "kim".into(),
            answer: std::time::Duration::ZERO,
            missing: vec!["V1__init".into()],
            tables: 0,
            forbidden: Vec::new(),
            owner: false,
        };
        let [_, schema, rights] = database_steps(&Ok(found.clone()));
        // the database is there
        let open = started(Err(unknown(&Ok(found.clone()))));
        assert_eq!(open.verdict, Verdict::Open);
        assert!(open.evidence.words(Language::En).contains("kommuneklient migrate"), "{open:?}");
        assert_eq!((schema.verdict, rights.verdict), (Verdict::Fail, Verdict::Open));
        assert!(rights.evidence.words(Language::En).contains("no tables yet"));
        found.tables = 1;
        assert_eq!(super::rights(&found).verdict, Verdict::Ok);
    }
}
