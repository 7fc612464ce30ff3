//! Errors of training.

use std::path::{Path, PathBuf};

use mochi_config::ConfigError;
use mochi_contrast::ContrastError;
use mochi_data::DataError;
use mochi_run::RunError;
use mochi_tensor::TensorError;
use mochi_text::{counted, counted_with};

/// An error of training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The dataset could not be read, or too many of its images are bad.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The settings are invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The run folder could not be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// libtorch reported an error.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The loss could not be computed.
    #[error(transparent)]
    Contrast(ContrastError),
    /// Images that a run cannot be evaluated on.
    #[error("{}: {source}", if *has_labels { "evaluation.source" } else { "evaluation during training" })]
    Evaluation {
        /// Whether they are those of `evaluation.source`.
        has_labels: bool,
        /// What is wrong with them.
        source: mochi_eval::EvalError,
        /// `config.toml` of a run that is resumed.
        config: Option<PathBuf>,
    },
    /// Embeddings, loss or gradients are not finite.
    #[error("{reason}; the optimizer step was skipped, and its inputs and state were saved to {}", .folder.display())]
    Diverged {
        /// What was not finite.
        reason: String,
        /// Folder with the task's parts and the batch.
        folder: PathBuf,
        /// The setting of the task's warm-up.
        warm_up: &'static str,
        /// Whether the run has a checkpoint.
        resumable: bool,
    },
    /// A step left values that are not finite, which are not written as a checkpoint.
    #[error("{reason}; they were saved to {} and not as a checkpoint", .folder.display())]
    NotFinite {
        /// What is not finite.
        reason: String,
        /// Folder with the task's parts.
        folder: PathBuf,
        /// The setting of the task's warm-up.
        warm_up: &'static str,
        /// Whether the run has a checkpoint.
        resumable: bool,
    },
    /// Average precision could not be computed.
    #[error(transparent)]
    Metrics(#[from] mochi_detection_metrics::MetricsError),
    /// Weights that do not fill a detector's backbone.
    #[error("{} does not hold a whole {arch}: {report}", .path.display())]
    StartWeights {
        /// The weight file.
        path: PathBuf,
        /// The backbone.
        arch: String,
        /// The comparison.
        report: Box<mochi_tensor::LoadReport>,
    },
    /// A file of a checkpoint that is not its weights.
    #[error("{} is no weight file but another part of a checkpoint", .path.display())]
    NotTheWeights {
        /// The file.
        path: PathBuf,
        /// The weights beside it.
        weights: PathBuf,
    },
    /// A checkpoint that is damaged or belongs to another run.
    #[error("cannot resume from {}: {reason}", .path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that a resumed run may not change.
    #[error("{key} is {now} in {}, but {} with {before}", .path.display(), counted_with(step, "step", ["was trained", "were trained"]))]
    SettingChanged {
        /// The setting.
        key: &'static str,
        /// Its value now.
        now: String,
        /// Its value in the checkpoint.
        before: String,
        /// Steps of the checkpoint.
        step: u64,
        /// The run's `config.toml`.
        path: PathBuf,
    },
    /// Another dataset than that of the checkpoint.
    #[error("{dataset} {}", data_change(*.now, *.before))]
    DataChanged {
        /// Where the dataset is.
        dataset: String,
        /// Its number of images now.
        now: usize,
        /// The number of images that the run was trained on.
        before: usize,
    },
    /// The loader ended before the run.
    #[error("the data ended at step {step} of {steps}")]
    DataEnded {
        /// Steps done.
        step: u64,
        /// Steps of the run.
        steps: u64,
    },
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
    /// An option that needs classes, and a dataset that has none.
    #[error("{option} needs classes, and the dataset has none")]
    NoLabels {
        /// The option as a setting.
        option: &'static str,
    },
    /// Settings that several processes cannot train with.
    #[error("{what}")]
    Ranks {
        /// What does not fit.
        what: String,
        /// The next step.
        hint: String,
    },
    /// A run without a checkpoint.
    #[error("{} has no checkpoint", .0.display())]
    NoCheckpoint(PathBuf),
}

/// Tensors of a ResNet's smallest block: weights of another architecture lack all of some blocks, or have other shapes.
const BLOCK: usize = 10;

impl TrainError {
    /// The same of a run that is resumed, with its `config.toml`: what is missing can be changed there.
    #[must_use]
    pub(crate) fn of_resumed(self, config: &Path) -> Self {
        match self {
            Self::Evaluation { has_labels, source, .. } => {
                Self::Evaluation { has_labels, source, config: Some(config.to_owned()) }
            }
            other => other,
        }
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Tensor(error) => error.hint(),
            Self::Contrast(error) => error.hint(),
            Self::Evaluation { has_labels: true, config: Some(config), .. } => Some(format!(
                "put the images back at that place, or edit evaluation.source in {}: other labeled images, or \"\" to go on without them",
                config.display()
            )),
            Self::Evaluation { source: mochi_eval::EvalError::NothingToHoldOut, .. } => {
                Some("give at least three images of a class".into())
            }
            Self::Evaluation { source, .. } => source.hint(),
            Self::Metrics(error) => error.hint(),
            Self::NotTheWeights { weights, .. } => {
                Some(format!("give its weights, {}", weights.display()))
            }
            Self::StartWeights { report, .. } if report.matched == 0 => Some(
                "give the weights of a ResNet with the names of torchvision, MoCo or detectron2".into(),
            ),
            Self::StartWeights { report, .. }
                if report.mismatched.is_empty() && report.unexpected.is_empty() && report.missing.len() < BLOCK =>
            {
                Some("give a file with all tensors of the backbone: an incomplete one is not used".into())
            }
            Self::StartWeights { .. } => Some("set model.arch and model.stem to those of the weights".into()),
            Self::Diverged { warm_up, resumable, .. } | Self::NotFinite { warm_up, resumable, .. } => Some(format!(
                "lower optimizer.learning_rate, raise {warm_up}, or set compute.precision=float32; then {}",
                match resumable {
                    true => "resume: the last checkpoint is unchanged",
                    false => "start again in another folder: there is no checkpoint yet",
                }
            )),
            Self::Checkpoint { .. } => Some("resume with the dataset and the settings that the run was started with".into()),
            Self::SettingChanged { key, before, path, .. } => {
                Some(format!("set {key} = {before} in {} to resume, or start a new run with the other value", path.display()))
            }
            Self::DataChanged { .. } => Some("restore the dataset as it was (data.source in config.toml may be another path), or start a new run".into()),
            Self::Internal(_) | Self::DataEnded { .. } => Some("this is a bug in Mochi; please report it with the full command line".into()),
            Self::NoLabels { .. } => Some("give a folder whose sub-folders are classes, a list with a class after each path, or CIFAR or IDX files with labels".into()),
            Self::Ranks { hint, .. } => Some(hint.clone()),
            Self::NoCheckpoint(_) => Some("repeat the command that started it: it starts over in the same folder".into()),
        }
    }
}

/// What differs between a dataset and that of a checkpoint.
fn data_change(now: usize, before: usize) -> String {
    if now == before {
        format!(
            "still has {}, but their names, sizes or labels are not those that the run was trained on",
            counted(now, "image")
        )
    } else {
        format!("has {} now; the run was trained on {before}", counted(now, "image"))
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
