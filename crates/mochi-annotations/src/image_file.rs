//! Where the bytes of an image are.

use std::fmt;
use std::path::{Path, PathBuf};

use mochi_tar::Span;

/// The file of an image: one of its own, or a member of a tar file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageFile {
    /// The file on the disk.
    pub path: PathBuf,
    /// The member of a tar file; `None`: the whole file.
    pub member: Option<ImageMember>,
}

/// A member of a tar file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageMember {
    /// Its name in the tar file.
    pub name: PathBuf,
    /// Its bytes.
    pub span: Span,
}

impl ImageFile {
    /// The path in the dataset: that of the member, or of the file.
    pub fn name(&self) -> &Path {
        self.member.as_ref().map_or(&self.path, |member| &member.name)
    }
}

impl From<PathBuf> for ImageFile {
    fn from(path: PathBuf) -> Self {
        Self { path, member: None }
    }
}

/// The path, with that of the member after the tar file's.
impl fmt::Display for ImageFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "{}", self.path.join(&member.name).display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}
