//! Reads of whole files, and of members of tar files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mochi_annotations::{ImageFile, ImageMember};
use mochi_tar::Part;
use mochi_views::decode::MAX_FILE_BYTES;
use mochi_views::{BadReason, DecodeError};

use crate::read_error::ReadError;

/// Reads a whole file into `bytes`, keeping the allocation. Pipes and devices are refused, because reading them could block forever.
pub(crate) fn read_file(path: &Path, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    let failed = |e: std::io::Error| ReadError::of(path, e);
    bytes.clear();
    // Checked before opening, because opening a named pipe can block.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(DecodeError::new(BadReason::Unreadable, "not a regular file").into());
    }
    if metadata.len() > MAX_FILE_BYTES {
        let detail = format!("{} bytes exceed the limit of {MAX_FILE_BYTES}", metadata.len());
        return Err(DecodeError::new(BadReason::Oversized, detail).into());
    }
    let file = File::open(path).map_err(failed)?;
    bytes.reserve(metadata.len() as usize + 1);
    // One byte above the limit shows that the file has grown in the meantime.
    file.take(MAX_FILE_BYTES + 1).read_to_end(bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(DecodeError::new(BadReason::Oversized, "the file grew beyond the limit while it was read").into());
    }
    Ok(())
}

/// Reads the bytes of an image with objects into `bytes`, keeping the allocation.
pub(crate) fn read_image(file: &ImageFile, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    let Some(ImageMember { name, span }) = &file.member else { return read_file(&file.path, bytes) };
    let failed = |e: std::io::Error| ReadError::of(&file.path, e);
    bytes.clear();
    if span.length > MAX_FILE_BYTES {
        let detail = format!("{} bytes exceed the limit of {MAX_FILE_BYTES}", span.length);
        return Err(DecodeError::new(BadReason::Oversized, detail).into());
    }
    bytes.reserve(span.length as usize + 1);
    let opened = File::open(&file.path).map_err(failed)?;
    Part::new(opened, *span).read_to_end(bytes).map_err(failed)?;
    if (bytes.len() as u64) < span.length {
        let detail = format!("{} ends inside of {}", file.path.display(), name.display());
        return Err(DecodeError::new(BadReason::Truncated, detail).into());
    }
    Ok(())
}
