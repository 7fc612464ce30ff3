//! Optimizers whose state can be saved, gradient clipping, and the momentum encoder's update: all in place, without reallocating, and
//! without a value that the host waits for.
//!
//! * SGD (`torch.optim.SGD`, dampening 0): `m <- mu m + (g + wd p); p <- p - lr m`, weight decay on every parameter as MoCo has it.
//! * LARS (You et al. 2017, as in MoCo-v3's reference code): tensors of two or more dimensions take `g <- g + wd p` and are then scaled by
//!   `0.001 |p| / |g|`; vectors (biases, norms) take neither. Then `m <- mu m + g; p <- p - lr m`.

use crate::ffi;
use crate::{ParameterStore, Tensor, TensorError, no_grad};
use std::collections::BTreeMap;

/// Rule that an [`Optimizer`] follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Layer-wise adaptive rate scaling, for large batches.
    Lars,
}

/// LARS's trust coefficient.
const TRUST: f64 = 0.001;

/// Parameters that share a learning rate factor and a weight decay (torch's `param_groups`).
#[derive(Debug)]
pub struct ParameterGroup {
    /// Learning rate of the group over the optimizer's.
    pub rate_factor: f64,
    /// Weight decay.
    pub weight_decay: f64,
    names: Vec<String>,
    parameters: Vec<Tensor>,
}

impl ParameterGroup {
    /// An empty group.
    pub fn new(rate_factor: f64, weight_decay: f64) -> Self {
        Self { rate_factor, weight_decay, names: Vec::new(), parameters: Vec::new() }
    }

    /// Adds the trainable parameters of `store` whose names `select` takes; `prefix` + name names their state.
    #[must_use]
    pub fn with(mut self, store: &ParameterStore, prefix: &str, select: impl Fn(&str) -> bool) -> Self {
        for (name, tensor) in store.trainable().filter(|(name, _)| select(name)) {
            self.names.push(format!("{prefix}{name}"));
            self.parameters.push(tensor.shallow_clone());
        }
        self
    }
}

/// A group and its momentum buffers.
#[derive(Debug)]
struct Group {
    parameters: ParameterGroup,
    buffers: Vec<Tensor>,
}

/// Parameters with their momentum buffers.
#[derive(Debug)]
pub struct Optimizer {
    update: Update,
    momentum: f64,
    groups: Vec<Group>,
}

impl Optimizer {
    /// An optimizer over groups of parameters; momentum buffers start at zero.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] where a parameter is in two groups or two parameters have one name.
    pub fn new(update: Update, momentum: f64, groups: Vec<ParameterGroup>) -> Result<Self, TensorError> {
        let mut names: Vec<&String> = groups.iter().flat_map(|group| &group.names).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TensorError::Mismatch(format!(
                "the parameter \"{}\" was given twice to the optimizer",
                pair[0]
            )));
        }
        let groups = groups
            .into_iter()
            .map(|parameters| {
                let buffers =
                    no_grad(|| parameters.parameters.iter().map(Tensor::f_zeros_like).collect::<Result<_, _>>())?;
                Ok(Group { parameters, buffers })
            })
            .collect::<Result<_, TensorError>>()?;
        Ok(Self { update, momentum, groups })
    }

    /// Drops all gradients; the next backward pass writes fresh ones.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn clear_gradients(&mut self) -> Result<(), TensorError> {
        let mut parameters = ffi::pointers(self.groups.iter().flat_map(|group| &group.parameters.parameters));
        // SAFETY: live tensors, as many as told.
        ffi::check(unsafe { ffi::mochi_clear_gradients(parameters.as_mut_ptr(), parameters.len()) })
    }

    /// Scales all gradients together so that their global Euclidean norm is at most `max_norm`; gives the norm before, a scalar on their
    /// device. Equals `torch.nn.utils.clip_grad_norm_`.
    ///
    /// # Errors
    /// [`TensorError::Torch`] naming a parameter that received no gradient.
    pub fn clip_gradients(&mut self, max_norm: f64) -> Result<Tensor, TensorError> {
        let gradients: Vec<Tensor> =
            self.groups.iter().map(Group::gradients).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let mut g = ffi::pointers(&gradients);
        // SAFETY: live tensors, as many as told; one new tensor goes to the place given.
        ffi::new_tensor(|out| unsafe { ffi::mochi_clip_gradients(g.as_mut_ptr(), g.len(), max_norm, out) })
    }

    /// One step at `learning_rate` from the gradients that the last backward pass left.
    ///
    /// # Errors
    /// [`TensorError::Torch`] naming a parameter that received no gradient; no parameter has moved then.
    pub fn step(&mut self, learning_rate: f64) -> Result<(), TensorError> {
        let gradients = self.groups.iter().map(Group::gradients).collect::<Result<Vec<_>, _>>()?;
        for (group, gradients) in self.groups.iter().zip(&gradients) {
            group.step(gradients, self.update, self.momentum, learning_rate * group.parameters.rate_factor)?;
        }
        Ok(())
    }

    /// Momentum buffers under their parameters' names, on the CPU.
    pub fn export(&self) -> BTreeMap<String, Tensor> {
        self.named_buffers().map(|(name, buffer)| (name.clone(), buffer.to_device(crate::Device::Cpu))).collect()
    }

    /// Restores what [`Self::export`] gave, whatever the groups were.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] where a buffer is missing or of another shape; nothing is restored then.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), TensorError> {
        for (name, buffer) in self.named_buffers() {
            let text = match state.get(name) {
                Some(value) if value.size() == buffer.size() => continue,
                Some(value) => {
                    format!("the momentum of \"{name}\" has shape {:?}, not {:?}", value.size(), buffer.size())
                }
                None => format!("the momentum of \"{name}\" is missing"),
            };
            return Err(TensorError::Mismatch(text));
        }
        for (name, buffer) in self.named_buffers() {
            buffer.shallow_clone().f_copy_(&state[name])?;
        }
        Ok(())
    }

    fn named_buffers(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.groups.iter().flat_map(|group| group.parameters.names.iter().zip(&group.buffers))
    }
}

impl Group {
    /// The gradient of each parameter.
    fn gradients(&self) -> Result<Vec<Tensor>, TensorError> {
        let ParameterGroup { names, parameters, .. } = &self.parameters;
        let gradients: Vec<Tensor> = parameters.iter().map(Tensor::grad).collect();
        match gradients.iter().position(|gradient| !gradient.defined()) {
            Some(i) => Err(TensorError::Torch(format!("the parameter \"{}\" received no gradient", names[i]))),
            None => Ok(gradients),
        }
    }

    fn step(&self, gradients: &[Tensor], update: Update, momentum: f64, rate: f64) -> Result<(), TensorError> {
        let ParameterGroup { parameters, weight_decay, .. } = &self.parameters;
        let weight_decay = match update {
            Update::Sgd => *weight_decay,
            Update::Lars => {
                let scaled = || parameters.iter().zip(gradients).filter(|(p, _)| p.dim() > 1);
                let (mut p, mut g) = (ffi::pointers(scaled().map(|(p, _)| p)), ffi::pointers(scaled().map(|(_, g)| g)));
                // SAFETY: two lists of equal length of live tensors.
                ffi::check(unsafe {
                    ffi::mochi_lars_scale(p.as_mut_ptr(), g.as_mut_ptr(), p.len(), *weight_decay, TRUST)
                })?;
                0.0
            }
        };
        let (mut p, mut g, mut m) = (ffi::pointers(parameters), ffi::pointers(gradients), ffi::pointers(&self.buffers));
        // SAFETY: three lists of equal length of live tensors, each gradient of its parameter's shape; the shim checks buffers and layouts.
        ffi::check(unsafe {
            ffi::mochi_fused_sgd(p.as_mut_ptr(), g.as_mut_ptr(), m.as_mut_ptr(), p.len(), rate, momentum, weight_decay)
        })
    }
}

/// `key <- momentum * key + (1 - momentum) * query` over two networks' parameters (MoCo, eq. 2); buffers stay each one's own.
///
/// # Errors
/// [`TensorError::Mismatch`] where the two networks differ.
pub fn momentum_update(key: &ParameterStore, query: &ParameterStore, momentum: f64) -> Result<(), TensorError> {
    let (keys, queries): (Vec<_>, Vec<_>) = (key.named_parameters().collect(), query.named_parameters().collect());
    let same = |((a, x), (b, y)): (&(&str, &Tensor), &(&str, &Tensor))| a == b && x.size() == y.size();
    if keys.len() != queries.len() || !keys.iter().zip(&queries).all(same) {
        let text = format!(
            "expected two networks of equal names and shapes, got {} and {} parameters",
            keys.len(),
            queries.len()
        );
        return Err(TensorError::Mismatch(text));
    }
    let (mut k, mut q) = (ffi::pointers(keys.iter().map(|(_, t)| *t)), ffi::pointers(queries.iter().map(|(_, t)| *t)));
    // SAFETY: two lists of equal length of live tensors of equal shapes.
    ffi::check(unsafe { ffi::mochi_momentum_update(k.as_mut_ptr(), q.as_mut_ptr(), k.len(), momentum) })
}

#[cfg(test)]
#[path = "optim_tests.rs"]
mod tests;
