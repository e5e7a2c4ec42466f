//! Goal: what failed is not asked again before its time, and the memory stays bounded. Method: instants by value.

use base::{Clock, SystemClock};
use calendar::source::SourceErrorKind;
use url::Url;

use super::super::answer::Dialect;
use super::*;
use crate::classify::own;

const LASTS: Duration = Duration::from_secs(120);

fn mail(number: usize) -> MailAddress {
    MailAddress::parse(&format!("m{number}@sim.test")).unwrap()
}

fn service(number: usize) -> Service {
    let url = Url::parse(&format!("https://a{number}.sim.test/autodiscover/autodiscover.svc")).unwrap();
    Service { url, dialect: Dialect::Soap }
}

fn error(after: Option<Duration>) -> SourceError {
    SourceError { after, ..own("GetUserSettings", SourceErrorKind::Mailbox, "InvalidUser", "") }
}

#[test]
fn a_failure_holds_for_its_time_and_says_how_long() {
    let begin = SystemClock.monotonic();
    let mut memory = Memory::new(LASTS);
    memory.mailbox_failed(&mail(1), &error(None), begin);
    memory.service_failed(&service(1), &error(Some(Duration::from_secs(300))), begin);
    let later = begin + Duration::from_secs(50);
    let told = memory.mailbox(&mail(1), later).unwrap();
    assert_eq!((told.code.as_str(), told.after), ("InvalidUser", Some(Duration::from_secs(70))));
    // the service asked for more
    assert_eq!(memory.service(&service(1), later).unwrap().after, Some(Duration::from_secs(300)));
    assert_eq!(memory.mailbox(&mail(2), later), None);
    assert_eq!(memory.service(&service(2), later), None);
    let end = begin + LASTS;
    assert_eq!(memory.mailbox(&mail(1), end), None);
    assert_eq!(memory.service(&service(1), end), None);
    // a new failure counts from then
    memory.mailbox_failed(&mail(1), &error(None), end);
    assert!(memory.mailbox(&mail(1), end + Duration::from_secs(119)).is_some());
}

#[test]
fn a_service_without_soap_is_remembered_for_an_hour() {
    let begin = SystemClock.monotonic();
    let mut memory = Memory::new(LASTS);
    memory.no_soap(&service(1), begin);
    assert!(memory.lacks_soap(&service(1), begin + Duration::from_secs(3_599)));
    assert!(!memory.lacks_soap(&service(1), begin + Duration::from_secs(3_600)));
    assert!(!memory.lacks_soap(&service(2), begin));
}

#[test]
fn the_memory_is_bounded_and_forgets_what_is_out_of_date_first() {
    let begin = SystemClock.monotonic();
    let mut memory = Memory::new(LASTS);
    for number in 0..SERVICES_MAX {
        let at = if number % 2 == 0 { begin } else { begin + Duration::from_secs(100) };
        memory.service_failed(&service(number), &error(None), at);
    }
    let later = begin + Duration::from_secs(130);
    memory.service_failed(&service(SERVICES_MAX), &error(None), later);
    assert_eq!(memory.services.len(), SERVICES_MAX / 2 + 1);
    assert!(memory.service(&service(1), later).is_some());
    for number in 0..2 * SERVICES_MAX {
        memory.service_failed(&service(number), &error(None), later);
    }
    assert!(memory.services.len() <= SERVICES_MAX);
    assert!(memory.service(&service(2 * SERVICES_MAX - 1), later).is_some());
}
