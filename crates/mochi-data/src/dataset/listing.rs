//! One folder's entries: which are images, which are folders, where links lead.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::paths::{Paths, as_path};
use super::patience::Watch;
use crate::decode;

const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp"];

/// What tells that a folder's entries have not changed: adding, removing or renaming one moves the times of modification and of
/// change (the second cannot be set back, as `cp -a` and `tar` do with the first). The inode tells another folder under the same
/// name. The device is left out: its number changes when a network file system is mounted again, and two file systems whose folders
/// agree in inode and in times to the nanosecond are copies of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether both times are at least `settle` before `now`. A file system that counts in coarse steps gives a folder that changes
    /// twice in one step the same time twice, so a time that is nearly now proves nothing.
    pub(super) fn is_settled(&self, now: SystemTime, settle: Duration) -> bool {
        let Ok(limit) = now.checked_sub(settle).unwrap_or(UNIX_EPOCH).duration_since(UNIX_EPOCH) else { return false };
        let limit = (i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), i64::from(limit.subsec_nanos()));
        self.modified <= limit && self.changed <= limit
    }
}

/// A folder as listed now, or as an index remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Names of images, sorted by their bytes.
    pub(super) images: Paths,
    /// Names of folders (no links), sorted likewise.
    pub(super) folders: Paths,
    /// How many files are no images.
    pub(super) others: usize,
    /// As it was before the entries were read. `None`: the next time it must be listed again, because something about it can
    /// change that the folder's own times do not show (links, files that could not be read yet, errors).
    pub(super) stamp: Option<Stamp>,
    /// Names of links to folders, in the order in which they came.
    pub(super) linked: Vec<Vec<u8>>,
    pub(super) warnings: Vec<String>,
}

/// Lists `folder`, whose times were read before as `stamp`.
pub(super) fn list(folder: &Path, stamp: Stamp, watch: &Watch) -> Listing {
    let mut found = Listing { stamp: Some(stamp), ..Listing::default() };
    let (mut images, mut folders) = (Paths::default(), Paths::default());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            found.warnings.push(format!("folder {} was left out: {error}", folder.display()));
            found.stamp = None;
            return found;
        }
    };
    for entry in entries {
        watch.tick();
        let (name, kind) = match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok(entry) => entry,
            Err(error) => {
                found.warnings.push(format!("an entry of {} was left out: {error}", folder.display()));
                found.stamp = None;
                continue;
            }
        };
        // .git, .DS_Store, and the "._x.jpg" that macOS leaves beside files: never pictures.
        if name.as_bytes().starts_with(b".") {
            continue;
        }
        let mut is_file = kind.is_file();
        if kind.is_symlink() {
            // Where a link leads can change without the folder that it lies in.
            found.stamp = None;
            let path = folder.join(&name);
            match fs::metadata(&path) {
                Ok(target) if target.is_dir() => {
                    found.linked.push(name.as_bytes().to_vec());
                    continue;
                }
                Ok(target) => is_file = target.is_file(),
                Err(error) => {
                    found.warnings.push(format!("link {} was left out: {error}", path.display()));
                    continue;
                }
            }
        }
        if kind.is_dir() {
            folders.push(name.as_bytes());
        } else if is_file {
            // An image's extension is enough: a broken one shall be counted as bad, not overlooked.
            let is_image = has_image_extension(name.as_bytes()) || {
                let told = told_by_content(&folder.join(&name));
                if told.is_none() {
                    found.stamp = None;
                }
                told == Some(true)
            };
            if is_image { images.push(name.as_bytes()) } else { found.others += 1 }
        } else {
            found.others += 1;
        }
    }
    found.images = images.sorted();
    found.folders = folders.sorted();
    found
}

/// Whether a name alone says that it is an image's.
pub(crate) fn has_image_extension(name: &[u8]) -> bool {
    as_path(name).extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Whether a file's first bytes are an image's; `None` if it cannot be read (yet) or is still too short to tell.
pub(super) fn told_by_content(path: &Path) -> Option<bool> {
    const HEAD: usize = 12;
    let mut head = Vec::with_capacity(HEAD);
    File::open(path).ok()?.take(HEAD as u64).read_to_end(&mut head).ok()?;
    let told = decode::sniff(&head).is_some();
    (told || head.len() == HEAD).then_some(told)
}

/// The folder that a link leads to, or why it is not followed: `above` are the folders that were gone through to get here.
pub(super) fn through_link<'a>(path: &Path, mut above: impl Iterator<Item = &'a PathBuf>) -> Result<PathBuf, String> {
    let real = fs::canonicalize(path).map_err(|e| format!("link {} was left out: {e}", path.display()))?;
    if above.any(|folder| folder.starts_with(&real)) {
        return Err(format!("link {} was left out: it leads back to a folder above it", path.display()));
    }
    Ok(real)
}
