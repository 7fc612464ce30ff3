//! IDX files of MNIST and Fashion-MNIST: big-endian header (0, 0, type 8 = u8, dimensions; then each dimension as u32), then
//! the bytes. Source: "The IDX file format", yann.lecun.com/exdb/mnist.

use std::path::{Path, PathBuf};

use mochi_text::counted;
use mochi_views::decode::check_size;

use super::file::{Source, file_name};
use super::raw::Raw;
use super::{Opened, Split};
use crate::error::DataError;
use crate::skipped::Skipped;

/// Limit of the pixels, which are kept in memory: 16 GiB.
const MAX_BYTES: u64 = 16 << 30;

/// Opens a folder that holds IDX files; `None` if it holds none.
pub(super) fn open_folder(folder: &Path, split: Split) -> Result<Option<Opened>, DataError> {
    let stem = |split| match split {
        Split::Train => "train",
        Split::Test => "t10k",
    };
    let find = |split, what: &str| {
        // The published name, or the same with a dot, as some tools unpack it; each with or without .gz.
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

/// Opens one file of IDX images, with the labels in the same folder under the matching name; `None` if it is not IDX.
pub(super) fn open_file(path: &Path) -> Result<Option<Opened>, DataError> {
    // Only the header is read first: the file may have any content and size.
    match Source::open(path)?.read(4) {
        Ok(head) if matches!(head[..], [0, 0, _, 1..=4]) => {}
        Ok(_) | Err(DataError::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error),
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
    let (dimensions, bytes) = read_idx(images)?;
    let [count, height, width] = dimensions[..] else {
        let detail = format!("expected 3 dimensions (count, height, width), got {}", dimensions.len());
        return Err(wrong(images, detail));
    };
    let (width, height) = check_size(width as u64, height as u64)
        .map_err(|e| wrong(images, format!("invalid image size: {}", e.detail)))?;
    if count == 0 {
        return Err(DataError::NoImages { path: images.into(), skipped: Skipped::default() });
    }
    let labels = match labels {
        None => None,
        Some(path) => {
            let (dimensions, bytes) = read_idx(path)?;
            if dimensions != [count] {
                return Err(wrong(
                    path,
                    format!("expected {}, got dimensions {dimensions:?}", counted(count, "label")),
                ));
            }
            Some(bytes.iter().map(|&l| u32::from(l)).collect::<Vec<_>>())
        }
    };
    let classes = labels.iter().flatten().max().map_or(0, |&most| most + 1);
    let raw = Raw { files: vec![(file_name(images), 0)], bytes, count, width, height, channels: 1 };
    let class_names = (0..classes).map(|c| c.to_string()).collect();
    Ok(Opened::raw("IDX", raw, labels, class_names))
}

/// Reads dimensions and elements, and not more than the header requires.
fn read_idx(path: &Path) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let wrong = |detail: String| DataError::Format { path: path.into(), detail };
    let damaged = |detail: String| DataError::Damaged { path: path.into(), detail };
    let mut source = Source::open(path)?;
    let head = source.read(4)?;
    let [0, 0, kind, n] = head[..] else {
        return Err(wrong("an IDX file starts with two zero bytes".into()));
    };
    if kind != 8 {
        return Err(wrong(format!("expected elements of type 0x08 (unsigned bytes), got {kind:#04x}")));
    }
    let sizes = source.read(4 * u64::from(n))?;
    if sizes.len() != 4 * usize::from(n) {
        return Err(damaged("the header is incomplete".into()));
    }
    let dimensions: Vec<usize> =
        sizes.chunks_exact(4).map(|b| b.iter().fold(0usize, |v, &b| v << 8 | usize::from(b))).collect();
    let need = dimensions.iter().try_fold(1usize, |p, &d| p.checked_mul(d)).filter(|&need| need as u64 <= MAX_BYTES);
    let Some(need) = need else {
        return Err(wrong(format!("dimensions {dimensions:?} exceed the limit of {MAX_BYTES} bytes")));
    };
    let bytes = source.read(need as u64 + 1)?;
    if bytes.len() != need {
        let holds = if bytes.len() > need { "more".to_owned() } else { bytes.len().to_string() };
        return Err(damaged(format!(
            "dimensions {dimensions:?} require {}, the file has {holds}",
            counted(need, "byte")
        )));
    }
    Ok((dimensions, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    /// A compressed IDX file of one 28 x 28 image, followed by `more` zero bytes.
    fn write(path: &Path, more: usize) {
        let mut encoder =
            flate2::write::GzEncoder::new(std::fs::File::create(path).unwrap(), flate2::Compression::fast());
        encoder.write_all(&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]).unwrap();
        let zeros = vec![0; 1 << 16];
        let mut left = 28 * 28 + more;
        while left > 0 {
            let now = left.min(zeros.len());
            encoder.write_all(&zeros[..now]).unwrap();
            left -= now;
        }
        encoder.finish().unwrap();
    }

    /// Report S7.
    #[test]
    fn s7_no_more_is_unpacked_than_the_header_asks_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb-images-idx3-ubyte.gz");
        write(&path, 64 << 20);
        let error = open_file(&path).map(|_| ()).unwrap_err();
        assert!(matches!(&error, DataError::Damaged { detail, .. } if detail.contains("the file has more")), "{error}");
        let mut source = Source::open(&path).unwrap();
        assert_eq!(source.read(785).unwrap().len(), 785);
    }

    /// Field case, row 47.
    #[test]
    fn row_47_gzip_data_cut_short_has_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut-images-idx3-ubyte.gz");
        write(&path, 0);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        let error = open_file(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        assert!(error.hint().unwrap().contains("again"), "{error}");
    }
}
