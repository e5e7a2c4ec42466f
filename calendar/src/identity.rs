//! Identity (B2): which origin id an appointment has.
//!
//! A single appointment is its UID. An occurrence is `UID$yyyyMMdd-HHmmss` with its original start as local
//! time in the configured zone. Several items that would get one name: the smallest item id keeps it, the
//! others get the name with `#` and a hash of their item id. An item without a UID is `ITEM#` and that hash.
//!
//! Which of several items with one name counts first matters: items that are wanted come before those that
//! are not, because unwanted ones are invisible to a path that only reads what it knows (a free item of the
//! same UID, one beyond the window). So every path names the wanted ones alike.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::appointment::{Appointment, AppointmentKind};
use crate::ids::{ItemId, OriginId, Uid};

#[cfg(test)]
mod tests;

/// Longest UID in bytes that is taken: 500 characters of any script. Real ones have 36 to 200; the limit
/// keeps a key (with the mail address and what is added to the UID) within what a database index bears,
/// about 2,700 bytes.
pub const UID_BYTES_MAX: usize = 2_000;

/// The original start of an occurrence; `None` for a single appointment.
///
/// An item with a recurrence id is an occurrence whatever its type says. An occurrence whose recurrence id
/// nobody told is taken to be where the pattern has it.
pub fn recurrence_time(item: &Appointment) -> Option<Timestamp> {
    match (item.recurrence_id, item.kind) {
        (Some(original), _) => Some(crate::placing::to_second(original)),
        (None, AppointmentKind::Occurrence | AppointmentKind::Exception) => {
            Some(crate::placing::to_second(item.slot.start))
        }
        (None, AppointmentKind::Single | AppointmentKind::RecurringMaster) => None,
    }
}

/// Is this a stretch of time of its own (and not the pattern of a series)?
pub fn is_appointment(item: &Appointment) -> bool {
    item.kind != AppointmentKind::RecurringMaster || item.recurrence_id.is_some()
}

/// Can its identifiers be stored and sent? Not when they are empty or too long, or hold characters that XML
/// cannot carry.
pub fn is_representable(item: &Appointment) -> bool {
    let fits = |text: &str| !text.is_empty() && text.len() <= UID_BYTES_MAX && is_carried(text);
    fits(item.item_id.as_str()) && item.uid.as_ref().is_none_or(|uid| fits(uid.as_str()))
}

/// Are all of these characters that XML can carry in an identifier?
fn is_carried(text: &str) -> bool {
    // nearly all are: looked at byte by byte without a way out, which a processor does many at a time. Of the characters that
    // are not carried, those beyond ASCII begin with this byte.
    let plain = |byte: &u8| (*byte >= b' ') & (*byte != 0xef);
    text.as_bytes().iter().fold(true, |all, byte| all & plain(byte))
        || text.chars().all(|c| c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// The name that an item has when no other claims it.
pub fn first_choice(item: &Appointment, zone: &TimeZone) -> OriginId {
    let Some(uid) = &item.uid else { return nameless(&item.item_id) };
    OriginId::new(match recurrence_time(item) {
        Some(original) => named_at(uid, zone.to_datetime(original)),
        None => uid.as_str().to_owned(),
    })
}

/// The name of an occurrence whose original start is `local`: `UID$yyyyMMdd-HHmmss`. Written digit by digit, since each
/// occurrence that is read needs it.
fn named_at(uid: &Uid, local: DateTime) -> String {
    let Ok(year @ 0..=9_999) = u16::try_from(local.year()) else {
        return format!("{uid}${}", local.strftime("%Y%m%d-%H%M%S"));
    };
    let mut name = String::with_capacity(uid.as_str().len() + 16);
    let two = |name: &mut String, number: u16| {
        for digit in [number / 10, number % 10] {
            name.extend(char::from_digit(digit.into(), 10));
        }
    };
    let of = |number: i8| u16::from(number.unsigned_abs());
    name.push_str(uid.as_str());
    name.push('$');
    for number in [year / 100, year % 100, of(local.month()), of(local.day())] {
        two(&mut name, number);
    }
    name.push('-');
    for number in [local.hour(), local.minute(), local.second()] {
        two(&mut name, of(number));
    }
    name
}

/// The name that an item has when another one holds its first choice.
pub fn second_choice(item: &Appointment, zone: &TimeZone) -> OriginId {
    OriginId::new(format!("{}#{}", first_choice(item, zone), hash(&item.item_id)))
}

fn nameless(item: &ItemId) -> OriginId {
    OriginId::new(format!("ITEM#{}", hash(item)))
}

/// The first 16 hexadecimal digits of SHA-256 of an item id.
fn hash(item: &ItemId) -> String {
    let digest = Sha256::digest(item.as_str().as_bytes());
    hex::encode(&digest[..8])
}
