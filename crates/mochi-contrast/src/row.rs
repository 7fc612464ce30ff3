//! One query's pass: cosines (K,) in, gradient weights (K,) out, with its loss and the factors of the gradient's other terms.

use crate::forms::Sums;
use crate::guards::{self, ring};
use crate::measures::{HARDER_BY, RowMeasures};
use crate::mixing::{Mixed, Parents};
use crate::points::Strategy;
use crate::synthesis::Block;
use crate::{Context, Objective, hardest, kernels};

/// What one query's pass leaves. The row of the cosine matrix holds its weights up to `scale`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub loss: f64,
    /// Factor of the row's weights.
    pub scale: f64,
    /// Factor of the key.
    pub key: f64,
    /// Factor of the query.
    pub query: f64,
    /// What extra vectors add to the gradient (D,); empty where there are none.
    pub extra: Vec<f32>,
    /// Columns that are negatives.
    pub valid: usize,
    pub measures: RowMeasures,
}

/// One thread's room.
#[derive(Default)]
pub(crate) struct Scratch {
    candidates: hardest::Candidates,
    ranks: ring::Ranks,
    hardest: Vec<u32>,
    mixed: Mixed,
}

/// What all rows share.
pub(crate) struct Batch<'a> {
    /// (B, D)
    pub query: &'a [f32],
    /// (K, D)
    pub columns: &'a [f32],
    pub dim: usize,
    /// q·k (B,)
    pub positives: &'a [f32],
    /// q·q (B,)
    pub squares: &'a [f32],
    pub objective: &'a Objective,
    pub blocks: &'a [Block],
    pub context: &'a Context<'a>,
    pub count: usize,
}

/// One row's work. A type of its own rather than a closure: only a call that is inlined into pulp's dispatch is compiled for the
/// instruction set that was found, and a closure of this size is not.
pub(crate) struct RowTask<'a, 'b> {
    pub batch: &'a Batch<'b>,
    pub index: usize,
    pub cosines: &'a mut [f32],
    pub scratch: &'a mut Scratch,
}

impl pulp::NullaryFnOnce for RowTask<'_, '_> {
    type Output = Row;

    #[inline(always)]
    fn call(self) -> Row {
        self.batch.row(self.index, self.cosines, self.scratch)
    }
}

impl Batch<'_> {
    #[inline(always)]
    fn row(&self, index: usize, cosines: &mut [f32], scratch: &mut Scratch) -> Row {
        let (objective, context) = (self.objective, self.context);
        let cosine = self.positives[index];
        let affine = context.affine(index);
        let positive = (affine.offset + affine.slope * f64::from(cosine)) as f32;
        let place = (index, self.count);
        let valid = guards::mask(&objective.guards, context, place, cosine, cosines, &mut scratch.ranks);
        if valid == 0 {
            return Row::default();
        }
        let largest_real = kernels::largest(cosines);
        let mut measures = RowMeasures { positive: f64::from(cosine), ..RowMeasures::default() };
        let mixed = &mut scratch.mixed;
        mixed.clear();
        if !self.blocks.is_empty() {
            hardest::select(cosines, objective.synthesis.hardest, &mut scratch.candidates, &mut scratch.hardest);
            self.synthesise(index, cosines, &scratch.hardest, mixed, &mut measures);
        }
        let largest_point = kernels::largest(&mixed.cosine);
        let harder = mixed.cosine.iter().filter(|&&c| c > largest_real + HARDER_BY).count();
        measures.harder = harder as f64 / mixed.cosine.len().max(1) as f64;
        measures.beats_real = positive > largest_real;
        measures.beats_all = positive > largest_real.max(largest_point);

        let shift = positive.max(largest_real).max(largest_point);
        let inverse_t = (1.0 / objective.temperature) as f32;
        let mut sums = Sums {
            own: f64::from(kernels::exp((positive - shift) * inverse_t)),
            positive: f64::from((positive - shift) * inverse_t),
            shift: f64::from(shift * inverse_t),
            inverse_t: 1.0 / objective.temperature,
            count: valid as f64,
            ..Sums::default()
        };
        // Cosines become e^x, or stay logits x where the form needs more than one power of e^x.
        let tilt = objective.form.tilt().map(|b| b as f32);
        let real = match tilt {
            None => kernels::exponentials(cosines, shift, inverse_t).into(),
            Some(b) => kernels::tilted_sums(cosines, shift, inverse_t, b),
        };
        let weight = context.weight(index, self.count) / objective.temperature;
        sums.add(real, 1.0);
        for (block, range) in mixed.blocks() {
            let points = &mut mixed.cosine[range.clone()];
            let omega = block.strategy.omega();
            sums.count += omega * points.len() as f64;
            let part = match tilt {
                None => kernels::exponentials(points, shift, inverse_t).into(),
                Some(b) => kernels::tilted_sums(points, shift, inverse_t, b),
            };
            sums.add(part, omega);
        }
        // Perplexity over the real negatives: ln(sum) - sum e x / sum.
        measures.effective = if real.plain > 0.0 { (real.plain.ln() - real.weighted / real.plain).exp() } else { 0.0 };

        let slopes = objective.form.slopes(&sums);
        let scale = match tilt {
            None => slopes.plain * weight,
            Some(b) => {
                let (tilted, hard) = (slopes.tilted as f32, slopes.hard as f32);
                kernels::tilted_weights(cosines, b, tilted, hard);
                kernels::tilted_weights(&mut mixed.cosine, b, tilted, hard);
                weight
            }
        };
        let mut extra = Vec::new();
        let own = mixed.hand_back(&scratch.hardest, cosines, scale, self.dim, &mut extra);
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

    /// The row's points, block by block.
    #[inline(always)]
    fn synthesise(&self, index: usize, cosines: &[f32], set: &[u32], mixed: &mut Mixed, measures: &mut RowMeasures) {
        let source = self.context.source();
        let query = &self.query[index * self.dim..][..self.dim];
        let parents = Parents { columns: self.columns, dim: self.dim, query, square: self.squares[index], set };
        mixed.begin(cosines, set);
        measures.hardest = kernels::sum(&mixed.set_cosines) / set.len().max(1) as f64;
        for block in self.blocks {
            let range = mixed.add(block, source, index, &parents);
            let mean = kernels::sum(&mixed.cosine[range.clone()]) / range.len().max(1) as f64;
            match block.strategy {
                Strategy::Pairs { .. } => measures.pair = mean,
                Strategy::QueryMixes { .. } => measures.query_mix = mean,
                _ => {}
            }
        }
    }
}
