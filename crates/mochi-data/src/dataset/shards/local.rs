//! Opening local shards: finding them, and listing them in parallel by index or by tar headers.

use std::path::{Path, PathBuf};

use mochi_tar::{PatternError, is_pattern as has_pattern};
use mochi_text::counted;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::files::Files;
use super::index::{self, Listing};
use super::join::opened;
use super::manifest::{self, Manifest};
use super::scan::{self, Scanned};
use super::store::Reach;
use crate::dataset::Opened;
use crate::error::DataError;

const KIND: &str = "tar shards";

/// Opens a folder that `mochi pack` wrote; `None` for any other.
pub(in crate::dataset) fn open_folder(folder: &Path) -> Result<Option<Opened>, DataError> {
    let path = folder.join(manifest::FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(_) if folder.join(manifest::UNFINISHED).is_file() => {
            let detail = "packing was interrupted; run the same `mochi pack` command again to continue".to_owned();
            return Err(DataError::Format { path: folder.into(), detail });
        }
        Err(_) => return Ok(None),
    };
    let wrong = |detail| DataError::Format { path: path.clone(), detail };
    let Some(manifest) = Manifest::parse(&bytes).map_err(wrong)? else { return Ok(None) };
    let paths: Vec<PathBuf> = manifest.shards.iter().map(|s| folder.join(&s.file)).collect();
    let Listed { listings, warnings, others } = list_all(&paths)?;
    for (shard, listing) in manifest.shards.iter().zip(&listings) {
        if shard.bytes != listing.bytes || shard.images as usize != listing.images.len() {
            return Err(wrong(format!(
                "{}: expected {} in {}, got {} in {}; the shard is incomplete or was replaced",
                shard.file,
                counted(shard.images, "image"),
                counted(shard.bytes, "byte"),
                listing.images.len(),
                listing.bytes
            )));
        }
    }
    let reach = Reach::Local(Files::new(paths));
    opened(KIND, folder, listings, reach, manifest.class_names, warnings, others).map(Some)
}

/// The error for a folder that contains tar files and no images.
pub(in crate::dataset) fn tar_folder(folder: &Path) -> Option<DataError> {
    let is_tar = |name: &std::ffi::OsStr| Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("tar"));
    let count =
        std::fs::read_dir(folder).ok()?.filter(|entry| entry.as_ref().is_ok_and(|e| is_tar(&e.file_name()))).count();
    (count > 0).then(|| DataError::TarFolder { folder: folder.into(), count })
}

/// Opens the `dataset.json` of a packed folder, or one `.tar`; `None` for any other file.
pub(in crate::dataset) fn open_file(source: &Path) -> Result<Option<Opened>, DataError> {
    if source.file_name().is_some_and(|name| name == manifest::FILE) {
        return open_folder(source.parent().unwrap_or(Path::new("")));
    }
    if source.extension().is_some_and(|e| e.eq_ignore_ascii_case("tar")) {
        return open_shards(source, vec![source.to_owned()]).map(Some);
    }
    Ok(None)
}

/// Whether a path that does not exist is a pattern for shards: it ends in `.tar` and contains a brace or a star.
pub(in crate::dataset) fn is_pattern(source: &Path) -> bool {
    source.to_str().is_some_and(|text| text.ends_with(".tar") && has_pattern(text))
}

/// Opens the shards of such a pattern.
pub(in crate::dataset) fn open_pattern(source: &Path) -> Result<Opened, DataError> {
    open_shards(source, matching(source, &source.to_string_lossy())?)
}

fn open_shards(source: &Path, paths: Vec<PathBuf>) -> Result<Opened, DataError> {
    let Listed { listings, warnings, others } = list_all(&paths)?;
    opened(KIND, source, listings, Reach::Local(Files::new(paths)), Vec::new(), warnings, others)
}

/// The shards that a pattern names.
fn matching(source: &Path, text: &str) -> Result<Vec<PathBuf>, DataError> {
    mochi_tar::matching(text).map_err(|error| match error {
        PatternError::Invalid(detail) => DataError::Format { path: source.into(), detail },
        PatternError::Io { path, source } => DataError::Io { path, source },
        PatternError::NoFile => DataError::NotFound { path: source.into() },
    })
}

/// The listings of several shards.
struct Listed {
    listings: Vec<Listing>,
    warnings: Vec<String>,
    others: usize,
}

fn list_all(paths: &[PathBuf]) -> Result<Listed, DataError> {
    // The error of the first shard in order is returned, independent of timing.
    let listed: Vec<Result<_, _>> = paths.par_iter().map(|path| list(path)).collect();
    let mut all = Listed { listings: Vec::with_capacity(paths.len()), warnings: Vec::new(), others: 0 };
    for listed in listed {
        let Scanned { listing, warnings, others, .. } = listed?;
        all.listings.push(listing);
        all.warnings.extend(warnings);
        all.others += others;
    }
    Ok(all)
}

/// Lists a shard by its index if a valid one exists, otherwise by its tar headers.
fn list(path: &Path) -> Result<Scanned, DataError> {
    let fail = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::NotFound { path: path.into() },
        _ => DataError::Io { path: path.into(), source },
    };
    let bytes = std::fs::metadata(path).map_err(fail)?.len();
    let sidecar = path.with_extension("idx");
    let mut warnings = Vec::new();
    let mut expected = None;
    if let Ok(written) = std::fs::read(&sidecar) {
        match index::decode(&written) {
            Ok(listing) if listing.bytes == bytes => return Ok(Scanned { listing, ..Scanned::default() }),
            Ok(listing) => {
                expected = Some(listing.bytes);
                warnings.push(format!(
                    "{} is for a shard of {}, not {bytes}; the tar headers are read instead",
                    sidecar.display(),
                    counted(listing.bytes, "byte")
                ));
            }
            Err(detail) => warnings.push(format!("index {} is ignored: {detail}", sidecar.display())),
        }
    }
    let mut scanned = scan::scan(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            DataError::Format { path: path.into(), detail: format!("not a tar file: {error}") }
        }
        _ => fail(error),
    })?;
    // An index of another shard is not used; an incomplete shard is refused.
    if let Some(expected) = expected.filter(|&expected| scanned.incomplete && expected > bytes) {
        return Err(DataError::CutShort { path: path.into(), bytes, expected });
    }
    scanned.warnings.splice(0..0, warnings);
    Ok(scanned)
}
