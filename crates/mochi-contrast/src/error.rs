//! Errors of the loss and the queue.

use mochi_contrast_core::CoreError;
use mochi_tensor::TensorError;

/// An error of the loss or the queue.
#[derive(Debug, thiserror::Error)]
pub enum ContrastError {
    /// Embeddings contain NaN or infinity.
    #[error("the {what} embeddings contain values that are not finite at step {step}")]
    NotFinite {
        /// "query" or "key".
        what: &'static str,
        /// Training step.
        step: u64,
    },
    /// A row does not have norm 1.
    #[error("{what} row {row} has norm {norm} at step {step}; rows must have norm 1")]
    NotUnit {
        /// "query", "key" or "queue".
        what: &'static str,
        /// The row.
        row: usize,
        /// Its norm.
        norm: f64,
        /// Training step.
        step: u64,
    },
    /// The loss or its gradient is not finite although its inputs are.
    #[error("the loss is not finite at step {step}")]
    LossNotFinite {
        /// Training step.
        step: u64,
    },
    /// An invalid input of the loss.
    #[error(transparent)]
    Input(#[from] CoreError),
    /// An error of libtorch.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl ContrastError {
    /// The error for inconsistent shapes.
    pub(crate) fn shape(text: String) -> Self {
        CoreError::Shape(text).into()
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFinite { .. } | Self::LossNotFinite { .. } => Some(
                "lower optimizer.learning_rate, add optimizer.warmup_epochs, or set compute.precision=float32".into(),
            ),
            Self::Tensor(error) => error.hint(),
            Self::Input(CoreError::MissingMetadata { what: "labels", .. }) => {
                Some("remove the filter: the dataset has no labels".into())
            }
            Self::Input(_) | Self::NotUnit { .. } => None,
        }
    }
}

impl From<mochi_tensor::TchError> for ContrastError {
    fn from(error: mochi_tensor::TchError) -> Self {
        Self::Tensor(error.into())
    }
}
