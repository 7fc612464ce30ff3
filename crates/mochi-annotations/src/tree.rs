//! The files of a dataset, by their names within its folder or its tar files.

use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mochi_files::{FileError, open_regular, read_capped};
use mochi_tar::{Part, Span};

use crate::archive::{Archive, tars};
use crate::entry::Entry;
use crate::error::AnnotationError;
use crate::image_file::{ImageFile, ImageMember};

/// Deepest folder below the dataset's that images are searched in; a link to a folder above ends there.
const DEPTH: usize = 16;

/// A dataset's folder.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    /// The tar files that are read in the place of a folder, and the folder within them.
    archive: Option<(Arc<Archive>, PathBuf)>,
}

impl Tree {
    pub(crate) fn open(root: &Path) -> Result<Self, AnnotationError> {
        let archive = match tars(root)? {
            Some(tars) => Some((Arc::new(Archive::open(tars)?), PathBuf::new())),
            None if root.is_dir() => None,
            None => return Err(AnnotationError::NotAFolder { path: root.to_owned() }),
        };
        Ok(Self { root: root.to_owned(), archive })
    }

    /// The only folder of tar files, if they have nothing beside it.
    pub(crate) fn only_folder(&self) -> Option<Self> {
        let (archive, _) = self.archive.as_ref()?;
        let within = archive.only_folder()?;
        Some(Self { root: self.root.clone(), archive: Some((Arc::clone(archive), within)) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a file for messages.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        self.root.join(name)
    }

    /// Where the bytes of an image are.
    pub(crate) fn image(&self, name: &Path) -> ImageFile {
        let member = self.archive.as_ref().and_then(|(archive, within)| {
            let name = within.join(name);
            let (tar, span) = archive.place(&name)?;
            Some(ImageFile { path: tar.to_owned(), member: Some(ImageMember { name, span }) })
        });
        member.unwrap_or_else(|| ImageFile::from(self.path(name)))
    }

    pub(crate) fn is_file(&self, name: &Path) -> bool {
        match &self.archive {
            Some((archive, within)) => archive.is_file(&within.join(name)),
            None => self.path(name).is_file(),
        }
    }

    pub(crate) fn is_folder(&self, name: &Path) -> bool {
        match &self.archive {
            Some((archive, within)) => archive.is_folder(&within.join(name)),
            None => self.path(name).is_dir(),
        }
    }

    /// The files and folders of a folder by name, links followed, hidden ones left out; none if there is no such folder.
    pub(crate) fn list(&self, folder: &Path) -> Result<Vec<Entry>, AnnotationError> {
        if let Some((archive, within)) = &self.archive {
            return Ok(archive.list(&within.join(folder)));
        }
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
        if self.archive.is_none() {
            return read_capped(&self.path(name), limit);
        }
        let mut bytes = Vec::new();
        let read = self.reader(name)?.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| FileError::Io { action: "read", path: self.path(name), source })?;
        match bytes.len() as u64 > limit {
            true => Err(FileError::TooLarge { path: self.path(name), limit }),
            false => Ok(bytes),
        }
    }

    /// A file for reading.
    pub(crate) fn reader(&self, name: &Path) -> Result<BufReader<Part>, FileError> {
        match &self.archive {
            Some((archive, within)) => archive.reader(&within.join(name)),
            None => {
                let path = self.path(name);
                let file = open_regular(&path)?;
                let length = file.metadata().map_err(|source| FileError::Io { action: "read", path, source })?.len();
                Ok(BufReader::new(Part::new(file, Span { offset: 0, length })))
            }
        }
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
