//! CIFAR-10 and CIFAR-100 binary batches: records of 1 label (CIFAR-100: coarse, fine) and 3072 bytes, the planes R, G, B of
//! 32 x 32 pixels. Source: cs.toronto.edu/~kriz/cifar.html, "Binary version".

use std::path::{Path, PathBuf};

use mochi_text::counted;

use super::file::{file_name, read_maybe_gzip};
use super::raw::Raw;
use super::{Opened, Split};
use crate::error::DataError;

const PIXELS: usize = 3 * 32 * 32;
/// Maximum number of records per file; the published files have 10,000 or 50,000.
const MAX_RECORDS: u64 = 200_000;

/// CIFAR-10 or CIFAR-100.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Ten,
    Hundred,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10",
            Self::Hundred => "CIFAR-100",
        }
    }

    /// Label bytes before the pixels; the last of them is the (fine) class.
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    fn classes(self) -> u8 {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    fn names_file(self) -> &'static str {
        match self {
            Self::Ten => "batches.meta.txt",
            Self::Hundred => "fine_label_names.txt",
        }
    }
}

/// Opens a folder of CIFAR batches, or a folder that contains the unpacked folder of the published archive.
pub(super) fn open_folder(folder: &Path, split: Split) -> Result<Option<Opened>, DataError> {
    for folder in [folder.to_owned(), folder.join("cifar-10-batches-bin"), folder.join("cifar-100-binary")] {
        for kind in [Kind::Ten, Kind::Hundred] {
            let files = |split| -> Vec<PathBuf> {
                let names: Vec<String> = match (kind, split) {
                    (Kind::Ten, Split::Train) => (1..=5).map(|i| format!("data_batch_{i}.bin")).collect(),
                    (Kind::Ten, Split::Test) => vec!["test_batch.bin".into()],
                    (Kind::Hundred, split) => vec![format!("{}.bin", split.name())],
                };
                names.into_iter().map(|n| folder.join(n)).filter(|p| p.is_file()).collect()
            };
            // "train.bin" alone is ambiguous; CIFAR-100 is recognized by its list of names.
            if kind == Kind::Hundred && !folder.join(kind.names_file()).is_file() {
                continue;
            }
            let here = files(split);
            if !here.is_empty() {
                return read(kind, &here).map(Some);
            }
            let other = if split == Split::Train { Split::Test } else { Split::Train };
            if !files(other).is_empty() {
                return Err(DataError::SplitMissing { path: folder, kind: kind.name(), split: split.name() });
            }
        }
    }
    Ok(None)
}

/// Opens one batch; its length tells whether it is CIFAR-10 or CIFAR-100.
pub(super) fn open_file(path: &Path) -> Result<Opened, DataError> {
    let length = std::fs::metadata(path).map_err(|source| DataError::Io { path: path.into(), source })?.len();
    let fits = |kind: Kind| length > 0 && length.is_multiple_of((PIXELS + kind.label_bytes()) as u64);
    let named_hundred = ["train.bin", "test.bin"].contains(&file_name(path).as_str());
    let kind = match (fits(Kind::Ten), fits(Kind::Hundred)) {
        (true, false) => Kind::Ten,
        (true, true) if !named_hundred => Kind::Ten,
        (_, true) => Kind::Hundred,
        (false, false) => {
            let detail = format!(
                "its length of {} is not a multiple of a CIFAR record (3073 or 3074 bytes)",
                counted(length, "byte")
            );
            return Err(DataError::Format { path: path.into(), detail });
        }
    };
    read(kind, &[path.to_owned()])
}

fn read(kind: Kind, paths: &[PathBuf]) -> Result<Opened, DataError> {
    let record = PIXELS + kind.label_bytes();
    let (mut files, mut bytes, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let wrong = |detail: String| DataError::Format { path: path.clone(), detail };
        let batch = read_maybe_gzip(path, MAX_RECORDS * record as u64)?;
        if batch.is_empty() || !batch.len().is_multiple_of(record) {
            return Err(wrong(format!(
                "its length of {} is not a multiple of a {} record",
                counted(batch.len(), "byte"),
                kind.name()
            )));
        }
        files.push((file_name(path), labels.len()));
        bytes.reserve(batch.len());
        for one in batch.chunks_exact(record) {
            let (label, pixels) = one.split_at(kind.label_bytes());
            let class = label.last().copied().unwrap_or(0);
            if class >= kind.classes() {
                return Err(wrong(format!(
                    "it contains label {class}, but {} has {} classes",
                    kind.name(),
                    kind.classes()
                )));
            }
            labels.push(u32::from(class));
            bytes.extend_from_slice(pixels);
        }
    }
    let names = paths.first().map(|p| p.with_file_name(kind.names_file()));
    let written = names.and_then(|p| std::fs::read_to_string(p).ok()).unwrap_or_default();
    let mut class_names: Vec<String> =
        written.lines().map(str::trim).filter(|l| !l.is_empty()).map(Into::into).collect();
    if class_names.len() != usize::from(kind.classes()) {
        class_names = (0..kind.classes()).map(|c| c.to_string()).collect();
    }
    let raw = Raw { files, bytes, count: labels.len(), width: 32, height: 32, channels: 3 };
    Ok(Opened::raw(kind.name(), raw, Some(labels), class_names))
}
