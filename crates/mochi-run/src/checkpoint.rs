//! How a checkpoint becomes whole: everything is written into `checkpoints/.step-N.tmp-<pid>`, every file and the
//! folder are synced, the folder is renamed to `checkpoints/step-N` and the parent is synced. A process that is killed
//! anywhere in between leaves the earlier checkpoints as they were. `state.json` is written by the caller as the last
//! file, and a folder without it is never taken for a checkpoint.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::RunError;

const STATE: &str = "state.json";

/// A whole checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Steps done when it was written.
    pub step: u64,
    /// Its folder.
    pub path: PathBuf,
}

/// The checkpoints of a run.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// The checkpoints under this folder, which need not exist yet.
    pub fn new(folder: PathBuf) -> Checkpoints {
        Checkpoints { folder }
    }

    /// Starts a checkpoint: an empty folder to write files into.
    pub fn begin(&self, step: u64) -> Result<Pending, RunError> {
        let path = self.beside(step, "tmp");
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(RunError::io("clear", &path))?;
        }
        std::fs::create_dir_all(&path).map_err(RunError::io("create", &path))?;
        Ok(Pending { checkpoints: self.clone(), step, path, committed: false })
    }

    /// Every whole checkpoint, by rising step.
    pub fn list(&self) -> Result<Vec<Checkpoint>, RunError> {
        let mut whole = Vec::new();
        for (name, path) in self.entries()? {
            if let Some(step) = name.strip_prefix("step-").and_then(|step| step.parse().ok())
                && path.join(STATE).is_file()
            {
                whole.push(Checkpoint { step, path });
            }
        }
        whole.sort_by_key(|checkpoint| checkpoint.step);
        Ok(whole)
    }

    /// The whole checkpoint of the highest step.
    pub fn latest(&self) -> Result<Option<Checkpoint>, RunError> {
        Ok(self.list()?.pop())
    }

    /// Removes all but the last `keep_last` (at least one) and those at multiples of `keep_every` steps (0: none).
    /// Returns what was removed.
    pub fn prune(&self, keep_last: usize, keep_every: u64) -> Result<Vec<Checkpoint>, RunError> {
        let mut old = self.list()?;
        old.truncate(old.len().saturating_sub(keep_last.max(1)));
        old.retain(|checkpoint| keep_every == 0 || checkpoint.step % keep_every != 0);
        for checkpoint in &old {
            // Renamed first: a removal that is cut short must not leave half a checkpoint under its name.
            let gone = self.beside(checkpoint.step, "tmp");
            std::fs::rename(&checkpoint.path, &gone).map_err(RunError::io("remove", &checkpoint.path))?;
            std::fs::remove_dir_all(&gone).map_err(RunError::io("remove", &gone))?;
        }
        Ok(old)
    }

    /// Removes what killed writers left. Only for the process that holds the run's lock: nobody else is writing then.
    pub(crate) fn clean(&self) -> Result<(), RunError> {
        for (name, path) in self.entries()? {
            let Some((step, kind)) = name.strip_prefix(".step-").and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let home = self.folder.join(format!("step-{step}"));
            // Killed between moving the old checkpoint aside and putting the new one in its place.
            if kind.starts_with("old-") && path.join(STATE).is_file() && !home.exists() {
                std::fs::rename(&path, &home).map_err(RunError::io("restore", &home))?;
            } else {
                std::fs::remove_dir_all(&path).map_err(RunError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn beside(&self, step: u64, kind: &str) -> PathBuf {
        self.folder.join(format!(".step-{step}.{kind}-{}", std::process::id()))
    }

    fn entries(&self) -> Result<Vec<(String, PathBuf)>, RunError> {
        let read = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(RunError::io("read", &self.folder))?,
        };
        let mut entries = Vec::new();
        for entry in read {
            let entry = entry.map_err(RunError::io("read", &self.folder))?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push((name, entry.path()));
            }
        }
        Ok(entries)
    }
}

/// A checkpoint that is being written. Dropped without [`commit`](Pending::commit), it is removed.
#[derive(Debug)]
#[must_use = "a checkpoint that is not committed is removed"]
pub struct Pending {
    checkpoints: Checkpoints,
    step: u64,
    path: PathBuf,
    committed: bool,
}

impl Pending {
    /// The folder to write files into.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the checkpoint whole: it survives a loss of power from here on. One of the same step is replaced.
    ///
    /// # Errors
    /// [`RunError::NotWhole`] without `state.json`; [`RunError::Io`] when the disk refuses. Earlier checkpoints stay.
    pub fn commit(mut self) -> Result<Checkpoint, RunError> {
        if !self.path.join(STATE).is_file() {
            return Err(RunError::NotWhole { path: self.path.clone() });
        }
        for entry in std::fs::read_dir(&self.path).map_err(RunError::io("read", &self.path))? {
            let path = entry.map_err(RunError::io("read", &self.path))?.path();
            File::open(&path).and_then(|file| file.sync_all()).map_err(RunError::io("sync", &path))?;
        }
        sync_folder(&self.path)?;
        let home = self.checkpoints.folder.join(format!("step-{}", self.step));
        let old = self.checkpoints.beside(self.step, "old");
        if home.exists() {
            std::fs::rename(&home, &old).map_err(RunError::io("replace", &home))?;
        }
        std::fs::rename(&self.path, &home).map_err(RunError::io("write", &home))?;
        self.committed = true;
        sync_folder(&self.checkpoints.folder)?;
        if old.exists() {
            std::fs::remove_dir_all(&old).map_err(RunError::io("remove", &old))?;
        }
        Ok(Checkpoint { step: self.step, path: home })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing to tell anyone here: what stays is removed when the run is opened next.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Syncs a folder's entries. Windows cannot open folders as files and keeps its entries by itself.
pub(crate) fn sync_folder(path: &Path) -> Result<(), RunError> {
    if cfg!(windows) {
        return Ok(());
    }
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|folder| folder.sync_all()).map_err(RunError::io("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(checkpoints: &Checkpoints, step: u64, text: &str) -> Checkpoint {
        let pending = checkpoints.begin(step).unwrap();
        std::fs::write(pending.path().join("model.safetensors"), text).unwrap();
        std::fs::write(pending.path().join(STATE), "{}").unwrap();
        pending.commit().unwrap()
    }

    fn steps(checkpoints: &Checkpoints) -> Vec<u64> {
        checkpoints.list().unwrap().iter().map(|checkpoint| checkpoint.step).collect()
    }

    #[test]
    fn only_committed_checkpoints_are_there() {
        let base = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(base.path().join("checkpoints"));
        assert_eq!(checkpoints.latest().unwrap(), None);
        save(&checkpoints, 10, "a");
        let pending = checkpoints.begin(20).unwrap();
        std::fs::write(pending.path().join("model.safetensors"), "b").unwrap();
        assert_eq!(steps(&checkpoints), [10]);
        let left = pending.path().to_owned();
        assert!(matches!(pending.commit(), Err(RunError::NotWhole { .. })));
        assert!(!left.exists(), "what was not committed is removed");
        assert_eq!(steps(&checkpoints), [10]);
    }

    #[test]
    fn a_folder_without_state_is_no_checkpoint() {
        let base = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(base.path().to_owned());
        save(&checkpoints, 10, "a");
        std::fs::create_dir(base.path().join("step-99")).unwrap();
        std::fs::create_dir(base.path().join("step-notes")).unwrap();
        assert_eq!(steps(&checkpoints), [10]);
    }

    #[test]
    fn the_same_step_is_replaced() {
        let base = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(base.path().to_owned());
        save(&checkpoints, 10, "first");
        let again = save(&checkpoints, 10, "second");
        assert_eq!(std::fs::read_to_string(again.path.join("model.safetensors")).unwrap(), "second");
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_of_killed_writers_go_and_a_moved_checkpoint_comes_back() {
        let base = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(base.path().to_owned());
        save(&checkpoints, 10, "a");
        save(&checkpoints, 20, "b");
        std::fs::create_dir(base.path().join(".step-30.tmp-1")).unwrap();
        std::fs::rename(base.path().join("step-20"), base.path().join(".step-20.old-1")).unwrap();
        checkpoints.clean().unwrap();
        assert_eq!(steps(&checkpoints), [10, 20]);
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 2);
    }

    #[test]
    fn pruning_keeps_the_last_and_the_multiples() {
        let base = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(base.path().to_owned());
        for step in (100..=1000).step_by(100) {
            save(&checkpoints, step, "x");
        }
        checkpoints.prune(2, 400).unwrap();
        assert_eq!(steps(&checkpoints), [400, 800, 900, 1000]);
        checkpoints.prune(0, 0).unwrap();
        assert_eq!(steps(&checkpoints), [1000], "the last one always stays");
    }
}
