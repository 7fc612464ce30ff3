//! Distribution of the similarities of positive and of negative pairs.
//!
//! ```text
//! c_ij = x_i · y_j                    x (B, D): first views of images 1 .. B; y (N, D): second views of images 1 .. N; B <= N; unit rows
//! positive: c_ii                      negative: c_ij, i != j
//! ```
//!
//! Fractions of the pairs in [`BINS`] equal bins from -1 to 1. Cosines that rounding moved outside count in the outermost bin.

use crate::EvalError;
use mochi_tensor::{Kind, Tensor};
use serde::Serialize;

/// Bins of a histogram, 0.02 wide.
pub const BINS: usize = 100;

/// Histograms and means of the similarities of positive and negative pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Similarity {
    /// Fraction of the positive pairs in each bin.
    pub positive: Vec<f64>,
    /// Fraction of the negative pairs in each bin.
    pub negative: Vec<f64>,
    /// Mean cosine of the positive pairs.
    #[serde(skip)]
    pub positive_mean: f64,
    /// Mean cosine of the negative pairs.
    #[serde(skip)]
    pub negative_mean: f64,
}

/// The similarities of first views (B, D) and second views (N, D); `None` unless 1 <= B <= N and N >= 2.
///
/// # Errors
/// An error of libtorch.
pub fn similarity(first: &Tensor, second: &Tensor) -> Result<Option<Similarity>, EvalError> {
    let (b, n) = (rows(first), rows(second));
    if b < 1 || n < 2 || b > n {
        return Ok(None);
    }
    let all = first.f_matmul(&second.f_tr()?)?; // (B, N)
    let positive = all.f_diagonal(0, 0, 1)?; // (B,)
    let counts = |t: &Tensor| -> Result<Vec<f64>, EvalError> {
        let low_to_high = t.f_clamp(-1.0, 1.0)?.f_add_scalar(1.0)?.f_mul_scalar(BINS as f64 / 2.0)?;
        let bins = low_to_high.f_floor()?.f_clamp(0.0, BINS as f64 - 1.0)?.f_to_kind(Kind::Int64)?.f_flatten(0, -1)?;
        Ok(Vec::<f64>::try_from(bins.f_bincount::<Tensor>(None, BINS as i64)?.f_to_kind(Kind::Double)?)?)
    };
    let (hits, total) = (counts(&positive)?, counts(&all)?);
    let (positives, negatives) = (b as f64, b as f64 * (n as f64 - 1.0));
    let sum = |t: &Tensor| -> Result<f64, EvalError> { Ok(t.f_sum(Kind::Double)?.f_double_value(&[])?) };
    let (positive_sum, all_sum) = (sum(&positive)?, sum(&all)?);
    Ok(Some(Similarity {
        negative: total.iter().zip(&hits).map(|(all, own)| (all - own) / negatives).collect(),
        positive: hits.iter().map(|count| count / positives).collect(),
        positive_mean: positive_sum / positives,
        negative_mean: (all_sum - positive_sum) / negatives,
    }))
}

fn rows(t: &Tensor) -> i64 {
    t.size().first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, matrix, number, numbers};

    #[test]
    fn values_are_those_of_numpy_in_float64() {
        let found = similarity(&matrix("first").narrow(0, 0, 9), &matrix("second")).unwrap().unwrap();
        close(found.positive_mean, number("positive_mean"), 1e-6);
        close(found.negative_mean, number("negative_mean"), 1e-6);
        for (found, wanted) in [(&found.positive, "positive_bins"), (&found.negative, "negative_bins")] {
            found.iter().zip(numbers(wanted)).for_each(|(&a, b)| close(a, b, 1e-9));
            close(found.iter().sum(), 1.0, 1e-9);
        }
    }

    #[test]
    fn the_ends_of_the_range_are_in_the_outermost_bins() {
        let first = Tensor::from_slice(&[1.0f32, 0.0, 1.0, 0.0]).view([2, 2]);
        let second = Tensor::from_slice(&[1.000_001f32, 0.0, -1.000_001, 0.0]).view([2, 2]);
        let found = similarity(&first, &second).unwrap().unwrap();
        assert_eq!((found.positive[0], found.positive[BINS - 1]), (0.5, 0.5));
        assert_eq!((found.negative[0], found.negative[BINS - 1]), (0.5, 0.5));
        assert_eq!(similarity(&first.narrow(0, 0, 1), &second.narrow(0, 0, 1)).unwrap(), None);
    }
}
