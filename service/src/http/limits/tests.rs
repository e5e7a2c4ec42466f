//! Goal: one peer never takes what others need, and an attack fills no log. Method: tables and a property.

use base::{Clock, SystemClock};
use proptest::prelude::*;

use super::*;

fn peer(text: &str) -> Peer {
    text.parse::<IpAddr>().unwrap().into()
}

#[test]
fn an_address_is_a_peer_and_of_ipv6_the_network() {
    for (one, other, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
    ] {
        assert_eq!(peer(one) == peer(other), same, "{one} {other}");
    }
    assert_eq!(peer("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    assert_eq!(peer("2001:db8::1").to_string(), "2001:db8::/64");
}

#[test]
fn one_peer_leaves_room_for_others() {
    let limits = Limits { connections: 3, per_peer: 2, ..Limits::USUAL };
    let mut crowd = Crowd::default();
    let (eve, kim) = (peer("192.0.2.1"), peer("192.0.2.2"));
    assert_eq!(crowd.enter(eve, &limits), Ok(()));
    assert_eq!(crowd.enter(eve, &limits), Ok(()));
    assert_eq!(crowd.enter(eve, &limits), Err(Full::Peer));
    assert_eq!(crowd.enter(kim, &limits), Ok(()));
    assert_eq!(crowd.enter(kim, &limits), Err(Full::All));
    crowd.leave(eve);
    assert_eq!(crowd.enter(kim, &limits), Ok(()));
    // who was not let in has not left
    crowd.leave(peer("192.0.2.3"));
    assert_eq!(crowd.all, 3);
}

proptest! {
    /// Whoever comes and goes in whatever order: nobody is counted who is not there, and no limit is passed.
    #[test]
    fn the_count_is_that_of_who_is_there(steps in proptest::collection::vec((0_u8..4, any::<bool>()), 0..200)) {
        let limits = Limits { connections: 5, per_peer: 3, ..Limits::USUAL };
        let mut crowd = Crowd::default();
        let mut there: HashMap<Peer, usize> = HashMap::new();
        for (who, comes) in steps {
            let who = Peer::from(IpAddr::from([192, 0, 2, who]));
            if comes {
                if crowd.enter(who, &limits).is_ok() {
                    *there.entry(who).or_default() += 1;
                }
            } else if there.get(&who).is_some_and(|count| *count > 0) {
                *there.entry(who).or_default() -= 1;
                crowd.leave(who);
            }
            there.retain(|_, count| *count > 0);
            prop_assert_eq!(&crowd.of, &there);
            prop_assert_eq!(crowd.all, there.values().sum::<usize>());
            prop_assert!(crowd.all <= 5 && there.values().all(|count| *count <= 3));
        }
    }
}

#[test]
fn a_flood_is_one_line_every_so_often_and_nothing_is_left_uncounted() {
    let start = SystemClock.monotonic();
    let mut teller = Teller::default();
    assert_eq!(teller.observe(Attack::Slow, start), Some(1));
    for _ in 0..999 {
        assert_eq!(teller.observe(Attack::Slow, start + TOLD_EVERY / 2), None);
    }
    // another kind is told all the same
    assert_eq!(teller.observe(Attack::Head, start), Some(1));
    assert_eq!(teller.observe(Attack::Slow, start + TOLD_EVERY), Some(1000));
}

#[test]
fn each_attack_has_an_event_of_its_own() {
    let codes = Attack::ALL.map(|attack| attack.code().id);
    assert_eq!(codes, [9660, 9661, 9662, 9663, 9664, 9665]);
    for (place, attack) in Attack::ALL.into_iter().enumerate() {
        assert_eq!(attack as usize, place);
    }
}
