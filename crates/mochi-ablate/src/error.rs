//! What can go wrong with a plan and its folder.

use std::path::{Path, PathBuf};

use mochi_config::ConfigError;
use mochi_config::plan::PlanError;
use mochi_files::FileError;
use mochi_run::RunError;

/// A failure of a plan or of its folder.
#[derive(Debug, thiserror::Error)]
pub enum AblateError {
    /// The plan is not what a plan must be.
    #[error("{}: {problem}", plan.display())]
    Plan {
        /// The plan file.
        plan: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to write instead.
        hint: String,
    },
    /// The settings of a variant are not valid.
    #[error("{}, variant \"{variant}\": {source}", plan.display())]
    Settings {
        /// The plan file.
        plan: PathBuf,
        /// The variant.
        variant: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// The folder of the study holds something else.
    #[error("{} is not empty and holds no ablation study", path.display())]
    NotAStudy {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A run folder cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The system refuses something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl From<PlanError> for AblateError {
    fn from(PlanError { path, problem, hint }: PlanError) -> Self {
        AblateError::Plan { plan: path, problem, hint }
    }
}

impl AblateError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            AblateError::Plan { hint, .. } => Some(hint.clone()),
            AblateError::Settings { source, .. } => source.hint(),
            AblateError::NotAStudy { .. } => Some("choose another folder with --out".to_owned()),
            AblateError::File(error) => error.hint(),
            AblateError::Run(error) => error.hint(),
            AblateError::Io { .. } => Some("check that the folder exists and that it is writable".to_owned()),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AblateError {
        move |source| AblateError::Io { action, path: path.to_owned(), source }
    }
}
