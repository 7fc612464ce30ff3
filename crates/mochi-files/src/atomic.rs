//! Replacing a file as a whole.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::error::FileError;
use crate::folder::{FileType, Folder};
use crate::name::random;

/// Replaces a file by one with these bytes: readers see the old one or the new one, also after a loss of power. A symbolic link is kept and
/// what it leads to is replaced; the permissions of an existing file are kept.
///
/// The bytes go into a new file with a random name in the same folder, which is synced and renamed; then the folder is synced. On an error
/// nothing is left of it.
///
/// # Errors
/// [`FileError::NotAFile`] for a device, a pipe, a socket or a folder, [`FileError::Name`] for `-`, [`FileError::Io`] otherwise.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let target = Target::find(path)?;
    target.folder.replace(Path::new(&target.name), path, bytes, target.permissions)
}

/// Checks that [`write_atomic`] can write to a path, before the work whose result goes there: a temporary file is made and removed.
///
/// # Errors
/// As [`write_atomic`].
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let target = Target::find(path)?;
    Temporary::create(&target.folder, path).map(drop)
}

/// Whether a name in a folder is that of a temporary file, which only a process that was killed leaves behind.
pub fn is_temporary(name: &OsStr) -> bool {
    let middle = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    middle.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    })
}

const PREFIX: &str = ".mochi-";
const SUFFIX: &str = ".tmp";
/// Most links in a row, as in Linux.
const LINKS: usize = 40;

/// Where a path's bytes belong: behind all links.
struct Target {
    folder: Folder,
    name: std::ffi::OsString,
    permissions: Option<Permissions>,
}

impl Target {
    fn find(path: &Path) -> Result<Target, FileError> {
        if path.as_os_str() == "-" || path.file_name().is_none() {
            return Err(match std::fs::metadata(path) {
                Ok(found) if found.is_dir() => FileError::NotAFile { path: path.to_owned(), found: "folder" },
                _ => FileError::Name { path: path.to_owned() },
            });
        }
        let permissions = match std::fs::metadata(path) {
            Ok(found) => match FileType::of(&found) {
                FileType::File => Some(found.permissions()),
                other => return Err(FileError::NotAFile { path: path.to_owned(), found: other.word() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::io("write", path)(error)),
        };
        let end = behind_links(path).map_err(FileError::io("write", path))?;
        let Some(name) = end.file_name() else { return Err(FileError::Name { path: path.to_owned() }) };
        let parent = match end.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // An error here is told of the file: that is the name that the user gave.
        let folder = Folder::open(parent).map_err(|error| match error {
            FileError::Io { source, .. } => FileError::io("write", &end)(source),
            FileError::NotAFolder { .. } => FileError::io("write", &end)(io::ErrorKind::NotADirectory.into()),
            other => other,
        })?;
        Ok(Target { folder, name: name.to_owned(), permissions })
    }
}

/// The path behind symbolic links in its last part, which may not exist.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&path) {
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            // Not a link, or nothing at all.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

impl Folder {
    /// Replaces a file of the folder as [`write_atomic`] does; a link in its place is refused.
    ///
    /// # Errors
    /// [`FileError::Link`] for a link on the way or in its place, [`FileError::NotAFile`], [`FileError::Io`].
    pub fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FileError> {
        let name = name.as_ref();
        let (folder, last, permissions) = self.place_of(name)?;
        folder.replace(last, &self.path().join(name), bytes, permissions)
    }

    /// Checks that [`write`](Folder::write) can write a file, before the work whose result goes there: a temporary file is made and removed.
    ///
    /// # Errors
    /// As [`write`](Folder::write).
    pub fn check_writable(&self, name: impl AsRef<Path>) -> Result<(), FileError> {
        let name = name.as_ref();
        let (folder, ..) = self.place_of(name)?;
        Temporary::create(&folder, &self.path().join(name)).map(drop)
    }

    /// The folder and the name in it that a file has or will have, and the permissions of an existing file.
    fn place_of<'a>(&self, name: &'a Path) -> Result<(Folder, &'a Path, Option<Permissions>), FileError> {
        let (folder, last) = self.parent_of(name)?;
        let permissions = match folder.file_type(last)? {
            None => None,
            Some(FileType::File) => Some(folder.permissions(last)?),
            Some(FileType::Link) => return Err(FileError::Link { path: self.path().join(name) }),
            Some(other) => return Err(FileError::NotAFile { path: self.path().join(name), found: other.word() }),
        };
        Ok((folder, last, permissions))
    }

    fn replace(
        &self,
        name: &Path,
        shown: &Path,
        bytes: &[u8],
        permissions: Option<Permissions>,
    ) -> Result<(), FileError> {
        let mut temporary = Temporary::create(self, shown)?;
        let file = &mut temporary.file;
        let written = file.write_all(bytes).and_then(|()| permissions.map_or(Ok(()), |p| file.set_permissions(p)));
        written.and_then(|()| file.sync_all()).map_err(FileError::io("write", shown))?;
        temporary.rename(name).map_err(FileError::io("write", shown))?;
        self.sync()
    }
}

/// A file with a random name, removed when dropped unless it was renamed.
struct Temporary<'a> {
    folder: &'a Folder,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(folder: &'a Folder, shown: &Path) -> Result<Self, FileError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let name = format!("{PREFIX}{:016x}{SUFFIX}", random());
            match openat(folder, &name, flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => return Ok(Self { folder, name: Some(name), file: file.into() }),
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(FileError::io("write", shown)(error.into())),
            }
        }
    }

    fn rename(mut self, name: &Path) -> io::Result<()> {
        if let Some(own) = &self.name {
            renameat(self.folder, own, self.folder, name)?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The error that led here is the one to report.
            let _ = unlinkat(self.folder, name, AtFlags::empty());
        }
    }
}
