//! Where indexes of folders lie between runs: one file a root, named by a hash of its path.
//!
//! Nothing here can fail a run: an index that cannot be read or written costs time, and says so. A file is written under another name
//! and renamed; what a crash leaves of it does not pass its checksum.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fingerprint::Fnv;
use super::index::Index;
use super::paths::as_bytes;

/// Environment: the folder for what Mochi may throw away (indexes of image folders). Empty: keep nothing.
pub const MOCHI_CACHE: &str = "MOCHI_CACHE";

/// Where to keep indexes, and when.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    /// `None`: keep nothing.
    pub(super) folder: Option<PathBuf>,
    /// An index is written for at least so many files, or if the walk took at least so long: below both, looking is as quick.
    pub(super) least_files: usize,
    pub(super) least_time: Duration,
    /// See [`super::listing::Stamp::is_settled`].
    pub(super) settle: Duration,
}

impl Cache {
    /// The user's: `$MOCHI_CACHE`, `$XDG_CACHE_HOME/mochi` or `~/.cache/mochi`.
    pub(super) fn of_user() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let folder = match std::env::var_os(MOCHI_CACHE) {
            Some(set) => (!set.is_empty()).then(|| PathBuf::from(set)),
            // XDG's rule: a path that is not absolute is none.
            None => variable("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))
                .map(|path| path.join("mochi")),
        };
        let (least_time, settle) = (Duration::from_secs(1), Duration::from_secs(2));
        Self { folder, least_files: 10_000, least_time, settle }
    }

    fn file(&self, root: &Path) -> Option<PathBuf> {
        let mut hash = Fnv::new();
        hash.part(as_bytes(root));
        Some(self.folder.as_ref()?.join("folders").join(format!("{:016x}.index", hash.finish())))
    }

    /// The index of `root` (links resolved). Nothing if there is none; nothing and a remark if it is broken.
    pub(super) fn load(&self, root: &Path, warnings: &mut Vec<String>) -> Index {
        let Some(path) = self.file(root) else { return Index::default() };
        let read = match fs::read(&path) {
            Ok(bytes) => Index::read(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Index::default(),
            // $MOCHI_CACHE leads through a file: writing will say so.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Index::default(),
            Err(error) => Err(error.to_string()),
        };
        match read {
            // Two roots with one hash: they take turns.
            Ok(index) if index.root() != as_bytes(root) => Index::default(),
            Ok(index) => index,
            Err(reason) => {
                warnings.push(format!("the index {} was not used: {reason}", path.display()));
                Index::default()
            }
        }
    }

    /// Keeps the index of `root`, whole or not at all; a remark if that is not possible.
    pub(super) fn store(&self, root: &Path, bytes: &[u8], warnings: &mut Vec<String>) {
        let Some(path) = self.file(root) else { return };
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            write_all(&temporary, bytes)?;
            fs::rename(&temporary, &path)
        };
        if let Err(error) = write() {
            let _ = fs::remove_file(&temporary);
            warnings.push(format!(
                "the index of {} could not be kept in {}, the next opening takes as long: {error}",
                root.display(),
                path.display()
            ));
        }
    }
}

/// Not `fs::write`: an error when the file is closed (a disk full over the network) would be lost there.
fn write_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_not_half_an_index() {
        let error = write_all(Path::new("/dev/full"), &[7; 100]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    }
}
