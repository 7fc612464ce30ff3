//! Checkpoints that `torch.save` wrote, of any version (`pytorch-reader`), and pickles of NumPy arrays. A pickle is read as data: what it would call is not called, and objects other
//! than tensors and containers are left out.
//!
//! Names are paths through the file's dictionaries: `state_dict.module.encoder_q.conv1.weight`.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

use mochi_text::counted;
use pytorch_reader::{DType, PytorchError, PytorchReader};

use crate::numpy_pickle::Arrays;
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

/// Largest pickle of arrays, in bytes.
const MOST_BYTES: u64 = 4 << 30;

/// An open checkpoint.
#[derive(Debug)]
pub(crate) enum Checkpoint {
    PyTorch(BTreeMap<String, pytorch_reader::Tensor>),
    NumPy(Arrays),
}

impl Checkpoint {
    /// Reads names, types and shapes.
    pub fn open(path: &Path) -> Result<Self, TensorError> {
        let damaged = |reason: String| TensorError::Format { path: path.to_owned(), reason };
        let reader = PytorchReader::new(path).map_err(|error| match error {
            PytorchError::Io(source) => of_io(path, source),
            other => damaged(other.to_string()),
        });
        let tensors = reader.map(|reader| reader.into_tensors().into_iter().collect::<BTreeMap<_, _>>());
        match tensors {
            Ok(tensors) if !tensors.is_empty() => return Ok(Self::PyTorch(tensors)),
            Err(error @ TensorError::File { .. }) => return Err(error),
            _ => {}
        }
        let bytes = read_pickle(path)?;
        let Some(bytes) = bytes else { return Err(tensors.err().unwrap_or_else(|| damaged(NOTHING.to_owned()))) };
        let arrays = Arrays::read(bytes).map_err(|reason| tensors.err().unwrap_or_else(|| damaged(reason)))?;
        if arrays.is_empty() {
            return Err(damaged(NOTHING.to_owned()));
        }
        Ok(Self::NumPy(arrays))
    }

    /// Every tensor's name and shape.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, Vec<i64>)> {
        let (tensors, arrays) = match self {
            Self::PyTorch(tensors) => (Some(tensors), None),
            Self::NumPy(arrays) => (None, Some(arrays)),
        };
        let shape = |tensor: &pytorch_reader::Tensor| tensor.shape().iter().map(|&side| dim(side)).collect();
        let tensors = tensors.into_iter().flatten().map(move |(name, tensor)| (name.as_str(), shape(tensor)));
        tensors.chain(arrays.into_iter().flat_map(Arrays::shapes))
    }

    /// Reads the tensors whose names `wanted` takes onto the CPU.
    pub fn read(&self, path: &Path, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, TensorError> {
        let checkpoint = match self {
            Self::PyTorch(checkpoint) => checkpoint,
            Self::NumPy(arrays) => return arrays.tensors(wanted),
        };
        let mut tensors = BTreeMap::new();
        for (name, tensor) in checkpoint.iter().filter(|(name, _)| wanted(name)) {
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

const NOTHING: &str = "it holds neither a tensor of PyTorch nor an array of NumPy";

/// The bytes of a file that begins as a pickle; `None` for others.
fn read_pickle(path: &Path) -> Result<Option<Vec<u8>>, TensorError> {
    let io = |source| of_io(path, source);
    let mut file = std::fs::File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() > MOST_BYTES {
        return Ok(None);
    }
    let mut first = [0];
    file.read_exact(&mut first).map_err(io)?;
    if first != [0x80] {
        return Ok(None);
    }
    let mut bytes = first.to_vec();
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
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
