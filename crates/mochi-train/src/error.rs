//! What can end a run.

use std::path::PathBuf;

use mochi_config::ConfigError;
use mochi_contrast::ContrastError;
use mochi_data::DataError;
use mochi_run::RunError;
use mochi_tensor::TensorError;

/// An error of pre-training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data set could not be read, or too much of it is bad.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The settings do not stand.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The run folder could not be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The engine refused.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The loss could not be computed.
    #[error(transparent)]
    Contrast(ContrastError),
    /// Embeddings or loss stopped being numbers; the step was not taken and can be replayed.
    #[error("{reason}; the step was not taken, and what it saw is in {}", .folder.display())]
    Diverged {
        /// What was not finite.
        reason: String,
        /// Folder with weights, optimizer, queue and views.
        folder: PathBuf,
    },
    /// A checkpoint's parts do not belong to this run.
    #[error("{} does not fit this run: {reason}", .path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// An option that needs classes, and a data set that has none.
    #[error("{option} needs classes, and the data set has none")]
    NoLabels {
        /// The option as a setting.
        option: &'static str,
    },
    /// A run that has no checkpoint yet.
    #[error("{} holds no checkpoint", .0.display())]
    NoCheckpoint(PathBuf),
}

impl TrainError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Tensor(error) => error.hint(),
            Self::Contrast(error) => error.hint(),
            Self::Diverged { .. } => Some(
                "lower optimizer.learning_rate, add optimizer.warmup_epochs, or set compute.precision=float32; the last checkpoint is untouched".into(),
            ),
            Self::Checkpoint { .. } => Some("resume with the data set and the settings that the run was started with".into()),
            Self::NoLabels { .. } => Some("give a folder whose sub-folders are classes, a list with a class after each path, or CIFAR or IDX files with labels".into()),
            Self::NoCheckpoint(_) => Some("repeat the `mochi pretrain` command that started it: it starts over in the same folder".into()),
        }
    }
}

impl From<ContrastError> for TrainError {
    fn from(error: ContrastError) -> Self {
        match error {
            ContrastError::Tensor(error) => Self::Tensor(error),
            other => Self::Contrast(other),
        }
    }
}

impl From<mochi_tensor::TchError> for TrainError {
    fn from(error: mochi_tensor::TchError) -> Self {
        Self::Tensor(error.into())
    }
}
