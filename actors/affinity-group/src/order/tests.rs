//! Goal: the stream's actor learns what is wanted and nothing else, and an order is begun and ended once.

use calendar::ids::AccountId;
use futures::FutureExt;

use super::*;

fn order(number: u64) -> Order {
    Order {
        number,
        affinity: Affinity {
            endpoint: String::new(),
            account: AccountId::DEFAULT,
            anchor: MailAddress::parse("a@sim.test").unwrap(),
            cookie: None,
        },
        listened: Arc::default(),
        journal: Journal::for_test(mpsc::channel(1).0),
        reports: mpsc::channel(1).0,
    }
}

fn next(wanted: &mut Wanted) -> Option<u64> {
    wanted.next().now_or_never().map(|order| order.number)
}

#[test]
fn what_is_placed_is_wanted_until_it_is_replaced_or_withdrawn() {
    let orders = Orders::new();
    let (desk, mut wanted) = (orders.desk(), orders.wanted());
    assert_eq!(next(&mut wanted), None);
    desk.place(order(1));
    assert_eq!(next(&mut wanted), Some(1));
    assert!(orders.begin(1));
    assert!(wanted.superseded(1).now_or_never().is_none(), "beginning it is no change");
    desk.place(order(2));
    assert!(wanted.superseded(1).now_or_never().is_some());
    assert!(!orders.begin(1), "not wanted any more");
    orders.ended(1);
    assert_eq!(next(&mut wanted), Some(2), "the end of a former one changes nothing");
    desk.withdraw();
    assert!(wanted.superseded(2).now_or_never().is_some());
    assert_eq!(next(&mut wanted), None);
}

#[test]
fn an_order_that_was_begun_and_not_ended_is_found_by_the_next_incarnation() {
    let orders = Orders::new();
    let desk = orders.desk();
    desk.place(order(1));
    assert!(orders.take_begun().is_none(), "nobody began it");
    assert!(orders.begin(1));
    assert_eq!(orders.take_begun().map(|order| order.number), Some(1));
    assert_eq!(next(&mut orders.wanted()), None);
    desk.place(order(2));
    assert!(orders.begin(2));
    orders.ended(2);
    assert!(orders.take_begun().is_none(), "its end was told");
}

#[test]
fn a_group_that_ends_wants_nothing_any_more() {
    let orders = Orders::new();
    let desk = orders.desk();
    desk.place(order(1));
    let mut wanted = orders.wanted();
    assert_eq!(next(&mut wanted), Some(1));
    drop(desk);
    assert!(wanted.superseded(1).now_or_never().is_some());
}
