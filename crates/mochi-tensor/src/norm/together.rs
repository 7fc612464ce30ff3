//! A batch in several tensors, normalized with the mean of their statistics: detectron2's `NaiveSyncBatchNorm` (`layers/batch_norm.py`), whose
//! workers are the tensors.
//!
//! ```text
//! mean = mean over tensors of mean(x),  var = mean over tensors of mean(x^2) - mean^2
//! y = (x - mean) / sqrt(var + eps) * weight + bias
//! ```
//!
//! Every tensor has equal weight, whatever its size, and the running variance takes this biased variance. The gradient flows through the mean.

use super::{BatchNorm, EPS, MOMENTUM, NormMode};
use crate::{Kind, Tensor, TensorError, no_grad};

impl BatchNorm {
    /// [`Self::forward`] of several tensors with statistics in common; a single tensor is the same as there (PyTorch's batch norm). `residuals`:
    /// one for each tensor.
    ///
    /// # Errors
    /// As [`Self::forward`]; [`TensorError::Mismatch`] where the residuals are not as many, or tensors are to be split into groups as well.
    pub fn forward_together(
        &self,
        xs: Vec<Tensor>,
        mode: NormMode,
        relu: bool,
        residuals: Option<&[Tensor]>,
    ) -> Result<Vec<Tensor>, TensorError> {
        let (count, mode) = (xs.len(), self.mode(mode));
        if residuals.is_some_and(|residuals| residuals.len() != count) {
            return Err(TensorError::Mismatch(format!("expected one residual for each of {count} tensors")));
        }
        let residual = |at: usize| residuals.map(|residuals| &residuals[at]);
        if count <= 1 || mode == NormMode::Eval {
            return xs.into_iter().enumerate().map(|(at, x)| self.forward(x, mode, relu, residual(at))).collect();
        }
        if !matches!(mode, NormMode::Train { groups: 1 } | NormMode::Collect) {
            return Err(TensorError::Mismatch(format!(
                "{count} tensors with common statistics cannot be split into groups"
            )));
        }
        let (mean, square_mean) = moments(&xs)?;
        let variance = square_mean.f_sub(&mean.f_square()?)?;
        if mode == NormMode::Collect {
            self.collect(&xs)?;
        } else {
            self.update_running(&mean, &variance)?;
        }
        let scale = self.weight.f_mul(&variance.f_add_scalar(EPS)?.f_rsqrt()?)?;
        let shift = self.bias.f_sub(&mean.f_mul(&scale)?)?;
        let per_channel = |vector: &Tensor, x: &Tensor| -> Result<Tensor, TensorError> {
            let mut shape = vec![1; x.dim()];
            shape[1] = vector.numel() as i64;
            Ok(vector.f_view(shape.as_slice())?)
        };
        xs.iter()
            .enumerate()
            .map(|(at, x)| {
                let y = x.f_mul(&per_channel(&scale, x)?)?.f_add(&per_channel(&shift, x)?)?.f_to_kind(x.kind())?;
                let y = residual(at).map_or_else(|| Ok(y.shallow_clone()), |residual| y.f_add(residual))?;
                Ok(if relu { y.f_relu()? } else { y })
            })
            .collect()
    }

    fn update_running(&self, mean: &Tensor, variance: &Tensor) -> Result<(), TensorError> {
        no_grad(|| {
            for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
                let mut running = running.shallow_clone();
                let moved = running.f_lerp(&batch.f_to_kind(running.kind())?, MOMENTUM)?;
                running.f_copy_(&moved)?;
            }
            let _ = self.batches.shallow_clone().f_add_scalar_(1)?;
            Ok(())
        })
    }
}

/// Mean and mean square of each channel, (C,) float32 (float64 for float64), each the mean over the tensors.
pub(super) fn moments(xs: &[Tensor]) -> Result<(Tensor, Tensor), TensorError> {
    let (mut means, mut squares) = (Vec::new(), Vec::new());
    for x in xs {
        let x = if x.kind() == Kind::BFloat16 { x.f_to_kind(Kind::Float)? } else { x.shallow_clone() };
        let others: Vec<i64> = (0..x.dim() as i64).filter(|&dim| dim != 1).collect();
        means.push(x.f_mean_dim(others.as_slice(), false, None::<Kind>)?);
        squares.push(x.f_square()?.f_mean_dim(others.as_slice(), false, None::<Kind>)?);
    }
    let mean = |list: &[Tensor]| Tensor::f_stack(list, 0)?.f_mean_dim(0, false, None::<Kind>);
    Ok((mean(&means)?, mean(&squares)?))
}
