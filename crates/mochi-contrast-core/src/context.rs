//! Optional inputs of one call of the loss.

use mochi_random::DrawKey;

use crate::strategies::Sampling;
use crate::{CoreError, Objective, SampleMetadata, Strategy};

/// Affine transform of a positive's cosine s in the loss: `offset + slope s`.
///
/// Feature Transformation's extrapolated positive pair (Zhu et al. 2021) has this form: for `q^ = l q + (1-l) k`, `k^ = l k + (1-l) q`,
/// `q^·k^ = 2 l (1-l) + (2 l² - 2 l + 1) q·k`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Added.
    pub offset: f64,
    /// Factor.
    pub slope: f64,
}

impl Affine {
    /// The cosine itself.
    pub const IDENTITY: Self = Self { offset: 0.0, slope: 1.0 };
}

/// Parents and coefficients of one strategy given explicitly, row-major (B, s), instead of drawn: for parity tests and to replay a step.
#[derive(Debug, Clone, Default)]
pub struct ExplicitSamples {
    /// [`Strategy::purpose`] of the strategy.
    pub purpose: u8,
    /// First parent's position among the query's hard negatives (ascending positions of keys). If filters leave a query fewer than N, positions
    /// are taken modulo their number.
    pub first: Vec<u32>,
    /// Second parent's position; empty for a strategy with one parent.
    pub second: Vec<u32>,
    /// The coefficient; empty for a strategy without one.
    pub coefficient: Vec<f64>,
}

/// Optional inputs of one call. `Context { draws, ..Context::default() }` has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Seed, step and direction of the draws; the strategies set the purpose.
    pub draws: DrawKey,
    /// Metadata of the queries (B).
    pub queries: SampleMetadata<'a>,
    /// Metadata of the candidate keys (K).
    pub candidates: SampleMetadata<'a>,
    /// Candidate keys that are positives of a query and therefore not negatives, row-major (B, m) for any m, padded with
    /// [`Context::NO_INDEX`].
    pub positive_indices: &'a [u32],
    /// (B,): weight of each query's loss; 1/B each if not given. The loss is `Σ w_i loss_i`.
    pub weights: Option<&'a [f64]>,
    /// (B,): transform of each positive's cosine.
    pub positive: Option<&'a [Affine]>,
    /// Samples given explicitly, at most once for each strategy.
    pub samples: &'a [ExplicitSamples],
}

impl<'a> Context<'a> {
    /// Padding of [`Context::positive_indices`].
    pub const NO_INDEX: u32 = u32::MAX;

    /// The explicit samples of a strategy, if it has any.
    pub fn samples_of(&self, strategy: &Strategy) -> Option<&'a ExplicitSamples> {
        self.samples.iter().find(|samples| samples.purpose == strategy.purpose)
    }

    /// The positive indices of query `row`.
    pub fn positive_indices_of(&self, row: usize, batch: usize) -> &'a [u32] {
        let width = self.positive_indices.len() / batch.max(1);
        self.positive_indices.get(row * width..(row + 1) * width).unwrap_or(&[])
    }

    /// The weight of query `row`.
    pub fn weight(&self, row: usize, batch: usize) -> f64 {
        self.weights.and_then(|w| w.get(row).copied()).unwrap_or(1.0 / batch.max(1) as f64)
    }

    /// The transform of query `row`'s positive.
    pub fn affine(&self, row: usize) -> Affine {
        self.positive.and_then(|p| p.get(row).copied()).unwrap_or(Affine::IDENTITY)
    }

    /// Refuses inconsistent lengths, values that are not finite, and filters without their metadata.
    ///
    /// # Errors
    /// [`CoreError`] naming the part.
    pub fn check(&self, objective: &Objective, batch: usize, candidates: usize) -> Result<(), CoreError> {
        let wrong = |what: &str, len: usize, wanted: usize| {
            Err(CoreError::Shape(format!("{what} has length {len}, expected {wanted}")))
        };
        let lengths = [
            ("queries.images", self.queries.images.map(<[i64]>::len), batch),
            ("queries.labels", self.queries.labels.map(<[i64]>::len), batch),
            ("candidates.images", self.candidates.images.map(<[i64]>::len), candidates),
            ("candidates.labels", self.candidates.labels.map(<[i64]>::len), candidates),
            ("weights", self.weights.map(<[f64]>::len), batch),
            ("positive", self.positive.map(<[Affine]>::len), batch),
        ];
        for (what, len, wanted) in lengths {
            if let Some(len) = len.filter(|&len| len != wanted) {
                return wrong(what, len, wanted);
            }
        }
        if !self.positive_indices.len().is_multiple_of(batch.max(1)) {
            let len = self.positive_indices.len();
            return Err(CoreError::Shape(format!("positive_indices has length {len}, expected a multiple of {batch}")));
        }
        let outside = |&&key: &&u32| key != Self::NO_INDEX && key as usize >= candidates;
        if let Some(key) = self.positive_indices.iter().find(outside) {
            let text = format!("positive_indices contains {key}; expected an index below {candidates}");
            return Err(CoreError::Shape(text));
        }
        let not_finite = |what: &str, value: f64| {
            Err(CoreError::Value { what: what.into(), value: value.to_string(), expected: "a finite number" })
        };
        if let Some(weight) = self.weights.and_then(|w| w.iter().find(|w| !w.is_finite())) {
            return not_finite("a weight", *weight);
        }
        let parts = self.positive.unwrap_or(&[]).iter().flat_map(|p| [p.offset, p.slope]);
        if let Some(value) = parts.into_iter().find(|value| !value.is_finite()) {
            return not_finite("the transform of a positive", value);
        }
        for samples in self.samples {
            samples.check(objective, batch, candidates)?;
        }
        objective.filters.iter().try_for_each(|filter| filter.check_metadata([&self.queries, &self.candidates]))
    }
}

impl ExplicitSamples {
    fn check(&self, objective: &Objective, batch: usize, candidates: usize) -> Result<(), CoreError> {
        let Some(strategy) = objective.strategies.iter().find(|strategy| strategy.purpose == self.purpose) else {
            return Err(CoreError::Shape(format!(
                "explicit samples for purpose {}, which no strategy has",
                self.purpose
            )));
        };
        let Sampling::Random { count, coefficient, .. } = &strategy.sampling else {
            return Err(CoreError::Shape(format!("strategy {} draws no samples", strategy.name)));
        };
        let parts = [
            ("first parents", self.first.len(), true),
            ("second parents", self.second.len(), strategy.has_two_parents()),
            ("coefficients", self.coefficient.len(), coefficient.is_some()),
        ];
        for (what, len, needed) in parts {
            if len != if needed { batch * count } else { 0 } {
                let wanted = if needed { *count } else { 0 };
                let name = strategy.name;
                return Err(CoreError::Shape(format!(
                    "expected {batch} x {wanted} explicit {what} of strategy {name}, got {len}"
                )));
            }
        }
        let hard = objective.hard_negatives.min(candidates);
        if let Some(position) = self.first.iter().chain(&self.second).find(|&&position| position as usize >= hard) {
            let text =
                format!("explicit parent {position} of strategy {}; expected a position below {hard}", strategy.name);
            return Err(CoreError::Shape(text));
        }
        if let Some(value) = self.coefficient.iter().find(|value| !value.is_finite()) {
            let (what, value) = (format!("an explicit coefficient of strategy {}", strategy.name), value.to_string());
            return Err(CoreError::Value { what, value, expected: "a finite number" });
        }
        Ok(())
    }
}
