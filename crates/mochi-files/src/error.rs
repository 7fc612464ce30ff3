//! What can go wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

/// A failure to open, read or write a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "write".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something other than a regular file.
    #[error("{} is a {found}, expected a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// "folder", "pipe", "socket" or "device".
        found: &'static str,
    },
    /// Something other than a folder.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A symbolic link where links are not followed.
    #[error("{} is a symbolic link, which is not followed here", path.display())]
    Link {
        /// The path.
        path: PathBuf,
    },
    /// A file to write to that has other names (hard links), through which other files would change.
    #[error("{} has {links} names (hard links); writing to it would change them all", path.display())]
    HardLink {
        /// The path.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// A file above the limit.
    #[error("{} is larger than {limit} bytes, the most that is read of such a file", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A path that names no file: `-`, an empty one, or one that leads out of the folder.
    #[error("\"{}\" is not a file name", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
}

impl FileError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        move |source| FileError::Io { action, path, source }
    }

    /// What the system said, if it was the system that refused.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            FileError::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// The next step.
    pub fn hint(&self) -> Option<String> {
        use io::ErrorKind as Kind;
        Some(match self {
            FileError::Io { source, path, action } => match source.kind() {
                Kind::StorageFull | Kind::QuotaExceeded => "free disk space, then run the command again".to_owned(),
                Kind::PermissionDenied if *action == "read" => "check the permissions of the file".to_owned(),
                Kind::PermissionDenied => "check the permissions of the folder, or choose another folder".to_owned(),
                Kind::ReadOnlyFilesystem => "choose a folder on a writable disk".to_owned(),
                Kind::NotFound if *action != "read" => match path.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => {
                        format!("create the folder {} first", parent.display())
                    }
                    _ => return None,
                },
                Kind::NotFound => "check the path".to_owned(),
                Kind::NotADirectory | Kind::AlreadyExists => {
                    "choose another name; a part of this path is a file".to_owned()
                }
                Kind::InvalidFilename => "choose a shorter name".to_owned(),
                _ => return None,
            },
            FileError::NotAFile { found: "folder", .. } => "give the name of a file in it".to_owned(),
            FileError::NotAFile { .. } => "give the name of a regular file".to_owned(),
            FileError::NotAFolder { .. } => "give the name of a folder".to_owned(),
            FileError::Link { .. } | FileError::HardLink { .. } => {
                "replace it by a copy of the file that it leads to, or remove it".to_owned()
            }
            FileError::TooLarge { .. } => "check whether it is the right file".to_owned(),
            FileError::Name { path } if path.as_os_str() == "-" => {
                "give a file name (./- for a file of that name), or use --json to write results to a pipe".to_owned()
            }
            FileError::Name { .. } => "give the name of a file".to_owned(),
        })
    }
}
