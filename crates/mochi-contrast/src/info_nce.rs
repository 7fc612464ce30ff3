//! InfoNCE over a queue with synthetic hard negatives, loss and gradient in closed form (MoCo, eq. 1; MoCHi, eq. 1 and section 3).
//!
//! ```text
//! loss  = mean over queries of  -log( e^{q·k/t} / Z ),   Z = e^{q·k/t} + Σ_{n in queue} e^{q·n/t} + Σ_{synthetic h} e^{q·h/t}
//! dloss/dq = 1/(B t) ( (p_k - 1) k + Σ_n p_n n + Σ_h p_h d(q·h)/dq ),   p = e^{·/t} / Z
//! ```
//!
//! Since `d(q·h)/dq` is a combination of queue rows (and of q), every point's probability is added to its parents' columns of the (B, K)
//! matrix, and one product with the queue gives the whole gradient. The matrix of cosines is made once and turned into weights in
//! place; per query only O(s + s') numbers come on top.
//!
//! On the CPU in float32 this file's kernel runs on all cores; everything else takes `tensor_path`, which is the same algebra in
//! libtorch operations.

use crate::measures::RowMeasures;
use crate::points::Source;
use crate::queue::{check_unit, to_i64};
use crate::{
    ContrastError, DrawKey, Measures, Points, Queue, Synthesis, hardest, kernels, pair_mixing, query_mixing,
    tensor_path,
};
use mochi_tensor::{Device, Kind, Tensor, for_each_row, from_f32, no_grad, read_f32, with_f32_mut};

/// A loss, its gradient, and what it saw.
#[derive(Debug)]
pub struct Loss {
    /// Mean over the queries.
    pub value: f64,
    /// d loss / d query, (B, D); hand it to the query's graph as the gradient of a backward pass.
    pub gradient: Tensor,
    /// Measurements.
    pub measures: Measures,
}

/// The loss of query (B, D) and key (B, D) against the queue, with the synthetic negatives that `synthesis` asks for.
///
/// Equals `cross_entropy(cat([q·k, q·queue, q·h, q·h'], 1) / temperature, 0)` with h, h' detached.
///
/// # Errors
/// Embeddings that are not finite or not of norm 1, shapes that do not fit, options out of range.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    queue: &Queue,
    temperature: f64,
    synthesis: Option<&Synthesis>,
    draws: DrawKey,
) -> Result<Loss, ContrastError> {
    run(query, key, queue, temperature, synthesis, Source::Drawn(draws), draws.step)
}

/// As [`info_nce`], with the parents and coefficients given.
///
/// # Errors
/// As [`info_nce`], and where the points do not fit.
pub fn info_nce_given(
    query: &Tensor,
    key: &Tensor,
    queue: &Queue,
    temperature: f64,
    synthesis: &Synthesis,
    points: &Points,
) -> Result<Loss, ContrastError> {
    points.check(synthesis, rows_of(query), synthesis.hardest.min(queue.len()))?;
    run(query, key, queue, temperature, Some(synthesis), Source::Given(points), 0)
}

fn rows_of(tensor: &Tensor) -> usize {
    tensor.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0))
}

fn run(
    query: &Tensor,
    key: &Tensor,
    queue: &Queue,
    temperature: f64,
    synthesis: Option<&Synthesis>,
    source: Source,
    step: u64,
) -> Result<Loss, ContrastError> {
    let (query, key) = (query.f_detach()?, key.f_detach()?);
    let shape = query.size();
    if shape.len() != 2 || shape[0] < 1 || key.size() != shape || shape[1] != queue.rows().size()[1] {
        let text =
            format!("query {shape:?}, key {:?} and queue {:?} do not fit each other", key.size(), queue.rows().size());
        return Err(ContrastError::Shape(text));
    }
    if !(temperature > 0.0 && temperature.is_finite()) {
        let value = temperature.to_string();
        return Err(ContrastError::Option { option: "moco.temperature", value, expected: "it must be above 0" });
    }
    check_unit("query", &query, step)?;
    check_unit("key", &key, step)?;
    let synthesis = synthesis.filter(|s| s.points() > 0);
    if let Some(synthesis) = synthesis {
        synthesis.check()?;
    }
    let loss = no_grad(|| {
        let plain = |t: &Tensor| t.device() == Device::Cpu && t.kind() == Kind::Float;
        if plain(&query) && plain(&key) && plain(queue.rows()) {
            fused(&query.f_contiguous()?, &key.f_contiguous()?, queue.rows(), temperature, synthesis, source)
        } else {
            tensor_path::closed_form(&query, &key, queue.rows(), temperature, synthesis, source)
        }
    })?;
    if loss.value.is_finite() { Ok(loss) } else { Err(ContrastError::LossNotFinite { step }) }
}

/// What one query's pass leaves: the loss, and the factors of the gradient's three terms.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    loss: f64,
    /// 1 / (Z t B): the row's weights in the cosine matrix are left unnormalised.
    scale: f64,
    key: f64,
    query: f64,
    measures: RowMeasures,
}

/// One thread's room.
#[derive(Default)]
struct Scratch {
    candidates: hardest::Candidates,
    hardest: Vec<u32>,
    points: Vec<Point>,
}

/// A synthetic point's cosine and where its gradient goes.
struct Point {
    cosine: f32,
    columns: [u32; 2],
    weights: [f32; 2],
    query: f32,
}

struct Batch<'a> {
    queue: &'a [f32],
    dim: usize,
    positives: &'a [f32],
    squares: &'a [f32],
    temperature: f64,
    synthesis: Option<&'a Synthesis>,
    source: Source<'a>,
}

fn fused(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    synthesis: Option<&Synthesis>,
    source: Source,
) -> Result<Loss, ContrastError> {
    let (count, dim) = (rows_of(query), usize::try_from(query.size()[1]).unwrap_or(0));
    let rows_dot = |a: &Tensor, b: &Tensor| a.f_mul(b)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let (positives, squares) = (rows_dot(query, key)?, rows_dot(query, query)?);
    let mut cosines = query.f_matmul(&queue.f_transpose(0, 1)?)?; // (B, K)
    let batch = Batch {
        queue: read_f32(queue)?,
        dim,
        positives: read_f32(&positives)?,
        squares: read_f32(&squares)?,
        temperature,
        synthesis,
        source,
    };
    let mut rows = vec![Row::default(); count];
    let width = rows_of(queue);
    let arch = pulp::Arch::new();
    with_f32_mut(&mut cosines, |values| {
        for_each_row(values, width, &mut rows, Scratch::default, |index, cosines, out, scratch| {
            *out = arch.dispatch(RowTask { batch: &batch, index, cosines, scratch, count });
        })
    })??;
    let column = |value: fn(&Row) -> f64| {
        let values: Vec<f32> = rows.iter().map(|row| (value(row) * row.scale) as f32).collect();
        from_f32(&values, &[to_i64(count), 1])
    };
    let mut gradient = cosines.f_matmul(queue)?.f_mul_(&column(|_| 1.0)?)?; // (B, D)
    gradient = gradient.f_add_(&key.f_mul(&column(|row| row.key)?)?)?;
    gradient = gradient.f_add_(&query.f_mul(&column(|row| row.query)?)?)?;
    let exists = |count: fn(&Synthesis) -> usize| synthesis.is_some_and(|s| count(s) > 0);
    Ok(Loss {
        value: rows.iter().map(|row| row.loss).sum::<f64>() / count as f64,
        gradient,
        measures: Measures::of(
            rows.iter().map(|r| r.measures),
            synthesis.is_some(),
            exists(|s| s.pairs),
            exists(|s| s.query_mixes),
        ),
    })
}

/// One row's work. A type of its own rather than a closure: only a call that is inlined into pulp's dispatch is compiled for the
/// instruction set that was found, and a closure of this size is not.
struct RowTask<'a, 'b> {
    batch: &'a Batch<'b>,
    index: usize,
    cosines: &'a mut [f32],
    scratch: &'a mut Scratch,
    count: usize,
}

impl pulp::NullaryFnOnce for RowTask<'_, '_> {
    type Output = Row;

    #[inline(always)]
    fn call(self) -> Row {
        self.batch.row(self.index, self.cosines, self.scratch, self.count)
    }
}

impl Batch<'_> {
    /// Cosines (K,) in; unnormalised gradient weights (K,) out.
    #[inline(always)]
    fn row(&self, index: usize, cosines: &mut [f32], scratch: &mut Scratch, count: usize) -> Row {
        let positive = self.positives[index];
        let largest_real = kernels::largest(cosines);
        let mut measures = RowMeasures { positive: f64::from(positive), ..RowMeasures::default() };
        scratch.points.clear();
        if let Some(synthesis) = self.synthesis {
            self.synthesise(synthesis, index, cosines, scratch, &mut measures);
        }
        let largest_point =
            scratch.points.iter().fold(f32::NEG_INFINITY, |m, p| if p.cosine > m { p.cosine } else { m });
        let harder = scratch.points.iter().filter(|p| p.cosine > largest_real).count();
        measures.harder = harder as f64 / scratch.points.len().max(1) as f64;
        measures.beats_real = positive > largest_real;
        measures.beats_all = positive > largest_real.max(largest_point);

        let shift = positive.max(largest_real).max(largest_point);
        let inverse_t = (1.0 / self.temperature) as f32;
        let (real, weighted) = kernels::exponentials(cosines, shift, inverse_t);
        let own = f64::from(kernels::exp((positive - shift) * inverse_t));
        let mut negatives = real;
        let mut query = 0.0f64;
        for point in &scratch.points {
            let e = kernels::exp((point.cosine - shift) * inverse_t);
            negatives += f64::from(e);
            query += f64::from(e * point.query);
            cosines[point.columns[0] as usize] += e * point.weights[0];
            cosines[point.columns[1] as usize] += e * point.weights[1];
        }
        let total = own + negatives;
        // Perplexity over the real negatives: ln(sum) - sum e x / sum.
        measures.effective = if real > 0.0 { (real.ln() - weighted / real).exp() } else { 0.0 };
        let loss = total.ln() - f64::from((positive - shift) * inverse_t);
        Row { loss, scale: 1.0 / (total * self.temperature * count as f64), key: -negatives, query, measures }
    }

    #[inline(always)]
    fn synthesise(
        &self,
        synthesis: &Synthesis,
        index: usize,
        cosines: &[f32],
        scratch: &mut Scratch,
        measures: &mut RowMeasures,
    ) {
        hardest::select(cosines, synthesis.hardest, &mut scratch.candidates, &mut scratch.hardest);
        let set = &scratch.hardest;
        if set.is_empty() {
            return;
        }
        measures.hardest = set.iter().map(|&c| f64::from(cosines[c as usize])).sum::<f64>() / set.len() as f64;
        let row = |column: u32| &self.queue[column as usize * self.dim..][..self.dim];
        for point in 0..synthesis.pairs {
            let (i, j, a) = synthesis.pair(self.source, index, point, set.len());
            let (i, j) = (set[i], set[j]);
            let parents = if i == j { 1.0 } else { f64::from(kernels::dot(row(i), row(j))) };
            let pair = pair_mixing::mix(a, f64::from(cosines[i as usize]), f64::from(cosines[j as usize]), parents);
            measures.pair += pair.cosine;
            let weights = [pair.first as f32, pair.second as f32];
            scratch.points.push(Point { cosine: pair.cosine as f32, columns: [i, j], weights, query: 0.0 });
        }
        for point in 0..synthesis.query_mixes {
            let (j, b) = synthesis.query_mix(self.source, index, point, set.len());
            let j = set[j];
            let mix = query_mixing::mix(
                b,
                f64::from(self.squares[index]),
                f64::from(cosines[j as usize]),
                synthesis.query_gradient,
            );
            measures.query_mix += mix.cosine;
            let weights = [mix.parent as f32, 0.0];
            scratch.points.push(Point { cosine: mix.cosine as f32, columns: [j, j], weights, query: mix.query as f32 });
        }
        measures.pair /= synthesis.pairs.max(1) as f64;
        measures.query_mix /= synthesis.query_mixes.max(1) as f64;
    }
}

#[cfg(test)]
#[path = "info_nce_tests.rs"]
mod tests;
