//! Goal: what the registry says of where codes are raised is so. Method: the sources of the workspace are searched for
//! the forms in which a code is raised, without tests and without the registry itself: its constant or its number behind
//! `event_id`, and the functions ([`CHOOSERS`]) that choose the code of an event.
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Folders of the workspace with sources of the product.
pub(super) const SOURCES: &[&str] = &[
    "base",
    "calendar",
    "supervision",
    "telemetry",
    "trust",
    "proto",
    "store",
    "connectors",
    "actors",
    "service",
];

pub(super) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources of the product, without tests: each file up to its unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(|name| workspace().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["tests", "benches", "codes", "target", "testing"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && !name.contains("tests") && name != "codes.rs" {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, without_tests(&text)));
            }
        }
    }
    assert!(files.len() > 100, "only {} files were found", files.len());
    files
}

/// What a module of tests in a file of its sources begins with; it stands last.
pub(super) const TEST_MODULE: &str = "#[cfg(test)]\nmod tests {";

/// The text without modules of tests and without comments.
fn without_tests(text: &str) -> String {
    let code = text.split(TEST_MODULE).next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn names() -> BTreeMap<&'static str, u16> {
    let tables = [
        LISTENER_NAMES,
        QUALIFIER_NAMES,
        COMMUNICATOR_NAMES,
        EXCHANGE_NAMES,
        PROCESS_NAMES,
        TRUST_NAMES,
        HTTP_NAMES,
    ];
    tables.into_iter().flatten().copied().collect()
}

/// A function or statement that chooses the code of an event which another line raises: every code in it that is not only
/// compared with counts as raised, as long as that line is there.
struct Chooser {
    /// From the root of the workspace.
    file: &'static str,
    /// What it begins with: a statement (`let`) goes to its semicolon, everything else to the end of its braces.
    begin: &'static str,
    /// What raises the code that was chosen, and the file with it; "" = the same.
    raised: (&'static str, &'static str),
}

const fn chooser(
    file: &'static str,
    begin: &'static str,
    raised_in: &'static str,
    raised_as: &'static str,
) -> Chooser {
    Chooser { file, begin, raised: (raised_in, raised_as) }
}

/// All of them. Everything else names the code where it is raised.
const CHOOSERS: &[Chooser] = &[
    chooser(
        "actors/affinity-group/src/round.rs",
        "fn why_uncovered(",
        "actors/affinity-group/src/listener.rs",
        "event_id = event.id",
    ),
    chooser("actors/affinity-group/src/round.rs", "fn tell_not_located(", "", "event_id = event.id"),
    chooser(
        "actors/comparison/src/error.rs",
        "fn event(",
        "actors/comparison/src/actor.rs",
        "event_id = error.event().id",
    ),
    chooser(
        "actors/mailbox-subscriber/src/actor.rs",
        "fn code_of_failure(",
        "",
        "event_id = code_of_failure(",
    ),
    chooser(
        "actors/mailbox-subscriber/src/actor.rs",
        "fn code_of_catch_up(",
        "",
        "event_id = code_of_catch_up(",
    ),
    chooser("actors/planner-batcher/src/look.rs", "let event = codes::", "", "event_id = event,"),
    chooser("actors/qualifier/src/full.rs", "let event = match decision", "", "event_id = event.id"),
    chooser("actors/qualifier/src/office.rs", "let code = if error.is_outage()", "", "event_id = code.id"),
    chooser(
        "actors/resource-list/src/error.rs",
        "fn event(",
        "actors/resource-list/src/actor.rs",
        "event_id = error.event().id",
    ),
    chooser("actors/resource-list/src/fetch.rs", "for (code, more) in", "", "event_id = code.id"),
    chooser(
        "connectors/planner/src/error.rs",
        "fn event(",
        "actors/planner-batcher/src/send.rs",
        "event_id = error.event().id",
    ),
    chooser("service/src/certificate_keeper.rs", "fn code_of(", "", "event_id = code.id"),
    chooser(
        "service/src/http/limits.rs",
        "fn code(self)",
        "service/src/http/server.rs",
        "event_id = code.id",
    ),
    chooser("service/src/run.rs", "fn tell_not_started(", "", "event_id = code.id"),
];

/// What stands before a code that is raised at once: in a macro of tracing, in a row of `application_log`, or as the first
/// argument of the one function that raises what it is given.
const RAISES: [&str; 3] = ["event_id =", "event_id:", "not_written("];

/// The codes (`codes::NAME`) in a text, each with what stands before it and after it.
fn named(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.match_indices("codes::").filter_map(|(at, marker)| {
        let rest = &text[at + marker.len()..];
        let end =
            rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let before = text[..at].trim_end_matches("calendar::").trim_end();
        (end > 0).then(|| (&rest[..end], before, rest[end..].trim_start()))
    })
}

/// Is it only compared with?
fn is_compared(before: &str, after: &str) -> bool {
    let after = after.strip_prefix(".id").unwrap_or(after).trim_start();
    ["==", "!="].iter().any(|sign| before.ends_with(sign) || after.starts_with(sign))
}

/// The statement, or the block up to the end of its outermost braces, with which `from` begins.
fn block(from: &str) -> &str {
    let is_statement = from.starts_with("let ");
    let mut depth = 0_usize;
    for (at, letter) in from.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' => {}
            _ => continue,
        }
        let ends = if is_statement { ';' } else { '}' };
        if depth == 0 && letter == ends {
            return &from[..at];
        }
    }
    from
}

/// The names of the codes that `chooser` chooses from, in the text of its file.
fn chosen<'a>(chooser: &Chooser, text: &'a str) -> Vec<&'a str> {
    let begin = text.find(chooser.begin);
    let begin = begin.unwrap_or_else(|| panic!("{}: no {:?}", chooser.file, chooser.begin));
    named(block(&text[begin..]))
        .filter(|(_, before, after)| !is_compared(before, after))
        .map(|(name, _, _)| name)
        .collect()
}

/// The codes that the sources raise, each with the files that do.
fn raised(sources: &[(PathBuf, String)]) -> BTreeMap<u16, BTreeSet<&Path>> {
    let names = names();
    let mut found: BTreeMap<u16, BTreeSet<&Path>> = BTreeMap::new();
    for (path, text) in sources {
        let at_once = named(text).filter(|(_, before, _)| RAISES.iter().any(|form| before.ends_with(form)));
        let mut here: Vec<&str> = at_once.map(|(name, _, _)| name).collect();
        for chooser in CHOOSERS.iter().filter(|chooser| path.ends_with(chooser.file)) {
            here.extend(chosen(chooser, text));
        }
        let ids = here.into_iter().filter_map(|name| names.get(name).copied());
        for id in ids.chain(numbers(text)) {
            found.entry(id).or_default().insert(path);
        }
    }
    found
}

/// Each place that chooses a code is there, chooses from some, and what it chooses is raised.
#[test]
fn what_chooses_a_code_is_followed_by_an_event() {
    let sources = sources();
    let names = names();
    let text = |file: &str| {
        let found = sources.iter().find(|(path, _)| path.ends_with(file));
        let (_, text) = found.unwrap_or_else(|| panic!("{file} is gone"));
        text
    };
    for chooser in CHOOSERS {
        let (file, line) = chooser.raised;
        let chosen = chosen(chooser, text(chooser.file));
        assert!(
            chosen.iter().any(|name| names.contains_key(name)),
            "{}: {:?} chooses nothing",
            chooser.file,
            chooser.begin
        );
        let raises = text(if file.is_empty() { chooser.file } else { file }).contains(line);
        assert!(raises, "{}: nothing raises what {:?} chooses", chooser.file, chooser.begin);
    }
}

/// A code that is only compared with, or handed to something that raises nothing, is not raised.
#[test]
fn only_what_leads_to_an_event_counts() {
    let of = |text: &str| {
        let sources = [(PathBuf::from("x.rs"), text.to_owned())];
        raised(&sources).into_keys().collect::<Vec<u16>>()
    };
    assert_eq!(of("tracing::warn!(event_id = codes::ZONE_UNKNOWN.id, \"x\");"), [9120]);
    assert_eq!(of("tracing::warn!(event_id = calendar::codes::ZONE_UNKNOWN.id);"), [9120]);
    assert_eq!(of("EventRow { event_id: codes::OPERATOR_ACTED.id }"), [OPERATOR_ACTED.id]);
    assert_eq!(of("not_written(codes::SUBSCRIBER_STATUS_WRITE_FAILED.id, &mailbox)"), [4927]);
    for text in [
        "alerts.any(|alert| alert.code == codes::ZONE_UNKNOWN.id)",
        "const THESE: [u16; 1] = [codes::ZONE_UNKNOWN.id];",
        "(codes::ZONE_UNKNOWN.id, matters.zones)",
        "let ZONE_UNKNOWN = 1;",
    ] {
        assert_eq!(of(text), [0; 0], "{text}");
    }
}

#[test]
fn each_code_is_raised_or_says_why_not() {
    let sources = sources();
    let raised = raised(&sources);
    let mut wrong = Vec::new();
    for (name, id) in names() {
        let entry = by_id(id).unwrap();
        match (entry.occurs, raised.get(&id)) {
            (Occurs::Here, None) => wrong.push(format!("{id} {name} is raised nowhere and does not say why")),
            (Occurs::ToldAs { .. } | Occurs::Never { .. }, Some(paths)) => {
                wrong.push(format!("{id} {name} is raised in {paths:?} and says that it is not"));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The words of a text: names of constants, numbers.
pub(super) fn words(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect()
}

/// The numbers that stand behind `event_id =` or `event_id:`.
fn numbers(text: &str) -> BTreeSet<u16> {
    let after = |marker: &'static str| text.split(marker).skip(1);
    let digits = |rest: &str| rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
    after("event_id =").chain(after("event_id:")).filter_map(|rest| digits(rest).parse().ok()).collect()
}

#[test]
fn no_number_is_raised_that_is_not_registered() {
    for (path, text) in sources() {
        for id in numbers(&text) {
            assert!(by_id(id).is_some(), "{}: {id}", path.display());
        }
    }
}

/// A success that nobody tells would let alerts stand, and one that no code waits for would be idle.
#[test]
fn each_success_is_told_and_waited_for() {
    let sources = sources();
    for (success, _) in success::ALL {
        let waited = REGISTRY.iter().any(|entry| entry.clears == Clears::On(success));
        assert!(waited, "nothing ends with {success}");
        let name = success.to_uppercase();
        let marker = format!("success::{name}");
        let told = sources
            .iter()
            .any(|(_, text)| text.contains(&marker) || text.contains(&format!("succeeded = \"{success}\"")));
        assert!(told, "{marker} is told nowhere");
    }
}
