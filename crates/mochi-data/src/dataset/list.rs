//! A text file of paths: one a line, relative to the file's folder, `#` for a comment, an optional class after a tab.
//! Names need not be UTF-8. A listed file that is missing counts as a bad image when its turn comes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file::read_maybe_gzip;
use super::{Opened, Store};
use crate::error::DataError;

/// More than ten million long paths.
const MAX_LIST_BYTES: u64 = 2 << 30;

pub(super) fn open(path: &Path) -> Result<Opened, DataError> {
    let bytes = read_maybe_gzip(path, MAX_LIST_BYTES)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut relative: Vec<Box<Path>> = Vec::new();
    let mut classes: Vec<&[u8]> = Vec::new();
    for line in bytes.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut parts = line.splitn(2, |&b| b == b'\t');
        let name = parts.next().unwrap_or(line);
        classes.extend(parts.next());
        relative.push(PathBuf::from(os_string(name)).into_boxed_path());
    }
    if relative.is_empty() {
        return Err(DataError::NoImages { path: path.into(), others: 0 });
    }
    if !classes.is_empty() && classes.len() != relative.len() {
        let detail =
            format!("{} of {} lines name a class after a tab; all must, or none", classes.len(), relative.len());
        return Err(DataError::Format { path: path.into(), detail });
    }
    let mut numbers: BTreeMap<&[u8], u32> = classes.iter().map(|&c| (c, 0)).collect();
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number as u32;
    }
    let labels = (!classes.is_empty()).then(|| classes.iter().filter_map(|c| numbers.get(c).copied()).collect());
    let class_names = numbers.keys().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    let root = path.parent().unwrap_or(Path::new("")).into();
    Ok(Opened { kind: "list file", store: Store::Files { root, relative }, labels, class_names, warnings: vec![] })
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}
