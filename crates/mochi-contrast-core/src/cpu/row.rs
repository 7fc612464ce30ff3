//! Computation for one query: turns cosines (K,) into gradient weights (K,), and returns the loss and the factors of the gradient's other terms.

use crate::cpu::kernels;
use crate::cpu::synthesis::{Parents, Synthesis};
use crate::filters::{self, Ranks};
use crate::losses::{Part, Sums};
use crate::measures::{HARDER_BY, RowMeasures};
use crate::strategies::{pair_mixing, query_mixing};
use crate::{Context, Objective, Strategy, hard_negatives};

/// Result for one query. The row of the cosine matrix holds its gradient weights up to `scale`.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Loss of the query; 0 if it has no negative.
    pub loss: f64,
    /// Factor of the row's weights.
    pub scale: f64,
    /// Factor of the key.
    pub key: f64,
    /// Factor of the query.
    pub query: f64,
    /// Part of the gradient from extra vectors (D,); empty if there are none.
    pub extra: Vec<f32>,
    /// Number of candidate keys that are negatives.
    pub valid: usize,
    /// Measurements.
    pub measures: RowMeasures,
}

/// Scratch memory of one thread, reused for each row.
#[derive(Default)]
pub struct Scratch {
    candidates: hard_negatives::Candidates,
    ranks: Ranks,
    hard: Vec<u32>,
    synthesis: Synthesis,
}

/// Data of all rows.
pub struct Batch<'a> {
    /// Queries (B, D).
    pub query: &'a [f32],
    /// Candidate keys (K, D).
    pub candidates: &'a [f32],
    /// D.
    pub dim: usize,
    /// q·k (B,).
    pub positives: &'a [f32],
    /// q·q (B,).
    pub squares: &'a [f32],
    /// The loss.
    pub objective: &'a Objective,
    /// Its active strategies.
    pub strategies: &'a [Strategy],
    /// Its optional inputs, checked.
    pub context: &'a Context<'a>,
    /// B.
    pub count: usize,
}

/// Work for one row. It is a type instead of a closure: only code that is inlined into pulp's dispatch is compiled for the selected instruction set, and
/// a closure of this size is not inlined.
struct RowTask<'a, 'b> {
    batch: &'a Batch<'b>,
    index: usize,
    cosines: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl pulp::NullaryFnOnce for RowTask<'_, '_> {
    type Output = Row;

    #[inline(always)]
    fn call(self) -> Row {
        self.batch.row(self.index, self.cosines, self.scratch)
    }
}

impl Batch<'_> {
    /// Query `index`: turns its cosines (K,) into gradient weights in place. `arch` is the result of [`pulp::Arch::new`], made once.
    pub fn run(&self, arch: pulp::Arch, index: usize, cosines: &mut [f32], scratch: &mut Scratch) -> Row {
        arch.dispatch(RowTask { batch: self, index, cosines, scratch })
    }

    #[inline(always)]
    fn row(&self, index: usize, cosines: &mut [f32], scratch: &mut Scratch) -> Row {
        let (objective, context) = (self.objective, self.context);
        let cosine = self.positives[index];
        let affine = context.affine(index);
        let positive = (affine.offset + affine.slope * f64::from(cosine)) as f32;
        let place = (index, self.count);
        let valid = filters::apply(&objective.filters, context, place, cosine, cosines, &mut scratch.ranks);
        let mut measures =
            RowMeasures { positive: f64::from(cosine), has_negatives: valid > 0, ..RowMeasures::default() };
        if valid == 0 {
            // No loss and no gradient.
            cosines.fill(0.0);
            return Row { measures, ..Row::default() };
        }
        let largest_real = kernels::largest(cosines);
        let synthesis = &mut scratch.synthesis;
        if self.strategies.is_empty() {
            scratch.hard.clear();
        } else {
            hard_negatives::select(cosines, objective.hard_negatives, &mut scratch.candidates, &mut scratch.hard);
        }
        synthesis.begin(cosines, &scratch.hard);
        self.synthesize(index, &scratch.hard, synthesis, &mut measures);
        let largest_synthetic = kernels::largest(&synthesis.cosines);
        let harder = synthesis.cosines.iter().filter(|&&c| c > largest_real + HARDER_BY).count();
        measures.harder = harder as f64 / synthesis.cosines.len().max(1) as f64;
        measures.beats_real = positive > largest_real;
        measures.beats_all = positive > largest_real.max(largest_synthetic);

        let shift = positive.max(largest_real).max(largest_synthetic);
        let inverse_t = (1.0 / objective.temperature) as f32;
        let mut sums = Sums {
            own: f64::from(kernels::exp((positive - shift) * inverse_t)),
            positive: f64::from((positive - shift) * inverse_t),
            shift: f64::from(shift * inverse_t),
            inverse_t: 1.0 / objective.temperature,
            count: valid as f64,
            ..Sums::default()
        };
        // Cosines become e^x, or remain logits x if the loss variant needs more than one power of e^x.
        let concentration = objective.loss.concentration.map(|b| b as f32);
        let part = |row: &mut [f32]| match concentration {
            None => {
                let (plain, weighted) = kernels::exponentials(row, shift, inverse_t);
                Part { plain, weighted, ..Part::default() }
            }
            Some(b) => kernels::tilted_sums(row, shift, inverse_t, b),
        };
        let real = part(cosines);
        let weight = context.weight(index, self.count) / objective.temperature;
        sums.add(real, 1.0);
        for (strategy, range) in &synthesis.ranges {
            let values = &mut synthesis.cosines[range.clone()];
            sums.count += strategy.weight * values.len() as f64;
            sums.add(part(values), strategy.weight);
        }
        // Perplexity over the real negatives: ln(sum) - sum e x / sum.
        measures.effective = if real.plain > 0.0 { (real.plain.ln() - real.weighted / real.plain).exp() } else { 0.0 };

        let slopes = objective.loss.slopes(&sums);
        let scale = match concentration {
            None => slopes.plain * weight,
            Some(b) => {
                let (tilted, hard) = (slopes.tilted as f32, slopes.hard as f32);
                kernels::tilted_weights(cosines, b, tilted, hard);
                kernels::tilted_weights(&mut synthesis.cosines, b, tilted, hard);
                weight
            }
        };
        let mut extra = Vec::new();
        let own = synthesis.scatter_add(&scratch.hard, cosines, scale, self.dim, &mut extra);
        Row {
            loss: slopes.loss,
            scale,
            key: slopes.positive * affine.slope * weight,
            query: own * scale,
            extra,
            valid,
            measures,
        }
    }

    /// The row's synthetic negatives, strategy by strategy.
    #[inline(always)]
    fn synthesize(&self, index: usize, hard: &[u32], synthesis: &mut Synthesis, measures: &mut RowMeasures) {
        let query = &self.query[index * self.dim..][..self.dim];
        let parents = Parents { keys: self.candidates, dim: self.dim, query, square: self.squares[index], hard };
        measures.hardest = kernels::sum(&synthesis.hard_cosines) / hard.len().max(1) as f64;
        for strategy in self.strategies {
            let range = synthesis.add(strategy, self.context, index, &parents);
            let mean = kernels::sum(&synthesis.cosines[range.clone()]) / range.len().max(1) as f64;
            match strategy.purpose {
                pair_mixing::PURPOSE => measures.pair = mean,
                query_mixing::PURPOSE => measures.query_mix = mean,
                _ => {}
            }
        }
    }
}
