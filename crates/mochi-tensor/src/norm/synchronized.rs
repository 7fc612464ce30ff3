//! Batch statistics over the batches of all ranks of a process group, with the gradient (`torch.nn.SyncBatchNorm`): libtorch's operations, where the
//! fused kernel of the CPU does not fit.
//!
//! ```text
//! mean = 1/R sum_r mean(x_r),  var = 1/R sum_r (var(x_r) + mean(x_r)^2) - mean^2        R ranks, batches of one size
//! ```

use crate::{Group, Kind, Tensor, TensorError};

/// Mean and biased variance of each channel (C,) over the ranks' batches `x` (B, C, ...), in its type (float32 for bfloat16), and the number of values.
pub(super) fn moments(x: &Tensor, group: &Group) -> Result<(Tensor, Tensor, f64), TensorError> {
    let x = if x.kind() == Kind::BFloat16 { x.f_to_kind(Kind::Float)? } else { x.shallow_clone() };
    let others: Vec<i64> = (0..x.dim() as i64).filter(|&dim| dim != 1).collect();
    let (variance, mean) = x.f_var_mean_dim(others.as_slice(), false, false)?;
    // In float64 the difference of squares is exact enough.
    let (variance, mean) = (variance.f_to_kind(Kind::Double)?, mean.f_to_kind(Kind::Double)?);
    let both = Tensor::f_stack(&[mean.shallow_clone(), variance.f_add(&mean.f_square()?)?], 0)?;
    let [mean, variance] = over_ranks(&both, group)?;
    let variance = variance.f_sub(&mean.f_square()?)?.f_clamp_min(0.0)?;
    let values = x.numel() as f64 / mean.numel().max(1) as f64 * group.size() as f64;
    Ok((mean.f_to_kind(x.kind())?, variance.f_to_kind(x.kind())?, values))
}

/// The mean over the ranks of two stacked vectors (2, C).
pub(super) fn over_ranks(both: &Tensor, group: &Group) -> Result<[Tensor; 2], TensorError> {
    let mean = group.all_reduce_sum(both)?.f_div_scalar(group.size() as f64)?;
    Ok([mean.f_select(0, 0)?, mean.f_select(0, 1)?])
}
