//! The checkpoint protocol. Everything is written into `checkpoints/.step-N.tmp-<random>`; `manifest.json`, with the length and the XXH3 checksum of every
//! file, is written last; every file and the folder are synced, the folder is renamed to `checkpoints/step-N` and the parent is synced. A process
//! that is killed anywhere in between leaves the earlier checkpoints as they were, and a file that changed later is found by its checksum.

mod choose;
mod manifest;
mod name;
mod pending;
mod retention;
mod stored;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use mochi_files::{FileError, FileType, Folder};

use crate::error::RunError;
use manifest::Manifest;
use name::Name;

pub use choose::Chosen;
pub use pending::Pending;
pub use stored::{Checkpoint, Damaged};

/// The checkpoints of a run: the folders `step-N` of one folder below it.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    run: PathBuf,
    name: OsString,
}

impl Checkpoint {
    /// The checksum of one of its files, as its manifest has it.
    pub fn checksum(&self, file: &str) -> Option<String> {
        Manifest::checksum(&Folder::open(&self.path).ok()?, file)
    }
}

impl Checkpoints {
    /// The checkpoints in a folder of a run, which need not exist yet. The run may be a link; the folder may not.
    pub fn new(folder: PathBuf) -> Checkpoints {
        let name = folder.file_name().unwrap_or_default().to_owned();
        let run = match folder.parent() {
            Some(run) if !run.as_os_str().is_empty() => run.to_owned(),
            _ => PathBuf::from("."),
        };
        Checkpoints { run, name }
    }

    /// The folder that holds them.
    pub fn path(&self) -> PathBuf {
        self.run.join(&self.name)
    }

    /// Starts a checkpoint: an empty folder to write files into.
    ///
    /// # Errors
    /// [`RunError::File`] for a disk that is full or a `checkpoints` that is a link.
    pub fn begin(&self, step: u64) -> Result<Pending, RunError> {
        Pending::begin(Folder::create(&self.run)?.make_folder(Path::new(&self.name))?, step)
    }

    /// Every checkpoint by rising step, whether whole or not.
    ///
    /// # Errors
    /// [`RunError::File`] for a folder that cannot be read.
    pub fn list(&self) -> Result<Vec<Checkpoint>, RunError> {
        let Some(folder) = self.folder()? else { return Ok(Vec::new()) };
        let mut found: Vec<Checkpoint> =
            names(&folder)?.into_iter().filter_map(|(name, _)| self.checkpoint(&name)).collect();
        found.sort_by_key(|checkpoint| checkpoint.step);
        Ok(found)
    }

    /// Step of the newest checkpoint, whether whole or not; `None` where there is none, or none can be read.
    pub fn newest_step(&self) -> Option<u64> {
        Some(self.list().ok()?.last()?.step)
    }

    fn checkpoint(&self, name: &Name) -> Option<Checkpoint> {
        match name {
            Name::Step(step) => Some(Checkpoint { step: *step, path: self.path().join(name.to_string()) }),
            _ => None,
        }
    }

    /// The folder that holds them; `None` before the first one.
    fn folder(&self) -> Result<Option<Folder>, RunError> {
        match Folder::open(&self.run).and_then(|run| run.folder(Path::new(&self.name))) {
            Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => Ok(None),
            folder => Ok(Some(folder?)),
        }
    }
}

/// The names of the protocol in a folder. Everything else in it is left alone.
fn names(folder: &Folder) -> Result<Vec<(Name, FileType)>, RunError> {
    let known = |entry: mochi_files::Entry| Some((Name::parse(entry.name.to_str()?)?, entry.file_type));
    Ok(folder.list()?.into_iter().filter_map(known).collect())
}

fn step_folder(folder: &Folder, step: u64) -> Result<Folder, FileError> {
    folder.folder(Path::new(&Name::Step(step).to_string()))
}
