//! When a step is looked at closely, and what of it goes into the records.

use mochi_contrast::Look;
use mochi_run::{CurveRecord, StepRecord};

/// Whether the step that makes `done` steps done is looked at: every `every` steps and at the end of the run; never where `every` is 0.
pub(crate) fn due(every: u64, done: u64, total: u64) -> bool {
    every > 0 && (done.is_multiple_of(every) || done == total)
}

/// The curve as a line of `curves.jsonl`.
pub(crate) fn curve(look: &Look, step: u64, epoch: u32) -> CurveRecord {
    let curve = look.curve.clone();
    CurveRecord { step, epoch: u64::from(epoch), ranks: curve.ranks, real: curve.real, all: curve.all }
}

/// The shares of false negatives, in the order of [`fill`].
pub(crate) fn shares(look: Option<&Look>) -> [Option<f64>; 5] {
    let found = look.and_then(|look| look.false_negatives).unwrap_or_default();
    [found.columns, found.hardest, found.pair_either, found.pair_both, found.query_mix]
}

/// A record with the shares in their places.
pub(crate) fn fill(record: StepRecord, shares: [Option<f64>; 5]) -> StepRecord {
    let [in_queue, in_hardest, pair_either, pair_both, query_mix] = shares;
    StepRecord {
        false_negatives_in_queue: in_queue,
        false_negatives_in_hardest: in_hardest,
        false_negatives_pair_either: pair_either,
        false_negatives_pair_both: pair_both,
        false_negatives_query_mix: query_mix,
        ..record
    }
}

#[cfg(test)]
mod tests {
    use super::due;

    #[test]
    fn looks_come_at_multiples_and_at_the_end() {
        let steps = |every| (1..=10u64).filter(|&done| due(every, done, 10)).collect::<Vec<_>>();
        assert_eq!(steps(4), [4, 8, 10]);
        assert_eq!(steps(100), [10]);
        assert!(steps(0).is_empty());
    }
}
