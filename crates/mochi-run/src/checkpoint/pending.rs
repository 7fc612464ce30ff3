//! A checkpoint that is being written.

use std::fs::File;
use std::path::Path;

use mochi_files::{FileError, Folder};

use super::Checkpoint;
use super::manifest::Manifest;
use super::name::Name;
use crate::error::RunError;

/// A checkpoint that is being written. Dropped without [`commit`](Pending::commit), it is removed.
#[derive(Debug)]
#[must_use = "a checkpoint that is not committed is removed"]
pub struct Pending {
    checkpoints: Folder,
    step: u64,
    temporary: Name,
    folder: Folder,
    committed: bool,
}

impl Pending {
    pub(super) fn begin(checkpoints: Folder, step: u64) -> Result<Pending, RunError> {
        loop {
            let temporary = Name::Temporary(step, mochi_files::random());
            match checkpoints.new_folder(temporary.to_string()) {
                Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                folder => return Ok(Pending { folder: folder?, checkpoints, step, temporary, committed: false }),
            }
        }
    }

    /// The folder to write files into.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a file of the checkpoint.
    ///
    /// # Errors
    /// [`RunError::File`] for a disk that is full or a name that is taken.
    pub fn create(&self, name: &str) -> Result<File, RunError> {
        Ok(self.folder.create_new(name)?)
    }

    /// Makes the checkpoint whole: it survives a loss of power from here on. One of the same step is replaced.
    ///
    /// # Errors
    /// [`RunError::File`] when the disk refuses. Earlier checkpoints stay.
    pub fn commit(mut self) -> Result<Checkpoint, RunError> {
        Manifest::take(&self.folder, self.step)?.write(&self.folder)?;
        self.folder.sync()?;
        let home = Name::Step(self.step).to_string();
        let old = Name::Old(self.step, mochi_files::random()).to_string();
        let replaces = self.checkpoints.file_type(&home)?.is_some();
        if replaces {
            self.checkpoints.rename(&home, &old)?;
        }
        self.checkpoints.rename(self.temporary.to_string(), &home)?;
        self.committed = true;
        self.checkpoints.sync()?;
        if replaces {
            self.checkpoints.remove(&old)?;
        }
        Ok(Checkpoint { step: self.step, path: self.checkpoints.path().join(home) })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.committed {
            // The error that led here is the one to report; what stays is removed when the run is opened next.
            let _ = self.checkpoints.remove(self.temporary.to_string());
        }
    }
}
