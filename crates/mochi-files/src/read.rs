//! Reading files that a user names.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::error::FileError;
use crate::folder::{FileType, read_at_most};

/// Opens a regular file for reading; links are followed. A pipe, a socket or a device is refused and never blocks.
///
/// # Errors
/// [`FileError::NotAFile`] for anything but a regular file, [`FileError::Io`] where it is missing or refused.
pub fn open_regular(path: &Path) -> Result<File, FileError> {
    open(path).map(|(file, _)| file)
}

/// Reads a regular file of at most `limit` bytes; links are followed.
///
/// # Errors
/// As [`open_regular`], and [`FileError::TooLarge`].
pub fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let (file, length) = open(path)?;
    read_at_most(file, length, path, limit)
}

fn open(path: &Path) -> Result<(File, u64), FileError> {
    let refuse = |metadata: &std::fs::Metadata| match FileType::of(metadata) {
        FileType::File => Ok(()),
        other => Err(FileError::NotAFile { path: path.to_owned(), found: other.word() }),
    };
    // Looked at first, because opening a device can have effects; and again once it is open.
    refuse(&std::fs::metadata(path).map_err(FileError::io("read", path))?)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(file.map_err(|error| FileError::io("read", path)(error.into()))?);
    let metadata = file.metadata().map_err(FileError::io("read", path))?;
    refuse(&metadata)?;
    Ok((file, metadata.len()))
}
