//! CPU kernel: turns rows of cosines into rows of gradient weights, in float32.
//!
//! The (B, K) matrix of cosines is computed once. [`Batch::run`] processes a row: it filters, selects the hard negatives, synthesizes negatives, computes
//! the sums, and replaces the cosines by gradient weights. One product of the matrix with the keys then gives the gradient, except for a factor per row
//! and the terms of key, query and extra vectors. [`info_nce`] does this on one thread; a caller with a thread pool and a matrix library calls
//! [`Batch::run`] for each row.

mod kernels;
mod row;
mod synthesis;

pub use row::{Batch, Row, Scratch};

use crate::measures::{Measured, Measures};
use crate::{Context, CoreError, Objective, Strategy};

/// A loss on slices, its gradient and its measurements.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Mean over the queries, or the weighted sum if the context has weights.
    pub value: f64,
    /// The same for an encoder that maps every image to one embedding.
    pub chance: f64,
    /// d loss / d query, (B, D).
    pub gradient: Vec<f32>,
    /// Measurements; uniformity is not computed.
    pub measures: Measures,
    /// Smallest number of negatives of a query.
    pub fewest: usize,
}

/// The loss of queries (B, D) and keys (B, D) against candidate keys (K, D), all of them unit rows, on one thread.
///
/// # Errors
/// Inconsistent lengths, values out of range, filters without their metadata.
pub fn info_nce(
    query: &[f32],
    key: &[f32],
    candidates: &[f32],
    dim: usize,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, CoreError> {
    let rows = |values: &[f32]| values.len().checked_div(dim).filter(|&n| n > 0 && n * dim == values.len());
    let (Some(count), Some(width)) = (rows(query).filter(|_| key.len() == query.len()), rows(candidates)) else {
        let lengths = format!("{}, {} and {}", query.len(), key.len(), candidates.len());
        return Err(CoreError::Shape(format!(
            "query, key and candidates have lengths {lengths}, expected rows of {dim}"
        )));
    };
    objective.check()?;
    context.check(objective, count, width)?;
    let dots = |a: &[f32], b: &[f32]| -> Vec<f32> {
        a.chunks_exact(dim).zip(b.chunks_exact(dim)).map(|(a, b)| kernels::dot(a, b)).collect()
    };
    let (positives, squares) = (dots(query, key), dots(query, query));
    let strategies: Vec<Strategy> = objective.active_strategies().cloned().collect();
    let batch = Batch {
        query,
        candidates,
        dim,
        positives: &positives,
        squares: &squares,
        objective,
        strategies: &strategies,
        context,
        count,
    };
    let (arch, mut scratch) = (pulp::Arch::new(), Scratch::default());
    let mut cosines = vec![0.0f32; width];
    let mut gradient = vec![0.0f32; query.len()];
    let mut all = Vec::with_capacity(count);
    for (index, gradient) in gradient.chunks_exact_mut(dim).enumerate() {
        let part = index * dim..(index + 1) * dim;
        let (query, key) = (&query[part.clone()], &key[part]);
        for (cosine, other) in cosines.iter_mut().zip(candidates.chunks_exact(dim)) {
            *cosine = kernels::dot(query, other);
        }
        let row = batch.run(arch, index, &mut cosines, &mut scratch);
        for (weight, other) in cosines.iter().zip(candidates.chunks_exact(dim)) {
            add(gradient, f64::from(*weight) * row.scale, other);
        }
        add(gradient, row.key, key);
        add(gradient, row.query, query);
        if !row.extra.is_empty() {
            add(gradient, 1.0, &row.extra);
        }
        all.push(row);
    }
    let totals = Totals::new(&all, objective, context);
    Ok(Loss {
        value: totals.value,
        chance: totals.chance,
        gradient,
        measures: Measures::of(all.iter().map(|row| row.measures), Measured::new(objective)),
        fewest: totals.fewest,
    })
}

fn add(sum: &mut [f32], factor: f64, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor as f32 * value;
    }
}

/// Sums over the rows of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// The loss.
    pub value: f64,
    /// Its chance level.
    pub chance: f64,
    /// Smallest number of negatives of a query.
    pub fewest: usize,
}

impl Totals {
    /// Sums over the rows of a loss, in their order.
    pub fn new(rows: &[Row], objective: &Objective, context: &Context) -> Self {
        let sum = |of: &dyn Fn(&Row) -> f64| match context.weights {
            None => rows.iter().map(of).sum::<f64>() / rows.len().max(1) as f64,
            Some(weights) => rows.iter().zip(weights).map(|(row, weight)| of(row) * weight).sum(),
        };
        Self {
            value: sum(&|row| row.loss),
            chance: sum(&|row| objective.chance_level(row.valid)),
            fewest: rows.iter().map(|row| row.valid).min().unwrap_or(0),
        }
    }
}
