//! The loss on the CPU in float32: one matrix of cosines, turned into gradient weights in place, a row at a time on all cores.
//!
//! The (B, K) matrix of cosines is made once. Each row ([`crate::row`]) masks, chooses, mixes, sums and leaves its weights where its cosines
//! were; one product of that matrix with the columns is then the whole gradient, up to a factor a row and the terms of key, query and extra
//! vectors.

use crate::measures::{Has, Measures};
use crate::queue::to_i64;
use crate::row::{Batch, Row, RowTask, Scratch};
use crate::{Context, ContrastError, Loss, Objective};
use mochi_tensor::{HostValues, Kind, Tensor, for_each_row, from_f32};

/// Loss, gradient and measurements of contiguous float32 CPU tensors.
pub(crate) fn loss(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let size = |t: &Tensor, at: usize| t.size().get(at).map_or(0, |&n| usize::try_from(n).unwrap_or(0));
    let (count, dim, width) = (size(query, 0), size(query, 1), size(columns, 0));
    let rows_dot = |a: &Tensor, b: &Tensor| a.f_mul(b)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let (positives, squares) = (rows_dot(query, key)?, rows_dot(query, query)?);
    let mut cosines = HostValues::new(query.f_matmul(&columns.f_transpose(0, 1)?)?)?; // (B, K)
    let [queries, keys, positives, squares] = [query, columns, &positives, &squares].map(HostValues::copy_of);
    let (queries, keys, positives, squares) = (queries?, keys?, positives?, squares?);
    let blocks = objective.blocks();
    let batch = Batch {
        query: &queries,
        columns: &keys,
        dim,
        positives: &positives,
        squares: &squares,
        objective,
        blocks: &blocks,
        context,
        count,
    };
    let mut rows = vec![Row::default(); count];
    let arch = pulp::Arch::new();
    for_each_row(&mut cosines, width, &mut rows, Scratch::default, |index, cosines, out, scratch| {
        *out = arch.dispatch(RowTask { batch: &batch, index, cosines, scratch });
    })?;
    if let Some(row) = rows.iter().position(|row| row.valid == 0) {
        return Err(ContrastError::AllMasked { row, guards: objective.guard_names(), step: context.draws.step });
    }
    let column = |value: fn(&Row) -> f64| {
        let values: Vec<f32> = rows.iter().map(|row| value(row) as f32).collect();
        from_f32(&values, &[to_i64(count), 1])
    };
    let mut gradient = cosines.into_tensor().f_matmul(columns)?.f_mul_(&column(|row| row.scale)?)?; // (B, D)
    gradient = gradient.f_add_(&key.f_mul(&column(|row| row.key)?)?)?;
    gradient = gradient.f_add_(&query.f_mul(&column(|row| row.query)?)?)?;
    if rows.iter().any(|row| !row.extra.is_empty()) {
        let extra: Vec<f32> = rows.iter().flat_map(|row| row.extra.iter().copied()).collect();
        gradient = gradient.f_add_(&from_f32(&extra, &[to_i64(count), to_i64(dim)])?)?;
    }
    let value = match context.weights {
        None => rows.iter().map(|row| row.loss).sum::<f64>() / count as f64,
        Some(weights) => rows.iter().zip(weights).map(|(row, weight)| row.loss * weight).sum(),
    };
    let fewest = rows.iter().map(|row| row.valid).min().unwrap_or(0);
    Ok(Loss {
        value,
        gradient,
        measures: Measures::of(rows.iter().map(|row| row.measures), Has::new(objective)),
        clamped: objective.clamped(fewest),
    })
}
