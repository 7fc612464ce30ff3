//! What can go wrong between embeddings and a loss.

use mochi_tensor::TensorError;

/// An error of the loss or the queue.
#[derive(Debug, thiserror::Error)]
pub enum ContrastError {
    /// Embeddings that hold NaN or infinity.
    #[error("the {what} embeddings hold values that are not finite at step {step}")]
    NotFinite {
        /// "query" or "key".
        what: &'static str,
        /// Training step.
        step: u64,
    },
    /// Rows that do not lie on the sphere.
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
    /// Shapes that do not fit each other.
    #[error("{0}")]
    Shape(String),
    /// An option out of its range.
    #[error("{option} is {value}, but {expected}")]
    Option {
        /// The option's name in a configuration.
        option: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A query without a single negative.
    #[error("all columns are masked for query {row} at step {step} by {guards}")]
    AllMasked {
        /// The query.
        row: usize,
        /// What masks: names of guards, as in a configuration.
        guards: String,
        /// Training step.
        step: u64,
    },
    /// A guard that would have to know what nobody said.
    #[error("the guard {guard} needs the {what} of queries and columns")]
    Unknown {
        /// The guard, as in a configuration.
        guard: &'static str,
        /// "images" or "labels".
        what: &'static str,
    },
    /// The engine refused.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl ContrastError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFinite { .. } | Self::LossNotFinite { .. } => Some(
                "lower optimizer.learning_rate, add optimizer.warmup_epochs, or set compute.precision=float32".into(),
            ),
            Self::Tensor(error) => error.hint(),
            Self::AllMasked { .. } => Some("loosen negatives.filters, or make moco.queue larger".into()),
            Self::Unknown { what: "labels", .. } => Some("the data set has no labels: take the guard out".into()),
            Self::Unknown { .. } | Self::NotUnit { .. } | Self::Shape(_) | Self::Option { .. } => None,
        }
    }
}

impl From<mochi_tensor::TchError> for ContrastError {
    fn from(error: mochi_tensor::TchError) -> Self {
        Self::Tensor(error.into())
    }
}
