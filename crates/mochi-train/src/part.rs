//! Named parts of a task's state: tensors and a small value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_tensor::Tensor;
use serde_json::Value;

use crate::TrainError;

/// One part of a task's state.
#[derive(Debug)]
pub struct Part {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// Tensors by name; `NAME.safetensors`.
    pub tensors: BTreeMap<String, Tensor>,
    /// What is not a tensor (a position, a count); an entry of `state.json`.
    pub value: Value,
}

impl Part {
    /// A part that is tensors alone.
    pub fn tensors(name: &'static str, tensors: BTreeMap<String, Tensor>) -> Self {
        Self { name, tensors, value: Value::Null }
    }
}

/// The tensors and the value of a part that was read.
pub type PartContent = (BTreeMap<String, Tensor>, Value);

/// The parts of a checkpoint, to be taken by name.
#[derive(Debug)]
pub struct Parts {
    path: PathBuf,
    parts: BTreeMap<String, PartContent>,
}

impl Parts {
    pub(crate) fn new(path: &Path, parts: BTreeMap<String, PartContent>) -> Self {
        Self { path: path.to_owned(), parts }
    }

    /// Takes a part.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] if the checkpoint does not have it.
    pub fn take(&mut self, name: &str) -> Result<PartContent, TrainError> {
        self.parts.remove(name).ok_or_else(|| self.invalid(format!("it has no part \"{name}\"")))
    }

    /// The error of a part whose content is not valid.
    pub fn invalid(&self, reason: String) -> TrainError {
        TrainError::Checkpoint { path: self.path.clone(), reason }
    }
}
