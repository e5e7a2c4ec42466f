//! Decisions that another one took the place of, kept for who asks how things came about
//! ([`explain`](crate::inspect::History)).
//!
//! Protocol: the statement that stores a decision over another one keeps that one, in the same breath: no round trip more.
//! First decisions by themselves are stored by statements that look for nothing to keep. What is kept is the row as the
//! statement's snapshot has it, and only where its version is the one before: whoever decides has read that version before, so
//! the snapshot has it. How long it stays says [`Area::DecisionHistory`](crate::housekeeping::Area). The latest decision about an
//! appointment that is removed because it is long over is not among them; what was sent for it stands in `sync_log`.
//!
//! Failure: that of the statement, which then stored nothing.

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

/// SQL, after other parts of a `with`: a part `kept`, which keeps the decisions `o` that are selected from the given source.
macro_rules! keep_decisions {
    ($source:literal) => {
        concat!(
            ", kept as ( \
                 insert into decision_history (mail, origin_id, version, wanted, start_at, end_at, decided_at, \
                                               reading_began, bulk) \
                 select o.mail, o.origin_id, o.version, o.wanted, o.start_at, o.end_at, o.decided_at, \
                        o.reading_began, o.bulk \
                 from ",
            $source,
            " and o.version > 0 and o.decided_at is not null)"
        )
    };
}
/// The same after a part `stored (mail, origin_id, version)`, which returns the decisions that were just stored: those in
/// whose place they are. Row by row by the primary key, whatever the planner thinks of the sizes of the two.
macro_rules! keep_overruled {
    () => {
        $crate::decisions::overruled::keep_decisions!(
            "stored s cross join lateral ( \
                 select * from calendar_event e \
                 where e.mail = s.mail and e.origin_id = s.origin_id and e.version = s.version - 1 limit 1) o \
             where s.version > 1"
        )
    };
}
pub(crate) use {keep_decisions, keep_overruled};
