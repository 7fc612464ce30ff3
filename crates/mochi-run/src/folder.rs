//! The run folder:
//!
//! ```text
//! RUN/config.toml            every setting, plain values; its presence makes a folder a run
//!     metrics.jsonl          one record a line
//!     curves.jsonl           one matching-probability curve a line
//!     events.out.tfevents.*  the same for TensorBoard
//!     sessions.jsonl         command, version and machine of each process that trained
//!     bad-images.jsonl       images that could not be read, if any
//!     checkpoints/step-N/    whole checkpoints only
//!     failed/step-N/         what a step saw whose loss was not finite, if any
//!     eval/                  evaluation results: `results.rs`
//!     report.html            the page
//!     views.jpg              some training views, for the page
//!     analysis.json          what `mochi analyze` measured, if it did
//!     analysis.html          its page
//!     run.lock               held by the process that trains
//! ```
//!
//! RUN itself may be a symbolic link; nothing below it may: a run can come from somebody else, and a link in it would lead reads and writes elsewhere.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use mochi_files::{FileError, FileType, Folder, is_temporary};
use serde::Serialize;

use crate::checkpoint::Checkpoints;
use crate::error::RunError;
use crate::limits::{self, WHOLE_FILE};

const CONFIG: &str = "config.toml";
const LOCK: &str = "run.lock";
const PAGE: &str = "report.html";
const VIEWS: &str = "views.jpg";
const ANALYSIS: &str = "analysis.json";
const ANALYSIS_PAGE: &str = "analysis.html";
/// What file managers leave in a folder that somebody has opened.
const IGNORED: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// A run's folder. One that was made by [`create`](RunFolder::create) or [`open`](RunFolder::open) holds the lock
/// until it is dropped; [`read`](RunFolder::read) takes none.
#[derive(Debug)]
pub struct RunFolder {
    folder: Folder,
    lock: Option<Lock>,
}

#[derive(Debug)]
struct Lock {
    _file: File,
    /// Some network file systems know no locks.
    exclusive: bool,
}

impl RunFolder {
    /// Makes the folder of a new run and locks it. An empty folder is taken as it is, and so is a run that ended before its first
    /// checkpoint: [`write_config`](RunFolder::write_config) starts it over.
    ///
    /// # Errors
    /// [`RunError::Exists`] for a run with checkpoints, [`RunError::NotEmpty`] for a folder that holds anything else.
    pub fn create(path: &Path) -> Result<RunFolder, RunError> {
        let folder = Folder::create(path)?;
        check_free(&folder)?;
        let lock = lock(&folder)?;
        // Again under the lock: another process may have been quicker, and ended.
        check_free(&folder)?;
        Ok(RunFolder { folder, lock: Some(lock) })
    }

    /// Whether [`create`](RunFolder::create) would accept the path, where it exists.
    ///
    /// # Errors
    /// [`RunError::Exists`], [`RunError::NotEmpty`]; [`RunError::File`] for a file in its place.
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        if path.exists() { check_free(&Folder::open(path)?) } else { Ok(()) }
    }

    /// Opens and locks a run to continue it; what killed writers left half-done is removed.
    ///
    /// # Errors
    /// [`RunError::Missing`], [`RunError::NotARun`], [`RunError::Locked`], [`RunError::File`].
    pub fn open(path: &Path) -> Result<RunFolder, RunError> {
        let folder = open_run(path)?;
        let lock = lock(&folder)?;
        let run = RunFolder { folder, lock: Some(lock) };
        run.clean()?;
        Ok(run)
    }

    /// Opens a run for reading, also while it trains.
    ///
    /// # Errors
    /// [`RunError::Missing`], [`RunError::NotARun`], [`RunError::File`].
    pub fn read(path: &Path) -> Result<RunFolder, RunError> {
        Ok(RunFolder { folder: open_run(path)?, lock: None })
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder, which opens what is below it.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The path of a run's page, which need not exist.
    pub fn page_path(run: &Path) -> PathBuf {
        run.join(PAGE)
    }

    /// The path of `config.toml`, for messages.
    pub fn config_path(&self) -> PathBuf {
        Self::config_in(self.path())
    }

    /// The path of a run's `config.toml`.
    pub fn config_in(run: &Path) -> PathBuf {
        run.join(CONFIG)
    }

    /// `metrics.jsonl`
    pub fn metrics_path(&self) -> PathBuf {
        self.path().join("metrics.jsonl")
    }

    /// `curves.jsonl`
    pub fn curves_path(&self) -> PathBuf {
        self.path().join("curves.jsonl")
    }

    /// `sessions.jsonl`
    pub fn sessions_path(&self) -> PathBuf {
        self.path().join("sessions.jsonl")
    }

    /// `bad-images.jsonl`
    pub fn bad_images_path(&self) -> PathBuf {
        self.path().join("bad-images.jsonl")
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.path().join("checkpoints"))
    }

    /// What steps saw whose loss was not finite, written as checkpoints are.
    pub fn failed_steps(&self) -> Checkpoints {
        Checkpoints::new(self.path().join("failed"))
    }

    /// A warning for the user where the file system knows no locks, so that two processes could train in the run.
    pub fn warning(&self) -> Option<String> {
        let unlocked = self.lock.as_ref().is_some_and(|lock| !lock.exclusive);
        unlocked.then(|| {
            format!(
                "the file system of {} has no locks: make sure that no other process trains in this run",
                self.path().display()
            )
        })
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::NotText`].
    pub fn read_config(&self) -> Result<String, RunError> {
        let bytes = self.folder.read(CONFIG, WHOLE_FILE)?;
        String::from_utf8(bytes).map_err(|_| RunError::NotText { path: self.config_path() })
    }

    /// Writes `config.toml`, whole or not at all. From here on the folder is a run. Where it already was one without a checkpoint, its logs are
    /// removed: it starts over, with these settings.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn write_config(&self, text: &str) -> Result<(), RunError> {
        self.clean()?;
        if self.folder.file_type(CONFIG)?.is_some() {
            for entry in self.folder.list()? {
                let log = |name: &str| name.ends_with(".jsonl") || name.starts_with("events.out.tfevents.");
                if entry.file_type == FileType::File && entry.name.to_str().is_some_and(log) {
                    self.folder.remove(&entry.name)?;
                }
            }
        }
        Ok(self.folder.write(CONFIG, text.as_bytes())?)
    }

    /// Writes the report page, whole or not at all. Returns its path.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn write_page(&self, page: &str) -> Result<PathBuf, RunError> {
        self.folder.write(PAGE, page.as_bytes())?;
        Ok(self.path().join(PAGE))
    }

    /// Writes `views.jpg`, whole or not at all: some of the views that the run trains on.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn write_views(&self, jpeg: &[u8]) -> Result<(), RunError> {
        Ok(self.folder.write(VIEWS, jpeg)?)
    }

    /// Reads `views.jpg`; `None` if the run has none.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn read_views(&self) -> Result<Option<Vec<u8>>, RunError> {
        Ok(match self.folder.file_type(VIEWS)? {
            None => None,
            Some(_) => Some(self.folder.read(VIEWS, WHOLE_FILE)?),
        })
    }

    /// Writes the analysis of the embeddings to `analysis.json`, whole or not at all. Returns its path.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::Unwritable`].
    pub fn write_analysis<T: Serialize>(&self, analysis: &T) -> Result<PathBuf, RunError> {
        let path = self.analysis_path();
        self.folder.write(ANALYSIS, &json(analysis, &path)?)?;
        Ok(path)
    }

    /// Path of `analysis.json`, the measures of the embeddings of the run's checkpoints.
    pub fn analysis_path(&self) -> PathBuf {
        self.path().join(ANALYSIS)
    }

    /// Checks that the analysis and its page can be written, before the work whose result they are.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn check_analysis_writable(&self) -> Result<(), RunError> {
        self.folder.check_writable(ANALYSIS)?;
        Ok(self.folder.check_writable(ANALYSIS_PAGE)?)
    }

    /// Reads `analysis.json`; `None` if the run was not analyzed.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::NotText`].
    pub fn read_analysis(&self) -> Result<Option<String>, RunError> {
        if self.folder.file_type(ANALYSIS)?.is_none() {
            return Ok(None);
        }
        let bytes = self.folder.read(ANALYSIS, limits::ANALYSIS)?;
        String::from_utf8(bytes).map(Some).map_err(|_| RunError::NotText { path: self.analysis_path() })
    }

    /// Path of `analysis.html`, the page of the analysis.
    pub fn analysis_page_path(&self) -> PathBuf {
        self.path().join(ANALYSIS_PAGE)
    }

    /// Writes the page of the analysis to `analysis.html`, whole or not at all.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn write_analysis_page(&self, page: &str) -> Result<(), RunError> {
        Ok(self.folder.write(ANALYSIS_PAGE, page.as_bytes())?)
    }

    /// Checks that the page can be written, before the work whose result it shows.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn check_page_writable(&self) -> Result<(), RunError> {
        Ok(self.folder.check_writable(PAGE)?)
    }

    /// Removes what killed writers left. Without a lock another process may be writing, and nothing is removed.
    fn clean(&self) -> Result<(), RunError> {
        if !self.lock.as_ref().is_some_and(|lock| lock.exclusive) {
            return Ok(());
        }
        for entry in self.folder().list()?.iter().filter(|entry| is_temporary(&entry.name)) {
            self.folder().remove(&entry.name)?;
        }
        self.checkpoints().clean()?;
        self.failed_steps().clean()
    }
}

/// The text of a JSON file.
pub(crate) fn json<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, RunError> {
    let unwritable = |source| RunError::Unwritable { path: path.to_owned(), source };
    let mut text = serde_json::to_vec_pretty(value).map_err(unwritable)?;
    text.push(b'\n');
    Ok(text)
}

/// `runs/<date>-<time>-<preset>` in local time, for a run without `--out`; the first free one of `...-2`, `...-3`
/// where several start in one second.
pub fn default_path(preset: &str) -> PathBuf {
    let stem = format!("{}-{preset}", jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S"));
    let first = Path::new("runs").join(&stem);
    let mut later = (2u32..).map(|n| Path::new("runs").join(format!("{stem}-{n}")));
    if first.exists() { later.find(|path| !path.exists()).unwrap_or(first) } else { first }
}

fn open_run(path: &Path) -> Result<Folder, RunError> {
    let folder = match Folder::open(path) {
        Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => {
            return Err(RunError::Missing { path: path.to_owned() });
        }
        Err(FileError::NotAFolder { .. }) => {
            let run = path.parent().filter(|folder| RunFolder::config_in(folder).is_file()).map(Path::to_owned);
            return Err(RunError::NotAFolder { path: path.to_owned(), run });
        }
        folder => folder?,
    };
    // A link, a folder or a pipe in its place is told when it is read.
    match folder.file_type(CONFIG)? {
        Some(_) => Ok(folder),
        None => Err(RunError::NotARun { path: path.to_owned() }),
    }
}

/// Refuses a folder in which no new run can start.
fn check_free(folder: &Folder) -> Result<(), RunError> {
    let path = || folder.path().to_owned();
    if folder.file_type(CONFIG)?.is_some() {
        let checkpoints = Checkpoints::new(folder.path().join("checkpoints")).list()?;
        return if checkpoints.is_empty() { Ok(()) } else { Err(RunError::Exists { path: path() }) };
    }
    // The lock and temporary files are what a process leaves that ended before its settings were written.
    let own =
        |name: &std::ffi::OsStr| name == LOCK || is_temporary(name) || IGNORED.iter().any(|ignored| name == *ignored);
    if folder.list()?.iter().all(|entry| own(&entry.name)) { Ok(()) } else { Err(RunError::NotEmpty { path: path() }) }
}

fn lock(folder: &Folder) -> Result<Lock, RunError> {
    let file = folder.open_write(LOCK)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file, exclusive: true }),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked { path: folder.path().to_owned() }),
        // Better a run without a lock than none at all.
        Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
            Ok(Lock { _file: file, exclusive: false })
        }
        Err(TryLockError::Error(error)) => Err(RunError::io("lock", &folder.path().join(LOCK))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An analysis of more than a hundred checkpoints was too large to be read, also by the command that writes it.
    #[test]
    fn an_analysis_of_many_checkpoints_is_read() {
        let base = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&base.path().join("run")).unwrap();
        assert_eq!(run.read_analysis().unwrap(), None);
        let checkpoints = vec![vec![0.123456789; 1000]; 300];
        run.write_analysis(&checkpoints).unwrap();
        let text = run.read_analysis().unwrap().unwrap();
        assert!(text.len() as u64 > WHOLE_FILE && serde_json::from_str::<Vec<Vec<f64>>>(&text).unwrap() == checkpoints);
    }

    /// Security review S18: without locks, a second process deleted the checkpoint that the first one was writing, without a warning.
    #[test]
    fn s18_without_locks_there_is_a_warning_and_nothing_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("run");
        let mut run = RunFolder::create(&path).unwrap();
        let temporary = path.join(".mochi-0123456789abcdef.tmp");
        std::fs::write(&temporary, "in the making").unwrap();
        run.lock.as_mut().unwrap().exclusive = false;
        run.clean().unwrap();
        assert!(temporary.exists() && run.warning().unwrap().contains("has no locks"));
        run.lock.as_mut().unwrap().exclusive = true;
        run.clean().unwrap();
        assert!(!temporary.exists() && run.warning().is_none());
    }
}
