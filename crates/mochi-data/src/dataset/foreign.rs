//! Dataset formats that are not supported: their names, and which version to use instead.

use std::path::Path;

use crate::error::DataError;

/// Files of CIFAR's Python version.
const CIFAR_PYTHON: [&str; 4] = ["batches.meta", "meta", "cifar-10-batches-py/batches.meta", "cifar-100-python/meta"];

/// The error for a folder without images that holds another dataset format.
pub(super) fn recognize(folder: &Path) -> Option<DataError> {
    let holds = |name: &str| folder.join(name).is_file();
    if CIFAR_PYTHON.iter().any(|name| holds(name)) && (holds("batches.meta") || holds("train") || !holds("meta")) {
        let detail = "it is the Python version of CIFAR; download the binary version \
                      (cifar-10-binary.tar.gz or cifar-100-binary.tar.gz) and unpack it";
        return Some(DataError::Format { path: folder.into(), detail: detail.into() });
    }
    None
}

/// Description of a file in an unsupported format, recognized by its first bytes or its name.
pub(super) fn describe_file(path: &Path, head: &[u8]) -> Option<&'static str> {
    let has_extension = |wanted: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(wanted));
    if head.starts_with(b"PAR1") {
        Some("it is a Parquet file; export its images as files or as tar shards (WebDataset)")
    } else if head.starts_with(b"\x80\x02}q") || head.starts_with(b"\x80\x03}q") || head.starts_with(b"\x80\x04\x95") {
        Some("it is a Python pickle; for CIFAR, download the binary version")
    } else if head.starts_with(b"PK\x03\x04") {
        Some("it is a ZIP archive; unpack it and give the folder")
    } else if head.starts_with(&[0x1F, 0x8B]) {
        Some("it is compressed by gzip; unpack it first (IDX files are read compressed)")
    } else if head.starts_with(b"ARROW1") {
        Some("it is an Arrow file; export its images as files or as tar shards (WebDataset)")
    } else if head.starts_with(b"\x89HDF") {
        Some("it is an HDF5 file; export its images as files or as tar shards (WebDataset)")
    } else if head.starts_with(b"\x93NUMPY") {
        Some("it is a NumPy array; export its images as files")
    } else if has_extension("csv") || has_extension("tsv") || has_extension("lst") || has_extension("jsonl") {
        Some("a list of images must be a .txt file with one path per line and an optional class after a tab")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::{Dataset, OpenOptions};

    /// Field case, row 48.
    #[test]
    fn row_48_other_formats_are_named_with_the_version_to_take() {
        let dir = tempfile::tempdir().unwrap();
        let message =
            |name: &str| Dataset::open(&dir.path().join(name), &OpenOptions::default()).unwrap_err().to_string();
        std::fs::create_dir_all(dir.path().join("a/cifar-10-batches-py")).unwrap();
        std::fs::write(dir.path().join("a/cifar-10-batches-py/batches.meta"), b"\x80\x02}q").unwrap();
        std::fs::write(dir.path().join("a/cifar-10-batches-py/data_batch_1"), b"\x80\x02}q").unwrap();
        for name in ["a", "a/cifar-10-batches-py", "a/cifar-10-batches-py/data_batch_1"] {
            assert!(message(name).contains("binary version"), "{}", message(name));
        }
        std::fs::write(dir.path().join("x.parquet"), b"PAR1\x15\x04PAR1").unwrap();
        assert!(message("x.parquet").contains("Parquet"), "{}", message("x.parquet"));
        std::fs::write(dir.path().join("x.csv"), b"a,b\n").unwrap();
        assert!(message("x.csv").contains("one path per line"), "{}", message("x.csv"));
    }
}
