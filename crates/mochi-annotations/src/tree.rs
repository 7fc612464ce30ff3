//! The files of a dataset, by their names within its folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use mochi_files::{FileError, open_regular, read_capped};

use crate::error::AnnotationError;

/// Deepest folder below the dataset's that images are searched in; a link to a folder above ends there.
const DEPTH: usize = 16;

/// A dataset's folder.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) folder: bool,
}

impl Tree {
    pub(crate) fn open(root: &Path) -> Result<Self, AnnotationError> {
        let metadata = std::fs::metadata(root).map_err(cannot_read(root))?;
        if !metadata.is_dir() {
            return Err(AnnotationError::NotAFolder { path: root.to_owned() });
        }
        Ok(Self { root: root.to_owned() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn is_file(&self, name: &Path) -> bool {
        self.path(name).is_file()
    }

    pub(crate) fn is_folder(&self, name: &Path) -> bool {
        self.path(name).is_dir()
    }

    /// The files and folders of a folder by name, links followed, hidden ones left out; none if there is no such folder.
    pub(crate) fn list(&self, folder: &Path) -> Result<Vec<Entry>, AnnotationError> {
        let path = self.path(folder);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(Vec::new()),
            Err(error) => return Err(cannot_read(&path)(error)),
        };
        let mut list = Vec::new();
        for entry in entries {
            let entry = entry.map_err(cannot_read(&path))?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let folder = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
                Ok(kind) => kind.is_dir(),
                Err(error) => return Err(cannot_read(&entry.path())(error)),
            };
            list.push(Entry { name, folder });
        }
        list.sort_unstable();
        Ok(list)
    }

    /// Names of the files below a folder, relative to it, sorted folder by folder.
    pub(crate) fn files_below(&self, folder: &Path) -> Result<Vec<PathBuf>, AnnotationError> {
        let mut files = Vec::new();
        self.collect(folder, Path::new(""), DEPTH, &mut files)?;
        Ok(files)
    }

    fn collect(
        &self,
        folder: &Path,
        below: &Path,
        depth: usize,
        files: &mut Vec<PathBuf>,
    ) -> Result<(), AnnotationError> {
        for entry in self.list(&folder.join(below))? {
            let name = below.join(&entry.name);
            if !entry.folder {
                files.push(name);
            } else if depth > 0 {
                self.collect(folder, &name, depth - 1, files)?;
            }
        }
        Ok(())
    }

    /// The content of a file of at most `limit` bytes.
    pub(crate) fn read(&self, name: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        read_capped(&self.path(name), limit)
    }

    /// A file for reading.
    pub(crate) fn reader(&self, name: &Path) -> Result<BufReader<File>, FileError> {
        Ok(BufReader::new(open_regular(&self.path(name))?))
    }
}

fn cannot_read(path: &Path) -> impl FnOnce(std::io::Error) -> AnnotationError + use<> {
    let path = path.to_owned();
    move |source| FileError::Io { action: "read", path, source }.into()
}

/// Whether a name from a file stays within a folder.
pub(crate) fn is_safe(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some()
        && !name.contains('\0')
        && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
