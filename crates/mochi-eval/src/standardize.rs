//! Standardization of features, so that one range of learning rates fits raw pixels and every encoder.
//!
//! With mean m_j and variance v_j of feature j over the training split:
//!
//! ```text
//! x'_j = (x_j - m_j) / sqrt(v_j + EPS mean(v)) / sqrt(F)
//! ```
//!
//! The first two terms are a batch-norm without affine in front of the linear layer, as He et al. do it (*Masked Autoencoders*, 2021,
//! appendix A.1: "we adopt an extra BatchNorm layer without affine transformation"); the last makes a row's mean square norm 1, so that
//! good learning rates hardly depend on F. A constant feature becomes 0. `EPS` keeps pixels that are almost always dark (an image's
//! corners) from being scaled to a hundred deviations.

use crate::EvalError;
use crate::features::as_i64;
use mochi_tensor::{Device, Kind, Tensor, no_grad};

/// Fraction of the mean variance that is added to each feature's variance.
const EPS: f64 = 1e-2;

/// Mean and scale of the training split's features.
#[derive(Debug)]
pub(crate) struct Standardizer {
    /// (F,) each.
    mean: Tensor,
    factor: Tensor,
}

impl Standardizer {
    /// Measures `values` (N, F), N at least 1.
    pub(crate) fn of(values: &Tensor) -> Result<Self, EvalError> {
        no_grad(|| {
            let (variance, mean) = values.f_var_mean_dim([0i64].as_slice(), false, false)?;
            let width = values.size().get(1).copied().unwrap_or(1).max(1);
            let floor = variance.f_mean(Kind::Double)?.f_double_value(&[])? * EPS;
            // Features that are all constant: the smallest normal number instead of 0, and 0 / that = 0.
            let root = variance
                .f_add_scalar(floor.max(f64::from(f32::MIN_POSITIVE)))?
                .f_sqrt()?
                .f_mul_scalar((width as f64).sqrt())?;
            Ok(Self { mean, factor: root.f_reciprocal()? })
        })
    }

    /// (N, F) to (N, F + 1) on `device`: standardized features and a last column of ones for the bias.
    pub(crate) fn apply(&self, values: &Tensor, device: Device) -> Result<Tensor, EvalError> {
        no_grad(|| {
            let (rows, width) = values.size2()?;
            let out = Tensor::f_ones([rows, width + 1], (Kind::Float, Device::Cpu))?;
            // In slices, so that no second copy of all features exists.
            for first in (0..rows).step_by(4096) {
                let count = (rows - first).min(4096);
                let part = values.f_narrow(0, first, count)?.f_sub(&self.mean)?.f_mul(&self.factor)?;
                out.f_narrow(0, first, count)?.f_narrow(1, 0, width)?.f_copy_(&part)?;
            }
            Ok(out.f_to_device(device)?)
        })
    }
}

/// (B, F) to (B, F + 1): the features as they are and a column of ones.
pub(crate) fn with_ones(features: &Tensor) -> Result<Tensor, EvalError> {
    let rows = features.size().first().copied().unwrap_or(0);
    let ones = Tensor::f_ones([rows, 1], (features.kind(), features.device()))?;
    Ok(Tensor::f_cat(&[features, &ones], 1)?)
}

/// Labels as an int64 tensor, the type that libtorch indexes with.
pub(crate) fn label_tensor(labels: &[u32], device: Device) -> Result<Tensor, EvalError> {
    let wide: Vec<i64> = labels.iter().map(|&l| i64::from(l)).collect();
    Ok(Tensor::f_from_slice(&wide)?.f_view([as_i64(labels.len())])?.f_to_device(device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_unit_mean_square_norm_and_constants_vanish() {
        let rows: Vec<f32> = (0..5000u32).flat_map(|i| [(i % 7) as f32, 7.5, (i * 31 % 101) as f32 * -100.0]).collect();
        let values = mochi_tensor::from_f32(&rows, &[5000, 3]).unwrap();
        let out = Standardizer::of(&values).unwrap().apply(&values, Device::Cpu).unwrap();
        assert_eq!(out.size(), [5000, 4]);
        let mean = out.mean_dim([0i64].as_slice(), false, Kind::Double);
        let spread = out.std_dim([0i64].as_slice(), false, false);
        for (column, (wanted_mean, wanted_spread)) in
            [(0.0, None), (0.0, Some(0.0)), (0.0, Some(1.0)), (1.0, Some(0.0))].into_iter().enumerate()
        {
            let at = [as_i64(column)];
            assert!((mean.double_value(&at) - wanted_mean).abs() < 1e-6);
            // The mean variance is a third of the widest feature's: with EPS its own deviation falls by 0.17 %.
            let wanted: Option<f64> = wanted_spread.map(|w: f64| w / 3f64.sqrt());
            assert!(wanted.is_none_or(|w| (spread.double_value(&at) - w).abs() < 2e-3), "{column}: {spread:?}");
        }
        let constant = Tensor::ones([4, 2], (Kind::Float, Device::Cpu));
        let out = Standardizer::of(&constant).unwrap().apply(&constant, Device::Cpu).unwrap();
        assert_eq!(out.sum(Kind::Double).double_value(&[]), 4.0);
    }
}
