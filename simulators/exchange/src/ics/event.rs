//! One `VEVENT`.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Span, Timestamp};
use proto_ews::{BodyType, FreeBusy, Sensitivity};

use super::SkipReason;
use super::line::Line;
use super::zones::Zones;
use crate::item::Details;
use crate::zone::Zone;

/// A date or a time of a file, in its zone.
#[derive(Debug, Clone)]
pub(super) struct When {
    local: DateTime,
    zone: Arc<Zone>,
    is_date: bool,
}

impl When {
    pub(super) fn instant(&self) -> Timestamp {
        self.zone.instant(self.local)
    }

    /// The same in the series' zone. A date stands for the occurrence of that day, which is how some
    /// programs write the exceptions of timed series.
    pub(super) fn local_in(&self, zone: &Zone, time: Time) -> DateTime {
        match self.is_date {
            true => self.local.date().to_datetime(time),
            false => zone.local(self.instant()),
        }
    }
}

/// An event as it stands in the file.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) line: usize,
    pub(super) uid: Option<String>,
    pub(super) details: Details,
    pub(super) rule: Option<String>,
    pub(super) extra: Vec<When>,
    pub(super) without: Vec<When>,
    pub(super) recurrence_id: Option<When>,
    pub(super) created: Option<Timestamp>,
    pub(super) modified: Option<Timestamp>,
}

/// Reads the properties of an event.
pub(super) fn read(properties: &[&Line], zones: &Zones) -> Result<Event, SkipReason> {
    let find = |name: &str| properties.iter().copied().find(|line| line.name == name);
    let text = |name: &str| find(name).map(Line::text).filter(|text| !text.trim().is_empty());
    let start_line = find("DTSTART").ok_or(SkipReason::NoStart)?;
    let start = whens(start_line, zones).into_iter().flatten().next().ok_or(SkipReason::NoStart)?;
    let marked_all_day = find("X-MICROSOFT-CDO-ALLDAYEVENT").is_some_and(|line| line.value.trim() == "TRUE");
    let end = match (find("DTEND"), find("DURATION")) {
        (Some(line), _) => whens(line, zones).into_iter().flatten().next().ok_or(SkipReason::BadTime)?,
        (None, Some(line)) => {
            let span: Span = line.value.trim().parse().map_err(|_| SkipReason::BadTime)?;
            When { local: start.local.checked_add(span).map_err(|_| SkipReason::BadTime)?, ..start.clone() }
        }
        // A date alone is that day, a time alone a point.
        (None, None) => {
            let length = SignedDuration::from_hours(if start.is_date { 24 } else { 0 });
            When { local: start.local.saturating_add(length), ..start.clone() }
        }
    };
    let mut details = Details::plain(start.instant(), end.instant(), Arc::clone(&start.zone));
    details.end_zone = Arc::clone(&end.zone);
    details.all_day = start.is_date || marked_all_day;
    if details.end < details.start {
        return Err(SkipReason::EndsBeforeStart);
    }
    details.align_all_day();
    details.free_busy = free_busy(&find);
    details.cancelled = find("STATUS").is_some_and(|line| line.is("STATUS", "CANCELLED"));
    details.subject = text("SUMMARY").unwrap_or_default();
    details.location = text("LOCATION");
    details.body = text("DESCRIPTION").map(|text| (text, BodyType::Text));
    details.categories =
        properties.iter().filter(|line| line.name == "CATEGORIES").flat_map(|line| line.texts()).collect();
    details.sensitivity = match find("CLASS").map(|line| line.value.trim().to_ascii_uppercase()).as_deref() {
        Some("PRIVATE") => Sensitivity::Private,
        Some("CONFIDENTIAL") => Sensitivity::Confidential,
        _ => Sensitivity::Normal,
    };
    let all = |name: &'static str| -> Result<Vec<When>, SkipReason> {
        let lines = properties.iter().filter(move |line| line.name == name);
        let times: Option<Vec<When>> = lines.flat_map(|line| whens(line, zones)).collect();
        times.ok_or(SkipReason::BadTime)
    };
    let instant = |name: &str| find(name).and_then(|line| whens(line, zones).into_iter().flatten().next());
    let recurrence_id = match find("RECURRENCE-ID") {
        Some(line) => Some(whens(line, zones).into_iter().flatten().next().ok_or(SkipReason::BadTime)?),
        None => None,
    };
    Ok(Event {
        line: 0,
        uid: text("UID").map(|uid| uid.trim().to_owned()),
        details,
        rule: find("RRULE").map(|line| line.value.trim().to_owned()),
        extra: all("RDATE")?,
        without: all("EXDATE")?,
        recurrence_id,
        created: instant("CREATED").map(|when| when.instant()),
        modified: instant("LAST-MODIFIED").map(|when| when.instant()),
    })
}

fn free_busy<'a>(find: &impl Fn(&str) -> Option<&'a Line>) -> FreeBusy {
    let named = find("X-MICROSOFT-CDO-BUSYSTATUS").map(|line| line.value.trim().to_ascii_uppercase());
    match named.as_deref() {
        Some("FREE") => return FreeBusy::Free,
        Some("TENTATIVE") => return FreeBusy::Tentative,
        Some("BUSY") => return FreeBusy::Busy,
        Some("OOF") => return FreeBusy::Oof,
        Some("WORKINGELSEWHERE") => return FreeBusy::WorkingElsewhere,
        _ => {}
    }
    if find("TRANSP").is_some_and(|line| line.is("TRANSP", "TRANSPARENT")) {
        return FreeBusy::Free;
    }
    match find("STATUS") {
        Some(line) if line.is("STATUS", "TENTATIVE") => FreeBusy::Tentative,
        _ => FreeBusy::Busy,
    }
}

/// The dates and times of a line; a period counts by its begin.
fn whens(line: &Line, zones: &Zones) -> Vec<Option<When>> {
    let named = line.parameter("TZID").map(|id| zones.get(id));
    let values = line.value.split(',').map(str::trim).filter(|text| !text.is_empty());
    values.map(|text| when(text.split('/').next().unwrap_or_default(), named.as_ref(), zones)).collect()
}

fn when(text: &str, named: Option<&Arc<Zone>>, zones: &Zones) -> Option<When> {
    let zone = || named.map_or_else(|| Arc::clone(&zones.own), Arc::clone);
    if !text.contains('T') {
        let date = Date::strptime("%Y%m%d", text).ok()?;
        return Some(When { local: date.to_datetime(Time::midnight()), zone: zone(), is_date: true });
    }
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, Zone::utc()),
        None => (text, zone()),
    };
    let local = DateTime::strptime("%Y%m%dT%H%M%S", digits).ok()?;
    Some(When { local, zone, is_date: false })
}

/// A rule with its UNTIL, which stands in UTC beside a time with a zone, in local time.
pub(super) fn rule_in(rule: &str, zone: &Zone) -> String {
    let part = |part: &str| -> String {
        let until = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("UNTIL"));
        let utc = until.and_then(|(_, value)| value.trim().strip_suffix(['Z', 'z']));
        let at = utc.and_then(|digits| DateTime::strptime("%Y%m%dT%H%M%S", digits).ok());
        match at {
            Some(at) => {
                let local = zone.local(Zone::utc().instant(at));
                format!("UNTIL={}", local.strftime("%Y%m%dT%H%M%S"))
            }
            None => part.to_owned(),
        }
    };
    rule.split(';').map(part).collect::<Vec<_>>().join(";")
}
