//! Which value each key gets, what is left to people, and where the services disagree. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use toml::Value;

use super::rest::shown as shown_text;
use super::source::{self, Connection, Endpoint, Source};
use super::{File, convert, name_of, render};
use crate::ServiceError;
use crate::config::original::{self, Fate, Kind, OldService, OldSetting, SETTINGS};
use crate::config::{Config, ExchangeConfig, nearest};

mod elsewhere;

/// The connection string of the original.
const DATABASE: &str = "ECSClientExchangeDbEntities";
/// Rounds in which the result is read back: each takes at least one value out.
const ROUNDS_MAX: usize = 64;

/// A value that was taken over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Carried {
    /// Our key.
    pub(crate) key: &'static str,
    /// Its value.
    #[serde(serialize_with = "shown")]
    pub(crate) value: Value,
    /// The original's names, with the services that had them.
    pub(crate) from: Vec<String>,
    /// What should be known about it.
    pub(crate) note: Option<String>,
}

fn shown<S: serde::Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    value.serialize(serializer)
}

/// Something that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Left {
    /// The key that it concerns, if any.
    pub(crate) key: Option<&'static str>,
    /// The original's name, with the services that had it.
    pub(crate) from: String,
    /// Why, and what to do.
    pub(crate) reason: String,
}

/// A setting that the services have different values for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Disagreement {
    /// Our key; `None` = it is left to people.
    pub(crate) key: Option<&'static str>,
    /// The original's name.
    pub(crate) name: String,
    /// Each service (or file) with its value.
    pub(crate) values: Vec<Said>,
    /// What was taken, and why.
    pub(crate) taken: String,
}

/// What one service says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    /// The service, or the file where that cannot be told.
    pub(crate) whose: String,
    /// Its value.
    pub(crate) value: String,
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileTold {
    /// Its name.
    pub(crate) file: String,
    /// Whose it is.
    pub(crate) service: Option<OldService>,
    /// Settings in it.
    pub(crate) settings: usize,
}

/// The whole import.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// The files.
    pub(crate) files: Vec<FileTold>,
    /// Values that were taken over, in the order of the table.
    pub(crate) carried: Vec<Carried>,
    /// What was not.
    pub(crate) left: Vec<Left>,
    /// Where the services disagree.
    pub(crate) disagreements: Vec<Disagreement>,
    /// Names of settings that nobody knows.
    pub(crate) unknown: Vec<String>,
    /// What should be looked at before the first start.
    pub(crate) warnings: Vec<String>,
    /// The configuration.
    pub(crate) toml: String,
}

/// A value as one file gave it.
struct Given {
    /// The service, or the file where that cannot be told.
    whose: String,
    name: String,
    value: Value,
}

/// The names of settings in this file that no service has.
pub(super) fn unknown_settings(source: &Source) -> Vec<String> {
    let unknown = source.settings.iter().filter(|setting| original::named(&setting.name).next().is_none());
    unknown.map(|setting| setting.name.chars().take(80).collect()).collect()
}

/// A name with the nearest known one.
pub(super) fn with_nearest(name: &str) -> String {
    match nearest(name, SETTINGS.iter().map(|setting| setting.name)) {
        Some(known) => format!("{name} (did you mean {known}?)"),
        None => name.to_owned(),
    }
}

/// Is this the original's own database?
pub(super) fn is_the_database(connection: &Connection) -> bool {
    connection.name.eq_ignore_ascii_case(DATABASE)
}

/// The endpoint of Planner among those that the file names.
pub(super) fn planner_endpoint(source: &Source) -> Option<&Endpoint> {
    source.endpoints.iter().find(|endpoint| source::is_planner(&endpoint.contract, &endpoint.address))
}

/// Whose file this is: by the settings that only one service has, then by the file's name.
pub(super) fn service_of(source: &Source, file: &str) -> Option<OldService> {
    let mut votes: BTreeMap<OldService, usize> = BTreeMap::new();
    for setting in &source.settings {
        let services: BTreeSet<OldService> =
            original::named(&setting.name).flat_map(|one| one.services.iter().copied()).collect();
        if let (1, Some(service)) = (services.len(), services.first()) {
            *votes.entry(*service).or_default() += 1;
        }
    }
    if planner_endpoint(source).is_some() {
        *votes.entry(OldService::Pcs).or_default() += 1;
    }
    let most = votes.values().max().copied().unwrap_or_default();
    let mut first = votes.iter().filter(|(_, count)| **count == most).map(|(service, _)| *service);
    match (first.next(), first.next()) {
        (Some(service), None) => Some(service),
        _ => {
            let file = file.to_lowercase();
            let named = |words: &[&str]| words.iter().any(|word| file.contains(word));
            let known = [
                (OldService::Els, &["els", "listener"][..]),
                (OldService::Eps, &["eps", "processing", "qualifier"]),
                (OldService::Pcs, &["pcs", "planner", "communication"]),
            ];
            known.into_iter().find(|(_, words)| named(words)).map(|(service, _)| service)
        }
    }
}

/// Everything that the files say, in our words.
pub(super) fn carry(files: &[File]) -> Outcome {
    let mut carrying = Carrying::default();
    for file in files {
        carrying.take(file);
    }
    let mut outcome = carrying.decided();
    outcome.files = files
        .iter()
        .map(|file| FileTold {
            file: name_of(&file.path),
            service: file.service,
            settings: file.source.settings.len(),
        })
        .collect();
    outcome.unknown = files.iter().flat_map(|file| unknown_settings(&file.source)).collect();
    for name in &outcome.unknown {
        let reason =
            "the original has no such setting; its value is not shown, since it may be secret".to_owned();
        outcome.left.push(Left { key: None, from: name.clone(), reason });
    }
    read_back(&mut outcome);
    outcome.left.sort();
    outcome.left.dedup();
    outcome.toml = render::toml(&outcome);
    outcome
}

/// What is known while the files are gone through.
#[derive(Default)]
struct Carrying {
    given: BTreeMap<&'static str, Vec<Given>>,
    /// What is left, by key, name and reason: whose it is.
    left: BTreeMap<(Option<&'static str>, String, String), BTreeSet<String>>,
    databases: BTreeMap<String, String>,
    warnings: BTreeSet<String>,
}

impl Carrying {
    fn take(&mut self, file: &File) {
        let whose = file.service.map_or_else(|| name_of(&file.path), |service| service.to_string());
        for one in &file.source.settings {
            let mut known: Vec<&'static OldSetting> = original::named(&one.name).collect();
            if let Some(service) = file.service
                && known.iter().any(|setting| setting.services.contains(&service))
            {
                known.retain(|setting| setting.services.contains(&service));
            }
            match known[..] {
                [setting] => self.setting(&whose, &one.name, setting, &one.value),
                [] => {}
                _ => {
                    let reason =
                        "two services have it with different meanings, and whose file this is cannot be told";
                    let says = says(&one.name, one.value.expose_secret());
                    self.leave(&whose, None, &one.name, &format!("{reason}{says}"));
                }
            }
        }
        self.elsewhere(file, &whose);
    }

    fn setting(&mut self, whose: &str, name: &str, setting: &'static OldSetting, value: &SecretString) {
        let is_set = !value.expose_secret().is_empty();
        match setting.fate {
            Fate::Nothing(reason) => {
                let says = says(name, value.expose_secret());
                self.leave(whose, None, name, &format!("{reason}{says}"));
            }
            Fate::ByHand(key, reason) if is_set => self.leave(whose, Some(key), name, reason),
            Fate::Key(key) if is_set && setting.kind != Kind::Secret => {
                self.take_over(whose, key, name, value.expose_secret(), |text| {
                    convert::value(setting.kind, text)
                });
            }
            Fate::ByHand(..) | Fate::Key(_) => {}
        }
    }

    /// A value that may be no value of ours: then it is left, and shown.
    fn take_over(
        &mut self,
        whose: &str,
        key: &'static str,
        name: &str,
        text: &str,
        converted: impl FnOnce(&str) -> Result<Value, String>,
    ) {
        match converted(text) {
            Ok(value) => self.give(whose, key, name, value),
            Err(reason) => self.leave(whose, Some(key), name, &format!("{reason}{}", says(name, text))),
        }
    }

    /// A value; those that have no effect here are left at once.
    fn give(&mut self, whose: &str, key: &'static str, name: &str, value: Value) {
        let refused = match (key, &value) {
            ("exchange.use_default_credentials", Value::Boolean(true)) => Some(original::WINDOWS),
            ("exchange.enable_scp_lookup", Value::Boolean(true)) => Some(original::DIRECTORY),
            _ => None,
        };
        if let Some(reason) = refused {
            return self.leave(whose, Some(key), &format!("{name} = True"), reason);
        }
        self.given.entry(key).or_default().push(Given {
            whose: whose.to_owned(),
            name: name.to_owned(),
            value,
        });
    }

    fn leave(&mut self, whose: &str, key: Option<&'static str>, name: &str, reason: &str) {
        let one = (key, name.to_owned(), reason.to_owned());
        self.left.entry(one).or_default().insert(whose.to_owned());
    }

    /// Keys that some services give a value for and others one that cannot be carried over.
    fn one_sided(&self) -> Vec<Disagreement> {
        let of =
            |((key, name, reason), whose): (&(Option<&'static str>, String, String), &BTreeSet<String>)| {
                let key = (*key)?;
                let given = self.given.get(key).filter(|given| !given.is_empty())?;
                let said =
                    given.iter().map(|one| Said { whose: one.whose.clone(), value: one.value.to_string() });
                let left =
                    whose.iter().map(|whose| Said { whose: whose.clone(), value: format!("left: {reason}") });
                let taken = given.first().map(|one| one.value.to_string()).unwrap_or_default();
                Some(Disagreement {
                    key: Some(key),
                    name: name.clone(),
                    values: said.chain(left).collect(),
                    taken: format!("{taken}, which is all that can be carried over"),
                })
            };
        self.left.iter().filter_map(of).collect()
    }

    /// One value for each key.
    fn decided(mut self) -> Outcome {
        let (mut carried, mut disagreements) = (Vec::new(), self.one_sided());
        for (key, given) in std::mem::take(&mut self.given) {
            let decided = decide(key, given);
            carried.push(decided.0);
            disagreements.extend(decided.1);
        }
        carried.sort_by_key(|one| render::place_of(one.key));
        let distinct: BTreeSet<&String> = self.databases.values().collect();
        if distinct.len() > 1 {
            disagreements.push(Disagreement {
                key: Some("database.url"),
                name: format!("connectionStrings/{DATABASE}"),
                values: self.databases.into_iter().map(|(whose, value)| Said { whose, value }).collect(),
                taken: "none: all parts of Kommuneklient share one database".to_owned(),
            });
        }
        warn(&carried, &mut self.warnings);
        let left = self.left.into_iter().map(|((key, name, reason), whose)| Left {
            key,
            from: format!("{name} ({})", whose.into_iter().collect::<Vec<_>>().join(", ")),
            reason,
        });
        Outcome {
            files: Vec::new(),
            carried,
            left: left.collect(),
            disagreements,
            unknown: Vec::new(),
            warnings: self.warnings.into_iter().collect(),
            toml: String::new(),
        }
    }
}

/// What the file says, for the reason why it is left.
fn says(name: &str, text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    format!(" (the file says {})", shown_text(name, text))
}

/// The value of one key, and whether the services disagree about it.
fn decide(key: &'static str, given: Vec<Given>) -> (Carried, Option<Disagreement>) {
    let mut from: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in &given {
        let whose = from.entry(&one.name).or_default();
        if !whose.contains(&one.whose.as_str()) {
            whose.push(&one.whose);
        }
    }
    let from: Vec<String> =
        from.into_iter().map(|(name, whose)| format!("{name} ({})", whose.join(", "))).collect();
    let number = |one: &&Given| one.value.as_integer().unwrap_or_default();
    let loudness = |one: &&Given| one.value.as_str().map_or(0, convert::loudness);
    let (chosen, why) = match key {
        "exchange.simultaneous_calls" => (
            given.iter().max_by_key(number),
            "the largest: one number bounds the calls of all stages here, and a call is a connection",
        ),
        "telemetry.log_filter" => (given.iter().max_by_key(loudness), "the most detailed"),
        _ => (given.first(), "that of the first service in the order ELS, EPS, PCS"),
    };
    let value = chosen.or(given.first()).map_or(Value::Boolean(false), |one| one.value.clone());
    let differ = given.iter().any(|one| one.value != value);
    let names: BTreeSet<&str> = given.iter().map(|one| one.name.as_str()).collect();
    let disagreement = differ.then(|| Disagreement {
        key: Some(key),
        name: names.into_iter().collect::<Vec<_>>().join(", "),
        values: given
            .iter()
            .map(|one| Said { whose: one.whose.clone(), value: one.value.to_string() })
            .collect(),
        taken: format!("{value}, {why}"),
    });
    let mut notes: Vec<String> = disagreement
        .iter()
        .map(|one| format!("the services disagree ({}); taken: {why}", said(&one.values)))
        .collect();
    notes.extend(swapped(key).map(str::to_owned));
    let value = capped(key, value, &mut notes);
    notes.extend(many_calls(key, &value));
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    (Carried { key, value, from, note }, disagreement)
}

/// Who says what.
pub(super) fn said(values: &[Said]) -> String {
    values.iter().map(|said| format!("{} {}", said.whose, said.value)).collect::<Vec<_>>().join(", ")
}

/// Most calls to Planner at a time that the original made, whatever its settings said.
const PLANNER_CALLS_MAX: i64 = 10;
/// Most calls to Exchange at a time that the rules of `exchange.simultaneous_calls` allow.
const EXCHANGE_CALLS_MAX: usize = 100;
/// Appointments a call that Planner's agreement allows (B9).
const PLANNER_EVENTS_MAX: i64 = 20;

/// The value that the original went by, where it did not go by what its settings said.
fn capped(key: &str, value: Value, notes: &mut Vec<String>) -> Value {
    match value.as_integer() {
        Some(calls) if key == "planner.simultaneous_calls" && calls > PLANNER_CALLS_MAX => {
            notes.push(format!(
                "the file says {calls}, and the original never made more than {PLANNER_CALLS_MAX} calls at a time"
            ));
            Value::from(PLANNER_CALLS_MAX)
        }
        _ => value,
    }
}

/// What to know of more calls to Exchange at a time than is our default.
fn many_calls(key: &str, value: &Value) -> Option<String> {
    let (calls, ours) = (value.as_integer()?, ExchangeConfig::default().simultaneous_calls);
    // what the rules refuse is not taken over, and told by itself
    let is_more = usize::try_from(calls).is_ok_and(|calls| calls > ours && calls <= EXCHANGE_CALLS_MAX);
    (key == "exchange.simultaneous_calls" && is_more).then(|| {
        format!(
            "the default here is {ours}: Exchange's throttling policy allows an account 27 connections as a rule (EWSMaxConcurrency), which its \
             streams, other instances and other programs share, and {calls} calls could fill that; take this line out unless Exchange allows more"
        )
    })
}

/// What to know of the two limits whose names the original mixed up.
fn swapped(key: &str) -> Option<&'static str> {
    match key {
        "listener.subscription_groups_per_credential" => Some(
            "the original mixed up the names of its two limits of subscriptions: this one is how many groups (streams) a service account carries",
        ),
        "listener.mailboxes_per_subscription_group" => Some(
            "the original mixed up the names of its two limits of subscriptions: this one is how many mailboxes a group (stream) holds",
        ),
        _ => None,
    }
}

/// What works and still surprises.
fn warn(carried: &[Carried], warnings: &mut BTreeSet<String>) {
    let value = |key: &str| carried.iter().find(|one| one.key == key).map(|one| &one.value);
    if value("listener.deactivate_solving_of_group_affinity") == Some(&Value::Boolean(true)) {
        warnings.insert(
            "deactivate_solving_of_group_affinity is true: a new database holds no addresses of mailboxes, so none \
             is listened to until it was false for once"
                .to_owned(),
        );
    }
    if let Some(events) = value("planner.max_calendar_event_updates_per_call").and_then(Value::as_integer)
        && events > PLANNER_EVENTS_MAX
    {
        warnings.insert(format!(
            "max_calendar_event_updates_per_call is {events}: Planner's agreement allows {PLANNER_EVENTS_MAX} \
             appointments a call; ask Planner's support, or write {PLANNER_EVENTS_MAX}"
        ));
    }
    if let Some(calls) = value("exchange.simultaneous_calls")
        && let Some(note) = many_calls("exchange.simultaneous_calls", calls)
    {
        warnings.insert(format!("simultaneous_calls to Exchange is {calls}, as in the original: {note}"));
    }
    for one in carried.iter().filter(|one| one.key == "planner.simultaneous_calls") {
        if let Some(note) = one.note.as_ref().filter(|note| note.contains("never made more")) {
            warnings.insert(format!("simultaneous_calls to Planner is {}: {note}", one.value));
        }
    }
    if value("planner.request_user_identifier").and_then(Value::as_str).is_some_and(|id| id.contains("-FID:"))
    {
        warnings.insert(
            "request_user_identifier is that of an OCES2 certificate (CVR:…-FID:…); with an OCES3 certificate it is \
             CVR:…-UUID:…"
                .to_owned(),
        );
    }
    if value("exchange.service_url").is_none() {
        warnings.insert(
            "no address of Exchange was configured, so the original asked Autodiscover: write its address into \
             exchange.autodiscover_url"
                .to_owned(),
        );
    }
    if value("exchange.user").is_none() {
        warnings.insert(
            "no account was configured, so the original used its Windows identity: write an account into \
             exchange.user, with its password in a file"
                .to_owned(),
        );
    }
}

/// Reads the result with our own rules; what these refuse is left, with the reason.
fn read_back(outcome: &mut Outcome) {
    for _round in 0..ROUNDS_MAX {
        let text = render::values(&outcome.carried);
        let Err(error) = Config::parse(Path::new("import"), &text, []) else { return };
        let ServiceError::Configuration { problems, .. } = error else { return };
        let before = outcome.carried.len();
        for problem in problems.iter() {
            let key = problem.key.split('[').next().unwrap_or_default();
            let Some(place) = outcome.carried.iter().position(|one| one.key == key) else { continue };
            let one = outcome.carried.remove(place);
            let value = one.value.to_string();
            let is_said = problem.reason.contains(value.trim_matches('"'));
            let says = if is_said { String::new() } else { says(one.key, &value) };
            let reason = format!("it {}{says}", problem.reason);
            outcome.left.push(Left { key: Some(one.key), from: one.from.join(", "), reason });
        }
        if outcome.carried.len() == before {
            return;
        }
    }
}
