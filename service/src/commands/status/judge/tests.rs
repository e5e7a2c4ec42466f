//! Goal: what is to be looked at is said, with the next step, and nothing else is. Method: a picture in which all is
//! well, and one change at a time.

use std::time::Duration;

use calendar::ids::AccountId;
use calendar::{OriginId, Slot};
use jiff::Timestamp;
use store::accounts::{AccountCapacity, AccountLoad, BackOffReason};
use store::group_streams::StreamEvent;
use store::inspect::{BudgetUse, Group, HeldLease, Hold, Unsent, Work};
use store::instances::Heard;
use store::outbox::Operation;
use store::overview::Overview;

use super::super::Limits;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn lease(key: &str, owner: Option<&str>) -> HeldLease {
    HeldLease {
        key: key.to_owned(),
        owner: owner.map(ToOwned::to_owned),
        left: Duration::from_secs(9),
        free_since: None,
    }
}

/// A stream that is open, or could not be opened, since then.
fn stream_of(open: bool, since: i64) -> StreamState {
    let event = if open { StreamEvent::Opened } else { StreamEvent::Away };
    StreamState {
        open,
        since: at(since),
        happening: event.as_str().to_owned(),
        code: (!open).then(|| "HTTP 503".to_owned()),
        happened_at: at(since),
    }
}

fn well() -> Picture {
    let keys = [
        "affinity-group/1",
        "communicator/comparison",
        "communicator/planner-batcher",
        "listener",
        "qualifier/0",
    ];
    Picture {
        work: Work {
            at: at(0),
            queues: Overview { resources: 3, resource_list_fetched_at: Some(at(-60)), ..Overview::default() },
            leases: keys.into_iter().map(|key| lease(key, Some("one"))).collect(),
            shards: Some(1),
            instances: Vec::new(),
            groups: vec![Group {
                id: 1,
                endpoint: "https://x".to_owned(),
                grouping_value: "g".to_owned(),
                account: 0,
                user_name: None,
                members: 3,
                subscribed: 3,
                failing: 0,
                owner: Some("one".to_owned()),
                stream: Some(stream_of(true, -60)),
            }],
            budget: BudgetUse { calls: 3, ..BudgetUse::default() },
            keys_set_aside: 0,
            keys_refused: 0,
            withheld: 0,
            withdrawals_unsent: 0,
            full_pull_at: None,
            comparison_at: None,
            events: Vec::new(),
        },
        accounts: AccountCapacity::default(),
        oldest: None,
        alerts: Vec::new(),
        sending: crate::commands::diff::Sending::default(),
        limits: Limits { calls: None, events: None, simultaneous: 1, groups: 3, any_certificate: false },
        configured: None,
    }
}

fn unsent(age_s: i64) -> Unsent {
    Unsent {
        mail: "a@x.dk".to_owned(),
        origin_id: OriginId::new("U".to_owned()),
        operation: Operation::Create,
        slot: Slot { start: at(0), end: at(60) },
        held: None,
        decided_at: at(-age_s),
        bulk: false,
        hold: Hold::InTurn,
    }
}

fn keys(picture: &Picture) -> Vec<&'static str> {
    remarks(picture).iter().map(|remark| remark.what.key).collect()
}

#[test]
fn where_all_is_well_nothing_is_said() {
    assert_eq!(keys(&well()), [""; 0]);
    assert_eq!(keys(&Picture { oldest: Some(unsent(100)), ..well() }), [""; 0]);
}

#[test]
fn each_thing_to_be_looked_at_is_said_once() {
    let change = |change: fn(&mut Picture)| {
        let mut picture = well();
        change(&mut picture);
        keys(&picture)
    };
    assert_eq!(change(|p| p.work.leases.iter_mut().for_each(|l| l.owner = None)), ["status.r.nobody_runs"]);
    assert_eq!(change(|p| p.work.leases.retain(|l| l.key != "qualifier/0")), ["status.r.stage"]);
    let without_sender = |p: &mut Picture| {
        p.work.leases.iter_mut().filter(|l| l.key == SENDER).for_each(|l| l.owner = None);
    };
    assert_eq!(change(without_sender), ["status.r.part"], "the stage runs, and sends nothing");
    let rehearsed = change(|p| {
        p.work.leases.iter_mut().filter(|l| l.key == SENDER).for_each(|l| l.owner = None);
        p.sending.dry_run = true;
    });
    assert_eq!(rehearsed, ["status.r.dry_run"], "in a rehearsal nobody sends on purpose");
    assert_eq!(change(|p| p.work.queues.resource_list_fetched_at = None), ["status.r.no_list"]);
    assert_eq!(change(|p| p.oldest = Some(unsent(121))), ["status.r.late"]);
    assert_eq!(change(|p| p.work.queues.oldest_notification_s = Some(200.0)), ["status.r.slow"]);
    assert_eq!(change(|p| p.work.queues.resources_failing = 2), ["status.r.failing"]);
    assert_eq!(change(|p| p.accounts.not_covered = 2), ["status.r.not_covered"]);
    assert_eq!(change(|p| p.work.withheld = 1), ["status.r.withheld"]);
    assert_eq!(change(|p| p.work.keys_set_aside = 1), ["status.r.aside"]);
    // regression: all was said to be well while Planner lacked an appointment that it had refused
    assert_eq!(change(|p| p.work.keys_refused = 1), ["status.r.refused"]);
    assert_eq!(change(|p| p.work.budget.failed = 1), ["status.r.calls_fail"]);
    let waits = |p: &mut Picture| {
        p.accounts.accounts.push(AccountLoad {
            account: AccountId::new(7),
            user_name: Some("svc".to_owned()),
            groups: 1,
            mailboxes: 3,
            waits: Some((at(60), BackOffReason::Busy)),
        });
    };
    assert_eq!(change(waits), ["status.r.account_waits"]);
    let dry = |p: &mut Picture| {
        p.sending.dry_run = true;
        p.oldest = Some(unsent(1_000_000));
    };
    assert_eq!(change(dry), ["status.r.dry_run"], "what is not sent on purpose is not late");
}

/// Regression: status counted none that cannot be listened to while `mailbox list --failing` showed all of them.
#[test]
fn while_a_stream_fails_all_of_its_group_cannot_be_listened_to() {
    use super::super::{failing_of, listened_of};
    let counted = |change: &dyn Fn(&mut Picture)| {
        let mut picture = well();
        change(&mut picture);
        let (group, streams) = (&picture.work.groups[0], picture.streams());
        (picture.failing(), failing_of(group, &streams), listened_of(group, &streams))
    };
    assert_eq!(counted(&|_| {}), (0, 0, 3));
    // one by itself
    let by_itself = |p: &mut Picture| {
        p.work.queues.resources_failing = 1;
        (p.work.groups[0].failing, p.work.groups[0].subscribed) = (1, 2);
    };
    assert_eq!(counted(&by_itself), (1, 1, 2));
    let fails = |p: &mut Picture| {
        by_itself(p);
        p.work.groups[0].stream = Some(stream_of(false, -200));
    };
    assert_eq!(counted(&fails), (3, 3, 0), "it is counted once");
    // one without a group, too
    let both = |p: &mut Picture| {
        fails(p);
        p.work.queues.resources_failing = 2;
    };
    assert_eq!(counted(&both), (4, 3, 0));
    let mut picture = well();
    fails(&mut picture);
    assert!(keys(&picture).contains(&"status.r.failing"), "{:?}", keys(&picture));
}

/// Regression: the account of the configuration was called "service account 0".
#[test]
fn an_account_that_waits_is_called_by_its_name() {
    let told = |configured: Option<&str>, language| {
        let mut picture = well();
        picture.configured = configured.map(str::to_owned);
        picture.accounts.accounts.push(AccountLoad {
            account: AccountId::new(0),
            user_name: None,
            groups: 1,
            mailboxes: 3,
            waits: Some((at(60), BackOffReason::Busy)),
        });
        remarks(&picture)[0].text(language).0
    };
    assert_eq!(told(Some("svc"), Language::En), "Exchange holds service account svc up: busy");
    assert_eq!(told(None, Language::En), "Exchange holds service account (configuration) up: busy");
    assert_eq!(told(None, Language::Da), "Exchange lader servicekonto (konfiguration) vente: optaget");
}

/// Regression: the log of an instance was to be looked into where there was none with the role of the stage.
#[test]
fn a_stage_without_an_instance_is_to_be_started_and_one_with_an_instance_tells_why_in_its_log() {
    let next = |instances: Vec<Instance>, language| {
        let mut picture = well();
        picture.work.leases.retain(|lease| lease.key != "qualifier/0");
        picture.work.instances = instances;
        assert_eq!(keys(&picture), ["status.r.stage"]);
        remarks(&picture)[0].text(language).1
    };
    let with_role = |role: &str, alive: bool| Instance {
        roles: vec![role.to_owned()],
        leases: u64::from(alive),
        ..instance_seen(alive, 0, 1)
    };
    let listens = || with_role("listen", true);
    let start = "no instance with the role qualify runs; start one: kommuneklient run --roles qualify";
    assert_eq!(next(vec![listens()], Language::En), start);
    let ended = Instance { leases: 0, ..with_role("qualify", false) };
    assert_eq!(next(vec![listens(), ended], Language::En), start);
    let danish = next(vec![listens()], Language::Da);
    assert_eq!(danish, "ingen instans med rollen qualify kører; start en: kommuneklient run --roles qualify");
    let told = next(vec![listens(), with_role("qualify", true)], Language::En);
    assert!(told.starts_with("look into the log of an instance with that role"), "{told}");
}

/// Regression: without a service account one was to look into a log for why the qualifier stood still.
#[test]
fn a_qualifier_that_has_no_account_says_so() {
    let next = |roles: &[&str]| {
        let mut picture = well();
        picture.work.leases.retain(|lease| lease.key != "qualifier/0");
        let seen = |role: &&str| Instance { roles: vec![(*role).to_owned()], ..instance_seen(true, 0, 1) };
        picture.work.instances = roles.iter().map(seen).collect();
        picture.alerts =
            vec![Alert { code: 4933, since: at(-9), last_at: at(0), occurrences: 1, subjects: Vec::new() }];
        let remarks = remarks(&picture);
        let stage =
            remarks.iter().map(|one| one.text(Language::En)).find(|(what, _)| what.contains("stands still"));
        stage.unwrap()
    };
    let (what, how) = next(&["listen", "qualify"]);
    assert_eq!(what, "the qualifier stands still");
    assert_eq!(how, "it waits for a service account: kommuneklient credential add USER");
    assert!(next(&["listen"]).1.starts_with("no instance with the role qualify runs"), "nobody to have one");
}

#[test]
fn a_group_without_an_owner_is_missed_while_there_is_such_a_group() {
    let mut picture = well();
    picture.work.leases[0].owner = None;
    picture.work.leases.push(lease("affinity-group/9", None));
    let state = stage(&picture.work, Stage::Listener);
    assert_eq!((state.owners, state.missing), (vec!["one".to_owned()], vec!["affinity-group/1".to_owned()]));
}

/// Regression: after an outage of the database some shards were nobody's, and the qualifier was said to run.
#[test]
fn shards_that_nobody_owns_are_told_with_their_number_and_since_when() {
    let mut picture = well();
    let work = &mut picture.work;
    work.shards = Some(4);
    // 0 is owned; 1 ran out, 2 was handed back, 3 was never taken; 4 is of another number of shards
    let ran_out = HeldLease { free_since: Some(at(-30)), ..lease("qualifier/1", None) };
    work.leases.extend([ran_out, lease("qualifier/2", None), lease("qualifier/4", None)]);
    let free = free_shards(&picture.work);
    assert_eq!(free, FreeShards { free: vec![1, 2, 3], all: 4, since: Some(at(-30)) });
    let state = stage(&picture.work, Stage::Qualifier);
    assert!(state.runs());
    assert_eq!(state.missing, ["qualifier/1", "qualifier/2", "qualifier/3"]);
    assert_eq!(keys(&picture), ["status.r.shards_since"]);
    let (what, next) = remarks(&picture)[0].text(Language::En);
    let since = moment(at(-30));
    assert_eq!(
        what,
        format!(
            "3 of 4 shards of the qualifier are nobody's, the first since {since}: nothing is decided about their mailboxes"
        )
    );
    assert!(next.contains("role qualify"), "{next}");
    picture.work.leases.iter_mut().for_each(|lease| lease.free_since = None);
    assert_eq!(keys(&picture), ["status.r.shards"], "since when is not known");
    let (what, _) = remarks(&picture)[0].text(Language::Da);
    assert_eq!(what, "ingen har 3 af vurderingens 4 dele: der afgøres intet om deres postkasser");
    // where nobody owns any the stage stands still, which says it all
    picture
        .work
        .leases
        .iter_mut()
        .filter(|lease| lease.key == "qualifier/0")
        .for_each(|lease| lease.owner = None);
    assert_eq!(keys(&picture), ["status.r.stage"]);
    // nobody has said how many there are: a version of before, or no qualifier ever
    picture.work.shards = None;
    assert_eq!(free_shards(&picture.work), FreeShards::default());
}

/// Regression: a process that had died was shown as alive until its leases ran out.
#[test]
fn an_instance_that_is_not_heard_of_is_told() {
    let instance = |alive, heard: Option<(u64, u64)>| Instance {
        name: "host/7/x1".to_owned(),
        roles: vec!["listen".to_owned()],
        version: "1".to_owned(),
        started_at: at(-600),
        alive,
        leases: u64::from(alive),
        heard: heard
            .map(|(ago, life)| Heard { ago: Duration::from_secs(ago), life: Duration::from_secs(life) }),
    };
    for (alive, heard, expected, said) in [
        (true, Some((0, 12)), Pulse::Beats, &[][..]),
        (true, Some((4, 12)), Pulse::Beats, &[]),
        (true, Some((5, 12)), Pulse::Late, &[]),
        (true, Some((8, 12)), Pulse::Late, &[]),
        (true, Some((9, 12)), Pulse::Silent, &["status.r.silent"]),
        (true, Some((9, 30)), Pulse::Beats, &[]),
        (true, None, Pulse::Beats, &[]),
        (false, Some((13, 12)), Pulse::Gone, &[]),
        (false, None, Pulse::Gone, &[]),
    ] {
        let one = instance(alive, heard);
        assert_eq!(pulse(&one), expected, "{heard:?}");
        let mut picture = well();
        picture.work.instances = vec![one];
        assert_eq!(keys(&picture), said, "{heard:?}");
    }
    let mut picture = well();
    picture.work.instances = vec![instance(true, Some((9, 12)))];
    let (what, _) = remarks(&picture)[0].text(Language::En);
    assert_eq!(
        what,
        "instance host/7 was last seen 9 s ago: it has died, is paused or does not reach the database"
    );
    for (alive, heard, language, words) in [
        (true, Some((4, 12)), Language::En, "alive"),
        (true, Some((5, 12)), Language::En, "alive, last seen 5 s ago"),
        (true, Some((9, 12)), Language::Da, "tavs, sidst set for 9 s siden"),
        (false, Some((90, 12)), Language::En, "gone, last seen 1 min 30 s ago"),
        (false, None, Language::Da, "væk"),
    ] {
        assert_eq!(super::super::page::pulse(&instance(alive, heard), language), words);
    }
}

fn instance_seen(alive: bool, leases: u64, ago_s: u64) -> Instance {
    Instance {
        name: "host/7/x1".to_owned(),
        roles: vec!["listen".to_owned()],
        version: "1".to_owned(),
        started_at: at(-600),
        alive,
        leases,
        heard: Some(Heard { ago: Duration::from_secs(ago_s), life: Duration::from_secs(12) }),
    }
}

/// Regression: after an outage of the database an instance that had its leases again was shown as gone, and none was said to
/// run while two did.
#[test]
fn after_an_outage_who_owns_a_lease_or_is_alive_runs() {
    let mut picture = well();
    let back = instance_seen(false, 3, 20);
    assert_eq!(pulse(&back), Pulse::Late);
    assert_eq!(super::super::page::pulse(&back, Language::En), "alive, last seen 20 s ago");
    picture.work.instances = vec![back];
    assert_eq!(keys(&picture), [""; 0]);
    assert!(notes(&picture).is_empty());
    // nobody has a lease again, or can work yet
    picture.work.leases.iter_mut().for_each(|lease| lease.owner = None);
    picture.work.instances = vec![instance_seen(true, 0, 1)];
    assert!(!nobody_runs(&picture.work));
    assert_eq!(keys(&picture), ["status.r.stage"; 3]);
    picture.work.instances = vec![instance_seen(false, 0, 20)];
    assert_eq!(keys(&picture), ["status.r.nobody_runs"]);
}

/// Regression: that an instance had ended without a word was told for seconds, and then nowhere.
#[test]
fn an_instance_that_ended_without_a_word_is_a_note_while_its_row_is_there() {
    let mut picture = well();
    picture.work.instances = vec![instance_seen(false, 0, 600)];
    assert_eq!(keys(&picture), [""; 0], "what it owned was taken over: all is well");
    let told = |picture: &Picture, language| notes(picture)[0].text(language).0;
    let seen = moment(at(-600));
    assert_eq!(
        told(&picture, Language::En),
        format!("instance host/7 ended without a word, it was last seen at {seen}; its work was taken over")
    );
    let page = super::super::page::page(&picture, Language::Da);
    assert!(page.starts_with("alt er i orden\n\nværd at vide:\n  instansen host/7 sluttede"), "{page}");
    picture.work.leases.retain(|lease| lease.key != "qualifier/0");
    assert_eq!(keys(&picture), ["status.r.stage"]);
    let expected = format!("instance host/7 ended without a word; it was last seen at {seen}");
    assert_eq!(told(&picture, Language::En), expected, "not all of it is done");
}

/// Regression: in a rehearsal the table of stages told that sending was nobody's.
#[test]
fn in_a_rehearsal_nobody_is_missed_who_sends() {
    let mut picture = well();
    picture.work.leases.iter_mut().filter(|lease| lease.key == SENDER).for_each(|lease| lease.owner = None);
    let page = |picture: &Picture| super::super::page::page(picture, Language::En);
    assert_eq!(stage_of(&picture, Stage::Communicator).missing, [SENDER]);
    assert!(page(&picture).contains("runs partly: communicator/planner-batcher is nobody's"));
    picture.work.leases.push(lease("communicator/resource-list", None));
    let both = "runs partly: communicator/planner-batcher, communicator/resource-list are nobody's";
    assert!(page(&picture).contains(both), "{}", page(&picture));
    picture.work.leases.pop();
    picture.sending.dry_run = true;
    assert!(stage_of(&picture, Stage::Communicator).missing.is_empty());
    assert!(!page(&picture).contains("nobody's"), "{}", page(&picture));
    assert_eq!(super::super::value(&picture)["stages"][2]["missing"], json!([]));
}

#[test]
fn the_next_step_names_the_mailbox() {
    let picture = Picture { oldest: Some(unsent(7_500)), ..well() };
    let (what, next) = remarks(&picture)[0].text(Language::Da);
    assert_eq!(what, "den ældste usendte ændring har ventet i 2 h 5 min");
    assert_eq!(next, "kommuneklient explain a@x.dk");
}

#[test]
fn ages_have_two_units() {
    for (seconds, text) in
        [(0.4, "0 s"), (59.9, "59 s"), (61.0, "1 min 1 s"), (3_700.0, "1 h 1 min"), (100_000.0, "1 d 3 h")]
    {
        assert_eq!(age(seconds), text);
    }
}

/// Exchange is down: nothing waits, since nothing comes, and the groups are owned; what is known is the alert.
#[test]
fn an_alert_that_stands_is_not_well_and_its_group_fails() {
    let mut picture = well();
    picture.alerts = vec![
        Alert {
            code: 4906,
            since: at(-60),
            last_at: at(0),
            occurrences: 1,
            subjects: vec!["a@x.dk".to_owned()],
        },
        Alert { code: 4908, since: at(-50), last_at: at(0), occurrences: 3, subjects: vec!["1".to_owned()] },
    ];
    assert_eq!(keys(&picture), ["status.r.alert", "status.r.alert"]);
    let remarks = remarks(&picture);
    let (what, next) = remarks[0].text(Language::En);
    assert!(what.contains("alert 4908") && what.contains("a stream could not be opened (group 1)"), "{what}");
    assert_eq!(next, "kommuneklient codes 4908");
    assert!(remarks[1].text(Language::Da).0.contains("en postkasse i en gruppe"));
    assert_eq!(stream(&picture, &picture.work.groups[0]), Stream::Fails);
    assert_eq!(stream(&well(), &well().work.groups[0]), Stream::Open);
    picture.work.groups[0].owner = None;
    assert_eq!(stream(&picture, &picture.work.groups[0]), Stream::Nobodys);
}

#[test]
fn a_stream_stands_as_its_owner_says() {
    let with = |change: &dyn Fn(&mut Picture)| {
        let mut picture = well();
        change(&mut picture);
        let stream = stream(&picture, &picture.work.groups[0]);
        (stream, keys(&picture))
    };
    assert_eq!(with(&|_| {}), (Stream::Open, vec![]));
    let shut = |since| {
        move |picture: &mut Picture| {
            picture.work.groups[0].stream = Some(stream_of(false, since));
        }
    };
    assert_eq!(with(&shut(-100)), (Stream::NotOpen, vec![]), "it is about to be opened");
    assert_eq!(with(&shut(-130)), (Stream::NotOpen, vec!["status.r.not_open", "status.r.failing"]));
    let nobody = |picture: &mut Picture| {
        shut(-130)(picture);
        picture.work.groups[0].members = 0;
    };
    assert_eq!(with(&nobody), (Stream::NotOpen, vec![]), "nobody is left to be listened to");
    assert_eq!(with(&|picture| picture.work.groups[0].stream = None), (Stream::Owned, vec![]));

    let mut picture = well();
    shut(-130)(&mut picture);
    let (what, _) = remarks(&picture)[0].text(Language::En);
    assert_eq!(
        what,
        "the stream of group 1 has not been open for 2 min 10 s: Exchange cannot open it now (HTTP 503)"
    );
}

#[test]
fn streams_fail_that_are_not_open_for_long_or_that_an_alert_is_about() {
    let alert = Alert {
        code: 4908,
        since: at(-30),
        last_at: at(-10),
        occurrences: 9,
        subjects: vec!["1".to_owned()],
    };
    let fails = |stream: Option<StreamState>, members: u64, alerts: &[Alert]| {
        let mut work = well().work;
        work.groups[0].stream = stream;
        work.groups[0].members = members;
        !failing_streams(&work, alerts).is_empty()
    };
    let (none, alarmed): (&[Alert], &[Alert]) = (&[], std::slice::from_ref(&alert));
    for (stream, alerts, expected) in [
        (Some(stream_of(true, -600)), none, false),
        (Some(stream_of(true, -600)), alarmed, false),
        (Some(stream_of(false, -10)), none, false),
        (Some(stream_of(false, -10)), alarmed, true),
        (Some(stream_of(false, -600)), none, true),
        (None, none, false),
        (None, alarmed, true),
    ] {
        assert_eq!(fails(stream.clone(), 3, alerts), expected, "{stream:?} {alerts:?}");
        assert!(!fails(stream, 0, alerts));
    }
}
