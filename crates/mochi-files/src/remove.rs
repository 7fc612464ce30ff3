//! Removing below a folder.

use std::path::Path;

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use crate::error::FileError;
use crate::folder::{FileType, Folder};

impl Folder {
    /// Removes a file, a folder with all that is in it, or a link (never what it leads to). A name that does not exist is no error.
    ///
    /// # Errors
    /// [`FileError::Link`] for a link on the way to it, [`FileError::Io`].
    pub fn remove(&self, name: impl AsRef<Path>) -> Result<(), FileError> {
        let (parent, last) = self.parent_of(name.as_ref())?;
        let flags = match parent.file_type(last)? {
            None => return Ok(()),
            Some(FileType::Folder) => {
                let below = parent.folder(last)?;
                for entry in below.list()? {
                    below.remove(&entry.name)?;
                }
                AtFlags::REMOVEDIR
            }
            Some(_) => AtFlags::empty(),
        };
        match unlinkat(&parent, last, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(FileError::io("remove", &parent.path().join(last))(error.into())),
        }
    }
}
