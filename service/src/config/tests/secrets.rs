//! Goal: what is secret comes from files or variables, is checked, and stands in no error and no output.

use jiff::Timestamp;

use super::*;

#[test]
fn secrets_come_from_files_and_never_stand_in_errors() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "s3cret with blanks \n").unwrap();
    let text = format!("[exchange]\npassword_file = {:?}\n", path.to_str().unwrap());
    let config = parse(&text).unwrap();
    assert_eq!(config.exchange.password.as_ref().unwrap().expose_secret(), "s3cret with blanks ");
    assert!(!format!("{config:?}").contains("s3cret"));

    let both = problems(parse(&format!("{text}password = \"s3cret\"\n")));
    assert_eq!(
        both,
        ["test.toml:2: exchange.password_file: is given together with password; remove one of them"]
    );

    // Between file and environment the environment wins, as with every value.
    let config = parse_with(&text, &[("KOMMUNEKLIENT__EXCHANGE__PASSWORD", "other")]).unwrap();
    assert_eq!(config.exchange.password.unwrap().expose_secret(), "other");
    let text_outright = "[exchange]\npassword = \"outright\"\n";
    let variable = [("KOMMUNEKLIENT__EXCHANGE__PASSWORD_FILE", path.to_str().unwrap())];
    let config = parse_with(text_outright, &variable).unwrap();
    assert_eq!(config.exchange.password.unwrap().expose_secret(), "s3cret with blanks ");

    let missing = problems(parse("[database]\nurl_file = \"/nowhere/at/all\"\n"));
    assert!(
        missing[0].starts_with("test.toml:2: database.url_file: cannot read /nowhere/at/all: "),
        "{missing:?}"
    );

    fs::write(&path, "\n").unwrap();
    assert!(problems(parse(&text))[0].ends_with("is empty"));
    fs::write(&path, "two\nlines\n").unwrap();
    assert!(problems(parse(&text))[0].ends_with("has more than one line"));

    for wrong in ["password = 314159", "password = true", "password = 3.14159", "password = [\"314159\"]"] {
        let said = problems(parse(&format!("[exchange]\n{wrong}\n")));
        assert!(
            said[0].starts_with("test.toml:2: exchange.password: ") && !said[0].contains("14159"),
            "{said:?}"
        );
    }
    let said = problems(parse("[database]\nurl = \"mysql://u:s3cret@host/d\"\n"));
    assert_eq!(said, ["test.toml:2: database.url: must be \"embedded\" or begin with postgres://"]);
}

#[test]
fn sealing_keys_are_read_and_checked() {
    let folder = TempDir::new().unwrap();
    let (new, old) = (folder.path().join("new.key"), folder.path().join("old.key"));
    for file in [&new, &old] {
        trust::seal::SealingKey::generate().unwrap().write_new(file).unwrap();
    }
    let both = format!("[secrets]\nkey_file = {new:?}\nprevious_key_files = [{old:?}]\n");
    let config = parse(&both).unwrap();
    assert_eq!(config.secrets.ring().unwrap().ids().count(), 2);
    assert_eq!(config.secrets.exposed(), []);
    // the environment wins, and takes the place of the file
    let text = fs::read_to_string(&old).unwrap();
    let config = parse_with(&both, &[("KOMMUNEKLIENT__SECRETS__KEY", text.trim())]).unwrap();
    assert_eq!(config.secrets.ring().unwrap().ids().count(), 1, "the same key counts once");
    // a key that others can read works and is told
    fs::set_permissions(&old, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(
        parse(&both).unwrap().secrets.exposed(),
        [(old.clone(), "every user of this machine can read it")]
    );
    assert!(!format!("{:?}", parse(&both).unwrap()).contains(text.trim()), "a key is shown");

    for (wrong, told) in [
        ("key = \"hunter2-hunter2\"", "secrets.key: it holds no sealing key"),
        (
            "key_file = \"/nowhere/a.key\"",
            "secrets.key_file: cannot read a sealing key from /nowhere/a.key: ",
        ),
        (
            "previous_key_files = [\"/nowhere/a.key\"]",
            "secrets.previous_key_files: is given without key_file",
        ),
        ("key = \"a\"\nkey_file = \"b\"", "secrets.key_file: is given together with key"),
        ("key = 5", "secrets.key: must be a text in quotes"),
    ] {
        let said = problems(parse(&format!("[secrets]\n{wrong}\n")));
        assert!(said.len() == 1 && said[0].contains(told), "{wrong}: {said:?}");
        assert!(!said[0].contains("hunter2"), "{said:?}");
    }
}

#[test]
fn a_sealing_key_makes_the_account_of_the_configuration_needless() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("a.key");
    trust::seal::SealingKey::generate().unwrap().write_new(&key).unwrap();
    let without = example_with(|line| {
        line.marks == 0 && !["exchange.user", "exchange.password"].contains(&line.dotted.as_str())
    });
    assert!(
        parse(&without).unwrap().for_run().unwrap_err().to_string().contains("exchange.user: is missing")
    );
    let with_key = without.replace("[secrets]\n", &format!("[secrets]\nkey_file = {key:?}\n"));
    assert!(parse(&with_key).unwrap().for_run().unwrap().exchange.is_none());
    // one half of an account is still a mistake
    let half = with_key.replace("[exchange]", "[exchange]\nuser = \"svc\"");
    assert!(
        parse(&half).unwrap().for_run().unwrap_err().to_string().contains("exchange.password: is missing")
    );
}

#[test]
fn an_admin_token_that_could_be_guessed_is_refused_and_never_shown() {
    let short = problems(parse("[http]\nadmin_token = \"marked-short-token\"\n"));
    assert_eq!(short.len(), 1);
    assert!(short[0].contains("http.admin_token: must be at least 32"), "{short:?}");
    assert!(!short[0].contains("marked"), "{short:?}");
    assert_eq!(problems(parse("[http]\nadmin_token = \"0123456789abcdef 0123456789abcdef\"\n")).len(), 1);
    let good =
        parse("[http]\nlisten = \"0.0.0.0:8080\"\nadmin_token = \"0123456789abcdef0123456789abcdef\"\n");
    assert!(!format!("{:?}", good.unwrap()).contains("0123456789abcdef"));
}

#[test]
fn admin_calls_beyond_this_machine_are_encrypted_or_the_start_is_refused() {
    let told = |text: &str| {
        let token = "admin_token = \"0123456789abcdef0123456789abcdef\"";
        problems(parse(&format!("[http]\n{token}\n{text}")))
    };
    let tls = "admin_certificate = \"a.pem\"\nadmin_key = \"a.key\"\n";
    for text in [
        "",
        "listen = \"0.0.0.0:8080\"",
        "admin_listen = \"[::1]:9\"",
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"",
        &format!("admin_listen = \"0.0.0.0:8443\"\n{tls}"),
        &format!("{tls}admin_client_authorities = \"c.pem\"\nadmin_client_pins = [\"{}\"]", "ab".repeat(32)),
    ] {
        let told = parse(&format!("[http]\nadmin_token = \"0123456789abcdef0123456789abcdef\"\n{text}\n"));
        assert!(told.is_ok(), "{text}: {told:?}");
    }
    for (text, words) in [
        ("admin_listen = \"0.0.0.0:8443\"", "http.admin_listen: is not loopback"),
        ("admin_listen = \"192.0.2.1:8443\"", "http.admin_listen: is not loopback"),
        ("admin_listen = \"127.0.0.1:8080\"", "http.admin_listen: and listen are the same address"),
        ("admin_certificate = \"a.pem\"", "http.admin_certificate: and admin_key go together"),
        ("admin_client_authorities = \"c.pem\"", "http.admin_client_authorities: needs admin_certificate"),
        (&format!("admin_client_pins = [\"{}\"]", "ab".repeat(32)), "http.admin_client_pins: needs"),
        (
            &format!("{tls}admin_client_authorities = \"c.pem\"\nadmin_client_pins = [\"monitoring\"]"),
            "http.admin_client_pins: is no SHA-256 fingerprint",
        ),
    ] {
        let told = told(text);
        assert!(told.len() == 1 && told[0].contains(words), "{text}: {told:?}");
    }
    // without anybody who may make admin calls there is no listener
    parse("[http]\nadmin_listen = \"0.0.0.0:8081\"\n").unwrap();
}

/// The file that was to hold a value is told, and not that the value is missing, too.
#[test]
fn a_file_that_cannot_be_used_is_the_only_problem() {
    let folder = TempDir::new().unwrap();
    let (password, path) = (folder.path().join("password"), folder.path().join("kommuneklient.toml"));
    let given = example_with(|line| line.marks == 0 && line.dotted != "exchange.password");
    let text = given.replace("[exchange]\n", &format!("[exchange]\npassword_file = {password:?}\n"));
    assert_ne!(text, given);
    fs::write(&path, text).unwrap();
    for (holds, told) in
        [(None, "cannot read"), (Some("\n"), "is empty"), (Some("a\nb\n"), "more than one line")]
    {
        if let Some(holds) = holds {
            fs::write(&password, holds).unwrap();
        }
        let found = Config::examine(&path, Timestamp::UNIX_EPOCH).unwrap().problems;
        let told_all: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told_all.len(), 1, "{told_all:?}");
        assert!(
            told_all[0].contains("exchange.password_file: ") && told_all[0].contains(told),
            "{told_all:?}"
        );
    }
    fs::write(&path, "[database]\nurl_file = \"/nowhere/at/all\"\n").unwrap();
    let found = Config::examine(&path, Timestamp::UNIX_EPOCH).unwrap().problems;
    let about: Vec<&str> =
        found.iter().map(|one| one.key.as_str()).filter(|key| key.starts_with("database")).collect();
    assert_eq!(about, ["database.url_file"]);
}
