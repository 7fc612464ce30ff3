//! One matching-probability curve: a line of `curves.jsonl`, a few scalars of TensorBoard, a line on the report's charts.

use serde::{Deserialize, Serialize};

/// Mean matching probabilities by rank, at one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CurveRecord {
    /// Steps done, from 1.
    pub step: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Ranks from 1, rising.
    pub ranks: Vec<u32>,
    /// At each rank, mean over the batch's queries, among the real negatives alone.
    pub real: Vec<f64>,
    /// The same among real and synthetic negatives, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<f64>>,
}

/// Ranks that TensorBoard shows, with the tags of the two curves.
const TAGS: [(u32, &str, &str); 4] = [
    (1, "matching/real_rank_1", "matching/all_rank_1"),
    (16, "matching/real_rank_16", "matching/all_rank_16"),
    (256, "matching/real_rank_256", "matching/all_rank_256"),
    (1024, "matching/real_rank_1024", "matching/all_rank_1024"),
];

impl CurveRecord {
    /// The probabilities at ranks 1, 16, 256 and 1,024, as far as the curve goes, with their TensorBoard tags.
    pub fn scalars(&self) -> impl Iterator<Item = (&'static str, f64)> {
        TAGS.iter().flat_map(|&(rank, real, all)| {
            let at = self.ranks.binary_search(&rank).ok();
            let value = |of: Option<&Vec<f64>>| at.and_then(|at| of?.get(at).copied());
            let found = [(real, value(Some(&self.real))), (all, value(self.all.as_ref()))];
            found.into_iter().filter_map(|(tag, value)| Some((tag, value?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_the_ranks_that_are_there() {
        let curve = CurveRecord { ranks: vec![1, 2, 16, 40], real: vec![0.4, 0.3, 0.2, 0.1], ..CurveRecord::default() };
        let expected = vec![("matching/real_rank_1", 0.4), ("matching/real_rank_16", 0.2)];
        assert_eq!(curve.scalars().collect::<Vec<_>>(), expected);
        let both = CurveRecord { all: Some(vec![0.3, 0.2, 0.1, 0.0]), ..curve };
        assert_eq!(
            both.scalars().filter(|(tag, _)| tag.contains("all")).map(|(_, p)| p).collect::<Vec<_>>(),
            [0.3, 0.1]
        );
    }
}
