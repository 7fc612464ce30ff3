//! A reference script's file: tensors by name, with errors that say what the file lacks.

use crate::error::ParityError;
use mochi_tensor::{Kind, Tensor, read_tensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An opened file.
pub struct Reference {
    path: PathBuf,
    script: &'static str,
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
}

impl Reference {
    /// Reads all of a file that `script` wrote.
    ///
    /// # Errors
    /// Where it cannot be read or is no safetensors file.
    pub fn open(path: &Path, script: &'static str) -> Result<Self, ParityError> {
        let (tensors, metadata) = read_tensors(path)?;
        Ok(Self { path: path.to_owned(), script, tensors, metadata })
    }

    /// Every tensor by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// A tensor by name.
    ///
    /// # Errors
    /// [`ParityError::File`] where it is missing.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, ParityError> {
        self.tensors.get(name).ok_or_else(|| self.refuse(format!("the tensor \"{name}\" is missing")))
    }

    /// A tensor of a shape that others set.
    ///
    /// # Errors
    /// [`ParityError::File`] where it is missing or of another shape.
    pub fn shaped(&self, name: &str, shape: &[i64]) -> Result<&Tensor, ParityError> {
        let tensor = self.tensor(name)?;
        if tensor.size() == shape {
            return Ok(tensor);
        }
        Err(self.refuse(format!("the tensor \"{name}\" has shape {:?}, not {shape:?}", tensor.size())))
    }

    /// Integers, row by row.
    ///
    /// # Errors
    /// As [`Self::shaped`], and where the tensor is not of integers.
    pub fn whole(&self, name: &str, shape: &[i64]) -> Result<Vec<i64>, ParityError> {
        let tensor = self.shaped(name, shape)?;
        if !matches!(tensor.kind(), Kind::Int64 | Kind::Int) {
            return Err(self.refuse(format!("the tensor \"{name}\" is not of integers")));
        }
        Ok(Vec::<i64>::try_from(tensor.f_to_kind(Kind::Int64)?.f_reshape([-1])?)?)
    }

    /// A metadata entry.
    pub fn entry(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }

    /// An error about this file.
    pub fn refuse(&self, reason: String) -> ParityError {
        ParityError::File { path: self.path.clone(), reason, script: self.script }
    }
}
