//! A number of minutes: as the original wrote it, or as a duration.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

use super::HumanDuration;

/// Reads `2`, `"2"` or `"2m"` as two minutes.
///
/// # Errors
/// It is neither, no whole number of minutes, or larger than 255.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    Minutes::deserialize(deserializer).map(|minutes| minutes.0)
}

struct Minutes(u8);

/// What it may be.
const EXPECTED: &str = "must be whole minutes: a number, or a duration like \"2m\"";

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Minutes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("whole minutes, a number or a duration like \"2m\"")
            }

            fn visit_i64<E: Error>(self, minutes: i64) -> Result<Minutes, E> {
                let invalid = |_| E::invalid_value(Unexpected::Signed(minutes), &self);
                u8::try_from(minutes).map(Minutes).map_err(invalid)
            }

            fn visit_u64<E: Error>(self, minutes: u64) -> Result<Minutes, E> {
                let invalid = |_| E::invalid_value(Unexpected::Unsigned(minutes), &self);
                u8::try_from(minutes).map(Minutes).map_err(invalid)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Minutes, E> {
                // as the environment has it
                if let Ok(minutes) = text.trim().parse::<i64>() {
                    return self.visit_i64(minutes);
                }
                let refused = || E::custom(EXPECTED);
                let millis = text.parse::<HumanDuration>().map_err(|_| refused())?.get().as_millis();
                let minutes = (millis % 60_000 == 0).then_some(millis / 60_000).ok_or_else(refused)?;
                u8::try_from(minutes).map(Minutes).map_err(|_| refused())
            }
        }
        // the value itself says which of them it is
        deserializer.deserialize_any(Either)
    }
}
