//! Goal: the command line takes what the documentation says, refuses the rest with status 2, and explains
//! itself.

use clap::{CommandFactory, Subcommand as _};

use super::*;
use crate::texts::Language;

fn parse(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_explains_itself() {
    fn visit(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path} has no explanation");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path} --{} has no explanation", argument.get_id());
        }
        for inner in command.get_subcommands() {
            visit(inner, &format!("{path} {}", inner.get_name()));
        }
    }
    let mut command = Cli::command();
    command.build();
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        visit(inner, inner.get_name());
    }
    let help = command.render_long_help().to_string();
    for part in ["Examples:", "KOMMUNEKLIENT__PLANNER__SERVICE_URL", "config.example.toml", "Exit status:"] {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
}

#[test]
fn run_and_migrate_take_a_file() {
    let Command::Run(RunArgs { config: ConfigFile { config }, roles: None }) =
        parse("kommuneklient run --config a.toml").unwrap()
    else {
        panic!("not run")
    };
    assert_eq!(config, PathBuf::from("a.toml"));
    assert!(matches!(parse("kommuneklient migrate --config a.toml"), Ok(Command::Migrate(_))));
    assert!(matches!(
        parse("kommuneklient config check a.toml"),
        Ok(Command::Config(ConfigCommand::Check { file, json: false })) if file == std::path::Path::new("a.toml")
    ));
}

#[test]
fn wrong_usage_is_refused() {
    for (line, kind) in [
        ("kommuneklient", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("kommuneklient walk", ErrorKind::InvalidSubcommand),
        ("kommuneklient migrate --config", ErrorKind::InvalidValue),
        ("kommuneklient run --config a --faults none", ErrorKind::UnknownArgument),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[cfg(feature = "simulators")]
#[test]
fn demo_has_its_defaults_and_options() {
    let Command::Demo(defaults) = parse("kommuneklient demo").unwrap() else { panic!("not demo") };
    let expected = DemoArgs {
        mailboxes: 50,
        changes_per_second: 10,
        seconds: 60,
        faults: DemoFaults::None,
        tls: false,
        login: crate::demo::Login::Ntlm,
        calendars: None,
        capture: None,
        json: false,
        otlp: None,
        seed: None,
    };
    assert_eq!(defaults, expected);
    let line = "kommuneklient demo --mailboxes 200 --changes-per-second 20 --seconds 20 --faults default \
                --calendars c --capture d --json --otlp http://127.0.0.1:4317 --seed 7 --tls --login oauth";
    let Command::Demo(given) = parse(line).unwrap() else { panic!("not demo") };
    let expected = DemoArgs {
        mailboxes: 200,
        changes_per_second: 20,
        seconds: 20,
        faults: DemoFaults::Default,
        tls: true,
        login: crate::demo::Login::Oauth,
        calendars: Some("c".into()),
        capture: Some("d".into()),
        json: true,
        otlp: Some("http://127.0.0.1:4317".into()),
        seed: Some(7),
    };
    assert_eq!(given, expected);
    let settings = given.settings();
    assert!(settings.faults && settings.seed == 7 && settings.changes_per_second == 20);
    assert_eq!(settings.secured, Some(crate::demo::Login::Oauth));
    assert_eq!(parse("kommuneklient demo --login oauth").unwrap_err().exit_code(), 2);
    assert_eq!(parse("kommuneklient demo --mailboxes 0").unwrap_err().exit_code(), 2);
    assert_eq!(parse("kommuneklient demo --faults all").unwrap_err().exit_code(), 2);
}

#[cfg(feature = "simulators")]
#[test]
fn simulators_take_the_documented_options() {
    let line = "kommuneklient simulate exchange --listen 127.0.0.1:8081 --mailboxes 5 --domain sim.test --user svc \
                --password pw --accounts 2 --calendars c --capture d";
    let Command::Simulate(SimulateCommand::Exchange(exchange)) = parse(line).unwrap() else {
        panic!("not exchange")
    };
    assert_eq!((exchange.mailboxes, exchange.accounts, exchange.listen.port()), (5, 2, 8081));
    let line = "kommuneklient simulate planner --listen 127.0.0.1:0 --jobcenter 10100 --mailboxes 5 --domain sim.test";
    let Command::Simulate(SimulateCommand::Planner(planner)) = parse(line).unwrap() else {
        panic!("not planner")
    };
    assert_eq!((planner.jobcenter.as_str(), planner.mailboxes), ("10100", 5));
}

/// Regression: before the command, and with a command that knows English alone, it was wrong usage.
#[test]
fn the_language_may_stand_anywhere() {
    let parsed =
        |line: &str| Cli::try_parse_from(line.split_whitespace()).map_err(|error| format!("{line}: {error}"));
    for line in [
        "kommuneklient --language da status --config c",
        "kommuneklient status --language da --config c",
        "kommuneklient --language da resources list --config c",
        "kommuneklient resources --language da list --config c",
        "kommuneklient --language da codes 1901",
        "kommuneklient config check a.toml --language da",
        "kommuneklient --language da config import a.config",
        "kommuneklient secrets --language da status --config c",
        "kommuneklient secrets rotate --config c --dry-run --language da",
        "kommuneklient credential list --config c --language da",
        "kommuneklient migrate --config c --language da",
    ] {
        let cli = parsed(line).unwrap();
        assert_eq!(cli.language.language, Some(Language::Da), "{line}");
        match cli.command {
            Command::Operator(OperatorCommand::Resources(operators::ResourcesCommand::List(common))) => {
                assert_eq!(common.language.language, Some(Language::Da), "{line}");
            }
            Command::Codes(arguments) => {
                assert_eq!(arguments.language.language, Some(Language::Da), "{line}");
            }
            _ => {}
        }
    }
    // that of the command goes before
    let both = parsed("kommuneklient --language da resources list --config c --language en").unwrap();
    assert_eq!(both.language.language, Some(Language::En));
    assert_eq!(parsed("kommuneklient resources list --config c").unwrap().language.language, None);
    assert!(parsed("kommuneklient --language fr status --config c").is_err());
}

#[test]
fn withheld_runs_have_a_number_or_a_number_of_the_list() {
    use super::operators::RunId;
    for (text, run) in [("17", RunId::Mailbox(17)), ("L3", RunId::List(3)), ("l3", RunId::List(3))] {
        assert_eq!(text.parse(), Ok(run));
        assert_eq!(run.to_string(), text.to_uppercase());
    }
    for text in ["", "L", "LL3", "17a", "1.5"] {
        assert!(text.parse::<RunId>().is_err(), "{text}");
    }
}

#[test]
fn operators_name_one_mailbox_or_all_of_them() {
    use store::operations::Scope;
    let Command::Operator(OperatorCommand::Pull(one)) =
        parse("kommuneklient pull A@X.dk --config c").unwrap()
    else {
        panic!("not pull")
    };
    assert_eq!(one.target.scope().mail(), Some("a@x.dk"));
    let line = "kommuneklient adopt --all --config c --by kim --wait --timeout 90s --json";
    let Command::Operator(OperatorCommand::Adopt(all)) = parse(line).unwrap() else { panic!("not adopt") };
    assert_eq!(all.target.scope(), Scope::All);
    assert_eq!(all.follow.timeout.get(), std::time::Duration::from_secs(90));
    assert!(all.follow.wait && all.common.json && all.who.by.as_deref() == Some("kim"));
    for wrong in [
        "kommuneklient pull --config c",
        "kommuneklient pull a@x --all --config c",
        "kommuneklient pull a --config c",
        "kommuneklient compare --all --timeout 1s --config c",
        "kommuneklient whitelist add --config c",
        "kommuneklient blacklist add a@x --config c",
        "kommuneklient blacklist add a@x --reason  --config c",
        "kommuneklient withheld confirm --config c",
        "kommuneklient set-aside retry --config c",
        "kommuneklient set-aside retry 1 --all --config c",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

#[test]
fn every_command_for_operators_has_an_example_that_it_takes() {
    fn visit(command: &clap::Command, path: &str, seen: &mut usize) {
        let mut inner = command.get_subcommands().filter(|inner| inner.get_name() != "help").peekable();
        if inner.peek().is_none() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> =
                help.lines().map(str::trim).filter(|line| line.starts_with("kommuneklient ")).collect();
            assert!(!examples.is_empty(), "{path} has no example");
            for example in examples {
                let words = example.split('"').enumerate().flat_map(|(n, part)| match n % 2 {
                    0 => part.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>(),
                    _ => vec![part.to_owned()],
                });
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
                *seen += 1;
            }
        }
        inner.for_each(|inner| visit(inner, &format!("{path} {}", inner.get_name()), seen));
    }
    let (mut command, mut seen) = (OperatorCommand::augment_subcommands(clap::Command::new("k")), 0);
    command.build();
    visit(&command, "", &mut seen);
    assert!(seen > 15, "{seen}");
}

/// The paths of the commands that do something, each with the program's name before it: `kommuneklient withheld confirm`.
fn leaves(command: &clap::Command, path: &str) -> Vec<String> {
    let inner: Vec<&clap::Command> =
        command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
    if inner.is_empty() {
        return vec![path.to_owned()];
    }
    inner.into_iter().flat_map(|inner| leaves(inner, &format!("{path} {}", inner.get_name()))).collect()
}

/// What stands at a prompt: the text after `$ ` in the document's blocks.
fn prompts(document: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.trim_start().strip_prefix("$ ")).map(str::to_owned).collect()
}

#[test]
fn every_command_is_shown_to_operators() {
    let shown = [prompts("operations.md"), prompts("migration.md")].concat();
    let mut command = Cli::command();
    command.build();
    let leaves = leaves(&command, "kommuneklient");
    assert!(leaves.len() > 40, "{leaves:?}");
    let is_shown = |leaf: &String| {
        shown.iter().any(|line| {
            line.match_indices(leaf.as_str()).any(|(at, _)| {
                let rest = &line[at + leaf.len()..];
                rest.is_empty() || rest.starts_with(' ')
            })
        })
    };
    let missing: Vec<&String> = leaves.iter().filter(|leaf| !is_shown(leaf)).collect();
    assert!(
        missing.is_empty(),
        "docs/operations.md (or migration.md): run {missing:?} and show them with what they really say, as `$ kommuneklient …`"
    );
}

/// Regression: nobody was told that the environment can name the configuration.
#[test]
fn a_command_without_a_configuration_names_the_variable() {
    let told = |line: &str| with_hint(parse(line).expect_err("it is not complete")).to_string();
    let lacks = told("kommuneklient status");
    assert!(lacks.contains("--config <FILE>") && lacks.contains("KOMMUNEKLIENT_CONFIG"), "{lacks}");
    let lacks = told("kommuneklient whitelist add");
    assert!(lacks.contains("KOMMUNEKLIENT_CONFIG"), "{lacks}");
    let other = told("kommuneklient whitelist add --config c");
    assert!(!other.contains("KOMMUNEKLIENT_CONFIG"), "{other}");
}
