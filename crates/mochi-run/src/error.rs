//! What can go wrong with a run's files.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the run folder.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder of a new run holds something.
    #[error("{} already holds a run", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of a new run holds something that is no run.
    #[error("{} is not empty and no run", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing at the path.
    #[error("there is no run at {}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// What is at the path is no run.
    #[error("{} is no run: it has no config.toml", path.display())]
    NotARun {
        /// The path.
        path: PathBuf,
    },
    /// Another process trains in the folder.
    #[error("another process is at work in {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
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
    /// A line of a log in the middle of the file is no record.
    #[error("{}, line {line}: {source}", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A value that JSON cannot hold.
    #[error("cannot write a record to {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the serialiser says.
        source: serde_json::Error,
    },
    /// A checkpoint was committed without the file that makes it whole.
    #[error("the checkpoint {} has no state.json and is not kept", path.display())]
    NotWhole {
        /// The folder.
        path: PathBuf,
    },
    /// No signal handler could be put in place.
    #[error("cannot listen for stop signals: {source}")]
    Signals {
        /// What the system says.
        source: io::Error,
    },
}

impl RunError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
        let path = path.to_owned();
        move |source| RunError::Io { action, path, source }
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            RunError::Exists { path } => {
                Some(format!("`mochi resume {}` goes on with it; another --out starts a new one", path.display()))
            }
            RunError::NotEmpty { .. } => Some("give another --out".to_owned()),
            RunError::Missing { .. } => Some("check the path; `mochi pretrain DATA --out RUN` makes a run".to_owned()),
            RunError::NotARun { .. } => Some("give the folder that `mochi pretrain --out` made".to_owned()),
            RunError::Locked { .. } => Some("wait for it or stop it".to_owned()),
            RunError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("make room on the disk, then `mochi resume RUN`".to_owned())
                }
                io::ErrorKind::PermissionDenied => Some("check who may write there, or give another --out".to_owned()),
                _ => None,
            },
            RunError::BadRecord { line, .. } => Some(format!("remove line {line} from the file")),
            RunError::Unwritable { .. } | RunError::NotWhole { .. } | RunError::Signals { .. } => None,
        }
    }
}
