//! Writing files of a packed folder.

use std::path::{Path, PathBuf};

use mochi_files::{FileError, Folder};

use crate::error::DataError;

/// Writes a file of the packed folder, atomically.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = Folder::open(folder).and_then(|folder| folder.write(path.file_name().unwrap_or_default(), bytes));
    written.map_err(|error| unwritten(path, error))
}

/// The error of writing `path`.
fn unwritten(path: &Path, error: FileError) -> DataError {
    let source = match error {
        FileError::Io { source, .. } => source,
        other => std::io::Error::other(other.to_string()),
    };
    DataError::Write { path: path.into(), source }
}

/// Name of an unfinished shard. Hidden, so that folder searches and patterns do not find it.
pub(super) fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}
