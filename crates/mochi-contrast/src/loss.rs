//! The result of a loss.

use crate::Measures;
use mochi_tensor::Tensor;

/// Loss value, gradient with respect to the queries, and batch statistics.
#[derive(Debug)]
pub struct Loss {
    /// Mean over the queries, or the weighted sum if the context has weights. A query without negatives contributes 0.
    pub value: f64,
    /// The same for an encoder that maps every image to one embedding: with the negatives that filters leave to each query.
    pub chance: f64,
    /// d loss / d query, (B, D): the upstream gradient of the queries' graph.
    pub gradient: Tensor,
    /// Measurements.
    pub measures: Measures,
    /// If a query has fewer than N negatives: the smallest number of negatives of a query. All of them are its hard negatives.
    pub fewer_hard_negatives: Option<usize>,
}
