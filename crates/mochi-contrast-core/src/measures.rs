//! Measurements of one loss: means over the batch, at little additional cost.

use crate::Objective;
use crate::strategies::{pair_mixing, query_mixing};

/// Means over the queries that have a negative. Fractions lie in [0, 1]; similarities are cosines.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measures {
    /// Proxy accuracy: fraction of queries whose positive has a (strictly) larger cosine than every real negative.
    pub accuracy_real: f64,
    /// The same with synthetic negatives included; equal to `accuracy_real` without them.
    pub accuracy_with_synthetic: f64,
    /// Mean cosine of query and key, over all queries.
    pub positive: f64,
    /// Mean cosine of query and hard negatives; only with synthesis.
    pub hardest: Option<f64>,
    /// Mean cosine of query and pair mixes, if there are any.
    pub pair: Option<f64>,
    /// Mean cosine of query and query mixes, if there are any.
    pub query_mix: Option<f64>,
    /// Fraction of synthetic negatives harder than the query's hardest real negative.
    pub synthetic_harder: Option<f64>,
    /// Effective number of real negatives: perplexity of the matching probabilities over the candidate keys, exp(-sum p ln p).
    pub effective_negatives: f64,
    /// Fraction of queries without a negative: filters excluded every key. They contribute no loss and no gradient.
    pub without_negatives: f64,
    /// log E exp(-2 |x - y|²) over pairs of a batch, mean of queries and keys; `None` if it was not computed.
    pub uniformity: Option<f64>,
}

/// By how much a synthetic negative's cosine must exceed the hardest real negative's to be counted as harder, so that rounding does not make a
/// key mixed with itself harder than itself.
pub const HARDER_BY: f32 = 1e-6;

/// Measurements of a loss.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Any synthetic negatives.
    pub synthetic: bool,
    /// Pair mixes.
    pub pairs: bool,
    /// Query mixes.
    pub query_mixes: bool,
}

impl Measured {
    /// The measurements of an objective.
    pub fn new(objective: &Objective) -> Self {
        let has = |purpose| objective.active_strategies().any(|strategy| strategy.purpose == purpose);
        Self {
            synthetic: objective.has_synthesis(),
            pairs: has(pair_mixing::PURPOSE),
            query_mixes: has(query_mixing::PURPOSE),
        }
    }
}

/// One query's contribution to the means.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowMeasures {
    /// Whether the query has a negative; without one only `positive` is used.
    pub has_negatives: bool,
    /// Whether the positive has a larger cosine than every real negative.
    pub beats_real: bool,
    /// The same for real and synthetic negatives.
    pub beats_all: bool,
    /// q·k.
    pub positive: f64,
    /// Mean cosine of the hard negatives.
    pub hardest: f64,
    /// Mean cosine of the pair mixes.
    pub pair: f64,
    /// Mean cosine of the query mixes.
    pub query_mix: f64,
    /// Fraction of harder synthetic negatives.
    pub harder: f64,
    /// Perplexity.
    pub effective: f64,
}

impl Measures {
    /// E |q - k|² over the positive pairs, from 0 (perfect) to 4.
    pub fn alignment(&self) -> f64 {
        2.0 - 2.0 * self.positive
    }

    /// Means over rows.
    pub fn of(rows: impl Iterator<Item = RowMeasures>, measured: Measured) -> Self {
        let (mut sum, mut count, mut n) = (RowMeasures::default(), 0.0f64, 0.0f64);
        let (mut real, mut all) = (0.0, 0.0);
        for row in rows {
            count += 1.0;
            sum.positive += row.positive;
            if !row.has_negatives {
                continue;
            }
            n += 1.0;
            real += f64::from(u8::from(row.beats_real));
            all += f64::from(u8::from(row.beats_all));
            sum.hardest += row.hardest;
            sum.pair += row.pair;
            sum.query_mix += row.query_mix;
            sum.harder += row.harder;
            sum.effective += row.effective;
        }
        let (count, with) = (count.max(1.0), n.max(1.0));
        Self {
            accuracy_real: real / with,
            accuracy_with_synthetic: all / with,
            positive: sum.positive / count,
            hardest: measured.synthetic.then_some(sum.hardest / with),
            pair: measured.pairs.then_some(sum.pair / with),
            query_mix: measured.query_mixes.then_some(sum.query_mix / with),
            synthetic_harder: measured.synthetic.then_some(sum.harder / with),
            effective_negatives: sum.effective / with,
            without_negatives: 1.0 - n / count,
            uniformity: None,
        }
    }
}
