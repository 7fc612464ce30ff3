//! Named parameters and buffers of one network, in the order in which they were made.
//!
//! Our own store rather than `tch::nn::VarStore`: names are torchvision's, initial values PyTorch's, and loading never changes
//! a tensor's type.

use crate::{Device, Tensor, TensorError, no_grad};
use std::collections::BTreeMap;

/// What a stored tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Learned by the optimizer.
    Parameter,
    /// State that moves in the forward pass (running statistics).
    Buffer,
}

/// One network's tensors by name.
#[derive(Debug, Default)]
pub struct ParameterStore {
    entries: Vec<(String, Tensor, Role)>,
}

impl ParameterStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a tensor and returns the handle that the layer keeps (the same memory).
    pub fn add(&mut self, name: impl Into<String>, tensor: Tensor, role: Role) -> Tensor {
        let tensor = if role == Role::Parameter { tensor.set_requires_grad(true) } else { tensor };
        let handle = tensor.shallow_clone();
        self.entries.push((name.into(), tensor, role));
        handle
    }

    /// Name, tensor and role of every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor, Role)> {
        self.entries.iter().map(|(name, tensor, role)| (name.as_str(), tensor, *role))
    }

    /// The learned tensors, in order.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.iter().filter(|(_, _, role)| *role == Role::Parameter).map(|(_, t, _)| t.shallow_clone()).collect()
    }

    /// The learned tensors' names, in order.
    pub fn parameter_names(&self) -> Vec<String> {
        self.iter().filter(|(_, _, role)| *role == Role::Parameter).map(|(n, _, _)| n.to_owned()).collect()
    }

    /// Number of learned values.
    pub fn parameter_count(&self) -> usize {
        self.iter().filter(|(_, _, role)| *role == Role::Parameter).map(|(_, t, _)| t.numel()).sum()
    }

    /// Turns gradients of all parameters on or off (the key encoder and a frozen backbone learn nothing).
    pub fn set_requires_grad(&mut self, on: bool) {
        for (_, tensor, role) in &mut self.entries {
            if *role == Role::Parameter {
                let _ = tensor.set_requires_grad(on);
            }
        }
    }

    /// Copies every value from a store of the same names and shapes (parameters and buffers).
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] where the two differ.
    pub fn copy_from(&self, other: &ParameterStore) -> Result<(), TensorError> {
        let source: BTreeMap<String, Tensor> =
            other.iter().map(|(n, t, _)| (n.to_owned(), t.shallow_clone())).collect();
        self.load(&source, "")
    }

    /// Copies values in place from `source`, whose names carry `prefix`; types and devices stay this store's.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] naming the first tensor that is missing or of another shape.
    pub fn load(&self, source: &BTreeMap<String, Tensor>, prefix: &str) -> Result<(), TensorError> {
        // Everything is checked before anything is written: a failed load leaves the network as it was.
        let mut pairs = Vec::with_capacity(self.entries.len());
        for (name, tensor, _) in self.iter() {
            let key = format!("{prefix}{name}");
            let Some(value) = source.get(&key) else {
                return Err(TensorError::Mismatch(format!("\"{key}\" is missing")));
            };
            if value.size() != tensor.size() {
                let text = format!("\"{key}\" has shape {:?}, the network's is {:?}", value.size(), tensor.size());
                return Err(TensorError::Mismatch(text));
            }
            pairs.push((tensor.shallow_clone(), value));
        }
        no_grad(|| {
            for (mut tensor, value) in pairs {
                tensor.f_copy_(value)?;
            }
            Ok(())
        })
    }

    /// A copy of every tensor under `prefix` + its name, on the CPU: what a weights file holds, and what later training must
    /// not move.
    pub fn export(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let plain = |t: &Tensor| no_grad(|| t.detach().to_device(Device::Cpu).contiguous().copy());
        self.iter().map(|(name, tensor, _)| (format!("{prefix}{name}"), plain(tensor))).collect()
    }

    /// Whether every value equals the other store's bit for bit.
    pub fn identical(&self, other: &BTreeMap<String, Tensor>) -> bool {
        self.entries.len() == other.len()
            && self.iter().all(|(name, tensor, _)| {
                other.get(name).is_some_and(|o| o.kind() == tensor.kind() && o.equal(&tensor.to_device(Device::Cpu)))
            })
    }
}
