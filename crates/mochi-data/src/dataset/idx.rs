//! IDX files of MNIST and Fashion-MNIST: big-endian header (0, 0, type 8 = u8, dimensions; then each dimension as u32), then
//! the bytes. Source: "The IDX file format", yann.lecun.com/exdb/mnist.

use std::path::{Path, PathBuf};

use super::file::{file_name, read_maybe_gzip};
use super::raw::Raw;
use super::{Opened, Split, Store};
use crate::decode::check_size;
use crate::error::DataError;

/// 16 GiB of pixels: they are held in memory.
const MAX_BYTES: u64 = 16 << 30;

/// Opens a folder that holds IDX files; `None` if it holds none.
pub(super) fn open_folder(folder: &Path, split: Split) -> Result<Option<Opened>, DataError> {
    let stem = |split| match split {
        Split::Train => "train",
        Split::Test => "t10k",
    };
    let find = |split, what: &str| {
        // The publisher's name, the same with a dot as some tools unpack it, each zipped or not.
        let stem = stem(split);
        let names = [format!("{stem}-{what}-ubyte"), format!("{stem}-{}-ubyte", what.replace("-idx", ".idx"))];
        names.into_iter().flat_map(|n| [format!("{n}.gz"), n]).map(|n| folder.join(n)).rfind(|p| p.is_file())
    };
    let other = if split == Split::Train { Split::Test } else { Split::Train };
    match find(split, "images-idx3") {
        Some(images) => Ok(Some(read(&images, find(split, "labels-idx1").as_deref())?)),
        None if find(other, "images-idx3").is_some() => {
            Err(DataError::SplitMissing { path: folder.into(), kind: "IDX", split: split.name() })
        }
        None => Ok(None),
    }
}

/// Opens one file of IDX images, with the labels that lie beside it under the matching name; `None` if it is not IDX.
pub(super) fn open_file(path: &Path) -> Result<Option<Opened>, DataError> {
    use std::io::Read;
    // Look at the header alone first: the file may be anything, of any size.
    let fail = |source| DataError::Io { path: path.into(), source };
    let mut head = [0u8; 4];
    let mut file = std::fs::File::open(path).map_err(fail)?;
    let got = file.read(&mut head).map_err(fail)?;
    if head[..got].starts_with(&[0x1F, 0x8B]) {
        let file = std::fs::File::open(path).map_err(fail)?;
        if flate2::read::MultiGzDecoder::new(file).read_exact(&mut head).is_err() {
            return Ok(None);
        }
    }
    if head[..2] != [0, 0] || head[3] == 0 || head[3] > 4 {
        return Ok(None);
    }
    let name = file_name(path);
    let beside = name
        .contains("images")
        .then(|| path.with_file_name(name.replace("images", "labels").replace("idx3", "idx1")))
        .into_iter()
        .flat_map(|p| [p.clone(), p.with_extension(""), PathBuf::from(format!("{}.gz", p.display()))])
        .find(|p| p.is_file());
    read(path, beside.as_deref()).map(Some)
}

fn read(images: &Path, labels: Option<&Path>) -> Result<Opened, DataError> {
    let wrong = |path: &Path, detail: String| DataError::Format { path: path.into(), detail };
    let (dimensions, header, mut bytes) = read_idx(images)?;
    let [count, height, width] = dimensions[..] else {
        let detail = format!("images have 3 dimensions (count, height, width), this IDX file has {}", dimensions.len());
        return Err(wrong(images, detail));
    };
    let (width, height) =
        check_size(width as u64, height as u64).map_err(|e| wrong(images, format!("its images: {}", e.detail)))?;
    bytes.drain(..header);
    if count == 0 {
        return Err(DataError::NoImages { path: images.into(), others: 0 });
    }
    let labels = match labels {
        None => None,
        Some(path) => {
            let (dimensions, header, bytes) = read_idx(path)?;
            if dimensions != [count] {
                return Err(wrong(path, format!("it should hold {count} labels, its dimensions are {dimensions:?}")));
            }
            Some(bytes[header..].iter().map(|&l| u32::from(l)).collect::<Vec<_>>())
        }
    };
    let classes = labels.iter().flatten().max().map_or(0, |&most| most + 1);
    let raw = Raw { files: vec![(file_name(images), 0)], bytes, count, width, height, channels: 1 };
    let class_names = (0..classes).map(|c| c.to_string()).collect();
    Ok(Opened { kind: "IDX", store: Store::Raw(raw), labels, class_names, warnings: vec![] })
}

/// Dimensions, length of the header, and all bytes; their number is checked.
fn read_idx(path: &Path) -> Result<(Vec<usize>, usize, Vec<u8>), DataError> {
    let wrong = |detail: String| DataError::Format { path: path.into(), detail };
    let bytes = read_maybe_gzip(path, MAX_BYTES)?;
    let Some(&[0, 0, kind, n]) = bytes.first_chunk::<4>() else {
        return Err(wrong("an IDX file begins with two zero bytes".into()));
    };
    if kind != 8 {
        return Err(wrong(format!("its elements are of type {kind:#04x}; only unsigned bytes (0x08) are read")));
    }
    let header = 4 + 4 * usize::from(n);
    let Some(sizes) = bytes.get(4..header) else { return Err(wrong("its header is cut short".into())) };
    let dimensions: Vec<usize> =
        sizes.chunks_exact(4).map(|b| b.iter().fold(0usize, |v, &b| v << 8 | usize::from(b))).collect();
    let need = dimensions.iter().try_fold(1usize, |p, &d| p.checked_mul(d)).and_then(|n| n.checked_add(header));
    if need != Some(bytes.len()) {
        return Err(wrong(format!(
            "dimensions {dimensions:?} do not fit its {} bytes: cut short or damaged",
            bytes.len()
        )));
    }
    Ok((dimensions, header, bytes))
}
