//! Mail addresses as keys (B2): trimmed and lower-cased, within the pattern of Planner's contract.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The mail address of a mailbox: trimmed, lower case, one `@`, local part up to 191 and domain up to 64
/// characters, none of `>()[]\,;:` or blanks (the pattern of Planner's contract).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

/// Text that is no usable mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mail address that Planner takes: {reason}")]
pub struct MailAddressError {
    reason: &'static str,
}

impl MailAddress {
    /// Trims, lower-cases and checks `text`.
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        let address = text.trim().to_lowercase();
        let refuse = |reason| Err(MailAddressError { reason });
        let Some((local, domain)) = address.split_once('@') else {
            return refuse("there is no @");
        };
        if local.is_empty() || domain.is_empty() {
            return refuse("a part is empty");
        }
        if local.chars().count() > 191 {
            return refuse("the part before @ is longer than 191 characters");
        }
        if domain.chars().count() > 64 {
            return refuse("the part after @ is longer than 64 characters");
        }
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || ">()[]\\,;:@".contains(c);
        if local.contains(forbidden) || domain.contains(forbidden) {
            return refuse("it holds a character that is not allowed");
        }
        Ok(Self(address))
    }

    /// The address, lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bucket (0 to `BUCKETS` - 1) that decides which qualifier shard handles this mailbox (B1). Part
    /// of the stored data: FNV-1a over the address, so it must never change.
    pub fn bucket(&self) -> u8 {
        let hash = self.0.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of FNV are weak for short inputs; fold the halves.
        ((hash ^ (hash >> 32)) % u64::from(Self::BUCKETS)) as u8
    }

    /// Number of buckets; the greatest number of qualifier shards.
    pub const BUCKETS: u8 = 64;
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MailAddress {
    type Err = MailAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for MailAddress {
    type Error = MailAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_and_lowers() {
        assert_eq!(MailAddress::parse("  Bodil.Æ@Kommune.DK\n").unwrap().as_str(), "bodil.æ@kommune.dk");
    }

    #[test]
    fn refuses_what_planner_refuses() {
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b@c", "a;b@c", "a@b,c", "a(b)@c", "a\u{0}@c"] {
            assert!(MailAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert!(MailAddress::parse(&format!("{}@b", "a".repeat(191))).is_ok());
        assert!(MailAddress::parse(&format!("{}@b", "a".repeat(192))).is_err());
        assert!(MailAddress::parse(&format!("a@{}", "b".repeat(65))).is_err());
    }

    #[test]
    fn buckets_spread_and_stay() {
        let mut seen = [0u32; MailAddress::BUCKETS as usize];
        for n in 1..=6400 {
            seen[usize::from(MailAddress::parse(&format!("m{n:04}@sim.test")).unwrap().bucket())] += 1;
        }
        assert!(seen.iter().all(|&n| (50..=160).contains(&n)), "{seen:?}");
        // stored data depends on this value
        assert_eq!(MailAddress::parse("m0001@sim.test").unwrap().bucket(), 12);
    }
}
