//! Goal: what another instance has now, or what there is no more, is let go, and nothing else is. Method: a table of where
//! things are, for each kind of subject.

use store::alerts::MailboxHome;

use super::*;

const ME: &str = "host/1/me";

fn owner(name: &str) -> Option<String> {
    match name {
        "" => None,
        "me" => Some(ME.to_owned()),
        other => Some(other.to_owned()),
    }
}

/// Is what is counted of `code` about `words` over, where things are as `homes` says?
fn over(code: base::EventCode, words: &str, homes: &Homes) -> bool {
    let subjects = Subjects::of(vec![(code.id, words.to_owned())]);
    let ended = subjects.ended(homes, ME);
    assert!(ended.is_empty() || ended == [(code.id, words.to_owned())], "{ended:?}");
    !ended.is_empty()
}

#[test]
fn a_group_that_another_instance_has_or_that_is_gone_is_over() {
    let with = |owners: &[(i64, &str)]| Homes {
        groups: owners.iter().map(|(id, name)| (*id, owner(name))).collect(),
        ..Homes::default()
    };
    for code in [codes::STREAM_OPEN_FAILED, codes::STREAM_WITHOUT_SUBSCRIPTIONS, codes::GROUP_EXCHANGE_FAILED]
    {
        assert!(!over(code, "7", &with(&[(7, "me")])), "it is here");
        assert!(
            !over(code, "7", &with(&[(7, "")])),
            "an outage: it is nobody's, and may be taken here again"
        );
        assert!(over(code, "7", &with(&[(7, "other")])));
        assert!(over(code, "7", &with(&[(8, "me")])), "there is no such group any more");
        assert!(!over(code, "others", &with(&[])), "counted as one, so nobody knows which");
    }
}

#[test]
fn a_shard_that_another_instance_has_is_over() {
    let with = |owners: &[&str]| Homes {
        shards: Some(owners.iter().map(|name| owner(name)).collect()),
        ..Homes::default()
    };
    let code = codes::QUALIFIER_CANNOT_START;
    assert!(!over(code, "1", &with(&["other", "me"])));
    assert!(!over(code, "1", &with(&["other", ""])));
    assert!(over(code, "1", &with(&["me", "other"])));
    assert!(over(code, "1", &with(&["me"])), "there are fewer now");
    assert!(!over(code, "1", &Homes::default()), "it is not known how many there are");
}

#[test]
fn an_account_is_over_when_it_was_removed() {
    let with = Homes { accounts: [3].into(), ..Homes::default() };
    assert!(!over(codes::LOGON_REFUSED, "3", &with));
    assert!(over(codes::LOGON_REFUSED, "4", &with));
    assert!(!over(codes::LOGON_REFUSED, "0", &with), "that of the configuration stands in no table");
}

#[test]
fn a_mailbox_of_the_listener_goes_with_its_group_and_while_it_is_located_with_who_forms_the_groups() {
    let homes = |group: Option<i64>, of_group: &str, listener: &str| {
        let home = MailboxHome { group, owner: owner(of_group) };
        Homes {
            mailboxes: [("a@x.dk".to_owned(), home)].into(),
            listener: owner(listener),
            ..Homes::default()
        }
    };
    let (heard, located) = (codes::SUBSCRIPTION_ADD_FAILED, codes::LOCATE_FAILED);
    for (what, code, homes, expected) in [
        ("its group is here", heard, homes(Some(1), "me", "other"), false),
        ("its group is nobody's", heard, homes(Some(1), "", "other"), false),
        ("its group went", heard, homes(Some(1), "other", "me"), true),
        ("it lost its place, who forms the groups is here", heard, homes(None, "", "me"), false),
        ("it lost its place to be formed elsewhere", heard, homes(None, "", "other"), true),
        ("located here", located, homes(Some(1), "other", "me"), false),
        ("located elsewhere", located, homes(Some(1), "me", "other"), true),
        ("not used", heard, Homes::default(), true),
        ("not used, nor located", located, Homes { listener: owner("me"), ..Homes::default() }, true),
    ] {
        assert_eq!(over(code, "a@x.dk", &homes), expected, "{what}");
    }
}

#[test]
fn a_mailbox_of_the_qualifier_goes_with_its_shard() {
    let mail = MailAddress::parse("a@x.dk").unwrap();
    let shard = usize::from(mail.bucket()) % 2;
    let homes = |name: &str, used: bool| {
        let mut shards = vec![owner("third"), owner("third")];
        shards[shard] = owner(name);
        let home = MailboxHome { group: Some(1), owner: owner("other") };
        let mailboxes = used.then(|| ("a@x.dk".to_owned(), home)).into_iter().collect();
        Homes { shards: Some(shards), mailboxes, ..Homes::default() }
    };
    let code = codes::ITEM_FETCH_FAILED;
    assert!(!over(code, "a@x.dk", &homes("me", true)), "whoever listens to it");
    assert!(!over(code, "a@x.dk", &homes("", true)));
    assert!(over(code, "a@x.dk", &homes("other", true)));
    assert!(over(code, "a@x.dk", &homes("me", false)), "it is not used any more");
    let unknown = codes::NOTIFICATION_WITHOUT_MAILBOX;
    assert!(!over(unknown, "a@x.dk", &homes("me", false)), "which is what it says");
    assert!(over(unknown, "a@x.dk", &homes("other", false)));
    assert!(!over(codes::ITEM_NOT_REPRESENTABLE, "a@x.dk", &homes("other", false)), "it ends by itself");
}

/// Regression: an alert about a duty as a whole stood for 24 h on an instance whose duty another one had taken over.
#[test]
fn what_is_about_a_duty_goes_with_it() {
    let with = |owners: &[(&str, &str)]| Homes {
        duties: owners.iter().map(|(key, name)| ((*key).to_owned(), owner(name).unwrap())).collect(),
        ..Homes::default()
    };
    for (code, lease) in [
        (codes::COMMUNICATOR_RUN_FAILED, SENDER_LEASE),
        (codes::ITEM_SYNC_FAILED, SENDER_LEASE),
        (codes::EVENTS_FETCH_FAILED, COMPARISON_LEASE),
        (codes::RESOURCE_LIST_EMPTY, RESOURCE_LIST_LEASE),
        (codes::RESOURCE_ADDRESS_INVALID, RESOURCE_LIST_LEASE),
        (codes::LISTENER_UNKNOWN_ERROR, LISTENER_LEASE),
        (codes::SERVICE_ACCOUNT_MISSING, LISTENER_LEASE),
    ] {
        assert!(!over(code, "", &with(&[(lease, "me")])), "{}: it is here", code.id);
        assert!(!over(code, "", &with(&[])), "{}: it is nobody's, and may be taken here again", code.id);
        assert!(over(code, "", &with(&[(lease, "other")])), "{}", code.id);
        assert!(!over(code, "", &with(&[("housekeeping", "other")])), "{}: another duty", code.id);
    }
    // three duties call Planner
    let calls = |sender: &str, comparison: &str, list: &str| {
        with(&[(SENDER_LEASE, sender), (COMPARISON_LEASE, comparison), (RESOURCE_LIST_LEASE, list)])
    };
    let code = codes::PLANNER_ANSWER_UNUSABLE;
    assert!(over(code, "", &calls("other", "third", "other")));
    assert!(!over(code, "", &calls("other", "me", "other")), "it may have been the comparison's");
    assert!(!over(code, "", &with(&[(SENDER_LEASE, "other")])), "the others are nobody's");
    // what every instance does, and what groups and shards do, stays
    for code in [codes::COMMUNICATOR_DATABASE_FAILED, codes::DATABASE_UNREACHABLE] {
        assert!(!over(code, "", &calls("other", "other", "other")), "{}", code.id);
    }
}

#[test]
fn what_is_counted_is_looked_for_once_each() {
    let counted: [(u16, &str); 7] =
        [(4908, "7"), (9006, "3"), (4922, "a@x.dk"), (2902, "1"), (4908, "others"), (8901, "x"), (9999, "7")];
    let subjects = Subjects::of(counted.map(|(code, words)| (code, words.to_owned())).into());
    let sought = Sought { groups: vec![7], accounts: vec![3], mailboxes: vec!["a@x.dk".to_owned()] };
    assert_eq!(subjects.sought(), sought);
    assert!(Subjects::of(vec![(9999, "7".to_owned())]).is_empty() && !subjects.is_empty());
}

/// A code about a new kind of subject that a success ends must say here when it is elsewhere.
#[test]
fn each_kind_of_subject_is_known() {
    for entry in codes::REGISTRY.iter().filter(|entry| entry.can_alert()) {
        let (Some(per), Clears::On(_)) = (entry.per, entry.clears) else { continue };
        let words = if per == "mailbox" { "a@x.dk" } else { "1" };
        // a certificate is a file of this process
        let known = per == "certificate" || subject(entry.code.id, words).is_some();
        assert!(known, "{} is counted for each {per}", entry.code.id);
    }
}
