//! Weight files: safetensors, with types kept as they are. Files of PyTorch are read as well (`pytorch`).
//!
//! A file is read in two steps: the header, whose every claim is compared with the file's length, and then the tensors that are wanted, each
//! straight into its own memory.

use crate::finite::first_not_finite;
use crate::load::Shape;
use crate::pytorch;
use crate::{Device, Kind, Tensor, TensorError, dim, extent};
use mochi_text::counted;
use safetensors::tensor::{Dtype, Metadata, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const KINDS: [(Kind, Dtype); 9] = [
    (Kind::Float, Dtype::F32),
    (Kind::Double, Dtype::F64),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Half, Dtype::F16),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Int8, Dtype::I8),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];

/// Largest header in bytes: about 100,000 tensors.
const HEADER_LIMIT: u64 = 16 << 20;
/// Bytes by which a text is known, and characters of it that a message shows.
const TEXT_SEEN: u64 = 256;
const TEXT_SHOWN: usize = 60;
/// Most dimensions of a tensor.
const DIMENSIONS: usize = 8;
/// Product of a shape's nonzero sides, above which libtorch's strides would overflow.
const ELEMENTS: u64 = 1 << 48;

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
            let dtype =
                dtype.ok_or_else(|| format(format!("\"{name}\" has the unsupported dtype {:?}", tensor.kind())))?;
            Ok((name, tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?, dtype))
        })
        .collect::<Result<_, TensorError>>()?;
    let mut views = Vec::with_capacity(plain.len());
    for (name, tensor, dtype) in &plain {
        let shape: Vec<usize> = tensor.size().into_iter().map(extent).collect();
        let bytes = tensor.numel() * tensor.kind().elt_size_in_bytes();
        let data: &[u8] = if bytes == 0 {
            &[]
        } else {
            // SAFETY: a contiguous CPU tensor of `numel` elements, kept alive by `plain` until the bytes are copied below; no other code
            // of this thread runs in between.
            unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), bytes) }
        };
        views.push((name.as_str(), TensorView::new(*dtype, shape, data).map_err(|e| format(e.to_string()))?));
    }
    let metadata: Option<HashMap<String, String>> =
        (!metadata.is_empty()).then(|| metadata.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
    let bytes = safetensors::serialize(views, metadata).map_err(|e| format(e.to_string()))?;
    let io = |source| TensorError::File { action: "write", path: path.to_owned(), source };
    let mut file = File::create(path).map_err(io)?;
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
    let mut file = WeightsReader::open(path)?;
    let tensors = file.read(|_| true)?;
    Ok((tensors, file.metadata))
}

/// An open weight file, of safetensors or PyTorch, whose names and shapes have been read and checked, and none of its tensors.
#[derive(Debug)]
pub struct WeightsReader {
    path: PathBuf,
    source: Source,
    metadata: BTreeMap<String, String>,
}

/// Where the tensors are.
#[derive(Debug)]
enum Source {
    Safetensors(File, BTreeMap<String, Entry>),
    PyTorch(pytorch::Checkpoint),
}

/// A tensor's place in the file.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    shape: Vec<i64>,
    start: u64,
    bytes: usize,
}

impl WeightsReader {
    /// Opens a file and checks that its header describes exactly the bytes that follow, or that it is a checkpoint of PyTorch.
    ///
    /// # Errors
    /// [`TensorError::File`] where it cannot be read, [`TensorError::Format`] where it is damaged or no regular file.
    pub fn open(path: &Path) -> Result<Self, TensorError> {
        let io = |source| TensorError::File { action: "read", path: path.to_owned(), source };
        let damaged = |reason: String| TensorError::Format { path: path.to_owned(), reason };
        // Before it is opened: opening a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(damaged("expected a regular file, got a folder, device or pipe".to_owned()));
        }
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut size = [0; 8];
        let text = beginning_of_text(file.try_clone().map_err(io)?).map_err(io)?;
        if let Some(text) = text {
            return Err(damaged(format!("it is text that begins with {text}")));
        }
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        if length < 8 {
            return Err(damaged(format!("expected at least 8 bytes, got {length}")));
        }
        file.read_exact(&mut size).map_err(io)?;
        if pytorch::begins(&size) {
            let source = Source::PyTorch(pytorch::Checkpoint::open(path)?);
            return Ok(Self { path: path.to_owned(), source, metadata: BTreeMap::new() });
        }
        let header = u64::from_le_bytes(size);
        let rest = length - 8;
        if header > HEADER_LIMIT {
            return Err(damaged("it is neither a safetensors file nor one of PyTorch".to_owned()));
        }
        if header > rest {
            let header = counted(header, "byte");
            return Err(damaged(format!(
                "it is cut off, or no weights: a safetensors header of {header} is announced, and {rest} follow"
            )));
        }
        let mut text = Vec::new();
        (&mut file).take(header).read_to_end(&mut text).map_err(io)?;
        let header_of: Metadata = serde_json::from_slice(&text).map_err(|e| damaged(format!("its header: {e}")))?;
        let entries = entries(&header_of, 8 + header, rest - header).map_err(damaged)?;
        let metadata = header_of.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        Ok(Self { path: path.to_owned(), source: Source::Safetensors(file, entries), metadata })
    }

    /// Every tensor's name and shape.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, Vec<i64>)> {
        let (plain, pytorch) = match &self.source {
            Source::Safetensors(_, entries) => (Some(entries), None),
            Source::PyTorch(checkpoint) => (None, Some(checkpoint)),
        };
        let plain = plain.into_iter().flatten().map(|(name, entry)| (name.as_str(), entry.shape.clone()));
        plain.chain(pytorch.into_iter().flat_map(pytorch::Checkpoint::shapes))
    }

    /// The string metadata of a safetensors file.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// As [`Self::read`], of weights that a network may start from.
    ///
    /// # Errors
    /// As [`Self::read`], and [`TensorError::Format`] where a value is NaN or infinite.
    pub fn read_finite(&mut self, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, TensorError> {
        let tensors = self.read(wanted)?;
        match first_not_finite(&tensors)? {
            None => Ok(tensors),
            Some(name) => {
                let reason = format!("its tensor \"{name}\" holds values that are not finite");
                Err(TensorError::Format { path: self.path.clone(), reason })
            }
        }
    }

    /// Reads the tensors whose names `wanted` takes onto the CPU.
    ///
    /// # Errors
    /// [`TensorError::File`] where the file cannot be read, [`TensorError::Torch`] where memory is short.
    pub fn read(&mut self, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, TensorError> {
        let io = |source| TensorError::File { action: "read", path: self.path.clone(), source };
        let (file, entries) = match &mut self.source {
            Source::Safetensors(file, entries) => (file, entries),
            Source::PyTorch(checkpoint) => return checkpoint.read(&self.path, wanted),
        };
        let mut tensors = BTreeMap::new();
        for (name, entry) in entries.iter().filter(|(name, _)| wanted(name)) {
            let tensor = Tensor::f_empty(&entry.shape, (entry.kind, Device::Cpu))?;
            if entry.bytes > 0 && tensor.numel().checked_mul(entry.kind.elt_size_in_bytes()) == Some(entry.bytes) {
                file.seek(SeekFrom::Start(entry.start)).map_err(io)?;
                // SAFETY: a dense CPU tensor that was made just here, of as many bytes as was checked; no other code has a handle. Its memory
                // is written by libtorch's allocator or by this read before any byte is used.
                let bytes = unsafe {
                    let start = tensor.data_ptr().cast::<u8>();
                    start.write_bytes(0, entry.bytes);
                    std::slice::from_raw_parts_mut(start, entry.bytes)
                };
                file.read_exact(bytes).map_err(io)?;
                if entry.kind == Kind::Bool {
                    // A C++ bool that is neither 0 nor 1 is undefined behavior.
                    bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
                }
            }
            tensors.insert(name.clone(), tensor);
        }
        Ok(tensors)
    }
}

/// The beginning of a file of text in quotation marks; `None` for other files.
fn beginning_of_text(mut file: File) -> std::io::Result<Option<String>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(TEXT_SEEN).read_to_end(&mut bytes)?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        // The limit can lie within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return Ok(None),
    };
    let printable = !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    let line = text.trim().lines().next().unwrap_or_default();
    Ok(printable.then(|| format!("\"{}\"", line.chars().take(TEXT_SHOWN).collect::<String>())))
}

/// The header's entries, checked: supported types and shapes, each as long as its shape says, together exactly `length` bytes without gaps.
fn entries(header: &Metadata, start: u64, length: u64) -> Result<BTreeMap<String, Entry>, String> {
    let mut entries = BTreeMap::new();
    for (name, info) in header.tensors() {
        let kind = KINDS.iter().find(|(_, dtype)| *dtype == info.dtype).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| format!("\"{name}\" has the unsupported dtype {:?}", info.dtype))?;
        let sides = info.shape.iter().filter(|&&side| side > 0);
        let product = sides.clone().try_fold(1u64, |product, &side| {
            product.checked_mul(u64::try_from(side).ok()?).filter(|&product| product <= ELEMENTS)
        });
        if info.shape.len() > DIMENSIONS || product.is_none() {
            return Err(format!(
                "\"{name}\" has the shape {}, expected at most {DIMENSIONS} sides and 2^48 elements",
                Shape(&info.shape)
            ));
        }
        let elements = if info.shape.contains(&0) { 0 } else { product.unwrap_or(0) };
        let (begin, end) = info.data_offsets;
        let bytes = end.checked_sub(begin).ok_or_else(|| format!("\"{name}\" ends before it begins"))?;
        let expected = elements.checked_mul(dim(kind.elt_size_in_bytes()).unsigned_abs());
        if expected != u64::try_from(bytes).ok() {
            return Err(format!(
                "\"{name}\" of shape {} and dtype {:?} has {}",
                Shape(&info.shape),
                info.dtype,
                counted(bytes, "byte")
            ));
        }
        let at = u64::try_from(begin).ok().and_then(|begin| begin.checked_add(start));
        let at = at.ok_or_else(|| format!("\"{name}\" begins past the end of the file"))?;
        let shape = info.shape.iter().map(|&side| dim(side)).collect();
        entries.insert(name, Entry { kind, shape, start: at, bytes });
    }
    let mut order: Vec<&Entry> = entries.values().collect();
    order.sort_by_key(|entry| (entry.start, entry.bytes));
    let mut end = Some(start);
    for entry in order {
        end = end.filter(|&end| end == entry.start).and_then(|end| end.checked_add(u64::try_from(entry.bytes).ok()?));
    }
    match end {
        Some(end) if end == start + length => Ok(entries),
        Some(end) => {
            Err(format!("its header describes tensors of {}, but {length} follow", counted(end - start, "byte")))
        }
        None => Err("its tensors overlap or leave gaps".to_owned()),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
