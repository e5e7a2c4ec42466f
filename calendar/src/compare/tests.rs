//! Goal: every cell of the table of B11 and every reason to leave a key, then properties: the order of rows
//! does not matter, what agrees needs nothing, and what the verdicts ask for makes both sides agree.
//!
//! Method: now is 1 August 2026 10:00 in Copenhagen, W is [2 August, 2 November). The call to Planner began
//! then.
use proptest::prelude::*;

use super::*;

const MAIL: &str = "bodil@kommune.dk";

fn mail() -> MailAddress {
    MailAddress::parse(MAIL).unwrap()
}

fn now() -> Timestamp {
    "2026-08-01T08:00:00Z".parse().unwrap()
}

fn window() -> Window {
    Window::at(now(), &jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap(), 3)
}

/// An hour that begins so many hours after now.
fn hour(after_now: i64) -> Slot {
    let at = |hours: i64| Timestamp::from_second(now().as_second() + hours * 3600).unwrap();
    Slot { start: at(after_now), end: at(after_now + 1) }
}

const IN_W: i64 = 48;
const LATER_IN_W: i64 = 72;
const TODAY: i64 = 2;
const BEYOND_W: i64 = 100 * 24;

fn key(stored: Stored, activity: Activity) -> StoredKey {
    StoredKey { origin_id: OriginId::new("K"), stored, activity }
}

fn row(slot: Slot) -> PlannerRow {
    PlannerRow { mail: Some(mail()), origin_id: Some(OriginId::new("K")), slot }
}

fn run(stored: &[StoredKey], rows: &[PlannerRow], full_read_complete: bool) -> Vec<(OriginId, Verdict)> {
    let (mail, window) = (mail(), window());
    let scene = CompareScene { mail: &mail, began: now(), window: &window, full_read_complete, stored, rows };
    compare_mailbox(&scene)
}

/// The verdict about key K; `None` when it is not concerned.
fn one(stored: Option<Stored>, activity: Activity, rows: &[Slot], full_read: bool) -> Option<Verdict> {
    let stored: Vec<StoredKey> = stored.map(|stored| key(stored, activity)).into_iter().collect();
    let rows: Vec<PlannerRow> = rows.iter().copied().map(row).collect();
    let verdicts = run(&stored, &rows, full_read);
    assert!(verdicts.len() <= 1);
    verdicts.into_iter().next().map(|(origin_id, verdict)| {
        assert_eq!(origin_id.as_str(), "K");
        verdict
    })
}

#[test]
fn every_cell_of_the_table() {
    use Stored as S;
    use Verdict as V;
    let (there, absent) = (|at| Some(S::There(hour(at))), |at| Some(S::Absent(Some(hour(at)))));
    let not_read = V::Left(LeftBecause::NotReadInFull);
    for (line, stored, planner, full_read, verdict) in [
        // there
        (1, there(IN_W), Some(IN_W), true, Some(V::Nothing)),
        (2, there(IN_W), Some(LATER_IN_W), true, Some(V::Update)),
        (3, there(IN_W), None, true, Some(V::Create)),
        // a full read is no condition for what is decided
        (4, there(IN_W), Some(LATER_IN_W), false, Some(V::Update)),
        (5, there(IN_W), None, false, Some(V::Create)),
        // the latest decision is "absent"
        (10, absent(IN_W), Some(IN_W), true, Some(V::Delete)),
        (11, absent(IN_W), Some(IN_W), false, Some(V::Delete)),
        (12, absent(IN_W), None, true, Some(V::Nothing)),
        (13, Some(S::Absent(None)), Some(IN_W), true, Some(V::Delete)),
        // unknown
        (20, None, Some(IN_W), true, Some(V::Delete)),
        (21, None, Some(IN_W), false, Some(not_read)),
        (22, None, None, true, None),
        (23, Some(S::Unknown), Some(IN_W), true, Some(V::Delete)),
        (24, Some(S::Unknown), Some(IN_W), false, Some(not_read)),
        (25, Some(S::Unknown), None, true, None),
        // Planner's own
        (30, Some(S::PlannersOwn), Some(IN_W), true, Some(V::Nothing)),
        (31, Some(S::PlannersOwn), None, true, None),
        // the store's key overlaps W, Planner's row does not
        (40, there(IN_W), Some(TODAY), true, Some(V::Update)),
        (41, there(IN_W), Some(BEYOND_W), true, Some(V::Update)),
        (42, absent(IN_W), Some(TODAY), true, Some(V::Nothing)),
        (43, absent(IN_W), Some(BEYOND_W), true, Some(V::Nothing)),
        // Planner's row overlaps W, the store's key does not
        (50, there(TODAY), Some(IN_W), true, Some(V::Update)),
        (51, absent(TODAY), Some(IN_W), true, Some(V::Delete)),
        // neither does
        (60, there(TODAY), Some(TODAY), true, None),
        (61, there(TODAY), Some(BEYOND_W), true, None),
        (62, there(TODAY), None, true, None),
        (63, absent(TODAY), Some(TODAY), true, None),
        (64, None, Some(TODAY), true, None),
        (65, None, Some(BEYOND_W), true, None),
    ] {
        let rows: Vec<Slot> = planner.map(hour).into_iter().collect();
        assert_eq!(one(stored, Activity::default(), &rows, full_read), verdict, "line {line}");
    }
}

#[test]
fn what_is_going_on_is_left() {
    use LeftBecause as L;
    let (before, after) = (hour(-1).start, hour(1).start);
    let idle = Activity::default();
    for (activity, because) in [
        (Activity { decided_at: Some(after), ..idle }, L::Decided),
        (Activity { decided_at: Some(now()), ..idle }, L::Decided),
        (Activity { sent_at: Some(after), ..idle }, L::Sent),
        (Activity { acknowledged_at: Some(after), ..idle }, L::Acknowledged),
        (Activity { pending: true, ..idle }, L::Pending),
        (Activity { in_flight: true, ..idle }, L::InFlight),
        (Activity { withheld: true, ..idle }, L::Withheld),
        // the one that an operator should see comes first
        (
            Activity { withheld: true, in_flight: true, pending: true, decided_at: Some(after), ..idle },
            L::Withheld,
        ),
    ] {
        let left = Some(Verdict::Left(because));
        for stored in [Stored::There(hour(IN_W)), Stored::Absent(Some(hour(IN_W))), Stored::Unknown] {
            assert_eq!(
                one(Some(stored), activity, &[hour(LATER_IN_W)], true),
                left,
                "{stored:?} {because:?}"
            );
        }
        assert_eq!(one(Some(Stored::There(hour(IN_W))), activity, &[], true), left, "lacking, {because:?}");
    }
    let long_ago =
        Activity { decided_at: Some(before), sent_at: Some(before), acknowledged_at: Some(before), ..idle };
    assert_eq!(one(Some(Stored::There(hour(IN_W))), long_ago, &[], true), Some(Verdict::Create));
}

#[test]
fn a_rejected_delete_is_not_tried_again_but_the_key_is_still_cared_for() {
    let rejected = Activity { rejected: true, ..Activity::default() };
    let left = Some(Verdict::Left(LeftBecause::Rejected));
    assert_eq!(one(Some(Stored::Unknown), rejected, &[hour(IN_W)], true), left);
    assert_eq!(one(Some(Stored::Absent(None)), rejected, &[hour(IN_W)], true), left);
    let there = Some(Stored::There(hour(IN_W)));
    assert_eq!(one(there, rejected, &[hour(IN_W)], true), Some(Verdict::Nothing));
    assert_eq!(one(there, rejected, &[hour(LATER_IN_W)], true), Some(Verdict::Update));
    assert_eq!(one(there, rejected, &[], true), Some(Verdict::Create));
}

#[test]
fn times_are_equal_to_the_second() {
    let mut held = hour(IN_W);
    held.start += std::time::Duration::from_millis(999);
    let there = Some(Stored::There(hour(IN_W)));
    assert_eq!(one(there, Activity::default(), &[held], true), Some(Verdict::Nothing));
    held.end += std::time::Duration::from_secs(1);
    assert_eq!(one(there, Activity::default(), &[held], true), Some(Verdict::Update));
}

#[test]
fn rows_of_others_and_without_an_origin_id_are_never_touched() {
    let somebody = MailAddress::parse("somebody.else@kommune.dk").unwrap();
    let rows = [
        PlannerRow { mail: Some(somebody), ..row(hour(IN_W)) },
        PlannerRow { mail: None, ..row(hour(IN_W)) },
        PlannerRow { origin_id: None, ..row(hour(IN_W)) },
        PlannerRow { origin_id: Some(OriginId::new("")), ..row(hour(IN_W)) },
    ];
    assert_eq!(run(&[], &rows, true), []);
    // and they stand for nothing: Planner lacks what only they have
    let wanted = [key(Stored::There(hour(IN_W)), Activity::default())];
    assert_eq!(run(&wanted, &rows, true), [(OriginId::new("K"), Verdict::Create)]);
}

#[test]
fn of_rows_with_one_key_the_one_that_differs_counts() {
    let there = Some(Stored::There(hour(IN_W)));
    let idle = Activity::default();
    assert_eq!(one(there, idle, &[hour(IN_W), hour(IN_W)], true), Some(Verdict::Nothing));
    for rows in [[IN_W, LATER_IN_W], [LATER_IN_W, IN_W]] {
        assert_eq!(one(there, idle, &rows.map(hour), true), Some(Verdict::Update), "{rows:?}");
    }
    // a delete is about the one inside the window, and one delete for both
    for rows in [[TODAY, IN_W], [IN_W, TODAY]] {
        assert_eq!(one(None, idle, &rows.map(hour), true), Some(Verdict::Delete), "{rows:?}");
    }
}

#[test]
fn what_the_store_says_about_a_known_key() {
    let known = |version, wanted, slot, acknowledged| Known {
        origin_id: OriginId::new("K"),
        uid: None,
        recurrence_time: None,
        item_id: None,
        version,
        wanted,
        slot,
        decided_at: None,
        acknowledged,
    };
    let (a, b) = (Some(hour(1)), Some(hour(2)));
    assert_eq!(Stored::of(&known(1, true, a, b), false), Stored::There(hour(1)));
    assert_eq!(Stored::of(&known(2, false, a, b), false), Stored::Absent(a));
    assert_eq!(Stored::of(&known(1, false, None, b), false), Stored::Absent(None));
    assert_eq!(Stored::of(&known(0, false, None, b), false), Stored::Unknown);
    assert_eq!(Stored::of(&known(0, false, None, None), false), Stored::Unknown);
    assert_eq!(Stored::of(&known(1, true, a, b), true), Stored::PlannersOwn);
}

/// Defect of the original: its full pull re-created a deleted event, left the mark "deleted" on it, and the
/// next comparison deleted it again. Here a key has one latest decision, so there is no such mark to forget.
#[test]
fn what_a_full_pull_created_anew_after_a_deletion_is_not_deleted_by_the_comparison() {
    let mut known = Known {
        origin_id: OriginId::new("K"),
        uid: None,
        recurrence_time: None,
        item_id: None,
        version: 2,
        wanted: false,
        slot: Some(hour(IN_W)),
        decided_at: Some(hour(-2).start),
        acknowledged: None,
    };
    assert_eq!(Stored::of(&known, false), Stored::Absent(Some(hour(IN_W))));
    // the full pull finds it again
    (known.version, known.wanted, known.acknowledged) = (3, true, Some(hour(IN_W)));
    let activity = Activity { decided_at: Some(hour(-1).start), ..Activity::default() };
    let verdict = one(Some(Stored::of(&known, false)), activity, &[hour(IN_W)], true);
    assert_eq!(verdict, Some(Verdict::Nothing));
}

fn any_slot() -> impl Strategy<Value = Slot> {
    prop::sample::select(vec![-48, TODAY, IN_W, LATER_IN_W, BEYOND_W]).prop_map(hour)
}

fn any_stored() -> impl Strategy<Value = Stored> {
    prop_oneof![
        any_slot().prop_map(Stored::There),
        prop::option::of(any_slot()).prop_map(Stored::Absent),
        Just(Stored::Unknown),
        Just(Stored::PlannersOwn),
    ]
}

fn any_keys() -> impl Strategy<Value = BTreeMap<u8, (Stored, bool)>> {
    prop::collection::btree_map(0..8u8, (any_stored(), prop::bool::weighted(0.2)), 0..8)
}

fn any_rows() -> impl Strategy<Value = Vec<PlannerRow>> {
    let row = (0..10u8, any_slot(), prop::bool::weighted(0.9)).prop_map(|(id, slot, ours)| PlannerRow {
        mail: ours.then(mail),
        // 8 and 9: no origin id
        origin_id: (id < 8).then(|| OriginId::new(id.to_string())),
        slot,
    });
    prop::collection::vec(row, 0..12)
}

fn keys_of(keys: &BTreeMap<u8, (Stored, bool)>) -> Vec<StoredKey> {
    keys.iter()
        .map(|(id, (stored, pending))| StoredKey {
            origin_id: OriginId::new(id.to_string()),
            stored: *stored,
            activity: Activity { pending: *pending, ..Activity::default() },
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_order_of_rows_and_keys_does_not_matter(keys in any_keys(), rows in any_rows(), turn in 0usize..12) {
        let mut keys = keys_of(&keys);
        let verdicts = run(&keys, &rows, true);
        keys.reverse();
        let mut turned = rows;
        if !turned.is_empty() {
            let places = turn % turned.len();
            turned.rotate_left(places);
        }
        prop_assert_eq!(run(&keys, &turned, true), verdicts);
    }

    #[test]
    fn doing_what_it_says_makes_both_sides_agree(keys in any_keys(), rows in any_rows(), complete in any::<bool>()) {
        let keys = keys_of(&keys);
        let verdicts = run(&keys, &rows, complete);
        let mut planner = rows.clone();
        for (origin_id, verdict) in &verdicts {
            let stored = keys.iter().find(|key| key.origin_id == *origin_id).map(|key| key.stored);
            let ours = |row: &PlannerRow| row.mail.is_some() && row.origin_id.as_ref() == Some(origin_id);
            match (verdict, stored) {
                (Verdict::Create | Verdict::Update, Some(Stored::There(slot))) => {
                    planner.retain(|row| !ours(row));
                    planner.push(PlannerRow { mail: Some(mail()), origin_id: Some(origin_id.clone()), slot });
                }
                (Verdict::Delete, None | Some(Stored::Unknown | Stored::Absent(_))) => {
                    planner.retain(|row| !ours(row));
                }
                (Verdict::Nothing | Verdict::Left(_), _) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
        for (origin_id, verdict) in run(&keys, &planner, complete) {
            prop_assert!(matches!(verdict, Verdict::Nothing | Verdict::Left(_)), "{origin_id}: {verdict:?}");
        }
        // what is not ours is still there
        let foreign = |rows: &[PlannerRow]| {
            rows.iter().filter(|row| row.mail.is_none() || row.origin_id.is_none()).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(foreign(&planner), foreign(&rows));
    }

    #[test]
    fn what_is_on_its_way_is_never_judged(keys in any_keys(), rows in any_rows()) {
        for (origin_id, verdict) in run(&keys_of(&keys), &rows, true) {
            let id: u8 = origin_id.as_str().parse().unwrap();
            if let Some((stored, true)) = keys.get(&id) && *stored != Stored::PlannersOwn {
                prop_assert_eq!(verdict, Verdict::Left(LeftBecause::Pending));
            }
        }
    }

    #[test]
    fn nothing_that_was_not_read_in_full_loses_what_only_planner_knows(rows in any_rows()) {
        for (_, verdict) in run(&[], &rows, false) {
            prop_assert_eq!(verdict, Verdict::Left(LeftBecause::NotReadInFull));
        }
    }
}
