//! The result of a loss.

use crate::Measures;
use mochi_tensor::Tensor;

/// Loss value, gradient with respect to the queries, and batch statistics.
#[derive(Debug)]
pub struct Loss {
    /// Mean over the queries, or the weighted sum where the context has weights. A query without negatives contributes 0.
    pub value: f64,
    /// The same for an encoder that maps every image to one embedding: what filters leave is counted for each query.
    pub chance: f64,
    /// d loss / d query, (B, D): the upstream gradient of the queries' graph.
    pub gradient: Tensor,
    /// Measurements.
    pub measures: Measures,
    /// Where some query had fewer than N negatives: how many the poorest had, all of which were its hard negatives.
    pub fewer_hard_negatives: Option<usize>,
}
