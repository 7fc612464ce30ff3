//! The pairs of each image, for the neighbor sheet: its positive, and the hardest of its negatives.
//!
//! ```text
//! positive_i = x_i · y_i                                           x_i: first view of image i, the query; y_n: second view of image n; unit rows
//! hardest_i  = the k images n != i with the largest x_i · y_n      as in [`super::hardest`](mod@super::hardest)
//! ```

use super::neighbors::{Neighbors, nearest_others};
use crate::EvalError;
use mochi_tensor::{Kind, Tensor};

/// Pairs of the images of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// For each image the cosine of its two views.
    pub positives: Vec<f32>,
    /// For each image the row numbers of its hardest negatives with their cosines, hardest first.
    pub negatives: Neighbors,
}

/// The pairs of first views (N, D) and second views (N, D) of N images, with `k` negatives of each; fewer if there are fewer images.
///
/// # Errors
/// Shapes that differ, or an error of libtorch.
pub fn pairs([first, second]: [&Tensor; 2], k: usize) -> Result<Pairs, EvalError> {
    let positives = first.f_mul(second)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?;
    Ok(Pairs { positives: Vec::<f32>::try_from(positives)?, negatives: nearest_others((first, second), k)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, labels, matrix, number, numbers};

    #[test]
    fn the_hardest_are_those_of_numpy_in_float64() {
        let (first, second) = (matrix("first"), matrix("second"));
        let found = pairs([&first, &second], 23).unwrap();
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / 9.0;
        close(mean(&mut found.positives.iter().take(9).map(|&value| f64::from(value))), number("positive_mean"), 1e-6);
        let (labels, by_rank) = (labels(), numbers("false_by_rank"));
        for rank in 1..=23 {
            let own = found.negatives.iter().zip(&labels).take(9);
            let mut fractions = own.map(|(row, own)| {
                let same = row.iter().take(rank).filter(|(n, _)| labels[*n as usize] == *own).count();
                same as f64 / rank as f64
            });
            close(mean(&mut fractions), by_rank[rank - 1], 1e-9);
        }
        for (own, row) in found.negatives.iter().enumerate() {
            assert!(row.len() == 23 && row.iter().all(|&(n, _)| n as usize != own));
            assert!(row.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        }
    }
}
