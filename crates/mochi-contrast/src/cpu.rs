//! The CPU path in float32: one matrix of cosines, turned into gradient weights in place by [`mochi_contrast_core::cpu`], a row at a time on all
//! cores.

use crate::queue::to_i64;
use crate::{Context, ContrastError, Loss, Measures, Objective, Strategy};
use mochi_contrast_core::cpu::{Batch, Row, Scratch, Totals};
use mochi_contrast_core::measures::Measured;
use mochi_tensor::{HostValues, Kind, Tensor, for_each_row, from_f32};

/// Loss, gradient and measurements of contiguous float32 CPU tensors: query and key (`count`, `dim`), candidate keys (`width`, `dim`).
pub(crate) fn loss(
    [query, key, candidates]: [&Tensor; 3],
    [count, dim, width]: [usize; 3],
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let rows_dot = |a: &Tensor, b: &Tensor| a.f_mul(b)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let (positives, squares) = (rows_dot(query, key)?, rows_dot(query, query)?);
    let mut cosines = HostValues::new(query.f_matmul(&candidates.f_transpose(0, 1)?)?)?; // (B, K)
    let [queries, keys, positives, squares] = [query, candidates, &positives, &squares].map(HostValues::copy_of);
    let (queries, keys, positives, squares) = (queries?, keys?, positives?, squares?);
    let strategies: Vec<Strategy> = objective.active_strategies().cloned().collect();
    let batch = Batch {
        query: &queries,
        candidates: &keys,
        dim,
        positives: &positives,
        squares: &squares,
        objective,
        strategies: &strategies,
        context,
        count,
    };
    let mut rows = vec![Row::default(); count];
    let arch = pulp::Arch::new();
    for_each_row(&mut cosines, width, &mut rows, Scratch::default, |index, cosines, out, scratch| {
        *out = batch.run(arch, index, cosines, scratch);
    })?;
    let column = |value: fn(&Row) -> f64| {
        let values: Vec<f32> = rows.iter().map(|row| value(row) as f32).collect();
        from_f32(&values, &[to_i64(count), 1])
    };
    let mut gradient = cosines.into_tensor().f_matmul(candidates)?.f_mul_(&column(|row| row.scale)?)?; // (B, D)
    gradient = gradient.f_add_(&key.f_mul(&column(|row| row.key)?)?)?;
    gradient = gradient.f_add_(&query.f_mul(&column(|row| row.query)?)?)?;
    if rows.iter().any(|row| !row.extra.is_empty()) {
        let mut extra = vec![0.0f32; count * dim];
        for (sum, row) in extra.chunks_exact_mut(dim).zip(&rows).filter(|(_, row)| !row.extra.is_empty()) {
            sum.copy_from_slice(&row.extra);
        }
        gradient = gradient.f_add_(&from_f32(&extra, &[to_i64(count), to_i64(dim)])?)?;
    }
    let totals = Totals::new(&rows, objective, context);
    Ok(Loss {
        value: totals.value,
        chance: totals.chance,
        gradient,
        measures: Measures::of(rows.iter().map(|row| row.measures), Measured::new(objective)),
        fewer_hard_negatives: objective.fewer_hard_negatives(totals.fewest),
    })
}
