//! The mass-delete guard (B8): too many deletes inferred from absence at once are withheld until an
//! operator has looked at them.
//!
//! Absence is weak evidence: a mailbox that answers with too little, a moved calendar or a lost right looks
//! like a calendar that was cleared. So what a full pull, a first read, a comparison or a refresh of the
//! resource list *infers* is counted against what was there; what a source *reported* as deleted is not
//! counted and not withheld.

use crate::appointment::Slot;
use crate::decide::Standing;
use crate::window::Window;

#[cfg(test)]
mod tests;

/// How much may be inferred to be absent in one run. A run is withheld when it goes beyond *both* limits:
/// few deletes are always let through, and so are many out of very many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardLimits {
    /// `mass_delete_guard_count`: this many are let through always.
    pub count: u32,
    /// `mass_delete_guard_percent`: this share of what was there is let through always. 100 and more never
    /// withholds anything (unless more goes than was there).
    pub percent: u32,
}

impl GuardLimits {
    /// More than 10, and more than 10 %.
    pub const DEFAULT: Self = Self { count: 10, percent: 10 };
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What becomes of the inferred deletes of one run; all of them share their fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// They are carried out.
    Pass,
    /// They wait for an operator.
    Withhold,
}

/// Judges one run: `inferred` deletes against the `there` keys (or resources) that it was made from.
///
/// Exactly the limit is not beyond it. Where nothing was there, any share is beyond the limit, so that the
/// count alone decides.
pub fn judge(inferred: usize, there: usize, limits: &GuardLimits) -> Judgement {
    // 64-bit counts times 100 (or a 32-bit percentage) fit into 128 bits.
    let (inferred, there) = (inferred as u128, there as u128);
    let beyond_count = inferred > u128::from(limits.count);
    let beyond_percent = inferred * 100 > there * u128::from(limits.percent);
    if beyond_count && beyond_percent { Judgement::Withhold } else { Judgement::Pass }
}

/// How many of a mailbox's keys the guard measures against: those that overlap the window and stand there,
/// by a decision or, before the first, by adoption (B9). To be counted before the run changes anything.
pub fn there(standings: impl IntoIterator<Item = Standing>, window: &Window) -> usize {
    standings.into_iter().filter_map(Standing::slot).filter(|slot: &Slot| window.overlaps(*slot)).count()
}
