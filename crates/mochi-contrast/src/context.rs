//! What a loss is told about its rows beside the embeddings: everything is optional.

use crate::draws::{Points, Source};
use crate::{ContrastError, Objective};
use mochi_random::DrawKey;

/// What is known of some rows, one entry a row each. A negative number stands for "unknown" and equals nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Which image a row is of.
    pub images: Option<&'a [i64]>,
    /// Its class.
    pub labels: Option<&'a [i64]>,
}

/// A positive's cosine s as `a + b s` in the loss.
///
/// Feature Transformation's extrapolated positive pair (Zhu et al. 2021) is that: for `q^ = l q + (1-l) k`, `k^ = l k + (1-l) q`,
/// `q^·k^ = 2 l (1-l) + (2 l² - 2 l + 1) q·k`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// a.
    pub offset: f64,
    /// b.
    pub slope: f64,
}

/// One call's circumstances. `Context { draws, ..Context::default() }` is a plain one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Which step's synthetic points are drawn.
    pub draws: DrawKey,
    /// Of the queries (B).
    pub queries: Known<'a>,
    /// Of the columns (K).
    pub columns: Known<'a>,
    /// Columns that are a query's own positive, row-major (B, m) for any m: they are no negatives of it. [`Context::NO_COLUMN`] fills up.
    pub own: &'a [u32],
    /// (B,): what each query's loss counts; 1/B each where it is not given. A sum, not a mean: [`crate::Loss::value`] is `Σ w_i loss_i`.
    pub weights: Option<&'a [f64]>,
    /// (B,): what the loss takes for each positive's cosine.
    pub positive: Option<&'a [Affine]>,
    /// MoCHi's points set from outside instead of drawn.
    pub points: Option<&'a Points>,
}

impl<'a> Context<'a> {
    /// An entry of [`Context::own`] that names no column.
    pub const NO_COLUMN: u32 = u32::MAX;

    pub(crate) fn source(&self) -> Source<'a> {
        match self.points {
            Some(points) => Source::Given(points, self.draws),
            None => Source::Drawn(self.draws),
        }
    }

    /// The columns of `own` that are query `row`'s.
    pub(crate) fn own_of(&self, row: usize, batch: usize) -> &'a [u32] {
        let width = self.own.len() / batch.max(1);
        self.own.get(row * width..(row + 1) * width).unwrap_or(&[])
    }

    /// What query `row` weighs.
    pub(crate) fn weight(&self, row: usize, batch: usize) -> f64 {
        self.weights.and_then(|w| w.get(row).copied()).unwrap_or(1.0 / batch.max(1) as f64)
    }

    /// The transform of query `row`'s positive.
    pub(crate) fn affine(&self, row: usize) -> Affine {
        self.positive.and_then(|p| p.get(row).copied()).unwrap_or(Affine { offset: 0.0, slope: 1.0 })
    }

    /// Refuses parts whose lengths do not fit, and guards without what they need to know.
    pub(crate) fn check(&self, objective: &Objective, batch: usize, columns: usize) -> Result<(), ContrastError> {
        let wrong = |what: &str, len: usize, wanted: usize| {
            Err(ContrastError::Shape(format!("{what} has {len} entries where {wanted} are expected")))
        };
        let lengths = [
            ("queries.images", self.queries.images.map(<[i64]>::len), batch),
            ("queries.labels", self.queries.labels.map(<[i64]>::len), batch),
            ("columns.images", self.columns.images.map(<[i64]>::len), columns),
            ("columns.labels", self.columns.labels.map(<[i64]>::len), columns),
            ("weights", self.weights.map(<[f64]>::len), batch),
            ("positive", self.positive.map(<[Affine]>::len), batch),
        ];
        for (what, len, wanted) in lengths {
            if let Some(len) = len.filter(|&len| len != wanted) {
                return wrong(what, len, wanted);
            }
        }
        if !self.own.len().is_multiple_of(batch.max(1)) {
            return wrong("own", self.own.len(), batch);
        }
        if let Some(&column) = self.own.iter().find(|&&c| c != Self::NO_COLUMN && c as usize >= columns) {
            return Err(ContrastError::Shape(format!("own names column {column} of {columns}")));
        }
        let step = self.draws.step;
        let finite = self.weights.is_none_or(|w| w.iter().all(|w| w.is_finite()))
            && self.positive.is_none_or(|p| p.iter().all(|p| p.offset.is_finite() && p.slope.is_finite()));
        if !finite {
            return Err(ContrastError::LossNotFinite { step });
        }
        if let Some(points) = self.points {
            points.check(&objective.synthesis, batch, objective.synthesis.hardest.min(columns))?;
        }
        objective.guards.iter().try_for_each(|guard| guard.check_known(self))
    }
}
