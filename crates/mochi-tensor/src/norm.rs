//! Batch normalisation with the add and the ReLU that follow it: `y = relu(norm(x) + residual)`.
//!
//! Equals `torch.nn.functional.batch_norm` (training: biased variance to normalise, unbiased for the running statistics), then
//! `add`, then `relu`. On the CPU with channels innermost one fused kernel does it (`shim/norm.cpp`); elsewhere libtorch's own
//! operations do, in the same order. `groups` splits the batch, in its order, into slices with their own statistics: MoCo's
//! `SplitBatchNorm` (moco/demo CIFAR), which stands in for shuffle-BN on a single device. (MoCo's interleaves the samples; slices of
//! a batch in random order are the same thing.) Running statistics are then the mean over the groups.

use crate::compute::is_channels_last;
use crate::ffi;
use crate::{Device, Kind, Tensor, TensorError};

/// Parameters and running statistics of one layer, each (C,) float32.
#[derive(Debug)]
pub struct BatchNorm {
    /// Scale, 1 at the start.
    pub weight: Tensor,
    /// Shift, 0 at the start.
    pub bias: Tensor,
    /// Running mean, 0 at the start.
    pub running_mean: Tensor,
    /// Running unbiased variance, 1 at the start.
    pub running_var: Tensor,
}

/// Which statistics normalise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormMode {
    /// The batch's own, in this many groups (1: the whole batch together); running statistics move.
    Train {
        /// Number of slices of the batch with statistics of their own.
        groups: i64,
    },
    /// The running ones; nothing moves.
    Eval,
}

/// torch's defaults for `BatchNorm2d`.
const MOMENTUM: f64 = 0.1;
const EPS: f64 = 1e-5;

/// `relu(norm(x) + residual)`, either part left out as asked. `x`: (B, C, H, W) or (B, C), float32 or bfloat16. It is taken whole: where
/// no gradient is recorded the result may stand in its memory.
///
/// # Errors
/// Where libtorch refuses the shapes, or a group would hold a single value per channel.
pub fn norm_act(
    x: Tensor,
    norm: &BatchNorm,
    mode: NormMode,
    relu: bool,
    residual: Option<&Tensor>,
) -> Result<Tensor, TensorError> {
    let fused = x.device() == Device::Cpu
        && matches!(x.kind(), Kind::Float | Kind::BFloat16)
        && (x.dim() == 2 || is_channels_last(&x));
    match mode {
        NormMode::Train { groups } if fused => {
            let rest = residual.map_or(std::ptr::null_mut(), ffi::raw);
            // SAFETY: every tensor outlives the call, `rest` is null or a live tensor; the shim checks shapes and types of x and
            // residual, and the layer's four vectors are made together by the parameter store.
            ffi::new_tensor(|out| unsafe {
                ffi::mochi_norm_act(
                    ffi::raw(&x),
                    ffi::raw(&norm.weight),
                    ffi::raw(&norm.bias),
                    ffi::raw(&norm.running_mean),
                    ffi::raw(&norm.running_var),
                    MOMENTUM,
                    EPS,
                    groups,
                    relu.into(),
                    rest,
                    out,
                )
            })
        }
        NormMode::Eval if fused && !needs_gradient(&x, norm, residual) => {
            let scale = &norm.weight / (&norm.running_var + EPS).sqrt();
            let shift = &norm.bias - &norm.running_mean * &scale;
            let rest = residual.map_or(std::ptr::null_mut(), ffi::raw);
            // SAFETY: as above; scale and shift are contiguous float32 vectors made just here.
            ffi::new_tensor(|out| unsafe {
                ffi::mochi_scale_shift_act(ffi::raw(&x), ffi::raw(&scale), ffi::raw(&shift), relu.into(), rest, out)
            })
        }
        _ => composed(&x, norm, mode, relu, residual),
    }
}

fn needs_gradient(x: &Tensor, norm: &BatchNorm, residual: Option<&Tensor>) -> bool {
    // Inside `no_grad` an operation's result never asks for a gradient, whatever its inputs say: a view is the cheapest way to see it.
    let learns = |t: &Tensor| t.requires_grad() && t.narrow(0, 0, t.size()[0].min(1)).requires_grad();
    learns(x) || learns(&norm.weight) || learns(&norm.bias) || residual.is_some_and(learns)
}

/// The same out of libtorch's own operations: CUDA, contiguous layout, float64, and the fused kernel's test.
fn composed(
    x: &Tensor,
    norm: &BatchNorm,
    mode: NormMode,
    relu: bool,
    residual: Option<&Tensor>,
) -> Result<Tensor, TensorError> {
    let one = |x: &Tensor, mean: &Tensor, var: &Tensor, train: bool| {
        x.f_batch_norm(Some(&norm.weight), Some(&norm.bias), Some(mean), Some(var), train, MOMENTUM, EPS, true)
    };
    let mut y = match mode {
        NormMode::Eval => one(x, &norm.running_mean, &norm.running_var, false)?,
        NormMode::Train { groups: 1 } => one(x, &norm.running_mean, &norm.running_var, true)?,
        NormMode::Train { groups } => {
            let batch = x.size()[0];
            if groups < 1 || groups > batch {
                return Err(TensorError::Torch(format!("{groups} groups of a batch of {batch}")));
            }
            let (mut parts, mut means, mut vars) = (Vec::new(), Vec::new(), Vec::new());
            for g in 0..groups {
                let (start, end) = (batch * g / groups, batch * (g + 1) / groups);
                let (mean, var) = (norm.running_mean.copy(), norm.running_var.copy());
                parts.push(one(&x.f_narrow(0, start, end - start)?, &mean, &var, true)?);
                means.push(mean);
                vars.push(var);
            }
            crate::no_grad(|| -> Result<(), TensorError> {
                norm.running_mean.shallow_clone().f_copy_(&Tensor::f_stack(&means, 0)?.f_mean_dim(
                    0,
                    false,
                    None::<Kind>,
                )?)?;
                norm.running_var.shallow_clone().f_copy_(&Tensor::f_stack(&vars, 0)?.f_mean_dim(
                    0,
                    false,
                    None::<Kind>,
                )?)?;
                Ok(())
            })?;
            Tensor::f_cat(&parts, 0)?
        }
    };
    if let Some(residual) = residual {
        y = y.f_add(residual)?;
    }
    Ok(if relu { y.f_relu()? } else { y })
}

#[cfg(test)]
#[path = "norm_tests.rs"]
mod tests;
