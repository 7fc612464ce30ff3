//! Named parameters and buffers of one network, in the order in which they were made.
//!
//! Our own store rather than `tch::nn::VarStore`: names are torchvision's, initial values PyTorch's, and loading never changes
//! a tensor's type.

use crate::load::{Found, LoadReport};
use crate::{Device, Kind, Tensor, TensorError, WeightsReader, no_grad};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a stored tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Learned by the optimizer.
    Parameter,
    /// State that moves in the forward pass (running statistics).
    Buffer,
    /// torch's `num_batches_tracked`: counted and saved for `load_state_dict(strict=True)`, used by nothing. It is 0 after loading weights
    /// that have none, as in torch.
    Counter,
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

    /// The parameters by name, in order, frozen ones included.
    pub fn named_parameters(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.iter().filter(|(_, _, role)| *role == Role::Parameter).map(|(name, tensor, _)| (name, tensor))
    }

    /// The parameters in order, frozen ones included.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().map(|(_, tensor)| tensor.shallow_clone()).collect()
    }

    /// The parameters that are trained, by name, in order: those that are not frozen.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.named_parameters().filter(|(_, tensor)| tensor.requires_grad())
    }

    /// Number of values in all parameters.
    pub fn parameter_count(&self) -> usize {
        self.named_parameters().map(|(_, tensor)| tensor.numel()).sum()
    }

    /// Turns gradients of all parameters on or off (the key encoder and a frozen backbone learn nothing).
    pub fn set_requires_grad(&mut self, on: bool) {
        for (_, tensor) in self.named_parameters() {
            let _ = tensor.set_requires_grad(on);
        }
    }

    /// Converts all tensors but counters in place, so that layers compute in this type: networks are compared with references in float64.
    pub fn set_kind(&self, kind: Kind) {
        for (_, tensor, _) in self.iter().filter(|(.., role)| *role != Role::Counter) {
            no_grad(|| tensor.shallow_clone().set_data(&tensor.to_kind(kind)));
        }
    }

    /// Copies every value from a store of the same names and shapes (parameters and buffers).
    ///
    /// # Errors
    /// [`TensorError::Load`] where the two differ.
    pub fn copy_from(&self, other: &ParameterStore) -> Result<(), TensorError> {
        let source: BTreeMap<String, Tensor> =
            other.iter().map(|(n, t, _)| (n.to_owned(), t.shallow_clone())).collect();
        self.load(&source, "")
    }

    /// Compares the names under `prefix` and their shapes with the store's. Names that begin with one of `ignored` are left out.
    pub fn compare<'a>(
        &self,
        source: impl IntoIterator<Item = (&'a str, Vec<i64>)>,
        prefix: &str,
        ignored: &[&str],
    ) -> LoadReport {
        let mut found: BTreeMap<&str, Vec<i64>> = source
            .into_iter()
            .filter(|(name, _)| !ignored.iter().any(|ignored| name.starts_with(ignored)))
            .filter_map(|(name, shape)| Some((name.strip_prefix(prefix)?, shape)))
            .collect();
        let mut report = LoadReport { prefix: prefix.to_owned(), ..LoadReport::default() };
        for (name, tensor, role) in self.iter() {
            match found.remove(name) {
                Some(shape) if shape == tensor.size() => report.matched += 1,
                Some(shape) => report.mismatched.push(Found { name: name.to_owned(), shape, expected: tensor.size() }),
                None if role == Role::Counter => {}
                None => report.missing.push(name.to_owned()),
            }
        }
        report.unexpected = found.into_keys().map(str::to_owned).collect();
        report
    }

    /// Copies values in place from `source`, whose names carry `prefix`; types and devices stay this store's.
    ///
    /// # Errors
    /// [`TensorError::Load`] with everything that is missing, unexpected under the prefix, or of another shape. Nothing is written then.
    pub fn load(&self, source: &BTreeMap<String, Tensor>, prefix: &str) -> Result<(), TensorError> {
        self.load_ignoring(source, prefix, &[])
    }

    /// As [`Self::load`], leaving out names that begin with one of `ignored`: other networks in the same file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_ignoring(
        &self,
        source: &BTreeMap<String, Tensor>,
        prefix: &str,
        ignored: &[&str],
    ) -> Result<(), TensorError> {
        let shapes = source.iter().map(|(name, tensor)| (name.as_str(), tensor.size()));
        // Everything is checked before anything is written: a failed load leaves the network as it was.
        TensorError::of_report(self.compare(shapes, prefix, ignored))?;
        no_grad(|| {
            for (name, tensor, _) in self.iter() {
                let mut tensor = tensor.shallow_clone();
                match source.get(&format!("{prefix}{name}")) {
                    Some(value) => tensor.f_copy_(value)?,
                    None => {
                        let _ = tensor.f_zero_()?;
                    }
                }
            }
            Ok(())
        })
    }

    /// As [`Self::load_ignoring`], from a safetensors file: names and shapes are compared before a tensor is read, and only those that the
    /// store needs are read.
    ///
    /// # Errors
    /// As [`Self::load_ignoring`] and [`WeightsReader::open`].
    pub fn load_file(&self, path: &Path, prefix: &str, ignored: &[&str]) -> Result<(), TensorError> {
        let mut file = WeightsReader::open(path)?;
        TensorError::of_report(self.compare(file.shapes(), prefix, ignored))?;
        let own: BTreeSet<&str> = self.iter().map(|(name, ..)| name).collect();
        let values = file.read_finite(|name| name.strip_prefix(prefix).is_some_and(|name| own.contains(name)))?;
        self.load(&values, prefix)
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

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
