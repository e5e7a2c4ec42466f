//! The registry of event codes (B13): what operators know an event by, what it means in English and Danish, when it
//! calls for somebody and what to look at then.
//!
//! Codes below 9000 are those of the original product, so that existing monitoring keeps working; 9000 to
//! 9999 are situations the original did not have: 90xx listener, 91xx qualifier, 92xx communicator, 93xx
//! the process as a whole, 94xx the comparison, 95xx operators, 96xx accounts and secrets. A warning about a refused
//! item is 6200 + Planner's receipt code ([`receipt_refused`]); receipt codes outside 0-48 become 6249.
//!
//! An event is raised by a tracing event with the field `event_id = codes::X.id`. What works again is told by one with
//! the field `succeeded = codes::success::X`, which ends alerts. Thresholds are evaluated by telemetry, which is given
//! this registry.
//!
//! A row: `NAME = id SOURCE Severity "English" "Dansk" HINT`, then what differs from "investigate, always, over after an
//! hour of quiet" by the methods of [`CodeEntry`]. A code whose situation cannot occur says why, and one that is raised
//! nowhere fails a test.

use base::event_entry::{Bilingual, CodeEntry};
use base::{EventCode, Severity};

const ELS: &str = "ELS";
const EPS: &str = "EPS";
const PCS: &str = "PCS";
const ALL: &str = "all";

macro_rules! codes {
    ($table:ident, $names:ident; $(
        $name:ident = $id:literal $source:ident $severity:ident $en:literal $da:literal $look:ident
        $(.$with:ident($($value:expr),*))*;
    )*) => {
        $(
            #[doc = concat!("Event ", stringify!($id), ": ", $en, ".")]
            pub const $name: base::EventCode = base::EventCode {
                id: $id,
                source: super::$source,
                severity: base::Severity::$severity,
                meaning: $en,
            };
        )*
        pub(super) const $table: &[base::CodeEntry] = &[$(
            base::CodeEntry::new(
                $id,
                super::$source,
                base::Severity::$severity,
                base::event_entry::Bilingual { en: $en, da: $da },
                &super::hint::$look,
            )$(.$with($($value),*))*
        ),*];
        #[cfg(test)]
        pub(super) const $names: &[(&str, u16)] = &[$((stringify!($name), $id)),*];
    };
}

mod communicator;
mod exchange;
mod hint;
mod listener;
mod process;
mod qualifier;
pub mod success;
mod trust;

pub use communicator::*;
pub use exchange::*;
pub use listener::*;
pub use process::*;
pub use qualifier::*;
pub use trust::*;

const TABLES: [&[CodeEntry]; 6] =
    [LISTENER_TABLE, QUALIFIER_TABLE, COMMUNICATOR_TABLE, EXCHANGE_TABLE, PROCESS_TABLE, TRUST_TABLE];

/// Number of codes for refused items: 6200 to 6249.
const REFUSALS: usize = 50;

/// The warning for an item that Planner refused with `receipt_code` (6200 + code; codes below 0 or above
/// 48 are outside the reserved range and become 6249).
pub const fn receipt_refused(receipt_code: i32) -> EventCode {
    let offset = if receipt_code < 0 || receipt_code > 48 { 49 } else { receipt_code as u16 };
    EventCode { id: 6200 + offset, source: PCS, severity: Severity::Warning, meaning: refusal(offset).en }
}

/// What is known of Planner's receipt codes.
const fn refusal(receipt_code: u16) -> Bilingual {
    let (en, da) = match receipt_code {
        0 => ("Planner took an appointment", "Planner modtog en aftale"),
        8 => (
            "Planner has an appointment already that was to be created, it is changed instead",
            "Planner har allerede en aftale, der skulle oprettes; den rettes i stedet",
        ),
        10 => (
            "Planner lacks an appointment that was to be changed or deleted, it is created where it is still wanted",
            "Planner mangler en aftale, der skulle rettes eller slettes; den oprettes, hvis den stadig skal være der",
        ),
        13 => (
            "an appointment is Planner's own and is never sent again",
            "en aftale er Planners egen og sendes aldrig igen",
        ),
        15 | 16 => (
            "Planner cannot take an appointment now, it is sent again",
            "Planner kan ikke modtage en aftale lige nu; den sendes igen",
        ),
        1..=14 => (
            "Planner refused an appointment, it is not sent again until it changes",
            "Planner afviste en aftale; den sendes ikke igen, før den ændres",
        ),
        17..=48 => (
            "Planner refused an appointment with a receipt code that is not assigned",
            "Planner afviste en aftale med en kvitteringskode, der ikke er tildelt",
        ),
        _ => (
            "Planner refused an appointment with a receipt code outside the reserved range",
            "Planner afviste en aftale med en kvitteringskode uden for det reserverede område",
        ),
    };
    Bilingual { en, da }
}

const fn refusal_entry(receipt_code: u16) -> CodeEntry {
    let words = refusal(receipt_code);
    let entry = CodeEntry::new(6200 + receipt_code, PCS, Severity::Warning, words, &hint::KEY).quiet();
    match receipt_code {
        0 => entry.never(
            "an appointment that was taken is no event; it is counted in kommuneklient_planner_receipts",
            "en modtaget aftale er ingen hændelse; den tælles i kommuneklient_planner_receipts",
        ),
        _ => entry,
    }
}

const COUNT: usize = {
    let (mut count, mut table) = (REFUSALS, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

static ENTRIES: [CodeEntry; COUNT] = {
    let mut all = [refusal_entry(0); COUNT];
    let mut n = 0;
    while n < REFUSALS {
        all[n] = refusal_entry(n as u16);
        n += 1;
    }
    let mut table = 0;
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].len() {
            all[n] = TABLES[table][row];
            n += 1;
            row += 1;
        }
        table += 1;
    }
    all
};

/// Every event code there is, 6200 to 6249 included, in no order.
pub static REGISTRY: &[CodeEntry] = &ENTRIES;

/// The row of the code with number `id`.
pub fn by_id(id: u16) -> Option<&'static CodeEntry> {
    REGISTRY.iter().find(|entry| entry.code.id == id)
}

#[cfg(test)]
mod tests;
