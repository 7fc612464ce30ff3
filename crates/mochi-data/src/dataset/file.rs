//! Reading a source that is one file.

use std::path::Path;

use crate::error::DataError;

/// Reads a whole file, through gzip where its first bytes say so; at most `limit` bytes come out.
pub(super) fn read_maybe_gzip(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    use std::io::Read;
    let fail = |source| DataError::Io { path: path.into(), source };
    let mut file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    let mut magic = [0u8; 2];
    let got = file.read(&mut magic).map_err(fail)?;
    let whole = magic[..got].chain(file);
    if magic == [0x1F, 0x8B] {
        flate2::read::MultiGzDecoder::new(whole).take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    } else {
        whole.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    }
    if bytes.len() as u64 > limit {
        let detail = format!("it holds more than {limit} bytes");
        return Err(DataError::Format { path: path.into(), detail });
    }
    Ok(bytes)
}

/// The file's own name, for messages and [`Dataset::name_of`].
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
