//! A batch in several tensors, normalized with the mean of their statistics: detectron2's `NaiveSyncBatchNorm` (`layers/batch_norm.py`), whose
//! workers are the tensors.
//!
//! ```text
//! mean = mean over tensors of mean(x),  var = mean over tensors of mean(x^2) - mean^2
//! y = (x - mean) / sqrt(var + eps) * weight + bias
//! ```
//!
//! Every tensor has equal weight, whatever its size, and the running variance takes this biased variance. The gradient flows through the mean.

use super::synchronized::over_ranks;
use crate::{Group, Kind, Tensor, TensorError};

/// Mean and mean square of each channel, (C,) float32 (float64 for float64), each the mean over the tensors, and over those
/// of all ranks.
pub(super) fn moments(xs: &[Tensor], group: Option<&Group>) -> Result<(Tensor, Tensor), TensorError> {
    let (mut means, mut squares) = (Vec::new(), Vec::new());
    for x in xs {
        let x = if x.kind() == Kind::BFloat16 { x.f_to_kind(Kind::Float)? } else { x.shallow_clone() };
        let others: Vec<i64> = (0..x.dim() as i64).filter(|&dim| dim != 1).collect();
        means.push(x.f_mean_dim(others.as_slice(), false, None::<Kind>)?);
        squares.push(x.f_square()?.f_mean_dim(others.as_slice(), false, None::<Kind>)?);
    }
    let mean = |list: &[Tensor]| Tensor::f_stack(list, 0)?.f_mean_dim(0, false, None::<Kind>);
    let (mean, square) = (mean(&means)?, mean(&squares)?);
    let Some(group) = group else { return Ok((mean, square)) };
    let [mean, square] = over_ranks(&Tensor::f_stack(&[mean, square], 0)?, group)?;
    Ok((mean, square))
}
