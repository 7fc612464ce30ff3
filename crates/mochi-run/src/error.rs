//! What can go wrong with a run's files.

use std::io;
use std::path::{Path, PathBuf};

use mochi_files::{FileError, shell_word};

use crate::checkpoint::Damaged;
use crate::limits::LINE;

/// A failure of the run folder.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder of a new run holds a run with checkpoints.
    #[error("{} already holds a run", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of a new run holds something that is no run.
    #[error("{} is not empty and not a run", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The path does not exist.
    #[error("there is no run at {}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The path is not a run.
    #[error("{} is not a run: it has no config.toml", path.display())]
    NotARun {
        /// The path.
        path: PathBuf,
    },
    /// The path is that of a file.
    #[error("{} is a file, and a run is a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// The run that the file is in, if it is in one.
        run: Option<PathBuf>,
    },
    /// Another process trains in the folder.
    #[error("another process is using {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be opened, read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A run has no checkpoint yet.
    #[error("{} has no checkpoint", path.display())]
    NoCheckpoint {
        /// The run.
        path: PathBuf,
    },
    /// There is no checkpoint of this step.
    #[error("{} has no checkpoint of step {step}", path.display())]
    NoSuchCheckpoint {
        /// The run.
        path: PathBuf,
        /// The step that was asked for.
        step: u64,
        /// The steps that there are.
        steps: Vec<u64>,
    },
    /// The checkpoint that was asked for is damaged.
    #[error("{0}")]
    Damaged(Damaged),
    /// Every checkpoint is damaged.
    #[error("no checkpoint of {} is whole: {}", path.display(), joined(damaged))]
    AllDamaged {
        /// The run.
        path: PathBuf,
        /// The checkpoints, the newest first.
        damaged: Vec<Damaged>,
    },
    /// A line of a log in the middle of the file is not a record.
    #[error("{}, line {line}: {source}", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A line of a log is longer than a record can be.
    #[error("{}, line {line} is longer than {LINE} bytes", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// A text file that is not UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A result that is not JSON.
    #[error("{}: {source}", path.display())]
    BadResult {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A value that JSON cannot hold.
    #[error("cannot write a record to {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the serializer says.
        source: serde_json::Error,
    },
}

fn joined(damaged: &[Damaged]) -> String {
    let reasons: Vec<String> =
        damaged.iter().map(|one| format!("step-{}: {}", one.checkpoint.step, one.reason)).collect();
    reasons.join("; ")
}

impl RunError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
        let path = path.to_owned();
        move |source| FileError::Io { action, path, source }.into()
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            RunError::Exists { path } => {
                format!("continue it with `mochi resume {}`, or start a new run with another --out", shell_word(path))
            }
            RunError::NotEmpty { .. } => "give another --out".to_owned(),
            RunError::Missing { .. } => "check the path; `mochi pretrain` and `mochi detect train` make runs".to_owned(),
            RunError::NotARun { .. } => "give a folder that `mochi pretrain --out` or `mochi detect train --out` made".to_owned(),
            RunError::NotAFolder { run, .. } => match run {
                Some(folder) => format!("give the folder of the run, {}", shell_word(folder)),
                None => "give a folder that `mochi pretrain --out` or `mochi detect train --out` made".to_owned(),
            },
            RunError::Locked { .. } => "wait until it ends, or stop it".to_owned(),
            RunError::File(error) => match error.kind() {
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                    "free some space on the disk, then repeat the command; `mochi resume RUN` continues from the last checkpoint".to_owned()
                }
                _ => return error.hint(),
            },
            RunError::NoCheckpoint { .. } => {
                "repeat the command that started it: it starts over in the same folder".to_owned()
            }
            RunError::NoSuchCheckpoint { steps, .. } if steps.is_empty() => {
                "repeat the command that started it: it starts over in the same folder".to_owned()
            }
            RunError::NoSuchCheckpoint { steps, .. } => {
                let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
                format!("choose one of the steps {}", steps.join(", "))
            }
            RunError::Damaged(_) => "choose another step; without one, the newest whole checkpoint is used".to_owned(),
            RunError::AllDamaged { .. } => "copy a checkpoint from a backup, or start a new run with another --out".to_owned(),
            RunError::BadRecord { line, .. } | RunError::LongLine { line, .. } => format!("remove line {line} from the file"),
            RunError::NotText { .. } => "copy the file again from a backup".to_owned(),
            RunError::BadResult { .. } => "remove the file, then repeat the evaluation".to_owned(),
            RunError::Unwritable { .. } => return None,
        })
    }
}
