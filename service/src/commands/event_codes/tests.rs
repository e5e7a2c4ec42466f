//! Goal: every code can be looked up in both languages, what an operator is told to run exists, and the document is fresh.
use std::path::Path;

use clap::Parser;

use super::*;
use crate::cli::Cli;

#[test]
fn every_code_is_explained_in_both_languages() {
    let mut explained_alike = Vec::new();
    for entry in REGISTRY {
        let (english, danish) = (explained(entry, Language::En), explained(entry, Language::Da));
        for (text, meaning) in [(&english, entry.meaning.en), (&danish, entry.meaning.da)] {
            assert!(text.starts_with(&entry.code.id.to_string()) && text.contains(meaning), "{text}");
            assert!(!text.contains(['{', '}']), "{text}");
        }
        if english == danish {
            explained_alike.push(entry.code.id);
        }
        assert_eq!(value(entry)["meaning"]["da"], entry.meaning.da);
    }
    assert_eq!(explained_alike, [] as [u16; 0]);
}

#[test]
fn a_code_says_when_it_alerts_what_to_do_and_where_it_is_told_instead() {
    let of = |id: u16, language| explained(codes::by_id(id).unwrap(), language);
    let busy = of(5201, Language::En);
    assert!(busy.contains("more than 3 in a row, for the same service account"), "{busy}");
    assert!(busy.contains("when Exchange answers the account"), "{busy}");
    let transport = of(6903, Language::Da);
    assert!(transport.contains("mere end 10 i træk") && transport.contains("kritisk"), "{transport}");
    let merged = of(4931, Language::En);
    assert!(merged.contains("told as 4926, 4938"), "{merged}");
    let never = of(3931, Language::Da);
    assert!(never.contains("kan ikke forekomme"), "{never}");
}

#[test]
fn what_is_to_be_replaced_in_a_command_is_said_in_the_language() {
    for (command, danish) in [
        ("kommuneklient doctor MAILBOX", "kommuneklient doctor POSTKASSE"),
        ("kommuneklient config check FILE", "kommuneklient config check FIL"),
        ("kommuneklient withheld show RUN", "kommuneklient withheld show KØRSEL"),
    ] {
        assert_eq!(command_in(command, Language::En), command);
        assert_eq!(command_in(command, Language::Da), danish);
    }
    for entry in REGISTRY {
        let danish = explained(entry, Language::Da);
        let english = danish.split_whitespace().find(|word| matches!(*word, "MAILBOX" | "FILE" | "RUN"));
        assert_eq!(english, None, "{danish}");
    }
}

/// Who is refused is found in the log, and who cannot fetch looks at the way there first.
#[test]
fn hints_of_refused_calls_and_of_failed_fetches_look_where_the_cause_is() {
    let refused = explained(codes::by_id(9510).unwrap(), Language::En);
    assert!(refused.contains("old token") && !refused.contains("kommuneklient operations"), "{refused}");
    let fetch = codes::by_id(3936).unwrap().look;
    assert_eq!(fetch.commands.first(), Some(&"kommuneklient doctor"));
    assert!(fetch.words.en.contains("network") && fetch.words.da.contains("netværk"), "{fetch:?}");
}

#[test]
fn the_listing_puts_codes_together_that_mean_the_same() {
    let text = listing(Language::En);
    assert!(text.contains("6201-6207"), "{text}");
    assert!(text.lines().count() < REGISTRY.len(), "{text}");
    assert!(listing(Language::Da).contains("BETYDNING"));
}

#[test]
fn an_unknown_code_names_its_neighbours() {
    let text = unknown(4939, Language::En);
    assert!(text.contains("4939") && text.contains("4936, 4937, 4938"), "{text}");
    let args = CodesArgs {
        id: Some("1".to_owned()),
        language: Default::default(),
        json: false,
        markdown: false,
        alert_rules: false,
    };
    assert!(show(&args).unwrap_err().to_string().contains("codes"));
}

#[test]
fn words_for_why_a_mailbox_is_not_used_are_explained_too() {
    let told = one("p-nonwhitelist", false, Language::En).unwrap();
    assert!(
        told.starts_with("P-NonWhitelist\nnot on the whitelist") && told.contains("mailbox allow"),
        "{told}"
    );
    let told: Value = serde_json::from_str(&one("NotCovered", true, Language::En).unwrap()).unwrap();
    assert_eq!((&told["code"], told["words"]["da"].is_string()), (&json!("NotCovered"), true));
    for (id, language) in [("NONSENSE", Language::En), ("99999", Language::Da), ("", Language::En)] {
        let told = one(id, false, language).unwrap_err();
        assert!(told.starts_with(id) && told.contains("P-NonWhitelist, P-NotInPlanner"), "{told}");
        assert!(!told.contains(['{', '}']), "{told}");
    }
}

/// Words in capitals are replaced by what could stand there.
#[test]
fn the_commands_of_the_hints_exist() {
    let mut wrong = Vec::new();
    for entry in REGISTRY {
        for command in entry.look.commands {
            let words = command.split(' ').map(|word| match word {
                "MAILBOX" => "anna@kommune.test",
                "RUN" | "ID" => "17",
                "FILE" => "kommuneklient.toml",
                word => word,
            });
            // these come from KOMMUNEKLIENT_CONFIG
            let needs_config = !command.starts_with("kommuneklient config") && !command.contains("--config");
            let config: &[&str] = if needs_config { &["--config", "kommuneklient.toml"] } else { &[] };
            if let Err(error) = Cli::try_parse_from(words.chain(config.iter().copied())) {
                wrong.push(format!("{}: {command}: {error}", entry.code.id));
            }
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/event-codes.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let fresh = markdown::document();
    let differs = text.lines().zip(fresh.lines()).find(|(stands, fresh)| stands != fresh);
    assert!(text == fresh, "docs/event-codes.md is stale (make event-codes): {differs:#?}");
}
