//! The configuration that an import writes. Pure.

use super::carry::{Carried, Outcome, said};
use crate::config::SECTIONS;

/// Keys that `run` needs, with what to write where the original said nothing that can be used.
const NEEDED: &[(&str, &str)] = &[
    ("database.url", "url = \"postgres://kommuneklient:password@database.kommune.dk/kommuneklient\""),
    (
        "exchange.service_url",
        "autodiscover_url = \"https://autodiscover.kommune.dk/autodiscover/autodiscover.svc\"",
    ),
    ("exchange.user", "user = \"svc-kommuneklient@kommune.dk\""),
    ("exchange.password", "password_file = \"/run/secrets/exchange-password\""),
    (
        "planner.service_url",
        "service_url = \"https://service.bm.dk/PjakTassWCFtService/1/PlannerExternalCalendarService.svc\"",
    ),
    ("planner.jobcenter_number", "jobcenter_number = \"10100\""),
    ("planner.request_user_identifier", "request_user_identifier = \"CVR:12345678-UUID:…\""),
    ("planner.client_certificate", "client_certificate = \"/etc/kommuneklient/planner-client.pem\""),
    ("telemetry.log_file", "log_file = \"/var/log/kommuneklient/kommuneklient.log\""),
];

/// Those of them that stand only where the original had something in their place.
const ONLY_BESIDE_LEFT: &[&str] = &["planner.client_certificate", "telemetry.log_file"];

/// Columns of a comment.
const COLUMNS: usize = 118;

/// Where a key stands: its section, and its place in the table of the original's settings.
pub(super) fn place_of(key: &str) -> (usize, usize) {
    let (section, _) = key.split_once('.').unwrap_or((key, ""));
    let section = SECTIONS.iter().position(|one| *one == section).unwrap_or(SECTIONS.len());
    let setting = crate::config::original::SETTINGS.iter().position(|one| one.key() == Some(key));
    (section, setting.unwrap_or(usize::MAX))
}

/// Only the values, for reading them back.
pub(super) fn values(carried: &[Carried]) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let of_section = carried.iter().filter_map(|one| {
            let (name, key) = one.key.split_once('.')?;
            (name == *section).then(|| format!("{key} = {}\n", one.value))
        });
        let lines: String = of_section.collect();
        if !lines.is_empty() {
            text.push_str(&format!("[{section}]\n{lines}"));
        }
    }
    text
}

/// The whole file.
pub(super) fn toml(outcome: &Outcome) -> String {
    let mut text = String::new();
    let files: Vec<String> = outcome
        .files
        .iter()
        .map(|file| match file.service {
            Some(service) => format!("{} ({service})", file.file),
            None => file.file.clone(),
        })
        .collect();
    comment(&mut text, &format!("Configuration of Kommuneklient, imported from {}.", files.join(", ")));
    comment(
        &mut text,
        "config.example.toml documents every key. `kommuneklient config check` says what is still missing here.",
    );
    for section in SECTIONS {
        section_text(&mut text, section, outcome);
    }
    let others: Vec<_> = outcome.left.iter().filter(|left| left.key.is_none()).collect();
    if !others.is_empty() {
        text.push('\n');
        comment(&mut text, "Not taken over, and of no section:");
        for left in others {
            comment(&mut text, &format!("  {}: {}", left.from, left.reason));
        }
    }
    text
}

fn section_text(text: &mut String, section: &str, outcome: &Outcome) {
    let is_here = |key: &str| key.split_once('.').is_some_and(|(name, _)| name == section);
    let is_carried = |key: &str| outcome.carried.iter().any(|one| one.key == key);
    let left: Vec<_> = outcome.left.iter().filter(|left| left.key.is_some_and(is_here)).collect();
    let is_left = |key: &str| left.iter().any(|left| left.key == Some(key));
    let is_wanted = |key: &str| !ONLY_BESIDE_LEFT.contains(&key) || is_left(key);
    let needed: Vec<_> =
        NEEDED.iter().filter(|(key, _)| is_here(key) && !is_carried(key) && is_wanted(key)).collect();
    let carried: Vec<_> = outcome.carried.iter().filter(|one| is_here(one.key)).collect();
    // those of a value that was taken stand beside it
    let disagreements = outcome.disagreements.iter().filter(|one| one.key.is_some_and(is_here));
    let disagreements: Vec<_> =
        disagreements.filter(|one| one.key.is_some_and(|key| !is_carried(key))).collect();
    if left.is_empty() && needed.is_empty() && carried.is_empty() && disagreements.is_empty() {
        return;
    }
    text.push_str(&format!("\n[{section}]\n"));
    for one in carried {
        comment(text, &format!("from {}", one.from.join(", ")));
        if let Some(note) = &one.note {
            comment(text, note);
        }
        let key = one.key.split_once('.').map_or(one.key, |(_, key)| key);
        text.push_str(&format!("{key} = {}\n", one.value));
    }
    for one in disagreements {
        let words =
            format!("the services disagree about {} ({}); taken: {}", one.name, said(&one.values), one.taken);
        comment(text, &words);
    }
    for left in &left {
        comment(text, &format!("not taken over: {}: {}", left.from, left.reason));
        // what is needed all the same stands right below
        if let Some((_, line)) = needed.iter().find(|(key, _)| Some(*key) == left.key) {
            push_once(text, line);
        }
    }
    for (key, line) in &needed {
        if !is_left(key) {
            comment(text, "needed:");
            push_once(text, line);
        }
    }
}

fn push_once(text: &mut String, line: &str) {
    let line = format!("##{line}\n");
    if !text.contains(&line) {
        text.push_str(&line);
    }
}

/// A comment, broken at blanks. What comes from a file is made harmless: no line of it ends the comment.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.chars().count() + 1 + word.chars().count() > COLUMNS && line != "#" {
            text.push_str(&line);
            text.push('\n');
            line = "# ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
