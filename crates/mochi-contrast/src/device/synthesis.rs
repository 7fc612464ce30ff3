//! Synthetic negatives of a whole batch as tensors: hard negatives, parents, and the common form of [`mochi_contrast_core::strategies`].
//!
//! Parents and coefficients come from [`super::draws`]. The parents' dot products are made a few synthetic negatives at a time, and so are noise
//! vectors, twice: for the cosines and for the gradient. No (B, s, D) tensor exists.

use super::draws::{Samples, normals, samples};
use crate::queue::to_i64;
use crate::{Context, ContrastError, Objective, Strategy};
use mochi_contrast_core::strategies::{Extra, Linear};
use mochi_tensor::{Kind, Tensor};

/// How many elements the gathered rows of one slice may have: 2^22 floats are 16 MB.
const SLICE: i64 = 1 << 22;

/// The draws of one strategy for a whole batch.
pub(crate) struct Drawn {
    pub strategy: Strategy,
    /// Parents' positions among the candidate keys (B, n), int64.
    pub first: Tensor,
    pub second: Tensor,
    /// c_q, c_i, c_j, each (B, n).
    pub c_query: Tensor,
    pub c_first: Tensor,
    pub c_second: Tensor,
    /// Weights (B, n); `None` where all are the strategy's.
    pub weights: Option<Tensor>,
}

/// Cosines and gradient coefficients of one strategy's synthetic negatives.
pub(crate) struct Synthetic {
    pub drawn: Drawn,
    /// (B, n)
    pub cosines: Tensor,
    /// Coefficients of d(q·h)/dq on the parents and the query (B, n).
    pub first: Tensor,
    pub second: Tensor,
    pub query: Tensor,
    /// On the extra vector, its length included.
    pub extra: Option<Tensor>,
}

/// The hard negatives (B, n), positions ascending, of cosines in which excluded keys are -infinity, and their cosines in another order; a row
/// of fewer than n valid ones has others at its end, which are never drawn, and -infinity among its cosines.
pub(crate) fn hard_negatives(cosines: &Tensor, n: usize) -> Result<(Tensor, Tensor), ContrastError> {
    let size = cosines.size()[1];
    let (values, positions) = cosines.f_topk(to_i64(n).min(size), 1, true, false)?;
    let excluded = values.f_eq(f64::NEG_INFINITY)?;
    Ok((positions.f_masked_fill(&excluded, size)?.f_sort(1, false)?.0.f_clamp_max(size - 1)?, values))
}

/// Draws a batch's synthetic negatives; `valid` (B, 1), int64, holds each row's number of negatives among the candidate keys.
pub(crate) fn draw(
    objective: &Objective,
    context: &Context,
    hard: &Tensor,
    valid: &Tensor,
    kind: Kind,
) -> Result<Vec<Drawn>, ContrastError> {
    let (batch, width) = (hard.size()[0], hard.size()[1]);
    let device = hard.device();
    let valid = valid.f_clamp_max(width)?;
    let mut all = Vec::new();
    for strategy in objective.active_strategies() {
        let (drawn, weights) = match samples(strategy, context, &valid)? {
            Some(drawn) => (drawn, None),
            // Each hard negative; a row of fewer is filled up with synthetic negatives of no weight, at a key that is valid.
            None => {
                let position = Tensor::f_arange(width, (Kind::Int64, device))?.f_view([1, -1])?;
                let counts = position.f_lt_tensor(&valid)?;
                let position = position.f_mul(&counts)?;
                let weights = counts.f_to_kind(kind)?.f_mul_scalar(strategy.weight)?;
                (Samples { second: position.shallow_clone(), first: position, coefficient: None }, Some(weights))
            }
        };
        let shape = [batch, drawn.first.size()[1]];
        let weights = match weights {
            None if strategy.weight != 1.0 => Some(Tensor::f_full(shape, strategy.weight, (kind, device))?),
            weights => weights,
        };
        let part = |linear: Linear| -> Result<Tensor, ContrastError> {
            Ok(match &drawn.coefficient {
                Some(coefficient) if linear.slope != 0.0 => {
                    coefficient.f_mul_scalar(linear.slope)?.f_add_scalar(linear.constant)?.f_to_kind(kind)?
                }
                _ => Tensor::f_full(shape, linear.constant, (kind, device))?,
            })
        };
        all.push(Drawn {
            first: hard.f_gather(1, &drawn.first, false)?,
            second: hard.f_gather(1, &drawn.second, false)?,
            c_query: part(strategy.query)?,
            c_first: part(strategy.first)?,
            c_second: part(strategy.second)?,
            weights,
            strategy: strategy.clone(),
        });
    }
    Ok(all)
}

/// Cosines and gradient coefficients: the common form.
pub(crate) fn synthesize(
    query: &Tensor,
    keys: &Tensor,
    cosines: &Tensor,
    drawn: Drawn,
    context: &Context,
) -> Result<Synthetic, ContrastError> {
    let strategy = &drawn.strategy;
    let (c_q, c_i, c_j) = (&drawn.c_query, &drawn.c_first, &drawn.c_second);
    let square = query.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, query.kind())?; // q·q (B, 1)
    let own = c_q.f_mul(&square)?;
    let a_i = cosines.f_gather(1, &drawn.first, false)?;
    let mut dot = own.f_add(&c_i.f_mul(&a_i)?)?;
    let mut cross = c_q.f_mul(c_i)?.f_mul(&a_i)?;
    let mut r2 = c_q.f_mul(&own)?.f_add(&c_i.f_square()?)?;
    if strategy.has_two_parents() {
        let g = parents_dot(keys, &drawn.first, &drawn.second)?;
        let a_j = cosines.f_gather(1, &drawn.second, false)?;
        dot = dot.f_add(&c_j.f_mul(&a_j)?)?;
        cross = cross.f_add(&c_i.f_mul(c_j)?.f_mul(&g)?)?.f_add(&c_q.f_mul(c_j)?.f_mul(&a_j)?)?;
        r2 = r2.f_add(&c_j.f_square()?)?;
    }
    if let Some(extra) = strategy.extra {
        let [with_query, with_first, with_itself] = extra_dots(strategy, extra, query, keys, &drawn.first, context)?;
        dot = dot.f_add(&with_query)?;
        cross = cross.f_add(&c_q.f_mul(&with_query)?)?.f_add(&c_i.f_mul(&with_first)?)?;
        r2 = r2.f_add(&with_itself)?;
    }
    let r = r2.f_add(&cross.f_mul_scalar(2.0)?)?.f_clamp_min(0.0)?.f_sqrt()?.f_clamp_min(1e-12)?;
    let cosines = dot.f_div(&r)?;
    // What fills up a row is as far away as an excluded key.
    let cosines = match &drawn.weights {
        Some(weights) => cosines.f_masked_fill(&weights.f_eq(0.0)?, f64::NEG_INFINITY)?,
        None => cosines,
    };
    let extra = match strategy.extra {
        Some(extra) => Some(r.f_reciprocal()?.f_mul_scalar(extra.length())?),
        None => None,
    };
    let (mut query, mut first, mut second) = (c_q.f_div(&r)?, c_i.f_div(&r)?, c_j.f_div(&r)?);
    if strategy.query_gradient {
        // `Strategy::with_query_gradient`
        let own = query.f_mul(&cosines)?.f_neg()?.f_add_scalar(1.0)?;
        (first, second) = (first.f_mul(&own)?, second.f_mul(&own)?);
        query = query.f_mul(&own.f_add_scalar(1.0)?)?;
    }
    Ok(Synthetic { drawn, cosines, first, second, query, extra })
}

/// `n_i · n_j` (B, n), a slice of synthetic negatives at a time.
fn parents_dot(keys: &Tensor, i: &Tensor, j: &Tensor) -> Result<Tensor, ContrastError> {
    let (batch, total, dim) = (i.size()[0], i.size()[1], keys.size()[1]);
    let step = (SLICE / (batch * dim).max(1)).max(1);
    let mut slices = Vec::new();
    let mut start = 0;
    while start < total {
        let count = step.min(total - start);
        let rows = |index: &Tensor| keys.f_index_select(0, &index.f_narrow(1, start, count)?.f_reshape([-1])?);
        let dots = rows(i)?.f_mul(&rows(j)?)?.f_sum_dim_intlist([1i64].as_slice(), false, keys.kind())?;
        slices.push(dots.f_view([batch, count])?);
        start += count;
    }
    Ok(Tensor::f_cat(&slices, 1)?)
}

/// Runs `body(first query, how many, vectors (queries, n, D) or (queries, 1, D))` over slices of the batch; the vectors have no length yet.
pub(crate) fn for_extra_vectors(
    strategy: &Strategy,
    extra: Extra,
    query: &Tensor,
    total: i64,
    context: &Context,
    mut body: impl FnMut(i64, i64, &Tensor) -> Result<(), ContrastError>,
) -> Result<(), ContrastError> {
    let (batch, dim) = (query.size()[0], query.size()[1]);
    let step = (SLICE / (total * dim).max(1)).clamp(1, batch.max(1));
    let mut start = 0;
    while start < batch {
        let count = step.min(batch - start);
        let vectors = match extra {
            Extra::SignOfQuery { .. } => query.f_narrow(0, start, count)?.f_sign()?.f_unsqueeze(1)?,
            Extra::Normal { .. } => {
                let key = context.draws.with_purpose(strategy.purpose);
                normals(key, (start, count), total, dim, query.device())?.f_to_kind(query.kind())?
            }
        };
        body(start, count, &vectors)?;
        start += count;
    }
    Ok(())
}

/// q·e, n_i·e and e·e, each (B, n) or (B, 1).
fn extra_dots(
    strategy: &Strategy,
    extra: Extra,
    query: &Tensor,
    keys: &Tensor,
    first: &Tensor,
    context: &Context,
) -> Result<[Tensor; 3], ContrastError> {
    let (total, dim, kind) = (first.size()[1], query.size()[1], query.kind());
    let length = extra.length();
    let mut parts: [Vec<Tensor>; 3] = Default::default();
    for_extra_vectors(strategy, extra, query, total, context, |start, count, vectors| {
        let sum = |t: Tensor| t.f_sum_dim_intlist([2i64].as_slice(), false, kind);
        let index = first.f_narrow(0, start, count)?.f_reshape([-1])?;
        let parents = keys.f_index_select(0, &index)?.f_view([count, total, dim])?;
        let q = query.f_narrow(0, start, count)?.f_unsqueeze(1)?;
        parts[0].push(sum(vectors.f_mul(&q)?)?.f_mul_scalar(length)?);
        parts[1].push(sum(parents.f_mul(vectors)?)?.f_mul_scalar(length)?);
        parts[2].push(sum(vectors.f_square()?)?.f_mul_scalar(length * length)?);
        Ok(())
    })?;
    let [a, b, c] = parts;
    Ok([Tensor::f_cat(&a, 0)?, Tensor::f_cat(&b, 0)?, Tensor::f_cat(&c, 0)?])
}
