//! Synthetic points of a whole batch as tensors: the hardest sets, the parents, the common form of [`crate::points`].
//!
//! Parents and shares come from [`crate::tensor_draws`]. The parents' dot products are made a few points at a time, and so are noise
//! vectors, twice: for the cosines and for the gradient. No (B, s, D) tensor exists.

use crate::draws::Source;
use crate::points::{Coefficients, Extra};
use crate::queue::to_i64;
use crate::synthesis::Block;
use crate::tensor_draws::{Positions, normals, positions};
use crate::{Context, ContrastError, Objective};
use mochi_tensor::{Kind, Tensor};

/// How many elements the gathered rows of one slice may have: 2^22 floats are 16 MB.
const SLICE: i64 = 1 << 22;

/// A block's draws for a whole batch.
pub(crate) struct Drawing {
    pub block: Block,
    /// Parents' columns (B, n), int64.
    pub first: Tensor,
    pub second: Tensor,
    /// c_q, c_i, c_j, each (B, n).
    pub query: Tensor,
    pub on_first: Tensor,
    pub on_second: Tensor,
    /// Weights (B, n); `None` where all are 1.
    pub omega: Option<Tensor>,
}

/// Where the points' cosines and gradients go.
pub(crate) struct Synthetic {
    pub drawing: Drawing,
    /// (B, n)
    pub cosines: Tensor,
    /// Coefficients of d(q·h)/dq on the parents and the query (B, n).
    pub first: Tensor,
    pub second: Tensor,
    pub query: Tensor,
    /// On the extra vector, its length included.
    pub extra: Option<Tensor>,
}

/// The hardest sets (B, n), columns ascending, of cosines in which masked columns are -infinity, and their cosines in another order; a row
/// of fewer than n valid ones has others at its end, which are never drawn, and -infinity among its cosines.
pub(crate) fn hardest_sets(cosines: &Tensor, n: usize) -> Result<(Tensor, Tensor), ContrastError> {
    let size = cosines.size()[1];
    let (values, columns) = cosines.f_topk(to_i64(n).min(size), 1, true, false)?;
    let masked = values.f_eq(f64::NEG_INFINITY)?;
    Ok((columns.f_masked_fill(&masked, size)?.f_sort(1, false)?.0.f_clamp_max(size - 1)?, values))
}

/// Draws a batch's points: `valid` (B, 1), int64, holds each row's number of columns that are negatives.
pub(crate) fn draw(
    objective: &Objective,
    context: &Context,
    set: &Tensor,
    valid: &Tensor,
    kind: Kind,
) -> Result<Vec<Drawing>, ContrastError> {
    let (batch, width) = (set.size()[0], set.size()[1]);
    let device = set.device();
    let valid = valid.f_clamp_max(width)?;
    let mut drawings = Vec::new();
    for block in objective.blocks() {
        let drawn = positions(block.strategy, context.source(), &valid, block.count)?;
        let (drawn, omega) = match drawn {
            Some(drawn) => (drawn, None),
            // Every one of the set; a row of fewer valid columns is filled up with points of no weight, at a column that is valid.
            None => {
                let place = Tensor::f_arange(width, (Kind::Int64, device))?.f_view([1, -1])?;
                let counts = place.f_lt_tensor(&valid)?;
                let place = place.f_mul(&counts)?;
                let counts = counts.f_to_kind(kind)?.f_mul_scalar(block.strategy.omega())?;
                (Positions { second: place.shallow_clone(), first: place, share: None }, Some(counts))
            }
        };
        let count = drawn.first.size()[1];
        // Coefficients are affine in the share.
        let (at_0, at_1) = (block.strategy.coefficients(0.0), block.strategy.coefficients(1.0));
        let part = |of: fn(&Coefficients) -> f64| -> Result<Tensor, ContrastError> {
            let (constant, slope) = (of(&at_0), of(&at_1) - of(&at_0));
            Ok(match &drawn.share {
                Some(share) if slope != 0.0 => share.f_mul_scalar(slope)?.f_add_scalar(constant)?.f_to_kind(kind)?,
                _ => Tensor::f_full([batch, count], constant, (kind, device))?,
            })
        };
        drawings.push(Drawing {
            block,
            first: set.f_gather(1, &drawn.first, false)?,
            second: set.f_gather(1, &drawn.second, false)?,
            query: part(|c| c.query)?,
            on_first: part(|c| c.first)?,
            on_second: part(|c| c.second)?,
            omega,
        });
    }
    Ok(drawings)
}

/// Cosines and gradient coefficients of a block: the common form.
pub(crate) fn mix(
    query: &Tensor,
    columns: &Tensor,
    cosines: &Tensor,
    drawing: Drawing,
    source: Source,
) -> Result<Synthetic, ContrastError> {
    let strategy = drawing.block.strategy;
    let (c_q, c_i, c_j) = (&drawing.query, &drawing.on_first, &drawing.on_second);
    let square = query.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, query.kind())?; // q·q (B, 1)
    let own = c_q.f_mul(&square)?;
    let a_i = cosines.f_gather(1, &drawing.first, false)?;
    let mut dot = own.f_add(&c_i.f_mul(&a_i)?)?;
    let mut cross = c_q.f_mul(c_i)?.f_mul(&a_i)?;
    let mut r2 = c_q.f_mul(&own)?.f_add(&c_i.f_square()?)?;
    if strategy.has_pairs() {
        let g = parents_dot(columns, &drawing.first, &drawing.second)?;
        dot = dot.f_add(&c_j.f_mul(&cosines.f_gather(1, &drawing.second, false)?)?)?;
        cross = cross.f_add(&c_i.f_mul(c_j)?.f_mul(&g)?)?;
        r2 = r2.f_add(&c_j.f_square()?)?;
    }
    if let Some(extra) = strategy.extra() {
        let [with_query, with_first, with_itself] = extra_dots(extra, query, columns, &drawing.first, source)?;
        dot = dot.f_add(&with_query)?;
        cross = cross.f_add(&c_q.f_mul(&with_query)?)?.f_add(&c_i.f_mul(&with_first)?)?;
        r2 = r2.f_add(&with_itself)?;
    }
    let r = r2.f_add(&cross.f_mul_scalar(2.0)?)?.f_clamp_min(0.0)?.f_sqrt()?.f_clamp_min(1e-12)?;
    let point = dot.f_div(&r)?;
    // A point that fills up a row is as far away as a masked column.
    let point = match &drawing.omega {
        Some(omega) => point.f_masked_fill(&omega.f_eq(0.0)?, f64::NEG_INFINITY)?,
        None => point,
    };
    let (mut own, mut first, mut second) = (c_q.f_div(&r)?, c_i.f_div(&r)?, c_j.f_div(&r)?);
    if strategy.inner() {
        let bend = point.f_mul(&own)?;
        first = first.f_sub(&bend.f_mul(&first)?)?;
        second = second.f_sub(&bend.f_mul(&second)?)?;
        own = own.f_mul_scalar(2.0)?.f_sub(&bend.f_mul(&own)?)?;
    }
    let extra = match strategy.extra() {
        Some(extra) => Some(r.f_reciprocal()?.f_mul_scalar(extra.length())?),
        None => None,
    };
    Ok(Synthetic { drawing, cosines: point, first, second, query: own, extra })
}

/// `n_i · n_j` (B, n), a slice of points at a time.
fn parents_dot(columns: &Tensor, i: &Tensor, j: &Tensor) -> Result<Tensor, ContrastError> {
    let (batch, points, dim) = (i.size()[0], i.size()[1], columns.size()[1]);
    let step = (SLICE / (batch * dim).max(1)).max(1);
    let mut slices = Vec::new();
    let mut start = 0;
    while start < points {
        let count = step.min(points - start);
        let rows = |index: &Tensor| columns.f_index_select(0, &index.f_narrow(1, start, count)?.f_reshape([-1])?);
        let dots = rows(i)?.f_mul(&rows(j)?)?.f_sum_dim_intlist([1i64].as_slice(), false, columns.kind())?;
        slices.push(dots.f_view([batch, count])?);
        start += count;
    }
    Ok(Tensor::f_cat(&slices, 1)?)
}

/// Runs `body(first query, how many, vectors (queries, n, D) or (queries, 1, D), their length)` over slices of the batch.
pub(crate) fn for_extra_vectors(
    extra: Extra,
    query: &Tensor,
    points: i64,
    source: Source,
    mut body: impl FnMut(i64, i64, &Tensor) -> Result<(), ContrastError>,
) -> Result<(), ContrastError> {
    let (batch, dim) = (query.size()[0], query.size()[1]);
    let step = (SLICE / (points * dim).max(1)).clamp(1, batch.max(1));
    let mut start = 0;
    while start < batch {
        let count = step.min(batch - start);
        let vectors = match extra {
            Extra::Sign { .. } => query.f_narrow(0, start, count)?.f_sign()?.f_unsqueeze(1)?,
            Extra::Noise { .. } => {
                normals(source.key(), (start, count), points, dim, query.device())?.f_to_kind(query.kind())?
            }
        };
        body(start, count, &vectors)?;
        start += count;
    }
    Ok(())
}

/// q·e, n_i·e and e·e, each (B, n) or (B, 1).
fn extra_dots(
    extra: Extra,
    query: &Tensor,
    columns: &Tensor,
    first: &Tensor,
    source: Source,
) -> Result<[Tensor; 3], ContrastError> {
    let (points, dim, kind) = (first.size()[1], query.size()[1], query.kind());
    let length = extra.length();
    let mut parts: [Vec<Tensor>; 3] = Default::default();
    for_extra_vectors(extra, query, points, source, |start, count, vectors| {
        let sum = |t: Tensor| t.f_sum_dim_intlist([2i64].as_slice(), false, kind);
        let index = first.f_narrow(0, start, count)?.f_reshape([-1])?;
        let parents = columns.f_index_select(0, &index)?.f_view([count, points, dim])?;
        let q = query.f_narrow(0, start, count)?.f_unsqueeze(1)?;
        parts[0].push(sum(vectors.f_mul(&q)?)?.f_mul_scalar(length)?);
        parts[1].push(sum(parents.f_mul(vectors)?)?.f_mul_scalar(length)?);
        parts[2].push(sum(vectors.f_square()?)?.f_mul_scalar(length * length)?);
        Ok(())
    })?;
    let [a, b, c] = parts;
    Ok([Tensor::f_cat(&a, 0)?, Tensor::f_cat(&b, 0)?, Tensor::f_cat(&c, 0)?])
}
