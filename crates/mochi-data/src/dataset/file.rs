//! Reading source files, optionally compressed by gzip.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::DataError;

/// Contents of a file, decompressed if it starts like a gzip file.
pub(super) struct Source {
    path: PathBuf,
    reader: Box<dyn Read>,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let fail = |source| DataError::Io { path: path.into(), source };
        let mut file = File::open(path).map_err(fail)?;
        let mut magic = Vec::with_capacity(2);
        file.by_ref().take(2).read_to_end(&mut magic).map_err(fail)?;
        let is_gzip = magic == [0x1F, 0x8B];
        let whole = BufReader::new(io::Cursor::new(magic).chain(file));
        let reader: Box<dyn Read> =
            if is_gzip { Box::new(flate2::bufread::MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { path: path.into(), reader })
    }

    /// Reads at most `limit` of the remaining bytes; fewer only at the end.
    pub(super) fn read(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(limit).read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
        Ok(bytes)
    }

    /// Classifies an error: errors that are not storage errors are caused by damaged gzip data.
    fn failed(&self, error: io::Error) -> DataError {
        use io::ErrorKind as K;
        match error.kind() {
            K::UnexpectedEof | K::InvalidData | K::InvalidInput => {
                DataError::Damaged { path: self.path.clone(), detail: format!("gzip: {error}") }
            }
            _ => DataError::Io { path: self.path.clone(), source: error },
        }
    }
}

/// Reads a whole file, decompressed if it starts like a gzip file; fails if the result exceeds `limit` bytes.
pub(super) fn read_maybe_gzip(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let bytes = Source::open(path)?.read(limit + 1)?;
    if bytes.len() as u64 > limit {
        let detail = format!("it contains more than {limit} bytes");
        return Err(DataError::Format { path: path.into(), detail });
    }
    Ok(bytes)
}

/// The first bytes of a file, at most 64.
pub(super) fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(64).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The file name without its folder, for messages and [`Dataset::name_of`].
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
