//! The closed form in libtorch operations: CUDA, float64, and the partner that the CPU kernel is tested against.
//!
//! Same algebra as `info_nce`, whole batch at a time: `topk` for the hardest set, gathers of parents' cosines, `scatter_add` for the
//! weights that points hand back. The parents' dot products are made a few points at a time, so no (B, s, D) tensor exists. Parents and
//! coefficients are drawn on the host and sent along; nothing comes back before the step's numbers are read.

use crate::measures::Measures;
use crate::points::Source;
use crate::queue::to_i64;
use crate::{ContrastError, Loss, Points, Synthesis};
use mochi_tensor::{Device, Kind, Tensor};

/// How many elements the gathered parents of one slice of points may have: 2^22 floats are 16 MB.
const SLICE: i64 = 1 << 22;

/// The loss as tensors, before anything is read back.
pub struct ClosedForm {
    /// (B, 1 + K + s + s'): positive, queue, pair mixes, query mixes, divided by the temperature.
    pub logits: Tensor,
    /// (B,): loss of each query.
    pub losses: Tensor,
    /// (B, D).
    pub gradient: Tensor,
    blocks: [i64; 4],
    hardest: Option<Tensor>,
}

/// Where the points' cosines and gradients go, for a whole batch.
struct Synthetic {
    /// (B, n)
    cosines: Tensor,
    /// Parents' columns (B, n) with the coefficients that they receive (B, n).
    parents: Vec<(Tensor, Tensor)>,
    /// Coefficient of the query itself (B, n).
    query: Option<Tensor>,
}

/// Loss, gradient and measurements from unit rows of any float type on any device.
pub(crate) fn closed_form(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    synthesis: Option<&Synthesis>,
    source: Source,
) -> Result<Loss, ContrastError> {
    let form = evaluate(query, key, queue, temperature, synthesis, source)?;
    let measures = form.measures(temperature, synthesis)?;
    Ok(Loss { value: form.losses.f_mean(Kind::Double)?.f_double_value(&[])?, gradient: form.gradient, measures })
}

/// As [`crate::info_nce_given`], with the logits kept: parity against references that print them. Nothing is checked.
///
/// # Errors
/// What libtorch says of shapes that do not fit.
pub fn evaluate_given(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    synthesis: &Synthesis,
    points: &Points,
) -> Result<ClosedForm, ContrastError> {
    mochi_tensor::no_grad(|| evaluate(query, key, queue, temperature, Some(synthesis), Source::Given(points)))
}

fn evaluate(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    synthesis: Option<&Synthesis>,
    source: Source,
) -> Result<ClosedForm, ContrastError> {
    let (batch, size) = (query.size()[0], queue.size()[0]);
    let kind = query.kind();
    let sum_rows = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, kind);
    let positive = sum_rows(&query.f_mul(key)?)?; // (B, 1)
    let cosines = query.f_matmul(&queue.f_transpose(0, 1)?)?; // (B, K)

    let mut hardest = None;
    let mut blocks = Vec::new();
    if let Some(synthesis) = synthesis {
        let n = synthesis.hardest.min(usize::try_from(size).unwrap_or(0));
        let set = cosines.f_topk(to_i64(n), 1, true, false)?.1.f_sort(1, false)?.0; // (B, N), columns ascending
        let points = synthesis.all(source, usize::try_from(batch).unwrap_or(0), n);
        blocks = synthesise(query, queue, &cosines, &set, synthesis, &points)?;
        hardest = Some(set);
    }
    let counts = |index: usize| blocks.get(index).map_or(0, |b: &Synthetic| b.cosines.size()[1]);
    let sizes = [1, size, counts(0), counts(1)];

    let mut columns = vec![positive, cosines];
    columns.extend(blocks.iter().map(|b| b.cosines.shallow_clone()));
    let logits = Tensor::f_cat(&columns, 1)?.f_div_scalar(temperature)?;
    let total = logits.f_logsumexp([1i64].as_slice(), true)?; // (B, 1)
    let probability = logits.f_sub(&total)?.f_exp()?;
    let losses = total.f_sub(&logits.f_narrow(1, 0, 1)?)?.f_view([-1])?;

    let parts = probability.f_split_with_sizes(sizes, 1)?;
    let mut weights = parts[1].copy(); // (B, K), of its own: the points are added in place
    let mut own = Tensor::f_zeros_like(&parts[0])?;
    for (block, p) in blocks.iter().zip(&parts[2..]) {
        for (column, share) in &block.parents {
            weights = weights.f_scatter_add_(1, column, &p.f_mul(share)?)?;
        }
        if let Some(share) = &block.query {
            own = own.f_add_(&sum_rows(&p.f_mul(share)?)?)?;
        }
    }
    // p_k - 1 as minus the negatives' share: no digits are lost where the positive has nearly all of it.
    let negatives = sum_rows(&probability.f_narrow(1, 1, -1 + sizes.iter().sum::<i64>())?)?;
    let gradient = weights.f_matmul(queue)?.f_sub(&key.f_mul(&negatives)?)?.f_add(&query.f_mul(&own)?)?;
    let gradient = gradient.f_div_scalar(temperature * batch as f64)?;
    Ok(ClosedForm { logits, losses, gradient, blocks: sizes, hardest })
}

/// Pair mixes, then query mixes; formulas in `pair_mixing` and `query_mixing`.
fn synthesise(
    query: &Tensor,
    queue: &Tensor,
    cosines: &Tensor,
    set: &Tensor,
    synthesis: &Synthesis,
    points: &Points,
) -> Result<Vec<Synthetic>, ContrastError> {
    let (kind, device, batch) = (query.kind(), query.device(), query.size()[0]);
    let index = |values: &[u32], count: usize| -> Result<Tensor, ContrastError> {
        let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
        let positions = Tensor::f_from_slice(&values)?.f_view([batch, to_i64(count)])?.f_to_device(device)?;
        Ok(set.f_gather(1, &positions, false)?)
    };
    let share = |values: &[f64], count: usize| -> Result<Tensor, ContrastError> {
        Ok(Tensor::f_from_slice(values)?.f_view([batch, to_i64(count)])?.f_to_device(device)?.f_to_kind(kind)?)
    };
    let norm = |square: Tensor| -> Result<Tensor, ContrastError> {
        Ok(square.f_clamp_min(0.0)?.f_sqrt()?.f_clamp_min(1e-12)?)
    };

    let (i, j, a) = (
        index(&points.pair_i, synthesis.pairs)?,
        index(&points.pair_j, synthesis.pairs)?,
        share(&points.alpha, synthesis.pairs)?,
    );
    let b = a.f_neg()?.f_add_scalar(1.0)?;
    let parents = parents_dot(queue, &i, &j)?;
    let cross = a.f_mul(&b)?.f_mul(&parents)?.f_mul_scalar(2.0)?;
    let r = norm(a.f_square()?.f_add(&b.f_square()?)?.f_add(&cross)?)?;
    let (first, second) = (a.f_div(&r)?, b.f_div(&r)?);
    let pair =
        first.f_mul(&cosines.f_gather(1, &i, false)?)?.f_add(&second.f_mul(&cosines.f_gather(1, &j, false)?)?)?;
    let pairs = Synthetic { cosines: pair, parents: vec![(i, first), (j, second)], query: None };

    let (j, b) = (index(&points.mix_j, synthesis.query_mixes)?, share(&points.beta, synthesis.query_mixes)?);
    let c = b.f_neg()?.f_add_scalar(1.0)?;
    let square = query.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, kind)?;
    let cos_j = cosines.f_gather(1, &j, false)?;
    let cross = b.f_mul(&c)?.f_mul(&cos_j)?.f_mul_scalar(2.0)?;
    let r = norm(b.f_square()?.f_mul(&square)?.f_add(&c.f_square()?)?.f_add(&cross)?)?;
    let (own, parent) = (b.f_div(&r)?, c.f_div(&r)?);
    let mix = own.f_mul(&square)?.f_add(&parent.f_mul(&cos_j)?)?;
    let (own, parent) = if synthesis.query_gradient {
        let bend = mix.f_mul(&own)?;
        (own.f_mul_scalar(2.0)?.f_sub(&bend.f_mul(&own)?)?, parent.f_sub(&bend.f_mul(&parent)?)?)
    } else {
        (own, parent)
    };
    Ok(vec![pairs, Synthetic { cosines: mix, parents: vec![(j, parent)], query: Some(own) }])
}

/// `n_i · n_j` (B, s), a slice of points at a time.
fn parents_dot(queue: &Tensor, i: &Tensor, j: &Tensor) -> Result<Tensor, ContrastError> {
    let (batch, points, dim) = (i.size()[0], i.size()[1], queue.size()[1]);
    let step = (SLICE / (batch * dim).max(1)).max(1);
    let mut slices = Vec::new();
    let mut start = 0;
    while start < points {
        let count = step.min(points - start);
        let rows = |index: &Tensor| queue.f_index_select(0, &index.f_narrow(1, start, count)?.f_reshape([-1])?);
        let dots = rows(i)?.f_mul(&rows(j)?)?.f_sum_dim_intlist([1i64].as_slice(), false, queue.kind())?;
        slices.push(dots.f_view([batch, count])?);
        start += count;
    }
    if slices.is_empty() { Ok(i.f_to_kind(queue.kind())?) } else { Ok(Tensor::f_cat(&slices, 1)?) }
}

impl ClosedForm {
    fn measures(&self, temperature: f64, synthesis: Option<&Synthesis>) -> Result<Measures, ContrastError> {
        let [_, size, pairs, mixes] = self.blocks;
        let logits = self.logits.f_to_kind(Kind::Double)?;
        let part = |start: i64, len: i64| logits.f_narrow(1, start, len);
        let positive = part(0, 1)?;
        let real = part(1, size)?;
        let top = |t: &Tensor| t.f_amax([1i64].as_slice(), true);
        let largest_real = top(&real)?;
        let points = part(1 + size, pairs + mixes)?;
        let largest =
            if pairs + mixes > 0 { top(&points)?.f_maximum(&largest_real)? } else { largest_real.shallow_clone() };
        let share = |t: Tensor| -> Result<f64, ContrastError> {
            Ok(t.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[])?)
        };
        let mean = |t: &Tensor| -> Result<f64, ContrastError> {
            Ok(t.f_mean(Kind::Double)?.f_double_value(&[])? * temperature)
        };
        // Perplexity of softmax over the queue: exp(log Z - sum p x).
        let z = real.f_logsumexp([1i64].as_slice(), true)?;
        let p = real.f_sub(&z)?.f_exp()?;
        let entropy =
            z.f_view([-1])?.f_sub(&p.f_mul(&real)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double)?)?;
        let hardest = match (&self.hardest, synthesis) {
            (Some(set), Some(_)) => Some(mean(&real.f_gather(1, set, false)?)?),
            _ => None,
        };
        Ok(Measures {
            accuracy_real: share(positive.f_gt_tensor(&largest_real)?)?,
            accuracy_with_synthetic: share(positive.f_gt_tensor(&largest)?)?,
            positive: mean(&positive)?,
            hardest,
            pair: if pairs > 0 { Some(mean(&part(1 + size, pairs)?)?) } else { None },
            query_mix: if mixes > 0 { Some(mean(&part(1 + size + pairs, mixes)?)?) } else { None },
            synthetic_harder: if pairs + mixes > 0 { Some(share(points.f_gt_tensor(&largest_real)?)?) } else { None },
            effective_negatives: entropy.f_exp()?.f_mean(Kind::Double)?.f_to_device(Device::Cpu)?.f_double_value(&[])?,
        })
    }
}
