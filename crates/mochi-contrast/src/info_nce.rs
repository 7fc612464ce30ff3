//! The contrastive loss with its gradient in closed form: checks, and the choice of the path (MoCo, eq. 1; MoCHi, eq. 1 and section 3).
//!
//! ```text
//! loss  = Σ over queries of w  -log( e^{q·k/t} / Z ),   Z = e^{q·k/t} + Σ_{n in columns} e^{q·n/t} + Σ_{synthetic h} e^{q·h/t},   w = 1/B
//! dloss/dq = w/t ( (p_k - 1) k + Σ_n p_n n + Σ_h p_h d(q·h)/dq ),   p = e^{·/t} / Z
//! ```
//!
//! Since `d(q·h)/dq` is a combination of columns (and of q), every point's probability is added to its parents' columns of the (B, K)
//! matrix, and one product with the columns gives the whole gradient. Other [`crate::forms`] only change how a logit's weight p follows from
//! sums over the row.
//!
//! On the CPU in float32 [`crate::fused`] runs on all cores; everything else takes [`crate::tensor_path`], which is the same algebra in
//! libtorch operations.

use crate::measures::uniformity;
use crate::queue::check_unit;
use crate::{Context, ContrastError, Measures, Objective, fused, tensor_path};
use mochi_tensor::{Device, Kind, Tensor, no_grad};

/// A loss, its gradient, and what it saw.
#[derive(Debug)]
pub struct Loss {
    /// Mean over the queries, or the weighted sum where the context has weights.
    pub value: f64,
    /// d loss / d query, (B, D); hand it to the query's graph as the gradient of a backward pass.
    pub gradient: Tensor,
    /// Measurements.
    pub measures: Measures,
    /// Where some query had fewer valid columns than N: how many the poorest had, all of which were its hardest set.
    pub clamped: Option<usize>,
}

/// The loss of query (B, D) and key (B, D) against the columns (K, D): the rows of a [`crate::Queue`], keys of the batch, or both.
///
/// For a plain context and InfoNCE it equals `cross_entropy(cat([q·k, q·columns, q·h], 1) / temperature, 0)` with the points h detached.
/// Columns are taken for unit rows, as a queue keeps them; others are checked by [`crate::check_unit`]. No gradient in key or columns.
///
/// # Errors
/// Embeddings that are not finite or not of norm 1, shapes that do not fit, options out of range, guards that do not know what they need,
/// a query for which every column is masked.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let (query, key, columns) = (query.f_detach()?, key.f_detach()?, columns.f_detach()?);
    let (shape, wide) = (query.size(), columns.size());
    if shape.len() != 2 || shape[0] < 1 || key.size() != shape || wide.len() != 2 || shape[1] != wide[1] || wide[0] < 1
    {
        let text = format!("query {shape:?}, key {:?} and columns {wide:?} do not fit each other", key.size());
        return Err(ContrastError::Shape(text));
    }
    objective.check()?;
    let size = |n: i64| usize::try_from(n).unwrap_or(0);
    context.check(objective, size(shape[0]), size(wide[0]))?;
    let plain = |t: &Tensor| t.device() == Device::Cpu && t.kind() == Kind::Float;
    if !(plain(&query) && plain(&key) && plain(&columns)) {
        return no_grad(|| tensor_path::loss(&query, &key, &columns, objective, context));
    }
    let step = context.draws.step;
    check_unit("query", &query, step)?;
    check_unit("key", &key, step)?;
    let dense = |t: &Tensor| t.f_contiguous();
    let mut loss = no_grad(|| fused::loss(&dense(&query)?, &dense(&key)?, &dense(&columns)?, objective, context))?;
    loss.measures.uniformity = no_grad(|| uniformity::of_both(&query, &key))?;
    // A column that is not finite leaves the loss a number but not the gradient.
    let finite = loss.gradient.f_sum(Kind::Double)?.f_double_value(&[])?.is_finite();
    if finite && loss.value.is_finite() { Ok(loss) } else { Err(ContrastError::LossNotFinite { step }) }
}

#[cfg(test)]
#[path = "info_nce_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "strategy_tests.rs"]
mod strategy_tests;
