//! A folder whose contents are opened relative to it, without following links.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType as Found, Mode, OFlags, fstat, mkdirat, openat, renameat, statat};
use rustix::io::Errno;

use crate::error::FileError;
use crate::name::parts;
use crate::permissions::plain_permissions;

/// What a name is, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

impl FileType {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> FileType {
        use std::os::unix::fs::MetadataExt;
        FileType::from_mode(metadata.mode())
    }

    pub(crate) fn from_mode(mode: u32) -> FileType {
        match Found::from_raw_mode(mode) {
            Found::RegularFile => FileType::File,
            Found::Directory => FileType::Folder,
            Found::Symlink => FileType::Link,
            Found::Fifo => FileType::Pipe,
            Found::Socket => FileType::Socket,
            _ => FileType::Device,
        }
    }

    /// The type in an error message.
    pub(crate) fn word(self) -> &'static str {
        match self {
            FileType::File => "regular file",
            FileType::Folder => "folder",
            FileType::Link => "symbolic link",
            FileType::Pipe => "pipe",
            FileType::Socket => "socket",
            FileType::Device => "device",
        }
    }
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// What it is.
    pub file_type: FileType,
}

/// An open folder. The path that it was opened by may lead through links; nothing below it may.
///
/// Names are relative paths without `..`. Every part is opened by itself with `O_NOFOLLOW`, so that a link is refused wherever it lies, also
/// one that appears meanwhile.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A pipe does not block, a terminal does not become the process's own.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// [`FileError::NotAFolder`] for anything else, [`FileError::Io`] where it is missing or refused.
    pub fn open(path: &Path) -> Result<Folder, FileError> {
        match rustix::fs::open(path, FOLDER, Mode::empty()) {
            Ok(handle) => Ok(Folder { handle, path: path.to_owned() }),
            Err(Errno::NOTDIR) if !path.is_dir() && path.exists() => {
                Err(FileError::NotAFolder { path: path.to_owned() })
            }
            Err(error) => Err(FileError::io("read", path)(error.into())),
        }
    }

    /// Makes a folder with those above it where they are missing, and opens it.
    ///
    /// # Errors
    /// As [`open`](Folder::open).
    pub fn create(path: &Path) -> Result<Folder, FileError> {
        std::fs::create_dir_all(path).map_err(FileError::io("create", path))?;
        Folder::open(path)
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder below this one.
    ///
    /// # Errors
    /// [`FileError::Link`] for a link on the way or at its end, [`FileError::NotAFolder`], [`FileError::Io`].
    pub fn folder(&self, name: impl AsRef<Path>) -> Result<Folder, FileError> {
        let name = name.as_ref();
        let mut folder: Option<Folder> = None;
        for part in parts(name)? {
            folder = Some(folder.as_ref().unwrap_or(self).step(part)?);
        }
        folder.ok_or_else(|| FileError::Name { path: name.to_owned() })
    }

    /// Opens a folder below this one, which is made where it is missing.
    ///
    /// # Errors
    /// As [`folder`](Folder::folder).
    pub fn make_folder(&self, name: impl AsRef<Path>) -> Result<Folder, FileError> {
        let (parent, last) = self.parent_of(name.as_ref())?;
        match mkdirat(&parent, last, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => parent.step(last),
            Err(error) => Err(FileError::io("create", &parent.path.join(last))(error.into())),
        }
    }

    /// Makes a folder that must not exist yet, and opens it.
    ///
    /// # Errors
    /// [`FileError::Io`] of kind `AlreadyExists` for a name that is taken; as [`folder`](Folder::folder).
    pub fn new_folder(&self, name: impl AsRef<Path>) -> Result<Folder, FileError> {
        let (parent, last) = self.parent_of(name.as_ref())?;
        mkdirat(&parent, last, Mode::from_raw_mode(0o777))
            .map_err(|error| FileError::io("create", &parent.path.join(last))(error.into()))?;
        parent.step(last)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`FileError::Link`], [`FileError::NotAFile`], [`FileError::Io`] of kind `NotFound`.
    pub fn open_file(&self, name: impl AsRef<Path>) -> Result<File, FileError> {
        self.regular("read", name.as_ref(), OFlags::RDONLY).map(|(file, _)| file)
    }

    /// Opens a file for reading and writing at any place; it is made where it is missing and nothing of it is cut.
    ///
    /// # Errors
    /// As [`open_file`](Folder::open_file), and [`FileError::HardLink`] for a file with several names.
    pub fn open_write(&self, name: impl AsRef<Path>) -> Result<File, FileError> {
        self.sole("write", name.as_ref(), OFlags::RDWR | OFlags::CREATE)
    }

    /// Makes a file that must not exist yet and opens it for writing.
    ///
    /// # Errors
    /// [`FileError::Io`] of kind `AlreadyExists` for a name that is taken, a dangling link included.
    pub fn create_new(&self, name: impl AsRef<Path>) -> Result<File, FileError> {
        let (parent, last) = self.parent_of(name.as_ref())?;
        let made =
            openat(&parent, last, FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(0o666));
        made.map(File::from).map_err(|error| FileError::io("create", &parent.path.join(last))(error.into()))
    }

    /// Reads a file that holds at most `limit` bytes.
    ///
    /// # Errors
    /// As [`open_file`](Folder::open_file), and [`FileError::TooLarge`].
    pub fn read(&self, name: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, FileError> {
        let name = name.as_ref();
        let (file, length) = self.regular("read", name, OFlags::RDONLY)?;
        read_at_most(file, length, &self.path.join(name), limit)
    }

    /// What a name below the folder is; `None` for one that does not exist.
    ///
    /// # Errors
    /// [`FileError::Link`] for a link on the way to it.
    pub fn file_type(&self, name: impl AsRef<Path>) -> Result<Option<FileType>, FileError> {
        let (parent, last) = match self.parent_of(name.as_ref()) {
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            parent => parent?,
        };
        match statat(&parent, last, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_mode(found.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(FileError::io("read", &parent.path.join(last))(error.into())),
        }
    }

    /// Every name in the folder itself, sorted.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn list(&self) -> Result<Vec<Entry>, FileError> {
        let io = |error: Errno| FileError::io("read", &self.path)(error.into());
        let mut entries = Vec::new();
        for entry in Dir::read_from(self).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            // Gone since it was listed: as if it had not been there.
            if let Some(file_type) = self.file_type(name)? {
                entries.push(Entry { name: name.to_owned(), file_type });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Renames what is directly in this folder; a file or an empty folder of the new name is replaced.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), FileError> {
        let (from_parent, from_last) = self.parent_of(from.as_ref())?;
        let (to_parent, to_last) = self.parent_of(to.as_ref())?;
        renameat(&from_parent, from_last, &to_parent, to_last)
            .map_err(|error| FileError::io("rename", &from_parent.path.join(from_last))(error.into()))
    }

    /// Writes the folder's entries to the disk.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn sync(&self) -> Result<(), FileError> {
        match rustix::fs::fsync(self) {
            // Some network file systems cannot sync a folder.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(FileError::io("sync", &self.path)(error.into())),
        }
    }

    /// The folder that holds the last part of a name, and that part.
    pub(crate) fn parent_of<'a>(&self, name: &'a Path) -> Result<(Folder, &'a Path), FileError> {
        let parts = parts(name)?;
        let (last, above) = parts.split_last().ok_or_else(|| FileError::Name { path: name.to_owned() })?;
        let mut folder = self.try_clone()?;
        for part in above {
            folder = folder.step(part)?;
        }
        Ok((folder, last))
    }

    pub(crate) fn permissions(&self, name: &Path) -> Result<Permissions, FileError> {
        let found = statat(self, name, AtFlags::SYMLINK_NOFOLLOW);
        found
            .map(|found| plain_permissions(found.st_mode))
            .map_err(|error| FileError::io("read", &self.path.join(name))(error.into()))
    }

    /// A second handle on the same folder.
    ///
    /// # Errors
    /// [`FileError::Io`] where no handle is left.
    pub fn try_clone(&self) -> Result<Folder, FileError> {
        let handle = self.handle.try_clone().map_err(FileError::io("read", &self.path))?;
        Ok(Folder { handle, path: self.path.clone() })
    }

    /// Opens one folder directly in this one.
    fn step(&self, name: &Path) -> Result<Folder, FileError> {
        let path = self.path.join(name);
        match openat(self, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(handle) => Ok(Folder { handle, path }),
            Err(error @ (Errno::NOTDIR | Errno::LOOP)) => Err(match self.file_type(name)? {
                Some(FileType::Link) => FileError::Link { path },
                Some(FileType::Folder) | None => FileError::io("read", &path)(error.into()),
                Some(_) => FileError::NotAFolder { path },
            }),
            Err(error) => Err(FileError::io("read", &path)(error.into())),
        }
    }

    /// A regular file with one name only.
    fn sole(&self, action: &'static str, name: &Path, flags: OFlags) -> Result<File, FileError> {
        let (file, _) = self.regular(action, name, flags)?;
        let path = self.path.join(name);
        let links = fstat(&file).map_err(|error| FileError::io(action, &path)(error.into()))?.st_nlink;
        // The width of a link count differs between systems.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        let links = links as u64;
        if links > 1 { Err(FileError::HardLink { path, links }) } else { Ok(file) }
    }

    /// A regular file and its length.
    fn regular(&self, action: &'static str, name: &Path, flags: OFlags) -> Result<(File, u64), FileError> {
        let (parent, last) = self.parent_of(name)?;
        let path = self.path.join(name);
        // Looked at first, because opening a device can have effects; and again once it is open.
        match parent.file_type(last)? {
            Some(FileType::File) | None => {}
            Some(FileType::Link) => return Err(FileError::Link { path }),
            Some(other) => return Err(FileError::NotAFile { path, found: other.word() }),
        }
        let file = match openat(&parent, last, FILE | flags, Mode::from_raw_mode(0o666)) {
            Err(Errno::LOOP) => return Err(FileError::Link { path }),
            file => file.map_err(|error| FileError::io(action, &path)(error.into()))?,
        };
        let found = fstat(&file).map_err(|error| FileError::io(action, &path)(error.into()))?;
        match FileType::from_mode(found.st_mode) {
            FileType::File => Ok((file.into(), u64::try_from(found.st_size).unwrap_or(0))),
            other => Err(FileError::NotAFile { path, found: other.word() }),
        }
    }
}

/// Reads a whole file of at most `limit` bytes, also if it grows meanwhile.
pub(crate) fn read_at_most(file: File, length: u64, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let too_large = || FileError::TooLarge { path: path.to_owned(), limit };
    if length > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}
