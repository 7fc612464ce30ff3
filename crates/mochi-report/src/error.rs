//! Errors of reports.

use std::path::PathBuf;

use mochi_config::{ConfigError, Task};
use mochi_figures::DrawingError;
use mochi_files::{FileError, shell_word};
use mochi_run::RunError;

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run folder or its metrics cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A study's folder cannot be read or written.
    #[error(transparent)]
    Study(#[from] mochi_ablate::AblateError),
    /// The page or a figure cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Runs or a study have nothing to draw.
    #[error("{} no records or results yet, so there is no figure to draw", names(folders))]
    NoFigures {
        /// The folders.
        folders: Vec<PathBuf>,
    },
    /// Runs of different tasks were to be compared.
    #[error("{} is a run of {} and {} is one of {}: only runs of one task are compared", first.0.display(), first.1, other.0.display(), other.1)]
    DifferentTasks {
        /// The first run and its task.
        first: (PathBuf, Task),
        /// The first one of another task.
        other: (PathBuf, Task),
    },
    /// A figure cannot be drawn as PNG.
    #[error(transparent)]
    Drawing(#[from] DrawingError),
    /// The run's settings cannot be read.
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

impl ReportError {
    /// What to do about it, as an imperative.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReportError::Run(error) => error.hint(),
            ReportError::Study(error) => error.hint(),
            ReportError::Settings(error) => error.hint(),
            ReportError::File(error) => error.hint(),
            ReportError::NoFigures { .. } => Some("train for some steps first".into()),
            ReportError::DifferentTasks { other: (path, _), .. } => {
                Some(format!("leave it out; `mochi report {}` writes its own page", shell_word(path)))
            }
            ReportError::Drawing(error) => Some(error.hint().into()),
        }
    }
}

/// "a has" or "a, b have".
fn names(folders: &[PathBuf]) -> String {
    let all = folders.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    format!("{all} {}", if folders.len() == 1 { "has" } else { "have" })
}
