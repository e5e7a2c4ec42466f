//! Basic authentication, by the table.

use super::Credentials;

#[test]
fn good_values_give_user_and_password() {
    for (value, user, password) in [
        ("Basic c3ZjOnB3", "svc", "pw"),
        ("basic  c3ZjOnB3 ", "svc", "pw"),
        ("Basic c3ZjOmE6Yg==", "svc", "a:b"),
        ("Basic c3ZjOg==", "svc", ""),
        ("Basic RE9NXMO4OnB3", "DOM\\ø", "pw"),
    ] {
        let expected = Credentials { user: user.to_owned(), password: password.to_owned() };
        assert_eq!(Credentials::parse(value), Some(expected), "{value}");
    }
}

#[test]
fn other_values_give_nothing() {
    for value in ["", "Basic", "Basic !", "Basic c3Zj", "Bearer c3ZjOnB3", "Basic /////w=="] {
        assert_eq!(Credentials::parse(value), None, "{value}");
    }
}

#[test]
fn a_debug_print_hides_the_password() {
    let shown = format!("{:?}", Credentials::parse("Basic c3ZjOnNlY3JldA==").unwrap());
    assert!(shown.contains("svc") && !shown.contains("secret"), "{shown}");
}
