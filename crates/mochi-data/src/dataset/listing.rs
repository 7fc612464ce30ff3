//! Entries of a folder: images, folders and links.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use mochi_views::decode;

use super::paths::{Paths, as_path};
use super::timeout::Watch;
use crate::skipped::Skipped;

const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp"];
/// Folders of storage systems and archivers with thumbnails, deleted files and other copies. They are never part of a dataset.
const SYSTEM_FOLDERS: [&[u8]; 9] = [
    b"@eaDir",
    b"#recycle",
    b"#snapshot",
    b"@Recycle",
    b"@Recently-Snapshot",
    b"$RECYCLE.BIN",
    b"System Volume Information",
    b"lost+found",
    b"__MACOSX",
];

/// Listing of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Names of images, sorted by their bytes.
    pub(super) images: Paths,
    /// Names of folders (no links), sorted likewise.
    pub(super) folders: Paths,
    pub(super) skipped: Skipped,
    /// Names of links to folders, in the order of the listing.
    pub(super) linked: Vec<Vec<u8>>,
    pub(super) warnings: Vec<String>,
}

/// Lists `folder`.
pub(super) fn list(folder: &Path, watch: &Watch) -> Listing {
    let mut found = Listing::default();
    let (mut images, mut folders) = (Paths::default(), Paths::default());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            found.warnings.push(format!("folder {} was skipped: {error}", folder.display()));
            return found;
        }
    };
    for entry in entries {
        watch.tick();
        let (name, kind) = match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok(entry) => entry,
            Err(error) => {
                found.warnings.push(format!("an entry of {} was skipped: {error}", folder.display()));
                continue;
            }
        };
        // .git, .DS_Store, and the "._x.jpg" files of macOS are never images of a dataset.
        if name.as_bytes().starts_with(b".") {
            found.skipped.hidden += 1;
            continue;
        }
        if SYSTEM_FOLDERS.contains(&name.as_bytes()) {
            continue;
        }
        let mut is_file = kind.is_file();
        if kind.is_symlink() {
            let path = folder.join(&name);
            match fs::metadata(&path) {
                Ok(target) if target.is_dir() => {
                    found.linked.push(name.as_bytes().to_vec());
                    continue;
                }
                Ok(target) => is_file = target.is_file(),
                Err(error) => {
                    found.warnings.push(format!("link {} was skipped: {error}", path.display()));
                    continue;
                }
            }
        }
        if kind.is_dir() {
            folders.push(name.as_bytes());
        } else if is_file
            // The extension of an image is sufficient, so that a damaged file is counted as bad instead of ignored.
            && (has_image_extension(name.as_bytes()) || has_image_content(&folder.join(&name)))
        {
            images.push(name.as_bytes());
        } else {
            found.skipped.add_file(name.as_bytes());
        }
    }
    found.images = images.sorted();
    found.folders = folders.sorted();
    found
}

/// Whether the name has the extension of an image.
pub(crate) fn has_image_extension(name: &[u8]) -> bool {
    as_path(name).extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Whether the file starts like an image.
pub(super) fn has_image_content(path: &Path) -> bool {
    const HEAD: u64 = 12;
    let mut head = Vec::with_capacity(HEAD as usize);
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && decode::sniff(&head).is_some()
}
