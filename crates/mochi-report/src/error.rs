//! Errors of reports.

use mochi_config::ConfigError;
use mochi_files::FileError;
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
    /// The run has no records to draw.
    #[error("{} has no records yet, so there is no figure to draw", run.display())]
    NoFigures {
        /// The run folder.
        run: std::path::PathBuf,
    },
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
        }
    }
}
