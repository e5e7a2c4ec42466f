//! Instants as PostgreSQL keeps them, for statements with many of them: the conversion of `postgres-types` goes by way of
//! calendar spans, which takes longer than all else about such a value.

use std::error::Error;

use bytes::BytesMut;
use jiff::Timestamp;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// An instant as a parameter of the type `timestamptz`, without what is less than a microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // no instant of jiff's (years -9999 to 9999) is near the ends of the type
        out.extend_from_slice(&(self.0.as_microsecond() - EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conversion that is passed by says what is right.
    #[test]
    fn it_is_sent_as_the_library_sends_it() {
        for text in [
            "2026-11-23T17:00:00.123456Z",
            "2026-11-23T17:00:00.999999999Z",
            "2000-01-01T00:00:00Z",
            "1999-12-31T23:59:59.5Z",
            "1970-01-01T00:00:00Z",
            "1601-01-01T00:00:00Z",
            "9999-12-30T22:00:00Z",
        ] {
            let instant: Timestamp = text.parse().unwrap();
            let stored = crate::decisions::to_stored_precision(instant);
            let (mut ours, mut theirs) = (BytesMut::new(), BytesMut::new());
            assert!(matches!(Instant(stored).to_sql(&Type::TIMESTAMPTZ, &mut ours), Ok(IsNull::No)));
            stored.to_sql(&Type::TIMESTAMPTZ, &mut theirs).unwrap();
            assert_eq!(ours, theirs, "{text}");
        }
        assert!(!<Instant as ToSql>::accepts(&Type::TIMESTAMP));
    }
}
