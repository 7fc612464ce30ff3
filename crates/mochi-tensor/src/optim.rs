//! Optimizers whose state can be saved, and the momentum encoder's update; all in place, without reallocating.
//!
//! * SGD (`torch.optim.SGD`, dampening 0): `m <- mu m + (g + wd p); p <- p - lr m`, weight decay on every parameter as MoCo has it.
//! * LARS (You et al. 2017, as MoCo-v3's reference code has it): tensors of two or more dimensions take `g <- g + wd p` and are then scaled by
//!   `0.001 |p| / |g|`; vectors (biases, norms) take neither. Then `m <- mu m + g; p <- p - lr m`.

use crate::ffi;
use crate::{ParameterStore, Tensor, TensorError, no_grad};
use std::collections::BTreeMap;

/// Which rule an [`Optimizer`] follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Layer-wise adaptive rate scaling, for large batches.
    Lars,
}

/// LARS's trust coefficient.
const TRUST: f64 = 0.001;

/// Parameters with their momentum buffers.
#[derive(Debug)]
pub struct Optimizer {
    update: Update,
    momentum: f64,
    weight_decay: f64,
    names: Vec<String>,
    parameters: Vec<Tensor>,
    buffers: Vec<Tensor>,
}

impl Optimizer {
    /// An optimizer over all parameters of `stores`, each with the prefix that names its state; buffers start at zero.
    pub fn new(update: Update, momentum: f64, weight_decay: f64, stores: &[(&str, &ParameterStore)]) -> Self {
        let mut names = Vec::new();
        let mut parameters = Vec::new();
        for (prefix, store) in stores {
            names.extend(store.parameter_names().into_iter().map(|name| format!("{prefix}{name}")));
            parameters.extend(store.parameters());
        }
        let buffers = no_grad(|| parameters.iter().map(Tensor::zeros_like).collect());
        Self { update, momentum, weight_decay, names, parameters, buffers }
    }

    /// Drops all gradients; the next backward pass writes fresh ones.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn clear_gradients(&mut self) -> Result<(), TensorError> {
        let mut parameters = ffi::pointers(&self.parameters);
        // SAFETY: live tensors, as many as told.
        ffi::check(unsafe { ffi::mochi_clear_gradients(parameters.as_mut_ptr(), parameters.len()) })
    }

    /// One step at `learning_rate` from the gradients that the last backward pass left.
    ///
    /// # Errors
    /// [`TensorError::Torch`] naming a parameter that received no gradient.
    pub fn step(&mut self, learning_rate: f64) -> Result<(), TensorError> {
        let gradients: Vec<Tensor> = self.parameters.iter().map(Tensor::grad).collect();
        if let Some(i) = gradients.iter().position(|g| !g.defined()) {
            return Err(TensorError::Torch(format!("parameter \"{}\" received no gradient", self.names[i])));
        }
        let weight_decay = match self.update {
            Update::Sgd => self.weight_decay,
            Update::Lars => {
                self.scale_by_trust(&gradients)?;
                0.0
            }
        };
        let (mut p, mut g, mut m) =
            (ffi::pointers(&self.parameters), ffi::pointers(&gradients), ffi::pointers(&self.buffers));
        // SAFETY: three lists of equal length of live tensors, each gradient and buffer of its parameter's shape.
        ffi::check(unsafe {
            ffi::mochi_fused_sgd(
                p.as_mut_ptr(),
                g.as_mut_ptr(),
                m.as_mut_ptr(),
                p.len(),
                learning_rate,
                self.momentum,
                weight_decay,
            )
        })
    }

    /// LARS's part before the momentum: weight decay, then the trust ratio, on matrices and kernels only.
    fn scale_by_trust(&self, gradients: &[Tensor]) -> Result<(), TensorError> {
        let heavy = || self.parameters.iter().zip(gradients).filter(|(p, _)| p.dim() > 1);
        let mut p = ffi::pointers(heavy().map(|(p, _)| p));
        let mut g = ffi::pointers(heavy().map(|(_, g)| g));
        let n = p.len();
        if n == 0 {
            return Ok(());
        }
        let (mut p_norm, mut g_norm) = (vec![0.0; n], vec![0.0; n]);
        // SAFETY: lists of `n` live tensors and arrays of `n` doubles.
        unsafe {
            ffi::check(ffi::mochi_foreach_add(g.as_mut_ptr(), p.as_mut_ptr(), n, self.weight_decay))?;
            ffi::check(ffi::mochi_foreach_norm(p.as_mut_ptr(), n, p_norm.as_mut_ptr()))?;
            ffi::check(ffi::mochi_foreach_norm(g.as_mut_ptr(), n, g_norm.as_mut_ptr()))?;
        }
        let ratio = |(p, g): (&f64, &f64)| if *p > 0.0 && *g > 0.0 { TRUST * p / g } else { 1.0 };
        let scales: Vec<f64> = p_norm.iter().zip(&g_norm).map(ratio).collect();
        // SAFETY: as above.
        ffi::check(unsafe { ffi::mochi_foreach_scale(g.as_mut_ptr(), scales.as_ptr(), n) })
    }

    /// Momentum buffers under their parameters' names.
    pub fn export(&self) -> BTreeMap<String, Tensor> {
        self.names.iter().cloned().zip(self.buffers.iter().map(|b| b.to_device(crate::Device::Cpu))).collect()
    }

    /// Restores what [`Self::export`] gave.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] where a buffer is missing or of another shape.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), TensorError> {
        for (name, buffer) in self.names.iter().zip(&self.buffers) {
            match state.get(name) {
                Some(value) if value.size() == buffer.size() => {}
                Some(value) => {
                    let text =
                        format!("the optimizer's \"{name}\" has shape {:?}, not {:?}", value.size(), buffer.size());
                    return Err(TensorError::Mismatch(text));
                }
                None => return Err(TensorError::Mismatch(format!("the optimizer's \"{name}\" is missing"))),
            }
        }
        for (name, buffer) in self.names.iter().zip(&mut self.buffers) {
            buffer.f_copy_(&state[name])?;
        }
        Ok(())
    }
}

/// `key <- momentum * key + (1 - momentum) * query` over two networks' parameters (MoCo, eq. 2); buffers stay each one's own.
///
/// # Errors
/// Where the two networks differ.
pub fn momentum_update(key: &ParameterStore, query: &ParameterStore, momentum: f64) -> Result<(), TensorError> {
    let (keys, queries) = (key.parameters(), query.parameters());
    if keys.len() != queries.len() {
        return Err(TensorError::Mismatch(format!("{} parameters against {}", keys.len(), queries.len())));
    }
    let (mut k, mut q) = (ffi::pointers(&keys), ffi::pointers(&queries));
    // SAFETY: two lists of equal length of live tensors; libtorch checks the shapes.
    ffi::check(unsafe { ffi::mochi_momentum_update(k.as_mut_ptr(), q.as_mut_ptr(), k.len(), momentum) })
}

#[cfg(test)]
#[path = "optim_tests.rs"]
mod tests;
