//! Weight files: safetensors, with types kept as they are.

use crate::{Device, Kind, Tensor, TensorError};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

const KINDS: [(Kind, Dtype); 8] = [
    (Kind::Float, Dtype::F32),
    (Kind::Double, Dtype::F64),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Half, Dtype::F16),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];

/// Writes tensors (and string metadata) to `path`, and syncs the file to the disk before it returns.
///
/// # Errors
/// [`TensorError::File`] with what the system said, e.g. where the disk is full.
pub fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), TensorError> {
    let format = |reason: String| TensorError::Format { path: path.to_owned(), reason };
    let plain: Vec<(&String, Tensor, Dtype)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let dtype = KINDS.iter().find(|(kind, _)| *kind == tensor.kind()).map(|(_, dtype)| *dtype);
            let dtype = dtype.ok_or_else(|| format(format!("\"{name}\" is of type {:?}", tensor.kind())))?;
            Ok((name, tensor.detach().f_to_device(Device::Cpu)?.f_contiguous()?, dtype))
        })
        .collect::<Result<_, TensorError>>()?;
    let mut views = Vec::with_capacity(plain.len());
    for (name, tensor, dtype) in &plain {
        let shape: Vec<usize> = tensor.size().iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
        let bytes = tensor.numel() * tensor.kind().elt_size_in_bytes();
        let data: &[u8] = if bytes == 0 {
            &[]
        } else {
            // SAFETY: a contiguous CPU tensor of `numel` elements, kept alive by `plain` until the file is written.
            unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), bytes) }
        };
        views.push((name.as_str(), TensorView::new(*dtype, shape, data).map_err(|e| format(e.to_string()))?));
    }
    let metadata: Option<HashMap<String, String>> =
        (!metadata.is_empty()).then(|| metadata.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
    let bytes = safetensors::serialize(views, metadata).map_err(|e| format(e.to_string()))?;
    let io = |source| TensorError::File { action: "write", path: path.to_owned(), source };
    let mut file = std::fs::File::create(path).map_err(io)?;
    file.write_all(&bytes).map_err(io)?;
    file.sync_all().map_err(io)
}

/// Tensors and string metadata, each by name.
pub type WeightsFile = (BTreeMap<String, Tensor>, BTreeMap<String, String>);

/// Reads every tensor of a safetensors file onto the CPU, and its metadata.
///
/// # Errors
/// [`TensorError::File`] where it cannot be read, [`TensorError::Format`] where it is damaged.
pub fn read_tensors(path: &Path) -> Result<WeightsFile, TensorError> {
    let bytes =
        std::fs::read(path).map_err(|source| TensorError::File { action: "read", path: path.to_owned(), source })?;
    let format = |reason: String| TensorError::Format { path: path.to_owned(), reason };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| format(e.to_string()))?;
    let metadata = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let file = SafeTensors::deserialize(&bytes).map_err(|e| format(e.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let kind = KINDS.iter().find(|(_, dtype)| *dtype == view.dtype()).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| format(format!("\"{name}\" is of type {:?}", view.dtype())))?;
        let shape: Vec<i64> = view.shape().iter().map(|&n| i64::try_from(n).unwrap_or(0)).collect();
        tensors.insert(name, Tensor::f_from_data_size(view.data(), &shape, kind)?);
    }
    Ok((tensors, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back_as_they_were_and_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let tensors = BTreeMap::from([
            ("a.weight".to_owned(), Tensor::from_slice(&[1.5f32, -2.0, f32::NAN]).view([1, 3])),
            ("n".to_owned(), Tensor::from_slice(&[i64::MAX])),
            ("half".to_owned(), Tensor::from_slice(&[0.1f32, 3.0]).to_kind(Kind::BFloat16)),
            ("empty".to_owned(), Tensor::zeros([0, 4], (Kind::Double, Device::Cpu))),
        ]);
        let metadata = BTreeMap::from([("arch".to_owned(), "resnet18".to_owned())]);
        write_tensors(&path, &tensors, &metadata).unwrap();
        let (back, meta) = read_tensors(&path).unwrap();
        assert_eq!(meta, metadata);
        assert_eq!(back.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
        for (name, tensor) in &tensors {
            assert_eq!((back[name].size(), back[name].kind()), (tensor.size(), tensor.kind()), "{name}");
        }
        assert_eq!(back["n"], tensors["n"]);
        assert_eq!(back["half"], tensors["half"]);
        assert!(back["a.weight"].double_value(&[0, 2]).is_nan());

        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 4, 20, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(matches!(read_tensors(&path), Err(TensorError::Format { .. })), "cut at {cut}");
        }
    }
}
