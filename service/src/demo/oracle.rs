//! What Planner should hold, by the rules alone: computed from the simulated Exchange's own listing of its
//! calendars, and compared with what Planner's GetEvents tells.
//!
//! This is written a second time on purpose. It uses neither the product's store nor its memory nor
//! `calendar::decide`, so that a misunderstanding there does not confirm itself here. It is simpler than the
//! product because it looks at a standing state: no history, no order, no failures.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::changes::{Horizon, Times};

/// One appointment of a calendar; series are unfolded, masters left out.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Whose.
    pub mailbox: String,
    /// Its current identifier.
    pub item_id: String,
    /// Its UID.
    pub uid: Option<String>,
    /// The original start, for an occurrence or exception.
    pub recurrence_id: Option<Timestamp>,
    /// Start and end.
    pub times: Times,
    /// Whole days?
    pub all_day: bool,
    /// Its own zone, by its IANA name.
    pub zone: Option<String>,
    /// Its status, as Exchange writes it.
    pub free_busy: String,
    /// Called off?
    pub cancelled: bool,
}

/// A key: mail address and origin id.
pub type Key = (String, String);

/// What differs between what should be there and what is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Should be there and is not.
    pub missing: Vec<Key>,
    /// Is there with other times.
    pub stale: Vec<Key>,
    /// Is there and should not be.
    pub extra: Vec<Key>,
}

impl Differences {
    /// Nothing differs?
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.stale.is_empty() && self.extra.is_empty()
    }
}

/// What Planner should hold (B2-B4), to the second.
pub fn expected(listed: &[Listed], horizon: &Horizon) -> BTreeMap<Key, Times> {
    // singles that share a UID within a mailbox: the smallest item id keeps it
    let mut keepers: HashMap<(&str, &str), &str> = HashMap::new();
    for item in listed.iter().filter(|item| item.recurrence_id.is_none()) {
        if let Some(uid) = item.uid.as_deref().filter(|uid| !uid.is_empty()) {
            let keeper = keepers.entry((&item.mailbox, uid)).or_insert(&item.item_id);
            if item.item_id.as_str() < *keeper {
                *keeper = &item.item_id;
            }
        }
    }
    let mut all = BTreeMap::new();
    for item in listed {
        let (start, end) = placed(item, horizon);
        let blocks =
            !item.cancelled && matches!(item.free_busy.as_str(), "Busy" | "Tentative" | "OOF") && start < end;
        if !blocks || end <= horizon.start || start >= horizon.end {
            continue;
        }
        let hash = || hex::encode(&Sha256::digest(item.item_id.as_bytes())[..8]);
        let origin = match (item.uid.as_deref().filter(|uid| !uid.is_empty()), item.recurrence_id) {
            (None, _) => format!("ITEM#{}", hash()),
            (Some(uid), Some(original)) => {
                format!("{uid}${}", original.to_zoned(horizon.zone.clone()).strftime("%Y%m%d-%H%M%S"))
            }
            (Some(uid), None) if keepers[&(item.mailbox.as_str(), uid)] == item.item_id => uid.to_owned(),
            (Some(uid), None) => format!("{uid}#{}", hash()),
        };
        all.insert((item.mailbox.to_lowercase(), origin), (start, end));
    }
    all
}

/// Where an appointment lies: whole days keep their dates and get the configured zone's midnights.
fn placed(item: &Listed, horizon: &Horizon) -> Times {
    let second = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    let (start, end) = item.times;
    if !item.all_day {
        return (second(start), second(end));
    }
    let own = item.zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(horizon.zone.clone());
    let midnight = |at: Timestamp| {
        let day = at.to_zoned(own.clone()).date();
        let there = horizon.zone.to_ambiguous_zoned(day.to_datetime(Time::midnight())).compatible();
        there.map_or(at, |zoned| zoned.timestamp())
    };
    (midnight(start), midnight(end))
}

/// Compares what should be there with what is.
pub fn compare(expected: &BTreeMap<Key, Times>, there: &BTreeMap<Key, Times>) -> Differences {
    let mut differences = Differences::default();
    for (key, times) in expected {
        match there.get(key) {
            None => differences.missing.push(key.clone()),
            Some(found) if !same(times, found) => differences.stale.push(key.clone()),
            Some(_) => {}
        }
    }
    differences.extra.extend(there.keys().filter(|key| !expected.contains_key(*key)).cloned());
    differences
}

fn same(a: &Times, b: &Times) -> bool {
    let close = |a: Timestamp, b: Timestamp| a.duration_since(b).abs() < SignedDuration::from_secs(1);
    close(a.0, b.0) && close(a.1, b.1)
}

#[cfg(test)]
mod tests {
    //! Goal: the oracle says what the rules' own sentences say, in examples counted out by hand.
    use super::*;

    fn horizon() -> Horizon {
        Horizon::at("2026-08-01T10:00:00Z".parse().unwrap(), &TimeZone::get("Europe/Copenhagen").unwrap(), 3)
    }

    fn listed(item_id: &str, uid: Option<&str>, start: &str, end: &str) -> Listed {
        Listed {
            mailbox: "M@sim.test".into(),
            item_id: item_id.into(),
            uid: uid.map(Into::into),
            recurrence_id: None,
            times: (start.parse().unwrap(), end.parse().unwrap()),
            all_day: false,
            zone: None,
            free_busy: "Busy".into(),
            cancelled: false,
        }
    }

    fn origins(listed: &[Listed]) -> Vec<String> {
        expected(listed, &horizon()).into_keys().map(|(_, origin)| origin).collect()
    }

    #[test]
    fn duplicates_of_a_uid_get_names_by_their_item() {
        let items = [
            listed("B", Some("U"), "2026-09-01T08:00:00Z", "2026-09-01T09:00:00Z"),
            listed("A", Some("U"), "2026-09-02T08:00:00Z", "2026-09-02T09:00:00Z"),
            listed("C", None, "2026-09-03T08:00:00Z", "2026-09-03T09:00:00Z"),
        ];
        // SHA-256 of "B" and "C", first 16 hex digits (sha256sum)
        assert_eq!(origins(&items), ["ITEM#6b23c0d5f35d1b11", "U", "U#df7e70e5021544f4"]);
    }

    #[test]
    fn an_occurrence_is_named_by_its_original_start_in_local_time() {
        let mut item = listed("A", Some("U"), "2026-09-01T10:00:00Z", "2026-09-01T11:00:00Z");
        item.recurrence_id = Some("2026-09-01T08:00:00Z".parse().unwrap());
        assert_eq!(origins(&[item]), ["U$20260901-100000"]);
    }

    #[test]
    fn whole_days_of_another_zone_keep_their_dates() {
        let mut item = listed("A", Some("U"), "2026-09-01T04:00:00Z", "2026-09-02T04:00:00Z");
        item.all_day = true;
        item.zone = Some("America/New_York".into());
        let all = expected(&[item], &horizon());
        let times = all.values().next().unwrap();
        assert_eq!(times.0, "2026-08-31T22:00:00Z".parse().unwrap());
        assert_eq!(times.1, "2026-09-01T22:00:00Z".parse().unwrap());
    }

    #[test]
    fn what_is_cancelled_free_empty_or_outside_is_not_expected() {
        let good = listed("A", Some("U"), "2026-09-01T08:00:00Z", "2026-09-01T09:00:00Z");
        assert_eq!(origins(std::slice::from_ref(&good)).len(), 1);
        let mut bad = vec![good.clone(), good.clone(), good.clone()];
        bad[0].cancelled = true;
        bad[1].free_busy = "WorkingElsewhere".into();
        bad[2].times.1 = bad[2].times.0;
        bad.push(listed("A", Some("U"), "2026-08-01T08:00:00Z", "2026-08-01T22:00:00Z"));
        bad.push(listed("A", Some("U"), "2026-11-01T23:00:00Z", "2026-11-02T08:00:00Z"));
        for item in bad {
            assert_eq!(origins(&[item]), [""; 0]);
        }
    }

    #[test]
    fn tells_missing_stale_and_extra() {
        let key = |origin: &str| ("m".to_owned(), origin.to_owned());
        let times =
            |second| (Timestamp::from_second(second).unwrap(), Timestamp::from_second(second + 60).unwrap());
        let expected = BTreeMap::from([(key("a"), times(0)), (key("b"), times(0)), (key("c"), times(0))]);
        let there = BTreeMap::from([(key("b"), times(9)), (key("c"), times(0)), (key("d"), times(0))]);
        let found = compare(&expected, &there);
        assert_eq!(
            (found.missing, found.stale, found.extra),
            (vec![key("a")], vec![key("b")], vec![key("d")])
        );
    }
}
