//! The run folder:
//!
//! ```text
//! RUN/config.toml            every setting, plain values; its presence makes a folder a run
//!     metrics.jsonl          one record a line
//!     curves.jsonl           one matching-probability curve a line
//!     events.out.tfevents.*  the same for TensorBoard
//!     bad-images.jsonl       what could not be read, if anything
//!     checkpoints/step-N/    whole checkpoints only
//!     eval/*.json            judged results
//!     report.html            the page
//!     run.lock               held by the process that trains
//! ```

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::checkpoint::{Checkpoints, sync_folder};
use crate::error::RunError;

const CONFIG: &str = "config.toml";
const LOCK: &str = "run.lock";

/// A run's folder. One that was made by [`create`](RunFolder::create) or [`open`](RunFolder::open) holds the lock
/// until it is dropped; [`read`](RunFolder::read) takes none.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: Option<File>,
}

impl RunFolder {
    /// Makes the folder of a new run and locks it. An empty folder is taken as it is.
    ///
    /// # Errors
    /// [`RunError::Exists`] for a run, [`RunError::NotEmpty`] for a folder that holds anything else.
    pub fn create(path: &Path) -> Result<RunFolder, RunError> {
        std::fs::create_dir_all(path).map_err(RunError::io("create", path))?;
        check_fresh(path)?;
        let lock = lock(path)?;
        // Again under the lock: another process may have been quicker, and ended.
        check_fresh(path)?;
        Ok(RunFolder { path: path.to_owned(), _lock: Some(lock) })
    }

    /// Opens and locks a run to go on with it; what killed writers left half-done is removed.
    pub fn open(path: &Path) -> Result<RunFolder, RunError> {
        check_run(path)?;
        let lock = lock(path)?;
        let run = RunFolder { path: path.to_owned(), _lock: Some(lock) };
        run.checkpoints().clean()?;
        Ok(run)
    }

    /// Opens a run to look at it, while it trains too.
    pub fn read(path: &Path) -> Result<RunFolder, RunError> {
        check_run(path)?;
        Ok(RunFolder { path: path.to_owned(), _lock: None })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// `metrics.jsonl`
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `curves.jsonl`
    pub fn curves_path(&self) -> PathBuf {
        self.path.join("curves.jsonl")
    }

    /// `bad-images.jsonl`
    pub fn bad_images_path(&self) -> PathBuf {
        self.path.join("bad-images.jsonl")
    }

    /// `eval/NAME.json`
    pub fn result_path(&self, name: &str) -> PathBuf {
        self.path.join("eval").join(format!("{name}.json"))
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.path.join("checkpoints"))
    }

    /// Writes `config.toml`, whole or not at all. From here on the folder is a run.
    pub fn write_config(&self, text: &str) -> Result<(), RunError> {
        write_whole(&self.config_path(), text.as_bytes())
    }

    /// Writes a judged result to `eval/NAME.json`, whole or not at all; the report shows it.
    pub fn write_result<T: Serialize>(&self, name: &str, result: &T) -> Result<PathBuf, RunError> {
        let path = self.result_path(name);
        let unwritable = |source| RunError::Unwritable { path: path.clone(), source };
        let mut text = serde_json::to_vec_pretty(result).map_err(unwritable)?;
        text.push(b'\n');
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(RunError::io("create", folder))?;
        }
        write_whole(&path, &text)?;
        Ok(path)
    }
}

/// `runs/<date>-<time>-<preset>` in local time, for a run without `--out`; the first free one of `...-2`, `...-3`
/// where several start in one second.
pub fn default_path(preset: &str) -> PathBuf {
    let stem = format!("{}-{preset}", jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S"));
    let first = Path::new("runs").join(&stem);
    let mut later = (2u32..).map(|n| Path::new("runs").join(format!("{stem}-{n}")));
    if first.exists() { later.find(|path| !path.exists()).unwrap_or(first) } else { first }
}

/// Writes a file beside its place, syncs it and renames it there: readers see the old one or the new one.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".tmp-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside).map_err(RunError::io("create", &beside))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(RunError::io("write", &beside))?;
    std::fs::rename(&beside, path).map_err(RunError::io("write", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn check_run(path: &Path) -> Result<(), RunError> {
    if !path.exists() {
        return Err(RunError::Missing { path: path.to_owned() });
    }
    if !path.join(CONFIG).is_file() {
        return Err(RunError::NotARun { path: path.to_owned() });
    }
    Ok(())
}

fn check_fresh(path: &Path) -> Result<(), RunError> {
    if path.join(CONFIG).exists() {
        return Err(RunError::Exists { path: path.to_owned() });
    }
    for entry in std::fs::read_dir(path).map_err(RunError::io("read", path))? {
        let entry = entry.map_err(RunError::io("read", path))?;
        // The lock alone is what a process leaves that ended before its first setting was written.
        if entry.file_name() != LOCK {
            return Err(RunError::NotEmpty { path: path.to_owned() });
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, RunError> {
    let at = path.join(LOCK);
    let file = File::options().create(true).write(true).truncate(false).open(&at).map_err(RunError::io("open", &at))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked { path: path.to_owned() }),
        // Some network file systems know no locks: better a run without one than none at all.
        Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(RunError::io("lock", &at)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_refused_twice_and_opened_once() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("deep/run");
        let run = RunFolder::create(&path).unwrap();
        run.write_config("seed = 0\n").unwrap();
        let error = RunFolder::create(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{} already holds a run", path.display()));
        let hint = format!("`mochi resume {}` goes on with it; another --out starts a new one", path.display());
        assert_eq!(error.hint(), Some(hint));
        assert!(matches!(RunFolder::open(&path), Err(RunError::Locked { .. })), "its maker still holds it");
        RunFolder::read(&path).expect("looking is free");
        drop(run);
        RunFolder::open(&path).expect("the lock goes with its holder");
    }

    #[test]
    fn other_folders_are_told_apart() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        assert!(matches!(RunFolder::open(&at("nowhere")), Err(RunError::Missing { .. })));
        std::fs::create_dir(at("empty")).unwrap();
        assert!(matches!(RunFolder::open(&at("empty")), Err(RunError::NotARun { .. })));
        drop(RunFolder::create(&at("empty")).unwrap());
        drop(RunFolder::create(&at("empty")).expect("a lock alone is no run"));
        std::fs::create_dir(at("full")).unwrap();
        std::fs::write(at("full/thesis.tex"), "x").unwrap();
        assert!(matches!(RunFolder::create(&at("full")), Err(RunError::NotEmpty { .. })));
        std::fs::write(at("file"), "x").unwrap();
        assert!(matches!(RunFolder::create(&at("file")), Err(RunError::Io { .. })));
    }

    #[test]
    fn results_are_written_whole() {
        let base = tempfile::tempdir().unwrap();
        let run = RunFolder::create(base.path()).unwrap();
        let path = run.write_result("knn", &serde_json::json!({"top1": 0.5})).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\n  \"top1\": 0.5\n}\n");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }
}
