//! NNCLR (Dwibedi, Aytar, Tompson, Sermanet, Zisserman: *With a Little Help from My Friends*, ICCV 2021): the positive is the
//! nearest neighbor of the key among past keys, instead of the key.
//!
//! ```text
//! n_i = the queue row with the largest k_i·n                                                       [nearest]
//! loss = mean over images of  -log( e^{n_i·q_i/t} / Σ_j e^{n_i·q_j/t} )                            [nnclr], the paper's eq. 2 and 3
//! ```
//!
//! As in the paper and its public implementations the nearest neighbor is the anchor and the batch's embeddings are the keys, so q_i has a gradient
//! both as a positive and as a negative of other images. With a queue, the neighbor is an ordinary positive of [`crate::info_nce`], and its row is
//! excluded from the query's negatives. Initial random rows of the queue are not searched.

use crate::in_batch::InBatch;
use crate::queue::to_i64;
use crate::{ContrastError, Loss, Queue};
use mochi_tensor::{Kind, Tensor, no_grad};

/// Row of each key's nearest neighbor among the queue's real keys, (B,) int64; `None` if there are none.
///
/// # Errors
/// An error of libtorch, for example if keys (B, D) and queue have different dimensions.
pub fn nearest(keys: &Tensor, queue: &Queue) -> Result<Option<Tensor>, ContrastError> {
    let filled = to_i64(queue.filled());
    if filled == 0 {
        return Ok(None);
    }
    // The queue is filled from its first row, so real keys are the first `filled` rows.
    let real = queue.rows().f_narrow(0, 0, filled)?;
    let columns =
        no_grad(|| keys.f_detach()?.f_to_kind(real.kind())?.f_matmul(&real.f_transpose(0, 1)?)?.f_argmax(1, false))?;
    Ok(Some(columns))
}

/// NNCLR's in-batch loss of queries (B, D) and the neighbors (B, D) of their keys. The gradient is that of the queries.
///
/// # Errors
/// Rows that are not finite or not of norm 1, shapes that do not fit, a temperature that is not above 0.
pub fn nnclr(query: &Tensor, neighbors: &Tensor, temperature: f64, step: u64) -> Result<Loss, ContrastError> {
    let (rows, columns) = (neighbors.f_detach()?.f_to_kind(query.kind())?, query.f_detach()?);
    let images = Tensor::f_arange(columns.size().first().copied().unwrap_or(0), (Kind::Int64, query.device()))?;
    let batch = InBatch { rows: &rows, columns: &columns, labels: [&images, &images], same: false, temperature, step };
    let gradients = batch.evaluate()?;
    Ok(Loss {
        value: gradients.value,
        chance: gradients.chance,
        gradient: gradients.columns,
        measures: gradients.measures,
        fewer_hard_negatives: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleMetadata;
    use mochi_tensor::Device;

    fn corners(angles: &[f64]) -> Tensor {
        let angles = Tensor::from_slice(angles);
        Tensor::stack(&[angles.cos(), angles.sin()], 1)
    }

    #[test]
    fn neighbors_are_found_among_real_keys_alone() {
        let mut queue = Queue::new(8, 2, Device::Cpu).unwrap();
        let keys = corners(&[0.0, 1.0, 2.0]).to_kind(Kind::Float);
        assert!(nearest(&keys, &queue).unwrap().is_none());
        queue.enqueue(&corners(&[1.1, 3.0, 0.2]).to_kind(Kind::Float), SampleMetadata::default()).unwrap();
        let found = nearest(&keys, &queue).unwrap().unwrap();
        assert_eq!(Vec::<i64>::try_from(&found).unwrap(), [2, 0, 0]);
    }

    #[test]
    fn a_query_at_its_neighbor_and_far_from_the_others_has_the_least_loss() {
        let pole = std::f64::consts::PI;
        let neighbors = corners(&[0.0, pole]);
        let good = nnclr(&neighbors, &neighbors, 0.2, 0).unwrap();
        assert!((good.value - (1.0 + (-2.0f64 / 0.2).exp()).ln()).abs() < 1e-12);
        let swapped = nnclr(&corners(&[pole, 0.0]), &neighbors, 0.2, 0).unwrap();
        assert!(swapped.value > 9.0);
        assert_eq!((good.measures.accuracy_real, swapped.measures.accuracy_real), (1.0, 0.0));
    }
}
