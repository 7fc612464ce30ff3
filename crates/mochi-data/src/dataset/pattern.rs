//! Patterns such as `photos/2019-*/**/*.jpg`: `*` and `?` within a name, `**` across folders, `[a-z]`, `{jpg,png}`.
//!
//! A folder that matches includes all images below it. Only images match, and hidden files do not. Names and classes are relative to the last folder
//! before the first wildcard. The `fast-glob` crate does the matching.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use fast_glob::{glob_match, validate};

use super::counter::Counter;
use super::folder::{classes, find_images};
use super::listing::{has_image_content, has_image_extension};
use super::paths::{Paths, as_bytes, as_path};
use super::{Opened, Store};
use crate::error::DataError;
use crate::skipped::Skipped;

/// Whether a path that does not exist is a pattern. `[` and `{` alone are not sufficient: they occur in file names, and a missing file must be
/// reported as missing.
pub(super) fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| b"*?".contains(byte))
}

fn is_wild(part: &[u8]) -> bool {
    part.iter().any(|byte| b"*?[{\\".contains(byte))
}

/// Matches of a pattern, relative to `base`.
pub(super) struct Matched {
    pub(super) base: PathBuf,
    pub(super) images: Paths,
    pub(super) skipped: Skipped,
    pub(super) warnings: Vec<String>,
}

pub(super) fn open(pattern: &Path, counter: &Counter) -> Result<Opened, DataError> {
    let Matched { base, images, skipped, warnings } = find(as_bytes(pattern), counter)?;
    let (labels, class_names) = classes(&images);
    let store = Store::Files { root: base, relative: images };
    Ok(Opened { kind: "pattern", store, labels, class_names, warnings, skipped })
}

/// All images that match, sorted by the bytes of their paths.
pub(super) fn find(pattern: &[u8], counter: &Counter) -> Result<Matched, DataError> {
    let (base, rest) = split(pattern, exists);
    let refused = |detail: String| DataError::Pattern { pattern: as_path(pattern).into(), detail };
    validate(rest).map_err(|error| refused(error.to_string()))?;
    let base = if base.is_empty() { PathBuf::from(".") } else { as_path(base).to_owned() };

    let parts: Vec<&[u8]> = rest.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
    let mut warnings = Vec::new();
    let mut folders = vec![Vec::new()];
    let mut next = 0;
    // Parts that match a single folder level are expanded one by one; the walk handles the last wildcard.
    while let Some(part) = parts.get(next).filter(|part| is_one_level(part)) {
        if !is_wild(part) || folders.iter().any(|folder| is_literal(&base, folder, part)) {
            folders.iter_mut().for_each(|folder| join(folder, part));
        } else if next + 1 < parts.len() {
            let below = |folder: &Vec<u8>| folders_below(&base, folder, part, &mut warnings);
            folders = folders.iter().flat_map(below).collect();
        } else {
            break;
        }
        next += 1;
    }
    folders.sort_unstable_by(|a, b| slashed(a).cmp(slashed(b)));
    let rest = parts.get(next..).unwrap_or_default().join(&b'/');

    let mut found = Matched { base: base.clone(), images: Paths::default(), skipped: Skipped::default(), warnings };
    for folder in &folders {
        collect(&base, folder, &rest, &mut found, counter);
    }
    found.images.shrink();
    if found.images.is_empty() {
        return Err(DataError::NoMatch { pattern: as_path(pattern).into() });
    }
    Ok(found)
}

/// Whether a part with brackets or braces is an existing name, which is then taken literally.
fn is_literal(base: &Path, folder: &[u8], part: &[u8]) -> bool {
    !part.iter().any(|byte| b"*?\\".contains(byte)) && exists(as_bytes(&base.join(as_path(folder)).join(as_path(part))))
}

fn exists(path: &[u8]) -> bool {
    fs::symlink_metadata(as_path(path)).is_ok()
}

/// The folder before the first wildcard, and the pattern below it. Brackets and braces in a path that `exists` are not wildcards.
fn split(pattern: &[u8], exists: impl Fn(&[u8]) -> bool) -> (&[u8], &[u8]) {
    let mut start = 0;
    for part in pattern.split_inclusive(|&b| b == b'/') {
        let end = start + part.len();
        let literal = !part.iter().any(|byte| b"*?\\".contains(byte)) && pattern.get(..end).is_some_and(&exists);
        if is_wild(part) && !literal {
            break;
        }
        start = end;
    }
    let (base, rest) = pattern.split_at_checked(start).unwrap_or((pattern, b""));
    // "photos/" -> "photos", but "/" stays.
    (base.strip_suffix(b"/").filter(|base| !base.is_empty()).unwrap_or(base), rest)
}

/// Whether a part can match several folder levels: `**`, or braces with a slash.
fn is_one_level(part: &[u8]) -> bool {
    let count = |wanted| part.iter().filter(|&&b| b == wanted).count();
    part != b"**" && count(b'{') == count(b'}')
}

/// Escapes a leading `!`, which would negate the pattern; here it is part of a name.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    if pattern.starts_with(b"!") { glob_match([b"\\", pattern].concat(), path) } else { glob_match(pattern, path) }
}

fn join(folder: &mut Vec<u8>, name: &[u8]) {
    if !folder.is_empty() {
        folder.push(b'/');
    }
    folder.extend_from_slice(name);
}

fn slashed(folder: &[u8]) -> impl Iterator<Item = u8> {
    folder.iter().copied().chain([b'/'])
}

fn folders_below(base: &Path, folder: &[u8], part: &[u8], warnings: &mut Vec<String>) -> Vec<Vec<u8>> {
    let path = base.join(as_path(folder));
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        // A file, or nothing: the part before it matched something that is not a folder.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotADirectory | std::io::ErrorKind::NotFound) => {
            return Vec::new();
        }
        Err(error) => {
            warnings.push(format!("folder {} was skipped: {error}", path.display()));
            return Vec::new();
        }
    };
    let mut below = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_bytes();
        // Links are followed, as in the walk.
        if !name.starts_with(b".") && fits(part, name) && fs::metadata(entry.path()).is_ok_and(|m| m.is_dir()) {
            let mut path = folder.to_vec();
            join(&mut path, name);
            below.push(path);
        }
    }
    below
}

/// The images of `base/folder`, which is a file or a folder, that match `rest` from there; all of them if there is no rest.
fn collect(base: &Path, folder: &[u8], rest: &[u8], found: &mut Matched, counter: &Counter) {
    let Matched { images, skipped, warnings, .. } = found;
    let path = base.join(as_path(folder));
    let Ok(metadata) = fs::metadata(&path) else { return };
    if !metadata.is_dir() {
        if rest.is_empty() && metadata.is_file() && (has_image_extension(folder) || has_image_content(&path)) {
            images.push(folder);
        }
        return;
    }
    let walked = match find_images(&path, counter) {
        Ok(walked) => walked,
        Err(error) => {
            warnings.push(format!("folder {} was skipped: {error}", path.display()));
            return;
        }
    };
    if rest.is_empty() {
        skipped.add(&walked.skipped);
    }
    warnings.extend(walked.warnings);
    // Images are in the order of folders, so the result for the last folder usually applies to the next image.
    let (mut last, mut last_fits) = (&b""[..], false);
    for image in walked.images.iter() {
        let parent = image.iter().rposition(|&b| b == b'/').and_then(|slash| image.get(..slash)).unwrap_or_default();
        if parent != last {
            last = parent;
            last_fits = (1..=parent.len())
                .filter(|&end| parent.get(end).is_none_or(|&b| b == b'/'))
                .any(|end| parent.get(..end).is_some_and(|above| fits(rest, above)));
        }
        if rest.is_empty() || last_fits || fits(rest, image) {
            images.push_joined(folder, image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_ends_before_the_first_wildcard() {
        for (pattern, base, rest) in [
            ("photos/2019-*/**/*.jpg", "photos", "2019-*/**/*.jpg"),
            ("/a/b/*.png", "/a/b", "*.png"),
            ("/*", "/", "*"),
            ("*.png", "", "*.png"),
            ("../x/{a,b}/?", "../x", "{a,b}/?"),
        ] {
            assert_eq!(split(pattern.as_bytes(), |_| false), (base.as_bytes(), rest.as_bytes()), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_begins_with_an_exclamation_mark_means_the_letter() {
        assert!(fits(b"!*", b"!a") && !fits(b"!*", b"a") && fits(b"\xff*", b"\xff\xfe"));
    }
}
