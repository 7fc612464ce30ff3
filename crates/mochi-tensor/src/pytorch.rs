//! Checkpoints that `torch.save` wrote, of any version (`pytorch-reader`). A pickle is read as data: what it would call is not called, and objects other
//! than tensors and containers are left out.
//!
//! Names are paths through the file's dictionaries: `state_dict.module.encoder_q.conv1.weight`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use mochi_text::counted;
use pytorch_reader::{DType, PytorchError, PytorchReader};

use crate::{Device, Kind, Tensor, TensorError, dim};

/// Types that libtorch has as well.
const KINDS: [(DType, Kind); 10] = [
    (DType::F64, Kind::Double),
    (DType::F32, Kind::Float),
    (DType::F16, Kind::Half),
    (DType::BF16, Kind::BFloat16),
    (DType::I64, Kind::Int64),
    (DType::I32, Kind::Int),
    (DType::I16, Kind::Int16),
    (DType::I8, Kind::Int8),
    (DType::U8, Kind::Uint8),
    (DType::Bool, Kind::Bool),
];

/// Whether a file that begins with these bytes is PyTorch's: a zip archive, or a pickle of protocol 2 to 5. The length of a safetensors header begins
/// with neither, since it is followed by zeros.
pub(crate) fn begins(bytes: &[u8; 8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
        || (bytes[0] == 0x80 && (2..=5).contains(&bytes[1]) && bytes[2..].iter().any(|&b| b != 0))
}

/// An open checkpoint.
#[derive(Debug)]
pub(crate) struct Checkpoint(BTreeMap<String, pytorch_reader::Tensor>);

impl Checkpoint {
    /// Reads names, types and shapes.
    pub fn open(path: &Path) -> Result<Self, TensorError> {
        let damaged = |reason: String| TensorError::Format { path: path.to_owned(), reason };
        let reader = PytorchReader::new(path).map_err(|error| match error {
            PytorchError::Io(source) => of_io(path, source),
            other => damaged(other.to_string()),
        })?;
        let tensors: BTreeMap<_, _> = reader.into_tensors().into_iter().collect();
        if tensors.is_empty() {
            return Err(damaged("it holds no tensor of PyTorch (arrays of NumPy are not read)".to_owned()));
        }
        Ok(Self(tensors))
    }

    /// Every tensor's name and shape.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, Vec<i64>)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor.shape().iter().map(|&side| dim(side)).collect()))
    }

    /// Reads the tensors whose names `wanted` takes onto the CPU.
    pub fn read(&self, path: &Path, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, TensorError> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in self.0.iter().filter(|(name, _)| wanted(name)) {
            let kind = KINDS.iter().find(|(own, _)| *own == tensor.dtype()).map(|(_, kind)| *kind);
            let kind = kind.ok_or_else(|| TensorError::Format {
                path: path.to_owned(),
                reason: format!("\"{name}\" has the unsupported dtype {:?}", tensor.dtype()),
            })?;
            let bytes = tensor.read().map_err(|source| of_io(path, source))?;
            let shape: Vec<i64> = tensor.shape().iter().map(|&side| dim(side)).collect();
            // libtorch copies as many bytes as the shape says.
            let expected = tensor.num_elements().checked_mul(kind.elt_size_in_bytes());
            if expected != Some(bytes.len()) {
                let reason = format!("\"{name}\" has {}", counted(bytes.len(), "byte"));
                return Err(TensorError::Format { path: path.to_owned(), reason });
            }
            let value = match expected {
                Some(0) => Tensor::f_empty(&shape, (kind, Device::Cpu))?,
                _ => Tensor::f_from_data_size(&bytes, &shape, kind)?,
            };
            tensors.insert(name.clone(), value);
        }
        Ok(tensors)
    }
}

/// What the file holds is wrong, or the system could not read it.
fn of_io(path: &Path, source: std::io::Error) -> TensorError {
    match source.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            TensorError::Format { path: path.to_owned(), reason: source.to_string() }
        }
        _ => TensorError::File { action: "read", path: path.to_owned(), source },
    }
}

#[cfg(test)]
#[path = "pytorch_tests.rs"]
mod tests;
