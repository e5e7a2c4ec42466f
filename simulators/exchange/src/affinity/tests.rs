//! Goal: the precedence of cookie, anchor and target is the documented one, and only values that this
//! server gave count as a cookie.
use super::*;

const DOMAIN: &str = "sim.test";

#[test]
fn precedence() {
    let at = |group, index| BackEnd { group, index };
    let cookie = at(1, 2).cookie(DOMAIN);
    assert_eq!(cookie, "ex2-3.sim.test~1941962754");
    for (prefers, value, anchor, target, expected) in [
        (true, Some(cookie.as_str()), Some(at(0, 1)), None, (at(1, 2), false)),
        (false, Some(cookie.as_str()), Some(at(0, 1)), None, (at(0, 1), false)),
        (true, None, Some(at(0, 1)), Some(at(0, 3)), (at(0, 1), true)),
        (true, Some("elsewhere~1"), Some(at(0, 1)), None, (at(0, 1), true)),
        (true, None, None, Some(at(0, 3)), (at(0, 3), true)),
        (false, None, None, None, (at(0, 0), false)),
    ] {
        let wish = Wish { prefers_affinity: prefers, cookie: value, anchor, target };
        let route = route(wish, DOMAIN, 2);
        assert_eq!((route.back_end, route.sets_cookie), expected, "{wish:?}");
    }
}

#[test]
fn foreign_cookies_are_ignored() {
    for value in [
        "",
        "~",
        "ex1-1.sim.test",
        "ex1-1.other.test~1",
        "ex9-1.sim.test~1",
        "ex1-9.sim.test~1",
        "ex0-1.sim.test~1",
    ] {
        assert_eq!(BackEnd::from_cookie(value, DOMAIN, 2), None, "{value}");
    }
}

#[test]
fn homes_spread_over_the_servers() {
    let mut seen = [false; BACK_ENDS as usize];
    for number in 1..=50 {
        let home = BackEnd::home(MailboxKey::of(&format!("m{number:04}@sim.test")), 0);
        seen[usize::from(home.index)] = true;
    }
    assert!(seen.iter().all(|seen| *seen));
}
