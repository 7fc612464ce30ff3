//! Statistics of many batches in place of the running ones: precise batch norm (Wu and Johnson 2021, "Rethinking Batch in BatchNorm"; fvcore's
//! `update_bn_stats`).
//!
//! ```text
//! mean = sum of n_i mean_i / sum of n_i,  var = sum of n_i mean_i(x^2) / sum of n_i - mean^2
//! ```
//!
//! n_i is the number of values per channel in batch i. A batch in several tensors counts with all of its values.

use crate::{Kind, Tensor, TensorError};

/// Weighted sums over the batches, float64.
#[derive(Debug, Default)]
pub(super) struct Collected {
    weight: f64,
    sums: Option<[Tensor; 2]>,
}

impl Collected {
    /// Adds a batch of `values` values per channel.
    pub(super) fn add(&mut self, mean: &Tensor, square_mean: &Tensor, values: f64) -> Result<(), TensorError> {
        let wide = |x: &Tensor| x.f_to_kind(Kind::Double)?.f_mul_scalar(values);
        let (mut mean, mut square_mean) = (wide(mean)?, wide(square_mean)?);
        if let Some([means, squares]) = &self.sums {
            (mean, square_mean) = (mean.f_add(means)?, square_mean.f_add(squares)?);
        }
        *self = Self { weight: self.weight + values, sums: Some([mean, square_mean]) };
        Ok(())
    }

    /// Mean and biased variance over all batches; `None` without a batch.
    pub(super) fn finish(self) -> Result<Option<[Tensor; 2]>, TensorError> {
        let Some([means, squares]) = self.sums else { return Ok(None) };
        let mean = means.f_div_scalar(self.weight)?;
        // A difference of rounded numbers.
        let variance = squares.f_div_scalar(self.weight)?.f_sub(&mean.f_square()?)?.f_clamp_min(0.0)?;
        Ok(Some([mean, variance]))
    }
}
