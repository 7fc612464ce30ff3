//! What a step says about itself: means over the batch, at hardly any cost beyond the loss's own passes. What costs more is a
//! [`crate::look`]'s: [`matching`], [`false_negatives`].

pub(crate) mod false_negatives;
pub(crate) mod matching;
pub(crate) mod queue_age;
pub(crate) mod uniformity;

use crate::Objective;
use crate::points::Strategy;

/// Means over the queries of one loss. Shares lie in [0, 1]; similarities are cosines.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measures {
    /// Proxy accuracy: share of queries whose positive beats every real negative (strictly).
    pub accuracy_real: f64,
    /// The same with the synthetic negatives among the opponents; equal to `accuracy_real` without synthesis.
    pub accuracy_with_synthetic: f64,
    /// Mean cosine of query and key.
    pub positive: f64,
    /// Mean cosine of query and hardest set, where there is one.
    pub hardest: Option<f64>,
    /// Mean cosine of query and pair mixes, where there are any.
    pub pair: Option<f64>,
    /// Mean cosine of query and query mixes, where there are any.
    pub query_mix: Option<f64>,
    /// Share of synthetic points harder than the query's hardest real negative.
    pub synthetic_harder: Option<f64>,
    /// Effective number of real negatives: perplexity of the matching probabilities over the queue, exp(-sum p ln p).
    pub effective_negatives: f64,
    /// log E exp(-2 |x - y|²) over pairs of a batch, mean of queries and keys; `None` where it was not taken.
    pub uniformity: Option<f64>,
}

/// By how much a point's cosine must exceed the hardest real negative's to count as harder: a key mixed with itself is no harder than
/// itself, whatever rounding says.
pub(crate) const HARDER_BY: f32 = 1e-6;

/// Which kinds of points there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Has {
    pub points: bool,
    pub pairs: bool,
    pub query_mixes: bool,
}

impl Has {
    pub fn new(objective: &Objective) -> Self {
        let blocks = objective.blocks();
        let any = |wanted: fn(&Strategy) -> bool| blocks.iter().any(|block| wanted(&block.strategy));
        Self {
            points: !blocks.is_empty(),
            pairs: any(|s| matches!(s, Strategy::Pairs { .. })),
            query_mixes: any(|s| matches!(s, Strategy::QueryMixes { .. })),
        }
    }
}

/// One query's part of the means.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RowMeasures {
    pub beats_real: bool,
    pub beats_all: bool,
    pub positive: f64,
    pub hardest: f64,
    pub pair: f64,
    pub query_mix: f64,
    pub harder: f64,
    pub effective: f64,
}

impl Measures {
    /// E |q - k|² over the positive pairs, from 0 (perfect) to 4.
    pub fn alignment(&self) -> f64 {
        uniformity::alignment(self.positive)
    }

    /// Means over rows.
    pub(crate) fn of(rows: impl Iterator<Item = RowMeasures>, has: Has) -> Self {
        let (mut sum, mut n) = (RowMeasures::default(), 0.0f64);
        let (mut real, mut all) = (0.0, 0.0);
        for row in rows {
            n += 1.0;
            real += f64::from(u8::from(row.beats_real));
            all += f64::from(u8::from(row.beats_all));
            sum.positive += row.positive;
            sum.hardest += row.hardest;
            sum.pair += row.pair;
            sum.query_mix += row.query_mix;
            sum.harder += row.harder;
            sum.effective += row.effective;
        }
        let n = n.max(1.0);
        Self {
            accuracy_real: real / n,
            accuracy_with_synthetic: all / n,
            positive: sum.positive / n,
            hardest: has.points.then_some(sum.hardest / n),
            pair: has.pairs.then_some(sum.pair / n),
            query_mix: has.query_mixes.then_some(sum.query_mix / n),
            synthetic_harder: has.points.then_some(sum.harder / n),
            effective_negatives: sum.effective / n,
            uniformity: None,
        }
    }
}
