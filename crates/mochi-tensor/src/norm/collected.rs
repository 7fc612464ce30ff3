//! Statistics of many batches in place of the running ones: precise batch norm (Wu and Johnson 2021, "Rethinking Batch in BatchNorm"; fvcore's
//! `update_bn_stats`).
//!
//! ```text
//! mean = sum of n_i mean_i / sum of n_i,  var = sum of n_i mean_i(x^2) / sum of n_i - mean^2
//! ```
//!
//! n_i is the number of values per channel in batch i. A batch in several tensors counts with all of its values.

use super::{BatchNorm, together};
use crate::{Kind, Tensor, TensorError, no_grad};

/// Weighted sums over the batches, float64.
#[derive(Debug, Default)]
pub(super) struct Collected {
    weight: f64,
    sums: Option<[Tensor; 2]>,
}

impl BatchNorm {
    /// Adds a batch, one tensor or several.
    pub(super) fn collect(&self, xs: &[Tensor]) -> Result<(), TensorError> {
        no_grad(|| {
            let (mean, square_mean) = together::moments(xs)?;
            let values: i64 = xs.iter().map(|x| x.numel() as i64).sum();
            let weight = (values / mean.numel().max(1) as i64) as f64;
            let mut collected = self.collected.borrow_mut();
            let wide = |x: &Tensor| x.f_to_kind(Kind::Double)?.f_mul_scalar(weight);
            let (mut mean, mut square_mean) = (wide(&mean)?, wide(&square_mean)?);
            if let Some([means, squares]) = &collected.sums {
                (mean, square_mean) = (mean.f_add(means)?, square_mean.f_add(squares)?);
            }
            *collected = Collected { weight: collected.weight + weight, sums: Some([mean, square_mean]) };
            Ok(())
        })
    }

    /// Makes the statistics of all batches since [`super::NormMode::Collect`] began the running ones, and forgets them. Without a batch nothing changes.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn finish_collection(&self) -> Result<(), TensorError> {
        let collected = self.collected.take();
        let Some([means, squares]) = collected.sums else { return Ok(()) };
        no_grad(|| {
            let mean = means.f_div_scalar(collected.weight)?;
            let variance = squares.f_div_scalar(collected.weight)?.f_sub(&mean.f_square()?)?;
            self.running_mean.shallow_clone().f_copy_(&mean)?;
            self.running_var.shallow_clone().f_copy_(&variance)?;
            Ok(())
        })
    }
}
